#include "tandem/orchestrate/resilience/breaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/base/testing/recording_meter.h"
#include "tandem/middleware/backend/backend.h"

namespace tandem::resilience {
namespace {

using testing::HasSubstr;

constexpr std::chrono::milliseconds kPause{1'000};

class CircuitTest : public testing::Test {
 protected:
  void fail_times(int times) {
    for (int i = 0; i < times; ++i) {
      ASSERT_TRUE(circuit_.enter());
      circuit_.leave(Outcome::kFailed);
    }
  }
  FakeClock clock_;
  Circuit circuit_{clock_, {.failures_max = 3, .pause_min = kPause, .pause_max = 4 * kPause}};
};

TEST_F(CircuitTest, opens_after_so_many_failures_in_a_row_and_not_before) {
  fail_times(2);
  ASSERT_TRUE(circuit_.enter());
  circuit_.leave(Outcome::kWorked);
  fail_times(2);
  ASSERT_TRUE(circuit_.enter());
  EXPECT_TRUE(circuit_.leave(Outcome::kFailed));
  EXPECT_FALSE(circuit_.enter());
}

TEST_F(CircuitTest, lets_one_probe_through_when_the_pause_is_over_and_closes_when_that_worked) {
  fail_times(3);
  clock_.advance(kPause - std::chrono::milliseconds(1));
  EXPECT_FALSE(circuit_.enter());
  clock_.advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(circuit_.enter());
  EXPECT_FALSE(circuit_.enter());
  circuit_.leave(Outcome::kWorked);
  EXPECT_TRUE(circuit_.enter());
  EXPECT_TRUE(circuit_.enter());
}

TEST_F(CircuitTest, waits_twice_as_long_after_each_probe_that_failed_up_to_a_limit) {
  fail_times(3);
  for (const int pauses : {1, 2, 4, 4}) {
    EXPECT_EQ(circuit_.left(), pauses * kPause);
    clock_.advance(pauses * kPause);
    ASSERT_TRUE(circuit_.enter());
    EXPECT_FALSE(circuit_.leave(Outcome::kFailed));
  }
}

TEST_F(CircuitTest, a_probe_that_was_cut_short_decides_nothing_and_another_follows) {
  fail_times(3);
  clock_.advance(kPause);
  ASSERT_TRUE(circuit_.enter());
  circuit_.leave(Outcome::kCutShort);
  EXPECT_TRUE(circuit_.enter());
  EXPECT_FALSE(circuit_.enter());
}

TEST_F(CircuitTest, a_call_that_began_before_it_opened_moves_no_pause) {
  ASSERT_TRUE(circuit_.enter());
  fail_times(3);
  clock_.advance(kPause / 2);
  circuit_.leave(Outcome::kFailed);
  EXPECT_EQ(circuit_.left(), kPause / 2);
}

/// Answers every call with what the test says.
class Sick final : public backend::Backend {
 public:
  Sick(std::optional<Error>& error, int& calls, const std::function<void()>& during)
      : error_(error), calls_(calls), during_(during) {}
  const backend::BackendInfo& info() const override { return info_; }
  Result<void> validate(const backend::Work&) const override { return {}; }
  Result<backend::Quote> quote(const backend::Work&, const backend::CallContext&) override {
    return answer(backend::Quote{});
  }
  tl::expected<backend::Handle, backend::SubmitFailure> submit(const backend::Work&, std::string_view,
                                                               const backend::CallContext&) override {
    ++calls_;
    if (during_) during_();
    if (error_) return tl::unexpected(backend::SubmitFailure{.error = *error_, .ambiguous = ambiguous, .said = said});
    return "handle";
  }
  Result<backend::PollStatus> poll(const backend::WorkRef&, const backend::CallContext&) override {
    return answer(backend::PollStatus{});
  }
  Result<backend::RawResult> fetch(const backend::WorkRef&, const backend::CallContext&) override {
    return answer(backend::RawResult{});
  }
  Result<backend::WorkResult> decode(const backend::RawResult&, const backend::Work&) const override {
    return fail(errors::kBackendGarbage, "not asked for");
  }
  Result<void> cancel(const backend::WorkRef&, const backend::CallContext&) override {
    return answer(0).map([](int) {});
  }
  Result<backend::Reconciled> reconcile(const backend::LostWork&, const backend::CallContext&) override {
    return answer(backend::Reconciled{});
  }
  Result<backend::Availability> availability(const backend::CallContext&) override {
    return answer(backend::Availability{});
  }
  Result<std::optional<device::Target>> target(const backend::CallContext&) override {
    return std::optional(device::Target{.device = "sick", .num_qubits = 7});
  }
  Result<std::optional<device::Calibration>> calibration(const backend::CallContext&) override {
    return answer(std::optional<device::Calibration>());
  }
  void forget(const backend::Handle&) override {}
  bool ambiguous = false;
  std::optional<backend::ErrorClass> said;

 private:
  template <typename T>
  Result<T> answer(T value) {
    ++calls_;
    if (during_) during_();
    if (error_) return tl::unexpected(*error_);
    return value;
  }
  std::optional<Error>& error_;
  int& calls_;
  const std::function<void()>& during_;
  backend::BackendInfo info_{.id = BackendId("sick")};
};

class GuardTest : public testing::Test {
 protected:
  static constexpr int kFailures = 5;  // the default
  const backend::WorkRef work_{.handle = "h", .token = "t"};
  std::optional<Error> error_ = make_error(errors::kBackendUnavailable, "down");
  int calls_ = 0;
  std::function<void()> during_;  ///< each call
  FakeClock clock_;
  RecordingLog log_;
  RecordingMeter meter_;
  std::unique_ptr<backend::Backend> backend_ =
      guard(std::make_unique<Sick>(error_, calls_, during_), clock_, log_, meter_);
};

TEST_F(GuardTest, what_constrains_circuits_comes_through) {
  const auto target = backend_->target({});
  ASSERT_TRUE(target.has_value() && target->has_value());
  EXPECT_EQ((*target)->num_qubits, 7u);
}

TEST_F(GuardTest, calls_of_a_verb_that_keeps_failing_are_held_back_until_the_probe) {
  for (int i = 0; i < kFailures; ++i) EXPECT_THAT(backend_->poll(work_, {}), FailsWith(errors::kBackendUnavailable));
  const auto held = backend_->poll(work_, {});
  EXPECT_THAT(held, FailsWith(errors::kCircuitOpen));
  EXPECT_THAT(held.error().message, HasSubstr("1000 ms"));
  EXPECT_EQ(calls_, kFailures);
  clock_.advance(std::chrono::seconds(1));
  error_.reset();
  EXPECT_THAT(backend_->poll(work_, {}), Succeeds());
  EXPECT_THAT(backend_->poll(work_, {}), Succeeds());
}

TEST_F(GuardTest, the_other_verbs_have_circuits_of_their_own) {
  for (int i = 0; i <= kFailures; ++i) (void)backend_->poll(work_, {});
  error_.reset();
  EXPECT_THAT(backend_->poll(work_, {}), FailsWith(errors::kCircuitOpen));
  EXPECT_THAT(backend_->cancel(work_, {}), Succeeds());
  EXPECT_THAT(backend_->fetch(work_, {}), Succeeds());
  EXPECT_THAT(backend_->reconcile({.token = "t", .sent_at = {}}, {}), Succeeds());
  EXPECT_THAT(backend_->availability({}), Succeeds());
}

TEST_F(GuardTest, a_submission_that_is_held_back_was_not_sent_and_is_not_in_doubt) {
  const backend::Work work = backend::ProgramWork{};
  for (int i = 0; i < kFailures; ++i) EXPECT_FALSE(backend_->submit(work, "t", {}).has_value());
  const auto held = backend_->submit(work, "t", {});
  ASSERT_FALSE(held.has_value());
  EXPECT_EQ(held.error().error.number, errors::kCircuitOpen);
  EXPECT_EQ(held.error().retry_after,
            std::chrono::seconds(1));  // until the probe: an earlier try would be held back, too
  EXPECT_FALSE(held.error().ambiguous);
  EXPECT_EQ(calls_, kFailures);
}

TEST_F(GuardTest, new_work_is_held_back_where_its_submission_or_its_quote_would_be_and_may_be_the_probe) {
  const backend::Work work = backend::ProgramWork{};
  const auto submit = [&] { return backend_->submit(work, "t", {}).has_value(); };
  const auto quote = [&] { return backend_->quote(work, {}).has_value(); };
  for (const std::function<bool()>& call : {std::function<bool()>(submit), std::function<bool()>(quote)}) {
    error_ = make_error(errors::kBackendUnavailable, "down");
    for (int i = 0; i < kFailures; ++i) {
      EXPECT_FALSE(backend_->held_back().has_value());
      EXPECT_FALSE(call());
    }
    const auto held = backend_->held_back();
    ASSERT_TRUE(held.has_value());
    EXPECT_EQ(held->error.number, errors::kCircuitOpen);
    EXPECT_THAT(held->error.message, HasSubstr("the next probe is made in 1000 ms"));
    EXPECT_EQ(held->retry_after, std::chrono::seconds(1));
    EXPECT_FALSE(held->ambiguous);
    EXPECT_EQ(meter_.total("tandem_backend_calls_held_back_total"), 0) << "nobody called";
    clock_.advance(std::chrono::seconds(1));
    EXPECT_FALSE(backend_->held_back().has_value());
    std::optional<backend::SubmitFailure> beside_the_probe;
    during_ = [&] { beside_the_probe = backend_->held_back(); };
    error_.reset();
    EXPECT_TRUE(call());
    during_ = {};
    ASSERT_TRUE(beside_the_probe.has_value());
    EXPECT_THAT(beside_the_probe->error.message, HasSubstr("a probe is under way"));
    EXPECT_FALSE(backend_->held_back().has_value());
  }
}

TEST_F(GuardTest, other_verbs_hold_no_new_work_back) {
  for (int i = 0; i < kFailures; ++i) (void)backend_->poll(work_, {});
  for (int i = 0; i < kFailures; ++i) (void)backend_->availability({});
  EXPECT_THAT(backend_->availability({}), FailsWith(errors::kCircuitOpen));
  EXPECT_FALSE(backend_->held_back().has_value());
}

TEST_F(GuardTest, refusals_of_the_work_open_nothing) {
  for (const ErrorNumber number : {errors::kBackendRefused, errors::kCredentialRefused, errors::kBackendForbidden}) {
    error_ = make_error(number, "not this one");
    for (int i = 0; i < 3 * kFailures; ++i) EXPECT_THAT(backend_->poll(work_, {}), FailsWith(number));
  }
}

TEST_F(GuardTest, of_submissions_those_count_that_may_pass_and_no_others) {
  const backend::Work work = backend::ProgramWork{};
  error_ = make_error(errors::kBackendRefused, "no");
  for (std::size_t i = 0; i < backend::kNumErrorClasses; ++i) {
    const auto said = static_cast<backend::ErrorClass>(i);
    if (said == backend::ErrorClass::kOk || said == backend::ErrorClass::kAccepted) continue;
    for (const bool ambiguous : {false, true}) {
      auto owned = std::make_unique<Sick>(error_, calls_, during_);
      owned->said = said;
      owned->ambiguous = ambiguous;
      const auto guarded = guard(std::move(owned), clock_, log_, meter_);
      for (int k = 0; k < kFailures; ++k) EXPECT_FALSE(guarded->submit(work, "t", {}).has_value());
      const auto next = guarded->submit(work, "t", {});
      const bool held = next.error().error.number == errors::kCircuitOpen;
      const bool counts = said == backend::ErrorClass::kThrottled || said == backend::ErrorClass::kTransient ||
                          said == backend::ErrorClass::kDeviceUnavailable;
      EXPECT_EQ(held, counts) << to_string(said);
    }
  }
}

TEST_F(GuardTest, calls_that_their_caller_cut_short_open_nothing) {
  std::stop_source stop;
  stop.request_stop();
  for (int i = 0; i < 3 * kFailures; ++i)
    EXPECT_THAT(backend_->poll(work_, {.stop = stop.get_token()}), FailsWith(errors::kBackendUnavailable));
}

}  // namespace
}  // namespace tandem::resilience
