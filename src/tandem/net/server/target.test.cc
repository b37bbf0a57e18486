#include "tandem/net/server/target.h"

#include <gtest/gtest.h>

namespace tandem::server {
namespace {

constexpr std::size_t kParametersMax = 3;

TEST(ParseTarget, path_and_query_are_decoded_once) {
  using Query = std::map<std::string, std::string, std::less<>>;
  const std::pair<std::string, Target> cases[] = {
      {"/", {"/", {}}},
      {"/v1/jobs", {"/v1/jobs", {}}},
      {"/v1/jobs/", {"/v1/jobs/", {}}},
      {"/a%20b/%C3%A9", {"/a b/é", {}}},
      {"/%2541", {"/%41", {}}},
      {"/a+b", {"/a+b", {}}},
      {"/.well-known/...", {"/.well-known/...", {}}},
      {"/a:b@c!$&'()*,;=~", {"/a:b@c!$&'()*,;=~", {}}},
      {"/?", {"/", {}}},
      {"/?a=1&b=2", {"/", Query{{"a", "1"}, {"b", "2"}}}},
      {"/?a", {"/", Query{{"a", ""}}}},
      {"/?a=", {"/", Query{{"a", ""}}}},
      {"/?a=b=c", {"/", Query{{"a", "b=c"}}}},
      {"/?&&a=1&", {"/", Query{{"a", "1"}}}},
      {"/?a+b=c+d%2B", {"/", Query{{"a b", "c d+"}}}},
      {"/?a=%26&%3D=1", {"/", Query{{"a", "&"}, {"=", "1"}}}},
      {"/?a=/../?x", {"/", Query{{"a", "/../?x"}}}},
      {"/?a=%2F%5C", {"/", Query{{"a", "/\\"}}}},
      {"/?a=%F0%9F%9A%B2", {"/", Query{{"a", "🚲"}}}},
  };
  for (const auto& [text, expected] : cases) {
    const auto target = parse_target(text, kParametersMax);
    ASSERT_TRUE(target) << text << ": " << target.error().to_string();
    EXPECT_EQ(*target, expected) << text;
  }
}

TEST(ParseTarget, what_two_readers_could_understand_differently_is_refused) {
  const std::string cases[] = {
      "",
      "*",
      "a",
      "http://127.0.0.1/",
      "127.0.0.1:80",
      "//",
      "//a",
      "/a//b",
      "/./a",
      "/a/.",
      "/..",
      "/a/../b",
      "/%2e%2e/a",
      "/%2E",
      "/.%2e",
      "/a%2Fb",
      "/a%5Cb",
      "/a\\b",
      "/%",
      "/%4",
      "/%4g",
      "/%g4",
      "/a%",
      "/%00",
      "/%0A",
      "/%7F",
      "/a b",
      "/a\tb",
      "/a#b",
      "/\xc3\xa9",
      "/%FF",
      "/%C3",
      "/%C0%AF",
      "/%E0%80%80",
      "/%ED%A0%80",
      "/%F4%90%80%80",
      "/%F8%88%80%80%80",
      "/?a=1&a=2",
      "/?a=1&%61=2",
      "/?=1",
      "/?a=%",
      "/?%=1",
      "/?a=%00",
      "/?a=%FF",
      "/?a=1&b=2&c=3&d=4",
      std::string("/a\0b", 4),
  };
  for (const std::string& text : cases) {
    const auto target = parse_target(text, kParametersMax);
    ASSERT_FALSE(target) << text;
    EXPECT_EQ(target.error().number, errors::kBadRequest) << text;
  }
}

/// Encodes every byte of `text`, so that decoding has everything to do.
std::string encode_all(std::string_view text) {
  std::string encoded;
  for (const char c : text) encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return encoded;
}

TEST(PercentDecode, every_unicode_character_survives_and_every_control_character_is_refused) {
  for (char32_t code = 0; code <= 0x10ffff; ++code) {
    std::string utf8;  // RFC 3629 section 3, written out
    if (code < 0x80) {
      utf8 = {static_cast<char>(code)};
    } else if (code < 0x800) {
      utf8 = {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3f))};
    } else if (code < 0x10000) {
      utf8 = {static_cast<char>(0xe0 | (code >> 12)), static_cast<char>(0x80 | ((code >> 6) & 0x3f)),
              static_cast<char>(0x80 | (code & 0x3f))};
    } else {
      utf8 = {static_cast<char>(0xf0 | (code >> 18)), static_cast<char>(0x80 | ((code >> 12) & 0x3f)),
              static_cast<char>(0x80 | ((code >> 6) & 0x3f)), static_cast<char>(0x80 | (code & 0x3f))};
    }
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    const bool control = code < 0x20 || code == 0x7f;
    const auto decoded = percent_decode(encode_all(utf8), Plus::kLiteral);
    ASSERT_EQ(decoded.has_value(), !surrogate && !control) << static_cast<unsigned>(code);
    if (decoded) {
      ASSERT_EQ(*decoded, utf8);
    }
  }
}

TEST(PercentDecode, of_all_pairs_of_bytes_only_those_that_are_utf8_pass) {
  for (unsigned first = 0x80; first <= 0xff; ++first) {
    for (unsigned second = 0; second <= 0xff; ++second) {
      const std::string bytes = {static_cast<char>(first), static_cast<char>(second)};
      const bool valid = first >= 0xc2 && first <= 0xdf && second >= 0x80 && second <= 0xbf;
      EXPECT_EQ(percent_decode(encode_all(bytes), Plus::kLiteral).has_value(), valid) << first << " " << second;
    }
  }
}

}  // namespace
}  // namespace tandem::server
