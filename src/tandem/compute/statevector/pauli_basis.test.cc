#include "tandem/compute/statevector/pauli_basis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace tandem::statevector {
namespace {

using observable::PauliSum;
using observable::PauliTerm;

PauliSum sum_of(std::initializer_list<std::pair<std::string_view, double>> terms) {
  std::vector<PauliTerm> parsed;
  for (const auto& [text, coefficient] : terms) parsed.push_back(PauliSum::parse_term(text, coefficient).value());
  return PauliSum::create(static_cast<std::uint32_t>(terms.begin()->first.size()), std::move(parsed)).value();
}

TEST(PauliBasis, terms_that_agree_letter_by_letter_share_a_basis) {
  // ZZI and IZZ share ZZZ; XIX and XII share XIX; the constant needs none; YZI fits neither.
  const PauliBases bases =
      group_qubit_wise(sum_of({{"ZZI", 1}, {"IZZ", 2}, {"XIX", 3}, {"XII", 4}, {"YZI", 5}, {"III", 6}}));
  EXPECT_EQ(bases.constant, 6);
  ASSERT_EQ(bases.bases.size(), 3u);
  EXPECT_EQ(PauliSum::to_string({.x = bases.bases[0].x, .z = bases.bases[0].z}, 3), "ZZZ");
  EXPECT_EQ(PauliSum::to_string({.x = bases.bases[1].x, .z = bases.bases[1].z}, 3), "XIX");
  EXPECT_EQ(PauliSum::to_string({.x = bases.bases[2].x, .z = bases.bases[2].z}, 3), "YZI");
}

TEST(PauliBasis, every_term_lands_in_exactly_one_basis_that_measures_it) {
  std::vector<PauliTerm> terms;
  for (std::uint64_t x = 0; x < 16; ++x) {
    for (std::uint64_t z = 0; z < 16; ++z) terms.push_back({.x = x, .z = z, .coefficient = 1});
  }
  const PauliBases bases = group_qubit_wise(PauliSum::create(4, terms).value());
  std::vector<PauliTerm> found{{.coefficient = bases.constant}};
  for (const PauliBasis& basis : bases.bases) {
    for (const PauliTerm& term : basis.terms) {
      const std::uint64_t support = term.x | term.z;
      EXPECT_EQ(term.x, basis.x & support);
      EXPECT_EQ(term.z, basis.z & support);
      found.push_back(term);
    }
  }
  EXPECT_THAT(found, testing::UnorderedElementsAreArray(terms));
  EXPECT_GE(bases.bases.size(), 81u);  // 3^4 strings without I, no two of them in one basis
}

TEST(PauliBasis, basis_change_is_h_for_x_and_sdg_h_for_y) {
  const PauliBases bases = group_qubit_wise(sum_of({{"XYZ", 1}}));
  std::vector<std::pair<circuit::Gate, std::uint32_t>> gates;
  for (const auto& instruction : basis_change(bases.bases[0])) {
    gates.emplace_back(instruction.gate, instruction.qubits[0]);
  }
  using circuit::Gate;
  EXPECT_THAT(gates, testing::ElementsAre(std::pair(Gate::kH, 0u), std::pair(Gate::kSdg, 1u), std::pair(Gate::kH, 1u)));
}

TEST(PauliBasis, mean_and_error_of_four_shots_by_hand) {
  // 3 Z0 - Z0 Z1 + 10 over 00, 00, 10, 11 (qubit 0 first): values 2, 2, -2, -4; mean -1/2.
  // Squares of distances 6.25 + 6.25 + 2.25 + 12.25 = 27; variance of the mean 27 / 3 / 4.
  const PauliBases bases = group_qubit_wise(sum_of({{"ZI", 3}, {"ZZ", -1}, {"II", 10}}));
  ASSERT_EQ(bases.bases.size(), 1u);
  const std::vector<BasisCount> outcomes{{0b00, 2}, {0b01, 1}, {0b11, 1}};
  result::Expectation sum;
  add_basis(bases.bases[0], outcomes, sum);
  const result::Expectation value = finish(sum, bases);
  EXPECT_EQ(value.value, 9.5);
  EXPECT_DOUBLE_EQ(value.standard_error, std::sqrt(27.0 / 12));
  EXPECT_EQ(value.shots, 4u);
}

TEST(PauliBasis, one_shot_has_the_bound_as_its_error) {
  const PauliBases bases = group_qubit_wise(sum_of({{"ZI", 3}, {"ZZ", -1}}));
  const std::vector<BasisCount> outcomes{{0, 1}};
  result::Expectation sum;
  add_basis(bases.bases[0], outcomes, sum);
  EXPECT_EQ(finish(sum, bases).standard_error, 4);
}

TEST(PauliBasis, shots_follow_the_precision) {
  const PauliBases bases = group_qubit_wise(sum_of({{"ZI", 3}, {"ZZ", -1}, {"XI", 2}}));
  circuit::Pub pub;
  pub.shots = 77;
  EXPECT_EQ(shots_per_basis(bases, pub).value(), 77u);
  pub.shots = 0;
  pub.precision = 0.5;
  EXPECT_EQ(shots_per_basis(bases, pub).value(), 80u);  // (4^2 + 2^2) / 0.25
  pub.precision = 1e-6;
  EXPECT_EQ(shots_per_basis(bases, pub).error().number, errors::kValueOutOfRange);
}

}  // namespace
}  // namespace tandem::statevector
