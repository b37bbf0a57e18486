// tandem/base/testing/matchers.h - GoogleMock matchers for Result.
//
// Room: base, tests only.
#pragma once

#include <gmock/gmock.h>

#include <ostream>
#include <string>

#include "tandem/base/result.h"

namespace tandem {

/// How GoogleTest shows a Result, found through the namespace of Error.
template <typename T>
void PrintTo(const Result<T>& result, std::ostream* out) {
  *out << (result.has_value() ? "a value" : result.error().to_string());
}

/// EXPECT_THAT(parse_int64("x"), FailsWith(errors::kBadNumber));
MATCHER_P(FailsWith, number, "fails with " + std::string(error_record(number).name)) {
  return !arg.has_value() && arg.error().number == number;
}

/// The same, and the place is `place`.
MATCHER_P2(FailsAt, place, number,
           "fails with " + std::string(error_record(number).name) + " at " + std::string(place)) {
  return !arg.has_value() && arg.error().number == number && arg.error().place == place;
}

/// EXPECT_THAT(result, Succeeds());
MATCHER(Succeeds, "succeeds") { return arg.has_value(); }

}  // namespace tandem
