#include "tandem/api/service/service.h"
#include "tandem/base/hash.h"
#include "tandem/base/text.h"
#include "tandem/evidence/lineage/lineage.h"
#include "tandem/model/job/result_document.h"

namespace tandem::service {
namespace {

constexpr std::size_t kPlacesMax = 20;  ///< named in one difference; a person reads no more
constexpr std::size_t kHashShown = 16;

/// Collects the answer.
struct Report {
  Json differences = Json::array();
  Json timings = Json::array();

  void add(const char* part, std::string text, const Json& places = Json::array()) {
    differences.push_back({{"part", part}, {"text", std::move(text)}, {"places", places}});
  }
  /// The members of one part that differ, each with both values.
  void add_members(const char* part, const char* what, const Json& a, const Json& b) {
    const std::vector<std::string> places = lineage::difference(a, b, kPlacesMax);
    if (places.empty()) return;
    const char* count = places.size() < kPlacesMax ? "at" : "at these places first";
    add(part, fmt::format("{} differ {}:", what, count), places);
  }
};

std::string text_of(const Json& value) {
  if (value.is_null()) return "none";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Json member(const Json& object, const char* key) { return object.is_object() ? object.value(key, Json()) : Json(); }

/// Says that only one of the jobs has the part. True where both have it.
bool both_have(const char* part, const Json& a, const Json& b, Report& report) {
  if (a.is_object() != b.is_object())
    report.add(part, fmt::format("Only the {} job has a {}.", a.is_object() ? "first" : "second", part));
  return a.is_object() && b.is_object();
}

/// What a job computes, apart from the rest of its document.
Json take_work(Json& spec) {
  Json work = {{"problem", member(spec, "problem")}, {"program", member(spec, "program")}};
  spec.erase("problem");
  spec.erase("program");
  return work;
}

void compare_documents(Json a, Json b, Report& report) {
  const Json work_a = take_work(a);
  const Json work_b = take_work(b);
  if (work_a != work_b) {
    const auto hash = [](const Json& work) { return sha256(canonical_json(work)).hex().substr(0, kHashShown); };
    report.add("document",
               fmt::format("They compute different things: the problem of the first hashes to {}, of the second to {}.",
                           hash(work_a), hash(work_b)),
               lineage::difference(work_a, work_b, kPlacesMax));
  }
  report.add_members("document", "What the documents ask for", a, b);
}

/// "best objective 3.5, feasible, proved optimal, found by cpu.tabu"
std::string best_text(const Json& result) {
  const Json best = member(result, "best");
  if (!best.is_object()) return "no best candidate";
  return fmt::format("best objective {}, {}, {}, found by {}", text_of(member(best, "objective")),
                     best.value("feasible", false) ? "feasible" : "not feasible",
                     best.value("proved", false) ? "proved optimal" : "not proved", text_of(member(best, "source")));
}

void compare_plans(const Json& a, const Json& b, Report& report) {
  if (!both_have("plan", a, b, report)) return;
  if (member(a, "primary") != member(b, "primary")) {
    report.add("plan", fmt::format("The main solve went to {} in the first job, to {} in the second.",
                                   text_of(member(a, "primary")), text_of(member(b, "primary"))));
  }
  report.add_members("plan", "The plans", a, b);
}

/// A result without ids and times, but with the money and the verdicts that a replay does not repeat.
Json comparable_result(const Json& result) {
  const auto parsed = job::ResultDocument::parse(result);
  Json out = parsed ? parsed->computed().value() : result;
  for (const char* key : {"status", "billed_usd_micros", "billed_emulated_usd_micros", "acceptance"})
    out[key] = member(result, key);
  out.erase("explanation");  // says in words what the other members say
  out.erase("plan");  // its digest: compared with the plans
  if (out["acceptance"].is_object() && out["acceptance"].contains("criteria")) {
    for (Json& item : out["acceptance"]["criteria"])
      if (item.value("criterion", "") == "latency_ms") item.erase("actual");
  }
  return out;
}

void compare_results(const Json& a, const Json& b, Report& report) {
  if (!both_have("result", a, b, report)) return;
  const std::string best_a = best_text(a);
  const std::string best_b = best_text(b);
  if (best_a != best_b) report.add("result", fmt::format("The first has {}; the second has {}.", best_a, best_b));
  const auto met = [](const Json& result) { return result.value("acceptance", Json::object()).value("met", false); };
  if (met(a) != met(b))
    report.add("result", fmt::format("Only the {} job is accepted by its own criteria.", met(a) ? "first" : "second"));
  const auto billed = [](const Json& result) { return format_usd(result.value("billed_usd_micros", std::int64_t{0})); };
  if (billed(a) != billed(b))
    report.add("result", fmt::format("The first was billed {}, the second {}.", billed(a), billed(b)));
  report.add_members("result", "The results", comparable_result(a), comparable_result(b));

  report.timings.push_back(fmt::format("elapsed {:.0f} ms in the first job, {:.0f} ms in the second",
                                       a.value("elapsed_ms", 0.0), b.value("elapsed_ms", 0.0)));
}

}  // namespace

Json diff(const JobDocuments& first, const JobDocuments& second) {
  Report report;
  compare_documents(first.spec, second.spec, report);
  const std::string state_a = text_of(member(first.job, "state"));
  const std::string state_b = text_of(member(second.job, "state"));
  if (state_a != state_b) report.add("state", fmt::format("The first job is {}, the second is {}.", state_a, state_b));
  const Json error_a = member(first.job, "error");
  const Json error_b = member(second.job, "error");
  if (member(error_a, "number") != member(error_b, "number")) {
    report.add("state", fmt::format("Error of the first: {}. Error of the second: {}.",
                                    text_of(member(error_a, "message")), text_of(member(error_b, "message"))));
  }
  compare_plans(first.plan, second.plan, report);
  compare_results(first.result, second.result, report);
  return {{"jobs", {member(first.job, "job_id"), member(second.job, "job_id")}},
          {"verdict", report.differences.empty() ? "same" : "different"},
          {"differences", std::move(report.differences)},
          {"timings", std::move(report.timings)}};
}

}  // namespace tandem::service
