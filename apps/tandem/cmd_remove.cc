// apps/tandem/cmd_remove.cc - jobs rm: removing jobs that have ended, by name or by rule.
#include <algorithm>

#include "cli.h"
#include "tandem/base/text.h"

namespace tandem::app {
namespace {

constexpr std::size_t kPage = 1000;  ///< jobs read at once

struct Request {
  std::vector<std::string> ids;
  std::string older_than;
  std::uint64_t keep = 0;
  bool has_keep = false;
  std::string reason;
  bool dry_run = false;
  bool by_rule() const { return has_keep || !older_than.empty(); }
};

/// Ids of the jobs that have ended and that every rule lets go, oldest first. Ages are by the clock of the store, not of this machine.
Result<std::vector<JobId>> chosen(service::Service& service, const Request& request) {
  std::optional<std::chrono::microseconds> age_min;
  if (!request.older_than.empty()) {
    auto age = parse_duration(request.older_than);
    if (!age) {
      age.error().place = "--older-than";
      return tl::unexpected(std::move(age).error());
    }
    age_min = std::chrono::duration_cast<std::chrono::microseconds>(*age);
  }
  std::int64_t before_micros = INT64_MAX;
  std::vector<JobId> out;
  std::uint64_t to_keep = request.has_keep ? request.keep : 0;
  service::JobQuery query{.limit = kPage};
  do {
    TANDEM_TRY_ASSIGN(const Json page, service.jobs(query));
    if (age_min && before_micros == INT64_MAX) {
      TANDEM_TRY_ASSIGN(const Timestamp now, parse_rfc3339(page.value("read_at", "")));
      before_micros = now.micros - age_min->count();
    }
    for (const Json& job : page["jobs"]) {
      const auto state = job::find_job_state(job.value("state", ""));
      if (!state || !job::is_final(*state)) continue;
      if (to_keep > 0) {
        --to_keep;
        continue;
      }
      TANDEM_TRY_ASSIGN(const Timestamp ended, parse_rfc3339(job.value("updated_at", "")));
      if (ended.micros < before_micros) out.emplace_back(job.value("job_id", ""));
    }
    query.page_token = page.value("next_page_token", "");
  } while (!query.page_token.empty());
  std::reverse(out.begin(), out.end());
  return out;
}

Result<int> print_removed(const Cli& cli, const Request& request, const Json& removed, const Json& kept) {
  if (cli.json) {
    print_json({{"dry_run", request.dry_run}, {"removed", removed}, {"kept", kept}});
    return 0;
  }
  for (const Json& id : removed)
    fmt::print("{} {}\n", id.get<std::string>(), request.dry_run ? "would be removed" : "removed");
  for (const Json& job : kept)
    fmt::print("{} stays: {}\n", job["job_id"].get<std::string>(), job["message"].get<std::string>());
  if (removed.empty() && kept.empty()) fmt::print("no job that has ended is concerned\n");
  return 0;
}

Result<int> remove_named(Cli& cli, const Request& request) {
  std::vector<JobId> ids;
  for (const std::string& text : request.ids) {
    TANDEM_TRY_ASSIGN(JobId id, parse_job_id(text));
    ids.push_back(std::move(id));
  }
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  Json removed = Json::array();
  for (const JobId& id : ids) {
    auto done = reached.service().remove(id, request.reason);
    if (!done) {
      if (!removed.empty()) done.error().message += fmt::format("; {} named before it were removed", removed.size());
      return tl::unexpected(std::move(done).error());
    }
    removed.push_back(id.value);
  }
  return print_removed(cli, request, removed, Json::array());
}

Result<int> remove_by_rule(Cli& cli, const Request& request) {
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const std::vector<JobId> ids, chosen(reached.service(), request));
  Json removed = Json::array();
  Json kept = Json::array();
  for (const JobId& id : ids) {
    const auto done = request.dry_run ? Result<void>() : reached.service().remove(id, request.reason);
    if (done) {
      removed.push_back(id.value);
      continue;
    }
    const Error& error = done.error();
    if (error.number == errors::kJobNotFound) continue;  // removed by somebody else meanwhile
    if (error.number != errors::kSubmissionOpen) return tl::unexpected(error);
    kept.push_back({{"job_id", id.value}, {"number", static_cast<int>(error.number)}, {"message", error.message}});
  }
  return print_removed(cli, request, removed, kept);
}

Result<int> remove_jobs(Cli& cli, const Request& request) {
  if (request.ids.empty() == !request.by_rule())
    return fail(errors::kUsage, "name jobs, or say which by --older-than and --keep; not both");
  if (request.dry_run && !request.by_rule()) return fail(errors::kUsage, "--dry-run goes with --older-than and --keep");
  return request.by_rule() ? remove_by_rule(cli, request) : remove_named(cli, request);
}

}  // namespace

void add_jobs_rm(CLI::App& jobs, Cli& cli) {
  CLI::App* command = jobs.add_subcommand("rm", "remove jobs that have ended, with everything that only they need");
  auto request = std::make_shared<Request>();
  command->add_option("JOB", request->ids, "job ids, as `tandem jobs` shows them");
  command->add_option("--older-than", request->older_than, "instead: those that ended longer ago, as in 12h or 720h");
  CLI::Option* keep = command->add_option("--keep", request->keep, "instead: all but so many of the youngest");
  command->add_option("--reason", request->reason, "kept in the log");
  command->add_flag("--dry-run", request->dry_run, "only say which");
  command->callback([&cli, request, keep] {
    request->has_keep = keep->count() != 0;
    cli.action = [&cli, request] { return remove_jobs(cli, *request); };
  });
}

}  // namespace tandem::app
