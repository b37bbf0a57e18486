// tandem/net/server/server.h - an HTTP/1.1 server for one origin: bounded, strict, loopback unless told otherwise.
//
// Room: net. Owns sockets, limits, who may speak to it (Host, Origin) and backpressure of streams. Not here: routes and
// problem documents (api/http), TLS of the API (a reverse proxy; what emulators offer is in ServerOptions), authentication (trust/identity). Beast stays behind this header.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/http.h"
#include "tandem/base/log.h"
#include "tandem/base/meter.h"
#include "tandem/base/result.h"

namespace tandem::server {

/// Who the server is on TLS.
struct TlsIdentity {
  std::string certificate_pem;  ///< the server's own, then those of the authorities between it and the client's trust
  std::string key_pem;  ///< without a passphrase
};

/// Limits are per connection unless said; whatever is above one is answered with an ErrorBody and the connection
/// closed.
struct ServerOptions {
  std::string listen = "127.0.0.1:8642";  ///< HOST:PORT or [IPv6]:PORT; port 0 takes a free one, see address()
  /// Io threads; handlers run on the Executor. Two, so that what one sends to thousands of streams delays half of them less, and not
  /// every other request.
  std::size_t threads = 2;
  std::uint64_t body_bytes_max = 64ull << 20;
  std::uint32_t header_bytes_max = 16u << 10;  ///< request line and headers together
  std::size_t headers_max = 100;
  std::size_t query_parameters_max = 100;
  std::size_t connections_max = 1024;  ///< of the server; one more gets 503 with Retry-After
  std::uint64_t stream_bytes_max = 256ull << 10;  ///< unsent bytes a stream holds before its client counts as too slow
  /// A request must have arrived whole this long after its first byte, and a client must take bytes of an answer this
  /// often.
  std::chrono::milliseconds request_timeout{30'000};
  std::chrono::milliseconds idle_timeout{60'000};  ///< between two requests of a connection
  /// Host values accepted beside those of loopback and of the address listened on, exact: "tandem.example:443".
  std::vector<std::string> allowed_hosts;
  bool allow_remote = false;  ///< listen on an address that is not loopback
  /// TLS 1.2 or newer on every connection; for emulated providers, whose clients expect https. A handshake counts as part of the
  /// first request.
  std::optional<TlsIdentity> tls = std::nullopt;
};

/// One request, whole, checked and decoded.
struct ServerRequest {
  std::string method;  ///< as sent; HEAD comes as HEAD and the server drops the body of its answer
  std::string path;  ///< percent-decoded valid UTF-8, starts with '/', no empty or dot segment inside, no encoded '/'
  std::map<std::string, std::string, std::less<>> query;  ///< decoded; a name that stands twice is refused
  Headers headers;  ///< names as sent; read them with header_value()
  Bytes body;
  std::string peer;  ///< "127.0.0.1:54321"
};

/// Bytes that nobody changes any more, so that many streams can send them without a copy for each.
using SharedBytes = std::shared_ptr<const Bytes>;

class Connection;

/// Streams that were given bytes and whose io threads do not know of it yet. They are told of many streams at once, at the latest
/// when this is destroyed: so an io thread sends to all of them before it turns to what has come of it.
/// Threads: one.
class Handover {
 public:
  /// An io thread is told of so many streams while others are still given theirs.
  static constexpr std::size_t kStreams = 256;

  Handover() = default;
  Handover(const Handover&) = delete;
  Handover& operator=(const Handover&) = delete;
  ~Handover();

 private:
  friend class Connection;
  std::vector<std::vector<std::shared_ptr<Connection>>> by_thread_;  ///< none is empty
};

/// A response whose end is open: server-sent events, logs. Closed when destroyed.
/// Threads: every method is safe to call concurrently, from any thread, also after the server is gone.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Takes all of `bytes` into the buffer and returns at once. False when the client is gone, the stream was closed, or
  /// the client is too slow: the buffer would exceed stream_bytes_max. Then what was taken before is still sent and the
  /// response breaks off, so that a reader of events, who comes back with Last-Event-ID, always gets further.
  virtual bool write(std::string_view bytes) = 0;
  /// The same without a copy, one of many. The bytes count in full for each stream that holds them.
  virtual bool write(SharedBytes bytes, Handover& handover) = 0;
  /// write() and close() in one, so that the end of the response travels with its last bytes.
  virtual bool write_last(SharedBytes bytes, Handover& handover) = 0;
  /// Bytes that were taken and not yet handed to the kernel; 0 when the response has ended.
  virtual std::uint64_t unsent() const = 0;
  /// `task` runs once on the Executor when all that was written before has been handed to the kernel, or the response
  /// has ended: the moment to write the next page of a long replay. When it has ended already, at once on this thread.
  virtual void on_drained(Task task) = 0;
  /// Sends what is buffered, then ends the response. Further writes return false.
  virtual void close() = 0;
  /// `task` runs once on the Executor when the response has ended for whatever reason; when it has already, at once on
  /// this thread.
  virtual void on_close(Task task) = 0;
};

/// The one answer to a request. Dropping it unanswered answers 500 (1001 internal).
/// Threads: may be kept and used on any thread, also after the server is gone (the answer then goes nowhere).
class Responder {
 public:
  virtual ~Responder() = default;
  /// Sets Content-Length, Connection and Date itself; `response.headers` must not. Exactly one of send,
  /// start_stream and abort, once.
  virtual void send(HttpResponse response) = 0;
  /// Sends status and headers, then whatever the stream is given (chunked; the connection closes after it).
  [[nodiscard]] virtual std::unique_ptr<Stream> start_stream(int status, Headers headers) = 0;
  /// Closes the connection without a byte of an answer. For test beds that play a broken network (lab); it counts as
  /// the one answer.
  virtual void abort() = 0;
};

/// Runs on the Executor and may block briefly. Called for every request that passes the checks of this file.
using Handler = std::function<void(ServerRequest, std::shared_ptr<Responder>)>;

/// Makes the answer for a request that never reached the handler. Runs on an io thread; must not block.
/// Numbers: 6001 bad_request; 6002 host_refused; 6003 origin_refused; 6007 server_overloaded; 6008 head_too_large;
///          6009 request_timeout; 1003 input_too_large - the body; 1001 internal - a handler threw or dropped its
///          responder.
using ErrorBody = std::function<HttpResponse(const Error&)>;

/// What the server borrows; all of it must outlive the server.
struct ServerSeams {
  Executor& executor;
  const Clock& clock;
  Log& log;
  Meter& meter;
};

/// Threads: every method is safe to call concurrently. Destroy it outside the Executor: the destructor waits for
///          handlers.
class Server {
 public:
  /// Listens and serves until destroyed.
  ///
  /// Errors: 1023 value_out_of_range - a TLS identity that is none, or a key of another certificate; 2010 address_in_use; 2011 bad_address - the form, an unknown name, no such address here, no right to the
  ///         port; 2012 address_not_loopback - without allow_remote.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler handler, ErrorBody error_body,
                                               ServerSeams seams);

  virtual ~Server() = default;
  /// "127.0.0.1:43210": what it really listens on.
  virtual const std::string& address() const = 0;
  /// No new connections; idle ones are closed; every further answer closes its connection. Ends streams and waits for
  /// requests in progress. True when none is left, false at the deadline.
  virtual bool drain(Deadline deadline) = 0;
  /// Connections open now, the refused ones not counted.
  virtual std::size_t connections() const = 0;
};

}  // namespace tandem::server
