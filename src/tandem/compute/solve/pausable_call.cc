#include "tandem/compute/solve/pausable_call.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <new>

#include "tandem/base/assert.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace tandem::solve {

namespace {

constexpr std::size_t kGuardBytes = std::size_t{64} << 10;  // below the stack: an overflow ends the program at once

}  // namespace

/// Two sides that hand the processor to each other. The sanitizers are told of every change of stack.
struct PausableCall::Stack {
  struct Side {
    ucontext_t context{};
    const void* bottom = nullptr;
    std::size_t bytes = 0;
    void* shadow = nullptr;  ///< what a sanitizer keeps for it
  };

  std::function<void()> body;
  void* memory = nullptr;
  Side inner;
  Side outer;
  bool begun = false;
  bool ended = false;

  explicit Stack(std::function<void()> call) : body(std::move(call)) {
    memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    mprotect(memory, kGuardBytes, PROT_NONE);
    void* bottom = static_cast<std::byte*>(memory) + kGuardBytes;
    inner.bottom = bottom;
    inner.bytes = kStackBytes;
    getcontext(&inner.context);
    inner.context.uc_stack.ss_sp = bottom;
    inner.context.uc_stack.ss_size = kStackBytes;
    const auto self = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&inner.context, reinterpret_cast<void (*)()>(&Stack::enter), 2, static_cast<unsigned>(self >> 32),
                static_cast<unsigned>(self));
#ifdef __SANITIZE_THREAD__
    inner.shadow = __tsan_create_fiber(0);
#endif
  }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;
  ~Stack() {
#ifdef __SANITIZE_THREAD__
    __tsan_destroy_fiber(inner.shadow);
#endif
    munmap(memory, kGuardBytes + kStackBytes);
  }

  /// makecontext() hands over integers only.
  static void enter(unsigned high, unsigned low) {
    auto* stack = reinterpret_cast<Stack*>(std::uintptr_t{high} << 32 | low);
    stack->arrive(stack->inner, stack->outer);
    stack->body();
    stack->ended = true;
    stack->change(stack->inner, stack->outer);
  }

  void change(Side& from, Side& to) {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&from == &inner && ended ? nullptr : &from.shadow, to.bottom, to.bytes);
#endif
#ifdef __SANITIZE_THREAD__
    if (&from == &outer) outer.shadow = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to.shadow, 0);
#endif
    swapcontext(&from.context, &to.context);
    arrive(from, to);
  }

  /// On the stack of `here`, having left that of `left`.
  void arrive([[maybe_unused]] Side& here, [[maybe_unused]] Side& left) {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(here.shadow, &left.bottom, &left.bytes);
#endif
  }
};

PausableCall::PausableCall(std::function<void()> body) : stack_(std::make_unique<Stack>(std::move(body))) {}

PausableCall::~PausableCall() { TANDEM_ASSERT(!stack_->begun || stack_->ended); }

void PausableCall::resume() {
  TANDEM_ASSERT(!stack_->ended);
  stack_->begun = true;
  stack_->change(stack_->outer, stack_->inner);
}

void PausableCall::pause() { stack_->change(stack_->inner, stack_->outer); }

bool PausableCall::begun() const { return stack_->begun; }
bool PausableCall::ended() const { return stack_->ended; }

}  // namespace tandem::solve
