// tandem/model/job/result_document.h - ResultDocument: what a job answers with. The names of its fields are fixed (contract).
//
// Room: model. Schema: contract/schemas/result.schema.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tandem/base/hash.h"
#include "tandem/base/id.h"
#include "tandem/base/json.h"
#include "tandem/model/job/fallback.h"
#include "tandem/model/job/job_state.h"
#include "tandem/model/job/money.h"
#include "tandem/model/problem/problem.h"

namespace tandem::job {

/// A scored solution. `solution` prints as a string of '0'/'1' (spins: '0' is -1), character i = variable i.
struct ScoredCandidate {
  double objective = 0;
  bool feasible = false;
  problem::Assignment solution;
  std::string source;  ///< "solve:cpu.portfolio", "refine:qaoa@lab.device", ...
  std::uint64_t occurrences = 1;
};

struct BestCandidate {
  ScoredCandidate candidate;
  bool proved = false;
  std::optional<double> bound;  ///< on the objective, in its sense
  std::optional<double> time_to_best_ms;  ///< from the start of the solve or baseline that found it; empty: an arm did
  Json answer = Json::object();  ///< in the problem's terms
};

struct BaselineSummary {
  std::string backend;
  double objective = 0;
  bool feasible = false;
  double elapsed_ms = 0;
  bool same_run = false;  ///< the plan is classical: it is its own baseline
};

struct Comparison {
  std::optional<double> improvement;  ///< relative, > 0: main solve and quantum arms did better than the baseline
  std::string verdict;  ///< "equal", "better", "worse", "no_claim"
  std::string text;  ///< one plain sentence
};

/// One way of refining the core, graded against the exact shadow.
struct ArmSummary {
  std::uint32_t round = 0;  ///< of the refinement, from 0
  std::string arm;  ///< "exact_shadow", "annealing_control", "random_control", "qaoa"
  std::string backend;
  bool emulated = false;
  std::string status;  ///< "done", "failed", "fell_back", "skipped"
  std::string detail;  ///< why, when not done
  std::uint64_t samples = 0;
  std::optional<double> best_energy;
  std::optional<double> regret;  ///< best - optimum of the core
  std::optional<double> p_optimum;  ///< share of samples at the optimum
  std::optional<double> p_optimum_low;  ///< Wilson 95 % interval
  std::optional<double> p_optimum_high;
  std::optional<double> mean_energy;
  std::optional<double> rank;  ///< P(sample better than a uniform random one) + half of ties
  std::optional<double> rank_low;
  std::optional<double> rank_high;
  Money billed;
  double elapsed_ms = 0;
};

struct RefinementSummary {
  std::string status;  ///< "done", "skipped: proved", "skipped: off", "skipped: ..."
  std::uint32_t core_size = 0;
  std::uint32_t variables_before = 0;
  std::uint32_t fixed_exact = 0;
  std::uint32_t frozen = 0;
  bool improved = false;  ///< a quantum arm found better than what stood before its round
  std::vector<ArmSummary> arms;
};

struct AcceptanceItem {
  std::string criterion;
  double limit = 0;
  std::optional<double> actual;
  bool met = false;
};
struct Acceptance {
  bool met = true;
  std::vector<AcceptanceItem> criteria;
};

/// One part of a confidence; docs/guide/confidence.md has the formulas.
struct ConfidencePart {
  enum class State : std::uint8_t { kKnown, kUnknown, kNotApplicable };
  std::string part;  ///< "improvement", "feasible", "agreement", "calibration", "delta"
  State state = State::kUnknown;
  double value = 0;  ///< 0..1 when known
  double weight = 0;
  std::optional<double> low;  ///< 95 % interval of the figure behind it, where there is one
  std::optional<double> high;
  std::string detail;  ///< the figure behind it, or why it is unknown or does not apply, in words
};

/// How far the result is trusted: the weighted mean of the parts that apply, an unknown one counting as 0, times the share of
/// the samples asked for that came back.
struct Confidence {
  double value = 0;
  double share_returned = 1;
  std::vector<ConfidencePart> parts;
};

/// How the work found its way: empty lists when every order was answered whole by its first backend.
struct Provenance {
  std::vector<PathEntry> path;
  std::vector<PartialAnswer> partial_work;
  std::vector<CachedAnswer> cached;
  /// Whether the result rests on a partial answer.
  bool partial() const;
};

/// What a person said of a result that waited for it.
struct ReviewNote {
  bool accepted = false;
  std::string reason;
  std::string actor;
  std::string at;  ///< RFC 3339
  Json document() const;
  static Result<ReviewNote> parse(const Json& value, const std::string& pointer);
};

struct ResultDocument {
  JobId job_id;
  JobState status = JobState::kSucceeded;
  std::string kind;  ///< "candidates" for problems, "program" for programs
  std::optional<BestCandidate> best;
  std::vector<ScoredCandidate> candidates;
  std::optional<BaselineSummary> baseline;  ///< empty for programs, and when no run found anything to compare with
  Comparison comparison;
  RefinementSummary refinement;
  Json pubs = Json::array();  ///< results of a program
  Acceptance acceptance;
  Confidence confidence;
  Provenance provenance;  ///< its lists are members of the document itself
  std::optional<ReviewNote> review;
  std::vector<std::string> explanation;
  std::string plan_digest;
  LineageId lineage_id;
  Money billed;
  Money billed_emulated;  ///< the part of it that emulations billed: play money
  double elapsed_ms = 0;  ///< from admission to the end: waiting and restarts count

  /// The document of the contract, canonical.
  JsonText text() const;
  /// text() without times, ids, money, reviews and verdicts that rest on what was measured: what replay compares.
  JsonText computed() const;
  Json document() const;  ///< text() to look into
  static Result<ResultDocument> parse(const Json& document);

 private:
  JsonText write(bool measured) const;
};

std::string solution_text(problem::AssignmentView solution);

}  // namespace tandem::job
