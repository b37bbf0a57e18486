// tandem/compute/statevector/adjoint.h - Adjoint: expectations of a circuit's final state and their derivatives by all its parameters.
//
// Room: compute. Pure, as statevector.h. Not here: optimizers, sampled gradients (parameter shift on a device).
// Source: reverse-mode differentiation of circuits (Jones, Gacon 2020, arXiv 2009.02823). With ket = U_m ... U_1 |0...0>, bra = O ket and
// dU_k/da = -i G U_k, the derivative by the angle a is 2 Im <bra_k|G|ket_k>, both states being taken back behind gate k. Here they go
// back as a planned circuit in which what is read stands between the gates: tiles of both states are read while they are in the cache.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "tandem/compute/statevector/statevector.h"

namespace tandem::statevector {

struct Gradient {
  std::vector<double> values;  ///< of each observable
  std::vector<double> derivatives;  ///< of sum_k weights[k] values[k], by each parameter of the circuit
};

/// Two states to be used again and again. Same calls = same bytes, whatever the number of threads and the instruction set.
///
/// Limits:  those of BasicStateVector, twice its memory: bytes_needed(n) = 4 sizeof(Real) 2^n bytes, and half a MiB a thread at work.
/// Threads: one caller at a time; the loops inside run on the executor given to create(), which must outlive this.
/// `Real`:  of the amplitudes. Sums are taken in double; with float, a derivative is off by some 1e-6 of the largest that could be.
/// Plans:   those of both ways are kept, as a state keeps its own, for the same circuit with other values.
/// Cost:    the circuit forwards on one state and backwards on two, and a pass or a few for the observables. An angle about x or y is read as
///          its turn is undone, at half the arithmetic of that turn of both states; phases share a reading of the cached tiles.
template <class Real>
class BasicAdjoint {
 public:
  /// Errors: those of BasicStateVector::create(), for two states.
  static Result<BasicAdjoint> create(std::uint32_t num_qubits, std::uint64_t memory_bytes_max, Executor& executor);
  /// Whether create() may succeed, without allocating.
  /// Errors: 1113 too_many_qubits; 1004 out_of_memory - bytes_needed() is above `memory_bytes_max`.
  static Result<void> fits(std::uint32_t num_qubits, std::uint64_t memory_bytes_max);
  static std::uint64_t bytes_needed(std::uint32_t num_qubits) {
    return 2 * BasicStateVector<Real>::bytes_needed(num_qubits);
  }

  /// Values and the vector-Jacobian product with `weights`, of `circuit` from |0...0>. Angles are affine in parameters (circuit::Angle);
  /// parameters may stand in many gates, or in none.
  /// Errors: those of BasicStateVector::apply(); 1104 size_mismatch - not one weight an observable, or an observable on another number
  ///         of qubits; 1102 not_finite - a weight; 1002 cancelled.
  Result<Gradient> gradient(const circuit::Circuit& circuit, std::span<const double> parameter_values,
                            std::span<const observable::PauliSum> observables, std::span<const double> weights,
                            std::stop_token stop = {});
  /// Of one observable.
  Result<Gradient> gradient(const circuit::Circuit& circuit, std::span<const double> parameter_values,
                            const observable::PauliSum& observable, std::stop_token stop = {}) {
    const double one = 1;
    return gradient(circuit, parameter_values, std::span(&observable, 1), std::span(&one, 1), std::move(stop));
  }

  /// For tests: the answer does not depend on it.
  void use_isa(simd::Isa isa);

 private:
  Result<Gradient> there_and_back(const circuit::Circuit& circuit, std::span<const double> parameter_values,
                                  std::span<const observable::PauliSum> observables, std::span<const double> weights,
                                  const std::stop_token& stop);
  BasicAdjoint(BasicStateVector<Real> ket, BasicStateVector<Real> bra, Executor& executor)
      : ket_(std::move(ket)), bra_(std::move(bra)), executor_(&executor) {}

  BasicStateVector<Real> ket_;
  BasicStateVector<Real> bra_;
  Executor* executor_;
  simd::Isa isa_ = simd::best_isa();
};

extern template class BasicAdjoint<double>;
extern template class BasicAdjoint<float>;
using Adjoint = BasicAdjoint<double>;
using AdjointF32 = BasicAdjoint<float>;

}  // namespace tandem::statevector
