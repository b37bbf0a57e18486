#include "tandem/net/client/curl_http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "tandem/base/executor.h"
#include "tandem/base/testing/fake_clock.h"
#include "tandem/net/client/testing/tcp_peer.h"

namespace tandem::client {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Session = TcpPeer::Session;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class CurlHttpTest : public testing::Test {
 protected:
  std::unique_ptr<CurlHttp> client(ClientOptions options) {
    auto created = CurlHttp::create(std::move(options), clock_, executor_);
    EXPECT_TRUE(created);
    return std::move(*created);
  }
  std::unique_ptr<CurlHttp> client_of(const TcpPeer& peer) { return client({.allow = {peer.address()}}); }
  Deadline soon() const { return Deadline::after(clock_, std::chrono::seconds(20)); }

  SystemClock clock_;
  ThreadExecutor executor_{2};
};

TEST_F(CurlHttpTest, request_and_response_arrive_as_they_were_sent) {
  std::string head;
  TcpPeer peer(executor_, [&](Session& session) {
    if (!session.read_request("{\"a\":1}")) return;
    head = session.last();
    session.send("HTTP/1.1 207 Odd\r\nX-One: 1\r\nx-two:  a b \r\nContent-Length: 5\r\n\r\n");
    session.send(std::string("h\r\n\0o", 5));
    session.send("not of this response");
  });
  const auto http = client_of(peer);
  const HttpRequest request{.method = "POST",
                            .url = peer.url("/v1/jobs?limit=5"),
                            .headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}},
                            .body = "{\"a\":1}"};
  const auto response = http->send(request, soon());
  ASSERT_TRUE(response) << response.error().error.to_string();
  const HttpResponse expected{.status = 207,
                              .headers = {{"X-One", "1"}, {"x-two", "a b"}, {"Content-Length", "5"}},
                              .body = std::string("h\r\n\0o", 5)};
  EXPECT_EQ(*response, expected);
  EXPECT_THAT(head, StartsWith("POST /v1/jobs?limit=5 HTTP/1.1\r\nHost: " + peer.address() + "\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nX-Empty:\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nContent-Length: 7\r\n"));
}

TEST_F(CurlHttpTest, every_method_goes_out_by_its_name_and_head_has_no_body) {
  TcpPeer peer(executor_, [&](Session& session) {
    while (session.read_request()) {
      const std::string method = session.last().substr(0, session.last().find(' '));
      session.send("HTTP/1.1 200 OK\r\nX-Method: " + method + "\r\nContent-Length: 4\r\n\r\n" +
                   (method == "HEAD" ? "" : "body"));
    }
  });
  const auto http = client_of(peer);
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    const auto response = http->send({.method = method, .url = peer.url()}, soon());
    ASSERT_TRUE(response) << method << ": " << response.error().error.to_string();
    EXPECT_EQ(header_value(response->headers, "X-Method"), method);
    EXPECT_EQ(response->body, std::string_view(method) == "HEAD" ? "" : "body") << method;
  }
}

TEST_F(CurlHttpTest, a_large_body_leaves_at_once_without_waiting_for_100_continue) {
  const std::string body(3u << 20, 'x');
  std::string head;
  TcpPeer peer(executor_, [&](Session& session) {
    if (!session.read_request(body)) return;
    head = session.last();
    session.send(kOk);
  });
  ASSERT_TRUE(client_of(peer)->send({.method = "POST", .url = peer.url(), .headers = {}, .body = body}, soon()));
  EXPECT_THAT(head, Not(HasSubstr("Expect")));
  EXPECT_THAT(head, Not(HasSubstr("Content-Type")));
}

TEST_F(CurlHttpTest, an_interim_response_is_skipped_and_a_redirect_is_not_followed) {
  TcpPeer peer(executor_, [&](Session& session) {
    if (!session.read_request()) return;
    session.send(
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: "
        "0\r\n\r\n");
  });
  const auto response = client_of(peer)->send({.method = "GET", .url = peer.url()}, soon());
  ASSERT_TRUE(response);
  EXPECT_EQ(
      *response,
      (HttpResponse{.status = 302, .headers = {{"Location", "/elsewhere"}, {"Content-Length", "0"}}, .body = ""}));
  EXPECT_EQ(peer.connections(), 1u);
}

TEST_F(CurlHttpTest, the_environments_proxy_is_ignored_and_a_given_one_is_used) {
  TcpPeer peer(executor_, [&](Session& session) {
    if (session.read_request()) session.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ndirect");
  });
  TcpPeer proxy(executor_, [&](Session& session) {
    if (session.read_request()) session.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy");
  });
  ::setenv("http_proxy", ("http://" + proxy.address()).c_str(), 1);
  ::setenv("all_proxy", ("http://" + proxy.address()).c_str(), 1);
  const auto direct = client_of(peer)->send({.url = peer.url()}, soon());
  ::unsetenv("http_proxy");
  ::unsetenv("all_proxy");
  ASSERT_TRUE(direct);
  EXPECT_EQ(direct->body, "direct");

  const auto http = client({.allow = {peer.address(), "device.example:80"}, .proxy = "http://" + proxy.address()});
  const auto proxied = http->send({.url = "http://device.example/"}, soon());
  ASSERT_TRUE(proxied);
  EXPECT_EQ(proxied->body, "proxy");
  const auto beside = http->send({.url = peer.url()}, soon());
  ASSERT_TRUE(beside);
  EXPECT_EQ(beside->body, "direct") << "no proxy leads to this machine itself";
}

/// "proxy.localhost" leads to this machine (RFC 6761); libcurl answers that by itself, so that no name server decides the test.
TEST_F(CurlHttpTest, where_a_proxy_resolves_to_is_checked_before_anything_is_sent) {
  int asked = 0;
  TcpPeer proxy(executor_, [&](Session& session) {
    if (!session.read_request()) return;
    ++asked;
    session.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy");
  });
  const std::string port = proxy.address().substr(proxy.address().rfind(':'));
  for (const char* peer : {"http://device.example/", "https://device.example/"}) {
    const auto http =
        client({.allow = {"device.example:80", "device.example:443"}, .proxy = "http://proxy.localhost" + port});
    const auto refused = http->send({.url = peer}, soon());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error.number, errors::kEgressRefused) << refused.error().error.message;
    EXPECT_THAT(refused.error().error.message, HasSubstr("the proxy proxy.localhost" + port));
    EXPECT_EQ(refused.error().sent, Sent::kNo);
  }
  EXPECT_EQ(asked, 0);
  const auto named = client({.allow = {"device.example:80"}, .proxy = "http://LOCALHOST" + port + "/"});
  const auto proxied = named->send({.url = "http://device.example/"}, soon());
  ASSERT_TRUE(proxied) << proxied.error().error.message;
  EXPECT_EQ(proxied->body, "proxy");
  const auto elsewhere = named->send({.url = "http://another.example/"}, soon());
  ASSERT_FALSE(elsewhere) << "a proxy allows no other peers";
  EXPECT_EQ(elsewhere.error().error.number, errors::kEgressRefused);
  EXPECT_EQ(asked, 1);
}

TEST_F(CurlHttpTest, what_is_no_proxy_is_refused_without_its_password) {
  for (const char* wrong :
       {"proxy.example:3128:1", "https://proxy.example:3128", "socks5://proxy.example:1080",
        "http://me:s3cret@proxy.example:3128", "http://proxy.example:3128/path", "http://", "http://:80",
        "http://proxy.example:3128/?a=b", "http://proxy.example?a:80", "http://proxy example", "proxy.example:3128",
        "http://[::1", "h", "http://pro\txy", "http://proxy\n", "http://*", "http://proxy\"x"}) {
    const auto http = CurlHttp::create({.proxy = wrong}, clock_, executor_);
    ASSERT_FALSE(http) << wrong;
    EXPECT_EQ(http.error().number, errors::kEgressRefused) << wrong;
    EXPECT_THAT(http.error().message, Not(HasSubstr("s3cret")));
  }
}

TEST_F(CurlHttpTest, a_proxy_is_a_host_with_or_without_a_port) {
  for (const char* right : {"http://proxy.example", "http://proxy.example/", "HTTP://proxy.example:3128",
                            "http://[::1]", "http://[::1]:3128/", "http://10.0.0.1"}) {
    EXPECT_TRUE(CurlHttp::create({.proxy = right}, clock_, executor_).has_value()) << right;
  }
}

// --- what goes wrong, and whether the request may have left ----------------------------------------------------------

struct Failure {
  const char* name;
  TcpPeer::Script script;
  ErrorNumber number;
  Sent sent;
  const char* scheme = "http";
  milliseconds deadline{20'000};
};

TEST_F(CurlHttpTest, sent_is_no_only_when_the_request_cannot_have_left) {
  const Failure failures[] = {
      {"closes at once", [](Session&) {}, errors::kConnectionLost, Sent::kMaybe},
      {"reads and closes", [](Session& s) { s.read_request("body"); }, errors::kConnectionLost, Sent::kMaybe},
      {"reads and resets",
       [](Session& s) {
         s.read_request("body");
         s.reset();
       },
       errors::kConnectionLost, Sent::kMaybe},
      {"breaks off in the head",
       [](Session& s) {
         s.read_request("body");
         s.send("HTTP/1.1 200 OK\r\nContent-");
       },
       errors::kConnectionLost, Sent::kMaybe},
      {"breaks off in the body",
       [](Session& s) {
         s.read_request("body");
         s.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nonly");
       },
       errors::kConnectionLost, Sent::kMaybe},
      {"breaks off in a chunk",
       [](Session& s) {
         s.read_request("body");
         s.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe");
       },
       errors::kConnectionLost, Sent::kMaybe},
      {"answers garbage",
       [](Session& s) {
         s.read_request("body");
         s.send("220 mail.example ready\r\n");
       },
       errors::kConnectionLost, Sent::kMaybe},
      {"never answers",
       [](Session& s) {
         s.read_request("body");
         s.wait_for_end();
       },
       errors::kPeerTimeout, Sent::kMaybe, "http", milliseconds(700)},
      {"does not speak TLS",
       [](Session& s) {
         s.send("HTTP/1.1 400 Bad Request\r\n\r\n");
         s.wait_for_end();
       },
       errors::kTlsFailed, Sent::kNo, "https"},
      {"never shakes hands", [](Session& s) { s.wait_for_end(); }, errors::kPeerTimeout, Sent::kNo, "https",
       milliseconds(700)},
  };
  for (const Failure& failure : failures) {
    SCOPED_TRACE(failure.name);
    TcpPeer peer(executor_, failure.script);
    const auto response = client_of(peer)->send({.method = "POST",
                                                 .url = std::string(failure.scheme) + "://" + peer.address() + "/",
                                                 .headers = {},
                                                 .body = "body"},
                                                Deadline::after(clock_, failure.deadline));
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().error.number, failure.number) << response.error().error.to_string();
    EXPECT_EQ(response.error().sent, failure.sent);
    EXPECT_EQ(peer.connections(), 1u);
  }
}

// The reset can arrive before the client has seen its connection: then nothing was sent, and it says so. Otherwise it
// cannot know.
TEST_F(CurlHttpTest, a_reset_at_once_was_either_before_the_connection_or_may_have_been_after_the_request) {
  TcpPeer peer(executor_, [](Session& s) { s.reset(); });
  const auto response =
      client_of(peer)->send({.method = "POST", .url = peer.url(), .headers = {}, .body = "body"}, soon());
  ASSERT_FALSE(response);
  const Sent sent = response.error().sent;
  EXPECT_EQ(response.error().error.number, sent == Sent::kNo ? errors::kPeerUnreachable : errors::kConnectionLost)
      << response.error().error.to_string();
  EXPECT_EQ(peer.connections(), 1u);
}

TEST_F(CurlHttpTest, a_port_that_nobody_listens_on_is_unreachable_and_nothing_was_sent) {
  std::string address;
  {
    TcpPeer peer(executor_, [](Session&) {});
    address = peer.address();
  }
  const auto response = client({.allow = {address}})
                            ->send({.method = "POST", .url = "http://" + address, .headers = {}, .body = "x"}, soon());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().error.number, errors::kPeerUnreachable);
  EXPECT_EQ(response.error().sent, Sent::kNo);
}

TEST_F(CurlHttpTest, a_deadline_that_has_passed_sends_nothing) {
  TcpPeer peer(executor_, [](Session&) {});
  FakeClock still;
  const auto http = std::move(*CurlHttp::create({.allow = {peer.address()}}, still, executor_));
  const auto response = http->send({.method = "POST", .url = peer.url()}, Deadline(still.monotonic()));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().error.number, errors::kPeerTimeout);
  EXPECT_EQ(response.error().sent, Sent::kNo);
  EXPECT_EQ(peer.connections(), 0u);
}

TEST_F(CurlHttpTest, a_secret_never_goes_out_in_clear_text) {
  TcpPeer peer(executor_, [](Session& session) {
    if (session.read_request()) session.send(kOk);
  });
  const auto http = client({.allow = {peer.address(), "api.example:80"}, .proxy = "http://" + peer.address()});
  for (const char* name : {"Authorization", "X-Auth-Token", "cookie"}) {
    const auto refused = http->send({.url = "http://api.example/", .headers = {{name, "s3cret"}}}, soon());
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().error.number, errors::kEgressRefused);
    EXPECT_EQ(refused.error().sent, Sent::kNo);
    EXPECT_THAT(refused.error().error.message, Not(HasSubstr("s3cret")));
  }
  EXPECT_TRUE(http->send({.url = "http://api.example/"}, soon()));
  EXPECT_TRUE(http->send({.url = peer.url(), .headers = {{"Authorization", "s3cret"}}}, soon())) << "to this machine";
}

TEST_F(CurlHttpTest, a_peer_that_is_slow_holds_up_nobody_else) {
  constexpr int kQuick = 16;
  const auto quick_done = executor_.make_condition();
  std::mutex mutex;
  int answered = 0;
  TcpPeer slow(executor_, [&](Session& session) {
    if (!session.read_request()) return;
    std::unique_lock lock(mutex);
    quick_done->wait(lock, [&] { return answered == kQuick; });
    session.send(kOk);
  });
  TcpPeer quick(executor_, [&](Session& session) {
    while (session.read_request()) session.send(kOk);
  });
  const auto http = client({.allow = {slow.address(), quick.address()}});
  bool waited = false;
  auto waiting = executor_.start_loop(
      "slow", [&](const std::stop_token&) { waited = http->send({.url = slow.url()}, soon()).has_value(); });
  std::vector<std::unique_ptr<Timer>> senders;
  for (int i = 0; i < kQuick; ++i) {
    senders.push_back(executor_.start_loop("quick", [&](const std::stop_token&) {
      EXPECT_TRUE(http->send({.url = quick.url()}, soon()));
      const std::lock_guard lock(mutex);
      if (++answered == kQuick) quick_done->notify_all();
    }));
  }
  senders.clear();
  waiting.reset();
  EXPECT_TRUE(waited);
}

TEST_F(CurlHttpTest, peers_that_were_not_named_are_refused_before_any_connection) {
  TcpPeer peer(executor_, [](Session&) {});
  const auto http = client({.allow = {peer.address(), "api.example:443"}});
  for (const std::string& url :
       {std::string("http://127.0.0.2:") + peer.port(), std::string("http://127.0.0.1:1/"),
        std::string("http://localhost:") + peer.port(), std::string("http://api.example/"),
        std::string("https://api.example.:443/"), std::string("https://api.example@evil.example/"),
        std::string("https://user:word@api.example/"), std::string("ftp://api.example:443/"),
        std::string("file:///etc/passwd"), std::string("gopher://") + peer.address(), std::string(""),
        std::string("/v1/jobs"), std::string("http://"), std::string("http://[::1"),
        std::string("http://api.example:443:443/"), std::string("http://a b/"),
        std::string("http://api.example\r\nX: y:443/")}) {
    const auto response = http->send({.url = url}, soon());
    ASSERT_FALSE(response) << url;
    EXPECT_EQ(response.error().error.number, errors::kEgressRefused)
        << url << ": " << response.error().error.to_string();
    EXPECT_EQ(response.error().sent, Sent::kNo);
  }
  EXPECT_EQ(peer.connections(), 0u);
}

TEST_F(CurlHttpTest, other_spellings_of_an_allowed_peer_are_the_same_peer) {
  TcpPeer peer(executor_, [&](Session& session) {
    if (session.read_request()) session.send(kOk);
  });
  const auto http = client({.allow = {peer.address(), "localhost:" + peer.port()}});
  for (const std::string& url : {"HTTP://127.0.0.1:" + peer.port(), "http://127.1:" + peer.port(),
                                 "http://LocalHost:" + peer.port() + "/a?b#c"}) {
    EXPECT_TRUE(http->send({.url = url}, soon())) << url;
  }
}

TEST_F(CurlHttpTest, a_name_that_resolves_inside_is_refused_after_dns_unless_said_to_be_private) {
  // libcurl resolves names under .localhost to loopback by itself, so this needs no name server.
  TcpPeer peer(executor_, [&](Session& session) {
    if (session.read_request()) session.send(kOk);
  });
  const std::string planted = "planted.localhost:" + peer.port();
  const auto refused = client({.allow = {planted}})->send({.url = "http://" + planted}, soon());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.number, errors::kEgressRefused);
  EXPECT_EQ(refused.error().sent, Sent::kNo);
  EXPECT_EQ(peer.connections(), 0u);

  const auto allowed =
      client({.allow = {planted}, .allow_private = {planted}})->send({.url = "http://" + planted}, soon());
  EXPECT_TRUE(allowed);
}

TEST_F(CurlHttpTest, headers_that_could_split_or_reframe_the_request_are_refused) {
  TcpPeer peer(executor_, [](Session&) {});
  const auto http = client_of(peer);
  const Headers bad[] = {{{"X-A", "b\r\nX-C: d"}},
                         {{"X-A", "b\n"}},
                         {{"X A", "b"}},
                         {{"", "b"}},
                         {{"X-A:", "b"}},
                         {{"Content-Length", "1"}},
                         {{"transfer-encoding", "chunked"}},
                         {{"Host", "other"}},
                         {{"Expect", "100-continue"}},
                         {{"Connection", "close"}},
                         {{"X-A", std::string("\0", 1)}}};
  for (const Headers& headers : bad) {
    const auto response = http->send({.method = "POST", .url = peer.url(), .headers = headers, .body = "x"}, soon());
    ASSERT_FALSE(response) << headers[0].first;
    EXPECT_EQ(response.error().error.number, errors::kValueOutOfRange) << headers[0].first;
    EXPECT_EQ(response.error().sent, Sent::kNo);
  }
  for (const char* method : {"", "GE T", "GET / HTTP/1.1\r\nX: y"}) {
    const auto response = http->send({.method = method, .url = peer.url()}, soon());
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().error.number, errors::kValueOutOfRange) << method;
  }
  EXPECT_EQ(peer.connections(), 0u);
}

TEST_F(CurlHttpTest, an_error_does_not_show_the_secrets_of_the_url) {
  const auto http = client({.allow = {"127.0.0.1:1"}});
  for (const char* url : {"http://127.0.0.1:2/?sig=planted", "http://u:planted@127.0.0.1:1/",
                          "ftp://127.0.0.1/?token=planted", "http://127.0.0.1:1/?sig=planted"}) {
    const auto response = http->send({.url = url, .headers = {{"Authorization", "planted"}}}, soon());
    ASSERT_FALSE(response);
    EXPECT_THAT(response.error().error.to_string(), Not(HasSubstr("planted")));
  }
}

// --- limits ----------------------------------------------------------------------------------------------------------

TEST_F(CurlHttpTest, a_response_may_be_as_large_as_the_limit_and_not_a_byte_larger) {
  constexpr std::size_t kLimit = 100'000;
  for (const std::size_t size : {kLimit - 1, kLimit, kLimit + 1, 10 * kLimit}) {
    for (const bool chunked : {false, true}) {
      TcpPeer peer(executor_, [&](Session& session) {
        if (!session.read_request()) return;
        const std::string body(size, 'x');
        char length[16];
        std::snprintf(length, sizeof length, "%zx", size);
        session.send(chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(length) + "\r\n" +
                                   body + "\r\n0\r\n\r\n"
                             : "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + body);
      });
      const auto response =
          client({.allow = {peer.address()}, .response_bytes_max = kLimit})->send({.url = peer.url()}, soon());
      SCOPED_TRACE(testing::Message() << size << (chunked ? " chunked" : " with length"));
      ASSERT_EQ(response.has_value(), size <= kLimit);
      if (response) {
        EXPECT_EQ(response->body, std::string(size, 'x'));
      } else {
        EXPECT_EQ(response.error().error.number, errors::kResponseTooLarge);
        EXPECT_EQ(response.error().sent, Sent::kMaybe);
      }
    }
  }
}

TEST_F(CurlHttpTest, endless_response_headers_are_cut_off) {
  TcpPeer peer(executor_, [&](Session& session) {
    if (!session.read_request()) return;
    session.send("HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 10'000; ++i) session.send("X-Header: " + std::string(1000, 'x') + "\r\n");
  });
  const auto response = client_of(peer)->send({.url = peer.url()}, soon());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().error.number, errors::kResponseTooLarge);
}

// --- connections: kept for reads, never a second copy of anything else -----------------------------------------------

TEST_F(CurlHttpTest, reads_share_a_kept_connection) {
  TcpPeer peer(executor_, [&](Session& session) {
    while (session.read_request()) session.send(kOk);
  });
  const auto http = client_of(peer);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(http->send({.url = peer.url()}, soon()));
  EXPECT_EQ(peer.connections(), 1u);
}

TEST_F(CurlHttpTest, a_read_on_a_kept_connection_that_the_peer_closed_still_succeeds) {
  // The peer reads the second request of a connection and closes without a word, as a server does whose idle timer
  // fires just then.
  std::atomic<int> requests{0};
  TcpPeer peer(executor_, [&](Session& session) {
    if (!session.read_request()) return;
    ++requests;
    session.send(kOk);
    if (session.read_request()) ++requests;
  });
  const auto http = client_of(peer);
  ASSERT_TRUE(http->send({.url = peer.url()}, soon()));
  ASSERT_TRUE(http->send({.url = peer.url()}, soon()));
  // This is libcurl's silent repetition; the next test shows that nothing but a read meets it.
  EXPECT_EQ(requests, 3);
}

TEST_F(CurlHttpTest, anything_but_a_read_is_never_sent_twice) {
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "GET with a body"}) {
    SCOPED_TRACE(method);
    const bool get = std::string_view(method) == "GET with a body";
    std::atomic<int> submissions{0};
    TcpPeer peer(executor_, [&](Session& session) {
      while (session.read_until("\r\n\r\n")) {
        if (session.last().find("Content-Length: 6") != std::string::npos) {
          if (session.read_until("submit")) ++submissions;
          return;
        }
        session.send(kOk);
      }
    });
    const auto http = client_of(peer);
    ASSERT_TRUE(http->send({.url = peer.url()}, soon()));  // leaves a kept connection behind
    const auto response =
        http->send({.method = get ? "GET" : method, .url = peer.url(), .headers = {}, .body = "submit"}, soon());
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().error.number, errors::kConnectionLost);
    EXPECT_EQ(response.error().sent, Sent::kMaybe);
    EXPECT_EQ(submissions, 1);
    EXPECT_EQ(peer.connections(), 2u);
  }
}

TEST_F(CurlHttpTest, a_submission_the_peer_sends_away_with_417_is_not_repeated) {
  std::atomic<int> requests{0};
  TcpPeer peer(executor_, [&](Session& session) {
    while (session.read_request("submit")) {
      ++requests;
      session.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
    }
  });
  const auto response =
      client_of(peer)->send({.method = "POST", .url = peer.url(), .headers = {}, .body = "submit"}, soon());
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 417);
  EXPECT_EQ(requests, 1);
}

TEST_F(CurlHttpTest, many_threads_share_one_client) {
  TcpPeer peer(executor_, [&](Session& session) {
    while (session.read_until("\r\n\r\n")) {
      const std::string path = session.last().substr(4, session.last().find(' ', 4) - 4);
      session.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(path.size()) + "\r\n\r\n" + path);
    }
  });
  const auto http = client_of(peer);
  ThreadExecutor callers(8);
  std::atomic<int> right{0};
  callers.parallel(400, 8, [&](std::size_t i) {
    const std::string path = "/" + std::to_string(i);
    const auto response = http->send({.url = peer.url(path)}, soon());
    if (response && response->body == path) ++right;
  });
  EXPECT_EQ(right, 400);
  EXPECT_LE(peer.connections(), 9u);  // eight pool threads and the caller, each with its kept connection
}

}  // namespace
}  // namespace tandem::client
