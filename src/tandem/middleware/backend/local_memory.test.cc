// Backends that run here reserve what their work needs, and wait or refuse before they take it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  available(40 * kMiB);  // 30 to plan with; a state of 20 qubits takes 16
  EXPECT_EQ(outcome(*simulator_, circuit(20)), std::nullopt);
  const auto refused = outcome(*simulator_, circuit(21));
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->number, errors::kOutOfMemory);
  EXPECT_THAT(refused->message,
              testing::HasSubstr("a state vector of 21 qubits needs 33554432 bytes and 31457280 are"));
}

TEST_F(LocalMemory, a_circuit_that_is_played_shot_by_shot_needs_two_states) {
  available(40 * kMiB);
  EXPECT_EQ(outcome(*simulator_, circuit(20, true))->number, errors::kOutOfMemory);
  available(44 * kMiB);
  EXPECT_EQ(outcome(*simulator_, circuit(20, true)), std::nullopt);
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
