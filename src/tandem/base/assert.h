// tandem/base/assert.h - TANDEM_ASSERT: always on, for what our own code guarantees. Never for input.
//
// Room: base.
#pragma once

namespace tandem {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}  // namespace tandem

#define TANDEM_ASSERT(condition) \
  (static_cast<bool>(condition) ? void(0) : ::tandem::assertion_failed(#condition, __FILE__, __LINE__))
