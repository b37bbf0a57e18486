// tandem/sim/device.h - SimDevice: a provider with a book of its own, and the backend through which one process reaches it.
//
// Room: sim. The device is shared by all processes and never forgets what it billed. SimBackend is the line between: slow, lossy,
// late. SimTier is local work.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "tandem/middleware/backend/local_task.h"
#include "tandem/sim/options.h"
#include "tandem/sim/scheduler.h"

namespace tandem::sim {

/// Threads: one.
class SimDevice {
 public:
  struct Entry {
    std::string token;
    backend::WorkState end = backend::WorkState::kSucceeded;
    Scheduler::Nanos starts_at = 0;
    Scheduler::Nanos ends_at = 0;
    job::Money bill;
    bool names_bill = true;
    bool result_lost = false;
    int garbage_left = 0;  ///< fetches that arrive damaged
  };
  static constexpr job::Money kPrice{1000};  ///< at least; what it bills is no more

  SimDevice(Scheduler& scheduler, const Options& options) : scheduler_(scheduler), options_(options) {}

  std::function<void(const std::string& token)> on_accept;
  std::function<void(const std::string& token)> on_billed_twice;
  std::function<void(const std::string& fault)> on_fault;
  Scheduler::Nanos down_until = 0;

  /// Half as much again for a second, every three.
  job::Money price() const {
    return (scheduler_.now() / 1'000'000'000) % 3 == 2 ? job::Money{kPrice.usd_micros * 3 / 2} : kPrice;
  }
  bool down() const { return scheduler_.now() < down_until; }
  /// Nobody can ask it for work by a token.
  bool opaque() const { return options_.safety == backend::SubmitSafety::kD; }
  /// Bills the work. A device of class A knows a token again.
  backend::Handle accept(const std::string& token);
  std::optional<backend::Handle> find(std::string_view token) const;
  Result<backend::PollStatus> poll(const backend::WorkRef& work);
  Result<backend::RawResult> fetch(const backend::WorkRef& work);
  Result<void> cancel(const backend::WorkRef& work);
  const std::map<backend::Handle, Entry>& book() const { return book_; }

 private:
  Result<Entry*> entry(const backend::WorkRef& work);
  bool happens(double chance, const char* fault);

  Scheduler& scheduler_;
  const Options& options_;
  std::map<backend::Handle, Entry> book_;
};

/// What a process shares with its backends.
struct Line {
  Scheduler& scheduler;
  const Options& options;
  Group& world;  ///< of what goes on when the process does not
  std::function<bool()> dead;  ///< the process is: nothing leaves it any more
  std::function<bool()> calm;  ///< no faults from now on
  std::function<void(const std::string& fault)> fault;
};

std::unique_ptr<backend::Backend> make_sim_backend(SimDevice& device, Line line);
/// Local; solves problems of few variables by trying everything, and runs programs that have no results.
std::unique_ptr<backend::Backend> make_sim_tier(std::string id, bool solves, const Clock& clock, Executor& executor,
                                                Line line);

}  // namespace tandem::sim
