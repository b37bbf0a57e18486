// tandem/net/server/testing/raw_client.h - a client on a raw socket: any bytes in any pieces, and what comes back.
//
// Room: net, tests only. Every blocking call gives up after kPatienceSeconds: a wrong server fails, it does not hang a test.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/base/http.h"
#include "tandem/base/text.h"

namespace tandem::server {

class RawClient {
 public:
  static constexpr int kPatienceSeconds = 20;
  static constexpr int kNoBuffer = 0;

  /// Connects to "127.0.0.1:PORT". `receive_buffer` shrinks the kernel's buffer, for a client that reads slowly.
  explicit RawClient(std::string_view address, int receive_buffer = kNoBuffer) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    TANDEM_ASSERT(socket_ >= 0);
    if (receive_buffer != kNoBuffer)
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const timeval patience{.tv_sec = kPatienceSeconds, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer.sin_port = htons(static_cast<std::uint16_t>(std::stoi(std::string(address.substr(address.rfind(':') + 1)))));
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) == 0;
  }
  RawClient(RawClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), connected_(other.connected_), unread_(std::move(other.unread_)) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() {
    if (socket_ >= 0) ::close(socket_);
  }

  bool connected() const { return connected_; }
  /// False when the server has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  /// Says that nothing more will be sent; still reads.
  void half_close() { ::shutdown(socket_, SHUT_WR); }
  /// True once something can be read, or the server has closed; false after `milliseconds`.
  bool readable_within(int milliseconds) {
    pollfd one{.fd = socket_, .events = POLLIN, .revents = 0};
    return !unread_.empty() || ::poll(&one, 1, milliseconds) > 0;
  }

  /// One response, its body undone from chunks. nullopt when the connection ends before or patience does.
  std::optional<HttpResponse> read_response(std::string_view method = "GET") {
    const auto head = read_until("\r\n\r\n");
    if (!head) return std::nullopt;
    HttpResponse response;
    response.status = std::stoi(head->substr(9, 3));
    for (std::string_view line : split(std::string_view(*head).substr(head->find("\r\n") + 2), '\n')) {
      const std::size_t colon = line.find(':');
      if (colon != std::string_view::npos)
        response.headers.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
    }
    if (method == "HEAD" || response.status < 200 || response.status == 204 || response.status == 304) return response;
    if (header_value(response.headers, "Transfer-Encoding") == "chunked") {
      while (auto chunk = read_chunk()) {
        if (chunk->empty()) return response;
        response.body += *chunk;
      }
      return std::nullopt;
    }
    const std::string_view length = header_value(response.headers, "Content-Length");
    if (length.empty()) {
      response.body = read_to_end();
      return response;
    }
    auto body = read_exactly(std::stoul(std::string(length)));
    if (!body) return std::nullopt;
    response.body = std::move(*body);
    return response;
  }
  /// The head of a response, for streams.
  std::optional<std::string> read_head() { return read_until("\r\n\r\n"); }
  /// One chunk; empty for the last one.
  std::optional<std::string> read_chunk() {
    const auto line = read_until("\r\n");
    if (!line) return std::nullopt;
    std::size_t size = 0;
    if (std::from_chars(line->data(), line->data() + line->size(), size, 16).ec != std::errc()) return std::nullopt;
    auto chunk = read_exactly(size);
    if (!chunk || !read_until("\r\n")) return std::nullopt;
    return chunk;
  }
  std::optional<std::string> read_exactly(std::size_t count) {
    while (unread_.size() < count) {
      if (!receive()) return std::nullopt;
    }
    std::string taken = unread_.substr(0, count);
    unread_.erase(0, count);
    return taken;
  }
  std::optional<std::string> read_until(std::string_view mark) {
    for (;;) {
      const std::size_t at = unread_.find(mark);
      if (at != std::string::npos) return read_exactly(at + mark.size());
      if (!receive()) return std::nullopt;
    }
  }
  /// Everything until the server closes.
  std::string read_to_end() {
    while (receive()) continue;
    return std::exchange(unread_, {});
  }
  /// True when the server has closed and nothing more was sent.
  bool at_end() { return unread_.empty() && !receive() && !timed_out_; }

 private:
  bool receive() {
    char buffer[65536];
    const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
    timed_out_ = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (count <= 0) return false;
    unread_.append(buffer, static_cast<std::size_t>(count));
    return true;
  }

  int socket_ = -1;
  bool connected_ = false;
  bool timed_out_ = false;
  std::string unread_;
};

}  // namespace tandem::server
