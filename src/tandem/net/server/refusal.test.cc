// What a hostile or broken client meets: limits, malformed and ambiguous requests, foreign hosts and pages, stalling.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "tandem/net/server/testing/served.h"

namespace tandem::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string number(ErrorNumber error) { return std::to_string(static_cast<int>(error)); }

/// A server that counts what reaches its handler.
class Refusal : public testing::Test {
 protected:
  Served& serve(ServerOptions options = {}) {
    served_ = std::make_unique<Served>(
        [this](const ServerRequest& request, const std::shared_ptr<Responder>& responder) {
          ++handled_;
          echo(request, responder);
        },
        std::move(options));
    return *served_;
  }
  std::string host() const { return "Host: " + served_->address() + "\r\n"; }
  /// Sends `bytes` in pieces and expects one refusal with `error`, after which the server closes.
  void expect_refused(std::string_view bytes, ErrorNumber error, std::size_t piece = std::string::npos) {
    const int before = handled_;
    RawClient client = served_->connect();
    for (std::size_t at = 0; at < bytes.size(); at += std::min(piece, bytes.size())) {
      if (!client.send(bytes.substr(at, piece))) break;  // the refusal may come before all of it was sent
    }
    const auto response = client.read_response();
    ASSERT_TRUE(response) << bytes.substr(0, 200);
    EXPECT_EQ(response->body, number(error)) << bytes.substr(0, 200);
    EXPECT_EQ(response->status, error_record(error).http_status) << bytes.substr(0, 200);
    EXPECT_EQ(header_value(response->headers, "Connection"), "close");
    EXPECT_TRUE(client.at_end()) << "what follows a refused request must not be read as another one";
    EXPECT_EQ(handled_, before);
  }

  std::unique_ptr<Served> served_;
  std::atomic<int> handled_{0};
};

TEST_F(Refusal, malformed_requests_are_400_however_they_are_cut) {
  serve();
  const std::string next = "GET /smuggled HTTP/1.1\r\n" + host() + "\r\n";
  const std::string cases[] = {
      "\r\n",
      "GET\r\n\r\n",
      "GET /\r\n\r\n",
      "GET / HTTP/1.1\n" + host() + "\n",
      "GET / HTTP/1.1\nHost: " + served_->address() + "\n\n",
      "GET / HTTP/1.1\r\nHost: " + served_->address() + "\n\n",
      "GET / HTTP/2.0\r\n" + host() + "\r\n",
      "GET / HTTP/0.9\r\n" + host() + "\r\n",
      "GET / HTTP/1.2\r\n" + host() + "\r\n",
      "GET / http/1.1\r\n" + host() + "\r\n",
      "GET  / HTTP/1.1\r\n" + host() + "\r\n",
      "GET / HTTP/1.1 \r\n" + host() + "\r\n",
      " GET / HTTP/1.1\r\n" + host() + "\r\n",
      "G<T / HTTP/1.1\r\n" + host() + "\r\n",
      "GET / HTTP/1.1\r\n" + host() + "No colon\r\n\r\n",
      "GET / HTTP/1.1\r\n" + host() + "Space before : colon\r\n\r\n",
      "GET / HTTP/1.1\r\n" + host() + ": no name\r\n\r\n",
      "GET / HTTP/1.1\r\n " + host() + "\r\n",
      "GET / HTTP/1.1\r\n" + host() + "X: a\rb\r\n\r\n",
      "GET / HTTP/1.1\r\n" + host() + "X: a\nb: c\r\n\r\n",
      "GET / HTTP/1.1\r\n" + host() + std::string("X: a\0b\r\n\r\n", 10),
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
      "GET / HTTP/1.1\r\n" + host() + host() + "\r\n",
      "GET /../etc HTTP/1.1\r\n" + host() + "\r\n",
      "GET /%2e%2e/etc HTTP/1.1\r\n" + host() + "\r\n",
      "GET /%00 HTTP/1.1\r\n" + host() + "\r\n",
      "GET http://" + served_->address() + "/ HTTP/1.1\r\n" + host() + "\r\n",
      "CONNECT " + served_->address() + " HTTP/1.1\r\n" + host() + "\r\n",
      "OPTIONS * HTTP/1.1\r\n" + host() + "\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
      // Two ways to tell where the body ends: the classics of request smuggling.
      "POST / HTTP/1.1\r\n" + host() + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Content-Length: 0, 0\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Content-Length: -1\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Content-Length: +0\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Content-Length: 0x0\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Content-Length:\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Content-Length: 18446744073709551616\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: xchunked\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked, identity\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + next,
      "POST / HTTP/1.0\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\n 1\r\nx\r\n0\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\n1;a=\x01\r\nx\r\n0\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\nx\r\n0\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n" + next,
      "POST / HTTP/1.1\r\n" + host() + "Expect: something-else\r\nContent-Length: 0\r\n\r\n" + next,
  };
  for (const std::string& bytes : cases) {
    expect_refused(bytes, errors::kBadRequest);
    expect_refused(bytes, errors::kBadRequest, 1);
  }
}

TEST_F(Refusal, a_foreign_host_and_any_page_are_turned_away) {
  serve({.allowed_hosts = {"tandem.example"}});
  const std::string port = served_->address().substr(served_->address().find(':'));
  for (const std::string& foreign :
       {std::string("evil.example"), "evil.example" + port, "127.0.0.1" + port + ".evil.example",
        std::string("127.0.0.1"), std::string("127.0.0.1:1"), std::string("tandem.example:80"),
        std::string("0.0.0.0") + port}) {
    expect_refused("GET / HTTP/1.1\r\nHost: " + foreign + "\r\n\r\n", errors::kHostRefused);
  }
  for (const char* origin : {"null", "http://evil.example", "http://localhost", ""}) {
    expect_refused("POST / HTTP/1.1\r\n" + host() + "Origin: " + origin + "\r\nContent-Length: 0\r\n\r\n",
                   errors::kOriginRefused);
  }
  expect_refused("GET / HTTP/1.1\r\n" + host() + "Origin: http://" + served_->address() + "\r\n\r\n",
                 errors::kOriginRefused);

  for (const std::string& own :
       {"127.0.0.1" + port, "localhost" + port, "LOCALHOST" + port, "[::1]" + port, std::string("tandem.example")}) {
    RawClient client = served_->connect();
    client.send("GET / HTTP/1.1\r\nHost: " + own + "\r\n\r\n");
    const auto response = client.read_response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200) << own;
  }
}

TEST_F(Refusal, a_head_may_be_as_large_as_the_limit_and_not_a_byte_larger) {
  constexpr std::size_t kLimit = 2048;
  serve({.header_bytes_max = kLimit});
  for (const std::size_t piece : {std::string::npos, std::size_t{1}, std::size_t{100}}) {
    for (const std::size_t size : {kLimit, kLimit + 1, kLimit + 5000}) {
      std::string head = "GET / HTTP/1.1\r\n" + host() + "X: ";
      head += std::string(size - head.size() - 4, 'x') + "\r\n\r\n";
      ASSERT_EQ(head.size(), size);
      if (size > kLimit) {
        expect_refused(head, errors::kHeadTooLarge, piece);
        continue;
      }
      RawClient client = served_->connect();
      for (std::size_t at = 0; at < size; at += std::min(piece, size))
        client.send(std::string_view(head).substr(at, piece));
      EXPECT_EQ(client.read_response()->status, 200);
    }
    expect_refused("GET /" + std::string(kLimit, 'x') + " HTTP/1.1\r\n" + host() + "\r\n", errors::kHeadTooLarge,
                   piece);
    expect_refused(std::string(kLimit + 1, 'G'), errors::kHeadTooLarge, piece);
    std::string many = "GET / HTTP/1.1\r\n" + host();
    while (many.size() <= kLimit) many += "X: y\r\n";
    expect_refused(many + "\r\n", errors::kHeadTooLarge, piece);
  }
}

TEST_F(Refusal, headers_and_query_parameters_are_counted) {
  serve({.headers_max = 10, .query_parameters_max = 10});
  std::string nine;
  for (int i = 0; i < 9; ++i) nine += "X-" + std::to_string(i) + ": y\r\n";
  RawClient client = served_->connect();
  client.send("GET / HTTP/1.1\r\n" + host() + nine + "\r\n");
  EXPECT_EQ(client.read_response()->status, 200);
  expect_refused("GET / HTTP/1.1\r\n" + host() + nine + "X: y\r\n\r\n", errors::kHeadTooLarge);
  expect_refused("GET /?a&b&c&d&e&f&g&h&i&j&k HTTP/1.1\r\n" + host() + "\r\n", errors::kBadRequest);
}

TEST_F(Refusal, a_body_may_be_as_large_as_the_limit_and_not_a_byte_larger) {
  constexpr std::size_t kLimit = 100'000;
  serve({.body_bytes_max = kLimit});
  for (const std::size_t size : {kLimit - 1, kLimit, kLimit + 1, 50 * kLimit}) {
    const std::string body(size, 'x');
    const std::string whole =
        "POST / HTTP/1.1\r\n" + host() + "Content-Length: " + std::to_string(size) + "\r\n\r\n" + body;
    const std::string one_chunk = "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\n" +
                                  fmt::format("{:x}\r\n", size) + body + "\r\n0\r\n\r\n";
    std::string many_chunks = "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < size; at += 999) {
      const std::size_t count = std::min<std::size_t>(999, size - at);
      many_chunks += fmt::format("{:x};ext=\"a;b\"\r\n", count) + std::string(count, 'x') + "\r\n";
    }
    many_chunks += "0\r\nX-Trailer: y\r\n\r\n";
    for (const std::string& bytes : {whole, one_chunk, many_chunks}) {
      if (size > kLimit) {
        expect_refused(bytes, errors::kInputTooLarge);
        continue;
      }
      RawClient client = served_->connect();
      client.send(bytes);
      const auto response = client.read_response();
      ASSERT_TRUE(response);
      EXPECT_EQ(response->body, "POST /  " + body);
    }
  }
}

TEST_F(Refusal, chunk_extensions_and_trailers_without_end_are_cut_off) {
  serve();
  const std::string start = "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\n";
  expect_refused(start + "1;" + std::string(100'000, 'x'), errors::kHeadTooLarge);
  expect_refused(start + "0\r\nX: " + std::string(100'000, 'x'), errors::kHeadTooLarge);
}

TEST_F(Refusal, lines_of_chunks_and_trailers_that_end_without_cr_are_400_at_once) {
  serve();
  const std::string start = "POST / HTTP/1.1\r\n" + host() + "Transfer-Encoding: chunked\r\n\r\n";
  for (const std::size_t piece : {std::string::npos, std::size_t{1}}) {
    expect_refused(start + "2\n{}\n", errors::kBadRequest, piece);
    expect_refused(start + "2\r\n{}\r\n0\n", errors::kBadRequest, piece);
    expect_refused(start + "0\r\nX: y\n", errors::kBadRequest, piece);
  }
}

TEST_F(Refusal, a_trailer_is_never_taken_for_a_header) {
  Headers seen;
  Served served([&](const ServerRequest& request, const std::shared_ptr<Responder>& responder) {
    if (request.path == "/") seen = request.headers;
    echo(request, responder);
  });
  RawClient client = served.connect();
  client.send(served.head("POST", "/") +
              "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nAuthorization: planted\r\nHost: evil\r\n\r\n" +
              served.get("/next"));
  ASSERT_TRUE(client.read_response());
  EXPECT_EQ(seen, (Headers{{"Host", served.address()}, {"Transfer-Encoding", "chunked"}}));
  EXPECT_EQ(client.read_response()->body, "GET /next  ");
}

TEST_F(Refusal, the_body_is_asked_for_only_when_it_is_wanted) {
  serve({.body_bytes_max = 100});
  RawClient client = served_->connect();
  client.send(served_->head("POST", "/") + "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  const auto interim = client.read_response();
  ASSERT_TRUE(interim);
  EXPECT_EQ(interim->status, 100);
  client.send("body");
  EXPECT_EQ(client.read_response()->body, "POST /  body");

  client.send(served_->head("POST", "/") + "Expect: 100-continue\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_EQ(client.read_response()->status, 200) << "the body is there already";
  client.send(served_->head("POST", "/") + "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(client.read_response()->status, 200) << "there is no body to ask for";

  expect_refused(served_->head("POST", "/") + "Expect: 100-continue\r\nContent-Length: 101\r\n\r\n",
                 errors::kInputTooLarge);
  expect_refused("POST / HTTP/1.1\r\nHost: evil\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
                 errors::kHostRefused);
}

TEST_F(Refusal, one_connection_too_many_gets_503_and_a_place_that_becomes_free_is_given_on) {
  serve({.connections_max = 2});
  RawClient first = served_->connect();
  first.send(served_->get());
  ASSERT_EQ(first.read_response()->status, 200);
  {
    RawClient second = served_->connect();
    second.send(served_->get());
    ASSERT_EQ(second.read_response()->status, 200);
    for (int i = 0; i < 3; ++i) {
      RawClient third = served_->connect();
      third.send(served_->get());
      const auto response = third.read_response();
      ASSERT_TRUE(response);
      EXPECT_EQ(response->status, 503);
      EXPECT_EQ(response->body, number(errors::kServerOverloaded));
      EXPECT_EQ(header_value(response->headers, "Retry-After"), "1");
      EXPECT_TRUE(third.at_end());
    }
  }
  for (;;) {  // until the server has seen the second client go
    RawClient next = served_->connect();
    next.send(served_->get());
    if (next.read_response()->status == 200) break;
  }
  first.send(served_->get());
  EXPECT_EQ(first.read_response()->status, 200);
}

// --- stalling --------------------------------------------------------------------------------------------------------

TEST_F(Refusal, a_request_that_does_not_arrive_in_time_is_408) {
  serve({.request_timeout = milliseconds(100)});
  for (const std::string& part :
       {std::string("G"), "GET / HTTP/1.1\r\n" + host(), served_->head("POST", "/") + "Content-Length: 10\r\n\r\nhalf",
        served_->head("POST", "/") + "Transfer-Encoding: chunked\r\n\r\n5\r\nhe"}) {
    expect_refused(part, errors::kRequestTimeout);
  }
}

TEST_F(Refusal, dripping_bytes_does_not_extend_the_time) {
  serve({.request_timeout = milliseconds(100)});
  RawClient client = served_->connect();
  client.send("GET / HTTP/1.1\r\n" + host() + "X: ");
  while (!client.readable_within(5)) {
    if (!client.send("x")) break;
  }
  const auto response = client.read_response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, number(errors::kRequestTimeout));
  EXPECT_EQ(handled_, 0);
}

TEST_F(Refusal, an_idle_connection_is_closed_without_a_word) {
  serve({.idle_timeout = milliseconds(500)});
  RawClient fresh = served_->connect();
  EXPECT_TRUE(fresh.at_end());
  RawClient used = served_->connect();
  used.send(served_->get());
  ASSERT_TRUE(used.read_response());
  EXPECT_TRUE(used.at_end());
}

TEST_F(Refusal, a_client_that_does_not_take_its_answer_is_dropped) {
  std::promise<void> answered;
  Served served(
      [&](const ServerRequest&, const std::shared_ptr<Responder>& responder) {
        responder->send({.status = 200, .headers = {}, .body = std::string(64u << 20, 'x')});
        answered.set_value();
      },
      {.request_timeout = milliseconds(100)});
  RawClient client = served.connect(4096);
  client.send(served.get());
  answered.get_future().wait();
  EXPECT_TRUE(served.server().drain(Deadline::after(served.clock(), seconds(20))))
      << "only its removal can end the drain";
  EXPECT_FALSE(client.read_response()) << "cut off in the middle";
}

TEST_F(Refusal, a_client_that_is_slow_but_takes_bytes_gets_all_of_them) {
  // So much through so small a window takes longer than the half second in which each step must show progress.
  constexpr std::size_t kBytes = 16u << 20;
  Served served(
      [](const ServerRequest&, const std::shared_ptr<Responder>& responder) {
        responder->send({.status = 200, .headers = {}, .body = std::string(kBytes, 'x')});
      },
      {.request_timeout = milliseconds(500)});
  RawClient client = served.connect(4096);
  client.send(served.get());
  const auto response = client.read_response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body.size(), kBytes);
}

}  // namespace
}  // namespace tandem::server
