// apps/tandem/cmd_submissions.cc - submissions: work at providers that is not resolved, and what people say of it.
#include "cli.h"
#include "tandem/base/text.h"

namespace tandem::app {
namespace {

constexpr std::size_t kWordsBytesMax = 4000;  ///< of one text that is shown
constexpr std::size_t kLimitMax = 1000;  ///< submissions in one answer of a server

struct ListOptions {
  std::string state;
  std::string job;
  std::string backend;
  std::size_t limit = 50;
};

/// Much of it is words of other people, and of providers.
std::string text(const Json& object, const char* key) { return printable(object.value(key, ""), kWordsBytesMax); }

std::string backend_of(const Json& one) {
  return text(one, "backend") + (one.value("emulated", false) ? " (emulated)" : "");
}

/// Since it went out, or was to.
std::string age_of(const Json& one, const Json& page) {
  const auto since = parse_rfc3339(text(one, "intent_at"));
  const auto now = parse_rfc3339(text(page, "read_at"));
  if (!since || !now) return "-";
  const auto age = std::chrono::microseconds(now->micros - since->micros);
  return format_duration(std::chrono::round<std::chrono::seconds>(std::max(age, std::chrono::microseconds(0))));
}

std::string bill_of(const Json& one) {
  const Json billed = one.value("billed_usd_micros", Json());
  return billed.is_null() ? "-" : format_usd(billed.get<std::int64_t>());
}

Result<int> list_submissions(Cli& cli, const ListOptions& options) {
  service::SubmissionQuery query;
  query.limit = options.limit;
  query.backend = options.backend;
  if (!options.state.empty()) {
    query.state = submit::find_submission_state(options.state);
    if (!query.state)
      return fail_at("--state", errors::kValueOutOfRange, "{} is not a state of a submission", quote(options.state));
  }
  if (!options.job.empty()) {
    TANDEM_TRY_ASSIGN(query.job, parse_job_id(options.job));
  }
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const Json page, reached.service().submissions(query));
  if (for_machines(cli)) {
    print_json(page);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {
      {"submission", "state", "backend", "age", "reserved", "billed", "handle", "job", "reason"}};
  for (const Json& one : page["submissions"])
    rows.push_back({text(one, "token"), text(one, "state"), backend_of(one), age_of(one, page),
                    format_usd(one.value("reserved_usd_micros", std::int64_t{0})), bill_of(one),
                    text(one, "handle").empty() ? "-" : text(one, "handle"), text(one, "job_id"),
                    text(one, "reason").empty() ? "-" : text(one, "reason")});
  if (rows.size() == 1)
    fmt::print("{}\n", options.state.empty() ? "every submission is resolved" : "there is none");
  else
    print_table(rows, {8, 6});
  if (!text(page, "next_page_token").empty())
    fmt::print("  ... more{}\n",
               options.limit < kLimitMax ? fmt::format(": --limit {}", std::min(2 * options.limit, kLimitMax)) : "");
  return 0;
}

/// A line in the imperative, for what a person may do next; empty: nothing.
std::string way_on(const Json& one) {
  const std::string token = text(one, "token");
  if (text(one, "state") != "held") return {};
  return fmt::format(
      "  it is followed until its bill is known; where no bill will come, look at the provider and say what you "
      "found:\n"
      "    tandem submissions adopt {0} --handle HANDLE --reason TEXT\n"
      "    tandem submissions release {0} --reason TEXT [--billed-usd USD]\n",
      token);
}

void print_submission(const Json& one) {
  fmt::print("{} is {}{}\n", text(one, "token"), text(one, "state"),
             text(one, "reason").empty() ? "" : ": " + text(one, "reason"));
  fmt::print("  attempt {} of step {} of {} at {} of {}, sent {} time{}\n", one.value("attempt", 0), text(one, "step"),
             text(one, "job_id"), backend_of(one), text(one, "intent_at"), one.value("sends", 0),
             one.value("sends", 0) == 1 ? "" : "s");
  fmt::print("  reserved {}, billed {}, handle {}\n", format_usd(one.value("reserved_usd_micros", std::int64_t{0})),
             bill_of(one), text(one, "handle").empty() ? "-" : text(one, "handle"));
  if (!text(one, "said").empty()) fmt::print("  {} said: {}\n", text(one, "said_by"), text(one, "said"));
  if (!text(one, "raw_sha256").empty()) fmt::print("  its bytes are kept: {}\n", text(one, "raw_sha256"));
  fmt::print("{}", way_on(one));
}

Result<int> show(const Cli& cli, const Result<Json>& answer) {
  TANDEM_TRY_ASSIGN(const Json one, answer);
  if (for_machines(cli))
    print_json(one);
  else
    print_submission(one);
  return 0;
}

struct Said {
  std::string token;
  std::string reason;
  std::string billed_usd;
  std::string handle;
};

Result<int> release(Cli& cli, const Said& said) {
  job::Money billed;
  if (!said.billed_usd.empty()) {
    auto micros = parse_usd(said.billed_usd);
    if (!micros) {
      micros.error().place = "--billed-usd";
      return tl::unexpected(std::move(micros).error());
    }
    billed.usd_micros = *micros;
  }
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  return show(cli, reached.service().release(said.token, said.reason, billed));
}

Result<int> adopt(Cli& cli, const Said& said) {
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  return show(cli, reached.service().adopt(said.token, said.handle, said.reason));
}

}  // namespace

void add_submissions(CLI::App& app, Cli& cli) {
  CLI::App* submissions = app.add_subcommand(
      "submissions", "work at providers that is not resolved, as `submissions list`; show, release or adopt one");
  auto options = std::make_shared<ListOptions>();
  CLI::App* list = submissions->add_subcommand("list", "those that are open or held, by token");
  for (CLI::App* command : {submissions, list}) {
    command->add_option("--state", options->state,
                        "instead: only those in this state, as held, ambiguous, orphan or released");
    command->add_option("--job", options->job, "only those of this job");
    command->add_option("--backend", options->backend, "only those at this backend");
    command->add_option("--limit", options->limit, "at most so many")->check(CLI::Range(std::size_t{1}, kLimitMax));
  }
  const auto listing = [&cli, options] { cli.action = [&cli, options] { return list_submissions(cli, *options); }; };
  list->callback(listing);
  submissions->callback([submissions, listing] {
    if (submissions->get_subcommands().empty()) listing();
  });
  const auto on_one = [&](const char* name, const char* help, Result<int> (*run)(Cli&, const Said&)) {
    CLI::App* command = submissions->add_subcommand(name, help);
    auto said = std::make_shared<Said>();
    command->add_option("SUBMISSION", said->token, "token, as `tandem submissions` shows it")->required();
    command->callback([&cli, said, run] { cli.action = [&cli, said, run] { return run(cli, *said); }; });
    return std::pair(command, said);
  };
  on_one("show", "what became of it", [](Cli& at, const Said& said) -> Result<int> {
    TANDEM_TRY_ASSIGN(Reached reached, reach(at, Role::kReader));
    return show(at, reached.service().submission(said.token));
  });
  const auto [releasing, released] =
      on_one("release", "say what held work has cost: nothing, or what the provider billed. It is final", release);
  releasing->add_option("--reason", released->reason, "how you know; kept with it")->required();
  releasing->add_option("--billed-usd", released->billed_usd, "what the provider billed; without it, surely nothing")
      ->type_name("USD");
  const auto [adopting, adopted] =
      on_one("adopt", "name the provider's handle of held or ambiguous work; the provider has to bear it out", adopt);
  adopting->add_option("--handle", adopted->handle, "the provider's name for it, as its console shows it")->required();
  adopting->add_option("--reason", adopted->reason, "how you know; kept with it")->required();
}

}  // namespace tandem::app
