#include "tandem/compute/statevector/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <new>

#include "tandem/compute/statevector/ising_runner.h"
#include "tandem/compute/statevector/run_memory.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/compute/statevector/testing/chi_square.h"
#include "tandem/compute/statevector/testing/dense_reference.h"
#include "tandem/compute/statevector/testing/random_circuit.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using circuit::Pub;
using observable::PauliSum;
using result::Counts;

constexpr std::uint64_t kMemory = 1ull << 28;

Executor& executor() {
  static ThreadExecutor pool(2);
  return pool;
}

result::PubResult run_pub(const Pub& pub, std::uint64_t seed = 1) {
  return run(pub, {.seed = seed, .memory_bytes_max = kMemory}, {}, executor()).value();
}

Counts run_counts(Circuit circuit, std::uint64_t shots, std::uint64_t seed = 1) {
  return run_pub({.circuit = std::move(circuit), .shots = shots}, seed).counts(0);
}

ErrorNumber error_of(const Pub& pub, RunOptions options = {.seed = 1, .memory_bytes_max = kMemory},
                     std::stop_token stop = {}) {
  return run(pub, options, stop, executor()).error().number;
}

Circuit make_circuit(std::uint32_t num_qubits) { return Circuit::create(num_qubits, num_qubits).value(); }

std::vector<std::uint64_t> dense_counts(const Counts& counts) {
  std::vector<std::uint64_t> dense(std::size_t{1} << counts.num_bits());
  for (std::size_t i = 0; i < counts.size(); ++i) dense[counts.outcome(i)[0]] = counts.count(i);
  return dense;
}

TEST(Run, x_on_qubit_0_of_three_reads_100) {
  const Counts counts = run_counts(make_circuit(3).gate(Gate::kX, {0}).measure_all(), 10);
  ASSERT_EQ(counts.size(), 1u);
  EXPECT_EQ(counts.text(0), "100");
  EXPECT_EQ(counts.count(0), 10u);
}

TEST(Run, measurements_go_to_the_classical_bits_they_name) {
  Circuit circuit = Circuit::create(2, 70).value();
  circuit.gate(Gate::kX, {1}).measure(1, 69).measure(0, 3);
  const Counts counts = run_counts(circuit, 5);
  std::string expected(70, '0');
  expected[69] = '1';
  EXPECT_EQ(counts.text(0), expected);
  // The later of two measurements into one bit decides it.
  Circuit twice = Circuit::create(2, 1).value();
  twice.gate(Gate::kX, {1}).measure(1, 0).measure(0, 0);
  EXPECT_EQ(run_counts(twice, 5).text(0), "0");
}

TEST(Run, ghz_counts_are_two_even_outcomes) {
  Circuit ghz = make_circuit(5).gate(Gate::kH, {0});
  for (std::uint32_t i = 1; i < 5; ++i) ghz.gate(Gate::kCx, {0, i});
  ghz.measure_all();
  const Counts counts = run_counts(ghz, 100'000);
  ASSERT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts.text(0), "00000");
  EXPECT_EQ(counts.text(1), "11111");
  const std::vector<std::uint64_t> drawn{counts.count(0), counts.count(1)};
  EXPECT_GT(testing::chi_square_p(drawn, std::vector<double>{0.5, 0.5}), testing::kChiSquareP);
}

TEST(Run, counts_of_random_circuits_follow_the_dense_probabilities) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Circuit circuit = testing::random_circuit(seed, 4, 30);
    std::vector<double> probabilities;
    for (const auto amplitude : testing::final_state(circuit, {})) probabilities.push_back(std::norm(amplitude));
    const Counts counts = run_counts(circuit.measure_all(), 50'000, seed);
    EXPECT_GT(testing::chi_square_p(dense_counts(counts), probabilities), testing::kChiSquareP) << seed;
  }
}

TEST(Run, a_measured_qubit_stays_as_it_was_read) {
  Circuit circuit = Circuit::create(1, 2).value();
  circuit.gate(Gate::kH, {0}).measure(0, 0).measure(0, 1);
  const Counts counts = run_counts(circuit, 20'000);
  ASSERT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts.text(0), "00");
  EXPECT_EQ(counts.text(1), "11");
  const std::vector<std::uint64_t> drawn{counts.count(0), counts.count(1)};
  EXPECT_GT(testing::chi_square_p(drawn, std::vector<double>{0.5, 0.5}), testing::kChiSquareP);
}

TEST(Run, measuring_midway_and_at_the_end_have_the_same_statistics) {
  // h, measure, h: the middle bit is fair, and so is the last, whatever the middle one was.
  Circuit circuit = Circuit::create(1, 2).value();
  circuit.gate(Gate::kH, {0}).measure(0, 0).gate(Gate::kH, {0}).measure(0, 1);
  const Counts counts = run_counts(circuit, 100'000);
  EXPECT_GT(testing::chi_square_p(dense_counts(counts), std::vector<double>(4, 0.25)), testing::kChiSquareP);
}

TEST(Run, reset_gives_zero_and_leaves_the_partner_mixed) {
  Circuit circuit = make_circuit(2);
  circuit.gate(Gate::kH, {0}).gate(Gate::kCx, {0, 1}).gate(Gate::kReset, {0}).measure_all();
  const Counts counts = run_counts(circuit, 20'000);
  ASSERT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts.text(0), "00");
  EXPECT_EQ(counts.text(1), "01");
  const std::vector<std::uint64_t> drawn{counts.count(0), counts.count(1)};
  EXPECT_GT(testing::chi_square_p(drawn, std::vector<double>{0.5, 0.5}), testing::kChiSquareP);
}

TEST(Run, every_binding_starts_afresh) {
  // pi twice: a state left over from the first row would be turned back to 0 by the second.
  Pub pub{.circuit = Circuit::create(1, 2, {"theta"}).value(),
          .parameter_values = {{M_PI}, {M_PI}, {M_PI / 2}},
          .shots = 100'000};
  pub.circuit.gate(Gate::kRy, {0}, {Angle::symbol(0)}).measure(0, 0);
  for (const bool midway : {false, true}) {
    if (midway) pub.circuit.measure(0, 0);
    const result::PubResult result = run_pub(pub);
    ASSERT_EQ(result.bindings.size(), 3u);
    EXPECT_EQ(result.counts(0).text(0), "10");
    EXPECT_EQ(result.counts(0).count(0), 100'000u);
    EXPECT_EQ(result.counts(1).text(0), "10");
    const std::vector<std::uint64_t> drawn{result.counts(2).count(0), result.counts(2).count(1)};
    EXPECT_GT(testing::chi_square_p(drawn, std::vector<double>{0.5, 0.5}), testing::kChiSquareP);
  }
}

TEST(Run, rounds_of_shots_are_drawn_independently) {
  // Shots are simulated in rounds of 2^16; a second round with the dice of the first would double every count.
  Circuit circuit = Circuit::create(1, 1).value();
  circuit.gate(Gate::kH, {0}).measure(0, 0).measure(0, 0);
  const auto once = dense_counts(run_counts(circuit, 1 << 16));
  const auto twice = dense_counts(run_counts(circuit, 1 << 17));
  EXPECT_NE(twice[0], 2 * once[0]);
}

Pub observable_pub(std::uint64_t shots, double precision) {
  Pub pub{.circuit = testing::random_circuit(9, 4, 30), .shots = shots, .precision = precision};
  std::vector<observable::PauliTerm> terms;
  Xoshiro256 rng(6);
  for (int i = 0; i < 12; ++i) {
    terms.push_back({.x = rng.below(16), .z = rng.below(16), .coefficient = 2 * rng.uniform() - 1});
  }
  pub.observables = {PauliSum::create(4, terms).value(), PauliSum::create(4, {{.coefficient = 2.5}}).value()};
  return pub;
}

TEST(Run, expectations_without_shots_are_exact) {
  const Pub pub = observable_pub(0, 0);
  const auto values = run_pub(pub).expectations(0);
  ASSERT_EQ(values.size(), 2u);
  EXPECT_NEAR(values[0].value, testing::expectation(pub.observables[0], testing::final_state(pub.circuit, {})), 1e-13);
  EXPECT_EQ(values[0].shots, 0u);
  EXPECT_EQ(values[0].standard_error, 0);
  EXPECT_NEAR(values[1].value, 2.5, 1e-13);
}

TEST(Run, sampled_expectations_scatter_by_their_standard_error) {
  // z = (estimate - exact) / error is close to normal: over 200 seeds its square sums to 200 +- 20 (one sigma); 300 is
  // five sigma off, and no single |z| reaches 5.5 (4e-8 each).
  const Pub pub = observable_pub(2'000, 0);
  const double exact = testing::expectation(pub.observables[0], testing::final_state(pub.circuit, {}));
  double squares = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto value = run_pub(pub, seed).expectations(0)[0];
    const double z = (value.value - exact) / value.standard_error;
    EXPECT_LT(std::abs(z), 5.5) << seed;
    squares += z * z;
  }
  EXPECT_GT(squares, 100);
  EXPECT_LT(squares, 300);
}

TEST(Run, precision_bounds_the_standard_error) {
  const auto values = run_pub(observable_pub(0, 0.02)).expectations(0);
  EXPECT_LE(values[0].standard_error, 0.02);
  EXPECT_GT(values[0].shots, 0u);
  EXPECT_EQ(values[1].value, 2.5);
  EXPECT_EQ(values[1].standard_error, 0);
}

TEST(Run, same_seed_same_bytes_whatever_the_number_of_threads) {
  ThreadExecutor one(1);
  ThreadExecutor two(2);
  Circuit midway = testing::random_circuit(1, 4, 20);
  midway.measure(0, 0).gate(Gate::kH, {0}).gate(Gate::kReset, {1}).measure_all();
  const std::vector<Pub> pubs{{.circuit = testing::random_circuit(2, 15, 40).measure_all(), .shots = 5'000},
                              {.circuit = midway, .shots = 5'000},
                              observable_pub(3'000, 0)};
  for (const Pub& pub : pubs) {
    const auto first = run(pub, {.seed = 5, .memory_bytes_max = kMemory}, {}, one).value();
    EXPECT_EQ(first, run(pub, {.seed = 5, .memory_bytes_max = kMemory}, {}, two).value());
    EXPECT_EQ(first, run(pub, {.seed = 5, .memory_bytes_max = kMemory}, {}, two).value());
    EXPECT_NE(first, run(pub, {.seed = 6, .memory_bytes_max = kMemory}, {}, two).value());
  }
}

/// ry(a) on each qubit and a chain of cx: the first qubit is 1 with probability sin^2(a/2).
Pub swept(std::size_t num_bindings, std::uint32_t num_qubits = 3) {
  Pub pub{.circuit = Circuit::create(num_qubits, num_qubits, {"a"}).value()};
  for (std::uint32_t q = 0; q < num_qubits; ++q) pub.circuit.gate(Gate::kRy, {q}, {Angle::symbol(0)});
  for (std::uint32_t q = 0; q + 1 < num_qubits; ++q) pub.circuit.gate(Gate::kCx, {q, q + 1});
  for (std::size_t i = 0; i < num_bindings; ++i) pub.parameter_values.push_back({0.01 * static_cast<double>(i)});
  return pub;
}

TEST(Run, bindings_of_small_circuits_are_those_one_by_one_whatever_the_number_of_threads) {
  Pub exact = swept(300);
  exact.observables = {PauliSum::create(3, {{.z = 1, .coefficient = 1}}).value()};
  Pub sampled = exact;
  sampled.shots = 500;
  Pub counted = swept(300);
  counted.circuit.measure_all();
  counted.shots = 500;
  for (const Pub& pub : {exact, sampled, counted}) {
    ThreadExecutor one(1);
    const auto first = run(pub, {.seed = 5, .memory_bytes_max = kMemory}, {}, one).value();
    ASSERT_EQ(first.bindings.size(), 300u);
    for (const std::size_t threads : {2, 5}) {
      ThreadExecutor many(threads);
      EXPECT_EQ(strands_of(pub, {.threads = threads}), threads);
      EXPECT_EQ(first, run(pub, {.seed = 5, .memory_bytes_max = kMemory}, {}, many).value());
    }
  }
  ThreadExecutor two(2);
  const auto values = run(exact, {.memory_bytes_max = kMemory}, {}, two).value();
  for (std::size_t i = 0; i < 300; ++i)
    EXPECT_NEAR(values.expectations(i)[0].value, std::cos(0.01 * static_cast<double>(i)), 1e-12);
}

TEST(Run, what_is_wrong_with_one_of_many_bindings_is_an_error) {
  Pub pub = swept(300);
  pub.circuit.measure_all();
  pub.shots = 10;
  pub.parameter_values[150] = {std::numeric_limits<double>::infinity()};
  EXPECT_EQ(error_of(pub), errors::kNotFinite);
}

TEST(Run, each_thread_that_evaluates_bindings_counts_its_states) {
  Pub pub = swept(3, 12);
  pub.circuit.measure_all();
  pub.shots = 10;
  EXPECT_EQ(memory_of_run(pub, {.threads = 2}).states, 2 * StateVector::bytes_needed(12));
  EXPECT_EQ(memory_of_run(pub, {.threads = 8}).states, 3 * StateVector::bytes_needed(12));
  Pub large = swept(3, 15);
  large.circuit.measure_all();
  large.shots = 10;
  EXPECT_EQ(memory_of_run(large, {.threads = 8}).states, StateVector::bytes_needed(15));
}

TEST(Run, fewer_bindings_are_evaluated_at_once_where_memory_is_short) {
  Pub counted = swept(6, 10);
  counted.circuit.measure_all();
  counted.shots = 10;
  Pub sampled = swept(6, 10);
  sampled.observables = {PauliSum::create(10, {{.z = 1, .coefficient = 1}}).value()};
  sampled.shots = 10;
  ThreadExecutor four(4);
  for (const Pub& pub : {counted, sampled}) {
    const std::uint64_t of_one = memory_of_run(pub, {.threads = 1}).all();
    const auto wanted = run(pub, {.seed = 2, .memory_bytes_max = kMemory}, {}, four).value();
    for (const std::uint64_t strands : {1, 2, 3, 4}) {
      const RunMeans means{.threads = 4, .bytes_max = strands * of_one};
      EXPECT_EQ(strands_of(pub, means), strands);
      EXPECT_EQ(memory_of_run(pub, means).all(), strands * of_one);
      EXPECT_EQ(run(pub, {.seed = 2, .memory_bytes_max = means.bytes_max}, {}, four).value(), wanted);
    }
    EXPECT_EQ(run(pub, {.memory_bytes_max = of_one - 1}, {}, four).error().number, errors::kOutOfMemory);
  }
}

/// memory_of_run() counts tiles of plans alone.
template <class Real>
void expect_tiles_of_layers_are_no_larger() {
  for (std::uint32_t n = kTileShape<Real>.most + 1; n <= StateVector::kQubitsMax; ++n) {
    for (const std::uint32_t less : {0u, 1u}) {  // of a symmetry
      for (const TileKind& kind : tile_kinds(n - less, ising_shape<Real>(kTileShape<Real>.most - less))) {
        if (kind.in_a_row) continue;
        EXPECT_LE(kind.order.tile_bits() - kLaneBits<Real> + kind.row_bits, kTileShape<Real>.most_of(n)) << n;
      }
    }
  }
}
TEST(Run, tiles_of_layers_are_no_larger_than_those_of_plans) {
  expect_tiles_of_layers_are_no_larger<float>();
  expect_tiles_of_layers_are_no_larger<double>();
}

TEST(Run, what_cannot_be_run_is_refused) {
  const Circuit measured = make_circuit(10).measure_all();
  EXPECT_EQ(error_of({.circuit = make_circuit(2), .shots = 10}), errors::kBadCircuit);
  EXPECT_EQ(error_of({.circuit = measured, .shots = 0}), errors::kValueOutOfRange);
  EXPECT_EQ(error_of({.circuit = measured, .shots = 10}, {.memory_bytes_max = 16383}), errors::kOutOfMemory);
  EXPECT_EQ(error_of({.circuit = make_circuit(41).measure_all(), .shots = 1}), errors::kTooManyQubits);
  EXPECT_EQ(error_of({.circuit = make_circuit(41).measure_all().measure_all(), .shots = 1}), errors::kTooManyQubits);
  Pub with_observable{.circuit = measured};
  with_observable.observables = {PauliSum::create(10, {{.z = 1, .coefficient = 1}}).value()};
  EXPECT_EQ(error_of(with_observable), errors::kBadCircuit);
  Pub symbolic{.circuit = Circuit::create(1, 1, {"a"}).value().measure_all(), .shots = 1};
  EXPECT_EQ(error_of(symbolic), errors::kUnboundParameter);
  symbolic.circuit = Circuit::create(1, 1, {"a"}).value();
  symbolic.circuit.gate(Gate::kRx, {0}, {Angle::symbol(0, 1e300)}).measure(0, 0);
  symbolic.parameter_values = {{1e300}};
  EXPECT_EQ(error_of(symbolic), errors::kNotFinite);
}

TEST(Run, what_is_read_counts_as_memory) {
  Circuit midway = make_circuit(10);
  midway.measure_all().measure_all();
  Pub expectation{.circuit = make_circuit(10), .shots = 100};
  expectation.observables = {PauliSum::create(10, {{.x = 1, .coefficient = 1}}).value()};
  struct Case {
    Pub pub;
    std::uint64_t states;
    std::uint64_t beside;
  };
  const std::vector<Case> cases = {
      // One state; weights of eight rows, a sum of a stretch, 100 draws, and 100 places twice, their outcomes and counts twice.
      {.pub = {.circuit = make_circuit(10).measure_all(), .shots = 100}, .states = 16384, .beside = 8 * 109 + 100 * 64},
      // No more outcomes than there are.
      {.pub = {.circuit = make_circuit(2).measure_all(), .shots = 100}, .states = 128, .beside = 8 * 101 + 4 * 64},
      {.pub = {.circuit = midway, .shots = 10}, .states = 32768, .beside = 16 * 50},
      {.pub = expectation, .states = 32768, .beside = 8 * 109 + 100 * 48},
  };
  for (const Case& one : cases) {
    const RunMemory needed = memory_of_run(one.pub, {.threads = 2});
    EXPECT_EQ(needed.states, one.states);
    EXPECT_EQ(needed.beside, one.beside);
    EXPECT_TRUE(run(one.pub, {.memory_bytes_max = needed.all()}, {}, executor()).has_value());
    const auto refused = run(one.pub, {.memory_bytes_max = needed.all() - 1}, {}, executor());
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().number, errors::kOutOfMemory);
    EXPECT_THAT(refused.error().message, ::testing::HasSubstr(std::to_string(needed.all())));
    EXPECT_THAT(refused.error().message, ::testing::HasSubstr(std::to_string(needed.all() - 1)));
  }
  // Threads gather tiles of states that are larger than one.
  const Pub large{.circuit = make_circuit(16).measure_all(), .shots = 1};
  EXPECT_EQ(memory_of_run(large, {.threads = 3}).beside - memory_of_run(large, {.threads = 1}).beside, 2u << 19);
}

/// Refuses memory in the middle of work that threads share.
class PoorExecutor : public Executor {
 public:
  explicit PoorExecutor(int calls) : calls_(calls) {}
  void post(Task task) override { threads_.post(std::move(task)); }
  std::unique_ptr<Timer> post_after(std::chrono::nanoseconds delay, Task task) override {
    return threads_.post_after(delay, std::move(task));
  }
  void parallel(std::size_t count, std::size_t threads, const std::function<void(std::size_t)>& body) override {
    if (calls_-- == 0) throw std::bad_alloc();
    threads_.parallel(count, threads, body);
  }
  std::unique_ptr<Timer> start_loop(const char* name, std::function<void(std::stop_token)> body) override {
    return threads_.start_loop(name, std::move(body));
  }
  std::size_t threads() const override { return threads_.threads(); }

 private:
  ThreadExecutor threads_{2};
  int calls_;  ///< before the one that is refused
};

TEST(Run, memory_that_is_refused_on_the_way_is_an_error_not_an_end) {
  Pub expectation{.circuit = make_circuit(16).gate(Gate::kH, {15}).gate(Gate::kH, {3})};
  expectation.observables = {PauliSum::create(16, {{.x = 1, .coefficient = 1}}).value()};
  const Pub counts{.circuit = make_circuit(16).gate(Gate::kH, {15}).gate(Gate::kH, {3}).measure_all(), .shots = 10};
  for (const Pub& pub : {expectation, counts}) {
    bool ended = false;
    for (int calls = 0; !ended; ++calls) {
      PoorExecutor poor(calls);
      const auto result = run(pub, {.memory_bytes_max = kMemory}, {}, poor);
      ended = result.has_value();
      if (ended)
        EXPECT_GE(calls, 3);  // filling, gates, and reading
      else
        ASSERT_EQ(result.error().number, errors::kOutOfMemory) << calls;
    }
  }
}

TEST(Run, a_request_to_stop_is_seen) {
  std::stop_source source;
  source.request_stop();
  const RunOptions options{.seed = 1, .memory_bytes_max = kMemory};
  const Circuit measured = make_circuit(3).gate(Gate::kH, {0}).measure_all();
  EXPECT_EQ(error_of({.circuit = measured, .shots = 10}, options, source.get_token()), errors::kCancelled);
  Circuit midway = measured;
  midway.measure_all();
  EXPECT_EQ(error_of({.circuit = midway, .shots = 1000}, options, source.get_token()), errors::kCancelled);
  EXPECT_EQ(error_of(observable_pub(0, 0), options, source.get_token()), errors::kCancelled);
}

}  // namespace
}  // namespace tandem::statevector
