#include "tandem/orchestrate/resilience/gates.h"

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

class GatesTest : public testing::Test {
 protected:
  Deadline now() { return Deadline(clock_.monotonic()); }
  FakeClock clock_;
  ThreadExecutor executor_{1};
  Gates gates_{executor_,
               clock_,
               {{"narrow", {.calls_max = 2}},
                {"strict", {.starts_per_minute_max = 2}},
                {"vendor.*", {.calls_max = 2}},
                {"vendor.own", {.calls_max = 1}}}};
};

TEST_F(GatesTest, whoever_has_no_limits_passes) {
  std::vector<Gates::Pass> passes;
  for (int i = 0; i < 100; ++i) {
    auto pass = gates_.enter("other", {}, now());
    ASSERT_THAT(pass, Succeeds());
    passes.push_back(*std::move(pass));
  }
}

TEST_F(GatesTest, so_many_are_under_way_at_once_and_the_next_passes_when_one_leaves) {
  std::optional<Gates::Pass> first(*gates_.enter("narrow", {}, now()));
  const Gates::Pass second = *gates_.enter("narrow", {}, now());
  EXPECT_THAT(gates_.enter("narrow", {}, now()), FailsWith(errors::kBackendBusy));
  std::atomic<bool> passed = false;
  std::jthread third([&] {
    const auto pass = gates_.enter("narrow", {}, Deadline::never());
    passed = pass.has_value();
  });
  first.reset();
  third.join();
  EXPECT_TRUE(passed);
}

TEST_F(GatesTest, the_backends_of_a_vendor_share_a_gate_and_the_third_waits) {
  std::optional<Gates::Pass> first(*gates_.enter("vendor.simulator", {}, now()));
  const Gates::Pass second = *gates_.enter("vendor.qpu.one", {}, now());
  EXPECT_THAT(gates_.enter("vendor.qpu.two", {}, now()), FailsWith(errors::kBackendBusy));
  EXPECT_THAT(gates_.enter("vendors.one", {}, now()), Succeeds()) << "another vendor, whose name begins alike";
  EXPECT_THAT(gates_.enter("vendor.own", {}, now()), Succeeds()) << "a gate of its own";
  std::atomic<bool> passed = false;
  std::jthread third([&] {
    const auto pass = gates_.enter("vendor.qpu.two", {}, Deadline::never());
    passed = pass.has_value();
  });
  first.reset();
  third.join();
  EXPECT_TRUE(passed);
}

TEST_F(GatesTest, so_many_begin_in_any_minute) {
  (void)gates_.enter("strict", {}, now());
  clock_.advance(std::chrono::seconds(30));
  (void)gates_.enter("strict", {}, now());
  EXPECT_THAT(gates_.enter("strict", {}, now()), FailsWith(errors::kBackendBusy));
  clock_.advance(std::chrono::seconds(30));
  EXPECT_THAT(gates_.enter("strict", {}, now()), Succeeds());
  EXPECT_THAT(gates_.enter("strict", {}, now()), FailsWith(errors::kBackendBusy));
}

TEST_F(GatesTest, who_is_told_to_stop_waits_no_longer) {
  const Gates::Pass first = *gates_.enter("narrow", {}, now());
  const Gates::Pass second = *gates_.enter("narrow", {}, now());
  std::jthread waiting([&](const std::stop_token& stop) {
    EXPECT_THAT(gates_.enter("narrow", stop, Deadline::never()), FailsWith(errors::kCancelled));
  });
  waiting.request_stop();
}

}  // namespace
}  // namespace tandem::resilience
