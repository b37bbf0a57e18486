#include "tandem/store/backup.h"

#include <utility>

#include "tandem/base/text.h"
#include "tandem/store/crash_points.h"
#include "tandem/store/precondition.h"

namespace tandem::store {
namespace {

constexpr const char* kMark = "restore/unfinished";  ///< a row of kMeta from before the first to after the last batch
constexpr std::size_t kBatchOperations = 5000;
constexpr std::size_t kBatchBytes = std::size_t{8} << 20;

Result<void> require_empty(Store& store) {
  TANDEM_TRY_ASSIGN(const std::uint64_t last, store.last_sequence());
  if (last != 0) return fail(errors::kStoreNotEmpty, "the store has a log of {} entries", last);
  for (std::size_t i = 0; i < kNumTables; ++i) {
    const auto table = static_cast<Table>(i);
    TANDEM_TRY_ASSIGN(const std::uint64_t rows, store.count(table, ""));
    if (rows != 0) return fail(errors::kStoreNotEmpty, "the store has {} rows in the table {}", rows, to_string(table));
  }
  return {};
}

/// Reads to the end, which checks everything.
Result<BackupSummary> verify(Fs& fs, const std::string& path) {
  TANDEM_TRY_ASSIGN(const auto reader, BackupReader::open(fs, path));
  BackupSummary out{.header = reader->header()};
  while (true) {
    TANDEM_TRY_ASSIGN(const auto record, reader->next());
    if (!record) return out;
    if (const auto* row = std::get_if<BackupRow>(&*record)) ++out.rows[static_cast<std::size_t>(row->table)];
  }
}

/// Collects operations and commits them by the batch.
class Loader {
 public:
  Loader(Store& store, const CrashPoints& crash_points) : store_(store), crash_points_(crash_points) {}

  Result<void> add(BackupRecord record) {
    if (auto* row = std::get_if<BackupRow>(&record)) {
      batch_.restore(row->table, std::move(row->row));
    } else {
      auto& entry = std::get<LogEntry>(record);
      batch_.append(std::move(entry.subject), std::move(entry.value));
    }
    bytes_ += size_bytes(batch_.operations.back());
    return batch_.operations.size() < kBatchOperations && bytes_ < kBatchBytes ? Result<void>() : commit();
  }

  Result<void> commit() {
    bytes_ = 0;
    TANDEM_TRY_ASSIGN(const Committed done, store_.commit_and_wait(std::exchange(batch_, Batch())));
    for (const std::uint64_t sequence : done.sequences) {
      if (sequence == ++sequence_) continue;
      return fail(errors::kStoreNotEmpty, "somebody else writes to the store: entry {} of the log became {}", sequence_,
                  sequence);
    }
    crash_points_.reach(one_of(kPoints, "restore.batch"));
    return {};
  }

 private:
  Store& store_;
  const CrashPoints& crash_points_;
  Batch batch_;
  std::size_t bytes_ = 0;
  std::uint64_t sequence_ = 0;
};

}  // namespace

Result<BackupSummary> back_up(Store& store, Fs& fs, const std::string& path, const BackupOptions& options,
                              const Clock& clock, const CrashPoints& crash_points) {
  TANDEM_TRY_ASSIGN(const auto snapshot, store.snapshot());
  BackupSummary out{.header = {.store = std::string(store.kind()),
                               .schema_version = snapshot->schema_version(),
                               .last_sequence = snapshot->last_sequence(),
                               .created_at = clock.now(),
                               .tandem = options.tandem}};
  TANDEM_TRY_ASSIGN(const auto file, BackupWriter::create(fs, path, out.header, options.compression));
  crash_points.reach(one_of(kPoints, "backup.begun"));
  for (std::size_t i = 0; i < kNumTables; ++i) {
    const auto table = static_cast<Table>(i);
    TANDEM_TRY(snapshot->read_rows(table, [&](const Row& row) {
      ++out.rows[i];
      return file->add(table, row);
    }));
  }
  std::uint64_t entries = 0;
  TANDEM_TRY(snapshot->read_log([&](const LogEntry& entry) -> Result<void> {
    if (entry.sequence != ++entries)
      return fail(errors::kStoreDamaged, "entry {} of the log follows entry {}; `tandem store check` says more",
                  entry.sequence, entries - 1);
    return file->add(entry);
  }));
  if (entries != out.header.last_sequence)
    return fail(errors::kStoreDamaged, "the log has {} entries and counts {}; `tandem store check` says more", entries,
                out.header.last_sequence);
  crash_points.reach(one_of(kPoints, "backup.before_end"));
  TANDEM_TRY(file->finish());
  crash_points.reach(one_of(kPoints, "backup.after_end"));
  out.bytes = file->bytes();
  return out;
}

Result<BackupSummary> restore(Fs& fs, const std::string& path, Store& store, const CrashPoints& crash_points) {
  TANDEM_TRY(require_empty(store));
  TANDEM_TRY_ASSIGN(BackupSummary summary, verify(fs, path));
  TANDEM_TRY(store.commit_and_wait(Batch().put(Table::kMeta, kMark, path, Expect::absent())));
  crash_points.reach(one_of(kPoints, "restore.begun"));
  TANDEM_TRY_ASSIGN(const auto reader, BackupReader::open(fs, path));
  Loader loader(store, crash_points);
  while (true) {
    TANDEM_TRY_ASSIGN(auto record, reader->next());
    if (!record) break;
    TANDEM_TRY(loader.add(*std::move(record)));
  }
  TANDEM_TRY(loader.commit());
  for (std::size_t i = 0; i < kNumTables; ++i) {
    const auto table = static_cast<Table>(i);
    const std::uint64_t expected = summary.rows[i] + (table == Table::kMeta ? 1 : 0);
    TANDEM_TRY_ASSIGN(const std::uint64_t rows, store.count(table, ""));
    if (rows != expected)
      return fail(errors::kStoreNotEmpty, "somebody else writes to the store: the table {} has {} rows instead of {}",
                  to_string(table), rows, expected);
  }
  crash_points.reach(one_of(kPoints, "restore.before_end"));
  TANDEM_TRY(store.commit_and_wait(Batch().erase(Table::kMeta, kMark, Expect::at(1))));
  crash_points.reach(one_of(kPoints, "restore.after_end"));
  return summary;
}

Result<void> refuse_unfinished_restore(Store& store) {
  TANDEM_TRY_ASSIGN(const auto mark, store.get(Table::kMeta, kMark));
  if (!mark) return {};
  return fail(errors::kRestoreUnfinished, "a restore of {} into this store did not finish", quote(mark->value));
}

}  // namespace tandem::store
