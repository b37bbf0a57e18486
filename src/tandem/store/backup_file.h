// tandem/store/backup_file.h - the one file that holds a whole store: written and read from front to back.
//
// Room: store. The format, for every version of it, stands in docs/guide/stores.md. Not here: what goes in (backup.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/fs.h"
#include "tandem/base/hash.h"
#include "tandem/store/store.h"

namespace tandem::store {

/// What a backup says of itself before its rows.
struct BackupHeader {
  std::string store;                 ///< Store::kind()
  std::uint64_t schema_version = 0;  ///< Snapshot::schema_version()
  std::uint64_t last_sequence = 0;
  Timestamp created_at;
  std::string tandem;  ///< version of the binary
};

struct BackupRow {
  Table table;
  Row row;
};
using BackupRecord = std::variant<BackupRow, LogEntry>;

enum class Compression : std::uint8_t { kNone, kZlib };

/// Threads: one. Cost: memory of one block and one record. Errors of all: 1041 disk_full; 1042 io_error; those of Fs::create.
/// After an error, or when it goes before finish(), nothing is left of the file.
class BackupWriter {
 public:
  static Result<std::unique_ptr<BackupWriter>> create(Fs& fs, const std::string& path, const BackupHeader& header,
                                                      Compression compression);
  /// Rows by table and key first, then the log in its order.
  Result<void> add(Table table, const Row& row);
  Result<void> add(const LogEntry& entry);
  /// The file is complete, synced and has its name.
  Result<void> finish();

  std::uint64_t bytes() const { return bytes_; }

 private:
  BackupWriter(std::unique_ptr<NewFile> file, Compression compression)
      : file_(std::move(file)), compression_(compression) {}
  Result<void> put(std::string_view bytes);
  Result<void> add_bytes(std::string_view bytes);
  Result<void> write_block();

  std::unique_ptr<NewFile> file_;
  const Compression compression_;
  Sha256Stream hash_;
  std::uint64_t bytes_ = 0;
  Bytes block_;
  Bytes deflated_;
};

/// Threads: one. Cost: memory of one block and one record.
///
/// Errors of all: 3011 backup_damaged - with the byte from which it is; 3001 store_newer - a later format, or tables that this
///                version does not have; those of Fs::open_read.
class BackupReader {
 public:
  static Result<std::unique_ptr<BackupReader>> open(Fs& fs, const std::string& path);
  const BackupHeader& header() const { return header_; }
  /// The next record; nothing when all were read, the checksum holds and the file ends there.
  Result<std::optional<BackupRecord>> next();

 private:
  BackupReader(std::unique_ptr<ReadFile> file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  Result<void> read_header();
  Result<void> parse_header(const Bytes& text);
  /// Exactly so many bytes, added to the checksum.
  Result<Bytes> take(std::size_t size);
  /// The next block; false at the end, which was then checked.
  Result<bool> read_block();
  /// Bytes of records, across blocks.
  Result<Bytes> take_record(std::size_t size);
  Result<std::uint64_t> take_number(std::size_t bytes);
  Result<BackupRecord> read_row();
  Result<BackupRecord> read_entry();
  template <typename... Args>
  tl::unexpected<Error> damaged(std::uint64_t offset, fmt::format_string<Args...> why, Args&&... args) const;

  std::unique_ptr<ReadFile> file_;
  const std::string path_;
  BackupHeader header_;
  std::vector<Table> tables_;  ///< by their number in the file
  Sha256Stream hash_;
  std::uint64_t offset_ = 0;
  std::uint64_t block_offset_ = 0;  ///< of the block below
  Bytes block_;
  std::size_t used_ = 0;  ///< of the block
  std::optional<std::size_t> table_;  ///< of the last row
  std::string key_;
  std::uint64_t sequence_ = 0;
};

}  // namespace tandem::store
