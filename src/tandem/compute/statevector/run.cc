#include "tandem/compute/statevector/run.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <optional>

#include "tandem/base/rng.h"
#include "tandem/compute/statevector/branches.h"
#include "tandem/compute/statevector/desks.h"
#include "tandem/compute/statevector/outcome_rows.h"
#include "tandem/compute/statevector/pauli_basis.h"
#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/prepared_gate.h"
#include "tandem/compute/statevector/run_memory.h"
#include "tandem/compute/statevector/statevector.h"

namespace tandem::statevector {
namespace {

using circuit::Circuit;
using circuit::Gate;
using circuit::Instruction;
using circuit::Pub;

struct Context {
  const RunOptions& options;
  const std::stop_token& stop;
  Executor& executor;
};

tl::unexpected<Error> stopped() { return fail(errors::kCancelled, "the simulation was stopped on request"); }

/// What a thread evaluates bindings with.
struct Bench {
  StateVector state;
  std::optional<StateVector> scratch = std::nullopt;

  static Result<Bench> create(const Pub& pub, bool with_scratch, const Context& context) {
    const auto make = [&] {
      return StateVector::create(pub.circuit.num_qubits(), context.options.memory_bytes_max, context.executor,
                                 context.options.plans);
    };
    TANDEM_TRY_ASSIGN(StateVector state, make());
    Bench out{.state = std::move(state)};
    if (with_scratch) {
      TANDEM_TRY_ASSIGN(out.scratch, make());
    }
    return out;
  }
};

/// evaluate(bench, binding) -> Result<result::BindingResult>, for each of them. Circuits whose states are small take a thread each, so that no thread
/// waits for another within one of them.
template <class Evaluate>
Result<result::PubResult> by_binding(const Pub& pub, bool with_scratch, const Context& context,
                                     const Evaluate& evaluate) {
  const std::size_t strands = strands_of(pub, threads_of(context.executor));
  std::vector<Bench> benches;
  for (std::size_t i = 0; i < strands; ++i) {
    TANDEM_TRY_ASSIGN(Bench bench, Bench::create(pub, with_scratch, context));
    benches.push_back(std::move(bench));
  }
  std::vector<std::optional<result::BindingResult>> results(pub.num_bindings());
  std::vector<std::optional<Error>> errors(strands);  // each of the first binding that its strand could not evaluate
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false;
  const auto work = [&](std::size_t strand) {
    for (std::size_t binding = next++; binding < results.size() && !failed; binding = next++) {
      auto result = evaluate(benches[strand], binding);
      if (result) {
        results[binding] = *std::move(result);
      } else {
        errors[strand] = std::move(result).error();
        failed = true;
      }
    }
  };
  if (strands == 1)
    work(0);
  else
    context.executor.parallel(strands, strands, work);
  for (std::optional<Error>& error : errors)
    if (error) return tl::unexpected(*std::move(error));
  result::PubResult out;
  for (auto& result : results) out.bindings.push_back(*std::move(result));
  return out;
}

// ---- counts, measurements last

Result<result::PubResult> counts_of_final_state(const Pub& pub, const Context& context) {
  const OutcomeRows rows(pub.circuit);
  std::vector<Instruction> unitary;
  std::ranges::copy_if(pub.circuit.instructions(), std::back_inserter(unitary), circuit::is_unitary);
  return by_binding(pub, false, context, [&](Bench& bench, std::size_t binding) -> Result<result::BindingResult> {
    TANDEM_TRY(check_angles(pub.circuit, pub.binding(binding)));
    bench.state.set_basis_state(0);
    TANDEM_TRY(bench.state.apply(unitary, pub.binding(binding), context.stop, Then::kSample));
    return rows.counts(bench.state.sample(pub.shots, derive_seed(context.options.seed, binding)));
  });
}

// ---- counts, measurements on the way

Result<result::PubResult> counts_of_outcomes(const Pub& pub, const Context& context) {
  const std::uint64_t memory = context.options.memory_bytes_max;
  TANDEM_TRY_ASSIGN(StateVector start,
                    StateVector::create(pub.circuit.num_qubits(), memory, context.executor, context.options.plans));
  const RunMemory needed = memory_of_run(pub, threads_of(context.executor));
  const std::uint64_t spare = std::min(needed.spare, memory - needed.all());
  const auto instructions = pub.circuit.instructions();
  const auto prefix =
      static_cast<std::size_t>(std::ranges::find_if_not(instructions, circuit::is_unitary) - instructions.begin());
  result::PubResult result;
  for (std::size_t binding = 0; binding < pub.num_bindings(); ++binding) {
    TANDEM_TRY(check_angles(pub.circuit, pub.binding(binding)));
    start.set_basis_state(0);
    TANDEM_TRY(start.apply(instructions.first(prefix), pub.binding(binding), context.stop));
    const BranchWork work{.rest = instructions.subspan(prefix),
                          .num_clbits = pub.circuit.num_clbits(),
                          .values = pub.binding(binding),
                          .shots = pub.shots,
                          .seed = derive_seed(context.options.seed, binding),
                          .states_max = (needed.states + spare) / StateVector::bytes_needed(start.num_qubits())};
    TANDEM_TRY_ASSIGN(result::Counts counts,
                      counts_of_branches(work, start, context.options, context.stop, context.executor));
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
    TANDEM_TRY(scratch.apply(basis_change(basis), {}, context.stop, Then::kSample));
    add_basis(basis, scratch.sample(shots, basis_seed), sum);
  }
  return finish(sum, bases);
}

Result<result::PubResult> expectations(const Pub& pub, const Context& context) {
  const bool exact = pub.shots == 0 && pub.precision == 0;
  std::vector<PauliBases> bases;
  std::vector<std::uint64_t> shots;
  if (!exact) {
    for (const auto& observable : pub.observables) {
      bases.push_back(group_qubit_wise(observable));
      TANDEM_TRY_ASSIGN(const std::uint64_t needed, shots_per_basis(bases.back(), pub));
      shots.push_back(needed);
    }
  }
  return by_binding(pub, !exact, context, [&](Bench& bench, std::size_t binding) -> Result<result::BindingResult> {
    StateVector& state = bench.state;
    state.set_basis_state(0);
    TANDEM_TRY(state.apply(pub.circuit, pub.binding(binding), context.stop));
    result::Expectations values;
    for (std::size_t i = 0; i < pub.observables.size(); ++i) {
      if (context.stop.stop_requested()) return stopped();
      if (exact) {
        TANDEM_TRY_ASSIGN(const double value, state.expectation(pub.observables[i]));
        values.push_back({.value = value});
        continue;
      }
      const std::uint64_t seed = derive_seed(derive_seed(context.options.seed, binding), i);
      TANDEM_TRY_ASSIGN(const result::Expectation value,
                        measured(bases[i], shots[i], seed, state, *bench.scratch, context));
      values.push_back(value);
    }
    return values;
  });
}

Result<result::PubResult> run_checked(const Pub& pub, const Context& context) {
  if (!pub.observables.empty()) return expectations(pub, context);
  return pub.circuit.measurements_are_terminal() ? counts_of_final_state(pub, context)
                                                 : counts_of_outcomes(pub, context);
}

}  // namespace

Result<result::PubResult> run(const Pub& pub, const RunOptions& options, std::stop_token stop, Executor& executor) {
  TANDEM_TRY(pub.check());
  if (!pub.observables.empty() && !std::ranges::all_of(pub.circuit.instructions(), circuit::is_unitary)) {
    return fail(errors::kBadCircuit,
                "observables are for a circuit that neither measures nor resets and has no conditions; remove that");
  }
  if (pub.observables.empty() && std::ranges::find(pub.circuit.instructions(), Gate::kMeasure, &Instruction::gate) ==
                                     pub.circuit.instructions().end()) {
    return fail(errors::kBadCircuit, "the circuit measures nothing; add measurements or ask for observables");
  }
  const std::size_t threads = threads_of(executor);
  TANDEM_TRY(check_memory(pub, threads, options.memory_bytes_max));
  RunOptions with_plans = options;
  if (!with_plans.plans) with_plans.plans = std::make_shared<PlanCache<double>>();
  try {
    return run_checked(pub, Context{with_plans, stop, executor});
  } catch (const std::bad_alloc&) {  // where one of many small pieces does not fit any more
    return fail(
        errors::kOutOfMemory,
        "the machine refused memory below the limit of {} bytes; {} qubits need {}: use fewer qubits or shots, or "
        "end other programs",
        options.memory_bytes_max, pub.circuit.num_qubits(), memory_of_run(pub, threads).all());
  }
}

}  // namespace tandem::statevector
