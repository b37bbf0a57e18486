// tandem/orchestrate/submit/ledger.h - Ledger: the one place where submission records change.
//
// Room: orchestrate; for the sources of this part only. Every change is one commit: the record (compare-and-set on its
// version), the money that moves with it, the provider's bytes, and one event of the job.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>

#include "tandem/middleware/backend/backend.h"
#include "tandem/model/job/job_event.h"
#include "tandem/orchestrate/submit/submission_record.h"
#include "tandem/orchestrate/submit/submit.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::submit {

/// Which attempts somebody of this process works on. Threads: safe to call concurrently.
class LiveSet {
 public:
  explicit LiveSet(Executor& executor) : changed_(executor.make_condition()) {}

  /// Ends the claim when destroyed.
  class Claim {
   public:
    Claim(LiveSet& set, std::string token) : set_(&set), token_(std::move(token)) {}
    Claim(Claim&& other) noexcept : set_(std::exchange(other.set_, nullptr)), token_(std::move(other.token_)) {}
    Claim& operator=(Claim&&) = delete;
    ~Claim() {
      if (set_ != nullptr) set_->leave(token_);
    }

   private:
    LiveSet* set_;
    std::string token_;
  };

  /// Waits until nobody else has `token`. Errors: 1002 cancelled.
  Result<Claim> claim(const std::string& token, const std::stop_token& stop);
  /// Empty when somebody has it.
  std::optional<Claim> try_claim(const std::string& token);

 private:
  void leave(const std::string& token);
  std::mutex mutex_;
  std::unique_ptr<Condition> changed_;
  std::set<std::string> tokens_;
};

/// What happened to a submission.
struct Change {
  SubmissionEvent event = SubmissionEvent::kIntend;
  std::string_view actor = "engine";  ///< or "reconciler", or a person
  std::optional<Error> reason = {};  ///< why, where it is not what was hoped for
  std::optional<backend::ErrorClass> error_class = {};  ///< of the reason, where its number says less
  std::chrono::milliseconds retry_after{0};
  std::string handle = {};  ///< newly known
  std::optional<job::Money> bill = {};  ///< the provider's figure, newly known
  std::optional<job::MeteredUse> used = {};  ///< the provider's figures beside money, newly known
  const backend::RawResult* raw =
      nullptr;  ///< bytes to be stored with the change; their bill and use count as the figures
  Premise premise = {};  ///< of the commit, where one is needed
  std::string_view said = {};  ///< the word of `actor`, who is a person, that it rests on from here on
};

/// Of a commit that gives a submission its handle at a backend that cannot tell whose work it has: that no other one has it, or gets it
/// with a commit beside this one. Errors: 5029 submission_not_held - another one has it; those of the store.
Premise takes_handle(store::Store& store, const SubmissionRecord& wanting, std::string_view handle);

/// Threads: safe to call concurrently.
class Ledger {
 public:
  Ledger(SubmitServices services, SubmitOptions options)
      : services_(services), options_(options), live_(services.executor) {}

  const SubmitServices& services() const { return services_; }
  const SubmitOptions& options() const { return options_; }
  LiveSet& live() { return live_; }
  void publish_to(std::function<void(const job::Event&)> listener);

  /// Empty when the token was never used. Errors: 3003 store_damaged; those of the store.
  Result<std::optional<SubmissionRecord>> load(std::string_view token) const;

  /// Stores a new record in state reserved together with the reservation of its money.
  /// Errors: 3004 precondition_failed - somebody else stored the record meanwhile: load it; 5003 illegal_transition -
  ///         another attempt of the step is in flight; 5005 stale_fence; 4006 accounts_contended; those of the premise and of
  ///         Budget::reserve.
  Result<SubmissionRecord> open(SubmissionRecord record, const Premise& premise, std::optional<job::Money> spend_max);

  /// A worker with a higher fence becomes the owner. Errors: 5005 stale_fence - a later one is; 3004 precondition_failed - the record, or
  /// what the premise rests on, is not as it was: look again; those of the premise and of the store.
  Result<SubmissionRecord> take_over(SubmissionRecord record, std::uint64_t fence, const Premise& owned);

  /// Moves `from` by the table; settles the money when the new state is final (the bill must be known then: asserted).
  /// Errors: 5003 illegal_transition; 5005 stale_fence - the record is no longer what `from` says; those of the premise, of the
  ///         budget and of the store.
  Result<SubmissionRecord> apply(const SubmissionRecord& from, const Change& change);

  /// The stored bytes of a record that has some. Errors: 3003 store_damaged - gone, or of another hash.
  Result<backend::RawResult> raw(const SubmissionRecord& record) const;

  /// The settle window of a record in doubt was over then: what the provider was seen not to know since may be given up. `doubt_at` is
  /// known.
  bool window_was_over(const SubmissionRecord& record, Timestamp then) const;
  /// What why_given_up() begins with.
  static constexpr std::string_view kWindowOver = "the provider does not know it";
  std::string why_given_up(const SubmissionRecord& record) const;
  /// Of a record in doubt whose `doubt_at` is not known.
  static Error why_doubt_begins_anew();

  /// The hold of the job is closed: nobody waits for its submissions any more.
  Result<bool> job_is_over(const JobId& job) const;

 private:
  static std::int64_t age_ms(const SubmissionRecord& record, Timestamp then);  ///< of its doubt
  /// Adds the record and its event to `batch`, which is empty: its event comes first.
  static job::Event put(store::Batch& batch, const SubmissionRecord& record, std::string_view event_type,
                        std::string_view actor);
  /// Adds what the money that moves says after the event of the record.
  static void append(store::Batch& batch, std::vector<job::Event>& events, budget::Alerts alerts);
  /// Commits the batch that `events` were put into, in their order, and publishes them.
  Result<void> commit(store::Batch batch, std::vector<job::Event> events) const;
  budget::Budget budget() const { return budget::Budget(services_.store, services_.limits); }
  /// One try of open().
  Result<void> store_new(const SubmissionRecord& record, const Premise& premise,
                         std::optional<job::Money> spend_max) const;
  Result<void> add_index(store::Batch& batch, const SubmissionRecord& record) const;
  void reach(std::string_view side, SubmissionState state) const;

  SubmitServices services_;
  SubmitOptions options_;
  LiveSet live_;
  mutable std::mutex mutex_;  ///< guards listener_
  std::function<void(const job::Event&)> listener_;
};

}  // namespace tandem::submit
