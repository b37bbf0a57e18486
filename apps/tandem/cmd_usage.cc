// apps/tandem/cmd_usage.cc - usage, budgets: what was spent, and what the limits leave.
#include "cli.h"
#include "tandem/api/service/focus.h"
#include "tandem/base/text.h"

namespace tandem::app {
namespace {

struct UsageOptions {
  std::string by = "backend";
  std::string from;
  std::string to;
  std::string format;
};

std::string name_or_none(const std::string& name) { return name.empty() ? "-" : name; }

/// A day alone is its begin.
Result<std::optional<Timestamp>> time_of(const std::string& flag, const std::string& text) {
  if (text.empty()) return std::optional<Timestamp>();
  const bool is_day = text.find('T') == std::string::npos;
  auto time = parse_rfc3339(is_day ? text + "T00:00:00Z" : text);
  if (!time)
    return fail_at(flag, errors::kBadTimestamp,
                   "{} is not a day or a time in UTC; write it as 2026-01-31 or "
                   "2026-01-31T12:00:00Z",
                   quote(text));
  return std::optional(*time);
}

/// Every charge of the range, page by page.
Result<void> print_focus(service::Service& service, service::UsageQuery query) {
  query.by.reset();
  fmt::print("{}", service::focus_heading());
  do {
    TANDEM_TRY_ASSIGN(const Json page, service.usage(query));
    for (const Json& charge : page["charges"]) fmt::print("{}", service::focus_row(charge));
    query.page_token = page.value("next_page_token", "");
    if (!query.from) {  // the month may end meanwhile
      TANDEM_TRY_ASSIGN(query.from, time_of("--from", page.value("from", "")));
      TANDEM_TRY_ASSIGN(query.to, time_of("--to", page.value("to", "")));
    }
  } while (!query.page_token.empty());
  return {};
}

void print_usage(const Json& usage) {
  std::vector<std::vector<std::string>> rows = {
      {usage.value("by", ""), "cost", "shots", "QPU seconds", "bytes", "submissions", "jobs"}};
  for (const Json& group : usage["groups"])
    rows.push_back({name_or_none(group.value("name", "")) + (group.value("emulated", false) ? " (emulated)" : ""),
                    format_usd(group.value("cost_usd_micros", std::int64_t{0})),
                    std::to_string(group.value("shots", std::int64_t{0})),
                    shortest(static_cast<double>(group.value("qpu_us", std::int64_t{0})) / 1e6),
                    std::to_string(group.value("bytes", std::int64_t{0})),
                    std::to_string(group.value("submissions", std::int64_t{0})),
                    std::to_string(group.value("jobs", std::int64_t{0}))});
  fmt::print("from {} to {}\n", usage.value("from", ""), usage.value("to", ""));
  if (rows.size() == 1)
    fmt::print("nothing was billed\n");
  else
    print_table(rows, {0});
}

Result<int> show_usage(Cli& cli, const UsageOptions& options) {
  service::UsageQuery query{.by = budget::find_usage_by(options.by)};
  TANDEM_TRY_ASSIGN(query.from, time_of("--from", options.from));
  TANDEM_TRY_ASSIGN(query.to, time_of("--to", options.to));
  const std::string format = !options.format.empty() ? options.format : for_machines(cli) ? "json" : "table";
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  if (format == "focus") {
    TANDEM_TRY(print_focus(reached.service(), query));
    return 0;
  }
  TANDEM_TRY_ASSIGN(const Json usage, reached.service().usage(query));
  if (format == "json")
    print_json(usage);
  else
    print_usage(usage);
  return 0;
}

std::string scope_of(const Json& budget) {
  return budget::Scope{.tenant = budget.value("tenant", ""),
                       .project = budget.value("project", ""),
                       .user = budget.value("user", ""),
                       .backend = budget.value("backend", ""),
                       .emulated = budget.value("emulated", false)}
      .words();
}

Result<int> show_budgets(Cli& cli) {
  TANDEM_TRY_ASSIGN(Reached reached, reach(cli, Role::kReader));
  TANDEM_TRY_ASSIGN(const Json document, reached.service().budgets());
  if (for_machines(cli)) {
    print_json(document);
    return 0;
  }
  std::vector<std::vector<std::string>> rows = {
      {"whose", "period", "limit", "soft", "settled", "held", "free", "forecast"}};
  for (const Json& budget : document["budgets"]) {
    const budget::Unit unit = budget::find_unit(budget.value("unit", "")).value_or(budget::Unit::kJobs);
    const auto figure = [&](const char* key) -> std::string {
      const Json value = budget.value(key, Json());
      if (value.is_null()) return "-";
      return budget::words_of(
          unit, value.is_number_integer() ? value.get<std::int64_t>() : static_cast<std::int64_t>(value.get<double>()));
    };
    rows.push_back({scope_of(budget), budget.value("span", ""), figure("hard"), figure("soft"), figure("settled"),
                    figure("held"), figure("free"), figure("forecast")});
  }
  if (rows.size() == 1)
    fmt::print("there are no limits; the setting budget.file names a file with some\n");
  else
    print_table(rows, {0});
  return 0;
}

}  // namespace

void add_usage(CLI::App& app, Cli& cli) {
  CLI::App* usage =
      app.add_subcommand("usage", "what work at providers cost, by the charges of this month or of a range");
  const auto options = std::make_shared<UsageOptions>();
  usage->add_option("--by", options->by, "what to add up by")
      ->check(CLI::IsMember({"tier", "backend", "project", "user", "owner"}));
  usage->add_option("--from", options->from, "a day, or a time in UTC: inclusive");
  usage->add_option("--to", options->to, "a day, or a time in UTC: exclusive");
  usage
      ->add_option("--format", options->format,
                   "table, json, or focus: every charge as CSV with the columns of FOCUS " +
                       std::string(service::kFocusVersion) +
                       "; a table on a terminal and else json when it is not given")
      ->check(CLI::IsMember({"table", "json", "focus"}));
  usage->callback([&cli, options] { cli.action = [&cli, options] { return show_usage(cli, *options); }; });
  CLI::App* budgets = app.add_subcommand("budgets", "the limits of budget.file and where they stand now");
  budgets->callback([&cli] { cli.action = [&cli] { return show_budgets(cli); }; });
}

}  // namespace tandem::app
