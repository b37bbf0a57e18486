// The rules of middleware/remote, shown through the codec of the emulated device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/memory_credentials.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/base/testing/scripted_http.h"
#include "tandem/base/testing/seeded_rng.h"
#include "tandem/base/testing/skipping_executor.h"
#include "tandem/middleware/adapter/labdevice/labdevice.h"
#include "tandem/middleware/remote/remote_backend.h"

namespace tandem::labdevice {
namespace {

using backend::CallContext;
using backend::ProgramWork;
using job::Money;
using std::chrono::milliseconds;
using testing::AllOf;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::Lt;
using testing::SizeIs;

constexpr std::string_view kToken = "abcdefghijklmnopqrstuvwxyz";
const backend::WorkRef kWork{.handle = "dev_1", .token = std::string(kToken)};
constexpr std::string_view kProblem = R"({"emulated":true,"detail":"the reason"})";

/// Labels what the script answers, as every emulator does.
class LabelledHttp final : public Http {
 public:
  explicit LabelledHttp(Http& inner) : inner_(inner) {}
  tl::expected<HttpResponse, HttpFailure> send(const HttpRequest& request, Deadline deadline) override {
    auto reply = inner_.send(request, deadline);
    if (reply && labels) reply->headers.emplace_back(remote::kEmulatedHeader, "true");
    return reply;
  }
  bool labels = true;

 private:
  Http& inner_;
};

class TransportTest : public testing::Test {
 protected:
  TransportTest() { remake({.base_url = "http://127.0.0.1:9641/"}); }
  void remake(remote::RemoteOptions options) {
    backend_ = remote::make_remote_backend(make_codec(),
                                           {.http = labelled_,
                                            .credentials = credentials_,
                                            .clock = clock_,
                                            .executor = executor_,
                                            .rng = rng_,
                                            .log = log_},
                                           std::move(options));
  }
  static HttpResponse own_error(int status) {
    return {.status = status, .headers = {{"Content-Type", "application/problem+json"}}, .body = Bytes(kProblem)};
  }
  static std::string device_document(int qubits = 5) {
    return fmt::format(
        R"({{"emulated":true,"calibration_id":"cal_1","limits":{{"qubits_max":{},"shots_max":1000}},)"
        R"("price":{{"usd_micros_per_job":100,"usd_micros_per_shot":2,"as_of":"2026-01-01"}},)"
        R"("availability":{{"operational":true,"accepts_work":true,"queue_depth":3,"ready_in_ms":60}}}})",
        qubits);
  }
  static std::string accepted() {
    return fmt::format(R"({{"emulated":true,"id":"dev_1","token":"{}","status":"queued"}})", kToken);
  }
  static std::string status(std::string_view word, std::string_view token = kToken) {
    return fmt::format(
        R"({{"emulated":true,"id":"dev_1","token":"{}","status":"{}","billed_usd_micros":300,"calibration_id":"cal_1"}})",
        token, word);
  }
  static ProgramWork work(std::uint32_t qubits = 3) {
    circuit::Pub pub{.circuit = circuit::Circuit::create(qubits, qubits).value(), .shots = 10};
    pub.circuit.measure_all();
    return {.pubs = {pub}};
  }
  CallContext within(milliseconds time) { return {.deadline = Deadline::after(clock_, time)}; }

  FakeClock clock_;
  SkippingExecutor executor_{clock_};
  ScriptedHttp http_;
  LabelledHttp labelled_{http_};
  MemoryCredentials credentials_;
  SeededRng rng_{1};
  RecordingLog log_;
  std::unique_ptr<backend::Backend> backend_;
};

TEST_F(TransportTest, a_submission_goes_out_once_whatever_comes_back) {
  struct Case {
    const char* what;
    std::function<void(ScriptedHttp&)> reply;
    bool ambiguous;
    backend::ErrorClass error_class;
  };
  using enum backend::ErrorClass;
  const Case cases[] = {
      {"cannot connect", [](ScriptedHttp& http) { http.then_fail(errors::kPeerUnreachable, Sent::kNo); }, false,
       kDeviceUnavailable},
      {"lost on the way", [](ScriptedHttp& http) { http.then_fail(errors::kConnectionLost, Sent::kMaybe); }, true,
       kDeviceUnavailable},
      {"no answer in time", [](ScriptedHttp& http) { http.then_fail(errors::kPeerTimeout, Sent::kMaybe); }, true,
       kDeviceUnavailable},
      {"refused", [](ScriptedHttp& http) { http.then(own_error(409)); }, false, kForbiddenOrQuota},
      {"throttled", [](ScriptedHttp& http) { http.then(own_error(429)); }, false, kThrottled},
      {"invalid", [](ScriptedHttp& http) { http.then(own_error(422)); }, false, kInvalid},
      {"server error", [](ScriptedHttp& http) { http.then(own_error(500)); }, true, kTransient},
      {"unavailable", [](ScriptedHttp& http) { http.then(own_error(503)); }, true, kDeviceUnavailable},
      {"a page of a proxy",
       [](ScriptedHttp& http) {
         http.then({.status = 403, .headers = {{"Content-Type", "text/html"}}, .body = "<html>"});
       },
       true, kTransient},
      {"half an answer", [](ScriptedHttp& http) { http.then(201, accepted().substr(0, 20)); }, true, kTransient},
      {"an answer about other work",
       [](ScriptedHttp& http) { http.then(201, R"({"emulated":true,"id":"dev_1","token":"other"})"); }, true,
       kTransient},
  };
  for (const Case& c : cases) {
    const std::size_t before = http_.requests().size();
    c.reply(http_);
    const auto answer = backend_->submit(work(), kToken, within(milliseconds(60'000)));
    ASSERT_FALSE(answer.has_value()) << c.what;
    EXPECT_EQ(answer.error().ambiguous, c.ambiguous) << c.what;
    EXPECT_EQ(class_of(answer.error()), c.error_class) << c.what;
    EXPECT_EQ(http_.requests().size() - before, 1u) << c.what;
  }
  http_.then(201, accepted());
  EXPECT_EQ(backend_->submit(work(), kToken, {}).value(), "dev_1");
}

TEST_F(TransportTest, a_quote_has_the_bytes_of_the_request_that_would_go_out) {
  http_.then(200, device_document()).then(201, accepted());
  const auto quote = backend_->quote(work(), {});
  ASSERT_THAT(quote, Succeeds());
  ASSERT_TRUE(backend_->submit(work(), kToken, {}).has_value());
  EXPECT_EQ(quote->use.bytes, static_cast<std::int64_t>(http_.requests().back().body.size()));
  EXPECT_GT(quote->use.bytes, 100);
}

/// By reference/vendors.md 14.3. A 409 means another thing wherever it is said, and a 404 on a read that there is nothing yet.
TEST_F(TransportTest, every_status_has_one_class_for_a_submission_and_one_for_a_read) {
  using enum backend::ErrorClass;
  struct Case {
    int status;
    backend::ErrorClass of_submission;
    std::size_t sent_by_read;  ///< 5: it may pass, so all tries are made
    backend::ErrorClass of_read;
  };
  const Case cases[] = {
      {400, kInvalid, 1, kInvalid},
      {401, kAuthExpired, 1, kAuthExpired},
      {402, kForbiddenOrQuota, 1, kForbiddenOrQuota},
      {403, kForbiddenOrQuota, 1, kForbiddenOrQuota},
      {404, kInvalid, 1, kNotYet},
      {409, kForbiddenOrQuota, 1, kNotYet},
      {410, kDeviceUnavailable, 5, kDeviceUnavailable},
      {413, kInvalid, 1, kInvalid},
      {422, kInvalid, 1, kInvalid},
      {424, kDeviceUnavailable, 5, kDeviceUnavailable},
      {429, kThrottled, 5, kThrottled},
      {500, kTransient, 5, kDeviceUnavailable},
      {503, kDeviceUnavailable, 5, kDeviceUnavailable},
  };
  for (const Case& c : cases) {
    http_.then(own_error(c.status));
    const auto submitted = backend_->submit(work(), kToken, {});
    ASSERT_FALSE(submitted.has_value()) << c.status;
    EXPECT_EQ(class_of(submitted.error()), c.of_submission) << c.status;
    if (!submitted.error().ambiguous) {
      EXPECT_EQ(submitted.error().error.number, errors::kBackendRefused) << c.status;
    }
    const std::size_t before = http_.requests().size();
    for (std::size_t i = 0; i < c.sent_by_read; ++i) http_.then(own_error(c.status));
    const auto polled = backend_->poll(kWork, {});
    ASSERT_FALSE(polled.has_value()) << c.status;
    EXPECT_EQ(backend::class_of(polled.error()), c.of_read) << c.status;
    EXPECT_EQ(http_.requests().size() - before, c.sent_by_read) << c.status;
  }
}

/// Neither passes by itself: a read is not repeated.
TEST_F(TransportTest, what_is_ours_to_mend_keeps_its_number) {
  const std::pair<ErrorNumber, backend::ErrorClass> cases[] = {
      {errors::kEgressRefused, backend::ErrorClass::kForbiddenOrQuota},
      {errors::kLibraryMissing, backend::ErrorClass::kForbiddenOrQuota},
      {errors::kTlsFailed, backend::ErrorClass::kDeviceUnavailable}};
  for (const auto& [number, error_class] : cases) {
    const std::size_t before = http_.requests().size();
    http_.then_fail(number, Sent::kNo);
    const auto submitted = backend_->submit(work(), kToken, {});
    ASSERT_FALSE(submitted.has_value());
    EXPECT_EQ(submitted.error().error.number, number);
    EXPECT_FALSE(submitted.error().ambiguous);
    EXPECT_EQ(class_of(submitted.error()), error_class);
    http_.then_fail(number, Sent::kNo);
    EXPECT_THAT(backend_->poll(kWork, {}), FailsWith(number));
    EXPECT_EQ(http_.requests().size() - before, 2u);
  }
}

TEST_F(TransportTest, a_read_is_repeated_until_it_succeeds) {
  http_.then_fail(errors::kConnectionLost, Sent::kMaybe)
      .then(own_error(503))
      .then({.status = 200, .headers = {{"Content-Type", "text/html"}}, .body = "<html>"})
      .then(200, status("running").substr(0, 30))
      .then(200, status("running"));
  const auto polled = backend_->poll(kWork, within(milliseconds(60'000)));
  ASSERT_THAT(polled, Succeeds());
  EXPECT_EQ(polled->state, backend::WorkState::kRunning);
  EXPECT_EQ(polled->billed, Money{300});
  EXPECT_THAT(http_.requests(), SizeIs(5));
  EXPECT_THAT(http_.requests(), Each(Field(&HttpRequest::url, "http://127.0.0.1:9641/v1/jobs/dev_1")));
}

TEST_F(TransportTest, repeating_ends_with_the_tries_and_with_the_deadline) {
  for (int i = 0; i < 20; ++i) http_.then(own_error(503));
  EXPECT_THAT(backend_->poll(kWork, within(milliseconds(3'600'000))), FailsWith(errors::kBackendUnavailable));
  EXPECT_THAT(http_.requests(), SizeIs(5));
  const Instant before = clock_.monotonic();
  EXPECT_THAT(backend_->poll(kWork, within(milliseconds(30))), FailsWith(errors::kBackendUnavailable));
  EXPECT_LE(clock_.monotonic() - before, milliseconds(30));
}

TEST_F(TransportTest, pauses_between_repeats_stay_within_their_bounds) {
  remake(
      {.base_url = "http://h:1", .backoff_base = milliseconds(20), .backoff_cap = milliseconds(200), .tries_max = 50});
  http_.otherwise([](const HttpRequest&, Deadline) { return ScriptedHttp::Reply(own_error(503)); });
  std::vector<Instant> sent;
  http_.otherwise([&](const HttpRequest&, Deadline) {
    sent.push_back(clock_.monotonic());
    return ScriptedHttp::Reply(own_error(503));
  });
  EXPECT_THAT(backend_->poll(kWork, {}), FailsWith(errors::kBackendUnavailable));
  ASSERT_THAT(sent, SizeIs(50));
  std::set<std::int64_t> distinct;
  for (std::size_t i = 1; i < sent.size(); ++i) {
    const auto pause = sent[i] - sent[i - 1];
    EXPECT_GE(pause, milliseconds(20));
    EXPECT_LE(pause, milliseconds(200));
    distinct.insert(pause.count());
  }
  EXPECT_GT(distinct.size(), 20u);  // jitter: pauses do not march in step
}

TEST_F(TransportTest, a_retry_after_is_honoured) {
  HttpResponse throttled = own_error(429);
  throttled.headers.emplace_back("Retry-After", "7");
  http_.then(throttled).then(200, status("running"));
  const Instant before = clock_.monotonic();
  ASSERT_THAT(backend_->poll(kWork, within(milliseconds(60'000))), Succeeds());
  EXPECT_GE(clock_.monotonic() - before, std::chrono::seconds(7));
}

TEST_F(TransportTest, a_retry_after_of_a_submission_is_handed_on) {
  HttpResponse throttled = own_error(429);
  throttled.headers.emplace_back("Retry-After", "7");
  http_.then(throttled);
  const auto answer = backend_->submit(work(), kToken, within(milliseconds(60'000)));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().retry_after, std::chrono::seconds(7));
}

TEST_F(TransportTest, a_final_answer_to_a_read_is_not_asked_for_again) {
  http_.then(own_error(404));
  EXPECT_THAT(backend_->poll(kWork, {}), FailsWith(errors::kUnknownHandle));
  http_.then(own_error(401));
  const auto refused = backend_->poll(kWork, {});
  ASSERT_THAT(refused, FailsWith(errors::kCredentialRefused));
  EXPECT_THAT(refused.error().message, HasSubstr("the reason"));
  EXPECT_THAT(http_.requests(), SizeIs(2));
}

TEST_F(TransportTest, what_a_provider_says_is_kept_up_to_a_limit) {
  const std::string words(1'000'000, 'w');
  HttpResponse refusal = own_error(401);
  refusal.body = fmt::format(R"({{"emulated":true,"detail":"{}"}})", words);
  const std::string failed = fmt::format(
      R"({{"emulated":true,"id":"dev_1","token":"{}","status":"failed","error":"{}","billed_usd_micros":0}})", kToken,
      words);
  const auto is_cut = AllOf(HasSubstr("www..."), SizeIs(Lt(remote::kProviderWordsBytesMax + 200)));
  http_.then(refusal);
  EXPECT_THAT(backend_->submit(work(), kToken, {}).error().error.message, is_cut);
  http_.then(refusal);
  EXPECT_THAT(backend_->poll(kWork, {}).error().message, is_cut);
  http_.then(200, failed);
  EXPECT_THAT(backend_->poll(kWork, {})->detail, is_cut);
  http_.then(refusal);
  EXPECT_THAT(backend_->availability({}).error().message, is_cut);
}

TEST_F(TransportTest, a_result_is_handed_over_byte_for_byte_with_its_bill_and_calibration) {
  const std::string body = R"( {"emulated":true,  "whatever": "order and blanks stay" } )";
  http_.then(200, status("succeeded")).then(200, body);
  const auto raw = backend_->fetch(kWork, {});
  ASSERT_THAT(raw, Succeeds());
  EXPECT_EQ(raw->bytes, body);
  EXPECT_EQ(raw->media_type, "application/json");
  EXPECT_EQ(raw->billed, Money{300});
  EXPECT_EQ(raw->calibration_id, "cal_1");
}

TEST_F(TransportTest, a_truncated_result_is_handed_over_too_for_it_is_stored_before_it_is_judged) {
  http_.then(200, status("succeeded")).then(200, R"({"emulated":tr)");
  const auto raw = backend_->fetch(kWork, {});
  ASSERT_THAT(raw, Succeeds());
  EXPECT_THAT(backend_->decode(*raw, work()), FailsWith(errors::kBackendGarbage));
}

TEST_F(TransportTest, an_oversized_answer_is_refused) {
  http_.then(200, std::string((64u << 20) + 1, ' '));
  remake({.base_url = "http://h:1", .tries_max = 1});
  EXPECT_THAT(backend_->poll(kWork, {}), FailsWith(errors::kBackendGarbage));
}

TEST_F(TransportTest, facts_are_asked_for_once_while_they_are_fresh) {
  http_.then(200, device_document());
  const auto quote = backend_->quote(work(), {});
  ASSERT_THAT(quote, Succeeds());
  EXPECT_EQ(quote->cost, Money{100 + 2 * 10});
  ASSERT_THAT(backend_->quote(work(), {}), Succeeds());
  EXPECT_THAT(http_.requests(), SizeIs(1));
  clock_.advance(milliseconds(2001));
  http_.then(200, device_document());
  ASSERT_THAT(backend_->quote(work(), {}), Succeeds());
  EXPECT_THAT(http_.requests(), SizeIs(2));
}

TEST_F(TransportTest, limits_of_the_device_count_once_they_are_known) {
  EXPECT_THAT(backend_->validate(work(6)), Succeeds());  // the manifest allows 20
  http_.then(200, device_document(5));
  ASSERT_THAT(backend_->availability({}), Succeeds());
  EXPECT_THAT(backend_->validate(work(6)), FailsWith(errors::kTooManyQubits));
  EXPECT_THAT(backend_->validate(work(5)), Succeeds());
}

TEST_F(TransportTest, a_device_that_does_not_answer_says_nothing_of_its_availability) {
  EXPECT_THAT(backend_->availability(within(milliseconds(10))), FailsWith(errors::kBackendUnavailable));
}

TEST_F(TransportTest, cancelling_work_that_has_ended_is_no_error) {
  http_.then(200, status("running")).then(own_error(409));
  EXPECT_THAT(backend_->cancel(kWork, {}), Succeeds());
}

TEST_F(TransportTest, work_of_somebody_else_behind_our_handle_is_never_cancelled_and_its_result_never_taken) {
  const std::string foreign = status("running", "zyxwvutsrqponmlkjihgfedcba");
  http_.then(200, foreign);
  EXPECT_THAT(backend_->cancel(kWork, {}), FailsWith(errors::kUnknownHandle));
  EXPECT_THAT(http_.requests(), SizeIs(1));  // asked for the status, and only once
  EXPECT_EQ(http_.requests().front().method, "GET");
  http_.then(200, foreign);
  EXPECT_THAT(backend_->fetch(kWork, {}), FailsWith(errors::kUnknownHandle));
  EXPECT_THAT(http_.requests(), SizeIs(2));
  http_.then(200, status("succeeded")).then(200, foreign);  // the provider changed between the two
  EXPECT_THAT(backend_->fetch(kWork, {}), FailsWith(errors::kUnknownHandle));
}

TEST_F(TransportTest, the_credential_goes_out_by_reference_and_never_into_a_log) {
  remake({.base_url = "http://h:1", .credential = "file:/key"});
  EXPECT_FALSE(backend_->submit(work(), kToken, {}).has_value());  // no such credential: nothing is sent
  EXPECT_THAT(http_.requests(), SizeIs(0));
  credentials_.secrets["file:/key"] = "s3cret";
  http_.then(own_error(503)).then(200, status("running"));
  ASSERT_THAT(backend_->poll(kWork, {}), Succeeds());
  EXPECT_EQ(header_value(http_.requests().back().headers, "Authorization"), "Bearer s3cret");
  for (const auto& line : log_.entries()) {
    for (const auto& [name, value] : line.fields) EXPECT_THAT(value, testing::Not(HasSubstr("s3cret")));
  }
}

/// Emulated money must never be taken for real money, nor the other way round.
TEST_F(TransportTest, an_answer_without_the_label_of_an_emulator_is_not_believed) {
  labelled_.labels = false;
  http_.then(200, status("running")).then(200, status("running"));
  const auto polled = backend_->poll(kWork, within(milliseconds(30)));
  ASSERT_THAT(polled, FailsWith(errors::kBackendGarbage));
  EXPECT_THAT(polled.error().message, HasSubstr("no answer of an emulator"));
  http_.then(201, accepted());
  const auto submitted = backend_->submit(work(), kToken, {});
  ASSERT_FALSE(submitted.has_value());
  EXPECT_TRUE(submitted.error().ambiguous);
}

TEST_F(TransportTest, every_exchange_ends_within_the_request_timeout_and_the_callers_deadline) {
  std::vector<std::chrono::nanoseconds> allowed;
  http_.otherwise([&](const HttpRequest&, Deadline deadline) {
    allowed.push_back(deadline.left(clock_));
    return ScriptedHttp::Reply(
        HttpResponse{.status = 200, .headers = {{"Content-Type", "application/json"}}, .body = status("running")});
  });
  ASSERT_THAT(backend_->poll(kWork, {}), Succeeds());
  ASSERT_THAT(backend_->poll(kWork, within(milliseconds(100))), Succeeds());
  EXPECT_THAT(allowed, testing::ElementsAre(milliseconds(5000), milliseconds(100)));
}

}  // namespace
}  // namespace tandem::labdevice
