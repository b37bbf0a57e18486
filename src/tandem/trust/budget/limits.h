// tandem/trust/budget/limits.h - Limits: how much a tenant, project, user or backend may take in a period, as a person wrote it.
//
// Room: trust. Owns the file of the setting budget.file. Not here: what was taken (account.h).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/trust/budget/account.h"

namespace tandem::budget {

/// Whose money a job spends.
struct Payer {
  std::string tenant;
  std::string project = "";  ///< empty: none
  std::string user = "";
  friend bool operator==(const Payer&, const Payer&) = default;
};

/// Of one unit. At least one of the two.
struct Bound {
  std::optional<std::int64_t> hard;  ///< nothing is granted beyond it
  std::optional<std::int64_t> soft;  ///< an alert is given beyond it
  std::int64_t figure() const { return hard ? *hard : *soft; }  ///< that shares are shares of
  friend bool operator==(const Bound&, const Bound&) = default;
};

/// One entry of the file. In `scope` "*" stands for each one by itself.
struct Line {
  Scope scope;
  Period period = Period::kTotal;
  std::map<Unit, Bound> bounds;
  std::string place = "";  ///< "name:line:column"
  friend bool operator==(const Line&, const Line&) = default;
};

/// One unit of one account.
struct Due {
  AccountId account;
  Unit unit = Unit::kUsdMicros;
  friend auto operator<=>(const Due&, const Due&) = default;
};

/// What of a backend decides which limits of it can be reached.
struct LimitedBackend {
  std::string_view id;
  bool is_local = false;  ///< its work is no submission, and takes from no account
  bool is_emulated = false;
  bool counts_qpu_time = false;
};

/// Threads: immutable after parse(); safe to call concurrently. Cost: linear in the lines.
class Limits {
 public:
  static constexpr std::size_t kLinesMax = 10'000;

  /// No limits.
  Limits() = default;
  /// Reads a document { limits: [ {tenant, project, user, backend, emulated, period, cost, jobs, shots, qpu_seconds, bytes} ] },
  /// YAML or JSON. Errors have the place "name:line:column": 1061 bad_setting - a scope or unit that cannot be, a second line of one
  /// scope and period, more than kLinesMax; those of parse_json_or_yaml and of ObjectReader.
  static Result<Limits> parse(std::string_view text, std::string_view name);

  /// Of a backend that there is. Errors: 1061 bad_setting, with the place of the entry - a limit of it could never be reached: it runs here,
  /// its bills are the other kind of money, or they do not tell the time of the device.
  Result<void> check_backend(const LimitedBackend& backend) const;

  bool empty() const { return lines_.empty(); }
  const std::vector<Line>& lines() const { return lines_; }

  /// What the admission of a job takes from: money, jobs and bytes of whoever pays.
  std::vector<Due> of_admission(const Payer& payer, Timestamp now) const;
  /// What an attempt takes from beside the hold of its job: shots and QPU time of whoever pays, everything of the backend, and play
  /// money.
  std::vector<Due> of_attempt(const Payer& payer, std::string_view backend, bool emulated, Timestamp now) const;

  /// What holds for a unit of an account: of several lines the least. None: nothing.
  std::optional<Bound> bound(const AccountId& account, Unit unit) const;

 private:
  std::vector<Line> lines_;
};

}  // namespace tandem::budget
