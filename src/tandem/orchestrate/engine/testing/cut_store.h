// tandem/orchestrate/engine/testing/cut_store.h - CutStore: the shared store as a process sees it whose cable can be pulled.
//
// Room: orchestrate, tests only.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "tandem/store/testing/passing_store.h"

namespace tandem::engine {

class CutStore final : public store::PassingStore {
 public:
  using PassingStore::PassingStore;
  void cut() { cut_ = true; }
  void mend() { cut_ = false; }
  /// So many readings of a job's row fail from now on.
  void lose_job_reads(int count) { job_reads_to_lose_ = count; }
  int job_reads_to_lose() const { return job_reads_to_lose_; }
  /// Whether the idempotency keys that are there are seen: not yet, of those whose commit is under way.
  void see_keys(bool seen) { sees_keys_ = seen; }
  /// The log tells nothing new any more.
  void deafen() { deaf_ = true; }
  int job_reads() const { return job_reads_; }
  std::size_t rows_scanned() const { return rows_scanned_; }
  /// As a store does that hears of another process; before watch() nobody is called.
  void tell_of_news() {
    const std::lock_guard lock(mutex_);
    if (on_change_) on_change_();
  }
  /// How much each reading of the log asked for.
  std::vector<std::size_t> log_limits() const {
    const std::lock_guard lock(mutex_);
    return log_limits_;
  }
  /// Called before the next commit goes out: what others do between a reading and the write that rests on it.
  void before_commit(std::function<void()> hook) {
    const std::lock_guard lock(mutex_);
    before_commit_ = std::move(hook);
  }

  /// Called once a job's row was read: what others do before the rest of it is.
  void after_job_read(std::function<void()> hook) {
    const std::lock_guard lock(mutex_);
    after_job_read_ = std::move(hook);
  }

  void commit(store::Batch batch, store::CommitDone done) override {
    if (const auto hook = take(before_commit_)) hook();
    if (cut_)
      done(tl::unexpected(gone()));
    else
      PassingStore::commit(std::move(batch), std::move(done));
  }
  Result<std::optional<store::Row>> get(store::Table table, std::string_view key) override {
    if (table == store::Table::kJob) ++job_reads_;
    const bool lost = table == store::Table::kJob && job_reads_to_lose_ > 0 && job_reads_to_lose_-- > 0;
    if (cut_ || lost) return tl::unexpected(gone());
    if (table == store::Table::kIdempotency && !sees_keys_) return std::nullopt;
    auto row = PassingStore::get(table, key);
    if (table == store::Table::kJob)
      if (const auto hook = take(after_job_read_)) hook();
    return row;
  }
  Result<std::vector<store::Row>> scan(const store::Scan& scan) override {
    if (cut_) return tl::unexpected(gone());
    auto rows = PassingStore::scan(scan);
    if (rows) rows_scanned_ += rows->size();
    return rows;
  }
  Result<std::uint64_t> count(store::Table table, std::string_view prefix) override {
    return cut_ ? tl::unexpected(gone()) : PassingStore::count(table, prefix);
  }
  Result<std::vector<store::LogEntry>> read_log(std::uint64_t after, std::size_t limit,
                                                std::string_view subject) override {
    if (deaf_ && subject.empty()) return std::vector<store::LogEntry>();
    {
      const std::lock_guard lock(mutex_);
      log_limits_.push_back(limit);
    }
    return cut_ ? tl::unexpected(gone()) : PassingStore::read_log(after, limit, subject);
  }
  Result<std::uint64_t> last_sequence() override {
    return cut_ ? tl::unexpected(gone()) : PassingStore::last_sequence();
  }
  Result<std::unique_ptr<store::Snapshot>> snapshot() override {
    return cut_ ? tl::unexpected(gone()) : PassingStore::snapshot();
  }
  /// Whoever watches lives as long as this store is told of news.
  std::unique_ptr<Timer> watch(std::function<void()> on_change) override {
    const std::lock_guard lock(mutex_);
    on_change_ = std::move(on_change);
    return nullptr;
  }
  Result<Timestamp> now() override { return cut_ ? tl::unexpected(gone()) : PassingStore::now(); }

 private:
  std::function<void()> take(std::function<void()>& hook) {
    const std::lock_guard lock(mutex_);
    return std::exchange(hook, nullptr);
  }
  static Error gone() { return make_error(errors::kStoreUnreachable, "the cable is pulled"); }

  std::atomic<bool> cut_ = false;
  std::atomic<bool> deaf_ = false;
  std::atomic<bool> sees_keys_ = true;
  std::atomic<int> job_reads_to_lose_ = 0;
  std::atomic<int> job_reads_ = 0;
  std::atomic<std::size_t> rows_scanned_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::size_t> log_limits_;
  std::function<void()> before_commit_;
  std::function<void()> after_job_read_;
  std::function<void()> on_change_;
};

}  // namespace tandem::engine
