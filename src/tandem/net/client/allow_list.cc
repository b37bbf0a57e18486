#include "tandem/net/client/allow_list.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "tandem/base/text.h"

namespace tandem::client {
namespace {

using Address = std::array<std::uint8_t, 16>;  // IPv6; IPv4 mapped into ::ffff:0:0/96

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Address map_v4(const void* four_bytes) {
  Address address{};
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
  std::memcpy(address.data() + 12, four_bytes, 4);
  return address;
}

/// The address that `host` spells, if it is a literal.
std::optional<Address> literal(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return map_v4(&v4);
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return std::nullopt;
  Address address{};
  if (inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), address.data()) != 1) return std::nullopt;
  return address;
}

struct Network {
  Address address;
  unsigned prefix_bits;
};

Network network(const char* text, unsigned prefix_bits) { return {*literal(text), prefix_bits}; }

bool contains(const Network& network, const Address& address) {
  for (unsigned bit = 0; bit < network.prefix_bits; ++bit) {
    const unsigned mask = 0x80u >> (bit % 8);
    if ((network.address[bit / 8] & mask) != (address[bit / 8] & mask)) return false;
  }
  return true;
}

bool is_loopback(const Address& address) {
  return contains(network("127.0.0.0", 96 + 8), address) || contains(network("[::1]", 128), address);
}

/// Everything that is not plain global unicast: RFC 6890 and its IPv6 kin, as far as a socket could be opened to it.
bool is_special(const Address& address) {
  const std::array networks = {
      network("0.0.0.0", 96 + 8),
      network("10.0.0.0", 96 + 8),
      network("100.64.0.0", 96 + 10),
      network("127.0.0.0", 96 + 8),
      network("169.254.0.0", 96 + 16),
      network("172.16.0.0", 96 + 12),
      network("192.0.0.0", 96 + 24),
      network("192.168.0.0", 96 + 16),
      network("198.18.0.0", 96 + 15),
      network("224.0.0.0", 96 + 3),
      network("[::]", 96),
      network("[fc00::]", 7),
      network("[fe80::]", 10),
      network("[fec0::]", 10),
      network("[ff00::]", 8),
      network("[64:ff9b::]", 96),
      network("[64:ff9b:1::]", 48),
      network("[2002::]", 16),
  };
  return std::any_of(networks.begin(), networks.end(), [&](const Network& n) { return contains(n, address); });
}

/// Where clouds hand out the credentials of a machine, within networks of one's own.
bool is_credential_service(const Address& address) {
  const std::array services = {network("100.100.100.200", 128), network("[fd00:ec2::254]", 128),
                               network("[fd20:ce::254]", 128)};
  return std::any_of(services.begin(), services.end(), [&](const Network& n) { return contains(n, address); });
}

/// Networks of one's own: RFC 1918, RFC 6598, RFC 4193.
bool is_own_network(const Address& address) {
  if (is_credential_service(address)) return false;
  const std::array networks = {network("10.0.0.0", 96 + 8), network("100.64.0.0", 96 + 10),
                               network("172.16.0.0", 96 + 12), network("192.168.0.0", 96 + 16), network("[fc00::]", 7)};
  return std::any_of(networks.begin(), networks.end(), [&](const Network& n) { return contains(n, address); });
}

struct Peer {
  Address address{};
  std::uint16_t port = 0;
};
/// Empty: it is not of the internet.
std::optional<Peer> peer_of(const sockaddr& address) {
  Peer out;
  if (address.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    out.address = map_v4(&v4.sin_addr);
    out.port = ntohs(v4.sin_port);
    return out;
  }
  if (address.sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address, sizeof v6);
  std::memcpy(out.address.data(), &v6.sin6_addr, out.address.size());
  out.port = ntohs(v6.sin6_port);
  return out;
}

/// Of a host that says so itself; empty: a name.
std::optional<bool> is_what_it_says(const std::string& host, const Address& address) {
  if (const auto expected = literal(host)) return address == *expected;
  if (host == "localhost") return is_loopback(address);
  return std::nullopt;
}

}  // namespace

Result<Origin> parse_origin(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::string_view host = colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  const bool plain = !host.empty() && host.find_first_of(":[]/@ ") == std::string_view::npos;
  const std::string_view digits = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const bool number =
      !digits.empty() && digits.size() <= 5 && digits.find_first_not_of("0123456789") == std::string_view::npos;
  const long port = number ? std::stol(std::string(digits)) : 0;
  if ((!bracketed && !plain) || port < 1 || port > 65535 || (bracketed && !literal(std::string(host)))) {
    return fail(errors::kEgressRefused,
                "'{}' is not host:port or [ipv6]:port with a port from 1 to 65535, correct the entry", text);
  }
  return Origin{.host = to_lower(host), .port = static_cast<std::uint16_t>(port)};
}

bool Origin::is_loopback() const {
  const auto address = literal(host);
  return host == "localhost" || (address && client::is_loopback(*address));
}

Result<AllowList> AllowList::create(const std::vector<std::string>& allow,
                                    const std::vector<std::string>& allow_private) {
  AllowList list;
  for (const std::string& entry : allow) {
    TANDEM_TRY_ASSIGN(Origin origin, parse_origin(entry));
    list.allow_.insert(std::move(origin));
  }
  for (const std::string& entry : allow_private) {
    TANDEM_TRY_ASSIGN(Origin origin, parse_origin(entry));
    TANDEM_TRY(list.check_origin(origin));
    list.allow_private_.insert(std::move(origin));
  }
  return list;
}

Result<void> AllowList::check_origin(const Origin& origin) const {
  if (allow_.contains(origin)) return {};
  return fail(errors::kEgressRefused,
              "'{}' is not one of the {} peers that may be spoken to, add it to the backend's configuration",
              origin.to_string(), allow_.size());
}

bool AllowList::may_connect(const Origin& origin, const sockaddr& address) const {
  const auto peer = peer_of(address);
  if (!peer || peer->port != origin.port || !allow_.contains(origin)) return false;
  return is_what_it_says(origin.host, peer->address)
      .value_or(allow_private_.contains(origin) || !is_special(peer->address));
}

bool may_be_proxy(const Origin& proxy, const sockaddr& address) {
  const auto peer = peer_of(address);
  if (!peer || peer->port != proxy.port) return false;
  return is_what_it_says(proxy.host, peer->address)
      .value_or(is_own_network(peer->address) || !is_special(peer->address));
}

}  // namespace tandem::client
