#include "tandem/hybrid/walk/confidence.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "tandem/base/rng.h"
#include "tandem/base/text.h"
#include "tandem/hybrid/refine/refine.h"

namespace tandem::walk {
namespace {

using job::ConfidencePart;
using State = job::ConfidencePart::State;

constexpr std::size_t kResamples = 1000;  ///< percentiles of 2.5 % then rest on 25 of them
constexpr std::uint64_t kBootstrapStream = 2'000'000;  ///< beyond the streams of solvers and rounds
constexpr double kAgreementGone = 0.10;  ///< relative difference at which two runs do not agree at all
constexpr double kDeltaGone = 0.05;  ///< the same of the two best sources
constexpr double kCalibrationGoneMs = 24 * 3'600'000.0;  ///< devices are calibrated daily

constexpr double kImprovementWeight = 0.30;
constexpr double kFeasibleWeight = 0.20;
constexpr double kAgreementWeight = 0.20;
constexpr double kCalibrationWeight = 0.10;
constexpr double kDeltaWeight = 0.20;

double relative_difference(double a, double b) {
  const double size = std::max(std::abs(a), std::abs(b));
  return size == 0 ? 0 : std::abs(a - b) / size;
}

/// 1 at no difference, 0 from `gone` on, linear between.
double fading(double difference, double gone) { return std::max(0.0, 1 - difference / gone); }

ConfidencePart known(std::string part, double weight, double value, std::string detail) {
  return {
      .part = std::move(part), .state = State::kKnown, .value = value, .weight = weight, .detail = std::move(detail)};
}
ConfidencePart unknown(std::string part, double weight, std::string why) {
  return {.part = std::move(part), .state = State::kUnknown, .weight = weight, .detail = std::move(why)};
}
ConfidencePart not_applicable(std::string part, double weight, std::string why) {
  return {.part = std::move(part), .state = State::kNotApplicable, .weight = weight, .detail = std::move(why)};
}

job::Confidence sum_up(std::vector<ConfidencePart> parts, const job::Provenance& provenance) {
  job::Confidence out{.parts = std::move(parts)};
  for (const job::PartialAnswer& part : provenance.partial_work)
    if (part.used) out.share_returned = std::min(out.share_returned, part.share());
  double sum = 0;
  double weights = 0;
  for (const ConfidencePart& part : out.parts) {
    if (part.state == State::kNotApplicable) continue;
    weights += part.weight;
    if (part.state == State::kKnown) sum += part.weight * part.value;
  }
  out.value = weights == 0 ? 0 : sum / weights * out.share_returned;
  return out;
}

ConfidencePart calibration_part(const CalibrationAge& age) {
  if (!age.applies) return not_applicable("calibration", kCalibrationWeight, "no device took part");
  if (age.unknown)
    return unknown("calibration", kCalibrationWeight, "a device did not say how old its calibration was");
  return known("calibration", kCalibrationWeight, fading(age.age_ms, kCalibrationGoneMs),
               fmt::format("the oldest calibration was {} old",
                           format_duration(std::chrono::milliseconds(std::llround(age.age_ms)))));
}

/// Best objective of each source that found something feasible, best first.
std::vector<double> best_of_sources(const Evidence& evidence) {
  std::map<std::string, double> best;
  const auto add = [&](const job::ScoredCandidate& candidate) {
    if (!candidate.feasible) return;
    const auto [at, fresh] = best.emplace(candidate.source, candidate.objective);
    if (!fresh && problem::better(evidence.sense, candidate.objective, at->second)) at->second = candidate.objective;
  };
  for (const job::ScoredCandidate& candidate : evidence.candidates) add(candidate);
  if (evidence.baseline) add(*evidence.baseline);
  std::vector<double> out;
  for (const auto& [source, objective] : best) out.push_back(objective);
  std::sort(out.begin(), out.end(), [&](double a, double b) { return problem::better(evidence.sense, a, b); });
  return out;
}

ConfidencePart improvement_part(const Evidence& evidence, std::span<const double> hybrid) {
  if (evidence.proved) return not_applicable("improvement", kImprovementWeight, "the optimum is proved");
  if (evidence.baseline_objectives.empty() || hybrid.empty()) {
    return unknown(
        "improvement", kImprovementWeight,
        hybrid.empty() ? "the run found nothing feasible" : "no baseline with a feasible solution ran beside it");
  }
  const ImprovementInterval interval =
      improvement_interval(evidence.sense, hybrid, evidence.baseline_objectives, evidence.seed);
  ConfidencePart out = known(
      "improvement", kImprovementWeight, interval.share_as_good,
      fmt::format("improvement over the baseline from {:.3g} % to {:.3g} % (95 %, bootstrap); as good or better in "
                  "{:.3g} % of {} resamples",
                  100 * interval.low, 100 * interval.high, 100 * interval.share_as_good, kResamples));
  out.low = interval.low;
  out.high = interval.high;
  return out;
}

ConfidencePart feasible_part(const Evidence& evidence) {
  double total = 0;
  double feasible = 0;
  for (const job::ScoredCandidate& candidate : evidence.candidates) {
    if (evidence.from_control(candidate)) continue;
    const auto n = static_cast<double>(candidate.occurrences);
    total += n;
    if (candidate.feasible) feasible += n;
  }
  if (total == 0) return unknown("feasible", kFeasibleWeight, "there is no candidate");
  const auto [low, high] = refine::wilson_interval(feasible, total);
  ConfidencePart out = known("feasible", kFeasibleWeight, feasible / total,
                             fmt::format("{} of {} candidates are feasible", feasible, total));
  out.low = low;
  out.high = high;
  return out;
}

ConfidencePart agreement_part(const Evidence& evidence, const std::optional<double>& best) {
  if (evidence.proved) return not_applicable("agreement", kAgreementWeight, "the optimum is proved");
  if (!best || !evidence.baseline || !evidence.baseline->feasible)
    return unknown("agreement", kAgreementWeight, "no classical baseline with a feasible solution ran beside it");
  const double difference = relative_difference(*best, evidence.baseline->objective);
  return known("agreement", kAgreementWeight, fading(difference, kAgreementGone),
               fmt::format("{:.3g} % from the classical baseline", 100 * difference));
}

ConfidencePart delta_part(const Evidence& evidence) {
  if (evidence.proved) return not_applicable("delta", kDeltaWeight, "the optimum is proved");
  const std::vector<double> best = best_of_sources(evidence);
  if (best.size() < 2)
    return unknown("delta", kDeltaWeight,
                   best.empty() ? "nothing feasible was found" : "only one source found something feasible");
  const double difference = relative_difference(best[0], best[1]);
  return known("delta", kDeltaWeight, fading(difference, kDeltaGone),
               fmt::format("the two best sources are {:.3g} % apart", 100 * difference));
}

}  // namespace

void CalibrationAge::add(const hybrid::Reply& reply) {
  if (!reply.result || reply.local) return;
  applies = true;
  if (reply.calibration_age_ms)
    age_ms = std::max(age_ms, *reply.calibration_age_ms);
  else
    unknown = true;
}

Json CalibrationAge::document() const { return {{"applies", applies}, {"unknown", unknown}, {"age_ms", age_ms}}; }

Result<CalibrationAge> CalibrationAge::parse(const Json& value, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  CalibrationAge out;
  TANDEM_TRY_ASSIGN(out.applies, reader.boolean_or("applies", false));
  TANDEM_TRY_ASSIGN(out.unknown, reader.boolean_or("unknown", false));
  TANDEM_TRY_ASSIGN(out.age_ms, reader.number_or("age_ms", 0));
  return out;
}

ImprovementInterval improvement_interval(problem::Sense sense, std::span<const double> hybrid,
                                         std::span<const double> baseline, std::uint64_t seed) {
  Xoshiro256 draws(derive_seed(seed, kBootstrapStream));
  const auto best_of = [&](std::span<const double> values) {
    double best = values[draws.below(values.size())];
    for (std::size_t i = 1; i < values.size(); ++i) {
      const double next = values[draws.below(values.size())];
      if (problem::better(sense, next, best)) best = next;
    }
    return best;
  };
  std::vector<double> improvements;
  std::size_t as_good = 0;
  for (std::size_t i = 0; i < kResamples; ++i) {
    const double ours = best_of(hybrid);
    const double theirs = best_of(baseline);
    const double gain = sense == problem::Sense::kMax ? ours - theirs : theirs - ours;
    improvements.push_back(theirs == 0 ? (gain == 0 ? 0 : std::copysign(1.0, gain)) : gain / std::abs(theirs));
    if (gain >= 0 || problem::same_objective(ours, theirs)) ++as_good;
  }
  std::sort(improvements.begin(), improvements.end());
  constexpr std::size_t kTail = kResamples / 40;  // 2.5 %
  return {.low = improvements[kTail],
          .high = improvements[kResamples - 1 - kTail],
          .share_as_good = static_cast<double>(as_good) / kResamples};
}

job::Confidence problem_confidence(const Evidence& evidence, const job::Provenance& provenance) {
  std::vector<double> hybrid;
  std::optional<double> best;
  for (const job::ScoredCandidate& candidate : evidence.candidates) {
    if (!candidate.feasible || evidence.from_control(candidate)) continue;
    hybrid.push_back(candidate.objective);
    if (!best || problem::better(evidence.sense, candidate.objective, *best)) best = candidate.objective;
  }
  return sum_up({improvement_part(evidence, hybrid), feasible_part(evidence), agreement_part(evidence, best),
                 calibration_part(evidence.calibration), delta_part(evidence)},
                provenance);
}

job::Confidence program_confidence(const hybrid::Reply& reply, const job::Provenance& provenance) {
  CalibrationAge calibration;
  calibration.add(reply);
  constexpr const char* kNoObjective = "a program has no objective";
  ConfidencePart agreement =
      reply.local ? known("agreement", kAgreementWeight, 1, "a simulation of the program is its own shadow")
                  : unknown("agreement", kAgreementWeight, "no simulation of the program ran beside the device");
  return sum_up({not_applicable("improvement", kImprovementWeight, kNoObjective),
                 not_applicable("feasible", kFeasibleWeight, kNoObjective), std::move(agreement),
                 calibration_part(calibration), not_applicable("delta", kDeltaWeight, kNoObjective)},
                provenance);
}

void add_provenance(job::Provenance& out, const hybrid::Reply& reply) {
  out.path.insert(out.path.end(), reply.path.begin(), reply.path.end());
  out.partial_work.insert(out.partial_work.end(), reply.partial.begin(), reply.partial.end());
  if (reply.cached) out.cached.push_back(*reply.cached);
}

void add_stand_in(job::Provenance& out, const hybrid::Reply& reply, std::span<const hybrid::Reply> round,
                  const job::PlanStep& refine) {
  if (!reply.error || reply.path.empty() || !reply.path.back().cause) return;
  const job::FallbackCause cause = *reply.path.back().cause;
  for (const job::Fallback& entry : refine.fallbacks) {
    if (!entry.answers(cause)) continue;
    // An arm beside it stands in only where it has something; the solver of the whole problem has.
    const bool failed = std::any_of(round.begin(), round.end(), [&](const hybrid::Reply& other) {
      return other.backend == entry.backend && !other.result;
    });
    if (failed) continue;
    out.path.push_back({.step = reply.label,
                        .backend = entry.backend,
                        .outcome = job::PathEntry::Outcome::kStoodIn,
                        .cause = cause,
                        .reason = "an arm is graded where it runs and never runs elsewhere"});
    return;
  }
}

}  // namespace tandem::walk
