// Whose key it is, through the transport of middleware/remote. Answers are written by the vendor's OpenAPI text, never recorded from it.
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

using remote::KeyOwner;
using testing::HasSubstr;

constexpr const char* kKey = "key-that-nobody-may-see";
constexpr const char* kId = "e060759f-4348-4767-a645-8c0301265791";

class IonqWhoseKeyTest : public testing::Test {
 protected:
  static constexpr std::size_t kTries = 3;
  Result<std::optional<KeyOwner>> ask() {
    return remote::ask_whose_key(
        make_codec({.backend = "simulator"}).value(),
        {.http = http_, .credentials = credentials_, .clock = clock_, .executor = executor_, .rng = rng_, .log = log_},
        {.base_url = "https://api.example/v0.4/", .credential = "key", .tries_max = kTries}, {});
  }

  FakeClock clock_;
  ScriptedHttp http_;
  MemoryCredentials credentials_{{"key", kKey}};
  SkippingExecutor executor_{clock_};
  SeededRng rng_{1};
  RecordingLog log_;
};

TEST_F(IonqWhoseKeyTest, the_vendor_is_asked_with_the_key_and_names_its_owner) {
  http_.then(200, R"({"key_id":"e060759f-4348-4767-a645-8c0301265791","key_name":"My First Key",)"
                  R"("project_id":"944904d6-2e30-4cfb-8bc4-04afaabcdd42"})");
  EXPECT_EQ(
      ask().value(),
      (KeyOwner{.key_id = kId, .key_name = "My First Key", .project_id = "944904d6-2e30-4cfb-8bc4-04afaabcdd42"}));
  ASSERT_EQ(http_.requests().size(), 1u);
  const HttpRequest asked = http_.requests().front();
  EXPECT_EQ(asked.method, "GET");
  EXPECT_EQ(asked.url, "https://api.example/v0.4/whoami");
  EXPECT_EQ(header_value(asked.headers, "Authorization"), std::string("apiKey ") + kKey);
  http_.then(200, R"({"key_id":"e060759f-4348-4767-a645-8c0301265791","key_name":"no project"})");
  EXPECT_EQ(ask().value(), (KeyOwner{.key_id = kId, .key_name = "no project"}));
}

TEST_F(IonqWhoseKeyTest, an_answer_without_what_the_text_wants_is_garbage) {
  for (const char* body : {R"({"key_id":"e0"})", R"({"key_name":"a"})", R"({"key_id":1,"key_name":"a"})", "[]", "{"}) {
    for (std::size_t i = 0; i < kTries; ++i) http_.then(200, body);
    EXPECT_THAT(ask(), FailsWith(errors::kBackendGarbage)) << body;
    EXPECT_EQ(http_.replies_left(), 0u);
  }
}

TEST_F(IonqWhoseKeyTest, a_vendor_that_does_not_know_the_question_is_asked_once) {
  http_.then(404, R"({"statusCode":404,"error":"Not Found Error","message":"Resource not found."})");
  const auto owner = ask();
  ASSERT_FALSE(owner.has_value());
  EXPECT_THAT(owner.error().message, HasSubstr("Resource not found."));
  EXPECT_EQ(http_.requests().size(), 1u);
}

TEST_F(IonqWhoseKeyTest, a_key_that_is_repeated_is_withheld_and_what_is_no_text_is_made_one) {
  http_.then(200, std::string(R"({"key_id":"a\u001b[31m","key_name":"<)") + kKey + R"(>","project_id":"p"})");
  const auto owner = ask();
  ASSERT_THAT(owner, Succeeds());
  EXPECT_THAT((*owner)->key_name, HasSubstr("withheld"));
  EXPECT_EQ((*owner)->key_name.find(kKey), std::string::npos);
  EXPECT_EQ((*owner)->key_id.find('\x1b'), std::string::npos);
  EXPECT_EQ((*owner)->project_id, "p");
}

}  // namespace
}  // namespace tandem::ionq
