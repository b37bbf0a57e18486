// tandem/compute/solve/replica_kernels.h - the inner loops of annealing many replicas side by side, for each instruction set.
//
// Room: compute, inside solve. See compute/simd/isa.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem::solve {

inline constexpr std::size_t kReplicas = 32;
/// One variable in all replicas: 0 where it is low, -1 where it is high, so that a sum counts the high ones.
struct alignas(kReplicas) ReplicaBits {
  std::int8_t high[kReplicas];
};

/// Thresholds of one temperature. A visit reads kReplicas in a row from a random place, so as many more follow.
inline constexpr std::size_t kThresholdBits = 12;
inline constexpr std::size_t kThresholds = std::size_t{1} << kThresholdBits;

/// Variables of a call to `temper`: what flips of 16 bits add up to in so many fits 32.
inline constexpr std::size_t kTemperedMax = std::size_t{1} << 15;

/// Neighbours of a variable that have the same coupling to it, as many as a byte counts.
struct ReplicaRun {
  static constexpr std::uint32_t kCountMax = 127;
  std::int32_t weight;
  std::uint32_t count;
};

struct ReplicaRow {
  std::int32_t linear;
  std::uint32_t num_runs;
};

/// A walk over the variables in ascending order; the kernels move it on.
struct ReplicaWalk {
  std::size_t next;  ///< variable
  const ReplicaRow* row;  ///< its row, its first run, and the first of its neighbours
  const ReplicaRun* run;
  const std::uint32_t* neighbour;
};

/// Fields and flip energies are calculated modulo the width of Field; the true ones fit.
template <class Field>
struct ReplicaKernels {
  /// Thresholds at `temperature`, of kThresholds + kReplicas samples of the exponential distribution.
  void (*cool)(const float* exponentials, float temperature, Field* thresholds);
  /// Visits the variables up to `end`: each replica flips where its flip energy is <= its threshold. `random` is the state of a
  /// generator, not zero. Returns whether any flipped.
  bool (*visit)(ReplicaWalk& walk, std::size_t end, ReplicaBits* bits, const Field* thresholds, std::uint64_t& random);
  /// Visits as visit() does, each replica at its own temperature: it flips where its flip energy is <= its temperature times one of
  /// kThresholds + kReplicas `exponentials`. Adds to `energies` what the flips add. At most kTemperedMax variables a call.
  void (*temper)(ReplicaWalk& walk, std::size_t end, ReplicaBits* bits, const float* exponentials,
                 const float* temperatures, std::uint64_t& random, std::int64_t* energies);
  /// Adds to `twice` of each replica linear + field of every variable up to `end` that is high: in the end twice its energy.
  void (*score)(ReplicaWalk& walk, std::size_t end, const ReplicaBits* bits, std::int64_t* twice);
};

struct AllReplicaKernels {
  ReplicaKernels<std::int16_t> narrow;
  ReplicaKernels<std::int32_t> wide;
};

namespace portable {
extern const AllReplicaKernels kReplicaKernels;
}
namespace avx2 {
extern const AllReplicaKernels kReplicaKernels;
}
namespace avx512 {
extern const AllReplicaKernels kReplicaKernels;
}

}  // namespace tandem::solve
