// tandem/net/server/outgoing.h - Outgoing: the parts of a message on their way to the socket. Internal to this part.
//
// Room: net.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/net/server/asio.h"
#include "tandem/net/server/server.h"

namespace tandem::server {

/// Threads: the loop's only.
class Outgoing {
 public:
  /// `second` may be null; `last` is a constant.
  void set(std::string first, SharedBytes second, std::string_view last) {
    first_ = std::move(first);
    second_ = std::move(second);
    last_ = last;
    written_ = 0;
  }
  void clear() { set({}, nullptr, {}); }
  void advance(std::size_t count) { written_ += count; }
  bool done() const { return asio::buffer_size(unwritten()) == 0; }

  std::array<asio::const_buffer, 3> unwritten() const {
    std::array<asio::const_buffer, 3> out = {asio::buffer(first_), {}, asio::buffer(last_)};
    if (second_ != nullptr) out[1] = asio::buffer(*second_);
    std::size_t written = written_;
    for (asio::const_buffer& part : out) {
      const std::size_t here = std::min(written, part.size());
      part += here;
      written -= here;
    }
    return out;
  }

 private:
  std::string first_;
  SharedBytes second_;
  std::string_view last_;
  std::size_t written_ = 0;
};

}  // namespace tandem::server
