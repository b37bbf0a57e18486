// Backends that take no work when it gets to them: how long they are waited for, what ends the wait, and what is told of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tandem/evidence/benchmark/benchmark.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"
#include "tandem/orchestrate/resilience/breaker.h"
#include "tandem/orchestrate/resilience/gates.h"
#include "tandem/orchestrate/route/route.h"

namespace tandem::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::Each;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr int kWindow = static_cast<int>(errors::kBackendUnavailable);
constexpr int kStale = static_cast<int>(errors::kCalibrationStale);

class AwaitReady : public testing::Test {
 protected:
  static constexpr job::FallbackCause kUnavailable = job::FallbackCause::kUnavailable;
  static constexpr job::FallbackCause kTimeout = job::FallbackCause::kTimeout;

  /// Looked at every millisecond or two, and tried once only.
  job::JobSpec paid(std::vector<job::Fallback> fallbacks) {
    job::JobSpec out = world_.paid_job();
    out.limits.retry = {.max_attempts = 2, .delay_min_ms = 1, .delay_max_ms = 2};
    out.fallbacks = std::move(fallbacks);
    return out;
  }
  job::JobSpec with_stand_in() { return paid({{"simulator.statevector", {kUnavailable}}}); }
  job::JobSpec without() { return paid({{"simulator.statevector", {kTimeout}}}); }
  /// Nobody looks twice in a test.
  static job::JobSpec patient(job::JobSpec spec) {
    spec.limits.retry.delay_min_ms = spec.limits.retry.delay_max_ms = 3'600'000;
    return spec;
  }
  /// The window is closed from now on, and `passes` go by with every question; it opens with question `opens`, if any.
  void close_window(milliseconds passes, int opens = 0) {
    asked_ = 0;
    world_.provider->plan.accepts_work = false;
    world_.provider->plan.during_availability = [this, passes, opens](const std::stop_token&) {
      world_.clock.advance(passes);
      if (++asked_ == opens) world_.provider->plan.accepts_work = true;
    };
  }
  std::vector<Json> waits(const JobId& id) {
    std::vector<Json> out;
    for (const job::Event& event : world_.events(id))
      if (event.type == "step.waiting") out.push_back(event.data.value());
    return out;
  }
  void wait_until_it_waits(const JobId& id) {
    while (waits(id).empty() && !job::is_final(world_.engine->job(id)->state)) std::this_thread::yield();
    ASSERT_THAT(waits(id), Not(IsEmpty())) << world_.engine->job(id)->error;
  }
  std::vector<std::string> submissions(const JobId& id) {
    std::vector<submit::SubmissionRecord> all = world_.submitter->submissions(id).value();
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.attempt < b.attempt; });
    std::vector<std::string> out;
    for (const submit::SubmissionRecord& one : all)
      out.push_back(fmt::format("{} {}", one.attempt, to_string(one.state)));
    return out;
  }
  Json result(const JobId& id) { return parse_json(world_.engine->result(id).value(), "result").value(); }
  /// The simulator answered, and result and lineage say why the provider did not.
  void expect_stood_in(const JobView& view, int number, const std::string& reason) {
    ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
    EXPECT_EQ(world_.provider->submissions(), 0);
    const Json path = result(view.id)["path"];
    ASSERT_THAT(path, SizeIs(2));
    EXPECT_EQ(path[0]["outcome"], "left");
    EXPECT_EQ(path[0]["cause"], "unavailable");
    EXPECT_EQ(path[0]["number"], number);
    EXPECT_THAT(path[0]["reason"].get<std::string>(), HasSubstr(reason));
    EXPECT_EQ(path[1]["backend"], "simulator.statevector");
    const lineage::WorkRecord work = world_.engine->lineage(view.id)->work.at(0);
    ASSERT_THAT(work.path, SizeIs(2));
    EXPECT_EQ(work.path[0].reason, path[0]["reason"]);
    EXPECT_EQ(world_.hold(view.id).play_money.settled.usd_micros, 0);
  }

  EngineWorld world_;
  std::atomic<int> asked_ = 0;
};

TEST_F(AwaitReady, a_closed_window_is_waited_for_beyond_all_tries_and_the_work_is_sent_once) {
  close_window(milliseconds(100), 12);
  world_.open();
  const JobView view = world_.run(without());
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_EQ(asked_, 13);  // right before money is reserved once more
  EXPECT_EQ(world_.provider->submissions(), 1);
  EXPECT_THAT(world_.provider->book(), SizeIs(1));
  EXPECT_THAT(world_.event_types(view.id), Not(Contains("step.retrying")));
  ASSERT_THAT(waits(view.id), SizeIs(1));
  EXPECT_EQ(waits(view.id)[0]["number"], kWindow);
  EXPECT_EQ(waits(view.id)[0]["wait_max_ms"], 20'000);
  EXPECT_THAT(waits(view.id)[0]["error"].get<std::string>(), HasSubstr("its window is closed"));
  const lineage::WorkRecord work = world_.engine->lineage(view.id)->work.at(0);
  EXPECT_THAT(work.path, IsEmpty());
  ASSERT_THAT(work.tries, SizeIs(1));
  EXPECT_EQ(work.tries[0].tries_max, 0u);
  EXPECT_EQ(work.tries[0].error_number, kWindow);
  EXPECT_EQ(work.tries[0].delay_ms, 1000);  // ten looks at 100 ms each
  // What the router learns is how long the work takes, and not how long the window was closed.
  EXPECT_EQ(work.waited_ms, 1000);
  const auto learnt =
      benchmark::experience(*world_.store, route::probe(without()).instance_class, benchmark::Role::kWhole);
  ASSERT_THAT(learnt, Succeeds());
  EXPECT_EQ(learnt->at("fake.provider").latency_ms_median, work.elapsed_ms - 1000);
  EXPECT_LT(learnt->at("fake.provider").latency_ms_median, 1000);
  EXPECT_EQ(world_.hold(view.id).play_money.settled.usd_micros, 700);
}

TEST_F(AwaitReady, who_stands_in_comes_when_the_wait_is_over_and_result_and_lineage_say_why) {
  close_window(seconds(5));
  world_.open();
  const JobView view = world_.run(with_stand_in());
  expect_stood_in(view, kWindow, "its window is closed); nothing was sent; it was waited for 20 s, of 20 s");
  EXPECT_EQ(asked_, 6);  // for the plan, for the attempt, and four looks
  close_window(seconds(5));
  job::JobSpec brief = with_stand_in();
  brief.limits.backend_wait_ms = 9'000;
  expect_stood_in(world_.run(brief), kWindow, ", of 9 s");
  EXPECT_EQ(asked_, 4);
}

TEST_F(AwaitReady, who_stands_in_gets_half_of_the_time_that_the_job_has) {
  close_window(milliseconds(500));
  world_.open();
  job::JobSpec spec = with_stand_in();
  spec.limits.total_time_ms = 60'000;
  spec.limits.run_time_ms = 11'000;
  const JobView view = world_.run(spec);
  expect_stood_in(view, kWindow, "it was waited for");
  ASSERT_THAT(waits(view.id), SizeIs(1));
  EXPECT_EQ(waits(view.id)[0]["wait_max_ms"], 5'000);  // a second of the eleven was gone
}

TEST_F(AwaitReady, a_job_that_nobody_else_may_do_waits_as_long_as_it_has_and_its_end_says_for_what) {
  close_window(seconds(7));
  world_.open();
  job::JobSpec spec = without();
  spec.limits.run_time_ms = 100'000;
  const JobView view = world_.run(spec);
  EXPECT_EQ(view.state, job::JobState::kExpired);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kRunExpired));
  EXPECT_THAT(view.error, HasSubstr("fake.provider takes no work now (its window is closed)"));
  EXPECT_GE(asked_, 100 / 7);
  EXPECT_EQ(world_.provider->submissions(), 0);
  EXPECT_EQ(world_.hold(view.id).play_money.reserved.usd_micros, 0);
}

TEST_F(AwaitReady, a_limit_that_comes_in_the_middle_of_a_pause_says_what_was_waited_for) {
  close_window(milliseconds(0));
  world_.open();
  job::JobSpec spec = patient(without());
  spec.limits.run_time_ms = 60;
  const JobId id = world_.admit(spec);
  wait_until_it_waits(id);
  world_.clock.advance(milliseconds(60));
  const JobView view = world_.wait(id);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kRunExpired));
  EXPECT_THAT(view.error, HasSubstr("its window is closed"));
}

TEST_F(AwaitReady, a_calibration_that_is_too_old_is_waited_for_as_well) {
  world_.provider->plan.calibrated_at = world_.clock.now();
  world_.open();
  const auto stale = [&](int mended) {
    asked_ = 0;
    world_.provider->plan.during_availability = [this, mended](const std::stop_token&) {
      world_.clock.advance(seconds(4));
      if (++asked_ == mended) world_.provider->plan.calibrated_at = world_.clock.now();
    };
  };
  job::JobSpec spec = without();
  spec.limits.calibration_age_ms = 6'000;
  stale(5);
  // Of the five questions two are those of the attempt that sends: by then it is 4 s old.
  const JobView view = world_.run(spec);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_EQ(world_.provider->submissions(), 1);
  ASSERT_THAT(waits(view.id), SizeIs(1));
  EXPECT_EQ(waits(view.id)[0]["number"], kStale);
}

TEST_F(AwaitReady, a_calibration_that_stays_too_old_gives_way_to_who_stands_in) {
  world_.provider->plan.calibrated_at = world_.clock.now();
  close_window(seconds(3));
  world_.provider->plan.accepts_work = true;
  world_.open();
  job::JobSpec spec = with_stand_in();
  spec.limits.calibration_age_ms = 1'000;
  expect_stood_in(world_.run(spec), kStale, "ms old, the plan allows 1000 ms; nothing was sent; it was waited for");
}

TEST_F(AwaitReady, who_says_that_it_opens_later_than_anybody_waits_is_left_at_once) {
  close_window(milliseconds(1));
  world_.provider->plan.ready_in_ms = 3'600'000;
  world_.open();
  expect_stood_in(world_.run(with_stand_in()), kWindow, "and says 1 h 00 min");
  EXPECT_EQ(asked_, 2);
}

TEST_F(AwaitReady, who_says_when_it_opens_is_not_asked_before) {
  close_window(milliseconds(0), 4);
  world_.provider->plan.ready_in_ms = 40;
  world_.open();
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(world_.run(without()).state, job::JobState::kSucceeded);
  EXPECT_EQ(asked_, 5);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(80));  // two looks
}

TEST_F(AwaitReady, cancel_suspend_and_drain_end_the_wait_at_once) {
  close_window(milliseconds(0));
  world_.open();
  const JobId cancelled = world_.admit(patient(without()));
  wait_until_it_waits(cancelled);
  ASSERT_THAT(world_.engine->cancel(cancelled, "user", ""), Succeeds());
  EXPECT_EQ(world_.wait(cancelled).state, job::JobState::kCancelled);
  const JobId aside = world_.admit(patient(with_stand_in()));
  wait_until_it_waits(aside);
  ASSERT_THAT(world_.engine->suspend(aside, "user", ""), Succeeds());
  while (world_.engine->job(aside)->state != job::JobState::kSuspended) std::this_thread::yield();
  const JobId drained = world_.admit(patient(without()));
  wait_until_it_waits(drained);
  world_.engine->drain(Deadline::never(), Deadline::never());
  EXPECT_EQ(world_.engine->job(drained)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.provider->submissions(), 0);
}

TEST_F(AwaitReady, a_restart_goes_on_with_the_wait_and_sends_once_when_the_window_opens) {
  close_window(milliseconds(0));
  world_.open();
  const JobId id = world_.admit(patient(without()));
  wait_until_it_waits(id);
  world_.close();
  world_.clock.advance(seconds(10));
  world_.provider->plan.accepts_work = true;
  world_.open();
  const JobView view = world_.wait(id);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_THAT(waits(id), SizeIs(1));
  EXPECT_THAT(world_.provider->book(), SizeIs(1));
}

TEST_F(AwaitReady, a_restart_does_not_begin_the_wait_anew) {
  close_window(milliseconds(0));
  world_.open();
  const JobId id = world_.admit(patient(with_stand_in()));
  wait_until_it_waits(id);
  for (int starts = 0; starts < 2; ++starts) {
    world_.close();
    world_.clock.advance(seconds(11));
    world_.open();
  }
  expect_stood_in(world_.wait(id), kWindow, "it was waited for 22 s, of 20 s");
  EXPECT_THAT(waits(id), SizeIs(1));
}

/// With a single try: its process dies with money reserved, the next one finds the window closed and gives that back, and dies as well
/// where `twice`, before it has noted that the number is used up.
class ReservedAndClosed : public AwaitReady, public testing::WithParamInterface<bool> {};

TEST_P(ReservedAndClosed, costs_no_try) {
  const bool twice = GetParam();
  std::atomic<bool> opened = false;
  std::atomic<bool> dies_reserved = false;
  std::atomic<bool> dies_withdrawn = false;
  const auto die_after_one_commit = [&] {
    world_.store->fail_commits(2, 1'000'000, make_error(errors::kStoreClosed, "planted crash"));
  };
  world_.provider->plan.during_availability = [&](const std::stop_token&) {
    world_.provider->plan.accepts_work = opened;
    if (dies_withdrawn.exchange(false)) die_after_one_commit();
  };
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {
    if (dies_reserved.exchange(false)) die_after_one_commit();
    return std::nullopt;
  };
  const auto restart = [&] {
    world_.close();
    world_.open();
  };
  world_.open();
  job::JobSpec spec = without();
  spec.limits.retry.max_attempts = 1;
  const JobId id = world_.admit(spec);
  wait_until_it_waits(id);
  dies_reserved = opened = true;
  while (submissions(id).empty()) std::this_thread::yield();
  EXPECT_THAT(submissions(id), testing::ElementsAre("2 reserved"));
  world_.close();
  opened = false;
  dies_withdrawn = twice;
  world_.open();
  while (submissions(id).front() != "2 cancelled") std::this_thread::yield();
  if (twice) restart();
  opened = true;
  const JobView view = world_.wait(id);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_THAT(submissions(id), testing::ElementsAre("2 cancelled", "3 settled"));
  EXPECT_THAT(waits(id), SizeIs(1));
  EXPECT_THAT(world_.event_types(id), Not(Contains("step.retrying")));
  EXPECT_THAT(world_.provider->book(), SizeIs(1));
  EXPECT_EQ(world_.hold(id).play_money.settled.usd_micros, 700);
  EXPECT_EQ(world_.hold(id).play_money.reserved.usd_micros, 0);
}

INSTANTIATE_TEST_SUITE_P(Crashes, ReservedAndClosed, testing::Bool(),
                         [](const auto& twice) { return std::string(twice.param ? "and_once_more" : "once"); });

TEST_F(AwaitReady, a_look_takes_no_turn_and_holds_up_nobody_else) {
  resilience::Gates gates(world_.executor, world_.clock, *world_.store, world_.log,
                          {{"fake.provider", {.calls_max = 1}}});
  world_.gates = &gates;
  close_window(milliseconds(0));
  std::vector<bool> free;
  world_.provider->plan.during_availability = [&](const std::stop_token&) {
    const int now = ++asked_;
    if (now >= 3 && now <= 5)  // 1: the plan; 2: the attempt
      free.push_back(gates.enter("fake.provider", {}, Deadline(world_.clock.monotonic())).has_value());
    if (now == 5) world_.provider->plan.accepts_work = true;
  };
  world_.open();
  EXPECT_EQ(world_.run(without()).state, job::JobState::kSucceeded);
  EXPECT_THAT(free, testing::AllOf(SizeIs(3), Each(true)));
  world_.close();
}

/// A provider behind circuits that open with the first failure, and for as long as nobody lets time pass.
class AwaitCircuit : public AwaitReady {
 protected:
  AwaitCircuit() {
    auto provider = std::make_unique<submit::FakeProvider>(world_.clock, backend::SubmitSafety::kB, "fake.guarded");
    inner_ = provider.get();
    auto guarded = resilience::guard(std::move(provider), world_.clock, world_.log, world_.meter,
                                     {.failures_max = 1, .pause_min = kPause, .pause_max = milliseconds(3'600'000)});
    guarded_ = guarded.get();
    world_.backends.add(std::move(guarded));
  }
  ~AwaitCircuit() override { world_.close(); }
  job::JobSpec guarded(job::JobSpec spec, std::uint32_t tries) {
    spec.policy.backends = {"fake.guarded"};
    spec.limits.retry.max_attempts = tries;
    return spec;
  }
  /// Of somebody else: what it was asked last was refused.
  void open_circuit() {
    inner_->plan.on_submit = {submit::OnSubmit::kThrottle};
    EXPECT_FALSE(guarded_->submit(backend::ProgramWork{}, "of-somebody-else", {}).has_value());
  }
  std::size_t tries(const JobId& id) {
    const std::vector<std::string> types = world_.event_types(id);
    return static_cast<std::size_t>(std::count(types.begin(), types.end(), "step.retrying"));
  }

  static constexpr milliseconds kPause{20};
  static constexpr int kOpen = static_cast<int>(errors::kCircuitOpen);
  submit::FakeProvider* inner_ = nullptr;
  backend::Backend* guarded_ = nullptr;
};

TEST_F(AwaitCircuit, an_open_circuit_is_waited_for_and_costs_no_try) {
  inner_->plan.on_submit = {submit::OnSubmit::kThrottle};
  world_.open();
  const JobId id = world_.admit(guarded(without(), 2));
  wait_until_it_waits(id);
  EXPECT_EQ(inner_->submissions(), 1);
  world_.clock.advance(kPause);
  const JobView view = world_.wait(id);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_THAT(submissions(id), testing::ElementsAre("0 refused", "3 settled"));
  EXPECT_EQ(tries(id), 1u);
  ASSERT_THAT(waits(id), SizeIs(1));
  EXPECT_EQ(waits(id)[0]["number"], kOpen);
  EXPECT_THAT(waits(id)[0]["error"].get<std::string>(),
              testing::AllOf(HasSubstr("the next probe is made in 20 ms; nothing was sent; when it was asked last: "),
                             HasSubstr("too many requests")));
}

TEST_F(AwaitCircuit, a_circuit_that_opens_at_the_last_moment_costs_a_number_and_no_try) {
  int quotes = 0;
  inner_->plan.during_quote = [&]() -> std::optional<Error> {
    if (++quotes == 2) open_circuit();  // the first one is for the plan
    return std::nullopt;
  };
  world_.open();
  const JobId id = world_.admit(guarded(without(), 1));
  wait_until_it_waits(id);
  EXPECT_THAT(submissions(id), testing::ElementsAre("0 cancelled"));
  world_.clock.advance(kPause);
  const JobView view = world_.wait(id);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_THAT(submissions(id), testing::ElementsAre("0 cancelled", "2 settled"));
  EXPECT_EQ(tries(id), 0u);
  EXPECT_EQ(world_.hold(id).play_money.reserved.usd_micros, 0);
}

TEST_F(AwaitCircuit, tries_between_two_waits_are_no_part_of_them) {
  world_.open();
  open_circuit();
  job::JobSpec spec = guarded(without(), 2);
  spec.limits.backend_wait_ms = 500;
  const JobId id = world_.admit(spec);
  wait_until_it_waits(id);
  std::atomic<bool> tried = false;
  inner_->plan.on_submit = {submit::OnSubmit::kThrottle};
  inner_->plan.during_submit = [&] {
    if (!tried.exchange(true)) world_.clock.advance(seconds(2));  // longer than it waits
  };
  inner_->plan.during_quote = [this, quotes = 0]() mutable -> std::optional<Error> {
    if (++quotes == 2) open_circuit();  // of the try after that
    return std::nullopt;
  };
  world_.clock.advance(kPause);
  while (tries(id) == 0) std::this_thread::yield();
  world_.clock.advance(2 * kPause);
  while (submissions(id).back() != "3 cancelled") std::this_thread::yield();  // else it is submitted in time
  world_.clock.advance(4 * kPause);
  const JobView view = world_.wait(id);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_THAT(submissions(id), testing::ElementsAre("2 refused", "3 cancelled", "4 settled"));
  EXPECT_THAT(waits(id), SizeIs(1));
  EXPECT_EQ(inner_->book().size(), 1u);
}

TEST_F(AwaitCircuit, who_stands_in_does_the_work_where_the_next_probe_is_too_far_away) {
  world_.open();
  open_circuit();
  for (milliseconds pause = kPause; pause < seconds(30); pause *= 2) {
    world_.clock.advance(pause);
    open_circuit();
  }
  const int before = inner_->submissions();
  const JobView view = world_.run(guarded(with_stand_in(), 2));
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_EQ(inner_->submissions(), before);
  const Json path = result(view.id)["path"];
  ASSERT_THAT(path, SizeIs(2));
  EXPECT_EQ(path[0]["cause"], "unavailable");
  EXPECT_EQ(path[0]["number"], kOpen);
  EXPECT_EQ(path[1]["backend"], "simulator.statevector");
}

TEST_F(AwaitReady, an_error_on_the_way_is_tried_again_as_the_policy_says_and_is_no_wait) {
  int quotes = 0;
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {
    return ++quotes == 1 ? std::nullopt : std::optional(make_error(errors::kBackendUnavailable, "down"));
  };
  world_.open();
  const JobView view = world_.run(without());
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kRetriesExhausted));
  EXPECT_EQ(quotes, 3);
  EXPECT_THAT(waits(view.id), IsEmpty());
}

}  // namespace
}  // namespace tandem::engine
