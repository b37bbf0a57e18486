// tandem/hybrid/walk/problem_walk.h - a problem walks: reduce, solve beside the baseline, narrow, refine in rounds, finish.
//
// Room: hybrid.
#pragma once

#include <memory>
#include <optional>

#include "tandem/compute/reduce/reduce.h"
#include "tandem/hybrid/refine/polish.h"
#include "tandem/hybrid/refine/refine.h"
#include "tandem/hybrid/walk/confidence.h"
#include "tandem/hybrid/walk/walk.h"
#include "tandem/middleware/encode/encode.h"

namespace tandem::walk {

/// What the walk has found so far; all of it is in the state document.
struct Progress {
  std::vector<problem::Assignment> elite;  ///< over the reduced statement, best first, distinct
  std::vector<job::ScoredCandidate> candidates;  ///< over the problem, unsorted
  std::optional<job::ScoredCandidate> baseline;
  job::BaselineSummary baseline_summary;
  bool proved = false;
  std::optional<double> bound;  ///< energy
  std::optional<double> time_to_best_ms;  ///< of the main solve
  std::optional<double> baseline_time_to_best_ms;
  job::RefinementSummary refinement;
  std::uint32_t round = 0;
  std::vector<std::uint32_t> recent;  ///< variables of earlier cores
  Json cores = Json::array();  ///< trail of each round, for lineage
  Json solve_info = Json::object();  ///< backend, work, reason
  job::Provenance provenance;
  std::vector<double> baseline_objectives;  ///< of its feasible solutions
  CalibrationAge calibration;
  std::vector<ansatz::Training> trained;  ///< angles of the round's circuits
};

inline constexpr const char* kStartSource = "start";  ///< of candidates that the job gave

/// Of a solution's text: '1' is 1, '0' the low value of the vartype.
problem::Assignment assignment_of(const std::string& text, problem::Vartype vartype);
problem::Vartype vartype_of(const problem::Statement& statement);

class ProblemWalk final : public hybrid::Loop {
 public:
  /// Errors: 1002 cancelled.
  static Result<std::unique_ptr<ProblemWalk>> create(job::JobSpec spec, job::Plan plan, const std::stop_token& stop);
  Json initial_state() const override { return {{"stage", "start"}}; }
  Result<hybrid::Advance> next(const Json& state, std::span<const hybrid::Reply> replies) override;

 private:
  ProblemWalk(job::JobSpec spec, job::Plan plan, std::stop_token stop);
  Result<hybrid::Advance> start();
  Result<hybrid::Advance> after_solve(std::span<const hybrid::Reply> replies);
  Result<hybrid::Advance> after_refine(Progress progress, std::span<const hybrid::Reply> replies);
  Result<hybrid::Advance> begin_round(Progress progress);
  hybrid::Advance finish(Progress progress);
  std::string drop_contradicted_proof(Progress& progress) const;

  /// The round's core, computed from the state alone so that a restart finds the same one. Angles that the state does not have are fitted.
  struct Round {
    narrow::Core core;
    refine::Refinement refinement;
  };
  Result<Round> make_round(const Progress& progress) const;

  const job::PlanStep* step(job::StepKind kind) const;
  Result<hybrid::Order> solve_order(const job::PlanStep& step, std::string label, const problem::Statement& statement,
                                    bool required) const;
  /// The job's starts as assignments of the statement, which is the original or the reduced one.
  std::vector<problem::Assignment> starts_of(const problem::Statement& statement) const;
  void add_starts(Progress& progress) const;
  /// Lifts an assignment of the reduced statement to the problem and lets the problem judge it.
  job::ScoredCandidate score(problem::AssignmentView reduced, std::string source, std::uint64_t occurrences) const;
  job::ScoredCandidate score_full(problem::Assignment full, std::string source, std::uint64_t occurrences) const;
  double objective_of_energy(double energy) const;
  bool better(const job::ScoredCandidate& a, const job::ScoredCandidate& b) const;

  Json document(const Progress& progress, const char* stage) const;
  Result<Progress> parse(const Json& state) const;

  job::JobSpec spec_;
  job::Plan plan_;
  std::stop_token stop_;
  problem::Statement original_;
  problem::Statement reduced_;  ///< what the main solve works on
  std::optional<reduce::Trail> trail_;  ///< only for a Bqm
  double bound_ = 0;  ///< no energy is below it; before anything is solved
};

}  // namespace tandem::walk
