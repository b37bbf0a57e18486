#include "tandem/net/server/listen_address.h"

#include <charconv>

namespace tandem::server {
namespace {

constexpr std::size_t kHostBytesMax = 253;  // RFC 1035 2.3.4, as text

tl::unexpected<Error> bad(std::string_view text, std::string_view why) {
  return fail(errors::kBadAddress,
              "'{}' is not an address to listen on: {}; write HOST:PORT or [IPv6]:PORT, for example 127.0.0.1:8642",
              text.substr(0, 100), why);
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad(text, "there is no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);

  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (host.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos ||
        host.find(':') == std::string_view::npos) {
      return bad(text, "what stands in brackets is not an IPv6 address");
    }
  } else if (host.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") !=
             std::string_view::npos) {
    return bad(text, "the host has a character that no host name has");
  }
  if (host.empty()) return bad(text, "there is no host");
  if (host.size() > kHostBytesMax) return bad(text, "the host is longer than 253 bytes");

  std::uint16_t port = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || code != std::errc() || end != digits.data() + digits.size()) {
    return bad(text, "the port is not a number from 0 to 65535");
  }
  return ListenAddress{.host = std::string(host), .port = port};
}

std::string format_address(std::string_view host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

}  // namespace tandem::server
