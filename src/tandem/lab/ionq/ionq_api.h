// tandem/lab/ionq/ionq_api.h - IonqApi: the routes and documents of API v0.4, strict on what it is sent.
//
// Room: lab. Pure but for the IonqCloud it speaks for. Not here: sockets and faults (ionq_server.h).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "tandem/base/http.h"
#include "tandem/lab/ionq/cloud.h"
#include "tandem/lab/provider/fault_script.h"
#include "tandem/net/server/server.h"

namespace tandem::lab {

/// Every resource that is emulated.
enum class IonqResource : std::uint8_t {
  kWhoami,
  kBackends,
  kBackend,
  kCharacterizations,
  kCharacterization,
  kCreateJob,
  kListJobs,
  kEstimate,
  kJob,
  kDeleteJob,
  kCost,
  kCancel,
  kProbabilities,
  kHistogram,
  kShots,
};

/// Where a request goes.
struct IonqRoute {
  IonqResource resource = IonqResource::kBackends;
  Operation operation = Operation::kDevice;  ///< what a fault script calls it
  std::string id;  ///< of the job or backend in the path
  std::string second;  ///< of the characterization
};

/// {"statusCode","error","message"}, labelled as emulated.
HttpResponse ionq_error(int status, std::string_view message);

/// Threads: safe to call concurrently.
class IonqApi {
 public:
  IonqApi(IonqCloud& cloud, const IonqOptions& options, const Clock& clock)
      : cloud_(cloud), options_(options), clock_(clock) {}

  /// What it has, and so what faults may happen to.
  static std::span<const Operation> operations();
  /// The route of a request, or the refusal that it gets: 401, 404 or 405.
  std::variant<IonqRoute, HttpResponse> route(const server::ServerRequest& request) const;
  HttpResponse handle(const IonqRoute& route, const server::ServerRequest& request);

 private:
  /// The name as our backends have it; tolerates "qpu" of clients that say so.
  std::string backend_name(std::string name, std::string_view user_agent) const;
  Json backend_document(const IonqBackend& backend) const;
  Json characterization_document(const IonqBackend& backend) const;
  Json job_document(const IonqJob& job) const;
  HttpResponse create(const server::ServerRequest& request);
  HttpResponse list(const server::ServerRequest& request) const;
  HttpResponse estimate(const server::ServerRequest& request) const;
  HttpResponse characterizations(const IonqRoute& route, const server::ServerRequest& request) const;
  HttpResponse cancel(const std::string& id);
  HttpResponse remove(const std::string& id);
  HttpResponse cost(const IonqJob& job) const;
  HttpResponse result(IonqResource resource, const IonqJob& job) const;

  IonqCloud& cloud_;
  const IonqOptions& options_;
  const Clock& clock_;
};

}  // namespace tandem::lab
