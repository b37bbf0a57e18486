#include "tandem/middleware/backend/local_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/manual_executor.h"
#include "tandem/middleware/backend/testing/conformance.h"
#include "tandem/model/problem/coloring.h"

namespace tandem::backend {
namespace {

using testing::HasSubstr;

/// Tries every assignment; keeps its context so that a test sees what it was given.
class TinySolver final : public solve::Solver {
 public:
  const solve::SolverInfo& info() const override { return info_; }
  Result<solve::SolveOutcome> solve(const solve::Model& model, const solve::SolveOptions&,
                                    const solve::SolveContext& context) const override {
    ++runs;
    if (during) during(context);
    if (context.stop.stop_requested()) return fail(errors::kCancelled, "stopped before anything was found");
    std::vector<result::Sample> samples;
    const std::size_t n = solve::num_variables(model);
    for (std::uint32_t bits = 0; bits < (1u << n); ++bits) {
      problem::Assignment values(n);
      for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<std::int8_t>(bits >> i & 1u);
      const double energy = solve::energy(model, values);
      samples.push_back({.values = std::move(values), .energy = energy});
    }
    return solve::SolveOutcome{.samples = result::SampleSet::create(problem::Vartype::kBinary, n, std::move(samples)),
                               .proved = true,
                               .work_done = {4},
                               .reason = solve::StopReason::kProved,
                               .unit_name = "assignments"};
  }
  mutable int runs = 0;
  std::function<void(const solve::SolveContext&)> during;

 private:
  solve::SolverInfo info_{.name = "tiny",
                          .summary = "models of a test",
                          .version = "1",
                          .takes_bqm = true,
                          .exact = true,
                          .variables_max = 8};
};

TEST(SolverBackend, work_that_gets_no_memory_fails_with_1004_and_the_process_lives) {
  FakeClock clock;
  ManualExecutor executor{clock};
  TinySolver solver;
  solver.during = [](const solve::SolveContext&) { throw std::bad_alloc(); };
  const auto backend = make_solver_backend(solver, executor, clock);
  const auto handle = backend->submit(two_variables(), "", {});
  ASSERT_TRUE(handle);
  EXPECT_EQ(backend->poll({*handle, ""}, {})->state, WorkState::kFailed);
  const auto raw = backend->fetch({*handle, ""}, {});
  ASSERT_FALSE(raw);
  EXPECT_EQ(raw.error().number, errors::kOutOfMemory);
}

struct SolverHarness {
  static constexpr bool kRunsWhenPolled = true;
  Backend& backend() { return *backend_; }
  Work work() const { return two_variables(); }
  Work foreign_work() const { return x_on_qubit_0_of_three(10); }

  FakeClock clock;
  ManualExecutor executor{clock};
  TinySolver solver;
  std::unique_ptr<Backend> backend_ = make_solver_backend(solver, executor, clock);
};

/// The solvers that ship, each as the backend that it becomes.
constexpr std::array kShipped = {
    "annealing", "branch_and_bound", "coloring", "constrained", "exhaustive", "independent_set", "linear", "portfolio",
    "pubo",      "random",           "tabu",     "tempering",   "treewidth"};
template <std::size_t kIndex>
struct ShippedHarness {
  static constexpr bool kRunsWhenPolled = true;
  Backend& backend() { return *backend_; }
  Work work() const {
    SolveWork out = two_variables();
    out.options.strands = 1;
    out.options.work.units = {10'000};  // the clock stands still: nothing else would end a heuristic
    if (solver_.info().name == "independent_set" || solver_.info().only_linear) {
      auto one_of_two = problem::Cqm::create(
          problem::Bqm::create(problem::Vartype::kBinary, {-2, -2}, {}, 0).value(),
          {{.name = "one", .terms = {{0, 1}, {1, 1}}, .comparison = problem::Comparison::kLessEqual, .bound = 1}});
      out.model = std::make_shared<const solve::Model>(*std::move(one_of_two));
    } else if (solver_.info().name == "coloring") {
      out.model = std::make_shared<const solve::Model>(
          std::get<problem::Cqm>(problem::make_coloring(2, {{0, 1, 1}}).value()->state()));
    } else if (solver_.info().name == "pubo") {
      out.model =
          std::make_shared<const solve::Model>(problem::Polynomial::from_bqm(std::get<problem::Bqm>(*out.model)));
    } else if (!solver_.info().takes_bqm) {
      auto model = problem::Cqm::create(std::get<problem::Bqm>(*out.model), {});
      out.model = std::make_shared<const solve::Model>(*std::move(model));
    }
    return out;
  }
  Work foreign_work() const { return x_on_qubit_0_of_three(10); }

  FakeClock clock;
  ManualExecutor executor{clock};
  const solve::Solver& solver_ = *solve::find_solver(kShipped[kIndex]);
  std::unique_ptr<Backend> backend_ = make_solver_backend(solver_, executor, clock);
};
struct ShippedName {
  template <typename Harness>
  static std::string GetName(int index) {
    return kShipped.at(static_cast<std::size_t>(index));
  }
};
template <typename Indices>
struct ShippedTypes;
template <std::size_t... kIndex>
struct ShippedTypes<std::index_sequence<kIndex...>> {
  using Types = testing::Types<ShippedHarness<kIndex>...>;
};
using AllShipped = ShippedTypes<std::make_index_sequence<kShipped.size()>>::Types;
INSTANTIATE_TYPED_TEST_SUITE_P(Shipped, BackendEssentials, AllShipped, ShippedName);
INSTANTIATE_TYPED_TEST_SUITE_P(Shipped, BackendConformance, AllShipped, ShippedName);

TEST(SolverBackend, every_solver_that_ships_is_held_to_the_conformance_suite) {
  std::vector<std::string> names;
  for (const solve::Solver* solver : solve::builtin_solvers()) names.emplace_back(solver->info().name);
  EXPECT_THAT(names, testing::UnorderedElementsAreArray(kShipped));
}

struct AbsentHarness {
  Backend& backend() { return *backend_; }
  Work foreign_work() const { return x_on_qubit_0_of_three(1); }

  FakeClock clock;
  std::unique_ptr<Backend> backend_ = make_absent_backend({.id = BackendId("gpu.cuda"),
                                                           .name = "GPU",
                                                           .version = "1",
                                                           .tier = job::Tier::kGpu,
                                                           .takes_program = true,
                                                           .conformance = "local",
                                                           .best_for = "wide circuits",
                                                           .qubits_max = 30},
                                                          "no driver", clock);
};
INSTANTIATE_TYPED_TEST_SUITE_P(Absent, BackendEssentials, AbsentHarness);

struct StateVectorHarness {
  static constexpr bool kRunsWhenPolled = true;
  Backend& backend() { return *backend_; }
  Work work() const { return x_on_qubit_0_of_three(50); }
  Work foreign_work() const { return two_variables(); }

  FakeClock clock;
  ManualExecutor executor{clock};
  std::unique_ptr<Backend> backend_ = make_statevector_backend(executor, clock, std::uint64_t{1} << 16);
};
INSTANTIATE_TYPED_TEST_SUITE_P(StateVector, BackendEssentials, StateVectorHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(StateVector, BackendConformance, StateVectorHarness);

TEST(SolverBackend, its_time_is_a_timer_that_stops_the_solver) {
  SolverHarness harness;
  SolveWork work = two_variables();
  work.time_ms = 200;
  bool stopped_early = true;
  bool stopped_late = false;
  harness.solver.during = [&](const solve::SolveContext& context) {
    harness.executor.advance(std::chrono::milliseconds(199));
    stopped_early = context.stop.stop_requested();
    harness.executor.advance(std::chrono::milliseconds(1));
    stopped_late = context.stop.stop_requested();
  };
  const auto handle = harness.backend().submit(work, "", {});
  EXPECT_EQ(harness.backend().poll({*handle, ""}, {})->state, WorkState::kCancelled);
  EXPECT_FALSE(stopped_early);
  EXPECT_TRUE(stopped_late);
  EXPECT_EQ(harness.executor.timers_waiting(), 0u);
}

TEST(SolverBackend, computes_in_the_first_poll_and_never_twice) {
  SolverHarness harness;
  const auto handle = harness.backend().submit(two_variables(), "", {});
  EXPECT_EQ(harness.solver.runs, 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(harness.backend().poll({*handle, ""}, {})->state, WorkState::kSucceeded);
  EXPECT_EQ(harness.solver.runs, 1);
}

TEST(SolverBackend, a_stop_of_the_caller_reaches_the_solver) {
  SolverHarness harness;
  std::stop_source stop;
  harness.solver.during = [&](const solve::SolveContext& context) {
    EXPECT_FALSE(context.stop.stop_requested());
    stop.request_stop();
    EXPECT_TRUE(context.stop.stop_requested());
  };
  const auto handle = harness.backend().submit(two_variables(), "", {});
  EXPECT_EQ(harness.backend().poll({*handle, ""}, {.stop = stop.get_token()})->state, WorkState::kCancelled);
  EXPECT_THAT(harness.backend().fetch({*handle, ""}, {}), FailsWith(errors::kCancelled));
}

TEST(SolverBackend, a_model_that_is_too_large_is_refused_with_the_limit) {
  SolverHarness harness;
  auto bqm = problem::Bqm::create(problem::Vartype::kBinary, std::vector<double>(9, 1.0), {}, 0);
  const SolveWork work{.model = std::make_shared<const solve::Model>(*std::move(bqm))};
  const auto refused = harness.backend().validate(work);
  ASSERT_THAT(refused, FailsWith(errors::kSolverRefused));
  EXPECT_THAT(refused.error().message, testing::AllOf(HasSubstr("9"), HasSubstr("8")));
}

TEST(StateVectorBackend, holds_as_many_qubits_as_its_memory_and_says_so) {
  StateVectorHarness harness;  // 2^16 bytes are 2^12 amplitudes of 16 bytes
  EXPECT_EQ(harness.backend().info().qubits_max, 12u);
  circuit::Pub pub{.circuit = circuit::Circuit::create(13, 13).value(), .shots = 1};
  pub.circuit.measure_all();
  EXPECT_THAT(harness.backend().validate(ProgramWork{.pubs = {pub}}), FailsWith(errors::kTooManyQubits));
}

TEST(StateVectorBackend, the_same_seed_gives_the_same_bytes_and_each_pub_its_own_stream) {
  StateVectorHarness harness;
  circuit::Pub pub{.circuit = circuit::Circuit::create(4, 4).value(), .shots = 200};
  for (std::uint32_t q = 0; q < 4; ++q) pub.circuit.gate(circuit::Gate::kH, {q});
  pub.circuit.measure_all();
  const auto bytes = [&](std::uint64_t seed) {
    const auto handle = harness.backend().submit(ProgramWork{.pubs = {pub, pub}, .seed = seed}, "", {});
    EXPECT_THAT(harness.backend().poll({*handle, ""}, {}), Succeeds());
    return harness.backend().fetch({*handle, ""}, {})->bytes;
  };
  EXPECT_EQ(bytes(1), bytes(1));
  // 200 shots over 16 outcomes agree by chance with a probability below 1e-9.
  EXPECT_NE(bytes(1), bytes(2));
  const Json pubs = parse_json(bytes(1), "result").value()["pubs"];
  EXPECT_NE(pubs[0], pubs[1]);
}

TEST(AbsentBackend, takes_nothing_and_says_why) {
  const FakeClock clock;
  const auto backend = make_absent_backend(
      {.id = BackendId("gpu.cuda"), .name = "GPU", .tier = job::Tier::kGpu, .takes_program = true}, "no driver", clock);
  const auto refused = backend->validate(x_on_qubit_0_of_three(1));
  ASSERT_THAT(refused, FailsWith(errors::kBackendUnavailable));
  EXPECT_THAT(refused.error().message, HasSubstr("no driver"));
  EXPECT_FALSE(backend->submit(x_on_qubit_0_of_three(1), "", {}).has_value());
  EXPECT_FALSE(backend->availability({})->operational);
  EXPECT_EQ(backend->availability({})->detail, "no driver");
}

}  // namespace
}  // namespace tandem::backend
