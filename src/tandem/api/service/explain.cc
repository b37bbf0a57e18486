#include <algorithm>
#include <chrono>
#include <cmath>

#include "tandem/api/service/service.h"
#include "tandem/base/text.h"

namespace tandem::service {
namespace {

std::string member(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "-";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string milliseconds(double value) { return format_duration(std::chrono::nanoseconds(std::llround(1e6 * value))); }

/// "4.2 %" between a value and a bound of it, of the value; "-" where that is 0 and the bound is not.
std::string gap_words(double objective, double bound) {
  const double open = std::abs(objective - bound);
  const double size = std::abs(objective);
  return open == 0 ? "0.0 %" : size > 0 ? fmt::format("{:.1f} %", 100 * open / size) : "-";
}

std::string percent(double share) { return fmt::format("{:.3g} %", 100 * share); }

/// "0.9 % (0.474 % to 1.7 %)"
std::string percent_between(const Json& arm, const char* value, const char* low, const char* high) {
  return fmt::format("{} ({} to {})", percent(arm.value(value, 0.0)), percent(arm.value(low, 0.0)),
                     percent(arm.value(high, 0.0)));
}

void explain_candidates(const Json& plan, std::vector<std::string>& out) {
  out.push_back("Every tier that was considered:");
  for (const Json& candidate : plan.value("candidates", Json::array())) {
    const Json estimate = candidate.value("estimate", Json::object());
    std::string figures;
    if (estimate.contains("cost_usd_micros")) {
      figures += fmt::format(", cost {} ({})", format_usd(estimate["cost_usd_micros"].get<std::int64_t>()),
                             member(estimate, "cost_basis"));
    }
    if (estimate.contains("latency_ms")) {
      figures += fmt::format(", latency {} ({})", milliseconds(estimate["latency_ms"].get<double>()),
                             member(estimate, "latency_basis"));
    }
    if (estimate.contains("quality")) {
      figures += fmt::format(", at the best value in {:.0f} % of runs ({})", 100 * estimate["quality"].get<double>(),
                             member(estimate, "quality_basis"));
    }
    out.push_back(fmt::format("  {} {:<24} {}{}: {}{}", candidate.value("feasible", false) ? "+" : "-",
                              member(candidate, "backend"), member(candidate, "tier"),
                              candidate.value("emulated", false) ? ", emulated" : "", member(candidate, "reason"),
                              figures));
    if (estimate.contains("cost_source"))
      out.push_back(fmt::format("      its price: {}", member(estimate, "cost_source")));
  }
}

void explain_arms(const Json& refinement, std::vector<std::string>& out) {
  const Json arms = refinement.value("arms", Json::array());
  if (arms.empty()) return;
  out.push_back(fmt::format(
      "Refinement of a core of {} variables ({} of {} fixed exactly, {} frozen):", member(refinement, "core_size"),
      member(refinement, "fixed_exact"), member(refinement, "variables_before"), member(refinement, "frozen")));
  for (const Json& arm : arms) {
    std::string grade = arm.value("arm", "") == "exact_shadow" && arm.contains("regret") ? "the core's optimum, proved"
                                                                                         : member(arm, "detail");
    if (arm.contains("p_optimum")) {
      grade =
          fmt::format("regret {:.4g}, at the optimum {}, better than random {}, {} samples",
                      arm["regret"].get<double>(), percent_between(arm, "p_optimum", "p_optimum_low", "p_optimum_high"),
                      percent_between(arm, "rank", "rank_low", "rank_high"), member(arm, "samples"));
    }
    out.push_back(fmt::format("  {:<18} {:<24}{} {}: {}", member(arm, "arm"), member(arm, "backend"),
                              arm.value("emulated", false) ? " emulated" : "", member(arm, "status"), grade));
  }
}

/// "attempt 0 of step 0/refine at lab.device (emulated)"
std::string attempt_name(const Json& submission) {
  return fmt::format("attempt {} of step {} at {}{}", member(submission, "attempt"), member(submission, "step"),
                     member(submission, "backend"), submission.value("emulated", false) ? " (emulated)" : "");
}

/// What was sent to a provider and is not in the result: paid for nothing, or still in doubt.
void explain_unused(const Json& submissions, std::vector<std::string>& out) {
  for (const Json& submission : submissions.value("submissions", Json::array())) {
    const std::string state = submission.value("state", "");
    if (state == "orphan") {
      out.push_back(fmt::format(
          "Orphan: {}, there {}, was found done after the job had gone on without it: billed {}, {}, not part of the "
          "result.",
          attempt_name(submission), member(submission, "handle"),
          format_usd(submission.value("billed_usd_micros", std::int64_t{0})),
          submission.value("raw_sha256", "").empty() ? "its bytes were gone" : "its bytes are kept"));
    } else if (state == "held") {
      out.push_back(fmt::format("In doubt: {}: {}. {} stays reserved until that is known.", attempt_name(submission),
                                member(submission, "reason"),
                                format_usd(submission.value("reserved_usd_micros", std::int64_t{0}))));
    } else if (state == "released") {
      out.push_back(fmt::format("Released by {}: {}: {}. Not part of the result.", member(submission, "said_by"),
                                attempt_name(submission), member(submission, "said")));
    }
  }
}

}  // namespace

std::vector<std::string> path_words(const Json& result) {
  std::vector<std::string> out;
  const Json path = result.value("path", Json::array());
  for (const Json& one : path) {
    if (const auto entry = job::PathEntry::parse(one, ""))
      out.push_back(fmt::format("Path of {}: {}.", entry->step, entry->words()));
  }
  for (const Json& one : result.value("cached", Json::array())) {
    out.push_back(fmt::format("The answer of {} is not new: {} gave it to {}, {} before it was used here.",
                              member(one, "step"), member(one, "backend"), member(one, "job_id"),
                              milliseconds(one.value("age_ms", 0.0))));
  }
  for (const Json& one : result.value("partial_work", Json::array())) {
    out.push_back(fmt::format("{} gave {} of {} samples of {}{}.", member(one, "backend"), member(one, "got"),
                              member(one, "asked"), member(one, "step"),
                              one.value("used", false) ? "; the result rests on them" : ""));
  }
  return out;
}

std::vector<std::string> race_words(const Json& lineage) {
  struct Told {
    std::string engine;
    std::uint64_t units = 0;
    std::optional<double> best;  ///< energy
  };
  std::vector<std::string> out;
  if (!lineage.is_object()) return out;  // of a job that has none yet
  const bool max = lineage.value("/walk/formulation/sense"_json_pointer, std::string()) == "max";
  for (const Json& work : lineage.value("work", Json::array())) {
    const auto race = solve::RaceRecord::parse(work.value("race", Json()), "");
    if (!race) continue;
    std::vector<Told> engines;  // all strands together
    std::uint64_t units = 0;
    std::optional<double> best;
    for (const solve::EngineRecord& one : race->engines) {
      auto told = std::ranges::find(engines, one.engine, &Told::engine);
      if (told == engines.end()) told = engines.insert(engines.end(), {.engine = one.engine});
      told->units += one.units;
      units += one.units;
      if (one.best_energy) told->best = std::min(*one.best_energy, told->best.value_or(*one.best_energy));
      if (told->best) best = std::min(*told->best, best.value_or(*told->best));
    }
    out.push_back(fmt::format("Race of {} at {}, by the structure of the model: {}.", member(work, "label"),
                              member(work, "backend"), race->choice));
    for (const Told& told : engines) {
      std::string found = "found nothing";
      if (told.best)
        found = fmt::format("best {}{}", shortest(max ? 0.0 - *told.best : *told.best),
                            *told.best == *best ? ", the best of all" : "");
      out.push_back(fmt::format(
          "  {:<18} {:>6} of the work, {}", told.engine,
          percent(static_cast<double>(told.units) / static_cast<double>(std::max<std::uint64_t>(1, units))), found));
    }
  }
  return out;
}

std::vector<std::string> confidence_words(const Json& result) {
  std::vector<std::string> out;
  const Json confidence = result.value("confidence", Json::object());
  if (confidence.value("parts", Json::array()).empty()) return out;  // of an older version
  const double share = confidence.value("share_returned", 1.0);
  out.push_back(fmt::format("Confidence {:.2f} of 1{}:", confidence.value("value", 0.0),
                            share < 1 ? fmt::format(", of which {} came back", percent(share)) : ""));
  for (const Json& part : confidence["parts"]) {
    const std::string state = part.value("state", "");
    const std::string value = state == "known"     ? fmt::format("{:.2f}", part.value("value", 0.0))
                              : state == "unknown" ? "unknown, counts as 0"
                                                   : "does not apply";
    out.push_back(fmt::format("  {:<12} {} (weight {:.2f}): {}", member(part, "part"), value, part.value("weight", 0.0),
                              member(part, "detail")));
  }
  const Json review = result.value("review", Json());
  if (review.is_object()) {
    out.push_back(fmt::format("Review: {} by {} at {}{}.", member(review, "decision"), member(review, "actor"),
                              member(review, "at"),
                              review.value("reason", "").empty() ? "" : ": " + review.value("reason", "")));
  }
  return out;
}

std::string criterion_words(const Json& item) {
  const std::string kind = member(item, "criterion");
  const bool met = item.value("met", false);
  if (kind == "feasible") return met ? "the best candidate is feasible" : "no candidate is feasible";
  if (kind == "proved")
    return met ? "the best candidate is proved optimal" : "the best candidate is not proved optimal";
  const double limit = item.value("limit", 0.0);
  const auto actual = item.find("actual");
  const bool known = actual != item.end() && actual->is_number();
  const auto said = [&](auto in_words, const char* what, const char* asked) {
    return fmt::format("{} {}, {} {}", what, known ? in_words(actual->template get<double>()) : "unknown", asked,
                       in_words(limit));
  };
  const auto dollars = [](double micros) { return format_usd(std::llround(micros)); };
  if (kind == "latency_ms") return said(milliseconds, "time", "allowed");
  if (kind == "cost_usd_micros") return said(dollars, "billed", "allowed");
  if (kind == "improvement") return said(percent, "improvement over the baseline", "asked for at least");
  return said(shortest, kind.c_str(), "asked for as good as");
}

std::vector<std::string> explain(const Json& job, const Json& plan, const Json& result, const Json& submissions) {
  std::vector<std::string> out;
  out.push_back(
      fmt::format("Job {} ({}) is {}.", member(job, "job_id"), member(job, "problem_type"), member(job, "state")));
  if (plan.is_object()) {
    for (const Json& reason : plan.value("reasons", Json::array())) out.push_back(reason.get<std::string>());
    explain_candidates(plan, out);
    out.push_back(fmt::format("Plan digest: {}", member(plan, "digest")));
  }
  if (job.contains("error") && job["error"].is_object())
    out.push_back(fmt::format("It ended with: {}{}", member(job["error"], "message"),
                              result.is_object() ? "; the result below does not count" : ""));
  if (!result.is_object()) {
    if (submissions.is_object()) explain_unused(submissions, out);
    return out;
  }
  for (const Json& sentence : result.value("explanation", Json::array())) out.push_back(sentence.get<std::string>());
  if (result.contains("best") && result["best"].is_object()) {
    const Json& best = result["best"];
    const std::string proof = proof_words(best);
    out.push_back(fmt::format("Best: objective {}, {}, found by {}{}{}.", member(best, "objective"),
                              best.value("feasible", false) ? "feasible" : "not feasible", member(best, "source"),
                              proof.empty() ? "" : ", ", proof));
  }
  for (const std::string& line : path_words(result)) out.push_back(line);
  for (const std::string& line : confidence_words(result)) out.push_back(line);
  explain_arms(result.value("refinement", Json::object()), out);
  const Json acceptance = result.value("acceptance", Json::object());
  for (const Json& item : acceptance.value("criteria", Json::array())) {
    out.push_back(
        fmt::format("Criterion {}: {}.", item.value("met", false) ? "met" : "not met", criterion_words(item)));
  }
  if (submissions.is_object()) explain_unused(submissions, out);
  return out;
}

std::string proof_words(const Json& best) {
  if (best.value("proved", false)) return "proved optimal";
  const auto bound = best.find("bound");
  if (bound == best.end() || !bound->is_number() || !best.value("feasible", false)) return "";
  const double objective = best.value("objective", 0.0);
  const double limit = bound->get<double>();
  return fmt::format("not proved: none is {} {}, gap {}", limit <= objective ? "below" : "above", shortest(limit),
                     gap_words(objective, limit));
}

std::string progress_line(const engine::Progress& progress, std::optional<double> budget_ms) {
  std::string out = fmt::format("{:.1f} s", progress.elapsed_ms / 1000);
  // Beyond it the job reads, plans, refines or writes.
  if (budget_ms && progress.elapsed_ms <= *budget_ms) out += fmt::format(" of {:.1f} s", *budget_ms / 1000);
  if (!progress.objective) return fmt::format("{}  {}", out, progress.step);
  const std::string gap = progress.bound ? gap_words(*progress.objective, *progress.bound) : "-";
  return fmt::format("{}  best {}  gap {}  {}", out, shortest(*progress.objective), gap, progress.step);
}

}  // namespace tandem::service
