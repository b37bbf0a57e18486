// tandem/compute/solve/replica_tempering.h - parallel tempering: replicas side by side, each at a temperature of a ladder.
//
// Room: compute, inside solve. Source: Hukushima, Nemoto 1996, "Exchange Monte Carlo method and application to spin glass
// simulations" (J. Phys. Soc. Jpn. 65), after Swendsen, Wang 1986 (Phys. Rev. Lett. 57). Replicas change temperatures and stay
// where they are; their energies are carried along exactly, in integers.
#pragma once

#include <array>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/annealing_search.h"
#include "tandem/compute/solve/replica_model.h"

namespace tandem::solve {

struct TemperingOptions {
  std::uint64_t seed = 1;
  std::uint64_t visit_units = 1;  ///< units that a visit by all replicas counts
  Temperatures temperatures;
  std::uint32_t levels = kReplicas;  ///< of the ladder, a geometric one; divides kReplicas
  std::span<const problem::Assignment> starts{};  ///< bits of the first replicas; random for the others
};

/// kReplicas / levels chains, each with a replica at every temperature. After a sweep neighbours on the ladder exchange temperatures
/// by the rule of Metropolis, pairs in turn: each level keeps the Boltzmann distribution.
///
/// Threads: one; the model may be shared. Cost: a visit reads kReplicas bytes a neighbour.
class ReplicaTempering {
 public:
  /// `options.starts` are read in the first sweep.
  ReplicaTempering(const ReplicaModel& model, const TemperingOptions& options);
  static std::uint64_t bytes(std::size_t num_variables) { return 2 * num_variables * kReplicas; }

  /// A round: `sweeps`, then copies of all replicas go through `quenches` sweeps at temperature 0. The chains go on from where they
  /// were before. Needs done().
  void begin(std::uint64_t sweeps, std::uint64_t quenches);
  /// Works on the round as Strand::advance() until it is done.
  void advance(std::uint64_t units_end, const Watch& watch);
  bool done() const { return phase_ == Phase::kDone; }
  std::uint64_t units() const { return units_; }

  /// Of the copies, once the round is done.
  std::int64_t energy(std::size_t replica) const { return copied_energies_[replica]; }
  /// A copy once there are some, before that the replica itself.
  void copy(std::size_t replica, problem::Assignment& bits) const;
  std::uint32_t levels() const { return options_.levels; }
  /// Place of a replica on the ladder, 0 the coldest.
  std::uint32_t level(std::size_t replica) const { return level_[replica]; }
  double temperature(std::uint32_t level) const { return ladder_[level]; }

 private:
  enum class Phase : std::uint8_t { kSetting, kScoring, kTempering, kCopying, kQuenching, kDone };
  using Energies = std::array<std::int64_t, kReplicas>;

  void set(std::size_t end);
  void copy_until(std::size_t end);
  void end_sweep();
  void exchange();
  void begin_sweep();

  const ReplicaModel& model_;
  TemperingOptions options_;
  Phase phase_ = Phase::kDone;
  bool started_ = false;
  std::uint64_t units_ = 0;
  std::uint64_t sweeps_left_ = 0;
  std::uint64_t quenches_left_ = 0;
  bool odd_ = false;  ///< which pairs of levels are next to exchange
  Xoshiro256 rng_;
  std::uint64_t random_;
  const float* samples_ = nullptr;
  ReplicaWalk walk_;
  std::vector<ReplicaBits> bits_;
  std::vector<ReplicaBits> copies_;
  Energies energies_{};
  Energies copied_energies_{};
  std::array<std::uint32_t, kReplicas> level_{};
  std::array<std::uint32_t, kReplicas> at_{};  ///< replicas by chain and level
  std::array<double, kReplicas> ladder_{};
  std::array<float, kReplicas> temperatures_{};  ///< of the replicas
};

}  // namespace tandem::solve
