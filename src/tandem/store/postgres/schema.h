// tandem/store/postgres/schema.h - what a store in PostgreSQL looks like, and how an older one becomes a current one.
//
// Room: store. Everything is in the schema "tandem" of the database: one table for each store::Table, event_log; store_head, the
// one row that every transaction of every process goes through; writer, who wrote last without the log; schema_version.
#pragma once

#include <span>

#include "tandem/store/postgres/connection.h"
#include "tandem/store/store.h"

namespace tandem::postgres {

/// The SQL of each migration; the first makes an empty database a store. Never edited once released, only added to.
std::span<const char* const> migrations();

/// Checks that the schema is ours, or makes it, and migrates; processes that do it at the same time wait for each other. All or
/// nothing a migration.
///
/// Errors: 3001 store_newer; 3002 store_foreign; 3003 store_damaged; 1043 - this role may not create the schema; those of
///         Connection.
Result<store::Migration> prepare_schema(Connection& connection, const std::string& shown);

/// The same question without touching anything: whether this version can read the schema as it is.
/// Errors: 3001 store_newer; 3002 store_foreign - also where there is no store, or an older version's migration is due; 3003;
///         those of Connection.
Result<void> check_schema(Connection& connection, const std::string& shown);

}  // namespace tandem::postgres
