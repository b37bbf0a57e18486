#include "tandem/orchestrate/engine/progress_board.h"

#include <gtest/gtest.h>

namespace tandem::engine {
namespace {

JobId numbered(std::size_t i) { return JobId(fmt::format("job_{:04}", i)); }

TEST(ProgressBoard, what_is_told_of_a_job_is_read_back) {
  ProgressBoard board;
  board.note({.job = numbered(1), .step = "solve", .elapsed_ms = 1});
  board.note({.job = numbered(1), .step = "solve", .objective = -2, .bound = -3, .elapsed_ms = 5});
  const auto told = told_progress(board.document(), numbered(1));
  ASSERT_TRUE(told);
  EXPECT_EQ(told->document(), (Json{{"step", "solve"}, {"objective", -2.0}, {"bound", -3.0}, {"elapsed_ms", 5.0}}));
  EXPECT_EQ(told->document(), board.of(numbered(1))->document());
  EXPECT_FALSE(told_progress(board.document(), numbered(2)));
  board.forget(numbered(1));
  EXPECT_FALSE(board.of(numbered(1)));
  EXPECT_EQ(board.document(), Json::object());
}

TEST(ProgressBoard, what_a_beat_carries_is_bounded_in_jobs_and_in_bytes) {
  ProgressBoard many;
  for (std::size_t i = 0; i < 200; ++i) many.note({.job = numbered(i), .step = "s"});
  EXPECT_EQ(many.document().size(), ProgressBoard::kToldJobsMax);
  EXPECT_TRUE(many.document().contains(numbered(0).value));
  ProgressBoard large;
  for (std::size_t i = 0; i < 20; ++i) large.note({.job = numbered(i), .step = std::string(2'000, 's')});
  EXPECT_LE(large.document().dump().size(), ProgressBoard::kToldBytesMax);
  EXPECT_GE(large.document().size(), 7u);
}

TEST(ProgressBoard, what_another_version_wrote_is_not_known_rather_than_wrong) {
  const Json strange = {{"job_0001", 7}, {"job_0002", {{"step", 3}, {"objective", "low"}}}};
  EXPECT_FALSE(told_progress(strange, numbered(1)));
  const auto told = told_progress(strange, numbered(2));
  ASSERT_TRUE(told);
  EXPECT_EQ(told->step, "");
  EXPECT_EQ(told->objective, std::nullopt);
}

}  // namespace
}  // namespace tandem::engine
