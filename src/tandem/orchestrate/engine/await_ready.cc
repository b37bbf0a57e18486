// A backend that takes no work now or is not asked for any (its circuit is open), or whose calibration is too old, is waited for:
// OrderRunner::await_ready().
#include <algorithm>

#include "tandem/base/either_stop.h"
#include "tandem/base/pause.h"
#include "tandem/base/text.h"
#include "tandem/orchestrate/engine/order_way.h"

namespace tandem::engine {
namespace {

using Millis = std::chrono::milliseconds;

/// It may be ready before the time that it states.
constexpr Millis kLookAtLeastEvery = std::chrono::minutes(1);

/// Somebody else does the work, or stands in for it, when `station` does not.
bool has_stand_in(const hybrid::Order& order, std::uint32_t station) {
  const auto rest = order.fallbacks.begin() + std::min<std::ptrdiff_t>(station, std::ssize(order.fallbacks));
  return !order.required || std::any_of(rest, order.fallbacks.end(), [](const job::Fallback& entry) {
    return entry.answers(job::FallbackCause::kUnavailable);
  });
}

/// Adds the time of its life to a sum.
class TimeSpent {
 public:
  TimeSpent(const Clock& clock, std::chrono::nanoseconds& sum) : clock_(clock), sum_(sum), begin_(clock.monotonic()) {}
  ~TimeSpent() { sum_ += clock_.monotonic() - begin_; }
  TimeSpent(const TimeSpent&) = delete;
  TimeSpent& operator=(const TimeSpent&) = delete;

 private:
  const Clock& clock_;
  std::chrono::nanoseconds& sum_;
  const Instant begin_;
};

/// A breaker that is open knows only that the backend failed: what that said itself is added to its error.
class LastWords {
 public:
  explicit LastWords(std::string said) : said_(std::move(said)) {}
  void complete(Error& error) {
    if (error.number != errors::kCircuitOpen)
      said_ = error.message;
    else if (!said_.empty())
      error.message += "; when it was asked last: " + said_;
  }

 private:
  std::string said_;
};

}  // namespace

TryScope OrderRunner::scope_of(const hybrid::Order& order, const OrderContext& context, Deadline deadline) {
  return {.job = context.job,
          .fence = context.fence,
          .policy = context.limits.retry_of(order.label),
          .stations = static_cast<std::uint32_t>(1 + order.fallbacks.size()),
          .deadline = deadline};
}

/// By the wall clock since it began, in whichever start; without what was no waiting for the backend.
std::chrono::milliseconds OrderRunner::waited_for(const job::FailedTry& wait, const Way& way) const {
  const auto begun = way.aside_before.find(wait.station);
  const auto aside = way.aside - (begun == way.aside_before.end() ? std::chrono::nanoseconds(0) : begun->second);
  return std::max(Millis(0), tries_.waited(wait) - std::chrono::floor<Millis>(aside));
}

Result<bool> OrderRunner::await_ready(backend::Backend& backend, std::uint32_t station, const hybrid::Order& order,
                                      Way& way, const OrderContext& context, Attempt& attempt, std::uint32_t number,
                                      const std::stop_token& stop) {
  const TimeSpent spent(services_.clock, way.waited);
  const std::string& name = backend.info().id.value;
  const bool stands_in = has_stand_in(order, station);
  const bool ends_with_job = context.deadline.at() != Deadline::never().at();
  const TryScope scope = scope_of(order, context, context.deadline);
  // Who comes next needs time as well.
  const Millis job_left = std::chrono::floor<Millis>(context.deadline.left(services_.clock));
  const auto failed = std::find_if(way.tries.rbegin(), way.tries.rend(), [&](const job::FailedTry& one) {
    return one.station == station && one.error_number != static_cast<std::uint16_t>(errors::kCircuitOpen);
  });
  LastWords last_words(failed == way.tries.rend() ? "" : failed->reason);
  last_words.complete(*attempt.error);
  auto wait = std::find_if(way.tries.begin(), way.tries.end(),
                           [&](const job::FailedTry& one) { return one.station == station && is_wait(one); });
  const Millis before = wait == way.tries.end() ? Millis(0) : waited_for(*wait, way);
  const auto most = [&]() -> Millis {
    if (!stands_in && !context.ready_wait_max && ends_with_job) return before + job_left;
    const Millis own = context.ready_wait_max.value_or(context.remote_deadline);
    return stands_in && ends_with_job ? std::min(own, before + job_left / 2) : own;
  }();
  if (wait == way.tries.end()) {
    TANDEM_TRY_ASSIGN(job::FailedTry noted,
                      tries_.note_wait(scope, attempt.as_failed(order, context, station, name, number), most));
    way.tries.push_back(std::move(noted));
    wait = std::prev(way.tries.end());
    way.aside_before[station] = way.aside;
  } else if (attempt.number_is_used) {  // an earlier start reserved under it, and that was given back now
    const auto latest = std::find_if(way.tries.rbegin(), way.tries.rend(),
                                     [&](const job::FailedTry& one) { return one.station == station; });
    TANDEM_TRY(tries_.renumber(scope, *latest));
  }
  const EitherStop not_needed_or_draining(stop, context.drain);
  Millis interval{0};
  for (std::uint32_t looks = 1;; ++looks) {
    const Millis waited = waited_for(*wait, way);
    wait->delay_ms = waited.count();
    const Millis left = std::max(Millis(0), most - waited);
    const bool in_vain = stands_in && attempt.retry_after > left;  // it says that itself
    if (left.count() == 0 || in_vain || context.deadline.expired(services_.clock)) {
      attempt.waited_for = attempt.error->message;
      attempt.error->message +=
          fmt::format("; it was waited for {}, of {}", format_duration(waited), format_duration(most));
      if (in_vain) attempt.error->message += fmt::format(", and says {}", format_duration(attempt.retry_after));
      return false;
    }
    interval = tries_.next_look(scope, *wait, looks, interval);
    // Behind the time that it states, so that not all who wait for it come at once.
    const Millis told = std::min(attempt.retry_after, kLookAtLeastEvery);
    if (!pause(services_.executor, std::min(left, told + interval), not_needed_or_draining.token())) {
      if (!stop.stop_requested())
        return fail(errors::kCancelled, "stopped while {} was waited for", name);  // the server goes down
      attempt.waited_for = attempt.error->message;
      return false;
    }
    submit::SubmissionRequest request = request_of(backend, order, context, wait->next_attempt);
    request.deadline = Deadline(std::min(context.deadline.at(), services_.clock.monotonic() + context.remote_deadline));
    auto look = services_.submitter.not_ready(request, not_needed_or_draining.token());
    // Whatever else it says is for the attempt that follows to hear; a stop is seen by the next pause.
    if (!look && look.error().number == errors::kCancelled) continue;
    if (!look || !*look) {
      wait->delay_ms = waited_for(*wait, way).count();
      return true;
    }
    attempt.fail_with(std::move((*look)->why));
    attempt.retry_after = (*look)->ready_in;
    last_words.complete(*attempt.error);
  }
}

}  // namespace tandem::engine
