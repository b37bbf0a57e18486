// tandem/store/crash_points.h - the names at which stores, backup and restore may be killed by a test (base/crash_point.h).
//
// Room: store.
#pragma once

#include <array>
#include <string_view>

#include "tandem/base/crash_point_names.h"

namespace tandem::store {

inline constexpr std::array<std::string_view, 14> kPoints = {
    "sqlite.before_commit",  // the group is in the transaction
    "sqlite.after_commit",  // it is durable, nobody has an answer
    "sqlite.before_checkpoint",  // of the log
    "sqlite.after_checkpoint",
    "postgres.before_commit",  // the group is sent, its commit is not
    "postgres.after_send",  // the commit is sent, the answer is not there
    "postgres.after_commit",  // it is durable, nobody has an answer
    "backup.begun",  // the file has its header
    "backup.before_end",  // it has everything but its end
    "backup.after_end",  // it has its name
    "restore.begun",  // the mark of an unfinished restore is written
    "restore.batch",
    "restore.before_end",  // everything is there, and the mark
    "restore.after_end",
};

}  // namespace tandem::store
