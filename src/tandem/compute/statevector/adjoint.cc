#include "tandem/compute/statevector/adjoint.h"

#include <cmath>

#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/generator.h"
#include "tandem/compute/statevector/pauli_passes.h"
#include "tandem/compute/statevector/run_plan.h"

namespace tandem::statevector {
namespace {

using circuit::Instruction;
using observable::PauliSum;
using observable::PauliTerm;

/// Planned together, as when they are applied: bounds what plans hold.
constexpr std::size_t kInstructionsAtOnce = 4096;

tl::unexpected<Error> stopped() { return fail(errors::kCancelled, "the simulation was stopped on request"); }

/// Which derivative a reading is part of.
struct Share {
  std::uint32_t parameter;
  double factor;
};

Step inverse_of(Step step, const Steps& there, Steps& back) {
  step.factor = std::conj(step.factor);
  step.sine = -step.sine;
  if (step.kind != Step::Kind::kGate) return step;
  PreparedGate gate = there.gates[step.gate];
  for (Phase& phase : gate.phases) phase.factor = std::conj(phase.factor);
  for (Pair& pair : gate.pairs) {
    std::swap(pair.matrix[1], pair.matrix[2]);
    for (std::complex<double>& entry : pair.matrix) entry = std::conj(entry);
  }
  step.gate = static_cast<std::uint32_t>(back.gates.size());
  back.gates.push_back(gate);
  return step;
}

/// A stretch of instructions backwards, with what is to be read on the way.
class Back {
 public:
  /// `frame`: before the first instruction.
  Back(std::span<const Instruction> instructions, std::span<const double> values, Frame frame) {
    Steps there;
    std::vector<std::size_t> steps_before;
    std::vector<std::size_t> readings_before;
    for (const Instruction& instruction : instructions) {
      steps_before.push_back(there.steps.size());
      readings_before.push_back(steps.readings.size());
      lower(std::span(&instruction, 1), values, frame, there);
      add_readings(instruction, values, frame);
    }
    std::size_t step = there.steps.size();
    std::size_t reading = steps.readings.size();
    for (std::size_t i = instructions.size(); i-- > 0;) {
      for (; reading > readings_before[i]; --reading) steps.steps.push_back(step_of(reading - 1));
      for (; step > steps_before[i]; --step) steps.steps.push_back(inverse_of(there.steps[step - 1], there, steps));
    }
  }

  Steps steps;
  std::vector<Share> shares;  ///< of each reading

 private:
  Step step_of(std::size_t reading) const {
    const Reading& read = steps.readings[reading];
    return {.kind = Step::Kind::kReading,
            .gate = static_cast<std::uint32_t>(reading),
            .touched = read.x | read.z,
            .mixing = read.x};
  }

  /// `frame`: behind the gate, which is where the derivative is read.
  void add_readings(const Instruction& instruction, std::span<const double> values, const Frame& frame) {
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
    if (std::ranges::all_of(instruction.angles, &circuit::Angle::is_constant)) return;
    std::array<double, 3> angles{};
    for (std::size_t i = 0; i < record.num_parameters; ++i) angles[i] = instruction.angles[i].value(values);
    for (std::size_t i = 0; i < record.num_parameters; ++i) {
      if (instruction.angles[i].is_constant()) continue;
      const Generator generator = generator_of(instruction.gate, std::span(angles).first(record.num_parameters), i);
      for (const PauliTerm& term : generator.all()) {
        const auto placed = [&](std::uint64_t bits) {
          std::uint64_t out = 0;
          for (std::size_t k = 0; k < record.num_qubits; ++k)
            out |= (bits >> k & 1) << frame.bit_of[instruction.qubits[k]];
          return out;
        };
        const Reading reading{.x = placed(term.x), .z = placed(term.z)};
        const double factor = 2 * instruction.angles[i].factor * term.coefficient;
        shares.push_back({.parameter = instruction.angles[i].parameter,
                          .factor = odd(reading.z & frame.flipped) ? -factor : factor});
        steps.readings.push_back(reading);
      }
    }
  }
};

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
  ket_.set_basis_state(0);
  TANDEM_TRY(ket_.check(circuit, parameter_values));
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
  PauliPasses<Real>(weighted(observables, weights), ket.frame, ket.num_bits)
      .apply(ket.memory.get(), bra, isa_, *executor_);
  if (observables.size() == 1 && weights[0] == 1) {
    const PauliKernels<Real>& kernels = pauli_kernels<Real>(isa_);
    const double product = block_sum(*executor_, ket.num_shares(), [&](std::size_t i) {
      const std::uint64_t at = 2 * i * ket.share_size();
      return kernels.product(ket.memory.get() + at, bra + at, ket.share_size() / kLanes<Real>);
    });
    out.values.push_back(product * scale * scale);
  } else {
    for (const PauliSum& observable : observables) out.values.push_back(ket_.expectation(observable));
  }

  for (std::size_t stretch = frames.size(); stretch-- > 0;) {
    const std::size_t first = stretch * kInstructionsAtOnce;
    const Back back(all.subspan(first, std::min(kInstructionsAtOnce, all.size() - first)), parameter_values,
                    std::move(frames[stretch]));
    Plan<Real> plan = make_plan<Real>(back.steps, ket.num_bits, {.shape = kPairShape<Real>, .takes_scale = true});
    bind(plan, back.steps, scale, tile_kernels<Real>(isa_));
    std::vector<double> found(back.shares.size());
    TANDEM_TRY(run_plan_on_pair(plan, ket.memory.get(), bra, ket.num_bits, isa_, *executor_, stop, std::span(found)));
    scale = plan.scale;
    for (std::size_t i = 0; i < found.size(); ++i)
      out.derivatives[back.shares[i].parameter] += back.shares[i].factor * found[i];
  }
  return out;
}

template class BasicAdjoint<double>;
template class BasicAdjoint<float>;

}  // namespace tandem::statevector
