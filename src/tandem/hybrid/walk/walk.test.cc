#include "tandem/hybrid/walk/walk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tandem/hybrid/walk/testing/walk_driver.h"

namespace tandem::walk {
namespace {

using testing::AllOf;
using testing::DoubleNear;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr double kTolerance = 1e-9;

job::JobSpec spec_of(Json document) {
  auto parsed = job::JobSpec::parse(document, problem::ProblemRegistry::with_builtin_types());
  EXPECT_THAT(parsed, Succeeds());
  return *std::move(parsed);
}

/// A complete graph of six nodes with weights 1 to 3 and a chain of `chain` nodes hanging on it, which exact reductions remove.
job::JobSpec graph_job(std::uint32_t chain = 3) {
  Json edges = Json::array();
  for (std::uint32_t u = 0; u < 6; ++u)
    for (std::uint32_t v = u + 1; v < 6; ++v) edges.push_back({u, v, 1 + (u * u + 3 * v) % 3});
  for (std::uint32_t i = 0; i < chain; ++i) edges.push_back({5 + i, 6 + i, 2});
  return spec_of({{"problem", {{"type", "max_cut"}, {"num_nodes", 6 + chain}, {"edges", std::move(edges)}}}});
}

/// Choose 3 of 6 assets, at most one of sector "a".
job::JobSpec portfolio_job() {
  Json assets = Json::array();
  for (int i = 0; i < 6; ++i) {
    assets.push_back({{"name", fmt::format("asset {}", i)},
                      {"expected_return", 0.05 + 0.011 * ((i * 5) % 6)},
                      {"volatility", 0.1 + 0.03 * i},
                      {"sector", i < 3 ? "a" : "b"}});
  }
  Json correlation = Json::array();
  for (int i = 0; i < 6; ++i) {
    Json row = Json::array();
    for (int j = 0; j < 6; ++j) row.push_back(i == j ? 1.0 : 0.2);
    correlation.push_back(std::move(row));
  }
  return spec_of({{"problem",
                   {{"type", "portfolio"},
                    {"assets", std::move(assets)},
                    {"correlation", std::move(correlation)},
                    {"choose", 3},
                    {"risk_aversion", 1.5},
                    {"sector_limits", {{"a", 1}}}}}});
}

struct PlanOptions {
  bool baseline = true;
  int rounds = 2;  ///< 0: no refinement
  bool encode = false;
  bool trained = false;  ///< angles, from a warm start
};

job::Plan plan_of(const PlanOptions& options) {
  const auto solve = [&](job::StepKind kind, int stream) {
    return job::PlanStep{
        .kind = kind,
        .backend = "cpu.main",
        .parameters = {
            {"time_ms", 1000}, {"stream", stream}, {"strands", 2}, {"candidates_max", 16}, {"encode", options.encode}}};
  };
  job::Plan plan{.primary = "cpu.main", .baseline = "cpu.main"};
  plan.steps.push_back(solve(job::StepKind::kSolve, 0));
  if (options.baseline) plan.steps.push_back(solve(job::StepKind::kBaseline, 1));
  if (options.rounds > 0) {
    plan.steps.push_back({.kind = job::StepKind::kRefine,
                          .parameters = {{"quantum_backends", {"simulator.statevector"}},
                                         {"core_max", 4},
                                         {"qubits_max", 8},
                                         {"layers", 1},
                                         {"shots", 40},
                                         {"rounds", options.rounds}}});
    if (options.trained) {
      plan.steps.back().parameters["angles"] = "trained";
      plan.steps.back().parameters["start"] = "warm";
    }
  }
  return plan;
}

/// The best feasible objective of all assignments, by the problem's own judgement.
double optimum(const problem::Problem& problem) {
  const bool max = problem.sense() == problem::Sense::kMax;
  double best = max ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  const std::int8_t low = problem.vartype() == problem::Vartype::kSpin ? -1 : 0;
  for (std::uint32_t bits = 0; bits < (1u << problem.num_variables()); ++bits) {
    problem::Assignment values;
    for (std::size_t i = 0; i < problem.num_variables(); ++i)
      values.push_back((bits >> i & 1u) != 0 ? std::int8_t{1} : low);
    const problem::Score score = problem.score(values);
    if (score.feasible) best = max ? std::max(best, score.objective) : std::min(best, score.objective);
  }
  return best;
}

problem::Assignment solution_of(const problem::Problem& problem, const std::string& text) {
  problem::Assignment out;
  for (const char c : text)
    out.push_back(c == '1'                                       ? std::int8_t{1}
                  : problem.vartype() == problem::Vartype::kSpin ? std::int8_t{-1}
                                                                 : std::int8_t{0});
  return out;
}

/// Why a candidate is no solution of the whole problem, judged by the problem; empty when all are. A refined one is also at
/// least as good as the sample of the core that it was lifted from: lifting keeps the energy, polishing lowers it.
std::string misjudged(const job::JobSpec& spec, const Driven& driven) {
  const problem::Problem& problem = *spec.problem();
  if (driven.document["candidates"].empty()) return "no candidates";
  for (const Json& candidate : driven.document["candidates"]) {
    const std::string text = candidate["solution"];
    if (text.size() != problem.num_variables())
      return fmt::format("'{}' has not the {} variables of the problem", text, problem.num_variables());
    const problem::Score score = problem.score(solution_of(problem, text));
    const double objective = candidate["objective"];
    if (std::abs(objective - score.objective) > kTolerance || candidate["feasible"] != score.feasible)
      return fmt::format("'{}' is said to have {}, it has {}", text, objective, score.objective);
    if (!std::holds_alternative<problem::Bqm>(problem.state())) continue;  // penalties stand in the core's energy
    std::optional<double> promised;  // the worst of the rounds: the candidate does not say which was its own
    for (const job::ArmSummary& arm : driven.result.refinement.arms)
      if (arm.best_energy && candidate["source"] == fmt::format("refine:{}@{}", arm.arm, arm.backend))
        promised = std::max(promised.value_or(*arm.best_energy), *arm.best_energy);
    const double energy = problem.sense() == problem::Sense::kMax ? -objective : objective;
    if (promised && energy > *promised + kTolerance)
      return fmt::format("'{}' has energy {}, its core's sample had {}", text, energy, *promised);
  }
  return {};
}

void expect_judged(const job::JobSpec& spec, const Driven& driven) { EXPECT_EQ(misjudged(spec, driven), ""); }

TEST(ProblemWalk, a_reduced_problem_is_answered_in_full_length_and_judged_by_the_problem) {
  const job::JobSpec spec = graph_job();
  const auto driven = WalkDriver().drive(spec, plan_of({}));
  ASSERT_THAT(driven, Succeeds());
  EXPECT_LT(driven->lineage["reduced_variables"].get<std::size_t>(), spec.problem()->num_variables());
  expect_judged(spec, *driven);
  EXPECT_THAT(driven->result.best->candidate.objective, DoubleNear(optimum(*spec.problem()), kTolerance));
  EXPECT_EQ(driven->result.comparison.verdict, "equal");
  EXPECT_FALSE(driven->result.baseline->same_run);
}

TEST(ProblemWalk, angles_are_fitted_before_a_round_kept_in_its_state_and_told_in_the_lineage) {
  const job::JobSpec spec = graph_job();
  const job::Plan plan = plan_of({.trained = true});
  const auto driven = WalkDriver().drive(spec, plan);
  ASSERT_THAT(driven, Succeeds());
  expect_judged(spec, *driven);
  ASSERT_EQ(driven->states.size(), 3u);
  for (std::size_t round = 0; round < 2; ++round) {
    const Json& kept = driven->states[1 + round]["trained"];
    ASSERT_EQ(kept.size(), 1u) << "of this round alone";
    const Json& told = driven->lineage["cores"][round]["circuits"][0];
    EXPECT_EQ(told["training"], kept[0]);
    EXPECT_EQ(told["start"], "warm");
    EXPECT_LE(kept[0]["end_value"].get<double>(), kept[0]["start_value"].get<double>());
    EXPECT_GT(kept[0]["evaluations"].get<int>(), 0);
  }
  EXPECT_FALSE(driven->states[0].contains("trained"));
  // From the state as text, by another walk: the same orders, answers and lineage.
  const auto restarted = WalkDriver().drive(spec, plan, Restart::kEveryRound);
  ASSERT_THAT(restarted, Succeeds());
  EXPECT_EQ(restarted->document, driven->document);
  EXPECT_EQ(restarted->lineage, driven->lineage);
  std::stop_source stop;
  const auto walk = make_walk(spec, plan, stop.get_token()).value();
  stop.request_stop();
  EXPECT_EQ(walk->next(driven->states[1], {}).error().number, errors::kCancelled)
      << "as it goes on to the second round";
}

TEST(ProblemWalk, without_the_memory_for_them_there_are_no_reductions_and_the_solver_is_told_its_limit) {
  const job::JobSpec spec = graph_job();
  job::Plan plan = plan_of({.rounds = 0});
  plan.steps.push_back({.kind = job::StepKind::kReduce, .parameters = {{"memory_bytes_max", 100}}});
  plan.steps[0].parameters["memory_bytes_max"] = 1'000'000;
  const auto walk = make_walk(spec, plan).value();
  const auto first = walk->next(walk->initial_state(), {});
  ASSERT_THAT(first, Succeeds());
  const auto& work = std::get<backend::SolveWork>(first->orders.at(0).work);
  EXPECT_EQ(solve::num_variables(*work.model), spec.problem()->num_variables());
  EXPECT_EQ(work.options.memory_bytes_max, 1'000'000u);
}

/// What the walk would say if it returned solutions of the core without lifting them.
enum class SkippedLift { kAsTheyAre, kFilledUp, kFilledUpAndScored };

Driven drive_without_lift(const job::JobSpec& spec, SkippedLift fault) {
  const problem::Problem& problem = *spec.problem();
  WalkDriver driver;
  driver.change_end = [&](hybrid::Done& done, const std::vector<hybrid::Reply>& told) {
    for (const hybrid::Reply& reply : told) {
      if (!reply.label.starts_with("refine/0/annealing_control") || !reply.result) continue;
      const result::Sample& sample = std::get<backend::SolveResult>(*reply.result).outcome.samples.best();
      std::string text = job::solution_text(sample.values);
      double objective = -sample.energy;  // max-cut
      if (fault != SkippedLift::kAsTheyAre) text.resize(problem.num_variables(), '0');
      if (fault == SkippedLift::kFilledUpAndScored) objective = problem.score(solution_of(problem, text)).objective;
      problem::Assignment solution(text.size());
      std::transform(text.begin(), text.end(), solution.begin(), [](char c) { return c == '1' ? 1 : 0; });
      done.result.candidates.push_back({.objective = objective,
                                        .feasible = true,
                                        .solution = std::move(solution),
                                        .source = "refine:annealing_control@cpu.annealing"});
    }
  };
  auto driven = driver.drive(spec, plan_of({.rounds = 1}));
  EXPECT_THAT(driven, Succeeds());
  return driven.value_or(Driven());
}

TEST(PlantedFault, a_skipped_lift_is_caught_by_what_judges_the_candidates) {
  const job::JobSpec spec = graph_job();
  EXPECT_THAT(misjudged(spec, drive_without_lift(spec, SkippedLift::kAsTheyAre)),
              HasSubstr("variables of the problem"));
  EXPECT_THAT(misjudged(spec, drive_without_lift(spec, SkippedLift::kFilledUp)), HasSubstr("is said to have"));
  EXPECT_THAT(misjudged(spec, drive_without_lift(spec, SkippedLift::kFilledUpAndScored)),
              HasSubstr("its core's sample"));
}

TEST(ProblemWalk, rounds_ask_for_solve_beside_baseline_and_then_for_the_arms) {
  const auto driven = WalkDriver().drive(graph_job(), plan_of({}));
  ASSERT_THAT(driven, Succeeds());
  ASSERT_THAT(driven->rounds, SizeIs(3));
  EXPECT_THAT(driven->rounds[0], ElementsAre("solve", "baseline"));
  EXPECT_THAT(driven->rounds[1],
              ElementsAre("refine/0/exact_shadow@cpu.branch_and_bound", "refine/0/annealing_control@cpu.annealing",
                          "refine/0/random_control@cpu.random", "refine/0/qaoa@simulator.statevector"));
  EXPECT_THAT(driven->rounds[2], Each(HasSubstr("refine/1/")));
  EXPECT_EQ(driven->result.refinement.status, "done");
  EXPECT_THAT(driven->result.refinement.arms, SizeIs(8));
}

TEST(ProblemWalk, a_walk_made_anew_each_round_from_the_state_as_text_gives_the_same_result) {
  struct Case {
    const char* name;
    job::JobSpec spec;
    PlanOptions options;
  };
  for (const Case& one : {Case{"graph", graph_job(), {}}, Case{"portfolio", portfolio_job(), {}},
                          Case{"penalties", portfolio_job(), {.encode = true}}}) {
    SCOPED_TRACE(one.name);
    const auto through = WalkDriver().drive(one.spec, plan_of(one.options));
    const auto restarted = WalkDriver().drive(one.spec, plan_of(one.options), Restart::kEveryRound);
    ASSERT_THAT(through, Succeeds());
    ASSERT_THAT(restarted, Succeeds());
    EXPECT_EQ(restarted->document, through->document);
    EXPECT_EQ(restarted->lineage, through->lineage);
    EXPECT_EQ(restarted->states, through->states);
  }
}

TEST(ProblemWalk, a_proof_skips_the_refinement_and_the_run_is_its_own_baseline) {
  WalkDriver driver;
  driver.proves = true;
  const job::JobSpec spec = graph_job();
  const auto driven = driver.drive(spec, plan_of({}));
  ASSERT_THAT(driven, Succeeds());
  EXPECT_THAT(driven->rounds, SizeIs(1));
  EXPECT_EQ(driven->result.refinement.status, "skipped: proved");
  EXPECT_TRUE(driven->result.baseline->same_run);
  EXPECT_TRUE(driven->result.best->proved);
  EXPECT_EQ(driven->result.best->bound, driven->result.best->candidate.objective);
  EXPECT_THAT(driven->result.best->candidate.objective, DoubleNear(optimum(*spec.problem()), kTolerance));
}

TEST(ProblemWalk, a_proof_of_a_penalised_model_is_no_proof_of_the_problem) {
  WalkDriver driver;
  driver.proves = true;
  const auto driven = driver.drive(portfolio_job(), plan_of({.rounds = 0, .encode = true}));
  ASSERT_THAT(driven, Succeeds());
  EXPECT_FALSE(driven->result.best->proved);
  // What is known of the problem itself still counts.
  ASSERT_TRUE(driven->result.best->bound);
  EXPECT_GE(*driven->result.best->bound, driven->result.best->candidate.objective);  // it maximises
}

TEST(ProblemWalk, a_bound_is_reported_whatever_the_solver_says) {
  const Json qubo = {{"type", "qubo"},
                     {"num_variables", 3},
                     {"linear", {-1, 1, -1}},
                     {"quadratic", {{0, 1, 2}, {1, 2, -3}, {0, 2, 2}}}};
  const Json pubo = {
      {"type", "pubo"}, {"num_variables", 3}, {"terms", {{{0, 1, 2}, 4}, {{0, 1}, -3}, {{1, 2}, -1}, {{2}, -1}}}};
  for (const job::JobSpec& spec : {graph_job(), spec_of({{"problem", qubo}}), spec_of({{"problem", pubo}})}) {
    const std::string type(spec.problem()->type());
    const auto driven = WalkDriver().drive(spec, plan_of({.rounds = 0}));
    ASSERT_THAT(driven, Succeeds()) << type;
    if (driven->result.best->proved) continue;  // reduced to nothing
    ASSERT_TRUE(driven->result.best->bound) << type;
    const double best = optimum(*spec.problem());
    if (spec.problem()->sense() == problem::Sense::kMax) {
      EXPECT_GE(*driven->result.best->bound, best) << type;
    } else {
      EXPECT_LE(*driven->result.best->bound, best) << type;
    }
  }
}

TEST(ProblemWalk, a_proof_that_the_baseline_contradicts_is_dropped_aloud) {
  WalkDriver driver;
  driver.proves = true;
  driver.change_reply = [](hybrid::Reply& reply) {
    if (reply.label != "solve") return;
    // It keeps its worst sample and calls that the optimum.
    auto& outcome = std::get<backend::SolveResult>(*reply.result).outcome;
    outcome.samples = result::SampleSet::create(outcome.samples.vartype(), outcome.samples.num_variables(),
                                                {outcome.samples.samples().back()});
    outcome.bound = outcome.samples.best().energy;
  };
  const job::JobSpec spec = graph_job();
  const auto driven = driver.drive(spec, plan_of({.rounds = 0}));
  ASSERT_THAT(driven, Succeeds());
  EXPECT_FALSE(driven->result.best->proved);
  EXPECT_FALSE(driven->result.best->bound);
  EXPECT_THAT(driven->result.best->candidate.objective, DoubleNear(optimum(*spec.problem()), kTolerance));
  EXPECT_THAT(driven->result.explanation.front(), HasSubstr("CONTRADICTION"));
}

TEST(ProblemWalk, what_exact_reductions_solve_needs_no_backend) {
  // A path: leaves all the way.
  const job::JobSpec spec =
      spec_of({{"problem", {{"type", "max_cut"}, {"num_nodes", 3}, {"edges", {{0, 1, 2}, {1, 2, 5}}}}}});
  const auto driven = WalkDriver().drive(spec, plan_of({}));
  ASSERT_THAT(driven, Succeeds());
  EXPECT_THAT(driven->rounds, SizeIs(0));
  EXPECT_EQ(driven->result.best->candidate.objective, 7);  // both edges are cut
  EXPECT_TRUE(driven->result.best->proved);
  expect_judged(spec, *driven);
}

TEST(ProblemWalk, a_constrained_problem_walks_to_its_feasible_optimum) {
  const job::JobSpec spec = portfolio_job();
  for (const bool encode : {false, true}) {
    SCOPED_TRACE(encode);
    const auto driven = WalkDriver().drive(spec, plan_of({.encode = encode}));
    ASSERT_THAT(driven, Succeeds());
    expect_judged(spec, *driven);
    EXPECT_TRUE(driven->result.best->candidate.feasible);
    EXPECT_THAT(driven->result.best->candidate.objective, DoubleNear(optimum(*spec.problem()), kTolerance));
    EXPECT_EQ(driven->document["best"]["answer"]["assets"].size(), 3u);
    EXPECT_EQ(driven->result.refinement.status, "done");
  }
}

/// The solver and the baseline only know the worst of what they found; the arms on the core improve on it.
void know_the_worst_only(hybrid::Reply& reply) {
  if (reply.label != "solve" && reply.label != "baseline") return;
  auto& outcome = std::get<backend::SolveResult>(*reply.result).outcome;
  const result::Sample worst = outcome.samples.samples().back();
  outcome.samples = result::SampleSet::create(outcome.samples.vartype(), outcome.samples.num_variables(), {worst});
  reply.time_to_best_ms = reply.label == "solve" ? 3 : 4;
}

TEST(ProblemWalk, starts_reach_the_solver_reduced_the_baseline_whole_and_the_answer_is_never_worse) {
  const job::JobSpec plain = graph_job();
  const auto solved = WalkDriver().drive(plain, plan_of({.rounds = 0}));
  ASSERT_THAT(solved, Succeeds());
  const std::string best = job::solution_text(solved->result.best->candidate.solution);
  const job::JobSpec spec = plain.with({{"starts", {std::string(9, '0'), best, best}}}).value();

  const auto walk = make_walk(spec, plan_of({.rounds = 0})).value();
  const auto first = walk->next(walk->initial_state(), {});
  ASSERT_THAT(first, Succeeds());
  ASSERT_THAT(first->orders, SizeIs(2));
  for (const hybrid::Order& order : first->orders) {
    const auto& work = std::get<backend::SolveWork>(order.work);
    ASSERT_THAT(work.options.start, SizeIs(2));
    EXPECT_THAT(work.options.start, Each(SizeIs(solve::num_variables(*work.model))));
    // What is left of an optimum has the optimum's energy: the reductions keep it.
    EXPECT_THAT(-solve::energy(*work.model, work.options.start[1]), DoubleNear(optimum(*spec.problem()), kTolerance));
  }

  WalkDriver driver;
  driver.change_reply = know_the_worst_only;
  const auto driven = driver.drive(spec, plan_of({.rounds = 0}));
  ASSERT_THAT(driven, Succeeds());
  expect_judged(spec, *driven);
  EXPECT_EQ(driven->result.best->candidate.source, "start");
  EXPECT_FALSE(driven->result.best->time_to_best_ms);
  EXPECT_THAT(driven->result.best->candidate.objective, DoubleNear(optimum(*spec.problem()), kTolerance));
  // What was given is no finding of the run: neither a gain over the baseline nor a reason to trust it.
  const auto without = driver.drive(plain, plan_of({.rounds = 0}));
  ASSERT_THAT(without, Succeeds());
  EXPECT_EQ(driven->result.comparison.verdict, without->result.comparison.verdict);
  EXPECT_EQ(driven->result.confidence.value, without->result.confidence.value);
}

TEST(ProblemWalk, what_only_a_classical_control_finds_goes_to_the_client_but_is_no_gain_of_the_hybrid_run) {
  WalkDriver driver;
  driver.change_reply = [](hybrid::Reply& reply) {
    know_the_worst_only(reply);
    if (reply.label.find("/qaoa@") == std::string::npos) return;
    reply.result.reset();
    reply.error = make_error(errors::kBackendJobFailed, "planted");
  };
  job::JobSpec spec = graph_job(0);  // nothing to reduce: the baseline knows the same worst
  spec.business.success = {{.kind = job::Criterion::Kind::kImprovement, .value = 0.01}};
  const auto driven = driver.drive(spec, plan_of({.rounds = 2}), Restart::kEveryRound);
  ASSERT_THAT(driven, Succeeds());
  EXPECT_THAT(driven->result.best->candidate.source, HasSubstr("refine:"));
  EXPECT_FALSE(driven->result.best->time_to_best_ms);
  EXPECT_EQ(driven->result.comparison.verdict, "equal");
  EXPECT_EQ(driven->result.comparison.improvement, 0);
  EXPECT_THAT(driven->result.comparison.text, HasSubstr("which counts for neither"));
  EXPECT_FALSE(driven->result.refinement.improved);
  EXPECT_FALSE(evaluate_acceptance(spec, driven->result).met);
}

TEST(ProblemWalk, the_time_to_the_best_is_that_of_the_run_that_found_it) {
  WalkDriver driver;
  driver.change_reply = [](hybrid::Reply& reply) {
    if (reply.label == "solve") know_the_worst_only(reply);
    if (reply.label == "baseline") reply.time_to_best_ms = 4;
  };
  const PlanOptions unrefined{.rounds = 0};
  auto driven = driver.drive(graph_job(0), plan_of(unrefined));
  ASSERT_THAT(driven, Succeeds());
  EXPECT_THAT(driven->result.best->candidate.source, HasSubstr("baseline:"));
  EXPECT_EQ(driven->result.best->time_to_best_ms, 4);
  driver.change_reply = [](hybrid::Reply& reply) {
    if (reply.label == "solve") reply.time_to_best_ms = 3;
    if (reply.label == "baseline") know_the_worst_only(reply);
  };
  driven = driver.drive(graph_job(0), plan_of(unrefined));
  ASSERT_THAT(driven, Succeeds());
  EXPECT_THAT(driven->result.best->candidate.source, HasSubstr("solve:"));
  EXPECT_EQ(driven->result.best->time_to_best_ms, 3);
}

TEST(ProblemWalk, a_control_that_the_plan_leaves_out_is_not_asked_for) {
  job::Plan plan = plan_of({.rounds = 1});
  plan.steps.back().parameters["controls_left_out"] = {"cpu.annealing"};
  const auto driven = WalkDriver().drive(graph_job(), plan);
  ASSERT_THAT(driven, Succeeds());
  ASSERT_THAT(driven->rounds, SizeIs(2));
  EXPECT_THAT(driven->rounds[1],
              ElementsAre("refine/0/exact_shadow@cpu.branch_and_bound", "refine/0/random_control@cpu.random",
                          "refine/0/qaoa@simulator.statevector"));
}

TEST(ProblemWalk, refinement_that_finds_something_better_is_taken_and_said) {
  WalkDriver driver;
  driver.change_reply = know_the_worst_only;
  const job::JobSpec spec = graph_job();
  const auto driven = driver.drive(spec, plan_of({.rounds = 3}));
  ASSERT_THAT(driven, Succeeds());
  EXPECT_TRUE(driven->result.refinement.improved);
  EXPECT_EQ(driven->result.comparison.verdict, "better");
  EXPECT_GT(*driven->result.comparison.improvement, 0);
  EXPECT_THAT(driven->result.best->candidate.source, HasSubstr("refine:"));
  expect_judged(spec, *driven);
}

TEST(ProblemWalk, the_walk_goes_on_without_its_baseline_and_its_arms_but_not_without_its_solve) {
  const auto failing = [](const char* part) {
    return [part](hybrid::Reply& reply) {
      if (reply.label.find(part) == std::string::npos) return;
      reply.result.reset();
      reply.error = make_error(errors::kBackendJobFailed, "planted failure of {}", reply.label);
    };
  };
  for (const char* part : {"baseline", "exact_shadow", "annealing_control", "random_control", "qaoa", "refine/"}) {
    SCOPED_TRACE(part);
    WalkDriver driver;
    driver.change_reply = failing(part);
    const auto driven = driver.drive(graph_job(), plan_of({}));
    ASSERT_THAT(driven, Succeeds());
    expect_judged(graph_job(), *driven);
  }
  WalkDriver driver;
  driver.change_reply = failing("solve");
  EXPECT_THAT(driver.drive(graph_job(), plan_of({})), FailsWith(errors::kBackendJobFailed));
}

TEST(ProblemWalk, without_a_baseline_step_the_run_is_its_own_baseline) {
  const auto driven = WalkDriver().drive(graph_job(), plan_of({.baseline = false, .rounds = 0}));
  ASSERT_THAT(driven, Succeeds());
  EXPECT_TRUE(driven->result.baseline->same_run);
  EXPECT_EQ(driven->result.baseline->backend, "cpu.main");
  EXPECT_EQ(driven->result.baseline->objective, driven->result.best->candidate.objective);
}

TEST(ProblemWalk, a_foreign_state_is_refused) {
  const auto walk = make_walk(graph_job(), plan_of({}));
  ASSERT_THAT(walk, Succeeds());
  EXPECT_THAT((*walk)->next({{"stage", "elsewhere"}}, {}), FailsWith(errors::kStoreDamaged));
  auto driven = WalkDriver().drive(graph_job(), plan_of({}));
  Json state = driven->states[1];
  state["elite"][0] = "01";
  EXPECT_THAT((*walk)->next(state, {}), FailsWith(errors::kStoreDamaged));
}

// Programs

job::JobSpec program_job() {
  circuit::Pub pub{.circuit = circuit::Circuit::create(3, 3).value(), .shots = 20};
  pub.circuit.gate(circuit::Gate::kX, {0});
  pub.circuit.measure_all();
  return spec_of({{"program", {{"pubs", Json::array({pub.document(), pub.document()})}}}});
}

job::Plan program_plan() {
  job::Plan plan{.primary = "simulator.statevector"};
  plan.steps.push_back({.kind = job::StepKind::kRun, .backend = "simulator.statevector", .fallbacks = {"other"}});
  return plan;
}

TEST(ProgramWalk, a_program_is_one_order_and_its_results_come_back_in_their_order) {
  const auto driven = WalkDriver().drive(program_job(), program_plan(), Restart::kEveryRound);
  ASSERT_THAT(driven, Succeeds());
  EXPECT_THAT(driven->rounds, ElementsAre(ElementsAre("run")));
  EXPECT_EQ(driven->result.kind, "program");
  EXPECT_FALSE(driven->result.baseline) << "nobody computed one";
  EXPECT_TRUE(driven->result.document()["baseline"].is_null());
  ASSERT_EQ(driven->result.pubs.size(), 2u);
  // X on qubit 0: the leftmost character is classical bit 0.
  EXPECT_EQ(driven->result.pubs[0]["bindings"][0]["counts"], Json({{"100", 20}}));
  EXPECT_EQ(driven->result.comparison.verdict, "no_claim");
  EXPECT_THAT(driven->lineage["circuit_sha256"], SizeIs(2));
  EXPECT_FALSE(driven->lineage.contains("arithmetic"));
}

TEST(ProgramWalk, how_a_pub_was_calculated_that_tolerates_rounding_stands_in_result_and_lineage) {
  job::JobSpec spec = program_job();
  job::Program program = spec.program();
  program.pubs[1].tolerance = 0.01;
  spec.work = std::move(program);
  const auto driven = WalkDriver().drive(spec, program_plan(), Restart::kEveryRound);
  ASSERT_THAT(driven, Succeeds());
  EXPECT_FALSE(driven->result.pubs[0].contains("arithmetic"));
  const Json said = driven->result.pubs[1]["arithmetic"];
  EXPECT_EQ(said["precision"], "f32");
  EXPECT_EQ(said["tolerance"], 0.01);
  EXPECT_LT(said["rounding"], 0.01);
  EXPECT_EQ(driven->lineage["arithmetic"], Json::array({nullptr, said}));
}

TEST(ProgramWalk, a_program_whose_order_failed_fails_with_that_error) {
  WalkDriver driver;
  driver.change_reply = [](hybrid::Reply& reply) {
    reply.result.reset();
    reply.error = make_error(errors::kBackendJobFailed, "planted");
  };
  EXPECT_THAT(driver.drive(program_job(), program_plan()), FailsWith(errors::kBackendJobFailed));
}

// Acceptance

TEST(Acceptance, each_criterion_is_met_at_its_limit_and_not_beyond) {
  using Kind = job::Criterion::Kind;
  job::ResultDocument result;
  result.best = job::BestCandidate{.candidate = {.objective = 7, .feasible = true}, .proved = true};
  result.comparison.improvement = 0.01;
  result.elapsed_ms = 100;
  result.billed.usd_micros = 50;
  struct Case {
    Kind kind;
    double met;
    double not_met;
  };
  // max_cut is maximised: the objective must be at least the value.
  for (const Case& one : {Case{Kind::kObjective, 7, 7.5}, Case{Kind::kImprovement, 0.01, 0.02},
                          Case{Kind::kLatency, 100, 99}, Case{Kind::kCost, 50, 49}}) {
    SCOPED_TRACE(job::to_string(one.kind));
    job::JobSpec spec = graph_job();
    spec.business.success = {{.kind = one.kind, .value = one.met}};
    EXPECT_TRUE(evaluate_acceptance(spec, result).met);
    spec.business.success = {{.kind = one.kind, .value = one.met}, {.kind = one.kind, .value = one.not_met}};
    const job::Acceptance acceptance = evaluate_acceptance(spec, result);
    EXPECT_FALSE(acceptance.met);
    EXPECT_TRUE(acceptance.criteria[0].met);
    EXPECT_FALSE(acceptance.criteria[1].met);
  }
}

TEST(Acceptance, a_run_that_is_its_own_baseline_improves_on_it_by_nothing_and_that_meets_a_limit_of_zero) {
  job::JobSpec spec = graph_job();
  spec.business.success = {{.kind = job::Criterion::Kind::kImprovement, .value = 0}};
  const auto driven = WalkDriver().drive(spec, plan_of({.baseline = false, .rounds = 0}));
  ASSERT_THAT(driven, Succeeds());
  const job::Acceptance acceptance = evaluate_acceptance(spec, driven->result);
  EXPECT_TRUE(acceptance.met);
  EXPECT_EQ(acceptance.criteria.at(0).actual, 0);
  spec.business.success[0].value = 0.01;
  EXPECT_FALSE(evaluate_acceptance(spec, driven->result).met);
}

TEST(Acceptance, a_proof_that_was_insisted_on_counts_once_and_an_infeasible_best_meets_nothing) {
  job::JobSpec spec = graph_job();
  spec.proof = true;
  job::ResultDocument result;
  result.best = job::BestCandidate{.candidate = {.objective = 7, .feasible = false}};
  EXPECT_FALSE(evaluate_acceptance(spec, result).met);
  spec.business.success = {{.kind = job::Criterion::Kind::kProved},
                           {.kind = job::Criterion::Kind::kFeasible},
                           {.kind = job::Criterion::Kind::kObjective, .value = 1}};
  const job::Acceptance acceptance = evaluate_acceptance(spec, result);
  EXPECT_THAT(acceptance.criteria, SizeIs(3));
  for (const job::AcceptanceItem& item : acceptance.criteria) EXPECT_FALSE(item.met) << item.criterion;
}

}  // namespace
}  // namespace tandem::walk
