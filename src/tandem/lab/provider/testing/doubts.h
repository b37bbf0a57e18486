// tandem/lab/provider/testing/doubts.h - Doubts: how many lookups a submission in doubt takes until the doubt is over.
//
// Room: lab, tests only. Counted in lookups and not in seconds, so that a busy machine changes nothing. A lookup is made once in an
// interval, so lookups are intervals. Counted are those that could have ended the doubt:
//   found   those without an answer since the provider last said truly that it has no such work, and the one that found it;
//   held    those from the end of the settle window on, which counts from the doubt, and before which nothing that is not found may be
//           given up.
// Work that is held because the step's own time was over, while the provider was silent or the window open, is counted apart: no lookup
// could have ended that doubt.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/middleware/backend/backend.h"
#include "tandem/model/job/job_event.h"

namespace tandem::lab {

/// Threads: safe to call concurrently.
class Doubts {
 public:
  explicit Doubts(std::chrono::milliseconds settle_window) : settle_window_(settle_window) {}

  /// What the ledger says of a submission.
  void see(const job::Event& event) {
    const bool begins = event.type == "submission.ambiguous";
    if (!begins && event.type != "submission.confirmed" && event.type != "submission.held") return;
    const std::string token = event.data.value().value("token", "");
    const std::lock_guard lock(mutex_);
    if (begins) {
      open_.emplace(token, Open{.since = event.at});
      return;
    }
    const auto found = open_.find(token);
    if (found == open_.end()) return;
    const std::size_t counted = count(found->second.lookups, event.type == "submission.held");
    if (counted == 0) {
      ++without_lookup_;
    } else {
      intervals_.push_back(counted);
    }
    open_.erase(found);
  }
  /// `began`: nothing of the answer was seen before.
  void see_lookup(const backend::LostWork& lost, Timestamp began, const Result<backend::Reconciled>& answer) {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(std::string(lost.token));
    if (found == open_.end()) return;
    const std::int64_t lasted_micros = began.micros - found->second.since.micros;
    const bool window_over = lasted_micros >= std::chrono::microseconds(settle_window_).count();
    found->second.lookups.push_back(
        {.window_over = window_over, .says_no = answer && answer->kind == backend::Reconciled::Kind::kNotFound});
  }

  std::size_t open() const {
    const std::lock_guard lock(mutex_);
    return open_.size();
  }
  /// Of each doubt that is over, ascending.
  std::vector<std::size_t> intervals() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::size_t> out = intervals_;
    std::sort(out.begin(), out.end());
    return out;
  }
  /// Doubts that ended with the step's time.
  std::size_t without_lookup() const {
    const std::lock_guard lock(mutex_);
    return without_lookup_;
  }

 private:
  struct Lookup {
    bool window_over = false;
    bool says_no = false;
  };
  struct Open {
    Timestamp since;
    std::vector<Lookup> lookups;
  };
  static std::size_t count(const std::vector<Lookup>& lookups, bool held) {
    if (held) {
      const auto behind_window = [](const Lookup& one) { return one.window_over; };
      const bool answered = !lookups.empty() && lookups.back().window_over && lookups.back().says_no;
      return answered ? static_cast<std::size_t>(std::count_if(lookups.begin(), lookups.end(), behind_window)) : 0;
    }
    const auto last_no = std::find_if(lookups.rbegin(), lookups.rend(), [](const Lookup& one) { return one.says_no; });
    return static_cast<std::size_t>(last_no - lookups.rbegin());
  }

  const std::chrono::milliseconds settle_window_;
  mutable std::mutex mutex_;
  std::map<std::string, Open> open_;  ///< by token: lookups since the doubt began
  std::vector<std::size_t> intervals_;
  std::size_t without_lookup_ = 0;
};

/// A backend whose lookups are counted. Threads: as the backend.
class WatchedBackend final : public backend::Backend {
 public:
  WatchedBackend(std::unique_ptr<backend::Backend> inner, Doubts& doubts, const Clock& clock)
      : inner_(std::move(inner)), doubts_(doubts), clock_(clock) {}

  Result<backend::Reconciled> reconcile(const backend::LostWork& lost, const backend::CallContext& context) override {
    Timestamp began = clock_.now();
    const Instant asked = clock_.monotonic();
    auto answer = inner_->reconcile(lost, context);
    const Instant seen_since = answer ? answer->seen_since.value_or(asked) : asked;
    began.micros -= std::chrono::floor<std::chrono::microseconds>(asked - seen_since).count();
    doubts_.see_lookup(lost, began, answer);
    return answer;
  }

  const backend::BackendInfo& info() const override { return inner_->info(); }
  Result<void> validate(const backend::Work& work) const override { return inner_->validate(work); }
  std::optional<backend::SubmitFailure> held_back() override { return inner_->held_back(); }
  Result<backend::Quote> quote(const backend::Work& work, const backend::CallContext& context) override {
    return inner_->quote(work, context);
  }
  tl::expected<backend::Handle, backend::SubmitFailure> submit(const backend::Work& work, std::string_view token,
                                                               const backend::CallContext& context) override {
    return inner_->submit(work, token, context);
  }
  Result<backend::PollStatus> poll(const backend::WorkRef& work, const backend::CallContext& context) override {
    return inner_->poll(work, context);
  }
  Result<backend::RawResult> fetch(const backend::WorkRef& work, const backend::CallContext& context) override {
    return inner_->fetch(work, context);
  }
  Result<backend::WorkResult> decode(const backend::RawResult& raw, const backend::Work& work) const override {
    return inner_->decode(raw, work);
  }
  Result<void> cancel(const backend::WorkRef& work, const backend::CallContext& context) override {
    return inner_->cancel(work, context);
  }
  Result<std::optional<device::Target>> target(const backend::CallContext& context) override {
    return inner_->target(context);
  }
  Result<backend::Availability> availability(const backend::CallContext& context) override {
    return inner_->availability(context);
  }
  Result<std::optional<device::Calibration>> calibration(const backend::CallContext& context) override {
    return inner_->calibration(context);
  }
  void forget(const backend::Handle& handle) override { inner_->forget(handle); }

 private:
  std::unique_ptr<backend::Backend> inner_;
  Doubts& doubts_;
  const Clock& clock_;
};

}  // namespace tandem::lab
