// tandem/store/sqlite/testing/stepped_store.h - a SqliteStore on a FaultDisk whose writer runs when the test says so.
//
// Room: store, tests only. What is pushed between two run() calls is one group, so a test decides what shares a
// transaction.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/manual_executor.h"
#include "tandem/store/sqlite/sqlite_store.h"
#include "tandem/store/sqlite/testing/fault_disk.h"

namespace tandem::sqlite {

/// Threads: one.
class SteppedStore {
 public:
  explicit SteppedStore(const FaultDisk& disk, std::uint64_t checkpoint_bytes = 8u << 20)
      : options_{.checkpoint_bytes = checkpoint_bytes, .vfs = disk.name()} {}

  Result<void> open() {
    executor_ = std::make_unique<ManualExecutor>(clock_);
    TANDEM_TRY_ASSIGN(store_, SqliteStore::open("store.db", options_, *executor_, clock_, meter_));
    return {};
  }
  void close() { store_.reset(); }
  SqliteStore& operator*() { return *store_; }
  SqliteStore* operator->() { return store_.get(); }

  /// Runs the writer until the queue is empty.
  void run() { TANDEM_ASSERT(executor_->run_loop("store-writer")); }
  /// One group of these batches; their answers in order.
  std::vector<Result<store::Committed>> commit_group(std::vector<store::Batch> batches) {
    std::vector<Result<store::Committed>> answers;
    for (store::Batch& batch : batches) {
      store_->commit(std::move(batch),
                     [&answers](Result<store::Committed> answer) { answers.push_back(std::move(answer)); });
    }
    run();
    return answers;
  }
  Result<store::Committed> commit(store::Batch batch) {
    std::vector<store::Batch> one;
    one.push_back(std::move(batch));
    return std::move(commit_group(std::move(one)).at(0));
  }

 private:
  const SqliteOptions options_;
  FakeClock clock_;
  NullMeter meter_;
  std::unique_ptr<ManualExecutor> executor_;
  std::unique_ptr<SqliteStore> store_;
};

}  // namespace tandem::sqlite
