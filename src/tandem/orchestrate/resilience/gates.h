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
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/result.h"
#include "tandem/orchestrate/resilience/shared_calls.h"
#include "tandem/orchestrate/resilience/shared_starts.h"

namespace tandem::resilience {

struct GateLimits {
  std::size_t calls_max = 0;  ///< under way at once; 0: no limit
  std::size_t starts_per_minute_max = 0;  ///< in any 60 s; 0: no limit
};

/// Both are counted by store, for all processes that share it. Threads: every method is safe to call concurrently.
class Gates {
 public:
  /// `limits` by backend id, or by a vendor's with a dot and a star, "vendor.*": one gate that all its backends share, for what a vendor
  /// counts by the key. A backend's own name comes first; who is not named has none. `clock`: of a shared store, the one that all its
  /// processes agree on. `among`: empty where this process has the store alone, and what is under way is counted without writing it down.
  Gates(Executor& executor, const Clock& clock, store::Store& store, Log& log,
        std::map<std::string, GateLimits, std::less<>> limits, std::optional<AmongOthers> among = std::nullopt);

  /// A submission under way, until it is destroyed.
  class Pass {
   public:
    Pass(Gates* gates, std::string name, std::optional<std::int64_t> start)
        : gates_(gates), name_(std::move(name)), start_(start) {}
    Pass(Pass&& other) noexcept
        : gates_(std::exchange(other.gates_, nullptr)), name_(std::move(other.name_)), start_(other.start_) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gates_ != nullptr) gates_->leave(name_, start_);
    }
    /// Bytes go out: it has begun. Where this is never called the start is given back.
    void begun() { start_.reset(); }

   private:
    Gates* gates_;
    std::string name_;  ///< of the gate
    std::optional<std::int64_t> start_;
  };

  /// Waits for its turn, behind those of this process who wait already. Errors: 1002 cancelled; 5019 backend_busy - there was none before
  /// the deadline; those of the store, where starts are limited or calls are counted with others.
  Result<Pass> enter(const std::string& backend, const std::stop_token& stop, Deadline deadline);
  /// Of what an earlier process began and that still is under way: it is counted, and waits for nothing.
  Pass resume(const std::string& backend);
  /// Whether the same may be sent once more now. Errors: those of the store.
  Result<bool> try_start(const std::string& backend);

 private:
  struct Gate {
    GateLimits limits;
    std::size_t under_way = 0;
    std::uint64_t departures = 0;
    std::size_t asking = 0;  ///< the first in the line asks the others for a place
    std::set<std::uint64_t> line;  ///< who waits, numbered in the order they came
    std::uint64_t next_number = 0;
  };
  /// Until the gate lets the first in its line pass and `number` is that, and not before `not_before`, or somebody left. Errors: those of
  /// enter().
  Result<void> wait_for_turn(std::unique_lock<std::mutex>& lock, Gate& gate, std::uint64_t number, Instant not_before,
                             const std::string& name, const std::stop_token& stop, Deadline deadline);
  /// The same until it may begin as well, which it has then; where it began.
  Result<std::optional<std::int64_t>> wait_to_begin(std::unique_lock<std::mutex>& lock, Gate& gate,
                                                    std::uint64_t number, const std::string& name,
                                                    const std::stop_token& stop, Deadline deadline);
  void leave(const std::string& name, std::optional<std::int64_t> start);
  bool counts_with_others(const Gate& gate) const { return calls_ && gate.limits.calls_max != 0; }
  void tell_others(const std::string& name);
  /// The name of its gate; empty: it has none.
  std::string name_of(const std::string& backend) const;
  std::size_t held(const std::string& name);

  const Clock& clock_;
  Log& log_;
  SharedStarts starts_;
  std::optional<SharedCalls> calls_;
  std::mutex mutex_;
  const std::unique_ptr<Condition> changed_;
  std::map<std::string, Gate, std::less<>> gates_;
};

}  // namespace tandem::resilience
