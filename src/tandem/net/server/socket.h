// tandem/net/server/socket.h - Socket: one accepted connection, plain or with TLS around it. Internal to this part.
//
// Room: net. Not here: what is said on it (http_connection.h).
#pragma once

#include <boost/asio/ssl/stream.hpp>
#include <optional>
#include <utility>

#include "tandem/net/server/asio.h"

namespace tandem::server {

/// At most one read and one write are under way. Handlers are those of Asio.
/// Threads: the loop's only.
class Socket {
 public:
  /// `tls`: null for plain; else it outlives the socket.
  Socket(asio::ip::tcp::socket socket, asio::ssl::context* tls) : tcp_(std::move(socket)) {
    if (tls != nullptr) tls_.emplace(tcp_, *tls);
  }

  /// For what TLS leaves as it is: options, addresses, cancelling and closing.
  asio::ip::tcp::socket& tcp() { return tcp_; }
  bool is_secure() const { return tls_.has_value(); }

  /// Of a secure one only, before anything else.
  template <typename Handler>
  void handshake(Handler handler) {
    tls_->async_handshake(asio::ssl::stream_base::server, std::move(handler));
  }
  template <typename Buffers, typename Handler>
  void read_some(const Buffers& buffers, Handler handler) {
    if (tls_) return tls_->async_read_some(buffers, std::move(handler));
    tcp_.async_read_some(buffers, std::move(handler));
  }
  template <typename Buffers, typename Handler>
  void write_some(const Buffers& buffers, Handler handler) {
    if (tls_) return tls_->async_write_some(buffers, std::move(handler));
    tcp_.async_write_some(buffers, std::move(handler));
  }
  /// What the kernel takes without waiting, of a secure one nothing: then `ec` is would_block. Once non_blocking is set.
  template <typename Buffers>
  std::size_t write_at_once(const Buffers& buffers, boost::system::error_code& ec) {
    if (!tls_) return tcp_.write_some(buffers, ec);
    ec = asio::error::would_block;
    return 0;
  }
  /// Of a secure one only: says that nothing follows, and waits for the peer to say it.
  template <typename Handler>
  void say_goodbye(Handler handler) {
    boost::system::error_code ignored;
    tcp_.cancel(ignored);  // of a read that only looks out for the end
    tls_->async_shutdown(std::move(handler));
  }

 private:
  asio::ip::tcp::socket tcp_;
  std::optional<asio::ssl::stream<asio::ip::tcp::socket&>> tls_;
};

}  // namespace tandem::server
