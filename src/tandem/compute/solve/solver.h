// tandem/compute/solve/solver.h - the one interface of all classical solvers, and their open list.
//
// Room: compute. A solver is a pure function on values: no clock, no I/O, no network. Time comes as a stop token that the
// caller fires; what was done is reported in work units, and the same work units give the same answer again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/compute/simd/isa.h"
#include "tandem/model/problem/cqm.h"
#include "tandem/model/problem/polynomial.h"
#include "tandem/model/result/sample_set.h"

namespace tandem::solve {

/// What is solved. Always minimised. A Cqm is for solvers that keep constraints.
using Model = std::variant<problem::Bqm, problem::Polynomial, problem::Cqm>;
std::size_t num_variables(const Model& model);
problem::Vartype vartype(const Model& model);
/// Energy of the objective alone.
double energy(const Model& model, problem::AssignmentView values);

/// Independent streams of search, each with its own derived seed. The number of strands, never the number of threads,
/// decides the answer: strands meet only at round borders, in the order of their index.
struct WorkLimit {
  /// Units each strand may do; empty: no limit. One entry a strand. A unit is what the solver says (unit_name).
  std::vector<std::uint64_t> units;
  friend bool operator==(const WorkLimit&, const WorkLimit&) = default;
};

struct SolveOptions {
  std::uint64_t seed = 1;
  std::uint32_t strands = 2;  ///< ignored by exact solvers
  WorkLimit work;  ///< for exact repetition: the `work_done` of an earlier outcome
  std::optional<double> target;  ///< stop once an energy <= target is found
  std::uint64_t num_samples = 0;  ///< annealing and random draw and return exactly that many; 0: their choice
  std::uint64_t sweeps = 0;  ///< annealing: sweeps a read; 0: the solver's choice
  std::uint64_t candidates_max = 16;  ///< distinct samples to return, best first, where num_samples does not decide
  std::vector<problem::Assignment> start;  ///< assignments to start from; the answer is never worse
  std::uint64_t memory_bytes_max = std::uint64_t{4} << 30;
};

/// An improvement, as it happens, on any thread (never two calls at once): of the energy, or of the bound beside the same
/// energy. The sink stamps the time.
struct Incumbent {
  double energy = 0;
  std::uint32_t strand = 0;
  std::uint64_t units = 0;  ///< done by that strand so far
  std::optional<double> bound = std::nullopt;  ///< proved lower bound on the energy, where one is known
};
using IncumbentSink = std::function<void(const Incumbent&)>;

/// What a solver gets from outside.
struct SolveContext {
  Executor& executor;
  std::stop_token stop;
  IncumbentSink sink;  ///< may be empty
  std::size_t threads = 0;  ///< 0: all of the executor's
  simd::Isa isa = simd::best_isa();  ///< the answer does not depend on it
};

enum class StopReason : std::uint8_t { kProved, kTarget, kWork, kStopped, kFinished };
std::string_view to_string(StopReason reason);

/// What one engine of a race did.
struct EngineRecord {
  std::string engine;  ///< "tabu"
  std::uint32_t strand = 0;
  std::uint64_t units = 0;
  std::optional<double> best_energy;  ///< that it found itself; empty: nothing, or no objective
  Json document() const;  ///< {"engine", "strand", "units", "best_energy": null or a number}
  static Result<EngineRecord> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const EngineRecord&, const EngineRecord&) = default;
};

/// What exact rules took from a model before it was searched, and what came back when the answer was lifted.
struct ReductionRecord {
  std::string kind;  ///< "quadratic" (compute/reduce) or "conflict_graph" (conflict_kernel.h)
  std::uint64_t variables_before = 0;
  std::uint64_t variables_after = 0;
  std::map<std::string, std::uint64_t> by_rule;  ///< how often each has fired; none that has not
  std::uint64_t folds = 0;  ///< fresh nodes that stand for several, of a conflict graph
  /// {"kind", "proof_class": "exact", "variables_before", "variables_after", "by_rule", "folds"}
  Json document() const;
  static Result<ReductionRecord> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const ReductionRecord&, const ReductionRecord&) = default;
};

/// The record of a race: which engines it had, why, and what became of them.
struct RaceRecord {
  std::string
      choice;  ///< in words: "2000 variables of 4.0 couplings: tabu, replicas, treewidth"; empty: there was nothing to choose
  std::vector<EngineRecord> engines;
  std::optional<ReductionRecord> reduction = std::nullopt;  ///< of the solver itself; empty: it removed nothing
  Json document() const;  ///< {"choice", "engines"} and, where there is one, "reduction"
  static Result<RaceRecord> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const RaceRecord&, const RaceRecord&) = default;
};

struct SolveOutcome {
  result::SampleSet samples;  ///< never empty on success; of a Cqm feasible ones only, or else the least violated one
  bool proved = false;  ///< samples.best() is optimal
  std::optional<double> bound;  ///< proved lower bound on the energy
  std::vector<std::uint64_t> work_done;  ///< a strand: give it back as WorkLimit to get the same samples
  StopReason reason = StopReason::kFinished;
  std::string unit_name;  ///< "sweeps", "flips", "nodes"
  RaceRecord race;  ///< of solvers that have several engines or reduce
};

/// What a solver takes. The router reads this; solve() checks it.
struct SolverInfo {
  std::string_view name;  ///< "tabu"
  std::string_view summary;
  std::string_view version;  ///< changes when the same seed gives other bytes
  bool takes_bqm = false;
  bool takes_polynomial = false;
  bool takes_cqm = false;
  bool only_linear = false;  ///< a model whose objective has products is refused
  bool exact = false;  ///< can prove
  std::size_t variables_max = 0;
};

class Solver {
 public:
  virtual ~Solver() = default;
  virtual const SolverInfo& info() const = 0;
  /// Runs until a StopReason. Without a stop token and a work limit every solver ends by itself, after little work.
  ///
  /// Threads: `context.executor` runs the strands; the call returns when all have ended, within some 20 ms of a stop.
  /// Errors: 1301 solver_refused; 1004 out_of_memory (needed, available); 1023 value_out_of_range - too many strands or
  ///         candidates; 1104 size_mismatch, 1105 bad_vartype - a work limit or a start that does not fit; 1107
  ///         infeasible_problem - proved that no assignment satisfies all constraints; 1002 cancelled only when stopped
  ///         before any assignment was found.
  virtual Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                                     const SolveContext& context) const = 0;
};

/// All solvers of this part, one file `solver_<name>.cc` with `const Solver& <name>_solver()` each; generated by the build.
std::span<const Solver* const> builtin_solvers();
const Solver* find_solver(std::string_view name);

/// Checks `model` against `info`. Errors: 1301 solver_refused.
Result<void> check_accepts(const SolverInfo& info, const Model& model);

}  // namespace tandem::solve
