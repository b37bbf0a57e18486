#include "tandem/compute/noise/noise.h"

#include <algorithm>
#include <new>
#include <optional>

#include "tandem/base/assert.h"
#include "tandem/base/rng.h"
#include "tandem/compute/noise/readout.h"
#include "tandem/compute/noise/trajectories.h"
#include "tandem/compute/statevector/outcome_rows.h"
#include "tandem/compute/statevector/pauli_basis.h"
#include "tandem/compute/statevector/prepared_gate.h"
#include "tandem/compute/statevector/run_memory.h"
#include "tandem/compute/statevector/statevector.h"

namespace tandem::noise {
namespace {

using circuit::Circuit;
using circuit::Gate;
using circuit::Instruction;
using circuit::Pub;
using statevector::BasisCount;
using statevector::StateVector;

/// Up to here (4 MiB a state) trajectories run side by side, one thread each; above, one after the other on all threads.
constexpr std::uint32_t kSideBySideQubitsMax = 18;

/// Random streams of one call.
enum Stream : std::uint64_t { kErrorStream, kSampleStream, kReadoutStream };

Result<void> check(const Circuit& circuit, std::span<const double> parameter_values, std::uint64_t shots,
                   const device::Calibration& calibration) {
  if (shots == 0 || shots > Pub::kShotsMax) {
    return fail(errors::kValueOutOfRange, "{} shots are outside the limits; use 1 to {}", shots, Pub::kShotsMax);
  }
  if (circuit.num_qubits() > calibration.qubits.size()) {
    return fail(errors::kSizeMismatch, "a circuit on {} qubits for a calibration of {}; use a larger device",
                circuit.num_qubits(), calibration.qubits.size());
  }
  if (circuit.parameters().size() != parameter_values.size()) {
    return fail(errors::kSizeMismatch, "{} values for {} parameters; give one a parameter", parameter_values.size(),
                circuit.parameters().size());
  }
  if (!circuit.measurements_are_terminal()) {
    return fail(
        errors::kBackendCannot,
        "the circuit resets a qubit or uses one that it has measured; noise is simulated for measurements at the "
        "end only");
  }
  for (const Instruction& instruction : circuit.instructions()) {
    const circuit::GateRecord& record = circuit::gate_record(instruction.gate);
    if (record.num_qubits > 2) {
      return fail(errors::kBackendCannot, "{} acts on {} qubits; transpile it to gates on one and two", record.name,
                  record.num_qubits);
    }
  }
  return statevector::check_angles(circuit, parameter_values);
}

/// One ideal state and its noisy neighbours.
class Sampler {
 public:
  /// `beside`: bytes that are needed beside states.
  Sampler(const Circuit& circuit, std::span<const double> values, const NoiseOptions& options, std::uint64_t beside,
          const std::stop_token& stop, Executor& executor)
      : num_qubits_(circuit.num_qubits()),
        values_(values),
        options_(options),
        beside_(beside),
        stop_(stop),
        executor_(executor) {
    std::ranges::copy_if(circuit.instructions(), std::back_inserter(instructions_),
                         [](const Instruction& instruction) { return instruction.gate != Gate::kMeasure; });
  }

  std::span<const Instruction> instructions() const { return instructions_; }

  /// How many patterns the options pay for.
  std::uint64_t patterns_max() const {
    const std::uint64_t amplitudes = std::uint64_t{1} << num_qubits_;
    const std::uint64_t affordable =
        options_.amplitude_updates_max / amplitudes / std::max<std::size_t>(1, instructions_.size());
    return std::clamp<std::uint64_t>(affordable, 1, kTrajectoriesMax);
  }

  /// Draws the shots of every pattern, and of the state without errors as number 0.
  Result<std::vector<BasisCount>> sample(const Trajectories& drawn) const {
    const std::size_t count = drawn.patterns.size() + 1;
    std::vector<std::vector<BasisCount>> sampled(count);
    std::vector<std::optional<Error>> errors(count);
    const auto task = [&](std::size_t index) {
      const std::uint64_t shots = index == 0 ? drawn.error_free_shots : drawn.patterns[index - 1].shots;
      if (shots == 0) return;
      const auto pattern = index == 0 ? std::span<const PauliError>() : std::span(drawn.patterns[index - 1].errors);
      auto states = sample_one(pattern, shots, derive_seed(derive_seed(options_.seed, kSampleStream), index));
      if (states) {
        sampled[index] = *std::move(states);
      } else {
        errors[index] = std::move(states).error();
      }
    };
    if (const std::size_t threads = threads_side_by_side(); threads > 1) {
      executor_.parallel(count, threads, task);
    } else {
      for (std::size_t index = 0; index < count; ++index) task(index);
    }
    Histogram histogram;
    for (std::size_t index = 0; index < count; ++index) {
      if (errors[index]) return tl::unexpected<Error>(*std::move(errors[index]));
      for (const BasisCount& entry : sampled[index]) histogram.add(entry.state, entry.count);
    }
    return histogram.take();
  }

 private:
  std::size_t threads_side_by_side() const {
    if (num_qubits_ > kSideBySideQubitsMax) return 1;
    return std::min<std::size_t>(executor_.threads(),
                                 (options_.memory_bytes_max - beside_) / StateVector::bytes_needed(num_qubits_));
  }

  Result<std::vector<BasisCount>> sample_one(std::span<const PauliError> pattern, std::uint64_t shots,
                                             std::uint64_t seed) const {
    if (stop_.stop_requested()) return fail(errors::kCancelled, "the simulation was stopped on request");
    TANDEM_TRY_ASSIGN(StateVector state, StateVector::create(num_qubits_, options_.memory_bytes_max, executor_));
    TANDEM_TRY(state.apply(with_errors(instructions_, pattern), values_, stop_, statevector::Then::kSample));
    return state.sample(shots, seed);
  }

  std::uint32_t num_qubits_;
  std::span<const double> values_;
  const NoiseOptions& options_;
  std::uint64_t beside_;
  const std::stop_token& stop_;
  Executor& executor_;
  std::vector<Instruction> instructions_;
};

/// Those of ideal counts, and every drawn state once more for its trajectory, all of them, and what is read of them.
statevector::RunMemory memory_needed(const Circuit& circuit, std::uint64_t shots, const Executor& executor) {
  statevector::RunMemory out =
      statevector::memory_of_counts(circuit, shots, std::max<std::size_t>(1, executor.threads()));
  out.beside += 3 * sizeof(BasisCount) * std::min(shots, (kTrajectoriesMax + 1) << circuit.num_qubits());
  return out;
}

// ---- expectations

/// The circuit with the basis change behind it, and every qubit measured.
Circuit measured_in(const Circuit& circuit, const statevector::PauliBasis& basis) {
  const auto parameters = circuit.parameters();
  auto result = Circuit::create(circuit.num_qubits(), circuit.num_qubits(), {parameters.begin(), parameters.end()});
  TANDEM_ASSERT(result.has_value());
  for (const Instruction& instruction : circuit.instructions()) TANDEM_ASSERT(result->append(instruction).has_value());
  for (const Instruction& gate : statevector::basis_change(basis)) TANDEM_ASSERT(result->append(gate).has_value());
  return std::move(result->measure_all());
}

Result<result::Expectation> expectation(const Pub& pub, std::span<const double> values,
                                        const statevector::PauliBases& bases, const device::Calibration& calibration,
                                        const NoiseOptions& options, const std::stop_token& stop, Executor& executor) {
  TANDEM_TRY_ASSIGN(const std::uint64_t shots, statevector::shots_per_basis(bases, pub));
  result::Expectation sum;
  for (std::size_t i = 0; i < bases.bases.size(); ++i) {
    NoiseOptions own = options;
    own.seed = derive_seed(options.seed, i);
    TANDEM_TRY_ASSIGN(const NoisyCounts noisy, sample(measured_in(pub.circuit, bases.bases[i]), values, shots,
                                                      calibration, own, stop, executor));
    std::vector<BasisCount> outcomes;
    for (std::size_t k = 0; k < noisy.counts.size(); ++k) {
      outcomes.push_back({noisy.counts.outcome(k)[0], noisy.counts.count(k)});
    }
    statevector::add_basis(bases.bases[i], outcomes, sum);
  }
  return statevector::finish(sum, bases);
}

}  // namespace

Result<NoisyCounts> sample(const Circuit& circuit, std::span<const double> parameter_values, std::uint64_t shots,
                           const device::Calibration& calibration, const NoiseOptions& options, std::stop_token stop,
                           Executor& executor) {
  TANDEM_TRY(check(circuit, parameter_values, shots, calibration));
  const statevector::OutcomeRows rows(circuit);
  if (rows.empty()) return fail(errors::kBadCircuit, "the circuit measures nothing; add measurements");
  TANDEM_TRY(StateVector::fits(circuit.num_qubits(), options.memory_bytes_max));
  const statevector::RunMemory needed = memory_needed(circuit, shots, executor);
  if (needed.all() > options.memory_bytes_max) {
    return fail(errors::kOutOfMemory,
                "{} noisy shots on {} qubits need {} bytes and {} are available; use fewer qubits or shots, or raise "
                "compute.memory_bytes_max if the machine has more",
                shots, circuit.num_qubits(), needed.all(), options.memory_bytes_max);
  }
  try {
    const Sampler sampler(circuit, parameter_values, options, needed.beside, stop, executor);
    const ErrorSites sites(sampler.instructions(), calibration);
    TANDEM_TRY_ASSIGN(const Trajectories drawn, draw_trajectories(sites, shots, sampler.patterns_max(),
                                                                  derive_seed(options.seed, kErrorStream), stop));
    TANDEM_TRY_ASSIGN(const std::vector<BasisCount> states, sampler.sample(drawn));
    TANDEM_TRY_ASSIGN(const std::vector<BasisCount> read,
                      misread(states, rows.writes(), calibration, derive_seed(options.seed, kReadoutStream), stop));
    return NoisyCounts{.counts = rows.counts(read),
                       .trajectories = drawn.patterns.size() + (drawn.error_free_shots > 0 ? 1 : 0),
                       .error_free_shots = drawn.error_free_shots,
                       .shared_shots = drawn.shared_shots};
  } catch (const std::bad_alloc&) {  // where one of many small pieces does not fit any more
    return fail(
        errors::kOutOfMemory,
        "the machine refused memory below the limit of {} bytes; {} noisy shots on {} qubits need {}: use fewer "
        "qubits or shots, or end other programs",
        options.memory_bytes_max, shots, circuit.num_qubits(), needed.all());
  }
}

Result<result::PubResult> run(const Pub& pub, const device::Calibration& calibration, const NoiseOptions& options,
                              std::stop_token stop, Executor& executor) {
  TANDEM_TRY(pub.check());
  if (!pub.observables.empty()) {
    if (pub.shots == 0 && pub.precision == 0) {
      return fail(errors::kBackendCannot, "expectations are never exact here; give shots or a precision");
    }
    const auto measures = [](const Instruction& instruction) { return instruction.gate == Gate::kMeasure; };
    if (std::ranges::any_of(pub.circuit.instructions(), measures)) {
      return fail(errors::kBadCircuit, "observables are for a circuit that does not measure; remove the measurements");
    }
  }
  std::vector<statevector::PauliBases> bases;
  for (const auto& observable : pub.observables) bases.push_back(statevector::group_qubit_wise(observable));
  result::PubResult result;
  for (std::size_t binding = 0; binding < pub.num_bindings(); ++binding) {
    NoiseOptions own = options;
    own.seed = derive_seed(options.seed, binding);
    if (pub.observables.empty()) {
      TANDEM_TRY_ASSIGN(NoisyCounts noisy,
                        sample(pub.circuit, pub.binding(binding), pub.shots, calibration, own, stop, executor));
      result.bindings.emplace_back(std::move(noisy.counts));
      continue;
    }
    result::Expectations values;
    for (std::size_t i = 0; i < bases.size(); ++i) {
      NoiseOptions of_observable = own;
      of_observable.seed = derive_seed(own.seed, i);
      TANDEM_TRY_ASSIGN(const result::Expectation value,
                        expectation(pub, pub.binding(binding), bases[i], calibration, of_observable, stop, executor));
      values.push_back(value);
    }
    result.bindings.emplace_back(std::move(values));
  }
  return result;
}

}  // namespace tandem::noise
