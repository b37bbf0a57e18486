#include "tandem/lab/device/device_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/pause.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/compute/statevector/run.h"
#include "tandem/lab/device/testing/bench.h"

namespace tandem::lab {
namespace {

using backend::ProgramWork;
using backend::WorkState;
using job::Money;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::SizeIs;

std::string submission(std::string_view token, std::uint64_t shots = 100) {
  return Json{{"token", token}, {"pubs", Json::array({x_on_qubit_0(shots).document()})}}.dump();
}

Json body_of(const HttpResponse& response) { return parse_json(response.body, "body").value(); }

/// Asks until the job has ended.
Json ended(ClientBench& client, const std::string& id) {
  while (true) {
    Json status = body_of(client.send("GET", "/v1/jobs/" + id));
    if (status["ended_at"] != nullptr) return status;
  }
}

TEST(DeviceServer, carries_a_job_from_submission_to_counts) {
  DeviceBench device;
  ClientBench client(device);
  const HttpResponse accepted = client.send("POST", "/v1/jobs", submission("token-1"));
  ASSERT_EQ(accepted.status, 201);
  const Json job = body_of(accepted);
  const std::string id = job["id"];
  EXPECT_EQ(header_value(accepted.headers, "Location"), "/v1/jobs/" + id);
  EXPECT_EQ(job["token"], "token-1");
  EXPECT_EQ(job["billed_usd_micros"], 10'000 + 30 * 100);
  EXPECT_EQ(ended(client, id)["status"], "succeeded");
  const Json result = body_of(client.send("GET", "/v1/jobs/" + id + "/result"));
  EXPECT_EQ(result["token"], "token-1");
  const Json& binding = result["pubs"][0]["bindings"][0];
  EXPECT_EQ(binding["num_bits"], 3);
  EXPECT_EQ(binding["shots"], 100);
  EXPECT_GT(binding["counts"]["0x1"], 80);  // readout errors of a few per cent; X on qubit 0 sets bit 0
  const Json found = body_of(client.send("GET", "/v1/jobs?token=token-1"));
  ASSERT_THAT(found["jobs"], SizeIs(1));
  EXPECT_EQ(found["jobs"][0]["id"], id);
}

TEST(DeviceServer, takes_one_circuit_with_shots_as_well) {
  DeviceBench device;
  ClientBench client(device);
  const Json body = {{"token", "t"}, {"circuit", x_on_qubit_0(1).circuit.document()}, {"shots", 10}};
  const HttpResponse accepted = client.send("POST", "/v1/jobs", body.dump());
  ASSERT_EQ(accepted.status, 201) << accepted.body;
  EXPECT_EQ(body_of(accepted)["shots"], 10);
}

TEST(DeviceServer, every_answer_says_that_the_device_is_emulated) {
  DeviceBench device;
  ClientBench client(device);
  const std::string id = body_of(client.send("POST", "/v1/jobs", submission("t")))["id"];
  ended(client, id);
  const HttpResponse answers[] = {
      client.send("GET", "/v1/device"),       client.send("GET", "/v1/calibration"),
      client.send("GET", "/v1/jobs/" + id),   client.send("GET", "/v1/jobs/" + id + "/result"),
      client.send("GET", "/v1/jobs?token=t"), client.send("POST", "/v1/jobs/" + id + "/cancel"),
      client.send("POST", "/v1/jobs", "{}"),  client.send("GET", "/v1/nothing"),
      client.send("DELETE", "/v1/jobs"),      client.send("GET", "/v1/device", {}, {{"Origin", "http://evil.example"}}),
  };
  for (const HttpResponse& answer : answers) {
    EXPECT_EQ(body_of(answer)["emulated"], true) << answer.status;
    EXPECT_EQ(header_value(answer.headers, "Tandem-Emulated"), "true") << answer.status;
  }
}

TEST(DeviceServer, refuses_what_the_api_does_not_describe) {
  DeviceBench device;
  ClientBench client(device);
  const auto pub = x_on_qubit_0(10).document();
  Json wide = pub;
  wide["circuit"]["num_qubits"] = 6;
  Json unknown_in_pub = pub;
  unknown_in_pub["shot"] = 1;
  Json no_shots = pub;
  no_shots["shots"] = 0;
  struct Case {
    std::string body;
    int status;
    const char* why;
  };
  const Case cases[] = {
      {"{", 400, "body:1:2"},
      {R"({"token":"a","token":"b","pubs":[]})", 400, "twice"},
      {"[]", 422, "object"},
      {R"({"pubs":[]})", 422, "token"},
      {R"({"token":"a"})", 422, "circuit"},
      {R"({"token":"a","pubs":[]})", 422, "/pubs"},
      {Json{{"token", "a b"}, {"pubs", {pub}}}.dump(), 422, "/token"},
      {Json{{"token", std::string(65, 'a')}, {"pubs", {pub}}}.dump(), 422, "/token"},
      {Json{{"token", "a"}, {"pubs", {pub}}, {"priority", 9}}.dump(), 422, "priority"},
      {Json{{"token", "a"}, {"pubs", {pub}}, {"shots", 9}}.dump(), 422, "shots"},
      {Json{{"token", "a"}, {"pubs", {unknown_in_pub}}}.dump(), 422, "shot"},
      {Json{{"token", "a"}, {"pubs", {wide}}}.dump(), 422, "6 qubits"},
      {Json{{"token", "a"}, {"pubs", {no_shots}}}.dump(), 422, "shots"},
  };
  for (const Case& c : cases) {
    const HttpResponse answer = client.send("POST", "/v1/jobs", c.body);
    EXPECT_EQ(answer.status, c.status) << c.body << answer.body;
    EXPECT_EQ(header_value(answer.headers, "Content-Type"), "application/problem+json");
    EXPECT_THAT(std::string(body_of(answer)["detail"]), HasSubstr(c.why)) << c.body;
  }
  EXPECT_EQ(client.send("POST", "/v1/jobs").status, 415);
  EXPECT_EQ(client.send("GET", "/v1/jobs").status, 400);
  EXPECT_EQ(client.send("GET", "/v1/jobs?token=a&limit=3").status, 400);
  EXPECT_EQ(client.send("GET", "/v1/device?verbose=1").status, 400);
  EXPECT_EQ(client.send("GET", "/v1/jobs/dev_9").status, 404);
  EXPECT_EQ(client.send("PUT", "/v1/device").status, 405);
  EXPECT_THAT(device.times_billed(), SizeIs(0));
}

TEST(DeviceServer, wants_its_key_when_it_has_one) {
  DeviceOptions options = DeviceBench::quick();
  options.api_key = "k3y";
  DeviceBench device("faults: []", options);
  ClientBench client(device);
  EXPECT_EQ(client.send("GET", "/v1/device").status, 401);
  EXPECT_EQ(client.send("GET", "/v1/device", {}, {{"Authorization", "Bearer other"}}).status, 401);
  EXPECT_EQ(client.send("GET", "/v1/device", {}, {{"Authorization", "Bearer k3y"}}).status, 200);
}

TEST(DeviceServer, does_not_recognise_a_repeated_token_and_bills_it_twice) {
  DeviceBench device;
  ClientBench client(device);
  ASSERT_EQ(client.send("POST", "/v1/jobs", submission("t")).status, 201);
  ASSERT_EQ(client.send("POST", "/v1/jobs", submission("t")).status, 201);
  EXPECT_THAT(device.times_billed(), ElementsAre(Pair("t", 2)));
  EXPECT_THAT(body_of(client.send("GET", "/v1/jobs?token=t"))["jobs"], SizeIs(2));
}

TEST(DeviceServer, the_same_seed_and_token_give_the_same_counts_and_others_do_not) {
  const auto counts = [](std::uint64_t seed, const char* token) {
    DeviceOptions options = DeviceBench::quick();
    options.seed = seed;
    DeviceBench device("faults: []", options);
    ClientBench client(device);
    const std::string id = body_of(client.send("POST", "/v1/jobs", submission(token, 10'000)))["id"];
    ended(client, id);
    return body_of(client.send("GET", "/v1/jobs/" + id + "/result"))["pubs"];
  };
  const Json first = counts(1, "a");
  EXPECT_EQ(first, counts(1, "a"));
  EXPECT_NE(first, counts(1, "b"));
  EXPECT_NE(first, counts(2, "a"));
}

TEST(DeviceServer, finished_jobs_survive_a_restart_and_accepted_ones_run_again) {
  DeviceOptions options = DeviceBench::quick();
  DeviceBench device("faults: []", options);
  std::string done;
  std::string waiting;
  Json before;
  Json calibration;
  {
    ClientBench client(device);
    done = body_of(client.send("POST", "/v1/jobs", submission("done")))["id"];
    before = ended(client, done);
    calibration = body_of(client.send("GET", "/v1/calibration"));
  }
  device.options().queue_time = milliseconds(60'000);
  device.restart();
  {
    ClientBench client(device);
    waiting = body_of(client.send("POST", "/v1/jobs", submission("waiting")))["id"];
  }
  device.options().queue_time = milliseconds(1);
  device.restart();
  ClientBench client(device);
  EXPECT_EQ(body_of(client.send("GET", "/v1/jobs/" + done)), before);
  EXPECT_EQ(client.send("GET", "/v1/jobs/" + done + "/result").status, 200);
  EXPECT_EQ(body_of(client.send("GET", "/v1/calibration")), calibration);
  EXPECT_EQ(ended(client, waiting)["status"], "succeeded");
  EXPECT_THAT(device.times_billed(), ElementsAre(Pair("done", 1), Pair("waiting", 1)));
}

TEST(DeviceServer, a_book_of_another_device_is_refused) {
  DeviceBench device;
  device.stop();
  DeviceOptions other = device.options();
  other.seed = 2;
  ThreadExecutor executor(1);
  SystemClock clock;
  RealFs fs;
  NullLog log;
  NullMeter meter;
  EXPECT_THAT(DeviceServer::start(other, {executor, clock, fs, log, meter}), FailsWith(errors::kValueOutOfRange));
  other = device.options();
  other.qubits = 25;
  EXPECT_THAT(DeviceServer::start(other, {executor, clock, fs, log, meter}), FailsWith(errors::kValueOutOfRange));
  other = device.options();
  other.listen = "192.0.2.1:0";
  EXPECT_THAT(DeviceServer::start(other, {executor, clock, fs, log, meter}), FailsWith(errors::kAddressNotLoopback));
}

TEST(DeviceServer, queued_work_that_is_cancelled_pays_the_price_per_job_only) {
  DeviceOptions options = DeviceBench::quick();
  options.queue_time = milliseconds(60'000);
  DeviceBench device("faults: []", options);
  ClientBench client(device);
  const std::string id = body_of(client.send("POST", "/v1/jobs", submission("t")))["id"];
  EXPECT_EQ(body_of(client.send("GET", "/v1/jobs/" + id + "/result"))["code"], "no_result");
  const HttpResponse cancelled = client.send("POST", "/v1/jobs/" + id + "/cancel");
  EXPECT_EQ(cancelled.status, 202);
  EXPECT_EQ(body_of(cancelled)["status"], "cancelled");
  EXPECT_EQ(body_of(cancelled)["billed_usd_micros"], 10'000);
  EXPECT_EQ(client.send("POST", "/v1/jobs/" + id + "/cancel").status, 409);
  const Json last = device.book().back();
  EXPECT_EQ(last["line"], "ended");
  EXPECT_EQ(last["billed_usd_micros"], 10'000);
}

TEST(DeviceServer, a_full_queue_takes_no_more_and_bills_nothing) {
  DeviceOptions options = DeviceBench::quick();
  options.queue_time = milliseconds(60'000);
  options.queue_max = 2;
  DeviceBench device("faults: []", options);
  ClientBench client(device);
  EXPECT_EQ(client.send("POST", "/v1/jobs", submission("a")).status, 201);
  EXPECT_EQ(client.send("POST", "/v1/jobs", submission("b")).status, 201);
  const HttpResponse refused = client.send("POST", "/v1/jobs", submission("c"));
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(header_value(refused.headers, "Retry-After"), "1");
  EXPECT_EQ(body_of(client.send("GET", "/v1/device"))["availability"]["accepts_work"], false);
  EXPECT_THAT(device.times_billed(), SizeIs(2));
}

/// The device behind the adapter gives what the simulator gives, up to its noise, and in the same bit order.
TEST(DeviceServer, x_on_qubit_0_reads_alike_through_device_and_simulator) {
  DeviceBench device;
  ClientBench client(device);
  ThreadExecutor executor(2);
  const auto backend = client.backend({}, executor);
  const ProgramWork work{.pubs = {x_on_qubit_0(2000)}};
  const auto handle = backend->submit(work, "token", {});
  ASSERT_TRUE(handle.has_value());
  while (backend->poll({*handle, "token"}, {})->state != WorkState::kSucceeded) {
  }
  const auto raw = backend->fetch({*handle, "token"}, {});
  ASSERT_THAT(raw, Succeeds());
  EXPECT_EQ(raw->billed, Money{10'000 + 30 * 2000});
  EXPECT_EQ(raw->calibration_id, backend->calibration({}).value()->id);
  const auto decoded = backend->decode(*raw, work);
  ASSERT_THAT(decoded, Succeeds());
  const result::Counts& counts = std::get<backend::ProgramResult>(*decoded).pubs.at(0).counts(0);
  const auto simulated = statevector::run(work.pubs[0], {.seed = 1, .memory_bytes_max = 1u << 20}, {}, executor);
  ASSERT_THAT(simulated, Succeeds());
  std::size_t most = 0;
  for (std::size_t i = 1; i < counts.size(); ++i)
    if (counts.count(i) > counts.count(most)) most = i;
  EXPECT_EQ(counts.text(most), "100");
  EXPECT_EQ(simulated->counts(0).text(0), "100");
  EXPECT_GT(counts.count(most), 1800u);
  EXPECT_GT(counts.size(), 1u);  // it is noisy
}

TEST(DeviceServer, the_quote_is_the_bill) {
  DeviceBench device;
  ClientBench client(device);
  ThreadExecutor executor(2);
  const auto backend = client.backend({}, executor);
  circuit::Pub observed{.circuit = circuit::Circuit::create(2, 0).value(), .shots = 50};
  observed.circuit.gate(circuit::Gate::kH, {0}).gate(circuit::Gate::kCx, {0, 1});
  observed.observables = {observable::PauliSum::create(2, {observable::PauliSum::parse_term("ZZ", 1).value(),
                                                           observable::PauliSum::parse_term("XX", 1).value()})
                              .value()};
  const ProgramWork work{.pubs = {x_on_qubit_0(100), observed}};
  const auto quote = backend->quote(work, {});
  ASSERT_THAT(quote, Succeeds());
  EXPECT_EQ(quote->cost, Money{10'000 + 30 * (100 + 2 * 50)});
  const auto handle = backend->submit(work, "token", {});
  ASSERT_TRUE(handle.has_value());
  while (backend->poll({*handle, "token"}, {})->state != WorkState::kSucceeded) {
  }
  const auto raw = backend->fetch({*handle, "token"}, {});
  ASSERT_THAT(raw, Succeeds());
  EXPECT_EQ(raw->billed, quote->cost);
  const auto decoded = backend->decode(*raw, work);
  ASSERT_THAT(decoded, Succeeds());
  const auto& values = std::get<backend::ProgramResult>(*decoded).pubs.at(1).expectations(0);
  EXPECT_EQ(values.at(0).shots, 100u);
  EXPECT_GT(values.at(0).value, 1.2);  // a Bell pair: <ZZ> + <XX> = 2 without noise
}

TEST(DeviceServer, handles_of_two_books_never_meet) {
  DeviceBench device;
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) {
    ClientBench client(device);
    ids.push_back(body_of(client.send("POST", "/v1/jobs", submission("token")))["id"]);
    device.stop();
    std::filesystem::remove(device.options().book);
    device.restart();
  }
  EXPECT_NE(ids[0], ids[1]);
}

/// The book is set back to its first line, so that even its handles begin anew.
TEST(DeviceServer, after_a_loss_of_its_records_an_old_handle_reaches_nobody_elses_job) {
  DeviceOptions options = DeviceBench::quick();
  options.queue_time = milliseconds(60'000);
  DeviceBench device("faults: []", options);
  ThreadExecutor executor(2);
  const ProgramWork work{.pubs = {x_on_qubit_0(100)}};
  backend::WorkRef ours{.handle = "", .token = "ours"};
  {
    ClientBench client(device);
    ours.handle = client.backend({}, executor)->submit(work, ours.token, {}).value();
  }
  const std::string first_line = device.book().front().dump() + "\n";
  device.stop();
  RealFs fs;
  std::filesystem::remove(device.options().book);
  ASSERT_THAT(fs.open_append(device.options().book).value()->append_durable(first_line), Succeeds());
  device.options().queue_time = milliseconds(1);
  device.restart();

  ClientBench client(device);
  const auto backend = client.backend({}, executor);
  const backend::WorkRef theirs{.handle = backend->submit(work, "theirs", {}).value(), .token = "theirs"};
  ASSERT_EQ(theirs.handle, ours.handle);
  EXPECT_THAT(backend->cancel(ours, {}), FailsWith(errors::kUnknownHandle));
  EXPECT_THAT(backend->poll(ours, {}), FailsWith(errors::kUnknownHandle));
  while (backend->poll(theirs, {})->state != WorkState::kSucceeded) {
  }
  EXPECT_THAT(backend->fetch(ours, {}), FailsWith(errors::kUnknownHandle));
  EXPECT_THAT(backend->fetch(theirs, {}), Succeeds());
}

}  // namespace
}  // namespace tandem::lab
