// tandem/api/service/focus.h - charges as a FOCUS data set: the FinOps Open Cost and Usage Specification, version 1.2.
//
// Room: api. Owns the columns and what of a charge stands in each. Not here: which charges (service.h).
// Source: FOCUS Specification 1.2, columns; every column that it calls mandatory is there, and of the others those that we know.
#pragma once

#include <string>
#include <string_view>

#include "tandem/base/json.h"

namespace tandem::service {

inline constexpr std::string_view kFocusVersion = "1.2";

/// The heading of the CSV, with its end of line (RFC 4180: CR LF).
std::string focus_heading();
/// One charge, as of Service::usage() without `by`. The play money of an emulated backend is billed by nobody: its costs are 0, and the
/// figure stands in x_EmulatedCost.
std::string focus_row(const Json& charge);

}  // namespace tandem::service
