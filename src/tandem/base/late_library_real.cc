#include <dlfcn.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "tandem/base/assert.h"
#include "tandem/base/late_library.h"

namespace tandem {

Result<void> LateLibrary::open() {
  if (handle_.load(std::memory_order_acquire) != nullptr) return {};
  void* const handle = ::dlopen(file_, RTLD_NOW | RTLD_LOCAL);  // the same one for all who come here at once
  if (handle == nullptr || ::dlsym(handle, newest_) == nullptr) {
    const char* const said = ::dlerror();
    const std::string reason = said == nullptr ? file_ : said;
    for (const int error : {EMFILE, ENFILE}) {  // the loader says it in words only
      if (reason.ends_with(std::strerror(error)))
        return fail(errors::kTooManyOpenFiles, "{}: close some, or raise the limit", reason);
    }
    return fail(errors::kLibraryMissing, "{}: install the package {} (Debian 12) or what your system calls it", reason,
                package_);
  }
  handle_.store(handle, std::memory_order_release);
  return {};
}

void* LateLibrary::function(const char* name) const {
  void* const handle = handle_.load(std::memory_order_acquire);
  TANDEM_ASSERT(handle != nullptr);
  void* const found = ::dlsym(handle, name);
  TANDEM_ASSERT(found != nullptr);
  return found;
}

}  // namespace tandem
