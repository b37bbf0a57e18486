#include "tandem/compute/solve/coloring_kernels.h"

namespace tandem::solve::TANDEM_ISA {
namespace {

#if defined(__AVX512F__)
constexpr std::size_t kRegister = 64;
#elif defined(__AVX2__)
constexpr std::size_t kRegister = 32;
#else
constexpr std::size_t kRegister = 16;
#endif

constexpr std::size_t kLanes = kRegister / sizeof(std::int32_t);
static_assert(kColorBlock % kLanes == 0);
typedef std::int32_t Fields __attribute__((vector_size(kRegister), may_alias));

inline Fields less_of(Fields a, Fields b) { return a < b ? a : b; }

inline std::int32_t least_lane(Fields lanes) {
  std::int32_t out = lanes[0];
  for (std::size_t k = 1; k < kLanes; ++k) out = lanes[k] < out ? lanes[k] : out;
  return out;
}

LeastChange scan(const ColorRows& it) {
  const std::int32_t now = it.now;
  const Fields none = Fields{} + kNoMove;
  const std::size_t stride = it.stride;
  LeastChange out = {kNoMove, kNoMove};
  for (std::size_t i = 0; i < it.num_nodes; ++i) {
    const std::size_t node = it.nodes[i];
    const std::int32_t* const counts = it.counts + node * stride;
    const std::int32_t* const until = it.until + node * stride;
    Fields free = none;
    Fields any = none;
    for (std::size_t k = 0; k < stride; k += kLanes) {
      const auto count = *reinterpret_cast<const Fields*>(counts + k);
      const auto end = *reinterpret_cast<const Fields*>(until + k);
      free = less_of(free, end <= now ? count : none);
      any = less_of(any, end != kColorNever ? count : none);
    }
    const std::int32_t own = counts[it.colors[node]];
    const std::int32_t of_free = least_lane(free);
    const std::int32_t of_any = least_lane(any);
    const std::int32_t change = of_free == kNoMove ? kNoMove : of_free - own;
    it.least[i] = change;
    out.free = change < out.free ? change : out.free;
    if (of_any != kNoMove && of_any - own < out.any) out.any = of_any - own;
  }
  return out;
}

}  // namespace

extern const ColoringKernels kColoringKernels = {&scan};

}  // namespace tandem::solve::TANDEM_ISA
