#include "tandem/compute/solve/replica_kernels.h"

namespace tandem::solve::TANDEM_ISA {
namespace {

#if defined(__AVX512BW__)
constexpr std::size_t kVector = 64;
#elif defined(__AVX2__)
constexpr std::size_t kVector = 32;
#else
constexpr std::size_t kVector = 16;
#endif

// Bytes as they lie in memory and are counted.
constexpr std::size_t kByteVector = kVector < kReplicas ? kVector : kReplicas;
constexpr std::size_t kByteVectors = kReplicas / kByteVector;
typedef std::int8_t Bytes __attribute__((vector_size(kByteVector), may_alias));

/// Vectors of fields, and the bytes of as many replicas. Sums are unsigned, for they may pass the width on their way.
template <class Field>
struct Lanes;
template <>
struct Lanes<std::int16_t> {
  using Sum = std::uint16_t;
  using Gain = std::int32_t;
  typedef std::uint16_t Sums __attribute__((vector_size(kVector)));
  typedef std::int16_t Signed __attribute__((vector_size(kVector)));
  typedef std::int16_t Unaligned __attribute__((vector_size(kVector), aligned(2), may_alias));
  typedef std::int8_t Narrow __attribute__((vector_size(kVector / 2), may_alias));
  typedef std::int32_t Gains __attribute__((vector_size(kVector)));
  typedef std::int16_t Half __attribute__((vector_size(kVector / 2), may_alias));
};
template <>
struct Lanes<std::int32_t> {
  using Sum = std::uint32_t;
  using Gain = std::int64_t;
  typedef std::uint32_t Sums __attribute__((vector_size(kVector)));
  typedef std::int32_t Signed __attribute__((vector_size(kVector)));
  typedef std::int32_t Unaligned __attribute__((vector_size(kVector), aligned(4), may_alias));
  typedef std::int8_t Narrow __attribute__((vector_size(kVector / 4), may_alias));
  typedef std::int64_t Gains __attribute__((vector_size(kVector)));
  typedef std::int32_t Half __attribute__((vector_size(kVector / 2), may_alias));
};
template <class Field>
constexpr std::size_t kFieldVectors = kReplicas * sizeof(Field) / kVector;

/// Replicas `part` of some of one variable, 0 or -1 (or a count), as wide as fields.
template <class Field>
inline typename Lanes<Field>::Sums widened(const void* bytes, std::size_t part) {
  using L = Lanes<Field>;
  const auto narrow = static_cast<const typename L::Narrow*>(bytes)[part];
  return (typename L::Sums) __builtin_convertvector(narrow, typename L::Signed);
}

/// The fields of the variable that the walk is at; moves on to the next one.
template <class Field>
inline void take_fields(ReplicaWalk& walk, const ReplicaBits* bits, typename Lanes<Field>::Sums* fields) {
  using L = Lanes<Field>;
  for (std::size_t k = 0; k < kFieldVectors<Field>; ++k) {
    fields[k] = typename L::Sums{} + static_cast<typename L::Sum>(walk.row->linear);
  }
  const ReplicaRun* runs_end = walk.run + walk.row->num_runs;
  const std::uint32_t* neighbour = walk.neighbour;
  for (; walk.run != runs_end; ++walk.run) {
    Bytes counts[kByteVectors] = {};
    for (const std::uint32_t* end = neighbour + walk.run->count; neighbour != end; ++neighbour) {
      const auto* bytes = reinterpret_cast<const Bytes*>(bits[*neighbour].high);
      for (std::size_t k = 0; k < kByteVectors; ++k) counts[k] += bytes[k];
    }
    const auto weight = static_cast<typename L::Sum>(walk.run->weight);
    for (std::size_t k = 0; k < kFieldVectors<Field>; ++k) fields[k] -= widened<Field>(counts, k) * weight;
  }
  walk.neighbour = neighbour;
  ++walk.row;
  ++walk.next;
}

/// Marsaglia 2003, "Xorshift RNGs" (J. Stat. Soft. 8).
inline std::uint64_t step(std::uint64_t x) {
  x ^= x << 13;
  x ^= x >> 7;
  x ^= x << 17;
  return x;
}

/// The greatest threshold: above every flip energy of 16 bits that is not always taken, and of 32 bits by SearchModel::kFieldMax.
template <class Field>
constexpr float kThresholdMax = sizeof(Field) == 2 ? 32767.0F : 1073741824.0F;

template <class Field>
void cool(const float* __restrict exponentials, float temperature, Field* __restrict thresholds) {
  for (std::size_t k = 0; k < kThresholds + kReplicas; ++k) {
    const float value = temperature * exponentials[k];
    thresholds[k] =
        static_cast<Field>(static_cast<std::int32_t>(value < kThresholdMax<Field> ? value : kThresholdMax<Field>));
  }
}

template <class Field>
bool visit(ReplicaWalk& at, std::size_t end, ReplicaBits* bits, const Field* thresholds, std::uint64_t& state) {
  using L = Lanes<Field>;
  ReplicaWalk walk = at;  // copies: the compiler cannot know that writing a byte leaves these alone
  std::uint64_t random = state;
  typename L::Narrow any[kFieldVectors<Field>] = {};
  while (walk.next < end) {
    std::int8_t* own = bits[walk.next].high;
    typename L::Sums fields[kFieldVectors<Field>];
    take_fields<Field>(walk, bits, fields);
    random = step(random);
    const Field* place = thresholds + (random >> (64 - kThresholdBits));
    for (std::size_t k = 0; k < kFieldVectors<Field>; ++k) {
      const auto mask = widened<Field>(own, k);
      const auto flip = (typename L::Signed)((fields[k] ^ mask) - mask);
      const auto threshold = (typename L::Signed) reinterpret_cast<const typename L::Unaligned*>(place)[k];
      const auto taken = __builtin_convertvector(flip <= threshold, typename L::Narrow);
      reinterpret_cast<typename L::Narrow*>(own)[k] ^= taken;
      any[k] |= taken;
    }
  }
  at = walk;
  state = random;
  std::int8_t flipped = 0;
  for (const auto& part : any) {
    for (std::size_t r = 0; r < sizeof part; ++r) flipped |= part[r];
  }
  return flipped != 0;
}

template <class Field>
void temper(ReplicaWalk& at, std::size_t end, ReplicaBits* bits, const float* exponentials, const float* temperatures,
            std::uint64_t& state, std::int64_t* energies) {
  using L = Lanes<Field>;
  ReplicaWalk walk = at;
  std::uint64_t random = state;
  typename L::Gains gains[2 * kFieldVectors<Field>] = {};
  while (walk.next < end) {
    random = step(random);
    const float* place = exponentials + (random >> (64 - kThresholdBits));
    alignas(kVector) Field thresholds[kReplicas];
    for (std::size_t r = 0; r < kReplicas; ++r) {
      const float value = temperatures[r] * place[r];
      thresholds[r] =
          static_cast<Field>(static_cast<std::int32_t>(value < kThresholdMax<Field> ? value : kThresholdMax<Field>));
    }
    std::int8_t* own = bits[walk.next].high;
    typename L::Sums fields[kFieldVectors<Field>];
    take_fields<Field>(walk, bits, fields);
    for (std::size_t k = 0; k < kFieldVectors<Field>; ++k) {
      const auto mask = widened<Field>(own, k);
      const auto flip = (typename L::Signed)((fields[k] ^ mask) - mask);
      const auto taken = flip <= reinterpret_cast<const typename L::Unaligned*>(thresholds)[k];
      reinterpret_cast<typename L::Narrow*>(own)[k] ^= __builtin_convertvector(taken, typename L::Narrow);
      const typename L::Signed gain = flip & taken;
      for (std::size_t half = 0; half < 2; ++half) {
        gains[2 * k + half] +=
            __builtin_convertvector(reinterpret_cast<const typename L::Half*>(&gain)[half], typename L::Gains);
      }
    }
  }
  at = walk;
  state = random;
  for (std::size_t r = 0; r < kReplicas; ++r) energies[r] += reinterpret_cast<const typename L::Gain*>(gains)[r];
}

template <class Field>
void score(ReplicaWalk& walk, std::size_t end, const ReplicaBits* bits, std::int64_t* twice) {
  using L = Lanes<Field>;
  constexpr std::size_t kWidth = kVector / sizeof(Field);
  while (walk.next < end) {
    const std::int64_t linear = walk.row->linear;
    const std::int8_t* own = bits[walk.next].high;
    typename L::Sums fields[kFieldVectors<Field>];
    take_fields<Field>(walk, bits, fields);
    for (std::size_t k = 0; k < kFieldVectors<Field>; ++k) {
      for (std::size_t r = 0; r < kWidth; ++r) {
        const std::size_t replica = k * kWidth + r;
        twice[replica] += own[replica] & (linear + static_cast<Field>(fields[k][r]));
      }
    }
  }
}

template <class Field>
constexpr ReplicaKernels<Field> kKernels = {&cool<Field>, &visit<Field>, &temper<Field>, &score<Field>};

}  // namespace

extern const AllReplicaKernels kReplicaKernels = {kKernels<std::int16_t>, kKernels<std::int32_t>};

}  // namespace tandem::solve::TANDEM_ISA
