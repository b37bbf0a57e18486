// tandem/orchestrate/engine/crash_points.h - the names at which this part may be killed by a test (base/crash_point.h).
//
// Room: orchestrate. "job.before_<what>", "job.after_<what>", and so for "round" and "step", stand around the commit that writes
// the event job.<what> into the log: claim (started), checkpoint (round, step), end, requeue, cancel, suspend and the rest. The
// others stand in kPoints.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/crash_point_names.h"

namespace tandem::engine {

inline constexpr std::array<std::string_view, 16> kPoints = {
    "node.before_join",  // its row is not written
    "node.after_join",        "node.before_beat",    "node.after_beat",
    "node.before_lead",  // the term of the leader
    "node.after_lead",
    "node.before_bury",  // of a process whose lease ran out
    "node.after_bury",  // its jobs are still its own
    "node.before_leave",      "node.after_leave",
    "engine.before_recovery",  // of what was running when a process ended
    "engine.after_recovery",  "engine.before_drain", "engine.after_drain",
    "engine.parked",  // a job that could not be stored waits
    "engine.unparked",  // it is put back into the queue
};

/// All names, for sweeps over them.
std::vector<std::string> crash_point_names();

}  // namespace tandem::engine
