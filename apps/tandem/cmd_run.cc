// apps/tandem/cmd_run.cc - run, submit, plan: from a file to a job.
#include "cli.h"
#include "job_input.h"

namespace tandem::app {
namespace {

/// A flag that only the backends here can judge is the place of their error.
template <typename T>
Result<T> told(Result<T> result, const JobFlags& flags) {
  return std::move(result).map_error([&](Error error) { return at_flag(std::move(error), flags); });
}

Result<int> run_job(Cli& cli, const JobFlags& flags) {
  TANDEM_TRY_ASSIGN(const Settings settings, cli.settings());
  // Everything that can be wrong with the input is said before anything is opened.
  const auto problems = problem::ProblemRegistry::with_builtin_types();
  TANDEM_TRY_ASSIGN(const job::JobSpec spec, read_job(flags, cli.machine.fs, settings, problems));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kRunner));
  TANDEM_TRY_ASSIGN(const Json admitted, told(reached.service().submit(spec, flags.idempotency_key), flags));
  TANDEM_TRY_ASSIGN(const JobId id, parse_job_id(admitted.value("job_id", "")));
  return attend_and_print(cli, reached, id, &spec);
}

Result<int> submit_job(Cli& cli, const JobFlags& flags) {
  TANDEM_TRY_ASSIGN(const Settings settings, cli.settings());
  const auto problems = problem::ProblemRegistry::with_builtin_types();
  TANDEM_TRY_ASSIGN(const job::JobSpec spec, read_job(flags, cli.machine.fs, settings, problems));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const Json admitted, told(reached.service().submit(spec, flags.idempotency_key), flags));
  if (cli.json)
    print_json(admitted);
  else
    fmt::print("{}\n", admitted.value("job_id", ""));
  if (!cli.json && reached.house != nullptr)
    fmt::print(stderr, "queued; it runs when `tandem serve` holds {}\n", reached.house->data_dir());
  return 0;
}

Result<int> plan_job(Cli& cli, const JobFlags& flags) {
  TANDEM_TRY_ASSIGN(const Settings settings, cli.settings());
  const auto problems = problem::ProblemRegistry::with_builtin_types();
  TANDEM_TRY_ASSIGN(const job::JobSpec spec, read_job(flags, cli.machine.fs, settings, problems));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const Json plan, told(reached.service().plan(spec), flags));
  if (cli.json) {
    print_json(plan);
    return 0;
  }
  const Json view = {{"job_id", "(not submitted)"},
                     {"problem_type", spec.is_program() ? "program" : spec.problem()->type()},
                     {"state", "only planned"}};
  for (const std::string& line : service::explain(view, plan, Json(), Json())) fmt::print("{}\n", line);
  return 0;
}

void add_job_command(CLI::App& app, Cli& cli, const char* name, const char* help,
                     Result<int> (*run)(Cli&, const JobFlags&)) {
  CLI::App* command = app.add_subcommand(name, help);
  auto flags = std::make_shared<JobFlags>();
  add_job_flags(command, *flags);
  command->callback([&cli, flags, run] { cli.action = [&cli, flags, run] { return run(cli, *flags); }; });
}

}  // namespace

void add_run(CLI::App& app, Cli& cli) {
  add_job_command(app, cli, "run", "run a job document or a bare instance and wait for its result", run_job);
}
void add_submit(CLI::App& app, Cli& cli) {
  add_job_command(app, cli, "submit", "queue a job and return at once", submit_job);
}
void add_plan(CLI::App& app, Cli& cli) {
  add_job_command(app, cli, "plan", "show what would be done and why, without doing it", plan_job);
}

}  // namespace tandem::app
