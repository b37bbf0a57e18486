// tandem/compute/statevector/plan_cache.h - PlanCache: plans of stretches of gates, kept for the next set of angles, and the memory of a state for the next one.
//
// Room: compute. An evaluation loop runs one circuit with ever new angles; planning it takes longer than running it on few qubits. A plan holds
// for all angles (lowering.h), so what is planned is found by gates, qubits and the bits of the frame, and only its numbers are new.
// Not here: how a plan is made (plan.h) or run (run_plan.h).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "tandem/compute/simd/isa.h"
#include "tandem/compute/statevector/plan.h"
#include "tandem/compute/statevector/spare_memory.h"
#include "tandem/compute/statevector/way_back.h"
#include "tandem/model/observable/pauli_sum.h"

namespace tandem::statevector {

template <class Real>
class PauliPasses;

/// Planned together. Bounds what plans hold (a few KiB an instruction) and the time between two looks at the stop token; more would
/// not save passes worth naming.
inline constexpr std::size_t kInstructionsAtOnce = 4096;

/// Limits:  kPlansMax plans that nobody uses, of kBytesMax in all, and passes of kPassesMax Pauli sums, of kPassesBytesMax; those used longest
///          ago go first.
/// Threads: safe to call concurrently. A plan is one caller's from take() to give(), so several may be held of one circuit.
/// The answer does not depend on what is kept.
template <class Real>
class PlanCache {
 public:
  static constexpr std::size_t kPlansMax = 64;  // more than the stretches of a circuit with measurements that loops run
  static constexpr std::size_t kBytesMax = 32 << 20;  // plans of few qubits have 10 to 100 KiB

  static constexpr std::size_t kPassesMax = 16;  // more than the observables that a loop asks for
  static constexpr std::size_t kPassesBytesMax = 8 << 20;

  /// Gates in order, for a frame with these bits: planned, and bound to their angles.
  /// Or the way back, with its readings.
  struct Compiled {
    std::vector<std::uint32_t> key;
    std::uint64_t hash = 0;
    std::vector<double> angles;  ///< those that the plan is bound to
    double taken_scale = 0;  ///< and the scale of the state before, where the plan takes it
    Steps steps;  ///< of the way there
    WayBack back;  ///< or of the way back
    Plan<Real> plan;
    Frame after{0};  ///< its bits, and the factor that the gates give it; not of a way back
    std::size_t bytes = 0;

    bool is_new() const { return bytes == 0; }  ///< has no plan yet
    /// The frame of the state before -> that of the state afterwards.
    void advance(Frame& frame) const;
  };

  /// Angles are finite; `num_bits` are those of a place.
  std::unique_ptr<Compiled> take(std::span<const circuit::Instruction> instructions,
                                 std::span<const double> parameter_values, const Frame& frame, std::uint32_t num_bits,
                                 simd::Isa isa);
  /// The way back over them on a pair of states (way_back.h). `frame`: the bits of before the instructions, the scale of the states
  /// behind them. Which angles are parameters counts as gates do; which parameters, and their factors, are numbers.
  std::unique_ptr<Compiled> take_back(std::span<const circuit::Instruction> instructions,
                                      std::span<const double> parameter_values, const Frame& frame,
                                      std::uint32_t num_bits, simd::Isa isa);
  void give(std::unique_ptr<Compiled> compiled);

  /// A Pauli sum, made ready for a frame with these bits.
  std::shared_ptr<const PauliPasses<Real>> passes(std::span<const observable::PauliTerm> terms, const Frame& frame,
                                                  std::uint32_t num_bits);

  /// Of states that are made with this.
  const std::shared_ptr<SpareMemory>& spare_memory() const { return spare_memory_; }
  /// Plans and passes are made anew from here on; the memory is kept.
  void forget();

  /// For tests: plans made, and sets of numbers put in.
  struct Made {
    std::uint64_t plans = 0;
    std::uint64_t bindings = 0;
    std::uint64_t passes = 0;  ///< and Pauli sums made ready
  };
  Made made() const;

 private:
  struct Sum {
    std::vector<observable::PauliTerm> terms;
    std::vector<std::uint32_t> bit_of;
    std::uint64_t flipped;
    std::uint32_t num_bits;
    std::size_t bytes;
    std::shared_ptr<const PauliPasses<Real>> passes;
  };
  void count(Compiled& compiled, bool fresh);
  std::unique_ptr<Compiled> kept_or_new(std::vector<std::uint32_t> key);

  std::shared_ptr<SpareMemory> spare_memory_ = std::make_shared<SpareMemory>();
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Compiled>> free_;  ///< used longest ago first
  std::size_t bytes_ = 0;  ///< of those
  std::vector<Sum> sums_;  ///< used longest ago first
  std::size_t sums_bytes_ = 0;  ///< of those
  Made made_;
};

extern template class PlanCache<float>;
extern template class PlanCache<double>;

}  // namespace tandem::statevector
