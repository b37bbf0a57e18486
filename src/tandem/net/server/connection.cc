#include <boost/beast/http/error.hpp>

#include <algorithm>

#include "tandem/base/assert.h"
#include "tandem/net/server/http_connection.h"
#include "tandem/net/server/listen_address.h"
#include "tandem/net/server/target.h"

namespace tandem::server {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::size_t kHeadReadBytes = 4096;  // most heads fit
constexpr std::size_t kBodyReadBytes = 64u << 10;  // one copy of this size costs less than one more system call
constexpr std::chrono::seconds kLinger{2};  // for the client to read the answer before the socket is reset
constexpr std::size_t kOverloadedMax = 64;  // connections told "503"; those beyond are closed unheard
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

void Connection::start() {
  error_code ec;
  const tcp::endpoint remote = socket_.tcp().remote_endpoint(ec);
  if (ec || must_go()) return core_->remove_connection(counted_by());  // gone already, or too late
  peer_ = format_address(remote.address().to_string(), remote.port());
  socket_.tcp().set_option(tcp::no_delay(true), ec);
  socket_.tcp().non_blocking(true, ec);  // for write_at_once()
  loop_.connections.emplace(this, shared_from_this());
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
  core_->remove_connection(counted_by());
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
    case State::kAnswering:
      if (!ec && count > 0) unread_ = true;  // behind a stream that has ended, or before an answer has gone
      return;
    case State::kHandshaking:
    case State::kContinuing:
    case State::kHandling:
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
  auto responder = make_responder(shared_from_this());
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
  // Counted before it is made: io threads serve at the same time.
  const auto count = [](std::atomic<std::size_t>& counter, std::size_t most) {
    std::size_t now = counter;
    while (now < most)
      if (counter.compare_exchange_weak(now, now + 1)) return true;
    return false;
  };
  const bool admitted = count(core->connections, core->options.connections_max);
  if (!admitted && !count(core->overloaded, kOverloadedMax)) return;
  std::make_shared<Connection>(core, loop, std::move(socket), admitted ? Admission::kAdmitted : Admission::kOverloaded)
      ->start();
}

void sweep(Loop& loop, Instant now) {
  for (const auto& connection : snapshot(loop)) connection->on_tick(now);
}

void end_connections(Loop& loop, Ending ending) {
  for (const auto& connection : snapshot(loop)) connection->on_ending(ending);
}

}  // namespace tandem::server
