// apps/tandem/cmd_emulate.cc - emulate device: the emulated device as a process of its own.
#include <pthread.h>
#include <unistd.h>

#include <csignal>

#include "cli.h"
#include "tandem/base/text.h"
#include "tandem/lab/device/device_server.h"

namespace tandem::app {
namespace {

constexpr std::uint64_t kScriptBytesMax = 1u << 20;
constexpr std::size_t kDeviceThreads = 2;

struct EmulateFlags {
  lab::DeviceOptions options;
  std::string faults;
  std::int64_t queue_ms = 20;
  std::string price_per_job_usd;
  std::string price_per_shot_usd;
};

Result<int> emulate_device(Cli& cli, EmulateFlags flags) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  flags.options.queue_time = std::chrono::milliseconds(flags.queue_ms);
  if (!flags.price_per_job_usd.empty()) {
    TANDEM_TRY_ASSIGN(flags.options.price_per_job.usd_micros, parse_usd(flags.price_per_job_usd));
  }
  if (!flags.price_per_shot_usd.empty()) {
    TANDEM_TRY_ASSIGN(flags.options.price_per_shot.usd_micros, parse_usd(flags.price_per_shot_usd));
  }
  if (!flags.faults.empty()) {
    TANDEM_TRY_ASSIGN(const Bytes script, cli.machine.fs.read_file(flags.faults, kScriptBytesMax));
    TANDEM_TRY_ASSIGN(flags.options.faults, lab::FaultScript::parse(script, flags.faults));
  }
  ThreadExecutor executor(kDeviceThreads);
  StderrLog log(LogLevel::kWarning);
  telemetry::MeterRegistry meters;
  TANDEM_TRY_ASSIGN(
      const auto device,
      lab::DeviceServer::start(
          flags.options,
          {.executor = executor, .clock = cli.machine.clock, .fs = cli.machine.fs, .log = log, .meter = meters}));
  if (cli.json) {
    print_json_line({{"state", "listening"},
                     {"address", device->address()},
                     {"book", flags.options.book},
                     {"pid", ::getpid()},
                     {"emulated", true}});
  } else {
    fmt::print("emulated device (not hardware) at http://{}, book {}\n", device->address(), flags.options.book);
  }
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  if (cli.json) print_json_line({{"state", "draining"}, {"pid", ::getpid()}});
  std::fflush(stdout);
  device->drain(Deadline::after(cli.machine.clock, std::chrono::seconds(2)));
  return 0;
}

}  // namespace

void add_emulate(CLI::App& app, Cli& cli) {
  CLI::App* command =
      app.add_subcommand("emulate", "emulated providers as processes of their own, for rehearsal and tests");
  command->require_subcommand(1);
  CLI::App* device = command->add_subcommand(
      "device", "an emulated quantum device with queue, noise, price, faults and a book of billed work");
  auto flags = std::make_shared<EmulateFlags>();
  device->add_option("--listen", flags->options.listen, "HOST:PORT, loopback only; port 0 takes a free one")
      ->capture_default_str();
  device->add_option("--book", flags->options.book, "append-only file of billed work")->required()->type_name("FILE");
  device->add_option("--faults", flags->faults, "fault script (YAML or JSON), see docs/guide/lab_device.md")
      ->type_name("FILE");
  device->add_option("--seed", flags->options.seed, "same seed, token and program: same counts")->capture_default_str();
  device->add_option("--qubits", flags->options.qubits)
      ->check(CLI::Range(1u, lab::DeviceOptions::kQubitsMax))
      ->capture_default_str();
  device->add_option("--queue-ms", flags->queue_ms, "wait at the head of the queue")
      ->check(CLI::Range(0, 3'600'000))
      ->capture_default_str();
  device->add_option("--price-job-usd", flags->price_per_job_usd, "emulated price of a job");
  device->add_option("--price-shot-usd", flags->price_per_shot_usd, "emulated price of a shot");
  device->callback([&cli, flags] { cli.action = [&cli, flags] { return emulate_device(cli, *flags); }; });
}

}  // namespace tandem::app
