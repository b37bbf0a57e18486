#include "tandem/store/commit_queue.h"

#include <algorithm>
#include <utility>

#include "tandem/base/allocator.h"
#include "tandem/base/assert.h"
#include "tandem/store/precondition.h"

namespace tandem::store {

namespace {

// A group ends above this: what waits behind large values should not wait for all of them, and the log stays short.
constexpr std::size_t kGroupBytesMax = std::size_t{16} << 20;

// A group waits at most this part of the time that the last one took, in vain when nobody comes back.
constexpr int kCompanyShare = 4;

// A group of so many does not wait: what a transaction costs whatever it holds is little for each.
constexpr std::size_t kCompanyMax = 16;

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

CommitQueue::CommitQueue(std::unique_ptr<GroupWriter> writer, CommitQueueOptions options, Executor& executor,
                         const Clock& clock, Meter& meter)
    : options_(options), clock_(clock), meter_(meter), writer_(std::move(writer)) {
  thread_ = executor.start_loop("store-writer", [this](const std::stop_token& stop) { run(stop); });
}

CommitQueue::~CommitQueue() { stop(); }

void CommitQueue::push(Batch batch, CommitDone done) {
  Pending pending{.batch = std::move(batch), .done = std::move(done), .refusal = {}, .pushed = clock_.monotonic()};
  if (auto fits = check_limits(pending.batch); !fits) pending.refusal = std::move(fits).error();
  pending.size_bytes = size_bytes(pending.batch);
  const std::lock_guard lock(mutex_);
  if (stopping_) pending.refusal = make_error(errors::kStoreClosed, "the store is being closed: commit before that");
  queue_.push_back(std::move(pending));
  if (queue_.size() >= wanted_) pushed_.notify_one();
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
    const Instant started = clock_.monotonic();
    Answers answers = commit(group);
    took_ = clock_.monotonic() - started;
    {
      const std::lock_guard lock(mutex_);
      together_ = queue_.size() + group.size();
    }
    give(group, answers);
    if (failure_) continue;
    const auto maintained = writer_->maintain(out_of_space_);
    if (!maintained && !writer_->may_go_on(maintained.error())) fail_for_ever(maintained.error());
  }
}

CommitQueue::Group CommitQueue::take(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const std::lock_guard lock(mutex_);
    pushed_.notify_one();
  });
  std::unique_lock lock(mutex_);
  const auto wait_for = [&](std::size_t batches, std::chrono::nanoseconds patience) {
    wanted_ = std::min(batches, options_.batches_max);
    pushed_.wait_for(lock, patience, [&] { return queue_.size() >= wanted_ || stop.stop_requested(); });
  };
  wanted_ = 1;
  const auto has_work = [&] { return !queue_.empty() || stop.stop_requested(); };
  if (!pushed_.wait_for(lock, kRestAfter, has_work)) {
    lock.unlock();
    give_back_memory([this] { writer_->rest(); });
    lock.lock();
    pushed_.wait(lock, has_work);
  }
  if (options_.wait.count() > 0)
    wait_for(options_.batches_max, options_.wait);
  else if (const std::size_t company = std::min(together_, kCompanyMax); queue_.size() < company)
    wait_for(company, std::min(took_ / kCompanyShare, options_.company_wait_max));
  wanted_ = kNobody;
  Group group;
  group.reserve(std::min(queue_.size(), options_.batches_max));
  std::size_t size_bytes = 0;
  while (!queue_.empty() && group.size() < options_.batches_max && size_bytes < kGroupBytesMax) {
    size_bytes += queue_.front().size_bytes;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  meter_.set("tandem_store_queue_batches", static_cast<double>(queue_.size()));
  return group;
}

Answers CommitQueue::commit(const Group& group) {
  const Instant started = clock_.monotonic();
  std::vector<const Batch*> admitted;
  for (const Pending& pending : group)
    if (!pending.refusal) admitted.push_back(&pending.batch);
  Answers written;
  Result<void> done;
  if (failure_) {
    done = fail(errors::kStoreClosed, "the store stopped acknowledging: {}", failure_->to_string());
  } else if (!admitted.empty()) {
    done = writer_->write(admitted, written);
    out_of_space_ = !done && done.error().number == errors::kDiskFull;
    if (!done && !writer_->may_go_on(done.error())) fail_for_ever(done.error());
  }
  // After an error refusals of this transaction go too: they may rest on batches before them that are now undone.
  TANDEM_ASSERT(!done || written.size() == admitted.size());
  Answers answers;
  answers.reserve(group.size());
  auto next = written.begin();
  for (const Pending& pending : group) {
    if (pending.refusal)
      answers.emplace_back(unexpected<Error>(*pending.refusal));
    else if (done)
      answers.push_back(std::move(*next++));
    else
      answers.emplace_back(unexpected<Error>(done.error()));
  }
  meter_.observe("tandem_store_group_seconds", seconds(clock_.monotonic() - started));
  meter_.observe("tandem_store_group_batches", static_cast<double>(group.size()));
  return answers;
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

void CommitQueue::fail_for_ever(const Error& error) {
  failure_ = error;
  writer_->abandon();
}

}  // namespace tandem::store
