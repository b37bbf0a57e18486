#include "tandem/trust/budget/usage.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "tandem/base/text.h"

namespace tandem::budget {
namespace {

using store::Table;

constexpr std::array<std::string_view, 5> kBy = {"tier", "backend", "project", "user", "owner"};
constexpr std::int64_t kTimeMax = 253'402'300'799'999'999;  ///< the end of the year 9999, in 18 digits

std::string tenant_prefix(std::string_view tenant) { return fmt::format("{}{}/", kUsagePrefix, escaped(tenant)); }
/// Sorts as the time does.
std::string time_key(Timestamp time) {
  return fmt::format("{:018}", std::clamp<std::int64_t>(time.micros, 0, kTimeMax));
}

Result<Timestamp> read_time(const ObjectReader& reader, std::string_view key) {
  TANDEM_TRY_ASSIGN(const std::string text, reader.string(key));
  return parse_rfc3339(text);
}

Result<Charge> parse_charge(const Json& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  Charge out;
  TANDEM_TRY_ASSIGN(out.at, read_time(reader, "at"));
  TANDEM_TRY_ASSIGN(out.begin, read_time(reader, "begin"));
  TANDEM_TRY_ASSIGN(out.payer.tenant, reader.string("tenant"));
  TANDEM_TRY_ASSIGN(out.payer.project, reader.string("project"));
  TANDEM_TRY_ASSIGN(out.payer.user, reader.string("user"));
  TANDEM_TRY_ASSIGN(out.owner, reader.string("owner"));
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(const std::string tier, reader.string("tier"));
  const auto known = job::find_tier(tier);
  if (!known) return fail_at(reader.at("tier"), errors::kStoreDamaged, "{} is no tier", quote(tier));
  out.tier = *known;
  TANDEM_TRY_ASSIGN(out.emulated, reader.boolean_or("emulated", false));
  TANDEM_TRY_ASSIGN(std::string job, reader.string("job_id"));
  out.job = JobId(std::move(job));
  TANDEM_TRY_ASSIGN(out.token, reader.string("token"));
  TANDEM_TRY_ASSIGN(out.cost.usd_micros, reader.integer("cost_usd_micros", 0, kAmountMaxUnits));
  TANDEM_TRY_ASSIGN(out.use.shots, reader.integer("shots", 0, kAmountMaxUnits));
  TANDEM_TRY_ASSIGN(out.use.qpu_us, reader.integer("qpu_us", 0, kAmountMaxUnits));
  TANDEM_TRY_ASSIGN(out.use.bytes, reader.integer_or("bytes", 0, 0, kAmountMaxUnits));
  return out;
}

std::string_view name_in(const Charge& charge, UsageBy by) {
  switch (by) {
    case UsageBy::kTier:
      return job::to_string(charge.tier);
    case UsageBy::kBackend:
      return charge.backend;
    case UsageBy::kProject:
      return charge.payer.project;
    case UsageBy::kUser:
      return charge.payer.user;
    case UsageBy::kOwner:
      return charge.owner;
  }
  return {};
}

store::Scan range_of(const UsageQuery& query) {
  const std::string prefix = tenant_prefix(query.tenant);
  return {.table = Table::kBudget, .from = prefix + time_key(query.from), .until = prefix + time_key(query.to)};
}

bool concerns(const Scope& scope, std::string_view tenant) { return scope.tenant.empty() || scope.tenant == tenant; }
bool names_each(const Scope& scope) {
  return scope.tenant == "*" || scope.project == "*" || scope.user == "*" || scope.backend == "*";
}

}  // namespace

std::string_view to_string(UsageBy by) { return kBy[static_cast<std::size_t>(by)]; }
std::optional<UsageBy> find_usage_by(std::string_view name) {
  for (std::size_t i = 0; i < kBy.size(); ++i)
    if (kBy[i] == name) return static_cast<UsageBy>(i);
  return std::nullopt;
}

std::string Charge::key() const { return fmt::format("{}{}/{}", tenant_prefix(payer.tenant), time_key(at), token); }

Json Charge::document() const {
  return {{"at", format_rfc3339(at)},
          {"backend", backend},
          {"begin", format_rfc3339(begin)},
          {"bytes", use.bytes},
          {"cost_usd_micros", cost.usd_micros},
          {"emulated", emulated},
          {"job_id", job.value},
          {"owner", owner},
          {"project", payer.project},
          {"qpu_us", use.qpu_us},
          {"shots", use.shots},
          {"tenant", payer.tenant},
          {"tier", job::to_string(tier)},
          {"token", token},
          {"user", payer.user}};
}

Bytes Charge::value() const { return document().dump(); }

Result<Charge> Charge::parse(const store::Row& row) {
  const auto damaged = [&](const std::string& what) {
    return fail_at("budget " + row.key, errors::kStoreDamaged, "{}; restore the store from a backup", what);
  };
  const auto document = parse_json(row.value, row.key);
  if (!document) return damaged(document.error().to_string());
  auto out = parse_charge(*document);
  if (!out) return damaged(out.error().to_string());
  if (out->key() != row.key) return damaged(fmt::format("it is the charge {}", quote(out->key())));
  return out;
}

Result<std::vector<UsageGroup>> usage(store::Store& store, const UsageQuery& query, UsageBy by) {
  struct Sum {
    UsageGroup group;
    std::set<std::string> jobs;
  };
  std::map<std::pair<std::string, bool>, Sum> sums;
  std::string token;
  do {
    TANDEM_TRY_ASSIGN(const ChargePage page, charges(store, query, store::Scan{}.limit, token));
    for (const Charge& charge : page.charges) {
      Sum& sum = sums[{std::string(name_in(charge, by)), charge.emulated}];
      sum.group.cost = sum.group.cost + charge.cost;
      sum.group.use.shots += charge.use.shots;
      sum.group.use.qpu_us += charge.use.qpu_us;
      sum.group.use.bytes += charge.use.bytes;
      ++sum.group.submissions;
      sum.jobs.insert(charge.job.value);
    }
    token = page.next_page_token;
  } while (!token.empty());
  std::vector<UsageGroup> out;
  for (auto& [key, sum] : sums) {
    std::tie(sum.group.name, sum.group.emulated) = key;
    sum.group.jobs = sum.jobs.size();
    out.push_back(std::move(sum.group));
  }
  return out;
}

Result<ChargePage> charges(store::Store& store, const UsageQuery& query, std::size_t limit,
                           std::string_view page_token) {
  store::Scan scan = range_of(query);
  scan.limit = limit;
  if (!page_token.empty()) {  // "<time>/<token>" of the last one
    scan.from = tenant_prefix(query.tenant).append(page_token) + '\0';
    if (scan.from < range_of(query).from || scan.from > scan.until || page_token.find('/') == std::string_view::npos)
      return fail_at("?page_token", errors::kValueOutOfRange, "{} is no token of a page of this range",
                     quote(page_token));
  }
  ChargePage out;
  if (scan.from >= scan.until) return out;
  TANDEM_TRY_ASSIGN(const std::vector<store::Row> rows, store.scan(scan));
  for (const store::Row& row : rows) {
    TANDEM_TRY_ASSIGN(Charge charge, Charge::parse(row));
    const auto& projects = query.projects;
    if (projects.empty() || std::find(projects.begin(), projects.end(), charge.payer.project) != projects.end())
      out.charges.push_back(std::move(charge));
  }
  if (rows.size() == limit) out.next_page_token = rows.back().key.substr(tenant_prefix(query.tenant).size());
  return out;
}

Json Standing::document(bool shows_taken) const {
  const auto figure = [](const std::optional<std::int64_t>& value) { return value ? Json(*value) : Json(); };
  const Scope& scope = account.scope;
  const auto taken = [&](std::int64_t value) { return shows_taken ? Json(value) : Json(); };
  const auto span = find_span(account.period, account.span);
  return {{"backend", scope.backend},
          {"emulated", scope.emulated},
          {"ends_at", span && span->end ? Json(format_rfc3339(*span->end)) : Json()},
          {"forecast", forecast && shows_taken ? Json(*forecast) : Json()},
          {"free", bound.hard ? Json(std::max<std::int64_t>(0, *bound.hard - entry.taken())) : Json()},
          {"hard", figure(bound.hard)},
          {"held", taken(entry.held)},
          {"overrun", taken(entry.overrun)},
          {"period", to_string(account.period)},
          {"project", scope.project},
          {"released", taken(entry.released)},
          {"settled", taken(entry.settled)},
          {"soft", figure(bound.soft)},
          {"span", account.span},
          {"tenant", scope.tenant},
          {"unit", to_string(unit)},
          {"user", scope.user}};
}

Result<std::vector<Standing>> standings(store::Store& store, const Limits& limits, std::string_view tenant,
                                        Timestamp now) {
  std::map<AccountId, Account> accounts;
  std::set<Period> periods;
  for (const Line& line : limits.lines()) {
    periods.insert(line.period);
    const AccountId id{.scope = line.scope, .period = line.period, .span = span_of(line.period, now).name};
    if (!names_each(line.scope) && concerns(line.scope, tenant)) accounts[id].id = id;
  }
  for (const Period period : periods) {
    store::Scan scan = store::Scan::prefix(Table::kBudget, AccountId::prefix(period, span_of(period, now).name));
    while (true) {
      TANDEM_TRY_ASSIGN(const auto rows, store.scan(scan));
      for (const store::Row& row : rows) {
        TANDEM_TRY_ASSIGN(Account account, Account::parse(row));
        if (concerns(account.id.scope, tenant)) accounts[account.id] = std::move(account);
      }
      if (rows.size() < scan.limit) break;
      scan.from = rows.back().key + '\0';
    }
  }
  std::vector<Standing> out;
  for (auto& [id, account] : accounts)
    for (std::size_t i = 0; i < kNumUnits; ++i) {
      const auto unit = static_cast<Unit>(i);
      const auto bound = limits.bound(id, unit);
      if (!bound) continue;  // of a line that was taken out of the file
      out.push_back({.account = id,
                     .unit = unit,
                     .bound = *bound,
                     .entry = account.entries[unit],
                     .forecast = forecast(account, unit, now)});
    }
  return out;
}

}  // namespace tandem::budget
