#include "tandem/hybrid/refine/refine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/rng.h"
#include "tandem/hybrid/refine/polish.h"

namespace tandem::refine {
namespace {

using problem::Assignment;
using problem::Bqm;
using problem::Vartype;

TEST(WilsonInterval, agrees_with_published_values) {
  // Wilson 1927; values as in Brown, Cai, DasGupta 2001 for n = 10 (z = 1.96), to three decimals.
  const auto none = wilson_interval(0, 10);
  EXPECT_NEAR(none.first, 0, 1e-12);
  EXPECT_NEAR(none.second, 0.278, 5e-4);
  const auto half = wilson_interval(5, 10);
  EXPECT_NEAR(half.first, 0.237, 5e-4);
  EXPECT_NEAR(half.second, 0.763, 5e-4);
  EXPECT_EQ(wilson_interval(0, 0), (std::pair<double, double>(0, 1)));
}

/// E(x) = -x0 - 2 x1 + 4 x0 x1: energies of 00, 10, 01, 11 are 0, -1, -2, 1.
Bqm small() { return *Bqm::create(Vartype::kBinary, {-1, -2}, {{0, 1, 4}}, 0); }

hybrid::Reply solve_reply(std::string label, std::vector<result::Sample> samples, bool proved) {
  solve::SolveOutcome outcome{.samples = result::SampleSet::create(Vartype::kBinary, 2, std::move(samples)),
                              .proved = proved};
  return {.label = std::move(label), .backend = "cpu.x", .result = backend::WorkResult(backend::SolveResult{outcome})};
}

hybrid::Reply counts_reply(std::string label, std::vector<std::pair<std::string, std::int64_t>> counts) {
  result::PubResult pub{.bindings = {*result::Counts::create(2, std::move(counts))}};
  return {.label = std::move(label),
          .backend = "lab.device",
          .emulated = true,
          .result = backend::WorkResult(backend::ProgramResult{{pub}})};
}

Refinement small_refinement() {
  Refinement out;
  out.encoding = *encode::encode(small(), {});
  return out;
}

TEST(Grade, an_optimum_that_an_arm_lies_below_is_none) {
  const std::vector<hybrid::Reply> replies = {
      solve_reply("refine/0/exact_shadow@cpu.x", {{.values = {1, 0}, .energy = -1}}, true),
      counts_reply("refine/0/qaoa@lab.device", {{"01", 30}, {"10", 50}, {"11", 20}})};
  const auto arms = grade(small_refinement(), replies);
  ASSERT_EQ(arms.size(), 2u);
  EXPECT_THAT(arms[0].summary.detail, testing::HasSubstr("CONTRADICTION"));
  EXPECT_FALSE(arms[0].summary.regret);
  EXPECT_FALSE(arms[1].summary.regret);
  EXPECT_FALSE(arms[1].summary.p_optimum);
}

TEST(Grade, counts_are_scored_by_the_model_and_graded_against_the_proved_optimum) {
  const Refinement refinement = small_refinement();
  const std::vector<hybrid::Reply> replies = {
      solve_reply("refine/0/exact_shadow@cpu.x", {{.values = {0, 1}, .energy = -2}}, true),
      solve_reply("refine/0/random_control@cpu.x",
                  {{.values = {0, 0}, .energy = 0},
                   {.values = {1, 0}, .energy = -1},
                   {.values = {0, 1}, .energy = -2},
                   {.values = {1, 1}, .energy = 1}},
                  false),
      counts_reply("refine/0/qaoa@lab.device", {{"01", 30}, {"10", 50}, {"11", 20}})};
  const auto arms = grade(refinement, replies);
  ASSERT_EQ(arms.size(), 3u);
  const job::ArmSummary& qaoa = arms[2].summary;
  EXPECT_EQ(qaoa.arm, "qaoa");
  EXPECT_TRUE(qaoa.emulated);
  EXPECT_EQ(qaoa.samples, 100u);
  EXPECT_EQ(qaoa.best_energy, -2);
  EXPECT_EQ(qaoa.regret, 0);
  EXPECT_DOUBLE_EQ(*qaoa.p_optimum, 0.3);
  EXPECT_DOUBLE_EQ(*qaoa.mean_energy, 0.3 * -2 + 0.5 * -1 + 0.2 * 1);
  // Against uniform {0, -1, -2, 1}: -2 wins 3.5/4, -1 wins 2.5/4, 1 wins 0.5/4.
  EXPECT_DOUBLE_EQ(*qaoa.rank, 0.3 * 0.875 + 0.5 * 0.625 + 0.2 * 0.125);
  EXPECT_DOUBLE_EQ(*arms[1].summary.rank, 0.5);
  EXPECT_LE(*qaoa.rank_low, *qaoa.rank);
  EXPECT_GE(*qaoa.rank_high, *qaoa.rank);
}

TEST(Grade, a_backend_that_lies_about_energies_is_not_believed) {
  const auto arms =
      grade(small_refinement(), std::vector<hybrid::Reply>{solve_reply("refine/0/annealing_control@cpu.x",
                                                                       {{.values = {1, 1}, .energy = -99}}, false)});
  EXPECT_EQ(arms[0].summary.best_energy, 1);
}

TEST(Grade, without_a_proved_shadow_nothing_is_graded_against_it) {
  const auto arms = grade(
      small_refinement(),
      std::vector<hybrid::Reply>{solve_reply("refine/0/exact_shadow@cpu.x", {{.values = {0, 1}, .energy = -2}}, false),
                                 counts_reply("refine/0/qaoa@lab.device", {{"01", 1}})});
  EXPECT_FALSE(arms[1].summary.regret);
  EXPECT_THAT(arms[0].summary.detail, testing::HasSubstr("proof"));
}

TEST(Grade, a_failed_arm_keeps_its_reason) {
  hybrid::Reply reply{.label = "refine/0/qaoa@lab.device",
                      .backend = "lab.device",
                      .error = make_error(errors::kBackendUnavailable, "closed")};
  const auto arms = grade(small_refinement(), std::vector<hybrid::Reply>{reply});
  EXPECT_EQ(arms[0].summary.status, "failed");
  EXPECT_THAT(arms[0].summary.detail, testing::HasSubstr("closed"));
}

TEST(Grade, an_answer_with_too_few_bits_is_a_failure_and_not_a_crash) {
  result::PubResult pub{.bindings = {*result::Counts::create(1, {{"1", 3}})}};
  const hybrid::Reply reply{
      .label = "refine/0/qaoa@x", .backend = "x", .result = backend::WorkResult(backend::ProgramResult{{pub}})};
  EXPECT_EQ(grade(small_refinement(), std::vector<hybrid::Reply>{reply})[0].summary.status, "failed");
}

/// A share of 0.75 of 4,000 shots is 3,000 +- 27.4; five standard errors are left by one seed in 1.7 million.
TEST(Grade, a_distribution_is_drawn_from_in_the_open) {
  Refinement refinement = small_refinement();
  circuit::Pub asked{.circuit = circuit::Circuit::create(2, 2).value(), .shots = 4000};
  asked.circuit.measure_all();
  refinement.orders = {
      {.label = "refine/0/qaoa@x", .backend = "x", .work = backend::ProgramWork{.pubs = {asked}, .seed = 5}}};
  result::PubResult pub{.bindings = {*result::Distribution::create(2, {{"00", 0.25}, {"01", 0.75}, {"11", 0}}, false)}};
  const hybrid::Reply reply{
      .label = "refine/0/qaoa@x", .backend = "x", .result = backend::WorkResult(backend::ProgramResult{{pub}})};
  const ArmResult arm = grade(refinement, std::vector<hybrid::Reply>{reply}).at(0);
  EXPECT_EQ(arm.summary.status, "done");
  EXPECT_THAT(arm.summary.detail, testing::HasSubstr("4000 shots drawn here from the probabilities"));
  ASSERT_EQ(arm.samples.samples().size(), 2u);  // nothing is drawn of what has no probability
  EXPECT_EQ(arm.samples.occurrences(), 4000u);
  for (const result::Sample& sample : arm.samples.samples()) {
    EXPECT_NEAR(static_cast<double>(sample.occurrences), sample.values[1] == 1 ? 3000 : 1000, 137);
  }
  EXPECT_EQ(arm.samples.document(), grade(refinement, std::vector<hybrid::Reply>{reply}).at(0).samples.document());
}

TEST(Prepare, every_sampling_arm_draws_the_same_number_of_samples) {
  const narrow::Core core{.statement = small(), .variables = {0, 1}, .incumbent = {0, 0}};
  const auto refinement = prepare(
      core, {.quantum_backends = {"simulator.statevector", "lab.device"}, .shots = 77, .qubits_max = 4}, "refine/0");
  ASSERT_TRUE(refinement);
  ASSERT_EQ(refinement->orders.size(), 5u);
  std::size_t sampling = 0;
  for (const hybrid::Order& order : refinement->orders) {
    EXPECT_TRUE(order.fallbacks.empty()) << "a graded arm never quietly runs elsewhere";
    if (const auto* program = std::get_if<backend::ProgramWork>(&order.work)) {
      EXPECT_EQ(program->pubs.at(0).shots, 77u);
      ++sampling;
    } else if (const auto& options = std::get<backend::SolveWork>(order.work).options; options.num_samples != 0) {
      EXPECT_EQ(options.num_samples, 77u);
      ++sampling;
    }
  }
  EXPECT_EQ(sampling, 4u);
}

/// Choose 3 of 8, with every pair coupled.
narrow::Core choice_core() {
  std::vector<problem::QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < 8; ++u)
    for (std::uint32_t v = u + 1; v < 8; ++v) terms.push_back({u, v, 0.1 * (u + 2 * v)});
  problem::LinearConstraint choose{.name = "choose", .comparison = problem::Comparison::kEqual, .bound = 3};
  for (std::uint32_t v = 0; v < 8; ++v) choose.terms.push_back({v, 1});
  return {.statement = *problem::Cqm::create(
              *Bqm::create(Vartype::kBinary, {-3, -1, -4, -1, -5, -9, -2, -6}, std::move(terms), 0), {choose}),
          .variables = {0, 1, 2, 3, 4, 5, 6, 7},
          .incumbent = {1, 1, 1, 0, 0, 0, 0, 0}};
}

const circuit::Circuit& circuit_of(const hybrid::Order& order) {
  return std::get<backend::ProgramWork>(order.work).pubs.at(0).circuit;
}

TEST(Prepare, a_backend_with_a_limit_gets_the_deepest_circuit_within_it_and_at_least_one_layer) {
  const auto device = [](std::uint64_t gates) {
    const auto refinement = prepare(choice_core(),
                                    {.quantum_backends = {"simulator.statevector", "lab.device"},
                                     .layers = 6,
                                     .gates_2q_max = {{"lab.device", gates}},
                                     .qubits_max = 8},
                                    "refine/0");
    EXPECT_TRUE(refinement);
    EXPECT_EQ(refinement->circuits.at(0).layers, 6u) << "depth is free on the simulator";
    EXPECT_EQ(refinement->circuits.at(0).mixer, "xy_complete");
    EXPECT_EQ(refinement->circuits.at(1).mixer, "xy_ring");
    const circuit::Circuit& shallow = circuit_of(refinement->orders.at(4));
    EXPECT_EQ(shallow.count_of(2), refinement->circuits.at(1).gates_2q);
    EXPECT_EQ(shallow.count_of(3), 0u);
    return refinement->circuits.at(1);
  };
  const ArmCircuit one = device(0);
  EXPECT_EQ(one.layers, 1u);
  EXPECT_EQ(device(1'000'000).layers, 6u);
  // Blocks of 3, 3, 2 with 1, 1, 1 ones start with 2 + 2 + 1 gates; the rest is the layer.
  const std::uint64_t layer = one.gates_2q - 5;
  EXPECT_GE(layer, 8u) << "a ring of eight pairs";
  for (std::uint32_t layers = 2; layers <= 5; ++layers) {
    EXPECT_EQ(device(5 + layers * layer).layers, layers);
    EXPECT_EQ(device(5 + layers * layer - 1).layers, layers - 1);
  }
}

/// A field on each of four spins, which the incumbent has as they want to be.
narrow::Core leaning_core() {
  return {.statement = *Bqm::create(Vartype::kSpin, {1, -1, 1, -1}, {{0, 1, 0.5}, {2, 3, -0.5}}, 0),
          .variables = {1, 2, 4, 5},
          .incumbent = {1, -1, 1, 1, -1, 1}};
}

TEST(Prepare, a_warm_start_leans_to_the_incumbent_where_circuits_keep_no_numbers) {
  for (const bool warm : {false, true}) {
    const auto refinement = prepare(
        leaning_core(), {.quantum_backends = {"x"}, .layers = 2, .qubits_max = 4, .warm_start = warm}, "refine/0");
    ASSERT_TRUE(refinement);
    EXPECT_EQ(refinement->circuits.at(0).start, warm ? "warm" : "uniform");
    EXPECT_EQ(refinement->circuits.at(0).document()["start"], warm ? "warm" : "uniform");
    const circuit::Circuit& circuit = circuit_of(refinement->orders.at(3));
    for (std::uint32_t q = 0; q < 4; ++q) {
      const circuit::Instruction& first = circuit.instructions()[q];
      EXPECT_EQ(first.gate, warm ? circuit::Gate::kRy : circuit::Gate::kH);
      // Shares of ones of 3/4 and 1/4 are tilts of 120 and 60 degrees; the incumbent has -1, 1, -1, 1 on the core.
      EXPECT_NEAR(first.angles[0].offset, !warm ? 0 : (q % 2 == 0 ? 1 : 2) * M_PI / 3, 1e-12);
    }
  }
  const auto kept =
      prepare(choice_core(), {.quantum_backends = {"x"}, .qubits_max = 8, .warm_start = true}, "refine/0");
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->circuits.at(0).start, "uniform");
}

TEST(Prepare, trained_angles_are_fitted_once_for_each_depth_and_taken_as_they_are_afterwards) {
  RefineOptions options{.quantum_backends = {"x", "y", "lab.device"},
                        .layers = 3,
                        .gates_2q_max = {{"lab.device", 0}},
                        .qubits_max = 8,
                        .train = true};
  const auto first = prepare(choice_core(), options, "refine/0");
  ASSERT_TRUE(first);
  ASSERT_EQ(first->trained.size(), 2u) << "three layers mixed freely, one around a ring";
  EXPECT_EQ(first->circuits.at(0).training, first->circuits.at(1).training);
  EXPECT_EQ(first->circuits.at(2).training->depth, ansatz::Depth::kShallow);
  for (const ArmCircuit& arm : first->circuits) {
    ASSERT_TRUE(arm.training && arm.training->end_value);
    EXPECT_LT(*arm.training->end_value, *arm.training->start_value);
    EXPECT_THAT(arm.schedule, testing::StartsWith("trained(linear_ramp"));
    const Json written = arm.document()["training"];
    EXPECT_EQ(written["evaluations"], arm.training->evaluations);
    EXPECT_EQ(written["stop"], arm.training->stop);
    EXPECT_EQ(written["start"]["gammas"].size(), arm.layers);
    EXPECT_EQ(written["end"]["betas"].size(), arm.layers);
  }
  options.trained = first->trained;
  options.trained[0].end.gammas[0] = 0.125;
  const auto again = prepare(choice_core(), options, "refine/0");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->circuits.at(0).training->end.gammas[0], 0.125);
  EXPECT_NE(again->circuits.at(0).sha256, first->circuits.at(0).sha256);
  EXPECT_EQ(again->circuits.at(2).sha256, first->circuits.at(2).sha256);
  std::stop_source stop;
  stop.request_stop();
  options.trained.clear();
  EXPECT_EQ(prepare(choice_core(), options, "refine/0", stop.get_token()).error().number, errors::kCancelled);
}

TEST(Prepare, the_random_control_draws_from_what_the_circuits_keep) {
  const auto refinement = prepare(choice_core(), {.quantum_backends = {"x"}, .qubits_max = 8}, "refine/0");
  ASSERT_TRUE(refinement);
  const auto& model = *std::get<backend::SolveWork>(refinement->orders.at(2).work).model;
  ASSERT_TRUE(std::holds_alternative<problem::Cqm>(model));
  const auto kept = problem::disjoint_cardinalities(std::get<problem::Cqm>(model).constraints(), 8);
  EXPECT_EQ(kept, refinement->encoding.cardinalities);
  EXPECT_EQ(std::get<problem::Cqm>(model).objective(), refinement->encoding.bqm) << "graded by the same energies";
}

Bqm random_bqm(Xoshiro256& rng, std::uint32_t n, Vartype vartype) {
  std::vector<double> linear(n);
  for (double& c : linear) c = static_cast<double>(rng.below(21)) - 10;
  std::vector<problem::QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u)
    for (std::uint32_t v = u + 1; v < n; ++v) terms.push_back({u, v, static_cast<double>(rng.below(21)) - 10});
  return *Bqm::create(vartype, std::move(linear), std::move(terms), 0);
}

TEST(Polisher, ends_where_no_flip_helps_and_never_above_its_start) {
  Xoshiro256 rng(1);
  for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin}) {
    for (int round = 0; round < 50; ++round) {
      const problem::Statement statement = random_bqm(rng, 12, vartype);
      const Bqm& bqm = std::get<Bqm>(statement);
      Assignment start(12);
      for (auto& value : start)
        value = rng.below(2) == 1 ? std::int8_t{1} : (vartype == Vartype::kSpin ? std::int8_t{-1} : std::int8_t{0});
      const Assignment end = Polisher(statement).polish(start, 1000);
      EXPECT_LE(bqm.energy(end), bqm.energy(start));
      for (std::size_t i = 0; i < 12; ++i) {
        Assignment flipped = end;
        flipped[i] = static_cast<std::int8_t>(vartype == Vartype::kSpin ? -flipped[i] : 1 - flipped[i]);
        EXPECT_GE(bqm.energy(flipped), bqm.energy(end) - 1e-9);
      }
    }
  }
}

TEST(Polisher, makes_a_constrained_solution_feasible_first_and_then_no_swap_helps) {
  Xoshiro256 rng(2);
  for (int round = 0; round < 50; ++round) {
    problem::LinearConstraint choose{.name = "choose", .comparison = problem::Comparison::kEqual, .bound = 4};
    for (std::uint32_t i = 0; i < 10; ++i) choose.terms.push_back({i, 1});
    const problem::Statement statement = *problem::Cqm::create(random_bqm(rng, 10, Vartype::kBinary), {choose});
    const auto& cqm = std::get<problem::Cqm>(statement);
    Assignment start(10);
    for (auto& value : start) value = static_cast<std::int8_t>(rng.below(2));
    const Assignment end = Polisher(statement).polish(start, 1000);
    ASSERT_TRUE(cqm.feasible(end));
    for (std::size_t i = 0; i < 10; ++i)
      for (std::size_t j = 0; j < 10; ++j) {
        if (end[i] == 0 || end[j] == 1) continue;
        Assignment swapped = end;
        swapped[i] = 0;
        swapped[j] = 1;
        EXPECT_GE(cqm.objective().energy(swapped), cqm.objective().energy(end) - 1e-9);
      }
  }
}

}  // namespace
}  // namespace tandem::refine
