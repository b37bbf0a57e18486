// tandem/orchestrate/submit/testing/fake_provider.h - a provider in memory that loses, delays and spoils what the test says.
//
// Room: orchestrate, tests only. It keeps a book as a real one would: one entry a submission that it accepted and will bill.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/middleware/backend/backend.h"

namespace tandem::submit {

/// What becomes of one submission on its way.
enum class OnSubmit : std::uint8_t {
  kAccept,
  kRefuse,
  kThrottle,  ///< refused for now
  kLoseRequest,  ///< never arrives; the sender cannot know
  kLoseReply,  ///< accepted; the sender cannot know
  kAcceptLate,  ///< the sender gets nothing; accepted after `late`
};

/// Threads: safe to call concurrently; the plan must not change while a run uses it.
class FakeProvider final : public backend::Backend {
 public:
  struct Plan {
    std::deque<OnSubmit> on_submit;  ///< one entry a submission; then all are accepted
    std::chrono::milliseconds late{0};
    std::optional<std::chrono::milliseconds> starts_in;  ///< what it predicts of work that it has
    std::optional<std::chrono::milliseconds> retry_after;  ///< what it asks for when it throttles
    int polls_until_done = 1;
    backend::WorkState until_done = backend::WorkState::kQueued;
    std::optional<double> ready_in_ms;  ///< the wait that it states
    bool accepts_work = true;  ///< what it says of itself
    bool answers_availability = true;
    std::optional<std::uint64_t> shots_given;  ///< fewer than were asked for
    std::optional<Timestamp> calibrated_at;  ///< empty: it does not say
    backend::WorkState end = backend::WorkState::kSucceeded;
    std::optional<job::Money> bill{job::Money{700}};
    job::Money price{1000};
    int garbage_fetches = 0;  ///< results that cannot be decoded before a good one comes
    bool result_missing = false;  ///< done, but the result is gone
    bool answers_reads = true;  ///< polls, lookups and fetches
    std::optional<Instant> not_seen_since;  ///< what lookups that find nothing rest on; empty: on what is there now
    bool answers_polls = true;
    bool answers_fetches = true;
    std::function<void(const std::stop_token&)> during_availability;
    std::function<std::optional<Error>()> during_quote;
    std::function<void()> during_submit;
    std::function<void()> after_submit;  ///< with the answer on its way
    std::function<void()> during_poll;
    std::function<void(const std::stop_token&)> during_lookup;
    std::function<void()> during_fetch;
    std::function<void(const backend::RawResult&)> during_decode;
  };

  /// With qubits it is an arm of refinements as well.
  FakeProvider(const Clock& clock, backend::SubmitSafety safety, std::string_view id = "fake.provider",
               std::uint32_t qubits_max = 0, bool metered = true)
      : clock_(clock) {
    info_ = {.id = BackendId(std::string(id)),
             .name = "provider of the tests",
             .version = "1",
             .tier = job::Tier::kQpu,
             .access = job::Access::kCloud,
             .emulated = true,
             .metered = metered,
             .takes_program = true,
             .safety = safety,
             .conformance = "L0",
             .vendor = "fake",
             .region = "nowhere",
             .qubits_max = qubits_max};
  }

  Plan plan;

  /// Tokens that were accepted and billed, in order.
  std::vector<std::string> book() {
    const std::lock_guard lock(mutex_);
    accept_what_is_due();
    return book_;
  }
  /// Starts over with an empty book in which somebody else's work gets the first handle.
  void lose_book() {
    const std::lock_guard lock(mutex_);
    book_ = {"token-of-somebody-else"};
    polls_.clear();
    cancelled_.clear();
  }
  int submissions() const { return submissions_; }
  int lookups() const { return lookups_; }
  int cancels() const { return cancels_; }

  /// Before anybody uses it.
  void set_version(std::string version) { info_.version = std::move(version); }
  void set_region(std::string region) { info_.region = std::move(region); }

  const backend::BackendInfo& info() const override { return info_; }
  Result<void> validate(const backend::Work& work) const override {
    if (std::holds_alternative<backend::ProgramWork>(work)) return {};
    return fail(errors::kBackendCannot, "only programs");
  }
  Result<backend::Quote> quote(const backend::Work&, const backend::CallContext&) override {
    if (plan.during_quote) {
      if (auto error = plan.during_quote()) return tl::unexpected(*std::move(error));
    }
    return backend::Quote{.cost = plan.price, .source = "the test"};
  }
  tl::expected<backend::Handle, backend::SubmitFailure> submit(const backend::Work&, std::string_view token,
                                                               const backend::CallContext&) override {
    if (const auto hook = plan.during_submit) hook();  // a copy: the hook may replace itself
    auto answer = take(token);
    if (const auto hook = plan.after_submit) hook();
    return answer;
  }
  Result<backend::PollStatus> poll(const backend::WorkRef& work, const backend::CallContext&) override {
    if (plan.during_poll) plan.during_poll();
    const std::lock_guard lock(mutex_);
    const backend::Handle& handle = work.handle;
    if (!plan.answers_reads || !plan.answers_polls) return fail(errors::kBackendUnavailable, "no answer");
    TANDEM_TRY(require_ours(work));
    if (cancelled_.contains(handle)) {
      return backend::PollStatus{.state = backend::WorkState::kCancelled, .detail = "cancelled", .billed = plan.bill};
    }
    if (++polls_[handle] < plan.polls_until_done) {
      const bool queued = plan.until_done == backend::WorkState::kQueued;
      return backend::PollStatus{
          .state = plan.until_done, .detail = queued ? "queued" : "running", .starts_in = plan.starts_in};
    }
    return backend::PollStatus{.state = plan.end, .detail = "ended", .billed = plan.bill};
  }
  Result<backend::RawResult> fetch(const backend::WorkRef& work, const backend::CallContext&) override {
    const bool answers = plan.answers_reads && plan.answers_fetches;
    if (plan.during_fetch) plan.during_fetch();
    const std::lock_guard lock(mutex_);
    if (!answers) return fail(errors::kBackendUnavailable, "no answer");
    TANDEM_TRY(require_ours(work));
    if (plan.result_missing) return fail(errors::kUnknownHandle, "gone");
    const bool garbage = plan.garbage_fetches > 0 && plan.garbage_fetches-- > 0;
    const Bytes good = plan.shots_given ? fmt::format("part {}", *plan.shots_given) : "result";
    return backend::RawResult{.bytes = garbage ? fmt::format("<html>{}", plan.garbage_fetches) : good,
                              .media_type = "text/plain",
                              .billed = plan.bill.value_or(job::Money{}),
                              .calibration_id = "cal_1"};
  }
  /// Every shot read zeros.
  Result<backend::WorkResult> decode(const backend::RawResult& raw, const backend::Work& work) const override {
    if (plan.during_decode) plan.during_decode(raw);
    const bool part = raw.bytes.starts_with("part ");
    if (raw.bytes == "result" || part) {
      backend::ProgramResult out;
      for (const circuit::Pub& pub : std::get<backend::ProgramWork>(work).pubs) {
        const std::uint64_t shots[] = {part ? std::stoull(raw.bytes.substr(5)) : pub.shots};
        const std::vector<std::uint64_t> zeros((pub.circuit.num_clbits() + 63) / 64, 0);
        out.pubs.push_back({.bindings = {result::Counts::from_histogram(pub.circuit.num_clbits(), zeros, shots)}});
      }
      return backend::WorkResult(std::move(out));
    }
    return fail(errors::kBackendGarbage, "a web page instead of a result");
  }
  Result<void> cancel(const backend::WorkRef& work, const backend::CallContext&) override {
    const std::lock_guard lock(mutex_);
    TANDEM_TRY(require_ours(work));
    ++cancels_;
    if (polls_[work.handle] < plan.polls_until_done) cancelled_.insert(work.handle);
    return {};
  }
  Result<backend::Reconciled> reconcile(const backend::LostWork& lost, const backend::CallContext& context) override {
    if (plan.during_lookup) plan.during_lookup(context.stop);
    const std::lock_guard lock(mutex_);
    ++lookups_;
    if (!plan.answers_reads) return fail(errors::kBackendUnavailable, "no answer");
    accept_what_is_due();
    const auto handle = handle_of(lost.token);
    if (!handle) return backend::Reconciled{.seen_since = plan.not_seen_since};
    return backend::Reconciled{.kind = backend::Reconciled::Kind::kFound, .handle = *handle};
  }
  Result<backend::Availability> availability(const backend::CallContext& context) override {
    if (plan.during_availability) plan.during_availability(context.stop);
    if (!plan.answers_availability) return fail(errors::kCredentialRefused, "no answer to that");
    return backend::Availability{.accepts_work = plan.accepts_work,
                                 .ready_in_ms = plan.ready_in_ms,
                                 .detail = plan.accepts_work ? "" : "its window is closed"};
  }
  Result<std::optional<device::Calibration>> calibration(const backend::CallContext&) override {
    if (!plan.calibrated_at) return std::optional<device::Calibration>();
    return std::optional(device::Calibration{.id = "cal_1", .taken_at = *plan.calibrated_at});
  }
  Result<std::optional<device::Target>> target(const backend::CallContext&) override {
    return std::optional<device::Target>();
  }
  void forget(const backend::Handle&) override {}

 private:
  tl::expected<backend::Handle, backend::SubmitFailure> take(std::string_view token) {
    const std::lock_guard lock(mutex_);
    ++submissions_;
    OnSubmit fate = OnSubmit::kAccept;
    if (!plan.on_submit.empty()) {
      fate = plan.on_submit.front();
      plan.on_submit.pop_front();
    }
    if (fate == OnSubmit::kRefuse) {
      return tl::unexpected(backend::SubmitFailure{.error = make_error(errors::kBackendRefused, "not today")});
    }
    if (fate == OnSubmit::kThrottle) {
      return tl::unexpected(backend::SubmitFailure{.error = make_error(errors::kBackendRefused, "too many requests"),
                                                   .said = backend::ErrorClass::kThrottled,
                                                   .retry_after = plan.retry_after});
    }
    if (fate == OnSubmit::kAcceptLate) late_.emplace_back(clock_.monotonic() + plan.late, token);
    const auto known = handle_of(token);
    if (fate == OnSubmit::kLoseReply || fate == OnSubmit::kAccept) {
      if (!known || info_.safety != backend::SubmitSafety::kA) book_.emplace_back(token);
    }
    if (fate == OnSubmit::kAccept) return *handle_of(token);
    return tl::unexpected(
        backend::SubmitFailure{.error = make_error(errors::kConnectionLost, "the line broke"), .ambiguous = true});
  }
  Result<void> require_ours(const backend::WorkRef& work) const {
    const bool opaque = info_.safety == backend::SubmitSafety::kD;  // it knows nothing of tokens
    for (std::size_t i = 0; i < book_.size(); ++i)
      if ((opaque || book_[i] == work.token) && fmt::format("work-{}", i + 1) == work.handle) return {};
    return fail(errors::kUnknownHandle, "no work '{}' of this submission", work.handle);
  }
  std::optional<backend::Handle> handle_of(std::string_view token) const {
    for (std::size_t i = 0; i < book_.size(); ++i)
      if (book_[i] == token) return fmt::format("work-{}", i + 1);
    return std::nullopt;
  }
  void accept_what_is_due() {
    std::erase_if(late_, [&](const auto& entry) {
      if (clock_.monotonic() < entry.first) return false;
      book_.push_back(entry.second);
      return true;
    });
  }

  const Clock& clock_;
  backend::BackendInfo info_;
  std::mutex mutex_;
  std::vector<std::string> book_;
  std::vector<std::pair<Instant, std::string>> late_;
  std::map<backend::Handle, int> polls_;
  std::set<backend::Handle> cancelled_;
  std::atomic<int> submissions_{0};
  std::atomic<int> lookups_{0};
  std::atomic<int> cancels_{0};
};

}  // namespace tandem::submit
