#include "house.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <thread>

#include "circuit_cost.h"
#include "tandem/base/text.h"
#include "tandem/middleware/backend/local_backend.h"
#include "tandem/orchestrate/schedule/weights.h"

namespace tandem::app {
namespace {

constexpr std::uint64_t kSmallFile = 1u << 20;  ///< /proc and our own small files
constexpr std::uint64_t kRulesBytesMax = 64u << 20;  ///< of a file of users or rules
/// Plans name the limit, and a kernel that keeps a page more for itself must not change their digests.
constexpr std::uint64_t kMemoryStep = std::uint64_t{256} << 20;

/// The value behind "name:" in a /proc file; empty when absent.
std::string proc_value(Fs& fs, const std::string& path, std::string_view name) {
  const auto text = fs.read_file(path, kSmallFile);
  if (!text) return {};
  for (const std::string_view line : split(*text, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && trim(line.substr(0, colon)) == name)
      return std::string(trim(line.substr(colon + 1)));
  }
  return {};
}

Json node_facts(Fs& fs) {
  const auto host = fs.read_file("/proc/sys/kernel/hostname", kSmallFile);
  return {{"host", host ? std::string(trim(*host)) : ""}, {"pid", ::getpid()}, {"version", TANDEM_VERSION}};
}

Result<schedule::Weights> tenant_weights(const Settings& settings) {
  constexpr std::string_view kName = "engine.tenant_weights";
  return schedule::parse_weights(settings.string(kName)).map_error([&](Error error) {
    error.place = settings.value(kName).source;
    return error;
  });
}

constexpr std::uint64_t kBudgetFileMax = 16u << 20;

/// Of the setting budget.file. A backend that is emulated gives play money, which no limit of real money is for.
Result<budget::Limits> read_limits(const Settings& settings, Fs& fs, const backend::BackendRegistry& backends) {
  const std::string path = settings.string("budget.file");
  if (path.empty()) return budget::Limits();
  TANDEM_TRY_ASSIGN(const Bytes text, fs.read_file(path, kBudgetFileMax));
  TANDEM_TRY_ASSIGN(budget::Limits limits, budget::Limits::parse(text, path));
  for (const backend::Backend* backend : backends.all()) {
    const backend::BackendInfo& info = backend->info();
    TANDEM_TRY(limits.check_backend({.id = info.id.value,
                                     .is_local = info.access == job::Access::kLocal,
                                     .is_emulated = info.emulated,
                                     .counts_qpu_time = info.counts_qpu_time}));
  }
  return limits;
}

resilience::GateLimits gate_limit(const Settings& settings, const char* calls_max, const char* rate_max) {
  return {.calls_max = static_cast<std::size_t>(settings.integer(calls_max)),
          .starts_per_minute_max = static_cast<std::size_t>(settings.integer(rate_max))};
}

/// IonQ counts by the key, which all its backends here have in common.
std::map<std::string, resilience::GateLimits, std::less<>> gate_limits(const Settings& settings) {
  return {{"lab.device", gate_limit(settings, "lab.device_calls_max", "lab.device_rate_max")},
          {"ionq.*", gate_limit(settings, "ionq.calls_max", "ionq.rate_max")}};
}

resilience::Bulkheads::Limits provider_runs(const Settings& settings) {
  return {{"lab.device", static_cast<std::size_t>(settings.integer("lab.device_runs_max"))},
          {"ionq.*", static_cast<std::size_t>(settings.integer("ionq.runs_max"))}};
}

}  // namespace

void keep_secrets_in_memory(const Settings& settings) {
  for (const char* name : {"client.credential", "ionq.credential"}) {
    if (!settings.string(name).empty()) ::prctl(PR_SET_DUMPABLE, 0);
  }
}

std::string lock_file(const std::string& data_dir) { return data_dir + "/tandem.lock"; }

Result<std::string> data_dir_of(const Settings& settings, const Environment& environment) {
  if (const std::string set = settings.string("data.dir"); !set.empty()) return set;
  if (const std::string xdg = environment.get("XDG_DATA_HOME"); !xdg.empty()) return xdg + "/tandem";
  if (const std::string home = environment.get("HOME"); !home.empty()) return home + "/.local/share/tandem";
  // Not the working directory: what is stored would then be found or lost by where a command was started.
  return fail(errors::kBadSetting, "there is no place for data: HOME is not set; give --data DIR or set data.dir");
}

std::string server_file(const std::string& data_dir) { return data_dir + "/server.json"; }

service::ServerPlace server_place(const std::string& data_dir, Fs& fs) {
  const auto holder = fs.read_file(lock_file(data_dir), kSmallFile);
  const auto text = fs.read_file(server_file(data_dir), kSmallFile);
  if (!holder || !text) return {};
  const auto document = parse_json(*text, server_file(data_dir));
  if (!document) return {};
  const auto facts = ObjectReader::create(*document, "");
  if (!facts) return {};
  const auto pid = facts->integer("pid", 0, INT64_MAX);
  if (!pid || parse_int64(trim(*holder)) != *pid) return {};
  return {.address = facts->string("address").value_or(""), .instance = *text};
}

std::uint64_t memory_limit(const Settings& settings, Fs& fs) {
  if (const std::int64_t set = settings.integer("compute.memory_bytes_max"); set > 0)
    return static_cast<std::uint64_t>(set);
  const auto share = static_cast<std::uint64_t>(MachineMemory::kShare * static_cast<double>(read_memory(fs).total));
  return share < kMemoryStep ? share : share / kMemoryStep * kMemoryStep;
}

std::unique_ptr<MachineMemory> make_memory(const Settings& settings, Fs& fs, Executor& executor) {
  const std::int64_t set = settings.integer("compute.memory_bytes_max");
  return std::make_unique<MachineMemory>(fs, executor, static_cast<std::uint64_t>(set));
}

lineage::Versions versions(const Settings& settings, Fs& fs, std::size_t processors) {
  return {.tandem = TANDEM_VERSION,
          .build = fmt::format("g++ {}.{}", __GNUC__, __GNUC_MINOR__),
          .machine_profile = {{"processors", processors},
                              {"model", proc_value(fs, "/proc/cpuinfo", "model name")},
                              {"memory_bytes", read_memory(fs).total}},
          .settings_digest = settings.digest()};
}

Result<std::unique_ptr<House>> House::open(const Settings& settings, Machine& machine, Log& log, Role role,
                                           std::size_t workers) {
  std::unique_ptr<House> out(new House());
  TANDEM_TRY_ASSIGN(out->data_dir_, data_dir_of(settings, machine.environment));
  TANDEM_TRY_ASSIGN(out->identities_, read_identities(settings, machine.fs));
  TANDEM_TRY_ASSIGN(out->rules_, read_rules(settings, machine.fs));
  TANDEM_TRY(machine.fs.make_directories(out->data_dir_));
  auto lock = machine.fs.lock(lock_file(out->data_dir_));
  if (lock) {
    out->lock_ = *std::move(lock);
    // Whoever wrote it is gone, or it would hold the lock.
    if (machine.fs.exists(server_file(out->data_dir_))) TANDEM_TRY(machine.fs.remove_file(server_file(out->data_dir_)));
  } else if (role != Role::kReader || lock.error().number != errors::kLockHeld ||
             !server_place(out->data_dir_, machine.fs).address.empty()) {
    return tl::unexpected(std::move(lock).error());
  }
  TANDEM_TRY_ASSIGN(out->crash_points_, arm_crash_points(machine.environment));
  out->executor_ = std::make_unique<ThreadExecutor>(static_cast<std::size_t>(settings.integer("compute.threads")));
  out->memory_ = make_memory(settings, machine.fs, *out->executor_);
  keep_secrets_in_memory(settings);
  out->credentials_ = std::make_unique<FileCredentials>(machine.fs, machine.environment, log);
  out->tracer_ = std::make_unique<telemetry::LogTracer>(log, machine.clock);
  TANDEM_TRY_ASSIGN(out->http_, make_http(settings, machine, *out->executor_));
  TANDEM_TRY_ASSIGN(out->store_, open_store(settings, out->data_dir_, *out->executor_, machine, log, out->meters_,
                                            out->crash_points_, out->lock_ != nullptr));
  TANDEM_TRY_ASSIGN(out->backends_, make_backends(settings, *out->executor_, *out->memory_, machine, *out->http_,
                                                  *out->credentials_, log, out->meters_));
  out->clock_ = std::make_unique<engine::StoreClock>(machine.clock);
  TANDEM_TRY_ASSIGN(out->limits_, read_limits(settings, machine.fs, *out->backends_));
  const budget::Limits* limits = out->limits_.empty() ? nullptr : &out->limits_;
  out->submitter_ = std::make_unique<submit::Submitter>(
      submit::SubmitServices{.store = *out->store_,
                             .executor = *out->executor_,
                             .clock = *out->clock_,
                             .log = log,
                             .meter = out->meters_,
                             .crash_points = out->crash_points_,
                             .limits = limits},
      submit::SubmitOptions{.settle_window = std::chrono::milliseconds(settings.integer("lab.settle_window"))});
  const std::string node = "node_" + new_uuid7(machine.clock, machine.rng);
  out->gates_ =
      std::make_unique<resilience::Gates>(*out->executor_, *out->clock_, *out->store_, log, gate_limits(settings),
                                          engine::among_others(*out->store_, *out->clock_, node));
  const engine::EngineServices services{.store = *out->store_,
                                        .backends = *out->backends_,
                                        .problems = out->problems_,
                                        .executor = *out->executor_,
                                        .clock = *out->clock_,
                                        .rng = machine.rng,
                                        .log = log,
                                        .meter = out->meters_,
                                        .tracer = *out->tracer_,
                                        .submitter = *out->submitter_,
                                        .crash_points = out->crash_points_,
                                        .gates = out->gates_.get(),
                                        .rules = &out->rules_,
                                        .store_clock = out->clock_.get(),
                                        .limits = limits};
  lineage::Versions facts = versions(settings, machine.fs, out->executor_->threads());
  if (const auto profile = kept_machine_profile(settings, machine, out->executor_->threads()))
    facts.machine_profile["speed"] = profile->document();
  TANDEM_TRY_ASSIGN(schedule::Weights weights, tenant_weights(settings));
  TANDEM_TRY_ASSIGN(
      out->engine_,
      engine::Engine::start(services,
                            {.workers = role == Role::kReader || role == Role::kScheduler ? 0 : workers,
                             .runs = role == Role::kRunner ? engine::Runs::kAttended : engine::Runs::kEveryJob,
                             .memory_bytes_max = memory_limit(settings, machine.fs),
                             .remote_deadline = std::chrono::milliseconds(settings.integer("lab.device_deadline")),
                             .provider_runs_max = provider_runs(settings),
                             .lease_ttl = std::chrono::milliseconds(settings.integer("engine.lease_ttl")),
                             .weights = std::move(weights),
                             .queue_delay_max = std::chrono::milliseconds(settings.integer("engine.queue_delay_max")),
                             .retention_age = std::chrono::milliseconds(settings.integer("engine.retention_age")),
                             .retention_jobs = static_cast<std::uint64_t>(settings.integer("engine.retention_jobs")),
                             .idempotency_age = std::chrono::milliseconds(settings.integer("engine.idempotency_age")),
                             .schedules = role != Role::kReader && role != Role::kOnlyWorker,
                             .node_id = node,
                             .node_facts = node_facts(machine.fs),
                             .versions = std::move(facts)}));
  return out;
}

House::~House() = default;

std::shared_ptr<service::Service> House::service_of(identity::PrincipalPtr who) {
  return service::make_local_service({*engine_, *backends_, *submitter_, *clock_, *executor_}, std::move(who));
}

Result<identity::IdentityBook> read_identities(const Settings& settings, Fs& fs) {
  const std::string path = settings.string("identity.file");
  if (path.empty()) return identity::IdentityBook::open_to_all();
  TANDEM_TRY_ASSIGN(const Bytes text, fs.read_file(path, kRulesBytesMax));
  return identity::IdentityBook::parse(text, path);
}

Result<access::Rules> read_rules(const Settings& settings, Fs& fs) {
  const std::string path = settings.string("policy.file");
  if (path.empty()) return access::Rules();
  TANDEM_TRY_ASSIGN(const Bytes text, fs.read_file(path, kRulesBytesMax));
  TANDEM_TRY_ASSIGN(access::Rules rules, access::Rules::parse(text, path));
  if (rules.asks_people() && settings.string("identity.file").empty()) {
    return fail_at(
        path, errors::kBadSetting,
        "its rules ask people for approval, and without identity.file everybody is the one who submitted; set "
        "identity.file");
  }
  return rules;
}

}  // namespace tandem::app
