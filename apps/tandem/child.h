// apps/tandem/child.h - this binary again, as a child with nothing of ours but its standard input.
#pragma once

#include <string>
#include <vector>

#include "tandem/base/result.h"

namespace tandem::app {

struct ChildOutput {
  int exit_code = 0;
  int signal = 0;  ///< that ended it; 0: it ended itself
  std::string standard_output;
  std::string standard_error;
};

/// Runs /proc/self/exe with `arguments`, an environment of PATH alone, `input` on standard input; waits for its end.
/// Errors: 1042 io_error - no pipe, file or process could be had.
Result<ChildOutput> run_self(const std::vector<std::string>& arguments, const std::string& input);

}  // namespace tandem::app
