// tandem/orchestrate/submit/submission_record.h - the stored row of a submission: our record of work sent to a provider.
//
// Room: orchestrate. Key: the attempt token. Changed only by the ledger (ledger.h), one compare-and-set and one event a change.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "tandem/base/clock.h"
#include "tandem/base/id.h"
#include "tandem/base/json.h"
#include "tandem/middleware/backend/backend.h"
#include "tandem/model/job/money.h"
#include "tandem/orchestrate/submit/submission_state.h"
#include "tandem/store/store.h"

namespace tandem::submit {

struct SubmissionRecord {
  std::string token;  ///< attempt_token(tenant, job, step, attempt)
  std::string tenant;
  JobId job;
  std::string step;
  std::uint32_t attempt = 0;
  std::uint64_t fence = 0;  ///< of the worker that owns the attempt now
  std::string backend;
  job::Tier tier = job::Tier::kQpu;  ///< of the backend; not stored: the reservation has it
  bool emulated = false;  ///< the backend is no real hardware, and its bills are play money
  std::string work_sha256;  ///< fingerprint of the work: a token never stands for two of them
  SubmissionState state = SubmissionState::kReserved;
  std::string reason;  ///< why it is ambiguous, held, refused, failed or cancelled
  std::uint16_t error_number = 0;  ///< of the error behind `reason`; 0: none
  std::optional<backend::ErrorClass> error_class;  ///< of that error
  std::chrono::milliseconds retry_after{0};  ///< the provider asked for that much patience when it refused
  std::string handle;  ///< the provider's name for it; empty until known
  job::Money reserved;
  job::Money billed;
  bool has_bill = false;  ///< `billed` is the provider's figure
  job::MeteredUse use;  ///< asked for beside the money, at most
  std::optional<job::MeteredUse> used;  ///< the provider's figures; empty: it named none
  std::string raw_sha256;  ///< blob with the provider's bytes; empty until terminal
  std::string media_type;
  std::string calibration_id;
  std::string said_by;  ///< actor of the person whose word it rests on; empty: nobody's
  std::string said;  ///< that word: which handle it has or what it cost, and why
  std::uint32_t sends = 0;  ///< times it was put on the wire; above 1 for class A only
  Timestamp created_at;
  Timestamp intent_at;  ///< when its intent was written: nothing of it left before
  /// When it was last put in doubt, by who had sent it or by who found it after a crash: all that was sent had left by then, so the settle
  /// window counts from here. Empty: it never was, or is being sent again (class A), or an earlier version put it in doubt; whoever
  /// finds it so after a crash puts it in doubt once more.
  std::optional<Timestamp> doubt_at;
  Timestamp updated_at;
  std::uint64_t version = 0;  ///< of the stored row; 0: not stored yet

  backend::WorkRef work() const { return {.handle = handle, .token = token}; }
  Json document() const;
  static Result<SubmissionRecord> parse(const store::Row& row);  ///< 3003 store_damaged
  friend bool operator==(const SubmissionRecord&, const SubmissionRecord&) = default;
};

/// Keys of Table::kSubmission beside the tokens: rows that make records findable.
std::string open_key(std::string_view token);  ///< "open/<token>" while not final
std::string job_key(const JobId& job, std::string_view token);  ///< "job/<job>/<token>"
std::string step_key(const JobId& job, std::string_view step);  ///< "step/<job>/<step>" -> token of its latest attempt
/// "handle/<backend>/<handle>" -> token of the one submission that has it, at a backend that cannot tell whose work it has. It outlives that
/// submission.
std::string handle_key(std::string_view backend, std::string_view handle);

}  // namespace tandem::submit
