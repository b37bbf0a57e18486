// tandem/base/fs.h - the Fs seam: files, directories, locks. Nothing opens a file but through it
// (SQLite opens its own; store/sqlite owns that).
//
// Room: base. RealFs stands in fs_real.cc; testing/memory_fs.h has the double with planted faults.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/bytes.h"
#include "tandem/base/result.h"

namespace tandem {

/// An append-only file whose append is durable: write + fdatasync before it returns.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  /// Errors: 1041 disk_full; 1042 io_error. After an error nothing more is accepted.
  virtual Result<void> append_durable(std::string_view bytes) = 0;
};

/// A file that appears under its name when it is complete; destroyed before that, nothing is left of it. Threads: one at a time.
class NewFile {
 public:
  virtual ~NewFile() = default;
  /// Errors: 1041 disk_full; 1042 io_error.
  virtual Result<void> write(std::string_view bytes) = 0;
  /// Synced and renamed, in place of what had the name. Once. Errors: those of write().
  virtual Result<void> publish() = 0;
};

/// A file read from its beginning, piece by piece. Threads: one at a time.
class ReadFile {
 public:
  virtual ~ReadFile() = default;
  /// Fills `into`, less only at the end of the file; gives how much. Errors: 1042 io_error.
  virtual Result<std::size_t> read(std::span<char> into) = 0;
};

/// Holds an advisory lock until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class Exclusive : std::uint8_t { kNo, kYes };

/// Opens those of the three standard streams that are closed, the wrong way round, so that using them is still an error: the
/// next file that is opened would otherwise get the number, and what is printed would be written into it. First in main().
void hold_standard_streams();

/// Threads: every method is safe to call concurrently.
/// Errors: 1040 file_not_found; 1043 permission_denied; 1044 is_a_directory; 1041 disk_full; 1042 io_error; 1003 input_too_large;
/// 1046 not_a_regular_file - a device, pipe or socket; 1047 not_a_directory;
/// 1048 too_many_open_files.
class Fs {
 public:
  virtual ~Fs() = default;
  /// The whole file, at most `limit` bytes; a larger one is refused before it is read. "-" is standard input.
  virtual Result<Bytes> read_file(const std::string& path, std::uint64_t limit) = 0;
  /// A file that holds a secret; its mode is checked on the opened file. Errors: 1051 credential_unsafe - group or others may read it.
  virtual Result<Bytes> read_private_file(const std::string& path, std::uint64_t limit) = 0;
  /// Writes to a temporary beside `path`, syncs, renames: all or nothing.
  virtual Result<void> write_file_atomic(const std::string& path, std::string_view bytes) = 0;
  /// The same for what is larger than memory.
  virtual Result<std::unique_ptr<NewFile>> create(const std::string& path) = 0;
  virtual Result<std::unique_ptr<ReadFile>> open_read(const std::string& path) = 0;
  virtual Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) = 0;
  virtual Result<void> make_directories(const std::string& path) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual Result<void> remove_file(const std::string& path) = 0;
  /// Errors: 1045 lock_held - another process holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

class RealFs final : public Fs {
 public:
  Result<Bytes> read_file(const std::string& path, std::uint64_t limit) override;
  Result<Bytes> read_private_file(const std::string& path, std::uint64_t limit) override;
  Result<void> write_file_atomic(const std::string& path, std::string_view bytes) override;
  Result<std::unique_ptr<NewFile>> create(const std::string& path) override;
  Result<std::unique_ptr<ReadFile>> open_read(const std::string& path) override;
  Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) override;
  Result<void> make_directories(const std::string& path) override;
  bool exists(const std::string& path) override;
  Result<void> remove_file(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
};

}  // namespace tandem
