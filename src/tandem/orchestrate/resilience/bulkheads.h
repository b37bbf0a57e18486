// tandem/orchestrate/resilience/bulkheads.h - Bulkheads: how many runs of one process use a provider at once.
//
// Room: orchestrate. A run that waits for a provider costs threads and memory as long as that takes; a provider that hangs fills its own
// compartment, and the others float. Not here: how many submissions are under way (gates.h), what a run that finds no room does
// (engine/provider_lines.h).
// Source: Nygard 2007, "Release It!", bulkheads.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/result.h"

namespace tandem::resilience {

/// Of a provider that no limit names.
inline constexpr std::size_t kProviderRunsMax = 64;

/// Of one process. Threads: every method is safe to call concurrently.
class Bulkheads {
 public:
  using Limits = std::map<std::string, std::size_t, std::less<>>;
  /// `limits` by backend id, or by a vendor's with a dot and a star, "vendor.*", for all its backends together; a backend's own name
  /// comes first, and whose vendor is not named shares kProviderRunsMax with its other backends. `freed` is called, without a lock, when a
  /// run that had been somewhere has ended.
  Bulkheads(Executor& executor, const Clock& clock, Limits limits, std::function<void()> freed);

  /// The providers that a run uses, from the first time until its end.
  class Stay {
   public:
    explicit Stay(Bulkheads& bulkheads) : bulkheads_(bulkheads) {}
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;
    ~Stay();

    /// False where there is no room. True at once where the run is there already.
    bool try_enter(const std::string& backend);
    /// Waits for room. Errors: 1002 cancelled; 5019 backend_busy - there was none before the deadline.
    Result<void> enter(const std::string& backend, const std::stop_token& stop, Deadline deadline);
    bool is_anywhere() const;

   private:
    Bulkheads& bulkheads_;
    std::set<std::string> compartments_;  ///< under the mutex of the bulkheads
  };

  /// The name under which a backend is counted: its own, or "vendor.*".
  std::string compartment_of(const std::string& backend) const;
  bool is_full(const std::string& compartment) const;
  std::size_t limit_of(const std::string& compartment) const;

 private:
  bool take_locked(const std::string& compartment);

  const Clock& clock_;
  const Limits limits_;
  const std::function<void()> freed_;
  mutable std::mutex mutex_;
  const std::unique_ptr<Condition> changed_;
  std::map<std::string, std::size_t> runs_;  ///< by compartment
};

}  // namespace tandem::resilience
