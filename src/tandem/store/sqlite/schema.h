// tandem/store/sqlite/schema.h - what a store file looks like, and how an older one becomes a current one.
//
// Room: store. A file of ours has the application id below; its user_version counts the migrations it has been through.
// Tables: one `key BLOB, version INTEGER, value BLOB` for each store::Table, `event_log`, and `row_count` with the size
// of each.
#pragma once

#include <cstdint>
#include <span>

#include "tandem/store/sqlite/connection.h"

namespace tandem::sqlite {

inline constexpr std::int64_t kApplicationId = 0x546e646d;  // "Tndm"

/// The SQL of each migration; the first makes an empty file a store. Never edited once released, only added to.
std::span<const char* const> migrations();

/// Checks that the file is ours, or makes it so when it is empty, turns on the write-ahead log and migrates. All or
/// nothing: a crash leaves an empty file or a store of some version, and the next call goes on from there.
///
/// Errors: 3001 store_newer; 3002 store_foreign; 3003 store_damaged; and those of writing (connection.h).
Result<store::Migration> prepare_schema(Connection& writer);

/// The same question without touching anything: whether this version can read the file as it is.
/// Errors: 3001 store_newer; 3002 store_foreign - also where nothing was stored yet, or an older version's migration is due.
Result<void> check_schema(Connection& reader);

}  // namespace tandem::sqlite
