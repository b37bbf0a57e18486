#include "tandem/store/sqlite/group_writer.h"

#include "tandem/store/crash_points.h"

namespace tandem::sqlite {

Result<void> SqliteGroups::write(std::span<const store::Batch* const> group, store::Answers& answers) {
  TANDEM_TRY(writer_->begin());
  bool applied_any = false;
  for (const store::Batch* batch : group) {
    Result<store::Committed> applied = writer_->apply(*batch);
    if (!applied && applied.error().number != errors::kPreconditionFailed) {
      writer_->rollback();
      return unexpected<Error>(std::move(applied).error());
    }
    applied_any = applied_any || applied.has_value();
    answers.push_back(std::move(applied));
  }
  if (applied_any) {
    reach(one_of(store::kPoints, "sqlite.before_commit"));
    TANDEM_TRY(writer_->commit());
    reach(one_of(store::kPoints, "sqlite.after_commit"));
    return {};
  }
  writer_->rollback();
  return {};
}

Result<void> SqliteGroups::maintain(bool out_of_space) {
  if (!writer_->checkpoint_due() && !out_of_space) return {};
  const Instant started = clock_.monotonic();
  reach(one_of(store::kPoints, "sqlite.before_checkpoint"));
  const auto done = writer_->checkpoint();
  reach(one_of(store::kPoints, "sqlite.after_checkpoint"));
  meter_.observe("tandem_store_checkpoint_seconds",
                 std::chrono::duration<double>(clock_.monotonic() - started).count());
  meter_.set("tandem_store_log_bytes", static_cast<double>(writer_->log_bytes()));
  return done.map([](const Checkpoint&) {});
}

}  // namespace tandem::sqlite
