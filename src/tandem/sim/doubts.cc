#include "tandem/sim/doubts.h"

#include <algorithm>

#include "tandem/orchestrate/submit/ledger.h"
#include "tandem/sim/options.h"

namespace tandem::sim {

using submit::SubmissionRecord;
using submit::SubmissionState;

void Doubts::taken_over(const std::string& token, Nanos now) {
  if (const auto found = open_.find(token); found != open_.end()) found->second.since = now;
}

std::string Doubts::broken(const std::string& process, const SubmissionRecord& before, const SubmissionRecord& after,
                           const SimDevice& device, const std::string& runner, Nanos now) const {
  if (before.doubt_at && after.doubt_at && *before.doubt_at != *after.doubt_at)
    return fmt::format("{} gave the doubt of {} another date without sending it again", process, after.token);
  if (before.state == SubmissionState::kIntent && after.state == SubmissionState::kAmbiguous && !after.doubt_at)
    return fmt::format("{} put {} in doubt without a date", process, after.token);
  const bool begins = after.state == SubmissionState::kAmbiguous && after.doubt_at && !before.doubt_at;
  const bool given_up = before.state == SubmissionState::kAmbiguous && after.state == SubmissionState::kHeld;
  if (!begins && !given_up) return "";
  if (!runner.empty() && runner != process)
    return fmt::format("{} moved {} from {} to {} while {} runs its job", process, after.token,
                       submit::to_string(before.state), submit::to_string(after.state), runner);
  const auto open = open_.find(after.token);
  const bool by_window = runner.empty() || after.reason.starts_with(submit::Ledger::kWindowOver);
  if (begins || !by_window || device.opaque() || open == open_.end() || clock_jumped_ >= open->second.intent) return "";
  // Clocks that follow the store's run apart a little.
  const Nanos since = now - std::max(open->second.intent, device.left_at(after.token).value_or(0));
  if (since >= settle_window_ / 2) return "";
  return fmt::format("{} gave {} up {:.3f} ms after it could be sent, while {} may still show it", process, after.token,
                     static_cast<double>(since) / 1e6, after.backend);
}

void Doubts::moved(const std::string& process, const SubmissionRecord& before, const SubmissionRecord& after,
                   const SimDevice& device, Nanos now) {
  if (after.state == SubmissionState::kIntent) open_[after.token].intent = now;
  if (after.state == SubmissionState::kAmbiguous) {
    open_[after.token].since = now;  // once more where it was sent again
    if (after.doubt_at && !before.doubt_at) open_[after.token].doubt = now;
  }
  if (before.state != SubmissionState::kAmbiguous || after.state == SubmissionState::kAmbiguous) return;
  const Open& open = open_[after.token];
  Ended ended;
  Nanos ready = std::max({open.since, device.down_until, able_since_[process], job_moved_[after.job.value]});
  if (after.state == SubmissionState::kHeld && !device.opaque()) {
    const Nanos window_over = open.doubt + settle_window_;
    ended.apart = now < window_over || device.down() || clock_jumped_ >= open.intent;
    ready = std::max(ready, window_over);
  } else if (after.state == SubmissionState::kConfirmed) {
    if (const auto handle = device.find(after.token)) ready = std::max(ready, device.book().at(*handle).accepted_at);
  }
  ended.lasted = std::max<Nanos>(0, now - ready);
  ended_[after.token].push_back(ended);
}

void Doubts::told(const std::string& type, const Json& event, const SimDevice& device, Coverage& coverage) {
  const std::string token = event["data"].value("token", "");
  Told& told = told_[token];
  const bool was_in_doubt = told.in_doubt;
  told.in_doubt = type == "submission.ambiguous" || (was_in_doubt && type == "submission.taken_over");
  if (!was_in_doubt || told.in_doubt) return;
  const std::deque<Ended>& ends = ended_[token];
  if (told.ends >= ends.size()) return;  // of a process that lost what it had written
  const Ended& ended = ends[told.ends++];
  DoubtCounts& counts = coverage.doubts[fmt::format("class {}", backend::to_string(device.vendor().safety))];
  if (ended.apart) {
    ++counts.apart;
    return;
  }
  const Nanos interval = (event.value("actor", "") == "reconciler" ? kSweepEveryMs : kLookupEveryMs) * 1'000'000;
  ++counts.by_intervals[static_cast<std::uint64_t>((ended.lasted + interval - 1) / interval)];
}

}  // namespace tandem::sim
