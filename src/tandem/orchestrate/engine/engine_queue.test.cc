// What happens to a job beside its work: put aside, resumed, tried again, out of time, held back by others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Names of the jobs in the order in which they were started.
std::string started_names(EngineWorld& world) {
  std::string out;
  const std::vector<store::LogEntry> entries = world.store->read_log(0, 1000).value();
  for (const store::LogEntry& entry : entries)
    if (parse_json(entry.value, "event").value()["type"] == "job.started")
      out += world.engine->job(JobId(entry.subject))->name;
  return out;
}

class EngineQueue : public testing::Test {
 protected:
  EngineQueue() { world_.store_retry_interval = std::chrono::milliseconds(2); }
  /// Work of the main tier waits at the gate.
  void close_gate() {
    world_.main().before = [this](std::stop_token stop) -> std::optional<Error> {
      gate_.pass(stop);
      return std::nullopt;
    };
  }
  /// The provider is asked for its price while a plan is made: nothing is stored before.
  void hold_planning(Gate& planning) {
    world_.provider->plan.during_quote = [&planning]() -> std::optional<Error> {
      planning.pass({});
      return std::nullopt;
    };
  }
  job::JobSpec scheduled(const std::string& name, Json schedule, Json limits = Json::object()) {
    return world_.spec({{"name", name},
                        {"problem", EngineWorld::max_cut()},
                        {"refinement", {{"mode", "off"}}},
                        {"schedule", std::move(schedule)},
                        {"limits", std::move(limits)}});
  }
  job::JobSpec noop(int steps) { return world_.spec({{"problem", {{"type", "noop"}, {"steps", steps}}}}); }
  Gate gate_;
  EngineWorld world_;
};

TEST_F(EngineQueue, a_suspended_job_leaves_the_queue_and_goes_on_when_it_is_resumed) {
  close_gate();
  world_.open(1);
  const JobId running = world_.admit(world_.classical_job("first"));
  gate_.wait_for_arrivals(1);
  const JobId id = world_.admit(world_.classical_job("second"));
  ASSERT_THAT(world_.engine->suspend(id, "user", "later"), Succeeds());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kSuspended);
  gate_.open();
  EXPECT_EQ(world_.wait(running).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kSuspended);
  ASSERT_THAT(world_.engine->resume(id, "user"), Succeeds());
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  const std::vector<std::string> types = world_.event_types(id);
  EXPECT_THAT(std::vector(types.begin(), types.begin() + 5),
              ElementsAre("job.queued", "job.suspend_requested", "job.suspended", "job.resumed", "job.started"));
  EXPECT_THAT(world_.engine->resume(id, "user"), FailsWith(errors::kJobFinal));
  EXPECT_THAT(world_.engine->suspend(id, "user", ""), FailsWith(errors::kJobFinal));
}

TEST_F(EngineQueue, a_running_job_that_is_suspended_stops_and_survives_a_restart_aside) {
  close_gate();
  world_.open(1);
  const JobId id = world_.admit(world_.classical_job());
  gate_.wait_for_arrivals(1);
  ASSERT_THAT(world_.engine->suspend(id, "user", ""), Succeeds());
  for (int i = 0; i < 2000 && world_.engine->job(id)->state == job::JobState::kRunning; ++i) std::this_thread::yield();
  world_.engine->drain(Deadline::never(), Deadline::never());
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kSuspended);
  world_.close();
  world_.open(1);
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kSuspended);
  EXPECT_THAT(world_.engine->resume(id, "user"), Succeeds());
  gate_.open();
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  EXPECT_THAT(world_.engine->resume(id, "user"), FailsWith(errors::kJobFinal));
}

TEST_F(EngineQueue, a_job_that_is_resumed_while_it_still_stops_is_not_forgotten) {
  world_.open(2);
  for (int i = 0; i < 150; ++i) {
    const JobId id = world_.admit(noop(50));
    while (world_.engine->job(id)->state == job::JobState::kQueued) std::this_thread::yield();
    if (!world_.engine->suspend(id, "user", "")) continue;  // it was faster
    Result<void> resumed = fail(errors::kIllegalTransition, "not yet");
    while (!resumed && resumed.error().number == errors::kIllegalTransition)
      resumed = world_.engine->resume(id, "user");
    const JobView view = world_.engine->wait(id, Deadline::never()).value();
    EXPECT_EQ(view.state, job::JobState::kSucceeded);
  }
}

TEST_F(EngineQueue, a_cancelled_job_ends_although_long_work_was_claimed_behind_it) {
  world_.open(1);
  for (int i = 0; i < 100; ++i) world_.run(noop(0));  // so that jobs are claimed ahead
  close_gate();
  const JobId first = world_.admit(world_.classical_job("first"));
  const JobId second = world_.admit(world_.classical_job("second"));
  gate_.wait_for_arrivals(1);
  ASSERT_THAT(world_.engine->cancel(first, "user", ""), Succeeds());
  EXPECT_EQ(world_.wait(first).state, job::JobState::kCancelled);
  gate_.open();
  EXPECT_EQ(world_.wait(second).state, job::JobState::kSucceeded);
}

TEST_F(EngineQueue, what_a_client_says_has_a_limit_and_is_text) {
  world_.open(0);
  const JobId id = world_.admit(world_.classical_job());
  for (const std::string& words : {std::string(5000, 'x'), std::string("a\xff")}) {
    EXPECT_THAT(world_.engine->cancel(id, "user", words), FailsWith(errors::kValueOutOfRange));
    EXPECT_THAT(world_.engine->suspend(id, "user", words), FailsWith(errors::kValueOutOfRange));
    EXPECT_THAT(world_.engine->review(id, Verdict::kReject, "user", words), FailsWith(errors::kValueOutOfRange));
    EXPECT_THAT(world_.engine->remove(id, "user", words), FailsWith(errors::kValueOutOfRange));
  }
  EXPECT_THAT(world_.event_types(id), testing::ElementsAre("job.queued"));
}

TEST_F(EngineQueue, a_noop_is_trusted_and_can_rehearse_a_review_and_may_name_backends) {
  world_.open();
  const auto trusted = [&](double confidence_min) {
    return world_.run(world_.spec({{"problem", {{"type", "noop"}}},
                                   {"policy", {{"backends", {"cpu.tabu"}}}},
                                   {"review", {{"confidence_min", confidence_min}}},
                                   {"fallbacks", {"manual_review"}}}));
  };
  EXPECT_EQ(trusted(0.1).state, job::JobState::kSucceeded);
  const Json result = world_.canonical_result(trusted(0).id);
  EXPECT_GT(result["confidence"]["value"].get<double>(), 0.5);
}

TEST_F(EngineQueue, a_suspended_job_can_be_cancelled) {
  close_gate();
  world_.open(1);
  world_.admit(world_.classical_job("first"));
  gate_.wait_for_arrivals(1);
  const JobId id = world_.admit(world_.classical_job("second"));
  ASSERT_THAT(world_.engine->suspend(id, "user", ""), Succeeds());
  EXPECT_THAT(world_.engine->cancel(id, "user", ""), Succeeds());
  EXPECT_EQ(world_.wait(id).state, job::JobState::kCancelled);
  gate_.open();
}

TEST_F(EngineQueue, behind_busy_workers_a_job_waits_in_the_queue_also_where_runs_were_short) {
  world_.open(1);
  for (int i = 0; i < 60; ++i) world_.run(world_.classical_job());
  close_gate();
  world_.admit(world_.classical_job("first"));
  gate_.wait_for_arrivals(1);
  const JobId id = world_.admit(world_.classical_job("second"));
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  gate_.open();
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
}

TEST_F(EngineQueue, a_job_that_may_spend_nothing_and_asks_nobody_has_no_hold) {
  world_.open(1);
  const JobId id = world_.run(world_.spec({{"problem", EngineWorld::max_cut()}, {"refinement", {{"mode", "off"}}}})).id;
  EXPECT_THAT(world_.store->scan(store::Scan::prefix(store::Table::kBudget, "")).value(), IsEmpty());
  ASSERT_THAT(world_.engine->remove(id, "user", ""), Succeeds());
  world_.close();
  // Cancelled, expired or failed: there is nothing to give back.
  world_.open(0);
  const JobId waiting = world_.admit(world_.spec({{"problem", EngineWorld::max_cut()}}));
  ASSERT_THAT(world_.engine->cancel(waiting, "user", ""), Succeeds());
  EXPECT_THAT(world_.store->scan(store::Scan::prefix(store::Table::kBudget, "")).value(), IsEmpty());
}

TEST_F(EngineQueue, a_job_that_may_spend_nothing_asks_a_provider_without_a_price_under_a_hold_of_nothing) {
  world_.open(1);
  world_.provider->plan.price = {};
  world_.provider->plan.bill = job::Money{};
  circuit::Pub pub{.circuit = circuit::Circuit::create(1, 1).value(), .shots = 10};
  pub.circuit.measure_all();
  const JobId id = world_
                       .run(world_.spec({{"program", {{"pubs", Json::array({pub.document()})}}},
                                         {"policy", {{"backends", {"fake.provider"}}}}}))
                       .id;
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.provider->submissions(), 1);
  EXPECT_TRUE(world_.hold(id).closed);
  EXPECT_EQ(world_.hold(id).money.limit.usd_micros, 0);
}

TEST_F(EngineQueue, a_refinement_that_costs_nothing_asks_its_provider_also_for_a_job_that_may_spend_nothing) {
  auto owned = std::make_unique<submit::FakeProvider>(world_.clock, backend::SubmitSafety::kB, "fake.device", 4);
  submit::FakeProvider& device = *owned;
  world_.backends.add(std::move(owned));
  device.plan.price = {};
  device.plan.bill = job::Money{};
  world_.open(1);
  const JobView view = world_.run(world_.spec(
      {{"problem", EngineWorld::max_cut()}, {"refinement", {{"core_max", 4}, {"layers", 1}, {"shots", 30}}}}));
  EXPECT_EQ(view.state, job::JobState::kSucceeded);
  EXPECT_GE(device.submissions(), 1);
  EXPECT_TRUE(world_.hold(view.id).closed);
}

TEST_F(EngineQueue, a_start_is_stored_with_the_first_thing_that_the_run_stores) {
  world_.open(1);
  const auto noop = job::JobSpec::parse({{"problem", {{"type", "noop"}}}}, world_.problems);
  ASSERT_THAT(noop, Succeeds());
  const JobId id = world_.run(*noop).id;
  EXPECT_THAT(world_.event_types(id), ElementsAre("job.queued", "job.started", "job.planned", "job.succeeded"));
  EXPECT_EQ(world_.store->get(store::Table::kJob, id.value).value()->version, 2u) << "admitted, ended";
  const auto events = world_.engine->events(id, 0, 10).value();
  EXPECT_EQ(events.at(1).actor, "engine");
  EXPECT_LE(events.at(1).at.micros, events.at(3).at.micros);
}

TEST_F(EngineQueue, a_job_that_was_cancelled_before_its_start_was_stored_ends_as_the_client_wants) {
  world_.open(1);
  Gate planning;
  hold_planning(planning);
  const JobId id = world_.admit(world_.paid_job());
  planning.wait_for_arrivals(1);
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  ASSERT_THAT(world_.engine->cancel(id, "user", "no longer needed"), Succeeds());
  EXPECT_EQ(world_.wait(id).state, job::JobState::kCancelled);
  planning.open();
  EXPECT_EQ(world_.run(world_.classical_job("next")).state, job::JobState::kSucceeded);
  EXPECT_THAT(world_.event_types(id), ElementsAre("job.queued", "job.cancel_requested", "job.cancelled"));
  EXPECT_EQ(world_.provider->submissions(), 0);
}

TEST_F(EngineQueue, a_job_that_was_suspended_before_its_start_was_stored_starts_when_it_is_resumed) {
  world_.open(1);
  Gate planning;
  hold_planning(planning);
  const JobId id = world_.admit(world_.paid_job());
  planning.wait_for_arrivals(1);
  ASSERT_THAT(world_.engine->suspend(id, "user", "later"), Succeeds());
  ASSERT_THAT(world_.engine->resume(id, "user"), Succeeds());
  planning.open();
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.provider->submissions(), 1);
}

TEST_F(EngineQueue, a_process_that_goes_down_still_knows_what_it_admitted_with_a_key) {
  world_.open(1);
  const auto spec = world_.classical_job();
  const auto first = world_.engine->admit(spec, "default", "key", "user");
  ASSERT_THAT(first, Succeeds());
  world_.engine->drain(Deadline::never(), Deadline::never());
  const auto again = world_.engine->admit(spec, "default", "key", "user");
  ASSERT_THAT(again, Succeeds());
  EXPECT_EQ(again->id, first->id);
  EXPECT_THAT(world_.engine->admit(spec, "default", "other", "user"), FailsWith(errors::kDraining));
}

TEST_F(EngineQueue, a_retry_is_a_new_job_with_the_same_document) {
  world_.open();
  const JobView first = world_.run(world_.classical_job("mine"));
  const auto retried = world_.engine->retry(first.id, "again", "user:retry");
  ASSERT_THAT(retried, Succeeds());
  EXPECT_NE(retried->id, first.id);
  const auto replayed = world_.engine->retry(first.id, "again", "user:retry");
  ASSERT_THAT(replayed, Succeeds());
  EXPECT_EQ(replayed->id, retried->id);
  EXPECT_TRUE(replayed->replayed);
  EXPECT_NE(world_.engine->retry(first.id, "", "user:retry")->id, retried->id);
  EXPECT_EQ(world_.wait(retried->id).state, job::JobState::kSucceeded);
  Json document = world_.engine->spec_document(retried->id).value();
  EXPECT_EQ(document["retry_of"], first.id.value);
  document.erase("retry_of");
  EXPECT_EQ(document, world_.engine->spec_document(first.id).value());
  EXPECT_EQ(world_.canonical_result(retried->id)["best"], world_.canonical_result(first.id)["best"]);
}

TEST_F(EngineQueue, only_a_job_that_has_ended_is_tried_again) {
  close_gate();
  world_.open(1);
  const JobId id = world_.admit(world_.classical_job());
  EXPECT_THAT(world_.engine->retry(id, "", "user"), FailsWith(errors::kJobNotFinal));
  EXPECT_THAT(world_.engine->retry(JobId("job_none"), "", "user"), FailsWith(errors::kJobNotFound));
  gate_.open();
}

TEST_F(EngineQueue, a_job_that_no_worker_takes_in_time_expires_in_the_queue) {
  close_gate();
  world_.open(1);
  world_.admit(world_.classical_job("first"));
  gate_.wait_for_arrivals(1);
  const JobId id =
      world_.admit(scheduled("late", Json::object(), {{"queue_wait", "2s"}, {"cost_max_usd_micros", 300}}));
  const JobId patient = world_.admit(scheduled("patient", Json::object(), {{"queue_wait", "1h"}}));
  world_.clock.advance(std::chrono::seconds(3));
  const JobView view = world_.wait(id);
  EXPECT_EQ(view.state, job::JobState::kExpired);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kQueueWaitExpired));
  EXPECT_THAT(view.error, HasSubstr("2000 ms"));
  EXPECT_TRUE(world_.hold(id).closed);
  gate_.open();
  EXPECT_EQ(world_.wait(patient).state, job::JobState::kSucceeded);
}

TEST_F(EngineQueue, a_wait_that_is_over_when_the_process_starts_ends_the_job) {
  world_.open(0);
  const JobId id = world_.admit(scheduled("late", Json::object(), {{"queue_wait", "2s"}}));
  world_.close();
  world_.clock.advance(std::chrono::seconds(3));
  world_.open(1);
  const JobView view = world_.wait(id);
  EXPECT_EQ(view.state, job::JobState::kExpired);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kQueueWaitExpired));
}

TEST_F(EngineQueue, a_run_that_takes_too_long_expires) {
  close_gate();
  world_.open(1);
  const JobId id = world_.admit(scheduled("long", Json::object(), {{"time", "1ms"}, {"run_time", "500ms"}}));
  gate_.wait_for_arrivals(1);
  world_.clock.advance(std::chrono::seconds(1));
  const JobView view = world_.wait(id);
  EXPECT_EQ(view.state, job::JobState::kExpired);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kRunExpired));
}

TEST_F(EngineQueue, jobs_with_one_serial_key_run_one_after_the_other) {
  close_gate();
  world_.open(2);
  const Json key = {{"serial_key", "ledger"}};
  const JobId first = world_.admit(scheduled("a", key));
  gate_.wait_for_arrivals(1);
  const JobId second = world_.admit(scheduled("b", key));
  const JobId other = world_.admit(scheduled("c", Json::object()));
  gate_.wait_for_arrivals(2);
  EXPECT_EQ(world_.engine->job(second)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.engine->job(other)->state, job::JobState::kRunning);
  EXPECT_EQ(world_.store->count(store::Table::kJobIndex, "serial/").value(), 1u);
  gate_.open();
  EXPECT_EQ(world_.wait(second).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.wait(first).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.store->count(store::Table::kJobIndex, "serial/").value(), 0u);
}

TEST_F(EngineQueue, a_higher_priority_overtakes_and_so_it_does_after_a_restart) {
  for (const bool restart : {false, true}) {
    EngineWorld world;
    Gate gate;
    world.main().before = [&](std::stop_token stop) -> std::optional<Error> {
      gate.pass(stop);
      return std::nullopt;
    };
    world.open(restart ? 0 : 1);
    const auto admit = [&](const std::string& name, int priority) {
      return world.admit(world.spec({{"name", name},
                                     {"problem", EngineWorld::max_cut()},
                                     {"refinement", {{"mode", "off"}}},
                                     {"schedule", {{"priority", priority}}}}));
    };
    std::vector<JobId> ids = {admit("0", 100)};
    if (!restart) gate.wait_for_arrivals(1);
    ids.push_back(admit("3", -1));
    ids.push_back(admit("2", 0));
    ids.push_back(admit("1", 7));
    if (restart) {
      world.close();
      world.open(1);
    }
    gate.open();
    for (const JobId& id : ids) world.wait(id);
    EXPECT_EQ(started_names(world), "0123") << (restart ? "restarted" : "");
  }
}

/// Times below a millisecond are those of the machine: they put nobody behind.
TEST_F(EngineQueue, projects_whose_jobs_are_short_take_turns_although_one_of_those_took_longer) {
  world_.open(0);
  std::vector<JobId> ids;
  for (int i = 0; i < 6; ++i)
    for (const char* project : {"p", "q"}) ids.push_back(world_.admit(scheduled(project, {{"project", project}})));
  world_.close();
  int runs = 0;
  world_.main().before = [&](std::stop_token) -> std::optional<Error> {
    if (++runs == 1) world_.clock.advance(std::chrono::microseconds(900));
    return std::nullopt;
  };
  world_.open(1);
  for (const JobId& id : ids) world_.wait(id);
  const std::string names = started_names(world_);
  ASSERT_EQ(names.size(), ids.size());
  for (std::size_t i = 0; i < names.size(); i += 2) EXPECT_NE(names[i], names[i + 1]) << names;
}

TEST_F(EngineQueue, when_jobs_wait_too_long_new_ones_are_refused_until_they_do_not) {
  close_gate();
  world_.queue_delay_max = std::chrono::seconds(5);
  world_.open(1);
  world_.admit(world_.classical_job("running"));
  gate_.wait_for_arrivals(1);
  const JobId waiting = world_.admit(world_.classical_job("waiting"));
  world_.clock.advance(std::chrono::seconds(4));
  world_.admit(world_.classical_job("taken"));
  world_.clock.advance(std::chrono::seconds(2));
  const auto refused = world_.engine->admit(world_.classical_job("shed"), "default", "", "user");
  EXPECT_THAT(refused, FailsWith(errors::kQueueDelayExceeded));
  EXPECT_THAT(refused.error().message, HasSubstr("6000 ms"));
  gate_.open();
  world_.wait(waiting);
  world_.run(world_.classical_job("again"));
}

TEST_F(EngineQueue, the_wait_of_a_job_counts_from_its_admission_and_not_from_a_restart) {
  close_gate();
  world_.queue_delay_max = std::chrono::seconds(5);
  world_.open(1);
  const JobId running = world_.admit(world_.classical_job("running"));
  gate_.wait_for_arrivals(1);
  world_.clock.advance(std::chrono::milliseconds(5));  // so that it goes on first after the restart
  world_.admit(world_.classical_job("waiting"));
  world_.clock.advance(std::chrono::seconds(4));
  world_.close();
  world_.open(1);
  gate_.wait_for_arrivals(2);
  world_.clock.advance(std::chrono::seconds(2));
  const auto refused = world_.engine->admit(world_.classical_job("shed"), "default", "", "user");
  ASSERT_THAT(refused, FailsWith(errors::kQueueDelayExceeded));
  EXPECT_THAT(refused.error().message, HasSubstr("6000 ms"));
  gate_.open();
  world_.wait(running);
}

TEST_F(EngineQueue, a_process_that_runs_nothing_refuses_too_and_says_when_to_come_back) {
  world_.queue_delay_max = std::chrono::seconds(5);
  world_.open(0);
  const auto refused_after_s = [&](int seconds) -> std::uint32_t {
    world_.clock.advance(std::chrono::seconds(seconds));
    const auto refused = world_.engine->admit(world_.classical_job("shed"), "default", "", "user");
    EXPECT_THAT(refused, FailsWith(errors::kQueueDelayExceeded));
    return refused ? 0 : refused.error().retry_after_s;
  };
  const JobId waiting = world_.admit(world_.classical_job("waiting"));
  world_.clock.advance(std::chrono::seconds(5));
  const JobId other = world_.admit(world_.classical_job("taken"));
  EXPECT_EQ(refused_after_s(2), 2u);
  EXPECT_EQ(refused_after_s(30), 32u);
  EXPECT_EQ(refused_after_s(1000), 60u);
  world_.close();
  world_.open(0);
  EXPECT_EQ(refused_after_s(0), 60u);
  // What comes back into the queue has not waited yet.
  for (const JobId& id : {waiting, other}) {
    ASSERT_THAT(world_.engine->suspend(id, "user", ""), Succeeds());
    ASSERT_THAT(world_.engine->resume(id, "user"), Succeeds());
  }
  world_.clock.advance(std::chrono::seconds(2));
  world_.admit(world_.classical_job("taken again"));
}

TEST_F(EngineQueue, a_process_that_runs_nothing_takes_jobs_again_when_the_others_have_caught_up) {
  close_gate();
  world_.store->share(world_.clock);
  const auto start = [&](submit::Submitter& submitter, std::size_t workers) {
    return Engine::start(world_.services(*world_.store, submitter), {.workers = workers,
                                                                     .log_interval = std::chrono::milliseconds(2),
                                                                     .queue_delay_max = std::chrono::seconds(5),
                                                                     .schedules = workers != 0,
                                                                     .node_id = fmt::format("with {}", workers)})
        .value();
  };
  const auto front_submitter = world_.make_submitter(*world_.store);
  const auto back_submitter = world_.make_submitter(*world_.store);
  const auto front = start(*front_submitter, 0);
  const auto back = start(*back_submitter, 1);
  const auto admit = [&](const char* name) { return front->admit(world_.classical_job(name), "default", "", "user"); };
  ASSERT_THAT(admit("running"), Succeeds());
  gate_.wait_for_arrivals(1);
  const auto waiting = admit("waiting");
  ASSERT_THAT(waiting, Succeeds());
  world_.clock.advance(std::chrono::seconds(6));
  EXPECT_THAT(admit("shed"), FailsWith(errors::kQueueDelayExceeded));
  gate_.open();
  ASSERT_THAT(back->wait(waiting->id, Deadline::never()), Succeeds());
  world_.clock.advance(std::chrono::seconds(2));
  EXPECT_THAT(admit("again"), Succeeds());
}

TEST_F(EngineQueue, total_time_ends_a_job_that_is_suspended_also_after_a_restart) {
  for (const bool restart : {false, true}) {
    EngineWorld world;
    world.store_retry_interval = std::chrono::milliseconds(2);
    world.open(0);
    const Json limits = {{"time", "1s"}, {"total_time", "10s"}, {"cost_max_usd_micros", 300}};
    const auto limited = [&] {
      return world.admit(
          world.spec({{"problem", EngineWorld::max_cut()}, {"refinement", {{"mode", "off"}}}, {"limits", limits}}));
    };
    const JobId id = limited();
    const JobId resumed = limited();
    const JobId endless = world.admit(world.classical_job());
    for (const JobId& one : {id, resumed, endless}) ASSERT_THAT(world.engine->suspend(one, "user", ""), Succeeds());
    if (!restart) {
      world.close();
      world.open(1);
    }
    ASSERT_THAT(world.engine->resume(resumed, "user"), Succeeds());
    world.clock.advance(std::chrono::milliseconds(9'999));
    EXPECT_EQ(world.engine->job(id)->state, job::JobState::kSuspended);
    world.clock.advance(std::chrono::milliseconds(2));
    if (restart) {
      world.close();
      world.open(1);
    }
    const JobView view = world.wait(id);
    EXPECT_EQ(view.state, job::JobState::kExpired);
    EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kExpired));
    EXPECT_THAT(view.error, HasSubstr("10000 ms of limits.total_time were over while it was suspended"));
    EXPECT_TRUE(world.hold(id).closed);
    EXPECT_TRUE(job::is_final(world.wait(resumed).state));
    EXPECT_EQ(world.engine->job(endless)->state, job::JobState::kSuspended);
    EXPECT_EQ(world.store->count(store::Table::kJobIndex, "due/").value(), 0u);
  }
}

TEST_F(EngineQueue, total_time_ends_a_job_that_awaits_review) {
  job::JobSpec doubtful = world_.paid_job();
  doubtful.review.confidence_min = 0.5;
  doubtful.limits.total_time_ms = 60'000;
  world_.open();
  const JobId id = world_.admit(doubtful);
  EXPECT_EQ(world_.wait(id).state, job::JobState::kAwaitingReview);
  world_.clock.advance(std::chrono::seconds(61));
  while (world_.engine->job(id)->state != job::JobState::kExpired) std::this_thread::yield();
  EXPECT_EQ(world_.events(id).back().type, "job.expired");
  EXPECT_THAT(world_.engine->job(id)->error, HasSubstr("awaiting_review"));
  EXPECT_THAT(world_.engine->review(id, Verdict::kAccept, "user", ""), FailsWith(errors::kJobFinal));
  EXPECT_EQ(world_.store->count(store::Table::kJobIndex, "due/").value(), 0u);
  const JobId accepted = world_.admit(doubtful);
  EXPECT_EQ(world_.wait(accepted).state, job::JobState::kAwaitingReview);
  EXPECT_EQ(world_.store->count(store::Table::kJobIndex, "due/").value(), 1u);
  ASSERT_THAT(world_.engine->review(accepted, Verdict::kAccept, "user", ""), Succeeds());
  EXPECT_EQ(world_.store->count(store::Table::kJobIndex, "due/").value(), 0u);
}

TEST_F(EngineQueue, a_noop_records_its_steps_and_has_a_result_and_a_lineage) {
  world_.open();
  const JobView view = world_.run(noop(3));
  EXPECT_EQ(view.state, job::JobState::kSucceeded);
  EXPECT_THAT(world_.event_types(view.id), ElementsAre("job.queued", "job.started", "job.planned", "round.started",
                                                       "round.started", "round.started", "job.succeeded"));
  EXPECT_EQ(world_.engine->plan_document(view.id).value()["primary"], "engine");
  EXPECT_THAT(world_.engine->lineage(view.id), Succeeds());
  const JobView empty = world_.run(noop(0));
  EXPECT_THAT(world_.event_types(empty.id), ElementsAre("job.queued", "job.started", "job.planned", "job.succeeded"));
}

TEST_F(EngineQueue, many_short_jobs_at_once_all_end_and_each_is_started_once) {
  world_.open(2);
  std::vector<std::thread> clients;
  std::mutex mutex;
  std::vector<JobId> ids;
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        const JobId id = world_.admit(noop(i % 3));
        const std::lock_guard lock(mutex);
        ids.push_back(id);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  for (const JobId& id : ids) {
    EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
    const std::vector<std::string> types = world_.event_types(id);
    EXPECT_EQ(std::count(types.begin(), types.end(), "job.started"), 1);
  }
  EXPECT_EQ(world_.store->count(store::Table::kJobIndex, "state/succeeded/").value(), 800u);
  EXPECT_EQ(world_.store->count(store::Table::kJobIndex, "state/running/").value(), 0u);
}

TEST_F(EngineQueue, draining_gives_back_what_was_claimed_ahead) {
  world_.open(2);
  std::vector<JobId> ids;
  for (int i = 0; i < 300; ++i) ids.push_back(world_.admit(noop(1)));
  world_.engine->drain(Deadline(Instant{0}), Deadline::never());
  const auto running = world_.store->count(store::Table::kJobIndex, "state/running/").value();
  EXPECT_EQ(running, 0u);
  world_.close();
  world_.open(2);
  for (const JobId& id : ids) EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
}

}  // namespace
}  // namespace tandem::engine
