// tandem/store/postgres/group_writer.h - PostgresGroups: a group of batches as one transaction, of two round trips as a rule.
//
// Room: store. Not here: the queue (store/commit_queue.h), what a group comes to (group_plan.h), reading.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/store/commit_queue.h"
#include "tandem/store/postgres/connection.h"
#include "tandem/store/postgres/group_plan.h"
#include "tandem/store/postgres/postgres_store.h"
#include "tandem/store/postgres/presence.h"
#include "tandem/store/postgres/signals.h"

namespace tandem::postgres {

/// The quick way: the group is decided against what its batches expect and what is guessed, and goes out whole. The server confirms
/// each row as it writes it and undoes everything when one is not as expected; the head of the store, which all commits go through,
/// comes last, so that groups of several processes overlap. The commit is sent when the rows are confirmed, of those that others may wait for
/// at most a few: the server says how many it changed, and we have all undone where one is missing.
///
/// The informed way, when something was not as expected, and for every refusal: the versions of all rows that the group names are read
/// first, and the rest is the same. The sure way, when somebody was faster again, and for what is too large for one trip: the same
/// while nobody else writes.
///
/// Every way the transaction carries a mark of its own, by which a commit whose answer was lost is found again, and holds a lock, by which
/// whoever asks knows that it has ended.
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
  using Group = std::span<const store::Batch* const>;
  /// The last sequence of the event log after a commit; nothing: it was not done and nothing is written.
  using Written = Result<std::optional<std::int64_t>>;
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
  using Way = Written (PostgresGroups::*)(Group group, store::Answers& answers);
  Written attempt(Way way, Group group, store::Answers& answers);
  /// Nothing: something was not as it was guessed or expected.
  Written write_quickly(Group group, store::Answers& answers);
  /// Nothing: somebody was faster.
  Written write_informed(Group group, store::Answers& answers);
  Written write_surely(Group group, store::Answers& answers);
  /// Two trips, which overlap where there are few batches; the server undoes all of it when a row is not as the plan says.
  Written write_confirmed(const GroupPlan& plan, std::size_t batches);
  void ask_versions(const GroupPlan& plan);
  /// What the store holds of the plan's rows, with nobody else writing until the transaction ends. Returns the last sequence.
  Result<std::int64_t> read_alone(GroupPlan& plan);
  /// All that the plan does beside rows. Returns the number of statements from the one on that moves the
  /// head, which answers with the log's last sequence, unless the plan goes out in parts.
  struct Changes;
  Result<std::size_t> send_head(const GroupPlan& plan, const Changes& changes);
  /// Of the transaction under way or last tried: in its last row of the log, or, where it appends nothing, our row in `writer`.
  std::string mark() const;
  /// A transaction that was to have this mark has ended with this error; what became of it is in doubt only where it was committing_.
  Written after(const Error& error);
  /// What became of it, when its answer was lost.
  Written resolve(const Error& lost);
  void end_stopped_sessions();

  const Address address_;
  const PostgresOptions options_;
  const std::string id_;  ///< of this writer: no other one has it
  Executor& executor_;
  const Clock& clock_;
  Signals& signals_;
  Presence presence_;
  std::unique_ptr<Connection> connection_;
  std::int64_t mark_ = 0;  ///< number of the transaction under way or last tried
  std::int64_t log_before_ = 0;  ///< a last sequence of the log from before the next one
  std::int64_t marked_after_ = 0;  ///< the same of before it: its mark stands behind that
  bool committing_ = false;  ///< the commit of the last attempt was on its way
};

}  // namespace tandem::postgres
