#include "tandem/lab/ionq/ionq_server.h"

#include <optional>

#include "tandem/lab/ionq/cloud.h"
#include "tandem/lab/ionq/ionq_api.h"
#include "tandem/lab/provider/fault_stage.h"
#include "tandem/lab/provider/shifted_clock.h"
#include "tandem/net/server/server.h"

namespace tandem::lab {
namespace {

using server::Responder;
using server::ServerRequest;

constexpr std::uint64_t kPemBytesMax = 1u << 20;

/// What the server itself refuses never reaches the API.
HttpResponse transport_refusal(const Error& error) {
  return ionq_error(error_record(error.number).http_status, error.message);
}

HttpResponse planted(int status, std::string_view /*code*/, std::string_view detail) {
  return ionq_error(status, detail);
}

/// Of counts; a table of probabilities has no shots to lose.
HttpResponse with_half_of_the_shots(HttpResponse response) {
  auto document = parse_json(response.body, "result");
  if (!document || !document->is_object()) return response;
  Json rest = Json::object();
  for (const auto& [outcome, count] : document->items()) {
    if (!count.is_number_unsigned()) return response;
    const auto all = count.get<std::uint64_t>();
    if (all - all / 2 > 0) rest[outcome] = all - all / 2;
  }
  response.body = rest.dump();
  return response;
}

/// As before the price rose.
HttpResponse with_half_of_the_price(HttpResponse response) {
  auto document = parse_json(response.body, "estimate");
  if (!document || !document->is_object() || !document->contains("estimated_cost")) return response;
  (*document)["estimated_cost"] = (*document)["estimated_cost"].get<double>() / 2;
  response.body = document->dump();
  return response;
}

class EmulatedIonq final : public IonqServer {
 public:
  EmulatedIonq(IonqOptions options, ProviderSeams seams) : options_(std::move(options)), seams_(seams) {}
  ~EmulatedIonq() override {
    stage_.close();
    server_.reset();  // waits for the handlers, which use what stands below
  }

  Result<void> start() {
    TANDEM_TRY(options_.faults.check_operations(IonqApi::operations()));
    TANDEM_TRY_ASSIGN(cloud_, IonqCloud::open(options_, clock_, seams_));
    api_.emplace(*cloud_, options_, clock_);
    server::ServerOptions with{.listen = options_.listen, .body_bytes_max = 16u << 20};
    if (!options_.tls_certificate_file.empty()) {
      TANDEM_TRY_ASSIGN(Bytes certificate, seams_.fs.read_file(options_.tls_certificate_file, kPemBytesMax));
      TANDEM_TRY_ASSIGN(Bytes key, seams_.fs.read_file(options_.tls_key_file, kPemBytesMax));
      with.tls = server::TlsIdentity{.certificate_pem = std::move(certificate), .key_pem = std::move(key)};
    }
    TANDEM_TRY_ASSIGN(
        server_, server::Server::start(with,
                                       [this](ServerRequest request, std::shared_ptr<Responder> responder) {
                                         handle(std::move(request), std::move(responder));
                                       },
                                       transport_refusal, {seams_.executor, seams_.clock, seams_.log, seams_.meter}));
    return {};
  }

  const std::string& address() const override { return server_->address(); }
  bool drain(Deadline deadline) override { return server_->drain(deadline); }

 private:
  void handle(ServerRequest request, std::shared_ptr<Responder> responder) {
    auto route = api_->route(request);
    if (auto* refusal = std::get_if<HttpResponse>(&route)) return responder->send(std::move(*refusal));
    const IonqRoute where = std::get<IonqRoute>(std::move(route));
    stage_.answer(
        where.operation,
        [this, where, shared = std::make_shared<ServerRequest>(std::move(request))] {
          return api_->handle(where, *shared);
        },
        std::move(responder));
  }

  IonqOptions options_;
  ProviderSeams seams_;
  ShiftedClock clock_{seams_.clock, options_.faults.clock_offset};
  std::unique_ptr<IonqCloud> cloud_;
  std::optional<IonqApi> api_;
  FaultStage stage_{options_.faults,
                    options_.seed,
                    {.problem = planted,
                     .with_half_of_the_shots = with_half_of_the_shots,
                     .with_half_of_the_price = with_half_of_the_price},
                    seams_.executor,
                    seams_.log};
  std::unique_ptr<server::Server> server_;
};

}  // namespace

Result<std::unique_ptr<IonqServer>> IonqServer::start(IonqOptions options, ProviderSeams seams) {
  auto out = std::make_unique<EmulatedIonq>(std::move(options), seams);
  TANDEM_TRY(out->start());
  return std::unique_ptr<IonqServer>(std::move(out));
}

}  // namespace tandem::lab
