// One order for what all processes make, whether it comes from memory or from the log.
#include "tandem/orchestrate/engine/log_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/orchestrate/engine/testing/cut_store.h"
#include "tandem/store/memory/memory_store.h"

namespace tandem::engine {
namespace {

using testing::ElementsAre;

/// A follower that looks only when it is told to, and what it has told. An event's actor says where it was taken from: "log" stands
/// in the log, "memory" is what made() gets.
class Following : public testing::Test {
 protected:
  static job::Event event(std::uint64_t number, const char* from, const char* type = "job.queued") {
    return {.sequence = number,
            .job = JobId("job"),
            .type = type,
            .at = {},
            .actor = from,
            .data = JsonText(Json{{"n", number}})};
  }
  void commit(std::uint64_t first, std::uint64_t last) {
    store::Batch batch;
    for (std::uint64_t i = first; i <= last; ++i) batch.append("job", event(i, "log").stored());
    ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  }
  void start() {
    follower_ = LogFollower::start(
                    seen_store_, executor_, log_, std::chrono::hours(1),
                    [](const job::EventHead& head, const store::LogEntry& entry) {
                      EXPECT_NE(entry.value.find(head.type), Bytes::npos);
                      return head.job == "job" && head.type == "job.queued";
                    },
                    [this](const job::Event& event) {
                      std::unique_lock lock(mutex_);
                      changed_.wait(lock, [&] { return !held_; });
                      EXPECT_EQ(event.data.value().at("n"), event.sequence);
                      told_.push_back(std::to_string(event.sequence) + " " + event.actor);
                      changed_.notify_all();
                    })
                    .value();
  }
  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  std::vector<std::string> told(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return told_.size() >= count; });
    return told_;
  }

  ThreadExecutor executor_{1};
  RecordingLog log_;
  memory::MemoryStore store_{executor_};
  CutStore seen_store_{store_};  ///< as the follower sees it
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  std::vector<std::string> told_;
  std::unique_ptr<LogFollower> follower_;
};

TEST_F(Following, what_was_made_here_waits_for_what_others_wrote_before_it_and_is_told_once) {
  commit(1, 1);  // before it looks
  start();
  commit(2, 8);
  follower_->made(event(2, "memory"));
  EXPECT_THAT(told(1), ElementsAre("2 memory"));
  follower_->made(event(4, "memory"));
  EXPECT_THAT(told(3), ElementsAre("2 memory", "3 log", "4 memory"));
  follower_->made(event(7, "memory"));  // told before 6, which was made here as well
  told(6);
  follower_->made(event(6, "memory"));
  follower_->made(event(8, "memory"));
  EXPECT_THAT(told(7), ElementsAre("2 memory", "3 log", "4 memory", "5 log", "6 log", "7 memory", "8 memory"));
}

TEST_F(Following, of_the_log_it_reads_one_gap_or_several_at_once_and_nothing_else) {
  start();
  commit(1, 9);
  follower_->made(event(3, "memory"));
  told(3);
  EXPECT_THAT(seen_store_.log_limits(), ElementsAre(2));
  hold(true);
  follower_->made(event(4, "memory"));
  for (const std::uint64_t made : {6, 7, 9}) follower_->made(event(made, "memory"));
  hold(false);
  EXPECT_THAT(told(9), ElementsAre("1 log", "2 log", "3 memory", "4 memory", "5 log", "6 memory", "7 memory", "8 log",
                                   "9 memory"));
  EXPECT_THAT(seen_store_.log_limits(), ElementsAre(2, 4));
}

TEST_F(Following, of_what_others_wrote_only_what_somebody_cares_for_is_told) {
  start();
  store::Batch batch;
  for (const char* type : {"job.queued", "job.planned", "job.started", "job.planned", "job.queued"})
    batch.append("job", event(store_.last_sequence().value() + batch.operations.size() + 1, "log", type).stored());
  ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  follower_->made(event(3, "memory", "job.started"));
  follower_->made(event(5, "memory"));
  EXPECT_THAT(told(3), ElementsAre("1 log", "3 memory", "5 memory"));
}

TEST_F(Following, an_entry_that_is_no_event_or_was_altered_is_named_and_passed_over) {
  start();
  store::Batch batch;
  batch.append("job", "no event");
  Bytes altered = event(2, "log").stored();
  altered[altered.find("log")] = 'L';
  batch.append("job", altered);
  batch.append("job", event(3, "log").stored());
  ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  follower_->made(event(4, "memory"));
  EXPECT_THAT(told(2), ElementsAre("3 log", "4 memory"));
  EXPECT_EQ(log_.count("log.damaged"), 2u);
}

TEST_F(Following, what_others_wrote_is_read_when_the_store_says_that_there_is_some) {
  start();
  for (std::uint64_t i = 1; i <= 3; ++i) {
    commit(i, i);
    seen_store_.tell_of_news();
    EXPECT_EQ(told(i).back(), std::to_string(i) + " log");
  }
}

TEST_F(Following, what_it_cannot_keep_it_reads) {
  start();
  constexpr std::uint64_t kEvents = LogFollower::kMadeMax + 100;
  commit(1, kEvents / 2);
  commit(kEvents / 2 + 1, kEvents);
  hold(true);
  for (std::uint64_t i = 1; i <= kEvents; ++i) follower_->made(event(i, "memory"));
  hold(false);
  const auto all = told(kEvents);
  ASSERT_EQ(all.size(), kEvents);
  std::size_t read = 0;
  for (std::uint64_t i = 1; i <= kEvents; ++i) {
    EXPECT_THAT(all[i - 1], testing::StartsWith(std::to_string(i) + " "));
    read += all[i - 1].ends_with("log") ? 1 : 0;
  }
  EXPECT_LE(read, kEvents - LogFollower::kMadeMax);
}

}  // namespace
}  // namespace tandem::engine
