// tandem/model/problem/testing/hard_models.h - small models whose energies doubles cannot tell apart, and their true order.
//
// Room: model, tests only. The reference is arithmetic in 128-bit integers, shared with nothing that it tests.
#pragma once

#include <array>
#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::problem {

__extension__ using Int128 = __int128;

enum class Hard : std::uint8_t {
  kHuge,  ///< whole numbers up to 2^58 beside small ones
  kDigits,  ///< whole numbers of 17 digits
  kThirds,  ///< k / 3
  kNearTies,  ///< small numbers and a few 2^-44: assignments that differ by next to nothing
  kPenalty,  ///< 10^9 times a square beside thirds
};
inline constexpr std::array kHardFamilies = {Hard::kHuge, Hard::kDigits, Hard::kThirds, Hard::kNearTies,
                                             Hard::kPenalty};

/// Every coefficient is a multiple of 2^-kHardBits and below 2^60.
inline constexpr int kHardBits = 58;

inline double hard_coefficient(Hard family, Xoshiro256& rng) {
  const auto integer = [&](int range) {
    return static_cast<double>(rng.below(static_cast<std::uint64_t>(2 * range + 1))) - range;
  };
  switch (family) {
    case Hard::kHuge:
      return rng.below(3) == 0 ? std::ldexp(integer(4), 52 + static_cast<int>(rng.below(5))) : integer(12);
    case Hard::kDigits:
      return integer(3) * 33333333333333333.0 + integer(9);
    case Hard::kNearTies:
      return integer(2) + std::ldexp(integer(3), -44);
    case Hard::kThirds:
    case Hard::kPenalty:
      break;
  }
  return integer(9) / 3;
}

inline Bqm hard_bqm(Hard family, Vartype vartype, std::uint32_t num_variables, double density, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  std::vector<double> linear(num_variables);
  std::vector<double> weights(num_variables);
  for (double& value : linear) value = hard_coefficient(family, rng);
  for (double& weight : weights) weight = static_cast<double>(rng.below(7)) - 3;
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < num_variables; ++u) {
    if (family == Hard::kPenalty) linear[u] += 1e9 * weights[u] * weights[u];
    for (std::uint32_t v = u + 1; v < num_variables; ++v) {
      double bias = rng.uniform() < density ? hard_coefficient(family, rng) : 0;
      if (family == Hard::kPenalty) bias += 2e9 * weights[u] * weights[v];
      terms.push_back({u, v, bias});
    }
  }
  return Bqm::create(vartype, std::move(linear), std::move(terms), hard_coefficient(family, rng)).value();
}

/// 2^kHardBits times the energy.
inline Int128 true_energy(const Bqm& bqm, AssignmentView values) {
  const auto whole = [](double value) {
    const double scaled = std::ldexp(value, kHardBits);
    TANDEM_ASSERT(std::trunc(scaled) == scaled && std::abs(scaled) < 0x1.0p120);
    return static_cast<Int128>(scaled);
  };
  Int128 sum = whole(bqm.offset());
  for (std::size_t i = 0; i < bqm.num_variables(); ++i) sum += whole(bqm.linear()[i]) * values[i];
  for (const QuadraticTerm& term : bqm.terms()) sum += whole(term.bias) * (values[term.u] * values[term.v]);
  return sum;
}

/// The least true energy of all assignments that `allowed` takes.
template <typename Allowed>
Int128 true_optimum(const Bqm& bqm, Allowed allowed) {
  Int128 best = 0;
  bool any = false;
  for_each_assignment(bqm.vartype(), bqm.num_variables(), [&](const Assignment& values) {
    if (!allowed(values)) return;
    const Int128 energy = true_energy(bqm, values);
    if (!any || energy < best) best = energy;
    any = true;
  });
  return best;
}

}  // namespace tandem::problem
