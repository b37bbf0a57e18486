// Several processes on one store: each job has one worker, whoever is lost is replaced, and what the lost one still does is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/engine/store_watch.h"
#include "tandem/orchestrate/engine/testing/cut_store.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// Engines that stand for processes; they share the store, the providers and the clock of one world.
class Nodes : public testing::Test {
 protected:
  struct Node {
    Node(store::Store& shared, const Clock& machine) : store(shared), clock(machine) {}
    CutStore store;
    StoreClock clock;
    std::unique_ptr<submit::Submitter> submitter;
    std::unique_ptr<Engine> engine;
  };

  Nodes() { world_.store->share(world_.clock); }

  std::unique_ptr<Node> node(const std::string& name, std::size_t workers = 1,
                             backend::BackendRegistry* backends = nullptr, const Clock* machine = nullptr) {
    auto out = std::make_unique<Node>(*world_.store, machine != nullptr ? *machine : world_.clock);
    out->submitter = world_.make_submitter(out->store);
    auto started = Engine::start(world_.services(out->store, *out->submitter, backends, &out->clock),
                                 {.workers = workers,
                                  .store_retry_interval = store_retry_interval_,
                                  .clock_look_interval = store_retry_interval_,
                                  .lease_ttl = kLease,
                                  .log_interval = std::chrono::milliseconds(2),
                                  .schedules = schedules_.value_or(workers != 0),
                                  .node_id = name});
    EXPECT_THAT(started, Succeeds());
    out->engine = *std::move(started);
    return out;
  }
  /// The first job that begins waits at the gate; those after it pass by.
  void hold_first(Gate& gate) {
    world_.main().before =
        [&gate, begun = std::make_shared<std::atomic<bool>>()](std::stop_token stop) -> std::optional<Error> {
      if (!begun->exchange(true)) gate.pass(stop);
      return std::nullopt;
    };
  }
  JobId admit(Node& at, const job::JobSpec& spec) { return at.engine->admit(spec, "default", "", "user").value().id; }
  JobView wait(Node& at, const JobId& id) { return at.engine->wait(id, Deadline::never()).value(); }
  /// However often it is refused before because nothing can be stored: a process may have found that out by any of its threads, and is
  /// told at its next probe that the store is back.
  JobId admit_through_trouble(Node& at, const job::JobSpec& spec) {
    auto admitted = at.engine->admit(spec, "default", "", "user");
    while (!admitted && is_store_trouble(admitted.error())) admitted = at.engine->admit(spec, "default", "", "user");
    EXPECT_THAT(admitted, Succeeds());
    return admitted.value_or(Admission{}).id;
  }
  /// The job's end, however often it is said in between that nothing can be stored.
  JobView wait_through_trouble(Node& at, const JobId& id) {
    auto end = at.engine->wait(id, Deadline::never());
    while (!end && is_store_trouble(end.error())) end = at.engine->wait(id, Deadline::never());
    EXPECT_THAT(end, Succeeds());
    return end.value_or(JobView{});
  }
  std::vector<std::string> event_types(Node& at, const JobId& id) {
    std::vector<std::string> out;
    const auto events = at.engine->events(id, 0, 1000);
    for (const job::Event& event : events.value()) out.push_back(event.type);
    return out;
  }

  void wait_for_beats(const std::string& name, std::uint64_t count) {
    const auto beats = [&] { return (*world_.store->get(store::Table::kMeta, "node/" + name))->version; };
    for (const std::uint64_t last = beats() + count; beats() < last;) std::this_thread::yield();
  }

  static constexpr std::chrono::milliseconds kLease{200};
  std::chrono::milliseconds store_retry_interval_{5};
  std::optional<bool> schedules_;  ///< of who starts next; else who works schedules, too
  EngineWorld world_;
};

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

TEST_F(Nodes, the_jobs_of_a_lost_process_go_to_another_and_its_late_completion_is_refused) {
  Gate gate;
  std::atomic<int> runs = 0;
  world_.main().before = [&](std::stop_token) -> std::optional<Error> {
    if (runs++ == 0) gate.pass({});  // the first one hears no stop: it is a process that was frozen
    return std::nullopt;
  };
  const auto lost = node("lost");
  const JobId id = admit(*lost, world_.classical_job());
  gate.wait_for_arrivals(1);
  EXPECT_THAT(jobs_of_owner(*world_.store, "lost").value(), ElementsAre(id));
  lost->store.cut();
  const auto other = node("other");
  world_.clock.advance(2 * kLease);
  EXPECT_EQ(wait(*other, id).state, job::JobState::kSucceeded);
  const auto result = other->engine->result(id);
  lost->store.mend();
  gate.open();
  // It finds out by itself and takes part again.
  const JobId next = admit_through_trouble(*lost, world_.classical_job("next"));
  EXPECT_EQ(wait_through_trouble(*lost, next).state, job::JobState::kSucceeded);
  lost->engine->drain(Deadline::never(), Deadline::never());
  EXPECT_EQ(other->engine->result(id), result);
  EXPECT_THAT(event_types(*other, id), Contains("job.succeeded").Times(1));
  EXPECT_THAT(event_types(*other, id), Contains("job.started").Times(2));
  EXPECT_EQ(other->engine->job(id)->fence, 3u);  // started, taken over, started
}

TEST_F(Nodes, a_process_that_is_cut_off_alone_goes_on_with_its_jobs_when_the_store_is_back) {
  Gate gate;
  std::atomic<int> runs = 0;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    if (runs++ == 0) gate.pass(stop);
    return std::nullopt;
  };
  const auto alone = node("alone");
  const JobId id = admit(*alone, world_.classical_job());
  gate.wait_for_arrivals(1);
  alone->store.cut();
  world_.clock.advance(2 * kLease);
  gate.wait_for_departures(1);  // its lease was over: it stopped by itself
  alone->store.mend();
  // Whoever waits meanwhile is told that the job cannot go on now.
  Result<JobView> end;
  do end = alone->engine->wait(id, Deadline::never());
  while (!end && is_store_trouble(end.error()));
  ASSERT_THAT(end, Succeeds());
  EXPECT_EQ(end->state, job::JobState::kSucceeded);
  EXPECT_THAT(event_types(*alone, id), Contains("job.started").Times(2));
}

TEST_F(Nodes, a_run_that_does_not_stop_is_left_when_its_process_has_a_lease_again) {
  Gate told;
  Gate gate;
  std::atomic<int> runs = 0;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    if (runs++ != 0) return std::nullopt;
    told.pass(stop);
    gate.pass({});
    return std::nullopt;
  };
  const auto alone = node("alone");
  const JobId id = admit(*alone, world_.classical_job());
  told.wait_for_arrivals(1);
  alone->store.cut();
  world_.clock.advance(2 * kLease);
  told.wait_for_departures(1);
  alone->store.mend();
  const auto state = [&] {
    const auto view = alone->engine->job(id);
    return view ? view->state : job::JobState::kRunning;
  };
  while (state() != job::JobState::kSucceeded) {
    world_.clock.advance(kLease / 4);  // so that it keeps its lease
    wait_for_beats("alone", 1);
  }
  EXPECT_THAT(event_types(*alone, id), Contains("job.started").Times(2));
  gate.open();
}

TEST_F(Nodes, a_process_that_finds_itself_buried_stops_what_it_runs_before_it_joins_again) {
  Gate gate;
  std::atomic<int> runs = 0;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    if (runs++ == 0) gate.pass(stop);
    return std::nullopt;
  };
  const auto buried = node("buried");
  const JobId id = admit(*buried, world_.classical_job());
  gate.wait_for_arrivals(1);
  // As others do it. By its own clock the lease is good: it was asleep with its clock, or slept and woke with this beat.
  Result<store::Committed> done;
  do {
    const store::Row row = **world_.store->get(store::Table::kMeta, "node/buried");
    done = world_.store->commit_and_wait(
        store::Batch().put(store::Table::kMeta, row.key, row.value, store::Expect::at(row.version)));
  } while (!done);
  gate.wait_for_departures(1);
  EXPECT_EQ(wait_through_trouble(*buried, id).state, job::JobState::kSucceeded);
  EXPECT_THAT(event_types(*buried, id), Contains("job.started").Times(2));
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

TEST_F(Nodes, a_process_without_workers_is_ready_again_when_the_store_is) {
  const auto front = node("front", 0);
  front->store.cut();
  EXPECT_THAT(front->engine->admit(world_.classical_job(), "default", "", "user"),
              FailsWith(errors::kStoreUnreachable));
  EXPECT_THAT(front->engine->ready(), FailsWith(errors::kStoreUnreachable));
  front->store.mend();
  while (!front->engine->ready()) std::this_thread::yield();
}

TEST_F(Nodes, a_process_that_leaves_properly_is_not_waited_for) {
  auto leaving = node("leaving", 1);
  Gate gate;
  std::atomic<int> runs = 0;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    if (runs++ == 0) gate.pass(stop);
    return std::nullopt;
  };
  const JobId id = admit(*leaving, world_.classical_job());
  gate.wait_for_arrivals(1);
  leaving.reset();  // without a lease that has to run out
  const auto other = node("other");
  EXPECT_EQ(wait(*other, id).state, job::JobState::kSucceeded);
}

TEST_F(Nodes, a_job_that_waits_for_the_store_is_not_started_while_its_process_looks_what_became_of_it) {
  Gate first;
  Gate second;
  std::atomic<int> runs = 0;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    const int run = runs++;
    if (run == 0) first.pass(stop);
    if (run == 1) second.pass(stop);
    return std::nullopt;
  };
  const auto front = node("front", 0);
  const JobId running = admit(*front, world_.classical_job());
  world_.clock.advance(std::chrono::milliseconds(1));  // its id is the later one
  const JobId waiting = admit(*front, world_.classical_job());
  ASSERT_THAT(front->engine->suspend(waiting, "user", ""), Succeeds());
  store_retry_interval_ = std::chrono::seconds(1);  // so that both are looked at together
  const auto back = node("back", 2);
  first.wait_for_arrivals(1);
  std::promise<void> heard;
  const auto subscription = back->engine->subscribe(
      [&](const job::Event& event) {
        if (event.type == "job.resumed") heard.set_value();
      },
      nullptr, nullptr);
  // Neither the start of the one nor the progress of the other can be read, so both wait.
  back->store.lose_job_reads(1'000'000);
  ASSERT_THAT(front->engine->resume(waiting, "user"), Succeeds());
  heard.get_future().wait();
  first.open();
  const auto let_go = [&] {
    const auto entries = world_.log.entries();
    return std::any_of(entries.begin(), entries.end(), [](const auto& one) { return one.event == "job.let_go"; });
  };
  while (!let_go()) std::this_thread::yield();
  wait_for_beats("back", 1);
  // While the first of them is looked at, the process beats, and looks for work.
  std::promise<void> looked;
  back->store.after_job_read([&] {
    wait_for_beats("back", 3);
    looked.set_value();
  });
  back->store.lose_job_reads(0);
  looked.get_future().wait();
  wait_for_beats("back", 1);
  second.open();
  EXPECT_EQ(wait(*front, running).state, job::JobState::kSucceeded);
  const JobView view = wait(*front, waiting);
  EXPECT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_THAT(event_types(*front, waiting), Not(Contains("job.requeued")));
}

TEST_F(Nodes, a_job_whose_row_cannot_be_read_when_the_store_is_back_is_not_forgotten) {
  Gate gate;
  world_.main().before = [&](std::stop_token stop) -> std::optional<Error> {
    gate.pass(stop);
    return std::nullopt;
  };
  const auto one = node("one");
  const JobId id = admit(*one, world_.classical_job());
  gate.wait_for_arrivals(1);
  one->store.cut();
  gate.open();
  while (one->engine->ready()) std::this_thread::yield();  // its end could not be stored
  one->store.lose_job_reads(1);
  one->store.mend();
  while (one->store.job_reads_to_lose() > 0) std::this_thread::yield();
  EXPECT_EQ(wait_through_trouble(*one, id).state, job::JobState::kSucceeded);
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

TEST_F(Nodes, the_wait_of_a_job_ends_also_where_its_limit_was_over_before_the_leader_was_lost) {
  Gate gate;
  world_.main().before = [&](std::stop_token) -> std::optional<Error> {
    gate.pass({});
    return std::nullopt;
  };
  const auto leader = node("leader");
  const auto next = node("next");
  const JobId first = admit(*leader, world_.classical_job());
  const JobId second = admit(*next, world_.classical_job());
  gate.wait_for_arrivals(2);
  job::JobSpec spec = world_.classical_job();
  spec.limits.queue_wait_ms = (kLease / 4).count();
  leader->store.cut();
  const JobId id = admit(*next, spec);
  world_.clock.advance(kLease / 2);
  wait_for_beats("next", 3);  // it looks at what waits much more often
  EXPECT_EQ(next->engine->job(id)->state, job::JobState::kQueued);
  world_.clock.advance(2 * kLease);
  const JobView view = wait_through_trouble(*next, id);
  EXPECT_EQ(view.state, job::JobState::kExpired);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kQueueWaitExpired));
  leader->store.mend();
  gate.open();
  for (const JobId& one : {first, second}) EXPECT_EQ(wait_through_trouble(*next, one).state, job::JobState::kSucceeded);
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
