// apps/tandem/cli.h - what all commands share: global options, how a service is reached, how results are printed.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "house.h"

namespace tandem::app {

/// The job is done but its own success criteria are not met.
inline constexpr int kExitNotAccepted = 20;
/// Two jobs, or a job and its replay, differ; a replay could not be compared.
inline constexpr int kExitDifferent = 21;
inline constexpr int kExitNotComparable = 22;
/// The plan of the job waits for people to approve it.
inline constexpr int kExitAwaitsApproval = 23;

/// Global options and the command that was chosen.
struct Cli {
  Machine machine;
  std::map<std::string, std::string> flags;  ///< setting -> value, from flags
  std::string config_file;
  bool json = false;
  std::function<Result<int>()> action;  ///< set by the command's callback; its value is the exit code

  Result<Settings> settings() const;
};

/// The service of whoever calls, and what must live as long: the house of this process, or a client of the server that holds the
/// directory.
struct Reached {
  std::unique_ptr<Log> log;
  std::unique_ptr<House> house;  ///< empty when a server answers
  std::unique_ptr<Executor> executor;
  std::unique_ptr<Http> http;
  std::shared_ptr<service::Service> asked;  ///< empty for nobody
  std::string server;  ///< address, when a server answers
  service::Service& service() { return *asked; }
};
/// In whose name a command asks.
enum class Asks : std::uint8_t {
  kForUser,  ///< in that of client.credential, where identity.file is set
  kForNobody,  ///< it serves others
};
/// Opens the data directory, or talks to the server that holds it.
/// Errors: also those of the credential; 4101 not_authenticated - identity.file is set and nobody stands behind it.
Result<Reached> reach(Cli& cli, Role role, Asks asks = Asks::kForUser);

/// With --json and in a pipe: a document, and no table.
bool for_machines(const Cli& cli);
/// Prints a document for machines.
void print_json(const Json& document);
/// The same as one line, for what prints several.
void print_json_line(const Json& document);
/// Prints rows with aligned columns; the first row is the heading. Where a terminal is too narrow, the columns `yielding` are cut, in
/// their order, so that no row wraps; whatever else is printed to is given them whole.
void print_table(const std::vector<std::vector<std::string>>& rows, const std::vector<std::size_t>& yielding = {});
bool stderr_is_terminal();
bool stdout_is_terminal();

/// How far a job is, as one line on the terminal of stderr that replaces itself some times a second and leaves nothing behind. It has no
/// colours, and stays within the width of the terminal. Silent in a pipe, on a dumb terminal, and where it shall be.
///
/// Threads: safe to call concurrently.
class ProgressLine {
 public:
  /// `budget_ms`: of the solve. References outlive it.
  ProgressLine(bool silent, std::optional<double> budget_ms, const Clock& clock, Executor& executor);
  ~ProgressLine();
  void show(const engine::Progress& progress);
  /// Takes the line away; nothing is shown after it.
  void end();

 private:
  void draw();

  std::optional<double> budget_ms_;
  const Clock& clock_;
  Instant begin_;
  std::mutex mutex_;
  bool enabled_;  ///< under mutex_, as all below
  engine::Progress last_;
  std::unique_ptr<Timer> ticks_;
};

/// The screen that a person sees when a job is done.
void print_result(const Json& spec, const Json& result);

/// Runs a queued job where this process has the house, and says how many others wait; follows it with progress on a terminal,
/// then prints it. `spec`: of the job, where it is at hand; null: not. The exit code of the job.
Result<int> attend_and_print(Cli& cli, Reached& reached, const JobId& id, const job::JobSpec* spec);

void add_run(CLI::App& app, Cli& cli);
void add_submit(CLI::App& app, Cli& cli);
void add_plan(CLI::App& app, Cli& cli);
void add_jobs(CLI::App& app, Cli& cli);
void add_jobs_rm(CLI::App& jobs, Cli& cli);
void add_approvals(CLI::App& app, Cli& cli);
void add_submissions(CLI::App& app, Cli& cli);
void add_explain(CLI::App& app, Cli& cli);
void add_diff(CLI::App& app, Cli& cli);
void add_replay(CLI::App& app, Cli& cli);
void add_backends(CLI::App& app, Cli& cli);
void add_usage(CLI::App& app, Cli& cli);  ///< and budgets
void add_convert(CLI::App& app, Cli& cli);
void add_generate(CLI::App& app, Cli& cli);
void add_init(CLI::App& app, Cli& cli);
void add_config(CLI::App& app, Cli& cli);
void add_doctor(CLI::App& app, Cli& cli);
void add_store(CLI::App& app, Cli& cli);
void add_serve(CLI::App& app, Cli& cli);
void add_emulate(CLI::App& app, Cli& cli);
void add_token(CLI::App& app, Cli& cli);
void add_completion(CLI::App& app, Cli& cli);

/// The words before the cursor when the shell asks what may follow them (`tandem completion words WORDS...`). Not a subcommand:
/// the words are those of a command line that is not finished, and its options are not ours to follow.
std::optional<std::vector<std::string>> completion_question(const std::vector<std::string>& words);

}  // namespace tandem::app
