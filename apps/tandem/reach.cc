#include <mutex>

#include "cli.h"
#include "tandem/base/text.h"

namespace tandem::app {
namespace {

constexpr std::uint64_t kConfigBytesMax = 1u << 20;

LogLevel level_of(const std::string& name) {
  constexpr std::string_view kNames[] = {"debug", "info", "warning", "error", "off"};
  for (std::size_t i = 0; i < std::size(kNames); ++i)
    if (kNames[i] == name) return static_cast<LogLevel>(i);
  return LogLevel::kWarning;
}

/// Whether the process that holds the directory is there, for all that this one can see.
bool sees_holder(const std::string& data_dir, Fs& fs) {
  constexpr std::uint64_t kPidBytesMax = 64;
  const auto holder = fs.read_file(lock_file(data_dir), kPidBytesMax);
  return holder && !trim(*holder).empty() && fs.exists(fmt::format("/proc/{}", trim(*holder)));
}

/// To the server that is asked for, whose address may be another one after a restart.
/// Threads: safe to call concurrently.
class ServerHttp final : public Http {
 public:
  ServerHttp(Settings settings, Machine& machine, Executor& executor)
      : settings_(std::move(settings)), machine_(machine), executor_(executor) {}

  tl::expected<HttpResponse, HttpFailure> send(const HttpRequest& request, Deadline deadline) override {
    const auto http = client_of(request.url);
    if (!http) return tl::unexpected(HttpFailure{.error = http.error(), .sent = Sent::kNo});
    return (*http)->send(request, deadline);
  }

 private:
  /// One that may go to the server of the URL and nowhere else.
  Result<std::shared_ptr<Http>> client_of(std::string_view url) {
    url.remove_prefix(kScheme.size());
    const std::string_view address = url.substr(0, url.find('/'));
    const std::lock_guard lock(mutex_);
    if (address != address_) {
      TANDEM_TRY_ASSIGN(http_, make_http(settings_, machine_, executor_, {std::string(address)}));
      address_ = address;
    }
    return http_;
  }

  static constexpr std::string_view kScheme = "http://";
  const Settings settings_;
  Machine& machine_;
  Executor& executor_;
  std::mutex mutex_;
  std::string address_;
  std::shared_ptr<Http> http_;
};

/// What keeps an answer from coming.
std::string trouble_words(const Error& error, const std::string& server) {
  switch (error.number) {
    case errors::kIdempotencyInFlight:
      return "another request with the same key is being carried out";
    case errors::kStoreUnreachable:
      return fmt::format("the server at {} cannot reach its store", server);
    case errors::kServerOverloaded:
      return fmt::format("the server at {} has too much at once", server);
    case errors::kDraining:
      return fmt::format("the server at {} is shutting down", server);
    default:
      return fmt::format("the server at {} is away", server);
  }
}

/// Of client.credential; empty: none is set.
Result<std::optional<Secret>> token_of(const Settings& settings, Machine& machine, Log& log) {
  const std::string reference = settings.string("client.credential");
  if (reference.empty()) return std::optional<Secret>();
  TANDEM_TRY_ASSIGN(Secret token, FileCredentials(machine.fs, machine.environment, log).get(reference));
  return std::optional(std::move(token));
}

}  // namespace

Result<Settings> Cli::settings() const {
  std::string text;
  if (!config_file.empty()) {
    RealFs fs;
    TANDEM_TRY_ASSIGN(text, fs.read_file(config_file, kConfigBytesMax));
  }
  return Settings::load(text, config_file, machine.environment, flags);
}

Result<Reached> reach(Cli& cli, Role role, Asks asks) {
  TANDEM_TRY_ASSIGN(const Settings settings, cli.settings());
  Reached out;
  out.log = std::make_unique<StderrLog>(level_of(settings.string("log.level")));
  auto house =
      House::open(settings, cli.machine, *out.log, role, static_cast<std::size_t>(settings.integer("engine.workers")));
  if (house) {
    out.house = *std::move(house);
    if (asks == Asks::kForNobody) return out;
    TANDEM_TRY_ASSIGN(const std::optional<Secret> token, token_of(settings, cli.machine, *out.log));
    TANDEM_TRY_ASSIGN(identity::PrincipalPtr who,
                      out.house->identities().find(token ? token->reveal() : "", out.house->store_clock().now()));
    out.asked = out.house->service_of(std::move(who));
    return out;
  }
  if (house.error().number == errors::kBadStoreAddress) {
    house.error().place = settings.value("store.address").source;
    house.error().message = fmt::format("the setting 'store.address': {}", house.error().message);
  }
  if (house.error().number != errors::kLockHeld) return tl::unexpected(std::move(house).error());
  TANDEM_TRY_ASSIGN(const std::string data_dir, data_dir_of(settings, cli.machine.environment));
  out.server = server_place(data_dir, cli.machine.fs).address;
  if (out.server.empty()) {
    return fail(errors::kLockHeld,
                "{}; it serves nobody, as a `tandem run` does: wait until it ends, or use another --data",
                house.error().message);
  }
  out.executor = std::make_unique<ThreadExecutor>(1);
  out.http = std::make_unique<ServerHttp>(settings, cli.machine, *out.executor);
  service::RemoteOptions options{.server_wait = std::chrono::milliseconds(settings.integer("client.server_wait"))};
  if (!cli.json && stderr_is_terminal()) {
    options.on_away = [server = out.server, wait = options.server_wait](const Error& error) {
      fmt::print(stderr, "\r\x1b[K{}, asking again for up to {}: {}\n", trouble_words(error, server),
                 format_duration(wait), error.to_string());
    };
  }
  if (asks == Asks::kForNobody) return out;
  TANDEM_TRY_ASSIGN(options.token, token_of(settings, cli.machine, *out.log));
  out.asked = service::make_remote_service(
      // Who was killed took nothing back, and its port may belong to anybody. A server in another container is never seen.
      [data_dir, seen = sees_holder(data_dir, cli.machine.fs), &fs = cli.machine.fs] {
        service::ServerPlace place = server_place(data_dir, fs);
        if (seen && !sees_holder(data_dir, fs)) place.address.clear();
        return place;
      },
      {.http = *out.http, .executor = *out.executor, .clock = cli.machine.clock, .rng = cli.machine.rng},
      std::move(options));
  return out;
}

Result<int> attend_and_print(Cli& cli, Reached& reached, const JobId& id, const job::JobSpec* spec) {
  service::Service& service = reached.service();
  TANDEM_TRY_ASSIGN(const Json before, service.job(id));
  if (reached.house != nullptr) {
    TANDEM_TRY_ASSIGN(const std::size_t others, reached.house->engine().attend(id));
    if (others != 0)
      fmt::print(stderr, "{} other job{} wait{} in {} and run{} when `tandem serve` holds it\n", others,
                 others == 1 ? "" : "s", others == 1 ? "s" : "", reached.house->data_dir(), others == 1 ? "s" : "");
  }
  if (before.value("state", "") == job::to_string(job::JobState::kSuspended))
    fmt::print(stderr, "{0} is suspended; it goes on after `tandem jobs resume {0}`\n", id.value);
  const auto term = cli.machine.environment.get("TERM");
  const bool solves = spec != nullptr && !spec->is_program();
  ProgressLine line(cli.json || term == "dumb",
                    solves ? std::optional(static_cast<double>(spec->limits.time_ms)) : std::nullopt, cli.machine.clock,
                    reached.house != nullptr ? reached.house->executor() : *reached.executor);
  const service::Watch watch{
      .on_event = [&](const Json& event) { line.show({.job = id, .step = event.value("type", "")}); },
      .on_progress = [&](const engine::Progress& progress) { line.show(progress); }};
  TANDEM_TRY_ASSIGN(const Json view, service.follow(id, watch, Deadline::never()));
  line.end();
  if (view.value("state", "") == job::to_string(job::JobState::kAwaitingApproval)) {
    if (cli.json)
      print_json(view);
    else
      fmt::print("{} awaits approval: `tandem approvals show {}`\n", id.value, view.value("approval_id", ""));
    return kExitAwaitsApproval;
  }
  TANDEM_TRY_ASSIGN(const Json result, service.result(id));
  const Json& error = view["error"];
  if (!cli.json) {
    Json document;
    if (spec != nullptr) {  // the whole one may have millions of terms
      document = {{"name", spec->name}, {"business", {{"objective", spec->business.objective}}}};
    } else {
      TANDEM_TRY_ASSIGN(document, service.spec(id));
    }
    print_result(document, result);
  } else if (!error.is_object()) {
    print_json(result);
  }
  if (error.is_object()) {
    // It has a result, which does not count.
    return fail(static_cast<ErrorNumber>(error.value("number", 0)), "{}", error.value("message", ""));
  }
  if (view.value("state", "") == job::to_string(job::JobState::kAwaitingReview)) {
    if (!cli.json) fmt::print("It awaits review: `tandem jobs accept {0}` or `tandem jobs reject {0}`\n", id.value);
    return kExitNotAccepted;
  }
  return result["acceptance"].value("met", true) ? 0 : kExitNotAccepted;
}

}  // namespace tandem::app
