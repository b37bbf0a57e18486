// tandem/store/backup.h - a whole store into one file while others write, and back into an empty store of any kind.
//
// Room: store. The file is backup_file.h. Not here: what rows mean (orchestrate/engine/store_check.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "tandem/base/crash_point.h"
#include "tandem/store/backup_file.h"
#include "tandem/store/store.h"

namespace tandem::store {

struct BackupSummary {
  BackupHeader header;
  std::array<std::uint64_t, kNumTables> rows{};
  std::uint64_t bytes = 0;  ///< of the file; 0 where it was read
};

struct BackupOptions {
  Compression compression = Compression::kZlib;
  std::string tandem;  ///< version of the binary, for the header
};

/// Writes what the store holds at this moment. A process that ends half way leaves no file of that name, or the older one. Errors: those of Store::snapshot() and of BackupWriter.
Result<BackupSummary> back_up(Store& store, Fs& fs, const std::string& path, const BackupOptions& options,
                              const Clock& clock, const CrashPoints& crash_points);

/// Fills an empty store, versions and log as they were. The whole file is checked before anything is written. A process that ends
/// half way leaves a store that refuse_unfinished_restore() knows. Nobody else may write to the store.
///
/// Errors: 3010 store_not_empty; 3011 backup_damaged; 3001 store_newer; those of commits.
Result<BackupSummary> restore(Fs& fs, const std::string& path, Store& store, const CrashPoints& crash_points);

/// Errors: 3012 restore_unfinished; those of reads.
Result<void> refuse_unfinished_restore(Store& store);

}  // namespace tandem::store
