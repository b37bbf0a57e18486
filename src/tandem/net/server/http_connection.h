// tandem/net/server/http_connection.h - Connection: one client's connection, as those who work on it see it. Internal to this part.
//
// Room: net. Its requests and answers are in connection.cc, its stream and what reaches it from other threads in streaming.cc.
#pragma once

// BOOST_ASSERT in Beast 1.74's chunk parser fires on "0\r\n\r" arriving alone, which any client can send; the code
// behind it copes.
// Our own guarantees are TANDEM_ASSERT.
#define BOOST_DISABLE_ASSERTS

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/net/server/collected_body.h"
#include "tandem/net/server/connection.h"
#include "tandem/net/server/outgoing.h"
#include "tandem/net/server/socket.h"
#include "tandem/net/server/stream_buffer.h"

namespace tandem::server {

enum class Admission : bool { kAdmitted, kOverloaded };

/// Threads: the loop's only; responders and streams reach it through Loop::post().
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Core> core, Loop& loop, asio::ip::tcp::socket socket, Admission admission)
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
  static constexpr Instant kNever{INT64_MAX};

  Instant now() const { return core_->seams.clock.monotonic(); }
  /// What it was counted by before it was made; taken off when it ends.
  std::atomic<std::size_t>& counted_by() const {
    return admission_ == Admission::kAdmitted ? core_->connections : core_->overloaded;
  }
  bool must_go() const { return core_->stopping.load(std::memory_order_relaxed); }
  void begin();
  void next_request();
  void read();
  void on_read(boost::system::error_code ec, std::size_t count);
  void feed();
  Result<void> take_head();
  bool bare_line_feed();
  bool body_awaits_continue() const;
  void read_on_after_continue();
  void dispatch();
  void refuse(const Error& error);
  void refuse(boost::system::error_code ec);
  void write(std::string first, SharedBytes second, std::string_view last, Step next);
  [[nodiscard]] bool put(std::string first, SharedBytes second, std::string_view last, Step next);
  void write_some();
  void on_write(boost::system::error_code ec, std::size_t count);
  void finish();
  void finish_later();

  std::shared_ptr<Core> core_;  // first: the socket below must not outlive its io_context
  Loop& loop_;
  Socket socket_;
  Admission admission_;
  State state_ = State::kIdle;
  Instant deadline_ = kNever;
  std::string peer_;

  boost::beast::flat_buffer in_;
  bool reading_ = false;
  std::optional<boost::beast::http::request_parser<CollectedBody>> parser_;
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

/// The one answer to the request that the connection handles.
std::shared_ptr<Responder> make_responder(std::shared_ptr<Connection> connection);

}  // namespace tandem::server
