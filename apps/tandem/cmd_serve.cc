// apps/tandem/cmd_serve.cc - serve: API, scheduler and workers on one data directory, until SIGTERM or SIGINT.
#include <pthread.h>
#include <unistd.h>

#include <csignal>

#include "cli.h"
#include "tandem/api/http/api_server.h"

namespace tandem::app {
namespace {

constexpr std::size_t kHandlerThreads = 4;  ///< they mostly wait for the store's next sync

/// Blocks the signals that end a server, for this thread and all that it starts.
sigset_t block_ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

Result<int> serve(Cli& cli) {
  const sigset_t signals = block_ending_signals();
  TANDEM_TRY_ASSIGN(const Settings settings, cli.settings());
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kWorker));
  if (reached.house == nullptr) {
    return fail(errors::kLockHeld,
                "a server at {} already holds this data directory; use it, stop it, or give another --data",
                reached.server);
  }
  House& house = *reached.house;
  const server::ServerOptions options{
      .listen = settings.string("server.listen"),
      .body_bytes_max = static_cast<std::uint64_t>(settings.integer("server.body_bytes_max")),
      .header_bytes_max = static_cast<std::uint32_t>(settings.integer("server.header_bytes_max")),
      .connections_max = static_cast<std::size_t>(settings.integer("server.connections_max")),
      .request_timeout = std::chrono::milliseconds(settings.integer("server.request_timeout"))};
  // Requests have threads of their own: solvers may fill the house's pool for minutes.
  ThreadExecutor handlers(kHandlerThreads);
  TANDEM_TRY_ASSIGN(
      const auto api,
      http::ApiServer::start(
          options,
          {.service = house.service(),
           .engine = house.engine(),
           .problems = house.problems(),
           .store = house.store(),
           .meters = house.meters()},
          {.executor = handlers, .clock = cli.machine.clock, .log = *reached.log, .meter = house.meters()}));
  const Json facts = {{"address", api->address()}, {"pid", ::getpid()}, {"version", TANDEM_VERSION}};
  TANDEM_TRY(cli.machine.fs.write_file_atomic(server_file(house.data_dir()), facts.dump()));
  if (cli.json) {
    print_json_line({{"state", "listening"},
                     {"address", api->address()},
                     {"data_dir", house.data_dir()},
                     {"pid", ::getpid()},
                     {"version", TANDEM_VERSION}});
  } else {
    fmt::print("serving http://{} on {}\n", api->address(), house.data_dir());
  }
  std::fflush(stdout);

  int signal = 0;
  sigwait(&signals, &signal);
  const Deadline deadline =
      Deadline::after(cli.machine.clock, std::chrono::milliseconds(settings.integer("server.drain_timeout")));
  if (cli.json)
    print_json_line({{"state", "draining"}, {"pid", ::getpid()}});
  else
    fmt::print("draining\n");
  std::fflush(stdout);
  house.engine().drain(deadline);
  api->drain(Deadline::after(cli.machine.clock, std::chrono::seconds(1)));
  TANDEM_TRY(cli.machine.fs.remove_file(server_file(house.data_dir())));
  return 0;
}

}  // namespace

void add_serve(CLI::App& app, Cli& cli) {
  CLI::App* command = app.add_subcommand("serve", "serve the API and run jobs on the data directory until SIGTERM");
  command
      ->add_option_function<std::string>(
          "--listen", [&cli](const std::string& value) { cli.flags["server.listen"] = value; },
          "HOST:PORT, loopback only; port 0 takes a free one")
      ->type_name("HOST:PORT");
  command->add_option_function<std::string>(
      "--workers", [&cli](const std::string& value) { cli.flags["engine.workers"] = value; }, "jobs at once");
  command->add_option_function<std::string>(
      "--device", [&cli](const std::string& value) { cli.flags["lab.device_url"] = value; },
      "URL of an emulated device to use as a backend");
  command->callback([&cli] { cli.action = [&cli] { return serve(cli); }; });
}

}  // namespace tandem::app
