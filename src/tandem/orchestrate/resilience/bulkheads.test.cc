#include "tandem/orchestrate/resilience/bulkheads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"

namespace tandem::resilience {
namespace {

class BulkheadsTest : public testing::Test {
 protected:
  Deadline now() { return Deadline(clock_.monotonic()); }
  FakeClock clock_;
  ThreadExecutor executor_{1};
  std::atomic<int> freed_ = 0;
  Bulkheads bulkheads_{executor_, clock_, {{"vendor.*", 2}, {"vendor.own", 1}}, [this] { ++freed_; }};
};

TEST_F(BulkheadsTest, so_many_runs_use_a_vendor_at_once_and_others_have_room_of_their_own) {
  std::optional<Bulkheads::Stay> first(std::in_place, bulkheads_);
  Bulkheads::Stay second(bulkheads_);
  Bulkheads::Stay third(bulkheads_);
  EXPECT_TRUE(first->try_enter("vendor.simulator"));
  EXPECT_TRUE(second.try_enter("vendor.qpu.one"));
  EXPECT_TRUE(bulkheads_.is_full("vendor.*"));
  EXPECT_FALSE(third.try_enter("vendor.qpu.two"));
  EXPECT_THAT(third.enter("vendor.qpu.two", {}, now()), FailsWith(errors::kBackendBusy));
  EXPECT_TRUE(third.try_enter("vendor.own"));
  EXPECT_TRUE(third.try_enter("vendors.one")) << "another vendor, whose name begins alike";
  EXPECT_TRUE(first->try_enter("vendor.qpu.two")) << "it is there already";
  first.reset();
  EXPECT_EQ(freed_, 1);
  EXPECT_TRUE(third.try_enter("vendor.qpu.two"));
}

TEST_F(BulkheadsTest, who_is_not_named_has_as_much_room_as_is_usual) {
  std::vector<std::unique_ptr<Bulkheads::Stay>> stays;
  for (std::size_t i = 0; i < kProviderRunsMax; ++i) {
    stays.push_back(std::make_unique<Bulkheads::Stay>(bulkheads_));
    ASSERT_TRUE(stays.back()->try_enter(i % 2 == 0 ? "other.one" : "other.two"));
  }
  Bulkheads::Stay late(bulkheads_);
  EXPECT_FALSE(late.try_enter("other.one"));
  EXPECT_FALSE(late.is_anywhere());
  stays.pop_back();
  EXPECT_TRUE(late.try_enter("other.one"));
  EXPECT_TRUE(late.is_anywhere());
}

TEST_F(BulkheadsTest, who_waits_for_room_gets_it_when_a_run_ends_and_a_stop_ends_the_wait) {
  std::optional<Bulkheads::Stay> first(std::in_place, bulkheads_);
  ASSERT_TRUE(first->try_enter("vendor.own"));
  std::stop_source stop;
  std::atomic<bool> stopped = false;
  std::jthread told([&] {
    Bulkheads::Stay stay(bulkheads_);
    const auto room = stay.enter("vendor.own", stop.get_token(), Deadline::never());
    stopped = !room && room.error().number == errors::kCancelled;
  });
  stop.request_stop();
  told.join();
  EXPECT_TRUE(stopped);
  std::atomic<bool> entered = false;
  std::jthread waits([&] {
    Bulkheads::Stay stay(bulkheads_);
    entered = stay.enter("vendor.own", {}, Deadline::never()).has_value();
  });
  first.reset();
  waits.join();
  EXPECT_TRUE(entered);
}

TEST_F(BulkheadsTest, who_has_been_nowhere_frees_nothing) {
  {
    const Bulkheads::Stay stay(bulkheads_);
  }
  EXPECT_EQ(freed_, 0);
}

}  // namespace
}  // namespace tandem::resilience
