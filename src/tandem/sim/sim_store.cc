#include "tandem/sim/sim_store.h"

#include <utility>

#include "tandem/base/assert.h"

namespace tandem::sim {
namespace {

constexpr Scheduler::Nanos kMicro = 1'000;
constexpr Scheduler::Nanos kMilli = 1'000'000;

store::Row row_of(const Disk::Rows::value_type& row) { return {row.first, row.second.version, row.second.value}; }

/// Of a store that does not look at the version of jobs: the planted fault.
void drop_fences(store::Batch& batch) {
  const auto drop = [](auto& operation) {
    if (operation.table == store::Table::kJob && operation.expect.kind == store::Expect::Kind::kVersion)
      operation.expect = store::Expect::present();
  };
  for (store::Operation& operation : batch.operations) {
    if (auto* put = std::get_if<store::Put>(&operation)) drop(*put);
    if (auto* check = std::get_if<store::Check>(&operation)) drop(*check);
  }
}

}  // namespace

SimStore::SimStore(Disk& disk, StoreWeather& weather, const Options& options, std::string process, Scheduler& scheduler,
                   Group& group, const SimClock& clock, StoreHooks hooks)
    : disk_(disk),
      weather_(weather),
      options_(options),
      process_(std::move(process)),
      scheduler_(scheduler),
      group_(group),
      clock_(clock),
      hooks_(std::move(hooks)) {}

SimStore::~SimStore() { TANDEM_ASSERT(!working_ && queue_.empty()); }

std::optional<Error> SimStore::trouble() const {
  if (dead_ || stopped_) return make_error(errors::kStoreClosed, "the store stopped acknowledging");
  if (scheduler_.now() < cut_until_) return make_error(errors::kStoreUnreachable, "the line to the store is cut");
  if (scheduler_.now() < weather_.full_until) return make_error(errors::kDiskFull, "no space left on device");
  return std::nullopt;
}

void SimStore::commit(store::Batch batch, store::CommitDone done) {
  queue_.push_back({std::move(batch), std::move(done)});
  if (working_) return;
  working_ = true;
  scheduler_.spawn(group_, [this] { work(); });
}

void SimStore::work() {
  while (!queue_.empty()) work_on(std::exchange(queue_, {}));
  working_ = false;
}

void SimStore::work_on(std::deque<Pending> group) {
  if (!dead_) {
    hooks_.before_commit();
    scheduler_.yield();  // a process that was paused just now stops here
    const bool slow = scheduler_.chance(options_.commit_slow);
    scheduler_.sleep(slow ? scheduler_.between(kMilli, 1000 * kMilli)
                          : scheduler_.between(0, options_.commit_micros * kMicro));
    if (slow) hooks_.hindered();
  }
  std::optional<Error> refusal = trouble();
  if (refusal) hooks_.hindered();
  const bool fails = !refusal && hooks_.commit_fails();
  const bool written = !refusal && (!fails || scheduler_.chance(0.5));
  std::deque<Result<store::Committed>> answers;
  for (Pending& pending : group) {
    if (options_.plant == Plant::kFenceDropped) drop_fences(pending.batch);
    if (written)
      answers.push_back(disk_.apply(process_, std::move(pending.batch)));
    else
      answers.push_back(tl::unexpected(refusal.value_or(Error{})));
  }
  if (fails) {
    refusal = make_error(errors::kIoError, "planted fault: whether it is written is unknown");
    stopped_ = true;
    hooks_.stopped();
  } else if (written) {
    const auto answer = [&] {
      for (std::size_t i = 0; i < group.size(); ++i) group[i].done(std::move(answers[i]));
    };
    if (options_.plant == Plant::kReplyBeforeSync) {
      answer();
      scheduler_.sleep(scheduler_.between(0, 3 * kMilli));
      hooks_.after_commit();
      if (!dead_) disk_.sync();
      return;
    }
    hooks_.after_commit();
    scheduler_.yield();
    if (!dead_) return answer();
    refusal = trouble();
  }
  for (Pending& pending : group) pending.done(tl::unexpected(*refusal));
}

Result<store::Committed> SimStore::commit_and_wait(store::Batch batch) {
  std::mutex mutex;
  SimCondition answered(scheduler_);
  std::optional<Result<store::Committed>> answer;
  commit(std::move(batch), [&](Result<store::Committed> result) {
    const std::lock_guard lock(mutex);
    answer = std::move(result);
    answered.notify_one();
  });
  std::unique_lock lock(mutex);
  answered.wait(lock, [&] { return answer.has_value(); });
  return *std::move(answer);
}

Result<void> SimStore::enter() {
  if (!dead_) scheduler_.yield();
  if (dead_) return fail(errors::kStoreClosed, "this process is dead");
  if (scheduler_.now() < cut_until_) {
    hooks_.hindered();
    return fail(errors::kStoreUnreachable, "the line to the store is cut");
  }
  return {};
}

template <typename Answer>
Answer SimStore::travel(Answer answer) {
  if (!dead_) scheduler_.yield();
  return answer;
}

Result<std::optional<store::Row>> SimStore::get(store::Table table, std::string_view key) {
  TANDEM_TRY(enter());
  const Disk::Rows& rows = disk_.rows(table);
  const auto found = rows.find(key);
  return travel(found == rows.end() ? std::nullopt : std::optional(row_of(*found)));
}

Result<std::vector<store::Row>> SimStore::scan(const store::Scan& scan) {
  TANDEM_TRY(enter());
  const Disk::Rows& rows = disk_.rows(scan.table);
  std::vector<store::Row> out;
  if (!scan.until.empty() && scan.until <= scan.from) return out;
  const auto begin = rows.lower_bound(scan.from);
  const auto end = scan.until.empty() ? rows.end() : rows.lower_bound(scan.until);
  if (scan.descending) {
    for (auto row = end; row != begin && out.size() < scan.limit;) out.push_back(row_of(*--row));
  } else {
    for (auto row = begin; row != end && out.size() < scan.limit; ++row) out.push_back(row_of(*row));
  }
  return travel(std::move(out));
}

Result<std::uint64_t> SimStore::count(store::Table table, std::string_view prefix) {
  TANDEM_TRY_ASSIGN(const auto rows, scan(store::Scan::prefix(table, std::string(prefix), SIZE_MAX)));
  return rows.size();
}

Result<std::vector<store::LogEntry>> SimStore::read_log(std::uint64_t after, std::size_t limit,
                                                        std::string_view subject) {
  TANDEM_TRY(enter());
  std::vector<store::LogEntry> out;
  const auto& log = disk_.log();
  for (std::uint64_t i = after; i < log.size() && out.size() < limit; ++i)
    if (subject.empty() || log[i].subject == subject) out.push_back(log[i]);
  return travel(std::move(out));
}

Result<std::uint64_t> SimStore::last_sequence() {
  TANDEM_TRY(enter());
  return travel(std::uint64_t{disk_.log().size()});
}

Result<Timestamp> SimStore::now() {
  TANDEM_TRY(enter());
  hooks_.read_clock();
  if (options_.plant == Plant::kLeaseByLocalClock) return clock_.now();
  return travel(Timestamp{SimClock::kStartMicros + scheduler_.now() / 1000});
}

std::unique_ptr<Timer> SimStore::watch(std::function<void()> on_change) {
  if (!options_.shared) return nullptr;
  /// Calls come together while one is on its way.
  struct Watch final : Timer {
    explicit Watch(Disk& d, std::uint64_t i) : disk(d), id(i) {}
    ~Watch() override { Watch::cancel(); }
    void cancel() override { disk.watchers.erase(id); }
    Disk& disk;
    std::uint64_t id;
  };
  const auto under_way = std::make_shared<bool>(false);
  const std::uint64_t id = disk_.next_watcher++;
  const auto tell = [this, id, under_way, on_change = std::move(on_change)] {
    if (*under_way || dead_ || scheduler_.now() < cut_until_ || scheduler_.chance(0.02)) return;
    *under_way = true;
    scheduler_.after(group_, scheduler_.between(0, 2 * kMilli), [this, id, under_way, on_change] {
      *under_way = false;
      if (disk_.watchers.contains(id)) on_change();
    });
  };
  disk_.watchers.emplace(id, tell);
  return std::make_unique<Watch>(disk_, id);
}

}  // namespace tandem::sim
