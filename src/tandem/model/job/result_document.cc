#include "tandem/model/job/result_document.h"

#include <algorithm>
#include <array>

#include "tandem/base/json_writer.h"
#include "tandem/model/job/job_spec.h"

namespace tandem::job {
namespace {

Result<std::optional<double>> optional_number(const ObjectReader& reader, std::string_view key) {
  if (!reader.has(key)) return std::optional<double>();
  TANDEM_TRY_ASSIGN(const double value, reader.number(key));
  return std::optional<double>(value);
}

// What is written is written in the order of the canonical form. `measured`: with what a replay of the job measures anew.

void write_candidate(JsonWriter& out, const ScoredCandidate& candidate) {
  out.member("feasible", candidate.feasible)
      .member("objective", candidate.objective)
      .member("occurrences", candidate.occurrences)
      .member("solution", solution_text(candidate.solution))
      .member("source", candidate.source);
}

/// Text to 0/1; which of them means -1 is the problem's vartype, and nothing that reads a stored result needs it.
Result<problem::Assignment> parse_solution(const std::string& text, const std::string& place) {
  problem::Assignment out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c != '0' && c != '1')
      return fail_at(place, errors::kBadEncoding, "a solution is a string of 0 and 1, not '{}'", c);
    out.push_back(static_cast<std::int8_t>(c - '0'));
  }
  return out;
}

Result<ScoredCandidate> parse_candidate(const Json& value, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  ScoredCandidate out;
  TANDEM_TRY_ASSIGN(out.objective, reader.number("objective"));
  TANDEM_TRY_ASSIGN(out.feasible, reader.boolean_or("feasible", false));
  TANDEM_TRY_ASSIGN(const std::string solution, reader.string("solution"));
  TANDEM_TRY_ASSIGN(out.solution, parse_solution(solution, reader.at("solution")));
  TANDEM_TRY_ASSIGN(out.source, reader.string_or("source", ""));
  TANDEM_TRY_ASSIGN(const std::int64_t occurrences, reader.integer_or("occurrences", 1, 1, INT64_MAX));
  out.occurrences = static_cast<std::uint64_t>(occurrences);
  return out;
}

void write_best(JsonWriter& out, const BestCandidate& best, bool measured) {
  out.member("answer", best.answer)
      .member("bound", best.bound)
      .member("feasible", best.candidate.feasible)
      .member("objective", best.candidate.objective)
      .member("proved", best.proved)
      .member("solution", solution_text(best.candidate.solution))
      .member("source", best.candidate.source);
  if (measured) out.member("time_to_best_ms", best.time_to_best_ms);
}

Result<BestCandidate> parse_best(const ObjectReader& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, document.object("best"));
  BestCandidate out;
  TANDEM_TRY_ASSIGN(out.candidate, parse_candidate(*document.find("best"), document.at("best")));
  TANDEM_TRY_ASSIGN(out.proved, reader.boolean_or("proved", false));
  TANDEM_TRY_ASSIGN(out.bound, optional_number(reader, "bound"));
  TANDEM_TRY_ASSIGN(out.time_to_best_ms, optional_number(reader, "time_to_best_ms"));
  if (const Json* answer = reader.find("answer")) out.answer = *answer;
  return out;
}

void write_baseline(JsonWriter& out, const BaselineSummary& baseline, bool measured) {
  out.member("backend", baseline.backend);
  if (measured) out.member("elapsed_ms", baseline.elapsed_ms);
  out.member("feasible", baseline.feasible)
      .member("objective", baseline.objective)
      .member("same_run", baseline.same_run);
}

Result<BaselineSummary> parse_baseline(const ObjectReader& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, document.object("baseline"));
  BaselineSummary out;
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(out.objective, reader.number_or("objective", 0));
  TANDEM_TRY_ASSIGN(out.feasible, reader.boolean_or("feasible", false));
  TANDEM_TRY_ASSIGN(out.elapsed_ms, reader.number_or("elapsed_ms", 0));
  TANDEM_TRY_ASSIGN(out.same_run, reader.boolean_or("same_run", false));
  return out;
}

void write_arm(JsonWriter& out, const ArmSummary& arm, bool measured) {
  out.member("arm", arm.arm).member("backend", arm.backend).member_if("best_energy", arm.best_energy);
  if (measured) out.member("billed_usd_micros", arm.billed.usd_micros);
  out.member("detail", arm.detail);
  if (measured) out.member("elapsed_ms", arm.elapsed_ms);
  out.member("emulated", arm.emulated)
      .member_if("mean_energy", arm.mean_energy)
      .member_if("p_optimum", arm.p_optimum)
      .member_if("p_optimum_high", arm.p_optimum_high)
      .member_if("p_optimum_low", arm.p_optimum_low)
      .member_if("rank", arm.rank)
      .member_if("rank_high", arm.rank_high)
      .member_if("rank_low", arm.rank_low)
      .member_if("regret", arm.regret)
      .member("round", arm.round)
      .member("samples", arm.samples)
      .member("status", arm.status);
}

Result<ArmSummary> parse_arm(const Json& value, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  ArmSummary out;
  TANDEM_TRY_ASSIGN(const std::int64_t round, reader.integer_or("round", 0, 0, UINT32_MAX));
  out.round = static_cast<std::uint32_t>(round);
  TANDEM_TRY_ASSIGN(out.arm, reader.string("arm"));
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(out.emulated, reader.boolean_or("emulated", false));
  TANDEM_TRY_ASSIGN(out.status, reader.string("status"));
  TANDEM_TRY_ASSIGN(out.detail, reader.string_or("detail", ""));
  TANDEM_TRY_ASSIGN(const std::int64_t samples, reader.integer_or("samples", 0, 0, INT64_MAX));
  out.samples = static_cast<std::uint64_t>(samples);
  TANDEM_TRY_ASSIGN(out.billed.usd_micros, reader.integer_or("billed_usd_micros", 0, 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(out.elapsed_ms, reader.number_or("elapsed_ms", 0));
  TANDEM_TRY_ASSIGN(out.best_energy, optional_number(reader, "best_energy"));
  TANDEM_TRY_ASSIGN(out.regret, optional_number(reader, "regret"));
  TANDEM_TRY_ASSIGN(out.p_optimum, optional_number(reader, "p_optimum"));
  TANDEM_TRY_ASSIGN(out.p_optimum_low, optional_number(reader, "p_optimum_low"));
  TANDEM_TRY_ASSIGN(out.p_optimum_high, optional_number(reader, "p_optimum_high"));
  TANDEM_TRY_ASSIGN(out.mean_energy, optional_number(reader, "mean_energy"));
  TANDEM_TRY_ASSIGN(out.rank, optional_number(reader, "rank"));
  TANDEM_TRY_ASSIGN(out.rank_low, optional_number(reader, "rank_low"));
  TANDEM_TRY_ASSIGN(out.rank_high, optional_number(reader, "rank_high"));
  return out;
}

Result<std::uint32_t> count(const ObjectReader& reader, std::string_view key) {
  TANDEM_TRY_ASSIGN(const std::int64_t value, reader.integer_or(key, 0, 0, UINT32_MAX));
  return static_cast<std::uint32_t>(value);
}

void write_refinement(JsonWriter& out, const RefinementSummary& refinement, bool measured) {
  out.objects("arms", refinement.arms, [&](JsonWriter& item, const ArmSummary& arm) { write_arm(item, arm, measured); })
      .member("core_size", refinement.core_size)
      .member("fixed_exact", refinement.fixed_exact)
      .member("frozen", refinement.frozen)
      .member("improved", refinement.improved)
      .member("status", refinement.status)
      .member("variables_before", refinement.variables_before);
}

Result<RefinementSummary> parse_refinement(const ObjectReader& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, document.object("refinement"));
  RefinementSummary out;
  TANDEM_TRY_ASSIGN(out.status, reader.string("status"));
  TANDEM_TRY_ASSIGN(out.core_size, count(reader, "core_size"));
  TANDEM_TRY_ASSIGN(out.variables_before, count(reader, "variables_before"));
  TANDEM_TRY_ASSIGN(out.fixed_exact, count(reader, "fixed_exact"));
  TANDEM_TRY_ASSIGN(out.frozen, count(reader, "frozen"));
  TANDEM_TRY_ASSIGN(out.improved, reader.boolean_or("improved", false));
  TANDEM_TRY_ASSIGN(const Json* arms, reader.array("arms"));
  for (std::size_t i = 0; i < arms->size(); ++i) {
    TANDEM_TRY_ASSIGN(ArmSummary arm, parse_arm((*arms)[i], fmt::format("{}/{}", reader.at("arms"), i)));
    out.arms.push_back(std::move(arm));
  }
  return out;
}

/// Latency and cost are measured, not computed: they and the verdict that rests on them.
void write_acceptance(JsonWriter& out, const Acceptance& acceptance, bool measured) {
  const auto computed = [&](const AcceptanceItem& item) {
    return measured || (item.criterion != to_string(Criterion::Kind::kLatency) &&
                        item.criterion != to_string(Criterion::Kind::kCost));
  };
  out.objects("criteria", acceptance.criteria, [&](JsonWriter& entry, const AcceptanceItem& item) {
    if (computed(item)) entry.member_if("actual", item.actual);
    entry.member("criterion", item.criterion).member("limit", item.limit);
    if (computed(item)) entry.member("met", item.met);
  });
  if (std::all_of(acceptance.criteria.begin(), acceptance.criteria.end(), computed)) out.member("met", acceptance.met);
}

Result<Acceptance> parse_acceptance(const ObjectReader& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, document.object("acceptance"));
  Acceptance out;
  TANDEM_TRY_ASSIGN(out.met, reader.boolean_or("met", false));
  TANDEM_TRY_ASSIGN(const Json* criteria, reader.array("criteria"));
  for (std::size_t i = 0; i < criteria->size(); ++i) {
    TANDEM_TRY_ASSIGN(const ObjectReader item,
                      ObjectReader::create((*criteria)[i], fmt::format("{}/{}", reader.at("criteria"), i)));
    AcceptanceItem entry;
    TANDEM_TRY_ASSIGN(entry.criterion, item.string("criterion"));
    TANDEM_TRY_ASSIGN(entry.limit, item.number_or("limit", 0));
    TANDEM_TRY_ASSIGN(entry.actual, optional_number(item, "actual"));
    TANDEM_TRY_ASSIGN(entry.met, item.boolean_or("met", false));
    out.criteria.push_back(std::move(entry));
  }
  return out;
}

constexpr std::array<std::string_view, 3> kPartStates = {"known", "unknown", "not_applicable"};

void write_confidence(JsonWriter& out, const Confidence& confidence) {
  std::vector<std::string> unknown;
  out.objects("parts", confidence.parts, [&](JsonWriter& entry, const ConfidencePart& part) {
    const bool known = part.state == ConfidencePart::State::kKnown;
    entry.member("detail", part.detail)
        .member_if("high", part.high)
        .member_if("low", part.low)
        .member("part", part.part)
        .member("state", kPartStates[static_cast<std::size_t>(part.state)])
        .member("value", known ? std::optional(part.value) : std::nullopt)
        .member("weight", part.weight);
    if (part.state == ConfidencePart::State::kUnknown) unknown.push_back(part.part);
  });
  out.member("share_returned", confidence.share_returned).member("unknown", unknown).member("value", confidence.value);
}

Result<Confidence> parse_confidence(const ObjectReader& document) {
  Confidence out;
  if (!document.has("confidence")) return out;  // of an older version
  TANDEM_TRY_ASSIGN(const ObjectReader reader, document.object("confidence"));
  TANDEM_TRY_ASSIGN(out.value, reader.number("value"));
  TANDEM_TRY_ASSIGN(out.share_returned, reader.number("share_returned"));
  TANDEM_TRY_ASSIGN(const Json* parts, reader.array("parts"));
  for (std::size_t i = 0; i < parts->size(); ++i) {
    TANDEM_TRY_ASSIGN(const ObjectReader item,
                      ObjectReader::create((*parts)[i], fmt::format("{}/{}", reader.at("parts"), i)));
    ConfidencePart part;
    TANDEM_TRY_ASSIGN(part.part, item.string("part"));
    TANDEM_TRY_ASSIGN(const std::string state, item.string("state"));
    const auto known = std::find(kPartStates.begin(), kPartStates.end(), state);
    if (known == kPartStates.end())
      return fail_at(item.at("state"), errors::kValueOutOfRange, "'{}' is not one of {}", state,
                     fmt::join(kPartStates, ", "));
    part.state = static_cast<ConfidencePart::State>(known - kPartStates.begin());
    TANDEM_TRY_ASSIGN(part.value, item.number_or("value", 0));
    TANDEM_TRY_ASSIGN(part.weight, item.number("weight"));
    TANDEM_TRY_ASSIGN(part.low, optional_number(item, "low"));
    TANDEM_TRY_ASSIGN(part.high, optional_number(item, "high"));
    TANDEM_TRY_ASSIGN(part.detail, item.string_or("detail", ""));
    out.parts.push_back(std::move(part));
  }
  return out;
}

Result<Provenance> parse_provenance(const ObjectReader& reader) {
  Provenance out;
  TANDEM_TRY_ASSIGN(out.path, parse_list_or_empty<PathEntry>(reader, "path"));
  TANDEM_TRY_ASSIGN(out.partial_work, parse_list_or_empty<PartialAnswer>(reader, "partial_work"));
  TANDEM_TRY_ASSIGN(out.cached, parse_list_or_empty<CachedAnswer>(reader, "cached"));
  return out;
}

}  // namespace

bool Provenance::partial() const {
  return std::any_of(partial_work.begin(), partial_work.end(), [](const PartialAnswer& one) { return one.used; });
}

Json ReviewNote::document() const {
  return {{"decision", accepted ? "accepted" : "rejected"}, {"reason", reason}, {"actor", actor}, {"at", at}};
}

Result<ReviewNote> ReviewNote::parse(const Json& value, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  ReviewNote out;
  TANDEM_TRY_ASSIGN(const std::string decision, reader.string("decision"));
  out.accepted = decision == "accepted";
  TANDEM_TRY_ASSIGN(out.reason, reader.string("reason"));
  TANDEM_TRY_ASSIGN(out.actor, reader.string("actor"));
  TANDEM_TRY_ASSIGN(out.at, reader.string("at"));
  return out;
}

std::string solution_text(problem::AssignmentView solution) {
  std::string out;
  out.reserve(solution.size());
  for (const std::int8_t value : solution) out.push_back(value > 0 ? '1' : '0');
  return out;
}

JsonText ResultDocument::write(bool measured) const {
  JsonWriter out;
  out.object("acceptance", [&](JsonWriter& members) { write_acceptance(members, acceptance, measured); });
  // Programs have none; documents of older versions say zeros instead.
  if (!baseline && (measured || kind != "program")) out.raw("baseline", "null");
  if (baseline && (measured || kind != "program"))
    out.object("baseline", [&](JsonWriter& members) { write_baseline(members, *baseline, measured); });
  if (!best)
    out.raw("best", "null");
  else
    out.object("best", [&](JsonWriter& members) { write_best(members, *best, measured); });
  if (measured) {
    out.member("billed_emulated_usd_micros", billed_emulated.usd_micros).member("billed_usd_micros", billed.usd_micros);
  }
  out.member("cached", list_document(provenance.cached))
      .objects("candidates", candidates, write_candidate)
      .object("comparison",
              [&](JsonWriter& members) {
                members.member_if("improvement", comparison.improvement)
                    .member("text", comparison.text)
                    .member("verdict", comparison.verdict);
              })
      .object("confidence", [&](JsonWriter& members) { write_confidence(members, confidence); });
  if (measured) out.member("elapsed_ms", elapsed_ms);
  out.member("explanation", explanation);
  if (measured) out.member("job_id", job_id.value);
  out.member("kind", kind);
  if (measured) out.member("lineage_id", lineage_id.value);
  out.member("partial", provenance.partial())
      .member("partial_work", list_document(provenance.partial_work))
      .member("path", list_document(provenance.path))
      .object("plan", [&](JsonWriter& members) { members.member("digest", plan_digest); })
      .member("pubs", pubs)
      .object("refinement", [&](JsonWriter& members) { write_refinement(members, refinement, measured); });
  if (measured) out.member("review", review ? review->document() : Json()).member("status", to_string(status));
  return JsonText::of(out.finish());
}

JsonText ResultDocument::text() const { return write(true); }
JsonText ResultDocument::computed() const { return write(false); }
Json ResultDocument::document() const { return text().value(); }

Result<ResultDocument> ResultDocument::parse(const Json& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  ResultDocument out;
  TANDEM_TRY_ASSIGN(const std::string job, reader.string("job_id"));
  out.job_id = JobId(job);
  TANDEM_TRY_ASSIGN(const std::string status, reader.string("status"));
  const auto state = find_job_state(status);
  if (!state) return fail_at(reader.at("status"), errors::kValueOutOfRange, "'{}' is not a job state", status);
  out.status = *state;
  TANDEM_TRY_ASSIGN(out.kind, reader.string("kind"));
  if (reader.has("best")) {
    TANDEM_TRY_ASSIGN(out.best, parse_best(reader));
  }
  TANDEM_TRY_ASSIGN(const Json* candidates, reader.array("candidates"));
  for (std::size_t i = 0; i < candidates->size(); ++i) {
    TANDEM_TRY_ASSIGN(ScoredCandidate candidate,
                      parse_candidate((*candidates)[i], fmt::format("{}/{}", reader.at("candidates"), i)));
    out.candidates.push_back(std::move(candidate));
  }
  if (reader.has("baseline")) {
    TANDEM_TRY_ASSIGN(out.baseline, parse_baseline(reader));
  }
  TANDEM_TRY_ASSIGN(const ObjectReader comparison, reader.object("comparison"));
  TANDEM_TRY_ASSIGN(out.comparison.verdict, comparison.string("verdict"));
  TANDEM_TRY_ASSIGN(out.comparison.text, comparison.string_or("text", ""));
  TANDEM_TRY_ASSIGN(out.comparison.improvement, optional_number(comparison, "improvement"));
  TANDEM_TRY_ASSIGN(out.refinement, parse_refinement(reader));
  TANDEM_TRY_ASSIGN(const Json* pubs, reader.array("pubs"));
  out.pubs = *pubs;
  TANDEM_TRY_ASSIGN(out.acceptance, parse_acceptance(reader));
  TANDEM_TRY_ASSIGN(out.confidence, parse_confidence(reader));
  TANDEM_TRY_ASSIGN(out.provenance, parse_provenance(reader));
  if (reader.has("review")) {
    TANDEM_TRY_ASSIGN(out.review, ReviewNote::parse(*reader.find("review"), reader.at("review")));
  }
  TANDEM_TRY_ASSIGN(out.explanation, reader.strings_or_empty("explanation"));
  TANDEM_TRY_ASSIGN(const ObjectReader plan, reader.object("plan"));
  TANDEM_TRY_ASSIGN(out.plan_digest, plan.string("digest"));
  TANDEM_TRY_ASSIGN(const std::string lineage, reader.string("lineage_id"));
  out.lineage_id = LineageId(lineage);
  TANDEM_TRY_ASSIGN(out.billed.usd_micros, reader.integer_or("billed_usd_micros", 0, 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(out.billed_emulated.usd_micros,
                    reader.integer_or("billed_emulated_usd_micros", 0, 0, out.billed.usd_micros));
  TANDEM_TRY_ASSIGN(out.elapsed_ms, reader.number_or("elapsed_ms", 0));
  return out;
}

}  // namespace tandem::job
