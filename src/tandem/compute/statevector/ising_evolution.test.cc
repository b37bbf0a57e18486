// Ising layers against a plain loop over the amplitudes, circuits on the state vector, and differences of values.
#include "tandem/compute/statevector/ising_evolution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/ising_schedule.h"
#include "tandem/compute/statevector/statevector.h"

namespace tandem::statevector {
namespace {

using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;
using Complex = std::complex<double>;

constexpr std::uint64_t kMemory = 1ull << 30;

struct Angles {
  std::vector<double> gammas;
  std::vector<double> betas;
  operator LayerAngles() const { return {gammas, betas}; }
};

Angles random_angles(std::size_t layers, double size, Xoshiro256& rng) {
  Angles out;
  for (std::size_t l = 0; l < layers; ++l) {
    out.gammas.push_back(size * (rng.uniform() - 0.5));
    out.betas.push_back(2 * size * (rng.uniform() - 0.5));
  }
  return out;
}

/// Each pair is coupled with probability `density`.
Bqm random_model(std::uint32_t n, double density, bool fields, Vartype vartype, Xoshiro256& rng) {
  std::vector<double> linear(n, 0);
  std::vector<QuadraticTerm> terms;
  for (double& h : linear)
    if (fields) h = rng.uniform() - 0.5;
  for (std::uint32_t u = 0; u < n; ++u)
    for (std::uint32_t v = u + 1; v < n; ++v)
      if (rng.uniform() < density) terms.push_back({u, v, rng.uniform() - 0.5});
  return Bqm::create(vartype, linear, terms, fields ? 0.75 : 0).value();
}

std::vector<double> energies_of(const Bqm& model) {
  const auto n = static_cast<std::uint32_t>(model.num_variables());
  const Bqm spins = model.with_vartype(Vartype::kSpin);
  std::vector<double> out(std::size_t{1} << n);
  for (std::size_t z = 0; z < out.size(); ++z) {
    const auto spin = [&](std::uint32_t q) { return (z >> q & 1) != 0 ? 1.0 : -1.0; };
    out[z] = spins.offset();
    for (std::uint32_t q = 0; q < n; ++q) out[z] += spins.linear()[q] * spin(q);
    for (const QuadraticTerm& term : spins.terms()) out[z] += term.bias * spin(term.u) * spin(term.v);
  }
  return out;
}

/// The definition, amplitude by amplitude.
std::vector<Complex> plainly(const Bqm& model, const Angles& angles) {
  const std::vector<double> energies = energies_of(model);
  std::vector<Complex> state(energies.size(), 1 / std::sqrt(static_cast<double>(energies.size())));
  for (std::size_t l = 0; l < angles.gammas.size(); ++l) {
    for (std::size_t z = 0; z < state.size(); ++z) state[z] *= std::polar(1.0, -angles.gammas[l] * energies[z]);
    for (std::size_t q = 0; q < model.num_variables(); ++q) {
      std::vector<Complex> next(state.size());
      for (std::size_t z = 0; z < state.size(); ++z)
        next[z] = std::cos(angles.betas[l]) * state[z] -
                  Complex(0, std::sin(angles.betas[l])) * state[z ^ std::size_t{1} << q];
      state = std::move(next);
    }
  }
  return state;
}

double mean_energy(const Bqm& model, const std::vector<Complex>& state) {
  const std::vector<double> energies = energies_of(model);
  double sum = 0;
  for (std::size_t z = 0; z < state.size(); ++z) sum += std::norm(state[z]) * energies[z];
  return sum;
}

/// So small that few qubits take several kinds of tiles.
template <class Real>
std::uint32_t tile_bits(Xoshiro256& rng) {
  return kLaneBits<Real> + 3 + static_cast<std::uint32_t>(rng.below(5));
}

template <class Real>
struct Tolerance;
template <>
struct Tolerance<double> {
  static constexpr double kAmplitude = 1e-13;
  static constexpr double kValue = 1e-12;
  static constexpr double kSlope = 1e-11;
};
template <>
struct Tolerance<float> {
  static constexpr double kAmplitude = 2e-6;
  static constexpr double kValue = 2e-5;
  static constexpr double kSlope = 2e-4;
};

template <class Real>
class IsingEvolutionTest : public ::testing::Test {
 protected:
  IsingEvolution<Real> evolution(const Bqm& model) {
    return IsingEvolution<Real>::create(model, kMemory, executor_).value();
  }
  ThreadExecutor executor_{2};
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(IsingEvolutionTest, Reals);

TYPED_TEST(IsingEvolutionTest, state_and_value_follow_the_definition) {
  Xoshiro256 rng(1);
  for (std::uint32_t n = 1; n <= 13; ++n) {
    for (const std::size_t layers : {0, 1, 2, 5}) {
      for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin}) {
        const Bqm model = random_model(n, rng.uniform(), rng.below(3) != 0, vartype, rng);
        const Angles angles = random_angles(layers, 5, rng);
        auto evolution = this->evolution(model);
        const std::span<const simd::Isa> isas = simd::runnable_isas();
        evolution.use_isa(isas[rng.below(isas.size())]);
        if (rng.below(2) == 0) evolution.use_tile_bits(tile_bits<TypeParam>(rng));
        const double value = evolution.value(angles).value();
        const std::vector<Complex> expected = plainly(model, angles);
        for (std::size_t z = 0; z < expected.size(); ++z)
          ASSERT_LT(std::abs(evolution.amplitude(z) - expected[z]), Tolerance<TypeParam>::kAmplitude)
              << n << " qubits, " << layers << " layers, state " << z;
        ASSERT_NEAR(value, mean_energy(model, expected), Tolerance<TypeParam>::kValue) << n << " " << layers;
      }
    }
  }
}

/// Beyond one tile the oracle is the circuit; its value that of its terms.
TYPED_TEST(IsingEvolutionTest, many_tiles_give_what_the_circuit_gives) {
  Xoshiro256 rng(2);
  for (const std::uint32_t n : {16u, 17u, 18u, 19u}) {
    const std::size_t layers = 1 + n % 3;
    const Bqm model = random_model(n, n == 17 ? 0.2 : 1, n != 18, Vartype::kSpin, rng);
    const Angles angles = random_angles(layers, 2, rng);
    auto evolution = this->evolution(model);
    const double value = evolution.value(angles).value();

    using circuit::Angle;
    using circuit::Gate;
    circuit::Circuit circuit = circuit::Circuit::create(n, 0).value();
    circuit.gate(Gate::kX, {0}).gate(Gate::kX, {0});  // by a plan, which shares nothing with what is tested
    for (std::uint32_t q = 0; q < n; ++q) circuit.gate(Gate::kH, {q});
    for (std::size_t l = 0; l < layers; ++l) {
      for (const QuadraticTerm& term : model.terms())
        circuit.gate(Gate::kRzz, {term.u, term.v}, {Angle::constant(2 * angles.gammas[l] * term.bias)});
      for (std::uint32_t q = 0; q < n; ++q)
        circuit.gate(Gate::kRz, {q}, {Angle::constant(-2 * angles.gammas[l] * model.linear()[q])});
      for (std::uint32_t q = 0; q < n; ++q) circuit.gate(Gate::kRx, {q}, {Angle::constant(2 * angles.betas[l])});
    }
    StateVector state = StateVector::create(n, kMemory, this->executor_).value();
    state.set_basis_state(0);
    ASSERT_TRUE(state.apply(circuit, {}).has_value());
    double turned = 0;  // the offset's phase is none of the circuit's
    for (const double gamma : angles.gammas) turned -= gamma * model.offset();
    double expected = model.offset();
    const std::size_t size = std::size_t{1} << n;
    const std::vector<double> energies = energies_of(model);
    double sum = 0;
    for (std::size_t z = 0; z < size; ++z) {
      const Complex amplitude = state.amplitude(z);
      ASSERT_LT(std::abs(evolution.amplitude(z) - amplitude * std::polar(1.0, turned)),
                Tolerance<TypeParam>::kAmplitude)
          << n << " qubits, state " << z;
      sum += std::norm(amplitude) * (energies[z] - model.offset());
    }
    expected += sum;
    EXPECT_NEAR(value, expected, Tolerance<TypeParam>::kValue) << n;
  }
}

/// Richardson's fourth-order differences of the definition.
TYPED_TEST(IsingEvolutionTest, gradients_are_differences_of_values) {
  Xoshiro256 rng(3);
  for (const std::uint32_t n : {1u, 2u, 3u, 4u, 5u, 7u, 9u, 10u, 11u}) {
    for (const std::size_t layers : {1, 2, 3}) {
      const Bqm model = random_model(n, 0.8, rng.below(2) == 0, Vartype::kSpin, rng);
      const Angles angles = random_angles(layers, 2, rng);
      auto evolution = this->evolution(model);
      if (rng.below(2) == 0) evolution.use_tile_bits(tile_bits<TypeParam>(rng));
      const IsingGradient gradient = evolution.gradient(angles).value();
      EXPECT_NEAR(gradient.value, mean_energy(model, plainly(model, angles)), Tolerance<TypeParam>::kValue);
      const auto slope = [&](std::vector<double> Angles::* part, std::size_t l) {
        const auto at = [&](double step) {
          Angles moved = angles;
          (moved.*part)[l] += step;
          return mean_energy(model, plainly(model, moved));
        };
        constexpr double kStep = 1e-3;
        return (8 * (at(kStep) - at(-kStep)) - (at(2 * kStep) - at(-2 * kStep))) / (12 * kStep);
      };
      for (std::size_t l = 0; l < layers; ++l) {
        const double tolerance = std::max(Tolerance<TypeParam>::kSlope, 1e-8);
        EXPECT_NEAR(gradient.gammas[l], slope(&Angles::gammas, l), tolerance) << n << " gamma " << l;
        EXPECT_NEAR(gradient.betas[l], slope(&Angles::betas, l), tolerance) << n << " beta " << l;
      }
    }
  }
}

/// Several tiles: a value moved along a random direction.
TYPED_TEST(IsingEvolutionTest, gradients_of_many_tiles_predict_the_change_of_values) {
  Xoshiro256 rng(4);
  for (const std::uint32_t n : {16u, 18u}) {
    const Bqm model = random_model(n, 1, n == 16, Vartype::kSpin, rng);
    const Angles angles = random_angles(3, 1, rng);
    const IsingGradient gradient = this->evolution(model).gradient(angles).value();
    auto precise = IsingEvolution<double>::create(model, kMemory, this->executor_).value();
    EXPECT_NEAR(gradient.value, precise.value(angles).value(), Tolerance<TypeParam>::kValue);
    for (std::size_t i = 0; i < 6; ++i) {
      const auto at = [&](double step) {
        Angles moved = angles;
        (i < 3 ? moved.gammas[i] : moved.betas[i - 3]) += step;
        return precise.value(moved).value();
      };
      constexpr double kStep = 1e-3;
      const double slope = (8 * (at(kStep) - at(-kStep)) - (at(2 * kStep) - at(-2 * kStep))) / (12 * kStep);
      EXPECT_NEAR(i < 3 ? gradient.gammas[i] : gradient.betas[i - 3], slope,
                  std::max(5 * Tolerance<TypeParam>::kSlope, 1e-7))
          << n << " " << i;
    }
  }
}

/// Against sorting all energies; with integers, many states share one.
/// Sums in another order must not lead out of the bins that are looked at: near the ground state all weight but a rounding is in one bin,
/// and on a chain the share ends where the distribution jumps.
TYPED_TEST(IsingEvolutionTest, tails_end_where_rounding_alone_decides) {
  Xoshiro256 rng(7);
  for (const std::uint32_t n : {8u, 14u}) {
    std::vector<double> fields(n);
    for (double& field : fields) field = 0.9 + 0.2 * rng.uniform();
    auto evolution = this->evolution(Bqm::create(Vartype::kSpin, fields, {}, 0).value());
    const double whole = std::accumulate(fields.begin(), fields.end(), 0.0);
    for (const double off : {0.0, 0.005, 0.02, 0.05, 0.1}) {
      for (const double beta : {0.25, -0.25}) {
        const std::vector<double> gammas{std::numbers::pi / 4 * (1 + off)};
        const std::vector<double> betas{beta * std::numbers::pi};
        const double value = evolution.value({gammas, betas}).value();
        const IsingTail tail = evolution.tail(1).value();
        EXPECT_NEAR(tail.mean, value, Tolerance<TypeParam>::kValue) << n << " " << off << " " << beta;
        EXPECT_LE(tail.quantile, whole + 1e-3) << n << " " << off << " " << beta;
      }
    }
  }
  std::vector<QuadraticTerm> chain;
  for (std::uint32_t i = 0; i + 1 < 14; ++i) chain.push_back({i, i + 1, 1});
  auto evolution = this->evolution(Bqm::create(Vartype::kSpin, std::vector<double>(14), chain, 0).value());
  const std::vector<double> gammas{0};
  const std::vector<double> betas{0.087};
  ASSERT_TRUE(evolution.value({gammas, betas}).has_value());
  // Uniform over the assignments: binomial over 13 couplings, symmetric about 0, of which the lower half is -13 to -1.
  for (const double share : {0.25, 0.5, 1.0})
    EXPECT_LE(std::abs(evolution.tail(share).value().quantile), 13.001) << share;
}

TYPED_TEST(IsingEvolutionTest, tails_are_those_of_the_sorted_energies) {
  Xoshiro256 rng(6);
  for (const std::uint32_t n : {1u, 3u, 6u, 9u, 12u}) {
    for (const bool integers : {false, true}) {
      Bqm model = random_model(n, 1, n != 12, Vartype::kSpin, rng);
      if (integers) {
        std::vector<QuadraticTerm> terms(model.terms().begin(), model.terms().end());
        for (QuadraticTerm& term : terms) term.bias = term.bias > 0 ? 1 : -1;
        model = Bqm::create(Vartype::kSpin, std::vector<double>(n, 0), terms, 2).value();
      }
      const Angles angles = random_angles(2, 1, rng);
      auto evolution = this->evolution(model);
      if (n > 6) evolution.use_tile_bits(tile_bits<TypeParam>(rng));
      const double value = evolution.value(angles).value();
      const std::vector<Complex> state = plainly(model, angles);
      const std::vector<double> energies = energies_of(model);
      std::vector<std::pair<double, double>> sorted;
      for (std::size_t z = 0; z < state.size(); ++z) sorted.emplace_back(energies[z], std::norm(state[z]));
      std::ranges::sort(sorted);
      for (const double share : {0.01, 0.1, 0.37, 0.9, 1.0}) {
        double taken = 0;
        double sum = 0;
        for (const auto& [energy, weight] : sorted) {
          const double part = std::min(weight, share - taken);
          taken += part;
          sum += part * energy;
          if (taken >= share) break;
        }
        const IsingTail tail = evolution.tail(share).value();
        EXPECT_NEAR(tail.mean, sum / share, 10 * Tolerance<TypeParam>::kValue) << n << " " << share;
        // The quantile jumps where a state ends; it lies between those of shares beside it.
        const auto quantile = [&](double of) {
          double weight = 0;
          for (const auto& [energy, own] : sorted)
            if ((weight += own) >= of) return energy;
          return sorted.back().first;
        };
        constexpr double kBeside = 1e-4;
        EXPECT_GE(tail.quantile, quantile(share - kBeside) - 1e-4) << n << " " << share;
        EXPECT_LE(tail.quantile, quantile(share + kBeside) + 1e-4) << n << " " << share;
      }
      EXPECT_NEAR(evolution.tail(1).value().mean, value, Tolerance<TypeParam>::kValue);
    }
  }
}

TYPED_TEST(IsingEvolutionTest, threads_and_instruction_sets_give_the_same_bytes) {
  Xoshiro256 rng(5);
  const Angles angles = random_angles(2, 3, rng);
  ThreadExecutor one(1);
  ThreadExecutor three(3);
  for (const bool fields : {false, true}) {
    const Bqm model = random_model(17, 1, fields, Vartype::kSpin, rng);
    std::vector<double> first;
    for (Executor* executor : {static_cast<Executor*>(&one), static_cast<Executor*>(&three)}) {
      for (const simd::Isa isa : simd::runnable_isas()) {
        auto evolution = IsingEvolution<TypeParam>::create(model, kMemory, *executor).value();
        evolution.use_isa(isa);
        std::vector<double> now{evolution.value(angles).value()};
        for (std::uint64_t z = 0; z < 1u << 17; z += 97) {
          now.push_back(evolution.amplitude(z).real());
          now.push_back(evolution.amplitude(z).imag());
        }
        now.push_back(evolution.tail(0.1).value().mean);
        const IsingGradient gradient = evolution.gradient(angles).value();
        now.push_back(gradient.value);
        now.insert(now.end(), gradient.gammas.begin(), gradient.gammas.end());
        now.insert(now.end(), gradient.betas.begin(), gradient.betas.end());
        if (first.empty()) first = now;
        ASSERT_EQ(now, first) << simd::to_string(isa);
      }
    }
  }
}

TYPED_TEST(IsingEvolutionTest, what_cannot_be_is_refused) {
  const Bqm model = Bqm::create(Vartype::kSpin, {1, 1, 1, 1, 1}, {}, 0).value();
  auto evolution = this->evolution(model);
  const auto number = [](const auto& result) { return result.error().number; };
  EXPECT_EQ(number(evolution.value({std::vector<double>{1}, {}})), errors::kSizeMismatch);
  EXPECT_EQ(number(evolution.value({std::vector<double>{1}, std::vector<double>{NAN}})), errors::kNotFinite);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(number(evolution.value(Angles{{1}, {1}}, source.get_token())), errors::kCancelled);
  const std::uint64_t bytes = BasicStateVector<TypeParam>::bytes_needed(5);
  EXPECT_EQ(number(IsingEvolution<TypeParam>::create(model, bytes - 1, this->executor_)), errors::kOutOfMemory);
  auto small = IsingEvolution<TypeParam>::create(model, 2 * bytes - 1, this->executor_).value();
  EXPECT_TRUE(small.value(Angles{{1}, {1}}).has_value());
  EXPECT_EQ(number(small.tail(0)), errors::kValueOutOfRange);
  EXPECT_EQ(number(small.tail(1.5)), errors::kValueOutOfRange);
  EXPECT_EQ(number(small.gradient(Angles{{1}, {1}})), errors::kOutOfMemory);
  EXPECT_EQ(number(IsingEvolution<TypeParam>::create(Bqm(), kMemory, this->executor_)), errors::kValueOutOfRange);
}

TEST(IsingScheduleTest, two_kinds_of_tiles_take_one_pass_more_than_layers) {
  for (std::uint32_t layers = 0; layers < 6; ++layers) {
    EXPECT_EQ(ising_passes(1, layers, false).size(), 1u);
    if (layers > 0) {
      EXPECT_EQ(ising_passes(2, layers, true).size(), layers + 1);
      EXPECT_EQ(ising_passes(3, layers, false).size(), 2 * layers + 1);
    }
  }
}

/// Every layer: its phase after all mixers of the one before, then every kind once.
TEST(IsingScheduleTest, layers_follow_each_other_on_every_kind) {
  for (std::size_t kinds = 1; kinds <= 4; ++kinds) {
    std::vector<std::uint32_t> mixed(kinds, 0);  // layers ended on each kind
    std::uint32_t phases = 0;
    for (const IsingPass& pass : ising_passes(kinds, 5, false)) {
      std::uint32_t above = mixed[pass.kind];
      for (const IsingWork& work : pass.work) {
        if (work.kind == IsingWork::Kind::kAbove) {
          EXPECT_EQ(work.after, above++);
          EXPECT_LT(work.after, phases + (mixed[pass.kind] < phases ? 1 : 0));
          continue;
        }
        if (work.before != IsingWork::kNoLayer) {
          EXPECT_EQ(work.before, mixed[pass.kind]++);
        }
        if (work.phase != IsingWork::kNoLayer) {
          EXPECT_THAT(mixed, ::testing::Each(phases));
          EXPECT_EQ(work.phase, phases++);
        }
        if (work.after != IsingWork::kNoLayer) {
          EXPECT_EQ(work.after, mixed[pass.kind]++);
        }
      }
      EXPECT_EQ(above, mixed[pass.kind]);
    }
    EXPECT_THAT(mixed, ::testing::Each(5u));
  }
}

TEST(IsingScheduleTest, kinds_of_tiles_mix_every_bit_once) {
  for (std::uint32_t n = 1; n <= 36; ++n) {
    const IsingShape shape{.lane_bits = 4, .leaf_bits = 10, .tile_bits = 16, .row_bits = 8};
    std::vector<std::uint32_t> times(n);
    for (const TileKind& kind : tile_kinds(n, shape)) {
      EXPECT_LE(kind.order.tile_bits() - (kind.in_a_row ? 0 : shape.lane_bits - kind.row_bits),
                shape.tile_bits + kWiderBits);
      for (std::uint32_t at = kind.first; at < kind.last; ++at) ++times[kind.order.bits[at]];
    }
    EXPECT_THAT(times, ::testing::Each(1u)) << n;
    EXPECT_LE(tile_kinds(n, shape).size(), n <= 32 ? 2u : 3u) << n;
    if (n <= 28) {  // no larger than they have to be
      EXPECT_LE(tile_kinds(n, shape).front().order.tile_bits(), shape.tile_bits) << n;
    }
  }
}

}  // namespace
}  // namespace tandem::statevector
