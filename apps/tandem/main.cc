// apps/tandem/main.cc - the one binary and its subcommands.
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "cli.h"
#include "command_words.h"
#include "tandem/base/printing.h"
#include "tandem/base/text.h"

namespace {

using namespace tandem;

/// One message with place, value, limit and what to do; as a problem document with --json.
int report(const Error& error, bool json) {
  if (json) app::print_json(service::problem_document(error, ""));
  fmt::print(stderr, "tandem: {}\n", error.to_string());
  const std::string_view action = error_record(error.number).action;
  if (!action.empty()) fmt::print(stderr, "  {}\n", action);
  return error_record(error.number).exit_code;
}

void add_globals(CLI::App& app, app::Cli& cli) {
  app.add_flag("--json", cli.json, "print documents for machines");
  app.add_option("--config", cli.config_file, "settings file (YAML)")->type_name("FILE");
  app.add_option_function<std::string>(
         "--data", [&](const std::string& value) { cli.flags["data.dir"] = value; },
         "data directory (default: $TANDEM_DATA_DIR, else XDG data home)")
      ->type_name("DIR");
  app.add_option_function<std::string>(
      "--log-level", [&](const std::string& value) { cli.flags["log.level"] = value; },
      "debug, info, warning, error or off");
}

/// What CLI11 reads as an unsigned number may be "-1" or longer than 64 bits: it wraps around without a word.
void refuse_wrapped_numbers(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_type_name() != "UINT") continue;
    option->check([](const std::string& text) {
      std::uint64_t value = 0;
      const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
      const bool whole = failed == std::errc() && end == text.data() + text.size();
      return whole ? std::string() : fmt::format("{} is not a whole number from 0 to {}", quote(text), UINT64_MAX);
    });
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) refuse_wrapped_numbers(*command);
}

/// Sets the action of the command that the words ask for; or does what they ask for instead, and returns the exit code. What reads them takes
/// memory that a server need not keep.
std::optional<int> read_command_line(int argc, char** argv, app::Cli& cli) {
  CLI::App app{"Tandem: hybrid quantum-classical work beside its classical baseline, with lineage."};
  app.set_version_flag("--version", std::string("tandem ") + TANDEM_VERSION);
  app.require_subcommand(1);
  app.fallthrough();  // global options may stand behind the command
  add_globals(app, cli);
  app::add_run(app, cli);
  app::add_submit(app, cli);
  app::add_plan(app, cli);
  app::add_jobs(app, cli);
  app::add_approvals(app, cli);
  app::add_submissions(app, cli);
  app::add_explain(app, cli);
  app::add_diff(app, cli);
  app::add_replay(app, cli);
  app::add_backends(app, cli);
  app::add_usage(app, cli);
  app::add_convert(app, cli);
  app::add_generate(app, cli);
  app::add_init(app, cli);
  app::add_config(app, cli);
  app::add_doctor(app, cli);
  app::add_store(app, cli);
  app::add_serve(app, cli);
  app::add_emulate(app, cli);
  app::add_token(app, cli);
  app::add_completion(app, cli);
  refuse_wrapped_numbers(app);
  app.footer(
      "Exit codes: 0 done; 20 done, success criteria not met; 21, 22 of diff and replay; 23 awaits approval; others as "
      "in "
      "docs/guide/errors.md.");
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  if (const auto before = app::completion_question(words)) {
    cli.action = [&]() -> Result<int> {
      for (const std::string& word : app::words_after(app, *before)) fmt::print("{}\n", word);
      return 0;
    };
    const Result<int> answered = run_printing(cli.action);
    return answered ? *answered : report(answered.error(), cli.json);
  }
  // A command line that cannot be read, or ends at --version, has not set it.
  const bool json = std::find(words.begin(), words.end(), "--json") != words.end();
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    cli.action = [&]() -> Result<int> {
      if (json && dynamic_cast<const CLI::CallForVersion*>(&success) != nullptr) {
        app::print_json({{"version", TANDEM_VERSION}});
        return 0;
      }
      std::ostringstream text;
      const int code = app.exit(success, text, text);
      fmt::print("{}", text.str());
      return code;
    };
    const Result<int> shown = run_printing(cli.action);
    return shown ? *shown : report(shown.error(), json);
  } catch (const CLI::ParseError& error) {
    const std::string stray = app::stray_word(app, words);
    return report(make_error(errors::kUsage, "{}", stray.empty() ? trim(error.what()) : stray), json);
  }
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  hold_standard_streams();
  // A write beyond the limit of a file's size (ulimit -f) gets its error and its message, not the end of the process.
  std::signal(SIGXFSZ, SIG_IGN);
  app::Cli cli;
  if (const std::optional<int> code = read_command_line(argc, argv, cli)) return *code;
  const Result<int> done = run_printing(cli.action);
  return done ? *done : report(done.error(), cli.json);
}
