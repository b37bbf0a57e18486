#include "tandem/net/server/head.h"

#include <gtest/gtest.h>

namespace tandem::server {
namespace {

const HostSet kHosts = allowed_hosts("127.0.0.1", 8642, {"Tandem.Example:443"});

TEST(AllowedHosts, are_the_loopback_names_the_address_listened_on_and_what_was_added) {
  EXPECT_EQ(kHosts, (HostSet{"127.0.0.1:8642", "localhost:8642", "[::1]:8642", "tandem.example:443"}));
  EXPECT_EQ(allowed_hosts("10.0.0.5", 80, {}), (HostSet{"127.0.0.1:80", "localhost:80", "[::1]:80", "10.0.0.5:80",
                                                        "127.0.0.1", "localhost", "[::1]", "10.0.0.5"}));
  EXPECT_EQ(allowed_hosts("fd00::1", 1, {}), (HostSet{"127.0.0.1:1", "localhost:1", "[::1]:1", "[fd00::1]:1"}));
  for (const char* any : {"0.0.0.0", "::"}) {
    EXPECT_EQ(allowed_hosts(any, 1, {}), (HostSet{"127.0.0.1:1", "localhost:1", "[::1]:1"})) << any;
  }
}

TEST(CheckHead, heads_of_ordinary_clients_pass) {
  for (const Headers& headers :
       {Headers{{"Host", "127.0.0.1:8642"}}, Headers{{"host", "LOCALHOST:8642"}},
        Headers{{"Host", "tandem.example:443"}}, Headers{{"Host", "[::1]:8642"}, {"Content-Length", "0"}},
        Headers{{"Host", "localhost:8642"}, {"Transfer-Encoding", "Chunked"}},
        Headers{{"Host", "localhost:8642"}, {"Expect", "100-Continue"}, {"Content-Length", "18446744073709551615"}}}) {
    EXPECT_TRUE(check_head(headers, HttpVersion::k11, kHosts));
  }
}

TEST(CheckHead, a_refused_host_is_told_what_it_can_do) {
  const auto refused = check_head({{"Host", "evil.example"}}, HttpVersion::k11, kHosts);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "this server does not answer for the host 'evil.example', use the address it listens on");
}

TEST(CheckHead, every_other_head_is_refused_with_its_own_number) {
  struct Case {
    Headers headers;
    ErrorNumber number;
    HttpVersion version = HttpVersion::k11;
  };
  const std::pair<std::string, std::string> host = {"Host", "localhost:8642"};
  const Case cases[] = {
      {{}, errors::kBadRequest},
      {{}, errors::kBadRequest, HttpVersion::k10},
      {{host, host}, errors::kBadRequest},
      {{{"Host", ""}}, errors::kHostRefused},
      {{{"Host", "evil.example"}}, errors::kHostRefused},
      {{{"Host", "localhost"}}, errors::kHostRefused},
      {{{"Host", "localhost:8643"}}, errors::kHostRefused},
      {{{"Host", "localhost:8642.evil.example"}}, errors::kHostRefused},
      {{{"Host", "evil.example, localhost:8642"}}, errors::kHostRefused},
      {{{"Host", "tandem.example"}}, errors::kHostRefused},
      {{host, {"Origin", "http://localhost:8642"}}, errors::kOriginRefused},
      {{host, {"oriGin", "null"}}, errors::kOriginRefused},
      {{host, {"Origin", ""}}, errors::kOriginRefused},
      {{host, {"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}}, errors::kBadRequest},
      {{host, {"Content-Length", "5"}, {"content-length", "5"}}, errors::kBadRequest},
      {{host, {"Content-Length", "5, 5"}}, errors::kBadRequest},
      {{host, {"Content-Length", "+5"}}, errors::kBadRequest},
      {{host, {"Content-Length", "0x5"}}, errors::kBadRequest},
      {{host, {"Content-Length", ""}}, errors::kBadRequest},
      {{host, {"Transfer-Encoding", "gzip, chunked"}}, errors::kBadRequest},
      {{host, {"Transfer-Encoding", "chunked, chunked"}}, errors::kBadRequest},
      {{host, {"Transfer-Encoding", "identity"}}, errors::kBadRequest},
      {{host, {"Transfer-Encoding", "chunked\t"}}, errors::kBadRequest},
      {{host, {"Transfer-Encoding", ""}}, errors::kBadRequest},
      {{host, {"Transfer-Encoding", "chunked"}}, errors::kBadRequest, HttpVersion::k10},
      {{host, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}, errors::kBadRequest},
      {{host, {"Expect", "200-maybe"}}, errors::kBadRequest},
  };
  for (const Case& c : cases) {
    std::string shown;
    for (const auto& [name, value] : c.headers) shown += name + ": " + value + "; ";
    const auto checked = check_head(c.headers, c.version, kHosts);
    ASSERT_FALSE(checked) << shown;
    EXPECT_EQ(checked.error().number, c.number) << shown;
  }
}

TEST(AreSendable, a_header_that_would_split_or_reframe_the_response_is_not) {
  EXPECT_TRUE(are_sendable(
      {{"Content-Type", "text/plain; charset=utf-8"}, {"X-Tab", "a\tb"}, {"X-Utf8", "é"}, {"X-Empty", ""}}));
  for (const Headers& headers :
       {Headers{{"X", "a\r\nY: b"}}, Headers{{"X", "a\n"}}, Headers{{"X", std::string("\0", 1)}}, Headers{{"X\r", "a"}},
        Headers{{"X Y", "a"}}, Headers{{"X:", "a"}}, Headers{{"", "a"}}, Headers{{"content-length", "1"}},
        Headers{{"Transfer-Encoding", "chunked"}}, Headers{{"Connection", "close"}}, Headers{{"Date", "now"}}}) {
    EXPECT_FALSE(are_sendable(headers)) << headers[0].first;
  }
}

TEST(HttpDate, agrees_with_the_example_of_rfc_9110) {
  EXPECT_EQ(http_date(Timestamp{784'111'777'000'000}), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(Timestamp{784'111'777'999'999}), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(Timestamp{951'782'399'000'000}), "Mon, 28 Feb 2000 23:59:59 GMT");
  EXPECT_EQ(http_date(Timestamp{951'782'400'000'000}), "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST(ResponseHead, is_written_in_one_fixed_order) {
  EXPECT_EQ(
      response_head(202, {{"Location", "/v1/jobs/1"}}, {.kind = Framing::Kind::kLength, .length = 12}, true,
                    Timestamp{784'111'777'000'000}),
      "HTTP/1.1 202 Accepted\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: keep-alive\r\nContent-Length: 12\r\n"
      "Location: /v1/jobs/1\r\n\r\n");
  EXPECT_EQ(response_head(200, {}, {.kind = Framing::Kind::kChunked}, false, Timestamp{784'111'777'000'000}),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\nTransfer-Encoding: "
            "chunked\r\n\r\n");
  EXPECT_EQ(response_head(299, {}, {.kind = Framing::Kind::kNone}, false, Timestamp{784'111'777'000'000}),
            "HTTP/1.1 299 \r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n\r\n");
}

}  // namespace
}  // namespace tandem::server
