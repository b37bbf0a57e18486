// tandem/net/client/allow_list.h - which peers may be spoken to, before and after DNS.
//
// Room: net. Knows names and addresses only; curl_http.cc asks it for the URL and again for every socket.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/base/result.h"

struct sockaddr;

namespace tandem::client {

/// Where a URL or a socket points: host in lower case (IPv6 in brackets) and port.
struct Origin {
  std::string host;
  std::uint16_t port = 0;
  friend auto operator<=>(const Origin&, const Origin&) = default;
  std::string to_string() const { return host + ":" + std::to_string(port); }
  bool is_loopback() const;  ///< this machine by its name: "localhost", or an address of its loopback network
};

/// Reads "host:port" or "[ipv6]:port". Errors: 2005 egress_refused.
Result<Origin> parse_origin(std::string_view text);

/// Whether a socket for the proxy of our own configuration may go to `address`: the port must agree, an address literal must be that
/// address, "localhost" must be loopback. Another name may be in the own network, where proxies stand, and nowhere else that is special:
/// not on this machine, at no link-local address (behind which clouds hand out credentials), no multicast.
bool may_be_proxy(const Origin& proxy, const sockaddr& address);

/// Immutable after create(); safe to share between threads.
class AllowList {
 public:
  /// Errors: 2005 egress_refused - an entry is not host:port, or `allow_private` names one that `allow` does not.
  static Result<AllowList> create(const std::vector<std::string>& allow, const std::vector<std::string>& allow_private);

  /// Errors: 2005 egress_refused - the list has no such entry.
  Result<void> check_origin(const Origin& origin) const;

  /// Whether a socket for `origin` may go to `address`: the port must agree, an address literal must be that address,
  /// "localhost" must be loopback, and another name may be inside the own network only when it was allowed to.
  bool may_connect(const Origin& origin, const sockaddr& address) const;

 private:
  std::set<Origin> allow_;
  std::set<Origin> allow_private_;
};

}  // namespace tandem::client
