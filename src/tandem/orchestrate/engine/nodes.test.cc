// Several processes on one store: each job has one worker, and all see what becomes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/engine/job_record.h"
#include "tandem/orchestrate/engine/testing/nodes.h"

namespace tandem::engine {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(Nodes, a_job_that_one_process_takes_is_run_by_another_and_both_see_its_end) {
  const auto front = node("front", 0);
  const auto back = node("back");
  std::mutex mutex;
  std::vector<std::string> heard;
  const auto subscription = front->engine->subscribe(
      [&](const job::Event& event) {
        const std::lock_guard lock(mutex);
        heard.push_back(event.type);
      },
      nullptr, nullptr);
  const JobId id = admit(*front, world_.classical_job());
  EXPECT_EQ(wait(*front, id).state, job::JobState::kSucceeded);
  EXPECT_EQ(back->engine->result(id), front->engine->result(id));
  // Of the other process, in the order of the log; its last words come when they come.
  const auto all_heard = [&] {
    const std::lock_guard lock(mutex);
    return heard == event_types(*front, id);
  };
  while (!all_heard()) std::this_thread::yield();
}

TEST_F(Nodes, every_job_is_started_once_however_many_processes_there_are) {
  const auto one = node("one", 2);
  const auto two = node("two", 2);
  const auto three = node("three", 2);
  std::vector<JobId> jobs;
  for (int i = 0; i < 30; ++i)
    jobs.push_back(admit(i % 2 == 0 ? *one : *two, world_.classical_job(fmt::format("job {}", i))));
  for (const JobId& id : jobs) {
    EXPECT_EQ(wait(*three, id).state, job::JobState::kSucceeded);
    EXPECT_THAT(event_types(*three, id), Contains("job.started").Times(1));
  }
  EXPECT_EQ(world_.main().computed(), 30);
  EXPECT_THAT(jobs_of_owner(*world_.store, "one").value(), IsEmpty());
}

TEST_F(Nodes, a_process_that_only_works_runs_jobs_and_never_leads) {
  const auto leads = [this] {
    const auto row = world_.store->get(store::Table::kMeta, "leader").value();
    return row ? parse_json(row->value, "leader").value()["node"].get<std::string>() : "nobody";
  };
  schedules_ = false;
  const auto worker = node("worker");
  const auto front = node("front", 0);
  EXPECT_EQ(wait(*front, admit(*front, world_.classical_job())).state, job::JobState::kSucceeded);
  wait_for_beats("worker", 3);
  ASSERT_EQ(leads(), "nobody");
  schedules_ = true;
  const auto scheduler = node("scheduler", 0);
  while (leads() != "scheduler") std::this_thread::yield();
  scheduler->store.cut();
  world_.clock.advance(2 * kLease);
  wait_for_beats("worker", 3);
  EXPECT_EQ(leads(), "scheduler") << "whose lease is over, and nobody may follow it";
  const JobId id = admit_through_trouble(*front, world_.classical_job("second"));
  EXPECT_EQ(wait_through_trouble(*front, id).state, job::JobState::kSucceeded);
  EXPECT_EQ(leads(), "scheduler");
}

TEST_F(Nodes, a_job_that_its_own_process_does_not_come_to_is_taken_by_one_that_is_free) {
  Gate gate;
  hold_first(gate);
  const auto busy = node("busy");
  const auto idle = node("idle");
  const JobId first = admit(*busy, world_.classical_job("first"));
  gate.wait_for_arrivals(1);
  std::promise<void> heard;
  const auto subscription = idle->engine->subscribe(
      [&](const job::Event& event) {
        if (event.type == "job.queued" && event.job != first) heard.set_value();
      },
      nullptr, nullptr);
  const JobId second = admit(*busy, world_.classical_job("second"));
  heard.get_future().wait();
  world_.clock.advance(std::chrono::milliseconds(60));  // for so long the other leaves it to the one that admitted it
  EXPECT_EQ(wait(*idle, second).state, job::JobState::kSucceeded);
  EXPECT_EQ(busy->engine->job(first)->state, job::JobState::kRunning);
  gate.open();
  EXPECT_EQ(wait(*busy, first).state, job::JobState::kSucceeded);
}

TEST_F(Nodes, one_that_runs_jobs_of_its_own_leaves_those_of_others_to_them_for_longer) {
  Gate gate;
  hold_first(gate);
  const auto stuck = node("stuck");
  const auto other = node("other");
  const JobId first = admit(*stuck, world_.classical_job("first"));
  gate.wait_for_arrivals(1);
  const JobId second = admit(*stuck, world_.classical_job("second"));
  for (int i = 0; i < 5; ++i) {  // the second is heard of with the end of the first of these, if not before
    const JobId own = admit(*other, world_.classical_job(fmt::format("own {}", i)));
    EXPECT_EQ(wait(*other, own).state, job::JobState::kSucceeded);
    if (i == 0) wait_for_beats("other", 2);  // with each it looks for work
    EXPECT_EQ(other->engine->job(second)->state, job::JobState::kQueued);
    world_.clock.advance(std::chrono::milliseconds(25));
  }
  world_.clock.advance(std::chrono::milliseconds(30));
  EXPECT_EQ(wait(*other, second).state, job::JobState::kSucceeded);
  gate.open();
  EXPECT_EQ(wait(*stuck, first).state, job::JobState::kSucceeded);
}

TEST_F(Nodes, an_altered_announcement_of_a_job_that_another_process_has_ready_is_named_and_passed_over) {
  const auto idle = node("idle");
  job::Event announced{.job = JobId("job_x"),
                       .type = "job.queued",
                       .actor = "user",
                       .data = JsonText(Json{{"home", "gone"}, {"start_by", 0}, {"tenant", "default"}})};
  Bytes altered = announced.stored();
  altered.replace(altered.find("default"), 7, "another");
  ASSERT_THAT(world_.store->commit_and_wait(store::Batch().append("job_x", altered)), Succeeds());
  const auto is_named = [&] {
    world_.clock.advance(std::chrono::milliseconds(60));  // the turn of a guest comes when others left it for so long
    return world_.log.count("log.damaged") != 0;
  };
  while (!is_named()) std::this_thread::yield();
  EXPECT_EQ(wait(*idle, admit(*idle, world_.classical_job())).state, job::JobState::kSucceeded);
}

TEST_F(Nodes, a_job_that_names_a_backend_which_its_worker_does_not_have_fails_and_says_so) {
  backend::BackendRegistry less;
  less.add(std::make_unique<FakeTier>("cpu.tabu", world_.clock));
  const auto front = node("front", 0);
  const auto back = node("back", 1, &less);
  for (const Json& policy :
       {Json{{"fallbacks", {"cpu.annealing"}}}, Json{{"policy", {{"backends", {"cpu.annealing"}}}}},
        Json{{"policy", {{"avoid", {"cpu.annealing"}}}}}}) {
    Json document = {{"problem", EngineWorld::max_cut()}, {"refinement", {{"mode", "off"}}}};
    document.update(policy);
    const JobView view = wait(*front, admit(*front, world_.spec(document)));
    EXPECT_EQ(view.state, job::JobState::kFailed) << policy;
    EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kUnknownBackend)) << policy;
    EXPECT_THAT(view.error, HasSubstr("cpu.annealing")) << policy;
  }
}

TEST_F(Nodes, a_job_that_is_suspended_and_resumed_elsewhere_before_its_start_was_stored_is_not_failed_for_it) {
  const auto front = node("front", 0);
  const auto back = node("back");
  back->store.deafen();
  JobId id;
  bool asked = false;
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {  // while the plan is made
    if (std::exchange(asked, true)) return std::nullopt;
    id = front->engine->jobs({}).value().jobs.front().id;
    EXPECT_EQ(front->engine->job(id)->state, job::JobState::kQueued);
    EXPECT_THAT(front->engine->suspend(id, "user", ""), Succeeds());
    back->store.after_job_read([&] { EXPECT_THAT(front->engine->resume(id, "user"), Succeeds()); });
    return std::nullopt;
  };
  const JobId admitted = admit(*back, world_.paid_job());
  EXPECT_EQ(wait(*back, admitted).state, job::JobState::kSucceeded);
  EXPECT_EQ(admitted, id);
  EXPECT_EQ(world_.provider->submissions(), 1);
}

TEST_F(Nodes, a_job_that_was_taken_in_time_is_not_ended_by_the_limit_of_its_wait_while_its_plan_is_made) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  const auto front = node("front");  // it leads, and its worker has no time for another job
  const JobId first = admit(*front, world_.classical_job());
  gate.wait_for_arrivals(1);
  const auto back = node("back");
  world_.clock.advance(std::chrono::milliseconds(1));  // so that the next job is the newest
  bool asked = false;
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {
    if (std::exchange(asked, true)) return std::nullopt;
    const JobId id = front->engine->jobs({}).value().jobs.front().id;
    world_.clock.advance(kLease / 4);
    while (front->engine->job(id)->state == job::JobState::kQueued) std::this_thread::yield();
    return std::nullopt;
  };
  job::JobSpec spec = world_.paid_job();
  spec.limits.queue_wait_ms = (kLease / 8).count();
  const JobId id = admit(*back, spec);
  const JobView view = wait(*back, id);
  EXPECT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  gate.open();
  EXPECT_EQ(wait(*front, first).state, job::JobState::kSucceeded);
}

TEST_F(Nodes, a_cancellation_reaches_the_process_that_runs_the_job) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  const auto runner = node("runner");
  const auto asker = node("asker", 0);
  const JobId id = admit(*asker, world_.classical_job());
  gate.wait_for_arrivals(1);
  ASSERT_THAT(asker->engine->cancel(id, "user", "changed my mind"), Succeeds());
  EXPECT_EQ(wait(*asker, id).state, job::JobState::kCancelled);
}

TEST_F(Nodes, a_cancellation_that_comes_while_its_process_drains_is_kept) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  const auto runner = node("runner");
  const JobId id = admit(*runner, world_.classical_job());
  gate.wait_for_arrivals(1);
  // Another process has promised it to the client, and this one has not heard of it yet.
  JobLedger other(*world_.store, world_.clock, world_.crash_points, [](const job::Event&) {});
  ASSERT_THAT(other.update(id, std::nullopt, "user",
                           [](JobRecord& record, Change&) -> Result<void> {
                             record.view.cancel_requested = true;
                             return {};
                           }),
              Succeeds());
  runner->engine->drain(Deadline::after(world_.clock, std::chrono::nanoseconds(0)), Deadline::never());
  EXPECT_EQ(runner->engine->job(id)->state, job::JobState::kCancelled);
}

TEST_F(Nodes, how_far_a_running_job_is_can_be_read_through_any_process) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  const auto front = node("front", 0);
  const auto back = node("back");
  const JobId id = admit(*front, world_.classical_job());
  gate.wait_for_arrivals(1);
  EXPECT_EQ(back->engine->job(id)->progress->step, "solve");
  while (!front->engine->job(id)->progress) std::this_thread::yield();  // until the next beat
  EXPECT_EQ(front->engine->job(id)->progress->document(), back->engine->job(id)->progress->document());
  EXPECT_EQ(front->engine->job(id)->document()["progress"]["step"], "solve");
  gate.open();
  EXPECT_EQ(wait(*front, id).state, job::JobState::kSucceeded);
  EXPECT_EQ(front->engine->job(id)->progress, std::nullopt);
  EXPECT_EQ(back->engine->job(id)->progress, std::nullopt);
}

TEST_F(Nodes, what_clients_ask_of_a_running_job_is_done_at_the_next_beat_where_the_log_did_not_tell) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  const auto front = node("front", 0);
  const auto back = node("back", 2);
  const JobId cancelled = admit(*front, world_.classical_job());
  const JobId suspended = admit(*front, world_.classical_job());
  gate.wait_for_arrivals(2);
  back->store.deafen();
  ASSERT_THAT(front->engine->cancel(cancelled, "user", ""), Succeeds());
  ASSERT_THAT(front->engine->suspend(suspended, "user", ""), Succeeds());
  EXPECT_EQ(wait(*front, cancelled).state, job::JobState::kCancelled);
  while (front->engine->job(suspended)->state != job::JobState::kSuspended) std::this_thread::yield();
}

TEST_F(Nodes, machines_whose_clocks_differ_agree_on_limits_and_times) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  FakeClock fast(Timestamp{FakeClock::kStartMicros + std::chrono::microseconds(std::chrono::hours(1)).count()});
  const auto ahead = node("ahead", 1, nullptr, &fast);  // it leads
  const auto right = node("right");
  std::vector<JobId> busy = {admit(*ahead, world_.classical_job()), admit(*right, world_.classical_job())};
  gate.wait_for_arrivals(2);
  job::JobSpec spec = world_.classical_job();
  spec.limits.queue_wait_ms = 2000;
  std::vector<JobId> waiting = {admit(*right, spec), admit(*ahead, spec)};
  wait_for_beats("ahead", 3);
  for (const JobId& id : waiting) {
    const JobView view = *ahead->engine->job(id);
    EXPECT_EQ(view.state, job::JobState::kQueued) << view.error;
    EXPECT_EQ(view.created_at, world_.clock.now());
  }
  gate.open();
  for (const auto& ids : {busy, waiting}) {
    for (const JobId& id : ids) {
      EXPECT_EQ(wait(*right, id).state, job::JobState::kSucceeded);
      const auto events = right->engine->events(id, 0, 1000);
      for (const job::Event& event : events.value()) EXPECT_EQ(event.at, world_.clock.now()) << event.type;
    }
  }
}

TEST_F(Nodes, a_store_whose_clock_is_set_is_followed_by_those_with_a_lease_and_those_without) {
  const auto worker = node("worker");
  const auto front = node("front", 0);
  world_.clock.step_wall(std::chrono::hours(1));
  for (const Node* one : {worker.get(), front.get()})
    while (one->clock.now() != world_.clock.now()) std::this_thread::yield();  // until its next look
}

TEST_F(Nodes, jobs_with_one_serial_key_run_one_after_the_other_on_two_processes) {
  const auto spec = [&](const std::string& name) {
    return world_.spec({{"name", name},
                        {"problem", EngineWorld::max_cut()},
                        {"refinement", {{"mode", "off"}}},
                        {"schedule", {{"serial_key", "k"}}}});
  };
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  world_.main().before = [&](std::stop_token) -> std::optional<Error> {
    most = std::max<int>(most, ++inside);
    std::this_thread::yield();
    --inside;
    return std::nullopt;
  };
  const auto one = node("one", 2);
  const auto two = node("two", 2);
  std::vector<JobId> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(admit(i % 2 == 0 ? *one : *two, spec(std::to_string(i))));
  for (const JobId& id : ids) EXPECT_EQ(wait(*one, id).state, job::JobState::kSucceeded);
  EXPECT_EQ(most, 1);
}

}  // namespace
}  // namespace tandem::engine
