// tandem/store/postgres/address.h - Address: where a PostgreSQL store is, and that nobody between us and it can listen.
//
// Room: store.
#pragma once

#include <map>
#include <string>

#include "tandem/base/result.h"

namespace tandem::postgres {

struct Address {
  std::map<std::string, std::string> options;  ///< libpq's, e.g. "host", "dbname"
  std::string shown;  ///< for people: "postgresql://user@host:5432/name"; no secret is in it

  /// A URL "postgresql://user@host:port/name?option=value" or libpq's "key=value ..." form. What it does not say comes from
  /// libpq's own variables and files (PGHOST, PGSERVICE, ~/.pgpass), except that a host that is not this machine must be asked
  /// with sslmode=verify-full.
  /// Errors: 3009 bad_store_address - no such form or option, a password in it, or another machine without verify-full.
  static Result<Address> parse(const std::string& text);
};

/// Before the first call of libpq; Address::parse() does that. Errors: 1049 library_missing.
Result<void> open_libpq();

}  // namespace tandem::postgres
