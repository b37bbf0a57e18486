// tandem/store/sqlite/group_writer.h - SqliteGroups: a group of batches as one transaction, and checkpoints between groups.
//
// Room: store. Not here: what a batch does to rows (writer.h), the queue (store/commit_queue.h).
#pragma once

#include <memory>

#include "tandem/base/clock.h"
#include "tandem/base/crash_point.h"
#include "tandem/base/meter.h"
#include "tandem/store/commit_queue.h"
#include "tandem/store/sqlite/writer.h"

namespace tandem::sqlite {

class SqliteGroups final : public store::GroupWriter {
 public:
  /// `crash_points`: null where there are none.
  SqliteGroups(std::unique_ptr<Writer> writer, const Clock& clock, Meter& meter, const CrashPoints* crash_points)
      : writer_(std::move(writer)), clock_(clock), meter_(meter), crash_points_(crash_points) {}

  Result<void> write(std::span<const store::Batch* const> group, store::Answers& answers) override;
  bool may_go_on(const Error& error) const override { return is_transient(error); }
  /// A checkpoint, when it is due, or may make room in the log.
  Result<void> maintain(bool out_of_space) override;
  void rest() override { writer_->shrink(); }
  void abandon() override { writer_->abandon(); }

 private:
  void reach(std::string_view point) const {
    if (crash_points_ != nullptr) crash_points_->reach(point);
  }

  std::unique_ptr<Writer> writer_;
  const Clock& clock_;
  Meter& meter_;
  const CrashPoints* const crash_points_;
};

}  // namespace tandem::sqlite
