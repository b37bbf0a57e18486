// tandem/trust/budget/budget.h - Budget: money set aside for a job, reserved for attempts, settled by the provider's figure.
//
// Room: trust. Owns the double-entry rows of Table::kBudget and the order in which they move. Every verb adds compare-and-set operations
// to a batch of the caller, so that money moves in the same commit as what it pays for, in the hold of the job and in every account
// that limits its payer. Not here: prices (middleware/backend), what the limits are (limits.h), the ledger of submissions
// (orchestrate/submit).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/id.h"
#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/model/job/job_event.h"
#include "tandem/model/job/money.h"
#include "tandem/model/job/plan.h"
#include "tandem/store/store.h"
#include "tandem/trust/budget/account.h"
#include "tandem/trust/budget/limits.h"

namespace tandem::budget {

/// The largest limit, and the largest single bill that is believed.
inline constexpr job::Money kAmountMax{kAmountMaxUnits};

/// What one job may spend of one kind of money, as a double entry: every amount stands in exactly one place.
///
/// Always: limit + overrun == free + reserved + settled + released, and none is negative (checked on reading: 3003).
/// An over-run is money the provider billed beyond what was there to pay it from; it is posted, never hidden.
struct Purse {
  job::Money limit;  ///< set aside at admission
  job::Money free;  ///< may still be reserved
  job::Money reserved;  ///< promised to attempts whose bill is not known; an ambiguous attempt keeps its part for ever
  job::Money settled;  ///< billed by providers
  job::Money released;  ///< given back when the job ended
  job::Money overrun;  ///< part of `settled` that no reservation and no free money covered
  friend bool operator==(const Purse&, const Purse&) = default;
};

/// What one job may spend.
struct Hold {
  JobId job;
  Payer payer;
  std::string owner;  ///< of the job document: who answers for it; for reports
  Purse money;
  Purse play_money;  ///< for emulated backends: as much again, and never added to the other
  std::vector<std::string> accounts;  ///< keys of those that hold `money` as well
  bool stopped = false;  ///< a bill was above its reservation: no further reservation is granted
  bool closed = false;  ///< the job has ended
  std::uint64_t fence = 0;  ///< the highest that reserved
  std::uint64_t version = 0;  ///< of the stored row
  Purse& purse(bool emulated) { return emulated ? play_money : money; }
  const Purse& purse(bool emulated) const { return emulated ? play_money : money; }
  Bytes value() const;  ///< of its row
  static Result<Hold> parse(const store::Row& row);  ///< 3003 store_damaged
  friend bool operator==(const Hold&, const Hold&) = default;
};

enum class ReservationState : std::uint8_t { kReserved, kSettled };

/// What one attempt was granted by one account.
struct Share {
  std::string account;  ///< key
  Unit unit = Unit::kUsdMicros;
  std::int64_t amount = 0;
  friend bool operator==(const Share&, const Share&) = default;
};

/// Money promised to one attempt.
struct Reservation {
  std::string token;
  job::Money amount;
  job::Money billed;  ///< 0 until settled
  ReservationState state = ReservationState::kReserved;
  std::string backend;
  job::Tier tier = job::Tier::kQpu;  ///< of the backend
  bool emulated = false;
  job::MeteredUse use;  ///< asked for; beyond the bill where the provider names none
  std::vector<Share> shares;  ///< beside what the hold has
  std::uint64_t version = 0;
  Bytes value() const;  ///< of its row
  static Result<Reservation> parse(const store::Row& row);  ///< 3003 store_damaged
  friend bool operator==(const Reservation&, const Reservation&) = default;
};

/// A job that wants in.
struct AdmissionRequest {
  JobId job;
  Payer payer;
  std::string owner = "";
  job::Money cost_max;
  std::uint64_t bytes = 0;  ///< of its document
  Timestamp now;
};

/// Who wants money, and how much at most.
struct ReserveRequest {
  JobId job;
  std::string token;  ///< of the attempt
  std::uint64_t fence = 0;
  job::Money amount;
  std::optional<job::Money> spend_max = std::nullopt;  ///< of the job in all, where people approved no more
  job::MeteredUse use = {};  ///< at most
  std::string backend = "";
  job::Tier tier = job::Tier::kQpu;
  bool emulated = false;
  Timestamp now = {};
};

/// How an attempt ended.
struct Settlement {
  JobId job;
  std::string token;
  job::Money billed;  ///< the provider's figure; 0 voids the reservation
  std::optional<job::MeteredUse> use = std::nullopt;  ///< the provider's figure, bytes aside; empty: it names none
  std::string backend =
      "";  ///< of the attempt; counts where its reservation names none: releases before accounts wrote such
  bool emulated = false;  ///< as `backend`
  bool accepted =
      true;  ///< by the provider: it counts as a submission, and without figures as used as it was asked for
  Timestamp begin = {};  ///< of the charge: when it went out
  Timestamp now = {};
};

/// Events "budget.alert", for the log of the job whose commit crossed a limit. They belong into that commit.
using Alerts = std::vector<job::EventData>;

/// Adds a hold that no account knows: of a job that may spend nothing and asks somebody who gives a bill, if only of 0. A job that asks
/// nobody has none. 0 <= limit <= kAmountMax (asserted).
void hold(store::Batch& batch, const JobId& job, const Payer& payer, job::Money limit, std::string_view owner = "");
/// Budget::release() of a hold that is as hold() made it, without reading it. Of another the commit fails with 3004.
void release_untouched(store::Batch& batch, const JobId& job, const Payer& payer, job::Money limit,
                       std::string_view owner = "");

/// Reads the rows a verb needs and adds its operations to `batch`, with preconditions on all of them: when the commit fails
/// with 3004, somebody else moved money of this job or of one of its accounts meanwhile, and the caller builds the batch anew. At most
/// one verb a batch.
///
/// Threads: safe to call concurrently. Cost: two point reads a verb, and one an account.
/// Errors of all but admit(), forget() and release(): 4002 hold_unknown; of all: 3003 store_damaged; those of the store.
class Budget {
 public:
  /// `limits` outlives it; null: none.
  explicit Budget(store::Store& store, const Limits* limits = nullptr) : store_(store), limits_(limits) {}

  Result<Hold> load(const JobId& job) const;

  /// Takes a job, its document and the money that it may spend from every account of its payer, and sets the money aside. Of a job that
  /// may spend nothing, and that nobody limits, nothing is read or written. Errors: 4004 limit_exceeded - with limit, held, settled,
  /// free, period and the way out.
  Result<Alerts> admit(store::Batch& batch, const AdmissionRequest& request) const;

  /// Takes the amount from the free money of the job, and what else the attempt asks for from the accounts of its payer and its backend.
  /// Errors: 1023 - a figure below 0 or above kAmountMax;
  ///         4109 price_not_approved - above spend_max with what is reserved and settled;
  ///         4001 budget_exceeded - with limit, reserved, settled and free, or because the hold is closed or stopped;
  ///         4004 limit_exceeded; 5005 stale_fence - a later worker has reserved for this job; 4003 - the token has a reservation already.
  Result<Alerts> reserve(store::Batch& batch, const ReserveRequest& request) const;

  /// Posts the provider's figures and gives the rest of the reservation back (to the free money, or released when the job
  /// has ended). A bill above the reservation takes what is free and then becomes an over-run; either stops the hold. What was billed
  /// or used becomes a charge (usage.h).
  /// Errors: 4003 double_settlement; 4002 - no such reservation; 1023 - a figure below 0 or above kAmountMax.
  Result<Alerts> settle(store::Batch& batch, const Settlement& settlement) const;

  /// The job is removed, and its rows go with it: the hold with `batch`, the reservations, which mean nothing any more, with
  /// `reservations`. Accounts and charges stay, and the log has what was billed. Without a hold nothing is added.
  /// Errors: 5027 submission_open - money is reserved.
  Result<void> forget(store::Batch& batch, store::Batch& reservations, const JobId& job) const;

  /// The job ended: what is free is given back, what is reserved stays until its bill is known. Again, and without a hold: does
  /// nothing.
  Result<void> release(store::Batch& batch, const JobId& job) const;

 private:
  Result<Alerts> settle_from(Hold hold, store::Batch& batch, const Settlement& settlement) const;
  Result<void> release_from(Hold hold, store::Batch& batch) const;

  store::Store& store_;
  const Limits* limits_;
};

/// What a row of Table::kBudget says is held in accounts: of an account what it holds, of a hold and of an open reservation the negative of
/// their parts in it, of a charge nothing. Over all rows of a store, the sums are 0. Errors: 3003 store_damaged - the row cannot be read
/// or does not balance.
using HeldParts = std::map<std::pair<std::string, Unit>, std::int64_t>;
Result<HeldParts> held_parts(const store::Row& row);

inline constexpr std::string_view kHoldPrefix = "hold/";
inline constexpr std::string_view kReservationPrefix = "reservation/";

}  // namespace tandem::budget
