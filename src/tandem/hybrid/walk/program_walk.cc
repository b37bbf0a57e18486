#include "tandem/hybrid/walk/program_walk.h"

#include <algorithm>

#include "tandem/base/hash.h"
#include "tandem/hybrid/walk/confidence.h"

namespace tandem::walk {

Result<hybrid::Advance> ProgramWalk::next(const Json& state, std::span<const hybrid::Reply> replies) {
  const job::PlanStep* run = nullptr;
  for (const job::PlanStep& step : plan_.steps)
    if (step.kind == job::StepKind::kRun) run = &step;
  if (run == nullptr) return fail(errors::kStoreDamaged, "the plan of a program has no step that runs it");

  if (state.value("stage", "") == "run" && replies.empty()) {
    hybrid::Order order{.label = "run",
                        .backend = run->backend,
                        .fallbacks = run->fallbacks,
                        .work = backend::ProgramWork{.pubs = spec_.program().pubs, .seed = spec_.seed}};
    set_remote_limits(*run, order);
    return hybrid::Advance{.state = {{"stage", "run"}}, .orders = {std::move(order)}};
  }
  if (replies.size() != 1)
    return fail(errors::kStoreDamaged, "a program has one order, {} replies came", replies.size());
  const hybrid::Reply& reply = replies.front();
  if (!reply.result) return tl::unexpected(*reply.error);
  const auto& program = std::get<backend::ProgramResult>(*reply.result);

  job::ResultDocument result;
  result.kind = "program";
  for (const result::PubResult& pub : program.pubs) result.pubs.push_back(pub.document());
  result.comparison = {.verdict = "no_claim", .text = "A program has no objective, so there is nothing to compare."};
  result.refinement.status = "skipped: program";
  result.plan_digest = plan_.digest();
  result.explanation.push_back(fmt::format("{} ran {} PUBs{}.", reply.backend, program.pubs.size(),
                                           reply.emulated ? " (an emulated device, not hardware)" : ""));
  add_provenance(result.provenance, reply);
  result.confidence = program_confidence(reply, result.provenance);
  Json circuits = Json::array();
  for (const circuit::Pub& pub : spec_.program().pubs)
    circuits.push_back(sha256(canonical_json(pub.circuit.document())).hex());
  Json lineage = {{"circuit_sha256", std::move(circuits)}};
  if (std::ranges::any_of(program.pubs, [](const result::PubResult& pub) { return pub.arithmetic.has_value(); })) {
    lineage["arithmetic"] = Json::array();
    for (const result::PubResult& pub : program.pubs)
      lineage["arithmetic"].push_back(pub.arithmetic ? pub.arithmetic->document() : Json());
  }
  return hybrid::Advance{.state = {{"stage", "done"}},
                         .done = hybrid::Done{.result = std::move(result), .lineage = std::move(lineage)}};
}

}  // namespace tandem::walk
