#include "house.h"
#include "tandem/middleware/adapter/labdevice/labdevice.h"
#include "tandem/middleware/backend/local_backend.h"
#include "tandem/middleware/remote/remote_backend.h"
#include "tandem/orchestrate/resilience/breaker.h"

namespace tandem::app {
namespace {

/// A replay package holds the whole job and the raw results in base64: four times what a server may be set to take.
constexpr std::uint64_t kServerAnswerBytesMax = 4ull << 30;

/// "http://127.0.0.1:9641" -> "127.0.0.1:9641": what the allow-list of the client compares.
std::string host_and_port(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::string rest = scheme == std::string::npos ? url : url.substr(scheme + 3);
  return rest.substr(0, rest.find('/'));
}

backend::BackendInfo absent_gpu() {
  return {.id = BackendId("gpu.cuda"),
          .name = "CUDA device",
          .version = "0",
          .tier = job::Tier::kGpu,
          .takes_program = true,
          .conformance = "absent",
          .best_for = "state vectors of 25 to 33 qubits"};
}

backend::BackendInfo absent_device() {
  return {.id = BackendId("lab.device"),
          .name = "emulated device",
          .version = "0",
          .tier = job::Tier::kQpu,
          .access = job::Access::kCloud,
          .emulated = true,
          .metered = true,
          .takes_program = true,
          .conformance = "absent",
          .vendor = "lab",
          .region = "local",
          .best_for = "rehearsing paid quantum work"};
}

}  // namespace

Result<std::unique_ptr<Http>> make_http(const Settings& settings, Machine& machine, Executor& executor,
                                        const std::vector<std::string>& servers) {
  client::ClientOptions options{
      .allow = servers, .proxy = settings.string("egress.proxy"), .ca_file = settings.string("egress.ca_file")};
  if (!servers.empty()) options.response_bytes_max = kServerAnswerBytesMax;
  if (const std::string device = settings.string("lab.device_url"); !device.empty())
    options.allow.push_back(host_and_port(device));
  return client::CurlHttp::create(std::move(options), machine.clock, executor)
      .map([](std::unique_ptr<client::CurlHttp> http) { return std::unique_ptr<Http>(std::move(http)); });
}

Result<std::unique_ptr<backend::BackendRegistry>> make_backends(const Settings& settings, Executor& executor,
                                                                Machine& machine, Http& http, Credentials& credentials,
                                                                Log& log, Meter& meter) {
  auto out = std::make_unique<backend::BackendRegistry>();
  for (const solve::Solver* solver : solve::builtin_solvers())
    out->add(backend::make_solver_backend(*solver, executor, machine.clock));
  out->add(backend::make_statevector_backend(executor, machine.clock, memory_limit(settings, machine.fs)));
  out->add(backend::make_absent_backend(absent_gpu(), "this build has no GPU module", machine.clock));
  const std::string device = settings.string("lab.device_url");
  if (device.empty()) {
    out->add(backend::make_absent_backend(
        absent_device(), "no device is configured; start one with `tandem emulate device` and set lab.device_url",
        machine.clock));
    return out;
  }
  remote::RemoteOptions options{.base_url = device,
                                .poll_interval = std::chrono::milliseconds(settings.integer("lab.device_poll"))};
  out->add(resilience::guard(remote::make_remote_backend(labdevice::make_codec(),
                                                         {.http = http,
                                                          .credentials = credentials,
                                                          .clock = machine.clock,
                                                          .executor = executor,
                                                          .rng = machine.rng,
                                                          .log = log},
                                                         std::move(options)),
                             machine.clock, log, meter));
  return out;
}

}  // namespace tandem::app
