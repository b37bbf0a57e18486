#include <fmt/format.h>

#include <algorithm>

#include "tandem/base/assert.h"
#include "tandem/net/server/http_connection.h"

namespace tandem::server {
namespace {

constexpr std::size_t kPiecesAtOnce = 16;  // of a stream are sent before other connections have their turn
constexpr std::size_t kFinishedAtOnce = 64;  // streams whose connections are ended before others have their turn
constexpr std::string_view kChunkEnd = "\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";
constexpr std::string_view kLastChunkEnd = "\r\n0\r\n\r\n";

class StreamHandle final : public Stream {
 public:
  StreamHandle(std::shared_ptr<Connection> connection, std::shared_ptr<StreamBuffer> buffer)
      : connection_(std::move(connection)), buffer_(std::move(buffer)) {}
  ~StreamHandle() override { close(); }

  bool write(std::string_view bytes) override {
    Handover alone;
    return hand_over(buffer_->append(bytes), alone);
  }
  bool write(SharedBytes bytes, Handover& handover) override {
    return hand_over(buffer_->append(std::move(bytes), StreamBuffer::Then::kMore), handover);
  }
  bool write_last(SharedBytes bytes, Handover& handover) override {
    return hand_over(buffer_->append(std::move(bytes), StreamBuffer::Then::kFinish), handover);
  }
  std::uint64_t unsent() const override { return buffer_->unsent(); }
  void close() override {
    if (buffer_->finish()) connection_->post([](Connection& c) { c.flush_stream(); });
  }
  void on_close(Task task) override { buffer_->on_end(std::move(task)); }
  void on_drained(Task task) override {
    if (buffer_->on_drained(std::move(task))) connection_->post([](Connection& c) { c.flush_stream(); });
  }

 private:
  bool hand_over(StreamBuffer::Appended appended, Handover& handover) {
    using enum StreamBuffer::Appended;
    if (appended == kFirst || appended == kTooSlow) connection_->flush_by(handover);
    return appended == kFirst || appended == kScheduled;
  }

  std::shared_ptr<Connection> connection_;
  std::shared_ptr<StreamBuffer> buffer_;
};

class ConnectionResponder final : public Responder {
 public:
  explicit ConnectionResponder(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
  ~ConnectionResponder() override {
    if (answered_.exchange(true)) return;
    connection_->post([](Connection& c) {
      c.core()->seams.log.write(LogLevel::kError, "http.unanswered");
      c.answer(c.core()->error_body(make_error(errors::kInternal, "the request was dropped without an answer")));
    });
  }
  void send(HttpResponse response) override {
    TANDEM_ASSERT(!answered_.exchange(true));
    auto shared = std::make_shared<HttpResponse>(std::move(response));
    connection_->post([shared](Connection& c) { c.answer(std::move(*shared)); });
  }
  std::unique_ptr<Stream> start_stream(int status, Headers headers) override {
    TANDEM_ASSERT(!answered_.exchange(true));
    auto buffer = std::make_shared<StreamBuffer>(connection_->core()->options.stream_bytes_max);
    const bool posted = connection_->post(
        [status, headers = std::move(headers), buffer](Connection& c) { c.begin_stream(status, headers, buffer); });
    if (!posted) buffer->end();
    return std::make_unique<StreamHandle>(connection_, std::move(buffer));
  }
  void abort() override {
    TANDEM_ASSERT(!answered_.exchange(true));
    connection_->post([](Connection& c) { c.close(); });
  }

 private:
  std::shared_ptr<Connection> connection_;
  std::atomic<bool> answered_{false};
};

}  // namespace

std::shared_ptr<Responder> make_responder(std::shared_ptr<Connection> connection) {
  return std::make_shared<ConnectionResponder>(std::move(connection));
}

void Connection::begin_stream(int status, const Headers& headers, const std::shared_ptr<StreamBuffer>& stream) {
  const bool sendable = status >= 200 && status <= 599 && are_sendable(headers);
  if (state_ != State::kHandling || !sendable) {
    for (Task& task : stream->end()) Core::run(core_, Core::Kind::kMustRun, std::move(task));
    return answer(HttpResponse{});  // status 0 cannot be sent: 500, when anybody still waits
  }
  stream_ = stream;
  state_ = State::kStreaming;
  keep_alive_ = false;
  stream_chunked_ = version_ == HttpVersion::k11;
  const Framing framing{.kind = stream_chunked_ ? Framing::Kind::kChunked : Framing::Kind::kUntilClose};
  core_->seams.meter.add("tandem_http_responses_total", 1, {{"status", std::to_string(status)}});
  in_.clear();
  if (must_go()) stream_->finish();
  write(response_head(status, headers, framing, false, core_->seams.clock.now()), nullptr, {},
        is_head_ ? &Connection::finish : &Connection::flush_stream);
  if (state_ == State::kStreaming) read();  // only to notice when the client goes
}

void Connection::flush_stream() {
  for (std::size_t piece = 0; piece < kPiecesAtOnce; ++piece) {
    if (state_ != State::kStreaming || writing_) return;
    StreamBuffer::Taken taken = stream_->take();
    for (Task& task : taken.drained) Core::run(core_, Core::Kind::kMustRun, std::move(task));
    if (taken.bytes == nullptr) {
      if (!taken.finished) return;
      state_ = State::kAnswering;
      if (taken.cut) return close();  // without the last chunk: the client must not take this for the whole
      if (!stream_chunked_) return finish_later();
      return write({}, nullptr, kLastChunk, &Connection::finish_later);
    }
    const bool ends = taken.finished && !taken.cut;
    if (ends) state_ = State::kAnswering;
    const Step next = ends ? &Connection::finish_later : &Connection::flush_stream;
    std::string size = stream_chunked_ ? fmt::format("{:x}\r\n", taken.bytes->size()) : "";
    const std::string_view end = !stream_chunked_ ? "" : ends ? kLastChunkEnd : kChunkEnd;
    if (!put(std::move(size), std::move(taken.bytes), end, next)) return;
    if (ends) return finish_later();
  }
  post([](Connection& c) { c.flush_stream(); });
}

void Connection::flush_by(Handover& handover) {
  auto& all = handover.by_thread_;
  auto mine = std::find_if(all.begin(), all.end(), [&](const auto& group) { return &group.front()->loop_ == &loop_; });
  if (mine == all.end()) mine = all.emplace(all.end());
  mine->push_back(shared_from_this());
  if (mine->size() < Handover::kStreams) return;
  flush_all(std::move(*mine));
  all.erase(mine);
}

void Connection::flush_all(std::vector<std::shared_ptr<Connection>> connections) {
  Loop& loop = connections.front()->loop_;
  loop.post([connections = std::move(connections)] {
    for (const auto& connection : connections) connection->flush_stream();
  });
}

Handover::~Handover() {
  for (auto& connections : by_thread_) Connection::flush_all(std::move(connections));
}

/// Behind what the loop has been told to send by then: with the end of an event stream many end at once, and to end a connection
/// takes as long as to send to it.
void Connection::finish_later() {
  const bool first = loop_.finished.empty();
  loop_.finished.push_back(shared_from_this());
  if (first) asio::post(loop_.io, [&loop = loop_] { finish_some(loop); });
}

void Connection::finish_some(Loop& loop) {
  for (std::size_t i = 0; i < kFinishedAtOnce && !loop.finished.empty(); ++i) {
    const auto connection = std::move(loop.finished.front());
    loop.finished.pop_front();
    if (connection->state_ != State::kClosed) connection->finish();
  }
  if (!loop.finished.empty()) asio::post(loop.io, [&loop] { finish_some(loop); });
}

}  // namespace tandem::server
