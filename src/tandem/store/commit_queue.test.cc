#include "tandem/store/commit_queue.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>

#include "tandem/base/testing/fake_clock.h"

namespace tandem::store {
namespace {

constexpr auto kLong = std::chrono::hours(1);
using Sizes = std::vector<std::size_t>;

/// Keeps how many batches each group had. By the clock each takes so long that no part of it limits how long the next one waits;
/// the first one is under way until it may end.
class CountingWriter final : public GroupWriter {
 public:
  CountingWriter(FakeClock& clock, Sizes& sizes, std::promise<void>& first_began, std::future<void> first_may_end)
      : clock_(clock), sizes_(sizes), first_began_(first_began), first_may_end_(std::move(first_may_end)) {}
  Result<void> write(std::span<const Batch* const> group, Answers& answers) override {
    if (sizes_.empty()) {
      first_began_.set_value();
      first_may_end_.wait();
    }
    clock_.advance(100 * kLong);
    sizes_.push_back(group.size());
    answers.assign(group.size(), Committed{});
    return {};
  }
  bool may_go_on(const Error& /*error*/) const override { return true; }
  Result<void> maintain(bool /*out_of_space*/) override { return {}; }
  void abandon() override {}

 private:
  FakeClock& clock_;
  Sizes& sizes_;
  std::promise<void>& first_began_;
  const std::future<void> first_may_end_;
};

/// A queue that has written a first group of one while others came.
struct Rig {
  FakeClock clock;
  ThreadExecutor executor{1};
  NullMeter meter;
  Sizes sizes;  // the writer's until the queue is stopped
  std::promise<void> first_began;
  std::promise<void> first_may_end;
  CommitQueue queue;
  std::vector<std::future<void>> answered;

  Rig(std::chrono::nanoseconds patience, int came_meanwhile)
      : queue(std::make_unique<CountingWriter>(clock, sizes, first_began, first_may_end.get_future()),
              {.company_wait_max = patience}, executor, clock, meter) {
    push(1);
    first_began.get_future().wait();
    push(came_meanwhile);
    first_may_end.set_value();
    answered.front().wait();
  }
  void push(int batches) {
    for (int i = 0; i < batches; ++i) {
      const auto told = std::make_shared<std::promise<void>>();
      answered.push_back(told->get_future());
      queue.push(Batch().append("s", "v"), [told](const Result<Committed>& answer) {
        EXPECT_TRUE(answer.has_value());
        told->set_value();
      });
    }
  }
  void wait() const {
    for (const std::future<void>& one : answered) one.wait();
  }
  Sizes written() {
    queue.stop();
    return sizes;
  }
};

TEST(CommitQueue, a_group_waits_for_those_who_were_answered_with_the_last_one) {
  Rig rig(kLong, 2);
  rig.push(1);  // the first is back
  rig.wait();
  for (int i = 0; i < 3; ++i) rig.push(1);
  rig.wait();
  EXPECT_EQ(rig.written(), (Sizes{1, 3, 3}));
}

TEST(CommitQueue, who_does_not_come_back_is_not_waited_for_longer_than_was_said) {
  Rig rig(std::chrono::milliseconds(1), 2);
  rig.wait();
  EXPECT_EQ(rig.written(), (Sizes{1, 2}));
}

TEST(CommitQueue, what_waits_for_company_is_written_when_the_queue_stops) {
  Rig rig(kLong, 2);
  EXPECT_EQ(rig.written(), (Sizes{1, 2}));
  rig.wait();
}

TEST(CommitQueue, a_large_group_does_not_wait) {
  Rig rig(kLong, 16);
  rig.wait();
  EXPECT_EQ(rig.written(), (Sizes{1, 16}));
}

/// Says when it may rest after a write.
class RestingWriter final : public GroupWriter {
 public:
  explicit RestingWriter(std::promise<std::size_t>& rested) : rested_(rested) {}
  Result<void> write(std::span<const Batch* const> group, Answers& answers) override {
    written_ += group.size();
    answers.assign(group.size(), Committed{});
    return {};
  }
  bool may_go_on(const Error& /*error*/) const override { return true; }
  Result<void> maintain(bool /*out_of_space*/) override { return {}; }
  void rest() override {
    if (written_ > 0) std::exchange(rested_, std::promise<std::size_t>()).set_value(written_);
  }
  void abandon() override {}

 private:
  std::promise<std::size_t>& rested_;
  std::size_t written_ = 0;
};

TEST(CommitQueue, a_writer_rests_when_nothing_has_come_for_a_while_and_is_there_for_what_comes_then) {
  FakeClock clock;
  ThreadExecutor executor(1);
  NullMeter meter;
  std::promise<std::size_t> rested;
  std::future<std::size_t> first = rested.get_future();
  CommitQueue queue(std::make_unique<RestingWriter>(rested), {}, executor, clock, meter);
  std::promise<void> told;
  queue.push(Batch().append("s", "v"), [&](const Result<Committed>& answer) {
    EXPECT_TRUE(answer.has_value());
    told.set_value();
  });
  told.get_future().wait();
  EXPECT_EQ(first.get(), 1u) << "after what was written";
  std::promise<void> told_again;
  queue.push(Batch().append("s", "v"), [&](const Result<Committed>&) { told_again.set_value(); });
  told_again.get_future().wait();
  queue.stop();
}

}  // namespace
}  // namespace tandem::store
