// What a well-behaved client sees: answers, methods, kept connections, many at once; and how a server starts and ends.
#include "tandem/net/server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "tandem/net/client/curl_http.h"
#include "tandem/net/server/testing/served.h"

namespace tandem::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

std::unique_ptr<client::CurlHttp> client_of(Served& served) {
  return std::move(*client::CurlHttp::create({.allow = {served.address()}}, served.clock(), served.executor()));
}

TEST(Server, a_request_reaches_the_handler_decoded_and_its_answer_comes_back) {
  ServerRequest seen;
  Served served([&](ServerRequest request, const std::shared_ptr<Responder>& responder) {
    seen = std::move(request);
    responder->send(
        {.status = 202, .headers = {{"Location", "/v1/jobs/1"}, {"Content-Type", "application/json"}}, .body = "{}"});
  });
  const auto response =
      client_of(served)->send({.method = "POST",
                               .url = "http://" + served.address() + "/v1/a%20b?limit=5&after=c%2Bd",
                               .headers = {{"Idempotency-Key", "k1"}, {"Content-Type", "application/json"}},
                               .body = "{\"seed\":1}"},
                              Deadline::after(served.clock(), seconds(20)));
  ASSERT_TRUE(response) << response.error().error.to_string();
  EXPECT_EQ(response->status, 202);
  EXPECT_EQ(header_value(response->headers, "location"), "/v1/jobs/1");
  EXPECT_EQ(header_value(response->headers, "content-length"), "2");
  EXPECT_EQ(response->body, "{}");
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.path, "/v1/a b");
  EXPECT_EQ(seen.query, (decltype(seen.query){{"limit", "5"}, {"after", "c+d"}}));
  EXPECT_EQ(header_value(seen.headers, "idempotency-key"), "k1");
  EXPECT_EQ(seen.body, "{\"seed\":1}");
  EXPECT_TRUE(seen.peer.starts_with("127.0.0.1:")) << seen.peer;
}

TEST(Server, bodies_of_every_size_pass_whole_in_both_directions) {
  Served served([](ServerRequest request, const std::shared_ptr<Responder>& responder) {
    responder->send({.status = 200, .headers = {}, .body = std::move(request.body)});
  });
  const auto http = client_of(served);
  for (const std::size_t size : {0u, 1u, 4095u, 4096u, 4097u, 65'535u, 65'536u, 65'537u, 1u << 20, 20u << 20}) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 31 + i / 251);
    const auto response =
        http->send({.method = "PUT", .url = "http://" + served.address() + "/", .headers = {}, .body = body},
                   Deadline::after(served.clock(), seconds(20)));
    ASSERT_TRUE(response) << response.error().error.to_string();
    EXPECT_TRUE(response->body == body) << size;
  }
}

TEST(Server, head_is_answered_like_get_without_the_body_and_the_connection_stays_in_step) {
  Served served(&echo);
  RawClient client = served.connect();
  client.send(served.head("HEAD", "/a") + "\r\n" + served.get("/b"));
  const auto head = client.read_response("HEAD");
  ASSERT_TRUE(head);
  EXPECT_EQ(header_value(head->headers, "Content-Length"), std::to_string(std::string_view("HEAD /a  ").size()));
  const auto get = client.read_response();
  ASSERT_TRUE(get);
  EXPECT_EQ(get->body, "GET /b  ");
}

TEST(Server, an_answer_without_content_has_no_length_and_no_body) {
  Served served([](const ServerRequest&, const std::shared_ptr<Responder>& responder) {
    responder->send({.status = 204, .headers = {}, .body = "dropped"});
  });
  RawClient client = served.connect();
  client.send(served.get() + served.get());
  for (int i = 0; i < 2; ++i) {
    const auto response = client.read_response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 204);
    EXPECT_EQ(header_value(response->headers, "Content-Length"), "");
  }
}

TEST(Server, a_connection_is_kept_as_the_versions_of_http_say) {
  Served served(&echo);
  const std::string host = "Host: " + served.address() + "\r\n";
  struct Case {
    std::string request;
    bool kept;
  };
  for (const Case& c : {Case{"GET / HTTP/1.1\r\n" + host + "\r\n", true},
                        Case{"GET / HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n", false},
                        Case{"GET / HTTP/1.0\r\n" + host + "\r\n", false},
                        Case{"GET / HTTP/1.0\r\n" + host + "Connection: keep-alive\r\n\r\n", true}}) {
    RawClient client = served.connect();
    client.send(c.request);
    const auto first = client.read_response();
    ASSERT_TRUE(first) << c.request;
    EXPECT_EQ(header_value(first->headers, "Connection"), c.kept ? "keep-alive" : "close") << c.request;
    if (c.kept) {
      client.send(c.request);
      EXPECT_TRUE(client.read_response()) << c.request;
    } else {
      EXPECT_TRUE(client.at_end()) << c.request;
    }
  }
}

TEST(Server, pipelined_requests_are_answered_in_order_however_they_are_cut) {
  Served served(&echo);
  std::string requests;
  for (int i = 0; i < 20; ++i) {
    const std::string body(static_cast<std::size_t>(i), 'x');
    requests += served.head("POST", "/" + std::to_string(i)) +
                (i % 2 == 0 ? "Content-Length: " + std::to_string(i) + "\r\n\r\n" + body
                            : "Transfer-Encoding: chunked\r\n\r\n" + fmt::format("{:x}\r\n{}\r\n0\r\n\r\n", i, body));
  }
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{100}, requests.size()}) {
    RawClient client = served.connect();
    for (std::size_t at = 0; at < requests.size(); at += piece)
      client.send(std::string_view(requests).substr(at, piece));
    for (int i = 0; i < 20; ++i) {
      const auto response = client.read_response();
      ASSERT_TRUE(response) << i;
      EXPECT_EQ(response->body, "POST /" + std::to_string(i) + "  " + std::string(static_cast<std::size_t>(i), 'x'))
          << piece;
    }
  }
}

TEST(Server, a_client_that_ends_its_side_after_the_request_still_gets_the_answer) {
  Served served(&echo);
  RawClient client = served.connect();
  client.send(served.get());
  client.half_close();
  EXPECT_TRUE(client.read_response());
  EXPECT_TRUE(client.at_end());
}

TEST(Server, a_thousand_requests_at_the_same_time_are_all_answered) {
  // Every handler waits until all thousand requests are in hand, so that they are certainly there at once.
  constexpr std::size_t kClients = 1000;
  std::mutex mutex;
  std::vector<std::shared_ptr<Responder>> waiting;
  ServerOptions options;
  options.connections_max = kClients;
  Served served(
      [&](const ServerRequest&, std::shared_ptr<Responder> responder) {
        std::vector<std::shared_ptr<Responder>> all;
        {
          const std::lock_guard lock(mutex);
          waiting.push_back(std::move(responder));
          if (waiting.size() == kClients) all.swap(waiting);
        }
        for (std::size_t i = 0; i < all.size(); ++i)
          all[i]->send({.status = 200, .headers = {}, .body = std::to_string(i)});
      },
      options);
  std::vector<RawClient> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(served.connect());
    ASSERT_TRUE(clients.back().send(served.get()));
  }
  std::set<std::string> bodies;
  for (RawClient& client : clients) {
    const auto response = client.read_response();
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 200);
    bodies.insert(response->body);
  }
  EXPECT_EQ(bodies.size(), kClients);
}

TEST(Server, several_io_threads_serve_one_address) {
  ServerOptions options;
  options.threads = 3;
  Served served(&echo, options);
  const auto http = client_of(served);
  ThreadExecutor callers(8);
  std::atomic<int> right{0};
  callers.parallel(600, 8, [&](std::size_t i) {
    const std::string path = "/" + std::to_string(i);
    const auto response =
        http->send({.method = i % 2 == 0 ? "GET" : "POST", .url = "http://" + served.address() + path},
                   Deadline::after(served.clock(), seconds(20)));
    if (response && response->body == (i % 2 == 0 ? "GET " : "POST ") + path + "  ") ++right;
  });
  EXPECT_EQ(right, 600);
}

TEST(Server, a_handler_that_throws_or_forgets_to_answer_is_answered_for) {
  Served served([](const ServerRequest& request, std::shared_ptr<Responder> responder) {
    if (request.path == "/throws") throw std::runtime_error("planted");
    if (request.path == "/splits") responder->send({.status = 200, .headers = {{"X", "a\r\nY: b"}}, .body = ""});
    if (request.path == "/no_status") responder->send({});
    responder.reset();
  });
  RawClient client = served.connect();
  for (const char* path : {"/throws", "/forgets", "/splits", "/no_status"}) {
    client.send(served.get(path));
    const auto response = client.read_response();
    ASSERT_TRUE(response) << path;
    EXPECT_EQ(response->status, 500) << path;
    EXPECT_EQ(response->body, std::to_string(static_cast<int>(errors::kInternal))) << path;
    EXPECT_EQ(header_value(response->headers, "Y"), "") << path;
  }
  EXPECT_EQ(served.log().count("http.handler_threw"), 1u);
  EXPECT_EQ(served.log().count("http.unanswered"), 2u);
  EXPECT_EQ(served.log().count("http.bad_answer"), 2u);
}

// --- start -----------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Server>> start(ServerOptions options, Served& lender) {
  return Server::start(std::move(options), &echo, &number_as_body, lender.seams());
}

TEST(ServerStart, a_port_in_use_is_2010_and_a_free_one_can_be_had_again_at_once) {
  Served first(&echo);
  Served lender(&echo);
  const std::string address = first.address();
  const auto second = start({.listen = address}, lender);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().number, errors::kAddressInUse);
  EXPECT_THAT(second.error().message, HasSubstr(address));

  RawClient client = first.connect();  // leaves a connection in TIME_WAIT
  client.send(first.get());
  ASSERT_TRUE(client.read_response());
  first.destroy();
  EXPECT_TRUE(start({.listen = address}, lender));
}

TEST(ServerStart, an_address_that_cannot_be_listened_on_is_2011) {
  Served lender(&echo);
  for (const char* listen : {"", "8642", "localhost", "127.0.0.1:65536", "[::1", "no such host:1", "host.invalid:1"}) {
    const auto server = start({.listen = listen}, lender);
    ASSERT_FALSE(server) << listen;
    EXPECT_EQ(server.error().number, errors::kBadAddress) << listen;
  }
  const auto foreign = start({.listen = "192.0.2.1:0", .allow_remote = true}, lender);  // TEST-NET-1: no machine has it
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().number, errors::kBadAddress);
}

TEST(ServerStart, an_address_beyond_loopback_is_2012_unless_allowed) {
  Served lender(&echo);
  for (const char* listen : {"0.0.0.0:0", "192.0.2.1:0"}) {
    const auto server = start({.listen = listen}, lender);
    ASSERT_FALSE(server) << listen;
    EXPECT_EQ(server.error().number, errors::kAddressNotLoopback) << listen;
  }
  const auto open = start({.listen = "0.0.0.0:0", .allowed_hosts = {"tandem.example"}, .allow_remote = true}, lender);
  ASSERT_TRUE(open) << open.error().to_string();
  RawClient client((*open)->address());
  client.send("GET / HTTP/1.1\r\nHost: tandem.example\r\n\r\n");
  EXPECT_EQ(client.read_response()->status, 200);
}

TEST(ServerStart, all_of_127_is_loopback_and_localhost_is_a_name_for_it) {
  Served lender(&echo);
  for (const auto& [listen, host] : {std::pair{"localhost:0", "127.0.0.1:"}, std::pair{"127.0.0.9:0", "127.0.0.9:"}}) {
    const auto server = start({.listen = listen}, lender);
    ASSERT_TRUE(server) << server.error().to_string();
    EXPECT_THAT((*server)->address(), testing::StartsWith(host));
    EXPECT_EQ((*server)->address().find(":0"), std::string::npos);
  }
}

// --- end -------------------------------------------------------------------------------------------------------------

TEST(ServerEnd, drain_closes_idle_connections_and_finishes_the_others) {
  std::promise<std::shared_ptr<Responder>> arrived;
  Served served(
      [&](const ServerRequest&, std::shared_ptr<Responder> responder) { arrived.set_value(std::move(responder)); });
  RawClient busy = served.connect();
  busy.send(served.get());
  const auto responder = arrived.get_future().get();
  RawClient idle = served.connect();
  EXPECT_FALSE(served.server().drain(Deadline::after(served.clock(), milliseconds(1))));
  EXPECT_TRUE(idle.at_end());
  responder->send({.status = 200, .headers = {}, .body = "late"});
  const auto response = busy.read_response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "late");
  EXPECT_EQ(header_value(response->headers, "Connection"), "close");
  EXPECT_TRUE(busy.at_end());
  EXPECT_TRUE(served.server().drain(Deadline::after(served.clock(), seconds(20))));
  EXPECT_FALSE(served.connect().connected());
}

TEST(ServerEnd, drain_waits_for_requests_in_progress_and_gives_up_at_the_deadline) {
  std::promise<std::shared_ptr<Responder>> arrived;
  Served served(
      [&](const ServerRequest&, std::shared_ptr<Responder> responder) { arrived.set_value(std::move(responder)); });
  RawClient client = served.connect();
  client.send(served.get());
  const auto responder = arrived.get_future().get();
  EXPECT_FALSE(served.server().drain(Deadline::after(served.clock(), milliseconds(50))));
  EXPECT_EQ(served.server().connections(), 1u);
  responder->send({.status = 200, .headers = {}, .body = ""});
  EXPECT_TRUE(served.server().drain(Deadline::never()));
  EXPECT_EQ(served.server().connections(), 0u);
  EXPECT_TRUE(client.read_response());
}

TEST(ServerEnd, destroying_it_closes_what_is_open_and_waits_for_the_handler_that_runs) {
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> left{false};
  Served served([&](const ServerRequest&, const std::shared_ptr<Responder>& responder) {
    entered.set_value();
    leave.get_future().wait();
    responder->send({.status = 200, .headers = {}, .body = "nobody hears this"});
    left = true;
  });
  RawClient client = served.connect();
  client.send(served.get());
  entered.get_future().wait();
  auto destroyed = std::async(std::launch::async, [&] {
    served.destroy();
    return left.load();
  });
  EXPECT_TRUE(client.at_end());  // the connection is closed while the handler still runs
  leave.set_value();
  EXPECT_TRUE(destroyed.get());
}

TEST(ServerEnd, an_answer_after_the_server_is_gone_goes_nowhere) {
  std::promise<std::shared_ptr<Responder>> arrived;
  auto served = std::make_unique<Served>(
      [&](const ServerRequest&, std::shared_ptr<Responder> responder) { arrived.set_value(std::move(responder)); });
  RawClient client = served->connect();
  client.send(served->get());
  auto responder = arrived.get_future().get();
  served.reset();
  auto stream = responder->start_stream(200, {});
  EXPECT_FALSE(stream->write("x"));
  bool ended = false;
  stream->on_close([&] { ended = true; });
  EXPECT_TRUE(ended);
  responder.reset();
  EXPECT_TRUE(client.at_end());
}

}  // namespace
}  // namespace tandem::server
