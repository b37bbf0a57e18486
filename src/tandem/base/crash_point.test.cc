#include "tandem/base/crash_point.h"

#include <gtest/gtest.h>

#include <csignal>
#include <vector>

#include "tandem/base/testing/map_environment.h"
#include "tandem/base/testing/matchers.h"

namespace tandem {
namespace {

Result<CrashPoints> armed_by(std::map<std::string, std::string> variables) {
  return CrashPoints::arm(MapEnvironment(std::move(variables)));
}

TEST(CrashPoints, do_nothing_unless_the_environment_arms_them) {
  const auto points = armed_by({});
  ASSERT_THAT(points, Succeeds());
  EXPECT_FALSE(points->armed());
  points->reach("submit.after_intent");
  points->reach("");
}

TEST(CrashPoints, pass_points_of_other_names) {
  const auto points = armed_by({{"TANDEM_CRASH_POINT", "submit.after_intent"}});
  ASSERT_THAT(points, Succeeds());
  EXPECT_TRUE(points->armed());
  points->reach("submit.after_wire");
}

TEST(CrashPointsDeathTest, end_the_process_by_an_uncatchable_signal_at_the_arrival_asked_for) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto first = armed_by({{"TANDEM_CRASH_POINT", "a"}});
  ASSERT_THAT(first, Succeeds());
  EXPECT_EXIT(first->reach("a"), testing::KilledBySignal(SIGKILL), "");

  const auto third = armed_by({{"TANDEM_CRASH_POINT", "a:3"}});
  ASSERT_THAT(third, Succeeds());
  third->reach("a");
  third->reach("a");
  EXPECT_EXIT(third->reach("a"), testing::KilledBySignal(SIGKILL), "");
}

TEST(CrashPoints, are_refused_in_production) {
  for (const char* production : {"1", "true", "yes", " "})
    EXPECT_THAT(armed_by({{"TANDEM_CRASH_POINT", "a"}, {"TANDEM_PROD", production}}), FailsWith(errors::kBadSetting));
  EXPECT_THAT(armed_by({{"TANDEM_CRASH_POINT", "a"}, {"TANDEM_PROD", "0"}}), Succeeds());
  EXPECT_THAT(armed_by({{"TANDEM_PROD", "1"}}), Succeeds());
}

TEST(CrashPoints, refuse_an_arrival_that_is_no_number_from_1) {
  for (const char* text : {"a:", "a:0", "a:-1", "a:x", "a:1:2", ":2"}) {
    EXPECT_THAT(armed_by({{"TANDEM_CRASH_POINT", text}}), FailsWith(errors::kBadSetting)) << text;
  }
}

}  // namespace
}  // namespace tandem
