#include "tandem/net/client/redact.h"

#include <gtest/gtest.h>

namespace tandem::client {
namespace {

TEST(Redact, secret_names_are_known_whatever_their_case) {
  for (const char* name : {"Authorization", "X-Auth-Token", "Service-CRN", "cookie", "Set-Cookie", "X-API-Key"})
    EXPECT_TRUE(is_secret_name(name)) << name;
  for (const char* name : {"Content-Type", "Accept", ""}) EXPECT_FALSE(is_secret_name(name)) << name;
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
