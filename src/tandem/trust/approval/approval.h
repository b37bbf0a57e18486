// tandem/trust/approval/approval.h - Approval: the word of people on one plan, bound to it.
//
// Room: trust. A request names one plan by its digest, what that may spend and the rules it was made by; another plan, a higher price or
// other rules are not approved by it. Pure: the engine stores it, in the commit that moves the job (orchestrate/engine).
// Not here: which plans need it (trust/access), who somebody is (trust/identity).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/bytes.h"
#include "tandem/base/clock.h"
#include "tandem/base/id.h"
#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/model/job/money.h"
#include "tandem/model/job/plan.h"
#include "tandem/store/store.h"
#include "tandem/trust/identity/principal.h"

namespace tandem::approval {

/// A request of a job: "apr_<uuid of the job>_<number>". A job asks anew when its plan is made anew.
struct ApprovalId {
  JobId job;
  std::uint32_t number = 0;  ///< 1, 2, ...
  std::string text() const;
  /// Errors: 4103 approval_not_found - no such id can be.
  static Result<ApprovalId> parse(std::string_view text);
  friend bool operator==(const ApprovalId&, const ApprovalId&) = default;
};

/// "<job>/approval/<number>" in Table::kStep: it is the job's own and goes with it. The log keeps what was decided.
std::string row_key(const ApprovalId& id);
std::string row_prefix(const JobId& job);

enum class State : std::uint8_t {
  kPending,
  kApproved,
  kRejected,
  kExpired,  ///< too few decided in time
  kVoid,  ///< the job ended, or its plan is not to be run any more
};
std::string_view to_string(State state);
enum class Verdict : std::uint8_t { kApprove, kReject };
std::string_view to_string(Verdict verdict);

inline constexpr std::size_t kReasonMax = 4096;  ///< bytes
inline constexpr std::size_t kExternalRefMax = 256;  ///< bytes

/// One person's word. A ticket system counts as one person, whoever stands behind its tickets.
struct Decision {
  std::string actor;
  identity::Roles roles;  ///< that the person had when it was given
  Verdict verdict = Verdict::kApprove;
  std::string reason;
  std::string external_ref;
  Timestamp at;
  friend bool operator==(const Decision&, const Decision&) = default;
};

/// What an approval is bound to.
struct Subject {
  std::string plan_digest;
  std::string policy_digest;
  job::Money cost_max;  ///< that the plan may spend
  job::Money cost_max_emulated;  ///< the same of play money
  friend bool operator==(const Subject&, const Subject&) = default;
};

struct Word {
  Verdict verdict = Verdict::kApprove;
  std::string_view reason;
  std::string_view external_ref;
};

struct Approval {
  ApprovalId id;
  std::string tenant;
  std::string project;
  std::string submitted_by;  ///< actor
  std::vector<std::string> submitted_before;  ///< actors: of the jobs that this one is a retry of
  Subject subject;
  std::vector<job::ApprovalNeed> needs;
  Timestamp requested_at;
  Timestamp expires_at;  ///< by the need that is open for the shortest time
  State state = State::kPending;
  std::string reason;  ///< why it was closed without a decision
  std::vector<Decision> decisions;
  std::uint64_t version = 0;  ///< of the stored row; 0: not stored yet

  /// Adds a word. One rejection rejects; when every need has its people the state is approved.
  /// Errors: 4104 approval_closed - also when it is expired by `now` and nobody has noted it; 4105 self_approval; 4106
  ///         decided_already; 4102 not_permitted - no need counts this person; 1020 missing_key - no reason, or a ticket
  ///         system without external_ref; 1023 value_out_of_range - too long, or not UTF-8.
  Result<void> decide(const identity::Principal& who, const Word& word, Timestamp now);
  /// Ends a request that was not decided, or one whose plan is not to be run any more. kExpired or kVoid.
  void close(State how, std::string why);

  /// Whether the job is his, or the one that it is a retry of was.
  bool is_submitter(std::string_view actor) const;
  /// Different people who approved this need.
  std::size_t approvers_of(const job::ApprovalNeed& need) const;
  /// Whether exactly this may be done: counted anew from the words themselves, so that nothing else has to be believed.
  bool covers(const Subject& wanted, const std::vector<job::ApprovalNeed>& wanted_needs) const;
  std::vector<std::string> approved_by() const;  ///< actors

  Json document() const;  ///< contract/schemas/approval.schema.json
  Bytes value() const;  ///< of its row
  static Result<Approval> parse(const store::Row& row);  ///< 3003 store_damaged
  friend bool operator==(const Approval&, const Approval&) = default;
};

/// A request for a plan that needs somebody's word.
struct Asked {
  ApprovalId id;
  std::string tenant;
  std::string project;
  std::string submitted_by;
  std::vector<std::string> submitted_before;
};
Approval request(Asked asked, const job::Plan& plan, const std::string& plan_digest, Timestamp now);
/// What a plan's approval has to be bound to.
Subject subject_of(const job::Plan& plan, const std::string& plan_digest);

/// Adds its row, expecting the version that was read.
void put(store::Batch& batch, const Approval& approval);
/// Errors: 4103 approval_not_found; 3003; those of the store.
Result<Approval> load(store::Store& store, const ApprovalId& id);
Error no_such_approval(std::string_view id);

}  // namespace tandem::approval
