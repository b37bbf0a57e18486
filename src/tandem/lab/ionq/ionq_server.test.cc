// The emulated IonQ cloud over real sockets: its wire, its book, and every fault as our adapter meets it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/pause.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/text.h"
#include "tandem/compute/statevector/run.h"
#include "tandem/lab/ionq/testing/ionq_bench.h"

namespace tandem::lab {
namespace {

using backend::WorkState;
using job::Money;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::SizeIs;

circuit::Pub measured(std::uint32_t qubits, std::initializer_list<std::uint32_t> flipped, std::uint64_t shots = 100) {
  circuit::Pub pub{.circuit = circuit::Circuit::create(qubits, qubits).value(), .shots = shots};
  for (const std::uint32_t qubit : flipped) pub.circuit.gate(circuit::Gate::kX, {qubit});
  pub.circuit.measure_all();
  return pub;
}
const backend::Work kFlip = backend::ProgramWork{.pubs = {measured(3, {0})}, .seed = 5};

constexpr const char* kBody =
    R"({"type":"ionq.circuit.v1","backend":"qpu.forte-1","shots":50,"metadata":{"tandem_token":"t1"},)"
    R"("input":{"gateset":"qis","qubits":2,"circuit":[{"gate":"x","target":1}]}})";

Json parsed(const HttpResponse& response) {
  auto document = parse_json(response.body, "answer");
  EXPECT_THAT(document, Succeeds());
  return document.value_or(Json());
}

class IonqServerTest : public testing::Test {
 protected:
  /// The provider anew, with these faults.
  void use(std::string_view faults, IonqOptions options = IonqBench::quick()) {
    backend_.reset();
    client_.reset();
    bench_.emplace(faults, std::move(options));
    client_.emplace(*bench_);
    backend_ = client_->backend("qpu.forte-1", executor_);
  }
  backend::CallContext within(milliseconds time) const { return {.deadline = Deadline::after(client_->clock(), time)}; }
  std::string create() {
    const HttpResponse response = client_->send("POST", "/jobs", kBody);
    EXPECT_EQ(response.status, 201) << response.body;
    return parsed(response).value("id", "");
  }
  Json wait_for(const std::string& id) {
    for (int i = 0; i < 10'000; ++i) {
      Json job = parsed(client_->send("GET", "/jobs/" + id));
      if (!job["completed_at"].is_null()) return job;
      EXPECT_TRUE(pause(executor_, milliseconds(1), {}).has_value());
    }
    ADD_FAILURE() << "the job never ended";
    return {};
  }
  backend::PollStatus poll_to_the_end(const backend::WorkRef& work) {
    for (int i = 0; i < 10'000; ++i) {
      const auto status = backend_->poll(work, within(milliseconds(5000)));
      EXPECT_THAT(status, Succeeds());
      if (!status || (status->state != WorkState::kQueued && status->state != WorkState::kRunning))
        return status.value_or(backend::PollStatus{});
      EXPECT_TRUE(pause(executor_, milliseconds(1), {}).has_value());
    }
    ADD_FAILURE() << "the work never ended";
    return {};
  }

  ThreadExecutor executor_{2};
  std::optional<IonqBench> bench_;
  std::optional<IonqClient> client_;
  std::unique_ptr<backend::Backend> backend_;
};

TEST_F(IonqServerTest, requests_are_held_to_the_text_and_every_answer_is_labelled) {
  use("faults: []");
  struct Case {
    const char* method;
    std::string path;
    const char* body;
    int status;
  };
  const Case cases[] = {{"GET", "/backends", "", 200},
                        {"GET", "/backends/qpu.forte-1", "", 200},
                        {"GET", "/backends/qpu", "", 404},
                        {"GET", "/backends/simulator/characterizations?limit=1", "", 200},
                        {"GET", "/backends/qpu.forte-1/characterizations?limit=11", "", 400},
                        {"GET", "/backends/qpu.forte-1/characterizations?lmit=1", "", 400},
                        {"GET", "/whoami", "", 200},
                        {"GET", "/whoami?key_id=1", "", 400},
                        {"POST", "/whoami", "", 405},
                        {"GET", "/jobs/none", "", 404},
                        {"GET", "/jobs?limit=0", "", 400},
                        {"GET", "/jobs/estimate", "", 400},
                        {"GET", "/jobs/estimate?backend=qpu.forte-1&session=false", "", 400},
                        {"GET", "/nothing", "", 404},
                        {"POST", "/backends", "", 405},
                        {"POST", "/jobs", "{", 400},
                        {"POST", "/jobs", "[]", 400},
                        {"POST", "/jobs", R"({"type":"ionq.circuit.v1"})", 400},
                        {"PUT", "/jobs/none/status/cancel", "", 404},
                        {"DELETE", "/jobs/none", "", 404}};
  for (const Case& one : cases) {
    const HttpResponse response = client_->send(one.method, one.path, one.body);
    EXPECT_EQ(response.status, one.status) << one.method << one.path << response.body;
    EXPECT_EQ(header_value(response.headers, "Tandem-Emulated"), "true") << one.path;
    if (response.status < 400) continue;
    const Json error = parsed(response);
    EXPECT_EQ(error["statusCode"], one.status);
    EXPECT_TRUE(error["error"].is_string() && error["message"].is_string());
  }
  const HttpResponse keyless = client_->send("GET", "/jobs", "", {{"Authorization", "apiKey other"}});
  EXPECT_EQ(keyless.status, 401) << "the first header counts";
  EXPECT_EQ(client_->send("GET", "/whoami", "", {{"Authorization", "apiKey other"}}).status, 401);
}

TEST_F(IonqServerTest, whose_key_it_is_can_be_asked_for) {
  use("faults: []");
  const Json owner = parsed(client_->send("GET", "/whoami"));
  EXPECT_EQ(owner, (Json{{"key_id", "00000000-0000-7000-8000-000000000001"}, {"key_name", "emulated key"}}));
}

TEST_F(IonqServerTest, a_job_walks_from_submitted_to_a_result_and_a_bill) {
  use("faults: []");
  const std::string id = create();
  const Json job = wait_for(id);
  EXPECT_EQ(job["status"], "completed");
  EXPECT_EQ(job["stats"]["gate_counts"], (Json{{"1q", 1}, {"2q", 0}}));
  ASSERT_EQ(job["results"]["histogram"]["url"], "/v0.4/jobs/" + id + "/results/histogram");
  const Json histogram = parsed(client_->send("GET", "/jobs/" + id + "/results/histogram"));
  std::uint64_t shots = 0;
  for (const auto& [outcome, count] : histogram.items()) shots += count.get<std::uint64_t>();
  EXPECT_EQ(shots, 50u);
  EXPECT_GT(histogram.value("2", 0), 40) << "qubit 1 is bit 1";
  EXPECT_THAT(parsed(client_->send("GET", "/jobs/" + id + "/results/shots")), SizeIs(50));
  const Json cost = parsed(client_->send("GET", "/jobs/" + id + "/cost"));
  EXPECT_EQ(cost["cost"], (Json{{"value", 1.0}, {"unit", "usd"}})) << "the least that a job costs";
  EXPECT_EQ(client_->send("DELETE", "/jobs/" + id).status, 200);
  EXPECT_EQ(client_->send("GET", "/jobs/" + id).status, 404);
}

TEST_F(IonqServerTest, the_book_brings_everything_back_and_the_seed_gives_the_same_result) {
  use("faults: []");
  const std::string first = create();
  wait_for(first);
  const Json before = parsed(client_->send("GET", "/jobs/" + first + "/results/histogram"));
  backend_.reset();
  client_.reset();
  bench_->restart();
  client_.emplace(*bench_);
  EXPECT_EQ(parsed(client_->send("GET", "/jobs/" + first + "/results/histogram")), before);
  const std::string second = create();
  EXPECT_NE(first, second);
  wait_for(second);
  EXPECT_EQ(parsed(client_->send("GET", "/jobs/" + second + "/results/histogram")), before) << "same seed and body";
}

TEST_F(IonqServerTest, a_job_that_ended_after_its_removal_does_not_spoil_the_book) {
  use("faults: []");
  const std::string id = create();
  wait_for(id);
  Json ended;
  for (const Json& line : bench_->book())
    if (line.value("line", "") == "ended") ended = line;
  ASSERT_EQ(client_->send("DELETE", "/jobs/" + id).status, 200);
  backend_.reset();
  client_.reset();
  bench_->add_to_book(ended);  // as of one that was running when it was removed
  bench_->restart();
  client_.emplace(*bench_);
  EXPECT_EQ(client_->send("GET", "/jobs/" + id).status, 404);
}

TEST_F(IonqServerTest, the_list_is_newest_first_and_its_pages_join) {
  use("faults: []");
  std::vector<std::string> ids;
  for (int i = 0; i < 7; ++i) ids.push_back(create());
  std::vector<std::string> seen;
  std::string next;
  do {
    const Json page = parsed(client_->send("GET", "/jobs?limit=3" + (next.empty() ? "" : "&next=" + next)));
    for (const Json& job : page["jobs"]) seen.push_back(job["id"]);
    EXPECT_LE(page["jobs"].size(), 3u);
    next = page["next"].is_null() ? "" : page["next"].get<std::string>();
  } while (!next.empty());
  std::reverse(ids.begin(), ids.end());
  EXPECT_EQ(seen, ids);
  EXPECT_THAT(parsed(client_->send("GET", "/jobs?ids=" + ids[2] + "," + ids[5]))["jobs"], SizeIs(2));
  EXPECT_THAT(parsed(client_->send("GET", "/jobs?target=simulator"))["jobs"], SizeIs(0));
  EXPECT_EQ(client_->send("GET", "/jobs", R"({"limit":1000})").status, 400)
      << "a body is for the client that sends one";
  const Json to_cirq =
      parsed(client_->send("GET", "/jobs", R"({"limit":1000})", {{"User-Agent", "cirq/1.7.0 (python)"}}));
  EXPECT_THAT(to_cirq["jobs"], SizeIs(7));
  EXPECT_FALSE(to_cirq.contains("next"));
}

// ---- through the adapter

/// X on qubit 0 of three, and registers of two and three bits with bit 0 and bit 3 set: one canonical string everywhere.
TEST_F(IonqServerTest, bits_are_in_one_order_through_the_simulator_and_both_kinds_of_backends) {
  use("faults: []");
  const auto ideal = client_->backend("simulator", executor_);
  for (const auto& [pub, text] :
       {std::pair{measured(3, {0}, 400), "100"}, std::pair{measured(5, {0, 3}, 400), "10010"}}) {
    const backend::Work work = backend::ProgramWork{.pubs = {pub}};
    const auto simulated = statevector::run(pub, {.seed = 1, .memory_bytes_max = 1u << 20}, {}, executor_);
    ASSERT_THAT(simulated, Succeeds());
    EXPECT_EQ(simulated->counts(0).text(0), text);
    for (backend::Backend* one : {backend_.get(), ideal.get()}) {
      const auto handle = one->submit(work, "order", {});
      ASSERT_TRUE(handle.has_value()) << handle.error().error.to_string();
      const backend::WorkRef ref{.handle = *handle, .token = "order"};
      wait_for(*handle);
      const auto raw = one->fetch(ref, within(milliseconds(5000)));
      ASSERT_THAT(raw, Succeeds());
      const auto result = one->decode(*raw, work);
      ASSERT_THAT(result, Succeeds());
      const result::BindingResult& binding = std::get<backend::ProgramResult>(*result).pubs.at(0).bindings.at(0);
      if (const auto* exact = std::get_if<result::Distribution>(&binding)) {
        ASSERT_EQ(exact->size(), 1u);
        EXPECT_EQ(exact->text(0), text);
        EXPECT_NEAR(exact->probability(0), 1, 1e-12);
      } else {
        const auto& counts = std::get<result::Counts>(binding);
        std::size_t best = 0;
        for (std::size_t i = 0; i < counts.size(); ++i)
          if (counts.count(i) > counts.count(best)) best = i;
        EXPECT_EQ(counts.text(best), text);
      }
    }
  }
}

TEST_F(IonqServerTest, the_quote_is_the_bill) {
  use("faults: []");
  circuit::Pub pub{.circuit = circuit::Circuit::create(3, 3).value(), .shots = 1000};
  for (int i = 0; i < 5; ++i) pub.circuit.gate(circuit::Gate::kCx, {0, 1}).gate(circuit::Gate::kH, {2});
  pub.circuit.measure_all();
  const backend::Work work = backend::ProgramWork{.pubs = {pub}};
  const auto quote = backend_->quote(work, {});
  ASSERT_THAT(quote, Succeeds());
  EXPECT_EQ(quote->cost, Money{1000 * (5 * 30 + 5 * 300)});
  EXPECT_THAT(quote->source, HasSubstr("emulated prices of 2026-11-27"));
  const auto handle = backend_->submit(work, "paid", {});
  ASSERT_TRUE(handle.has_value());
  const backend::WorkRef ref{.handle = *handle, .token = "paid"};
  EXPECT_EQ(poll_to_the_end(ref).state, WorkState::kSucceeded);
  const auto raw = backend_->fetch(ref, {});
  ASSERT_THAT(raw, Succeeds());
  EXPECT_EQ(raw->billed, quote->cost);
  ASSERT_TRUE(raw->used.has_value());
  EXPECT_EQ(quote->use.qpu_us, 10'000) << "ten gates of a millisecond each";
  EXPECT_EQ(raw->used->qpu_us, quote->use.qpu_us);
  const auto calibration = backend_->calibration({});
  ASSERT_THAT(calibration, Succeeds());
  ASSERT_TRUE(calibration->has_value());
  EXPECT_NEAR((*calibration)->error_2q, 8e-3, 1e-12) << "the noise that is simulated";
}

TEST_F(IonqServerTest, work_cancelled_in_the_queue_costs_nothing) {
  IonqOptions slow = IonqBench::quick();
  slow.queue_time = std::chrono::minutes(1);
  use("faults: []", slow);
  const auto handle = backend_->submit(kFlip, "gone", {});
  ASSERT_TRUE(handle.has_value());
  const backend::WorkRef ref{.handle = *handle, .token = "gone"};
  const auto waiting = backend_->poll(ref, {});
  ASSERT_THAT(waiting, Succeeds());
  EXPECT_EQ(waiting->state, WorkState::kQueued);
  EXPECT_THAT(waiting->detail, HasSubstr("60000 ms is predicted"));
  EXPECT_EQ(backend_->availability({})->ready_in_ms, 60'000);
  ASSERT_THAT(backend_->cancel(ref, {}), Succeeds());
  const auto status = backend_->poll(ref, {});
  ASSERT_THAT(status, Succeeds());
  EXPECT_EQ(status->state, WorkState::kCancelled);
  EXPECT_EQ(status->billed, Money{0});
}

// ---- faults

TEST_F(IonqServerTest, a_lost_submission_is_found_again_and_never_made_twice) {
  for (const char* action :
       {"drop_reply", "garbage_html", "garbage_truncated", "error_after", "accept_late, delay_ms: 30"}) {
    SCOPED_TRACE(action);
    use(fmt::format("faults: [{{on: submit, action: {}, nth: 1}}]", action));
    const Timestamp sent_at = client_->clock().now();
    const auto lost = backend_->submit(kFlip, "lost", {});
    ASSERT_FALSE(lost.has_value());
    EXPECT_TRUE(lost.error().ambiguous);
    for (int i = 0; i < 30; ++i) create();  // of others: the lookup has to turn a page
    const auto look = [&] { return backend_->reconcile({.token = "lost", .sent_at = sent_at}, {}); };
    auto found = look();
    for (int i = 0; i < 200 && found && found->kind == backend::Reconciled::Kind::kNotFound; ++i) {
      ASSERT_THAT(pause(executor_, milliseconds(5), {}), Succeeds());
      found = look();
    }
    ASSERT_THAT(found, Succeeds());
    ASSERT_EQ(found->kind, backend::Reconciled::Kind::kFound);
    EXPECT_EQ(poll_to_the_end({.handle = found->handle, .token = "lost"}).state, WorkState::kSucceeded);
    std::size_t times = 0;
    for (const Json& line : bench_->book())
      times += line.value("line", "") == "accepted" && line.value("token", "") == "lost" ? 1 : 0;
    EXPECT_EQ(times, 1u);
  }
}

TEST_F(IonqServerTest, what_never_arrived_is_not_found) {
  for (const char* action : {"drop_request", "error", "error_html"}) {
    SCOPED_TRACE(action);
    use(fmt::format("faults: [{{on: submit, action: {}, nth: 1}}]", action));
    const auto lost = backend_->submit(kFlip, "lost", {});
    ASSERT_FALSE(lost.has_value());
    EXPECT_TRUE(lost.error().ambiguous);
    const auto found = backend_->reconcile({.token = "lost", .sent_at = client_->clock().now()}, {});
    ASSERT_THAT(found, Succeeds());
    EXPECT_EQ(found->kind, backend::Reconciled::Kind::kNotFound);
    EXPECT_EQ(bench_->accepted(), 0u);
  }
}

TEST_F(IonqServerTest, too_many_requests_say_when_or_do_not) {
  use("faults: [{on: submit, action: throttle, delay_ms: 3000, nth: 1}, {on: submit, action: throttle_silently, nth: "
      "2}]");
  for (const std::optional<milliseconds> patience :
       {std::optional(milliseconds(3000)), std::optional<milliseconds>()}) {
    const auto refused = backend_->submit(kFlip, "t", {});
    ASSERT_FALSE(refused.has_value());
    EXPECT_FALSE(refused.error().ambiguous);
    EXPECT_EQ(refused.error().said, backend::ErrorClass::kThrottled);
    EXPECT_EQ(refused.error().retry_after, patience);
  }
  EXPECT_TRUE(backend_->submit(kFlip, "t", {}).has_value());
  EXPECT_EQ(bench_->accepted(), 1u);
}

/// A clock that is half an hour off hides nothing; one that is hours behind would, so nothing older than an hour counts as seen.
TEST_F(IonqServerTest, a_clock_that_is_off_does_not_hide_a_job) {
  for (const int offset_ms : {-1'800'000, 1'800'000}) {
    use(fmt::format("faults: [{{on: submit, action: drop_reply, nth: 1}}]\nclock_offset_ms: {}", offset_ms));
    const Timestamp sent_at = client_->clock().now();
    ASSERT_FALSE(backend_->submit(kFlip, "lost", {}).has_value());
    for (int i = 0; i < 30; ++i) create();
    const auto found = backend_->reconcile({.token = "lost", .sent_at = sent_at}, {});
    ASSERT_THAT(found, Succeeds());
    EXPECT_EQ(found->kind, backend::Reconciled::Kind::kFound) << offset_ms;
  }
}

TEST_F(IonqServerTest, reads_outlast_what_goes_wrong_on_the_way) {
  use("faults: [{on: status, action: error, status: 502, from: 1, count: 2}, {on: status, action: garbage_truncated, "
      "nth: 3},"
      " {on: status, action: unknown_status, nth: 5}, {on: result, action: error_html, nth: 1}, {on: result, action: "
      "slow_body, delay_ms: 40, nth: 2},"
      " {on: bill, action: throttle_silently, nth: 1}, {on: estimate, action: error, nth: 1}, {on: device, action: "
      "drop_request, nth: 1}]");
  ASSERT_THAT(backend_->quote(kFlip, {}), Succeeds());
  const auto handle = backend_->submit(kFlip, "read", {});
  ASSERT_TRUE(handle.has_value());
  const backend::WorkRef ref{.handle = *handle, .token = "read"};
  ASSERT_THAT(backend_->poll(ref, {}), Succeeds());  // the fourth request
  const auto odd = backend_->poll(ref, {});
  ASSERT_THAT(odd, Succeeds());
  EXPECT_EQ(odd->state, WorkState::kRunning) << "an unknown word ends nothing";
  EXPECT_THAT(odd->detail, HasSubstr("unknown status"));
  EXPECT_EQ(poll_to_the_end(ref).state, WorkState::kSucceeded);
  const auto raw = backend_->fetch(ref, {});
  ASSERT_THAT(raw, Succeeds());
  EXPECT_THAT(backend_->decode(*raw, kFlip), Succeeds());
}

TEST_F(IonqServerTest, a_missing_result_and_a_cancel_that_comes_too_late_are_said) {
  use("faults: [{on: result, action: result_missing, nth: 1}, {on: result, action: partial_result, nth: 3}, {on: "
      "cancel, action: cancel_race, nth: 1}]");
  const auto handle = backend_->submit(kFlip, "late", {});
  ASSERT_TRUE(handle.has_value());
  const backend::WorkRef ref{.handle = *handle, .token = "late"};
  EXPECT_THAT(backend_->cancel(ref, {}), Succeeds()) << "work that has ended needs none";
  EXPECT_EQ(poll_to_the_end(ref).state, WorkState::kSucceeded);
  EXPECT_THAT(backend_->fetch(ref, {}), FailsWith(errors::kUnknownHandle));
  const auto whole = backend_->fetch(ref, {});
  const auto part = backend_->fetch(ref, {});
  ASSERT_THAT(whole, Succeeds());
  ASSERT_THAT(part, Succeeds());
  const auto shots = [&](const backend::RawResult& raw) {
    const auto result = backend_->decode(raw, kFlip);
    EXPECT_THAT(result, Succeeds());
    return std::get<backend::ProgramResult>(*result).pubs.at(0).counts(0).shots();
  };
  EXPECT_EQ(shots(*whole), 100u);
  EXPECT_LT(shots(*part), 60u);
}

}  // namespace
}  // namespace tandem::lab
