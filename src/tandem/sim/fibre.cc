#include "tandem/sim/fibre.h"

#include <cstdint>
#include <utility>

#include "tandem/base/assert.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#elif defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

// What a called function must keep goes onto the stack, then the stack is exchanged (System V AMD64 ABI 3.2.1).
asm(R"(
.text
.p2align 4
.globl tandem_sim_switch
.hidden tandem_sim_switch
.type tandem_sim_switch, @function
tandem_sim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size tandem_sim_switch, .-tandem_sim_switch
.p2align 4
.globl tandem_sim_begin
.hidden tandem_sim_begin
.type tandem_sim_begin, @function
tandem_sim_begin:
  movq %rbx, %rdi
  callq *%r12
  ud2
.size tandem_sim_begin, .-tandem_sim_begin
.section .note.GNU-stack,"",@progbits
.text
)");

extern "C" void tandem_sim_switch(void** save, void* load);
extern "C" void tandem_sim_begin();

namespace tandem::sim {

void run_fibre(Fibre& fibre) { fibre.run(); }

Fibre::Fibre() : stack_(std::make_unique_for_overwrite<std::byte[]>(kStackBytes)) {
  const auto end = reinterpret_cast<std::uintptr_t>(stack_.get() + kStackBytes) & ~std::uintptr_t{15};
  // As tandem_sim_switch leaves a stack: six registers, then where to go on.
  auto* top = reinterpret_cast<void**>(end);
  *--top = nullptr;
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(&tandem_sim_begin);
  *--top = nullptr;  // rbp
  *--top = this;  // rbx
  *--top = reinterpret_cast<void*>(&run_fibre);  // r12
  for (int i = 0; i < 3; ++i) *--top = nullptr;  // r13 to r15
  here_ = top;
#if defined(__SANITIZE_THREAD__)
  thread_fibre_ = __tsan_create_fiber(0);
#endif
}

Fibre::~Fibre() {
#if defined(__SANITIZE_THREAD__)
  __tsan_destroy_fiber(thread_fibre_);
#endif
}

bool Fibre::enter() {
  TANDEM_ASSERT(body_ != nullptr);
#if defined(__SANITIZE_ADDRESS__)
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, stack_.get(), kStackBytes);
#elif defined(__SANITIZE_THREAD__)
  caller_fibre_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(thread_fibre_, 0);
#endif
  tandem_sim_switch(&caller_, here_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
  return body_ != nullptr;
}

void Fibre::leave() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&fake_stack_, caller_stack_, caller_stack_bytes_);
#elif defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(caller_fibre_, 0);
#endif
  tandem_sim_switch(&here_, caller_);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack_, &caller_stack_, &caller_stack_bytes_);
#endif
}

void Fibre::run() {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &caller_stack_, &caller_stack_bytes_);
#endif
  while (true) {
    body_();
    body_ = nullptr;
    leave();
  }
}

}  // namespace tandem::sim
