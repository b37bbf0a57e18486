// tandem/store/sqlite/snapshot.h - a whole file as of one moment: a read transaction on a connection of its own.
//
// Room: store. While it is open the log can be copied into the database up to its moment and not start again, so it grows.
#pragma once

#include <memory>

#include "tandem/store/sqlite/connection.h"
#include "tandem/store/store.h"

namespace tandem::sqlite {

/// `reader` is the snapshot's alone. Errors: those of reading.
Result<std::unique_ptr<store::Snapshot>> begin_snapshot(std::unique_ptr<Connection> reader);

}  // namespace tandem::sqlite
