// tandem/base/machine_memory.h - MachineMemory: what the running steps of this process may take of the machine's memory together.
//
// Room: base. The kernel promises more memory than there is and ends processes when it is touched: so a step says what it needs before it
// takes it. Not here: how much that is (compute), and refusing a job when it is asked for (orchestrate/route).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string_view>
#include <utility>

#include "tandem/base/executor.h"
#include "tandem/base/fs.h"
#include "tandem/base/result.h"

namespace tandem {

/// In bytes, as they are now.
struct MemoryReading {
  std::uint64_t total = 0;  ///< of the machine, or the limit of a control group of this process where that is less
  std::uint64_t available =
      0;  ///< the kernel's estimate, or what a control group leaves, without what can be dropped, where that is less
};
/// From /proc/meminfo and the control groups of this process, of version 2 or 1, up to the root. Where nothing can be read: 4 GiB, all of them
/// available.
MemoryReading read_memory(Fs& fs);
/// What this process has touched and no file backs, in bytes, from /proc/self/status; empty where that does not say.
std::optional<std::uint64_t> read_own_memory(Fs& fs);

/// Threads: every method is safe to call concurrently. Outlives what it gave.
class MachineMemory {
 public:
  /// A step that needs less reserves nothing and never waits: looking would cost it more than what is at stake.
  static constexpr std::uint64_t kSmallBytes = std::uint64_t{16} << 20;
  /// Of the memory, left to plan with where no limit is set. The rest is for the stacks, buffers and results of the steps, and for others.
  static constexpr double kShare = 0.75;

  /// `bytes_max`: for all running steps together; 0: kShare of what is available when the first of them starts.
  MachineMemory(Fs& fs, Executor& executor, std::uint64_t bytes_max)
      : fs_(fs), bytes_max_(bytes_max), changed_(executor.make_condition()) {}
  MachineMemory(const MachineMemory&) = delete;
  MachineMemory& operator=(const MachineMemory&) = delete;

  /// What a step has until it is destroyed.
  class Reservation {
   public:
    Reservation() = default;
    Reservation(Reservation&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), bytes_(other.bytes_), number_(other.number_) {}
    Reservation& operator=(Reservation&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(bytes_, other.bytes_);
      std::swap(number_, other.number_);
      return *this;
    }
    ~Reservation() {
      if (owner_ != nullptr) owner_->release(bytes_, number_);
    }

   private:
    friend class MachineMemory;
    Reservation(MachineMemory& owner, std::uint64_t bytes, std::uint64_t number)
        : owner_(&owner), bytes_(bytes), number_(number) {}
    MachineMemory* owner_ = nullptr;
    std::uint64_t bytes_ = 0;
    std::uint64_t number_ = 0;
  };

  /// Carries out what only waits, and lets others compute meanwhile.
  using Aside = std::function<void(const std::function<void()>& wait)>;

  /// Waits, in the order of the calls, while `bytes` do not fit beside the running steps but would without them: those that have something
  /// reserved, and those with little need that began before, for their search trees may have grown. Who has something must not ask
  /// for more: two of them would wait for each other. `what`: whose need it is, as "a state vector of 30 qubits".
  /// `aside`: for the wait; empty: it waits here. Nothing is reserved before it has returned: who has memory never waits to compute. While it
  /// returns those who wait behind may be served.
  /// Errors: 1004 out_of_memory - it does not fit even when nothing runs; 1002 cancelled - stopped while waiting.
  Result<Reservation> reserve(std::uint64_t bytes, std::string_view what, const std::stop_token& stop = {},
                              const Aside& aside = {});
  /// What the next step could get without waiting.
  std::uint64_t room();

 private:
  std::uint64_t limit_of(std::uint64_t available) const;
  std::uint64_t room_locked();
  /// All that this process has may come back, and it still does not fit.
  bool never_fits_locked(std::uint64_t bytes);
  void release(std::uint64_t bytes, std::uint64_t number);

  Fs& fs_;
  const std::uint64_t bytes_max_;
  std::mutex mutex_;
  std::unique_ptr<Condition> changed_;
  std::uint64_t limit_ = 0;  ///< of all running steps; read again when none has anything reserved
  std::uint64_t held_ = 0;
  std::uint64_t next_ = 0;
  std::set<std::uint64_t> waiting_;  ///< numbers: the least is the first
  std::set<std::uint64_t> small_;  ///< of running steps that have nothing reserved
};

}  // namespace tandem
