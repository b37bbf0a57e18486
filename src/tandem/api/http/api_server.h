// tandem/api/http/api_server.h - the HTTP API of contract/openapi.yaml: routes, problem documents, server-sent events.
//
// Room: api. Thin: each route finds out who asks and is one call of his Service. Sockets and limits are net/server's.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tandem/api/service/service.h"
#include "tandem/evidence/telemetry/telemetry.h"
#include "tandem/net/server/server.h"
#include "tandem/trust/identity/identity_book.h"

namespace tandem::http {

struct ApiServices {
  std::function<std::shared_ptr<service::Service>(identity::PrincipalPtr)> service_of;
  const identity::IdentityBook& identities;
  engine::Engine& engine;               ///< for event streams and waiting
  const problem::ProblemRegistry& problems;
  store::Store& store;                  ///< for /readyz
  telemetry::MeterRegistry& meters;     ///< for /metrics
};

/// Threads: every method is safe to call concurrently.
class ApiServer {
 public:
  /// Errors: those of server::Server::start.
  static Result<std::unique_ptr<ApiServer>> start(server::ServerOptions options, ApiServices services,
                                                  server::ServerSeams seams);
  virtual ~ApiServer() = default;
  virtual const std::string& address() const = 0;
  /// Readiness goes first, so that a balancer looks elsewhere; then requests are finished.
  virtual bool drain(Deadline deadline) = 0;
};

/// contract/openapi.yaml as it stood when this was built; embedded by part.cmake.
std::string_view openapi_yaml();

}  // namespace tandem::http
