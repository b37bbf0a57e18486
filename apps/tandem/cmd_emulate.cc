// apps/tandem/cmd_emulate.cc - emulate device|ionq: an emulated provider as a process of its own.
#include <pthread.h>
#include <unistd.h>

#include <csignal>

#include "cli.h"
#include "tandem/base/text.h"
#include "tandem/lab/device/device_server.h"
#include "tandem/lab/ionq/ionq_server.h"

namespace tandem::app {
namespace {

constexpr std::uint64_t kScriptBytesMax = 1u << 20;
constexpr std::size_t kProviderThreads = 2;

/// What every emulator is told; the rest is in its options.
struct CommonFlags {
  std::string faults;
  std::int64_t queue_ms = 20;
};
struct DeviceFlags {
  lab::DeviceOptions options;
  CommonFlags common;
  std::string price_per_job_usd;
  std::string price_per_shot_usd;
};
struct IonqFlags {
  lab::IonqOptions options;
  CommonFlags common;
  std::vector<std::string> tls;  ///< certificate, key
};

Result<lab::FaultScript> read_faults(Cli& cli, const std::string& path) {
  if (path.empty()) return lab::FaultScript{};
  TANDEM_TRY_ASSIGN(const Bytes script, cli.machine.fs.read_file(path, kScriptBytesMax));
  return lab::FaultScript::parse(script, path);
}

/// Starts a provider, says where it listens, and serves until it is told to end.
template <typename Provider, typename Options>
Result<int> serve_until_signal(Cli& cli, const Options& options, std::string_view what, std::string_view scheme) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ThreadExecutor executor(kProviderThreads);
  StderrLog log(LogLevel::kWarning);
  telemetry::MeterRegistry meters;
  TANDEM_TRY_ASSIGN(
      const auto provider,
      Provider::start(
          options,
          {.executor = executor, .clock = cli.machine.clock, .fs = cli.machine.fs, .log = log, .meter = meters}));
  if (cli.json) {
    print_json_line({{"state", "listening"},
                     {"address", provider->address()},
                     {"book", options.book},
                     {"pid", ::getpid()},
                     {"emulated", true}});
  } else {
    fmt::print("{} (not hardware) at {}://{}, book {}\n", what, scheme, provider->address(), options.book);
  }
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  if (cli.json) print_json_line({{"state", "draining"}, {"pid", ::getpid()}});
  std::fflush(stdout);
  provider->drain(Deadline::after(cli.machine.clock, std::chrono::seconds(2)));
  return 0;
}

Result<int> emulate_device(Cli& cli, DeviceFlags flags) {
  flags.options.queue_time = std::chrono::milliseconds(flags.common.queue_ms);
  if (!flags.price_per_job_usd.empty()) {
    TANDEM_TRY_ASSIGN(flags.options.price_per_job.usd_micros, parse_usd(flags.price_per_job_usd));
  }
  if (!flags.price_per_shot_usd.empty()) {
    TANDEM_TRY_ASSIGN(flags.options.price_per_shot.usd_micros, parse_usd(flags.price_per_shot_usd));
  }
  TANDEM_TRY_ASSIGN(flags.options.faults, read_faults(cli, flags.common.faults));
  return serve_until_signal<lab::DeviceServer>(cli, flags.options, "emulated device", "http");
}

Result<int> emulate_ionq(Cli& cli, IonqFlags flags) {
  flags.options.queue_time = std::chrono::milliseconds(flags.common.queue_ms);
  TANDEM_TRY_ASSIGN(flags.options.faults, read_faults(cli, flags.common.faults));
  const bool tls = !flags.tls.empty();
  if (tls) {
    flags.options.tls_certificate_file = flags.tls[0];
    flags.options.tls_key_file = flags.tls[1];
  }
  return serve_until_signal<lab::IonqServer>(cli, flags.options, "emulated IonQ cloud", tls ? "https" : "http");
}

/// The flags that all emulators have.
template <typename Options>
void add_common(CLI::App& command, Options& options, CommonFlags& common) {
  command.add_option("--listen", options.listen, "HOST:PORT, loopback only; port 0 takes a free one")
      ->capture_default_str();
  command.add_option("--book", options.book, "append-only file of billed work")->required()->type_name("FILE");
  command.add_option("--faults", common.faults, "fault script (YAML or JSON), see docs/guide/lab_device.md")
      ->type_name("FILE");
  command.add_option("--seed", options.seed, "same seed and work: same results")->capture_default_str();
  command.add_option("--qubits", options.qubits)->check(CLI::Range(1u, Options::kQubitsMax))->capture_default_str();
  command.add_option("--queue-ms", common.queue_ms, "wait at the head of the queue")
      ->check(CLI::Range(0, 3'600'000))
      ->capture_default_str();
}

}  // namespace

void add_emulate(CLI::App& app, Cli& cli) {
  CLI::App* command =
      app.add_subcommand("emulate", "emulated providers as processes of their own, for rehearsal and tests");
  command->require_subcommand(1);
  CLI::App* device = command->add_subcommand(
      "device", "an emulated quantum device with queue, noise, price, faults and a book of billed work");
  auto flags = std::make_shared<DeviceFlags>();
  add_common(*device, flags->options, flags->common);
  device->add_option("--price-job-usd", flags->price_per_job_usd, "emulated price of a job");
  device->add_option("--price-shot-usd", flags->price_per_shot_usd, "emulated price of a shot");
  device->callback([&cli, flags] { cli.action = [&cli, flags] { return emulate_device(cli, *flags); }; });

  CLI::App* ionq = command->add_subcommand("ionq", "an emulated IonQ Quantum Cloud (API v0.4), see docs/guide/ionq.md");
  auto ionq_flags = std::make_shared<IonqFlags>();
  add_common(*ionq, ionq_flags->options, ionq_flags->common);
  ionq->add_option("--api-key", ionq_flags->options.api_key, "the only key that is taken; empty: any");
  ionq->add_option("--tls", ionq_flags->tls, "PEM files: the certificate with its chain, and its key; serve https")
      ->expected(2)
      ->type_name("CERTIFICATE KEY");
  ionq->callback([&cli, ionq_flags] { cli.action = [&cli, ionq_flags] { return emulate_ionq(cli, *ionq_flags); }; });
}

}  // namespace tandem::app
