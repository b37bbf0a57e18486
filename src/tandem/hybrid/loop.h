// tandem/hybrid/loop.h - Loop: hybrid work as a resumable value. It asks for work; it never submits any.
//
// Room: hybrid. orchestrate/engine drives a loop, checkpoints each round, and so makes it durable, budgeted and stoppable;
// evidence/lineage drives the same loop again from recorded replies. Everything a loop decides is a function of its inputs,
// its state and the replies.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/middleware/backend/backend.h"
#include "tandem/model/job/fallback.h"
#include "tandem/model/job/result_document.h"

namespace tandem::hybrid {

/// Work wanted. Orders of one round run side by side.
struct Order {
  std::string label;  ///< unique in the job: "solve", "baseline", "refine/0/qaoa@lab.device"
  std::string backend;
  std::vector<job::Fallback> fallbacks;  ///< by the cause of the last failure; never for arms that are graded
  backend::Work work;
  /// A queue that is stated to be longer, or is seen to be, is a reason to leave; empty: none is too long.
  std::optional<std::chrono::milliseconds> backend_wait_max = std::nullopt;
  /// A device whose newest calibration is older is not sent to; empty: whatever its age.
  std::optional<std::chrono::milliseconds> calibration_age_max = std::nullopt;
  bool backend_awaited = false;  ///< it was not there when it was planned: one that does not answer is waited for
  bool required = true;  ///< false: the loop goes on without it
};

/// What became of an order. Exactly one of `result` and `error` is set.
struct Reply {
  std::string label;
  std::string backend;  ///< the one that answered last
  bool emulated = false;
  bool local = true;  ///< whether that is this machine
  std::vector<job::PathEntry> path;  ///< empty when the first backend answered whole
  std::vector<job::PartialAnswer> partial;  ///< that came on the way; `result` is one of them where `used` says so
  std::optional<job::CachedAnswer> cached;  ///< `result` was given to another job
  std::optional<backend::WorkResult> result;
  std::optional<Error> error;
  job::Money billed;
  std::string calibration_id;
  std::optional<double> calibration_age_ms;  ///< when the answer was taken
  double elapsed_ms = 0;
  std::optional<double> time_to_best_ms;
};

/// What a loop came to.
struct Done {
  job::ResultDocument result;  ///< without job_id, lineage_id, elapsed_ms, billed and acceptance
  Json lineage;
};

struct Advance {
  Json state;  ///< to be checkpointed before the orders are run
  std::vector<Order> orders;  ///< empty: the state alone is the step
  std::optional<Done> done;
};

/// Threads: one driver at a time.
class Loop {
 public:
  virtual ~Loop() = default;
  virtual Json initial_state() const = 0;
  /// `replies` answer the orders of the previous advance, in their order (none at first).
  /// Errors: those of the work that cannot be done without (a required order failed), 3003 store_damaged for a foreign state.
  virtual Result<Advance> next(const Json& state, std::span<const Reply> replies) = 0;
};

}  // namespace tandem::hybrid
