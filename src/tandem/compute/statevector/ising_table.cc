#include "tandem/compute/statevector/ising_table.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/amplitudes.h"

namespace tandem::statevector {
namespace {

constexpr std::uint32_t kBlockBits = 12;  // 32 KiB of doubles

struct MaskedTerm {
  std::uint64_t mask = 0;
  double coefficient = 0;
};

std::vector<MaskedTerm> masked_terms(const problem::Polynomial& spins) {
  std::vector<MaskedTerm> out;
  for (const problem::Monomial& term : spins.terms()) {
    MaskedTerm now{.coefficient = term.coefficient};
    for (const std::uint32_t variable : term.variables) now.mask |= std::uint64_t{1} << variable;
    if (now.mask != 0) out.push_back(now);
  }
  return out;
}

}  // namespace

template <class Real>
void fill_energy_table(const problem::Polynomial& spins, std::uint32_t num_bits, Real* table, Executor& executor) {
  TANDEM_ASSERT(spins.vartype() == problem::Vartype::kSpin);
  const std::vector<MaskedTerm> terms = masked_terms(spins);
  const std::uint32_t block_bits = std::min(num_bits, kBlockBits);
  const std::uint64_t size = std::uint64_t{1} << block_bits;
  for_blocks(executor, std::uint64_t{1} << (num_bits - block_bits), [&](std::size_t block) {
    // By the bits of the block alone: what the others make of each coefficient, and then all sums of signs.
    std::vector<double> sums(size);
    for (const MaskedTerm& term : terms) {
      const bool negative = std::popcount(term.mask >> block_bits & ~std::uint64_t{block}) % 2 != 0;
      sums[term.mask & (size - 1)] += negative ? -term.coefficient : term.coefficient;
    }
    for (std::uint64_t step = 1; step < size; step *= 2)
      for (std::uint64_t first = 0; first < size; first += 2 * step)
        for (std::uint64_t i = first; i < first + step; ++i) {
          const double without = sums[i];
          const double with = sums[i + step];
          sums[i] = without - with;
          sums[i + step] = without + with;
        }
    std::ranges::transform(sums, table + block * size, [](double sum) { return static_cast<Real>(sum); });
  });
}

template void fill_energy_table<float>(const problem::Polynomial&, std::uint32_t, float*, Executor&);
template void fill_energy_table<double>(const problem::Polynomial&, std::uint32_t, double*, Executor&);

}  // namespace tandem::statevector
