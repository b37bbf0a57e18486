// tandem/trust/budget/budget.h - Budget: money set aside for a job, reserved for attempts, settled by the provider's figure.
//
// Room: trust. Owns the double-entry rows of Table::kBudget. Every verb adds compare-and-set operations to a batch of the
// caller, so that money moves in the same commit as what it pays for. Not here: prices (middleware/backend), limits of
// tenants and projects (they come with the paid work), the ledger of submissions (orchestrate/submit).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/id.h"
#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/model/job/money.h"
#include "tandem/store/store.h"

namespace tandem::budget {

/// A billion dollars: the largest limit, and the largest single bill that is believed. Keeps sums far from overflow.
inline constexpr job::Money kAmountMax{1'000'000'000'000'000};

/// What one job may spend, as a double entry: every amount stands in exactly one account.
///
/// Always: limit + overrun == free + reserved + settled + released, and none is negative (checked on reading: 3003).
/// An over-run is money the provider billed beyond what was there to pay it from; it is posted, never hidden.
struct Hold {
  JobId job;
  std::string tenant;
  job::Money limit;  ///< set aside at admission
  job::Money free;  ///< may still be reserved
  job::Money reserved;  ///< promised to attempts whose bill is not known; an ambiguous attempt keeps its part for ever
  job::Money settled;  ///< billed by providers
  job::Money released;  ///< given back when the job ended
  job::Money overrun;  ///< part of `settled` that no reservation and no free money covered
  bool stopped = false;  ///< a bill was above its reservation: no further reservation is granted
  bool closed = false;  ///< the job has ended
  std::uint64_t fence = 0;  ///< the highest that reserved
  std::uint64_t version = 0;  ///< of the stored row
  Bytes value() const;  ///< of its row
  static Result<Hold> parse(const store::Row& row);  ///< 3003 store_damaged
  friend bool operator==(const Hold&, const Hold&) = default;
};

enum class ReservationState : std::uint8_t { kReserved, kSettled };

/// Money promised to one attempt.
struct Reservation {
  std::string token;
  job::Money amount;
  job::Money billed;  ///< 0 until settled
  ReservationState state = ReservationState::kReserved;
  std::uint64_t version = 0;
  Bytes value() const;  ///< of its row
  static Result<Reservation> parse(const store::Row& row);  ///< 3003 store_damaged
  friend bool operator==(const Reservation&, const Reservation&) = default;
};

/// Who wants money, and how much at most.
struct ReserveRequest {
  JobId job;
  std::string token;  ///< of the attempt
  std::uint64_t fence = 0;
  job::Money amount;
  std::optional<job::Money> spend_max = std::nullopt;  ///< of the job in all, where people approved no more
};

/// Adds the hold of a job: of one that may spend something to its admission; of another with the plan that names somebody who gives a
/// bill, if only of 0. A job that asks nobody has none. 0 <= limit <= kAmountMax (asserted).
void hold(store::Batch& batch, const JobId& job, std::string_view tenant, job::Money limit);
/// Budget::release() of a hold that is as hold() made it, without reading it. Of another the commit fails with 3004.
void release_untouched(store::Batch& batch, const JobId& job, std::string_view tenant, job::Money limit);

/// Reads the rows a verb needs and adds its operations to `batch`, with preconditions on all of them: when the commit fails
/// with 3004, somebody else moved money of this job meanwhile, and the caller builds the batch anew. At most one verb a job
/// and batch.
///
/// Threads: safe to call concurrently. Cost: two point reads a verb.
/// Errors of all but forget() and release(): 4002 hold_unknown; of all: 3003 store_damaged; those of the store.
class Budget {
 public:
  explicit Budget(store::Store& store) : store_(store) {}

  Result<Hold> load(const JobId& job) const;

  /// Takes the amount from the free money.
  /// Errors: 4109 price_not_approved - above spend_max with what is reserved and settled;
  ///         4001 budget_exceeded - with limit, reserved, settled and free, or because the hold is closed or stopped;
  ///         5005 stale_fence - a later worker has reserved for this job; 4003 - the token has a reservation already.
  Result<void> reserve(store::Batch& batch, const ReserveRequest& request) const;

  /// Posts the provider's figure and gives the rest of the reservation back (to the free money, or released when the job
  /// has ended). A bill above the reservation takes what is free and then becomes an over-run; either stops the hold.
  /// 0 voids the reservation. Errors: 4003 double_settlement; 4002 - no such reservation; 1023 - a bill below 0 or above kAmountMax.
  Result<void> settle(store::Batch& batch, const JobId& job, std::string_view token, job::Money billed) const;

  /// The job is removed, and its rows go with it: the hold with `batch`, the reservations, which mean nothing any more, with
  /// `reservations`. The log has what was billed. Without a hold nothing is added. Errors: 5027 submission_open - money is reserved.
  Result<void> forget(store::Batch& batch, store::Batch& reservations, const JobId& job) const;

  /// The job ended: what is free is given back, what is reserved stays until its bill is known. Again, and without a hold: does
  /// nothing.
  Result<void> release(store::Batch& batch, const JobId& job) const;

 private:
  store::Store& store_;
};

}  // namespace tandem::budget
