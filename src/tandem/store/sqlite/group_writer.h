// tandem/store/sqlite/group_writer.h - SqliteGroups: a group of batches as one transaction, and checkpoints between groups.
//
// Room: store. Not here: what a batch does to rows (writer.h), the queue (store/commit_queue.h).
#pragma once

#include <memory>

#include "tandem/base/clock.h"
#include "tandem/base/meter.h"
#include "tandem/store/commit_queue.h"
#include "tandem/store/sqlite/writer.h"

namespace tandem::sqlite {

class SqliteGroups final : public store::GroupWriter {
 public:
  SqliteGroups(std::unique_ptr<Writer> writer, const Clock& clock, Meter& meter)
      : writer_(std::move(writer)), clock_(clock), meter_(meter) {}

  Result<void> write(std::span<const store::Batch* const> group, store::Answers& answers) override;
  bool may_go_on(const Error& error) const override { return is_transient(error); }
  /// A checkpoint, when it is due, or may make room in the log.
  Result<void> maintain(bool out_of_space) override;
  void abandon() override { writer_->abandon(); }

 private:
  std::unique_ptr<Writer> writer_;
  const Clock& clock_;
  Meter& meter_;
};

}  // namespace tandem::sqlite
