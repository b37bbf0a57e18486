// tandem/store/postgres/snapshot.h - a whole store as of one moment: a repeatable-read transaction on a session of its own.
//
// Room: store. While it is open the server keeps the rows of its moment; it ends a session that asks nothing for ten minutes.
#pragma once

#include <memory>

#include "tandem/store/postgres/connection.h"
#include "tandem/store/store.h"

namespace tandem::postgres {

/// Errors: those of Connection; 3003 store_damaged.
Result<std::unique_ptr<store::Snapshot>> begin_snapshot(Address address, std::chrono::milliseconds answer_wait,
                                                        const Clock& clock);

}  // namespace tandem::postgres
