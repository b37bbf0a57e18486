#include "tandem/api/http/api_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "tandem/base/text.h"
#include "tandem/net/client/curl_http.h"
#include "tandem/net/server/testing/raw_client.h"
#include "tandem/orchestrate/engine/testing/cut_store.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::http {
namespace {

using engine::Gate;
using testing::Contains;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr auto kPatience = std::chrono::seconds(60);

/// A real server on a real socket, asked by the real client.
class ApiServerTest : public testing::Test {
 protected:
  ApiServerTest() {
    world_.open(2);
    serve(*world_.engine);
  }
  void serve(engine::Engine& engine) {
    auto started =
        ApiServer::start({.listen = "127.0.0.1:0"}, services(engine),
                         {.executor = world_.executor, .clock = clock_, .log = world_.log, .meter = world_.meter});
    EXPECT_THAT(started, Succeeds());
    server_ = *std::move(started);
    address_ = server_->address();
    auto client = client::CurlHttp::create({.allow = {address_}}, clock_, world_.executor);
    EXPECT_THAT(client, Succeeds());
    client_ = *std::move(client);
  }
  ApiServices services(engine::Engine& engine) {
    const service::LocalSeams seams{engine, world_.backends, *world_.submitter, clock_, world_.executor};
    return {[seams](identity::PrincipalPtr who) { return service::make_local_service(seams, std::move(who)); },
            identities_,
            engine,
            world_.problems,
            *world_.store,
            meters_};
  }
  ~ApiServerTest() override {
    gate_.open();
    server_.reset();
  }

  HttpResponse send(std::string method, const std::string& path, Headers headers = {}, Bytes body = {}) {
    auto answer = client_->send(
        {.method = std::move(method), .url = "http://" + address_ + path, .headers = std::move(headers), .body = body},
        Deadline::after(clock_, kPatience));
    if (answer) return *std::move(answer);
    ADD_FAILURE() << answer.error().error.to_string();
    return {};
  }
  HttpResponse get(const std::string& path, Headers headers = {}) { return send("GET", path, std::move(headers)); }
  Json get_json(const std::string& path) {
    const HttpResponse answer = get(path);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return parse_json(answer.body, path).value_or(Json());
  }
  HttpResponse post_job(const job::JobSpec& spec, Headers headers = {}) {
    headers.push_back({"Content-Type", "application/json"});
    return send("POST", "/v1/jobs", std::move(headers), spec.document().dump());
  }
  std::string post_and_wait(const job::JobSpec& spec) {
    const std::string id = parse_json(post_job(spec).body, "answer").value()["job_id"];
    world_.wait(JobId(id));
    return id;
  }
  /// Work on the main tier waits until gate_ is opened.
  void close_gate() {
    world_.main().before = [this](std::stop_token stop) -> std::optional<Error> {
      gate_.pass(stop);
      return std::nullopt;
    };
  }
  /// Ids of the events in a stream, in order.
  static std::vector<std::uint64_t> ids_of(const Bytes& stream) {
    std::vector<std::uint64_t> out;
    for (const std::string_view line : split(stream, '\n'))
      if (line.starts_with("id: ")) out.push_back(static_cast<std::uint64_t>(*parse_int64(line.substr(4))));
    return out;
  }
  std::vector<std::uint64_t> logged(const std::string& id) {
    std::vector<std::uint64_t> out;
    for (const job::Event& event : world_.events(JobId(id))) out.push_back(event.sequence);
    return out;
  }

  SystemClock clock_;
  Gate gate_;  ///< outlives those who wait at it
  engine::EngineWorld world_;
  telemetry::MeterRegistry meters_;
  identity::IdentityBook identities_ = identity::IdentityBook::open_to_all();
  std::unique_ptr<ApiServer> server_;
  std::string address_;
  std::unique_ptr<client::CurlHttp> client_;
};

const Headers kStream = {{"Accept", "text/event-stream"}};

TEST_F(ApiServerTest, a_job_is_accepted_with_202_and_a_location_that_answers) {
  const HttpResponse answer = post_job(world_.classical_job());
  EXPECT_EQ(answer.status, 202);
  const std::string location(header_value(answer.headers, "Location"));
  const Json body = parse_json(answer.body, "answer").value();
  EXPECT_EQ(location, "/v1/jobs/" + body["job_id"].get<std::string>());
  EXPECT_EQ(body["links"]["self"], location);
  EXPECT_EQ(body["links"]["result"], location + "/result");
  EXPECT_EQ(body["links"]["events"], location + "/events");
  EXPECT_EQ(header_value(answer.headers, "Idempotency-Replayed"), "");
  EXPECT_EQ(get_json(location)["job_id"], body["job_id"]);
}

TEST_F(ApiServerTest, a_job_may_be_written_in_yaml) {
  const Bytes yaml = "problem: {type: qubo, num_variables: 2, quadratic: [[0, 1, 1]]}\nname: from yaml\n";
  const HttpResponse answer = send("POST", "/v1/jobs", {{"Content-Type", "application/yaml; charset=utf-8"}}, yaml);
  EXPECT_EQ(answer.status, 202) << answer.body;
}

TEST_F(ApiServerTest, an_idempotency_key_makes_a_repeated_request_answer_with_the_first_job) {
  const Headers key = {{"Idempotency-Key", "\"order-17\""}};
  const HttpResponse first = post_job(world_.classical_job(), key);
  const HttpResponse again = post_job(world_.classical_job(), {{"Idempotency-Key", "order-17"}});
  EXPECT_EQ(again.status, 202);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(header_value(again.headers, "Idempotency-Replayed"), "true");
  const HttpResponse other = post_job(world_.classical_job("another document"), key);
  EXPECT_EQ(other.status, error_record(errors::kIdempotencyConflict).http_status);
}

TEST_F(ApiServerTest, an_idempotency_key_stands_once_and_has_1_to_255_bytes) {
  const auto status = [&](const Headers& headers) { return post_job(world_.classical_job(), headers).status; };
  const std::string longest(255, 'k');
  EXPECT_EQ(status({{"Idempotency-Key", longest}}), 202);
  EXPECT_EQ(status({{"Idempotency-Key", '"' + longest + '"'}}), 202);
  EXPECT_EQ(status({{"Idempotency-Key", longest + "k"}}), 400);
  EXPECT_EQ(status({{"Idempotency-Key", '"' + longest + "k\""}}), 400);
  EXPECT_EQ(status({{"Idempotency-Key", ""}}), 400);
  EXPECT_EQ(status({{"Idempotency-Key", "\"\""}}), 400);
  EXPECT_EQ(status({{"Idempotency-Key", "\"open"}}), 400);
  const HttpResponse twice = post_job(world_.classical_job(), {{"Idempotency-Key", "a"}, {"idempotency-key", "b"}});
  EXPECT_EQ(twice.status, 400);
  EXPECT_THAT(twice.body, HasSubstr("stands twice"));
}

TEST_F(ApiServerTest, a_body_with_two_types_or_an_encoding_is_refused) {
  const Bytes body = world_.classical_job().document().dump();
  const auto status = [&](Headers headers) { return send("POST", "/v1/jobs", std::move(headers), body).status; };
  EXPECT_EQ(status({{"Content-Type", "application/json"}, {"Content-Type", "application/yaml"}}), 400);
  EXPECT_EQ(status({{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}}), 415);
  EXPECT_EQ(status({{"Content-Type", "application/json"}, {"Content-Encoding", "Identity"}}), 202);
}

TEST_F(ApiServerTest, every_part_of_a_finished_job_can_be_read) {
  const std::string id = post_and_wait(world_.paid_job());
  const std::string job = "/v1/jobs/" + id;
  EXPECT_EQ(get_json(job)["state"], "succeeded");
  EXPECT_EQ(get_json(job + "/result")["job_id"], id);
  EXPECT_EQ(get_json(job + "/spec"), world_.paid_job().document());
  EXPECT_EQ(get_json(job + "/plan")["primary"], "fake.provider");
  EXPECT_EQ(get_json(job + "/lineage")["job_id"], id);
  EXPECT_THAT(get_json(job + "/submissions")["submissions"], SizeIs(1));
  EXPECT_EQ(get_json(job + "/replay_package")["spec"], world_.paid_job().document());
  const Json events = get_json(job + "/events")["events"];
  EXPECT_EQ(events.size(), logged(id).size());
  EXPECT_EQ(get_json(job + "/events?after=2&limit=1")["events"][0]["sequence"], 3);
  EXPECT_THAT(get_json("/v1/jobs")["jobs"], SizeIs(1));
  EXPECT_THAT(get_json("/v1/jobs?state=succeeded&limit=5")["jobs"], SizeIs(1));
  EXPECT_THAT(get_json("/v1/jobs?state=queued")["jobs"], IsEmpty());
  EXPECT_EQ(get_json("/v1/backends")["backends"].size(), world_.backends.all().size());
}

TEST_F(ApiServerTest, a_plan_can_be_asked_for_without_a_job) {
  const HttpResponse answer =
      send("POST", "/v1/plans", {{"Content-Type", "application/json"}}, world_.classical_job().document().dump());
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(parse_json(answer.body, "plan").value()["primary"], "cpu.tabu");
  EXPECT_THAT(get_json("/v1/jobs")["jobs"], IsEmpty());
}

TEST_F(ApiServerTest, health_readiness_metrics_and_the_contract_are_served) {
  meters_.add("tandem_test_total", 2, {});
  EXPECT_EQ(get_json("/healthz")["status"], "ok");
  EXPECT_EQ(get_json("/readyz"), Json({{"status", "ready"}, {"store", "memory"}}));
  const HttpResponse metrics = get("/metrics");
  EXPECT_THAT(metrics.body, HasSubstr("tandem_test_total 2"));
  EXPECT_THAT(std::string(header_value(metrics.headers, "Content-Type")), HasSubstr("text/plain"));
  EXPECT_TRUE(get_json("/openapi.json")["paths"].contains("/v1/jobs"));
}

TEST_F(ApiServerTest, head_answers_as_get_without_a_body) {
  const HttpResponse answer = send("HEAD", "/healthz");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
}

TEST_F(ApiServerTest, every_refusal_is_a_problem_document_with_its_number) {
  close_gate();
  const std::string running = parse_json(post_job(world_.classical_job()).body, "answer").value()["job_id"];
  const std::string job = "/v1/jobs/" + running;
  const std::string unknown = "/v1/jobs/job_01900000-0000-7000-8000-00000000dead";
  const Headers json = {{"Content-Type", "application/json"}};
  struct Case {
    std::string method;
    std::string path;
    Headers headers;
    Bytes body;
    ErrorNumber number;
    std::string place;
  };
  const std::vector<Case> cases = {
      {"GET", "/v2/jobs", {}, "", errors::kRouteNotFound, ""},
      {"GET", "/", {}, "", errors::kRouteNotFound, ""},
      {"GET", job + "/nothing", {}, "", errors::kRouteNotFound, ""},
      {"GET", job + "/result/deeper", {}, "", errors::kRouteNotFound, ""},
      {"DELETE", "/v1/jobs", {}, "", errors::kMethodNotAllowed, ""},
      {"POST", job, {}, "", errors::kMethodNotAllowed, ""},
      {"POST", job + "/nothing", {}, "", errors::kRouteNotFound, ""},
      {"GET", job + "/cancel", {}, "", errors::kMethodNotAllowed, ""},
      {"GET", "/v1/plans", {}, "", errors::kMethodNotAllowed, ""},
      {"POST", "/healthz", {}, "", errors::kMethodNotAllowed, ""},
      {"POST", "/v1/jobs", {{"Content-Type", "text/csv"}}, "a,b", errors::kMediaType, ""},
      {"POST", "/v1/jobs", json, "{", errors::kJsonSyntax, ""},
      {"POST", "/v1/jobs", json, R"({"problem": {}, "program": {}})", errors::kBadJob, ""},
      {"POST", "/v1/jobs", json, R"({"problem": {"type": "qubo"}, "sed": 1})", errors::kUnknownKey, "/sed"},
      {"POST", "/v1/jobs", json, R"({"problem": {"type": "quboo"}})", errors::kUnknownProblem, "/problem/type"},
      {"POST", "/v1/jobs?when=now", json, "{}", errors::kUnknownKey, "?when"},
      {"GET", "/v1/jobs?stat=queued", {}, "", errors::kUnknownKey, "?stat"},
      {"GET", "/v1/jobs?state=asleep", {}, "", errors::kValueOutOfRange, "?state"},
      {"GET", "/v1/jobs?limit=1001", {}, "", errors::kValueOutOfRange, "?limit"},
      {"GET", "/v1/jobs?limit=0", {}, "", errors::kValueOutOfRange, "?limit"},
      {"GET", "/v1/jobs?limit=many", {}, "", errors::kValueOutOfRange, "?limit"},
      {"GET", "/v1/jobs?page_token=nonsense", {}, "", errors::kBadId, ""},
      {"GET", "/v1/jobs/nonsense", {}, "", errors::kBadId, ""},
      {"GET", unknown, {}, "", errors::kJobNotFound, ""},
      {"GET", unknown + "/events", kStream, "", errors::kJobNotFound, ""},
      {"GET", unknown + "?wait=1s", {}, "", errors::kJobNotFound, ""},
      {"GET", unknown + "/submissions", {}, "", errors::kJobNotFound, ""},
      {"POST", unknown + "/cancel", {}, "", errors::kJobNotFound, ""},
      {"GET", job + "/result", {}, "", errors::kResultNotReady, ""},
      {"GET", job + "/lineage", {}, "", errors::kResultNotReady, ""},
      {"GET", job + "?wait=soon", {}, "", errors::kBadDuration, "?wait"},
      {"GET", job + "?wait=61s", {}, "", errors::kValueOutOfRange, "?wait"},
      {"GET", job + "/events", {{"Accept", "text/event-stream"}, {"Last-Event-ID", "x"}}, "", errors::kBadRequest, ""},
      {"POST", job + "/cancel", json, R"({"why": "x"})", errors::kUnknownKey, "/why"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.method + " " + one.path + " " + one.body);
    const HttpResponse answer = send(one.method, one.path, one.headers, one.body);
    const ErrorRecord& record = error_record(one.number);
    EXPECT_EQ(header_value(answer.headers, "Content-Type"), "application/problem+json");
    const auto problem = parse_json(answer.body, "answer");
    ASSERT_THAT(problem, Succeeds());
    EXPECT_EQ((*problem)["number"], static_cast<int>(one.number)) << answer.body;
    EXPECT_EQ(answer.status, record.http_status);
    EXPECT_EQ((*problem)["status"], record.http_status);
    EXPECT_EQ((*problem)["type"], "urn:tandem:error:" + std::string(record.name));
    EXPECT_EQ((*problem)["instance"], one.path.substr(0, one.path.find('?')));
    EXPECT_EQ(header_value(answer.headers, "Retry-After"), record.retryable ? "1" : "");
    if (one.place.empty()) continue;
    EXPECT_EQ((*problem)["errors"][0]["pointer"], one.place) << answer.body;
  }
  EXPECT_EQ(header_value(send("DELETE", "/v1/jobs").headers, "Allow"), "GET, POST");
  EXPECT_EQ(header_value(send("POST", job).headers, "Allow"), "GET, DELETE");
}

TEST_F(ApiServerTest, a_key_whose_first_request_is_under_way_is_refused_for_now_and_then_stands_for_its_job) {
  engine::CutStore store(*world_.store);
  const auto engine =
      engine::Engine::start(world_.services(store, *world_.submitter), engine::EngineOptions{.workers = 0}).value();
  serve(*engine);
  const auto post = [this] { return post_job(world_.classical_job(), {{"Idempotency-Key", "\"key\""}}); };
  const HttpResponse first = post();
  EXPECT_EQ(first.status, 202) << first.body;
  store.see_keys(false);
  const HttpResponse early = post();
  EXPECT_EQ(early.status, 409);
  EXPECT_EQ(header_value(early.headers, "Content-Type"), "application/problem+json");
  EXPECT_EQ(header_value(early.headers, "Retry-After"), "1");
  const Json problem = parse_json(early.body, "answer").value_or(Json());
  EXPECT_EQ(problem["number"], 5023);
  EXPECT_EQ(problem["errors"][0]["pointer"], "Idempotency-Key");
  store.see_keys(true);
  const HttpResponse again = post();
  EXPECT_EQ(again.status, 202);
  EXPECT_EQ(again.body, first.body);
  EXPECT_THAT(get_json("/v1/jobs")["jobs"], SizeIs(1));
  server_.reset();
}

TEST_F(ApiServerTest, a_running_job_is_cancelled_and_a_final_one_is_not) {
  close_gate();
  const std::string id = parse_json(post_job(world_.classical_job()).body, "answer").value()["job_id"];
  gate_.wait_for_arrivals(1);
  const HttpResponse answer =
      send("POST", "/v1/jobs/" + id + "/cancel", {{"Content-Type", "application/json"}}, R"({"reason": "test"})");
  EXPECT_EQ(answer.status, 202) << answer.body;
  EXPECT_EQ(get_json("/v1/jobs/" + id + "?wait=60s")["state"], "cancelled");
  EXPECT_EQ(send("POST", "/v1/jobs/" + id + "/cancel").status, error_record(errors::kJobFinal).http_status);
  EXPECT_EQ(get("/v1/jobs/" + id + "/result").status, error_record(errors::kCancelled).http_status);
}

TEST_F(ApiServerTest, a_job_that_has_ended_is_removed_without_a_body_and_one_that_runs_is_not) {
  const std::string ended = post_and_wait(world_.classical_job());
  const HttpResponse answer = send("DELETE", "/v1/jobs/" + ended);
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(send("DELETE", "/v1/jobs/" + ended).status, 404);
  EXPECT_EQ(send("DELETE", "/v1/jobs/" + ended + "?because=so").status, 400);
  close_gate();
  const std::string runs = parse_json(post_job(world_.classical_job()).body, "answer").value()["job_id"];
  gate_.wait_for_arrivals(1);
  EXPECT_EQ(parse_json(send("DELETE", "/v1/jobs/" + runs).body, "answer").value()["number"],
            static_cast<int>(errors::kJobNotFinal));
}

TEST_F(ApiServerTest, a_wait_is_answered_when_the_job_ends) {
  close_gate();
  const std::string id = parse_json(post_job(world_.classical_job()).body, "answer").value()["job_id"];
  Json waited;
  std::thread waiting([&] { waited = get_json("/v1/jobs/" + id + "?wait=60s"); });
  gate_.wait_for_arrivals(1);
  gate_.open();
  waiting.join();
  EXPECT_EQ(waited["state"], "succeeded");
  EXPECT_EQ(get_json("/v1/jobs/" + id + "?wait=60s")["state"], "succeeded");  // at once
}

TEST_F(ApiServerTest, a_wait_is_answered_at_its_limit_with_the_state_as_it_is) {
  close_gate();
  const std::string id = parse_json(post_job(world_.classical_job()).body, "answer").value()["job_id"];
  gate_.wait_for_arrivals(1);
  EXPECT_EQ(get_json("/v1/jobs/" + id + "?wait=1ms")["state"], "running");
}

TEST_F(ApiServerTest, a_full_disk_is_said_to_whoever_waits_submits_or_balances_and_the_job_ends_when_there_is_room) {
  close_gate();
  const std::string id = parse_json(post_job(world_.classical_job()).body, "answer").value()["job_id"];
  gate_.wait_for_arrivals(1);
  const auto expect_full = [](const HttpResponse& answer, std::string_view says) {
    EXPECT_EQ(answer.status, 507) << answer.body;
    EXPECT_EQ(header_value(answer.headers, "Content-Type"), "application/problem+json");
    const Json problem = parse_json(answer.body, "problem").value_or(Json());
    EXPECT_EQ(problem["number"], static_cast<int>(errors::kDiskFull));
    EXPECT_THAT(problem.value("detail", ""), HasSubstr(says));
  };
  HttpResponse waited;
  std::thread waiting([&] { waited = get("/v1/jobs/" + id + "?wait=60s"); });
  world_.store->fail_commits(1, 1'000'000, make_error(errors::kDiskFull, "planted full disk"));
  gate_.open();
  waiting.join();
  expect_full(waited, id);
  expect_full(get("/v1/jobs/" + id + "?wait=60s"), "planted full disk");  // at once
  expect_full(get("/readyz"), "planted full disk");
  expect_full(post_job(world_.classical_job()), "planted full disk");
  EXPECT_EQ(get_json("/healthz")["status"], "ok");
  EXPECT_EQ(get_json("/v1/jobs/" + id)["state"], "running");  // what is stored can be read
  EXPECT_THAT(get_json("/v1/jobs")["jobs"], SizeIs(1));
  world_.store->fail_commits(0, 0, {});
  while (get("/readyz").status != 200) std::this_thread::yield();
  EXPECT_EQ(get_json("/v1/jobs/" + id + "?wait=60s")["state"], "succeeded");
}

TEST_F(ApiServerTest, streams_opened_before_the_job_ends_have_every_event_once_and_close) {
  close_gate();
  // Parallel orders write events of one job at the same time.
  const std::string id = parse_json(post_job(world_.hybrid_job()).body, "answer").value()["job_id"];
  std::vector<HttpResponse> streams(3);
  std::vector<std::thread> readers;
  for (HttpResponse& stream : streams)
    readers.emplace_back([&] { stream = get("/v1/jobs/" + id + "/events", kStream); });
  gate_.wait_for_arrivals(1);
  gate_.open();
  for (std::thread& reader : readers) reader.join();
  for (const HttpResponse& stream : streams) {
    EXPECT_EQ(header_value(stream.headers, "Content-Type"), "text/event-stream");
    EXPECT_THAT(ids_of(stream.body), ElementsAreArray(logged(id)));
    EXPECT_THAT(stream.body, HasSubstr("event: job.succeeded\ndata: {"));
  }
}

TEST_F(ApiServerTest, a_stream_has_what_the_ledger_of_submissions_writes) {
  world_.provider->plan.during_submit = [this] { gate_.pass({}); };
  const std::string id = parse_json(post_job(world_.paid_job()).body, "answer").value()["job_id"];
  gate_.wait_for_arrivals(1);
  server::RawClient reader(address_);
  reader.send("GET /v1/jobs/" + id + "/events HTTP/1.1\r\nHost: " + address_ + "\r\nAccept: text/event-stream\r\n\r\n");
  Bytes stream = reader.read_until("submission.intent").value_or("");  // all that is there while the wire is held
  gate_.open();
  stream += reader.read_to_end();
  EXPECT_THAT(ids_of(stream), ElementsAreArray(logged(id)));
  EXPECT_THAT(stream, HasSubstr("submission.settled"));
}

TEST_F(ApiServerTest, a_stream_resumes_after_the_last_event_id_without_gap_or_repetition) {
  const std::string id = post_and_wait(world_.hybrid_job());
  const std::vector<std::uint64_t> all = logged(id);
  for (std::size_t seen = 0; seen <= all.size(); ++seen) {
    Headers headers = kStream;
    if (seen > 0) headers.push_back({"Last-Event-ID", std::to_string(all[seen - 1])});
    const HttpResponse rest = get("/v1/jobs/" + id + "/events", headers);
    EXPECT_THAT(ids_of(rest.body), ElementsAreArray(all.begin() + static_cast<std::ptrdiff_t>(seen), all.end()));
  }
}

TEST_F(ApiServerTest, a_stream_has_what_came_after_the_end_of_the_job_too) {
  const std::string id = post_and_wait(world_.classical_job());
  const std::uint64_t end = logged(id).back();
  // As the reconciler does when it finds a submission that nobody waits for any more.
  store::Batch batch;
  batch.append(
      id,
      job::Event{.job = JobId(id), .type = "submission.orphan", .at = clock_.now(), .actor = "reconciler"}.stored());
  ASSERT_THAT(world_.store->commit_and_wait(std::move(batch)), Succeeds());
  EXPECT_THAT(ids_of(get("/v1/jobs/" + id + "/events", kStream).body), ElementsAreArray(logged(id)));
  const HttpResponse rest =
      get("/v1/jobs/" + id + "/events", {{"Accept", "text/event-stream"}, {"Last-Event-ID", std::to_string(end)}});
  EXPECT_THAT(rest.body, HasSubstr("submission.orphan"));
  EXPECT_THAT(ids_of(rest.body), SizeIs(1));
}

/// A stream that stands at the end of the log is woken by what the ledger of submissions writes, not by the next heartbeat.
TEST_F(ApiServerTest, a_stream_is_told_of_submissions_as_they_come) {
  Gate decoding;
  world_.provider->plan.during_submit = [this] { gate_.pass({}); };
  world_.provider->plan.during_decode = [&](const backend::RawResult&) { decoding.pass({}); };
  const std::string first = parse_json(post_job(world_.paid_job()).body, "answer").value()["job_id"];
  gate_.wait_for_arrivals(1);
  server::RawClient reader(address_);
  reader.send("GET /v1/jobs/" + first + "/events HTTP/1.1\r\nHost: " + address_ +
              "\r\nAccept: text/event-stream\r\n\r\n");
  EXPECT_NE(reader.read_until("submission.intent"), std::nullopt);
  gate_.open();
  // The engine writes nothing until the result is decoded.
  EXPECT_NE(reader.read_until("submission.terminal"), std::nullopt);
  decoding.open();
  reader.read_to_end();
}

TEST_F(ApiServerTest, an_event_in_a_stream_is_the_event_of_the_log) {
  const std::string id = post_and_wait(world_.paid_job());
  std::vector<Json> streamed;
  const Bytes body = get("/v1/jobs/" + id + "/events", kStream).body;
  for (const std::string_view line : split(body, '\n'))
    if (line.starts_with("data: ")) streamed.push_back(parse_json(line.substr(6), "data").value());
  EXPECT_EQ(Json(streamed), get_json("/v1/jobs/" + id + "/events?limit=1000")["events"]);
}

TEST_F(ApiServerTest, a_long_log_is_streamed_whole) {
  close_gate();
  const std::string id = parse_json(post_job(world_.classical_job()).body, "answer").value()["job_id"];
  gate_.wait_for_arrivals(1);
  // 700 events of 1 KiB: several pages, and more than a stream may hold unsent.
  for (int i = 0; i < 700; ++i) {
    job::Event event{.job = JobId(id), .type = "step.noted", .at = clock_.now(), .actor = "test"};
    event.data = JsonText(Json{{"text", std::string(1024, 'x')}});
    store::Batch batch;
    batch.append(id, event.stored());
    ASSERT_THAT(world_.store->commit_and_wait(std::move(batch)), Succeeds());
  }
  gate_.open();
  world_.wait(JobId(id));
  EXPECT_THAT(ids_of(get("/v1/jobs/" + id + "/events", kStream).body), ElementsAreArray(logged(id)));
}

/// Clients of a log that grows: they join wherever they were, leave in the middle and come back, and some read slowly.
TEST_F(ApiServerTest, clients_that_come_and_go_while_the_log_grows_miss_nothing_and_have_nothing_twice) {
  close_gate();
  const std::string id = parse_json(post_job(world_.classical_job()).body, "answer").value()["job_id"];
  gate_.wait_for_arrivals(1);
  constexpr int kClients = 12;
  constexpr int kEvents = 400;
  std::vector<std::vector<std::uint64_t>> heard(kClients);
  std::vector<std::thread> clients;
  for (int client = 0; client < kClients; ++client) {
    clients.emplace_back([&, client] {
      std::vector<std::uint64_t>& mine = heard[static_cast<std::size_t>(client)];
      const int receive_buffer = client % 3 == 0 ? 4096 : server::RawClient::kNoBuffer;
      for (bool ended = false; !ended;) {
        server::RawClient reader(address_, receive_buffer);
        reader.send("GET /v1/jobs/" + id + "/events HTTP/1.1\r\nHost: " + address_ +
                    "\r\nAccept: text/event-stream\r\n" +
                    (mine.empty() ? "" : "Last-Event-ID: " + std::to_string(mine.back()) + "\r\n") + "\r\n");
        ASSERT_TRUE(reader.read_head());
        // Every second client leaves after a few pages.
        Bytes stream;
        for (int chunks = 0; client % 2 == 0 || chunks < 5; ++chunks) {
          const auto chunk = reader.read_chunk();
          ASSERT_TRUE(chunk) << "the stream broke off";
          ended = chunk->empty();
          if (ended) break;
          stream += *chunk;
        }
        const auto ids = ids_of(stream);
        mine.insert(mine.end(), ids.begin(), ids.end());
      }
    });
  }
  for (int i = 0; i < kEvents; ++i) {
    job::Event event{.job = JobId(id), .type = "step.noted", .at = clock_.now(), .actor = "test"};
    event.data = JsonText(Json{{"text", std::string(2048, 'x')}});
    store::Batch batch;
    batch.append(id, event.stored());
    ASSERT_THAT(world_.store->commit_and_wait(std::move(batch)), Succeeds());
  }
  gate_.open();
  for (std::thread& client : clients) client.join();
  for (const auto& mine : heard) EXPECT_THAT(mine, ElementsAreArray(logged(id)));
}

TEST_F(ApiServerTest, the_server_may_be_destroyed_while_streams_are_open) {
  close_gate();
  const std::string id = parse_json(post_job(world_.classical_job()).body, "answer").value()["job_id"];
  gate_.wait_for_arrivals(1);
  std::vector<server::RawClient> readers;
  for (int i = 0; i < 20; ++i) {
    server::RawClient& reader = readers.emplace_back(address_);
    reader.send("GET /v1/jobs/" + id + "/events HTTP/1.1\r\nHost: " + address_ +
                "\r\nAccept: text/event-stream\r\n\r\n");
    ASSERT_NE(reader.read_until("job.queued"), std::nullopt);
  }
  std::thread ending([&] { gate_.open(); });
  server_.reset();
  ending.join();
  world_.wait(JobId(id));
  for (server::RawClient& reader : readers) reader.read_to_end();
}

TEST_F(ApiServerTest, a_draining_engine_takes_no_job_and_says_when_to_come_back) {
  world_.engine->drain(Deadline::never(), Deadline::never());
  const HttpResponse answer = post_job(world_.classical_job());
  EXPECT_EQ(answer.status, error_record(errors::kDraining).http_status);
  EXPECT_EQ(header_value(answer.headers, "Retry-After"), "1");
}

TEST_F(ApiServerTest, a_slow_queue_takes_no_job_and_says_how_far_it_is_behind) {
  close_gate();
  server_.reset();
  world_.close();
  world_.queue_delay_max = std::chrono::seconds(5);
  world_.open(1);
  serve(*world_.engine);
  ASSERT_EQ(post_job(world_.classical_job("running")).status, 202);
  gate_.wait_for_arrivals(1);
  ASSERT_EQ(post_job(world_.classical_job("waiting")).status, 202);
  world_.clock.advance(std::chrono::milliseconds(5'001));
  EXPECT_EQ(header_value(post_job(world_.classical_job("shed")).headers, "Retry-After"), "1");
  world_.clock.advance(std::chrono::seconds(40));
  const HttpResponse answer = post_job(world_.classical_job("shed"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(header_value(answer.headers, "Retry-After"), "41");
  EXPECT_EQ(parse_json(answer.body, "answer").value()["number"], static_cast<int>(errors::kQueueDelayExceeded));
  EXPECT_EQ(get_json("/v1/jobs")["jobs"].size(), 2u);
}

TEST_F(ApiServerTest, a_drained_server_ends_its_streams_and_takes_no_more_connections) {
  close_gate();
  const std::string id = parse_json(post_job(world_.classical_job()).body, "answer").value()["job_id"];
  gate_.wait_for_arrivals(1);
  // The client is given the first bytes of the stream, so it is open when the drain begins.
  server::RawClient reader(address_);
  reader.send("GET /v1/jobs/" + id + "/events HTTP/1.1\r\nHost: " + address_ + "\r\nAccept: text/event-stream\r\n\r\n");
  EXPECT_THAT(reader.read_until("job.queued").value_or(""), HasSubstr("200"));
  EXPECT_TRUE(server_->drain(Deadline::after(clock_, kPatience)));
  // Ended without the event that ends a job: the client comes back with Last-Event-ID.
  EXPECT_THAT(reader.read_to_end(), Not(HasSubstr("job.succeeded")));
  const auto refused = client_->send({.url = "http://" + address_ + "/healthz"}, Deadline::after(clock_, kPatience));
  EXPECT_FALSE(refused.has_value());
}

TEST_F(ApiServerTest, a_drain_lets_streams_write_what_is_in_the_log_first) {
  close_gate();
  for (int i = 1; i <= 2; ++i) world_.admit(world_.classical_job());
  gate_.wait_for_arrivals(2);  // both workers: the next one stays in the queue
  const JobId id = world_.admit(world_.classical_job());
  ThreadExecutor one(1);
  auto server = ApiServer::start({.listen = "127.0.0.1:0"}, services(*world_.engine),
                                 {.executor = one, .clock = clock_, .log = world_.log, .meter = world_.meter});
  ASSERT_THAT(server, Succeeds());
  const std::string address = (*server)->address();
  server::RawClient reader(address);
  reader.send("GET /v1/jobs/" + id.value + "/events HTTP/1.1\r\nHost: " + address +
              "\r\nAccept: text/event-stream\r\n\r\n");
  EXPECT_THAT(reader.read_until("job.queued").value_or(""), HasSubstr("200"));
  // The only thread that could read the log is busy while the last event is stored and the drain begins.
  Gate busy;
  one.post([&] { busy.pass({}); });
  busy.wait_for_arrivals(1);
  ASSERT_THAT(world_.engine->cancel(id, "user", ""), Succeeds());
  auto rest = std::async(std::launch::async, [&] { return reader.read_to_end(); });
  auto drained = std::async(std::launch::async, [&] { return (*server)->drain(Deadline::after(clock_, kPatience)); });
  EXPECT_EQ(rest.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout) << "the stream was cut off";
  busy.open();
  EXPECT_THAT(rest.get(), HasSubstr("job.cancelled"));
  EXPECT_TRUE(drained.get());
}

TEST_F(ApiServerTest, the_server_may_be_destroyed_while_clients_wait) {
  close_gate();
  const std::string id = parse_json(post_job(world_.classical_job()).body, "answer").value()["job_id"];
  gate_.wait_for_arrivals(1);
  std::thread waiting([&] {
    static_cast<void>(client_->send({.url = "http://" + address_ + "/v1/jobs/" + id + "?wait=60s"},
                                    Deadline::after(clock_, kPatience)));
  });
  get_json("/healthz");
  server_.reset();
  waiting.join();
}

}  // namespace
}  // namespace tandem::http
