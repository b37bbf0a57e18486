// tandem/store/postgres/postgres_store.h - PostgresStore: the store of many processes, in a PostgreSQL database.
//
// Room: store. Not here: who runs which job (orchestrate), backups (store/backup.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "tandem/base/clock.h"
#include "tandem/base/crash_point.h"
#include "tandem/base/executor.h"
#include "tandem/base/meter.h"
#include "tandem/base/rng.h"
#include "tandem/store/store.h"

namespace tandem::store {
class CommitQueue;
template <typename Connection>
class ConnectionPool;
}  // namespace tandem::store

namespace tandem::postgres {

class Connection;
class Signals;

struct PostgresOptions {
  std::size_t commit_batch_max = 1024;      ///< batches in one group commit; setting store.commit_batch_max
  std::chrono::nanoseconds commit_wait{0};  ///< how long a group waits for company; setting store.commit_wait
  std::size_t readers_max = 4;              ///< sessions that read
  std::chrono::milliseconds answer_wait{30'000};  ///< for one answer of the server before it counts as gone
  std::chrono::milliseconds doubt_wait{
      60'000};   ///< how long the fate of a commit is asked for when its answer was lost
  const CrashPoints* crash_points = nullptr;  ///< outlive the store; null: there are none
};

/// Each process groups its commits as the embedded store does; groups of all processes go through one locked row, so that
/// sequence numbers are gapless. Preconditions are decided here and confirmed there, on two round trips a group whatever its size;
/// three where another process was faster.
///
/// When the server cannot be reached before a group was committed, the group gets 3008 and nothing is written; the next one
/// connects again. When the answer to a commit is lost, the store asks the server what became of it and answers truly; only when
/// that cannot be had within `doubt_wait` the group gets 1042 and everything later 3005.
///
/// Errors:  beyond those of Store: 3008 store_unreachable - of commits and of reads, which try once again themselves.
/// Threads: as Store says; `done` runs on the writer thread, the executor's loop "store-writer". The executor outlives the store.
/// Cost:    a commit is a sync of the server and a round trip, shared by its group, and some microseconds an operation.
class PostgresStore final : public store::Store {
 public:
  /// Connects and migrates. Errors: 3009 bad_store_address; 3008; 3001 store_newer; 3002 store_foreign; 3003 store_damaged; 1043
  /// permission.
  static Result<std::unique_ptr<PostgresStore>> open(const std::string& address, PostgresOptions options,
                                                     Executor& executor, const Clock& clock, Rng& rng, Meter& meter);
  /// Reads beside the processes that write, and touches nothing. Commits get 3005 store_closed, and nobody is watched. Errors:
  /// those of open(); 3002 also where there is no store or its migration is due.
  static Result<std::unique_ptr<PostgresStore>> open_for_reading(const std::string& address, PostgresOptions options,
                                                                 const Clock& clock);
  /// Brings the schema to this version, and makes it where there is none. Errors: those of open().
  static Result<store::Migration> migrate(const std::string& address, PostgresOptions options, const Clock& clock);
  ~PostgresStore() override;
  PostgresStore(const PostgresStore&) = delete;
  PostgresStore& operator=(const PostgresStore&) = delete;

  void commit(store::Batch batch, store::CommitDone done) override;
  Result<std::optional<store::Row>> get(store::Table table, std::string_view key) override;
  Result<std::vector<store::Row>> scan(const store::Scan& scan) override;
  Result<std::uint64_t> count(store::Table table, std::string_view prefix) override;
  Result<std::vector<store::LogEntry>> read_log(std::uint64_t after, std::size_t limit,
                                                std::string_view subject = {}) override;
  Result<std::uint64_t> last_sequence() override;
  Result<std::unique_ptr<store::Snapshot>> snapshot() override;
  std::string_view kind() const override { return "postgres"; }
  bool shared() const override { return true; }
  Result<Timestamp> now() override;
  /// Settings of the server by which it may lose what it has acknowledged when power goes, such as "fsync"; empty: none.
  Result<std::string> unsafe_settings();
  std::unique_ptr<Timer> watch(std::function<void()> on_change) override;

 private:
  using Readers = store::ConnectionPool<Connection>;
  using OpenSnapshot = std::function<Result<std::unique_ptr<store::Snapshot>>()>;
  PostgresStore(std::unique_ptr<Signals> signals, std::unique_ptr<Readers> readers, OpenSnapshot open_snapshot,
                std::unique_ptr<store::CommitQueue> queue);

  std::unique_ptr<Signals> signals_;  // the queue has it
  std::unique_ptr<Readers> readers_;
  const OpenSnapshot open_snapshot_;
  std::unique_ptr<store::CommitQueue> queue_;  // it and signals_: null when it only reads
};

}  // namespace tandem::postgres
