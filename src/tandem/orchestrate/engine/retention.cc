#include "tandem/orchestrate/engine/retention.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "tandem/base/text.h"
#include "tandem/orchestrate/engine/job_record.h"
#include "tandem/orchestrate/engine/removal.h"
#include "tandem/orchestrate/engine/store_watch.h"

namespace tandem::engine {
namespace {

using store::Table;

constexpr std::size_t kIdsPage = 200;  ///< ids read at once of each final state

/// The jobs that have ended, oldest first, read page by page.
class EndedJobs {
 public:
  explicit EndedJobs(store::Store& store) : store_(store) {
    for (std::size_t i = 0; i < job::kNumJobStates; ++i) {
      const auto state = static_cast<job::JobState>(i);
      if (job::is_final(state))
        lines_.push_back({.scan = store::Scan::prefix(Table::kJobIndex, state_index_key(state, JobId()), kIdsPage),
                          .prefix = state_index_key(state, JobId())});
    }
  }

  Result<std::uint64_t> count() const {
    std::uint64_t out = 0;
    for (const Line& line : lines_) {
      TANDEM_TRY_ASSIGN(const std::uint64_t some, store_.count(Table::kJobIndex, line.prefix));
      out += some;
    }
    return out;
  }

  Result<std::optional<JobId>> next() {
    Line* oldest = nullptr;
    for (Line& line : lines_) {
      if (line.ids.empty() && !line.over) TANDEM_TRY(fill(line));
      if (!line.ids.empty() && (oldest == nullptr || line.ids.front() < oldest->ids.front())) oldest = &line;
    }
    if (oldest == nullptr) return std::optional<JobId>();
    JobId out = std::move(oldest->ids.front());
    oldest->ids.pop_front();
    return std::optional<JobId>(std::move(out));
  }

 private:
  struct Line {
    store::Scan scan;
    std::string prefix;
    std::deque<JobId> ids;
    bool over = false;
  };
  Result<void> fill(Line& line) const {
    TANDEM_TRY_ASSIGN(const auto rows, store_.scan(line.scan));
    for (const store::Row& row : rows) line.ids.emplace_back(row.key.substr(line.prefix.size()));
    line.over = rows.size() < kIdsPage;
    if (!rows.empty()) line.scan.from = rows.back().key + '\0';
    return {};
  }

  store::Store& store_;
  std::vector<Line> lines_;
};

Result<bool> is_expired(const store::Row& row, std::int64_t before_micros) {
  TANDEM_TRY_ASSIGN(const IdempotencyEntry entry, IdempotencyEntry::parse(row));
  return entry.created_at.micros < before_micros;
}

}  // namespace

Retention::Retention(const EngineServices& services, JobLedger& ledger, RetentionLimits limits,
                     Housekeeping housekeeping)
    : services_(services),
      ledger_(ledger),
      limits_(limits),
      housekeeping_(std::move(housekeeping)),
      keys_due_(services.clock.monotonic() + kKeysInterval),
      sweep_due_(services.clock.monotonic()) {}

bool Retention::leads() const {
  store::Batch nothing;
  return housekeeping_.fence(nothing);
}

Result<void> Retention::look() {
  if (!leads()) return {};
  TANDEM_TRY(remove_jobs());
  if (services_.clock.monotonic() >= keys_due_) TANDEM_TRY(expire_keys());
  if (services_.clock.monotonic() >= sweep_due_) TANDEM_TRY(sweep_blobs());
  return {};
}

Result<std::optional<Removal>> Retention::removal_of(const JobRecord& record, std::string_view reason) {
  auto removal =
      prepare_removal(services_.store, services_.submitter, record, "retention", reason, services_.clock.now());
  if (removal) return std::optional<Removal>(*std::move(removal));
  const Error& error = removal.error();
  if (is_store_trouble(error)) return tl::unexpected(error);
  if (error.number == errors::kSubmissionOpen && staying_.size() < kStayingMax) staying_.insert(record.view.id);
  // Still needed, or changed meanwhile. What cannot be read is worth a line, and does not keep the others.
  if (error.number != errors::kSubmissionOpen && error.number != errors::kPreconditionFailed)
    services_.log.write(LogLevel::kWarning, "job.not_removed",
                        {{"job_id", record.view.id.value}, {"error", error.to_string()}});
  return std::optional<Removal>();
}

Result<void> Retention::remove_jobs() {
  if (limits_.age.count() == 0 && limits_.jobs == 0) return {};
  EndedJobs ended(services_.store);
  std::uint64_t surplus = 0;
  if (limits_.jobs != 0) {
    TANDEM_TRY_ASSIGN(const std::uint64_t count, ended.count());
    surplus = count - std::min(count, limits_.jobs);
  }
  const std::string too_old = fmt::format("engine.retention_age ({})", format_duration(limits_.age));
  const std::string too_many = fmt::format("engine.retention_jobs ({})", limits_.jobs);
  const std::int64_t before = services_.clock.now().micros - std::chrono::microseconds(limits_.age).count();
  std::vector<Removal> removals;
  std::vector<JobRecord> records;
  std::size_t operations = 0;
  const auto flush = [&]() -> Result<bool> {
    operations = 0;
    TANDEM_TRY(remove(std::exchange(removals, {}), std::exchange(records, {})));
    return housekeeping_.rest() && leads();
  };
  while (true) {
    TANDEM_TRY_ASSIGN(const std::optional<JobId> id, ended.next());
    if (!id) break;
    // Also one that stays is among the oldest: however many of them there are, the youngest are kept.
    const bool is_surplus = surplus != 0;
    if (is_surplus) --surplus;
    if (staying_.contains(*id)) continue;
    auto record = load_job(services_.store, *id);
    if (!record && is_store_trouble(record.error())) return tl::unexpected(std::move(record).error());
    if (!record) continue;
    const bool of_age = limits_.age.count() != 0 && record->view.created_at.micros < before;
    if (!is_surplus && !of_age) break;  // and all that come after it are younger
    if (!is_surplus && record->view.updated_at.micros >= before) continue;
    TANDEM_TRY_ASSIGN(std::optional<Removal> removal, removal_of(*record, is_surplus ? too_many : too_old));
    if (!removal) continue;
    operations += removal->batch.operations.size();
    removals.push_back(*std::move(removal));
    records.push_back(*std::move(record));
    if (removals.size() < kJobsAtOnce && operations < kOperationsAtOnce) continue;
    TANDEM_TRY_ASSIGN(const bool go_on, flush());
    if (!go_on) return {};
  }
  return flush().map([](bool) {});
}

Result<void> Retention::remove(std::vector<Removal> removals, const std::vector<JobRecord>& records) {
  if (removals.empty()) return {};
  auto done = ledger_.remove(removals);
  if (done) {
    services_.meter.add("tandem_jobs_removed_total", static_cast<double>(records.size()));
    return {};
  }
  if (done.error().number != errors::kPreconditionFailed) return done;
  // Somebody else removed one of them, or two share a row such as an earlier answer: one by one, with a look at each.
  for (std::size_t i = 0; i < records.size(); ++i) {
    TANDEM_TRY_ASSIGN(std::optional<Removal> removal,
                      removal_of(records[i], removals[i].event.data.value().value("reason", "")));
    if (!removal) continue;
    const auto removed = ledger_.remove({&*removal, 1});
    if (removed) services_.meter.add("tandem_jobs_removed_total", 1);
    if (!removed && removed.error().number != errors::kPreconditionFailed) return removed;
  }
  return {};
}

Result<void> Retention::expire_keys() {
  const std::int64_t before = services_.clock.now().micros - std::chrono::microseconds(limits_.idempotency_age).count();
  store::Scan scan{.table = Table::kIdempotency, .from = "", .until = "", .limit = kKeysAtOnce};
  while (true) {
    TANDEM_TRY_ASSIGN(const auto rows, services_.store.scan(scan));
    store::Batch batch;
    for (const store::Row& row : rows)
      if (is_expired(row, before).value_or(false))
        batch.erase(Table::kIdempotency, row.key, store::Expect::at(row.version));
    if (const std::size_t expired = batch.operations.size(); expired != 0) {
      if (!housekeeping_.fence(batch)) return {};
      // A key that was used again just now keeps the others of its page until the next time.
      const auto done = services_.store.commit_and_wait(std::move(batch));
      if (done) services_.meter.add("tandem_idempotency_keys_expired_total", static_cast<double>(expired));
      if (!done && done.error().number != errors::kPreconditionFailed) return tl::unexpected(done.error());
    }
    if (rows.size() < kKeysAtOnce) break;
    scan.from = rows.back().key + '\0';
    if (!housekeeping_.rest()) return {};
  }
  keys_due_ = services_.clock.monotonic() + kKeysInterval;
  staying_.clear();
  return {};
}

Result<void> Retention::sweep_blobs() {
  const Instant begin = services_.clock.monotonic();
  TANDEM_TRY_ASSIGN(const Swept swept, BlobSweep(services_.store, housekeeping_).run());
  if (swept.erased != 0) services_.meter.add("tandem_blobs_erased_total", static_cast<double>(swept.erased));
  const Instant end = services_.clock.monotonic();
  sweep_due_ = end + (swept.complete ? kSweepShare : kSweepShareBehind) * (end - begin);
  return {};
}

}  // namespace tandem::engine
