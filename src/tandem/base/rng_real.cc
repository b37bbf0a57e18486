#include <sys/random.h>

#include <cerrno>

#include "tandem/base/assert.h"
#include "tandem/base/rng.h"

namespace tandem {

void SystemRng::fill(std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    // With no flags and a valid buffer the call can only be interrupted.
    TANDEM_ASSERT(got > 0 || errno == EINTR);
    if (got > 0) bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace tandem
