// tandem/model/job/plan.h - Plan: what the router decided, why, and what it decided against.
//
// Room: model. A plan is data: the engine executes it, approvals bind to its digest. Not here: deciding (orchestrate/route).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/hash.h"
#include "tandem/base/json.h"
#include "tandem/model/job/fallback.h"
#include "tandem/model/job/money.h"

namespace tandem::job {

enum class Tier : std::uint8_t { kCpu, kGpu, kSimulator, kQpu };
enum class Access : std::uint8_t { kLocal, kCloud };
/// What an estimate rests on.
enum class Basis : std::uint8_t { kComputed, kHistorical, kAssumed, kUnavailable };
std::string_view to_string(Tier tier);
std::string_view to_string(Access access);
std::string_view to_string(Basis basis);
std::optional<Tier> find_tier(std::string_view name);
std::optional<Access> find_access(std::string_view name);

/// Each figure carries its basis; unavailable figures are absent.
struct Estimate {
  std::optional<Money> cost;
  Basis cost_basis = Basis::kUnavailable;
  std::string cost_source{};  ///< where a price comes from, with its date; empty where nothing is charged
  std::optional<double> latency_ms;
  Basis latency_basis = Basis::kUnavailable;
  std::optional<double> quality;  ///< expected share of runs at the best known value, 0..1
  Basis quality_basis = Basis::kUnavailable;
  friend bool operator==(const Estimate&, const Estimate&) = default;
};

/// One way to do the main work.
struct Candidate {
  std::string backend;  ///< "cpu.portfolio", "simulator.statevector", "lab.device"
  std::string method;  ///< "portfolio", "qaoa", ...
  Tier tier = Tier::kCpu;
  Access access = Access::kLocal;
  bool emulated = false;
  Estimate estimate;
  bool feasible = true;
  std::string reason;  ///< in plain words: why chosen, kept as fallback, or infeasible
  friend bool operator==(const Candidate&, const Candidate&) = default;
};

enum class StepKind : std::uint8_t { kFormulate, kReduce, kSolve, kRefine, kRun, kBaseline, kScore };
std::string_view to_string(StepKind kind);

/// One step; `parameters` are all that execution needs beside the job and earlier checkpoints.
struct PlanStep {
  StepKind kind = StepKind::kFormulate;
  std::string backend;  ///< empty: done by the engine itself
  /// Followed by cause when the backend gives no answer. Of the refinement: who stands in for an arm, for arms never run
  /// elsewhere. Of the score: who answers a result that is not trusted enough.
  std::vector<Fallback> fallbacks;
  Json parameters = Json::object();
  friend bool operator==(const PlanStep&, const PlanStep&) = default;
};

/// Whose word a plan needs before anything of it is begun.
struct ApprovalNeed {
  std::string rule;  ///< that asks for it
  std::string reason;  ///< what of the plan it answers, in words
  std::uint32_t approvers = 1;  ///< so many different people, none of them the submitter
  std::string role;  ///< that each must have: "approver"
  std::vector<std::string> of;  ///< users who may; empty: everybody with the role
  std::int64_t expires_ms = 0;  ///< how long the request stays open
  Json document() const;
  static Result<ApprovalNeed> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const ApprovalNeed&, const ApprovalNeed&) = default;
};

struct Plan {
  std::string primary;  ///< backend of the main work
  std::string baseline;  ///< backend of the classical run beside it
  std::vector<PlanStep> steps;
  std::vector<Candidate> candidates;  ///< every tier, the infeasible ones with their reason
  std::vector<std::string> reasons;  ///< the decision in plain sentences
  Money cost_max_needed;  ///< what the plan may spend at most
  Money cost_max_needed_emulated;  ///< the same of play money, which emulations bill: no part of the other
  std::string policy_digest;  ///< of the job's policy and of the rules of the house that apply to it
  std::vector<ApprovalNeed> approvals;  ///< all of them; empty: nobody's word
  /// Every backend that the plan may ask, each once: of steps, arms and fallbacks.
  std::vector<std::string> backends() const;
  /// The canonical document, with its digest.
  JsonText text() const { return text(digest()); }
  JsonText text(const std::string& digest) const;
  Json document() const;  ///< text() to look into
  /// SHA-256 hex of the canonical document without the digest.
  std::string digest() const;
  /// Errors: 1020..1023; 3003 store_damaged - the digest is not that of the document.
  static Result<Plan> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const Plan&, const Plan&) = default;
};

}  // namespace tandem::job
