#include "tandem/store/sqlite/commit_queue.h"

#include <algorithm>
#include <utility>

#include "tandem/store/precondition.h"

namespace tandem::sqlite {

using store::Batch;
using store::CommitDone;
using store::Committed;

namespace {

// A group ends above this: what waits behind large values should not wait for all of them, and the log stays short.
constexpr std::size_t kGroupBytesMax = std::size_t{16} << 20;

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

CommitQueue::CommitQueue(std::unique_ptr<Writer> writer, const SqliteOptions& options, Executor& executor, Clock& clock,
                         Meter& meter)
    : options_(options), clock_(clock), meter_(meter), writer_(std::move(writer)) {
  thread_ = executor.start_loop("store-writer", [this](const std::stop_token& stop) { run(stop); });
}

CommitQueue::~CommitQueue() { stop(); }

void CommitQueue::push(Batch batch, CommitDone done) {
  Pending pending{.batch = std::move(batch), .done = std::move(done), .refusal = {}, .pushed = clock_.monotonic()};
  if (auto fits = store::check_limits(pending.batch); !fits) pending.refusal = std::move(fits).error();
  pending.size_bytes = store::size_bytes(pending.batch);
  const std::lock_guard lock(mutex_);
  if (stopping_) pending.refusal = make_error(errors::kStoreClosed, "the store is being closed: commit before that");
  queue_.push_back(std::move(pending));
  if (waiting_) pushed_.notify_one();
}

void CommitQueue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  thread_.reset();
  // Nothing is left here when the executor has threads; one that runs loops when told may not have been told.
  std::stop_source stopped;
  stopped.request_stop();
  run(stopped.get_token());
}

void CommitQueue::run(const std::stop_token& stop) {
  while (true) {
    Group group = take(stop);
    if (group.empty()) return;
    Answers answers = commit(group);
    give(group, answers);
    if (!failure_ && (writer_->checkpoint_due() || out_of_space_)) checkpoint();
  }
}

CommitQueue::Group CommitQueue::take(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const std::lock_guard lock(mutex_);
    pushed_.notify_one();
  });
  std::unique_lock lock(mutex_);
  waiting_ = true;
  pushed_.wait(lock, [&] { return !queue_.empty() || stop.stop_requested(); });
  if (options_.commit_wait.count() > 0) {
    pushed_.wait_for(lock, options_.commit_wait,
                     [&] { return queue_.size() >= options_.commit_batch_max || stop.stop_requested(); });
  }
  waiting_ = false;
  Group group;
  group.reserve(std::min(queue_.size(), options_.commit_batch_max));
  std::size_t size_bytes = 0;
  while (!queue_.empty() && group.size() < options_.commit_batch_max && size_bytes < kGroupBytesMax) {
    size_bytes += queue_.front().size_bytes;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  meter_.set("tandem_store_queue_batches", static_cast<double>(queue_.size()));
  return group;
}

CommitQueue::Answers CommitQueue::commit(const Group& group) {
  const Instant started = clock_.monotonic();
  Answers answers;
  answers.reserve(group.size());
  Result<void> written;
  if (failure_) {
    written = fail(errors::kStoreClosed, "the store stopped acknowledging: {}", failure_->to_string());
  } else {
    written = transact(group, answers);
    out_of_space_ = !written && written.error().number == errors::kDiskFull;
    if (!written && !is_transient(written.error())) fail_for_ever(written.error());
  }
  if (!written) {
    // Refusals of this transaction go too: they may rest on batches before them that are now undone.
    answers.clear();
    for (const Pending& pending : group)
      answers.emplace_back(unexpected<Error>(pending.refusal.value_or(written.error())));
  }
  meter_.observe("tandem_store_group_seconds", seconds(clock_.monotonic() - started));
  meter_.observe("tandem_store_group_batches", static_cast<double>(group.size()));
  return answers;
}

Result<void> CommitQueue::transact(const Group& group, Answers& answers) {
  TANDEM_TRY(writer_->begin());
  bool applied_any = false;
  for (const Pending& pending : group) {
    if (pending.refusal) {
      answers.emplace_back(unexpected<Error>(*pending.refusal));
      continue;
    }
    Result<Committed> applied = writer_->apply(pending.batch);
    if (!applied && applied.error().number != errors::kPreconditionFailed) {
      writer_->rollback();
      return unexpected<Error>(std::move(applied).error());
    }
    applied_any = applied_any || applied.has_value();
    answers.push_back(std::move(applied));
  }
  if (applied_any) return writer_->commit();
  writer_->rollback();
  return {};
}

void CommitQueue::give(Group& group, Answers& answers) {
  std::size_t committed = 0;
  for (std::size_t i = 0; i < group.size(); ++i) {
    committed += answers[i].has_value() ? 1 : 0;
    group[i].done(std::move(answers[i]));
    group[i].done = nullptr;  // what it owns is released before the next answer, as if it had been called alone
  }
  meter_.observe("tandem_store_commit_seconds", seconds(clock_.monotonic() - group.front().pushed));
  meter_.add("tandem_store_batches_total", static_cast<double>(committed), {{"outcome", "committed"}});
  meter_.add("tandem_store_batches_total", static_cast<double>(group.size() - committed), {{"outcome", "refused"}});
}

void CommitQueue::checkpoint() {
  const Instant started = clock_.monotonic();
  const auto done = writer_->checkpoint();
  meter_.observe("tandem_store_checkpoint_seconds", seconds(clock_.monotonic() - started));
  meter_.set("tandem_store_log_bytes", static_cast<double>(writer_->log_bytes()));
  if (!done && !is_transient(done.error())) fail_for_ever(done.error());
}

void CommitQueue::fail_for_ever(const Error& error) {
  failure_ = error;
  writer_->abandon();
}

}  // namespace tandem::sqlite
