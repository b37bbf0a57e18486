#include "tandem/trust/budget/limits.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "tandem/base/text.h"
#include "tandem/base/yaml.h"

namespace tandem::budget {
namespace {

constexpr std::string_view kEach = "*";
constexpr double kMicros = 1e6;

struct UnitKey {
  std::string_view key;
  Unit unit;
};
constexpr UnitKey kUnitKeys[] = {{"cost", Unit::kUsdMicros},
                                 {"jobs", Unit::kJobs},
                                 {"shots", Unit::kShots},
                                 {"qpu_seconds", Unit::kQpuMicroseconds},
                                 {"bytes", Unit::kBytes}};

/// Money is written as "$500" or 500, time in seconds, everything else is counted.
Result<std::int64_t> read_amount(const ObjectReader& reader, std::string_view key, Unit unit) {
  if (unit == Unit::kUsdMicros && reader.find(key) != nullptr && reader.find(key)->is_string()) {
    TANDEM_TRY_ASSIGN(const std::string text, reader.string(key));
    const auto micros = parse_usd(text);
    if (!micros || *micros < 0 || *micros > kAmountMaxUnits)
      return fail_at(reader.at(key), errors::kBadSetting,
                     "{} is no amount of money; write one as $500 or $0.25, up to {}", quote(text),
                     format_usd(kAmountMaxUnits));
    return *micros;
  }
  if (unit != Unit::kUsdMicros && unit != Unit::kQpuMicroseconds) return reader.integer(key, 0, kAmountMaxUnits);
  TANDEM_TRY_ASSIGN(const double amount, reader.number(key));
  if (amount < 0 || amount * kMicros > static_cast<double>(kAmountMaxUnits))
    return fail_at(reader.at(key), errors::kBadSetting, "{} is not from 0 to {}", shortest(amount),
                   shortest(static_cast<double>(kAmountMaxUnits) / kMicros));
  return static_cast<std::int64_t>(std::llround(amount * kMicros));
}

Result<Bound> read_bound(const ObjectReader& line, const UnitKey& unit) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, line.object(unit.key));
  TANDEM_TRY(reader.allow_only({"hard", "soft"}));
  Bound out;
  if (reader.has("hard")) {
    TANDEM_TRY_ASSIGN(out.hard, read_amount(reader, "hard", unit.unit));
  }
  if (reader.has("soft")) {
    TANDEM_TRY_ASSIGN(out.soft, read_amount(reader, "soft", unit.unit));
  }
  if (!out.hard && !out.soft)
    return fail_at(line.at(unit.key), errors::kBadSetting,
                   "it limits nothing; give it a hard or a soft figure, or both");
  if (out.hard && out.soft && *out.soft > *out.hard)
    return fail_at(reader.at("soft"), errors::kBadSetting, "the soft limit of {} is above the hard one of {}",
                   words_of(unit.unit, *out.soft), words_of(unit.unit, *out.hard));
  return out;
}

Result<Scope> read_scope(const ObjectReader& reader) {
  Scope out;
  TANDEM_TRY_ASSIGN(out.tenant, reader.string_or("tenant", ""));
  TANDEM_TRY_ASSIGN(out.project, reader.string_or("project", ""));
  TANDEM_TRY_ASSIGN(out.user, reader.string_or("user", ""));
  TANDEM_TRY_ASSIGN(out.backend, reader.string_or("backend", ""));
  TANDEM_TRY_ASSIGN(out.emulated, reader.boolean_or("emulated", false));
  if (out.tenant.empty() && (!out.project.empty() || !out.user.empty()))
    return fail_at(reader.at(out.project.empty() ? "user" : "project"), errors::kBadSetting,
                   "two tenants may have one of that name; name the tenant, or write tenant: \"*\" for each by itself");
  if (out.tenant.empty() && out.backend.empty())
    return fail_at(reader.at(""), errors::kBadSetting,
                   "it says nobody whom it limits; name a tenant, a tenant and a project or user, or a backend");
  return out;
}

/// Why this unit cannot be limited there; empty: it can.
std::string_view why_not(const Scope& scope, Unit unit) {
  if ((unit == Unit::kJobs || unit == Unit::kBytes) && scope.emulated && scope.backend.empty())
    return "whether a job is emulated is known of its submissions only; name the backend";
  return {};
}

Result<Line> read_line(const ObjectReader& reader) {
  TANDEM_TRY(reader.allow_only(
      {"tenant", "project", "user", "backend", "emulated", "period", "cost", "jobs", "shots", "qpu_seconds", "bytes"}));
  Line out;
  TANDEM_TRY_ASSIGN(out.scope, read_scope(reader));
  TANDEM_TRY_ASSIGN(const std::string period, reader.string("period"));
  const auto known = find_period(period);
  if (!known)
    return fail_at(reader.at("period"), errors::kBadSetting, "{} is no period; it is day, month or total",
                   quote(period));
  out.period = *known;
  for (const UnitKey& one : kUnitKeys) {
    if (!reader.has(one.key)) continue;
    if (const auto why = why_not(out.scope, one.unit); !why.empty())
      return fail_at(reader.at(one.key), errors::kBadSetting, "{}", why);
    TANDEM_TRY_ASSIGN(out.bounds[one.unit], read_bound(reader, one));
  }
  if (out.bounds.empty())
    return fail_at(reader.at(""), errors::kBadSetting,
                   "it limits nothing; give it at least one of cost, jobs, shots, qpu_seconds and bytes");
  return out;
}

Result<std::vector<Line>> read_lines(const Json& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  TANDEM_TRY(reader.allow_only({"limits"}));
  TANDEM_TRY_ASSIGN(const Json* list, reader.array("limits"));
  if (list->size() > Limits::kLinesMax)
    return fail_at("/limits", errors::kBadSetting, "it has {} entries, and {} are allowed; write \"*\" for each one",
                   list->size(), Limits::kLinesMax);
  std::vector<Line> out;
  std::set<std::pair<Scope, Period>> seen;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string place = fmt::format("/limits/{}", i);
    TANDEM_TRY_ASSIGN(const ObjectReader entry, ObjectReader::create((*list)[i], place));
    TANDEM_TRY_ASSIGN(Line line, read_line(entry));
    if (!seen.emplace(line.scope, line.period).second)
      return fail_at(place, errors::kBadSetting, "there is an entry for {} and the period {} before; join the two",
                     line.scope.words(), to_string(line.period));
    out.push_back(std::move(line));
  }
  return out;
}

bool matches(std::string_view wanted, std::string_view name) {
  return wanted.empty() || (wanted == kEach ? !name.empty() : wanted == name);
}
/// As the name of an account: what nobody asked for stays open.
std::string named(std::string_view wanted, std::string_view name) { return std::string(wanted.empty() ? "" : name); }

std::optional<AccountId> account_of(const Line& line, const Payer& payer, std::string_view backend, Timestamp now) {
  const Scope& scope = line.scope;
  if (!matches(scope.tenant, payer.tenant) || !matches(scope.project, payer.project) ||
      !matches(scope.user, payer.user) || !matches(scope.backend, backend))
    return std::nullopt;
  return AccountId{.scope = {.tenant = named(scope.tenant, payer.tenant),
                             .project = named(scope.project, payer.project),
                             .user = named(scope.user, payer.user),
                             .backend = named(scope.backend, backend),
                             .emulated = scope.emulated},
                   .period = line.period,
                   .span = span_of(line.period, now).name};
}

bool is_of_admission(const Line& line, Unit unit) {
  return line.scope.backend.empty() && !line.scope.emulated &&
         (unit == Unit::kUsdMicros || unit == Unit::kJobs || unit == Unit::kBytes);
}

std::optional<std::int64_t> least(std::optional<std::int64_t> a, std::optional<std::int64_t> b) {
  return a && b ? std::min(*a, *b) : a ? a : b;
}

}  // namespace

Result<Limits> Limits::parse(std::string_view text, std::string_view name) {
  TANDEM_TRY_ASSIGN(const LocatedJson located, parse_json_or_yaml(text, name));
  auto lines = read_lines(located.value);
  if (!lines) return tl::unexpected(located.at_its_place(std::move(lines).error()));
  Limits out;
  out.lines_ = *std::move(lines);
  for (std::size_t i = 0; i < out.lines_.size(); ++i)
    out.lines_[i].place = located.place_of(fmt::format("/limits/{}", i));
  return out;
}

Result<void> Limits::check_backend(const LimitedBackend& backend) const {
  for (const Line& line : lines_) {
    if (line.scope.backend != backend.id) continue;
    std::string_view why;
    if (backend.is_local)
      why = "this backend runs here, and its work is no submission; limit the jobs of tenants, projects or users";
    else if (backend.is_emulated && !line.scope.emulated)
      why = "this backend is emulated, and what it bills is play money; write emulated: true to limit that";
    else if (!backend.is_emulated && line.scope.emulated)
      why = "this backend bills real money; leave emulated: true out to limit that";
    else if (!backend.counts_qpu_time && line.bounds.contains(Unit::kQpuMicroseconds))
      why = "the bills of this backend do not say how long the device worked; limit its cost, shots or jobs";
    if (!why.empty())
      return fail_at(line.place, errors::kBadSetting, "the limit of {} would never be reached: {}", line.scope.words(),
                     why);
  }
  return {};
}

std::vector<Due> Limits::of_admission(const Payer& payer, Timestamp now) const {
  std::set<Due> out;
  for (const Line& line : lines_) {
    if (!line.scope.backend.empty() || line.scope.emulated) continue;
    const auto account = account_of(line, payer, "", now);
    if (!account) continue;
    for (const auto& [unit, bound] : line.bounds)
      if (is_of_admission(line, unit)) out.insert({*account, unit});
  }
  return {out.begin(), out.end()};
}

std::vector<Due> Limits::of_attempt(const Payer& payer, std::string_view backend, bool emulated, Timestamp now) const {
  std::set<Due> out;
  for (const Line& line : lines_) {
    if (line.scope.emulated != emulated) continue;
    const auto account = account_of(line, payer, backend, now);
    if (!account) continue;
    for (const auto& [unit, bound] : line.bounds)
      if (!is_of_admission(line, unit)) out.insert({*account, unit});
  }
  return {out.begin(), out.end()};
}

std::optional<Bound> Limits::bound(const AccountId& account, Unit unit) const {
  std::optional<Bound> out;
  const auto is_of = [](std::string_view wanted, std::string_view name) {
    return wanted.empty() ? name.empty() : matches(wanted, name);
  };
  for (const Line& line : lines_) {
    const auto found = line.bounds.find(unit);
    if (found == line.bounds.end() || line.period != account.period || line.scope.emulated != account.scope.emulated)
      continue;
    if (!is_of(line.scope.tenant, account.scope.tenant) || !is_of(line.scope.project, account.scope.project) ||
        !is_of(line.scope.user, account.scope.user) || !is_of(line.scope.backend, account.scope.backend))
      continue;
    if (!out) out.emplace();
    out->hard = least(out->hard, found->second.hard);
    out->soft = least(out->soft, found->second.soft);
  }
  return out;
}

}  // namespace tandem::budget
