#include "tandem/compute/statevector/statevector.h"

#include <sys/mman.h>

#include <bit>
#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/prepared_gate.h"

namespace tandem::statevector {
namespace {

using circuit::Gate;

/// Gates that stay within blocks are applied to a block one after the other while it is in the cache; so many at once,
/// because a request to stop is only seen in between.
constexpr std::size_t kGatesInARowMax = 64;

}  // namespace

Doubles allocate_doubles(std::uint64_t count) {
  constexpr std::uint64_t kHugePage = 2 << 20;
  constexpr std::uint64_t kCacheLine = 64;
  const std::uint64_t bytes = count * sizeof(double);
  const std::uint64_t alignment = bytes >= 2 * kHugePage ? kHugePage : kCacheLine;
  const std::uint64_t rounded = (bytes + alignment - 1) / alignment * alignment;
  Doubles memory(static_cast<double*>(std::aligned_alloc(alignment, rounded)));
  // Advice only: where it is not taken everything works, more slowly.
  if (memory && alignment == kHugePage) static_cast<void>(::madvise(memory.get(), rounded, MADV_HUGEPAGE));
  return memory;
}

std::uint64_t StateVector::bytes_needed(std::uint32_t num_qubits) {
  TANDEM_ASSERT(num_qubits <= kQubitsMax);
  return (std::uint64_t{1} << num_qubits) * sizeof(std::complex<double>);
}

Result<void> StateVector::fits(std::uint32_t num_qubits, std::uint64_t memory_bytes_max) {
  if (num_qubits > kQubitsMax) {
    return fail(errors::kTooManyQubits,
                "a state vector of {} qubits is above the limit of {}; use a smaller core or another backend",
                num_qubits, kQubitsMax);
  }
  const std::uint64_t bytes = bytes_needed(num_qubits);
  if (bytes > memory_bytes_max) {
    return fail(errors::kOutOfMemory,
                "a state vector of {} qubits needs {} bytes and {} are available; use fewer qubits, or raise "
                "compute.memory_bytes_max if the machine has more",
                num_qubits, bytes, memory_bytes_max);
  }
  return {};
}

Result<StateVector> StateVector::create(std::uint32_t num_qubits, std::uint64_t memory_bytes_max, Executor& executor) {
  TANDEM_TRY(fits(num_qubits, memory_bytes_max));
  auto amplitudes = std::make_unique<Amplitudes>();
  amplitudes->num_qubits = num_qubits;
  amplitudes->memory = allocate_doubles(2 * amplitudes->size() + kSkew);
  if (!amplitudes->memory) {
    return fail(errors::kOutOfMemory, "the machine refused {} bytes for a state vector of {} qubits; use fewer qubits",
                bytes_needed(num_qubits), num_qubits);
  }
  amplitudes->re = amplitudes->memory.get();
  amplitudes->im = amplitudes->re + amplitudes->size() + kSkew;
  StateVector state(std::move(amplitudes), executor);
  state.set_basis_state(0);
  return state;
}

StateVector::StateVector(std::unique_ptr<Amplitudes> amplitudes, Executor& executor)
    : amplitudes_(std::move(amplitudes)), executor_(&executor) {}
StateVector::StateVector(StateVector&&) noexcept = default;
StateVector& StateVector::operator=(StateVector&&) noexcept = default;
StateVector::~StateVector() = default;

void StateVector::assign(const StateVector& other) {
  TANDEM_ASSERT(num_qubits() == other.num_qubits());
  for_blocks(*executor_, amplitudes_->num_blocks(), [&](std::size_t i) {
    std::ranges::copy(other.amplitudes_->block(i).re, amplitudes_->block(i).re.begin());
    std::ranges::copy(other.amplitudes_->block(i).im, amplitudes_->block(i).im.begin());
  });
}

std::uint32_t StateVector::num_qubits() const { return amplitudes_->num_qubits; }

std::complex<double> StateVector::amplitude(std::uint64_t state) const {
  TANDEM_ASSERT(state < amplitudes_->size());
  return {amplitudes_->re[state], amplitudes_->im[state]};
}

void StateVector::set_basis_state(std::uint64_t state) {
  TANDEM_ASSERT(state < amplitudes_->size());
  for_blocks(*executor_, amplitudes_->num_blocks(), [&](std::size_t i) {
    std::ranges::fill(amplitudes_->block(i).re, 0.0);
    std::ranges::fill(amplitudes_->block(i).im, 0.0);
  });
  amplitudes_->re[state] = 1;
}

Result<void> StateVector::apply(const circuit::Circuit& circuit, std::span<const double> parameter_values,
                                std::stop_token stop) {
  if (circuit.num_qubits() != num_qubits()) {
    return fail(errors::kSizeMismatch, "a circuit on {} qubits for a state of {}; use the same number",
                circuit.num_qubits(), num_qubits());
  }
  if (circuit.parameters().size() != parameter_values.size()) {
    return fail(errors::kSizeMismatch, "{} values for {} parameters; give one a parameter", parameter_values.size(),
                circuit.parameters().size());
  }
  for (const circuit::Instruction& instruction : circuit.instructions()) {
    if (instruction.gate == Gate::kMeasure || instruction.gate == Gate::kReset) {
      return fail(errors::kBadCircuit, "{} is not unitary; remove it, or run the circuit as a PUB",
                  circuit::gate_record(instruction.gate).name);
    }
  }
  TANDEM_TRY(check_angles(circuit, parameter_values));
  return apply(circuit.instructions(), parameter_values, std::move(stop));
}

Result<void> StateVector::apply(std::span<const circuit::Instruction> instructions,
                                std::span<const double> parameter_values, std::stop_token stop) {
  const std::uint32_t block_bits = amplitudes_->block_bits();
  std::vector<PreparedGate> in_a_row;
  const auto flush = [&] {
    if (in_a_row.empty()) return;
    for_blocks(*executor_, amplitudes_->num_blocks(), [&](std::size_t i) {
      const Parts block = amplitudes_->block(i);
      for (const PreparedGate& gate : in_a_row) {
        const PreparedGate inside = within_block(gate, i << block_bits, block_bits);
        apply_gate(inside, block, 0, num_groups(inside, block.size()));
      }
    });
    in_a_row.clear();
  };
  for (const circuit::Instruction& instruction : instructions) {
    if (instruction.gate == Gate::kBarrier) continue;
    const PreparedGate gate = prepare(instruction, parameter_values);
    TANDEM_ASSERT((gate.operands >> num_qubits()) == 0);
    if (gate.is_identity()) continue;
    if ((gate.mixing >> block_bits) == 0) {
      in_a_row.push_back(gate);
      if (in_a_row.size() < kGatesInARowMax) continue;
    }
    if (stop.stop_requested()) return fail(errors::kCancelled, "the simulation was stopped on request");
    flush();
    if ((gate.mixing >> block_bits) != 0) {
      // It mixes blocks: one pass, in ranges of as many amplitudes as a block has.
      const std::uint64_t groups = num_groups(gate, amplitudes_->size());
      const std::uint64_t range = num_groups(gate, amplitudes_->block_size());
      for_blocks(*executor_, groups / range,
                 [&](std::size_t i) { apply_gate(gate, amplitudes_->all(), i * range, (i + 1) * range); });
    }
  }
  if (stop.stop_requested()) return fail(errors::kCancelled, "the simulation was stopped on request");
  flush();
  return {};
}

bool StateVector::measure(std::uint32_t qubit, double uniform) {
  TANDEM_ASSERT(qubit < num_qubits());
  Amplitudes& amplitudes = *amplitudes_;
  const std::uint64_t bit = std::uint64_t{1} << qubit;
  std::vector<std::array<double, 2>> weights(amplitudes.num_blocks());
  for_blocks(*executor_, amplitudes.num_blocks(), [&](std::size_t i) {
    const std::uint64_t base = i << amplitudes.block_bits();
    for (std::uint64_t state = base; state < base + amplitudes.block_size(); ++state) {
      weights[i][(state >> qubit) & 1] +=
          amplitudes.re[state] * amplitudes.re[state] + amplitudes.im[state] * amplitudes.im[state];
    }
  });
  double weight_of_0 = 0;
  double weight_of_1 = 0;
  for (const auto& weight : weights) {
    weight_of_0 += weight[0];
    weight_of_1 += weight[1];
  }
  // u < 1, so that an outcome of no weight is never drawn.
  const bool outcome = !(uniform * (weight_of_0 + weight_of_1) < weight_of_0) && weight_of_1 > 0;
  const double scale = 1 / std::sqrt(outcome ? weight_of_1 : weight_of_0);
  for_blocks(*executor_, amplitudes.num_blocks(), [&](std::size_t i) {
    const std::uint64_t base = i << amplitudes.block_bits();
    for (std::uint64_t state = base; state < base + amplitudes.block_size(); ++state) {
      const double factor = ((state & bit) != 0) == outcome ? scale : 0.0;
      amplitudes.re[state] *= factor;
      amplitudes.im[state] *= factor;
    }
  });
  return outcome;
}

void StateVector::reset(std::uint32_t qubit, double uniform) {
  if (!measure(qubit, uniform)) return;
  const std::array<circuit::Instruction, 1> flip{{{.gate = Gate::kX, .qubits = {qubit}}}};
  TANDEM_ASSERT(apply(flip, {}).has_value());  // fails only when stopped
}

}  // namespace tandem::statevector
