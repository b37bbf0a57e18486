#include "tandem/middleware/ansatz/qaoa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>

#include "tandem/base/rng.h"
#include "tandem/middleware/ansatz/testing/circuit_state.h"

namespace tandem::ansatz {
namespace {

using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

problem::Assignment spins_of(std::uint64_t z, std::size_t n) {
  problem::Assignment out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = ((z >> i) & 1u) != 0 ? std::int8_t{1} : std::int8_t{-1};
  return out;
}

/// The state by its definition: phases exp(-i gamma E / scale), then exp(+i beta X) on each qubit. Independent of circuits.
std::vector<Complex> state_by_definition(const Bqm& spins, const QaoaAngles& angles) {
  const std::size_t n = spins.num_variables();
  const double scale = qaoa_scale(spins);
  std::vector<Complex> psi(std::size_t{1} << n, 1 / std::sqrt(std::ldexp(1.0, static_cast<int>(n))));
  for (std::size_t l = 0; l < angles.gammas.size(); ++l) {
    for (std::uint64_t z = 0; z < psi.size(); ++z)
      psi[z] *= std::exp(Complex(0, -angles.gammas[l] / scale * (spins.energy(spins_of(z, n)) - spins.offset())));
    const Complex c = std::cos(angles.betas[l]);
    const Complex is = Complex(0, std::sin(angles.betas[l]));
    for (std::size_t q = 0; q < n; ++q)
      for (std::uint64_t z = 0; z < psi.size(); ++z) {
        if (((z >> q) & 1u) != 0) continue;
        const std::uint64_t w = z | (std::uint64_t{1} << q);
        const Complex a = psi[z];
        psi[z] = c * a + is * psi[w];
        psi[w] = is * a + c * psi[w];
      }
  }
  return psi;
}

/// The same from a warm start: exp(+i beta (sin X + cos Z)) on each qubit, about the axis of its start.
std::vector<Complex> warm_state_by_definition(const Bqm& spins, const QaoaAngles& angles,
                                              const std::vector<double>& ones) {
  const std::size_t n = spins.num_variables();
  const double scale = qaoa_scale(spins);
  std::vector<Complex> psi(std::size_t{1} << n, 1);
  for (std::uint64_t z = 0; z < psi.size(); ++z)
    for (std::size_t q = 0; q < n; ++q) psi[z] *= std::sqrt((z >> q & 1) != 0 ? ones[q] : 1 - ones[q]);
  for (std::size_t l = 0; l < angles.gammas.size(); ++l) {
    for (std::uint64_t z = 0; z < psi.size(); ++z)
      psi[z] *= std::exp(Complex(0, -angles.gammas[l] / scale * (spins.energy(spins_of(z, n)) - spins.offset())));
    const Complex c = std::cos(angles.betas[l]);
    const Complex is = Complex(0, std::sin(angles.betas[l]));
    for (std::size_t q = 0; q < n; ++q) {
      const double x = 2 * std::sqrt(ones[q] * (1 - ones[q]));
      const double along = 1 - 2 * ones[q];
      for (std::uint64_t z = 0; z < psi.size(); ++z) {
        if (((z >> q) & 1u) != 0) continue;
        const std::uint64_t w = z | (std::uint64_t{1} << q);
        const Complex a = psi[z];
        psi[z] = (c + is * along) * a + is * x * psi[w];
        psi[w] = is * x * a + (c - is * along) * psi[w];
      }
    }
  }
  return psi;
}

bool keeps(std::uint64_t z, std::span<const problem::Cardinality> kept) {
  return std::all_of(kept.begin(), kept.end(), [&](const problem::Cardinality& one) {
    std::uint32_t ones = 0;
    for (const std::uint32_t v : one.variables) ones += (z >> v & 1u) != 0 ? 1 : 0;
    return ones == one.ones;
  });
}

Bqm random_spins(Xoshiro256& rng, std::uint32_t n) {
  std::vector<double> linear(n);
  for (double& h : linear) h = 2 * rng.uniform() - 1;
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u)
    for (std::uint32_t v = u + 1; v < n; ++v) terms.push_back({u, v, 2 * rng.uniform() - 1});
  return *Bqm::create(Vartype::kSpin, std::move(linear), std::move(terms), 3);
}

double mean_energy(const std::vector<Complex>& psi, const Bqm& spins) {
  double out = 0;
  for (std::uint64_t z = 0; z < psi.size(); ++z)
    out += std::norm(psi[z]) * spins.energy(spins_of(z, spins.num_variables()));
  return out;
}

/// Ring of n nodes as Max-Cut to be minimised: sum of s_u s_v / 2 - n / 2.
Bqm ring(std::uint32_t n) {
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u) terms.push_back({std::min(u, (u + 1) % n), std::max(u, (u + 1) % n), 0.5});
  return *Bqm::create(Vartype::kSpin, std::vector<double>(n, 0), std::move(terms), -0.5 * n);
}

/// The complete bipartite graph K33: 3-regular, triangle-free, cut 9.
Bqm k33() {
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < 3; ++u)
    for (std::uint32_t v = 3; v < 6; ++v) terms.push_back({u, v, 0.5});
  return *Bqm::create(Vartype::kSpin, std::vector<double>(6, 0), std::move(terms), -4.5);
}

TEST(Qaoa, the_circuit_prepares_the_state_of_the_definition) {
  Xoshiro256 rng(1);
  for (int round = 0; round < 20; ++round) {
    const Bqm spins = random_spins(rng, 2 + static_cast<std::uint32_t>(rng.below(4)));
    const QaoaAngles angles{.gammas = {rng.uniform(), rng.uniform()}, .betas = {rng.uniform(), rng.uniform()}};
    const auto circuit = qaoa_circuit(spins, angles);
    ASSERT_TRUE(circuit);
    const auto expected = state_by_definition(spins, angles);
    const auto got = state_of_circuit(*circuit);
    Complex overlap = 0;
    for (std::size_t z = 0; z < got.size(); ++z) overlap += std::conj(expected[z]) * got[z];
    EXPECT_NEAR(std::abs(overlap), 1, 1e-10);
  }
}

TEST(Qaoa, a_binary_model_and_its_spin_form_give_the_same_circuit) {
  Xoshiro256 rng(2);
  const Bqm spins = random_spins(rng, 4);
  const QaoaAngles angles = linear_ramp(2);
  const auto a = state_of_circuit(*qaoa_circuit(spins, angles));
  const auto b = state_of_circuit(*qaoa_circuit(spins.with_vartype(Vartype::kBinary), angles));
  for (std::size_t z = 0; z < a.size(); ++z) EXPECT_NEAR(std::abs(a[z] - b[z]), 0, 1e-9);
}

TEST(Qaoa, one_layer_on_a_ring_reaches_three_quarters_of_the_cut) {
  // Farhi, Goldstone, Gutmann 2014: (2p+1)/(2p+2) on an even ring; for p = 1 at beta = pi/8 and,
  // with phase exp(-i gamma C), gamma = pi/4: 1/2 + 1/2 sin(4 beta) sin(gamma) cos(gamma) an edge.
  const Bqm spins = ring(8);
  const double unit = qaoa_scale(spins);  // gammas are in units of the local field
  const QaoaAngles angles{.gammas = {M_PI / 4 * unit}, .betas = {M_PI / 8}};
  EXPECT_NEAR(-mean_energy(state_by_definition(spins, angles), spins), 6, 1e-9);
  EXPECT_NEAR(-mean_energy(state_of_circuit(*qaoa_circuit(spins, angles)), spins), 6, 1e-9);
}

TEST(ChooseAngles, a_regular_graph_gets_the_table_and_at_least_its_guarantee) {
  // arXiv 2107.00677: approximation ratios guaranteed on 3-regular graphs for p = 1, 2, 3.
  const double guarantee[] = {0.6924, 0.7559, 0.7923};
  const Bqm spins = k33();
  for (std::uint32_t p = 1; p <= 3; ++p) {
    const QaoaAngles angles = choose_angles(spins, p);
    EXPECT_THAT(angles.schedule, testing::HasSubstr("fixed_angles(d=3"));
    EXPECT_GE(-mean_energy(state_of_circuit(*qaoa_circuit(spins, angles)), spins) / 9, guarantee[p - 1] - 1e-3) << p;
  }
}

TEST(LinearRamp, beats_uniform_sampling_on_random_models_and_more_layers_help_on_average) {
  Xoshiro256 rng(3);
  double one = 0;
  double four = 0;
  for (int round = 0; round < 30; ++round) {
    const Bqm spins = random_spins(rng, 6);
    const double uniform = spins.offset();  // every spin averages out
    const double e1 = mean_energy(state_of_circuit(*qaoa_circuit(spins, linear_ramp(1))), spins);
    const double e4 = mean_energy(state_of_circuit(*qaoa_circuit(spins, linear_ramp(4))), spins);
    EXPECT_LT(e1, uniform);
    one += e1;
    four += e4;
  }
  EXPECT_LT(four, one);
}

TEST(QaoaScale, does_not_change_with_the_vartype_and_follows_the_unit_of_the_coefficients) {
  Xoshiro256 rng(4);
  const Bqm spins = random_spins(rng, 5);
  EXPECT_NEAR(qaoa_scale(spins.with_vartype(Vartype::kBinary)), qaoa_scale(spins), 1e-12);
  std::vector<double> linear(spins.linear().begin(), spins.linear().end());
  for (double& h : linear) h *= 1000;
  std::vector<QuadraticTerm> terms(spins.terms().begin(), spins.terms().end());
  for (QuadraticTerm& term : terms) term.bias *= 1000;
  EXPECT_NEAR(qaoa_scale(*Bqm::create(Vartype::kSpin, linear, terms, 0)), 1000 * qaoa_scale(spins), 1e-9);
  EXPECT_EQ(qaoa_scale(*Bqm::create(Vartype::kSpin, {0, 0}, {}, 1)), 1);
}

/// The state with cardinalities by its definition, independent of circuits: uniform over the kept states, phases, then each
/// pair exp(+i (2 beta / d) (XX + YY)/2), which rotates 01 and 10 into each other.
std::vector<Complex> kept_state_by_definition(const Bqm& spins, const QaoaAngles& angles,
                                              std::span<const problem::Cardinality> kept) {
  const std::size_t n = spins.num_variables();
  const double scale = qaoa_scale(spins, kept);
  std::uint64_t inside = 0;
  for (const problem::Cardinality& one : kept)
    for (const std::uint32_t v : one.variables) inside |= std::uint64_t{1} << v;
  std::vector<Complex> psi(std::size_t{1} << n, 0);
  double states = 0;
  for (std::uint64_t z = 0; z < psi.size(); ++z) {
    psi[z] = keeps(z, kept) ? 1 : 0;
    states += keeps(z, kept) ? 1 : 0;
  }
  for (Complex& amplitude : psi) amplitude /= std::sqrt(states);
  const auto rotate = [&](std::uint64_t from, std::uint64_t to, double angle) {
    const Complex a = psi[from];
    psi[from] = std::cos(angle) * a + Complex(0, std::sin(angle)) * psi[to];
    psi[to] = std::cos(angle) * psi[to] + Complex(0, std::sin(angle)) * a;
  };
  for (std::size_t l = 0; l < angles.gammas.size(); ++l) {
    for (std::uint64_t z = 0; z < psi.size(); ++z)
      psi[z] *= std::exp(Complex(0, -angles.gammas[l] / scale * (spins.energy(spins_of(z, n)) - spins.offset())));
    for (std::size_t q = 0; q < n; ++q) {
      if ((inside >> q & 1u) != 0) continue;
      for (std::uint64_t z = 0; z < psi.size(); ++z)
        if ((z >> q & 1u) == 0) rotate(z, z | std::uint64_t{1} << q, angles.betas[l]);
    }
    for (const problem::Cardinality& one : kept) {
      const std::vector<std::uint32_t>& v = one.variables;
      for (std::size_t d = 1; d < v.size(); ++d)
        for (std::size_t a = 0; a + d < v.size(); ++a)
          for (std::uint64_t z = 0; z < psi.size(); ++z)
            if ((z >> v[a] & 1u) == 1 && (z >> v[a + d] & 1u) == 0)
              rotate(z, z ^ (std::uint64_t{1} << v[a]) ^ (std::uint64_t{1} << v[a + d]),
                     2 * angles.betas[l] / static_cast<double>(v.size() - 1));
    }
  }
  return psi;
}

const std::vector<problem::Cardinality> kKept = {{.variables = {0, 2, 3, 5}, .ones = 2},
                                                 {.variables = {1, 6}, .ones = 1}};

TEST(QaoaWithCardinalities, the_circuit_prepares_the_state_of_the_definition) {
  Xoshiro256 rng(5);
  for (int round = 0; round < 10; ++round) {
    const Bqm spins = random_spins(rng, 7);  // qubit 4 is free
    const QaoaAngles angles{.gammas = {rng.uniform(), rng.uniform()}, .betas = {rng.uniform(), rng.uniform()}};
    const auto expected = kept_state_by_definition(spins, angles, kKept);
    const auto got = state_of_circuit(*qaoa_circuit(spins, angles, {.cardinalities = kKept}));
    Complex overlap = 0;
    for (std::size_t z = 0; z < got.size(); ++z) overlap += std::conj(expected[z]) * got[z];
    EXPECT_NEAR(std::abs(overlap), 1, 1e-10);
  }
}

TEST(QaoaWithCardinalities, every_depth_keeps_the_numbers_of_ones) {
  Xoshiro256 rng(6);
  for (const Depth depth : {Depth::kFree, Depth::kShallow})
    for (std::uint32_t ones = 0; ones <= 6; ++ones) {
      const std::vector<problem::Cardinality> kept = {{.variables = {0, 1, 2, 4, 5, 6}, .ones = ones}};
      const auto circuit = qaoa_circuit(random_spins(rng, 7), linear_ramp(2), {.cardinalities = kept, .depth = depth});
      ASSERT_TRUE(circuit);
      EXPECT_TRUE(depth == Depth::kFree || circuit->count_of(3) == 0);
      double outside = 0;
      const auto psi = state_of_circuit(*circuit);
      for (std::uint64_t z = 0; z < psi.size(); ++z) outside += keeps(z, kept) ? 0 : std::norm(psi[z]);
      EXPECT_NEAR(outside, 0, 1e-12) << ones;
    }
}

TEST(QaoaWithCardinalities, a_penalty_on_the_kept_rows_changes_nothing_and_costs_no_gates) {
  // A chain of couplings, and the same with 3 (x0 + ... + x5 - 2)^2 on top, which couples every pair.
  const std::vector<problem::Cardinality> kept = {{.variables = {0, 1, 2, 3, 4, 5}, .ones = 2}};
  std::vector<QuadraticTerm> chain;
  for (std::uint32_t u = 0; u < 5; ++u) chain.push_back({u, u + 1, 0.5 + u});
  std::vector<QuadraticTerm> penalised = chain;
  for (std::uint32_t u = 0; u < 6; ++u)
    for (std::uint32_t v = u + 1; v < 6; ++v) penalised.push_back({u, v, 6});
  const Bqm plain = *Bqm::create(Vartype::kBinary, {1, -2, 0, 2, 1, -1}, chain, 0);
  std::vector<double> linear(plain.linear().begin(), plain.linear().end());
  for (double& a : linear) a += 3 - 12;
  const Bqm full = *Bqm::create(Vartype::kBinary, linear, penalised, 12);
  EXPECT_NEAR(qaoa_scale(full, kept), qaoa_scale(plain, kept), 1e-12);
  const auto a = *qaoa_circuit(plain, linear_ramp(2), {.cardinalities = kept});
  const auto b = *qaoa_circuit(full, linear_ramp(2), {.cardinalities = kept});
  EXPECT_EQ(a.count_of(2), b.count_of(2));
  const auto before = state_of_circuit(a);
  const auto after = state_of_circuit(b);
  for (std::size_t z = 0; z < before.size(); ++z) EXPECT_NEAR(std::norm(before[z]), std::norm(after[z]), 1e-12);
}

TEST(QaoaWithCardinalities, a_shallow_circuit_of_a_common_factor_needs_no_couplings_and_is_exact) {
  // J_ab = r_a + r_b, which under a fixed number of ones is a field.
  const std::vector<problem::Cardinality> kept = {{.variables = {0, 1, 2, 3, 4, 5}, .ones = 2}};
  const std::array<double, 6> r = {0.3, -0.7, 1.1, 0.2, -0.4, 0.9};
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < 6; ++u)
    for (std::uint32_t v = u + 1; v < 6; ++v) terms.push_back({u, v, r[u] + r[v]});
  const Bqm spins = *Bqm::create(Vartype::kSpin, {0.1, 0.2, -0.3, 0.4, 0, 0.5}, terms, 0);
  // s sums to 2 - 4 = -2, so the couplings are the fields -2 r_a.
  std::vector<double> fields(spins.linear().begin(), spins.linear().end());
  for (std::size_t a = 0; a < 6; ++a) fields[a] -= 2 * r[a];
  const Bqm equal = *Bqm::create(Vartype::kSpin, fields, {}, 0);
  EXPECT_NEAR(qaoa_scale(equal, kept), qaoa_scale(spins, kept), 1e-12);
  const QaoaOptions options{.cardinalities = kept, .depth = Depth::kShallow};
  const auto expected = state_of_circuit(*qaoa_circuit(equal, linear_ramp(2), options));
  const auto got = state_of_circuit(*qaoa_circuit(spins, linear_ramp(2), options));
  for (std::size_t z = 0; z < got.size(); ++z) EXPECT_NEAR(std::norm(got[z]), std::norm(expected[z]), 1e-9);
}

TEST(QaoaWithCardinalities, a_shallow_circuit_has_fewer_gates_and_still_finds_better_samples_than_uniform_ones) {
  Xoshiro256 rng(9);
  const std::vector<problem::Cardinality> kept = {{.variables = {0, 1, 2, 3, 4, 5, 6, 7}, .ones = 4}};
  for (int round = 0; round < 10; ++round) {
    const Bqm spins = random_spins(rng, 8);
    double uniform = 0;
    for (std::uint64_t z = 0; z < 256; ++z) uniform += keeps(z, kept) ? spins.energy(spins_of(z, 8)) / 70 : 0;
    const auto shallow = qaoa_circuit(spins, linear_ramp(3), {.cardinalities = kept, .depth = Depth::kShallow});
    EXPECT_LT(shallow->count_of(2), 3 * (28u + 8u)) << "28 couplings and a ring of 8";
    EXPECT_LT(mean_energy(state_of_circuit(*shallow), spins), uniform);
  }
}

TEST(QaoaScale, with_cardinalities_is_half_the_energy_change_of_a_move_over_all_moves_and_states) {
  Xoshiro256 rng(7);
  for (int round = 0; round < 10; ++round) {
    const Bqm spins = random_spins(rng, 7);
    double sum = 0;
    const auto energy = [&](std::uint64_t z) { return spins.energy(spins_of(z, 7)); };
    const auto mean_square = [&](std::uint64_t moved, bool exchange) {
      double squares = 0;
      double count = 0;
      for (std::uint64_t z = 0; z < 128; ++z) {
        if (!keeps(z, kKept) || (exchange && !keeps(z ^ moved, kKept))) continue;
        squares += std::pow((energy(z) - energy(z ^ moved)) / 2, 2);
        count += 1;
      }
      return squares / count;
    };
    sum += mean_square(1u << 4, false);
    for (const problem::Cardinality& one : kKept) {
      const std::size_t size = one.variables.size();
      double pairs = 0;
      for (std::size_t a = 0; a < size; ++a)
        for (std::size_t b = a + 1; b < size; ++b)
          pairs += mean_square((1u << one.variables[a]) | (1u << one.variables[b]), true);
      sum += pairs / (static_cast<double>(size - 1) / 2);
    }
    EXPECT_NEAR(qaoa_scale(spins, kKept), std::sqrt(sum / 7), 1e-9);
  }
}

TEST(LinearRamp, with_cardinalities_finds_the_optimum_far_more_often_than_uniform_sampling_that_keeps_them) {
  Xoshiro256 rng(8);
  const std::vector<problem::Cardinality> kept = {{.variables = {0, 1, 2, 3, 4, 5, 6, 7}, .ones = 3}};
  double ten = 0;
  double one = 0;
  for (int round = 0; round < 20; ++round) {
    const Bqm spins = random_spins(rng, 8);
    std::uint64_t best = 7;
    for (std::uint64_t z = 0; z < 256; ++z)
      if (keeps(z, kept) && spins.energy(spins_of(z, 8)) < spins.energy(spins_of(best, 8))) best = z;
    ten += std::norm(state_of_circuit(*qaoa_circuit(spins, linear_ramp(10), {.cardinalities = kept}))[best]) / 20;
    one += std::norm(state_of_circuit(*qaoa_circuit(spins, linear_ramp(1), {.cardinalities = kept}))[best]) / 20;
  }
  EXPECT_GT(one, 1.0 / 56);  // 56 states have three ones
  EXPECT_GT(ten, 10.0 / 56);
}

TEST(Qaoa, unequal_numbers_of_angles_are_refused) {
  EXPECT_EQ(qaoa_circuit(ring(4), {.gammas = {1, 2}, .betas = {1}}).error().number, errors::kSizeMismatch);
}

TEST(Qaoa, a_warm_start_leans_to_the_solution_and_mixes_about_that_axis) {
  EXPECT_EQ(warm_start(problem::Assignment{1, 0, -1}), (std::vector<double>{0.75, 0.25, 0.25}));
  Xoshiro256 rng(21);
  for (std::uint32_t n = 1; n <= 6; ++n) {
    const Bqm spins = random_spins(rng, n);
    std::vector<double> ones(n);
    for (double& share : ones) share = rng.uniform();
    const QaoaAngles angles = linear_ramp(1 + n % 3);
    const auto expected = warm_state_by_definition(spins, angles, ones);
    const auto got = state_of_circuit(*qaoa_circuit(spins, angles, {.ones = ones}));
    Complex overlap = 0;
    for (std::uint64_t z = 0; z < got.size(); ++z) overlap += std::conj(expected[z]) * got[z];
    EXPECT_NEAR(std::abs(overlap), 1, 1e-12) << n;
  }
}

}  // namespace
}  // namespace tandem::ansatz
