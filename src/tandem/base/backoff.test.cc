#include "tandem/base/backoff.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, lies_between_the_shortest_wait_and_three_times_the_one_before) {
  EXPECT_EQ(next_backoff(milliseconds(100), milliseconds(10'000), milliseconds(100), 0), milliseconds(100));
  EXPECT_EQ(next_backoff(milliseconds(100), milliseconds(10'000), milliseconds(100), 0.5), milliseconds(200));
  EXPECT_EQ(next_backoff(milliseconds(100), milliseconds(10'000), milliseconds(200), 0.5), milliseconds(350));
  EXPECT_EQ(next_backoff(milliseconds(100), milliseconds(10'000), milliseconds(1), 0.9), milliseconds(100));
}

TEST(Backoff, is_never_longer_than_the_longest) {
  EXPECT_EQ(next_backoff(milliseconds(100), milliseconds(250), milliseconds(200), 0.9), milliseconds(250));
}

}  // namespace
}  // namespace tandem
