#include "tandem/orchestrate/engine/queue_delay.h"

#include <algorithm>

#include "tandem/orchestrate/engine/job_record.h"

namespace tandem::engine {
namespace {

/// How old what is known of the store's queue may be: a quarter of the limit, and at most this.
constexpr auto kLookMax = std::chrono::seconds(1);
constexpr auto kRetryAfterMax = std::chrono::seconds(60);  ///< nobody can tell further ahead how slow the queue is

}  // namespace

void QueueDelay::came(const std::string& job, std::int64_t since_micros) {
  if (limit_.count() == 0 || source_ != QueueSource::kEngine) return;
  const std::lock_guard lock(mutex_);
  if (since_.emplace(job, since_micros).second) by_age_.emplace(since_micros, job);
}

void QueueDelay::left(const std::string& job) {
  if (limit_.count() == 0 || source_ != QueueSource::kEngine) return;
  const std::lock_guard lock(mutex_);
  const auto since = since_.find(job);
  if (since == since_.end()) return;
  by_age_.erase({since->second, job});
  since_.erase(since);
}

Result<std::optional<std::int64_t>> QueueDelay::longest_since() {
  const Instant now = clock_.monotonic();
  {
    const std::lock_guard lock(mutex_);
    if (source_ == QueueSource::kEngine) return by_age_.empty() ? std::nullopt : std::optional(by_age_.begin()->first);
    if (now < seen_.until) return seen_.since_micros;
    seen_.until =
        now + std::min<std::chrono::nanoseconds>(limit_ / 4, kLookMax);  // one looks, others go by what was seen last
  }
  TANDEM_TRY_ASSIGN(const std::optional<std::int64_t> since, longest_queued_since(store_));
  const std::lock_guard lock(mutex_);
  seen_.since_micros = since;
  return since;
}

Result<void> QueueDelay::check() {
  if (limit_.count() == 0) return {};
  TANDEM_TRY_ASSIGN(const std::optional<std::int64_t> since, longest_since());
  if (!since) return {};
  const std::chrono::microseconds delay(clock_.now().micros - *since);
  if (delay <= limit_) return {};
  meter_.add("tandem_jobs_shed_total", 1);
  Error error =
      make_error(errors::kQueueDelayExceeded,
                 "the job that waits longest has waited {} ms, engine.queue_delay_max is {} ms; send it again later",
                 std::chrono::duration_cast<std::chrono::milliseconds>(delay).count(), limit_.count());
  const auto behind = std::chrono::ceil<std::chrono::seconds>(delay - limit_);
  error.retry_after_s = static_cast<std::uint32_t>(std::min(behind, kRetryAfterMax).count());
  return tl::unexpected(std::move(error));
}

}  // namespace tandem::engine
