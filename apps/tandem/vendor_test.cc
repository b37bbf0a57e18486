#include "vendor_test.h"

#include "checks.h"
#include "tandem/base/text.h"
#include "tandem/net/client/allow_list.h"

namespace tandem::app {
namespace {

constexpr std::uint64_t kShots = 100;  ///< enough to tell a Bell pair from chance, and near the least that is billed
constexpr std::chrono::seconds kAskTime{20};  ///< for one question

/// Two qubits that agree.
backend::ProgramWork bell_pair() {
  circuit::Pub pub{.circuit = circuit::Circuit::create(2, 2).value(), .shots = kShots};
  pub.circuit.gate(circuit::Gate::kH, {0}).gate(circuit::Gate::kCx, {0, 1}).measure_all();
  return {.pubs = {std::move(pub)}};
}

/// The share of 00 and 11.
double correlated_share(const Json& binding) {
  const bool counts = binding.value("kind", "") == "counts";
  const Json outcomes = binding.value(counts ? "counts" : "probabilities", Json::object());
  double all = 0;
  double equal = 0;
  for (const auto& [outcome, weight] : outcomes.items()) {
    all += weight.get<double>();
    if (outcome == "00" || outcome == "11") equal += weight.get<double>();
  }
  return all > 0 ? equal / all : 0;
}

/// What asks a vendor, without a data directory.
struct Desk {
  Desk(const Settings& the_settings, Machine& the_machine)
      : settings(the_settings), machine(the_machine), credentials(machine.fs, machine.environment, log) {
    keep_secrets_in_memory(settings);
  }

  const Settings& settings;
  Machine& machine;
  StderrLog log{LogLevel::kWarning};
  ThreadExecutor executor{1};
  FileCredentials credentials;
  telemetry::MeterRegistry meters;
  std::unique_ptr<MachineMemory> memory;
  std::unique_ptr<Http> http;
  std::unique_ptr<backend::BackendRegistry> backends;

  Result<void> open() {
    memory = make_memory(settings, machine.fs, executor);
    TANDEM_TRY_ASSIGN(http, make_http(settings, machine, executor));
    TANDEM_TRY_ASSIGN(backends, make_backends(settings, executor, *memory, machine, *http, credentials, log, meters));
    return {};
  }
  backend::CallContext call() { return {.deadline = Deadline::after(machine.clock, kAskTime)}; }
};

/// The free part.
class FreeTest {
 public:
  FreeTest(const Vendor& vendor, Desk& desk) : vendor_(vendor), desk_(desk) {}

  void ask() {
    if (!see_settings()) return;
    for (backend::Backend* backend : desk_.backends->all())
      if (backend->info().vendor == vendor_.name) ask_of(*backend);
    see_tls();
  }
  Checks& checks() { return checks_; }
  bool emulated() const { return emulated_; }
  const Json& devices() const { return devices_; }
  /// Null: not learnt.
  const Json& key() const { return key_; }

 private:
  std::string setting(std::string_view what) const { return desk_.settings.string(vendor_.setting(what)); }

  bool see_settings() {
    const std::string url = setting("url");
    const std::string reference = setting("credential");
    if (reference.empty()) {
      checks_.problem("credential", make_error(errors::kCredentialMissing, "the setting '{}' is empty",
                                               vendor_.setting("credential")));
      return false;
    }
    const auto secret = desk_.credentials.get(reference);
    if (!secret) {
      checks_.problem("credential", secret.error());
      return false;
    }
    const bool shown = reference.starts_with("env:");
    checks_.well("credential", fmt::format("{} can be read{}", reference,
                                           shown ? "; others may see the environment of a process" : ""));
    const std::string proxy = desk_.settings.string("egress.proxy");
    checks_.well("egress", fmt::format("{} may be reached, and no other vendor{}", url,
                                       proxy.empty() ? "" : "; by way of the proxy " + proxy));
    return true;
  }

  /// Device, credential and price, each with the time that its answer took.
  void ask_of(backend::Backend& backend) {
    const backend::BackendInfo& info = backend.info();
    emulated_ = info.emulated;
    Json device = {{"backend", info.id.value}, {"emulated", info.emulated},   {"operational", false}, {"detail", ""},
                   {"latency_ms", nullptr},    {"quote_usd_micros", nullptr}, {"quote_source", ""}};
    const Instant begin = desk_.machine.clock.monotonic();
    const auto availability = backend.availability(desk_.call());
    const double latency = ms_since(begin);
    const bool up = availability && availability->operational;
    device["detail"] = availability ? availability->detail : availability.error().message;
    if (up) {
      device["operational"] = true;
      device["latency_ms"] = latency;
      answered_ = true;
    }
    see_credential(backend);
    if (up) {
      const auto quote = backend.quote(bell_pair(), desk_.call());
      if (quote) {
        device["quote_usd_micros"] = quote->cost.usd_micros;
        device["quote_source"] = quote->source;
        checks_.well(info.id.value, fmt::format("answers in {:.0f} ms; a Bell pair with {} shots: {}, by {}", latency,
                                                kShots, format_usd(quote->cost.usd_micros), quote->source));
      } else {
        note_tls(quote.error());
        checks_.problem(info.id.value, quote.error());
      }
    } else {
      checks_.well(info.id.value, "not ready: " + device["detail"].get<std::string>());
    }
    devices_.push_back(std::move(device));
  }

  /// A list of jobs is a question that only a key answers, and costs nothing: one for a token that never was.
  void see_credential(backend::Backend& backend) {
    if (asked_) return;
    asked_ = true;
    const auto found =
        backend.reconcile({.token = "tandem-backends-test", .sent_at = desk_.machine.clock.now()}, desk_.call());
    if (!found) {
      note_tls(found.error());
      return checks_.problem("permission to read", found.error());
    }
    answered_ = true;
    checks_.well("permission to read", "the key is taken: the jobs of its account can be listed");
    see_owner();
  }

  /// The key works; whose it is may stay open.
  void see_owner() {
    const auto owner =
        ask_whose_ionq_key(desk_.settings, desk_.executor, desk_.machine, *desk_.http, desk_.credentials, desk_.log);
    if (!owner) return checks_.well("whose key", "not learnt: " + owner.error().message);
    if (!*owner) return;
    key_ = {{"key_id", (*owner)->key_id}, {"key_name", (*owner)->key_name}, {"project_id", nullptr}};
    if (!(*owner)->project_id.empty()) key_["project_id"] = (*owner)->project_id;
    checks_.well("whose key", fmt::format("{} ({}){}", quote((*owner)->key_name), (*owner)->key_id,
                                          (*owner)->project_id.empty() ? "" : ", of project " + (*owner)->project_id));
  }

  void note_tls(const Error& error) {
    if (error.number == errors::kTlsFailed) tls_failed_ = error;
  }
  void see_tls() {
    const std::string authorities = desk_.settings.string("egress.ca_file");
    if (setting("url").starts_with("http:")) {
      if (emulated_) return checks_.well("TLS", "none, as to a process on this machine");
      return checks_.problem("TLS", make_error(errors::kEgressRefused,
                                               "none, and '{}' leads to another machine: a key is not sent like that; "
                                               "write https",
                                               vendor_.setting("url")));
    }
    if (tls_failed_) return checks_.problem("TLS", *tls_failed_);
    if (answered_)
      checks_.well("TLS", fmt::format("the name and the chain were verified, by {}",
                                      authorities.empty() ? "the authorities of the system" : authorities));
    else
      checks_.well("TLS", "not learnt: nothing answered");
  }

  double ms_since(Instant begin) const {
    return std::chrono::duration<double, std::milli>(desk_.machine.clock.monotonic() - begin).count();
  }

  const Vendor& vendor_;
  Desk& desk_;
  Checks checks_;
  Json devices_ = Json::array();
  Json key_;
  bool emulated_ = true;
  bool asked_ = false;  ///< see_credential()
  bool answered_ = false;
  std::optional<Error> tls_failed_;
};

Result<backend::Backend*> backend_of_run(Desk& desk, const Vendor& vendor, const std::string& wanted) {
  std::vector<std::string_view> names;
  for (backend::Backend* backend : desk.backends->all()) {
    const std::string& id = backend->info().id.value;
    if (backend->info().vendor != vendor.name) continue;
    if (wanted.empty() || id == wanted || id == vendor.setting(wanted)) return backend;
    names.emplace_back(id);
  }
  return fail_at("--backend", errors::kUnknownBackend,
                 "{} is not among the backends of the setting '{}'{}; there are {}", quote(wanted),
                 vendor.setting("backends"), did_you_mean(wanted, names), fmt::join(names, ", "));
}

/// The job of a run. It falls back on nobody: an answer of somebody else would prove nothing.
Result<job::JobSpec> job_of_run(const std::string& backend, job::Money cost_max,
                                const problem::ProblemRegistry& problems) {
  const backend::ProgramWork work = bell_pair();
  return job::JobSpec::parse({{"name", "test of " + backend},
                              {"program", {{"pubs", Json::array({work.pubs[0].document()})}}},
                              {"policy", {{"backends", {backend}}}},
                              {"limits", {{"cost_max_usd_micros", cost_max.usd_micros}}},
                              {"fallbacks", {"manual_review"}}},
                             problems);
}

/// A job as far as it got.
struct Ended {
  JobId id;
  Json view;
  std::optional<Error> error;  ///< it failed
  Json result;  ///< null: it failed, or waits for people
};
Result<Ended> follow_to_end(Reached& reached, JobId id) {
  Ended out{.id = std::move(id)};
  fmt::print(stderr, "job {}\n", out.id.value);
  if (reached.house != nullptr) TANDEM_TRY(reached.house->engine().attend(out.id));
  TANDEM_TRY_ASSIGN(out.view, reached.service().follow(out.id, {}, Deadline::never()));
  if (out.view.value("state", "") == job::to_string(job::JobState::kAwaitingApproval)) return out;
  if (const Json& error = out.view["error"]; error.is_object()) {
    out.error = make_error(static_cast<ErrorNumber>(error.value("number", 0)), "job {}: {}", out.id.value,
                           error.value("message", ""));
    return out;
  }
  TANDEM_TRY_ASSIGN(out.result, reached.service().result(out.id));
  return out;
}

/// Whoever comes back with the same key gets the same job, paid once.
Result<JobId> submit_job(Reached& reached, const job::JobSpec& spec, const std::string& key) {
  TANDEM_TRY_ASSIGN(const Json admitted, reached.service().submit(spec, key));
  return parse_job_id(admitted.value("job_id", ""));
}

/// A run that was begun, maybe on another day.
Result<JobId> find_run(Reached& reached, const job::JobSpec& spec, const std::string& job,
                       const problem::ProblemRegistry& problems) {
  TANDEM_TRY_ASSIGN(JobId id, parse_job_id(job));
  TANDEM_TRY_ASSIGN(const Json document, reached.service().spec(id));
  TANDEM_TRY_ASSIGN(const job::JobSpec there, job::JobSpec::parse(document, problems));
  if (there.document() == spec.document()) return id;
  return fail_at("--job", errors::kValueOutOfRange,
                 "job {} is no such run; give it the --backend and --max-cost that it was made with", id.value);
}

/// What the run showed of the adapter, by what it left.
std::vector<std::string> covered_by(const Json& submission, const Json& binding) {
  std::vector<std::string> out = {"device", "quote", "submit", "poll", "result as " + binding.value("kind", "counts")};
  if (!submission.value("calibration_id", "").empty()) out.push_back("calibration");
  if (submission.value("billed_usd_micros", std::int64_t{0}) != 0) out.push_back("bill");
  return out;
}

/// Whoever holds the data directory runs the job with settings of its own: the same backend must be there what it is here.
Result<void> require_same_backend(Reached& reached, const backend::BackendInfo& info) {
  TANDEM_TRY_ASSIGN(const Json page, reached.service().backends());
  for (const Json& there : page["backends"]) {
    if (there.value("backend", "") != info.id.value) continue;
    if (there.value("emulated", false) == info.emulated) return {};
    return fail(errors::kBadSetting,
                "{} is {} by the settings of this command and {} by those of whoever holds the data directory; use the "
                "same",
                info.id.value, info.emulated ? "emulated" : "real", info.emulated ? "real" : "emulated");
  }
  return fail(errors::kUnknownBackend, "whoever holds the data directory has no backend {}; give it the same settings",
              info.id.value);
}

/// The job of the run: the one that is named, that of today, or a new one.
Result<JobId> begin_run(Cli& cli, const backend::BackendInfo& info, job::Money cost_max,
                        const VendorTestOptions& options, Reached& reached) {
  const auto problems = problem::ProblemRegistry::with_builtin_types();
  TANDEM_TRY_ASSIGN(const job::JobSpec spec, job_of_run(info.id.value, cost_max, problems));
  if (!options.job.empty()) return find_run(reached, spec, options.job, problems);
  if (info.tier == job::Tier::kQpu) {  // rules let hardware begin after a simulator has passed
    TANDEM_TRY_ASSIGN(const job::JobSpec rehearsal, job_of_run("simulator.statevector", {}, problems));
    TANDEM_TRY_ASSIGN(JobId id, submit_job(reached, rehearsal, ""));
    TANDEM_TRY_ASSIGN(const Ended ended, follow_to_end(reached, std::move(id)));
    if (ended.error) return tl::unexpected(*ended.error);
  }
  const std::string day = format_rfc3339(cli.machine.clock.now()).substr(0, 10);
  const std::string key =
      fmt::format("backends-test:{}:{}:{}:{}", info.id.value, info.version, cost_max.usd_micros, day);
  return submit_job(reached, spec, options.again ? "" : key);
}

/// The paid part: once a day, backend and limit, unless another run is asked for. Null when the plan waits for people.
Result<std::optional<VendorRun>> pay_for_run(Cli& cli, const Vendor& vendor, Desk& desk,
                                             const VendorTestOptions& options) {
  auto micros = parse_usd(options.cost_max_usd);
  if (!micros) {
    micros.error().place = "--max-cost";
    return tl::unexpected(std::move(micros).error());
  }
  const job::Money cost_max{*micros};
  TANDEM_TRY_ASSIGN(backend::Backend* const backend, backend_of_run(desk, vendor, options.backend));
  const backend::BackendInfo& info = backend->info();
  TANDEM_TRY_ASSIGN(const backend::Quote quote, backend->quote(bell_pair(), desk.call()));
  if (options.job.empty() && quote.cost > cost_max)
    return fail(errors::kQuoteAboveLimit,
                "{} wants {} at most for a Bell pair with {} shots ({}), and --max-cost is {}; "
                "nothing was sent",
                info.id.value, format_usd(quote.cost.usd_micros), kShots, quote.source,
                format_usd(cost_max.usd_micros));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kRunner));
  TANDEM_TRY(require_same_backend(reached, info));
  TANDEM_TRY_ASSIGN(JobId id, begin_run(cli, info, cost_max, options, reached));
  TANDEM_TRY_ASSIGN(Ended ended, follow_to_end(reached, std::move(id)));
  if (ended.error) {
    ended.error->message += "; --again makes another run";
    return tl::unexpected(*std::move(ended.error));
  }
  if (ended.result.is_null()) {
    fmt::print(
        stderr,
        "{} awaits approval: `tandem approvals show {}`; when it is approved, the same command with --job {} goes "
        "on with it\n",
        ended.id.value, ended.view.value("approval_id", ""), ended.id.value);
    return std::optional<VendorRun>();
  }
  TANDEM_TRY_ASSIGN(const Json page, reached.service().submissions(ended.id));
  const Json submission = page["submissions"].empty() ? Json::object() : page["submissions"].back();
  if (submission.value("state", "") != submit::to_string(submit::SubmissionState::kSettled))
    return fail(
        errors::kBackendJobFailed,
        "job {} ended without a submission that is settled; `tandem explain {}` says why; --again makes another run",
        ended.id.value, ended.id.value);
  const Json binding = ended.result["pubs"][0]["bindings"][0];
  const VendorRun run{.at = cli.machine.clock.now(),
                      .vendor = std::string(vendor.name),
                      .backend = info.id.value,
                      .emulated = submission.value("emulated", true),
                      .adapter_version = info.version,
                      .tandem_version = TANDEM_VERSION,
                      .url = desk.settings.string(vendor.setting("url")),
                      .job_id = ended.id.value,
                      .token = submission.value("token", ""),
                      .handle = submission.value("handle", ""),
                      .quote = quote.cost,
                      .cost_max = cost_max,
                      .billed = {submission.value("billed_usd_micros", std::int64_t{0})},
                      .shots = kShots,
                      .raw_sha256 = submission.value("raw_sha256", ""),
                      .calibration_id = submission.value("calibration_id", ""),
                      .covered = covered_by(submission, binding),
                      .correlated = correlated_share(binding)};
  TANDEM_TRY_ASSIGN(const std::string data_dir, data_dir_of(desk.settings, cli.machine.environment));
  const auto known = latest_vendor_runs(data_dir, cli.machine.fs);
  const auto last = known.find(info.id.value);
  if (last == known.end() || last->second.job_id != run.job_id)
    TANDEM_TRY(append_vendor_run(data_dir, run, cli.machine.fs));
  return std::optional(run);
}

void print_run(const VendorRun& run) {
  fmt::print("\nThe run: {} as {} at {}, job {}\n", run.backend, run.handle, format_rfc3339(run.at), run.job_id);
  fmt::print("  quoted {}, billed {}, at most {} allowed; {} shots, {:.1f} % of them 00 or 11\n",
             format_usd(run.quote.usd_micros), format_usd(run.billed.usd_micros), format_usd(run.cost_max.usd_micros),
             run.shots, 100 * run.correlated);
  if (run.emulated) fmt::print("  all of it in play money, by an emulator\n");
  fmt::print("  covered: {}; its bytes are kept: {}\n", fmt::join(run.covered, ", "), run.raw_sha256);
  fmt::print("  {}\n", run.words(run.adapter_version));
}

}  // namespace

Result<int> test_vendor(Cli& cli, const VendorTestOptions& options) {
  TANDEM_TRY_ASSIGN(const Vendor vendor, find_vendor(options.vendor));
  TANDEM_TRY_ASSIGN(const Settings settings, cli.settings());
  if (settings.string(vendor.setting("url")).empty())
    return fail(errors::kBadSetting, "the setting '{}' is empty; `tandem backends add {}` writes it",
                vendor.setting("url"), vendor.name);
  Desk desk(settings, cli.machine);
  TANDEM_TRY(desk.open());
  FreeTest test(vendor, desk);
  test.ask();
  const bool well = test.checks().exit_code == 0;
  std::optional<VendorRun> run;
  int code = test.checks().exit_code;
  if (well && options.run) {
    TANDEM_TRY_ASSIGN(run, pay_for_run(cli, vendor, desk, options));
    if (!run) code = kExitAwaitsApproval;
  }
  if (for_machines(cli)) {
    print_json({{"vendor", vendor.name},
                {"ok", well},
                {"emulated", test.emulated()},
                {"checks", test.checks().list},
                {"key", test.key()},
                {"devices", test.devices()},
                {"not_learnt", vendor.not_learnt},
                {"run", run ? run->document() : Json()}});
    return code;
  }
  fmt::print("{}{}\n", vendor.title, test.emulated() ? ", EMULATED on this machine" : "");
  print_table(test.checks().rows);
  fmt::print("Not learnt, since no free call tells it:\n");
  for (const std::string_view what : vendor.not_learnt) fmt::print("  - {}\n", what);
  if (run) print_run(*run);
  return code;
}

}  // namespace tandem::app
