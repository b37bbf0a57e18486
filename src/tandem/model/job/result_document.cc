#include "tandem/model/job/result_document.h"

#include <algorithm>
#include <array>

namespace tandem::job {
namespace {

template <typename T>
void set_optional(Json& out, const char* key, const std::optional<T>& value) {
  if (value) out[key] = *value;
}

Result<std::optional<double>> optional_number(const ObjectReader& reader, std::string_view key) {
  if (!reader.has(key)) return std::optional<double>();
  TANDEM_TRY_ASSIGN(const double value, reader.number(key));
  return std::optional<double>(value);
}

Json candidate_document(const ScoredCandidate& candidate) {
  return {{"objective", candidate.objective},
          {"feasible", candidate.feasible},
          {"solution", solution_text(candidate.solution)},
          {"source", candidate.source},
          {"occurrences", candidate.occurrences}};
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

Json best_document(const BestCandidate& best) {
  Json out = {{"objective", best.candidate.objective},
              {"feasible", best.candidate.feasible},
              {"proved", best.proved},
              {"solution", solution_text(best.candidate.solution)},
              {"source", best.candidate.source},
              {"answer", best.answer}};
  out["bound"] = best.bound ? Json(*best.bound) : Json();
  out["time_to_best_ms"] = best.time_to_best_ms ? Json(*best.time_to_best_ms) : Json();
  return out;
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

Json baseline_document(const BaselineSummary& baseline) {
  return {{"backend", baseline.backend},
          {"objective", baseline.objective},
          {"feasible", baseline.feasible},
          {"elapsed_ms", baseline.elapsed_ms},
          {"same_run", baseline.same_run}};
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

Json arm_document(const ArmSummary& arm) {
  Json out = {{"round", arm.round},          {"arm", arm.arm},
              {"backend", arm.backend},      {"emulated", arm.emulated},
              {"status", arm.status},        {"detail", arm.detail},
              {"samples", arm.samples},      {"billed_usd_micros", arm.billed.usd_micros},
              {"elapsed_ms", arm.elapsed_ms}};
  set_optional(out, "best_energy", arm.best_energy);
  set_optional(out, "regret", arm.regret);
  set_optional(out, "p_optimum", arm.p_optimum);
  set_optional(out, "p_optimum_low", arm.p_optimum_low);
  set_optional(out, "p_optimum_high", arm.p_optimum_high);
  set_optional(out, "mean_energy", arm.mean_energy);
  set_optional(out, "rank", arm.rank);
  set_optional(out, "rank_low", arm.rank_low);
  set_optional(out, "rank_high", arm.rank_high);
  return out;
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

Json confidence_document(const Confidence& confidence) {
  Json parts = Json::array();
  Json unknown = Json::array();
  for (const ConfidencePart& part : confidence.parts) {
    const bool known = part.state == ConfidencePart::State::kKnown;
    Json entry = {{"part", part.part},
                  {"state", kPartStates[static_cast<std::size_t>(part.state)]},
                  {"value", known ? Json(part.value) : Json()},
                  {"weight", part.weight},
                  {"detail", part.detail}};
    set_optional(entry, "low", part.low);
    set_optional(entry, "high", part.high);
    parts.push_back(std::move(entry));
    if (part.state == ConfidencePart::State::kUnknown) unknown.push_back(part.part);
  }
  return {{"value", confidence.value},
          {"share_returned", confidence.share_returned},
          {"parts", std::move(parts)},
          {"unknown", std::move(unknown)}};
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

Json ResultDocument::document() const {
  Json candidate_list = Json::array();
  for (const ScoredCandidate& candidate : candidates) candidate_list.push_back(candidate_document(candidate));
  Json arms = Json::array();
  for (const ArmSummary& arm : refinement.arms) arms.push_back(arm_document(arm));
  Json criteria = Json::array();
  for (const AcceptanceItem& item : acceptance.criteria) {
    Json entry = {{"criterion", item.criterion}, {"limit", item.limit}, {"met", item.met}};
    set_optional(entry, "actual", item.actual);
    criteria.push_back(std::move(entry));
  }
  Json comparison_document = {{"verdict", comparison.verdict}, {"text", comparison.text}};
  set_optional(comparison_document, "improvement", comparison.improvement);
  return {{"job_id", job_id.value},
          {"status", to_string(status)},
          {"kind", kind},
          {"best", best ? best_document(*best) : Json()},
          {"candidates", std::move(candidate_list)},
          {"baseline", baseline ? baseline_document(*baseline) : Json()},
          {"comparison", std::move(comparison_document)},
          {"refinement",
           {{"status", refinement.status},
            {"core_size", refinement.core_size},
            {"variables_before", refinement.variables_before},
            {"fixed_exact", refinement.fixed_exact},
            {"frozen", refinement.frozen},
            {"improved", refinement.improved},
            {"arms", std::move(arms)}}},
          {"pubs", pubs},
          {"acceptance", {{"met", acceptance.met}, {"criteria", std::move(criteria)}}},
          {"confidence", confidence_document(confidence)},
          {"path", list_document(provenance.path)},
          {"partial", provenance.partial()},
          {"partial_work", list_document(provenance.partial_work)},
          {"cached", list_document(provenance.cached)},
          {"review", review ? review->document() : Json()},
          {"explanation", explanation},
          {"plan", {{"digest", plan_digest}}},
          {"lineage_id", lineage_id.value},
          {"billed_usd_micros", billed.usd_micros},
          {"billed_emulated_usd_micros", billed_emulated.usd_micros},
          {"elapsed_ms", elapsed_ms}};
}

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

Json canonical_result(Json out) {
  for (const char* key :
       {"job_id", "lineage_id", "elapsed_ms", "billed_usd_micros", "billed_emulated_usd_micros", "status", "review"})
    out.erase(key);
  if (out.contains("best") && out["best"].is_object()) out["best"].erase("time_to_best_ms");
  if (out.value("kind", "") == "program") out.erase("baseline");  // it has none; older documents say zeros instead
  if (out.contains("baseline") && out["baseline"].is_object()) out["baseline"].erase("elapsed_ms");
  if (out.contains("refinement") && out["refinement"].contains("arms")) {
    for (Json& arm : out["refinement"]["arms"]) {
      arm.erase("elapsed_ms");
      arm.erase("billed_usd_micros");
    }
  }
  if (out.contains("acceptance") && out["acceptance"].contains("criteria")) {
    // Latency and cost are measured, not computed: they and the verdict that rests on them are not compared.
    Json& criteria = out["acceptance"]["criteria"];
    bool measured = false;
    for (Json& item : criteria) {
      if (item["criterion"] == "latency_ms" || item["criterion"] == "cost_usd_micros") {
        item.erase("actual");
        item.erase("met");
        measured = true;
      }
    }
    if (measured) out["acceptance"].erase("met");
  }
  return out;
}

}  // namespace tandem::job
