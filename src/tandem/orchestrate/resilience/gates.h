// tandem/orchestrate/resilience/gates.h - Gates: how many submissions to a backend or a vendor are under way at once, and begin in a minute.
//
// Room: orchestrate. One provider that is slow or strict holds up its own work and nobody else's: who waits here or for an answer is
// outside the workers (engine/worker_slots.h). Not here: whether a backend that fails is called at all (breaker.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <utility>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/result.h"
#include "tandem/orchestrate/resilience/shared_starts.h"

namespace tandem::resilience {

struct GateLimits {
  std::size_t calls_max = 0;  ///< under way at once; 0: no limit
  std::size_t starts_per_minute_max = 0;  ///< in any 60 s; 0: no limit
};

/// What is under way is counted by process, what begins by store. Threads: every method is safe to call concurrently.
class Gates {
 public:
  /// `limits` by backend id, or by a vendor's with a dot and a star, "vendor.*": one gate that all its backends share, for what a vendor
  /// counts by the key. A backend's own name comes first; who is not named has none. `clock`: of a shared store, the one that all its
  /// processes agree on.
  Gates(Executor& executor, const Clock& clock, store::Store& store,
        std::map<std::string, GateLimits, std::less<>> limits);

  /// A submission under way, until it is destroyed.
  class Pass {
   public:
    Pass(Gates* gates, std::string name) : gates_(gates), name_(std::move(name)) {}
    Pass(Pass&& other) noexcept : gates_(std::exchange(other.gates_, nullptr)), name_(std::move(other.name_)) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gates_ != nullptr) gates_->leave(name_);
    }

   private:
    Gates* gates_;
    std::string name_;  ///< of the gate
  };

  /// Waits for its turn, behind those of this process who wait already. Errors: 1002 cancelled; 5019 backend_busy - there was none before
  /// the deadline; those of the store, where starts are limited.
  Result<Pass> enter(const std::string& backend, const std::stop_token& stop, Deadline deadline);

 private:
  struct Gate {
    GateLimits limits;
    std::size_t under_way = 0;
    std::set<std::uint64_t> line;  ///< who waits, numbered in the order they came
    std::uint64_t next_number = 0;
  };
  /// Until the gate lets the first in its line pass and `number` is that, and no earlier than at `not_before`. Errors: those of enter().
  Result<void> wait_for_turn(std::unique_lock<std::mutex>& lock, Gate& gate, std::uint64_t number, Instant not_before,
                             const std::string& name, const std::stop_token& stop, Deadline deadline);
  /// The same until it may begin as well, which it has then.
  Result<void> wait_to_begin(std::unique_lock<std::mutex>& lock, Gate& gate, std::uint64_t number,
                             const std::string& name, const std::stop_token& stop, Deadline deadline);
  void leave(const std::string& name);
  /// The name of its gate; empty: it has none.
  std::string name_of(const std::string& backend) const;

  const Clock& clock_;
  SharedStarts starts_;
  std::mutex mutex_;
  const std::unique_ptr<Condition> changed_;
  std::map<std::string, Gate, std::less<>> gates_;
};

}  // namespace tandem::resilience
