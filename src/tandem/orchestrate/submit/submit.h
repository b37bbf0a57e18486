// tandem/orchestrate/submit/submit.h - Submitter: the only way work goes to a backend that may bill for it.
//
// Room: orchestrate. Owns the ledger of submissions: reserved -> intent (durable) -> [wire, once] -> confirmed -> terminal ->
// settled. Promise: at most once billable, at least once resolved, verifiable. Not here: what a step does next (engine),
// prices and wire formats (middleware), the sweep after a crash (reconcile.h).
// Source: reference/trust.md 1.2.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/crash_point.h"
#include "tandem/base/executor.h"
#include "tandem/base/hash.h"
#include "tandem/base/id.h"
#include "tandem/base/log.h"
#include "tandem/base/meter.h"
#include "tandem/base/result.h"
#include "tandem/middleware/backend/backend.h"
#include "tandem/model/job/job_event.h"
#include "tandem/orchestrate/submit/submission_record.h"
#include "tandem/store/store.h"
#include "tandem/trust/budget/limits.h"

namespace tandem::submit {

class Ledger;

/// Adds to the batch of a commit the checks without which it must not happen. Errors: as whoever made it says.
using Premise = std::function<Result<void>(store::Batch&)>;

/// One attempt of one step of one job on one remote backend. The job must have a hold (budget::hold).
struct SubmissionRequest {
  std::string tenant;
  JobId job;
  std::string step;  ///< unique in the job, e.g. "0/refine/0/qaoa@lab.device"
  std::uint32_t attempt = 0;
  std::uint64_t fence = 0;  ///< of the worker; one with a lower fence than the record's is turned away
  backend::Backend& backend;
  const backend::Work& work;
  Deadline deadline = Deadline::never();  ///< when the step stops waiting and falls back
  /// A longer wait in the provider's queue is not waited for. Stated before anything was sent: error 5020, and nothing is sent
  /// or reserved. Seen or predicted afterwards: the provider is asked to cancel, and the outcome carries 5020.
  std::optional<std::chrono::milliseconds> queue_wait_max = std::nullopt;
  /// A device with an older calibration, or one whose age cannot be learnt, is not sent to: kNotReady. Empty: whatever its age.
  std::optional<std::chrono::milliseconds> calibration_age_max = std::nullopt;
  /// Who does not answer, in a way that may pass, is waited for as one that takes no work: kNotReady instead of that error.
  bool awaits_answers = false;
  /// Of work that it has taken, a provider that answers no question for so long is not waited for any longer: it is asked to cancel, and
  /// the outcome carries 2002. A refusal is an answer. Empty: it is waited for until the deadline.
  std::optional<std::chrono::milliseconds> heartbeat_max = std::nullopt;
  /// What the job may spend in all, where people approved no more: error 4109, and nothing is sent or reserved.
  std::optional<job::Money> spend_max = std::nullopt;
  /// That the job still is this worker's: of each commit by which it decides what becomes of the attempt, made anew for every try. What the
  /// provider said is stored without. What it says is told by run(). Empty: nothing beside the fence.
  Premise owned = {};
  /// That the work may be paid for: beside `owned` of each commit after which money is reserved or bytes go to the provider.
  Premise payable = {};
  /// Asked right before bytes or a cancel go to the provider, without a look at the store: whether this process still has what it runs. It
  /// may have been stopped for long since the commit before. Empty: it has.
  std::function<bool()> holds = {};
  /// Called right before bytes go to the provider for the first time. Empty: nobody has to know.
  std::function<void()> on_send = {};
  /// Whether they may go once more now (class A); else it is asked again later. Errors end the run. Empty: they may.
  std::function<Result<bool>()> may_resend = {};
};

/// How an attempt ended for the step. Everything but kResult tells the engine to fall back.
struct SubmissionOutcome {
  enum class Kind : std::uint8_t {
    kResult,  ///< `raw` decodes; settled
    kRefused,  ///< not accepted: nothing billed
    kFailed,  ///< the provider ended it without a usable result; `billed` says what it cost
    kCancelled,  ///< cancelled at the provider or withdrawn before it was sent
    kHeld,  ///< unknown or unfinished in time; its reservation stays, a late discovery becomes an orphan
    /// The backend takes no work now, is not asked for any (held_back), does not answer where that is waited for, or its calibration is too
    /// old; or it was so when a reservation was found and given back, which a price that has risen since does as well: nothing was sent,
    /// and nothing is reserved.
    kNotReady,
  } kind = Kind::kRefused;
  std::string token;
  backend::Handle handle;  ///< empty when never confirmed
  backend::RawResult raw;  ///< kResult: the bytes as stored
  std::string raw_sha256;  ///< their blob
  job::Money billed;
  std::uint32_t sends = 0;  ///< times it was put on the wire
  std::optional<Error> error;  ///< set unless kResult: 1403 to 1407, or what the last question met
  backend::ErrorClass error_class = backend::ErrorClass::kOk;  ///< of the error
  std::chrono::milliseconds retry_after{
      0};  ///< that the provider asked for when it refused; kNotReady: until it says that it is
  bool number_is_used = false;  ///< there is a record: after kNotReady another attempt needs another number

  /// Of all ends without a result these are the only ones that surely cost nothing.
  bool is_surely_free() const {
    return kind == Kind::kRefused || kind == Kind::kNotReady || (kind == Kind::kCancelled && sends == 0);
  }
};
std::string_view to_string(SubmissionOutcome::Kind kind);

/// Why a backend is not sent to at this moment; it is asked again.
struct NotReady {
  Error
      why;  ///< 1403 backend_unavailable - it takes no work now; 1412 calibration_stale; 5018 circuit_open; that of a question without an answer
  std::chrono::milliseconds ready_in{0};  ///< as it says; 0: it does not
};

struct SubmitOptions {
  /// How long a lost submission may still appear at the provider, from when it came into doubt; setting lab.settle_window.
  std::chrono::milliseconds settle_window{2000};
  /// Between two lookups of a lost submission, and two tries of a read that failed.
  std::chrono::milliseconds lookup_interval{50};
};

/// References that outlive the submitter.
struct SubmitServices {
  store::Store& store;
  Executor& executor;
  const Clock& clock;
  Log& log;
  Meter& meter;
  const CrashPoints& crash_points;
  const budget::Limits* limits = nullptr;  ///< of payers and backends; null: none
};

/// What work asks, without seed and time: two answers to one question may stand for each other.
/// Cost: linear in the size of the model or of the PUBs.
Sha256 question(const backend::Work& work);

/// Which submissions a page lists, by token.
struct SubmissionQuery {
  std::optional<SubmissionState> state = std::nullopt;  ///< empty: all that are not resolved
  std::optional<JobId> job = std::nullopt;
  std::string backend = "";  ///< empty: of all
  std::optional<std::string> tenant = std::nullopt;  ///< whose; empty: of all
  std::size_t limit = 100;
  std::string page_token = "";  ///< of the page before
};
struct SubmissionPage {
  std::vector<SubmissionRecord> submissions;
  std::string next_page_token;  ///< empty: no more
};
/// Of the page that is being made, for rules of the caller's own.
using SubmissionFilter = std::function<Result<bool>(const SubmissionRecord& record)>;
/// 5030: it is not there, or not for who asks; the same words for both.
Error no_such_submission(std::string_view token);

inline constexpr std::size_t kRowsOfSubmission =
    3;  ///< that go with one that has ended: itself, and two by which it is found

/// Threads: every method is safe to call concurrently; two runs of one attempt wait for each other.
class Submitter {
 public:
  Submitter(SubmitServices services, SubmitOptions options);
  ~Submitter();
  Submitter(const Submitter&) = delete;
  Submitter& operator=(const Submitter&) = delete;

  /// Carries one attempt to its end. Blocks; resumable: called again with the same tenant, job, step and attempt, after a
  /// crash or a stop, it finds its record and goes on from there. What the provider answered is durable before it is decoded.
  ///
  /// Only class A is ever sent twice. For B, C and D a submission that a lookup does not find within the settle window is
  /// held, and so is one that is not finished at the deadline (the provider is asked to cancel it).
  ///
  /// Errors: 1002 cancelled - `stop` was requested: the record stays as it is, to be resumed here or finished by the
  ///         reconciler; 4001 budget_exceeded - with the figures; 4002 hold_unknown; 5005 stale_fence; 5003
  ///         illegal_transition - another attempt of the step is in flight; 5020 queue_wait_predicted; 1023 - the token belongs to
  ///         other work;
  ///         those of the premise, of the store, and of validate() and quote() before anything was reserved.
  Result<SubmissionOutcome> run(const SubmissionRequest& request, std::stop_token stop);

  /// Whether the backend of a request would be sent to at this moment; empty: it would. Without any record. A backend that does not
  /// answer is asked by the submission itself. Errors: 1002 cancelled; 5020 queue_wait_predicted.
  Result<std::optional<NotReady>> not_ready(const SubmissionRequest& request, const std::stop_token& stop) const;

  /// Calls `listener` (instead of an earlier one) after each event of the ledger is durable, on the thread that made it; it
  /// must not block.
  void publish_to(std::function<void(const job::Event&)> listener);

  /// All submissions of a job, by token: for lineage, and for people.
  Result<std::vector<SubmissionRecord>> submissions(const JobId& job);

  /// Cost: a read of each that is not resolved, or is of the job; with another state and no job a scan of all.
  Result<SubmissionPage> list(const SubmissionQuery& query, const SubmissionFilter& filter = {});
  /// Errors: 5030 submission_not_found; those of the store.
  Result<SubmissionRecord> find(std::string_view token);

  /// Adds to `batch` that all records of a job go, as they are now, kRowsOfSubmission operations for each, and to `blobs` which blobs
  /// they name. Whose handle stands for it at a backend that cannot tell (handle_key) keeps that: the provider has billed that work, and it
  /// never becomes another submission's.
  /// Errors: 5027 submission_open - one of them is not resolved; those of the store.
  Result<void> forget(store::Batch& batch, const JobId& job, std::vector<std::string>& blobs);

 private:
  friend class Reconciler;
  std::unique_ptr<Ledger> ledger_;
};

}  // namespace tandem::submit
