// Which price counts: the vendor's estimate, or that of a list. Answers are written by the vendor's OpenAPI text, never recorded from it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/memory_credentials.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/base/testing/scripted_http.h"
#include "tandem/base/testing/seeded_rng.h"
#include "tandem/base/testing/skipping_executor.h"
#include "tandem/middleware/adapter/ionq/ionq.h"
#include "tandem/middleware/remote/remote_backend.h"

namespace tandem::ionq {
namespace {

using job::Money;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kBackends[] = {"ionq.qpu.forte-1"};
constexpr std::string_view kFile =
    "prices:\n"
    "  - {backend: ionq.qpu.forte-1, source: contract 7, as_of: \"2026-01-01\", valid_until: \"2026-01-01\",\n"
    "     minimum: 1, per_job: $0.5, per_shot: 0.01, per_1q_gate: 0.001, per_2q_gate: 0.002}\n";
constexpr std::size_t kTries = 2;

class IonqPricesTest : public testing::Test {
 protected:
  IonqPricesTest() {
    backend_ = remote::make_remote_backend(
        make_codec({.backend = "qpu.forte-1"}).value(),
        {.http = http_, .credentials = credentials_, .clock = clock_, .executor = executor_, .rng = rng_, .log = log_},
        {.base_url = "https://api.example/v0.4",
         .tries_max = kTries,
         .prices = remote::PriceList::parse(kFile, "prices.yaml", kBackends).value()});
  }
  static HttpResponse json(int status, std::string_view body) {
    return {.status = status, .headers = {{"Content-Type", "application/json"}}, .body = Bytes(body)};
  }
  static HttpResponse estimate(double usd) {
    return json(200,
                fmt::format(R"({{"input_values":{{"backend":"qpu.forte-1"}},"estimated_at":"2026-05-15T00:00:00Z",)"
                            R"("cost_unit":"usd","estimated_cost":{},"rate_information":{{"job_cost_minimum":1,)"
                            R"("cost_1q_gate":0.25,"cost_2q_gate":0.5,"organization":"Our Group"}},)"
                            R"("estimated_execution_time":1,"current_predicted_queue_time":2}})",
                            usd));
  }
  static HttpResponse refusal(int status) {
    return json(status, R"({"statusCode":0,"error":"Error","message":"not now"})");
  }
  /// h, cx and two measurements, 100 shots: by the list 0.5 + 100 x (0.01 + 0.001 + 0.002) = $1.80.
  static backend::ProgramWork bell() {
    circuit::Pub pub{.circuit = circuit::Circuit::create(2, 2).value(), .shots = 100};
    EXPECT_THAT(pub.circuit.append({.gate = circuit::Gate::kH, .qubits = {0}}), Succeeds());
    EXPECT_THAT(pub.circuit.append({.gate = circuit::Gate::kCx, .qubits = {0, 1}}), Succeeds());
    pub.circuit.measure_all();
    return {.pubs = {pub}};
  }
  ScriptedHttp& device() {
    return http_.then(json(200, R"({"backend":"qpu.forte-1","status":"available","qubits":36,"average_queue_time":0,)"
                                R"("last_updated":"2025-06-16T00:00:00Z","degraded":false})"));
  }

  FakeClock clock_;  // begins on 1 January 2026
  ScriptedHttp http_;
  MemoryCredentials credentials_;
  SkippingExecutor executor_{clock_};
  SeededRng rng_{1};
  RecordingLog log_;
  std::unique_ptr<backend::Backend> backend_;
};

TEST_F(IonqPricesTest, the_vendors_estimate_goes_before_the_list_which_is_named_where_it_differs) {
  device().then(estimate(1.8));
  const auto same = backend_->quote(bell(), {});
  ASSERT_THAT(same, Succeeds());
  EXPECT_EQ(same->cost, Money{1'800'000});
  EXPECT_THAT(same->source, Not(HasSubstr("price list")));
  http_.then(estimate(12.5));
  const auto other = backend_->quote(bell(), {});
  ASSERT_THAT(other, Succeeds());
  EXPECT_EQ(other->cost, Money{12'500'000});
  EXPECT_EQ(other->cost_basis, job::Basis::kComputed);
  EXPECT_THAT(other->source, AllOf(HasSubstr("estimate of IonQ"),
                                   HasSubstr("by the price list of 2026-01-01 (contract 7) it would be $1.80")));
}

TEST_F(IonqPricesTest, the_list_counts_where_the_question_for_a_price_is_not_answered_for_now) {
  device();
  for (std::size_t i = 0; i < kTries; ++i) http_.then(refusal(503));
  const auto listed = backend_->quote(bell(), {});
  ASSERT_THAT(listed, Succeeds());
  EXPECT_EQ(listed->cost, Money{1'800'000});
  EXPECT_EQ(listed->cost_basis, job::Basis::kAssumed);
  EXPECT_EQ(listed->use.shots, 100);
  EXPECT_GT(listed->use.bytes, 100);
  EXPECT_THAT(listed->source,
              AllOf(HasSubstr("the price list of 2026-01-01 (contract 7)"), HasSubstr("did not answer")));
}

TEST_F(IonqPricesTest, who_refuses_a_price_is_not_overruled_and_a_list_that_is_over_says_nothing) {
  device().then(refusal(403));
  EXPECT_THAT(backend_->quote(bell(), {}), FailsWith(errors::kBackendForbidden));
  clock_.advance(std::chrono::hours(24));
  device();
  for (std::size_t i = 0; i < kTries; ++i) http_.then(refusal(503));
  EXPECT_THAT(backend_->quote(bell(), {}), FailsWith(errors::kBackendUnavailable));
}

}  // namespace
}  // namespace tandem::ionq
