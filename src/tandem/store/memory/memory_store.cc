#include "tandem/store/memory/memory_store.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/store/precondition.h"

namespace tandem::memory {

using store::Append;
using store::Batch;
using store::Check;
using store::Committed;
using store::Erase;
using store::LogEntry;
using store::Put;
using store::Row;
using store::Scan;
using store::Table;

namespace {
struct Cell {
  std::uint64_t version = 0;
  Bytes value;
};
using Rows = std::map<std::string, Cell, std::less<>>;
}  // namespace

class Contents {
 public:
  Result<Committed> apply(Batch batch) {
    for (const store::Operation& operation : batch.operations) TANDEM_TRY(std::visit(Precondition{*this}, operation));
    Committed committed;
    for (store::Operation& operation : batch.operations) std::visit(Effect{*this, committed}, operation);
    return committed;
  }

  const Rows& rows(Table table) const { return tables_[static_cast<std::size_t>(table)]; }
  const std::vector<LogEntry>& log() const { return log_; }
  const std::vector<std::uint64_t>& sequences_of(std::string_view subject) const {
    static const std::vector<std::uint64_t> kNone;
    const auto found = by_subject_.find(subject);
    return found == by_subject_.end() ? kNone : found->second;
  }

  const std::array<Rows, store::kNumTables>& tables() const { return tables_; }

  std::mutex mutex;  ///< guards everything above and below

 private:
  Rows& mutable_rows(Table table) { return tables_[static_cast<std::size_t>(table)]; }

  struct Precondition {
    const Contents& contents;
    template <typename RowOperation>
    Result<void> operator()(const RowOperation& operation) const {
      const Rows& rows = contents.rows(operation.table);
      const auto found = rows.find(operation.key);
      const auto version = found == rows.end() ? std::nullopt : std::optional(found->second.version);
      return store::check_expect(operation.table, operation.key, operation.expect, version);
    }
    Result<void> operator()(const Append&) const { return {}; }
  };

  struct Effect {
    Contents& contents;
    Committed& committed;
    void operator()(Put& put) const {
      Cell& cell = contents.mutable_rows(put.table)[std::move(put.key)];
      cell.version = put.version != 0 ? put.version : cell.version + 1;
      cell.value = std::move(put.value);
    }
    void operator()(Erase& erase) const { contents.mutable_rows(erase.table).erase(erase.key); }
    void operator()(Check&) const {}
    void operator()(Append& append) const {
      const std::uint64_t sequence = contents.log_.size() + 1;
      contents.by_subject_[append.subject].push_back(sequence);
      contents.log_.push_back({sequence, std::move(append.subject), std::move(append.value)});
      committed.sequences.push_back(sequence);
    }
  };

  std::array<Rows, store::kNumTables> tables_;
  std::vector<LogEntry> log_;  // entry i has sequence i + 1
  std::map<std::string, std::vector<std::uint64_t>, std::less<>> by_subject_;
};

std::shared_ptr<Contents> new_contents() { return std::make_shared<Contents>(); }

namespace {

class MemorySnapshot final : public store::Snapshot {
 public:
  explicit MemorySnapshot(const Contents& contents) : tables_(contents.tables()), log_(contents.log()) {}
  std::uint64_t last_sequence() const override { return log_.size(); }
  std::uint64_t schema_version() const override { return 0; }
  Result<void> read_rows(Table table, const TakeRow& take) override {
    for (const auto& [key, cell] : tables_[static_cast<std::size_t>(table)])
      TANDEM_TRY(take({key, cell.version, cell.value}));
    return {};
  }
  Result<void> read_log(const TakeEntry& take) override {
    for (const LogEntry& entry : log_) TANDEM_TRY(take(entry));
    return {};
  }
  Result<std::vector<std::string>> faults() override { return std::vector<std::string>(); }

 private:
  const std::array<Rows, store::kNumTables> tables_;
  const std::vector<LogEntry> log_;
};

}  // namespace

/// Shared with the posted tasks, which may run after the store is gone.
struct MemoryStore::State {
  struct Pending {
    Batch batch;
    store::CommitDone done;
    std::optional<Error> refusal;  // decided when commit was called
  };
  struct Answer {
    store::CommitDone done;
    Result<Committed> result;
  };
  struct Fault {
    std::uint64_t first = 1;
    std::uint64_t count = 0;
    Error error;
  };

  Executor& executor;
  const std::shared_ptr<Contents> contents;

  std::mutex
      mutex;  // guards what follows; never held while contents->mutex is waited for by a reader, nor during a `done`
  std::condition_variable stopped_running;
  std::deque<Pending> queue;
  std::deque<Answer> answers;
  Fault fault;
  std::uint64_t commits = 0;  // since the fault was planted
  bool scheduled = false;
  bool running = false;
  bool holding = false;
  bool closing = false;

  State(Executor& e, std::shared_ptr<Contents> c) : executor(e), contents(std::move(c)) {}

  static void schedule(const std::shared_ptr<State>& state) {
    {
      const std::lock_guard lock(state->mutex);
      if (state->scheduled || state->running) return;
      state->scheduled = true;
    }
    state->executor.post([state] { state->work(); });
  }

  /// Applies what is queued and gives the answers, in order; one thread at a time.
  void work() {
    std::unique_lock lock(mutex);
    scheduled = false;
    if (running) return;
    running = true;
    while (true) {
      while (!queue.empty()) {
        Pending pending = std::move(queue.front());
        queue.pop_front();
        answers.push_back({std::move(pending.done), result_of(std::move(pending.batch), std::move(pending.refusal))});
      }
      if (answers.empty() || holding) break;
      Answer answer = std::move(answers.front());
      answers.pop_front();
      lock.unlock();
      answer.done(std::move(answer.result));
      answer.done = nullptr;  // what it owns may end the last user of this store: not under the lock
      lock.lock();
    }
    running = false;
    stopped_running.notify_all();
  }

  Result<Committed> result_of(Batch batch, std::optional<Error> refusal) const {
    if (refusal) return unexpected<Error>(*std::move(refusal));
    const std::lock_guard lock(contents->mutex);
    return contents->apply(std::move(batch));
  }

  std::optional<Error> refusal_of(const Batch& batch) {
    ++commits;
    if (closing) return make_error(errors::kStoreClosed, "the store is being closed: commit before that");
    if (commits >= fault.first && commits - fault.first < fault.count) return fault.error;
    if (auto fits = store::check_limits(batch); !fits) return std::move(fits).error();
    return std::nullopt;
  }
};

MemoryStore::MemoryStore(Executor& executor, std::shared_ptr<Contents> contents)
    : state_(std::make_shared<State>(executor, std::move(contents))) {}

MemoryStore::~MemoryStore() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closing = true;
    state_->holding = false;
  }
  // A posted task may be faster to the queue than this thread: only when nothing runs and nothing is left has all been answered.
  while (true) {
    state_->work();
    std::unique_lock lock(state_->mutex);
    state_->stopped_running.wait(lock, [this] { return !state_->running; });
    if (state_->queue.empty() && state_->answers.empty()) return;
  }
}

void MemoryStore::commit(Batch batch, store::CommitDone done) {
  {
    const std::lock_guard lock(state_->mutex);
    std::optional<Error> refusal = state_->refusal_of(batch);
    state_->queue.push_back({std::move(batch), std::move(done), std::move(refusal)});
  }
  State::schedule(state_);
}

Result<std::optional<Row>> MemoryStore::get(Table table, std::string_view key) {
  const std::lock_guard lock(state_->contents->mutex);
  const Rows& rows = state_->contents->rows(table);
  const auto found = rows.find(key);
  if (found == rows.end()) return std::nullopt;
  return Row{found->first, found->second.version, found->second.value};
}

Result<std::vector<Row>> MemoryStore::scan(const Scan& scan) {
  const std::lock_guard lock(state_->contents->mutex);
  const Rows& rows = state_->contents->rows(scan.table);
  std::vector<Row> found;
  if (!scan.until.empty() && scan.until <= scan.from) return found;
  const auto begin = rows.lower_bound(scan.from);
  const auto end = scan.until.empty() ? rows.end() : rows.lower_bound(scan.until);
  const auto take = [&](const Rows::value_type& row) {
    found.push_back({row.first, row.second.version, row.second.value});
  };
  if (scan.descending) {
    for (auto row = end; row != begin && found.size() < scan.limit;) take(*--row);
  } else {
    for (auto row = begin; row != end && found.size() < scan.limit; ++row) take(*row);
  }
  return found;
}

Result<std::uint64_t> MemoryStore::count(Table table, std::string_view prefix) {
  const Scan range = Scan::prefix(table, std::string(prefix));
  const std::lock_guard lock(state_->contents->mutex);
  const Rows& rows = state_->contents->rows(table);
  if (prefix.empty()) return rows.size();
  const auto end = range.until.empty() ? rows.end() : rows.lower_bound(range.until);
  return static_cast<std::uint64_t>(std::distance(rows.lower_bound(range.from), end));
}

Result<std::vector<LogEntry>> MemoryStore::read_log(std::uint64_t after, std::size_t limit, std::string_view subject) {
  const std::lock_guard lock(state_->contents->mutex);
  const std::vector<LogEntry>& log = state_->contents->log();
  std::vector<LogEntry> found;
  if (subject.empty()) {
    for (std::uint64_t i = after; i < log.size() && found.size() < limit; ++i) found.push_back(log[i]);
    return found;
  }
  const auto& sequences = state_->contents->sequences_of(subject);
  auto next = std::upper_bound(sequences.begin(), sequences.end(), after);
  for (; next != sequences.end() && found.size() < limit; ++next) found.push_back(log[*next - 1]);
  return found;
}

Result<std::uint64_t> MemoryStore::last_sequence() {
  const std::lock_guard lock(state_->contents->mutex);
  return state_->contents->log().size();
}

Result<std::unique_ptr<store::Snapshot>> MemoryStore::snapshot() {
  const std::lock_guard lock(state_->contents->mutex);
  return std::make_unique<MemorySnapshot>(*state_->contents);
}

Result<Timestamp> MemoryStore::now() {
  TANDEM_ASSERT(clock_ != nullptr);
  return clock_->now();
}

void MemoryStore::fail_commits(std::uint64_t first, std::uint64_t count, Error error) {
  const std::lock_guard lock(state_->mutex);
  state_->commits = 0;
  state_->fault = {first, count, std::move(error)};
}

void MemoryStore::hold_answers() {
  const std::lock_guard lock(state_->mutex);
  state_->holding = true;
}

void MemoryStore::release_answers() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->holding = false;
  }
  State::schedule(state_);
}

}  // namespace tandem::memory
