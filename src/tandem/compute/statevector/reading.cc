// BasicStateVector: expectations and samples.
#include "tandem/base/assert.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/pauli_passes.h"
#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/sampling.h"

namespace tandem::statevector {

using observable::PauliSum;

template <class Real>
Result<double> BasicStateVector<Real>::expectation(const PauliSum& observable) const {
  TANDEM_ASSERT(observable.num_qubits() == num_qubits());
  const Amplitudes& amplitudes = *amplitudes_;
  const auto passes = plans_->passes(observable.terms(), amplitudes.frame, amplitudes.num_bits);
  TANDEM_TRY_ASSIGN(const double value, passes->expectation(amplitudes.memory.get(), isa_, *executor_));
  return value * std::norm(amplitudes.frame.scale);
}

template <class Real>
std::vector<BasisCount> BasicStateVector<Real>::sample(std::uint64_t shots, std::uint64_t seed) const {
  const Amplitudes& amplitudes = *amplitudes_;
  std::vector<BasisCount> counts = sample_places(static_cast<const Real*>(amplitudes.memory.get()), amplitudes.num_bits,
                                                 shots, seed, amplitudes.row_weights, isa_, *executor_);
  if (!amplitudes.frame.is_trivial()) to_states(amplitudes.frame, counts, *executor_);
  return counts;
}

template Result<double> BasicStateVector<double>::expectation(const PauliSum&) const;
template Result<double> BasicStateVector<float>::expectation(const PauliSum&) const;
template std::vector<BasisCount> BasicStateVector<double>::sample(std::uint64_t, std::uint64_t) const;
template std::vector<BasisCount> BasicStateVector<float>::sample(std::uint64_t, std::uint64_t) const;

}  // namespace tandem::statevector
