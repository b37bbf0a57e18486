#include "tandem/base/http.h"

#include <gmock/gmock.h>

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/scripted_http.h"

namespace tandem {
namespace {

TEST(HeaderValue, compares_names_without_case_and_takes_the_first) {
  const Headers headers = {{"Content-Type", "text/plain"}, {"ETag", "a"}, {"etag", "b"}, {"Empty", ""}};
  EXPECT_EQ(header_value(headers, "content-type"), "text/plain");
  EXPECT_EQ(header_value(headers, "ETAG"), "a");
  EXPECT_EQ(header_value(headers, "Empty"), "");
  EXPECT_EQ(header_value(headers, "Location"), "");
}

TEST(Token, is_what_rfc_9110_lets_a_method_and_a_name_be) {
  for (const char* token : {"GET", "x-y", "a1", "!#$%&'*+-.^_`|~"}) EXPECT_TRUE(is_http_token(token)) << token;
  for (const char* other : {"", "a b", "a:b", "G<T", "\xc3\xa9", "a\n", "(", "\""})
    EXPECT_FALSE(is_http_token(other)) << other;
}

TEST(ScriptedHttp, answers_in_order_then_by_the_handler_and_remembers_what_it_was_asked) {
  ScriptedHttp http;
  http.then(200, "first").then_fail(errors::kConnectionLost, Sent::kMaybe);
  const HttpRequest request{.method = "POST", .url = "http://device/jobs", .headers = {}, .body = "{}"};
  EXPECT_EQ(http.send(request, Deadline::never())->body, "first");
  EXPECT_EQ(http.replies_left(), 1u);
  const auto lost = http.send(request, Deadline::never());
  EXPECT_EQ(lost.error().error.number, errors::kConnectionLost);
  EXPECT_EQ(lost.error().sent, Sent::kMaybe);
  const auto over = http.send(request, Deadline::never());
  EXPECT_EQ(over.error().error.number, errors::kPeerUnreachable);
  EXPECT_EQ(over.error().sent, Sent::kNo);
  http.otherwise(
      [](const HttpRequest& r, Deadline) { return HttpResponse{.status = 200, .headers = {}, .body = r.url}; });
  EXPECT_EQ(http.send(request, Deadline::never())->body, "http://device/jobs");
  EXPECT_EQ(http.requests(), std::vector<HttpRequest>(4, request));
}

}  // namespace
}  // namespace tandem
