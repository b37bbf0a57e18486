#include "tandem/compute/statevector/run.h"

#include <algorithm>
#include <atomic>
#include <optional>

#include "tandem/base/rng.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/outcome_rows.h"
#include "tandem/compute/statevector/pauli_basis.h"
#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/prepared_gate.h"
#include "tandem/compute/statevector/statevector.h"

namespace tandem::statevector {
namespace {

using circuit::Circuit;
using circuit::Gate;
using circuit::Instruction;
using circuit::Pub;

constexpr std::uint64_t kShotsInATask = 64;       // simulated one by one by one thread; amortises its state
constexpr std::uint64_t kShotsInARound = 1 << 16;  // bounds the raw shots held at once

struct Context {
  const RunOptions& options;
  const std::stop_token& stop;
  Executor& executor;
};

tl::unexpected<Error> stopped() { return fail(errors::kCancelled, "the simulation was stopped on request"); }

bool is_unitary(const Instruction& instruction) {
  return instruction.gate != Gate::kMeasure && instruction.gate != Gate::kReset;
}

bool is_exact(const Pub& pub) { return pub.shots == 0 && pub.precision == 0; }

// ---- counts, measurements last

Result<result::PubResult> counts_of_final_state(const Pub& pub, const Context& context) {
  const OutcomeRows rows(pub.circuit);
  std::vector<Instruction> unitary;
  std::ranges::copy_if(pub.circuit.instructions(), std::back_inserter(unitary), is_unitary);
  TANDEM_TRY_ASSIGN(StateVector state, StateVector::create(pub.circuit.num_qubits(), context.options.memory_bytes_max,
                                                           context.executor, context.options.plans));
  result::PubResult result;
  for (std::size_t binding = 0; binding < pub.num_bindings(); ++binding) {
    TANDEM_TRY(check_angles(pub.circuit, pub.binding(binding)));
    state.set_basis_state(0);
    TANDEM_TRY(state.apply(unitary, pub.binding(binding), context.stop));
    result.bindings.emplace_back(rows.counts(state.sample(pub.shots, derive_seed(context.options.seed, binding))));
  }
  return result;
}

// ---- counts, shot by shot

/// Plays the instructions behind the shared prefix once a shot.
class ShotPlayer {
 public:
  ShotPlayer(const Pub& pub, std::span<const Instruction> rest, const StateVector& start, const Context& context)
      : pub_(pub), rest_(rest), start_(start), context_(context) {}

  Result<result::Counts> play(std::span<const double> values, std::uint64_t seed) const {
    const std::size_t words = (pub_.circuit.num_clbits() + 63) / 64;
    std::vector<std::uint64_t> outcomes;
    std::vector<std::uint64_t> counts;
    for (std::uint64_t first = 0; first < pub_.shots; first += kShotsInARound) {
      const std::uint64_t shots = std::min(kShotsInARound, pub_.shots - first);
      std::vector<std::uint64_t> rows(shots * words);
      TANDEM_TRY(play_round(values, seed, first, shots, rows));
      const result::Counts round = result::Counts::from_shots(pub_.circuit.num_clbits(), rows);
      for (std::size_t i = 0; i < round.size(); ++i) {
        outcomes.insert(outcomes.end(), round.outcome(i).begin(), round.outcome(i).end());
        counts.push_back(round.count(i));
      }
    }
    return result::Counts::from_histogram(pub_.circuit.num_clbits(), outcomes, counts);
  }

 private:
  /// Small states: one thread a task of shots, as far as memory goes. Large states keep all threads busy themselves.
  std::size_t threads() const {
    if (start_.num_qubits() > kShareBits) return 1;
    const std::uint64_t states = context_.options.memory_bytes_max / StateVector::bytes_needed(start_.num_qubits());
    return std::clamp<std::size_t>(states - 1, 1, std::max<std::size_t>(1, context_.executor.threads()));
  }

  Result<void> play_round(std::span<const double> values, std::uint64_t seed, std::uint64_t first, std::uint64_t shots,
                          std::span<std::uint64_t> rows) const {
    const std::size_t tasks = (shots + kShotsInATask - 1) / kShotsInATask;
    std::vector<std::optional<Error>> errors(tasks);
    const std::size_t words = rows.size() / shots;
    const auto task = [&](std::size_t index) {
      // The start is counted by the caller; what one task may hold is one state.
      auto state = StateVector::create(start_.num_qubits(), context_.options.memory_bytes_max, context_.executor,
                                       context_.options.plans);
      if (!state) {
        errors[index] = std::move(state).error();
        return;
      }
      const std::uint64_t last = std::min(shots, (index + 1) * kShotsInATask);
      for (std::uint64_t shot = index * kShotsInATask; shot < last; ++shot) {
        auto played = play_shot(*state, values, derive_seed(seed, first + shot), rows.subspan(shot * words, words));
        if (!played) {
          errors[index] = std::move(played).error();
          return;
        }
      }
    };
    if (tasks == 1) {
      task(0);
    } else {
      context_.executor.parallel(tasks, threads(), task);
    }
    for (std::optional<Error>& error : errors) {
      if (error) return tl::unexpected<Error>(*std::move(error));
    }
    return {};
  }

  Result<void> play_shot(StateVector& state, std::span<const double> values, std::uint64_t seed,
                         std::span<std::uint64_t> row) const {
    if (context_.stop.stop_requested()) return stopped();
    Xoshiro256 rng(seed);
    state.assign(start_);
    for (std::size_t i = 0; i < rest_.size();) {
      const auto end = std::ranges::find_if_not(rest_.subspan(i), is_unitary);
      const auto stretch = rest_.subspan(i, static_cast<std::size_t>(end - rest_.subspan(i).begin()));
      TANDEM_TRY(state.apply(stretch, values, context_.stop));
      i += stretch.size();
      if (i == rest_.size()) break;
      const Instruction& instruction = rest_[i++];
      if (instruction.gate == Gate::kReset) {
        state.reset(instruction.qubits[0], rng.uniform());
      } else {
        set_bit(row, instruction.clbit, state.measure(instruction.qubits[0], rng.uniform()));
      }
    }
    return {};
  }

  const Pub& pub_;
  std::span<const Instruction> rest_;
  const StateVector& start_;
  const Context& context_;
};

Result<result::PubResult> counts_shot_by_shot(const Pub& pub, const Context& context) {
  const std::uint64_t bytes = bytes_needed(pub);
  TANDEM_TRY_ASSIGN(StateVector start, StateVector::create(pub.circuit.num_qubits(), context.options.memory_bytes_max,
                                                           context.executor, context.options.plans));
  if (bytes > context.options.memory_bytes_max) {
    return fail(errors::kOutOfMemory,
                "{} qubits measured midway need {} bytes for two states and the limit is {}; use fewer qubits, or "
                "measure at the end only",
                pub.circuit.num_qubits(), bytes, context.options.memory_bytes_max);
  }
  const auto instructions = pub.circuit.instructions();
  const auto prefix =
      static_cast<std::size_t>(std::ranges::find_if_not(instructions, is_unitary) - instructions.begin());
  const ShotPlayer player(pub, instructions.subspan(prefix), start, context);
  result::PubResult result;
  for (std::size_t binding = 0; binding < pub.num_bindings(); ++binding) {
    TANDEM_TRY(check_angles(pub.circuit, pub.binding(binding)));
    start.set_basis_state(0);
    TANDEM_TRY(start.apply(instructions.first(prefix), pub.binding(binding), context.stop));
    TANDEM_TRY_ASSIGN(result::Counts counts,
                      player.play(pub.binding(binding), derive_seed(context.options.seed, binding)));
    result.bindings.emplace_back(std::move(counts));
  }
  return result;
}

// ---- expectations

/// One observable of one final state, measured. `scratch` has the size of `state`.
Result<result::Expectation> measured(const PauliBases& bases, std::uint64_t shots, std::uint64_t seed,
                                     const StateVector& state, StateVector& scratch, const Context& context) {
  result::Expectation sum;
  for (std::size_t i = 0; i < bases.bases.size(); ++i) {
    const PauliBasis& basis = bases.bases[i];
    const std::uint64_t basis_seed = derive_seed(seed, i);
    if (basis.x == 0) {
      add_basis(basis, state.sample(shots, basis_seed), sum);
      continue;
    }
    scratch.assign(state);
    TANDEM_TRY(scratch.apply(basis_change(basis), {}, context.stop));
    add_basis(basis, scratch.sample(shots, basis_seed), sum);
  }
  return finish(sum, bases);
}

Result<result::PubResult> expectations(const Pub& pub, const Context& context) {
  const bool exact = is_exact(pub);
  const std::uint32_t num_qubits = pub.circuit.num_qubits();
  const std::uint64_t memory = context.options.memory_bytes_max;
  TANDEM_TRY_ASSIGN(StateVector state,
                    StateVector::create(num_qubits, memory, context.executor, context.options.plans));
  std::optional<StateVector> scratch;
  std::vector<PauliBases> bases;
  std::vector<std::uint64_t> shots;
  if (!exact) {
    TANDEM_TRY_ASSIGN(scratch, StateVector::create(num_qubits, memory - StateVector::bytes_needed(num_qubits),
                                                   context.executor, context.options.plans));
    for (const auto& observable : pub.observables) {
      bases.push_back(group_qubit_wise(observable));
      TANDEM_TRY_ASSIGN(const std::uint64_t needed, shots_per_basis(bases.back(), pub));
      shots.push_back(needed);
    }
  }
  result::PubResult result;
  for (std::size_t binding = 0; binding < pub.num_bindings(); ++binding) {
    state.set_basis_state(0);
    TANDEM_TRY(state.apply(pub.circuit, pub.binding(binding), context.stop));
    result::Expectations values;
    for (std::size_t i = 0; i < pub.observables.size(); ++i) {
      if (context.stop.stop_requested()) return stopped();
      if (exact) {
        values.push_back({.value = state.expectation(pub.observables[i])});
        continue;
      }
      const std::uint64_t seed = derive_seed(derive_seed(context.options.seed, binding), i);
      TANDEM_TRY_ASSIGN(const result::Expectation value, measured(bases[i], shots[i], seed, state, *scratch, context));
      values.push_back(value);
    }
    result.bindings.emplace_back(std::move(values));
  }
  return result;
}

}  // namespace

std::uint64_t bytes_needed(const Pub& pub) {
  const bool two = pub.observables.empty() ? !pub.circuit.measurements_are_terminal() : !is_exact(pub);
  return (two ? 2 : 1) * StateVector::bytes_needed(std::min(pub.circuit.num_qubits(), StateVector::kQubitsMax));
}

Result<result::PubResult> run(const Pub& pub, const RunOptions& options, std::stop_token stop, Executor& executor) {
  TANDEM_TRY(pub.check());
  RunOptions with_plans = options;
  if (!with_plans.plans) with_plans.plans = std::make_shared<PlanCache<double>>();
  const Context context{with_plans, stop, executor};
  if (!pub.observables.empty()) {
    if (!std::ranges::all_of(pub.circuit.instructions(), is_unitary)) {
      return fail(errors::kBadCircuit, "observables are for a circuit that neither measures nor resets; remove that");
    }
    return expectations(pub, context);
  }
  if (std::ranges::find(pub.circuit.instructions(), Gate::kMeasure, &Instruction::gate) ==
      pub.circuit.instructions().end()) {
    return fail(errors::kBadCircuit, "the circuit measures nothing; add measurements or ask for observables");
  }
  return pub.circuit.measurements_are_terminal() ? counts_of_final_state(pub, context)
                                                 : counts_shot_by_shot(pub, context);
}

}  // namespace tandem::statevector
