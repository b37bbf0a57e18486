// apps/tandem/cmd_replay.cc - replay: the recorded job again, in a fresh process that cannot read the stored result.
#include <csignal>

#include "child.h"
#include "cli.h"
#include "tandem/base/hash.h"
#include "tandem/base/text.h"
#include "tandem/middleware/adapter/ionq/ionq.h"

namespace tandem::app {
namespace {

constexpr const char* kNoDevice = "http://device.invalid:1";  ///< RFC 2606: nothing answers to it

/// The child: a package on standard input, the canonical result on standard output.
Result<int> replay_worker(Cli& cli, std::size_t threads) {
  TANDEM_TRY_ASSIGN(const Bytes input, cli.machine.fs.read_file("-", UINT64_MAX));
  TANDEM_TRY_ASSIGN(const Json document,
                    parse_json(input, "package", {.bytes_max = UINT64_MAX, .values_max = UINT64_MAX}));
  TANDEM_TRY_ASSIGN(const lineage::ReplayPackage package, lineage::ReplayPackage::parse(document));
  // Results of the device are decoded with its codec from the recorded bytes: the device need not be there, nor configured.
  cli.flags["lab.device_url"] = kNoDevice;
  cli.flags["ionq.url"] = kNoDevice;
  cli.flags["ionq.backends"] = fmt::format("{}", fmt::join(ionq::backend_names(), ","));
  TANDEM_TRY_ASSIGN(const Settings settings, cli.settings());
  ThreadExecutor executor(threads);
  NullLog log;
  telemetry::MeterRegistry meters;
  FileCredentials credentials(cli.machine.fs, cli.machine.environment, log);
  TANDEM_TRY_ASSIGN(const auto http, make_http(settings, cli.machine, executor));
  const auto memory = make_memory(settings, cli.machine.fs, executor);
  TANDEM_TRY_ASSIGN(const auto backends,
                    make_backends(settings, executor, *memory, cli.machine, *http, credentials, log, meters));
  const auto problems = problem::ProblemRegistry::with_builtin_types();
  TANDEM_TRY_ASSIGN(const lineage::ReplayOutcome outcome, lineage::replay(package, *backends, problems, threads));
  fmt::print("{}\n", Json{{"canonical", outcome.canonical},
                          {"canonical_sha256", outcome.canonical_sha256},
                          {"differences", outcome.differences}}
                         .dump());
  return 0;
}

/// Why a child ended without a result: its own error where it could still say one.
Error failure_of(const ChildOutput& child) {
  if (child.signal == SIGKILL) {
    return make_error(errors::kOutOfMemory,
                      "the process of the replay was killed (signal {}), as a machine does that has run out of memory",
                      child.signal);
  }
  if (child.signal != 0) {
    return make_error(errors::kInternal, "the process of the replay ended by signal {}: {}", child.signal,
                      quote(trim(child.standard_error)));
  }
  const auto document = parse_json(child.standard_output, "replay");
  if (document && document->is_object() && document->contains("number")) {
    return Error{.number = static_cast<ErrorNumber>(document->value("number", std::uint16_t{0})),
                 .message = document->value("detail", "")};
  }
  return make_error(errors::kInternal, "the process of the replay ended with exit code {}: {}", child.exit_code,
                    quote(trim(child.standard_error)));
}

Result<int> replay_job(Cli& cli, const std::string& text, std::size_t threads) {
  TANDEM_TRY_ASSIGN(const JobId id, parse_job_id(text));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const Json lineage, reached.service().lineage(id));
  TANDEM_TRY_ASSIGN(const Json package, reached.service().replay_package(id));
  const std::vector<std::string> arguments = {"replay-worker", "--json", "--threads", std::to_string(threads)};
  TANDEM_TRY_ASSIGN(const ChildOutput child, run_self(arguments, package.dump()));
  const std::string recorded = lineage.value("result_sha256", "");
  Json report = {{"job_id", id.value}, {"recorded_sha256", recorded}, {"threads", threads}};
  if (child.exit_code != 0 || child.signal != 0) {
    const Error failure = failure_of(child);
    if (failure.number != errors::kReplayNotComparable) return tl::unexpected(failure);
    report["verdict"] = "not_comparable";
    report["reason"] = failure.message;
    if (cli.json)
      print_json(report);
    else
      fmt::print("not comparable: {}\n", failure.message);
    return kExitNotComparable;
  }
  TANDEM_TRY_ASSIGN(const Json outcome, parse_json(child.standard_output, "replay", {.bytes_max = UINT64_MAX}));
  const std::string now = outcome.value("canonical_sha256", "");
  const bool identical = now == recorded;
  report["replayed_sha256"] = now;
  report["verdict"] = identical ? "identical" : "different";
  Json differences = outcome.value("differences", Json::array());
  if (!identical) {
    TANDEM_TRY_ASSIGN(const Json document, reached.service().result(id));
    TANDEM_TRY_ASSIGN(const job::ResultDocument stored, job::ResultDocument::parse(document));
    for (const std::string& line : lineage::difference(stored.computed().value(), outcome["canonical"]))
      differences.push_back(line);
  }
  report["differences"] = differences;
  if (cli.json) {
    print_json(report);
  } else {
    fmt::print("{}: recorded {}, replayed {} with {} threads\n", identical ? "identical" : "DIFFERENT",
               recorded.substr(0, 16), now.substr(0, 16), threads);
    for (const Json& line : differences) fmt::print("  {}\n", line.get<std::string>());
  }
  return identical ? 0 : kExitDifferent;
}

}  // namespace

void add_replay(CLI::App& app, Cli& cli) {
  CLI::App* command = app.add_subcommand(
      "replay", "compute a job again from its record and compare: exit 0 identical, 21 different, 22 not comparable");
  auto id = std::make_shared<std::string>();
  auto threads = std::make_shared<std::size_t>(1);
  command->add_option("JOB", *id, "job id")->required();
  command->add_option("--threads", *threads, "threads of the replay; the answer does not depend on it")
      ->check(CLI::Range(1, 1024));
  command->callback(
      [&cli, id, threads] { cli.action = [&cli, id, threads] { return replay_job(cli, *id, *threads); }; });

  CLI::App* worker = app.add_subcommand("replay-worker", "")->group("");  // hidden: the child of replay
  auto worker_threads = std::make_shared<std::size_t>(1);
  worker->add_option("--threads", *worker_threads);
  worker->callback(
      [&cli, worker_threads] { cli.action = [&cli, worker_threads] { return replay_worker(cli, *worker_threads); }; });
}

}  // namespace tandem::app
