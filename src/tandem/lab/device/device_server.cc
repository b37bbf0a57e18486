#include "tandem/lab/device/device_server.h"

#include <optional>

#include "tandem/lab/device/api.h"
#include "tandem/lab/device/device.h"
#include "tandem/lab/provider/fault_stage.h"
#include "tandem/lab/provider/shifted_clock.h"
#include "tandem/net/server/server.h"

namespace tandem::lab {
namespace {

using server::Responder;
using server::ServerRequest;

/// What the server itself refuses never reaches the API.
HttpResponse transport_refusal(const Error& error) {
  return problem(error_record(error.number).http_status, "transport", error.message);
}

HttpResponse with_half_of_the_shots(HttpResponse response) {
  auto document = parse_json(response.body, "result");
  if (!document || !document->contains("pubs")) return response;
  for (Json& pub : (*document)["pubs"])
    for (Json& binding : pub["bindings"]) {
      if (!binding.contains("counts")) continue;
      Json rest = Json::object();
      for (const auto& [outcome, count] : binding["counts"].items()) {
        const auto all = count.get<std::uint64_t>();
        if (all - all / 2 > 0) rest[outcome] = all - all / 2;
      }
      binding["counts"] = std::move(rest);
    }
  response.body = document->dump();
  return response;
}

class EmulatedDevice final : public DeviceServer {
 public:
  EmulatedDevice(DeviceOptions options, ProviderSeams seams) : options_(std::move(options)), seams_(seams) {}
  ~EmulatedDevice() override {
    stage_.close();
    server_.reset();  // waits for the handlers, which use what stands below
  }

  Result<void> start() {
    TANDEM_TRY(options_.faults.check_operations(Api::operations()));
    TANDEM_TRY_ASSIGN(device_, Device::open(options_, {seams_.executor, clock_, seams_.fs, seams_.log, seams_.meter}));
    api_.emplace(*device_, options_);
    const server::ServerOptions with{.listen = options_.listen, .body_bytes_max = 16u << 20};
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
    const Route where = std::get<Route>(std::move(route));
    stage_.answer(
        where.operation,
        [this, where, shared = std::make_shared<ServerRequest>(std::move(request))] {
          return api_->handle(where, *shared);
        },
        std::move(responder));
  }

  DeviceOptions options_;
  ProviderSeams seams_;
  ShiftedClock clock_{seams_.clock, options_.faults.clock_offset};
  std::unique_ptr<Device> device_;
  std::optional<Api> api_;
  FaultStage stage_{
      options_.faults,
      options_.seed,
      {.problem = problem, .with_half_of_the_shots = with_half_of_the_shots, .with_half_of_the_price = nullptr},
      seams_.executor,
      seams_.log};
  std::unique_ptr<server::Server> server_;
};

}  // namespace

Result<std::unique_ptr<DeviceServer>> DeviceServer::start(DeviceOptions options, ProviderSeams seams) {
  auto out = std::make_unique<EmulatedDevice>(std::move(options), seams);
  TANDEM_TRY(out->start());
  return std::unique_ptr<DeviceServer>(std::move(out));
}

}  // namespace tandem::lab
