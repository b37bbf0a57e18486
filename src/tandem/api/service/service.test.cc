// LocalService, the explanation and problem documents. RemoteService: remote_service.test.cc, and api/http with a server.
#include "tandem/api/service/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tandem/orchestrate/engine/testing/cut_store.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::service {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class LocalServiceTest : public testing::Test {
 protected:
  LocalServiceTest() {
    world_.open(2);
    service_ = make_local_service({*world_.engine, world_.backends, *world_.submitter, world_.clock, world_.executor},
                                  identity::local_principal());
  }
  ~LocalServiceTest() override { gate_.open(); }

  void close_gate() {
    world_.main().before = [this](std::stop_token stop) -> std::optional<Error> {
      gate_.pass(stop);
      return std::nullopt;
    };
  }
  std::vector<Json> logged(const JobId& id) {
    std::vector<Json> out;
    for (const job::Event& event : world_.events(id)) out.push_back(Json::parse(event.numbered()));
    return out;
  }
  /// The events that a follower heard.
  std::vector<Json> follow(const JobId& id, Deadline deadline = Deadline::never()) {
    std::vector<Json> heard;
    followed_ = service_->follow(
        id, {.on_event = [&](const Json& event) { heard.push_back(event); }, .on_progress = {}}, deadline);
    return heard;
  }

  engine::Gate gate_;  // before the world, whose workers pass it
  engine::EngineWorld world_;
  std::shared_ptr<Service> service_;
  Result<Json> followed_ = Json();
};

TEST_F(LocalServiceTest, a_follower_hears_every_event_of_the_job_and_its_submissions_once_and_in_order) {
  world_.provider->plan.during_submit = [this] { gate_.pass({}); };
  const JobId id = world_.admit(world_.paid_job());
  std::vector<Json> heard;
  std::thread follower([&] { heard = follow(id); });
  gate_.wait_for_arrivals(1);
  gate_.open();
  follower.join();
  ASSERT_THAT(followed_, Succeeds());
  EXPECT_EQ((*followed_)["state"], "succeeded");
  EXPECT_EQ(heard, logged(id));
  EXPECT_EQ(heard.front()["type"], "job.queued");
  EXPECT_EQ(heard.back()["type"], "job.succeeded");
  std::vector<std::string> types;
  for (const Json& event : heard) types.push_back(event["type"]);
  for (const char* type : {"submission.reserved", "submission.intent", "submission.confirmed", "submission.settled"})
    EXPECT_THAT(types, Contains(type));
}

/// Orders of a round end on several threads at once, and other jobs write to the log between their events.
TEST_F(LocalServiceTest, followers_of_jobs_side_by_side_hear_their_own_events_only) {
  std::vector<JobId> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(world_.admit(world_.hybrid_job()));
  std::vector<std::vector<Json>> heard(ids.size());
  std::vector<std::thread> followers;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    followers.emplace_back([&, i] {
      const Watch watch{.on_event = [&, i](const Json& event) { heard[i].push_back(event); }, .on_progress = {}};
      EXPECT_THAT(service_->follow(ids[i], watch, Deadline::never()), Succeeds());
    });
  }
  for (std::thread& follower : followers) follower.join();
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(heard[i], logged(ids[i]));
}

TEST_F(LocalServiceTest, who_comes_while_the_same_request_is_being_committed_gets_the_job_of_the_other_one) {
  engine::CutStore slow(*world_.store);
  const auto engine = engine::Engine::start(world_.services(slow, *world_.submitter), {.workers = 0}).value();
  const auto service = make_local_service({*engine, world_.backends, *world_.submitter, world_.clock, world_.executor},
                                          identity::local_principal());
  JobId first;
  slow.before_commit([&] { first = world_.admit(world_.classical_job(), "key"); });
  const auto second = service->submit(world_.classical_job(), "key");
  ASSERT_THAT(second, Succeeds());
  EXPECT_EQ(*second, Json({{"job_id", first.value}, {"replayed", true}}));
  world_.wait(first);
  slow.before_commit([&] { first = world_.engine->retry(first, "again", "user").value().id; });
  const JobId original = first;
  const auto third = service->retry(original, "again");
  ASSERT_THAT(third, Succeeds());
  EXPECT_EQ(*third, Json({{"job_id", first.value}, {"replayed", true}}));
  world_.wait(first);
}

TEST_F(LocalServiceTest, a_job_that_has_ended_is_told_from_its_log) {
  const JobId id = world_.run(world_.hybrid_job()).id;
  EXPECT_EQ(follow(id), logged(id));
  EXPECT_THAT(followed_, Succeeds());
}

TEST_F(LocalServiceTest, a_log_of_several_pages_is_told_whole) {
  close_gate();
  const JobId id = world_.admit(world_.classical_job());
  gate_.wait_for_arrivals(1);
  store::Batch batch;
  for (int i = 0; i < 2500; ++i) {
    const job::Event event{.job = id, .type = "step.noted", .at = world_.clock.now(), .actor = "test"};
    batch.append(id.value, event.stored());
  }
  ASSERT_THAT(world_.store->commit_and_wait(std::move(batch)), Succeeds());
  gate_.open();
  std::vector<std::uint64_t> sequences;
  for (const Json& event : follow(id)) sequences.push_back(event["sequence"]);
  ASSERT_THAT(followed_, Succeeds());
  // Nobody else wrote: the log has this job's events only.
  std::vector<std::uint64_t> all(world_.store->last_sequence().value());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i + 1;
  EXPECT_GT(all.size(), 2500u);
  EXPECT_EQ(sequences, all);
}

TEST_F(LocalServiceTest, at_the_deadline_all_that_happened_was_told) {
  close_gate();
  const JobId id = world_.admit(world_.classical_job());
  gate_.wait_for_arrivals(1);
  EXPECT_EQ(follow(id, Deadline::after(world_.clock, std::chrono::nanoseconds(0))), logged(id));
  EXPECT_THAT(followed_, FailsWith(errors::kResultNotReady));
  EXPECT_THAT(logged(id), Not(IsEmpty()));
}

TEST_F(LocalServiceTest, a_follower_who_wants_nothing_told_still_waits_for_the_end) {
  const JobId id = world_.admit(world_.classical_job());
  const auto view = service_->follow(id, {}, Deadline::never());
  ASSERT_THAT(view, Succeeds());
  EXPECT_EQ((*view)["state"], "succeeded");
}

TEST_F(LocalServiceTest, progress_of_the_followed_job_and_no_other_is_passed_on) {
  close_gate();
  const JobId id = world_.admit(world_.classical_job());
  const JobId other = world_.admit(world_.classical_job());
  gate_.wait_for_arrivals(2);
  std::mutex mutex;
  std::set<std::string> jobs;
  // The work goes on when the follower listens.
  const Watch watch{.on_event = [&](const Json&) { gate_.open(); },
                    .on_progress =
                        [&](const engine::Progress& progress) {
                          const std::lock_guard lock(mutex);
                          jobs.insert(progress.job.value);
                        }};
  ASSERT_THAT(service_->follow(id, watch, Deadline::never()), Succeeds());
  world_.wait(other);
  EXPECT_THAT(jobs, testing::ElementsAre(id.value));
}

TEST_F(LocalServiceTest, a_job_that_is_not_there_cannot_be_followed) {
  follow(JobId("job_01900000-0000-7000-8000-00000000dead"));
  EXPECT_THAT(followed_, FailsWith(errors::kJobNotFound));
}

TEST(ProgressLine, shows_time_and_budget_best_gap_and_step) {
  const auto line = [](std::optional<double> objective, std::optional<double> bound) {
    return progress_line(
        {.job = JobId(""), .step = "solve", .objective = objective, .bound = bound, .elapsed_ms = 1500});
  };
  EXPECT_EQ(line(std::nullopt, std::nullopt), "1.5 s  solve");
  EXPECT_EQ(line(-250, std::nullopt), "1.5 s  best -250  gap -  solve");
  EXPECT_EQ(line(-250, -253), "1.5 s  best -250  gap 1.2 %  solve");
  EXPECT_EQ(line(200, 210), "1.5 s  best 200  gap 5.0 %  solve");
  EXPECT_EQ(line(0, 0), "1.5 s  best 0  gap 0.0 %  solve");
  EXPECT_EQ(line(0, -1), "1.5 s  best 0  gap -  solve");
  const engine::Progress progress{.job = JobId(""), .step = "solve", .elapsed_ms = 1500};
  EXPECT_EQ(progress_line(progress, 5000), "1.5 s of 5.0 s  solve");
  EXPECT_EQ(progress_line(progress, 1000), "1.5 s  solve");  // beside the solve itself
}

// Explanation

Json submission(const std::string& state, Json more = Json::object()) {
  Json out = {{"token", "t"},
              {"step", "0/run"},
              {"attempt", 1},
              {"backend", "lab.device"},
              {"emulated", true},
              {"handle", "h-7"},
              {"state", state},
              {"reason", "no answer"},
              {"reserved_usd_micros", 1'500'000},
              {"billed_usd_micros", nullptr},
              {"raw_sha256", ""}};
  out.update(more);
  return out;
}

TEST(Explain, money_that_bought_nothing_and_money_in_doubt_are_named) {
  const Json job = {
      {"job_id", "job_1"}, {"problem_type", "qubo"}, {"state", "failed"}, {"error", {{"message", "gone"}}}};
  const Json submissions = {{"submissions",
                             {submission("settled", {{"billed_usd_micros", 3}}),
                              submission("orphan", {{"billed_usd_micros", 700'000}, {"raw_sha256", "ab"}}),
                              submission("orphan", {{"billed_usd_micros", 200'000}}), submission("held")}}};
  const Json result = {{"explanation", Json::array()}};
  // A job without a result may have orphans as well.
  for (const Json& one : {Json(), result}) {
    const std::vector<std::string> lines = explain(job, Json(), one, submissions);
    std::vector<std::string> last(lines.end() - 3, lines.end());
    EXPECT_THAT(last[0], HasSubstr("Orphan: attempt 1 of step 0/run at lab.device (emulated), there h-7, was found"));
    EXPECT_THAT(last[0], HasSubstr("billed $0.70, its bytes are kept, not part of the result"));
    EXPECT_THAT(last[1], HasSubstr("billed $0.20, its bytes were gone"));
    EXPECT_THAT(last[2],
                HasSubstr("In doubt: attempt 1 of step 0/run at lab.device (emulated): no answer. $1.50 stays"));
  }
  const Json real = {{"submissions", {submission("held", {{"emulated", false}})}}};
  EXPECT_THAT(explain(job, Json(), Json(), real).back(), HasSubstr("at lab.device: no answer"));
  EXPECT_THAT(explain(job, Json(), Json(), Json()), SizeIs(2));
  EXPECT_THAT(explain(job, Json(), Json(), {{"submissions", Json::array({submission("settled")})}}), SizeIs(2));
}

TEST(Explain, a_job_that_failed_with_a_result_says_why_it_failed) {
  const Json job = {{"job_id", "job_1"},
                    {"problem_type", "qubo"},
                    {"state", "failed"},
                    {"error", {{"number", 5022}, {"message", "rejected by alice: not plausible"}}}};
  const auto lines = explain(job, Json(), Json::object(), Json());
  EXPECT_EQ(lines.at(1), "It ended with: rejected by alice: not plausible; the result below does not count");
  EXPECT_EQ(explain(job, Json(), Json(), Json()).at(1), "It ended with: rejected by alice: not plausible");
}

TEST(Explain, times_and_shares_are_written_as_a_person_says_them) {
  const Json job = {{"job_id", "job_1"}, {"problem_type", "qubo"}, {"state", "succeeded"}};
  const Json plan = {{"candidates",
                      {{{"backend", "lab.device"},
                        {"feasible", true},
                        {"estimate", {{"latency_ms", 12'000.0}, {"latency_basis", "measured"}}}}}}};
  const Json arm = {{"arm", "qaoa"},   {"backend", "lab.device"}, {"status", "done"},         {"regret", 0.5},
                    {"samples", 1000}, {"p_optimum", 0.009},      {"p_optimum_low", 0.00474}, {"p_optimum_high", 0.017},
                    {"rank", 0.61},    {"rank_low", 0.6},         {"rank_high", 0.625}};
  const Json result = {{"refinement", {{"arms", {arm}}}}};
  std::string text;
  for (const std::string& line : explain(job, plan, result, Json())) text += line + "\n";
  EXPECT_THAT(text, HasSubstr("latency 12 s (measured)"));
  EXPECT_THAT(text, HasSubstr("at the optimum 0.9 % (0.474 % to 1.7 %), better than random 61 % (60 % to 62.5 %)"));
}

TEST(Explain, a_race_says_who_ran_why_and_who_found_the_best) {
  const auto engine = [](const char* name, int strand, int units, Json best) {
    return Json{{"engine", name}, {"strand", strand}, {"units", units}, {"best_energy", std::move(best)}};
  };
  const Json race = {{"choice", "9 variables of 2.0 couplings: tabu, replicas, treewidth"},
                     {"engines",
                      {engine("tabu", 0, 100, -7), engine("replicas", 0, 300, -9), engine("tabu", 1, 400, -9),
                       engine("replicas", 1, 200, -8), engine("treewidth", 1, 0, nullptr)}}};
  const Json solve = {{"label", "solve"}, {"backend", "cpu.portfolio"}, {"race", race}};
  const Json other = {{"label", "baseline"}, {"backend", "cpu.tabu"}};
  EXPECT_THAT(
      race_words({{"walk", {{"formulation", {{"sense", "max"}}}}}, {"work", {solve, other}}}),
      ElementsAre("Race of solve at cpu.portfolio, by the structure of the model: 9 variables of 2.0 couplings: "
                  "tabu, replicas, treewidth.",
                  "  tabu                 50 % of the work, best 9, the best of all",
                  "  replicas             50 % of the work, best 9, the best of all",
                  "  treewidth             0 % of the work, found nothing"));
  EXPECT_THAT(race_words({{"work", {solve}}}).at(1), HasSubstr("best -9"));
  EXPECT_THAT(race_words(Json()), IsEmpty());
  EXPECT_THAT(race_words({{"work", {other}}}), IsEmpty());
}

TEST(Explain, a_criterion_is_a_sentence) {
  const auto item = [](const char* kind, bool met, Json limit, Json actual) {
    return criterion_words({{"criterion", kind}, {"met", met}, {"limit", limit}, {"actual", actual}});
  };
  EXPECT_EQ(item("feasible", true, 0, nullptr), "the best candidate is feasible");
  EXPECT_EQ(item("feasible", false, 0, nullptr), "no candidate is feasible");
  EXPECT_EQ(item("proved", false, 0, nullptr), "the best candidate is not proved optimal");
  EXPECT_EQ(item("latency_ms", true, 120'000, 5023.842), "time 5.02 s, allowed 2 min 00 s");
  EXPECT_EQ(item("cost_usd_micros", true, 1'000'000, 40'000), "billed $0.04, allowed $1.00");
  EXPECT_EQ(item("improvement", true, 0.01, 0.5), "improvement over the baseline 50 %, asked for at least 1 %");
  EXPECT_EQ(item("objective", false, -5, -1), "objective -1, asked for as good as -5");
  EXPECT_EQ(item("objective", false, -5, nullptr), "objective unknown, asked for as good as -5");
}

// Problem documents

TEST(ProblemDocument, an_error_that_travelled_is_the_error_that_was_sent) {
  for (const Error& error :
       {Error{.number = errors::kUnknownKey, .message = "unknown key 'x'", .place = "/limits"},
        Error{.number = errors::kSubmissionAmbiguous, .message = "perhaps", .place = "", .cost_incurred = true}}) {
    const Json document = problem_document(error, "/v1/jobs");
    EXPECT_EQ(document["type"], fmt::format("urn:tandem:error:{}", error_record(error.number).name));
    const HttpResponse response{.status = document["status"].get<int>(), .body = document.dump()};
    EXPECT_EQ(error_of_problem(response), error);
  }
}

TEST(ProblemDocument, an_answer_that_is_none_is_quoted_with_its_status) {
  for (const char* body : {"<html>bad gateway</html>", "{}", R"({"number": "x"})", R"({"number": -3})", ""}) {
    const Error error = error_of_problem({.status = 502, .body = body});
    EXPECT_EQ(error.number, errors::kBackendGarbage) << body;
    EXPECT_THAT(error.message, HasSubstr("502")) << body;
  }
}

}  // namespace
}  // namespace tandem::service
