// Backends that run here reserve what their work needs, and wait or refuse before they take it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tandem/base/clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/memory_fs.h"
#include "tandem/middleware/backend/local_backend.h"

namespace tandem::backend {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

class LocalMemory : public testing::Test {
 protected:
  void available(std::uint64_t bytes) {
    fs_.put_file("/proc/meminfo", fmt::format("MemTotal: {} kB\nMemAvailable: {} kB\n", 64 * kMiB, bytes / 1024));
  }
  /// The number of the error of a run, or none.
  static std::optional<Error> outcome(Backend& backend, const Work& work, const CallContext& call = {}) {
    const auto handle = backend.submit(work, "", call);
    if (!handle) return handle.error().error;
    EXPECT_TRUE(backend.poll({*handle, ""}, call).has_value());
    const auto raw = backend.fetch({*handle, ""}, call);
    if (!raw) return raw.error();
    return std::nullopt;
  }
  static Work circuit(std::uint32_t qubits, bool midway = false) {
    circuit::Circuit circuit = circuit::Circuit::create(qubits, 2).value();
    circuit.measure(0, 0);
    if (midway) circuit.gate(circuit::Gate::kX, {0}).measure(0, 1);
    return ProgramWork{.pubs = {{.circuit = std::move(circuit), .shots = 1}}};
  }

  MemoryFs fs_;
  SystemClock clock_;
  ThreadExecutor executor_{2};
  MachineMemory memory_{fs_, executor_, 0};
  std::unique_ptr<Backend> simulator_ = make_statevector_backend(executor_, clock_, std::uint64_t{64} << 30, &memory_);
};

TEST_F(LocalMemory, states_that_the_machine_has_no_room_for_now_are_refused_before_they_are_taken) {
  available(40 * kMiB);  // 30 to plan with; a state of 20 qubits takes 16, and little beside
  EXPECT_EQ(outcome(*simulator_, circuit(20)), std::nullopt);
  const auto refused = outcome(*simulator_, circuit(21));
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->number, errors::kOutOfMemory);
  EXPECT_THAT(refused->message,
              testing::ContainsRegex("a state vector of 21 qubits needs 3[3-6][0-9]{6} bytes and 31457280 are"));
}

TEST_F(LocalMemory, a_circuit_that_tolerates_rounding_needs_half_of_it) {
  available(40 * kMiB);
  Work work = circuit(21);
  circuit::Pub& pub = std::get<ProgramWork>(work).pubs[0];
  EXPECT_EQ(outcome(*simulator_, work)->number, errors::kOutOfMemory);
  pub.tolerance = 1e-3;
  EXPECT_EQ(outcome(*simulator_, work), std::nullopt);
  pub.tolerance = 1e-9;
  EXPECT_EQ(outcome(*simulator_, work)->number, errors::kOutOfMemory);
  pub.tolerance = 1e-20;
  const auto refused = simulator_->validate(work);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().number, errors::kValueOutOfRange);
  EXPECT_EQ(refused.error().place, "/program/pubs/0/tolerance");
}

TEST_F(LocalMemory, a_circuit_that_is_played_shot_by_shot_needs_two_states) {
  available(40 * kMiB);
  EXPECT_EQ(outcome(*simulator_, circuit(20, true))->number, errors::kOutOfMemory);
  available(50 * kMiB);
  EXPECT_EQ(outcome(*simulator_, circuit(20, true)), std::nullopt);
}

TEST_F(LocalMemory, small_circuits_of_a_program_are_run_at_once_and_are_those_one_by_one) {
  ProgramWork program{.seed = 3};
  for (std::uint32_t i = 0; i < 40; ++i) {
    circuit::Pub pub{.circuit = circuit::Circuit::create(1 + i % 6, 1).value(), .shots = 1000};
    pub.circuit.gate(circuit::Gate::kRy, {0}, {circuit::Angle::constant(0.05 * i)}).measure(0, 0);
    program.pubs.push_back(std::move(pub));
  }
  ThreadExecutor one(1);
  const auto alone = make_statevector_backend(one, clock_, std::uint64_t{64} << 30);
  const auto bytes = [&](Backend& backend, const ProgramWork& work) {
    const auto handle = backend.submit(work, "", {});
    EXPECT_TRUE(backend.poll({*handle, ""}, {}).has_value());
    return backend.fetch({*handle, ""}, {})->bytes;
  };
  const Bytes together = bytes(*simulator_, program);
  EXPECT_EQ(together, bytes(*alone, program));
  const auto decoded = simulator_->decode({.bytes = together}, program);
  ASSERT_TRUE(decoded.has_value());
  const auto& pubs = std::get<ProgramResult>(*decoded).pubs;
  for (std::uint32_t i = 0; i < 40; ++i) {  // 1 with probability sin^2(0.025 i); five standard deviations
    double ones = 0;
    for (std::size_t k = 0; k < pubs[i].counts(0).size(); ++k)
      if (pubs[i].counts(0).text(k) == "1") ones = static_cast<double>(pubs[i].counts(0).count(k));
    const double p = std::pow(std::sin(0.025 * i), 2);
    EXPECT_NEAR(ones, 1000 * p, 5 * std::sqrt(1000 * p * (1 - p)) + 1e-9) << i;
  }
  // One that cannot be run is the program's error.
  program.pubs[25].circuit = circuit::Circuit::create(1, 1).value();  // measures nothing
  EXPECT_EQ(outcome(*simulator_, program)->number, errors::kBadCircuit);
}

TEST_F(LocalMemory, a_circuit_waits_for_the_memory_of_another_step) {
  available(40 * kMiB);
  auto held = std::make_optional(*memory_.reserve(20 * kMiB, "another step"));
  const auto later = executor_.post_after(std::chrono::milliseconds(5), [&] { held.reset(); });
  EXPECT_EQ(outcome(*simulator_, circuit(20)), std::nullopt);
}

TEST_F(LocalMemory, one_that_is_stopped_while_it_waits_is_cancelled) {
  available(40 * kMiB);
  const auto held = memory_.reserve(20 * kMiB, "another step");
  std::stop_source stop;
  const auto later = executor_.post_after(std::chrono::milliseconds(5), [&] { stop.request_stop(); });
  EXPECT_EQ(outcome(*simulator_, circuit(20), {.stop = stop.get_token()})->number, errors::kCancelled);
}

TEST_F(LocalMemory, searches_reserve_by_their_couplings) {
  const auto solver = make_solver_backend(*solve::find_solver("tabu"), executor_, clock_, &memory_);
  std::vector<problem::QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < 800; ++u)
    for (std::uint32_t v = u + 1; v < 800; ++v) terms.push_back({u, v, 1});
  SolveWork work{.model = std::make_shared<const solve::Model>(
                     problem::Bqm::create(problem::Vartype::kBinary, std::vector<double>(800, -1), terms, 0).value())};
  work.options.strands = 1;
  work.options.work.units = {1};
  available(20 * kMiB);  // 319,600 couplings of 56 bytes are 17 MiB
  const auto refused = outcome(*solver, work);
  ASSERT_TRUE(refused.has_value());
  EXPECT_THAT(refused->message, testing::HasSubstr("a search over 800 variables needs"));
  available(40 * kMiB);
  EXPECT_EQ(outcome(*solver, work), std::nullopt);
}

}  // namespace
}  // namespace tandem::backend
