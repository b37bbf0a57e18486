#include "tandem/trust/budget/account.h"

#include <array>
#include <chrono>
#include <span>

#include "tandem/base/text.h"

namespace tandem::budget {
namespace {

constexpr std::array<std::string_view, kNumUnits> kUnits = {"usd_micros", "jobs", "shots", "qpu_us", "bytes"};
/// Before so much of a period has passed, its burn says little: the first job of a month would foretell a hundred times its cost.
constexpr double kForecastShareMin = 0.1;
constexpr std::array<std::string_view, 3> kPeriods = {"day", "month", "total"};

template <typename Enum>
std::optional<Enum> find_in(std::span<const std::string_view> names, std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  return std::nullopt;
}

Timestamp at_day(std::chrono::year_month_day date) {
  return {
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::sys_days(date).time_since_epoch()).count()};
}

std::string name_of(Period period, std::chrono::year_month_day date) {
  const int year = static_cast<int>(date.year());
  const auto month = static_cast<unsigned>(date.month());
  if (period == Period::kMonth) return fmt::format("{:04}-{:02}", year, month);
  return fmt::format("{:04}-{:02}-{:02}", year, month, static_cast<unsigned>(date.day()));
}

Error damaged(const store::Row& row, std::string_view what) {
  return make_error_at("budget " + row.key, errors::kStoreDamaged, "{}; restore the store from a backup", what);
}

Result<Entry> parse_entry(const ObjectReader& reader) {
  Entry out;
  TANDEM_TRY_ASSIGN(out.granted, reader.integer("granted", 0, kSumMaxUnits));
  TANDEM_TRY_ASSIGN(out.held, reader.integer("held", 0, kSumMaxUnits));
  TANDEM_TRY_ASSIGN(out.settled, reader.integer("settled", 0, kSumMaxUnits));
  TANDEM_TRY_ASSIGN(out.released, reader.integer("released", 0, kSumMaxUnits));
  TANDEM_TRY_ASSIGN(out.overrun, reader.integer("overrun", 0, kSumMaxUnits));
  TANDEM_TRY_ASSIGN(out.told, reader.strings_or_empty("told"));
  if (out.granted + out.overrun != out.held + out.settled + out.released)
    return fail_at(reader.at("granted"), errors::kStoreDamaged,
                   "the books do not balance: granted {} + over-run {} is not held {} + settled {} + released {}",
                   out.granted, out.overrun, out.held, out.settled, out.released);
  return out;
}

Result<Account> parse_account(const Json& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  Account out;
  TANDEM_TRY_ASSIGN(out.id.scope.tenant, reader.string("tenant"));
  TANDEM_TRY_ASSIGN(out.id.scope.project, reader.string("project"));
  TANDEM_TRY_ASSIGN(out.id.scope.user, reader.string("user"));
  TANDEM_TRY_ASSIGN(out.id.scope.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(out.id.scope.emulated, reader.boolean_or("emulated", false));
  TANDEM_TRY_ASSIGN(const std::string period, reader.string("period"));
  TANDEM_TRY_ASSIGN(out.id.span, reader.string("span"));
  const auto known = find_period(period);
  if (!known || !find_span(*known, out.id.span))
    return fail(errors::kStoreDamaged, "{} {} is no period", quote(period), quote(out.id.span));
  out.id.period = *known;
  TANDEM_TRY_ASSIGN(const ObjectReader entries, reader.object("entries"));
  for (const auto& [name, value] : document["entries"].items()) {
    const auto unit = find_unit(name);
    if (!unit) return fail(errors::kStoreDamaged, "{} is no unit", quote(name));
    TANDEM_TRY_ASSIGN(const ObjectReader one, entries.object(name));
    TANDEM_TRY_ASSIGN(out.entries[*unit], parse_entry(one));
  }
  return out;
}

}  // namespace

std::string_view to_string(Unit unit) { return kUnits[static_cast<std::size_t>(unit)]; }
std::optional<Unit> find_unit(std::string_view name) { return find_in<Unit>(kUnits, name); }
std::string_view to_string(Period period) { return kPeriods[static_cast<std::size_t>(period)]; }
std::optional<Period> find_period(std::string_view name) { return find_in<Period>(kPeriods, name); }

std::string words_of(Unit unit, std::int64_t amount) {
  switch (unit) {
    case Unit::kUsdMicros:
      return format_usd(amount);
    case Unit::kQpuMicroseconds:
      return shortest(static_cast<double>(amount) / 1e6) + " QPU seconds";
    default:
      return fmt::format("{} {}", amount, to_string(unit));
  }
}

Span span_of(Period period, Timestamp now) {
  using std::chrono::days;
  if (period == Period::kTotal) return {.name = "total", .begin = {}, .end = std::nullopt};
  const auto day =
      std::chrono::floor<days>(std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(now.micros)));
  const std::chrono::year_month_day date(day);
  if (period == Period::kDay)
    return {.name = name_of(period, date), .begin = at_day(date), .end = at_day(day + days(1))};
  const auto first = date.year() / date.month() / 1;
  return {.name = name_of(period, date), .begin = at_day(first), .end = at_day(first + std::chrono::months(1))};
}

std::optional<Span> find_span(Period period, std::string_view name) {
  if (period == Period::kTotal) return name == "total" ? std::optional(span_of(period, Timestamp{})) : std::nullopt;
  const auto begin = parse_rfc3339(fmt::format("{}{}T00:00:00Z", name, period == Period::kMonth ? "-01" : ""));
  if (!begin) return std::nullopt;
  Span out = span_of(period, *begin);
  return out.name == name ? std::optional(std::move(out)) : std::nullopt;
}

std::string Scope::words() const {
  std::string out;
  const auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, value);
  };
  add("tenant", tenant);
  add("project", project);
  add("user", user);
  add("backend", backend);
  return emulated ? out + " (emulated)" : out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '%' || c == '/')
      out += c == '%' ? "%25" : "%2F";
    else
      out += c;
  }
  return out;
}

std::string AccountId::prefix(Period period, std::string_view span) {
  return fmt::format("{}{}/{}/", kAccountPrefix, to_string(period), span);
}

std::string AccountId::key() const {
  return fmt::format("{}{}/{}/{}/{}/{}", prefix(period, span), scope.emulated ? "emulated" : "real",
                     escaped(scope.tenant), escaped(scope.project), escaped(scope.user), escaped(scope.backend));
}

std::optional<double> forecast(const Account& account, Unit unit, Timestamp now) {
  const auto span = find_span(account.id.period, account.id.span);
  const auto entry = account.entries.find(unit);
  if (entry == account.entries.end() || !span || !span->end || now >= *span->end || now <= span->begin)
    return std::nullopt;
  const double share = static_cast<double>(now.micros - span->begin.micros) /
                       static_cast<double>(span->end->micros - span->begin.micros);
  if (share < kForecastShareMin) return std::nullopt;
  return static_cast<double>(entry->second.settled) / share;
}

Bytes Account::value() const {
  Json document = {{"tenant", id.scope.tenant},
                   {"project", id.scope.project},
                   {"user", id.scope.user},
                   {"backend", id.scope.backend},
                   {"emulated", id.scope.emulated},
                   {"period", to_string(id.period)},
                   {"span", id.span},
                   {"entries", Json::object()}};
  for (const auto& [unit, entry] : entries)
    document["entries"][std::string(to_string(unit))] = {{"granted", entry.granted}, {"held", entry.held},
                                                         {"settled", entry.settled}, {"released", entry.released},
                                                         {"overrun", entry.overrun}, {"told", entry.told}};
  return document.dump();
}

Result<Account> Account::parse(const store::Row& row) {
  const auto document = parse_json(row.value, row.key);
  if (!document) return tl::unexpected(damaged(row, document.error().to_string()));
  auto out = parse_account(*document);
  if (!out) return tl::unexpected(damaged(row, out.error().to_string()));
  if (out->id.key() != row.key)
    return tl::unexpected(damaged(row, fmt::format("it is the account {}", quote(out->id.key()))));
  out->version = row.version;
  return out;
}

}  // namespace tandem::budget
