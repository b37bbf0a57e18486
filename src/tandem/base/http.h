// tandem/base/http.h - the Http seam: one request out, one response back. And the values both sides of HTTP share.
//
// Room: base. net/client implements it with libcurl; testing/scripted_http.h has the double. The server side is net/server.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/base/bytes.h"
#include "tandem/base/clock.h"
#include "tandem/base/result.h"

namespace tandem {

using Headers = std::vector<std::pair<std::string, std::string>>;
/// The first value of a header, names compared without case; empty when absent.
std::string_view header_value(const Headers& headers, std::string_view name);

/// A token of RFC 9110 5.6.2: what methods and names of headers are made of.
bool is_http_token(std::string_view text);

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  Headers headers;
  Bytes body;
  friend bool operator==(const HttpRequest&, const HttpRequest&) = default;
};

struct HttpResponse {
  int status = 0;
  Headers headers;
  Bytes body;
  friend bool operator==(const HttpResponse&, const HttpResponse&) = default;
};

/// Whether the bytes of the request may have reached the peer when an error came back.
/// For a submission that costs money this is the whole question.
enum class Sent : std::uint8_t { kNo, kMaybe };

struct HttpFailure {
  Error error;
  Sent sent = Sent::kMaybe;
};

/// Threads: safe to call concurrently. Never follows a redirect.
/// Retries: none of what may have an effect: its bytes leave at most once. A GET or HEAD without a body may be put on the wire
///          once more, unseen, when a connection that was kept from an earlier request turns out to be dead.
class Http {
 public:
  virtual ~Http() = default;
  /// Blocks until the whole response is there or `deadline` passes. A response of any status is a success of the transport.
  /// Errors: 2001 peer_unreachable; 2002 peer_timeout; 2003 connection_lost; 2004 response_too_large; 2005 egress_refused; 2006 tls_failed.
  virtual tl::expected<HttpResponse, HttpFailure> send(const HttpRequest& request, Deadline deadline) = 0;
};

}  // namespace tandem
