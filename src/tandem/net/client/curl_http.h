// tandem/net/client/curl_http.h - the only way out of the process: HTTP over libcurl, to peers named beforehand.
//
// Room: net. Owns the allow-list, caps, deadlines and the answer to "may the request have left?" (Sent). Not here:
// retries (orchestrate, and of reads only), credentials (their header is in the request), redaction for logs
// (redact.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/http.h"
#include "tandem/base/result.h"
#include "tandem/net/client/allow_list.h"

namespace tandem::client {

struct ClientOptions {
  /// Peers that may be spoken to: "host:port", "[ipv6]:port", compared in lower case. All else is refused.
  std::vector<std::string> allow;
  /// Entries of `allow` whose name may also resolve to a loopback, private or link-local address (a device in the own
  /// network). Other names are refused there after DNS: a public name that suddenly points inside is an attack. Address
  /// literals and "localhost" need no entry here.
  std::vector<std::string> allow_private;
  std::uint64_t response_bytes_max = 64ull << 20;
  std::uint32_t response_header_bytes_max = 64u << 10;
  std::chrono::milliseconds connect_timeout{10'000};  ///< DNS, TCP and TLS together, within the request's deadline
  /// "http://host[:port]", of all peers but those that a loopback address names; empty: none, and the environment's is ignored. What
  /// it names is allowed by that; where it resolves to is checked for every socket (may_be_proxy), and the peers behind it by their names.
  std::string proxy;
  std::string ca_file;  ///< PEM bundle to trust instead of the system's; verification is never off
  std::size_t idle_connections_max = 64;  ///< kept for reuse
};

/// Before the first call of libcurl; send() does that. Errors: 1049 library_missing - none, or one that is too old.
Result<void> open_libcurl();

/// Http on libcurl: HTTP/1.1 over http and https, no redirects, no cookies, no content decoding, nothing kept on disk.
///
/// Secrets: a request with a header whose name says so (redact.h) goes out over https only, or to a loopback address.
/// Sent:    kNo exactly when libcurl never began to send the request (address refused, DNS, connect, TLS, deadline
///          before that).
/// Retries: as Http says. libcurl repeats what meets a dead kept connection and has no switch for that, so a GET or HEAD without
///          a body may use a kept one, and everything else always opens a new one.
/// Threads: safe to call concurrently; send() blocks its thread. All exchanges are driven by one thread, which has the connections.
class CurlHttp final : public Http {
 public:
  /// Errors: 2005 egress_refused - an entry of the allow-lists is not host:port, or the proxy is none.
  /// `clock` and `executor` outlive it.
  static Result<std::unique_ptr<CurlHttp>> create(ClientOptions options, const Clock& clock, Executor& executor);
  /// Nobody may be in send().
  ~CurlHttp() override;
  CurlHttp(const CurlHttp&) = delete;
  CurlHttp& operator=(const CurlHttp&) = delete;

  /// Errors: those of Http::send, and 1023 value_out_of_range - a method or header that cannot stand on the wire, or a
  /// header that this class sets itself (Host, Content-Length, Transfer-Encoding, Expect, Connection).
  tl::expected<HttpResponse, HttpFailure> send(const HttpRequest& request, Deadline deadline) override;

 private:
  class Driver;
  CurlHttp(std::unique_ptr<Driver> driver, ClientOptions options, AllowList allow_list, std::optional<Origin> proxy,
           const Clock& clock);
  ClientOptions options_;
  AllowList allow_list_;
  std::optional<Origin> proxy_;
  const Clock& clock_;
  std::unique_ptr<Driver> driver_;
};

}  // namespace tandem::client
