// tandem/store/postgres/group_writer.h - PostgresGroups: a group of batches as one transaction of two round trips.
//
// Room: store. Not here: the queue (store/commit_queue.h), reading.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/store/commit_queue.h"
#include "tandem/store/postgres/connection.h"
#include "tandem/store/postgres/postgres_store.h"
#include "tandem/store/postgres/signals.h"

namespace tandem::postgres {

/// First trip: the head of the store, locked, and the versions of all rows that the group names. Then every batch is decided here,
/// in order, against what the ones before it did. Second trip: what the rows come to, each written once, and the commit, with a
/// mark of this writer by which a commit whose answer was lost is found again.
class PostgresGroups final : public store::GroupWriter {
 public:
  /// Errors: those of Connection::open and prepare_schema.
  static Result<std::unique_ptr<PostgresGroups>> open(Address address, const PostgresOptions& options, std::string id,
                                                      Executor& executor, const Clock& clock, Signals& signals);

  Result<void> write(std::span<const store::Batch* const> group, store::Answers& answers) override;
  bool may_go_on(const Error& error) const override;
  Result<void> maintain(bool out_of_space) override;
  void abandon() override { connection_.reset(); }

 private:
  struct Changes;
  PostgresGroups(Address address, const PostgresOptions& options, std::string id, Executor& executor,
                 const Clock& clock, Signals& signals)
      : address_(std::move(address)),
        options_(options),
        id_(std::move(id)),
        executor_(executor),
        clock_(clock),
        signals_(signals) {}
  void reach(std::string_view point) const {
    if (options_.crash_points != nullptr) options_.crash_points->reach(point);
  }
  Result<void> connect();
  Result<void> attempt(std::span<const store::Batch* const> group, store::Answers& answers);
  void end_stopped_sessions();
  Result<void> transact(Changes& changes, std::span<const store::Batch* const> group, store::Answers& answers);
  void roll_back();
  Result<void> write_rows(const Changes& changes);
  /// What became of the transaction with mark_, whose answer was lost for this reason.
  Result<void> resolve(const Error& lost);

  const Address address_;
  const PostgresOptions options_;
  const std::string id_;  ///< of this writer in the table `writer`
  Executor& executor_;
  const Clock& clock_;
  Signals& signals_;
  std::unique_ptr<Connection> connection_;
  std::int64_t mark_ = 0;
  bool committing_ = false;  ///< the commit of the last attempt was on its way
};

}  // namespace tandem::postgres
