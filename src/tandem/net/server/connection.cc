// BOOST_ASSERT in Beast 1.74's chunk parser fires on "0\r\n\r" arriving alone, which any client can send; the code
// behind it copes.
// Our own guarantees are TANDEM_ASSERT.
#define BOOST_DISABLE_ASSERTS

#include "tandem/net/server/connection.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>

#include <algorithm>
#include <optional>

#include "tandem/base/assert.h"
#include "tandem/net/server/collected_body.h"
#include "tandem/net/server/listen_address.h"
#include "tandem/net/server/outgoing.h"
#include "tandem/net/server/socket.h"
#include "tandem/net/server/stream_buffer.h"
#include "tandem/net/server/target.h"

namespace tandem::server {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::size_t kHeadReadBytes = 4096;  // most heads fit
constexpr std::size_t kBodyReadBytes = 64u << 10;  // one copy of this size costs less than one more system call
constexpr std::chrono::seconds kLinger{2};  // for the client to read the answer before the socket is reset
constexpr std::size_t kPiecesAtOnce = 16;  // of a stream are sent before other connections have their turn
constexpr std::size_t kFinishedAtOnce = 64;  // streams whose connections are ended before others have their turn
constexpr std::size_t kOverloadedMax = 64;  // connections told "503"; those beyond are closed unheard
constexpr Instant kNever{INT64_MAX};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kChunkEnd = "\r\n";
constexpr std::string_view kLastChunk = "0\r\n\r\n";
constexpr std::string_view kLastChunkEnd = "\r\n0\r\n\r\n";

enum class Admission : bool { kAdmitted, kOverloaded };

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

/// Threads: the loop's only; responders and streams reach it through Loop::post().
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Core> core, Loop& loop, tcp::socket socket, Admission admission)
      : core_(std::move(core)), loop_(loop), socket_(std::move(socket), core_->tls.get()), admission_(admission) {}

  void start();
  void on_tick(Instant now);
  void on_ending(Ending ending);
  void close();

  void answer(HttpResponse response);
  void begin_stream(int status, const Headers& headers, const std::shared_ptr<StreamBuffer>& stream);
  void flush_stream();
  static void finish_some(Loop& loop);
  /// Has flush_stream() called on the loop, with those of other connections. From any thread.
  void flush_by(Handover& handover);
  /// The same at once for connections of one loop.
  static void flush_all(std::vector<std::shared_ptr<Connection>> connections);
  /// Posts a call of `member` to the loop; false when the loop has ended.
  bool post(std::function<void(Connection&)> member) {
    return loop_.post([self = shared_from_this(), member = std::move(member)] { member(*self); });
  }
  const std::shared_ptr<Core>& core() const { return core_; }

 private:
  enum class State : std::uint8_t {
    kHandshaking,
    kIdle,
    kHead,
    kBody,
    kContinuing,
    kHandling,
    kAnswering,
    kStreaming,
    kLingering,
    kClosed
  };
  using Step = void (Connection::*)();

  Instant now() const { return core_->seams.clock.monotonic(); }
  bool must_go() const { return core_->stopping.load(std::memory_order_relaxed); }
  void begin();
  void next_request();
  void read();
  void on_read(error_code ec, std::size_t count);
  void feed();
  Result<void> take_head();
  bool bare_line_feed();
  bool body_awaits_continue() const;
  void read_on_after_continue();
  void dispatch();
  void refuse(const Error& error);
  void refuse(error_code ec);
  void write(std::string first, SharedBytes second, std::string_view last, Step next);
  [[nodiscard]] bool put(std::string first, SharedBytes second, std::string_view last, Step next);
  void write_some();
  void on_write(error_code ec, std::size_t count);
  void finish();
  void finish_later();

  std::shared_ptr<Core> core_;  // first: the socket below must not outlive its io_context
  Loop& loop_;
  Socket socket_;
  Admission admission_;
  State state_ = State::kIdle;
  Instant deadline_ = kNever;
  std::string peer_;

  beast::flat_buffer in_;
  bool reading_ = false;
  std::optional<http::request_parser<CollectedBody>> parser_;
  std::size_t head_bytes_ = 0;
  std::size_t lines_checked_ = 0;  ///< bytes of in_ that bare_line_feed() has seen
  bool head_taken_ = false;
  Instant request_deadline_ = kNever;
  ServerRequest request_;
  HttpVersion version_ = HttpVersion::k11;
  bool is_head_ = false;  ///< method HEAD: no body in the answer
  bool keep_alive_ = false;
  bool unread_ = false;  ///< the client may still be sending what nobody will read

  Outgoing out_;
  bool writing_ = false;
  Step after_write_ = nullptr;

  std::shared_ptr<StreamBuffer> stream_;
  bool stream_chunked_ = false;
};

namespace {

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

void Connection::start() {
  error_code ec;
  const tcp::endpoint remote = socket_.tcp().remote_endpoint(ec);
  if (ec) return;  // gone already
  peer_ = format_address(remote.address().to_string(), remote.port());
  socket_.tcp().set_option(tcp::no_delay(true), ec);
  socket_.tcp().non_blocking(true, ec);  // for write_at_once()
  loop_.connections.emplace(this, shared_from_this());
  ++(admission_ == Admission::kAdmitted ? core_->connections : core_->overloaded);
  if (!socket_.is_secure()) return begin();
  state_ = State::kHandshaking;
  deadline_ = now() + core_->options.request_timeout;
  socket_.handshake([self = shared_from_this()](error_code failed) {
    if (self->state_ != State::kClosed) failed ? self->close() : self->begin();
  });
}

/// What is said on the connection is HTTP from here on.
void Connection::begin() {
  if (admission_ == Admission::kOverloaded) {
    refuse(make_error(errors::kServerOverloaded, "all {} connections are in use, try again in a second",
                      core_->options.connections_max));
    return;
  }
  next_request();
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  error_code ignored;
  socket_.tcp().close(ignored);
  if (stream_) {
    for (Task& task : stream_->end()) Core::run(core_, Core::Kind::kMustRun, std::move(task));
    stream_.reset();
  }
  const auto self = shared_from_this();  // the loop may hold the last reference
  loop_.connections.erase(this);
  core_->remove_connection(admission_ == Admission::kAdmitted ? core_->connections : core_->overloaded);
}

void Connection::on_tick(Instant time) {
  if (time < deadline_) return;
  if (state_ == State::kHead || state_ == State::kBody) {
    refuse(make_error(errors::kRequestTimeout, "the request did not arrive whole within {} ms, send it without pauses",
                      core_->options.request_timeout.count()));
  } else {
    close();
  }
}

void Connection::on_ending(Ending ending) {
  error_code ec;
  // A request that stands in the socket's buffer counts as having come before the end.
  const bool idle = state_ == State::kHandshaking || (state_ == State::kIdle && socket_.tcp().available(ec) == 0);
  if (idle || ending == Ending::kEverything) {
    close();
  } else if (ending == Ending::kStreams && stream_) {
    stream_->finish();
    flush_stream();
  }
}

// --- reading a request -----------------------------------------------------------------------------------------------

void Connection::next_request() {
  if (must_go() && in_.size() == 0) return close();
  if (in_.size() == 0 && in_.capacity() > kHeadReadBytes) in_.shrink_to_fit();
  parser_.emplace();
  parser_->header_limit(core_->options.header_bytes_max);
  parser_->body_limit(core_->options.body_bytes_max);
  head_bytes_ = 0;
  lines_checked_ = 0;
  head_taken_ = false;
  is_head_ = false;
  state_ = State::kIdle;
  deadline_ = now() + core_->options.idle_timeout;
  if (in_.size() == 0) return read();
  state_ = State::kHead;
  deadline_ = request_deadline_ = now() + core_->options.request_timeout;
  feed();
}

void Connection::read() {
  if (reading_) return;
  reading_ = true;
  const std::size_t count = state_ == State::kBody ? kBodyReadBytes : kHeadReadBytes;
  socket_.read_some(in_.prepare(count),
                    [self = shared_from_this()](error_code ec, std::size_t n) { self->on_read(ec, n); });
}

void Connection::on_read(error_code ec, std::size_t count) {
  reading_ = false;
  switch (state_) {
    case State::kIdle:
    case State::kHead:
    case State::kBody:
      if (ec) return close();
      in_.commit(count);
      if (state_ == State::kIdle) {
        state_ = State::kHead;
        deadline_ = request_deadline_ = now() + core_->options.request_timeout;
      }
      return feed();
    case State::kStreaming:
    case State::kLingering:
      // What arrives is dropped; all that matters is when the client goes. A cancelled read belongs to a request given
      // up before.
      if (ec && ec != asio::error::operation_aborted) return close();
      if (socket_.is_secure() && state_ == State::kLingering) return;  // finish() waits for the client's last word
      return read();
    case State::kHandshaking:
    case State::kContinuing:
    case State::kHandling:
    case State::kAnswering:
    case State::kClosed:
      return;
  }
}

void Connection::feed() {
  for (;;) {
    error_code ec;
    const std::size_t used = parser_->put(in_.data(), ec);
    in_.consume(used);
    lines_checked_ -= std::min(used, lines_checked_);
    if (!head_taken_) head_bytes_ += used;
    const bool need_more = ec == http::error::need_more;
    if (ec && !need_more) return refuse(ec);
    if (need_more && bare_line_feed()) return refuse(http::error::bad_line_ending);

    // Beast 1.74 bounds the request line and the rest of the head each; we bound their sum, and later the size of one
    // chunk's extensions or of all trailers.
    const std::size_t pending = need_more ? in_.size() : 0;
    if ((head_taken_ ? 0 : head_bytes_) + pending > core_->options.header_bytes_max)
      return refuse(http::error::header_limit);

    if (!head_taken_ && parser_->is_header_done()) {
      head_taken_ = true;
      if (const auto taken = take_head(); !taken) return refuse(taken.error());
      state_ = State::kBody;
      if (body_awaits_continue()) {
        state_ = State::kContinuing;
        return write(std::string(kContinue), nullptr, {}, &Connection::read_on_after_continue);
      }
    }
    if (parser_->is_done()) return dispatch();
    if (need_more || in_.size() == 0) return read();
  }
}

/// Whether a line of a head, of a chunk's size or of trailers that is not whole yet ends without CR; the bytes of a body never
/// stay behind unparsed. Beast says so only once it has seen a CR LF, and a client that sends none would wait for its answer
/// until the request's time is over.
bool Connection::bare_line_feed() {
  const auto* bytes = static_cast<const char*>(in_.data().data());
  for (; lines_checked_ < in_.size(); ++lines_checked_) {
    if (bytes[lines_checked_] == '\n' && (lines_checked_ == 0 || bytes[lines_checked_ - 1] != '\r')) return true;
  }
  return false;
}

Result<void> Connection::take_head() {
  const auto& message = parser_->get();
  request_ = ServerRequest{};
  request_.method = view(message.method_string());
  request_.peer = peer_;
  version_ = message.version() == 10 ? HttpVersion::k10 : HttpVersion::k11;
  is_head_ = request_.method == "HEAD";
  keep_alive_ = parser_->keep_alive();
  for (const auto& field : message) request_.headers.emplace_back(view(field.name_string()), view(field.value()));
  if (request_.headers.size() > core_->options.headers_max) {
    return fail(errors::kHeadTooLarge, "the request has {} headers, the limit is {}", request_.headers.size(),
                core_->options.headers_max);
  }
  TANDEM_TRY(check_head(request_.headers, version_, core_->hosts));
  TANDEM_TRY_ASSIGN(Target target, parse_target(view(message.target()), core_->options.query_parameters_max));
  request_.path = std::move(target.path);
  request_.query = std::move(target.query);
  return {};
}

bool Connection::body_awaits_continue() const {
  return !parser_->is_done() && in_.size() == 0 && expects_continue(request_.headers, version_);
}

void Connection::read_on_after_continue() {
  state_ = State::kBody;
  deadline_ = request_deadline_;
  read();
}

void Connection::dispatch() {
  state_ = State::kHandling;
  deadline_ = kNever;
  unread_ = false;
  request_.body = std::move(parser_->get().body());
  auto responder = std::make_shared<ConnectionResponder>(shared_from_this());
  auto request = std::make_shared<ServerRequest>(std::move(request_));
  Core::run(core_, Core::Kind::kDroppable, [core = core_, request, responder = std::move(responder)]() mutable {
    try {
      core->handler(std::move(*request), std::move(responder));
    } catch (const std::exception& exception) {  // the responder, dropped unanswered, answers 500
      core->seams.log.write(LogLevel::kError, "http.handler_threw", {{"what", exception.what()}});
    }
  });
}

// --- answering -------------------------------------------------------------------------------------------------------

void Connection::refuse(error_code ec) {
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
    return refuse(make_error(errors::kHeadTooLarge, "request line and headers are longer than {} bytes, send fewer",
                             core_->options.header_bytes_max));
  }
  if (ec == http::error::body_limit) {
    return refuse(make_error(errors::kInputTooLarge,
                             "the body is longer than {} bytes, send less or raise server.body_bytes_max",
                             core_->options.body_bytes_max));
  }
  refuse(make_error(errors::kBadRequest, "this is not HTTP/1.1 as it should be: {}", ec.message()));
}

void Connection::refuse(const Error& error) {
  keep_alive_ = false;
  unread_ = true;
  if (reading_) {
    error_code ignored;
    socket_.tcp().cancel(ignored);
  }
  HttpResponse response = core_->error_body(error);
  if (response.status == 503) response.headers.emplace_back("Retry-After", "1");
  state_ = State::kHandling;
  answer(std::move(response));
}

void Connection::answer(HttpResponse response) {
  if (state_ != State::kHandling) return;  // the connection ended meanwhile
  if (response.status < 200 || response.status > 599 || !are_sendable(response.headers)) {
    core_->seams.log.write(LogLevel::kError, "http.bad_answer", {{"status", std::to_string(response.status)}});
    response =
        core_->error_body(make_error(errors::kInternal, "the answer has a header or status that cannot be sent"));
    TANDEM_ASSERT(are_sendable(response.headers));
  }
  state_ = State::kAnswering;
  if (must_go()) keep_alive_ = false;
  const bool bodiless = response.status == 204 || response.status == 304;
  const Framing framing{.kind = bodiless ? Framing::Kind::kNone : Framing::Kind::kLength,
                        .length = response.body.size()};
  if (bodiless || is_head_) response.body.clear();
  core_->seams.meter.add("tandem_http_responses_total", 1, {{"status", std::to_string(response.status)}});
  write(response_head(response.status, response.headers, framing, keep_alive_, core_->seams.clock.now()),
        std::make_shared<const Bytes>(std::move(response.body)), {},
        keep_alive_ ? &Connection::next_request : &Connection::finish);
}

void Connection::write(std::string first, SharedBytes second, std::string_view last, Step next) {
  if (put(std::move(first), std::move(second), last, next)) (this->*next)();
}

/// True when the kernel has taken all of it already, as it mostly does; else `next` is called once it has.
bool Connection::put(std::string first, SharedBytes second, std::string_view last, Step next) {
  out_.set(std::move(first), std::move(second), last);
  error_code ec;
  out_.advance(socket_.write_at_once(out_.unwritten(), ec));
  if (ec && ec != asio::error::would_block) {
    close();
    return false;
  }
  if (out_.done()) {
    deadline_ = kNever;
    out_.clear();
    return true;
  }
  after_write_ = next;
  writing_ = true;
  write_some();
  return false;
}

void Connection::write_some() {
  deadline_ =
      now() +
      core_->options.request_timeout;  // renewed by progress: a large answer may take long, a stalled client not
  socket_.write_some(out_.unwritten(),
                     [self = shared_from_this()](error_code ec, std::size_t n) { self->on_write(ec, n); });
}

void Connection::on_write(error_code ec, std::size_t count) {
  if (state_ == State::kClosed) return;
  if (ec) return close();
  out_.advance(count);
  if (!out_.done()) return write_some();
  writing_ = false;
  deadline_ = kNever;
  out_.clear();
  (this->*after_write_)();
}

void Connection::finish() {
  error_code ignored;
  if (socket_.is_secure()) {
    state_ = State::kLingering;
    deadline_ = now() + std::min<std::chrono::nanoseconds>(kLinger, core_->options.request_timeout);
    return socket_.say_goodbye([self = shared_from_this()](error_code) { self->close(); });
  }
  if (!unread_ && in_.size() == 0) {
    socket_.tcp().shutdown(tcp::socket::shutdown_both, ignored);
    return close();
  }
  // Closing with unread bytes resets the connection, and the client could lose the answer: RFC 9112 9.6.
  socket_.tcp().shutdown(tcp::socket::shutdown_send, ignored);
  state_ = State::kLingering;
  in_.clear();
  deadline_ = now() + std::min<std::chrono::nanoseconds>(kLinger, core_->options.request_timeout);
  read();
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

// --- streams ---------------------------------------------------------------------------------------------------------

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

// --- the loop's side -------------------------------------------------------------------------------------------------

namespace {

/// Connections remove themselves while they are visited.
std::vector<std::shared_ptr<Connection>> snapshot(const Loop& loop) {
  std::vector<std::shared_ptr<Connection>> connections;
  connections.reserve(loop.connections.size());
  for (const auto& [raw, connection] : loop.connections) connections.push_back(connection);
  return connections;
}

}  // namespace

void serve(const std::shared_ptr<Core>& core, Loop& loop, asio::ip::tcp::socket socket) {
  const bool full = core->connections >= core->options.connections_max;
  if (full && core->overloaded >= kOverloadedMax) return;
  std::make_shared<Connection>(core, loop, std::move(socket), full ? Admission::kOverloaded : Admission::kAdmitted)
      ->start();
}

void sweep(Loop& loop, Instant now) {
  for (const auto& connection : snapshot(loop)) connection->on_tick(now);
}

void end_connections(Loop& loop, Ending ending) {
  for (const auto& connection : snapshot(loop)) connection->on_ending(ending);
}

}  // namespace tandem::server
