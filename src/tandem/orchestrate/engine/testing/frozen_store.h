// tandem/orchestrate/engine/testing/frozen_store.h - FrozenStore: a shared store as a process sees it that SIGSTOP stops.
//
// Room: orchestrate, tests only. What it had sent stays on the wire until it goes on, and arrives late.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>
#include <variant>

#include "tandem/base/clock.h"
#include "tandem/store/store.h"

namespace tandem::engine {

/// Stores of one process are shared by the fronts of this process.
class FrozenStore final : public store::Store {
 public:
  FrozenStore(store::Store& store, Clock& clock) : store_(store), clock_(clock) {}

  /// From now on the ends of jobs stay on the wire.
  void keep_ends() { set(kEnds); }
  /// From now on every commit does.
  void freeze() { set(kAll); }
  void wait_for_ends(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ends_kept_ >= count; });
  }
  /// What was kept goes out in its order, and everything later at once. Returns how many of the kept ends were taken.
  std::size_t thaw() {
    std::deque<Kept> kept;
    {
      const std::lock_guard lock(mutex_);
      keeps_ = kNothing;
      kept.swap(kept_);
      unanswered_ = kept.size();
    }
    for (Kept& one : kept) {
      store_.commit(std::move(one.batch),
                    [this, ends = one.ends, done = std::move(one.done)](Result<store::Committed> answer) {
                      const bool taken = ends && answer.has_value();
                      done(std::move(answer));
                      const std::lock_guard lock(mutex_);
                      ends_taken_ += taken ? 1 : 0;
                      --unanswered_;
                      changed_.notify_all();
                    });
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return unanswered_ == 0; });
    return ends_taken_;
  }

  void commit(store::Batch batch, store::CommitDone done) override {
    {
      const std::lock_guard lock(mutex_);
      const bool ends = ends_job(batch);
      if (keeps_ == kAll || (keeps_ == kEnds && ends)) {
        kept_.push_back({.batch = std::move(batch), .done = std::move(done), .ends = ends});
        ends_kept_ += ends ? 1 : 0;
        changed_.notify_all();
        return;
      }
    }
    store_.commit(std::move(batch), std::move(done));
  }
  Result<std::optional<store::Row>> get(store::Table table, std::string_view key) override {
    return store_.get(table, key);
  }
  Result<std::vector<store::Row>> scan(const store::Scan& scan) override { return store_.scan(scan); }
  Result<std::uint64_t> count(store::Table table, std::string_view prefix) override {
    return store_.count(table, prefix);
  }
  Result<std::vector<store::LogEntry>> read_log(std::uint64_t after, std::size_t limit,
                                                std::string_view subject) override {
    return store_.read_log(after, limit, subject);
  }
  Result<std::uint64_t> last_sequence() override { return store_.last_sequence(); }
  std::string_view kind() const override { return store_.kind(); }
  bool shared() const override { return true; }
  Result<Timestamp> now() override { return store_.shared() ? store_.now() : clock_.now(); }
  std::unique_ptr<Timer> watch(std::function<void()> on_change) override { return store_.watch(std::move(on_change)); }

 private:
  enum Keeps { kNothing, kEnds, kAll };
  struct Kept {
    store::Batch batch;
    store::CommitDone done;
    bool ends = false;
  };
  static bool ends_job(const store::Batch& batch) {
    for (const store::Operation& operation : batch.operations) {
      const auto* append = std::get_if<store::Append>(&operation);
      if (append != nullptr && append->value.find("\"job.succeeded\"") != Bytes::npos) return true;
    }
    return false;
  }
  void set(Keeps keeps) {
    const std::lock_guard lock(mutex_);
    keeps_ = keeps;
  }

  store::Store& store_;
  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Keeps keeps_ = kNothing;
  std::deque<Kept> kept_;
  std::size_t ends_kept_ = 0;
  std::size_t ends_taken_ = 0;
  std::size_t unanswered_ = 0;
};

}  // namespace tandem::engine
