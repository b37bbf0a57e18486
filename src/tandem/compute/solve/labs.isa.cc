#include "tandem/compute/solve/labs_kernels.h"

namespace tandem::solve::TANDEM_ISA {
namespace {

#if defined(__AVX512BW__)
constexpr std::size_t kBytes = 64;
#elif defined(__AVX2__)
constexpr std::size_t kBytes = 32;
#else
constexpr std::size_t kBytes = 16;
#endif

template <class Lane>
struct VectorOf {
  typedef Lane Aligned __attribute__((vector_size(kBytes)));
  typedef Lane Anywhere __attribute__((vector_size(kBytes), aligned(sizeof(Lane)), may_alias));
};
template <class Lane>
using Vector = typename VectorOf<Lane>::Aligned;
template <class Lane>
constexpr std::size_t kWidth = kBytes / sizeof(Lane);
static_assert(kLabsBlock % kWidth<std::int16_t> == 0);

template <class Lane>
inline Vector<Lane> load(const Lane* from) {
  return *reinterpret_cast<const typename VectorOf<Lane>::Anywhere*>(from);
}

template <class Lane>
inline void store(Lane* to, Vector<Lane> value) {
  *reinterpret_cast<typename VectorOf<Lane>::Anywhere*>(to) = value;
}

template <class Lane>
constexpr Lane kNever = static_cast<Lane>(~(std::uint64_t{1} << (8 * sizeof(Lane) - 1)));  // the greatest

template <class Lane>
inline Vector<Lane> lesser(Vector<Lane> a, Vector<Lane> b) {
  return a < b ? a : b;
}

/// Halves by halves. A loop over the lanes would be taken one lane at a time.
template <class Lane>
inline Lane least_of(Vector<Lane> lanes) {
#pragma GCC unroll 8
  for (std::size_t far = kWidth<Lane> / 2; far > 0; far /= 2) {
    Vector<Lane> other;
#pragma GCC unroll 32
    for (std::size_t k = 0; k < kWidth<Lane>; ++k) other[k] = lanes[k ^ far];
    lanes = lesser<Lane>(lanes, other);
  }
  return lanes[0];
}

template <class Lane>
void flip(const LabsArrays<Lane>& it, std::size_t spin) {
  const std::size_t lanes = it.num_lanes;
  Lane* const spins = it.spins + lanes;
  const Lane s = spins[spin];
  const Lane twice = static_cast<Lane>(2 * s);
  const Lane four = static_cast<Lane>(4 * s);
  const Lane own =
      static_cast<Lane>(it.field[spin] - twice * (static_cast<Lane>(it.num_spins) - 2 + it.diagonal[spin]));
  const Lane* const mirrored = it.reversed + 2 * (lanes - spin);
  const Lane* const half = it.halves[spin % 2] + lanes - (spin + 1) / 2;
  const Lane* const correlation = it.correlation + lanes - spin;
  Lane* const convolution = it.convolution + spin;
  const Lane diagonal = it.diagonal[spin];
  const Lane doubled = convolution[spin];
  for (std::size_t j = 0; j < lanes; j += kWidth<Lane>) {
    const Vector<Lane> here = load(spins + j);
    const Vector<Lane> sums = load(convolution + j);
    const Vector<Lane> change = 4 * (2 * here + load(mirrored + j)) - twice * (2 * load(correlation + j) + sums);
    store(it.field + j, load(it.field + j) + change);
    store(convolution + j, sums - four * here);
    store(it.diagonal + j, load(it.diagonal + j) - four * load(half + j));
  }
  it.field[spin] = own;
  convolution[spin] = doubled;
  it.diagonal[spin] = diagonal;
  const Lane* const after = spins + spin - lanes;
  const Lane* const before = it.reversed + lanes - spin;
  for (std::size_t d = 0; d < 2 * lanes; d += kWidth<Lane>) {
    store(it.correlation + d, load(it.correlation + d) - twice * (load(after + d) + load(before + d)));
  }
  it.correlation[lanes] = 0;
  const Lane turned = static_cast<Lane>(-s);
  spins[spin] = turned;
  it.reversed[2 * lanes - spin] = turned;
  it.halves[spin % 2][lanes + spin / 2] = turned;
}

template <class Lane>
inline Vector<Lane> value_at(const LabsArrays<Lane>& it, std::size_t j) {
  return load(it.diagonal + j) - load(it.spins + it.num_lanes + j) * load(it.field + j);
}

template <class Lane>
LabsChoice<Lane> choose(const LabsArrays<Lane>& it, const LabsRule<Lane>& rule) {
  const Vector<Lane> never = kNever<Lane> - Vector<Lane>{};
  Vector<Lane> all = never;
  Vector<Lane> free = never;
  for (std::size_t j = 0; j < it.num_lanes; j += kWidth<Lane>) {
    const Vector<Lane> value = value_at(it, j);
    all = lesser<Lane>(all, value);
    free = lesser<Lane>(free, load(it.tabu_until + j) > rule.iteration ? never : value);
  }
  const Lane least = least_of<Lane>(all);
  const Lane least_free = least_of<Lane>(free);
  const bool any = least < rule.aspired || least_free == kNever<Lane>;
  const Lane wanted = any ? least : least_free;
  const Lane iteration = any ? kNever<Lane> : rule.iteration;
  Vector<Lane> first = never;
  for (std::size_t j = 0; j < it.num_lanes; j += kWidth<Lane>) {
    const Vector<Lane> turn = (load(it.number + j) - rule.turn) & static_cast<Lane>(rule.cycle - 1);
    const Vector<Lane> here = value_at(it, j) == wanted ? turn : never;
    first = lesser<Lane>(first, load(it.tabu_until + j) > iteration ? never : here);
  }
  const auto spin = static_cast<std::size_t>((least_of<Lane>(first) + rule.turn) & (rule.cycle - 1));
  return {spin, wanted, least};
}

template <class Lane>
constexpr LabsLaneKernels<Lane> kLanes = {&flip<Lane>, &choose<Lane>};

}  // namespace

extern const LabsKernels kLabsKernels = {kLanes<std::int16_t>, kLanes<std::int32_t>};

}  // namespace tandem::solve::TANDEM_ISA
