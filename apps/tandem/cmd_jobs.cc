// apps/tandem/cmd_jobs.cc - jobs, explain, diff, backends: looking things up.
#include "circuit_cost.h"
#include "cli.h"
#include "tandem/base/text.h"

namespace tandem::app {
namespace {

/// A positional job id of a subcommand, kept alive by the callback that uses it.
std::shared_ptr<std::string> job_argument(CLI::App* command) {
  auto id = std::make_shared<std::string>();
  command->add_option("JOB", *id, "job id, as `tandem jobs` shows it")->required();
  return id;
}

std::string cell(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "-";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

struct ListFilter {
  std::string state;
  std::uint16_t error_number = 0;
  std::size_t limit = 50;
};

Result<int> list_jobs(Cli& cli, const ListFilter& filter) {
  service::JobQuery query{.limit = filter.limit};
  if (filter.error_number != 0) query.error_number = filter.error_number;
  if (!filter.state.empty()) {
    query.state = job::find_job_state(filter.state);
    if (!query.state) return fail_at("--state", errors::kValueOutOfRange, "{} is not a job state", quote(filter.state));
  }
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const Json page, reached.service().jobs(query));
  if (cli.json) {
    print_json(page);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {{"job", "state", "problem", "name", "objective", "created"}};
  for (const Json& job : page["jobs"])
    rows.push_back({cell(job, "job_id"), cell(job, "state"), cell(job, "problem_type"), cell(job, "name"),
                    cell(job, "objective"), cell(job, "created_at")});
  if (rows.size() == 1)
    fmt::print("{}\n", filter.state.empty() && filter.error_number == 0
                           ? "no jobs yet; `tandem init max_cut > job.yaml` writes a first one"
                           : "no such jobs");
  else
    print_table(rows);
  if (!page.value("next_page_token", "").empty()) fmt::print("  ... more: --limit {}\n", 2 * filter.limit);
  return 0;
}

/// A document of one job, printed as JSON whatever --json says: it is for machines.
Result<int> print_part(Cli& cli, const std::string& text, Result<Json> (service::Service::*part)(const JobId&)) {
  TANDEM_TRY_ASSIGN(const JobId id, parse_job_id(text));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const Json document, (reached.service().*part)(id));
  print_json(document);
  return 0;
}

Result<int> show_result(Cli& cli, const std::string& text) {
  TANDEM_TRY_ASSIGN(const JobId id, parse_job_id(text));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const Json result, reached.service().result(id));
  if (cli.json) {
    print_json(result);
    return 0;
  }
  TANDEM_TRY_ASSIGN(const Json spec, reached.service().spec(id));
  print_result(spec, result);
  return 0;
}

Result<int> show_events(Cli& cli, const std::string& text) {
  constexpr std::size_t kPage = 500;
  TANDEM_TRY_ASSIGN(const JobId id, parse_job_id(text));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  std::uint64_t after = 0;
  while (true) {
    TANDEM_TRY_ASSIGN(const Json page, reached.service().events(id, after, kPage));
    for (const Json& event : page["events"]) {
      after = event.value("sequence", after);
      if (cli.json)
        fmt::print("{}\n", event.dump());
      else
        fmt::print("{:>8}  {}  {:<24} {}\n", after, cell(event, "at"), cell(event, "type"),
                   event.value("data", Json::object()).dump());
    }
    if (page["events"].size() < kPage) return 0;
  }
}

/// Prints the job as it is after somebody acted on it.
Result<int> print_view(Cli& cli, Reached& reached, const JobId& id) {
  TANDEM_TRY_ASSIGN(const Json view, reached.service().job(id));
  if (cli.json)
    print_json(view);
  else
    fmt::print("{} is {}{}{}\n", id.value, cell(view, "state"), view.value("partial", false) ? " (partial)" : "",
               view.value("cancel_requested", false) ? ", cancel requested" : "");
  return 0;
}

using Stop = Result<void> (service::Service::*)(const JobId&, std::string_view);

Result<int> stop_job(Cli& cli, const std::string& text, const std::string& reason, Stop stop) {
  TANDEM_TRY_ASSIGN(const JobId id, parse_job_id(text));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY((reached.service().*stop)(id, reason));
  return print_view(cli, reached, id);
}

Result<int> resume_job(Cli& cli, const std::string& text) {
  TANDEM_TRY_ASSIGN(const JobId id, parse_job_id(text));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY(reached.service().resume(id));
  return print_view(cli, reached, id);
}

Result<int> retry_job(Cli& cli, const std::string& text, const std::string& idempotency_key) {
  TANDEM_TRY_ASSIGN(const JobId id, parse_job_id(text));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const Json admitted, reached.service().retry(id, idempotency_key));
  return print_view(cli, reached, JobId(admitted["job_id"].get<std::string>()));
}

Result<int> review_job(Cli& cli, const std::string& text, engine::Verdict verdict, const std::string& reason) {
  TANDEM_TRY_ASSIGN(const JobId id, parse_job_id(text));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY(reached.service().review(id, verdict, reason));
  TANDEM_TRY_ASSIGN(const Json view, reached.service().job(id));
  if (cli.json)
    print_json(view);
  else
    fmt::print("{} was {} and is {}\n", id.value, verdict == engine::Verdict::kAccept ? "accepted" : "rejected",
               cell(view, "state"));
  return 0;
}

Result<int> watch_job(Cli& cli, const std::string& text) {
  TANDEM_TRY_ASSIGN(const JobId id, parse_job_id(text));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kRunner));
  return attend_and_print(cli, reached, id, nullptr);
}

Result<int> explain_job(Cli& cli, const std::string& text) {
  TANDEM_TRY_ASSIGN(const JobId id, parse_job_id(text));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const Json view, reached.service().job(id));
  // A job that has not been planned or has no result is explained as far as it got.
  const Json plan = reached.service().plan_of(id).value_or(Json());
  const Json result = reached.service().result(id).value_or(Json());
  TANDEM_TRY_ASSIGN(const Json submissions, reached.service().submissions(id));
  const Json lineage = reached.service().lineage(id).value_or(Json());
  std::vector<std::string> lines = service::explain(view, plan, result, submissions);
  for (std::string& line : service::race_words(lineage)) lines.push_back(std::move(line));
  if (cli.json) {
    print_json({{"job", view}, {"plan", plan}, {"result", result}, {"lineage", lineage}, {"explanation", lines}});
    return 0;
  }
  for (const std::string& line : lines) fmt::print("{}\n", line);
  return 0;
}

/// A part of a job, or null while there is none.
Result<Json> if_ready(Result<Json> part) {
  if (!part && part.error().number == errors::kResultNotReady) return Json();
  return part;
}

Result<service::JobDocuments> documents_of(service::Service& service, const JobId& id) {
  service::JobDocuments out;
  TANDEM_TRY_ASSIGN(out.job, service.job(id));
  TANDEM_TRY_ASSIGN(out.spec, service.spec(id));
  TANDEM_TRY_ASSIGN(out.plan, if_ready(service.plan_of(id)));
  // Asked for its result, a job that failed answers with its own error, which stands in its view, too.
  if (out.job.value("error", Json()).is_null()) {
    TANDEM_TRY_ASSIGN(out.result, if_ready(service.result(id)));
  }
  return out;
}

Result<int> diff_jobs(Cli& cli, const std::string& first_text, const std::string& second_text) {
  TANDEM_TRY_ASSIGN(const JobId first, parse_job_id(first_text));
  TANDEM_TRY_ASSIGN(const JobId second, parse_job_id(second_text));
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const service::JobDocuments first_documents, documents_of(reached.service(), first));
  TANDEM_TRY_ASSIGN(const service::JobDocuments second_documents, documents_of(reached.service(), second));
  const Json report = service::diff(first_documents, second_documents);
  const bool same = report["differences"].empty();
  if (cli.json) {
    print_json(report);
  } else {
    fmt::print("{}\n", same ? "the same, but for ids and times" : "DIFFERENT");
    for (const Json& difference : report["differences"]) {
      fmt::print("  {}: {}\n", cell(difference, "part"), cell(difference, "text"));
      for (const Json& place : difference["places"]) fmt::print("    {}\n", place.get<std::string>());
    }
    for (const Json& timing : report["timings"]) fmt::print("  not counted: {}\n", timing.get<std::string>());
  }
  return same ? 0 : kExitDifferent;
}

}  // namespace

void add_jobs(CLI::App& app, Cli& cli) {
  CLI::App* jobs = app.add_subcommand(
      "jobs", "list jobs, as `jobs list`; read, watch, cancel, suspend, resume, retry, review or remove one");
  CLI::App* list = jobs->add_subcommand("list", "list jobs, newest first");
  const auto filter = std::make_shared<ListFilter>();
  for (CLI::App* command : {jobs, list}) {
    command->add_option("--state", filter->state, "only jobs in this state");
    command
        ->add_option("--error", filter->error_number,
                     "only jobs that ended with the error of this number; 5014: those that took their processes down")
        ->check(CLI::Range(1, 65535));
    command->add_option("--limit", filter->limit, "at most so many")->check(CLI::Range(1, 1000));
  }
  const auto listing = [&cli, filter] { cli.action = [&cli, filter] { return list_jobs(cli, *filter); }; };
  list->callback(listing);
  jobs->callback([jobs, listing] {
    if (jobs->get_subcommands().empty()) listing();
  });
  struct Part {
    const char* name;
    const char* help;
    Result<Json> (service::Service::*part)(const JobId&);
  };
  constexpr Part kParts[] = {
      {"show", "state of a job", &service::Service::job},
      {"plan", "the plan that was decided", &service::Service::plan_of},
      {"lineage", "how the result came to be", &service::Service::lineage},
      {"spec", "the job document as it was admitted", &service::Service::spec},
      {"submissions", "work sent to providers, and what became of it", &service::Service::submissions}};
  for (const Part& part : kParts) {
    CLI::App* command = jobs->add_subcommand(part.name, part.help);
    const auto id = job_argument(command);
    command->callback([&cli, id, part] { cli.action = [&cli, id, part] { return print_part(cli, *id, part.part); }; });
  }
  const auto simple = [&](const char* name, const char* help, Result<int> (*run)(Cli&, const std::string&)) {
    CLI::App* command = jobs->add_subcommand(name, help);
    const auto id = job_argument(command);
    command->callback([&cli, id, run] { cli.action = [&cli, id, run] { return run(cli, *id); }; });
  };
  simple("result", "the result of a job", show_result);
  simple("events", "everything that happened to a job", show_events);
  simple("watch", "follow a job to its end", watch_job);
  simple("resume", "put a suspended job back into the queue", resume_job);
  {
    CLI::App* command = jobs->add_subcommand("retry", "submit the document of a job that has ended as a new job");
    const auto id = job_argument(command);
    auto key = std::make_shared<std::string>();
    command->add_option("--idempotency-key", *key, "the same key and job give the same new job");
    command->callback([&cli, id, key] { cli.action = [&cli, id, key] { return retry_job(cli, *id, *key); }; });
  }
  const auto reasoned = [&](const char* name, const char* help,
                            std::function<Result<int>(Cli&, const std::string& job, const std::string& reason)> run) {
    CLI::App* command = jobs->add_subcommand(name, help);
    const auto id = job_argument(command);
    auto reason = std::make_shared<std::string>();
    command->add_option("--reason", *reason, "kept with the job");
    command->callback([&cli, id, reason, run = std::move(run)] {
      cli.action = [&cli, id, reason, run] { return run(cli, *id, *reason); };
    });
  };
  const auto stopping = [](Stop stop) {
    return
        [stop](Cli& at, const std::string& job, const std::string& reason) { return stop_job(at, job, reason, stop); };
  };
  reasoned("cancel", "ask for a job to end", stopping(&service::Service::cancel));
  reasoned("suspend", "put a job aside until it is resumed", stopping(&service::Service::suspend));
  const auto with = [](engine::Verdict verdict) {
    return [verdict](Cli& at, const std::string& job, const std::string& reason) {
      return review_job(at, job, verdict, reason);
    };
  };
  reasoned("accept", "accept the result of a job that awaits review", with(engine::Verdict::kAccept));
  reasoned("reject", "reject the result of a job that awaits review: the job has failed",
           with(engine::Verdict::kReject));
  add_jobs_rm(*jobs, cli);
}

void add_explain(CLI::App& app, Cli& cli) {
  CLI::App* command = app.add_subcommand(
      "explain", "say in plain words why a job was planned and ended as it was, or what a circuit costs here");
  const auto id = std::make_shared<std::string>();
  const auto wanted = std::make_shared<CircuitWanted>();
  CLI::Option* job = command->add_option("JOB", *id, "job id, as `tandem jobs` shows it");
  CLI::Option* file = command
                          ->add_option("--circuit", wanted->file,
                                       "a circuit (OpenQASM 2, qsim's text or JSON): its passes over the state")
                          ->excludes(job)
                          ->type_name("FILE");
  CLI::Option* precision =
      command->add_option("--precision", wanted->precision, "of the circuit's amplitudes: f32 or f64")->needs(file);
  command
      ->add_option("--tolerance", wanted->tolerance,
                   "f32 where rounding moves no probability by more than this, else f64")
      ->needs(file)
      ->excludes(precision);
  command->add_flag("--plan-only", wanted->plan_only, "predict the circuit's time, and do not run it")->needs(file);
  command->callback([&cli, id, wanted] {
    cli.action = [&cli, id, wanted]() -> Result<int> {
      if (!wanted->file.empty()) return explain_circuit(cli, *wanted);
      if (id->empty()) return fail(errors::kUsage, "name a job, or a circuit with --circuit FILE");
      return explain_job(cli, *id);
    };
  });
}

void add_diff(CLI::App& app, Cli& cli) {
  CLI::App* command = app.add_subcommand(
      "diff", "say in plain words what differs between two jobs: exit 0 nothing but ids and times, 21 different");
  auto first = std::make_shared<std::string>();
  auto second = std::make_shared<std::string>();
  command->add_option("FIRST", *first, "job id")->required();
  command->add_option("SECOND", *second, "job id")->required();
  command->callback(
      [&cli, first, second] { cli.action = [&cli, first, second] { return diff_jobs(cli, *first, *second); }; });
}

}  // namespace tandem::app
