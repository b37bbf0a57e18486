// tandem/net/client/testing/tcp_peer.h - a peer on a raw socket that does exactly what a test scripts, right or wrong.
//
// Room: net, tests only.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/base/executor.h"

namespace tandem::client {

/// Listens on a free loopback port and runs `script` for each connection, each on a thread of its own.
class TcpPeer {
 public:
  /// One connection, as the script sees it.
  class Session {
   public:
    Session(int socket, std::size_t index) : socket_(socket), index_(index) {}

    /// 0 for the first connection of the peer.
    std::size_t index() const { return index_; }
    /// Reads until `mark` has come; false when the client went before.
    bool read_until(std::string_view mark) {
      for (;;) {
        const std::size_t at = unread_.find(mark);
        if (at != std::string::npos) {
          last_ = unread_.substr(0, at + mark.size());
          unread_.erase(0, at + mark.size());
          return true;
        }
        char buffer[65536];
        const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
        if (count <= 0) return false;
        unread_.append(buffer, static_cast<std::size_t>(count));
      }
    }
    /// Reads one request whose body, if any, ends in `end_of_body`. last() is then the head.
    bool read_request(std::string_view end_of_body = "") {
      if (!read_until("\r\n\r\n")) return false;
      const std::string head = last_;
      if (!end_of_body.empty() && !read_until(end_of_body)) return false;
      last_ = head;
      return true;
    }
    const std::string& last() const { return last_; }
    void send(std::string_view bytes) {
      while (!bytes.empty()) {
        const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(count));
      }
    }
    /// Drops the connection with a reset instead of an orderly end.
    void reset() {
      const linger off{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &off, sizeof off);
    }
    /// Waits until the client closes.
    void wait_for_end() {
      char byte = 0;
      while (::recv(socket_, &byte, 1, 0) > 0) continue;
    }

   private:
    int socket_;
    std::size_t index_;
    std::string unread_;
    std::string last_;
  };
  using Script = std::function<void(Session&)>;

  TcpPeer(Executor& executor, Script script) : executor_(executor), script_(std::move(script)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    TANDEM_ASSERT(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    TANDEM_ASSERT(::listen(listener_, 64) == 0);
    TANDEM_ASSERT(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    accepting_ = executor_.start_loop("peer", [this](std::stop_token) { accept_all(); });
  }
  ~TcpPeer() {
    ::shutdown(listener_, SHUT_RDWR);  // wakes accept()
    accepting_.reset();
    {
      const std::lock_guard lock(mutex_);
      for (int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
    }
    sessions_.clear();
    ::close(listener_);
  }
  TcpPeer(const TcpPeer&) = delete;
  TcpPeer& operator=(const TcpPeer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string port() const { return std::to_string(port_); }
  std::string url(std::string_view path = "/") const { return "http://" + address() + std::string(path); }
  std::size_t connections() const { return connections_; }

 private:
  void accept_all() {
    for (;;) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) return;
      {
        const std::lock_guard lock(mutex_);
        sockets_.push_back(socket);
      }
      sessions_.push_back(executor_.start_loop("peer", [this, socket, index = connections_++](std::stop_token) {
        Session session(socket, index);
        script_(session);
        const std::lock_guard lock(mutex_);
        std::erase(sockets_, socket);
        ::close(socket);
      }));
    }
  }

  Executor& executor_;
  Script script_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<std::size_t> connections_{0};
  std::mutex mutex_;
  std::vector<int> sockets_;  ///< open ones; guarded by mutex_
  std::unique_ptr<Timer> accepting_;
  std::vector<std::unique_ptr<Timer>> sessions_;  ///< written by the accepting thread only
};

}  // namespace tandem::client
