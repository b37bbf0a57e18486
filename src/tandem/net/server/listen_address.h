// tandem/net/server/listen_address.h - the text form of an address to listen on.
//
// Room: net. Form only; whether the name exists and is loopback is for server.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/base/result.h"

namespace tandem::server {

struct ListenAddress {
  std::string host;  ///< without brackets
  std::uint16_t port = 0;
  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

/// Reads "HOST:PORT" or "[IPv6]:PORT"; port 0 means any free one.
/// Errors: 2011 bad_address.
Result<ListenAddress> parse_listen_address(std::string_view text);

/// The inverse, with brackets around IPv6.
std::string format_address(std::string_view host, std::uint16_t port);

}  // namespace tandem::server
