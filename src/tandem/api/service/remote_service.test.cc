// RemoteService against a script: what it puts on the wire, and what it makes of answers. Against a server: api/http.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tandem/api/service/service.h"
#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/scripted_http.h"
#include "tandem/base/testing/seeded_rng.h"
#include "tandem/base/testing/skipping_executor.h"

namespace tandem::service {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

const JobId kJob("job_01900000-0000-7000-8000-000000000001");

constexpr auto kServerWait = std::chrono::seconds(60);

class RemoteServiceTest : public testing::Test {
 protected:
  job::JobSpec spec() {
    return job::JobSpec::parse({{"problem", {{"type", "qubo"}, {"num_variables", 2}}}},
                               problem::ProblemRegistry::with_builtin_types())
        .value();
  }
  std::vector<std::string> asked() const {
    std::vector<std::string> out;
    for (const HttpRequest& request : http_.requests()) out.push_back(request.method + " " + request.url);
    return out;
  }
  static Bytes view(const std::string& state) { return Json{{"job_id", kJob.value}, {"state", state}}.dump(); }
  static Bytes page(std::initializer_list<int> sequences) {
    Json events = Json::array();
    for (const int sequence : sequences) events.push_back({{"sequence", sequence}, {"type", "step.finished"}});
    return Json{{"events", events}}.dump();
  }
  Result<Json> follow(Deadline deadline = Deadline::never()) {
    return service_->follow(
        kJob, {.on_event = [this](const Json& event) { heard_.push_back(event["sequence"]); }, .on_progress = {}},
        deadline);
  }

  static HttpResponse problem(const Error& error, Headers headers = {}) {
    headers.push_back({"Content-Type", "application/problem+json"});
    return {.status = error_record(error.number).http_status,
            .headers = std::move(headers),
            .body = problem_document(error, "/").dump()};
  }
  /// The server ends under a question and is there again after two refused connections.
  void restart() {
    http_.then_fail(errors::kConnectionLost, Sent::kMaybe);
    for (int i = 0; i < 2; ++i) http_.then_fail(errors::kPeerUnreachable, Sent::kNo);
  }
  std::chrono::nanoseconds passed() const { return clock_.monotonic() - begin_; }

  FakeClock clock_;
  const Instant begin_ = clock_.monotonic();
  SkippingExecutor executor_{clock_};
  SeededRng rng_{1};
  ScriptedHttp http_;
  std::vector<int> heard_;
  int times_away_ = 0;
  FindServer find_ = [] { return ServerPlace{.address = "127.0.0.1:1"}; };
  std::unique_ptr<Service> service_ = make_remote_service(
      [this] { return find_(); }, {.http = http_, .executor = executor_, .clock = clock_, .rng = rng_},
      {.server_wait = kServerWait, .on_away = [this](const Error&) { ++times_away_; }});
};

TEST_F(RemoteServiceTest, each_question_is_one_request) {
  http_.otherwise([](const HttpRequest&, Deadline) { return HttpResponse{.status = 200, .body = R"({"a": 1})"}; });
  const std::string base = "http://127.0.0.1:1/v1/jobs/" + kJob.value;
  EXPECT_EQ(*service_->job(kJob), Json({{"a", 1}}));
  EXPECT_THAT(service_->result(kJob), Succeeds());
  EXPECT_THAT(service_->spec(kJob), Succeeds());
  EXPECT_THAT(service_->plan_of(kJob), Succeeds());
  EXPECT_THAT(service_->lineage(kJob), Succeeds());
  EXPECT_THAT(service_->submissions(kJob), Succeeds());
  EXPECT_THAT(service_->replay_package(kJob), Succeeds());
  EXPECT_THAT(service_->events(kJob, 7, 20), Succeeds());
  EXPECT_THAT(service_->jobs({.state = job::JobState::kFailed, .error_number = 5014, .limit = 5, .page_token = "p"}),
              Succeeds());
  EXPECT_THAT(service_->jobs({}), Succeeds());
  EXPECT_THAT(service_->backends(), Succeeds());
  EXPECT_THAT(asked(), ElementsAre("GET " + base, "GET " + base + "/result", "GET " + base + "/spec",
                                   "GET " + base + "/plan", "GET " + base + "/lineage", "GET " + base + "/submissions",
                                   "GET " + base + "/replay_package", "GET " + base + "/events?after=7&limit=20",
                                   "GET http://127.0.0.1:1/v1/jobs?limit=5&state=failed&error=5014&page_token=p",
                                   "GET http://127.0.0.1:1/v1/jobs?limit=100", "GET http://127.0.0.1:1/v1/backends"));
}

TEST_F(RemoteServiceTest, what_changes_something_is_posted_as_json) {
  http_.then(202, R"({"job_id": "x"})").then(202, R"({"job_id": "x"})").then(200, "{}").then(202, "{}");
  EXPECT_THAT(service_->submit(spec(), "order-17"), Succeeds());
  EXPECT_THAT(service_->submit(spec(), ""), Succeeds());
  EXPECT_THAT(service_->plan(spec()), Succeeds());
  EXPECT_THAT(service_->cancel(kJob, "no \"need\""), Succeeds());
  const std::vector<HttpRequest> requests = http_.requests();
  EXPECT_THAT(asked(), ElementsAre("POST http://127.0.0.1:1/v1/jobs", "POST http://127.0.0.1:1/v1/jobs",
                                   "POST http://127.0.0.1:1/v1/plans",
                                   "POST http://127.0.0.1:1/v1/jobs/" + kJob.value + "/cancel"));
  for (const HttpRequest& request : requests)
    EXPECT_EQ(header_value(request.headers, "Content-Type"), "application/json");
  EXPECT_EQ(header_value(requests[0].headers, "Idempotency-Key"), "\"order-17\"");
  EXPECT_THAT(header_value(requests[1].headers, "Idempotency-Key"), SizeIs(38));  // a UUID of its own, in quotes
  EXPECT_EQ(parse_json(requests[0].body, "body").value(), spec().document());
  EXPECT_EQ(parse_json(requests[3].body, "body").value(), Json({{"reason", "no \"need\""}}));
}

TEST_F(RemoteServiceTest, an_error_of_the_server_keeps_its_number_place_and_words) {
  const Error sent{.number = errors::kUnknownKey, .message = "unknown key 'x'", .place = "/limits"};
  http_.then(400, problem_document(sent, "/v1/jobs").dump());
  const auto answer = service_->submit(spec(), "");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error(), sent);
}

TEST_F(RemoteServiceTest, what_may_have_been_done_is_not_asked_for_twice_and_a_web_page_is_an_error) {
  http_.then_fail(errors::kConnectionLost, Sent::kMaybe).then(200, "<html>");
  EXPECT_THAT(service_->cancel(kJob, ""), FailsWith(errors::kConnectionLost));
  EXPECT_THAT(service_->job(kJob), FailsWith(errors::kJsonSyntax));
  EXPECT_THAT(asked(), SizeIs(2));
  http_.then_fail(errors::kPeerUnreachable, Sent::kNo).then(202, "{}");
  EXPECT_THAT(service_->cancel(kJob, ""), Succeeds());
  EXPECT_EQ(times_away_, 1);
}

TEST_F(RemoteServiceTest, what_an_action_may_have_done_before_its_answer_failed_is_not_done_again) {
  const HttpResponse store_away = problem(make_error(errors::kStoreUnreachable, ""));
  const HttpResponse nobody_behind{.status = 503, .body = "the proxy has nobody behind it"};
  const auto accept = [&] { return service_->review(kJob, engine::Verdict::kAccept, ""); };
  http_.then(store_away);
  EXPECT_THAT(accept(), FailsWith(errors::kStoreUnreachable));
  http_.then(nobody_behind);
  EXPECT_THAT(accept(), FailsWith(errors::kBackendGarbage));
  EXPECT_EQ(times_away_, 0);
  http_.then(problem(make_error(errors::kDraining, ""))).then(problem(make_error(errors::kServerOverloaded, "")));
  http_.then(200, "{}");
  EXPECT_THAT(accept(), Succeeds());
  http_.then(store_away).then(nobody_behind).then(202, R"({"job_id": "x"})");
  EXPECT_THAT(service_->submit(spec(), ""), Succeeds());
}

TEST_F(RemoteServiceTest, a_submission_that_is_given_up_names_the_key_under_which_it_may_be_sent_again) {
  for (const auto number : {errors::kPeerUnreachable, errors::kPeerTimeout, errors::kConnectionLost}) {
    http_.otherwise([&](const HttpRequest&, Deadline) {
      return tl::unexpected(HttpFailure{.error = make_error(number, "no answer"), .sent = Sent::kMaybe});
    });
    const auto before = passed();
    const auto lost = service_->submit(spec(), "");
    EXPECT_THAT(lost, FailsWith(number));
    EXPECT_EQ(passed() - before, kServerWait);
    std::string key(header_value(http_.requests().back().headers, "Idempotency-Key"));
    key = key.substr(1, key.size() - 2);
    EXPECT_THAT(lost.error().message, EndsWith("; send it again with --idempotency-key " + key));
  }
  http_.otherwise([](const HttpRequest&, Deadline) { return problem(make_error(errors::kQueueDelayExceeded, "")); });
  EXPECT_THAT(service_->submit(spec(), "").error().message, Not(HasSubstr("idempotency")));
}

TEST_F(RemoteServiceTest,
       who_does_not_listen_any_more_is_asked_again_when_another_instance_is_there_at_whatever_address) {
  std::vector<ServerPlace> places = {
      {.address = "127.0.0.1:1", .instance = "first"},  {.address = "127.0.0.1:1", .instance = "first"},
      {.address = "127.0.0.1:1", .instance = "first"},  {},
      {.address = "127.0.0.1:1", .instance = "second"}, {.address = "127.0.0.1:2", .instance = "third"}};
  std::size_t finds = 0;
  find_ = [&] { return places.at(finds++); };
  http_.then_fail(errors::kConnectionLost, Sent::kMaybe);  // it may still listen
  for (int i = 0; i < 2; ++i) http_.then_fail(errors::kPeerUnreachable, Sent::kNo);
  http_.then(202, R"({"job_id": "x"})");
  EXPECT_THAT(service_->submit(spec(), ""), Succeeds());
  EXPECT_EQ(finds, places.size());
  const std::string first = "POST http://127.0.0.1:1/v1/jobs";
  EXPECT_THAT(asked(), ElementsAre(first, first, first, "POST http://127.0.0.1:2/v1/jobs"));
}

TEST_F(RemoteServiceTest, what_the_server_asks_to_wait_is_waited_at_least_and_by_each_for_a_time_of_its_own) {
  std::vector<std::chrono::nanoseconds> waits;
  for (int i = 0; i < 5; ++i) {
    http_.then(problem(make_error(errors::kServerOverloaded, ""), {{"Retry-After", "7"}})).then(200, "{}");
    const auto before = passed();
    EXPECT_THAT(service_->result(kJob), Succeeds());
    waits.push_back(passed() - before);
    EXPECT_GE(waits.back(), std::chrono::seconds(7));
  }
  EXPECT_THAT(std::set(waits.begin(), waits.end()), SizeIs(waits.size()));
}

TEST_F(RemoteServiceTest, a_submission_whose_answer_was_lost_is_sent_again_under_its_key) {
  for (const std::string key : {"", "order-17"}) {
    const std::size_t before = http_.requests().size();
    restart();
    http_.then(problem(make_error(errors::kDraining, "")));
    http_.then(problem(make_error(errors::kIdempotencyInFlight, ""), {{"Retry-After", "1"}}));
    http_.then({.status = 202, .headers = {{"Idempotency-Replayed", "true"}}, .body = R"({"job_id": "x"})"});
    const auto admitted = service_->submit(spec(), key);
    ASSERT_THAT(admitted, Succeeds());
    // The first of two requests with a key of our own is not the caller's.
    EXPECT_EQ(*admitted, Json({{"job_id", "x"}, {"replayed", !key.empty()}}));
    const std::vector<HttpRequest> requests = http_.requests();
    ASSERT_EQ(requests.size(), before + 6);
    for (std::size_t i = before; i < requests.size(); ++i) EXPECT_EQ(requests[i], requests[before]);
  }
  EXPECT_EQ(times_away_, 2);
}

TEST_F(RemoteServiceTest, jobs_are_told_apart_by_the_keys_that_they_get) {
  http_.then(202, R"({"job_id": "x"})").then(202, R"({"job_id": "y"})");
  ASSERT_THAT(service_->submit(spec(), ""), Succeeds());
  ASSERT_THAT(service_->submit(spec(), ""), Succeeds());
  EXPECT_NE(http_.requests()[0], http_.requests()[1]);
}

TEST_F(RemoteServiceTest, a_refusal_and_the_error_of_a_job_are_answers_whatever_their_status) {
  for (const ErrorNumber number : {errors::kQueueDelayExceeded, errors::kBackendUnavailable, errors::kBackendGarbage}) {
    http_.then(problem(make_error(number, "")));
    EXPECT_THAT(service_->submit(spec(), "key"), FailsWith(number));
    http_.then(problem(make_error(number, "")));
    EXPECT_THAT(service_->result(kJob), FailsWith(number));
  }
  EXPECT_EQ(times_away_, 0);
}

TEST_F(RemoteServiceTest, a_server_that_stays_away_is_given_up_after_its_time_and_the_error_says_so) {
  const auto last = service_->result(kJob);
  EXPECT_EQ(passed(), kServerWait);
  EXPECT_THAT(last, FailsWith(errors::kPeerUnreachable));
  EXPECT_THAT(last.error().message, HasSubstr("asked again for 1 min 00 s (client.server_wait)"));
  EXPECT_EQ(times_away_, 1);
  // Not so often that a server which comes up is kept from it.
  EXPECT_LT(asked().size(), 200u);
}

TEST_F(RemoteServiceTest, a_follower_goes_on_after_a_restart_without_an_event_missed_or_told_twice) {
  http_.then(200, view("running")).then(200, page({3, 4}));
  restart();
  http_.then(200, page({9}));
  restart();
  http_.then({.status = 503, .headers = {{"Retry-After", "7"}}, .body = "the proxy has nobody behind it"});
  http_.then(200, page({}));
  http_.then(problem(make_error(errors::kStoreUnreachable, "")));
  http_.then(200, view("succeeded")).then(200, page({12})).then(200, page({}));
  const auto end = follow();
  ASSERT_THAT(end, Succeeds());
  EXPECT_EQ((*end)["state"], "succeeded");
  EXPECT_THAT(heard_, ElementsAre(3, 4, 9, 12));
  EXPECT_EQ(times_away_, 3);
  EXPECT_GE(passed(), std::chrono::seconds(7));
}

TEST_F(RemoteServiceTest, a_follower_with_a_deadline_asks_a_server_that_is_away_until_then) {
  const auto limit = std::chrono::minutes(5);
  http_.then(200, view("running"));
  const auto end = follow(Deadline::after(clock_, limit));
  EXPECT_THAT(end, FailsWith(errors::kPeerUnreachable));
  EXPECT_EQ(passed(), limit);
}

TEST_F(RemoteServiceTest, a_follower_reads_the_log_on_until_it_has_nothing_more_and_then_asks_for_the_end) {
  http_.then(200, view("running")).then(200, page({3, 4})).then(200, page({9})).then(200, page({}));
  http_.then(200, view("succeeded")).then(200, page({12})).then(200, page({}));
  const auto end = follow();
  ASSERT_THAT(end, Succeeds());
  EXPECT_EQ((*end)["state"], "succeeded");
  EXPECT_THAT(heard_, ElementsAre(3, 4, 9, 12));
  const std::string base = "GET http://127.0.0.1:1/v1/jobs/" + kJob.value;
  EXPECT_THAT(asked(), ElementsAre(base + "?wait=500ms", base + "/events?after=0&limit=1000",
                                   base + "/events?after=4&limit=1000", base + "/events?after=9&limit=1000",
                                   base + "?wait=500ms", base + "/events?after=9&limit=1000",
                                   base + "/events?after=12&limit=1000"));
}

TEST_F(RemoteServiceTest, a_follower_hears_how_long_it_takes_and_which_event_came_last) {
  http_.then(200, view("running")).then(200, page({3})).then(200, page({}));
  http_.otherwise([&](const HttpRequest& request, Deadline) {
    clock_.advance(std::chrono::milliseconds(500));
    const bool asks_events = request.url.find("/events") != std::string::npos;
    return HttpResponse{.status = 200, .body = asks_events ? page({}) : view("succeeded")};
  });
  std::vector<std::pair<std::string, double>> told;
  const Watch watch{.on_event = [](const Json&) {},
                    .on_progress = [&](const engine::Progress& now) { told.emplace_back(now.step, now.elapsed_ms); }};
  ASSERT_THAT(service_->follow(kJob, watch, Deadline::never()), Succeeds());
  EXPECT_THAT(told, ElementsAre(std::pair("step.finished", 0.0), std::pair("step.finished", 1000.0)));
}

TEST_F(RemoteServiceTest, a_follower_that_wants_no_events_asks_seldom) {
  http_.then(200, view("running")).then(200, view("succeeded"));
  EXPECT_THAT(service_->follow(kJob, {}, Deadline::never()), Succeeds());
  const std::string base = "GET http://127.0.0.1:1/v1/jobs/" + kJob.value;
  EXPECT_THAT(asked(), ElementsAre(base + "?wait=10000ms", base + "?wait=10000ms"));
}

TEST_F(RemoteServiceTest, a_log_that_does_not_rise_is_garbage_and_is_not_told_twice) {
  for (const auto& second : {page({4}), page({3}), Bytes(R"({"events": [{"type": "step.finished"}]})")}) {
    heard_.clear();
    http_.then(200, view("running")).then(200, page({4})).then(200, second);
    EXPECT_THAT(follow(), FailsWith(errors::kBackendGarbage));
    EXPECT_THAT(heard_, ElementsAre(4));
  }
}

TEST_F(RemoteServiceTest, at_the_deadline_a_follower_says_how_far_the_job_is) {
  http_.then(200, view("running")).then(200, page({1})).then(200, page({}));
  const auto end = follow(Deadline::after(clock_, std::chrono::nanoseconds(0)));
  EXPECT_THAT(end, FailsWith(errors::kResultNotReady));
  EXPECT_THAT(end.error().message, HasSubstr("is still running"));
  EXPECT_THAT(heard_, ElementsAre(1));
}

TEST_F(RemoteServiceTest, a_state_from_a_newer_server_is_named) {
  http_.then(200, view("dreaming")).then(200, page({}));
  const auto end = follow();
  EXPECT_THAT(end, FailsWith(errors::kBackendGarbage));
  EXPECT_THAT(end.error().message, HasSubstr("'dreaming'"));
}

}  // namespace
}  // namespace tandem::service
