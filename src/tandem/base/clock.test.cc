#include "tandem/base/clock.h"

#include <gmock/gmock.h>

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"

namespace tandem {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// The microseconds are from Python's datetime, which has its own calendar.
const std::vector<std::pair<std::int64_t, std::string>> kTimes = {{0, "1970-01-01T00:00:00.000000Z"},
                                                                  {1795531833123456, "2026-11-24T14:50:33.123456Z"},
                                                                  {951868799999999, "2000-02-29T23:59:59.999999Z"},
                                                                  {-1, "1969-12-31T23:59:59.999999Z"},
                                                                  {253402300799999999, "9999-12-31T23:59:59.999999Z"},
                                                                  {-62135596800000000, "0001-01-01T00:00:00.000000Z"}};

TEST(Timestamp, is_written_and_read_as_rfc_3339) {
  for (const auto& [micros, text] : kTimes) {
    EXPECT_EQ(format_rfc3339(Timestamp{micros}), text);
    EXPECT_EQ(*parse_rfc3339(text), Timestamp{micros});
  }
}

TEST(Timestamp, takes_any_number_of_decimals_up_to_nanoseconds) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:01Z")->micros, 1'000'000);
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:01.5Z")->micros, 1'500'000);
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00.123456789Z")->micros, 123'456);
}

TEST(Timestamp, refuses_what_is_not_a_time_in_utc) {
  for (const char* text :
       {"", "Z", "2026", "2026-11-24", "2026-11-24T14:50:33", "2026-11-24 14:50:33Z", "2026-11-24T14:50:33+01:00",
        "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z", "2026-01-01T00:00:00.12a4Z",
        "2026-01-01T00:00:00,5Z", "2o26-01-01T00:00:00Z", "+026-01-01T00:00:00Z"}) {
    EXPECT_THAT(parse_rfc3339(text), FailsWith(errors::kBadTimestamp)) << text;
  }
}

TEST(Deadline, counts_down_to_zero_and_stays_there) {
  FakeClock clock;
  const Deadline deadline = Deadline::after(clock, milliseconds(100));
  EXPECT_EQ(deadline.left(clock), milliseconds(100));
  clock.advance(milliseconds(99));
  EXPECT_FALSE(deadline.expired(clock));
  clock.advance(milliseconds(1));
  EXPECT_TRUE(deadline.expired(clock));
  clock.advance(seconds(5));
  EXPECT_EQ(deadline.left(clock), nanoseconds(0));
}

TEST(Deadline, does_not_notice_that_the_wall_clock_is_set) {
  FakeClock clock;
  const Deadline deadline = Deadline::after(clock, seconds(1));
  clock.step_wall(std::chrono::hours(1));
  EXPECT_FALSE(deadline.expired(clock));
  EXPECT_EQ(deadline.left(clock), seconds(1));
}

TEST(Deadline, never_does_not_come) {
  FakeClock clock;
  clock.advance(std::chrono::hours(24 * 365 * 200));
  EXPECT_FALSE(Deadline::never().expired(clock));
  EXPECT_GT(Deadline::never().left(clock), std::chrono::hours(24 * 365 * 50));
}

TEST(SystemClock, does_not_run_backwards_and_counts_the_work_of_this_thread) {
  const SystemClock clock;
  EXPECT_GT(clock.now(), Timestamp{1'700'000'000'000'000});  // after 2023
  const Instant start = clock.monotonic();
  const nanoseconds cpu = clock.thread_cpu();
  Instant last = start;
  // Busy until this thread has used a millisecond.
  while (clock.thread_cpu() - cpu < milliseconds(1)) {
    const Instant next = clock.monotonic();
    ASSERT_GE(next, last);
    last = next;
  }
  EXPECT_GT(last, start);
}

}  // namespace
}  // namespace tandem
