#include "tandem/base/pause.h"

#include <gtest/gtest.h>

#include "tandem/base/clock.h"
#include "tandem/base/testing/matchers.h"

namespace tandem {
namespace {

TEST(Pause, lasts_at_least_as_long_as_asked) {
  ThreadExecutor executor(1);
  const SystemClock clock;
  const Instant before = clock.monotonic();
  EXPECT_THAT(pause(executor, std::chrono::milliseconds(5), {}), Succeeds());
  EXPECT_GE(clock.monotonic() - before, std::chrono::milliseconds(5));
}

TEST(Pause, ends_at_once_when_stopped) {
  ThreadExecutor executor(1);
  std::stop_source stop;
  const auto timer = executor.post_after(std::chrono::milliseconds(1), [&] { stop.request_stop(); });
  EXPECT_THAT(pause(executor, std::chrono::hours(1), stop.get_token()), FailsWith(errors::kCancelled));
  EXPECT_THAT(pause(executor, std::chrono::hours(1), stop.get_token()), FailsWith(errors::kCancelled));
}

}  // namespace
}  // namespace tandem
