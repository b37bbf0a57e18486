// The codec of IonQ without a socket. Answers are written by the vendor's OpenAPI text (its examples), never recorded from it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/memory_credentials.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/base/testing/scripted_http.h"
#include "tandem/base/testing/seeded_rng.h"
#include "tandem/base/testing/skipping_executor.h"
#include "tandem/base/text.h"
#include "tandem/compute/statevector/run.h"
#include "tandem/middleware/adapter/ionq/ionq.h"
#include "tandem/middleware/adapter/ionq/wire_result.h"
#include "tandem/middleware/remote/remote_backend.h"

namespace tandem::ionq {
namespace {

using backend::ProgramWork;
using backend::WorkState;
using circuit::Circuit;
using circuit::Gate;
using circuit::Pub;
using job::Money;
using remote::DeviceFacts;
using remote::Verdict;
using testing::HasSubstr;

constexpr std::string_view kToken = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kJob = "617a1f8b-59d4-435d-aa33-695433d7155e";
const backend::WorkRef kWork{.handle = std::string(kJob), .token = std::string(kToken)};

Pub x_on_qubit_0_of_three(std::uint64_t shots = 100) {
  Pub pub{.circuit = Circuit::create(3, 3).value(), .shots = shots};
  pub.circuit.gate(Gate::kX, {0}).measure_all();
  return pub;
}

/// Registers of two and three bits, X on bit 0 of the first and on bit 1 of the second: nothing is symmetric here.
Pub asymmetric_registers() {
  Pub pub{.circuit = Circuit::create(5, 5).value(), .shots = 8};
  pub.circuit.gate(Gate::kX, {0}).gate(Gate::kX, {3}).measure_all();
  return pub;
}

std::string job_body(std::string_view status, std::string_view more = "", std::string_view token = kToken,
                     std::string_view id = kJob) {
  return fmt::format(
      R"({{"id":"{}","status":"{}","metadata":{{"tandem_token":"{}","other":"x"}},"submitted_at":"2026-01-02T03:04:05.678Z"{}}})",
      id, status, token, more);
}

std::string results(std::string_view kinds) {
  std::string inner;
  for (const std::string_view kind : split(kinds, ' '))
    inner += fmt::format(R"({}"{}":{{"url":"/v0.4/jobs/{}/results/{}"}})", inner.empty() ? "" : ",", kind, kJob, kind);
  return fmt::format(R"(,"results":{{{}}})", inner);
}

HttpResponse answer(int status, std::string body, std::string media_type = "application/json; charset=utf-8") {
  return {.status = status, .headers = {{"Content-Type", std::move(media_type)}}, .body = std::move(body)};
}

class IonqCodecTest : public testing::Test {
 protected:
  std::unique_ptr<const remote::Codec> simulator_ = make_codec({.backend = "simulator"}).value();
  std::unique_ptr<const remote::Codec> qpu_ = make_codec({.backend = "qpu.forte-1"}).value();
  const DeviceFacts facts_{.qubits_max = 11, .shots_max = 1000};

  static Result<result::BindingResult> decode(const remote::Codec& codec, const Pub& pub, std::string_view media_type,
                                              std::string body) {
    TANDEM_TRY_ASSIGN(auto decoded,
                      codec.decode_result({.bytes = std::move(body), .media_type = std::string(media_type)},
                                          ProgramWork{.pubs = {pub}}));
    return std::get<backend::ProgramResult>(decoded).pubs.at(0).bindings.at(0);
  }
};

TEST_F(IonqCodecTest, the_manifest_says_what_this_is) {
  const backend::BackendInfo& simulator = simulator_->manifest().info;
  EXPECT_EQ(simulator.id, BackendId("ionq.simulator"));
  EXPECT_EQ(simulator.tier, job::Tier::kSimulator);
  EXPECT_EQ(simulator.access, job::Access::kCloud);
  EXPECT_FALSE(simulator.metered);
  EXPECT_FALSE(simulator.emulated);
  const backend::BackendInfo& qpu = qpu_->manifest().info;
  EXPECT_EQ(qpu.id, BackendId("ionq.qpu.forte-1"));
  EXPECT_EQ(qpu.tier, job::Tier::kQpu);
  EXPECT_TRUE(qpu.metered);
  EXPECT_FALSE(qpu.emulated);
  EXPECT_EQ(qpu.safety, backend::SubmitSafety::kC);
  EXPECT_EQ(qpu.conformance, "L3");
  EXPECT_EQ(qpu_->manifest().authorization, "apiKey");
  const auto emulated = make_codec({.backend = "qpu.forte-1", .emulated = true});
  ASSERT_THAT(emulated, Succeeds());
  EXPECT_TRUE((*emulated)->manifest().info.emulated);
  EXPECT_THAT((*emulated)->manifest().info.name, HasSubstr("emulated"));
  const auto unknown = make_codec({.backend = "qpu.fort-1"});
  ASSERT_THAT(unknown, FailsWith(errors::kValueOutOfRange));
  EXPECT_THAT(unknown.error().message, HasSubstr("did you mean 'qpu.forte-1'"));
}

TEST_F(IonqCodecTest, a_submission_is_these_bytes) {
  const ProgramWork work{.pubs = {x_on_qubit_0_of_three()}, .seed = 7};
  const auto request = qpu_->encode_submit(work, kToken);
  ASSERT_THAT(request, Succeeds());
  EXPECT_EQ(request->method, "POST");
  EXPECT_EQ(request->url, "/jobs");
  EXPECT_EQ(header_value(request->headers, "content-type"), "application/json");
  EXPECT_EQ(request->body,
            R"({"backend":"qpu.forte-1","input":{"circuit":[{"gate":"x","targets":[0]}],"gateset":"qis","qubits":3},)"
            R"("metadata":{"tandem_token":"abcdefghijklmnopqrstuvwxyz"},"name":"tandem-abcdefghijklmnopqrstuvwxyz",)"
            R"("settings":{"error_mitigation":{"debiasing":false}},"shots":100,"type":"ionq.circuit.v1"})");
  EXPECT_EQ(request, qpu_->encode_submit(work, kToken));
  const auto simulated = simulator_->encode_submit(work, kToken);
  ASSERT_THAT(simulated, Succeeds());
  EXPECT_THAT(simulated->body, HasSubstr(R"("noise":{"model":"ideal","seed":7})"));
  EXPECT_THAT(simulated->body, HasSubstr(R"("backend":"simulator")"));
}

TEST_F(IonqCodecTest, reads_are_these_requests) {
  const std::string handle(kJob);
  EXPECT_EQ(qpu_->encode_device(), (HttpRequest{.url = "/backends/qpu.forte-1"}));
  EXPECT_EQ(qpu_->encode_calibration(), (HttpRequest{.url = "/backends/qpu.forte-1/characterizations?limit=1"}));
  EXPECT_EQ(simulator_->encode_calibration(), std::nullopt);
  EXPECT_EQ(qpu_->encode_poll(handle), (HttpRequest{.url = "/jobs/" + handle}));
  EXPECT_EQ(qpu_->encode_bill(handle), (HttpRequest{.url = "/jobs/" + handle + "/cost"}));
  EXPECT_EQ(simulator_->encode_bill(handle), std::nullopt);
  EXPECT_EQ(qpu_->encode_cancel(handle), (HttpRequest{.method = "PUT", .url = "/jobs/" + handle + "/status/cancel"}));
  EXPECT_EQ(qpu_->encode_lookup({.token = kToken, .sent_at = {}}, ""), (HttpRequest{.url = "/jobs?limit=100"}));
  EXPECT_EQ(qpu_->encode_lookup({.token = kToken, .sent_at = {}}, "page-2"),
            (HttpRequest{.url = "/jobs?limit=100&next=page-2"}));
  const auto estimate = qpu_->encode_estimate(ProgramWork{.pubs = {x_on_qubit_0_of_three()}});
  ASSERT_TRUE(estimate.has_value());
  EXPECT_EQ(estimate->url,
            "/jobs/estimate?backend=qpu.forte-1&type=ionq.circuit.v1&qubits=3&shots=100&1q_gates=1&2q_gates=0"
            "&error_mitigation=false");
  EXPECT_EQ(simulator_->encode_estimate(ProgramWork{.pubs = {x_on_qubit_0_of_three()}}), std::nullopt);
}

TEST_F(IonqCodecTest, work_beyond_its_means_is_refused_with_the_reason) {
  Pub observed = x_on_qubit_0_of_three();
  observed.circuit = Circuit::create(1, 0).value();
  observed.observables = {observable::PauliSum::create(1, {observable::PauliSum::parse_term("Z", 1).value()}).value()};
  Pub swept = x_on_qubit_0_of_three();
  swept.circuit = Circuit::create(1, 1, {"a"}).value();
  swept.circuit.measure_all();
  swept.parameter_values = {{1}, {2}};
  Pub wide{.circuit = Circuit::create(12, 12).value(), .shots = 10};
  wide.circuit.gate(Gate::kX, {11}).measure_all();
  struct Case {
    backend::Work work;
    const char* reason;
  };
  const Case cases[] = {
      {backend::SolveWork{}, "runs circuits"},
      {ProgramWork{.pubs = {x_on_qubit_0_of_three(), x_on_qubit_0_of_three()}}, "one circuit"},
      {ProgramWork{.pubs = {swept}}, "one circuit"},
      {ProgramWork{.pubs = {observed}}, "observables"},
      {ProgramWork{.pubs = {wide}}, "needs 12 qubits; ionq.qpu.forte-1 has 11"},
      {ProgramWork{.pubs = {x_on_qubit_0_of_three(1001)}}, "1001 shots"},
  };
  for (const Case& one : cases) {
    const auto refused = qpu_->validate(one.work, &facts_);
    ASSERT_FALSE(refused) << one.reason;
    EXPECT_THAT(refused.error().message, HasSubstr(one.reason));
  }
  EXPECT_THAT(qpu_->validate(ProgramWork{.pubs = {wide}}, nullptr), Succeeds());  // the manifest allows 36
}

// ---- bit order

/// The same three qubits through the simulator and through the wire of IonQ are the same canonical string.
TEST_F(IonqCodecTest, x_on_qubit_0_of_three_decodes_like_the_simulator) {
  for (const auto& [pub, wire, text] : {std::tuple{x_on_qubit_0_of_three(8), R"({"1":8})", "100"},
                                        std::tuple{asymmetric_registers(), R"({"9":8})", "10010"}}) {
    const auto decoded = decode(*qpu_, pub, kHistogramType, wire);
    ASSERT_THAT(decoded, Succeeds());
    const auto& counts = std::get<result::Counts>(*decoded);
    EXPECT_EQ(counts.text(0), text);
    ThreadExecutor executor(1);
    const auto simulated = statevector::run(pub, {.seed = 1, .memory_bytes_max = 1u << 20}, {}, executor);
    ASSERT_THAT(simulated, Succeeds());
    EXPECT_EQ(simulated->counts(0), counts);
  }
}

/// Qubit 2 goes to bit 0, qubit 0 to bit 3; bits 1 and 2 are written by nobody, and qubit 1 is not measured.
TEST_F(IonqCodecTest, outcomes_are_read_through_the_measurements_of_the_circuit) {
  Pub pub{.circuit = Circuit::create(3, 4).value(), .shots = 100};
  pub.circuit.gate(Gate::kH, {1}).measure(2, 0).measure(0, 3);
  const auto counted = decode(*qpu_, pub, kHistogramType, R"({"1":10,"3":20,"4":30,"6":40,"5":0})");
  ASSERT_THAT(counted, Succeeds());
  EXPECT_EQ(std::get<result::Counts>(*counted), *result::Counts::create(4, {{"0001", 30}, {"1000", 70}}));
  const auto shots = decode(*qpu_, pub, kShotsType, R"([1,"3",4,6,6])");
  ASSERT_THAT(shots, Succeeds());
  EXPECT_EQ(std::get<result::Counts>(*shots), *result::Counts::create(4, {{"0001", 2}, {"1000", 3}}));
  const auto computed = decode(*simulator_, pub, kProbabilitiesType, R"({"1":0.125,"3":0.125,"4":0.25,"6":0.5})");
  ASSERT_THAT(computed, Succeeds());
  EXPECT_EQ(std::get<result::Distribution>(*computed),
            *result::Distribution::create(4, {{"0001", 0.25}, {"1000", 0.75}}, false));
}

TEST_F(IonqCodecTest, a_result_that_does_not_answer_the_question_is_garbage) {
  const Pub pub = x_on_qubit_0_of_three();
  const std::pair<std::string_view, const char*> cases[] = {
      {kHistogramType, R"({"1":101})"},  // a shot too many
      {kHistogramType, R"({"8":100})"},  // qubit 3 of three
      {kHistogramType, R"({"1":0.5})"},  // a probability
      {kHistogramType, R"({"1":-1})"},
      {kHistogramType, R"({"0x1":100})"},
      {kHistogramType, R"({"":100})"},
      {kHistogramType, R"({"-1":100})"},
      {kHistogramType, "{}"},
      {kHistogramType, R"([1])"},
      {kProbabilitiesType, R"({"1":0.5})"},  // half of it
      {kProbabilitiesType, R"({"1":100})"},  // counts
      {kProbabilitiesType, R"({"1":-0.1,"2":1.1})"},
      {kShotsType, R"({"1":100})"},
      {kShotsType, R"([1.5])"},
      {kShotsType, "[]"},
      {"application/json", R"({"1":100})"},  // of which kind it is was never said
  };
  for (const auto& [media_type, body] : cases) {
    EXPECT_THAT(decode(*qpu_, pub, media_type, body), FailsWith(errors::kBackendGarbage)) << media_type << body;
  }
  EXPECT_THAT(decode(*qpu_, pub, kHistogramType, R"({"1":60})"), Succeeds())
      << "a partial answer is the engine's to judge";
}

// ---- places of results

TEST_F(IonqCodecTest, a_machine_is_asked_for_counts_and_the_ideal_simulator_for_probabilities) {
  struct Case {
    const remote::Codec& codec;
    const char* offered;
    const char* taken;
    std::string_view media_type;
  };
  for (const Case& one : {Case{*qpu_, "probabilities histogram shots", "histogram", kHistogramType},
                          Case{*qpu_, "probabilities shots", "shots", kShotsType},
                          Case{*qpu_, "probabilities", "probabilities", kProbabilitiesType},
                          Case{*simulator_, "histogram probabilities", "probabilities", kProbabilitiesType},
                          Case{*simulator_, "histogram", "histogram", kHistogramType}}) {
    const std::string body = job_body("completed", results(one.offered));
    const auto receipt = one.codec.decode_receipt(body, kWork);
    ASSERT_THAT(receipt, Succeeds());
    EXPECT_EQ(receipt->media_type, one.media_type);
    const auto request = one.codec.encode_fetch(kWork.handle, body);
    ASSERT_THAT(request, Succeeds());
    EXPECT_EQ(request->url, fmt::format("/jobs/{}/results/{}", kJob, one.taken));
  }
}

TEST_F(IonqCodecTest, a_place_elsewhere_is_never_gone_to) {
  for (const char* url : {"https://elsewhere.example/v0.4/jobs/j/results/histogram", "//elsewhere.example/x",
                          "/v0.4/jobs/other/results/histogram", "/v0.4/../admin",
                          "/v0.4/jobs/617a1f8b-59d4-435d-aa33-695433d7155e/results/../../x", "", "/v0.3/jobs",
                          "/v0.4@elsewhere.example/"}) {
    const std::string body = job_body("completed", fmt::format(R"(,"results":{{"histogram":{{"url":"{}"}}}})", url));
    EXPECT_THAT(qpu_->encode_fetch(kWork.handle, body), FailsWith(errors::kBackendGarbage)) << url;
  }
  EXPECT_THAT(qpu_->decode_receipt(job_body("completed", R"(,"results":null)"), kWork),
              FailsWith(errors::kBackendGarbage));
  EXPECT_THAT(qpu_->decode_receipt(job_body("started"), kWork), FailsWith(errors::kResultNotReady));
}

// ---- status and bill

TEST_F(IonqCodecTest, every_status_word_has_its_meaning_and_an_unknown_one_is_no_end) {
  const std::pair<const char*, WorkState> cases[] = {
      {"submitted", WorkState::kQueued},    {"ready", WorkState::kQueued},  {"started", WorkState::kRunning},
      {"completed", WorkState::kSucceeded}, {"failed", WorkState::kFailed}, {"canceled", WorkState::kCancelled},
      {"running", WorkState::kRunning},     {"", WorkState::kRunning}};
  for (const auto& [word, state] : cases) {
    const auto status = qpu_->decode_poll(job_body(word), kWork);
    ASSERT_THAT(status, Succeeds());
    EXPECT_EQ(status->state, state) << word;
    EXPECT_EQ(status->billed, std::nullopt) << "the bill is asked for";
    const auto free = simulator_->decode_poll(job_body(word), kWork);
    ASSERT_THAT(free, Succeeds());
    EXPECT_EQ(free->billed, Money{});
  }
  EXPECT_THAT(qpu_->decode_poll(job_body("running"), kWork)->detail, HasSubstr("unknown status 'running'"));
  const auto waits = qpu_->decode_poll(job_body("ready", R"(,"predicted_wait_time_ms":1200)"), kWork);
  EXPECT_THAT(waits->detail, HasSubstr("1200 ms"));
  EXPECT_EQ(waits->starts_in, std::chrono::milliseconds(1200));
  EXPECT_EQ(qpu_->decode_poll(job_body("ready"), kWork)->starts_in, std::nullopt);
  EXPECT_EQ(qpu_->decode_poll(job_body("started", R"(,"predicted_wait_time_ms":1200)"), kWork)->starts_in,
            std::nullopt);
  EXPECT_EQ(qpu_->decode_poll(job_body("failed", R"(,"failure":{"code":"TooManyShots","message":"too many"})"), kWork)
                ->detail,
            "TooManyShots (invalid): too many");
  EXPECT_EQ(qpu_->decode_poll(job_body("failed", R"(,"failure":{"error":"as it was"})"), kWork)->detail,
            "failed: as it was");
}

TEST_F(IonqCodecTest, a_machine_that_has_ended_counts_shots_and_time_and_the_simulator_neither) {
  using job::MeteredUse;
  const auto used = [](const remote::Codec& codec, const char* status, const std::string& more) {
    const auto polled = codec.decode_poll(job_body(status, more), kWork);
    EXPECT_THAT(polled, Succeeds());
    return polled ? polled->used : std::nullopt;
  };
  const std::string both =
      R"(,"shots":100,"execution_duration_ms":7,"stats":{"billed_quantum_compute_time_us":1234.5})";
  const MeteredUse billed{.shots = 100, .qpu_us = 1235};
  EXPECT_EQ(used(*qpu_, "completed", both), billed);
  EXPECT_EQ(used(*qpu_, "failed", both), billed);
  EXPECT_EQ(used(*qpu_, "started", both), std::nullopt) << "it still counts";
  EXPECT_EQ(used(*qpu_, "completed", R"(,"shots":100,"execution_duration_ms":7,"stats":{"qubits":2})"),
            (MeteredUse{.shots = 100, .qpu_us = 7000}));
  EXPECT_EQ(used(*qpu_, "completed", R"(,"shots":100,"execution_duration_ms":null)"), std::nullopt);
  EXPECT_EQ(used(*qpu_, "completed", R"(,"execution_duration_ms":7)"), std::nullopt);
  EXPECT_EQ(used(*simulator_, "completed", both), std::nullopt);
  for (const char* bad : {R"("execution_duration_ms":-1)", R"("execution_duration_ms":1e300)"})
    EXPECT_THAT(qpu_->decode_poll(job_body("completed", fmt::format(R"(,"shots":1,{})", bad)), kWork),
                FailsWith(errors::kBackendGarbage));
  const auto receipt = qpu_->decode_receipt(job_body("completed", both + results("histogram")), kWork);
  ASSERT_THAT(receipt, Succeeds());
  EXPECT_EQ(receipt->used, billed);
  EXPECT_TRUE(qpu_->manifest().info.counts_qpu_time);
  EXPECT_FALSE(simulator_->manifest().info.counts_qpu_time);
}

TEST_F(IonqCodecTest, whatever_the_price_tells_a_quote_has_the_shots_that_are_asked_for) {
  FakeClock clock;
  ScriptedHttp http;
  MemoryCredentials credentials;
  SkippingExecutor executor{clock};
  SeededRng rng{1};
  RecordingLog log;
  const auto backend = remote::make_remote_backend(
      make_codec({.backend = "simulator"}).value(),
      {.http = http, .credentials = credentials, .clock = clock, .executor = executor, .rng = rng, .log = log},
      {.base_url = "http://127.0.0.1:9641/v0.4"});
  http.then(answer(200, R"({"backend":"simulator","status":"available","qubits":29,"average_queue_time":0,)"
                        R"("last_updated":"2025-06-16T00:00:00Z","degraded":false})"));
  const auto quote = backend->quote(ProgramWork{.pubs = {x_on_qubit_0_of_three(123)}}, {});
  ASSERT_THAT(quote, Succeeds());
  EXPECT_EQ(quote->cost, Money{});
  EXPECT_EQ(quote->use.shots, 123);
}

TEST_F(IonqCodecTest, a_job_without_our_token_is_not_ours) {
  EXPECT_THAT(qpu_->decode_poll(job_body("completed", "", "other"), kWork), FailsWith(errors::kUnknownHandle));
  EXPECT_THAT(qpu_->decode_receipt(job_body("completed", results("histogram"), "other"), kWork),
              FailsWith(errors::kUnknownHandle));
  for (const char* metadata : {"null", "{}", R"({"tandem_token":7})"}) {
    const std::string body = fmt::format(R"({{"id":"{}","status":"ready","metadata":{}}})", kJob, metadata);
    EXPECT_THAT(qpu_->decode_poll(body, kWork), FailsWith(errors::kUnknownHandle)) << metadata;
  }
  EXPECT_THAT(qpu_->decode_poll(job_body("ready", "", kToken, "another"), kWork), FailsWith(errors::kBackendGarbage));
}

TEST_F(IonqCodecTest, bills_and_prices_are_dollars_rounded_up_to_a_millionth) {
  const auto bill = [&](const char* body) { return qpu_->decode_bill(body); };
  EXPECT_EQ(*bill(R"({"dry_run":false,"estimated_cost":{"value":9,"unit":"usd"},"cost":{"value":24.83,"unit":"usd"}})"),
            Money{24'830'000});
  EXPECT_EQ(*bill(R"({"dry_run":false,"estimated_cost":{"value":9,"unit":"usd"}})"), std::nullopt)
      << "an estimate is no bill";
  EXPECT_EQ(*bill(R"({"cost":{"value":0.0000011,"unit":"USD"}})"), Money{2});
  EXPECT_EQ(*bill(R"({"cost":{"value":0,"unit":"usd"}})"), Money{0});
  EXPECT_THAT(bill(R"({"cost":{"value":3,"unit":"credits"}})"), FailsWith(errors::kBackendGarbage));
  EXPECT_THAT(bill(R"({"cost":{"value":-3,"unit":"usd"}})"), FailsWith(errors::kBackendGarbage));
  const ProgramWork work{.pubs = {x_on_qubit_0_of_three()}};
  const auto quote = qpu_->quote(
      work, facts_,
      R"({"input_values":{"backend":"qpu.forte-1"},"estimated_at":"2026-05-15T00:00:00Z","cost_unit":"usd","estimated_cost":12.5,)"
      R"("rate_information":{"job_cost_minimum":1,"cost_1q_gate":0.25,"cost_2q_gate":0.5,"organization":"Our Group"},)"
      R"("estimated_execution_time":1.0002,"current_predicted_queue_time":2})");
  ASSERT_THAT(quote, Succeeds());
  EXPECT_EQ(quote->cost, Money{12'500'000});
  EXPECT_EQ(quote->use.qpu_us, 1001) << "1.0002 ms, rounded up: held of limits of QPU seconds";
  EXPECT_THAT(quote->source, testing::AllOf(HasSubstr("as of 2026-05-15;"), HasSubstr("Our Group")));
  EXPECT_THAT(qpu_->quote(work, facts_, "{}"), FailsWith(errors::kBackendGarbage));
  const auto free = simulator_->quote(work, facts_, "");
  ASSERT_THAT(free, Succeeds());
  EXPECT_EQ(free->cost, Money{});
}

// ---- reconciliation

class IonqLookupTest : public IonqCodecTest {
 protected:
  Result<remote::LookupPage> page(const std::string& jobs, const char* next) {
    return qpu_->decode_lookup(fmt::format(R"({{"jobs":[{}],"next":{}}})", jobs, next),
                               {.token = kToken, .sent_at = {}});
  }
  static std::string entry(const char* at, std::string_view token, const char* id = "other") {
    return fmt::format(R"({{"id":"{}","submitted_at":"{}","metadata":{{"tandem_token":"{}"}}}})", id, at, token);
  }
  static Timestamp at(const char* text) { return parse_rfc3339(text).value(); }
};

TEST_F(IonqLookupTest, a_page_says_whose_its_jobs_are) {
  const auto seen =
      page(entry("2026-01-02T12:00:01Z", "x", "theirs") + "," + entry("2026-01-02T12:00:00Z", kToken, "ours") + "," +
               R"({"id":"no-ones","submitted_at":"2026-01-02T11:00:00Z","metadata":null})" + "," +
               R"({"id":"odd","submitted_at":"2026-01-02T11:00:00Z","metadata":{"tandem_token":1}})",
           R"("page-2")");
  ASSERT_THAT(seen, Succeeds());
  EXPECT_EQ(seen->next, "page-2");
  std::vector<std::pair<std::string, std::string>> work;
  for (const auto& one : seen->work) work.emplace_back(one.handle, one.token);
  EXPECT_EQ(work, (std::vector<std::pair<std::string, std::string>>{
                      {"theirs", "x"}, {"ours", std::string(kToken)}, {"no-ones", ""}, {"odd", ""}}));
}

TEST_F(IonqLookupTest, a_page_excludes_what_is_younger_than_any_clock_explains) {
  const auto back_to = [&](const std::string& jobs) {
    const auto seen = page(jobs, "null");
    EXPECT_THAT(seen, Succeeds());
    EXPECT_EQ(seen->next, std::nullopt);
    return seen->back_to;
  };
  EXPECT_EQ(back_to(entry("2026-01-02T12:00:00Z", "x")), at("2026-01-02T13:00:00Z"))
      << "their clock may be an hour behind";
  EXPECT_EQ(back_to(entry("2026-01-02T12:30:00Z", "x") + "," + entry("2026-01-01T00:00:00Z", "y")),
            at("2026-01-02T13:30:00Z"));
  EXPECT_EQ(back_to(""), std::nullopt);
}

TEST_F(IonqLookupTest, a_page_that_cannot_be_read_is_garbage) {
  EXPECT_THAT(page(entry("2026-01-02T12:30:00Z", "x"), R"("a&limit=1")"), FailsWith(errors::kBackendGarbage));
  EXPECT_THAT(page(entry("2026-01-02T12:30:00Z", "x", "../a"), "null"), FailsWith(errors::kBackendGarbage));
  EXPECT_THAT(page(entry("2026-01-02T12:30:00Z", "", "../a"), "null"), Succeeds()) << "none that is asked for";
  EXPECT_THAT(page(R"({"id":"a","metadata":null})", "null"), FailsWith(errors::kBackendGarbage))
      << "without a time nothing is excluded";
}

// ---- devices

TEST_F(IonqCodecTest, a_device_says_whether_it_takes_work) {
  const auto read = [&](const char* status, const char* backend = "qpu.forte-1") {
    return qpu_->decode_device(fmt::format(
        R"({{"backend":"{}","status":"{}","qubits":36,"average_queue_time":1181215,"last_updated":"2025-06-16T00:00:00Z",)"
        R"("degraded":true,"characterization_id":"617a1f8b-59d4-435d-aa33-695433d7155e"}})",
        backend, status));
  };
  const auto facts = read("available");
  ASSERT_THAT(facts, Succeeds());
  EXPECT_EQ(facts->qubits_max, 36u);
  EXPECT_EQ(facts->shots_max, 1'000'000u);
  EXPECT_TRUE(facts->availability.operational);
  EXPECT_EQ(facts->availability.ready_in_ms, 1181215);
  EXPECT_THAT(facts->availability.detail, HasSubstr("degraded"));
  EXPECT_FALSE(read("unavailable")->availability.operational);
  EXPECT_FALSE(read("retired")->availability.accepts_work);
  EXPECT_THAT(read("available", "simulator"), FailsWith(errors::kBackendGarbage));
}

TEST_F(IonqCodecTest, a_characterization_becomes_a_dated_calibration_of_medians) {
  const auto calibration = qpu_->decode_calibration(
      R"({"characterizations":[{"id":"aa54e783-0a9b-4f73-ad2f-63983b6aa4a8","backend":"qpu.forte-1","date":"2025-06-16T00:00:00Z",)"
      R"("qubits":3,"connectivity":[[0,1],[0,2],[1,2]],"fidelity":{"spam":{"median":0.99,"stderr":null},"1q":{"median":0.9998},)"
      R"("2q":{"median":0.991}},"timing":{"t1":100,"t2":1,"1q":0.00013,"2q":0.00097,"readout":0.00025,"reset":0.00003}}]})");
  ASSERT_THAT(calibration, Succeeds());
  ASSERT_TRUE(calibration->has_value());
  const device::Calibration& read = **calibration;
  EXPECT_EQ(read.device, "ionq.qpu.forte-1");
  EXPECT_EQ(format_rfc3339(read.taken_at), "2025-06-16T00:00:00.000000Z");
  EXPECT_EQ(read.qubits.size(), 3u);
  EXPECT_NEAR(read.qubits[2].t1_us, 100e6, 1);
  EXPECT_NEAR(read.qubits[2].readout_p01, 0.01, 1e-12);
  EXPECT_NEAR(read.error_1q, 2 * 0.0002, 1e-12);  // F = 1 - p/2
  EXPECT_NEAR(read.error_2q, 4.0 / 3 * 0.009, 1e-12);  // F = 1 - 3p/4
  EXPECT_NEAR(read.duration_2q_us, 970, 1e-9);
  EXPECT_EQ(read.id, read.content_id());
  const auto none = qpu_->decode_calibration(R"({"characterizations":[]})");
  ASSERT_THAT(none, Succeeds());
  EXPECT_FALSE(none->has_value());
}

TEST_F(IonqCodecTest, a_characterization_says_what_constrains_circuits) {
  const auto target = [&](std::string_view connectivity) {
    return qpu_->decode_target(
        fmt::format(R"({{"characterizations":[{{"qubits":4,"connectivity":{}}}]}})", connectivity));
  };
  const auto some = target("[[0,1],[3,1],[1,0]]");
  ASSERT_THAT(some, Succeeds());
  ASSERT_TRUE(some->has_value());
  EXPECT_EQ((*some)->device, "ionq.qpu.forte-1");
  EXPECT_EQ((*some)->num_qubits, 4u);
  EXPECT_EQ((*some)->shots_max, 1'000'000u);
  EXPECT_THAT((*some)->gates, testing::ElementsAre(circuit::Gate::kGpi, circuit::Gate::kGpi2, circuit::Gate::kRzz));
  EXPECT_THAT((*some)->couplings, testing::ElementsAre(std::pair(0u, 1u), std::pair(1u, 3u)));
  EXPECT_TRUE((*target("[[0,1],[0,2],[0,3],[1,2],[1,3],[3,2]]"))->couplings.empty());  // every pair
  for (const char* wrong : {"[[0,4]]", "[[1,1]]", "[[0]]", "[[0,-1]]", R"(["a"])", "[[0,1.5]]"})
    EXPECT_THAT(target(wrong), FailsWith(errors::kBackendGarbage)) << wrong;
  EXPECT_FALSE(qpu_->decode_target(R"({"characterizations":[]})")->has_value());
  EXPECT_FALSE(simulator_->encode_target().has_value());
}

// ---- errors

TEST_F(IonqCodecTest, errors_are_the_vendors_own_words_or_something_between) {
  struct Case {
    HttpResponse response;
    Verdict verdict;
    const char* detail;
  };
  const Case cases[] = {
      {answer(201, "{"), Verdict::kOk, ""},
      {answer(200, "<html>", "text/html"), Verdict::kGarbage, "text/html"},
      {answer(400,
              R"({"statusCode":400,"error":"Bad Request","message":"shots is bad","validation":{"keys":["shots"]}})"),
       Verdict::kInvalid, "shots is bad"},
      {answer(401, R"({"code":"NotAuthorized","message":"no key"})"), Verdict::kUnauthenticated, "no key"},
      {answer(403, R"({"error":{"type":"Quota","message":"quota is used up"}})"), Verdict::kForbidden,
       "quota is used up"},
      {answer(404, R"({"error":"Not Found"})"), Verdict::kNotFound, "Not Found"},
      {answer(429, R"({"statusCode":429,"error":"Too Many Requests","message":"slow down"})"), Verdict::kThrottled,
       "slow down"},
      {answer(503, R"({"statusCode":503,"error":"x","message":"maintenance"})"), Verdict::kUnavailable, "maintenance"},
      {answer(503, "<html>", "text/html"), Verdict::kTransient, "not IonQ's own"},
      {answer(403, "<html>", "text/html"), Verdict::kGarbage, "not IonQ's own"},
      {answer(403, "{}"), Verdict::kGarbage, "not IonQ's own"},
      {answer(520, "", ""), Verdict::kTransient, "not IonQ's own"},
  };
  for (const Case& one : cases) {
    const auto said = qpu_->classify(one.response);
    EXPECT_EQ(said.verdict, one.verdict) << one.response.status << one.response.body;
    EXPECT_THAT(said.detail, HasSubstr(one.detail));
    EXPECT_EQ(said.retry_after, std::nullopt);
  }
  HttpResponse patient = cases[6].response;
  patient.headers.emplace_back("Retry-After", "7");
  EXPECT_EQ(qpu_->classify(patient).retry_after, std::chrono::seconds(7));
}

TEST_F(IonqCodecTest, an_answer_cut_off_anywhere_is_garbage) {
  const std::string status = job_body("completed", results("histogram"));
  for (std::size_t n = 0; n + 1 < status.size(); ++n) {
    EXPECT_THAT(qpu_->decode_poll(status.substr(0, n), kWork), FailsWith(errors::kBackendGarbage));
  }
  EXPECT_THAT(qpu_->decode_submit(R"({"id":"../x","status":"submitted","session_id":null})", kToken),
              FailsWith(errors::kBackendGarbage));
  EXPECT_EQ(qpu_->decode_submit(R"({"id":"a-1","status":"submitted","session_id":null})", kToken), "a-1");
}

}  // namespace
}  // namespace tandem::ionq
