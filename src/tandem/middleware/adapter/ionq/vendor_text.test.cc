// The manifest, held to the vendor's OpenAPI text, which is read from the folder named by TANDEM_TEST_DATA.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "tandem/base/testing/matchers.h"
#include "tandem/base/text.h"
#include "tandem/base/yaml.h"
#include "tandem/middleware/adapter/ionq/ionq.h"

namespace tandem::ionq {
namespace {

using backend::ErrorClass;
using backend::WorkState;
using testing::HasSubstr;

// Of the same work: what is wrong with it stays wrong, what is wrong with the account is for people, the rest may pass.
const std::map<std::string, ErrorClass> kMeanings = {{"InvalidInput", ErrorClass::kInvalid},
                                                     {"CompilationError", ErrorClass::kTransient},
                                                     {"ContractExpiredError", ErrorClass::kForbiddenOrQuota},
                                                     {"DebiasingError", ErrorClass::kTransient},
                                                     {"InternalError", ErrorClass::kTransient},
                                                     {"NotEnoughQubits", ErrorClass::kInvalid},
                                                     {"OptimizationError", ErrorClass::kTransient},
                                                     {"PreflightError", ErrorClass::kInvalid},
                                                     {"QuantumCircuitComplexityError", ErrorClass::kInvalid},
                                                     {"QuantumComputerError", ErrorClass::kDeviceUnavailable},
                                                     {"QuotaExhaustedError", ErrorClass::kForbiddenOrQuota},
                                                     {"SimulationError", ErrorClass::kTransient},
                                                     {"SimulationTimeout", ErrorClass::kInvalid},
                                                     {"SystemCancel", ErrorClass::kDeviceUnavailable},
                                                     {"TooLongPredictedExecutionTime", ErrorClass::kInvalid},
                                                     {"TooManyControls", ErrorClass::kInvalid},
                                                     {"TooManyGates", ErrorClass::kInvalid},
                                                     {"TooManyShots", ErrorClass::kInvalid},
                                                     {"UnknownBillingError", ErrorClass::kForbiddenOrQuota},
                                                     {"UnsupportedGate", ErrorClass::kInvalid}};

remote::Manifest manifest() { return make_codec({.backend = "qpu.forte-1"}).value()->manifest(); }

backend::PollStatus poll(const std::string& failure, const char* status = "failed") {
  const auto codec = make_codec({.backend = "qpu.forte-1"}).value();
  const auto out = codec->decode_poll(
      fmt::format(R"({{"id":"j","status":"{}","metadata":{{"tandem_token":"t"}},"failure":{}}})", status, failure),
      {.handle = "j", .token = "t"});
  EXPECT_THAT(out, Succeeds());
  return out.value_or(backend::PollStatus{});
}

TEST(IonqFailures, every_code_means_what_the_table_says) {
  for (const auto& [code, meaning] : kMeanings) {
    const auto status = poll(fmt::format(R"({{"code":"{}","message":"as it was"}})", code));
    EXPECT_EQ(status.state, WorkState::kFailed) << code;
    EXPECT_EQ(remote::class_of(manifest().failures.at(code), remote::Asked::kSubmission), meaning) << code;
    EXPECT_EQ(status.detail, fmt::format("{} ({}): as it was", code, backend::to_string(meaning)));
  }
}

TEST(IonqFailures, a_code_that_nobody_knows_says_nothing_but_itself) {
  for (const char* code : {"NewError", "invalidinput", "Internal Error"}) {
    const auto status = poll(fmt::format(R"({{"code":"{}","message":"as it was"}})", code));
    EXPECT_EQ(status.state, WorkState::kFailed);
    EXPECT_FALSE(manifest().failures.contains(code));
    EXPECT_THAT(status.detail, HasSubstr(code));
    EXPECT_THAT(status.detail, HasSubstr("does not know"));
  }
  EXPECT_EQ(poll(R"({"error":"as it was"})").detail, "failed: as it was");
  EXPECT_EQ(poll("null").detail, "failed");
  EXPECT_EQ(poll("null", "started").detail, "started");
}

/// Null where it is not here.
Json vendor_text() {
  const char* const variable = std::getenv("TANDEM_TEST_DATA");
  const std::filesystem::path path = std::filesystem::path(variable == nullptr ? "" : variable) / "standards" / "ionq" /
                                     "ionq-quantum-cloud-openapi.yml";
  if (!std::filesystem::exists(path)) return {};
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  const auto document = parse_yaml(text.str(), path.string());
  EXPECT_THAT(document, Succeeds());
  return document ? document->value : Json::object();
}

TEST(IonqFailures, the_table_has_every_code_of_the_vendors_text_and_no_other) {
  const Json text = vendor_text();
  if (text.is_null()) GTEST_SKIP() << "the vendor's OpenAPI text is not in TANDEM_TEST_DATA";
  std::set<std::string> of_text;
  for (const Json& code : text.at(Json::json_pointer("/components/schemas/Failure/properties/code/enum")))
    of_text.insert(code);
  std::set<std::string> of_table;
  for (const auto& [code, meaning] : manifest().failures) of_table.insert(code);
  EXPECT_EQ(of_table, of_text);
  EXPECT_EQ(kMeanings.size(), of_text.size());
  EXPECT_EQ(of_text.size(), 20u);
}

/// The words of the text, "Available options: `simulator`, `qpu.aria-1`, ...": it has no enumeration of them.
TEST(IonqBackends, are_those_that_the_vendors_text_has_for_jobs) {
  const Json text = vendor_text();
  if (text.is_null()) GTEST_SKIP() << "the vendor's OpenAPI text is not in TANDEM_TEST_DATA";
  const std::string words = text.at(Json::json_pointer("/components/schemas/JobBackends/description"));
  std::vector<std::string> of_text;
  const auto parts = split(words, '`');
  for (std::size_t i = 1; i < parts.size(); i += 2) of_text.emplace_back(parts[i]);
  EXPECT_GE(of_text.size(), 5u);
  EXPECT_EQ(backend_names(), of_text);
  for (const std::string& name : of_text) {
    const auto info = make_codec({.backend = name}).value()->manifest().info;
    EXPECT_EQ(info.metered, name != "simulator") << name;
    EXPECT_EQ(info.counts_qpu_time, name != "simulator") << name;
  }
}

TEST(IonqBackends, a_second_machine_of_a_kind_has_the_limits_of_the_first) {
  const remote::Manifest first = make_codec({.backend = "qpu.aria-1"}).value()->manifest();
  const remote::Manifest second = make_codec({.backend = "qpu.aria-2"}).value()->manifest();
  EXPECT_EQ(second.info.qubits_max, first.info.qubits_max);
  EXPECT_EQ(second.info.qubits_max, 25u);
  EXPECT_EQ(second.native_gates, first.native_gates);
  EXPECT_FALSE(make_codec({.backend = "qpu.forte-enterprise-2"}).has_value()) << "the text sends no jobs there";
}

}  // namespace
}  // namespace tandem::ionq
