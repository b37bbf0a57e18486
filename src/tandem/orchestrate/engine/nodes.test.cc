// Several processes on one store: each job has one worker, whoever is lost is replaced, and what the lost one still does is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/engine/store_watch.h"
#include "tandem/orchestrate/engine/take_over.h"
#include "tandem/orchestrate/engine/testing/cut_store.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

/// Engines that stand for processes; they share the store, the providers and the clock of one world.
class Nodes : public testing::Test {
 protected:
  struct Node {
    explicit Node(store::Store& shared) : store(shared) {}
    CutStore store;
    std::unique_ptr<submit::Submitter> submitter;
    std::unique_ptr<Engine> engine;
  };

  Nodes() { world_.store->share(world_.clock); }

  std::unique_ptr<Node> node(const std::string& name, std::size_t workers = 1) {
    auto out = std::make_unique<Node>(*world_.store);
    out->submitter = std::make_unique<submit::Submitter>(submit::SubmitServices{.store = out->store,
                                                                                .executor = world_.skipping,
                                                                                .clock = world_.clock,
                                                                                .log = world_.log,
                                                                                .meter = world_.meter,
                                                                                .crash_points = world_.crash_points},
                                                         submit::SubmitOptions{});
    auto started = Engine::start({.store = out->store,
                                  .backends = world_.backends,
                                  .problems = world_.problems,
                                  .executor = world_.executor,
                                  .clock = world_.clock,
                                  .rng = world_.rng,
                                  .log = world_.log,
                                  .meter = world_.meter,
                                  .tracer = world_.tracer,
                                  .submitter = *out->submitter,
                                  .crash_points = world_.crash_points},
                                 {.workers = workers,
                                  .store_retry_interval = store_retry_interval_,
                                  .lease_ttl = kLease,
                                  .log_interval = std::chrono::milliseconds(2),
                                  .schedules = workers != 0,
                                  .node_id = name});
    EXPECT_THAT(started, Succeeds());
    out->engine = *std::move(started);
    return out;
  }
  JobId admit(Node& at, const job::JobSpec& spec) { return at.engine->admit(spec, "default", "", "user").value().id; }
  JobView wait(Node& at, const JobId& id) { return at.engine->wait(id, Deadline::never()).value(); }
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

  static constexpr std::chrono::milliseconds kLease{200};
  std::chrono::milliseconds store_retry_interval_{5};
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
  const JobId next = admit(*lost, world_.classical_job("next"));
  EXPECT_EQ(wait(*lost, next).state, job::JobState::kSucceeded);
  lost->engine->drain(Deadline::never());
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
  runner->engine->drain(Deadline::after(world_.clock, std::chrono::nanoseconds(0)));
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
  const auto wait_for_beats = [&](std::uint64_t count) {
    const auto beats = [&] { return (*world_.store->get(store::Table::kMeta, "node/back"))->version; };
    for (const std::uint64_t last = beats() + count; beats() < last;) std::this_thread::yield();
  };
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
  wait_for_beats(1);
  // While the first of them is looked at, the process beats, and looks for work.
  std::promise<void> looked;
  back->store.after_job_read([&] {
    wait_for_beats(3);
    looked.set_value();
  });
  back->store.lose_job_reads(0);
  looked.get_future().wait();
  wait_for_beats(1);
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

// Taking over, without engines

class TakeOver : public testing::Test {
 protected:
  TakeOver() {
    world_.store->share(world_.clock);
    world_.open(0);
  }
  /// A job that a process of that name has started and not ended.
  void start(const JobId& id, const std::string& node) {
    Membership membership(*world_.store, world_.clock, world_.crash_points, node, std::chrono::seconds(10),
                          Json::object());
    ASSERT_THAT(membership.join(), Succeeds());
    ASSERT_THAT(ledger_.update(id, std::nullopt, "engine",
                               [&](JobRecord& record, Change&) -> Result<void> {
                                 TANDEM_TRY_ASSIGN(record.view.state,
                                                   job::require_transition(record.view.state, job::JobEvent::kStart));
                                 ++record.view.fence;
                                 record.owner = node;
                                 return {};
                               }),
                Succeeds());
  }
  Result<void> take_over() {
    EXPECT_THAT(survivor_.join(), Succeeds());
    return engine::take_over(survivor_, *world_.store, ledger_, world_.log);
  }

  EngineWorld world_;
  JobLedger ledger_{*world_.store, world_.clock, world_.crash_points, [](const job::Event&) {}};
  Membership survivor_{*world_.store, world_.clock, world_.crash_points, "survivor", std::chrono::seconds(10),
                       Json::object()};
};

TEST_F(TakeOver, who_looks_knows_when_the_next_lease_ends_so_that_a_lost_process_is_lost_for_no_longer) {
  const std::chrono::seconds ttl(10);
  Membership other(*world_.store, world_.clock, world_.crash_points, "other", ttl, Json::object());
  ASSERT_THAT(survivor_.join(), Succeeds());
  EXPECT_EQ(survivor_.next_lapse(), ttl);
  ASSERT_THAT(other.join(), Succeeds());
  world_.clock.advance(std::chrono::seconds(7));
  ASSERT_THAT(survivor_.beat(), Succeeds());
  ASSERT_TRUE(survivor_.lead().value());
  ASSERT_THAT(survivor_.lapsed(), Succeeds());
  EXPECT_EQ(survivor_.next_lapse(), std::chrono::seconds(3));
  // It beats again, and the one that does not lead looks at the leader.
  ASSERT_THAT(other.beat(), Succeeds());
  world_.clock.advance(std::chrono::seconds(1));
  ASSERT_FALSE(other.lead().value());
  EXPECT_EQ(other.next_lapse(), std::chrono::seconds(9));
  // Whose lease has ended is buried now, and does not call for a look any more.
  world_.clock.advance(std::chrono::seconds(10));
  ASSERT_THAT(survivor_.beat(), Succeeds());
  ASSERT_TRUE(survivor_.lead().value());
  ASSERT_THAT(survivor_.lapsed(), Succeeds());
  EXPECT_EQ(survivor_.next_lapse(), ttl);
}

TEST_F(TakeOver, a_lease_is_kept_until_it_runs_out_and_then_whoever_had_it_cannot_beat) {
  Membership membership(*world_.store, world_.clock, world_.crash_points, "one", std::chrono::seconds(10),
                        Json::object());
  ASSERT_THAT(membership.join(), Succeeds());
  EXPECT_TRUE(membership.holds());
  const JobId id = world_.admit(world_.classical_job());
  ASSERT_THAT(ledger_.update(id, std::nullopt, "engine",
                             [&](JobRecord& record, Change&) -> Result<void> {
                               record.view.state = job::JobState::kRunning;
                               record.owner = "one";
                               return {};
                             }),
              Succeeds());
  world_.clock.advance(std::chrono::milliseconds(8001));
  EXPECT_FALSE(membership.holds());  // for itself it is over before it is for others
  ASSERT_THAT(take_over(), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kRunning);
  ASSERT_THAT(membership.beat(), Succeeds());
  EXPECT_TRUE(membership.holds());
  world_.clock.advance(std::chrono::seconds(11));
  ASSERT_THAT(take_over(), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.engine->job(id)->fence, 1u);
  EXPECT_THAT(membership.beat(), FailsWith(errors::kLeaseLost));
  EXPECT_FALSE(membership.holds());
  EXPECT_THAT(membership.join(), Succeeds());
  EXPECT_TRUE(membership.holds());
}

TEST_F(TakeOver, a_job_that_takes_five_processes_down_is_given_to_no_other) {
  const JobId id = world_.admit(world_.classical_job());
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
    start(id, fmt::format("victim {}", i));
    world_.clock.advance(std::chrono::seconds(11));
    ASSERT_THAT(take_over(), Succeeds());
  }
  const JobView view = *world_.engine->job(id);
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kPoisonJob));
  EXPECT_THAT(jobs_of_owner(*world_.store, "victim 4").value(), IsEmpty());
  EXPECT_TRUE(world_.hold(id).closed);
  const auto poison = world_.engine->jobs({.error_number = static_cast<std::uint16_t>(errors::kPoisonJob)});
  ASSERT_THAT(poison->jobs, SizeIs(1));
  EXPECT_EQ(poison->jobs[0].id, id);
}

TEST_F(TakeOver, what_the_living_run_is_not_read) {
  for (int i = 0; i < 50; ++i) start(world_.admit(world_.classical_job()), "alive");
  const JobId lost = world_.admit(world_.classical_job());
  start(lost, "lost");
  world_.clock.advance(std::chrono::seconds(11));
  Membership alive(*world_.store, world_.clock, world_.crash_points, "alive", std::chrono::seconds(10), Json::object());
  ASSERT_THAT(alive.join(), Succeeds());
  CutStore counted(*world_.store);
  Membership counting(counted, world_.clock, world_.crash_points, "counting", std::chrono::seconds(10), Json::object());
  ASSERT_THAT(counting.join(), Succeeds());
  JobLedger ledger(counted, world_.clock, world_.crash_points, [](const job::Event&) {});
  ASSERT_THAT(engine::take_over(counting, counted, ledger, world_.log), Succeeds());
  EXPECT_EQ(world_.engine->job(lost)->state, job::JobState::kQueued);
  EXPECT_EQ(counted.job_reads(), 1);
  EXPECT_LE(counted.rows_scanned(), 6u);  // two owners, three processes, one job
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

TEST_F(TakeOver, a_running_job_of_no_process_as_a_backup_of_one_machine_has_it_goes_back) {
  const JobId id = world_.admit(world_.classical_job());
  start(id, "");
  ASSERT_EQ(world_.engine->job(id)->state, job::JobState::kRunning);
  ASSERT_THAT(take_over_ownerless(*world_.store, ledger_), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.engine->job(id)->fence, 2u);
}

TEST_F(TakeOver, a_job_that_ended_and_was_removed_after_the_list_was_read_does_not_keep_the_others) {
  std::vector<JobId> ids;
  for (const char* const node : {"", "", "victim", "victim"}) {
    ids.push_back(world_.admit(world_.classical_job()));
    start(ids.back(), node);
  }
  // What the lists still name.
  ASSERT_THAT(world_.store->commit_and_wait(
                  store::Batch().erase(store::Table::kJob, ids[0].value).erase(store::Table::kJob, ids[2].value)),
              Succeeds());
  ASSERT_THAT(take_over_ownerless(*world_.store, ledger_), Succeeds());
  EXPECT_EQ(world_.engine->job(ids[1])->state, job::JobState::kQueued);
  world_.clock.advance(std::chrono::seconds(11));
  ASSERT_THAT(take_over(), Succeeds());
  EXPECT_EQ(world_.engine->job(ids[3])->state, job::JobState::kQueued);
}

TEST_F(TakeOver, a_job_that_its_client_cancelled_ends_there) {
  const JobId id = world_.admit(world_.classical_job());
  start(id, "victim");
  ASSERT_THAT(world_.engine->cancel(id, "user", ""), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kRunning);  // its process is asked first
  world_.clock.advance(std::chrono::seconds(11));
  ASSERT_THAT(take_over(), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kCancelled);
}

TEST_F(TakeOver, what_one_that_died_half_way_left_is_done_by_the_next) {
  const JobId first = world_.admit(world_.classical_job("first"));
  const JobId second = world_.admit(world_.classical_job("second"));
  start(first, "victim");
  start(second, "victim");
  world_.clock.advance(std::chrono::seconds(11));
  ASSERT_THAT(survivor_.join(), Succeeds());
  EXPECT_THAT(survivor_.bury("victim"), testing::Eq(Result<bool>(true)));  // and dies before it moved a job
  ASSERT_THAT(take_over(), Succeeds());
  EXPECT_EQ(world_.engine->job(first)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.engine->job(second)->state, job::JobState::kQueued);
}

TEST_F(TakeOver, one_leads_until_its_lease_is_over_and_the_next_has_a_higher_term) {
  Membership second(*world_.store, world_.clock, world_.crash_points, "second", std::chrono::seconds(10),
                    Json::object());
  ASSERT_THAT(survivor_.join(), Succeeds());
  ASSERT_THAT(second.join(), Succeeds());
  EXPECT_THAT(survivor_.lead(), testing::Eq(Result<bool>(true)));
  EXPECT_THAT(second.lead(), testing::Eq(Result<bool>(false)));
  EXPECT_THAT(survivor_.lead(), testing::Eq(Result<bool>(true)));
  world_.clock.advance(std::chrono::seconds(6));
  ASSERT_THAT(second.beat(), Succeeds());
  EXPECT_THAT(second.lead(), testing::Eq(Result<bool>(false)));
  world_.clock.advance(std::chrono::seconds(5));
  EXPECT_THAT(second.lead(), testing::Eq(Result<bool>(true)));
  EXPECT_THAT(survivor_.lead(), testing::Eq(Result<bool>(false)));
  const auto row = world_.store->get(store::Table::kMeta, "leader").value();
  EXPECT_EQ(parse_json(row->value, "row").value(), Json({{"node", "second"}, {"term", 2}}));
}

TEST_F(TakeOver, what_only_a_leader_may_do_is_refused_once_another_has_led) {
  const auto try_it = [&](const Membership& member) -> Result<bool> {
    store::Batch batch;
    if (!member.require_lead(batch)) return false;
    TANDEM_TRY(world_.store->commit_and_wait(batch.put(store::Table::kMeta, "work of a leader", "done")));
    return true;
  };
  Membership second(*world_.store, world_.clock, world_.crash_points, "second", std::chrono::seconds(10),
                    Json::object());
  ASSERT_THAT(survivor_.join(), Succeeds());
  ASSERT_THAT(second.join(), Succeeds());
  EXPECT_THAT(try_it(survivor_), testing::Eq(Result<bool>(false)));
  EXPECT_THAT(survivor_.lead(), testing::Eq(Result<bool>(true)));
  EXPECT_THAT(second.lead(), testing::Eq(Result<bool>(false)));
  EXPECT_THAT(try_it(survivor_), testing::Eq(Result<bool>(true)));
  EXPECT_THAT(try_it(second), testing::Eq(Result<bool>(false)));
  world_.clock.advance(std::chrono::seconds(11));
  EXPECT_THAT(try_it(survivor_), testing::Eq(Result<bool>(false)));  // without a lease
  ASSERT_THAT(second.beat(), Succeeds());
  EXPECT_THAT(second.lead(), testing::Eq(Result<bool>(true)));
  ASSERT_THAT(survivor_.beat(), Succeeds());  // it was away, and does not know that another leads by now
  EXPECT_THAT(try_it(survivor_), FailsWith(errors::kPreconditionFailed));
  EXPECT_THAT(try_it(second), testing::Eq(Result<bool>(true)));
}

TEST_F(TakeOver, who_was_buried_cannot_become_the_leader) {
  ASSERT_THAT(survivor_.join(), Succeeds());
  world_.clock.advance(std::chrono::seconds(11));
  Membership second(*world_.store, world_.clock, world_.crash_points, "second", std::chrono::seconds(10),
                    Json::object());
  ASSERT_THAT(second.join(), Succeeds());
  EXPECT_THAT(second.bury("survivor"), testing::Eq(Result<bool>(true)));
  EXPECT_THAT(survivor_.lead(), testing::Eq(Result<bool>(false)));
  EXPECT_THAT(second.lead(), testing::Eq(Result<bool>(true)));
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

TEST_F(TakeOver, who_looked_before_a_process_came_back_cannot_bury_it_again) {
  CutStore slow(*world_.store);
  Membership late(slow, world_.clock, world_.crash_points, "late", std::chrono::seconds(10), Json::object());
  Membership victim(*world_.store, world_.clock, world_.crash_points, "victim", std::chrono::seconds(10),
                    Json::object());
  ASSERT_THAT(late.join(), Succeeds());
  ASSERT_THAT(victim.join(), Succeeds());
  world_.clock.advance(std::chrono::seconds(11));
  slow.before_commit([&] {  // between its look and its burial
    EXPECT_THAT(survivor_.bury("victim"), testing::Eq(Result<bool>(true)));
    EXPECT_THAT(victim.beat(), FailsWith(errors::kLeaseLost));
    EXPECT_THAT(victim.join(), Succeeds());
  });
  EXPECT_THAT(late.bury("victim"), testing::Eq(Result<bool>(false)));
  EXPECT_THAT(victim.beat(), Succeeds());
}

TEST_F(TakeOver, the_row_of_a_process_that_never_comes_back_is_dropped_in_the_end) {
  Membership victim(*world_.store, world_.clock, world_.crash_points, "victim", std::chrono::seconds(10),
                    Json::object());
  ASSERT_THAT(victim.join(), Succeeds());
  world_.clock.advance(std::chrono::seconds(11));
  ASSERT_THAT(survivor_.bury("victim"), testing::Eq(Result<bool>(true)));
  EXPECT_EQ(world_.store->count(store::Table::kMeta, "node/victim").value(), 1u);
  world_.clock.advance(std::chrono::seconds(600));
  ASSERT_THAT(take_over(), Succeeds());
  EXPECT_EQ(world_.store->count(store::Table::kMeta, "node/victim").value(), 0u);
}

}  // namespace
}  // namespace tandem::engine
