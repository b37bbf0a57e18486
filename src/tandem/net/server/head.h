// tandem/net/server/head.h - what a request head must fulfil, and how a response head is written. Pure.
//
// Room: net. Beast parses; this file refuses what Beast 1.74 lets through and two readers could understand differently.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/http.h"
#include "tandem/base/result.h"

namespace tandem::server {

enum class HttpVersion : std::uint8_t { k10, k11 };

/// Host values that name this server, lower case.
using HostSet = std::set<std::string, std::less<>>;

/// Loopback names with `port`, the address itself where it is specific, and `extra`; without ":80" too when the port is
/// 80.
HostSet allowed_hosts(std::string_view listen_host, std::uint16_t port, const std::vector<std::string>& extra);

/// Errors: 6001 bad_request - length and coding that contradict each other or are not plain digits / exactly "chunked",
///         no Host or several, an expectation other than 100-continue; 6002 host_refused; 6003 origin_refused.
Result<void> check_head(const Headers& headers, HttpVersion version, const HostSet& hosts);

/// The value of a header that may stand once; empty when it is absent. Errors: 6001 bad_request - it stands twice.
Result<std::optional<std::string_view>> only_value(const Headers& headers, std::string_view name);

/// True when the client waits for "100 Continue" before it sends the body.
bool expects_continue(const Headers& headers, HttpVersion version);

/// Names are tokens, values have no control characters; and none is one that the server sets itself.
bool are_sendable(const Headers& headers);

/// How the end of a response is marked.
struct Framing {
  enum class Kind : std::uint8_t { kLength, kChunked, kUntilClose, kNone } kind = Kind::kNone;
  std::uint64_t length = 0;
};

/// "HTTP/1.1 200 OK" to the blank line. `keep_alive` decides the Connection header.
std::string response_head(int status, const Headers& headers, Framing framing, bool keep_alive, Timestamp now);

/// "OK" for 200; empty for a status without a well-known phrase.
std::string_view reason_phrase(int status);

/// RFC 9110 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(Timestamp time);

}  // namespace tandem::server
