// tandem/compute/statevector/rounding.h - how far rounding may move an answer, known before it is calculated, and which precision that calls for.
//
// Room: compute. A worst case, not an estimate: it holds for every circuit, where errors add up as well as where they cancel.
// Source: N. Higham, Accuracy and Stability of Numerical Algorithms (2002), chapters 2 and 3; complex products: Jeannerod, Kornerup,
// Louvet, Muller, Mathematics of Computation 86 (2017).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tandem/base/result.h"
#include "tandem/compute/statevector/frame.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/observable/pauli_sum.h"

namespace tandem::statevector {

template <class Real>
class PlanCache;

enum class Precision : std::uint8_t { kSingle, kDouble };
std::string_view to_string(Precision precision);  ///< "f32", "f64"

/// Bounds the distance between the state that BasicStateVector<Real> calculates from |0...0> and the exact one, as a norm. Exact are the
/// gates at their angles as they are in double. Every rounding of the kernels is counted with its largest effect, so what is found is
/// mostly ten to a thousand times less.
template <class Real>
class Rounding {
 public:
  /// `plans` outlives this: gates are planned as they are when they are applied, and what was planned stays there.
  Rounding(std::uint32_t num_qubits, PlanCache<Real>& plans) : plans_(&plans), frame_(num_qubits) {}

  /// The unitary `instructions` are applied, behind what was added before. Angles are finite. The bound does not depend on their values.
  void add(std::span<const circuit::Instruction> instructions, std::span<const double> parameter_values);

  double of_state() const;  ///< infinite where nothing can be said: millions of gates in single precision
  /// Of the probability of any set of outcomes when all qubits are measured.
  double of_draws() const;
  /// Of a sum of `num_terms` strings whose coefficients have absolute values that sum up to `weight`.
  double of_expectation(double weight, std::size_t num_terms) const;

 private:
  double of_sums() const;
  void add_plan(std::span<const circuit::Instruction> instructions, std::span<const double> parameter_values);

  PlanCache<Real>* plans_;
  Frame frame_;
  double relative_ = 0;  ///< the sum over all operations of the error of each, beside the norm of what it gives
  bool is_zero_ = true;
};

/// 1023 value_out_of_range at /tolerance: in double precision rounding may move the answer by `rounding`.
tl::unexpected<Error> beyond_double(double tolerance, double rounding);

struct PrecisionChoice {
  Precision precision = Precision::kDouble;
  /// Of everything that is asked of the PUB; empty: not known.
  std::optional<double> rounding = std::nullopt;
};

/// Single precision where it keeps within Pub::tolerance, else double. Where the PUB tolerates nothing, or measures on the way - an unlikely
/// outcome magnifies what was lost before it - it is double, and no bound is known. `pub` passes Pub::check() and has at most
/// StateVector::kQubitsMax qubits.
/// Cost:   that of planning the circuit; nothing where the PUB tolerates nothing.
/// Errors: 1023 value_out_of_range at /tolerance - double precision cannot promise that either; 1102 not_finite - an angle;
///         1004 out_of_memory - to plan.
Result<PrecisionChoice> choose_precision(const circuit::Pub& pub, PlanCache<float>& narrow, PlanCache<double>& wide);

extern template class Rounding<float>;
extern template class Rounding<double>;

}  // namespace tandem::statevector
