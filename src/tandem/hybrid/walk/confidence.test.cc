#include "tandem/hybrid/walk/confidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tandem::walk {
namespace {

using job::ConfidencePart;
using State = job::ConfidencePart::State;
using testing::ElementsAre;

job::ScoredCandidate found(double objective, std::string source, bool feasible = true, std::uint64_t times = 1) {
  return {.objective = objective, .feasible = feasible, .source = std::move(source), .occurrences = times};
}
bool never(const job::ScoredCandidate&) { return false; }

/// The worked example of docs/guide/confidence.md: a minimum; solve 90, arm 100, baseline 99.
struct Example {
  std::vector<job::ScoredCandidate> candidates = {found(-100, "refine:qaoa@lab.device", true, 1),
                                                  found(-90, "solve:cpu.tabu", true, 3),
                                                  found(-120, "solve:cpu.tabu", false, 1)};
  std::optional<job::ScoredCandidate> baseline = found(-99, "baseline:cpu.tabu");
  std::vector<double> baseline_objectives = {-99};
  job::Confidence confidence(CalibrationAge age = {.applies = true, .age_ms = 6 * 3'600'000.0},
                             const job::Provenance& provenance = {}, bool proved = false) const {
    return problem_confidence({.sense = problem::Sense::kMin,
                               .seed = 1,
                               .proved = proved,
                               .candidates = candidates,
                               .from_control = never,
                               .baseline = baseline,
                               .baseline_objectives = baseline_objectives,
                               .calibration = age},
                              provenance);
  }
};

const ConfidencePart& part(const job::Confidence& confidence, std::string_view name) {
  for (const ConfidencePart& one : confidence.parts)
    if (one.part == name) return one;
  ADD_FAILURE() << "no part " << name;
  return confidence.parts.front();
}

TEST(Confidence, the_worked_example_of_the_guide) {
  const job::Confidence out = Example().confidence();
  // Two feasible solutions, so a resample has the better one with 1 - (1/2)^2 = 3/4; the error of 1000 draws is 0.0137, and
  // five of them are never left for this seed.
  const double improvement = part(out, "improvement").value;
  EXPECT_NEAR(improvement, 0.75, 5 * std::sqrt(0.75 * 0.25 / 1000));
  EXPECT_DOUBLE_EQ(*part(out, "improvement").low, -9.0 / 99);
  EXPECT_DOUBLE_EQ(*part(out, "improvement").high, 1.0 / 99);
  EXPECT_DOUBLE_EQ(part(out, "feasible").value, 0.8);  // 4 of 5
  EXPECT_DOUBLE_EQ(part(out, "agreement").value, 0.9);  // 1 % of difference, gone at 10 %
  EXPECT_DOUBLE_EQ(part(out, "calibration").value, 0.75);  // 6 of 24 hours
  EXPECT_DOUBLE_EQ(part(out, "delta").value, 0.8);  // the two best sources are 1 % apart, gone at 5 %
  EXPECT_DOUBLE_EQ(out.value, 0.3 * improvement + 0.2 * 0.8 + 0.2 * 0.9 + 0.1 * 0.75 + 0.2 * 0.8);
  EXPECT_DOUBLE_EQ(out.share_returned, 1);
}

TEST(Confidence, an_unknown_part_lowers_it_and_one_that_does_not_apply_does_not) {
  Example example;
  const double whole = example.confidence().value;
  const job::Confidence unknown = example.confidence({.applies = true, .unknown = true});
  EXPECT_EQ(part(unknown, "calibration").state, State::kUnknown);
  EXPECT_DOUBLE_EQ(unknown.value, whole - 0.1 * 0.75);
  const job::Confidence without = example.confidence({});
  EXPECT_EQ(part(without, "calibration").state, State::kNotApplicable);
  EXPECT_DOUBLE_EQ(without.value, unknown.value / 0.9);
  example.baseline.reset();
  example.baseline_objectives.clear();
  const job::Confidence alone = example.confidence();
  EXPECT_EQ(part(alone, "improvement").state, State::kUnknown);
  EXPECT_EQ(part(alone, "agreement").state, State::kUnknown);
  EXPECT_LT(alone.value, whole);
}

TEST(Confidence, a_proof_needs_no_comparison_and_an_infeasible_answer_has_none) {
  EXPECT_DOUBLE_EQ(Example().confidence({}, {}, true).value, 0.8);  // the feasible share alone
  Example nothing;
  nothing.candidates = {found(-1, "solve:x", false)};
  const job::Confidence out = nothing.confidence({});
  EXPECT_DOUBLE_EQ(out.value, 0);
}

TEST(Confidence, a_part_of_the_samples_gives_a_part_of_it) {
  const job::Provenance provenance{
      .path = {}, .partial_work = {{.asked = 10, .got = 4, .used = true}, {.asked = 10, .got = 1}}, .cached = {}};
  const Example example;
  EXPECT_DOUBLE_EQ(example.confidence({}, provenance).value, 0.4 * example.confidence({}).value);
}

TEST(Confidence, of_a_program_rests_on_a_simulation_or_on_the_age_of_the_calibration) {
  hybrid::Reply reply{.local = true};
  reply.result = backend::ProgramResult{};
  EXPECT_DOUBLE_EQ(program_confidence(reply, {}).value, 1);
  reply.local = false;
  EXPECT_DOUBLE_EQ(program_confidence(reply, {}).value, 0);
  reply.calibration_age_ms = 12 * 3'600'000.0;
  EXPECT_DOUBLE_EQ(program_confidence(reply, {}).value, 0.1 * 0.5 / 0.3);
}

TEST(ImprovementInterval, holds_the_improvement_is_repeatable_and_turns_with_the_sense) {
  const std::vector<double> ours = {10, 9, 8, 8};
  const std::vector<double> theirs = {9, 7, 7};
  const ImprovementInterval max = improvement_interval(problem::Sense::kMax, ours, theirs, 5);
  EXPECT_LE(max.low, 1.0 / 9);
  EXPECT_GE(max.high, 1.0 / 9);
  const ImprovementInterval again = improvement_interval(problem::Sense::kMax, ours, theirs, 5);
  EXPECT_EQ(max.low, again.low);
  EXPECT_EQ(max.share_as_good, again.share_as_good);
  const std::vector<double> same = {4, 4};
  const ImprovementInterval equal = improvement_interval(problem::Sense::kMin, same, same, 1);
  EXPECT_EQ(equal.low, 0);
  EXPECT_EQ(equal.high, 0);
  EXPECT_EQ(equal.share_as_good, 1);
}

TEST(StandIn, is_the_first_entry_that_names_the_cause_and_has_an_answer) {
  const job::PlanStep refine{.kind = job::StepKind::kRefine,
                             .fallbacks = {{"simulator", {job::FallbackCause::kQueueWait}}, {"cpu.tabu"}}};
  std::vector<hybrid::Reply> round = {{.label = "qaoa@simulator", .backend = "simulator"},
                                      {.label = "qaoa@device", .backend = "device"}};
  round[0].result = backend::ProgramResult{};
  round[1].error = Error{.number = errors::kQueueWaitPredicted};
  round[1].path = {{.backend = "device", .cause = job::FallbackCause::kQueueWait}};
  const auto stands_in = [&] {
    job::Provenance out;
    for (const hybrid::Reply& reply : round) add_stand_in(out, reply, round, refine);
    EXPECT_EQ(out.path.size(), 1u);
    return out.path.at(0).backend;
  };
  EXPECT_EQ(stands_in(), "simulator");
  round[1].path[0].cause = job::FallbackCause::kUnavailable;
  EXPECT_EQ(stands_in(), "cpu.tabu");
  round[1].path[0].cause = job::FallbackCause::kQueueWait;
  round[0].result.reset();
  EXPECT_EQ(stands_in(), "cpu.tabu");
}

}  // namespace
}  // namespace tandem::walk
