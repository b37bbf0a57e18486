// What rounding may do, held to what it does: in single precision beside double, and in double by going there and back.
#include "tandem/compute/statevector/rounding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/run.h"
#include "tandem/compute/statevector/run_memory.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/compute/statevector/testing/circuit_fuzz.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using circuit::Pub;
using observable::PauliSum;

constexpr std::uint64_t kMemory = std::uint64_t{1} << 28;

Executor& executor() {
  static ThreadExecutor pool(2);
  return pool;
}

template <class Real>
Rounding<Real> rounding_of(const Circuit& circuit, PlanCache<Real>& plans) {
  Rounding<Real> out(circuit.num_qubits(), plans);
  out.add(circuit.instructions(), {});
  return out;
}

template <class Real>
BasicStateVector<Real> played(const Circuit& circuit) {
  auto state = BasicStateVector<Real>::create(circuit.num_qubits(), kMemory, executor()).value();
  EXPECT_TRUE(state.apply(circuit, {}).has_value());
  return state;
}

/// A layer again and again, so that what a number loses when it is stored is lost in one direction.
Circuit repeated(std::uint32_t n, std::size_t times, const std::function<void(Circuit&)>& layer) {
  Circuit out = Circuit::create(n, 0).value();
  for (std::size_t i = 0; i < times; ++i) layer(out);
  return out;
}

struct Case {
  const char* name;
  Circuit circuit;
};

Circuit qaoa(std::uint32_t n, std::size_t layers, double gamma, double beta) {
  Circuit out = Circuit::create(n, 0).value();
  for (std::uint32_t q = 0; q < n; ++q) out.gate(Gate::kH, {q});
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for (std::uint32_t q = 0; q < n; ++q) out.gate(Gate::kRzz, {q, (q + 1) % n}, {Angle::constant(gamma)});
    for (std::uint32_t q = 0; q < n; ++q) out.gate(Gate::kRz, {q}, {Angle::constant(0.3 * gamma)});
    for (std::uint32_t q = 0; q < n; ++q) out.gate(Gate::kRx, {q}, {Angle::constant(beta)});
  }
  return out;
}

std::vector<Case> adverse() {
  const auto on_all = [](Circuit& circuit, Gate gate, std::initializer_list<Angle> angles) {
    for (std::uint32_t q = 0; q < circuit.num_qubits(); ++q) circuit.gate(gate, {q}, angles);
  };
  const auto chain = [](Circuit& circuit, Gate gate, std::initializer_list<Angle> angles) {
    for (std::uint32_t q = 0; q + 1 < circuit.num_qubits(); ++q) circuit.gate(gate, {q, q + 1}, angles);
  };
  return {
      {"one turn about y", repeated(3, 4000,
                                    [&](Circuit& c) {
                                      on_all(c, Gate::kRy, {Angle::constant(1.1)});
                                      c.gate(Gate::kCz, {0, 1}).gate(Gate::kCz, {0, 1});
                                    })},
      {"turns and phases", repeated(5, 600,
                                    [&](Circuit& c) {
                                      on_all(c, Gate::kRx, {Angle::constant(0.7)});
                                      chain(c, Gate::kRzz, {Angle::constant(0.1)});
                                    })},
      {"small angles", repeated(6, 1000,
                                [&](Circuit& c) {
                                  on_all(c, Gate::kRy, {Angle::constant(1e-3)});
                                  on_all(c, Gate::kRz, {Angle::constant(1e-3)});
                                })},
      {"roots of the half", repeated(4, 1500,
                                     [&](Circuit& c) {
                                       on_all(c, Gate::kH, {});
                                       on_all(c, Gate::kT, {});
                                     })},
      {"gates of pairs", repeated(4, 500,
                                  [&](Circuit& c) {
                                    chain(c, Gate::kCrx, {Angle::constant(0.9)});
                                    chain(c, Gate::kRxx, {Angle::constant(0.4)});
                                  })},
      {"dense gates",
       repeated(12, 60,
                [&](Circuit& c) {
                  for (std::uint32_t q = 0; q + 1 < 12; q += 2) {
                    for (int i = 0; i < 3; ++i) {
                      c.gate(Gate::kU, {q}, {Angle::constant(1), Angle::constant(2), Angle::constant(3)});
                      c.gate(Gate::kU, {q + 1}, {Angle::constant(2), Angle::constant(0.1), Angle::constant(1)});
                      c.gate(Gate::kCx, {q, q + 1});
                    }
                  }
                })},
      {"one gate", repeated(1, 1, [&](Circuit& c) { on_all(c, Gate::kRy, {Angle::constant(0.6)}); })},
      {"layers", qaoa(14, 100, 0.4, 0.9)},
      {"layers of large angles", qaoa(15, 100, 2.1, 2.9)},
      {"layers in several tiles", qaoa(17, 20, 0.7, 1.9)},
      {"a few layers without a tile", qaoa(7, 100, 0.4, 0.9)},
  };
}

template <class One, class Other>
double distance(const One& a, const Other& b) {
  double sum = 0;
  for (std::uint64_t z = 0; z >> a.num_qubits() == 0; ++z) sum += std::norm(a.amplitude(z) - b.amplitude(z));
  return std::sqrt(sum);
}

/// The largest difference of the probability of any set of outcomes.
template <class One, class Other>
double total_variation(const One& a, const Other& b) {
  double of_a = 0, of_b = 0, sum = 0;
  for (std::uint64_t z = 0; z >> a.num_qubits() == 0; ++z)
    of_a += std::norm(a.amplitude(z)), of_b += std::norm(b.amplitude(z));
  for (std::uint64_t z = 0; z >> a.num_qubits() == 0; ++z)
    sum += std::abs(std::norm(a.amplitude(z)) / of_a - std::norm(b.amplitude(z)) / of_b);
  return sum / 2;
}

double weight_of(const PauliSum& observable) {
  double out = 0;
  for (const observable::PauliTerm& term : observable.terms()) out += std::abs(term.coefficient);
  return out;
}

/// How much of the bound single precision takes.
double share_of_bound(const Circuit& circuit, Xoshiro256& rng) {
  PlanCache<float> narrow_plans;
  PlanCache<double> wide_plans;
  const auto bound = rounding_of(circuit, narrow_plans);
  const auto beside = rounding_of(circuit, wide_plans);
  const auto narrow = played<float>(circuit);
  const auto wide = played<double>(circuit);
  const double found = distance(narrow, wide);
  EXPECT_LE(found, bound.of_state() + beside.of_state());
  EXPECT_LE(total_variation(narrow, wide), bound.of_draws() + beside.of_draws());
  const PauliSum observable = testing::random_observable(rng, circuit.num_qubits(), 12);
  const double weight = weight_of(observable);
  EXPECT_LE(std::abs(narrow.expectation(observable).value() - wide.expectation(observable).value()),
            bound.of_expectation(weight, 12) + beside.of_expectation(weight, 12));
  return found / bound.of_state();
}

TEST(Rounding, single_precision_keeps_within_its_bound_where_errors_add_up) {
  Xoshiro256 rng(1);
  double most = 0;
  for (const Case& one : adverse()) {
    SCOPED_TRACE(one.name);
    most = std::max(most, share_of_bound(one.circuit, rng));
  }
  EXPECT_GT(most, 0.02) << "a bound that nothing comes near says little";
}

TEST(Rounding, single_precision_keeps_within_its_bound_for_random_circuits) {
  Xoshiro256 rng(2);
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    const auto n = static_cast<std::uint32_t>(seed % 50 == 49 ? 17 : 1 + seed % 10);
    Circuit circuit = Circuit::create(n, 0).value();
    if (seed % 4 == 0)
      testing::append_qaoa_layers(circuit, rng);
    else
      circuit = testing::random_circuit(seed, n, 100);
    EXPECT_LT(share_of_bound(circuit, rng), 1);
  }
}

TEST(Rounding, there_and_back_double_precision_keeps_within_its_bound) {
  std::vector<Case> cases = adverse();
  for (std::uint64_t seed = 0; seed < 100; ++seed)
    cases.push_back({"random", testing::random_circuit(seed, static_cast<std::uint32_t>(1 + seed % 10), 100)});
  for (const Case& one : cases) {
    SCOPED_TRACE(one.name);
    const Circuit back = one.circuit.inverse().value();
    PlanCache<double> plans;
    Rounding<double> bound(one.circuit.num_qubits(), plans);
    bound.add(one.circuit.instructions(), {});
    bound.add(back.instructions(), {});
    auto state = played<double>(one.circuit);
    ASSERT_TRUE(state.apply(back, {}).has_value());
    // Some inverses are those of the table up to a phase of the whole state, which nothing tells.
    double others = 0;
    for (std::uint64_t z = 1; z >> one.circuit.num_qubits() == 0; ++z) others += std::norm(state.amplitude(z));
    EXPECT_LE(std::sqrt(others), bound.of_state());
    EXPECT_LE(std::abs(std::abs(state.amplitude(0)) - 1), bound.of_state());
    EXPECT_LT(bound.of_state(), 1e-9);
  }
}

TEST(Rounding, does_not_depend_on_angles_and_nothing_is_planned_twice) {
  for (const Circuit& circuit : {testing::random_circuit(3, 6, 200), qaoa(14, 3, 0.4, 0.9)}) {
    const testing::Bound bound = testing::with_parameters_of(circuit);
    PlanCache<float> plans;
    Rounding<float> one(circuit.num_qubits(), plans);
    one.add(bound.circuit.instructions(), bound.values);
    const std::uint64_t made = plans.made().plans;
    Rounding<float> other(circuit.num_qubits(), plans);
    other.add(bound.circuit.instructions(), std::vector<double>(bound.values.size(), 0.1));
    EXPECT_EQ(one.of_state(), other.of_state());
    EXPECT_EQ(plans.made().plans, made);
  }
}

TEST(Rounding, says_nothing_where_nothing_can_be_said) {
  PlanCache<float> plans;
  Rounding<float> rounding(2, plans);
  const Circuit circuit = testing::random_circuit(1, 2, 4000);
  while (std::isfinite(rounding.of_state())) rounding.add(circuit.instructions(), {});
  EXPECT_TRUE(std::isinf(rounding.of_draws()));
  EXPECT_TRUE(std::isinf(rounding.of_expectation(1, 1)));
}

// ---- what follows from it

Result<PrecisionChoice> choice_of(const Pub& pub) {
  PlanCache<float> narrow;
  PlanCache<double> wide;
  return choose_precision(pub, narrow, wide);
}

Pub measured_pub(double tolerance) {
  return {.circuit = testing::random_circuit(4, 8, 60).measure_all(), .shots = 5000, .tolerance = tolerance};
}
Pub expectation_pub(double tolerance, std::uint64_t shots) {
  Xoshiro256 rng(9);
  Pub out{.circuit = testing::random_circuit(5, 8, 60), .shots = shots, .tolerance = tolerance};
  out.observables = {testing::random_observable(rng, 8, 10)};
  return out;
}

TEST(ChoosePrecision, is_single_as_far_as_its_bound_is_tolerated) {
  for (const Pub& base : {measured_pub(1), expectation_pub(1, 0), expectation_pub(1, 100)}) {
    Pub pub = base;
    const PrecisionChoice wide = choice_of(pub).value();
    EXPECT_EQ(wide.precision, Precision::kSingle);
    ASSERT_TRUE(wide.rounding.has_value());
    EXPECT_GT(*wide.rounding, 1e-7);
    EXPECT_LT(*wide.rounding, 1e-2);
    pub.tolerance = *wide.rounding;
    EXPECT_EQ(choice_of(pub)->precision, Precision::kSingle);
    pub.tolerance = std::nextafter(*wide.rounding, 0);
    const PrecisionChoice promoted = choice_of(pub).value();
    EXPECT_EQ(promoted.precision, Precision::kDouble);
    EXPECT_LT(*promoted.rounding, 1e-10);
    pub.tolerance = std::nextafter(*promoted.rounding, 0);
    const auto refused = choice_of(pub);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().number, errors::kValueOutOfRange);
    EXPECT_EQ(refused.error().place, "/tolerance");
    pub.tolerance = 0;
    EXPECT_EQ(choice_of(pub)->precision, Precision::kDouble);
    EXPECT_EQ(choice_of(pub)->rounding, std::nullopt);
  }
}

TEST(ChoosePrecision, is_double_for_what_is_measured_on_the_way) {
  Pub pub{.circuit = Circuit::create(2, 2).value(), .shots = 10, .tolerance = 0.5};
  pub.circuit.gate(Gate::kH, {0}).measure(0, 0).gate(Gate::kH, {0}).measure(0, 1);
  EXPECT_EQ(choice_of(pub)->precision, Precision::kDouble);
  EXPECT_EQ(choice_of(pub)->rounding, std::nullopt);
  pub.circuit = Circuit::create(1, 1, {"a"}).value();
  pub.circuit.gate(Gate::kRx, {0}, {Angle::symbol(0, 1e300)}).measure(0, 0);
  pub.parameter_values = {{1e300}};
  EXPECT_EQ(choice_of(pub).error().number, errors::kNotFinite);
}

TEST(ChoosePrecision, is_what_a_run_has_and_says) {
  const RunOptions options{.seed = 3, .memory_bytes_max = kMemory};
  const auto coarse = run(measured_pub(0.01), options, {}, executor()).value();
  ASSERT_TRUE(coarse.arithmetic.has_value());
  EXPECT_TRUE(coarse.arithmetic->single);
  EXPECT_EQ(coarse.arithmetic->tolerance, 0.01);
  EXPECT_EQ(coarse.arithmetic->rounding, choice_of(measured_pub(0.01))->rounding);
  const auto fine = run(measured_pub(1e-9), options, {}, executor()).value();
  EXPECT_FALSE(fine.arithmetic->single);
  const auto plain = run(measured_pub(0), options, {}, executor()).value();
  EXPECT_EQ(plain.arithmetic, std::nullopt);
  EXPECT_EQ(plain.bindings, fine.bindings);

  const Pub exact = expectation_pub(0.01, 0);
  const double single = run(exact, options, {}, executor())->expectations(0)[0].value;
  EXPECT_EQ(single, played<float>(exact.circuit).expectation(exact.observables[0]).value());
  EXPECT_NE(single, run(expectation_pub(0, 0), options, {}, executor())->expectations(0)[0].value);
  EXPECT_TRUE(run(expectation_pub(0.01, 100), options, {}, executor())->arithmetic->single);
}

TEST(ChoosePrecision, takes_half_the_memory) {
  Pub pub{.circuit = Circuit::create(15, 15).value(), .shots = 10, .tolerance = 0.01};
  for (std::uint32_t q = 0; q < 15; ++q) pub.circuit.gate(Gate::kH, {q});
  pub.circuit.measure_all();
  const RunMemory single = memory_of_run(pub, {.precision = Precision::kSingle});
  EXPECT_EQ(single.states, StateVectorF32::bytes_needed(15));
  EXPECT_EQ(2 * single.states, memory_of_run(pub, {}).states);
  EXPECT_TRUE(run(pub, {.memory_bytes_max = single.all()}, {}, executor()).has_value());
  EXPECT_EQ(run(pub, {.memory_bytes_max = single.all() - 1}, {}, executor()).error().number, errors::kOutOfMemory);
  pub.tolerance = 1e-9;
  EXPECT_EQ(run(pub, {.memory_bytes_max = single.all()}, {}, executor()).error().number, errors::kOutOfMemory);
}

}  // namespace
}  // namespace tandem::statevector
