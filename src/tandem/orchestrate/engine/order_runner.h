// tandem/orchestrate/engine/order_runner.h - carries out the orders of one round: backends, fallbacks, raw bytes first.
//
// Room: orchestrate. Local work is submitted, awaited and fetched here; remote work goes through the submission ledger. What a
// backend answered is stored (blob, record, event in one commit) before the walk sees it, so a crash costs at most the work
// that was running.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "tandem/evidence/lineage/lineage.h"
#include "tandem/hybrid/loop.h"
#include "tandem/orchestrate/engine/job_ledger.h"
#include "tandem/orchestrate/engine/step_tries.h"
#include "tandem/orchestrate/engine/worker_slots.h"
#include "tandem/orchestrate/resilience/bulkheads.h"

namespace tandem::engine {

class LocalTeam;

/// As records and documents tell a duration.
inline double milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// Whose orders these are.
/// It works in this process, and is not submitted to.
inline bool is_local(const backend::Backend& backend) { return backend.info().safety == backend::SubmitSafety::kLocal; }

/// What a job may spend in all, of money and of play money.
struct SpendMax {
  job::Money money;
  job::Money play_money;
  job::Money of(bool emulated) const { return emulated ? play_money : money; }
};

struct OrderContext {
  WorkerSlots::Place& place;  ///< of the thread that calls run()
  resilience::Bulkheads::Stay& stay;  ///< at the first backends of all orders
  JobId job;
  std::string tenant;
  std::string project;
  std::string data_class;
  std::uint64_t fence = 0;
  std::uint32_t round = 0;
  std::size_t threads = 1;
  std::stop_token stop;
  std::stop_token drain;  ///< ends waits between tries
  std::function<bool()> holds;  ///< submit::SubmissionRequest::holds
  std::optional<SpendMax> spend_max;  ///< submit::SubmissionRequest::spend_max
  submit::Premise payable;  ///< submit::SubmissionRequest::payable
  /// People approved less than an attempt would have cost: told before its step goes on. Empty: nobody was asked.
  std::function<Result<void>(const Error&)> on_price_above;
  Deadline deadline = Deadline::never();  ///< of the whole job
  std::chrono::milliseconds remote_deadline{20'000};  ///< of a station: all tries of one backend
  std::optional<std::chrono::milliseconds> heartbeat_max;  ///< limits.heartbeat
  std::optional<std::chrono::milliseconds> ready_wait_max;  ///< limits.backend_wait: for a backend that takes no work
  const job::Limits& limits;  ///< of the job
  std::function<void(const std::string& label, const solve::Incumbent&)> on_incumbent;
};

struct Carried {
  hybrid::Reply reply;
  lineage::WorkRecord record;
  std::string waited_for;  ///< in vain, or until it was stopped; empty: for nothing
};

/// Threads: one call a job at a time.
class OrderRunner {
 public:
  OrderRunner(EngineServices& services, JobLedger& ledger)
      : services_(services), ledger_(ledger), tries_(services.store, ledger, services.clock) {}

  /// Runs all orders side by side; an order whose record is checkpointed already is decoded from its raw bytes instead.
  /// When the order "solve" proves its answer, the others of the round are stopped: nothing is left to find.
  /// Errors: 1002 cancelled, 5005 stale_fence, those of the store. A failed order is a Carried with an error, not an error.
  Result<std::vector<Carried>> run(std::span<const hybrid::Order> orders, const OrderContext& context);

 private:
  struct Attempt;  ///< what one backend gave
  struct Way;  ///< of one order along its chain
  /// What the thread of an order has for local work.
  struct Seat {
    std::size_t threads = 1;
    LocalTeam* team = nullptr;  ///< empty: it is outside, and comes in
  };
  Result<Carried> carry(const hybrid::Order& order, const OrderContext& context, const Seat& seat,
                        std::stop_token stop);
  /// Puts on the way what earlier starts of the job did of an order: this one begins with the backend to which they had come, whatever
  /// has become of those before it meanwhile.
  Result<void> recall(const hybrid::Order& order, const OrderContext& context, Way& way);
  Result<std::optional<Carried>> resume(const hybrid::Order& order, const OrderContext& context);
  Attempt attempt_local(backend::Backend& backend, const hybrid::Order& order, const OrderContext& context,
                        const Seat& seat, std::stop_token stop);
  struct Sending {
    std::uint32_t attempt = 0;
    bool is_known = false;  ///< there is a record of it, by a start before this one
    bool is_past_gate = false;  ///< and nothing of it will be sent for the first time: it needs no turn
  };
  /// `until`: of the station, from its first turn on, without what later tries wait for theirs.
  Result<Attempt> attempt_remote(backend::Backend& backend, const hybrid::Order& order, const Sending& sending,
                                 std::optional<Deadline>& until, const OrderContext& context,
                                 const std::stop_token& stop);
  Result<Attempt> attempt_cached(const job::Fallback& entry, const hybrid::Order& order, Way& way,
                                 const OrderContext& context);
  static submit::SubmissionRequest request_of(backend::Backend& backend, const hybrid::Order& order,
                                              const OrderContext& context, std::uint32_t attempt);
  static TryScope scope_of(const hybrid::Order& order, const OrderContext& context, Deadline deadline);
  /// After an attempt that found the backend closed, not asked for work (its circuit is open), or its calibration too old: looks at it again
  /// and again, without sending anything, until it is ready (true) or the wait is over; then the attempt's error says how long it took, and
  /// for how long it was told to take. The wait counts from the first such attempt at the station, whatever was restarted since, without
  /// tries and turns in line. `number`: of the try. Errors: 1002 cancelled - the server goes down; 5005 stale_fence; those of the store.
  Result<bool> await_ready(backend::Backend& backend, std::uint32_t station, const hybrid::Order& order, Way& way,
                           const OrderContext& context, Attempt& attempt, std::uint32_t number,
                           const std::stop_token& stop);
  std::chrono::milliseconds waited_for(const job::FailedTry& wait, const Way& way) const;
  /// One backend of the chain: tries it as often as the policy allows and its answers may pass.
  Result<Attempt> attempt_backend(backend::Backend& backend, std::uint32_t station, const hybrid::Order& order,
                                  Way& way, const OrderContext& context, const Seat& seat, const std::stop_token& stop);
  /// One station: tries it, and notes on the way what came of it.
  Result<void> try_entry(const job::Fallback& entry, const hybrid::Order& order, Way& way, const OrderContext& context,
                         const Seat& seat, const std::stop_token& stop);
  Result<void> checkpoint(const Carried& carried, store::Batch blobs, const OrderContext& context);

  EngineServices& services_;
  JobLedger& ledger_;
  StepTries tries_;
};

/// Of an order, as the ledger of submissions knows it.
inline std::string submission_step(const OrderContext& context, const hybrid::Order& order) {
  return fmt::format("{}/{}", context.round, order.label);
}
/// "<job>/<round>/<label>" in Table::kStep.
inline std::string step_key(const JobId& job, std::uint32_t round, std::string_view label) {
  return fmt::format("{}/{:04}/{}", job.value, round, label);
}

}  // namespace tandem::engine
