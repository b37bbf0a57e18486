// tandem/orchestrate/submit/crash_points.h - the names at which this part may be killed by a test (base/crash_point.h).
//
// Room: orchestrate. "submit.before_<state>" and "submit.after_<state>" stand around the commit that enters a state,
// "submit.before_<call>" and "submit.after_<call>" around a call over the wire.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::submit {

inline constexpr std::array<std::string_view, 5> kWireCalls = {"wire_submit", "wire_poll", "wire_fetch", "wire_lookup",
                                                               "wire_cancel"};

/// All names, for sweeps over them.
std::vector<std::string> crash_point_names();

}  // namespace tandem::submit
