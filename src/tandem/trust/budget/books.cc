#include "tandem/trust/budget/books.h"

#include <algorithm>

#include "tandem/base/text.h"

namespace tandem::budget {
namespace {

constexpr std::int64_t kShares[] = {50, 80, 95, 100};  ///< per cent of a limit that are told

/// What a person may do about it. The figure is what would still fit.
std::string way_out(const Account& account, Unit unit, std::int64_t free) {
  std::string wait;
  if (const auto span = find_span(account.id.period, account.id.span); span && span->end)
    wait = fmt::format("wait until {}, ", format_rfc3339(*span->end));
  std::string less;
  if (unit == Unit::kUsdMicros && account.id.scope.backend.empty())
    less = free > 0 ? fmt::format("set limits.cost_max_usd_micros to {} or less, ", free)
                    : "set limits.cost_max_usd_micros to 0 and run without metered work, ";
  else if (unit == Unit::kShots)
    less = "ask for fewer shots, ";
  return fmt::format("{}{}or have the limit raised in budget.file", less, wait);
}

/// What was taken, for whose eyes it is: a scope that names no tenant is shared by all of them, and none is told what the others do.
std::string taken_words(const Scope& scope, Unit unit, const Entry& entry) {
  if (scope.is_shared()) return {};
  return fmt::format(", held {}, settled {}{}", words_of(unit, entry.held), words_of(unit, entry.settled),
                     entry.overrun > 0 ? fmt::format(", over-run {}", words_of(unit, entry.overrun)) : "");
}

/// The least amount that is so many per cent of it.
std::int64_t share_of(std::int64_t figure, std::int64_t per_cent) { return (figure * per_cent + 99) / 100; }

}  // namespace

Result<Account*> Books::open(const std::string& key) {
  if (const auto known = accounts_.find(key); known != accounts_.end()) return &known->second;
  TANDEM_TRY_ASSIGN(const auto row, store_.get(store::Table::kBudget, key));
  Account account;
  if (row) {
    TANDEM_TRY_ASSIGN(account, Account::parse(*row));
  }
  return &accounts_.emplace(key, std::move(account)).first->second;
}

Result<void> Books::grant(const Due& due, std::int64_t amount, bool used) {
  const std::string key = due.account.key();
  TANDEM_TRY_ASSIGN(Account * account, open(key));
  account->id = due.account;
  Entry& entry = account->entries[due.unit];
  const std::optional<Bound> bound = limits_ != nullptr ? limits_->bound(due.account, due.unit) : std::nullopt;
  // What a provider does not foretell is not nothing: it is granted as long as there is anything left.
  const bool unknown = due.unit == Unit::kQpuMicroseconds && amount == 0;
  const std::int64_t needed = unknown ? 1 : amount;
  // What takes nothing is never too much, also where a bill was beyond the limit.
  if (bound && bound->hard && needed > 0 && entry.taken() + needed > *bound->hard) {
    const std::int64_t free = std::max<std::int64_t>(0, *bound->hard - entry.taken());
    const Unit unit = due.unit;
    return fail(errors::kLimitExceeded, "{}: {} are needed and {} are free in the period {} (limit {}{}); {}",
                due.account.scope.words(), words_of(unit, amount), words_of(unit, free), due.account.span,
                words_of(unit, *bound->hard), taken_words(due.account.scope, unit, entry),
                way_out(*account, unit, free));
  }
  if (amount > kSumMaxUnits - std::max(entry.granted, entry.taken()))
    return fail(errors::kLimitExceeded, "{}: more {} were granted in the period {} than can be counted ({}); {}",
                due.account.scope.words(), to_string(due.unit), due.account.span, kSumMaxUnits,
                way_out(*account, due.unit, 0));
  entry.granted += amount;
  (used ? entry.settled : entry.held) += amount;
  touched_[key].insert(due.unit);
  return {};
}

Result<void> Books::post(const std::string& key, Unit unit, const Posting& posting) {
  TANDEM_TRY_ASSIGN(Account * account, open(key));
  Entry& entry = account->entries[unit];
  entry.granted += posting.granted;
  entry.overrun += posting.overrun;
  entry.held += posting.held;
  entry.settled += posting.settled;
  entry.released += posting.released;
  if (account->version == 0 || std::min({entry.held, entry.settled, entry.released}) < 0)
    return fail_at("budget " + key, errors::kStoreDamaged,
                   "it does not hold the {} that a job or an attempt has there; restore the store from a backup",
                   to_string(unit));
  if (std::max({entry.granted, entry.overrun, entry.held, entry.settled, entry.released}) > kSumMaxUnits)
    return fail_at("budget " + key, errors::kValueOutOfRange,
                   "with this bill, more {} are taken than can be counted ({})", to_string(unit), kSumMaxUnits);
  touched_[key].insert(unit);
  return {};
}

void Books::alert(Account& account, Unit unit, std::vector<job::EventData>& out) {
  const std::optional<Bound> bound = limits_ != nullptr ? limits_->bound(account.id, unit) : std::nullopt;
  Entry& entry = account.entries[unit];
  if (!bound) return;
  const std::optional<double> expected = forecast(account, unit, now_);
  const auto tell = [&](std::string crossed, std::int64_t limit, bool is_crossed) {
    if (!is_crossed || limit == 0 || std::ranges::find(entry.told, crossed) != entry.told.end()) return;
    const Scope& scope = account.id.scope;
    const auto shown = [&](std::int64_t figure) { return scope.is_shared() ? std::nullopt : std::optional(figure); };
    out.push_back(std::move(job::EventData("budget.alert")
                                .member("backend", scope.backend)
                                .member("crossed", crossed)
                                .member("emulated", scope.emulated)
                                .member("forecast", scope.is_shared() ? std::nullopt : expected)
                                .member("held", shown(entry.held))
                                .member("limit", limit)
                                .member("overrun", shown(entry.overrun))
                                .member("period", to_string(account.id.period))
                                .member("project", scope.project)
                                .member("settled", shown(entry.settled))
                                .member("span", account.id.span)
                                .member("tenant", scope.tenant)
                                .member("unit", to_string(unit))
                                .member("user", scope.user)));
    entry.told.push_back(std::move(crossed));
  };
  for (const std::int64_t share : kShares)
    tell(std::to_string(share), bound->figure(), entry.taken() >= share_of(bound->figure(), share));
  if (bound->hard && bound->soft) tell("soft", *bound->soft, entry.taken() >= *bound->soft);
  tell("forecast", bound->figure(), expected && *expected > static_cast<double>(bound->figure()));
}

std::vector<job::EventData> Books::close(store::Batch& batch) {
  std::vector<job::EventData> out;
  for (const auto& [key, units] : touched_) {
    Account& account = accounts_.at(key);
    for (const Unit unit : units) alert(account, unit, out);
    const auto expect = account.version == 0 ? store::Expect::absent() : store::Expect::at(account.version);
    batch.put(store::Table::kBudget, key, account.value(), expect);
  }
  return out;
}

}  // namespace tandem::budget
