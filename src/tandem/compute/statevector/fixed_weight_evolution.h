// tandem/compute/statevector/fixed_weight_evolution.h - FixedWeightEvolution: layers of Ising phases and mixers that keep numbers of ones.
//
// Room: compute. Pure: no clock, no I/O; threads only through the Executor. Not here: X mixers and warm starts alone (ising_evolution.h),
// circuits to such states (middleware/ansatz/fixed_weight.h).
// Source: Hadfield et al., arXiv 1709.03489; Wang et al., arXiv 1904.09314 (XY on a ring and on a complete graph). Places by halves of the
// bits: Lin, Phys. Rev. B 42, 6561 (1990). Ours: only states that keep the numbers are held, for any number of groups beside free qubits.
#pragma once

#include <complex>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/base/result.h"
#include "tandem/compute/statevector/ising_evolution.h"
#include "tandem/compute/statevector/weight_space.h"
#include "tandem/model/problem/bqm.h"

namespace tandem::statevector {

struct QubitPair {
  std::uint32_t u = 0;
  std::uint32_t v = 0;
  friend bool operator==(const QubitPair&, const QubitPair&) = default;
};

/// Neighbours on a ring: every second pair, those between, and the one that closes it. Fewer than three qubits: the pair, if there is one.
std::vector<QubitPair> ring_pairs(std::span<const std::uint32_t> qubits);
/// All pairs, those of near neighbours in the list first.
std::vector<QubitPair> complete_pairs(std::span<const std::uint32_t> qubits);

/// Qubits whose number of ones is kept.
struct WeightGroup {
  std::vector<std::uint32_t> qubits;
  std::uint32_t ones = 0;
  std::vector<QubitPair> pairs;  ///< mixed one after the other, in this order
  double strength = 1;  ///< of a pair: exp(-i beta strength (XX + YY)/2)
};

/// |psi> = the layers of LayerAngles, the first one first. A layer's phases are exp(-i gamma C); its mixer is exp(-i beta X) on every qubit
/// outside of groups, then the pairs of each group. C is the energy of a model, as in IsingEvolution. It starts with all states that keep the
/// numbers of ones, equally, unless use_start() says otherwise. The same state as a circuit of RZ, RZZ, RX and XXPLUSYY gives; no amplitude
/// of another number of ones is ever held, and the same bytes come out whatever the number of threads and the instruction set.
///
/// Limits:  1 to kQubitsMax variables, and the memory given to create().
/// Threads: one caller at a time; the loops inside run on the executor given to create(), which must outlive this.
/// Cost:    32 bytes a state that is held, 16 more for a gradient, 8 more with use_objective(). A layer takes a sine, a cosine and, for each
///          pair and each free qubit, a look at every state; a gradient about three values.
class FixedWeightEvolution {
 public:
  static constexpr std::uint32_t kQubitsMax = WeightSpace::kBitsMax;
  static constexpr double kNormErrorMax = 1e-9;  ///< of a start

  /// Errors: 1113 too_many_qubits; 1004 out_of_memory - bytes_needed() is above `memory_bytes_max`, or the machine refuses it;
  ///         1101 index_out_of_range - a qubit of a group that is no variable, or a pair that is not within its group;
  ///         1104 size_mismatch - a qubit in two groups or twice in one, or more ones than qubits; 1102 not_finite - a strength;
  ///         1023 value_out_of_range - no variable.
  static Result<FixedWeightEvolution> create(const problem::Bqm& cost, std::vector<WeightGroup> groups,
                                             std::uint64_t memory_bytes_max, Executor& executor);
  /// Of states and energies, with those of a gradient and an objective, for groups that create() takes; UINT64_MAX above kQubitsMax.
  static std::uint64_t bytes_needed(std::size_t num_variables, std::span<const WeightGroup> groups);

  FixedWeightEvolution(FixedWeightEvolution&&) noexcept;
  FixedWeightEvolution& operator=(FixedWeightEvolution&&) noexcept;
  ~FixedWeightEvolution();

  /// Those that keep the numbers, ascending.
  std::span<const std::uint64_t> states() const;

  /// Amplitudes of states() to begin with.
  /// Errors: 1104 size_mismatch; 1102 not_finite; 1023 value_out_of_range - their squares do not sum to 1.
  Result<void> use_start(std::span<const std::complex<double>> amplitudes);
  /// What value() and gradient() are of, in the place of C: a model of as many variables. For phases that leave terms out.
  /// Errors: 1104 size_mismatch.
  Result<void> use_objective(const problem::Bqm& objective);

  /// <psi|C|psi>. Errors: as IsingEvolution::value().
  Result<double> value(const LayerAngles& angles, std::stop_token stop = {});
  /// The same and all derivatives, by the adjoint method. Errors: as value().
  Result<IsingGradient> gradient(const LayerAngles& angles, std::stop_token stop = {});
  /// Of |psi> of the last value(); value() came last (asserted). 0 for a state that does not keep the numbers.
  std::complex<double> amplitude(std::uint64_t state) const;

 private:
  struct Model;
  FixedWeightEvolution(std::unique_ptr<Model> model, Executor& executor);
  Result<double> forward(const LayerAngles& angles, const std::stop_token& stop);
  std::unique_ptr<Model> model_;
  Executor* executor_;
};

}  // namespace tandem::statevector
