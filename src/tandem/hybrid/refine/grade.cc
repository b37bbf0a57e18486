#include <algorithm>
#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/base/rng.h"
#include "tandem/base/text.h"
#include "tandem/hybrid/refine/refine.h"

namespace tandem::refine {
namespace {

using result::Sample;
using result::SampleSet;

constexpr double kZ95 = 1.959963984540054;      ///< 97.5 % quantile of the normal distribution

SampleSet samples_of_counts(const result::Counts& counts, const problem::Bqm& bqm) {
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    problem::Assignment values = encode::assignment_of_bits(counts.outcome(i), bqm.num_variables(), bqm.vartype());
    const double energy = bqm.energy(values);
    samples.push_back({.values = std::move(values), .energy = energy, .occurrences = counts.count(i)});
  }
  return SampleSet::create(bqm.vartype(), bqm.num_variables(), std::move(samples));
}

/// Shots drawn here, where a backend computed the probabilities and drew none.
result::Counts drawn(const result::Distribution& distribution, std::uint64_t shots, std::uint64_t seed) {
  std::vector<double> below;  // sum of the probabilities up to each outcome, itself included
  double sum = 0;
  for (std::size_t i = 0; i < distribution.size(); ++i)
    below.push_back(sum += std::max(0.0, distribution.probability(i)));
  std::vector<std::uint64_t> counts(distribution.size());
  Xoshiro256 rng(seed);
  for (std::uint64_t shot = 0; shot < shots; ++shot) {
    const auto found = std::upper_bound(below.begin(), below.end(), rng.uniform() * sum);
    ++counts[std::min<std::size_t>(static_cast<std::size_t>(found - below.begin()), counts.size() - 1)];
  }
  std::vector<std::uint64_t> outcomes;
  for (std::size_t i = 0; i < distribution.size(); ++i) {
    const auto words = distribution.outcome(i);
    outcomes.insert(outcomes.end(), words.begin(), words.end());
  }
  return result::Counts::from_histogram(distribution.num_bits(), outcomes, counts);
}

/// Energies are recomputed from the encoded model: no backend is believed.
SampleSet rescored(const SampleSet& set, const problem::Bqm& bqm) {
  std::vector<Sample> samples;
  for (const Sample& sample : set.samples())
    samples.push_back(
        {.values = sample.values, .energy = bqm.energy(sample.values), .occurrences = sample.occurrences});
  return SampleSet::create(bqm.vartype(), bqm.num_variables(), std::move(samples));
}

/// Empty when the reply holds nothing usable; `detail` says what was wrong, or how the samples were made of it.
SampleSet samples_of(const hybrid::Reply& reply, const Refinement& refinement, std::string& detail) {
  const problem::Bqm& bqm = refinement.encoding.bqm;
  if (const auto* solve = std::get_if<backend::SolveResult>(&*reply.result))
    return rescored(solve->outcome.samples, bqm);
  const auto& program = std::get<backend::ProgramResult>(*reply.result);
  if (program.pubs.size() != 1 || program.pubs.front().bindings.size() != 1) {
    detail = "the backend answered something else than one result";
    return {};
  }
  const result::BindingResult& binding = program.pubs.front().bindings.front();
  result::Counts counts;
  if (const auto* counted = std::get_if<result::Counts>(&binding)) {
    counts = *counted;
  } else if (const auto* computed = std::get_if<result::Distribution>(&binding)) {
    const auto order = std::find_if(refinement.orders.begin(), refinement.orders.end(),
                                    [&](const hybrid::Order& one) { return one.label == reply.label; });
    TANDEM_ASSERT(order != refinement.orders.end());  // it is what the reply answers
    const auto& asked = std::get<backend::ProgramWork>(order->work);
    const std::uint64_t shots = asked.pubs.front().shots;
    counts = drawn(*computed, shots, derive_seed(asked.seed, 0));
    detail = fmt::format("{} shots drawn here from the probabilities that the backend computed", shots);
  } else {
    detail = "the backend answered something else than outcomes";
    return {};
  }
  if (counts.num_bits() < bqm.num_variables()) {
    detail = fmt::format("the backend answered {} bits for {} variables", counts.num_bits(), bqm.num_variables());
    return {};
  }
  return samples_of_counts(counts, bqm);
}

std::string arm_name(const std::string& label) {
  const std::size_t slash = label.rfind('/');
  const std::size_t at = label.rfind('@');
  return label.substr(slash + 1, at - slash - 1);
}

/// Probability that a draw of `set` has lower energy than one of `other`, ties counting half. Both are sorted by energy.
double auc(const SampleSet& set, const SampleSet& other) {
  double below = 0;  // occurrences of `other` strictly below the current energy
  double wins = 0;
  std::size_t j = 0;
  const auto total = static_cast<double>(other.occurrences());
  for (const Sample& sample : set.samples()) {
    while (j < other.samples().size() && other.samples()[j].energy < sample.energy)
      below += static_cast<double>(other.samples()[j++].occurrences);
    double ties = 0;
    for (std::size_t k = j; k < other.samples().size() && other.samples()[k].energy == sample.energy; ++k)
      ties += static_cast<double>(other.samples()[k].occurrences);
    wins += static_cast<double>(sample.occurrences) * (total - below - ties / 2);
  }
  return wins / (static_cast<double>(set.occurrences()) * total);
}

/// Standard error of an AUC (Hanley, McNeil 1982, equations 1 and 2).
double auc_error(double a, double n1, double n2) {
  const double q1 = a / (2 - a);
  const double q2 = 2 * a * a / (1 + a);
  const double variance = (a * (1 - a) + (n1 - 1) * (q1 - a * a) + (n2 - 1) * (q2 - a * a)) / (n1 * n2);
  return std::sqrt(std::max(0.0, variance));
}

void grade_against(job::ArmSummary& summary, const SampleSet& samples, std::optional<double> optimum,
                   const SampleSet& random) {
  double mean = 0;
  const auto n = static_cast<double>(samples.occurrences());
  for (const Sample& sample : samples.samples()) mean += sample.energy * static_cast<double>(sample.occurrences) / n;
  summary.samples = samples.occurrences();
  summary.best_energy = samples.best().energy;
  summary.mean_energy = mean;
  if (optimum) {
    const auto at_optimum = [&](double energy) {
      return energy <= *optimum || problem::same_objective(energy, *optimum);
    };
    summary.regret = at_optimum(samples.best().energy) ? 0 : samples.best().energy - *optimum;
    double hits = 0;
    for (const Sample& sample : samples.samples())
      if (at_optimum(sample.energy)) hits += static_cast<double>(sample.occurrences);
    summary.p_optimum = hits / n;
    const auto [low, high] = wilson_interval(hits, n);
    summary.p_optimum_low = low;
    summary.p_optimum_high = high;
  }
  if (!random.empty()) {
    const double a = auc(samples, random);
    const double error = kZ95 * auc_error(a, n, static_cast<double>(random.occurrences()));
    summary.rank = a;
    summary.rank_low = std::max(0.0, a - error);
    summary.rank_high = std::min(1.0, a + error);
  }
}

/// An optimum that an arm's sample lies below is none: nothing is graded against it, and the shadow says why.
void drop_contradicted(std::vector<ArmResult>& arms, std::optional<double>& optimum) {
  for (const ArmResult& arm : arms) {
    if (arm.samples.empty()) continue;
    const double energy = arm.samples.best().energy;
    if (energy >= *optimum || problem::same_objective(energy, *optimum)) continue;
    const auto shadow = std::ranges::find(arms, "exact_shadow", [](const ArmResult& one) { return one.summary.arm; });
    shadow->summary.detail = fmt::format(
        "CONTRADICTION: it said to have proved the energy {}, but {} on {} has {}: nothing is graded against it",
        shortest(*optimum), arm.summary.arm, arm.summary.backend, shortest(energy));
    optimum.reset();
    return;
  }
}

}  // namespace

std::pair<double, double> wilson_interval(double successes, double n) {
  if (n <= 0) return {0, 1};
  const double p = successes / n;
  const double z2 = kZ95 * kZ95;
  const double center = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {std::max(0.0, std::min(p, center - half)), std::min(1.0, std::max(p, center + half))};
}

std::vector<ArmResult> grade(const Refinement& refinement, std::span<const hybrid::Reply> replies) {
  std::vector<ArmResult> out;
  std::optional<double> optimum;
  SampleSet random;
  for (const hybrid::Reply& reply : replies) {
    ArmResult arm;
    arm.summary = {.arm = arm_name(reply.label),
                   .backend = reply.backend,
                   .emulated = reply.emulated,
                   .status = "done",
                   .billed = reply.billed,
                   .elapsed_ms = reply.elapsed_ms};
    if (reply.result) {
      arm.samples = samples_of(reply, refinement, arm.summary.detail);
    } else if (reply.error) {
      arm.summary.detail = reply.error->to_string();
    }
    if (arm.samples.empty()) arm.summary.status = "failed";
    const auto* solve = reply.result ? std::get_if<backend::SolveResult>(&*reply.result) : nullptr;
    if (arm.summary.arm == "exact_shadow" && solve != nullptr && !arm.samples.empty()) {
      if (solve->outcome.proved)
        optimum = arm.samples.best().energy;
      else
        arm.summary.detail = "stopped before the proof: nothing is graded against it";
    }
    if (arm.summary.arm == "random_control") random = arm.samples;
    out.push_back(std::move(arm));
  }
  if (optimum) drop_contradicted(out, optimum);
  for (ArmResult& arm : out) {
    if (arm.samples.empty()) continue;
    if (arm.summary.arm != "exact_shadow") {
      grade_against(arm.summary, arm.samples, optimum, random);
      continue;
    }
    // The shadow computes, it does not sample: shares and ranks of its by-products would say nothing.
    arm.summary.samples = 1;
    arm.summary.best_energy = arm.samples.best().energy;
    if (optimum) arm.summary.regret = 0;
  }
  return out;
}

}  // namespace tandem::refine
