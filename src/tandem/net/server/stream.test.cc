// Responses whose end is open: order, end, clients that go or fall behind, and the way back in with Last-Event-ID.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>

#include "tandem/net/server/event_stream.h"
#include "tandem/net/server/testing/served.h"
#include "tandem/net/server/testing/tls_client.h"

namespace tandem::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

/// Hands each stream that a client opens to the test.
class StreamTest : public testing::Test {
 protected:
  Served& serve(ServerOptions options = {}) {
    served_ = std::make_unique<Served>(
        [this](const ServerRequest&, const std::shared_ptr<Responder>& responder) {
          opened_.set_value(responder->start_stream(200, event_stream_headers()));
        },
        std::move(options));
    return *served_;
  }
  std::unique_ptr<Stream> next_stream() {
    auto stream = opened_.get_future().get();
    opened_ = {};
    return stream;
  }

  std::unique_ptr<Served> served_;
  std::promise<std::unique_ptr<Stream>> opened_;
};

/// A future that is ready once the stream has ended.
std::future<void> end_of(Stream& stream) {
  auto promise = std::make_shared<std::promise<void>>();
  auto future = promise->get_future();
  stream.on_close([promise] { promise->set_value(); });
  return future;
}

bool ready(std::future<void>& future) { return future.wait_for(seconds(20)) == std::future_status::ready; }

TEST_F(StreamTest, what_is_written_arrives_in_order_and_the_response_ends_with_close) {
  serve();
  RawClient client = served_->connect();
  client.send(served_->get("/events"));
  const auto stream = next_stream();
  auto end = end_of(*stream);
  const auto head = client.read_head();
  ASSERT_TRUE(head);
  EXPECT_THAT(*head, HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_THAT(*head, HasSubstr("\r\nContent-Type: text/event-stream\r\n"));
  EXPECT_THAT(*head, HasSubstr("\r\nConnection: close\r\n"));

  EXPECT_TRUE(stream->write("first"));
  EXPECT_EQ(client.read_chunk(), "first") << "an event does not wait for the next one";
  std::string written;
  std::string read;
  for (int i = 0; i < 1000; ++i) {
    const std::string event = format_event({.id = std::to_string(i), .type = "", .data = "x"});
    ASSERT_TRUE(stream->write(event));
    written += event;
  }
  stream->close();
  EXPECT_FALSE(stream->write("late"));
  while (const auto chunk = client.read_chunk()) {
    if (chunk->empty()) break;
    read += *chunk;
  }
  EXPECT_EQ(read, written);
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(ready(end));
}

TEST_F(StreamTest, a_stream_that_is_dropped_ends_its_response) {
  serve();
  RawClient client = served_->connect();
  client.send(served_->get());
  {
    const auto stream = next_stream();
    stream->write("all");
  }
  const auto response = client.read_response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "all");
}

/// There nothing is sent at once: each piece waits for the one before, in its turn.
TEST_F(StreamTest, over_tls_pieces_arrive_in_their_order_and_the_end_is_said) {
  serve({.stream_bytes_max = 64u << 20, .tls = self_signed_identity()});
  TlsClient client(served_->address());
  client.send(served_->get());
  const auto stream = next_stream();
  auto end = end_of(*stream);
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_TRUE(stream->write("first"));
  EXPECT_EQ(client.read(10), "5\r\nfirst\r\n") << "an event does not wait for the next one";
  std::string expected;
  {
    Handover handover;
    for (int i = 0; i < 100; ++i) {
      const auto piece = std::make_shared<const Bytes>(100'000, static_cast<char>('a' + i % 26));
      expected += "186a0\r\n" + *piece + "\r\n";
      EXPECT_TRUE(stream->write(piece, handover));
    }
    EXPECT_TRUE(stream->write_last(std::make_shared<const Bytes>("last"), handover));
  }
  const auto [read, said_goodbye] = client.read_to_end();
  EXPECT_TRUE(read == expected + "4\r\nlast\r\n0\r\n\r\n");  // ten megabytes are not shown
  EXPECT_TRUE(said_goodbye);
  EXPECT_TRUE(ready(end));
}

TEST_F(StreamTest, http_1_0_and_head_get_streams_that_they_understand) {
  serve();
  RawClient old = served_->connect();
  old.send("GET / HTTP/1.0\r\nHost: " + served_->address() + "\r\n\r\n");
  auto stream = next_stream();
  stream->write("plain");
  {
    Handover handover;
    stream->write_last(std::make_shared<const Bytes>(" to the end"), handover);
  }
  const auto head = old.read_head();
  ASSERT_TRUE(head);
  EXPECT_EQ(head->find("Transfer-Encoding"), std::string::npos);
  EXPECT_EQ(old.read_to_end(), "plain to the end");

  RawClient only_head = served_->connect();
  only_head.send(served_->head("HEAD", "/") + "\r\n");
  stream = next_stream();
  auto end = end_of(*stream);
  ASSERT_TRUE(only_head.read_head());
  EXPECT_TRUE(only_head.at_end());
  EXPECT_TRUE(ready(end));
}

TEST_F(StreamTest, a_client_that_goes_is_noticed_without_a_write) {
  serve();
  std::unique_ptr<Stream> stream;
  std::future<void> end;
  {
    RawClient client = served_->connect();
    client.send(served_->get());
    stream = next_stream();
    end = end_of(*stream);
    ASSERT_TRUE(client.read_head());
  }
  EXPECT_TRUE(ready(end));
  EXPECT_FALSE(stream->write("x"));
  auto late = end_of(*stream);
  EXPECT_EQ(late.wait_for(seconds(0)), std::future_status::ready) << "the end is over: the task runs at once";
}

TEST_F(StreamTest, what_a_client_sends_during_a_stream_is_not_a_request) {
  serve();
  RawClient client = served_->connect();
  client.send(served_->get("/stream") + served_->get("/ignored"));
  const auto stream = next_stream();
  client.send(served_->get("/also_ignored"));
  stream->write("x");
  stream->close();
  const auto response = client.read_response();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "x");
  EXPECT_TRUE(client.at_end());
}

TEST_F(StreamTest, a_client_that_falls_too_far_behind_is_dropped_and_can_come_back_where_it_was) {
  // The buffer of the stream holds 10,000 bytes; what the kernel holds beside that is not ours to bound.
  std::promise<std::unique_ptr<Stream>> opened;
  Served served(
      [&](const ServerRequest& request, const std::shared_ptr<Responder>& responder) {
        const std::string_view last = header_value(request.headers, "Last-Event-ID");
        auto stream = responder->start_stream(200, event_stream_headers());
        if (last.empty()) {
          opened.set_value(std::move(stream));
        } else {
          stream->write(
              format_event({.id = std::to_string(std::stoi(std::string(last)) + 1), .type = "", .data = "next"}));
        }
      },
      {.stream_bytes_max = 10'000});
  RawClient slow = served.connect(4096);
  slow.send(served.get());
  const auto stream = opened.get_future().get();
  auto end = end_of(*stream);
  ASSERT_TRUE(slow.read_head());
  int written = 0;
  while (stream->write(format_event({.id = std::to_string(written), .type = "", .data = std::string(1000, 'x')}))) {
    ++written;
  }
  EXPECT_GE(written, 9) << "so many fit the buffer";
  EXPECT_FALSE(stream->write("x")) << "a stream with a hole must not go on";

  std::string read;
  bool whole = false;
  while (const auto chunk = slow.read_chunk()) {
    read += *chunk;
    whole = whole || chunk->empty();
  }
  EXPECT_FALSE(whole) << "the response must not look complete";
  EXPECT_TRUE(ready(end));
  const std::string id = std::to_string(written - 1);
  EXPECT_THAT(read, HasSubstr("\nid: " + id + "\n")) << "all that was taken is delivered";
  RawClient back = served.connect();
  back.send(served.get("/", "Last-Event-ID: " + id + "\r\n"));
  EXPECT_EQ(back.read_response()->body, "id: " + std::to_string(written) + "\ndata: next\n\n");
}

TEST_F(StreamTest, a_long_replay_goes_page_by_page_as_fast_as_the_client_reads) {
  constexpr int kPages = 300;
  serve({.stream_bytes_max = 20'000});
  RawClient client = served_->connect(4096);
  client.send(served_->get());
  const std::shared_ptr<Stream> stream = next_stream();
  std::atomic<int> pages{0};
  std::function<void()> write_page = [&] {
    if (pages == kPages) return stream->close();
    EXPECT_TRUE(stream->write(std::string(20'000, static_cast<char>('a' + pages % 26))));
    ++pages;
    stream->on_drained(write_page);
  };
  write_page();
  const auto response = client.read_response();
  ASSERT_TRUE(response);
  ASSERT_EQ(response->body.size(), std::size_t{kPages} * 20'000);
  for (std::size_t i = 0; i < kPages; ++i) EXPECT_EQ(response->body[i * 20'000], static_cast<char>('a' + i % 26));
}

TEST_F(StreamTest, a_client_that_stalls_is_dropped_even_when_the_buffer_has_room) {
  serve({.stream_bytes_max = 256u << 20, .request_timeout = milliseconds(100)});
  RawClient client = served_->connect(4096);
  client.send(served_->get());
  const auto stream = next_stream();
  auto end = end_of(*stream);
  EXPECT_TRUE(stream->write(std::string(64u << 20, 'x')));  // more than any kernel buffer
  EXPECT_TRUE(ready(end));
}

TEST_F(StreamTest, many_threads_may_write_and_no_write_is_torn) {
  serve({.stream_bytes_max = 16u << 20});
  RawClient client = served_->connect();
  client.send(served_->get());
  const auto stream = next_stream();
  ThreadExecutor writers(4);
  writers.parallel(1000, 4, [&](std::size_t i) {
    EXPECT_TRUE(stream->write(std::string(100, static_cast<char>('a' + i % 26)) + "\n"));
  });
  stream->close();
  const auto response = client.read_response();
  ASSERT_TRUE(response);
  std::size_t lines = 0;
  for (std::string_view line : split(response->body, '\n')) {
    if (line.empty()) continue;
    ++lines;
    EXPECT_EQ(line, std::string(100, line[0]));
  }
  EXPECT_EQ(lines, 1000u);
}

/// More streams than an io thread is told of at once, on several io threads.
TEST_F(StreamTest, shared_bytes_reach_every_stream_and_the_end_travels_with_the_last_of_them) {
  constexpr std::size_t kThreads = 2;
  constexpr std::size_t kClients = kThreads * (Handover::kStreams / 2) + 100;
  static_assert(kClients > Handover::kStreams);
  serve({.threads = kThreads});
  std::vector<RawClient> clients;
  std::vector<std::unique_ptr<Stream>> streams;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(served_->connect());
    clients.back().send(served_->get());
    streams.push_back(next_stream());
  }
  const auto first = std::make_shared<const Bytes>("first");
  const auto last = std::make_shared<const Bytes>("last");
  {
    Handover handover;
    for (const auto& stream : streams) EXPECT_TRUE(stream->write(first, handover));
  }
  for (RawClient& client : clients) {
    ASSERT_TRUE(client.read_head());
    EXPECT_EQ(client.read_chunk(), "first");
  }
  {
    Handover handover;
    for (const auto& stream : streams) EXPECT_TRUE(stream->write_last(last, handover));
    for (const auto& stream : streams) EXPECT_FALSE(stream->write(first, handover));
  }
  for (RawClient& client : clients) {
    EXPECT_EQ(client.read_chunk(), "last");
    EXPECT_EQ(client.read_chunk(), "");
    EXPECT_TRUE(client.at_end());
  }
}

/// More of them than an io thread sends before others have their turn.
TEST_F(StreamTest, pieces_that_were_given_together_arrive_in_their_order) {
  serve();
  RawClient client = served_->connect();
  client.send(served_->get());
  const auto stream = next_stream();
  std::string all;
  {
    Handover handover;
    for (int i = 0; i < 100; ++i) {
      const std::string piece = std::to_string(i) + ",";
      all += piece;
      EXPECT_TRUE(stream->write(std::make_shared<const Bytes>(piece), handover));
    }
  }
  stream->close();
  EXPECT_EQ(client.read_response()->body, all);
}

TEST_F(StreamTest, pieces_that_the_kernel_has_no_room_for_wait_for_the_client) {
  constexpr std::size_t kPieces = 20'000;
  serve({.stream_bytes_max = 64u << 20});
  RawClient client = served_->connect(4096);
  client.send(served_->get());
  const auto stream = next_stream();
  const auto piece = std::make_shared<const Bytes>(1000, 'x');
  {
    Handover handover;
    for (std::size_t i = 0; i < kPieces; ++i) EXPECT_TRUE(stream->write(piece, handover));
  }
  stream->close();
  ASSERT_TRUE(client.read_head());
  for (std::size_t i = 0; i < kPieces; ++i) ASSERT_EQ(client.read_chunk(), *piece);
  EXPECT_EQ(client.read_chunk(), "");
}

TEST_F(StreamTest, what_a_client_has_not_taken_is_counted) {
  serve({.stream_bytes_max = 64u << 20});
  RawClient client = served_->connect(4096);
  client.send(served_->get());
  const std::shared_ptr<Stream> stream = next_stream();
  EXPECT_EQ(stream->unsent(), 0u);
  const auto bytes = std::make_shared<const Bytes>(32u << 20, 'x');  // more than any kernel buffer
  {
    Handover handover;
    EXPECT_TRUE(stream->write(bytes, handover));
  }
  EXPECT_EQ(stream->unsent(), bytes->size());
  EXPECT_TRUE(stream->write("y"));
  EXPECT_EQ(stream->unsent(), bytes->size() + 1);
  std::promise<void> drained;
  stream->on_drained([&] { drained.set_value(); });
  ASSERT_TRUE(client.read_head());
  EXPECT_EQ(client.read_chunk(), *bytes);
  EXPECT_EQ(client.read_chunk(), "y");
  auto end = drained.get_future();
  ASSERT_TRUE(ready(end));
  EXPECT_EQ(stream->unsent(), 0u);
}

TEST_F(StreamTest, drain_ends_streams_after_what_they_hold) {
  serve();
  RawClient client = served_->connect();
  client.send(served_->get());
  const auto stream = next_stream();
  auto end = end_of(*stream);
  stream->write("last words");
  EXPECT_TRUE(served_->server().drain(Deadline::after(served_->clock(), seconds(20))));
  EXPECT_EQ(client.read_response()->body, "last words");
  EXPECT_TRUE(ready(end));
  EXPECT_FALSE(stream->write("x"));
}

// For the sanitizers: whoever ends the connections, their count is the same.
TEST_F(StreamTest, the_server_may_go_while_many_streams_end) {
  constexpr std::size_t kClients = 300;
  serve();
  std::vector<RawClient> clients;
  std::vector<std::unique_ptr<Stream>> streams;
  std::atomic<std::size_t> ended = 0;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(served_->connect());
    clients.back().send(served_->get());
    streams.push_back(next_stream());
    streams.back()->on_close([&] { ++ended; });
  }
  {
    Handover handover;
    const auto last = std::make_shared<const Bytes>("last");
    for (const auto& stream : streams) EXPECT_TRUE(stream->write_last(last, handover));
  }
  served_->destroy();
  EXPECT_EQ(ended, kClients);
}

TEST_F(StreamTest, the_server_runs_the_end_of_every_stream_before_it_is_gone) {
  serve();
  RawClient client = served_->connect();
  client.send(served_->get());
  const auto stream = next_stream();
  bool ended = false;
  stream->on_close([&] { ended = true; });
  served_->destroy();
  EXPECT_TRUE(ended);
  EXPECT_FALSE(stream->write("x"));
  stream->close();
}

}  // namespace
}  // namespace tandem::server
