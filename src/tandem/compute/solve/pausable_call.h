// tandem/compute/solve/pausable_call.h - PausableCall: a call that can rest in the midst and go on later, on any thread.
//
// Room: compute, inside solve. For a library whose search is one long call: it then takes its turns among the engines of a
// strand. It is no thread: whoever resumes it does the work.
// Source: makecontext(3), swapcontext(3).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace tandem::solve {

/// Threads: one at a time, not always the same one. Cost: a pause or a return to it is under a microsecond; the stack of
/// kStackBytes takes only the memory that it has touched.
class PausableCall {
 public:
  static constexpr std::size_t kStackBytes = std::size_t{8} << 20;

  /// `body` must let no exception out. May throw std::bad_alloc.
  explicit PausableCall(std::function<void()> body);
  /// The body has ended or has never begun: what stands on its stack is nobody else's to take down.
  ~PausableCall();
  PausableCall(const PausableCall&) = delete;
  PausableCall& operator=(const PausableCall&) = delete;

  /// Begins the body, or goes on with it, until it pauses or ends. Not after its end, not from within.
  void resume();
  /// From within the body: back to who resumed it. Not while an exception is handled or unwinds.
  void pause();
  bool begun() const;
  bool ended() const;

 private:
  struct Stack;
  std::unique_ptr<Stack> stack_;
};

}  // namespace tandem::solve
