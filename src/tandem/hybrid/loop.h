// tandem/hybrid/loop.h - Loop: hybrid work as a resumable value. It asks for work; it never submits any.
//
// Room: hybrid. orchestrate/engine drives a loop, checkpoints each round, and so makes it durable, budgeted and stoppable;
// evidence/lineage drives the same loop again from recorded replies. Everything a loop decides is a function of its inputs,
// its state and the replies.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/middleware/backend/backend.h"
#include "tandem/model/job/result_document.h"

namespace tandem::hybrid {

/// Work wanted. Orders of one round run side by side.
struct Order {
  std::string label;  ///< unique in the job: "solve", "baseline", "refine/0/qaoa@lab.device"
  std::string backend;
  std::vector<std::string> fallbacks;  ///< tried in order when the backend fails; never for arms that are graded
  backend::Work work;
  bool required = true;  ///< false: the loop goes on without it
};

/// What became of an order. Exactly one of `result` and `error` is set.
struct Reply {
  std::string label;
  std::string backend;  ///< the one that answered last
  bool emulated = false;
  std::vector<std::string>
      path;  ///< "lab.device: submission_ambiguous", ...: backends tried before, and why each was left
  std::optional<backend::WorkResult> result;
  std::optional<Error> error;
  job::Money billed;
  std::string calibration_id;
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
