// tandem/compute/statevector/statevector.h - StateVector: the 2^n amplitudes of n qubits, in double or single precision.
//
// Room: compute. Pure: no clock, no I/O; threads only through the Executor. Running a whole PUB: run.h.
// Not here: noise (compute/noise), rewriting circuits (middleware/transpile), QAOA angles (middleware/ansatz).
// Source: state index bit i = qubit i, as in model/circuit/gate.h.
#pragma once

#include <complex>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/base/result.h"
#include "tandem/compute/simd/isa.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/observable/pauli_sum.h"

namespace tandem::statevector {

template <class Real>
class PlanCache;
template <class Real>
class BasicAdjoint;

/// How often one basis state was drawn. Bit i of `state` is qubit i.
struct BasisCount {
  std::uint64_t state;
  std::uint64_t count;

  BasisCount() {
  }  // NOLINT: holds anything, so that the thread that writes a page of a million of them is the first to touch it
  BasisCount(std::uint64_t s, std::uint64_t c) : state(s), count(c) {}
  friend bool operator==(const BasisCount&, const BasisCount&) = default;
};

/// What follows gates. Draws need the weights of all places, which cost less while the last gates have them in the cache. The answer does not
/// depend on it.
enum class Then : std::uint8_t { kAnything, kSample };

/// Squared norms of the parts of a state in which a qubit is 0 and 1, up to a factor of both.
struct QubitWeights {
  double of_0 = 0;
  double of_1 = 0;
};

/// A pure state. Same calls and seeds = same bytes, whatever the number of threads and the instruction set: every amplitude is
/// calculated on its own, in one order of fused operations, and sums are taken over fixed stretches and added in order.
///
/// Limits:  kQubitsMax qubits, and the memory given to create().
/// Threads: one caller at a time; the loops inside run on the executor given to create(), which must outlive the state.
/// `Real`:  double, or float for twice the speed in half the memory: an amplitude is then off by about 1e-7 times the root of the number
///          of layers; sums, probabilities and draws are taken in double in either case.
/// Circuits that begin with layers of phases and turns about x on the uniform state, as those of QAOA, are found and run as such
/// (ising_layers.h), all others as planned (plan.h); which one follows from the circuit alone.
///
/// Cost:    bytes_needed(n) = 2 sizeof(Real) 2^n bytes, and half a MiB a thread while gates are applied. Exchanges of qubits and bit flips cost
///          nothing; phases of any qubits, and turns of fifteen, share a pass over the state (plan.h), so apply whole circuits at once.
template <class Real>
class BasicStateVector {
 public:
  static constexpr std::uint32_t kQubitsMax = 40;  ///< 16 TiB; more than any machine this runs on

  /// |0...0> on `num_qubits` qubits. `plans`: those of states like this one, so that the next circuit that only differs in angles is not
  /// planned again; its own where there are none.
  /// Errors: 1113 too_many_qubits - above kQubitsMax;
  ///         1004 out_of_memory - bytes_needed() is above `memory_bytes_max`, or the machine refuses it.
  static Result<BasicStateVector> create(std::uint32_t num_qubits, std::uint64_t memory_bytes_max, Executor& executor,
                                         std::shared_ptr<PlanCache<Real>> plans = nullptr);
  /// Whether create() may succeed, without allocating: for validation before anything is paid.
  /// Errors: 1113 and 1004 as create().
  static Result<void> fits(std::uint32_t num_qubits, std::uint64_t memory_bytes_max);
  static std::uint64_t bytes_needed(std::uint32_t num_qubits);  ///< num_qubits <= kQubitsMax

  BasicStateVector(BasicStateVector&&) noexcept;
  BasicStateVector& operator=(BasicStateVector&&) noexcept;
  ~BasicStateVector();
  /// Overwrites this state with `other`; both must have the same number of qubits (asserted).
  void assign(const BasicStateVector& other);

  std::uint32_t num_qubits() const;
  std::complex<double> amplitude(std::uint64_t state) const;

  /// For tests: the answer does not depend on it.
  void use_isa(simd::Isa isa) { isa_ = isa; }

  // ---- preparing
  void set_basis_state(std::uint64_t state);

  // ---- evolving
  /// Whether `circuit` with these values may be applied.
  /// Errors: 1104 size_mismatch - another number of qubits or of parameter values; 1102 not_finite - an angle;
  ///         1111 bad_circuit - a measurement or reset (run.h simulates those).
  Result<void> check(const circuit::Circuit& circuit, std::span<const double> parameter_values) const;
  /// Applies the unitary instructions of `circuit`; barriers do nothing.
  /// Errors: those of check(); 1002 cancelled; 1004 out_of_memory - to plan and to work in; the state is worth nothing then.
  Result<void> apply(const circuit::Circuit& circuit, std::span<const double> parameter_values,
                     std::stop_token stop = {}, Then then = Then::kAnything);
  /// The same for a stretch of instructions whose operands and angles are known to be right (asserted).
  Result<void> apply(std::span<const circuit::Instruction> instructions, std::span<const double> parameter_values,
                     std::stop_token stop = {}, Then then = Then::kAnything);

  // ---- reading
  /// <psi|observable|psi>. observable.num_qubits() == num_qubits() (asserted).
  /// Cost: terms that share an x mask share what they read; masks whose bits lie in one tile share a pass.
  /// Errors: 1004 out_of_memory - to work in.
  Result<double> expectation(const observable::PauliSum& observable) const;
  /// `shots` draws; ascending states, each once. Same seed, same draws.
  /// Cost: a reading of the state, but right behind an apply() with Then::kSample; and one of those rows of 2 KiB that something was drawn from.
  std::vector<BasisCount> sample(std::uint64_t shots, std::uint64_t seed) const;

  // ---- collapsing
  QubitWeights weights(std::uint32_t qubit) const;
  /// Keeps the part with that outcome, normalised. `weights`: those of the state, that of the outcome above 0 (asserted).
  void collapse(std::uint32_t qubit, bool outcome, const QubitWeights& weights);
  /// `uniform` in [0, 1) is the dice.
  bool measure(std::uint32_t qubit, double uniform);
  void reset(std::uint32_t qubit, double uniform);

 private:
  friend class BasicAdjoint<Real>;
  struct Amplitudes;
  Result<void> apply_planned(std::span<const circuit::Instruction> instructions,
                             std::span<const double> parameter_values, const std::stop_token& stop, Then then);
  BasicStateVector(std::unique_ptr<Amplitudes> amplitudes, Executor& executor, std::shared_ptr<PlanCache<Real>> plans);
  std::unique_ptr<Amplitudes> amplitudes_;
  Executor* executor_;
  std::shared_ptr<PlanCache<Real>> plans_;
  simd::Isa isa_ = simd::best_isa();
};

extern template class BasicStateVector<double>;
extern template class BasicStateVector<float>;
using StateVector = BasicStateVector<double>;
using StateVectorF32 = BasicStateVector<float>;

}  // namespace tandem::statevector
