#include <algorithm>

#include "tandem/base/hash.h"
#include "tandem/base/text.h"
#include "tandem/hybrid/baseline/baseline.h"
#include "tandem/hybrid/walk/problem_walk.h"

namespace tandem::walk {
namespace {

constexpr std::size_t kCandidatesMax = 16;  ///< shown to the client; the rest is in the raw results

Json candidate_state(const job::ScoredCandidate& candidate) {
  return {{"objective", candidate.objective},
          {"feasible", candidate.feasible},
          {"solution", job::solution_text(candidate.solution)},
          {"source", candidate.source},
          {"occurrences", candidate.occurrences}};
}

/// By the job, as a start: nothing that the run has found.
bool was_given(const job::ScoredCandidate& candidate) { return candidate.source == kStartSource; }

/// "refine:exact_shadow@cpu.branch_and_bound": found by a classical arm beside the quantum ones.
bool found_by_control(const job::ScoredCandidate& candidate) {
  constexpr std::string_view kPrefix = "refine:";
  const std::string_view source = candidate.source;
  return source.starts_with(kPrefix) &&
         refine::is_control(source.substr(kPrefix.size(), source.find('@') - kPrefix.size()));
}

std::string refinement_sentence(const job::RefinementSummary& refinement) {
  if (refinement.status != "done") return fmt::format("Quantum refinement: {}.", refinement.status);
  std::string out = fmt::format("{} of {} variables were left as the contested core and refined", refinement.core_size,
                                refinement.variables_before);
  for (const job::ArmSummary& arm : refinement.arms) {
    if (arm.arm != "qaoa") continue;
    out += fmt::format("; {}{}: ", arm.backend, arm.emulated ? " (emulated)" : "");
    out += arm.p_optimum
               ? fmt::format("{:.3g} % of {} samples at the core's optimum", 100 * *arm.p_optimum, arm.samples)
               : (arm.status == "done" ? fmt::format("{} samples, not graded", arm.samples) : arm.detail);
  }
  return out + ".";
}

}  // namespace

problem::Assignment assignment_of(const std::string& text, problem::Vartype vartype) {
  problem::Assignment out;
  const std::int8_t low = vartype == problem::Vartype::kSpin ? -1 : 0;
  for (const char c : text) out.push_back(c == '1' ? std::int8_t{1} : low);
  return out;
}

problem::Vartype vartype_of(const problem::Statement& statement) {
  if (const auto* cqm = std::get_if<problem::Cqm>(&statement)) return cqm->objective().vartype();
  if (const auto* bqm = std::get_if<problem::Bqm>(&statement)) return bqm->vartype();
  return std::get<problem::Polynomial>(statement).vartype();
}

/// A proof that something feasible contradicts is none: it is dropped, and said aloud. Scores are recomputed by the problem, so it is the
/// solver that erred. Empty: there is no contradiction.
std::string ProblemWalk::drop_contradicted_proof(Progress& progress) const {
  const auto beats = [&](const job::ScoredCandidate& candidate, double objective) {
    return candidate.feasible && problem::better(spec_.problem()->sense(), candidate.objective, objective) &&
           !problem::same_objective(candidate.objective, objective);
  };
  std::optional<double> proved;
  if (progress.proved && !progress.candidates.empty()) proved = progress.candidates.front().objective;
  const std::optional<double> bound =
      progress.bound ? std::optional(objective_of_energy(*progress.bound)) : std::nullopt;
  std::string out;
  const auto check = [&](const job::ScoredCandidate& candidate) {
    if (!out.empty()) return;
    if (proved && beats(candidate, *proved)) {
      out = fmt::format("CONTRADICTION: {} was said to be the proved optimum, but {} found {}. The proof is dropped.",
                        shortest(*proved), candidate.source, shortest(candidate.objective));
    } else if (bound && beats(candidate, *bound)) {
      out = fmt::format("CONTRADICTION: nothing was said to be better than {}, but {} found {}. The bound is dropped.",
                        shortest(*bound), candidate.source, shortest(candidate.objective));
    }
  };
  for (const job::ScoredCandidate& candidate : progress.candidates) check(candidate);
  if (progress.baseline) check(*progress.baseline);
  if (out.empty()) return out;
  progress.proved = false;
  progress.bound.reset();
  progress.solve_info["contradiction"] = out;
  return out;
}

hybrid::Advance ProblemWalk::finish(Progress progress) {
  const std::string contradiction = drop_contradicted_proof(progress);
  if (progress.refinement.status.empty()) progress.refinement.status = "skipped: proved";
  progress.refinement.fixed_exact = trail_ ? static_cast<std::uint32_t>(trail_->entries().size()) : 0;
  std::optional<job::ScoredCandidate> hybrid_best;
  std::optional<job::ScoredCandidate> control_best;
  std::vector<job::ScoredCandidate> found;
  std::ranges::remove_copy_if(progress.candidates, std::back_inserter(found), was_given);
  for (const job::ScoredCandidate& candidate : found) {
    std::optional<job::ScoredCandidate>& best = found_by_control(candidate) ? control_best : hybrid_best;
    if (!best || better(candidate, *best)) best = candidate;
  }
  job::ResultDocument out;
  // The client gets the best there is; the comparison says where it came from.
  const Evidence evidence{.sense = spec_.problem()->sense(),
                          .seed = spec_.seed,
                          .proved = progress.proved,
                          .candidates = found,
                          .from_control = found_by_control,
                          .baseline = progress.baseline,
                          .baseline_objectives = progress.baseline_objectives,
                          .calibration = progress.calibration};
  out.confidence = problem_confidence(evidence, progress.provenance);
  std::vector<job::ScoredCandidate> all = std::move(progress.candidates);
  if (progress.baseline) all.push_back(*progress.baseline);
  std::stable_sort(all.begin(), all.end(), [&](const auto& a, const auto& b) { return better(a, b); });
  out.kind = "candidates";
  for (job::ScoredCandidate& candidate : all) {
    const bool seen = std::any_of(out.candidates.begin(), out.candidates.end(), [&](const job::ScoredCandidate& other) {
      return other.solution == candidate.solution;
    });
    if (!seen && out.candidates.size() < kCandidatesMax) out.candidates.push_back(std::move(candidate));
  }
  // After a proof the baseline was stopped early: comparing with it would say nothing.
  const bool same_run = step(job::StepKind::kBaseline) == nullptr || progress.proved;
  const std::optional<job::ScoredCandidate>& reference = same_run ? hybrid_best : progress.baseline;
  if (reference) {
    out.baseline = progress.baseline_summary;
    out.baseline->objective = reference->objective;
    out.baseline->feasible = reference->feasible;
    out.baseline->same_run = same_run;
  }
  out.comparison =
      baseline::compare(spec_.problem()->sense(),
                        {.hybrid = hybrid_best, .baseline = progress.baseline, .control = control_best}, same_run);
  out.refinement = progress.refinement;
  out.provenance = progress.provenance;
  out.plan_digest = plan_.digest();
  if (!out.candidates.empty()) {
    job::BestCandidate best{.candidate = out.candidates.front(), .proved = progress.proved};
    if (progress.proved)
      best.bound = best.candidate.objective;
    else if (progress.bound)
      best.bound = objective_of_energy(*progress.bound);
    // Known of the run that found it, counted from that run's start; an arm of the refinement has none.
    if (best.candidate.source.starts_with("solve:")) best.time_to_best_ms = progress.time_to_best_ms;
    if (best.candidate.source.starts_with("baseline:")) best.time_to_best_ms = progress.baseline_time_to_best_ms;
    best.answer = spec_.problem()->answer(best.candidate.solution);
    out.explanation = spec_.problem()->explain(best.candidate.solution);
    out.best = std::move(best);
  }
  if (!contradiction.empty()) out.explanation.insert(out.explanation.begin(), contradiction);
  out.explanation.push_back(refinement_sentence(out.refinement));
  out.explanation.push_back(out.comparison.text);

  Json lineage = {{"formulation",
                   {{"problem_type", spec_.problem()->type()},
                    {"sense", problem::to_string(spec_.problem()->sense())},
                    {"num_variables", problem::num_variables(original_)},
                    {"objective_sha256", spec_.problem()->hash().hex()}}},
                  {"reduction", trail_ ? trail_->document() : Json()},
                  {"reduced_variables", problem::num_variables(reduced_)},
                  {"solve", progress.solve_info},
                  {"cores", progress.cores},
                  {"post_processing", {"lift", "one-flip polish", "rescore by the problem"}}};
  return {.state = {{"stage", "done"}}, .done = hybrid::Done{.result = std::move(out), .lineage = std::move(lineage)}};
}

Json ProblemWalk::document(const Progress& progress, const char* stage) const {
  Json elite = Json::array();
  for (const problem::Assignment& member : progress.elite) elite.push_back(job::solution_text(member));
  Json candidates = Json::array();
  for (const job::ScoredCandidate& candidate : progress.candidates) candidates.push_back(candidate_state(candidate));
  job::ResultDocument carrier;  // its document spells what the state shares with the result
  carrier.baseline = progress.baseline_summary;
  carrier.refinement = progress.refinement;
  carrier.provenance = progress.provenance;
  const Json spelled = carrier.document();
  Json out = {{"stage", stage},
              {"round", progress.round},
              {"elite", std::move(elite)},
              {"candidates", std::move(candidates)},
              {"baseline_summary", spelled["baseline"]},
              {"refinement", spelled["refinement"]},
              {"proved", progress.proved},
              {"recent", progress.recent},
              {"cores", progress.cores},
              {"solve_info", progress.solve_info},
              {"path", spelled["path"]},
              {"partial_work", spelled["partial_work"]},
              {"cached", spelled["cached"]},
              {"baseline_objectives", progress.baseline_objectives},
              {"calibration", progress.calibration.document()}};
  for (const ansatz::Training& one : progress.trained) out["trained"].push_back(one.document());
  if (progress.baseline) out["baseline"] = candidate_state(*progress.baseline);
  if (progress.bound) out["bound"] = *progress.bound;
  if (progress.time_to_best_ms) out["time_to_best_ms"] = *progress.time_to_best_ms;
  if (progress.baseline_time_to_best_ms) out["baseline_time_to_best_ms"] = *progress.baseline_time_to_best_ms;
  return out;
}

Result<Progress> ProblemWalk::parse(const Json& state) const {
  // The result document's reader knows these parts; borrow it, so that they are spelled and checked in one place.
  Json carrier = job::ResultDocument().document();
  carrier["baseline"] = state.value("baseline_summary", Json());
  carrier["refinement"] = state.value("refinement", Json());
  for (const char* list : {"candidates", "path", "partial_work", "cached"})
    carrier[list] = state.value(list, Json::array());
  TANDEM_TRY_ASSIGN(const job::ResultDocument spelled, job::ResultDocument::parse(carrier));
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(state, "/state"));
  Progress out;
  out.baseline_summary = spelled.baseline.value_or(job::BaselineSummary{});
  out.refinement = spelled.refinement;
  out.candidates = spelled.candidates;
  out.provenance = spelled.provenance;
  const problem::Vartype vartype = spec_.problem()->vartype();
  const auto restore = [&](job::ScoredCandidate& candidate) {
    candidate.solution = assignment_of(job::solution_text(candidate.solution), vartype);
  };
  for (job::ScoredCandidate& candidate : out.candidates) restore(candidate);
  if (reader.has("baseline")) {
    carrier["candidates"] = Json::array({*reader.find("baseline")});
    TANDEM_TRY_ASSIGN(const job::ResultDocument one, job::ResultDocument::parse(carrier));
    out.baseline = one.candidates.front();
    restore(*out.baseline);
  }
  TANDEM_TRY_ASSIGN(const std::vector<std::string> elite, reader.strings_or_empty("elite"));
  for (const std::string& member : elite) {
    if (member.size() != problem::num_variables(reduced_)) {
      return fail_at("/state/elite", errors::kStoreDamaged, "an elite member has {} values, the reduced model has {}",
                     member.size(), problem::num_variables(reduced_));
    }
    out.elite.push_back(assignment_of(member, vartype_of(reduced_)));
  }
  TANDEM_TRY_ASSIGN(const std::int64_t round, reader.integer("round", 0, UINT32_MAX));
  out.round = static_cast<std::uint32_t>(round);
  TANDEM_TRY_ASSIGN(out.proved, reader.boolean_or("proved", false));
  if (reader.has("bound")) {
    TANDEM_TRY_ASSIGN(out.bound, reader.number("bound"));
  }
  if (reader.has("time_to_best_ms")) {
    TANDEM_TRY_ASSIGN(out.time_to_best_ms, reader.number("time_to_best_ms"));
  }
  if (reader.has("baseline_time_to_best_ms")) {
    TANDEM_TRY_ASSIGN(out.baseline_time_to_best_ms, reader.number("baseline_time_to_best_ms"));
  }
  TANDEM_TRY_ASSIGN(const std::vector<double> recent, reader.numbers("recent"));
  for (const double variable : recent) out.recent.push_back(static_cast<std::uint32_t>(variable));
  if (reader.has("baseline_objectives")) {
    TANDEM_TRY_ASSIGN(out.baseline_objectives, reader.numbers("baseline_objectives"));
  }
  if (reader.has("calibration")) {
    TANDEM_TRY_ASSIGN(out.calibration, CalibrationAge::parse(*reader.find("calibration"), reader.at("calibration")));
  }
  if (reader.has("trained")) {
    TANDEM_TRY_ASSIGN(const Json* trained, reader.array("trained"));
    for (std::size_t i = 0; i < trained->size(); ++i) {
      TANDEM_TRY_ASSIGN(ansatz::Training one,
                        ansatz::Training::parse((*trained)[i], fmt::format("{}/{}", reader.at("trained"), i)));
      out.trained.push_back(std::move(one));
    }
  }
  if (const Json* cores = reader.find("cores")) out.cores = *cores;
  if (const Json* info = reader.find("solve_info")) out.solve_info = *info;
  return out;
}

}  // namespace tandem::walk
