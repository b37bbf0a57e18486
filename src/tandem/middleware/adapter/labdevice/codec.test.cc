#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"
#include "tandem/compute/statevector/run.h"
#include "tandem/middleware/adapter/labdevice/labdevice.h"

namespace tandem::labdevice {
namespace {

using backend::ProgramWork;
using backend::WorkState;
using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;
using circuit::Pub;
using job::Money;
using remote::DeviceFacts;
using remote::Verdict;
using testing::HasSubstr;

constexpr std::string_view kToken = "abcdefghijklmnopqrstuvwxyz";
const backend::WorkRef kWork{.handle = "dev_1", .token = std::string(kToken)};
const backend::LostWork kLost{.token = kToken, .sent_at = {}};

Pub x_on_qubit_0_of_three() {
  Pub pub{.circuit = Circuit::create(3, 3).value(), .shots = 100};
  pub.circuit.gate(Gate::kX, {0}).measure_all();
  return pub;
}

HttpResponse json_response(int status, std::string body, std::string media_type = "application/json") {
  return {.status = status, .headers = {{"Content-Type", std::move(media_type)}}, .body = std::move(body)};
}

std::string result_body(std::string_view counts, int num_bits = 3) {
  return fmt::format(R"({{"emulated":true,"pubs":[{{"bindings":[{{"num_bits":{},"counts":{}}}]}}]}})", num_bits,
                     counts);
}

std::string status_body(std::string_view id, std::string_view token, std::string_view word = "queued") {
  return fmt::format(R"({{"emulated":true,"id":"{}","token":"{}","status":"{}","billed_usd_micros":12,)"
                     R"("calibration_id":"c"}})",
                     id, token, word);
}

class LabDeviceCodecTest : public testing::Test {
 protected:
  std::unique_ptr<const remote::Codec> codec_ = make_codec();
  const DeviceFacts facts_{
      .qubits_max = 5, .shots_max = 1000, .price_per_job = Money{10'000}, .price_per_shot = Money{30}};

  Result<result::Counts> decode_counts(const Pub& pub, std::string body) {
    TANDEM_TRY_ASSIGN(auto decoded, codec_->decode_result({.bytes = std::move(body)}, ProgramWork{.pubs = {pub}}));
    return std::get<backend::ProgramResult>(decoded).pubs.at(0).counts(0);
  }
};

TEST_F(LabDeviceCodecTest, the_manifest_says_what_this_is) {
  const backend::BackendInfo& info = codec_->manifest().info;
  EXPECT_EQ(info.id, BackendId("lab.device"));
  EXPECT_TRUE(info.emulated);
  EXPECT_TRUE(info.metered);
  EXPECT_TRUE(info.takes_program);
  EXPECT_FALSE(info.takes_solve);
  EXPECT_EQ(info.safety, backend::SubmitSafety::kB);
  EXPECT_EQ(info.conformance, "L0");
}

TEST_F(LabDeviceCodecTest, a_submission_is_these_bytes) {
  const auto request = codec_->encode_submit(ProgramWork{.pubs = {x_on_qubit_0_of_three()}, .seed = 7}, kToken);
  ASSERT_THAT(request, Succeeds());
  EXPECT_EQ(request->method, "POST");
  EXPECT_EQ(request->url, "/v1/jobs");
  EXPECT_EQ(header_value(request->headers, "content-type"), "application/json");
  EXPECT_EQ(request->body,
            R"({"pubs":[{"circuit":{"instructions":[["x",[0],[]],["measure",[0],[],0],["measure",[1],[],1],)"
            R"(["measure",[2],[],2]],"num_clbits":3,"num_qubits":3,"parameters":[]},"observables":[],)"
            R"("parameter_values":[],"precision":0,"shots":100}],"token":"abcdefghijklmnopqrstuvwxyz"})");
  EXPECT_EQ(request, codec_->encode_submit(ProgramWork{.pubs = {x_on_qubit_0_of_three()}, .seed = 8}, kToken));
}

TEST_F(LabDeviceCodecTest, reads_are_these_requests) {
  EXPECT_EQ(codec_->encode_device(), (HttpRequest{.url = "/v1/device"}));
  EXPECT_EQ(codec_->encode_calibration(), (HttpRequest{.url = "/v1/calibration"}));
  EXPECT_EQ(codec_->encode_poll("dev_1"), (HttpRequest{.url = "/v1/jobs/dev_1"}));
  EXPECT_EQ(codec_->encode_fetch("dev_1", ""), (HttpRequest{.url = "/v1/jobs/dev_1/result"}));
  EXPECT_EQ(codec_->encode_cancel("dev_1"), (HttpRequest{.method = "POST", .url = "/v1/jobs/dev_1/cancel"}));
  EXPECT_EQ(codec_->encode_lookup({.token = "abc", .sent_at = {}}, ""), (HttpRequest{.url = "/v1/jobs?token=abc"}));
}

/// The same three qubits through the simulator and through the wire of the device are the same canonical string.
TEST_F(LabDeviceCodecTest, x_on_qubit_0_of_three_decodes_like_the_simulator) {
  const Pub pub = x_on_qubit_0_of_three();
  const auto decoded = decode_counts(pub, result_body(R"({"0x1":100})"));
  ASSERT_THAT(decoded, Succeeds());
  EXPECT_EQ(decoded->text(0), "100");

  ThreadExecutor executor(1);
  const auto simulated = statevector::run(pub, {.seed = 1, .memory_bytes_max = 1u << 20}, {}, executor);
  ASSERT_THAT(simulated, Succeeds());
  EXPECT_EQ(simulated->counts(0), *decoded);
}

/// Registers of two and three bits, X on bit 0 of the first and on bit 1 of the second: nothing is symmetric here.
TEST_F(LabDeviceCodecTest, an_asymmetric_pair_of_registers_decodes_like_the_simulator) {
  Pub pub{.circuit = Circuit::create(5, 5).value(), .shots = 8};
  pub.circuit.gate(Gate::kX, {0}).gate(Gate::kX, {3}).measure_all();
  const auto decoded = decode_counts(pub, result_body(R"({"0x9":8})", 5));
  ASSERT_THAT(decoded, Succeeds());
  EXPECT_EQ(decoded->text(0), "10010");

  ThreadExecutor executor(1);
  const auto simulated = statevector::run(pub, {.seed = 1, .memory_bytes_max = 1u << 20}, {}, executor);
  ASSERT_THAT(simulated, Succeeds());
  EXPECT_EQ(simulated->counts(0), *decoded);
}

TEST_F(LabDeviceCodecTest, every_outcome_of_ten_bits_keeps_its_bits) {
  Pub pub{.circuit = Circuit::create(1, 10).value(), .shots = 1};
  pub.circuit.measure(0, 0);
  for (std::uint64_t outcome = 0; outcome < 1024; ++outcome) {
    const auto counts = decode_counts(pub, result_body(fmt::format(R"({{"0x{:x}":1}})", outcome), 10));
    ASSERT_THAT(counts, Succeeds());
    for (std::uint32_t bit = 0; bit < 10; ++bit) ASSERT_EQ(counts->bit(0, bit), ((outcome >> bit) & 1) != 0) << outcome;
  }
}

TEST_F(LabDeviceCodecTest, outcomes_wider_than_a_word_keep_their_bits) {
  Pub pub{.circuit = Circuit::create(1, 70).value(), .shots = 3};
  pub.circuit.measure(0, 0);
  const auto counts = decode_counts(pub, result_body(R"({"0x200000000000000001":3})", 70));  // bits 69 and 0
  ASSERT_THAT(counts, Succeeds());
  for (std::uint32_t bit = 0; bit < 70; ++bit) EXPECT_EQ(counts->bit(0, bit), bit == 0 || bit == 69) << bit;
}

TEST_F(LabDeviceCodecTest, a_result_that_does_not_answer_the_question_is_garbage) {
  const Pub pub = x_on_qubit_0_of_three();
  const std::string bodies[] = {
      result_body(R"({"0x1":101})"),           // a shot too many
      result_body(R"({"0x8":100})"),           // bit 3 of three
      result_body(R"({"1":100})"),             // no hexadecimal number
      result_body(R"({"0xg":100})"),           //
      result_body(R"({"0x":100})"),            //
      result_body(R"({"0x1":100,"0x2":0})"),   // an outcome that did not occur
      result_body(R"({"0x1":-100})"),          //
      result_body(R"({"0x1":100.5})"),         //
      result_body(R"({"0x1":100})", 4),        // another register
      R"({"emulated":true,"pubs":[]})",        // no PUB
      R"({"emulated":true,"pubs":[{"bindings":[]}]})",
      R"({"pubs":[{"bindings":[{"num_bits":3,"counts":{"0x1":100}}]}]})",  // does not say that it is emulated
      R"({"emulated":true})",
      "[]",
      "",
  };
  for (const std::string& body : bodies)
    EXPECT_THAT(decode_counts(pub, body), FailsWith(errors::kBackendGarbage)) << body;
}

TEST_F(LabDeviceCodecTest, fewer_shots_than_asked_for_are_an_answer_that_the_engine_sees_to) {
  Pub pub{.circuit = Circuit::create(3, 3).value(), .shots = 100};
  pub.circuit.measure_all();
  const auto counts = decode_counts(pub, result_body(R"({"0x1":40,"0x2":20})"));
  ASSERT_THAT(counts, Succeeds());
  EXPECT_EQ(counts->shots(), 60u);
  EXPECT_THAT(decode_counts(pub, result_body("{}")), FailsWith(errors::kBackendGarbage));
}

TEST_F(LabDeviceCodecTest, no_answer_that_breaks_off_is_taken_for_a_whole_one) {
  const std::string submit = fmt::format(R"({{"emulated":true,"id":"dev_1","token":"{}","status":"queued"}})", kToken);
  const std::string status =
      R"({"emulated":true,"id":"dev_1","token":"abcdefghijklmnopqrstuvwxyz","status":"queued","billed_usd_micros":5,"calibration_id":"c"})";
  const std::string lookup = fmt::format(R"({{"emulated":true,"jobs":[{{"id":"dev_1","token":"{}"}}]}})", kToken);
  const std::string result = result_body(R"({"0x1":100})");
  ASSERT_THAT(codec_->decode_submit(submit, kToken), Succeeds());
  ASSERT_THAT(codec_->decode_poll(status, kWork), Succeeds());
  ASSERT_THAT(codec_->decode_receipt(status, kWork), Succeeds());
  ASSERT_THAT(codec_->decode_lookup(lookup, kLost), Succeeds());
  ASSERT_THAT(decode_counts(x_on_qubit_0_of_three(), result), Succeeds());
  for (std::size_t n = 0; n < submit.size(); ++n)
    EXPECT_THAT(codec_->decode_submit(submit.substr(0, n), kToken), FailsWith(errors::kBackendGarbage));
  for (std::size_t n = 0; n < status.size(); ++n) {
    EXPECT_THAT(codec_->decode_poll(status.substr(0, n), kWork), FailsWith(errors::kBackendGarbage));
    EXPECT_THAT(codec_->decode_receipt(status.substr(0, n), kWork), FailsWith(errors::kBackendGarbage));
  }
  for (std::size_t n = 0; n < lookup.size(); ++n)
    EXPECT_THAT(codec_->decode_lookup(lookup.substr(0, n), kLost), FailsWith(errors::kBackendGarbage));
  for (std::size_t n = 0; n < result.size(); ++n)
    EXPECT_THAT(decode_counts(x_on_qubit_0_of_three(), result.substr(0, n)), FailsWith(errors::kBackendGarbage));
}

TEST_F(LabDeviceCodecTest, an_answer_about_other_work_is_garbage) {
  EXPECT_THAT(codec_->decode_submit(R"({"emulated":true,"id":"dev_1","token":"other"})", kToken),
              FailsWith(errors::kBackendGarbage));
  EXPECT_THAT(codec_->decode_poll(status_body("dev_2", kToken), kWork), FailsWith(errors::kBackendGarbage));
  EXPECT_THAT(codec_->decode_lookup(R"({"emulated":true,"jobs":[{"id":"dev_1","token":"other"}]})", kLost),
              FailsWith(errors::kBackendGarbage));
}

TEST_F(LabDeviceCodecTest, a_handle_of_ours_on_a_job_of_somebody_else_is_unknown) {
  const std::string foreign = status_body("dev_1", "zyxwvutsrqponmlkjihgfedcba");
  EXPECT_THAT(codec_->decode_poll(foreign, kWork), FailsWith(errors::kUnknownHandle));
  EXPECT_THAT(codec_->decode_receipt(foreign, kWork), FailsWith(errors::kUnknownHandle));
  EXPECT_TRUE(codec_->is_foreign_result(foreign, kWork));
  EXPECT_FALSE(codec_->is_foreign_result(status_body("dev_1", kToken), kWork));
  EXPECT_FALSE(codec_->is_foreign_result(foreign.substr(0, 60), kWork));  // names nobody
  EXPECT_THAT(codec_->decode_poll(R"({"emulated":true,"id":"dev_1","status":"queued","billed_usd_micros":0})", kWork),
              FailsWith(errors::kBackendGarbage));
}

TEST_F(LabDeviceCodecTest, a_handle_that_would_lead_elsewhere_is_garbage) {
  for (const char* id : {"../device", "a/b", "a?b", "a b", "", "a#b", "%2e"}) {
    const std::string body = fmt::format(R"({{"emulated":true,"id":"{}","token":"{}"}})", id, kToken);
    EXPECT_THAT(codec_->decode_submit(body, kToken), FailsWith(errors::kBackendGarbage)) << id;
  }
}

TEST_F(LabDeviceCodecTest, a_lookup_finds_nothing_or_the_oldest) {
  const auto none = codec_->decode_lookup(R"({"emulated":true,"jobs":[]})", kLost);
  ASSERT_THAT(none, Succeeds());
  EXPECT_TRUE(none->work.empty());
  EXPECT_EQ(none->next, std::nullopt);
  const auto two = codec_->decode_lookup(
      fmt::format(R"({{"emulated":true,"jobs":[{{"id":"dev_1","token":"{0}"}},{{"id":"dev_2","token":"{0}"}}]}})",
                  kToken),
      kLost);
  ASSERT_THAT(two, Succeeds());
  ASSERT_EQ(two->work.size(), 2u);
  EXPECT_EQ(two->work[0].handle, "dev_1");
  EXPECT_EQ(two->work[0].token, kToken);
  EXPECT_EQ(two->next, std::nullopt);
}

TEST_F(LabDeviceCodecTest, every_status_word_has_its_meaning_and_an_unknown_one_is_no_end) {
  const std::pair<const char*, WorkState> cases[] = {
      {"queued", WorkState::kQueued},    {"running", WorkState::kRunning},     {"succeeded", WorkState::kSucceeded},
      {"failed", WorkState::kFailed},    {"cancelled", WorkState::kCancelled}, {"recalibrating", WorkState::kRunning},
      {"SUCCEEDED", WorkState::kRunning}};
  for (const auto& [word, state] : cases) {
    const auto status = codec_->decode_poll(status_body("dev_1", kToken, word), kWork);
    ASSERT_THAT(status, Succeeds());
    EXPECT_EQ(status->state, state) << word;
    EXPECT_EQ(status->billed, Money{12});
  }
}

TEST_F(LabDeviceCodecTest, answers_are_classified_by_status_and_only_when_they_are_the_devices_own) {
  struct Case {
    HttpResponse response;
    Verdict verdict;
  };
  const auto own = [](int status) {
    return json_response(status, R"({"emulated":true,"status":1,"code":"x","detail":"why"})",
                         "application/problem+json");
  };
  const Case cases[] = {
      {json_response(200, "{}"), Verdict::kOk},
      {json_response(201, "{}", "application/json; charset=utf-8"), Verdict::kOk},
      {json_response(200, "<html>", "text/html"), Verdict::kGarbage},
      {json_response(200, "{}", ""), Verdict::kGarbage},
      {own(400), Verdict::kInvalid},
      {own(401), Verdict::kUnauthenticated},
      {own(403), Verdict::kForbidden},
      {own(404), Verdict::kNotFound},
      {own(409), Verdict::kConflict},
      {own(422), Verdict::kInvalid},
      {own(429), Verdict::kThrottled},
      {own(503), Verdict::kUnavailable},
      {own(500), Verdict::kTransient},
      {own(418), Verdict::kGarbage},
      {json_response(404, "<html>", "text/html"), Verdict::kGarbage},  // a proxy's page is no word of the device
      {json_response(403, R"({"detail":"no"})", "application/problem+json"), Verdict::kGarbage},
      {json_response(502, "<html>", "text/html"), Verdict::kTransient},
      {json_response(503, "", ""), Verdict::kTransient},
      {json_response(302, "", ""), Verdict::kGarbage},
  };
  for (const Case& c : cases)
    EXPECT_EQ(codec_->classify(c.response).verdict, c.verdict) << c.response.status << c.response.body;
  EXPECT_EQ(codec_->classify(own(409)).detail, "why");
}

TEST_F(LabDeviceCodecTest, retry_after_is_read_in_seconds_and_bounded) {
  HttpResponse response = json_response(429, R"({"emulated":true})", "application/problem+json");
  EXPECT_EQ(codec_->classify(response).retry_after, std::nullopt);
  response.headers.emplace_back("retry-after", "3");
  EXPECT_EQ(codec_->classify(response).retry_after, std::chrono::seconds(3));
  response.headers.back().second = "99999999";
  EXPECT_EQ(codec_->classify(response).retry_after, std::chrono::seconds(3600));
  response.headers.back().second = "Wed, 21 Oct 2026 07:28:00 GMT";
  EXPECT_EQ(codec_->classify(response).retry_after, std::nullopt);
}

TEST_F(LabDeviceCodecTest, the_price_counts_every_shot_of_every_pub_and_binding) {
  Pub swept = x_on_qubit_0_of_three();
  swept.circuit = Circuit::create(1, 1, {"theta"}).value();
  swept.circuit.gate(Gate::kRx, {0}, {Angle::symbol(0)}).measure_all();
  swept.parameter_values = {{0.1}, {0.2}, {0.3}};
  swept.shots = 10;
  const auto quote = codec_->quote(ProgramWork{.pubs = {x_on_qubit_0_of_three(), swept}}, facts_, "");
  ASSERT_THAT(quote, Succeeds());
  EXPECT_EQ(quote->cost, Money{10'000 + 30 * (100 + 3 * 10)});
}

TEST_F(LabDeviceCodecTest, the_price_counts_every_measured_basis) {
  Pub pub{.circuit = Circuit::create(2, 0).value(), .shots = 10};
  pub.circuit.gate(Gate::kH, {0});
  // ZI and ZZ share a basis, XI needs its own: 2 bases of 10 shots.
  pub.observables = {observable::PauliSum::create(2, {{.x = 0, .z = 1, .coefficient = 1},
                                                      {.x = 0, .z = 3, .coefficient = 1},
                                                      {.x = 1, .z = 0, .coefficient = 1}})
                         .value()};
  const auto quote = codec_->quote(ProgramWork{.pubs = {pub}}, facts_, "");
  ASSERT_THAT(quote, Succeeds());
  EXPECT_EQ(quote->cost, Money{10'000 + 30 * 20});
}

TEST_F(LabDeviceCodecTest, work_that_the_device_cannot_run_is_refused_before_the_wire) {
  const auto refused = [&](Pub pub) { return codec_->validate(ProgramWork{.pubs = {std::move(pub)}}, &facts_); };
  EXPECT_THAT(refused(x_on_qubit_0_of_three()), Succeeds());

  Pub wide{.circuit = Circuit::create(6, 6).value(), .shots = 1};
  wide.circuit.measure_all();
  EXPECT_THAT(refused(wide), FailsWith(errors::kTooManyQubits));
  Pub three = x_on_qubit_0_of_three();
  three.circuit = Circuit::create(3, 3).value();
  three.circuit.gate(Gate::kCcx, {0, 1, 2}).measure_all();
  EXPECT_THAT(refused(three), FailsWith(errors::kBackendCannot));
  Pub middle{.circuit = Circuit::create(1, 1).value(), .shots = 1};
  middle.circuit.measure(0, 0).gate(Gate::kX, {0});
  EXPECT_THAT(refused(middle), FailsWith(errors::kBackendCannot));
  Pub silent{.circuit = Circuit::create(1, 1).value(), .shots = 1};
  silent.circuit.gate(Gate::kX, {0});
  EXPECT_THAT(refused(silent), FailsWith(errors::kBackendCannot));
  Pub many = x_on_qubit_0_of_three();
  many.shots = 1001;
  EXPECT_THAT(refused(many), FailsWith(errors::kBackendCannot));
  many.shots = 1000;
  EXPECT_THAT(refused(many), Succeeds());
  EXPECT_THAT(codec_->validate(ProgramWork{}, &facts_), FailsWith(errors::kBackendCannot));
  EXPECT_THAT(codec_->validate(backend::SolveWork{}, &facts_), FailsWith(errors::kBackendCannot));
}

}  // namespace
}  // namespace tandem::labdevice
