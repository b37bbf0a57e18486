// apps/tandem/cmd_backends.cc - backends: what the router may choose; settings of a vendor, and whether they work.
#include "cli.h"
#include "tandem/base/text.h"
#include "vendor.h"
#include "vendor_test.h"

namespace tandem::app {
namespace {

constexpr std::uint64_t kSettingsBytesMax = 1u << 20;

std::string cell(const Json& object, const char* key) { return object.value(key, "-"); }

std::optional<VendorRun> own_run(const Json& backend) {
  if (!backend.contains("own_run") || backend["own_run"].is_null()) return std::nullopt;
  const auto run = VendorRun::parse(backend["own_run"]);
  return run ? std::optional(*run) : std::nullopt;
}

/// The level of the adapter, or the one that its user's own run has proved.
std::string level_of(const Json& backend) {
  const auto run = own_run(backend);
  const bool proves = run && !run->emulated && run->adapter_version == cell(backend, "version");
  return proves ? run->level() + " by own run" : cell(backend, "conformance");
}

std::string state_of(const Json& backend) {
  const Json availability = backend.value("availability", Json::object());
  if (!availability.value("operational", false)) return "absent";
  return availability.value("accepts_work", true) ? "ready" : "closed";
}

std::string tier_of(const Json& backend) {
  return cell(backend, "tier") + (backend.value("emulated", false) ? " (emulated)" : "");
}

/// What there is, with the runs of this data directory.
Result<Json> ask_backends(Cli& cli) {
  TANDEM_TRY_ASSIGN(const Settings settings, cli.settings());
  TANDEM_TRY_ASSIGN(const std::string data_dir, data_dir_of(settings, cli.machine.environment));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(Json document, reached.service().backends());
  const auto runs = latest_vendor_runs(data_dir, cli.machine.fs);
  for (Json& backend : document["backends"])
    if (const auto run = runs.find(cell(backend, "backend")); run != runs.end())
      backend["own_run"] = run->second.document();
  return document;
}

Result<int> list_backends(Cli& cli) {
  TANDEM_TRY_ASSIGN(const Json document, ask_backends(cli));
  if (for_machines(cli)) {
    print_json(document);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"backend", "tier", "access", "state", "level", "best for"}};
  for (const Json& backend : document["backends"])
    rows.push_back({cell(backend, "backend"), tier_of(backend), cell(backend, "access"), state_of(backend),
                    level_of(backend), cell(backend, "best_for")});
  print_table(rows, {5});
  fmt::print("  `tandem backends show BACKEND` says why one is absent, and what is known of it\n");
  return 0;
}

Result<int> show_backend(Cli& cli, const std::string& name) {
  TANDEM_TRY_ASSIGN(const Json document, ask_backends(cli));
  std::vector<std::string_view> names;
  for (const Json& backend : document["backends"]) names.push_back(backend["backend"].get_ref<const std::string&>());
  const auto found = std::ranges::find(names, name);
  if (found == names.end())
    return fail_at("BACKEND", errors::kUnknownBackend, "{} is no backend that there is{}", quote(name),
                   did_you_mean(name, names));
  const Json& backend = document["backends"][static_cast<std::size_t>(found - names.begin())];
  if (for_machines(cli)) {
    print_json(backend);
    return 0;
  }
  const Json availability = backend.value("availability", Json::object());
  const std::string detail = availability.value("detail", "");
  const auto limit = [&](const char* key, const char* unit) {
    const auto most = backend.value(key, std::uint64_t{0});
    return most == 0 ? "" : fmt::format(", up to {} {}", most, unit);
  };
  fmt::print("{}: {}, best for {}\n", name, cell(backend, "name"), cell(backend, "best_for"));
  fmt::print("  {}, {}{}\n", tier_of(backend), cell(backend, "access"),
             backend.value("region", "").empty() ? "" : ", in " + cell(backend, "region"));
  fmt::print("  {}{} as of {}\n", state_of(backend), detail.empty() ? "" : ": " + detail,
             cell(availability, "observed_at"));
  fmt::print("  takes {}{}{}{}{}\n", backend.value("takes_problems", false) ? "problems" : "programs",
             limit("variables_max", "variables"), limit("qubits_max", "qubits"), limit("shots_max", "shots"),
             backend.value("metered", false) ? "; costs money" : "");
  fmt::print("  adapter version {}, level {}, safety class {}\n", cell(backend, "version"),
             cell(backend, "conformance"), cell(backend, "submit_safety"));
  if (const auto run = own_run(backend)) fmt::print("  {}\n", run->words(cell(backend, "version")));
  return 0;
}

struct AddOptions {
  std::string vendor;
  VendorSettings wanted;
  bool print = false;
  bool replace = false;
};

/// A file is found wherever a command is started; a variable is what others can see.
Result<void> check_credential(const std::string& text) {
  auto reference = CredentialReference::parse(text);
  if (!reference) {
    reference.error().place = "--credential";
    return tl::unexpected(std::move(reference).error());
  }
  if (reference->kind == CredentialReference::Kind::kFile && reference->name.front() != '/')
    return fail_at("--credential", errors::kBadCredentialReference,
                   "the path {} begins where a command is started; write it from the root", quote(reference->name));
  if (reference->kind == CredentialReference::Kind::kVariable)
    fmt::print(stderr,
               "tandem: others may see the environment of a process; systemd:NAME or file:PATH keep a key better\n");
  return {};
}

/// The settings as they would be with the block are read as those of a file are.
Result<int> add_vendor(Cli& cli, AddOptions options) {
  TANDEM_TRY_ASSIGN(const Vendor vendor, find_vendor(options.vendor));
  TANDEM_TRY(check_credential(options.wanted.credential));
  if (options.wanted.url.empty()) options.wanted.url = vendor.url;
  if (options.wanted.backends.empty()) options.wanted.backends = vendor.backends_default;
  for (const std::string_view name : split(options.wanted.backends, ',')) {
    if (std::ranges::find(vendor.backends, std::string(trim(name))) != vendor.backends.end()) continue;
    return fail_at(
        "--backends", errors::kValueOutOfRange, "{} is no backend of {}{}; there are {}", quote(trim(name)),
        vendor.title,
        did_you_mean(trim(name), std::vector<std::string_view>(vendor.backends.begin(), vendor.backends.end())),
        fmt::join(vendor.backends, ", "));
  }
  TANDEM_TRY(check_settings(vendor, options.wanted));
  if (options.print) {
    const std::string block = settings_block(vendor, options.wanted);
    if (cli.json)
      print_json({{"file", nullptr}, {"text", block}});
    else
      fmt::print("{}", block);
    return 0;
  }
  if (cli.config_file.empty())
    return fail(errors::kUsage,
                "name the settings file that gets the lines with --config FILE, or see them with --print");
  Bytes text;
  if (cli.machine.fs.exists(cli.config_file)) {
    TANDEM_TRY_ASSIGN(text, cli.machine.fs.read_file(cli.config_file, kSettingsBytesMax));
  }
  TANDEM_TRY_ASSIGN(const std::string edited,
                    with_settings(text, cli.config_file, vendor, options.wanted, options.replace));
  if (edited != text) TANDEM_TRY(cli.machine.fs.write_file_atomic(cli.config_file, edited));
  if (!for_machines(cli))
    fmt::print("{} {} the settings of {}; this is what they give:\n\n", cli.config_file, edited == text ? "had" : "has",
               vendor.name);
  return test_vendor(cli, {.vendor = options.vendor});
}

void add_vendor_option(CLI::App* command, std::string& vendor) {
  command->add_option("VENDOR", vendor, "ionq")->required();
}

}  // namespace

void add_backends(CLI::App& app, Cli& cli) {
  CLI::App* backends = app.add_subcommand(
      "backends", "everything the router may choose, and what is absent; add a vendor's settings, test them");
  backends->callback([&cli, backends] {
    if (backends->get_subcommands().empty()) cli.action = [&cli] { return list_backends(cli); };
  });
  CLI::App* show = backends->add_subcommand("show", "one of them: its state, limits, level, and why it is absent");
  const auto shown = std::make_shared<std::string>();
  show->add_option("BACKEND", *shown, "its name, as `tandem backends` shows it")->required();
  show->callback([&cli, shown] { cli.action = [&cli, shown] { return show_backend(cli, *shown); }; });
  CLI::App* add = backends->add_subcommand("add", "write a vendor's settings into the file of --config, and test them");
  const auto adding = std::make_shared<AddOptions>();
  add_vendor_option(add, adding->vendor);
  add->add_option(
         "--credential", adding->wanted.credential,
         "where the key stands, never the key: systemd:NAME, file:/PATH (mode 0400 or 0600), env:TANDEM_SECRET_NAME")
      ->required();
  add->add_option("--url", adding->wanted.url,
                  "its API; without it the vendor's own. A loopback address is an emulator");
  add->add_option("--backends", adding->wanted.backends, "which may be used, by the vendor's names, with commas");
  add->add_flag("--print", adding->print, "print the lines instead; nothing is written or asked");
  add->add_flag("--replace", adding->replace, "in place of these three settings of the vendor in the file");
  add->callback([&cli, adding] { cli.action = [&cli, adding] { return add_vendor(cli, *adding); }; });
  CLI::App* test = backends->add_subcommand(
      "test",
      "ask a vendor what costs nothing: key, devices, prices, latency, TLS; with --run pay for one tiny circuit");
  const auto testing = std::make_shared<VendorTestOptions>();
  add_vendor_option(test, testing->vendor);
  CLI::Option* run = test->add_flag("--run", testing->run, "run a Bell pair as a job, and keep a record of it");
  CLI::Option* cost =
      test->add_option("--max-cost", testing->cost_max_usd, "what that may cost at most")->type_name("USD");
  test->add_option("--backend", testing->backend, "where it runs; the first of the settings without it")->needs(run);
  CLI::Option* again = test->add_flag("--again", testing->again, "another run, although there is one of today");
  CLI::Option* job = test->add_option("--job", testing->job, "go on with the run that is this job")->type_name("ID");
  run->needs(cost);
  cost->needs(run);
  again->needs(run)->excludes(job);
  job->needs(run);
  test->callback([&cli, testing] { cli.action = [&cli, testing] { return test_vendor(cli, *testing); }; });
}

}  // namespace tandem::app
