// tandem/sim/fibre.h - Fibre: a call stack of its own that runs until it gives control back. x86-64.
//
// Room: sim. Not here: who runs when (scheduler.h).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace tandem::sim {

/// Runs one body after the other on one stack. Threads: one for ever. A body must not switch away while it handles an exception,
/// nor let one out.
class Fibre {
 public:
  static constexpr std::size_t kStackBytes = std::size_t{512} << 10;  ///< untouched pages cost nothing

  Fibre();
  ~Fibre();
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;

  /// Gives the fibre its next body; it has none now.
  void start(std::function<void()> body) { body_ = std::move(body); }
  /// From the caller's stack into the body, until that calls leave() or ends. False when it ended.
  bool enter();
  /// From the body back to who entered.
  void leave();

 private:
  friend void run_fibre(Fibre& fibre);
  void run();

  std::unique_ptr<std::byte[]> stack_;
  std::function<void()> body_;
  void* here_ = nullptr;  ///< stack pointer while it does not run
  void* caller_ = nullptr;  ///< of who entered
  // For the sanitizers, which have to be told of every change of stack.
  void* fake_stack_ = nullptr;
  const void* caller_stack_ = nullptr;
  std::size_t caller_stack_bytes_ = 0;
  void* thread_fibre_ = nullptr;
  void* caller_fibre_ = nullptr;
};

}  // namespace tandem::sim
