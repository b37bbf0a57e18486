#include "house.h"
#include "tandem/base/text.h"
#include "tandem/middleware/adapter/ionq/ionq.h"
#include "tandem/middleware/adapter/labdevice/labdevice.h"
#include "tandem/middleware/backend/local_backend.h"
#include "tandem/middleware/remote/remote_backend.h"
#include "tandem/orchestrate/resilience/breaker.h"

namespace tandem::app {
namespace {

/// A replay package holds the whole job and the raw results in base64: four times what a server may be set to take.
constexpr std::uint64_t kServerAnswerBytesMax = 4ull << 30;
constexpr std::chrono::seconds kIonqRequestTimeout{30};  // as long as the vendor's own client waits

/// "https://host/path" -> "host:443": what the allow-list of the client compares.
std::string host_and_port(const std::string& url) {
  const std::size_t scheme = url.find("://");
  std::string rest = scheme == std::string::npos ? url : url.substr(scheme + 3);
  rest = rest.substr(0, rest.find('/'));
  const std::size_t colon = rest.rfind(':');
  const bool has_port = colon != std::string::npos && rest.find(']', colon) == std::string::npos;
  if (!has_port) rest += url.starts_with("https:") ? ":443" : ":80";
  return rest;
}

/// No provider lives on this machine: an emulator answers there, and has to say so in each answer.
bool is_loopback(const std::string& url) {
  const auto origin = client::parse_origin(host_and_port(url));
  return origin && origin->is_loopback();
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

/// What a backend behind a wire borrows.
struct Borrowed {
  remote::RemoteServices services;
  Meter& meter;
};

constexpr std::uint64_t kPriceFileMax = 16u << 20;

/// Of the setting prices.file. Backends that name a price of their own to everybody, or cost nothing, have no place in it.
Result<remote::PriceList> read_prices(const Settings& settings, Fs& fs) {
  const std::string path = settings.string("prices.file");
  if (path.empty()) return remote::PriceList();
  std::vector<std::string> names;
  for (const std::string& name : ionq::backend_names()) {
    TANDEM_TRY_ASSIGN(const auto codec, ionq::make_codec({.backend = name}));
    if (codec->manifest().info.metered) names.push_back(codec->manifest().info.id.value);
  }
  const std::vector<std::string_view> backends(names.begin(), names.end());
  TANDEM_TRY_ASSIGN(const Bytes text, fs.read_file(path, kPriceFileMax));
  return remote::PriceList::parse(text, path, backends);
}

/// What talks to one of IonQ's backends. Errors: 1061 bad_setting - it is none.
struct IonqWire {
  std::unique_ptr<const remote::Codec> codec;
  remote::RemoteOptions options;
};
Result<IonqWire> ionq_wire(const Settings& settings, std::string_view name) {
  const std::string url = settings.string("ionq.url");
  auto codec = ionq::make_codec({.backend = std::string(trim(name)), .emulated = is_loopback(url)});
  if (!codec) {
    return fail_at(settings.value("ionq.backends").source, errors::kBadSetting, "the setting 'ionq.backends': {}",
                   codec.error().message);
  }
  return IonqWire{.codec = *std::move(codec),
                  .options = {.base_url = url,
                              .credential = settings.string("ionq.credential"),
                              .request_timeout = kIonqRequestTimeout,
                              .poll_interval = std::chrono::milliseconds(settings.integer("ionq.poll"))}};
}

Result<void> add_ionq(backend::BackendRegistry& out, const Settings& settings, Fs& fs, const Borrowed& borrowed) {
  TANDEM_TRY_ASSIGN(const remote::PriceList prices, read_prices(settings, fs));  // a mistake in it is told in any case
  if (settings.string("ionq.url").empty()) return {};
  const std::string names = settings.string("ionq.backends");  // split() hands out views of it
  for (const std::string_view name : split(names, ',')) {
    TANDEM_TRY_ASSIGN(IonqWire wire, ionq_wire(settings, name));
    wire.options.prices = prices;
    out.add(resilience::guard(
        remote::make_remote_backend(std::move(wire.codec), borrowed.services, std::move(wire.options)),
        borrowed.services.clock, borrowed.services.log, borrowed.meter));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Http>> make_http(const Settings& settings, Machine& machine, Executor& executor,
                                        const std::vector<std::string>& servers) {
  client::ClientOptions options{
      .allow = servers, .proxy = settings.string("egress.proxy"), .ca_file = settings.string("egress.ca_file")};
  if (!servers.empty()) options.response_bytes_max = kServerAnswerBytesMax;
  for (const char* name : {"lab.device_url", "ionq.url"}) {
    if (const std::string url = settings.string(name); !url.empty()) options.allow.push_back(host_and_port(url));
  }
  return client::CurlHttp::create(std::move(options), machine.clock, executor)
      .map([](std::unique_ptr<client::CurlHttp> http) { return std::unique_ptr<Http>(std::move(http)); });
}

Result<std::optional<remote::KeyOwner>> ask_whose_ionq_key(const Settings& settings, Executor& executor,
                                                           Machine& machine, Http& http, Credentials& credentials,
                                                           Log& log) {
  constexpr std::chrono::seconds kAskTime{20};
  const std::string names = settings.string("ionq.backends");
  TANDEM_TRY_ASSIGN(IonqWire wire, ionq_wire(settings, split(names, ',').front()));  // the same key for each of them
  return remote::ask_whose_key(std::move(wire.codec),
                               {.http = http,
                                .credentials = credentials,
                                .clock = machine.clock,
                                .executor = executor,
                                .rng = machine.rng,
                                .log = log},
                               std::move(wire.options), {.deadline = Deadline::after(machine.clock, kAskTime)});
}

Result<std::unique_ptr<backend::BackendRegistry>> make_backends(const Settings& settings, Executor& executor,
                                                                MachineMemory& memory, Machine& machine, Http& http,
                                                                Credentials& credentials, Log& log, Meter& meter) {
  auto out = std::make_unique<backend::BackendRegistry>();
  for (const solve::Solver* solver : solve::builtin_solvers())
    out->add(backend::make_solver_backend(*solver, executor, machine.clock, &memory));
  out->add(backend::make_statevector_backend(executor, machine.clock, memory_limit(settings, machine.fs), &memory));
  out->add(backend::make_absent_backend(absent_gpu(), "this build has no GPU module", machine.clock));
  const Borrowed borrowed{.services = {.http = http,
                                       .credentials = credentials,
                                       .clock = machine.clock,
                                       .executor = executor,
                                       .rng = machine.rng,
                                       .log = log},
                          .meter = meter};
  TANDEM_TRY(add_ionq(*out, settings, machine.fs, borrowed));
  const std::string device = settings.string("lab.device_url");
  if (device.empty()) {
    out->add(backend::make_absent_backend(
        absent_device(), "no device is configured; start one with `tandem emulate device` and set lab.device_url",
        machine.clock));
    return out;
  }
  remote::RemoteOptions options{.base_url = device,
                                .poll_interval = std::chrono::milliseconds(settings.integer("lab.device_poll"))};
  out->add(
      resilience::guard(remote::make_remote_backend(labdevice::make_codec(), borrowed.services, std::move(options)),
                        machine.clock, log, meter));
  return out;
}

}  // namespace tandem::app
