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

template <class Real>
struct Context {
  const RunOptions& options;
  const std::stop_token& stop;
  Executor& executor;

  const std::shared_ptr<PlanCache<Real>>& plans() const {
    if constexpr (sizeof(Real) == sizeof(float))
      return options.single_plans;
    else
      return options.plans;
  }
  Result<BasicStateVector<Real>> state(const Pub& pub) const {
    return BasicStateVector<Real>::create(pub.circuit.num_qubits(), options.memory_bytes_max, executor, plans());
  }
};

template <class Real>
RunMeans means_of(const RunOptions& options, const Executor& executor) {
  return {.threads = threads_of(executor),
          .bytes_max = options.memory_bytes_max,
          .precision = sizeof(Real) == sizeof(float) ? Precision::kSingle : Precision::kDouble};
}

tl::unexpected<Error> stopped() { return fail(errors::kCancelled, "the simulation was stopped on request"); }

/// What a thread evaluates bindings with.
template <class Real>
struct Bench {
  BasicStateVector<Real> state;
  std::optional<BasicStateVector<Real>> scratch = std::nullopt;

  static Result<Bench> create(const Pub& pub, bool with_scratch, const Context<Real>& context) {
    TANDEM_TRY_ASSIGN(BasicStateVector<Real> state, context.state(pub));
    Bench out{.state = std::move(state)};
    if (with_scratch) {
      TANDEM_TRY_ASSIGN(out.scratch, context.state(pub));
    }
    return out;
  }
};

/// evaluate(bench, binding) -> Result<result::BindingResult>, for each of them. Circuits whose states are small take a thread each, so that no thread
/// waits for another within one of them.
template <class Real, class Evaluate>
Result<result::PubResult> by_binding(const Pub& pub, bool with_scratch, const Context<Real>& context,
                                     const Evaluate& evaluate) {
  const std::size_t strands = strands_of(pub, means_of<Real>(context.options, context.executor));
  std::vector<Bench<Real>> benches;
  for (std::size_t i = 0; i < strands; ++i) {
    TANDEM_TRY_ASSIGN(Bench<Real> bench, Bench<Real>::create(pub, with_scratch, context));
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

template <class Real>
Result<result::PubResult> counts_of_final_state(const Pub& pub, const Context<Real>& context) {
  const OutcomeRows rows(pub.circuit);
  std::vector<Instruction> unitary;
  std::ranges::copy_if(pub.circuit.instructions(), std::back_inserter(unitary), circuit::is_unitary);
  return by_binding(pub, false, context, [&](Bench<Real>& bench, std::size_t binding) -> Result<result::BindingResult> {
    TANDEM_TRY(check_angles(pub.circuit, pub.binding(binding)));
    bench.state.set_basis_state(0);
    TANDEM_TRY(bench.state.apply(unitary, pub.binding(binding), context.stop, Then::kSample));
    return rows.counts(bench.state.sample(pub.shots, derive_seed(context.options.seed, binding)));
  });
}

// ---- counts, measurements on the way

Result<result::PubResult> counts_of_outcomes(const Pub& pub, const Context<double>& context) {
  TANDEM_TRY_ASSIGN(StateVector start, context.state(pub));
  const RunMemory needed = memory_of_run(pub, means_of<double>(context.options, context.executor));
  const std::uint64_t spare = std::min(needed.spare, context.options.memory_bytes_max - needed.all());
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
template <class Real>
Result<result::Expectation> measured(const PauliBases& bases, std::uint64_t shots, std::uint64_t seed,
                                     const BasicStateVector<Real>& state, BasicStateVector<Real>& scratch,
                                     const Context<Real>& context) {
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

template <class Real>
Result<result::PubResult> expectations(const Pub& pub, const Context<Real>& context) {
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
  return by_binding(pub, !exact, context,
                    [&](Bench<Real>& bench, std::size_t binding) -> Result<result::BindingResult> {
                      BasicStateVector<Real>& state = bench.state;
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

template <class Real>
Result<result::PubResult> run_in(const Pub& pub, const Context<Real>& context) {
  TANDEM_TRY(check_memory(pub, means_of<Real>(context.options, context.executor)));
  if (!pub.observables.empty()) return expectations(pub, context);
  if (pub.circuit.measurements_are_terminal()) return counts_of_final_state(pub, context);
  if constexpr (sizeof(Real) == sizeof(double)) return counts_of_outcomes(pub, context);
  TANDEM_ASSERT(false);  // choose_precision() says double
}

Result<result::PubResult> run_checked(const Pub& pub, const RunOptions& options, const std::stop_token& stop,
                                      Executor& executor) {
  if (pub.tolerance != 0) TANDEM_TRY(StateVectorF32::fits(pub.circuit.num_qubits(), options.memory_bytes_max));
  TANDEM_TRY_ASSIGN(const PrecisionChoice choice, choose_precision(pub, *options.single_plans, *options.plans));
  const bool single = choice.precision == Precision::kSingle;
  auto out = single ? run_in(pub, Context<float>{options, stop, executor})
                    : run_in(pub, Context<double>{options, stop, executor});
  if (out && pub.tolerance != 0)
    out->arithmetic = result::Arithmetic{.single = single, .tolerance = pub.tolerance, .rounding = choice.rounding};
  return out;
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
  RunOptions with_plans = options;
  if (!with_plans.plans) with_plans.plans = std::make_shared<PlanCache<double>>();
  if (!with_plans.single_plans) with_plans.single_plans = std::make_shared<PlanCache<float>>();
  try {
    return run_checked(pub, with_plans, stop, executor);
  } catch (const std::bad_alloc&) {  // where one of many small pieces does not fit any more
    return fail(
        errors::kOutOfMemory,
        "the machine refused memory below the limit of {} bytes; {} qubits need {}: use fewer qubits or shots, or "
        "end other programs",
        options.memory_bytes_max, pub.circuit.num_qubits(),
        memory_of_run(pub, means_of<double>(options, executor)).all());
  }
}

}  // namespace tandem::statevector
