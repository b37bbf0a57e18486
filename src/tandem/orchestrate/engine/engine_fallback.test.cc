// The way of an order along its chain, by cause; earlier answers; answers that are a part.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using enum job::FallbackCause;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class EngineFallback : public testing::Test {
 protected:
  job::JobSpec paid(std::vector<job::Fallback> fallbacks) {
    job::JobSpec out = world_.paid_job();
    out.fallbacks = std::move(fallbacks);
    return out;
  }
  void never_done(backend::WorkState meanwhile) {
    world_.provider->plan.polls_until_done = 1'000'000'000;
    world_.provider->plan.until_done = meanwhile;
  }
  Json result(const JobId& id) { return parse_json(world_.engine->result(id).value(), "result").value(); }
  std::vector<std::string> path(const JobId& id) {
    std::vector<std::string> out;
    const Json told = result(id);
    for (const Json& entry : told["path"])
      out.push_back(fmt::format("{} {} {}", entry["backend"].get<std::string>(), entry["outcome"].get<std::string>(),
                                entry["cause"].is_null() ? "-" : entry["cause"].get<std::string>()));
    return out;
  }
  JobView run_as(const job::JobSpec& spec, std::string_view tenant) {
    const auto admitted = world_.engine->admit(spec, tenant, "", "user:test");
    EXPECT_THAT(admitted, Succeeds());
    return world_.wait(admitted->id);
  }
  std::string replayed(const JobId& id) {
    const auto package = lineage::ReplayPackage::parse(world_.engine->replay_package(id)->document());
    EXPECT_THAT(package, Succeeds());
    const auto out = lineage::replay(*package, world_.backends, world_.problems, 1);
    EXPECT_THAT(out, Succeeds());
    return out ? out->canonical_sha256 : "";
  }

  /// Result, lineage and events of `view` tell that it was answered by what `backend` gave `first`, and what is replayed is that answer as it was
  /// given, decoded again. It does not become young again by that: a day later `again` finds none.
  void expect_answered_by(const JobView& first, const JobView& view, const job::JobSpec& again,
                          std::string_view backend) {
    const Json told = result(view.id);
    ASSERT_THAT(told["cached"], SizeIs(1));
    const Json& cached = told["cached"][0];
    EXPECT_EQ(cached["job_id"], first.id.value);
    EXPECT_EQ(cached["backend"], backend);
    EXPECT_THAT(told["path"][1]["reason"].get<std::string>(), HasSubstr(first.id.value));
    const lineage::WorkRecord work = world_.engine->lineage(view.id)->work.at(0);
    EXPECT_EQ(work.cached->source, first.id);
    EXPECT_EQ(work.cached->age_ms, cached["age_ms"]);
    for (const job::Event& event : world_.events(view.id))
      if (event.type == "step.finished") {
        EXPECT_EQ(event.data.value()["cached_from"], first.id.value);
        EXPECT_EQ(event.data.value()["cached_age_ms"], cached["age_ms"]);
      }
    EXPECT_EQ(replayed(view.id), world_.engine->lineage(view.id)->result_sha256);
    world_.clock.advance(std::chrono::hours(24));
    const JobView late = world_.run(again);
    EXPECT_EQ(late.state, job::JobState::kFailed);
    EXPECT_EQ(late.error_number, static_cast<std::uint16_t>(errors::kPeerTimeout));
  }

  EngineWorld world_;
};

TEST_F(EngineFallback, a_queue_that_is_stated_to_be_too_long_goes_to_the_simulator_and_nothing_is_sent) {
  world_.provider->plan.ready_in_ms = 3'600'000;
  world_.open();
  const JobView view = world_.run(paid({"cached_result", {"simulator.statevector", {kQueueWait}}}));
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_EQ(world_.provider->submissions(), 0);
  EXPECT_THAT(path(view.id), ElementsAre("fake.provider left queue_wait", "cached_result left queue_wait",
                                         "simulator.statevector answered queue_wait"));
  EXPECT_EQ(result(view.id)["path"][0]["number"], 5020);
  EXPECT_EQ(result(view.id)["path"][1]["number"], 5024);
  EXPECT_EQ(replayed(view.id), world_.engine->lineage(view.id)->result_sha256);
}

TEST_F(EngineFallback, an_entry_that_does_not_name_the_cause_is_passed_over) {
  never_done(backend::WorkState::kQueued);
  world_.open();
  const JobView view = world_.run(
      paid({{"cached_result", {kTimeout}}, {"cpu.tabu", {kUnavailable}}, {"simulator.statevector", {kQueueWait}}}));
  // A solver runs no circuits whatever the cause is, so the plan refuses to name it.
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kNoPlan));
  const JobView other = world_.run(paid({{"cached_result", {kTimeout}}, {"simulator.statevector", {kQueueWait}}}));
  ASSERT_EQ(other.state, job::JobState::kSucceeded) << other.error;
  EXPECT_THAT(path(other.id), ElementsAre("fake.provider left queue_wait", "cached_result passed_over queue_wait",
                                          "simulator.statevector answered queue_wait"));
  EXPECT_EQ(world_.provider->cancels(), 1);
  EXPECT_EQ(world_.submitter->submissions(other.id)->at(0).state, submit::SubmissionState::kCancelled);
  // The step's event tells the same way.
  for (const job::Event& event : world_.events(other.id))
    if (event.type == "step.finished") {
      EXPECT_EQ(event.data.value()["path"], result(other.id)["path"]);
    }
}

TEST_F(EngineFallback, where_no_entry_names_the_cause_the_job_fails_with_the_error_of_the_backend) {
  world_.provider->plan.on_submit = {submit::OnSubmit::kRefuse};
  world_.open();
  const JobView view = world_.run(paid({{"simulator.statevector", {kTimeout}}}));
  EXPECT_EQ(view.state, job::JobState::kFailed);
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kBackendRefused));
}

TEST_F(EngineFallback, a_backend_that_takes_too_long_is_answered_by_an_earlier_answer_whose_age_is_shown) {
  world_.provider->plan.calibrated_at = Timestamp{world_.clock.now().micros - 1'000'000};
  world_.open();
  const JobView first = world_.run(world_.paid_job());
  ASSERT_EQ(first.state, job::JobState::kSucceeded) << first.error;
  never_done(backend::WorkState::kRunning);
  world_.clock.advance(std::chrono::seconds(100));
  job::JobSpec again = world_.paid_job();
  again.seed = 99;  // says how the answer is looked for, not what is asked
  const JobView view = world_.run(again);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_THAT(path(view.id), ElementsAre("fake.provider left timeout", "cached_result answered timeout"));
  const Json told = result(view.id);
  EXPECT_EQ(told["pubs"], result(first.id)["pubs"]);
  ASSERT_THAT(told["cached"], SizeIs(1));
  EXPECT_GE(told["cached"][0]["age_ms"], 100'000);
  EXPECT_LT(told["cached"][0]["age_ms"], 130'000);  // the step waited for its 20 s meanwhile
  EXPECT_GT(*world_.engine->lineage(view.id)->work.at(0).calibration_age_ms, 100'000);
  expect_answered_by(first, view, again, "fake.provider");
}

TEST_F(EngineFallback, no_earlier_answer_leaves_tenant_project_data_class_policy_question_or_age) {
  world_.open();
  ASSERT_EQ(world_.run(world_.paid_job()).state, job::JobState::kSucceeded);
  never_done(backend::WorkState::kRunning);
  const auto cached = [&](const job::JobSpec& spec, std::string_view tenant) {
    const JobView view = run_as(spec, tenant);
    return view.state == job::JobState::kSucceeded && !result(view.id)["cached"].empty();
  };
  job::JobSpec spec = world_.paid_job();
  EXPECT_TRUE(cached(spec, "default"));
  EXPECT_FALSE(cached(spec, "somebody else"));
  job::JobSpec pilot = spec;
  pilot.schedule.project = "pilot";
  EXPECT_FALSE(cached(pilot, "default"));
  job::JobSpec secret = spec;
  secret.business.data_class = "restricted";
  EXPECT_FALSE(cached(secret, "default"));
  job::Fallback elsewhere("cached_result");
  elsewhere.from = {"simulator.statevector"};
  job::JobSpec narrow = spec;
  narrow.fallbacks = {elsewhere};
  EXPECT_FALSE(cached(narrow, "default"));
  job::JobSpec more = spec;
  std::get<job::Program>(more.work).pubs[0].shots = 11;
  EXPECT_FALSE(cached(more, "default"));
  job::Fallback young("cached_result");
  young.age_max_ms = 1;
  job::JobSpec fresh = spec;
  fresh.fallbacks = {young};
  EXPECT_FALSE(cached(fresh, "default"));
}

/// A problem is asked about as it is after the exact reductions, whoever solves it.
class EngineFallbackOfProblem : public EngineFallback {
 protected:
  EngineFallbackOfProblem() {
    spec_ = world_.classical_job();
    spec_.fallbacks = {"cached_result"};
    spec_.limits.retry.max_attempts = 1;
  }
  void fail_with(ErrorNumber number) {
    world_.main().before = [=](std::stop_token) { return make_error(number, "the solver gave up"); };
  }
  /// The answer of an earlier job was used.
  bool cached(const job::JobSpec& spec, std::string_view tenant = "default") {
    const JobView view = run_as(spec, tenant);
    return view.state == job::JobState::kSucceeded && !result(view.id)["cached"].empty();
  }
  job::JobSpec spec_;
};

TEST_F(EngineFallbackOfProblem, a_solver_that_takes_too_long_is_answered_by_an_earlier_answer_whose_age_is_shown) {
  world_.open();
  const JobView first = world_.run(spec_);
  ASSERT_EQ(first.state, job::JobState::kSucceeded) << first.error;
  EXPECT_THAT(result(first.id)["cached"], IsEmpty());
  fail_with(errors::kPeerTimeout);
  world_.clock.advance(std::chrono::seconds(100));
  job::JobSpec again = spec_;
  again.seed = 99;  // how it is looked for, not what is asked; nor is the time
  again.limits.time_ms *= 2;
  const JobView view = world_.run(again);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_THAT(path(view.id), ElementsAre("cpu.tabu left timeout", "cached_result answered timeout"));
  const Json told = result(view.id);
  EXPECT_EQ(told["best"]["objective"], result(first.id)["best"]["objective"]);
  EXPECT_EQ(told["best"]["solution"], result(first.id)["best"]["solution"]);
  ASSERT_THAT(told["cached"], SizeIs(1));
  EXPECT_EQ(told["cached"][0]["step"], "solve");
  EXPECT_EQ(told["cached"][0]["age_ms"], 100'000);
  expect_answered_by(first, view, again, "cpu.tabu");
}

TEST_F(EngineFallbackOfProblem, no_earlier_answer_leaves_tenant_project_data_class_policy_problem_or_age) {
  world_.open();
  ASSERT_EQ(world_.run(spec_).state, job::JobState::kSucceeded);
  fail_with(errors::kBackendUnavailable);
  EXPECT_TRUE(cached(spec_));
  EXPECT_FALSE(cached(spec_, "somebody else"));
  job::JobSpec pilot = spec_;
  pilot.schedule.project = "pilot";
  EXPECT_FALSE(cached(pilot));
  job::JobSpec secret = spec_;
  secret.business.data_class = "restricted";
  EXPECT_FALSE(cached(secret));
  job::Fallback entry("cached_result");
  entry.from = {"cpu.annealing"};
  job::JobSpec narrow = spec_;
  narrow.fallbacks = {entry};
  EXPECT_FALSE(cached(narrow));
  // Whose answer it was may not take this job's work.
  world_.tier("cpu.annealing").before = world_.main().before;
  job::JobSpec elsewhere = spec_;
  elsewhere.policy.avoid = {"cpu.tabu"};
  EXPECT_FALSE(cached(elsewhere));
  job::Fallback young("cached_result");
  young.age_max_ms = 1;
  job::JobSpec fresh = spec_;
  fresh.fallbacks = {young};
  world_.clock.advance(std::chrono::seconds(1));
  EXPECT_FALSE(cached(fresh));
  job::JobSpec other = world_.spec({{"problem", EngineWorld::max_cut(7)}, {"refinement", {{"mode", "off"}}}});
  other.fallbacks = spec_.fallbacks;
  other.limits = spec_.limits;
  EXPECT_FALSE(cached(other));
  EXPECT_TRUE(cached(spec_));
}

/// Whose answer was only found is none to a job that asks for a proof.
TEST_F(EngineFallbackOfProblem, an_earlier_answer_is_no_proof_unless_it_was_one) {
  world_.open();
  ASSERT_EQ(world_.run(spec_).state, job::JobState::kSucceeded);
  fail_with(errors::kPeerTimeout);
  const JobView view = world_.run(spec_);
  EXPECT_FALSE(result(view.id)["best"]["proved"].get<bool>());
  world_.main().before = {};
  world_.main().proves = true;
  ASSERT_TRUE(result(world_.run(spec_).id)["best"]["proved"].get<bool>());
  fail_with(errors::kPeerTimeout);
  const JobView proved = world_.run(spec_);
  EXPECT_THAT(result(proved.id)["cached"], SizeIs(1));
  EXPECT_TRUE(result(proved.id)["best"]["proved"].get<bool>());
}

TEST_F(EngineFallback, what_a_backend_that_is_avoided_said_is_not_used) {
  world_.open();
  job::JobSpec simulated = world_.paid_job();
  simulated.policy.backends = {"simulator.statevector"};
  ASSERT_EQ(world_.run(simulated).state, job::JobState::kSucceeded);
  never_done(backend::WorkState::kRunning);
  job::JobSpec free = world_.paid_job();
  free.policy.backends = {};
  free.policy.avoid = {"simulator.statevector"};
  const JobView view = world_.run(free);
  EXPECT_EQ(view.state, job::JobState::kFailed);  // it would have fitted, were it not avoided
  EXPECT_EQ(view.error_number, static_cast<std::uint16_t>(errors::kPeerTimeout));
}

TEST_F(EngineFallback, a_part_is_kept_and_the_whole_answer_of_another_is_used) {
  world_.provider->plan.shots_given = 4;
  world_.open();
  const JobView view = world_.run(paid({{"simulator.statevector", {kPartial}}}));
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_THAT(path(view.id), ElementsAre("fake.provider left partial", "simulator.statevector answered partial"));
  const Json told = result(view.id);
  EXPECT_EQ(told["partial"], false);
  EXPECT_FALSE(world_.engine->job(view.id)->partial);
  EXPECT_EQ(told["confidence"]["share_returned"], 1);
  const lineage::WorkRecord work = world_.engine->lineage(view.id)->work.at(0);
  ASSERT_THAT(work.partial, SizeIs(1));
  EXPECT_EQ(work.partial[0].got, 4u);
  EXPECT_EQ(work.partial[0].asked, 10u);
  EXPECT_TRUE(world_.store->get(store::Table::kBlob, work.partial[0].raw_sha256)->has_value());
}

TEST_F(EngineFallback, half_an_answer_that_nobody_completes_says_so_with_figures_and_counts_less) {
  world_.provider->plan.shots_given = 4;
  world_.provider->plan.calibrated_at = world_.clock.now();
  world_.open();
  const JobView view = world_.run(paid({{"simulator.statevector", {kTimeout}}}));
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_THAT(path(view.id), ElementsAre("fake.provider left partial", "simulator.statevector passed_over partial",
                                         "fake.provider answered partial"));
  const Json told = result(view.id);
  EXPECT_EQ(told["partial"], true);
  EXPECT_TRUE(world_.engine->job(view.id)->partial);
  EXPECT_EQ(world_.engine->job(view.id)->document()["partial"], true);
  EXPECT_EQ(told["partial_work"][0]["got"], 4);
  EXPECT_EQ(told["partial_work"][0]["asked"], 10);
  EXPECT_DOUBLE_EQ(told["confidence"]["share_returned"], 0.4);
  EXPECT_LE(told["confidence"]["value"], 0.4);
  EXPECT_EQ(replayed(view.id), world_.engine->lineage(view.id)->result_sha256);
  // It answers no later job: half an answer is none.
  never_done(backend::WorkState::kRunning);
  EXPECT_EQ(world_.run(paid({"cached_result"})).error_number, static_cast<std::uint16_t>(errors::kPeerTimeout));
}

/// A second provider, for whom the chain leaves the first one while its queue is long.
class EngineFallbackToProvider : public EngineFallback {
 protected:
  EngineFallbackToProvider() {
    auto owned = std::make_unique<submit::FakeProvider>(world_.clock, backend::SubmitSafety::kB, "fake.second");
    second_ = owned.get();
    world_.backends.add(std::move(owned));
    world_.provider->plan.ready_in_ms = 3'600'000;
    spec_ = paid({{"simulator.statevector", {kTimeout}}, {"fake.second", {kQueueWait}}});
  }
  JobId run_until_suspended() {
    world_.open();
    const JobId id = world_.admit(spec_);
    admitted_.set_value(id);
    while (world_.engine->job(id)->state != job::JobState::kSuspended) std::this_thread::yield();
    return id;
  }
  /// The job, from within a call to a provider: what the provider answers is the last thing that this start learns.
  void suspend() { EXPECT_THAT(world_.engine->suspend(admitted_.get_future().get(), "user", ""), Succeeds()); }
  void expect_that_the_second_answered(const JobId& id) {
    const JobView view = world_.wait(id);
    ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
    EXPECT_EQ(world_.provider->submissions(), 0);
    EXPECT_THAT(second_->book(), SizeIs(1));
    EXPECT_EQ(world_.hold(id).play_money.settled.usd_micros, 700);
    EXPECT_THAT(path(id), ElementsAre("fake.provider passed_over -", "simulator.statevector passed_over -",
                                      "fake.second answered -"));
    EXPECT_EQ(replayed(id), world_.engine->lineage(id)->result_sha256);
  }

  std::promise<JobId> admitted_;
  submit::FakeProvider* second_ = nullptr;
  job::JobSpec spec_;
};

TEST_F(EngineFallbackToProvider, work_that_a_later_backend_has_is_waited_for_though_an_earlier_one_is_free_by_now) {
  second_->plan.during_submit = [&] { suspend(); };
  const JobId id = run_until_suspended();
  world_.provider->plan.ready_in_ms.reset();
  ASSERT_THAT(world_.engine->resume(id, "user"), Succeeds());
  expect_that_the_second_answered(id);
}

TEST_F(EngineFallbackToProvider, an_answer_that_a_later_backend_billed_is_used_though_an_earlier_one_is_free_by_now) {
  int decoded = 0;
  second_->plan.during_decode = [&](const backend::RawResult&) {
    if (++decoded == 2) suspend();  // the first time is before it is settled
  };
  const JobId id = run_until_suspended();
  world_.provider->plan.ready_in_ms.reset();
  ASSERT_THAT(world_.engine->resume(id, "user"), Succeeds());
  expect_that_the_second_answered(id);
}

TEST_F(EngineFallbackToProvider, what_an_earlier_backend_billed_before_is_told_and_it_is_sent_nothing_more) {
  world_.provider->plan.ready_in_ms.reset();
  world_.provider->plan.shots_given = 4;
  spec_ = paid({{"fake.second", {kPartial}}});
  second_->plan.during_submit = [&] { suspend(); };
  const JobId id = run_until_suspended();
  ASSERT_THAT(world_.engine->resume(id, "user"), Succeeds());
  ASSERT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  EXPECT_THAT(world_.provider->book(), SizeIs(1));
  EXPECT_THAT(second_->book(), SizeIs(1));
  EXPECT_THAT(path(id), ElementsAre("fake.provider left partial", "fake.second answered partial"));
  EXPECT_EQ(world_.engine->lineage(id)->work.at(0).billed.usd_micros, 1400);
}

TEST_F(EngineFallbackToProvider, no_fallback_and_no_earlier_answer_leaves_the_regions_of_the_house) {
  constexpr const char* kFree = "rules: [{name: free, requires_simulation: false}]\n";
  constexpr const char* kAtHome = "rules: [{name: at-home, requires_simulation: false, regions: [eu]}]\n";
  second_->set_region("eu");  // the other one is elsewhere
  world_.provider->plan.ready_in_ms.reset();
  world_.open();
  world_.set_rules(kFree);
  const JobView first = world_.run(world_.paid_job());
  ASSERT_EQ(first.state, job::JobState::kSucceeded) << first.error;
  second_->plan.polls_until_done = 1'000'000'000;
  second_->plan.until_done = backend::WorkState::kRunning;
  job::JobSpec spec = paid({"cached_result"});
  spec.policy.backends = {"fake.provider", "fake.second"};
  world_.provider->plan.accepts_work = false;
  const JobView free = world_.run(spec);
  ASSERT_EQ(free.state, job::JobState::kSucceeded) << free.error;
  EXPECT_EQ(result(free.id)["cached"][0]["job_id"], first.id.value);
  world_.set_rules(kAtHome);
  const JobView held = world_.run(spec);
  EXPECT_EQ(held.state, job::JobState::kFailed);
  EXPECT_EQ(held.error_number, static_cast<std::uint16_t>(errors::kPeerTimeout));

  world_.provider->plan.accepts_work = true;
  spec = paid({"fake.provider"});
  spec.policy.backends = {"fake.second"};
  const int sent = world_.provider->submissions();
  const JobView named = world_.run(spec);
  EXPECT_EQ(named.error_number, static_cast<std::uint16_t>(errors::kNoPlan));
  EXPECT_THAT(named.error, HasSubstr("'at-home' allows the regions eu"));
  EXPECT_EQ(world_.provider->submissions(), sent);
  world_.set_rules(kFree);
  const JobView followed = world_.run(spec);
  EXPECT_EQ(followed.state, job::JobState::kSucceeded) << followed.error;
  EXPECT_THAT(path(followed.id), ElementsAre("fake.second left timeout", "fake.provider answered timeout"));
}

TEST_F(EngineFallback,
       a_provider_that_has_the_work_and_is_silent_for_a_heartbeat_is_left_long_before_its_time_is_over) {
  world_.provider->plan.answers_polls = false;
  world_.open();
  job::JobSpec spec = paid({{"simulator.statevector", {kTimeout}}});
  spec.limits.heartbeat_ms = 3'000;
  const Instant begin = world_.clock.monotonic();
  const JobView view = world_.run(spec);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_LT(world_.clock.monotonic() - begin, EngineOptions{}.remote_deadline / 2);
  EXPECT_THAT(path(view.id), ElementsAre("fake.provider left timeout", "simulator.statevector answered timeout"));
  EXPECT_EQ(result(view.id)["path"][0]["number"], static_cast<int>(errors::kPeerTimeout));
  EXPECT_EQ(world_.provider->cancels(), 1);
}

TEST_F(EngineFallbackToProvider, who_takes_the_work_over_has_to_have_room_for_it_himself) {
  resilience::Gates gates(world_.executor, world_.clock, *world_.store, world_.log,
                          {{"fake.provider", {.calls_max = 1}}, {"fake.second", {.calls_max = 1}}});
  const auto enter = [&](const std::string& backend) {
    return gates.enter(backend, {}, Deadline(world_.clock.monotonic())).map([](const resilience::Gates::Pass&) {});
  };
  world_.gates = &gates;
  second_->plan.during_submit = [&] {
    EXPECT_THAT(enter("fake.second"), FailsWith(errors::kBackendBusy));
    EXPECT_THAT(enter("fake.provider"), Succeeds());
  };
  world_.open();
  EXPECT_EQ(world_.run(spec_).state, job::JobState::kSucceeded);
  EXPECT_EQ(second_->submissions(), 1);
  world_.close();
}

}  // namespace
}  // namespace tandem::engine
