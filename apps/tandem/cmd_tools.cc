// apps/tandem/cmd_tools.cc - init, config, doctor, completion: around the work.
#include "checks.h"
#include "circuit_cost.h"
#include "cli.h"
#include "tandem/base/settings_table.h"
#include "tandem/base/text.h"
#include "tandem/compute/solve/lapack.h"
#include "tandem/net/client/curl_http.h"
#include "tandem/store/postgres/address.h"

namespace tandem::app {
namespace {

std::string_view origin_name(SettingOrigin origin) {
  constexpr std::string_view kNames[] = {"default", "file", "environment", "flag"};
  return kNames[static_cast<std::size_t>(origin)];
}

constexpr std::string_view kInitTail = R"(
# Why this job exists; everything here is optional and travels into the lineage.
business:
  objective: ""          # what the business wants, in a sentence
  owner: ""
  consumer: ""           # who uses the result
  data_class: internal   # public, internal, confidential, restricted
  success:               # machine-checked; the exit code says whether all are met
    - criterion: feasible
    # - {criterion: objective, value: 0}
    # - {criterion: improvement, value: 0.0}    # relative, over the classical baseline
    # - {criterion: latency_ms, value: 60000}
    # - {criterion: cost_usd_micros, value: 0}

limits:
  time: 5s                  # of the solve, and again of the baseline beside it
  cost_max_usd_micros: 0    # 0: no metered work

refinement:
  mode: auto     # auto, off, required
  core_max: 20   # variables left for the quantum arms
  layers: 10     # of QAOA, at most; a device whose gates err gets fewer
  shots: 1000    # a quantum arm; the controls draw as many samples
  # angles: trained    # fitted to the core on the simulator (seconds at most); or schedule: a ramp or a published table
  # start: uniform     # or warm: qubits lean to the best solution so far

seed: 1
)";

Result<int> init(Cli& cli, const std::string& type, bool list) {
  const auto problems = problem::ProblemRegistry::with_builtin_types();
  if (list || type.empty()) {
    Json names = Json::array();
    std::vector<std::vector<std::string>> rows = {{"problem", "what it is"}};
    for (const std::string_view name : problems.names()) {
      names.push_back({{"problem", name}, {"summary", problems.find(name)->summary}});
      rows.push_back({std::string(name), std::string(problems.find(name)->summary)});
    }
    if (cli.json)
      print_json({{"problems", names}});
    else
      print_table(rows);
    return 0;
  }
  const problem::ProblemType* found = problems.find(type);
  if (found == nullptr) {
    return fail(errors::kUnknownProblem, "there is no problem {}{}", quote(type), did_you_mean(type, problems.names()));
  }
  const std::string text = fmt::format("# A job document: `tandem run job.yaml` solves it.\nname: my first {}\n\n{}{}",
                                       found->name, found->template_yaml, kInitTail);
  if (cli.json)
    print_json({{"problem", type}, {"text", text}});
  else
    fmt::print("{}", text);
  return 0;
}

Result<int> show_config(Cli& cli) {
  TANDEM_TRY_ASSIGN(const Settings settings, cli.settings());
  Json document = Json::array();
  std::vector<std::vector<std::string>> rows = {{"setting", "value", "from", "meaning"}};
  for (const SettingRecord& record : settings::kTable) {
    const SettingValue& value = settings.value(record.name);
    const std::string from = value.source.empty() ? std::string(origin_name(value.origin))
                                                  : fmt::format("{} {}", origin_name(value.origin), value.source);
    document.push_back({{"name", record.name},
                        {"value", value.text},
                        {"origin", origin_name(value.origin)},
                        {"source", value.source},
                        {"meaning", record.meaning}});
    rows.push_back(
        {std::string(record.name), value.text.empty() ? "-" : value.text, from, std::string(record.meaning)});
  }
  if (cli.json)
    print_json({{"settings", document}});
  else
    print_table(rows);
  return 0;
}

void check_machine(Cli& cli, const Settings& settings, Checks& checks) {
  ThreadExecutor executor(static_cast<std::size_t>(settings.integer("compute.threads")));
  const lineage::Versions facts = versions(settings, cli.machine.fs, executor.threads());
  checks.well("version", fmt::format("tandem {}, {}", facts.tandem, facts.build));
  checks.well("machine", fmt::format("{} threads, {}", facts.machine_profile.value("processors", 0),
                                     facts.machine_profile.value("model", "")));
  const std::uint64_t now = make_memory(settings, cli.machine.fs, executor)->room();
  checks.well("memory for one step",
              fmt::format("{} MiB, {} MiB now", memory_limit(settings, cli.machine.fs) >> 20, now >> 20));
}

/// Those that are opened when they are needed: a use that lacks its own is a fact, not a problem.
void check_libraries(Checks& checks) {
  const auto check = [&](const char* use, const Result<void>& opened) {
    checks.well("library", fmt::format("{}: {}", use, opened ? "ready" : "not ready, " + opened.error().to_string()));
  };
  check("stores on PostgreSQL", postgres::open_libpq());
  check("requests to servers and providers", client::open_libcurl());
  check("branch and cut (solvers linear and constrained)", solve::open_lapack());
}

void check_place(Cli& cli, const Settings& settings, Checks& checks) {
  const auto dir = data_dir_of(settings, cli.machine.environment);
  if (!dir) return checks.problem("data directory", dir.error());
  auto reached = reach(cli, Role::kReader);
  if (!reached) {
    const bool of_address = reached.error().number == errors::kBadStoreAddress;
    return checks.problem(of_address ? "settings" : "data directory", reached.error());
  }
  if (reached->house != nullptr) {
    checks.well("data directory", *dir);
    const auto last = reached->house->store().last_sequence();
    if (last)
      checks.well("store", fmt::format("{}, {} events", reached->house->store().kind(), *last));
    else
      checks.problem("store", last.error());
  } else {
    checks.well("data directory", fmt::format("{} is held by the server at {}", *dir, reached->server));
  }
  const auto backends = reached->service().backends();
  if (!backends) return checks.problem("backends", backends.error());
  for (const Json& backend : (*backends)["backends"]) {
    const Json availability = backend["availability"];
    // An absent tier is a fact, not a problem.
    const bool ready = availability.value("operational", false);
    checks.well("backend", fmt::format("{}: {}", backend.value("backend", ""),
                                       ready ? "ready" : "absent, " + availability.value("detail", "")));
  }
}

std::string speed_of(const statevector::WorkCosts& costs) {
  return fmt::format(
      "turn {:.3g}, phases {:.3g}, pairs {:.3g}, dense {:.3g} ns an amplitude, {:.3g} fused operations a ns",
      costs.turn, costs.phases, costs.pairs, costs.dense, costs.fused_peak);
}

/// What simulated circuits are predicted by.
void check_speed(Cli& cli, const Settings& settings, Checks& checks) {
  if (!data_dir_of(settings, cli.machine.environment)) return;  // told already
  ThreadExecutor executor(static_cast<std::size_t>(settings.integer("compute.threads")));
  const auto profile = machine_profile(settings, cli.machine, executor);
  if (!profile) return checks.problem("speed", profile.error());
  checks.well("speed of memory", fmt::format("{:.3g} bytes a ns, {}", profile->memory_bytes, profile->isa));
  checks.well("speed in float", speed_of(profile->narrow));
  checks.well("speed in double", speed_of(profile->wide));
}

Result<int> list_crash_points(Cli& cli) {
  const std::vector<std::string> names = crash_point_names();
  if (cli.json)
    print_json({{"crash_points", names}});
  else
    for (const std::string& name : names) fmt::print("{}\n", name);
  return 0;
}

Result<int> doctor(Cli& cli) {
  Checks checks;
  if (const auto settings = cli.settings(); !settings) {
    checks.problem("settings", settings.error());
  } else {
    checks.well("settings", "see `tandem config show`");
    check_machine(cli, *settings, checks);
    check_place(cli, *settings, checks);
    check_speed(cli, *settings, checks);
  }
  check_libraries(checks);
  if (cli.json)
    print_json({{"ok", checks.exit_code == 0}, {"checks", checks.list}});
  else
    print_table(checks.rows);
  return checks.exit_code;
}

constexpr std::string_view kBashCompletion = R"(# bash completion of tandem: source <(tandem completion bash)
_tandem() {
  local current=${COMP_WORDS[COMP_CWORD]} words
  [ "$current" = = ] && current=
  words=$(tandem completion words "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
  COMPREPLY=()
  case $words in
    *'<files>'*)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      words=${words//'<files>'/}
      [ -z "$current" ] && return  # options stand out only once a dash is there
      ;;
  esac
  mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _tandem tandem
)";

}  // namespace

void add_init(CLI::App& app, Cli& cli) {
  CLI::App* command =
      app.add_subcommand("init", "write a commented job document for a problem type to standard output");
  auto type = std::make_shared<std::string>();
  auto list = std::make_shared<bool>(false);
  command->add_option("PROBLEM", *type, "problem type; see --list");
  command->add_flag("--list", *list, "list the problem types");
  command->callback([&cli, type, list] { cli.action = [&cli, type, list] { return init(cli, *type, *list); }; });
}

void add_config(CLI::App& app, Cli& cli) {
  CLI::App* command = app.add_subcommand("config", "settings: file < environment TANDEM_* < flag");
  command->require_subcommand(1);
  command->add_subcommand("show", "every setting, its value and where it came from")->callback([&cli] {
    cli.action = [&cli] { return show_config(cli); };
  });
}

void add_doctor(CLI::App& app, Cli& cli) {
  CLI::App* command = app.add_subcommand("doctor", "check machine, data directory, store and backends");
  auto crash_points = std::make_shared<bool>(false);
  command->add_flag("--crash-points", *crash_points,
                    "list the places where TANDEM_CRASH_POINT=NAME kills a process, for tests, instead");
  command->callback([&cli, crash_points] {
    cli.action = [&cli, crash_points] { return *crash_points ? list_crash_points(cli) : doctor(cli); };
  });
}

void add_completion(CLI::App& app, Cli& cli) {
  CLI::App* command = app.add_subcommand("completion", "shell completion: source <(tandem completion bash)");
  command->require_subcommand(1);
  command->add_subcommand("bash", "for bash")->callback([&cli] {
    cli.action = [&cli] {
      if (cli.json)
        print_json({{"shell", "bash"}, {"text", kBashCompletion}});
      else
        fmt::print("{}", kBashCompletion);
      return Result<int>(0);
    };
  });
}

std::optional<std::vector<std::string>> completion_question(const std::vector<std::string>& words) {
  if (words.size() < 2 || words[0] != "completion" || words[1] != "words") return std::nullopt;
  return std::vector<std::string>(words.begin() + 2, words.end());
}

}  // namespace tandem::app
