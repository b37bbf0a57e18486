// tandem/store/postgres/testing/database.h - Database: a store's database on the one server of a test program.
//
// Room: store, tests only.
#pragma once

#include <memory>
#include <string>

#include "tandem/base/executor.h"
#include "tandem/store/postgres/postgres_store.h"
#include "tandem/store/postgres/testing/cluster.h"

namespace tandem::postgres {

/// A database of its own on the one server of this process.
class Database {
 public:
  Database() : name_("t" + std::to_string(++made_)) { server().sql("CREATE DATABASE " + name_); }
  static Cluster& server() {
    static Cluster cluster;
    return cluster;
  }
  std::string address() const { return server().address(name_); }
  std::string sql(const std::string& text) const { return server().sql(text, name_); }
  Result<std::unique_ptr<PostgresStore>> try_open(PostgresOptions options = {}) {
    return PostgresStore::open(address(), options, executor_, clock_, rng_, meter_);
  }

 private:
  static inline int made_ = 0;
  std::string name_;
  ThreadExecutor executor_{1};
  SystemClock clock_;
  SystemRng rng_;
  NullMeter meter_;
};

}  // namespace tandem::postgres
