#include "tandem/compute/statevector/run_memory.h"

#include <algorithm>

#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/branches.h"
#include "tandem/compute/statevector/pauli_basis.h"
#include "tandem/compute/statevector/plan.h"
#include "tandem/compute/statevector/sampling.h"

namespace tandem::statevector {
namespace {

constexpr std::uint64_t kHeldDraws = 1 << 20;  // sampling.h

/// A gathered tile for each thread; in a `reading` one of doubles beside it. Those of layers are no larger (a test holds them to that).
template <class Real>
std::uint64_t desks(std::uint32_t num_qubits, std::size_t threads, bool reading) {
  constexpr TileShape kShape = kTileShape<Real>;
  if (num_qubits <= kShape.most) return 0;
  return threads * (2 * sizeof(Real) + (reading ? sizeof(double) : 0)) << kShape.most_of(num_qubits);
}

/// `shots` draws from a state as outcomes of `words` words.
template <class Real>
std::uint64_t drawing(std::uint32_t num_qubits, std::uint64_t shots, std::uint64_t words) {
  const std::uint64_t places = std::min(shots, std::uint64_t{1} << num_qubits);
  const std::uint64_t shares = std::uint64_t{1} << (num_qubits - std::min(num_qubits, kShareBits));
  // Weights of rows stand beside the state. Drawn places stand in their stretch and in the list of all; their outcomes in a table and in the result.
  const std::uint64_t rows = (std::uint64_t{1} << num_qubits) >> kWeightRowBits<Real>;
  return sizeof(double) * (rows + shares + std::min(shots, kHeldDraws)) +
         places * (2 * sizeof(BasisCount) + 2 * 8 * (words + 1));
}

std::uint64_t shots_of(const circuit::Pub& pub) {
  std::uint64_t most = pub.shots;
  for (const auto& observable : pub.observables)
    most = std::max(most, shots_per_basis(group_qubit_wise(observable), pub).value_or(circuit::Pub::kShotsMax));
  return most;
}

std::uint64_t words_of(const circuit::Circuit& circuit) { return (circuit.num_clbits() + 63) / 64; }

/// Played outcome by outcome.
bool has_branches(const circuit::Pub& pub) {
  return pub.observables.empty() && !pub.circuit.measurements_are_terminal();
}

/// Of a PUB whose bindings are evaluated `strands` at a time.
template <class Real>
RunMemory memory_of_bindings(const circuit::Pub& pub, std::size_t threads, std::uint64_t strands) {
  const std::uint32_t num_qubits = pub.circuit.num_qubits();
  const std::uint64_t state = BasicStateVector<Real>::bytes_needed(num_qubits);
  if (pub.observables.empty())
    return {.states = strands * state,
            .beside = strands * (desks<Real>(num_qubits, threads, false) +
                                 drawing<Real>(num_qubits, pub.shots, words_of(pub.circuit)))};
  const bool exact = pub.shots == 0 && pub.precision == 0;
  RunMemory out{.states = strands * (exact ? state : 2 * state), .beside = desks<Real>(num_qubits, threads, true)};
  if (!exact) out.beside += strands * drawing<Real>(num_qubits, shots_of(pub), 0);
  return out;
}
RunMemory memory_of_bindings(const circuit::Pub& pub, const RunMeans& means, std::uint64_t strands) {
  return (means.precision == Precision::kSingle ? memory_of_bindings<float>
                                                : memory_of_bindings<double>)(pub, means.threads, strands);
}

/// In double.
RunMemory memory_of_branches(const circuit::Pub& pub, std::size_t threads) {
  const std::uint32_t num_qubits = pub.circuit.num_qubits();
  const std::uint64_t state = StateVector::bytes_needed(num_qubits);
  const std::uint64_t entry = 8 * (words_of(pub.circuit) + 1);
  constexpr std::uint64_t kGrowing = 3;  // a vector that moves, and where it moves to
  return {
      .states = 2 * state,
      .beside = desks<double>(num_qubits, threads, false) +
                entry * (kGrowing * held_outcomes(pub, threads) + 2 * std::min(pub.shots, circuit::Pub::kEntriesMax)),
      .spare = std::min(kBranchBytesMax, kBranchStatesMax * state)};
}

}  // namespace

bool is_small(const circuit::Circuit& circuit) { return circuit.num_qubits() <= kShareBits; }

std::size_t strands_of(const circuit::Pub& pub, const RunMeans& means) {
  if (!is_small(pub.circuit) || has_branches(pub)) return 1;  // threads share branches
  std::size_t out = std::min(std::max<std::size_t>(1, means.threads), pub.num_bindings());
  while (out > 1 && memory_of_bindings(pub, means, out).all() > means.bytes_max) --out;
  return out;
}

RunMemory memory_of_counts(const circuit::Circuit& circuit, std::uint64_t shots, std::size_t threads) {
  const std::uint32_t num_qubits = circuit.num_qubits();
  return {.states = StateVector::bytes_needed(num_qubits),
          .beside = desks<double>(num_qubits, threads, false) + drawing<double>(num_qubits, shots, words_of(circuit))};
}

RunMemory memory_of_run(const circuit::Pub& pub, const RunMeans& means) {
  return has_branches(pub) ? memory_of_branches(pub, means.threads)
                           : memory_of_bindings(pub, means, strands_of(pub, means));
}

Result<void> check_memory(const circuit::Pub& pub, const RunMeans& means) {
  TANDEM_TRY((means.precision == Precision::kSingle ? StateVectorF32::fits : StateVector::fits)(
      pub.circuit.num_qubits(), means.bytes_max));
  const RunMemory needed = memory_of_run(pub, means);
  if (needed.all() <= means.bytes_max) return {};
  return fail(
      errors::kOutOfMemory,
      "{} qubits need {} bytes, {} for states and {} for threads and what is read, and {} are available; use fewer "
      "qubits or shots, measure at the end only, or raise compute.memory_bytes_max if the machine has more",
      pub.circuit.num_qubits(), needed.all(), needed.states, needed.beside, means.bytes_max);
}

}  // namespace tandem::statevector
