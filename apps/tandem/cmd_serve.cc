// apps/tandem/cmd_serve.cc - serve: API, scheduler and workers on one data directory, until SIGTERM or SIGINT.
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "cli.h"
#include "tandem/api/http/api_server.h"
#include "tandem/base/allocator.h"
#include "tandem/base/text.h"

namespace tandem::app {
namespace {

constexpr std::size_t kHandlerThreads = 4;  ///< they parse, read and answer; nobody waits for a sync
/// Of the time that a drain has, the share at its end in which steps that were told to stop do so.
constexpr int kStopShare = 5;
constexpr std::chrono::milliseconds kStopTimeMin{500};
constexpr std::chrono::milliseconds kStopTimeMax{2'000};

/// Blocks the signals that end a server, for this thread and all that it starts.
sigset_t block_ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

struct Roles {
  bool api = true;
  bool scheduler = true;
  bool worker = true;
};

Result<Roles> parse_roles(const std::string& text) {
  Roles out{.api = false, .scheduler = false, .worker = false};
  for (const std::string_view role : split(text, ',')) {
    if (role != "api" && role != "scheduler" && role != "worker") {
      return fail_at("--role", errors::kValueOutOfRange, "there is no role {}{}; there are api, scheduler and worker",
                     quote(role), did_you_mean(role, std::vector<std::string_view>{"api", "scheduler", "worker"}));
    }
    (role == "api" ? out.api : role == "worker" ? out.worker : out.scheduler) = true;
  }
  return out;
}

void say_listening(const Cli& cli, const House& house, const std::string& address) {
  if (cli.json) {
    print_json_line({{"state", "listening"},
                     {"address", address.empty() ? Json() : Json(address)},
                     {"data_dir", house.data_dir()},
                     {"pid", ::getpid()},
                     {"version", TANDEM_VERSION}});
  } else if (address.empty()) {
    fmt::print("working on the jobs of {}\n", house.data_dir());
  } else {
    fmt::print("serving http://{} on {}\n", address, house.data_dir());
  }
  std::fflush(stdout);
}

Result<std::unique_ptr<http::ApiServer>> start_api(Cli& cli, const Settings& settings, House& house, Log& log,
                                                   Executor& handlers) {
  const server::ServerOptions options{
      .listen = settings.string("server.listen"),
      .body_bytes_max = static_cast<std::uint64_t>(settings.integer("server.body_bytes_max")),
      .header_bytes_max = static_cast<std::uint32_t>(settings.integer("server.header_bytes_max")),
      .connections_max = static_cast<std::size_t>(settings.integer("server.connections_max")),
      .request_timeout = std::chrono::milliseconds(settings.integer("server.request_timeout"))};
  TANDEM_TRY_ASSIGN(
      auto api, http::ApiServer::start(
                    options,
                    {.service_of = [&house](identity::PrincipalPtr who) { return house.service_of(std::move(who)); },
                     .identities = house.identities(),
                     .engine = house.engine(),
                     .problems = house.problems(),
                     .store = house.store(),
                     .meters = house.meters()},
                    {.executor = handlers, .clock = house.store_clock(), .log = log, .meter = house.meters()}));
  // The instance tells it from one with its address and, in a container, its pid.
  const Json facts = {{"address", api->address()},
                      {"pid", ::getpid()},
                      {"instance", new_uuid7(cli.machine.clock, cli.machine.rng)},
                      {"version", TANDEM_VERSION}};
  TANDEM_TRY(cli.machine.fs.write_file_atomic(server_file(house.data_dir()), facts.dump()));
  return api;
}

/// Returns how many runs did not stop in time.
std::size_t drain(engine::Engine& engine, const Clock& clock, std::chrono::milliseconds time) {
  const auto stop_time = std::clamp(time / kStopShare, kStopTimeMin, kStopTimeMax);
  const auto work_time = std::max(time - stop_time, std::chrono::milliseconds(0));
  return engine.drain(Deadline::after(clock, work_time), Deadline::after(clock, work_time + stop_time));
}

Role role_of(const Roles& roles) {
  if (roles.worker) return roles.scheduler ? Role::kWorker : Role::kOnlyWorker;
  return roles.scheduler ? Role::kScheduler : Role::kReader;
}

Result<int> serve(Cli& cli, const Roles& roles) {
  const sigset_t signals = block_ending_signals();
  TANDEM_TRY_ASSIGN(const Settings settings, cli.settings());
  const bool shared = !settings.string("store.address").empty();
  // Of a file an API alone takes jobs in, for a server with workers to come.
  const bool admits_only = !shared && roles.api && !roles.worker;
  if (!shared && !admits_only && !(roles.api && roles.scheduler && roles.worker)) {
    return fail(
        errors::kUsage,
        "workers apart from an API need a store that they share, and here it is a file in the data directory; set "
        "store.address");
  }
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, admits_only ? Role::kScheduler : role_of(roles), Asks::kForNobody));
  if (reached.house == nullptr) {
    return fail(errors::kLockHeld,
                "a server at {} already holds this data directory; use it, stop it, or give another --data",
                reached.server);
  }
  House& house = *reached.house;
  // Requests have threads of their own: solvers may fill the house's pool for minutes.
  ThreadExecutor handlers(kHandlerThreads);
  std::unique_ptr<http::ApiServer> api;
  if (roles.api) {
    TANDEM_TRY_ASSIGN(api, start_api(cli, settings, house, *reached.log, handlers));
  }
  say_listening(cli, house, api != nullptr ? api->address() : "");
  if (admits_only && !cli.json) fmt::print("jobs wait here until a server with workers has this directory\n");
  std::fflush(stdout);

  give_back_memory();  // of the start
  int signal = 0;
  sigwait(&signals, &signal);
  if (cli.json)
    print_json_line({{"state", "draining"}, {"pid", ::getpid()}});
  else
    fmt::print("draining\n");
  std::fflush(stdout);
  const std::size_t hanging =
      drain(house.engine(), cli.machine.clock, std::chrono::milliseconds(settings.integer("server.drain_timeout")));
  if (api != nullptr) {
    api->drain(Deadline::after(cli.machine.clock, std::chrono::seconds(1)));
    TANDEM_TRY(cli.machine.fs.remove_file(server_file(house.data_dir())));
  }
  if (hanging == 0) return 0;
  // Threads that do not come back cannot be waited for, and what they use cannot be destroyed. All that counts is stored.
  reached.log->write(LogLevel::kWarning, "server.left_runs", {{"runs", std::to_string(hanging)}});
  std::_Exit(0);
}

void add_worker_options(CLI::App& command, Cli& cli) {
  command.add_option_function<std::string>(
      "--workers", [&cli](const std::string& value) { cli.flags["engine.workers"] = value; }, "jobs at once");
  command.add_option_function<std::string>(
      "--device", [&cli](const std::string& value) { cli.flags["lab.device_url"] = value; },
      "URL of an emulated device to use as a backend");
}

}  // namespace

void add_serve(CLI::App& app, Cli& cli) {
  CLI::App* command = app.add_subcommand("serve", "serve the API and run jobs on the data directory until SIGTERM");
  command
      ->add_option_function<std::string>(
          "--listen", [&cli](const std::string& value) { cli.flags["server.listen"] = value; },
          "HOST:PORT, loopback only; port 0 takes a free one")
      ->type_name("HOST:PORT");
  add_worker_options(*command, cli);
  auto roles = std::make_shared<std::string>("api,scheduler,worker");
  command->add_option("--role", *roles,
                      "of api, scheduler and worker; fewer where processes share a store (store.address), or api alone "
                      "to take jobs in");
  command->callback([&cli, roles] {
    cli.action = [&cli, roles]() -> Result<int> {
      TANDEM_TRY_ASSIGN(const Roles parsed, parse_roles(*roles));
      return serve(cli, parsed);
    };
  });

  CLI::App* worker =
      app.add_subcommand("worker", "run jobs of a shared store (store.address) until SIGTERM, without an API");
  add_worker_options(*worker, cli);
  worker->callback(
      [&cli] { cli.action = [&cli] { return serve(cli, {.api = false, .scheduler = true, .worker = true}); }; });
}

}  // namespace tandem::app
