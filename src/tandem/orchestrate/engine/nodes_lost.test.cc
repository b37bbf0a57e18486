// Processes that are lost, or lose the store, beside others: each is replaced, and what a lost one still does is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include "tandem/orchestrate/engine/job_record.h"
#include "tandem/orchestrate/engine/store_watch.h"
#include "tandem/orchestrate/engine/testing/nodes.h"

namespace tandem::engine {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

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

}  // namespace
}  // namespace tandem::engine
