// tandem/orchestrate/engine/order_way.h - what the sources of OrderRunner share of an order: what one backend gave, and its way along the
// chain.
//
// Room: orchestrate; for order_runner.cc and await_ready.cc only. Threads: one, that of the order.
#pragma once

#include <algorithm>
#include <map>
#include <set>

#include "tandem/orchestrate/engine/order_runner.h"

namespace tandem::engine {

struct OrderRunner::Attempt {
  std::string backend;
  std::string backend_version;
  bool local = true;
  bool emulated = false;
  std::optional<backend::RawResult> raw;
  std::optional<backend::WorkResult> result;
  std::optional<Error> error;
  std::string raw_sha256;
  std::string token;
  job::Money billed;
  std::optional<double> time_to_best_ms;
  std::optional<double> calibration_age_ms;
  std::optional<job::CachedAnswer> cached;
  bool stored = false;  ///< the raw bytes are in the blob table already
  bool may_repeat = false;  ///< it failed in a way that may pass, and surely costs nothing
  bool not_ready = false;  ///< that way: it takes no work now or is not asked for any, or its calibration is too old
  bool number_is_used = false;  ///< another attempt has another number in the ledger of submissions
  backend::ErrorClass error_class = backend::ErrorClass::kOk;
  std::chrono::milliseconds retry_after{0};
  std::optional<job::FallbackCause> cause;  ///< where the error does not name it
  std::chrono::nanoseconds in_line{0};  ///< for its turn, before it began

  std::string waited_for;  ///< in vain, or until it was stopped; empty: for nothing

  /// As it is kept, where another one or a wait follows. `number`: of the try at its station.
  job::FailedTry as_failed(const hybrid::Order& order, const OrderContext& context, std::uint32_t station,
                           const std::string& name, std::uint32_t number) const {
    return {.step = order.label,
            .round = context.round,
            .station = station,
            .backend = name,
            .number = number,
            .error_class = std::string(to_string(error_class)),
            .error_number = static_cast<std::uint16_t>(error->number),
            .reason = error->message};
  }
  void fail_with(Error why) {
    error_class = backend::class_of(why);
    error = std::move(why);
  }
};

struct OrderRunner::Way {
  std::uint32_t stations = 0;  ///< tried or passed over: the number of the next one's first attempt
  std::optional<job::FallbackCause> cause;  ///< of the last failure of a backend
  std::optional<Error> error;  ///< that failure
  Attempt last;
  std::optional<Attempt> partial;  ///< the fullest of those that gave a part
  job::Money billed;
  std::vector<job::PathEntry> path;
  std::vector<job::PartialAnswer> parts;
  std::vector<job::FailedTry> tries;  ///< that were followed by another, at all stations
  std::map<std::uint32_t, std::uint32_t> sent;  ///< by earlier starts: stations, and the last submission of each
  std::set<std::uint32_t> past_gate;  ///< of those submissions: what a provider may have got, or never will
  std::chrono::nanoseconds waited{0};  ///< in this start, until backends took work or for that in vain
  /// In this start, between waits for a backend: in line, and with tries and the pauses before them.
  std::chrono::nanoseconds aside{0};
  std::map<std::uint32_t, std::chrono::nanoseconds>
      aside_before;  ///< that before the wait for a station, where this start began it
  store::Batch blobs;  ///< raw bytes that no other commit holds
  std::string question_sha256;

  /// Of a station that earlier starts came to, or went beyond: whether they submitted anything there.
  std::optional<bool> had_sent(std::uint32_t station) const {
    if (sent.empty() || station > sent.rbegin()->first) return std::nullopt;
    return sent.contains(station);
  }
  Sending sending(std::uint32_t attempt) const {
    const bool known = std::ranges::any_of(sent, [&](const auto& one) { return one.second == attempt; });
    return {.attempt = attempt, .is_known = known, .is_past_gate = past_gate.contains(attempt)};
  }
  bool had_left(std::uint32_t station) const { return !sent.empty() && station < sent.rbegin()->first; }
};

}  // namespace tandem::engine
