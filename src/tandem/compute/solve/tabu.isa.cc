#include "tandem/compute/solve/tabu_kernels.h"

namespace tandem::solve::TANDEM_ISA {
namespace {

template <class Field>
constexpr Field kNever = static_cast<Field>(~(Field{1} << (8 * sizeof(Field) - 1)));  // the greatest

template <class Weight, class Field>
inline void add_block(const TabuRow<Weight, Field>& it, std::size_t begin) {
  Field* __restrict flip = it.flip + begin;
  const Weight* __restrict row = it.row + begin;
  const Weight* __restrict high = it.high + begin;
  for (std::size_t j = 0; j < kTabuBlock; ++j) {
    const auto mask = static_cast<Weight>(high[j] ^ it.down);
    flip[j] += static_cast<Weight>((row[j] ^ mask) - mask);
  }
}

template <class Weight, class Field>
void add(const TabuRow<Weight, Field>& it) {
  for (std::size_t block = 0; block < it.num_blocks; ++block) add_block(it, block * kTabuBlock);
}

template <class Weight, class Field>
void add_and_score(const TabuRow<Weight, Field>& it) {
  for (std::size_t block = 0; block < it.num_blocks; ++block) {
    add_block(it, block * kTabuBlock);
    const Field* __restrict flip = it.flip + block * kTabuBlock;
    const std::int32_t* __restrict until = it.tabu_until + block * kTabuBlock;
    Field all = kNever<Field>;
    Field free = kNever<Field>;
    for (std::size_t j = 0; j < kTabuBlock; ++j) {
      const Field value = flip[j];
      const Field masked = until[j] > it.iteration ? kNever<Field> : value;
      all = value < all ? value : all;
      free = masked < free ? masked : free;
    }
    it.least[block] = all;
    it.least_free[block] = free;
  }
}

template <class Weight, class Field>
constexpr DenseTabuKernels<Weight, Field> kDense = {&add<Weight, Field>, &add_and_score<Weight, Field>};

}  // namespace

extern const TabuKernels kTabuKernels = {kDense<std::int16_t, std::int32_t>, kDense<std::int32_t, std::int32_t>,
                                         kDense<std::int64_t, std::int64_t>};

}  // namespace tandem::solve::TANDEM_ISA
