#include "tandem/compute/statevector/statevector.h"

#include <sys/mman.h>

#include <bit>
#include <cmath>
#include <new>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/ising_layers.h"
#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/run_plan.h"
#include "tandem/compute/statevector/sampling.h"

namespace tandem::statevector {
namespace {

using circuit::Gate;

tl::unexpected<Error> stopped() { return fail(errors::kCancelled, "the simulation was stopped on request"); }

}  // namespace

template <class Real>
Memory<Real> allocate(std::uint64_t count, std::shared_ptr<SpareMemory> spare) {
  constexpr std::uint64_t kHugePage = 2 << 20;
  constexpr std::uint64_t kCacheLine = 64;
  const std::uint64_t bytes = count * sizeof(Real);
  const std::uint64_t alignment = bytes >= 2 * kHugePage ? kHugePage : kCacheLine;
  const std::uint64_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = spare ? spare->take(rounded) : nullptr;
  if (memory == nullptr) {
    memory = std::aligned_alloc(alignment, rounded);
    // Advice only: where it is not taken everything works, more slowly.
    if (memory != nullptr && alignment == kHugePage) static_cast<void>(::madvise(memory, rounded, MADV_HUGEPAGE));
  }
  return Memory<Real>(static_cast<Real*>(memory), {.spare = std::move(spare), .bytes = rounded});
}
template Memory<float> allocate<float>(std::uint64_t count, std::shared_ptr<SpareMemory> spare);
template Memory<double> allocate<double>(std::uint64_t count, std::shared_ptr<SpareMemory> spare);

template <class Real>
std::uint64_t BasicStateVector<Real>::bytes_needed(std::uint32_t num_qubits) {
  TANDEM_ASSERT(num_qubits <= kQubitsMax);
  return (std::uint64_t{1} << std::max(num_qubits, kLaneBits<Real>)) * sizeof(std::complex<Real>);
}

template <class Real>
Result<void> BasicStateVector<Real>::fits(std::uint32_t num_qubits, std::uint64_t memory_bytes_max) {
  if (num_qubits > kQubitsMax) {
    return fail(errors::kTooManyQubits,
                "a state vector of {} qubits is above the limit of {}; use a smaller core or another backend",
                num_qubits, kQubitsMax);
  }
  const std::uint64_t bytes = bytes_needed(num_qubits);
  if (bytes > memory_bytes_max) {
    return fail(errors::kOutOfMemory,
                "a state vector of {} qubits needs {} bytes and the limit is {}; use fewer qubits, or raise "
                "compute.memory_bytes_max if the machine has more",
                num_qubits, bytes, memory_bytes_max);
  }
  return {};
}

template <class Real>
Result<BasicStateVector<Real>> BasicStateVector<Real>::create(std::uint32_t num_qubits, std::uint64_t memory_bytes_max,
                                                              Executor& executor,
                                                              std::shared_ptr<PlanCache<Real>> plans) {
  TANDEM_TRY(fits(num_qubits, memory_bytes_max));
  if (!plans) plans = std::make_shared<PlanCache<Real>>();
  auto amplitudes = std::make_unique<Amplitudes>();
  amplitudes->num_qubits = num_qubits;
  amplitudes->num_bits = std::max(num_qubits, kLaneBits<Real>);
  amplitudes->frame = Frame(num_qubits);
  amplitudes->memory = allocate<Real>(2 * amplitudes->size(), plans->spare_memory());
  if (!amplitudes->memory) {
    return fail(errors::kOutOfMemory, "the machine refused {} bytes for a state vector of {} qubits; use fewer qubits",
                bytes_needed(num_qubits), num_qubits);
  }
  BasicStateVector state(std::move(amplitudes), executor, std::move(plans));
  state.set_basis_state(0);
  return state;
}

template <class Real>
BasicStateVector<Real>::BasicStateVector(std::unique_ptr<Amplitudes> amplitudes, Executor& executor,
                                         std::shared_ptr<PlanCache<Real>> plans)
    : amplitudes_(std::move(amplitudes)), executor_(&executor), plans_(std::move(plans)) {}
template <class Real>
BasicStateVector<Real>::BasicStateVector(BasicStateVector&&) noexcept = default;
template <class Real>
BasicStateVector<Real>& BasicStateVector<Real>::operator=(BasicStateVector&&) noexcept = default;
template <class Real>
BasicStateVector<Real>::~BasicStateVector() = default;

template <class Real>
void BasicStateVector<Real>::assign(const BasicStateVector& other) {
  TANDEM_ASSERT(num_qubits() == other.num_qubits());
  const std::uint64_t share = 2 * amplitudes_->share_size();
  for_blocks(*executor_, amplitudes_->num_shares(), [&](std::size_t i) {
    std::copy_n(other.amplitudes_->memory.get() + i * share, share, amplitudes_->memory.get() + i * share);
  });
  amplitudes_->frame = other.amplitudes_->frame;
  amplitudes_->is_zero = other.amplitudes_->is_zero;
  amplitudes_->row_weights = other.amplitudes_->row_weights;
}

template <class Real>
std::uint32_t BasicStateVector<Real>::num_qubits() const {
  return amplitudes_->num_qubits;
}

template <class Real>
std::complex<double> BasicStateVector<Real>::amplitude(std::uint64_t state) const {
  TANDEM_ASSERT(state >> num_qubits() == 0);
  const std::uint64_t place = amplitudes_->frame.place(state);
  return amplitudes_->frame.scale * std::complex<double>(*amplitudes_->re(place), *amplitudes_->im(place));
}

template <class Real>
void BasicStateVector<Real>::set_basis_state(std::uint64_t state) {
  TANDEM_ASSERT(state >> num_qubits() == 0);
  if (amplitudes_->is_zero && state == 0) return;
  const std::uint64_t share = 2 * amplitudes_->share_size();
  for_blocks(*executor_, amplitudes_->num_shares(),
             [&](std::size_t i) { std::fill_n(amplitudes_->memory.get() + i * share, share, Real(0)); });
  amplitudes_->frame = Frame(num_qubits());
  amplitudes_->row_weights.clear();
  *amplitudes_->re(state) = 1;
  amplitudes_->is_zero = state == 0;
}

template <class Real>
Result<void> BasicStateVector<Real>::check(const circuit::Circuit& circuit,
                                           std::span<const double> parameter_values) const {
  if (circuit.num_qubits() != num_qubits()) {
    return fail(errors::kSizeMismatch, "a circuit on {} qubits for a state of {}; use the same number",
                circuit.num_qubits(), num_qubits());
  }
  if (circuit.parameters().size() != parameter_values.size()) {
    return fail(errors::kSizeMismatch, "{} values for {} parameters; give one a parameter", parameter_values.size(),
                circuit.parameters().size());
  }
  for (const circuit::Instruction& instruction : circuit.instructions()) {
    if (!circuit::is_unitary(instruction)) {
      return fail(errors::kBadCircuit, "{}{} is not unitary; remove it, or run the circuit as a PUB",
                  circuit::gate_record(instruction.gate).name,
                  instruction.condition.exists() ? " under a condition" : "");
    }
  }
  return check_angles(circuit, parameter_values);
}

template <class Real>
Result<void> BasicStateVector<Real>::apply(const circuit::Circuit& circuit, std::span<const double> parameter_values,
                                           std::stop_token stop, Then then) {
  TANDEM_TRY(check(circuit, parameter_values));
  return apply(circuit.instructions(), parameter_values, std::move(stop), then);
}

template <class Real>
Result<void> BasicStateVector<Real>::apply(std::span<const circuit::Instruction> instructions,
                                           std::span<const double> parameter_values, std::stop_token stop, Then then) {
  try {
    const bool was_zero = std::exchange(amplitudes_->is_zero, amplitudes_->is_zero && instructions.empty());
    const auto found = was_zero ? find_ising_layers<Real>(instructions, parameter_values, num_qubits()) : std::nullopt;
    if (!found) return apply_planned(instructions, parameter_values, stop, then);
    amplitudes_->row_weights.clear();
    TANDEM_TRY_ASSIGN(amplitudes_->frame.scale,
                      run_ising_layers(*found, amplitudes_->memory.get(), num_qubits(), isa_, *executor_, stop));
    TANDEM_TRY(apply_planned(found->rest, parameter_values, stop, Then::kAnything));
    return apply_planned(instructions.subspan(found->num_seen), parameter_values, stop, then);
  } catch (const std::bad_alloc&) {
    amplitudes_->row_weights.clear();
    return fail(
        errors::kOutOfMemory,
        "the machine refused memory for a plan of {} gates beside the {} bytes of {} qubits; apply fewer gates at "
        "once, or end other programs",
        std::min(kInstructionsAtOnce, instructions.size()), bytes_needed(num_qubits()), num_qubits());
  }
}

template <class Real>
Result<void> BasicStateVector<Real>::apply_planned(std::span<const circuit::Instruction> instructions,
                                                   std::span<const double> parameter_values,
                                                   const std::stop_token& stop, Then then) {
  Frame& frame = amplitudes_->frame;
  std::vector<double>& weights = amplitudes_->row_weights;
  for (std::size_t first = 0;;) {
    if (stop.stop_requested()) return stopped();
    const auto now = instructions.subspan(first, std::min(kInstructionsAtOnce, instructions.size() - first));
    if (now.empty()) return {};
    auto compiled = plans_->take(now, parameter_values, frame, amplitudes_->num_bits, isa_);
    first += now.size();
    if (!compiled->plan.stages.empty()) weights.clear();
    // A state of one share is weighed as fast by itself.
    const bool weighs = then == Then::kSample && first == instructions.size() && amplitudes_->num_shares() > 1 &&
                        gives_row_weights(compiled->plan);
    if (weighs) weights.resize(amplitudes_->size() >> kWeightRowBits<Real>);
    if (auto done = run_plan(compiled->plan, amplitudes_->memory.get(), amplitudes_->num_bits, isa_, *executor_, stop,
                             std::span(weights).first(weighs ? weights.size() : 0));
        !done) {
      weights.clear();
      return done;
    }
    compiled->advance(frame);
    plans_->give(std::move(compiled));
  }
}

template <class Real>
QubitWeights BasicStateVector<Real>::weights(std::uint32_t qubit) const {
  TANDEM_ASSERT(qubit < num_qubits());
  const Amplitudes& amplitudes = *amplitudes_;
  const std::uint64_t bit = std::uint64_t{1} << amplitudes.frame.bit_of[qubit];
  std::vector<std::array<double, 2>> weights(amplitudes.num_shares());
  for_blocks(*executor_, amplitudes.num_shares(), [&](std::size_t i) {
    const std::uint64_t base = i << amplitudes.share_bits();
    for (std::uint64_t place = base; place < base + amplitudes.share_size(); ++place)
      weights[i][((place ^ amplitudes.frame.flipped) & bit) != 0 ? 1 : 0] += amplitudes.weight(place);
  });
  QubitWeights out;
  for (const auto& weight : weights) {
    out.of_0 += weight[0];
    out.of_1 += weight[1];
  }
  return out;
}

template <class Real>
void BasicStateVector<Real>::collapse(std::uint32_t qubit, bool outcome, const QubitWeights& weights) {
  const double kept = outcome ? weights.of_1 : weights.of_0;
  TANDEM_ASSERT(qubit < num_qubits() && kept > 0);
  Amplitudes& amplitudes = *amplitudes_;
  amplitudes.is_zero = false;
  const std::uint64_t bit = std::uint64_t{1} << amplitudes.frame.bit_of[qubit];
  for_blocks(*executor_, amplitudes.num_shares(), [&](std::size_t i) {
    const std::uint64_t base = i << amplitudes.share_bits();
    for (std::uint64_t place = base; place < base + amplitudes.share_size(); ++place) {
      if ((((place ^ amplitudes.frame.flipped) & bit) != 0) == outcome) continue;
      *amplitudes.re(place) = 0;
      *amplitudes.im(place) = 0;
    }
  });
  amplitudes.row_weights.clear();
  amplitudes.frame.scale /= size_of(amplitudes.frame.scale) * std::sqrt(kept);
}

template <class Real>
bool BasicStateVector<Real>::measure(std::uint32_t qubit, double uniform) {
  const QubitWeights found = weights(qubit);
  // u < 1, so that an outcome of no weight is never drawn.
  const bool outcome = !(uniform * (found.of_0 + found.of_1) < found.of_0) && found.of_1 > 0;
  collapse(qubit, outcome, found);
  return outcome;
}

template <class Real>
void BasicStateVector<Real>::reset(std::uint32_t qubit, double uniform) {
  if (!measure(qubit, uniform)) return;
  const std::array<circuit::Instruction, 1> flip{{{.gate = Gate::kX, .qubits = {qubit}}}};
  TANDEM_ASSERT(apply(flip, {}).has_value());  // fails only when stopped
}

template class BasicStateVector<double>;
template class BasicStateVector<float>;

}  // namespace tandem::statevector
