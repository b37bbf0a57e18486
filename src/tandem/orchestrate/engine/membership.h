// tandem/orchestrate/engine/membership.h - Membership: this process among those that share a store. It holds a lease by beating;
// whose lease ran out is buried, and his jobs go to others.
//
// Room: orchestrate. One row a process, not one a job: a beat costs the same however many jobs run. All times are the store's; how
// long a lease is good for oneself is measured on one's own monotonic clock, from before the beat was sent. Not here: jobs
// (engine.cc), which are safe from the buried by their fences.
// Source: Gray and Cheriton 1989, "Leases"; fencing as in reference/orchestration.md 5.3.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/crash_point.h"
#include "tandem/base/json.h"
#include "tandem/store/store.h"

namespace tandem::engine {

/// That a process is buried, which is over when it comes back.
struct Burial {
  std::string node;
  store::Expect row;  ///< how it left the row of the process
  /// Adds that the process has not come back, and that nobody has buried it since.
  void require(store::Batch& batch) const;
};

/// Threads: holds() and require_lead() are safe to call concurrently; the rest on one thread at a time.
class Membership {
 public:
  /// `id`: of this process and no other, ever. `facts`: for people, such as host and pid.
  Membership(store::Store& store, const Clock& clock, const CrashPoints& crash_points, std::string id,
             std::chrono::milliseconds ttl, Json facts);

  const std::string& id() const { return id_; }
  /// Writes the row of this process, a new one when it had been buried. Errors: those of the store.
  Result<void> join();
  /// Extends the lease, and tells `jobs`: what others may read of those that this process runs. Errors: 5013 lease_lost - somebody buried this process; those of the store.
  Result<void> beat(Json jobs = Json::object());
  /// Gives the lease up. Errors: those of the store.
  Result<void> leave();
  /// False from some time before others may take the lease for over.
  bool holds() const { return left().count() > 0; }
  std::chrono::nanoseconds left() const;  ///< until holds() is false, where no beat comes before; negative: since
  /// How long a lease holds from the beginning of the beat that got it.
  std::chrono::nanoseconds good_for() const;

  /// Whether this is the one process that takes over from lost ones and looks after what waits: it has the row "leader", whose term
  /// rises with each holder. A leader loses it with its lease. Errors: those of the store.
  Result<bool> lead();
  /// Adds that nobody else has led since this process was last seen to. False: it does not lead.
  bool require_lead(store::Batch& batch) const;

  /// Until when a process has a lease, or had one, in microseconds of the store's clock; empty: it has no row. Errors: those of the store.
  static Result<std::optional<std::int64_t>> lease_end(store::Store& store, std::string_view node);

  /// What a process told with its last beat; an empty object where it has no row. Errors: those of the store.
  static Result<Json> jobs_of(store::Store& store, std::string_view node);

  /// Processes without a lease that have jobs, or a row that is long out of date. Errors: those of the store.
  Result<std::vector<std::string>> lapsed();
  /// From the last look of lead() and lapsed() until the first lease that they saw ends; a whole lease where they saw none.
  std::chrono::nanoseconds next_lapse() const { return next_lapse_; }
  /// From now on a beat of that process fails. Empty when it has beaten meanwhile. Errors: those of the store.
  Result<std::optional<Burial>> bury(const std::string& node);

 private:
  Result<void> write(store::Expect expect, Json jobs);
  Result<std::set<std::string>> owners();  ///< of running jobs; costs a read for each, however many jobs they have
  void saw_lease(std::int64_t until_micros, Timestamp now);
  std::int64_t forgotten_before(Timestamp now) const;  ///< rows that ended before it are dropped

  store::Store& store_;
  const Clock& clock_;
  const CrashPoints& crash_points_;
  const std::string id_;
  const std::chrono::milliseconds ttl_;
  Json facts_;
  std::uint64_t version_ = 0;
  std::atomic<std::uint64_t> leader_version_ = 0;  ///< of the row "leader" while it names this process; else 0
  std::chrono::nanoseconds next_lapse_;
  std::atomic<std::int64_t> good_until_ns_ = 0;  ///< on the monotonic clock
};

}  // namespace tandem::engine
