// apps/tandem/cmd_approvals.cc - approvals: plans that wait for people, and what they say to them.
#include "cli.h"
#include "tandem/base/text.h"

namespace tandem::app {
namespace {

constexpr std::size_t kLimitMax = 1000;  ///< requests in one answer of a server

std::string text(const Json& object, const char* key) { return object.value(key, ""); }

std::string who_is_asked(const Json& need) {
  const auto of = need.value("of", std::vector<std::string>());
  return fmt::format("{} {}{}{}", need.value("approvers", 0), text(need, "role"),
                     need.value("approvers", 0) == 1 ? "" : "s",
                     of.empty() ? "" : fmt::format(" among {}", fmt::join(of, ", ")));
}

/// "$0.5", "$0.5 of play money", or both.
std::string at_most(const Json& approval) {
  const auto money = approval.value("cost_max_usd_micros", std::int64_t{0});
  const auto play_money = approval.value("cost_max_emulated_usd_micros", std::int64_t{0});
  if (play_money == 0) return format_usd(money);
  const std::string play = format_usd(play_money) + " of play money";
  return money == 0 ? play : format_usd(money) + " and " + play;
}

/// The same in a table.
std::string at_most_cell(const Json& approval) {
  const auto money = approval.value("cost_max_usd_micros", std::int64_t{0});
  const auto play_money = approval.value("cost_max_emulated_usd_micros", std::int64_t{0});
  if (play_money == 0) return format_usd(money);
  const std::string play = format_usd(play_money) + " (emulated)";
  return money == 0 ? play : format_usd(money) + " + " + play;
}

/// "11-28 10:28Z" of a time of the API; the year says `show`.
std::string to_the_minute(const std::string& time) {
  constexpr std::size_t kMonth = 5;
  constexpr std::size_t kMinute = 16;  // letters up to it
  if (time.size() <= kMinute) return time;
  std::string out = time.substr(kMonth, kMinute - kMonth);
  std::ranges::replace(out, 'T', ' ');
  return out + "Z";
}

/// With those whose jobs it is a retry of: none of them may decide.
std::string submitters(const Json& approval) {
  std::string out = text(approval, "submitted_by");
  for (const Json& before : approval.value("submitted_before", Json::array())) out += ", " + before.get<std::string>();
  return out;
}

Result<int> list_approvals(Cli& cli, const std::string& job, std::size_t limit) {
  service::ApprovalQuery query{.limit = limit};
  if (!job.empty()) {
    TANDEM_TRY_ASSIGN(query.job, parse_job_id(job));
  }
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const Json page, reached.service().approvals(query));
  if (for_machines(cli)) {
    print_json(page);
    return 0;
  }
  // Those that wait are all pending, and those of one job are all of one submitter: an id leaves no room for what says nothing.
  const bool is_of_job = !job.empty();
  std::vector<std::vector<std::string>> rows = {
      {"approval", is_of_job ? "state" : "by", "at most", "needs", "expires"}};
  for (const Json& one : page["approvals"]) {
    std::vector<std::string> needs;
    for (const Json& need : one["needs"])
      needs.push_back(fmt::format("{} ({})", who_is_asked(need), text(need, "rule")));
    const std::size_t said = one["decisions"].size();
    rows.push_back({text(one, "approval_id"), is_of_job ? text(one, "state") : submitters(one), at_most_cell(one),
                    fmt::format("{}{}", said == 0 ? "" : fmt::format("{} said, ", said), fmt::join(needs, "; ")),
                    to_the_minute(text(one, "expires_at"))});
  }
  if (rows.size() == 1)
    fmt::print("nothing waits for approval\n");
  else
    print_table(rows, is_of_job ? std::vector<std::size_t>{3} : std::vector<std::size_t>{1, 3});
  if (!text(page, "next_page_token").empty())
    fmt::print("  ... more{}\n", limit < kLimitMax ? fmt::format(": --limit {}", std::min(2 * limit, kLimitMax)) : "");
  return 0;
}

Result<int> show_approval(Cli& cli, const std::string& id) {
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const Json one, reached.service().approval(id));
  if (for_machines(cli)) {
    print_json(one);
    return 0;
  }
  TANDEM_TRY_ASSIGN(const JobId job, parse_job_id(text(one, "job_id")));
  fmt::print("{} is {}{}\n", text(one, "approval_id"), text(one, "state"),
             text(one, "reason").empty() ? "" : ": " + text(one, "reason"));
  fmt::print("  job {} by {}, open until {}\n", job.value, submitters(one), text(one, "expires_at"));
  fmt::print("  the plan {} may spend {} at most\n", text(one, "plan_digest").substr(0, 12), at_most(one));
  for (const Json& need : one["needs"])
    fmt::print("  rule {} wants {}: {}\n", text(need, "rule"), who_is_asked(need), text(need, "reason"));
  for (const Json& decision : one["decisions"])
    fmt::print("  {} said {} at {}{}: {}\n", text(decision, "actor"), text(decision, "decision"), text(decision, "at"),
               text(decision, "external_ref").empty() ? "" : fmt::format(" ({})", text(decision, "external_ref")),
               text(decision, "reason"));
  const auto plan = reached.service().plan_of(job);
  if (!plan || text(*plan, "digest") != text(one, "plan_digest")) return 0;
  for (const Json& reason : (*plan)["reasons"]) fmt::print("  {}\n", reason.get<std::string>());
  return 0;
}

struct Said {
  std::string id;
  std::string reason;
  std::string external_ref;
};

Result<int> decide(Cli& cli, approval::Verdict verdict, const Said& said) {
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const Json done,
                    reached.service().decide(
                        said.id, {.verdict = verdict, .reason = said.reason, .external_ref = said.external_ref}));
  if (for_machines(cli))
    print_json(done);
  else
    fmt::print("{} is {}\n", text(done, "approval_id"), text(done, "state"));
  return 0;
}

}  // namespace

void add_approvals(CLI::App& app, Cli& cli) {
  CLI::App* approvals = app.add_subcommand("approvals", "plans that wait for people, and what they say to them");
  auto job = std::make_shared<std::string>();
  auto limit = std::make_shared<std::size_t>(50);
  CLI::App* list = approvals->add_subcommand("list", "those that wait for a decision");
  for (CLI::App* command : {approvals, list}) {
    command->add_option("--job", *job, "instead: every request of this job");
    command->add_option("--limit", *limit, "at most so many")->check(CLI::Range(std::size_t{1}, kLimitMax));
  }
  const auto listing = [&cli, job, limit] {
    cli.action = [&cli, job, limit] { return list_approvals(cli, *job, *limit); };
  };
  list->callback(listing);
  approvals->callback([approvals, listing] {
    if (approvals->get_subcommands().empty()) listing();
  });
  CLI::App* show = approvals->add_subcommand("show", "what is asked, of whom, and what was said so far");
  auto shown = std::make_shared<std::string>();
  show->add_option("APPROVAL", *shown, "id, as `tandem approvals` shows it")->required();
  show->callback([&cli, shown] { cli.action = [&cli, shown] { return show_approval(cli, *shown); }; });
  const auto deciding = [&](const char* name, const char* help, approval::Verdict verdict) {
    CLI::App* command = approvals->add_subcommand(name, help);
    auto said = std::make_shared<Said>();
    command->add_option("APPROVAL", said->id, "id, as `tandem approvals` shows it")->required();
    command->add_option("--reason", said->reason, "kept with the decision")->required();
    command->add_option("--external-ref", said->external_ref, "where it was decided, such as the number of a ticket");
    command->callback(
        [&cli, said, verdict] { cli.action = [&cli, said, verdict] { return decide(cli, verdict, *said); }; });
  };
  deciding("approve", "approve a plan, for the one price that it names", approval::Verdict::kApprove);
  deciding("reject", "reject a plan: its job is cancelled", approval::Verdict::kReject);
}

}  // namespace tandem::app
