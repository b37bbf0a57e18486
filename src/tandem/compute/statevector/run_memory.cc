#include "tandem/compute/statevector/run_memory.h"

#include <algorithm>

#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/branches.h"
#include "tandem/compute/statevector/ising_schedule.h"
#include "tandem/compute/statevector/pauli_basis.h"
#include "tandem/compute/statevector/plan.h"
#include "tandem/compute/statevector/sampling.h"

namespace tandem::statevector {
namespace {

constexpr std::uint64_t kHeldDraws = 1 << 20;  // sampling.h
constexpr std::uint64_t kShotsHeld = 1 << 16;  // of outcomes that are not added up yet

/// A gathered tile for each thread; in a `reading` one of doubles beside it. Those of layers are wider where two kinds would not hold all bits.
std::uint64_t desks(std::uint32_t num_qubits, std::size_t threads, bool reading) {
  constexpr TileShape kShape = kTileShape<double>;
  if (num_qubits <= kShape.most) return 0;
  std::uint32_t most = kShape.most_of(num_qubits);
  if (num_qubits > 2 * kShape.most - kLaneBits<double>) most = std::max(most, kShape.most + kWiderBits);
  return threads * (reading ? 3 : 2) * sizeof(double) << most;
}

/// `shots` draws from a state as outcomes of `words` words.
std::uint64_t drawing(std::uint32_t num_qubits, std::uint64_t shots, std::uint64_t words) {
  const std::uint64_t places = std::min(shots, std::uint64_t{1} << num_qubits);
  const std::uint64_t shares = std::uint64_t{1} << (num_qubits - std::min(num_qubits, kShareBits));
  // Weights of rows stand beside the state. Drawn places stand in their stretch and in the list of all; their outcomes in a table and in the result.
  const std::uint64_t rows = (std::uint64_t{1} << num_qubits) >> kWeightRowBits<double>;
  return sizeof(double) * (rows + shares + std::min(shots, kHeldDraws)) +
         places * (2 * sizeof(BasisCount) + 2 * 8 * (words + 1));
}

std::uint64_t shots_of(const circuit::Pub& pub) {
  std::uint64_t most = pub.shots;
  for (const auto& observable : pub.observables)
    most = std::max(most, shots_per_basis(group_qubit_wise(observable), pub).value_or(circuit::Pub::kShotsMax));
  return most;
}

}  // namespace

bool is_small(const circuit::Circuit& circuit) { return circuit.num_qubits() <= kShareBits; }

std::size_t strands_of(const circuit::Pub& pub, std::size_t threads) {
  const bool whole = !pub.observables.empty() || pub.circuit.measurements_are_terminal();  // branches are shared
  return is_small(pub.circuit) && whole ? std::min(threads, pub.num_bindings()) : 1;
}

RunMemory memory_of_counts(const circuit::Circuit& circuit, std::uint64_t shots, std::size_t threads) {
  const std::uint32_t num_qubits = circuit.num_qubits();
  const std::uint64_t words = (circuit.num_clbits() + 63) / 64;
  return {.states = StateVector::bytes_needed(num_qubits),
          .beside = desks(num_qubits, threads, false) + drawing(num_qubits, shots, words)};
}

RunMemory memory_of_run(const circuit::Pub& pub, std::size_t threads) {
  const std::uint32_t num_qubits = pub.circuit.num_qubits();
  const std::uint64_t state = StateVector::bytes_needed(num_qubits);
  const std::uint64_t words = (pub.circuit.num_clbits() + 63) / 64;
  const std::uint64_t strands = strands_of(pub, threads);
  if (!pub.observables.empty()) {
    const bool exact = pub.shots == 0 && pub.precision == 0;
    RunMemory out{.states = strands * (exact ? state : 2 * state), .beside = desks(num_qubits, threads, true)};
    if (!exact) out.beside += strands * drawing(num_qubits, shots_of(pub), 0);
    return out;
  }
  if (pub.circuit.measurements_are_terminal()) {
    RunMemory out = memory_of_counts(pub.circuit, pub.shots, threads);
    return {.states = strands * out.states, .beside = strands * out.beside};
  }
  return {.states = 2 * state,
          .beside = desks(num_qubits, threads, false) +
                    8 * (words + 1) *
                        (3 * std::min(pub.shots, kShotsHeld) + 2 * std::min(pub.shots, circuit::Pub::kEntriesMax)),
          .spare = std::min(kBranchBytesMax, kBranchStatesMax * state)};
}

Result<void> check_memory(const circuit::Pub& pub, std::size_t threads, std::uint64_t memory_bytes_max) {
  TANDEM_TRY(StateVector::fits(pub.circuit.num_qubits(), memory_bytes_max));
  const RunMemory needed = memory_of_run(pub, threads);
  if (needed.all() <= memory_bytes_max) return {};
  return fail(
      errors::kOutOfMemory,
      "{} qubits need {} bytes, {} for states and {} for threads and what is read, and {} are available; use fewer "
      "qubits or shots, measure at the end only, or raise compute.memory_bytes_max if the machine has more",
      pub.circuit.num_qubits(), needed.all(), needed.states, needed.beside, memory_bytes_max);
}

}  // namespace tandem::statevector
