#include "tandem/orchestrate/engine/worker_slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "tandem/base/testing/manual_executor.h"
#include "tandem/base/testing/memory_fs.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"
#include "tandem/orchestrate/resilience/gates.h"

namespace tandem::engine {
namespace {

using testing::SizeIs;

class Slots : public testing::Test {
 protected:
  ThreadExecutor executor_{1};
  FakeClock clock_;
  int freed_ = 0;
  WorkerSlots slots_{executor_, clock_, 2, [this] { ++freed_; }};
};

TEST_F(Slots, so_many_runs_have_one_and_the_next_begins_when_one_ends) {
  ASSERT_TRUE(slots_.try_take());
  ASSERT_TRUE(slots_.try_take());
  const WorkerSlots::Place first(slots_);
  {
    const WorkerSlots::Place second(slots_);
    EXPECT_EQ(slots_.free(), 0u);
    EXPECT_FALSE(slots_.try_take());
  }
  EXPECT_EQ(slots_.free(), 1u);
  EXPECT_EQ(freed_, 0);  // whoever ends one begins the next
}

TEST_F(Slots, a_run_that_only_waits_leaves_its_slot_to_others) {
  ASSERT_TRUE(slots_.try_take());
  WorkerSlots::Place place(slots_);
  {
    const WorkerSlots::Place::Move away(place, WorkerSlots::Place::Move::To::kOut, {});
    EXPECT_EQ(slots_.free(), 2u);
    EXPECT_EQ(slots_.outside(), 1u);
    EXPECT_EQ(freed_, 1);
    {
      const WorkerSlots::Place::Move working(place, WorkerSlots::Place::Move::To::kIn,
                                             {});  // a fallback that computes here
      EXPECT_EQ(slots_.free(), 1u);
    }
    EXPECT_EQ(slots_.free(), 2u);
    clock_.advance(std::chrono::seconds(5));
  }
  EXPECT_EQ(slots_.free(), 1u);
  EXPECT_EQ(slots_.outside(), 0u);
  EXPECT_EQ(place.time_outside(), std::chrono::seconds(5));  // which nobody is charged for
}

TEST_F(Slots, a_run_of_which_one_thread_computes_keeps_its_slot) {
  ASSERT_TRUE(slots_.try_take());
  WorkerSlots::Place place(slots_);
  const WorkerSlots::Place::Move working(place, WorkerSlots::Place::Move::To::kIn, {});
  const WorkerSlots::Place::Move away(place, WorkerSlots::Place::Move::To::kOut, {});
  EXPECT_EQ(slots_.free(), 1u);
  EXPECT_EQ(slots_.outside(), 0u);
  EXPECT_EQ(freed_, 0);
}

TEST_F(Slots, a_wait_moves_a_run_outside_only_when_it_gets_long) {
  FakeClock clock;
  ManualExecutor executor(clock);
  WorkerSlots slots(executor, clock_, 1, [this] { ++freed_; });
  ASSERT_TRUE(slots.try_take());
  WorkerSlots::Place place(slots);
  {
    const auto away = place.wait_outside_after(std::chrono::milliseconds(50), {});
    executor.advance(std::chrono::milliseconds(49));
    EXPECT_EQ(slots.outside(), 0u);
  }
  executor.advance(std::chrono::milliseconds(100));  // that wait is over
  EXPECT_EQ(slots.outside(), 0u);
  {
    const auto away = place.wait_outside_after(std::chrono::milliseconds(50), {});
    executor.advance(std::chrono::milliseconds(50));
    EXPECT_EQ(slots.outside(), 1u);
    EXPECT_EQ(slots.free(), 1u);
    EXPECT_EQ(freed_, 1);
  }
  EXPECT_EQ(slots.outside(), 0u);
  EXPECT_EQ(slots.free(), 0u);
}

TEST_F(Slots, who_comes_back_waits_for_a_slot_and_goes_before_those_that_begin) {
  ASSERT_TRUE(slots_.try_take());
  WorkerSlots::Place place(slots_);
  std::optional<WorkerSlots::Place::Move> away;
  away.emplace(place, WorkerSlots::Place::Move::To::kOut, std::stop_token());
  ASSERT_TRUE(slots_.try_take());
  ASSERT_TRUE(slots_.try_take());
  std::optional<WorkerSlots::Place> others[2];
  others[0].emplace(slots_);
  others[1].emplace(slots_);
  std::atomic<bool> back = false;
  std::jthread coming([&] {
    away.reset();
    back = true;
  });
  std::jthread with_it([&] {  // another thread of the same run
    const WorkerSlots::Place::Move working(place, WorkerSlots::Place::Move::To::kIn, {});
    EXPECT_EQ(slots_.outside(), 0u);
  });
  EXPECT_FALSE(back);
  EXPECT_EQ(slots_.outside(), 1u);
  others[0].reset();
  coming.join();
  with_it.join();
  EXPECT_TRUE(back);
  EXPECT_FALSE(slots_.try_take());
  EXPECT_EQ(slots_.outside(), 0u);
}

TEST_F(Slots, who_is_told_to_stop_comes_back_at_once_and_nobody_begins_for_it) {
  ASSERT_TRUE(slots_.try_take());
  std::optional<WorkerSlots::Place> place(std::in_place, slots_);
  std::stop_source stop;
  std::optional<WorkerSlots::Place::Move> away;
  away.emplace(*place, WorkerSlots::Place::Move::To::kOut, stop.get_token());
  ASSERT_TRUE(slots_.try_take());
  ASSERT_TRUE(slots_.try_take());
  std::optional<WorkerSlots::Place> others[2];
  others[0].emplace(slots_);
  others[1].emplace(slots_);
  std::jthread coming([&] { away.reset(); });
  stop.request_stop();
  coming.join();
  others[0].reset();
  EXPECT_FALSE(slots_.try_take());  // two are at work
  place.reset();
  EXPECT_TRUE(slots_.try_take());
  const WorkerSlots::Place last(slots_);
}

TEST_F(Slots, beyond_the_limit_waiting_counts_as_working) {
  std::vector<std::unique_ptr<WorkerSlots::Place>> places;
  std::vector<std::unique_ptr<WorkerSlots::Place::Move>> away;
  const auto one_waits = [&] {
    ASSERT_TRUE(slots_.try_take());
    places.push_back(std::make_unique<WorkerSlots::Place>(slots_));
    away.push_back(std::make_unique<WorkerSlots::Place::Move>(*places.back(), WorkerSlots::Place::Move::To::kOut,
                                                              std::stop_token()));
  };
  for (std::size_t i = 0; i < kWaitingRunsMax; ++i) one_waits();
  EXPECT_EQ(slots_.free(), 2u);
  one_waits();
  EXPECT_EQ(slots_.free(), 1u);
  EXPECT_EQ(slots_.outside(), kWaitingRunsMax);
  while (!away.empty()) {
    away.pop_back();
    places.pop_back();
  }
  EXPECT_EQ(slots_.free(), 2u);
}

TEST_F(Slots, who_is_bounded_elsewhere_goes_outside_however_many_there_are) {
  std::vector<std::unique_ptr<WorkerSlots::Place>> places;
  std::vector<std::unique_ptr<WorkerSlots::Place::Move>> away;
  const auto one_waits = [&](bool bounded_elsewhere) {
    ASSERT_TRUE(slots_.try_take());
    places.push_back(std::make_unique<WorkerSlots::Place>(slots_));
    if (bounded_elsewhere) places.back()->bound_elsewhere();
    away.push_back(std::make_unique<WorkerSlots::Place::Move>(*places.back(), WorkerSlots::Place::Move::To::kOut,
                                                              std::stop_token()));
  };
  for (std::size_t i = 0; i < 2 * kWaitingRunsMax; ++i) one_waits(i % 2 == 0);
  EXPECT_EQ(slots_.free(), 2u);
  one_waits(true);
  EXPECT_EQ(slots_.free(), 2u);
  one_waits(false);
  EXPECT_EQ(slots_.free(), 1u);
  while (!away.empty()) {
    away.pop_back();
    places.pop_back();
  }
  EXPECT_EQ(slots_.free(), 2u);
}

class SlotsOfTheEngine : public testing::Test {
 protected:
  /// The provider takes submissions in, and answers when the gate is open.
  void make_provider_slow() {
    world_.provider->plan.during_submit = [this] { gate_.pass({}); };
  }
  job::JobSpec noop() { return world_.spec({{"problem", {{"type", "noop"}}}}); }
  Gate gate_;
  EngineWorld world_;
};

TEST_F(SlotsOfTheEngine, a_slow_provider_holds_up_its_own_jobs_and_nobody_elses) {
  make_provider_slow();
  world_.open(2);
  std::vector<JobId> slow;
  for (int i = 0; i < 5; ++i) slow.push_back(world_.admit(world_.paid_job()));
  gate_.wait_for_arrivals(5);  // more than there are workers
  for (int i = 0; i < 3; ++i) EXPECT_EQ(world_.run(noop()).state, job::JobState::kSucceeded);
  for (const JobId& id : slow) EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kRunning);
  gate_.open();
  for (const JobId& id : slow) EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  EXPECT_THAT(world_.provider->book(), SizeIs(5));
}

class BulkheadsOfTheEngine : public SlotsOfTheEngine {
 protected:
  static constexpr std::size_t kRunsMax = 3;
  static constexpr std::size_t kJobs = 12;
  void SetUp() override {
    make_provider_slow();
    world_.provider_runs_max = {{"fake.*", kRunsMax}};
    auto other = std::make_unique<submit::FakeProvider>(world_.clock, backend::SubmitSafety::kB, "other.provider");
    other_ = other.get();
    world_.backends.add(std::move(other));
  }
  /// More for the provider that hangs than it has room for, and than there are workers.
  void fill() {
    for (std::size_t i = 0; i < kJobs; ++i) slow_.push_back(world_.admit(world_.paid_job()));
    gate_.wait_for_arrivals(kRunsMax);
  }
  std::size_t running() {
    return static_cast<std::size_t>(std::count_if(slow_.begin(), slow_.end(), [&](const JobId& id) {
      return world_.engine->job(id)->state == job::JobState::kRunning;
    }));
  }
  void expect_that_all_end_well() {
    gate_.open();
    for (const JobId& id : slow_) EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
    EXPECT_THAT(world_.provider->book(), SizeIs(slow_.size()));
  }
  submit::FakeProvider* other_ = nullptr;
  std::vector<JobId> slow_;
};

TEST_F(BulkheadsOfTheEngine, a_provider_that_hangs_keeps_no_worker_however_many_jobs_it_has) {
  world_.open(2);
  fill();
  job::JobSpec for_the_other = world_.paid_job();
  for_the_other.policy.backends = {"other.provider"};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(world_.run(noop()).state, job::JobState::kSucceeded);
    EXPECT_EQ(world_.run(for_the_other).state, job::JobState::kSucceeded);
    EXPECT_EQ(running(), kRunsMax);
  }
  EXPECT_THAT(other_->book(), SizeIs(5));
  EXPECT_EQ(world_.provider->submissions(), 0);
  expect_that_all_end_well();
}

TEST_F(BulkheadsOfTheEngine, who_waits_for_room_is_cancelled_like_others_and_expires_like_them) {
  world_.store_retry_interval = std::chrono::milliseconds(1);
  world_.open(2);
  fill();
  job::JobSpec hasty = world_.paid_job();
  hasty.limits.time_ms = 1;
  hasty.limits.total_time_ms = 1'000;
  const JobId expires = world_.admit(hasty);
  ASSERT_EQ(world_.run(noop()).state, job::JobState::kSucceeded);
  const JobId cancelled = slow_.back();
  slow_.pop_back();
  ASSERT_THAT(world_.engine->cancel(cancelled, "user:test", ""), Succeeds());
  EXPECT_EQ(world_.wait(cancelled).state, job::JobState::kCancelled);
  world_.clock.advance(std::chrono::seconds(2));  // much less than a step has for its backend
  EXPECT_EQ(world_.wait(expires).state, job::JobState::kExpired);
  expect_that_all_end_well();
}

TEST_F(BulkheadsOfTheEngine, who_waits_for_room_when_the_process_goes_down_is_run_by_the_next_one) {
  world_.open(2);
  fill();
  ASSERT_EQ(world_.run(noop()).state, job::JobState::kSucceeded);
  {
    std::jthread draining([&] { world_.engine->drain(Deadline(world_.clock.monotonic()), Deadline::never()); });
    gate_.open();
  }
  world_.close();
  world_.open(2);
  expect_that_all_end_well();
}

TEST_F(BulkheadsOfTheEngine, a_backend_that_stands_in_has_to_have_room_and_is_passed_over_where_it_has_none_in_time) {
  world_.open(2);
  fill();
  job::JobSpec for_the_other = world_.paid_job();
  for_the_other.policy.backends = {"other.provider"};
  job::JobSpec falls_back = for_the_other;
  falls_back.fallbacks = {{"fake.provider", {job::FallbackCause::kUnavailable}},
                          {"simulator.statevector", {job::FallbackCause::kQueueWait}}};
  other_->plan.on_submit = {submit::OnSubmit::kRefuse};
  const JobId id = world_.admit(falls_back);
  while (other_->submissions() == 0) std::this_thread::yield();
  while (!job::is_final(world_.engine->job(id)->state)) {
    world_.clock.advance(std::chrono::minutes(1));  // more than a step waits for a backend
    world_.run(for_the_other);  // whose end makes whoever waits for room look
  }
  const Json result = parse_json(world_.engine->result(id).value(), "result").value();
  ASSERT_THAT(result["path"], SizeIs(3)) << result["path"];
  EXPECT_EQ(result["path"][1]["backend"], "fake.provider");
  EXPECT_EQ(result["path"][1]["cause"], "queue_wait");
  EXPECT_EQ(result["path"][1]["number"], static_cast<int>(errors::kBackendBusy));
  EXPECT_EQ(result["path"][2]["backend"], "simulator.statevector");
  gate_.open();
  for (const JobId& one : slow_) world_.wait(one);
}

TEST_F(SlotsOfTheEngine, so_does_one_that_is_slow_to_say_whether_it_is_there) {
  world_.provider->plan.during_availability = [this](const std::stop_token& stop) { gate_.pass(stop); };
  world_.open(1);
  const JobId slow = world_.admit(world_.paid_job());
  const JobId stopped = world_.admit(world_.classical_job());
  gate_.wait_for_arrivals(2);
  EXPECT_EQ(world_.run(noop()).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.engine->job(slow)->state, job::JobState::kQueued);  // nothing was done for it
  ASSERT_THAT(world_.engine->cancel(stopped, "user:test", ""), Succeeds());
  gate_.wait_for_departures(1);
  EXPECT_EQ(world_.wait(stopped).state, job::JobState::kCancelled);
  gate_.open();
  EXPECT_EQ(world_.wait(slow).state, job::JobState::kSucceeded);
}

TEST_F(SlotsOfTheEngine, so_does_one_whose_gate_is_full) {
  make_provider_slow();
  resilience::Gates gates(world_.executor, world_.clock, *world_.store, world_.log,
                          {{"fake.provider", {.calls_max = 1}}});
  world_.gates = &gates;
  world_.open(1);
  std::vector<JobId> slow;
  for (int i = 0; i < 3; ++i) slow.push_back(world_.admit(world_.paid_job()));
  gate_.wait_for_arrivals(1);
  EXPECT_EQ(world_.run(noop()).state, job::JobState::kSucceeded);
  gate_.open();
  for (const JobId& id : slow) EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  world_.close();
}

TEST_F(SlotsOfTheEngine, jobs_that_wait_outside_are_cancelled_and_drained_like_others) {
  make_provider_slow();
  resilience::Gates gates(world_.executor, world_.clock, *world_.store, world_.log,
                          {{"fake.provider", {.calls_max = 1}}});
  world_.gates = &gates;
  world_.open(1);
  const auto running = [&] {
    const JobId id = world_.admit(world_.paid_job());
    while (world_.engine->job(id)->state != job::JobState::kRunning) std::this_thread::yield();
    return id;
  };
  running();
  gate_.wait_for_arrivals(1);
  const JobId cancelled = running();
  const JobId drained = running();
  ASSERT_THAT(world_.engine->cancel(cancelled, "user:test", ""), Succeeds());
  EXPECT_EQ(world_.wait(cancelled).state, job::JobState::kCancelled);
  {
    std::jthread draining([&] { world_.engine->drain(Deadline(world_.clock.monotonic()), Deadline::never()); });
    while (world_.engine->job(drained)->state != job::JobState::kQueued) std::this_thread::yield();
    gate_.open();
  }
  EXPECT_EQ(world_.provider->submissions(), 1);
  world_.close();
}

/// Two devices' answers come at once while the only worker computes: never do two runs compute.
TEST_F(SlotsOfTheEngine, no_more_runs_compute_than_there_are_workers) {
  make_provider_slow();
  Gate computing;
  std::atomic<int> at_once = 0;
  std::atomic<int> most = 0;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    const int now = ++at_once;
    int seen = most;
    while (seen < now && !most.compare_exchange_weak(seen, now)) {
    }
    computing.pass(stop);
    --at_once;
    return std::nullopt;
  };
  world_.open(1);
  std::vector<JobId> all;
  for (int i = 0; i < 3; ++i) all.push_back(world_.admit(world_.paid_job()));
  gate_.wait_for_arrivals(3);
  for (int i = 0; i < 4; ++i) all.push_back(world_.admit(world_.classical_job()));
  computing.wait_for_arrivals(1);
  gate_.open();
  computing.open();
  for (const JobId& id : all) EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  EXPECT_EQ(most, 1);
}

/// Each step of "cpu.tabu" needs more than half of the memory, and somebody has it all.
class SlotsAndMemory : public SlotsOfTheEngine {
 protected:
  SlotsAndMemory() {
    fs_.put_file("/proc/meminfo", fmt::format("MemTotal: {} kB\nMemAvailable: {} kB\n", 16 << 20, 8 << 20));
    held_.emplace(*memory_.reserve(kSixGiB, "somebody else"));
    world_.main().memory = &memory_;
    world_.main().memory_bytes = kSixGiB / 2 + 1;
    world_.main().before = [this](const std::stop_token&) -> std::optional<Error> {
      most_ = std::max(most_.load(), ++at_once_);  // never two at once, so nobody is beside it
      --at_once_;
      return std::nullopt;
    };
  }
  static constexpr std::uint64_t kSixGiB = std::uint64_t{6} << 30;  // 3/4 of what is available
  MemoryFs fs_;
  MachineMemory memory_{fs_, world_.executor, 0};
  std::optional<MachineMemory::Reservation> held_;
  std::atomic<int> at_once_ = 0;
  std::atomic<int> most_ = 0;
};

TEST_F(SlotsAndMemory, who_waits_for_memory_holds_up_nobody_who_needs_none) {
  world_.open(1);
  const JobId large = world_.admit(world_.hybrid_job());  // two orders, which both wait
  EXPECT_EQ(world_.run(noop()).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.run(noop()).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.engine->job(large)->state, job::JobState::kRunning);
  EXPECT_EQ(world_.main().computed(), 0);
  held_.reset();
  EXPECT_EQ(world_.wait(large).state, job::JobState::kSucceeded);
  EXPECT_EQ(most_, 1);
}

/// More wait than may be outside: those beyond it wait in the only slot, behind others that come back for it.
TEST_F(SlotsAndMemory, those_that_wait_for_memory_and_those_that_wait_for_a_slot_never_wait_for_each_other) {
  world_.open(1);
  std::vector<JobId> all;
  for (std::size_t i = 0; i < kWaitingRunsMax + 4; ++i) all.push_back(world_.admit(world_.classical_job()));
  const auto running = [&] {
    return world_.engine->jobs({.state = job::JobState::kRunning, .limit = 2 * kWaitingRunsMax})->jobs.size();
  };
  while (running() != kWaitingRunsMax + 1) std::this_thread::yield();
  held_.reset();
  for (const JobId& id : all) EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  EXPECT_EQ(most_, 1);
}

TEST_F(SlotsAndMemory, who_is_cancelled_while_it_waits_for_memory_ends_at_once) {
  world_.open(1);
  const JobId large = world_.admit(world_.classical_job());
  EXPECT_EQ(world_.run(noop()).state, job::JobState::kSucceeded);
  ASSERT_THAT(world_.engine->cancel(large, "user:test", ""), Succeeds());
  EXPECT_EQ(world_.wait(large).state, job::JobState::kCancelled);
  held_.reset();
}

}  // namespace
}  // namespace tandem::engine
