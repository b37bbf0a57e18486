// What others see of jobs: pages, events, listeners, lineage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tandem/base/hash.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"
#include "tandem/orchestrate/submit/reconcile.h"

namespace tandem::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class EngineRead : public testing::Test {
 protected:
  EngineWorld world_;
};

// Reading

TEST_F(EngineRead, jobs_are_listed_newest_first_by_pages_and_by_state) {
  world_.open(0);
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(world_.admit(world_.classical_job(fmt::format("job {}", i))).value);
    world_.clock.advance(std::chrono::milliseconds(2));
  }
  ASSERT_THAT(world_.engine->cancel(JobId(ids[3]), "user", ""), Succeeds());
  std::vector<std::string> listed;
  std::string token;
  do {
    const auto page = world_.engine->jobs({.limit = 2, .page_token = token});
    ASSERT_THAT(page, Succeeds());
    for (const JobView& view : page->jobs) listed.push_back(view.id.value);
    token = page->next_page_token;
  } while (!token.empty());
  EXPECT_THAT(listed, ElementsAre(ids[4], ids[3], ids[2], ids[1], ids[0]));
  const auto queued = world_.engine->jobs({.state = job::JobState::kQueued, .limit = 3});
  ASSERT_THAT(queued->jobs, SizeIs(3));
  EXPECT_EQ(queued->jobs[0].id.value, ids[4]);
  EXPECT_EQ(queued->jobs[1].id.value, ids[2]);
  const auto rest =
      world_.engine->jobs({.state = job::JobState::kQueued, .limit = 3, .page_token = queued->next_page_token});
  ASSERT_THAT(rest->jobs, SizeIs(1));
  EXPECT_EQ(rest->jobs[0].id.value, ids[0]);
}

TEST_F(EngineRead, jobs_are_listed_by_the_error_they_ended_with_and_pages_do_not_shift_when_others_end) {
  world_.open(0);
  std::vector<std::string> ids;
  const auto admit = [&] {
    ids.push_back(world_.admit(world_.classical_job()).value);
    world_.clock.advance(std::chrono::milliseconds(2));
  };
  for (int i = 0; i < 7; ++i) admit();
  for (const int i : {0, 1, 3, 5, 6}) ASSERT_THAT(world_.engine->cancel(JobId(ids[i]), "user", ""), Succeeds());
  JobQuery query{.error_number = static_cast<std::uint16_t>(errors::kCancelled), .limit = 2};
  std::vector<std::string> listed;
  do {
    const auto page = world_.engine->jobs(query);
    ASSERT_THAT(page, Succeeds());
    for (const JobView& view : page->jobs) {
      listed.push_back(view.id.value);
      EXPECT_EQ(view.error_number, *query.error_number);
    }
    query.page_token = page->next_page_token;
    admit();  // newer ones belong before the first page
    ASSERT_THAT(world_.engine->cancel(JobId(ids.back()), "user", ""), Succeeds());
  } while (!query.page_token.empty());
  EXPECT_THAT(listed, ElementsAre(ids[6], ids[5], ids[3], ids[1], ids[0]));
  EXPECT_THAT(world_.engine->jobs({.error_number = 5014})->jobs, IsEmpty());
  // Together with a state.
  query.page_token.clear();
  query.state = job::JobState::kFailed;
  EXPECT_THAT(world_.engine->jobs(query)->jobs, IsEmpty());
  query.state = job::JobState::kCancelled;
  EXPECT_THAT(world_.engine->jobs(query)->jobs, SizeIs(2));
}

TEST_F(EngineRead, a_job_whose_row_cannot_be_read_is_named_and_does_not_keep_the_others_from_the_list) {
  world_.open(0);
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(world_.admit(world_.classical_job()).value);
    world_.clock.advance(std::chrono::milliseconds(2));
  }
  std::size_t told = 0;
  for (const char* const damage : {"{", R"({"state":"elsewhere"})"}) {
    ASSERT_THAT(world_.store->commit_and_wait(store::Batch().put(store::Table::kJob, ids[1], damage)), Succeeds());
    for (const JobQuery& query : {JobQuery{}, JobQuery{.state = job::JobState::kQueued}}) {
      const auto page = world_.engine->jobs(query);
      ASSERT_THAT(page, Succeeds());
      ASSERT_THAT(page->jobs, SizeIs(2));
      EXPECT_EQ(page->jobs[0].id.value, ids[2]);
      EXPECT_EQ(page->jobs[1].id.value, ids[0]);
      ASSERT_EQ(world_.log.count("job.unreadable"), ++told);
      EXPECT_EQ(world_.log.entries().back().fields.at("job_id"), ids[1]);
    }
  }
  EXPECT_FALSE(world_.engine->job(JobId(ids[1])));  // whoever asks for it is told why not
}

TEST_F(EngineRead, an_objective_whose_text_is_a_rounded_integer_is_read_back) {
  world_.open();
  const JobView view = world_.run(world_.spec({{"name", "large"},
                                               {"problem",
                                                {{"type", "qubo"},
                                                 {"num_variables", 3},
                                                 {"linear", {-123456789012345680, -16, 1.5}},
                                                 {"quadratic", Json::array()}}},
                                               {"refinement", {{"mode", "off"}}}}));
  EXPECT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_EQ(view.objective, -123456789012345696.0);  // "-123456789012345700" in every document
  EXPECT_EQ(world_.canonical_result(view.id)["best"]["objective"], -123456789012345696.0);
  EXPECT_THAT(world_.engine->lineage(view.id), Succeeds());
}

TEST_F(EngineRead, what_is_not_there_is_said) {
  world_.open(0);
  const JobId unknown("job_01900000-0000-7000-8000-00000000dead");
  EXPECT_THAT(world_.engine->job(unknown), FailsWith(errors::kJobNotFound));
  EXPECT_THAT(world_.engine->events(unknown, 0, 10), FailsWith(errors::kJobNotFound));
  EXPECT_THAT(world_.engine->cancel(unknown, "user", ""), FailsWith(errors::kJobNotFound));
  const JobId id = world_.admit(world_.classical_job());
  EXPECT_THAT(world_.engine->result(id), FailsWith(errors::kResultNotReady));
  EXPECT_THAT(world_.engine->plan_document(id), FailsWith(errors::kResultNotReady));
  EXPECT_THAT(world_.engine->lineage(id), FailsWith(errors::kResultNotReady));
  EXPECT_THAT(world_.engine->wait(id, Deadline::after(world_.clock, std::chrono::nanoseconds(0))),
              FailsWith(errors::kResultNotReady));
}

TEST_F(EngineRead, listeners_hear_every_event_once_and_nothing_after_they_unsubscribe) {
  world_.open(1);
  std::mutex mutex;
  std::vector<std::uint64_t> heard;
  std::vector<std::string> steps;
  auto subscription = world_.engine->subscribe(
      [&](const job::Event& event) {
        const std::lock_guard lock(mutex);
        heard.push_back(event.sequence);
      },
      [&](const Progress& progress) {
        const std::lock_guard lock(mutex);
        steps.push_back(progress.step);
      },
      nullptr);
  const JobView view = world_.run(world_.classical_job());
  world_.engine->drain(Deadline::never(), Deadline::never());
  subscription.reset();
  EXPECT_THAT(heard, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(steps, testing::Each("solve"));
  EXPECT_THAT(steps, Not(IsEmpty()));
}

TEST_F(EngineRead, listeners_to_one_job_hear_of_it_only) {
  world_.open(0);
  const JobId mine = world_.admit(world_.classical_job());
  const JobId other = world_.admit(world_.classical_job());
  std::mutex mutex;
  std::map<std::string, std::set<std::string>> heard;  // jobs, by who heard of them
  const auto note = [&](const std::string& who) {
    return [&, who](const job::Event& event) {
      const std::lock_guard lock(mutex);
      heard[who].insert(event.job.value);
    };
  };
  auto first = world_.engine->subscribe(mine, note("first"), nullptr, nullptr);
  auto second = world_.engine->subscribe(mine, note("second"), nullptr, nullptr);
  auto every = world_.engine->subscribe(note("every"), nullptr, nullptr);
  ASSERT_THAT(world_.engine->cancel(other, "user", ""), Succeeds());
  first.reset();
  ASSERT_THAT(world_.engine->cancel(mine, "user", ""), Succeeds());
  second.reset();
  every.reset();
  const std::map<std::string, std::set<std::string>> expected = {{"every", {mine.value, other.value}},
                                                                 {"second", {mine.value}}};
  EXPECT_EQ(heard, expected);
}

TEST_F(EngineRead, listeners_to_one_job_hear_of_its_progress_only) {
  world_.open(1);
  const JobId other = world_.run(world_.classical_job()).id;
  std::mutex mutex;
  std::vector<JobId> heard;
  const auto note = [&](const Progress& progress) {
    const std::lock_guard lock(mutex);
    heard.push_back(progress.job);
  };
  const auto listening = world_.engine->subscribe(other, nullptr, note, nullptr);
  world_.run(world_.classical_job());
  world_.engine->drain(Deadline::never(), Deadline::never());
  EXPECT_THAT(heard, IsEmpty());
}

TEST_F(EngineRead, listeners_hear_of_submissions_too) {
  world_.open(1);
  std::mutex mutex;
  std::map<std::uint64_t, std::string> heard;
  auto subscription = world_.engine->subscribe(
      [&](const job::Event& event) {
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(heard.emplace(event.sequence, event.type).second);
      },
      nullptr, nullptr);
  const JobView view = world_.run(world_.paid_job());
  world_.engine->drain(Deadline::never(), Deadline::never());
  subscription.reset();
  std::map<std::uint64_t, std::string> logged;
  for (const job::Event& event : world_.events(view.id)) logged.emplace(event.sequence, event.type);
  EXPECT_EQ(heard, logged);
  EXPECT_THAT(world_.event_types(view.id), testing::Contains("submission.settled"));
}

// Lineage

TEST_F(EngineRead, a_submission_that_is_found_after_the_job_went_on_is_an_orphan_of_its_lineage) {
  world_.provider->plan.on_submit = {submit::OnSubmit::kAcceptLate};
  world_.provider->plan.late = std::chrono::hours(1);  // long after the settle window
  world_.open();
  job::JobSpec spec = world_.paid_job();
  spec.fallbacks = {"simulator.statevector"};
  const JobView view = world_.run(spec);
  ASSERT_EQ(view.state, job::JobState::kSucceeded) << view.error;
  EXPECT_THAT(world_.engine->lineage(view.id)->orphans, IsEmpty());
  const Json before = world_.engine->lineage(view.id)->document();

  world_.clock.advance(std::chrono::hours(2));
  submit::Reconciler reconciler(*world_.submitter, world_.backends);
  // The engine's own sweep may have the submission at this moment; then it is left alone and looked at again.
  for (int i = 0; i < 1000 && world_.engine->lineage(view.id)->orphans.empty(); ++i)
    ASSERT_THAT(reconciler.sweep({}), Succeeds());
  const lineage::LineageRecord after = *world_.engine->lineage(view.id);
  ASSERT_THAT(after.orphans, SizeIs(1));
  const lineage::OrphanRecord& orphan = after.orphans[0];
  EXPECT_EQ(orphan.token, world_.provider->book().at(0));
  EXPECT_EQ(orphan.step, "0/run");
  EXPECT_EQ(orphan.backend, "fake.provider");
  EXPECT_EQ(orphan.handle, "work-1");
  EXPECT_EQ(orphan.billed.usd_micros, 700);
  EXPECT_EQ(orphan.raw_sha256, sha256("result").hex());
  EXPECT_EQ(orphan.calibration_id, "cal_1");
  EXPECT_LT(orphan.intent_at, orphan.found_at);
  // Its bytes are kept, its bill is posted, and what was recorded of the job itself stays as it was.
  EXPECT_TRUE(world_.store->get(store::Table::kBlob, orphan.raw_sha256).value());
  EXPECT_EQ(world_.hold(view.id).play_money.settled.usd_micros, 700);
  Json without = after.document();
  without["orphans"] = Json::array();
  EXPECT_EQ(without, before);
  EXPECT_EQ(parse_json(world_.engine->result(view.id).value(), "result").value()["billed_usd_micros"], 0);
  EXPECT_EQ(world_.event_types(view.id).back(), "submission.orphan");
}

// Meter and tracer

TEST_F(EngineRead, jobs_and_submissions_are_counted_by_what_became_of_them) {
  world_.open(1);
  world_.run(world_.classical_job());
  world_.run(world_.paid_job());
  world_.close();
  EXPECT_EQ(world_.meter.total("tandem_jobs_admitted_total"), 2);
  EXPECT_EQ(world_.meter.total("tandem_jobs_ended_total"), 2);
  for (const char* state : {"reserved", "intent", "confirmed", "settled"})
    EXPECT_EQ(world_.meter.total(fmt::format("tandem_submissions_total{{state={}}}", state)), 1) << state;
  EXPECT_EQ(world_.meter.total("tandem_submissions_total{state=held}"), 0);
}

/// Solve with its baseline, two rounds of arms, and the end: the walk is asked what comes next before each and after the last.
TEST_F(EngineRead, each_step_of_the_walk_is_a_span_of_its_job) {
  world_.open(1);
  const std::string classical = world_.run(world_.classical_job()).id.value;
  const std::string hybrid = world_.run(world_.hybrid_job()).id.value;
  world_.close();
  std::map<std::string, int> spans;
  for (const RecordingTracer::Entry& span : world_.tracer.ended()) {
    EXPECT_EQ(span.name, "walk.next");
    ++spans[span.job_id];
  }
  EXPECT_EQ(spans, (std::map<std::string, int>{{classical, 2}, {hybrid, 4}}));
}

}  // namespace
}  // namespace tandem::engine
