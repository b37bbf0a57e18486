#include "tandem/compute/statevector/adjoint.h"

#include <cmath>
#include <new>

#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/pauli_passes.h"
#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/run_plan.h"

namespace tandem::statevector {
namespace {

using circuit::Instruction;
using observable::PauliSum;
using observable::PauliTerm;

tl::unexpected<Error> stopped() { return fail(errors::kCancelled, "the simulation was stopped on request"); }

/// sum_k weights[k] observables[k]; equal strings may stand apart.
std::vector<PauliTerm> weighted(std::span<const PauliSum> observables, std::span<const double> weights) {
  std::vector<PauliTerm> out;
  for (std::size_t k = 0; k < observables.size(); ++k)
    for (PauliTerm term : observables[k].terms()) {
      term.coefficient *= weights[k];
      out.push_back(term);
    }
  return out;
}

}  // namespace

template <class Real>
Result<void> BasicAdjoint<Real>::fits(std::uint32_t num_qubits, std::uint64_t memory_bytes_max) {
  TANDEM_TRY(BasicStateVector<Real>::fits(num_qubits, UINT64_MAX));
  if (bytes_needed(num_qubits) > memory_bytes_max) {
    return fail(
        errors::kOutOfMemory,
        "a gradient on {} qubits needs {} bytes for two states and {} are available; use fewer qubits, or raise "
        "compute.memory_bytes_max if the machine has more",
        num_qubits, bytes_needed(num_qubits), memory_bytes_max);
  }
  return {};
}

template <class Real>
Result<BasicAdjoint<Real>> BasicAdjoint<Real>::create(std::uint32_t num_qubits, std::uint64_t memory_bytes_max,
                                                      Executor& executor) {
  TANDEM_TRY(fits(num_qubits, memory_bytes_max));
  TANDEM_TRY_ASSIGN(auto ket, BasicStateVector<Real>::create(num_qubits, memory_bytes_max, executor));
  TANDEM_TRY_ASSIGN(auto bra, BasicStateVector<Real>::create(num_qubits, memory_bytes_max, executor));
  return BasicAdjoint(std::move(ket), std::move(bra), executor);
}

template <class Real>
void BasicAdjoint<Real>::use_isa(simd::Isa isa) {
  isa_ = isa;
  ket_.use_isa(isa);
}

template <class Real>
Result<Gradient> BasicAdjoint<Real>::gradient(const circuit::Circuit& circuit, std::span<const double> parameter_values,
                                              std::span<const PauliSum> observables, std::span<const double> weights,
                                              std::stop_token stop) {
  if (observables.size() != weights.size()) {
    return fail(errors::kSizeMismatch, "{} weights for {} observables; give one an observable", weights.size(),
                observables.size());
  }
  for (std::size_t k = 0; k < observables.size(); ++k) {
    if (observables[k].num_qubits() != ket_.num_qubits()) {
      return fail(errors::kSizeMismatch, "an observable on {} qubits for a state of {}; use the same number",
                  observables[k].num_qubits(), ket_.num_qubits());
    }
    if (!std::isfinite(weights[k])) {
      return fail(errors::kNotFinite, "weight {} is {}; use a finite one", k, weights[k]);
    }
  }
  TANDEM_TRY(ket_.check(circuit, parameter_values));
  try {
    return there_and_back(circuit, parameter_values, observables, weights, stop);
  } catch (const std::bad_alloc&) {
    return fail(errors::kOutOfMemory,
                "the machine refused memory for a plan of {} gates and its readings beside the {} bytes of two states "
                "of {} qubits; end other programs, or use fewer gates",
                circuit.instructions().size(), bytes_needed(ket_.num_qubits()), ket_.num_qubits());
  }
}

template <class Real>
Result<Gradient> BasicAdjoint<Real>::there_and_back(const circuit::Circuit& circuit,
                                                    std::span<const double> parameter_values,
                                                    std::span<const PauliSum> observables,
                                                    std::span<const double> weights, const std::stop_token& stop) {
  ket_.set_basis_state(0);
  const std::span<const Instruction> all = circuit.instructions();
  typename BasicStateVector<Real>::Amplitudes& ket = *ket_.amplitudes_;
  std::vector<Frame> frames;  // before each stretch
  for (std::size_t first = 0; first < all.size(); first += kInstructionsAtOnce) {
    frames.push_back(ket.frame);
    TANDEM_TRY(
        ket_.apply(all.subspan(first, std::min(kInstructionsAtOnce, all.size() - first)), parameter_values, stop));
  }
  if (stop.stop_requested()) return stopped();

  Gradient out;
  out.derivatives.resize(circuit.parameters().size());
  Real* const bra = bra_.amplitudes_->memory.get();
  double scale = size_of(ket.frame.scale);
  TANDEM_TRY(ket_.plans_->passes(weighted(observables, weights), ket.frame, ket.num_bits)
                 ->apply(ket.memory.get(), bra, isa_, *executor_));
  if (observables.size() == 1 && weights[0] == 1) {
    const PauliKernels<Real>& kernels = pauli_kernels<Real>(isa_);
    const double product = block_sum(*executor_, ket.num_shares(), [&](std::size_t i) {
      const std::uint64_t at = 2 * i * ket.share_size();
      return kernels.product(ket.memory.get() + at, bra + at, ket.share_size() / kLanes<Real>);
    });
    out.values.push_back(product * scale * scale);
  } else {
    for (const PauliSum& observable : observables) {
      TANDEM_TRY_ASSIGN(const double value, ket_.expectation(observable));
      out.values.push_back(value);
    }
  }

  std::vector<double> found;
  for (std::size_t stretch = frames.size(); stretch-- > 0;) {
    const std::size_t first = stretch * kInstructionsAtOnce;
    Frame& before = frames[stretch];
    before.scale = scale;
    auto compiled = ket_.plans_->take_back(all.subspan(first, std::min(kInstructionsAtOnce, all.size() - first)),
                                           parameter_values, before, ket.num_bits, isa_);
    const Plan<Real>& plan = compiled->plan;
    const std::vector<Reading>& readings = compiled->back.steps().readings;
    found.assign(readings.size(), 0);
    TANDEM_TRY(run_plan_on_pair(plan, ket.memory.get(), bra, ket.num_bits, isa_, *executor_, stop, std::span(found)));
    const double beside = plan.takes_scale ? 1 : scale;  // of the amplitudes while they are read
    for (std::size_t i = 0; i < found.size(); ++i)
      out.derivatives[readings[i].parameter] += readings[i].factor * (beside * beside) * found[i];
    scale = beside * plan.scale;
    ket_.plans_->give(std::move(compiled));
  }
  return out;
}

template class BasicAdjoint<double>;
template class BasicAdjoint<float>;

}  // namespace tandem::statevector
