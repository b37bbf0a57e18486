#include <mimalloc.h>

#include <mutex>

#include "tandem/base/allocator.h"

// Null in what does not link it.
#pragma weak mi_collect
#pragma weak mi_option_set
#pragma weak mi_option_get

namespace tandem {

void give_back_memory(const std::function<void()>& release) {
  if (mi_collect == nullptr || mi_option_set == nullptr || mi_option_get == nullptr) return release();
  // It decommits pages a while after they are freed, and only with the next one that is freed then: here none comes.
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  static const long delay = mi_option_get(mi_option_decommit_delay);
  mi_option_set(mi_option_decommit_delay, 0);
  release();
  mi_collect(true);
  mi_option_set(mi_option_decommit_delay, delay);
}

}  // namespace tandem
