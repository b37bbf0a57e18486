// tandem/trust/budget/usage.h - Charge: what one attempt cost; sums of charges by period, and where the limits stand.
//
// Room: trust. Owns the rows "usage/..." of Table::kBudget: each is written with the settlement that it tells of and stays when its job
// is removed. Not here: who may see whose usage (api).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/id.h"
#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/model/job/money.h"
#include "tandem/model/job/plan.h"
#include "tandem/store/store.h"
#include "tandem/trust/budget/account.h"
#include "tandem/trust/budget/limits.h"

namespace tandem::budget {

/// One settled attempt. Key: "usage/<tenant>/<time>/<token>", so that a period of a tenant is one range.
struct Charge {
  Timestamp at;  ///< of the settlement
  Timestamp begin;  ///< when the work went out
  Payer payer;
  std::string owner;
  std::string backend;
  job::Tier tier = job::Tier::kQpu;
  bool emulated = false;  ///< play money
  JobId job;
  std::string token;
  job::Money cost;
  job::MeteredUse use;
  std::string key() const;
  Bytes value() const;
  Json document() const;  ///< contract/schemas/usage.schema.json, a charge
  static Result<Charge> parse(const store::Row& row);  ///< 3003 store_damaged
  friend bool operator==(const Charge&, const Charge&) = default;
};

/// What charges are added up by.
enum class UsageBy : std::uint8_t { kTier, kBackend, kProject, kUser, kOwner };
std::string_view to_string(UsageBy by);  ///< "tier", "backend", ...
std::optional<UsageBy> find_usage_by(std::string_view name);

struct UsageQuery {
  std::string tenant;
  std::vector<std::string> projects = {};  ///< of that tenant; empty: of all
  Timestamp from;  ///< inclusive
  Timestamp to;  ///< exclusive
};

struct UsageGroup {
  std::string name;  ///< empty: of those that name none
  bool emulated = false;  ///< real and emulated are never in one group
  job::Money cost;
  job::MeteredUse use;
  std::uint64_t submissions = 0;
  std::uint64_t jobs = 0;  ///< that had them
  friend bool operator==(const UsageGroup&, const UsageGroup&) = default;
};

/// By name, the real before the emulated. Cost: reads the charges of the range, page by page. Errors: 3003 store_damaged; those of reads.
Result<std::vector<UsageGroup>> usage(store::Store& store, const UsageQuery& query, UsageBy by);

struct ChargePage {
  std::vector<Charge> charges;  ///< oldest first
  std::string next_page_token;  ///< empty: no more
};
/// Errors: 1023 value_out_of_range - a token that is none; 3003 store_damaged; those of reads.
Result<ChargePage> charges(store::Store& store, const UsageQuery& query, std::size_t limit,
                           std::string_view page_token);

/// A limit and what was taken of it in the period that it is now.
struct Standing {
  AccountId account;
  Unit unit = Unit::kUsdMicros;
  Bound bound;
  Entry entry;
  std::optional<double> forecast;  ///< of `settled` at the end of the period
  /// contract/schemas/budget.schema.json. What was taken may be left out: of a limit that tenants share, none is told what the others
  /// do.
  Json document(bool shows_taken) const;
  friend bool operator==(const Standing&, const Standing&) = default;
};
/// Every limit that concerns a tenant, also where nothing was taken; of "*" those that took something. Errors: 3003; those of reads.
Result<std::vector<Standing>> standings(store::Store& store, const Limits& limits, std::string_view tenant,
                                        Timestamp now);

inline constexpr std::string_view kUsagePrefix = "usage/";

}  // namespace tandem::budget
