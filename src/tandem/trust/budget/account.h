// tandem/trust/budget/account.h - Account: what one scope has taken, within one period, of what is limited.
//
// Room: trust. Owns periods, units, scopes and the rows "account/..." of Table::kBudget. Not here: the limits themselves
// (limits.h), who moves what and when (budget.h), what was billed in detail (usage.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/store/store.h"

namespace tandem::budget {

/// A billion dollars: the largest limit, and the largest single bill that is believed. Of other units as many. Keeps sums far from
/// overflow.
inline constexpr std::int64_t kAmountMaxUnits = 1'000'000'000'000'000;
/// Of one account: a thousand absurd bills. Four such sums add up without overflow.
inline constexpr std::int64_t kSumMaxUnits = kAmountMaxUnits * 1000;

/// What is counted.
enum class Unit : std::uint8_t {
  kUsdMicros,  ///< money
  kJobs,  ///< admitted; of a scope that names a backend: submissions to it
  kShots,
  kQpuMicroseconds,
  kBytes,  ///< of documents admitted; of a scope that names a backend: of requests with work that it accepted
};
inline constexpr std::size_t kNumUnits = 5;
std::string_view to_string(Unit unit);  ///< "usd_micros", "jobs", "shots", "qpu_us", "bytes"
std::optional<Unit> find_unit(std::string_view name);
std::string words_of(Unit unit, std::int64_t amount);  ///< "$1.25", "12 jobs", "3.5 QPU seconds"

enum class Period : std::uint8_t { kDay, kMonth, kTotal };
std::string_view to_string(Period period);  ///< "day", "month", "total"
std::optional<Period> find_period(std::string_view name);

/// One day or month in UTC, or all time.
struct Span {
  std::string name;  ///< "2026-11-28", "2026-11", "total"
  Timestamp begin;
  std::optional<Timestamp> end;  ///< exclusive; none: it has no end
};
Span span_of(Period period, Timestamp now);
/// Of a name that span_of() made; none of another.
std::optional<Span> find_span(Period period, std::string_view name);

/// Whose use is counted together: of all who have what is named here, whatever the rest is.
struct Scope {
  std::string tenant;
  std::string project;
  std::string user;
  std::string backend;
  bool emulated = false;  ///< play money and what it bought; never added to the real
  std::string words() const;  ///< "tenant acme, project pilot"
  bool is_shared() const { return tenant.empty(); }  ///< by tenants, who do not see what the others took
  friend auto operator<=>(const Scope&, const Scope&) = default;
};

/// As a part of a key: tenants, projects and users may hold any character, and '/' parts a key.
std::string escaped(std::string_view text);

/// A scope in a period: one row.
struct AccountId {
  Scope scope;
  Period period = Period::kTotal;
  std::string span;  ///< name
  /// "account/<period>/<span>/<real or emulated>/<tenant>/<project>/<user>/<backend>", each escaped.
  std::string key() const;
  static std::string prefix(Period period, std::string_view span);
  friend auto operator<=>(const AccountId&, const AccountId&) = default;
};

/// One unit of an account, as a double entry: granted + overrun == held + settled + released, and none is negative.
struct Entry {
  std::int64_t granted = 0;  ///< promised to jobs and attempts, all in all
  std::int64_t held = 0;  ///< promised, and neither used nor given back; that of an ambiguous attempt stays for ever
  std::int64_t settled = 0;  ///< used, by the providers' figures
  std::int64_t released = 0;  ///< given back
  std::int64_t overrun = 0;  ///< the part of `settled` that was never granted
  std::vector<std::string> told;  ///< alerts of this period, each once
  std::int64_t taken() const { return held + settled; }
  friend bool operator==(const Entry&, const Entry&) = default;
};

struct Account {
  AccountId id;
  std::map<Unit, Entry> entries;
  std::uint64_t version = 0;  ///< of the stored row; 0: not stored yet
  Bytes value() const;
  static Result<Account> parse(const store::Row& row);  ///< 3003 store_damaged - also where the books do not balance
  friend bool operator==(const Account&, const Account&) = default;
};

/// What will be settled when the period ends, should it go on as it did since it began. None: it has no end or is over, or the
/// first tenth of it has not passed.
std::optional<double> forecast(const Account& account, Unit unit, Timestamp now);

inline constexpr std::string_view kAccountPrefix = "account/";

}  // namespace tandem::budget
