// tandem/sim/device.h - SimDevice: the device of one vendor with a book of its own, and the backend through which one process reaches it.
//
// Room: sim. The device is shared by all processes and never forgets what it billed. SimBackend is the line between: slow, lossy,
// late. SimTier is local work.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

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
    Scheduler::Nanos accepted_at = 0;
    Scheduler::Nanos starts_at = 0;
    Scheduler::Nanos ends_at = 0;
    job::Money bill;
    bool names_bill = true;
    bool result_lost = false;
    int garbage_left = 0;  ///< fetches that arrive damaged
  };

  SimDevice(Scheduler& scheduler, const Options& options, const Vendor& vendor)
      : scheduler_(scheduler), options_(options), vendor_(vendor) {}

  std::function<void(const std::string& token)> on_accept;
  std::function<void(const std::string& token)> on_billed_twice;
  std::function<void(const std::string& fault)> on_fault;
  Scheduler::Nanos down_until = 0;
  Scheduler::Nanos closed_until = 0;
  Scheduler::Nanos loses_until = 0;  ///< no submission arrives; what it is asked it answers

  const Vendor& vendor() const { return vendor_; }
  job::Money price() const {
    const bool dear = (scheduler_.now() / 1'000'000 / vendor_.price_period) % 3 == 2;
    return {dear ? vendor_.price_usd_micros * 3 / 2 : vendor_.price_usd_micros};
  }
  bool down() const { return scheduler_.now() < down_until; }
  bool closed() const { return scheduler_.now() < closed_until; }  ///< it takes no work, and says so
  /// Nobody can ask it for work by a token.
  bool opaque() const { return vendor_.safety == backend::SubmitSafety::kD; }
  /// A request leaves a process; what becomes of it is the line's.
  void leaves(const std::string& token) { left_at_[token] = scheduler_.now(); }
  /// When the last request for it did; empty: none yet.
  std::optional<Scheduler::Nanos> left_at(const std::string& token) const;
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
  const Vendor vendor_;
  std::map<backend::Handle, Entry> book_;
  std::unordered_map<std::string, backend::Handle> first_;  ///< by token
  std::unordered_map<std::string, Scheduler::Nanos> left_at_;  ///< by token
};

/// Of all vendors of a history.
using Devices = std::deque<SimDevice>;
const SimDevice* find_device(const Devices& devices, std::string_view backend);  ///< null: no vendor's

/// What a process shares with its backends.
struct Line {
  Scheduler& scheduler;
  const Options& options;
  Group& world;  ///< of what goes on when the process does not
  std::function<bool()> dead;  ///< the process is: nothing leaves it any more
  std::function<bool()> calm;  ///< no faults from now on
  std::function<void(const std::string& fault)> fault;
  std::function<void(backend::SubmitSafety safety, const std::string& what)> vendor;  ///< saw this
};

std::unique_ptr<backend::Backend> make_sim_backend(SimDevice& device, Line line);
/// Local; solves problems of few variables by trying everything, and runs programs that have no results.
std::unique_ptr<backend::Backend> make_sim_tier(std::string id, bool solves, const Clock& clock, Executor& executor,
                                                Line line);

}  // namespace tandem::sim
