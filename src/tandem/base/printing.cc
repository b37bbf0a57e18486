#include "tandem/base/printing.h"

#include <cerrno>
#include <cstdio>
#include <new>
#include <system_error>

namespace tandem {
namespace {

Error output_error(int code) {
  const std::string reason = std::system_category().message(code);
  return make_error(code == ENOSPC || code == EDQUOT || code == EFBIG ? errors::kDiskFull : errors::kIoError,
                    "standard output cannot be written: {}; what was printed is not complete", reason);
}

}  // namespace

Result<int> run_printing(const std::function<Result<int>()>& command) {
  try {
    Result<int> done = command();
    errno = 0;
    if (done && (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)) return tl::unexpected(output_error(errno));
    return done;
  } catch (const std::system_error& error) {
    return tl::unexpected(output_error(error.code().value()));  // of printing; nothing else of ours throws it
  } catch (const std::bad_alloc&) {
    return fail(errors::kOutOfMemory, "there is not enough memory for this; nothing of it was stored");
  }
}

}  // namespace tandem
