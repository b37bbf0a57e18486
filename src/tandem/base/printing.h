// tandem/base/printing.h - run_printing: a command has succeeded only when what it printed has arrived.
//
// Room: base. Not here: what is printed.
#pragma once

#include <functional>

#include "tandem/base/result.h"

namespace tandem {

/// Runs the command, which answers its exit code, and flushes standard output. Nothing is thrown out of it.
/// Errors: 1041 disk_full, 1042 io_error - standard output cannot be written; 1004 out_of_memory; those of `command`.
/// Threads: one a process.
Result<int> run_printing(const std::function<Result<int>()>& command);

}  // namespace tandem
