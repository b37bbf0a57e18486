#include "tandem/net/client/redact.h"

#include <gtest/gtest.h>

namespace tandem::client {
namespace {

TEST(Redact, secret_headers_lose_their_value_and_nothing_else_changes) {
  const Headers headers = {
      {"Authorization", "Bearer abc"}, {"X-Auth-Token", "abc"}, {"Service-CRN", "crn:v1:abc"},  {"cookie", "a=b"},
      {"Set-Cookie", "a=b"},           {"X-API-Key", "abc"},    {"Content-Type", "text/plain"}, {"Accept", "*/*"}};
  const std::string gone(kRedacted);
  const Headers expected = {
      {"Authorization", gone}, {"X-Auth-Token", gone}, {"Service-CRN", gone},          {"cookie", gone},
      {"Set-Cookie", gone},    {"X-API-Key", gone},    {"Content-Type", "text/plain"}, {"Accept", "*/*"}};
  EXPECT_EQ(redact_headers(headers), expected);
}

TEST(Redact, urls_lose_user_information_secret_parameters_and_fragment) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"https://a.example/b?c=d", "https://a.example/b?c=d"},
      {"https://a.example/b?sig=abc&c=d", "https://a.example/b?sig=[redacted]&c=d"},
      {"https://a.example/b?c=d&X-Amz-Signature=abc", "https://a.example/b?c=d&X-Amz-Signature=[redacted]"},
      {"https://a.example/?access_token=a=b=c", "https://a.example/?access_token=[redacted]"},
      {"https://a.example/?s%69g=abc", "https://a.example/?s%69g=[redacted]"},
      {"https://user:word@a.example/b", "https://a.example/b"},
      {"https://us@er:wo@rd@a.example/b@c", "https://a.example/b@c"},
      {"https://a.example/b#token", "https://a.example/b"},
      {"https://a.example?flag", "https://a.example?flag"},
      {"", ""},
      {"?sig=1", "?sig=[redacted]"},
      {"user@host", "host"},
  };
  for (const auto& [url, expected] : cases) EXPECT_EQ(redact_url(url), expected) << url;
}

}  // namespace
}  // namespace tandem::client
