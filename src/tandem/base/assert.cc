#include "tandem/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace tandem {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr,
               "tandem: %s:%d: assertion '%s' failed; this is a fault of ours, please report it [1001 internal]\n",
               file, line, condition);
  std::abort();
}

}  // namespace tandem
