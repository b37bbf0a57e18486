// tandem/orchestrate/submit/wire.h - Wire: the calls to a backend that a submission makes, each between two crash points.
//
// Room: orchestrate; for the sources of this part only.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

#include "tandem/orchestrate/submit/submit.h"

namespace tandem::submit {

/// Threads: as the backend.
class Wire {
  backend::CallContext context() const { return {.stop = stop_, .deadline = deadline_}; }
  backend::CallContext until(Deadline answer_by) const {
    return {.stop = stop_, .deadline = Deadline(std::min(deadline_.at(), answer_by.at()))};
  }
  template <typename Call>
  auto between(std::string_view name, Call call) {
    reach("before", name);
    auto answer = call();
    reach("after", name);
    return answer;
  }

 public:
  Wire(backend::Backend& backend, const CrashPoints& crash_points, std::stop_token stop, Deadline deadline)
      : backend_(backend), crash_points_(crash_points), stop_(std::move(stop)), deadline_(deadline) {}

  tl::expected<backend::Handle, backend::SubmitFailure> submit(const backend::Work& work, const std::string& token) {
    return between("wire_submit", [&] { return backend_.submit(work, token, context()); });
  }
  Result<backend::PollStatus> poll(const backend::WorkRef& work, Deadline answer_by = Deadline::never()) {
    return between("wire_poll", [&] { return backend_.poll(work, until(answer_by)); });
  }
  Result<backend::RawResult> fetch(const backend::WorkRef& work) {
    return between("wire_fetch", [&] { return backend_.fetch(work, context()); });
  }
  struct Lookup {
    std::optional<backend::Handle> handle;  ///< empty: not found
    Timestamp seen_since;  ///< by `clock`: nothing of the answer was seen before
    bool is_from_before = false;  ///< it rests on what was seen before what was asked for
  };
  /// What others asked since then may answer it.
  Result<Lookup> lookup(const SubmissionRecord& record, Instant asked_since, const Clock& clock) {
    const Timestamp now = clock.now();
    const Instant asked = clock.monotonic();
    TANDEM_TRY_ASSIGN(auto said, between("wire_lookup", [&] {
                        return backend_.reconcile(
                            {.token = record.token, .sent_at = record.intent_at, .asked_since = asked_since},
                            context());
                      }));
    const auto micros = [](std::chrono::nanoseconds time) {
      return std::chrono::ceil<std::chrono::microseconds>(time).count();
    };
    // As it is told now it may be earlier: the clock was set back meanwhile.
    const std::int64_t asked_at = std::min(now.micros, clock.now().micros - micros(clock.monotonic() - asked));
    const std::int64_t before = micros(asked - said.seen_since.value_or(asked));
    Lookup out{.handle = std::nullopt,
               .seen_since = {asked_at - std::max<std::int64_t>(before, 0)},
               .is_from_before = said.seen_since.value_or(asked) < asked_since + -kClocksDiffer};
    if (said.kind == backend::Reconciled::Kind::kFound) out.handle = std::move(said.handle);
    return out;
  }
  Result<void> cancel(const backend::WorkRef& work) {
    return between("wire_cancel", [&] { return backend_.cancel(work, context()); });
  }

 private:
  /// Of the two clocks of a machine, while one walks over a list.
  static constexpr std::chrono::seconds kClocksDiffer{1};

  void reach(std::string_view side, std::string_view name) const {
    if (crash_points_.armed()) crash_points_.reach(fmt::format("submit.{}_{}", side, name));
  }

  backend::Backend& backend_;
  const CrashPoints& crash_points_;
  std::stop_token stop_;
  Deadline deadline_;
};

}  // namespace tandem::submit
