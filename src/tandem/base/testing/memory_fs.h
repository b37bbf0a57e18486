// tandem/base/testing/memory_fs.h - an Fs in memory, with a disk that fills up or fails when told.
//
// Room: base, tests only. It keeps the rules of RealFs (fs.test.cc runs one suite on both).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "tandem/base/fs.h"

namespace tandem {

/// Directories "/" and "." exist from the start. Threads: safe to call concurrently.
class MemoryFs final : public Fs {
 public:
  enum class Fault : std::uint8_t { kNone, kRead, kSync };

  /// ---- planting ----
  /// The disk takes `bytes` more bytes; then every write says disk_full.
  void fill_disk_after(std::uint64_t bytes) {
    with_lock([&] { disk_->space = bytes; });
  }
  void free_disk() {
    with_lock([&] { disk_->space = UINT64_MAX; });
  }
  /// Every read (kRead) or every sync (kSync) says io_error from now on.
  void set_fault(Fault fault) {
    with_lock([&] { disk_->fault = fault; });
  }
  void put_file(const std::string& path, Bytes bytes, std::uint32_t mode = 0644) {
    with_lock([&] { disk_->files[path] = File{.bytes = std::move(bytes), .mode = mode}; });
  }
  void set_standard_input(Bytes bytes) {
    with_lock([&] { disk_->standard_input = std::move(bytes); });
  }
  /// What another process would do: hold the lock of `path`.
  void hold_lock(const std::string& path) {
    with_lock([&] { disk_->locked.insert(path); });
  }

  /// ---- Fs ----
  Result<Bytes> read_file(const std::string& path, std::uint64_t limit) override {
    const std::lock_guard lock(disk_->mutex);
    return read(path, limit, 0);
  }
  Result<Bytes> read_private_file(const std::string& path, std::uint64_t limit) override {
    const std::lock_guard lock(disk_->mutex);
    return read(path, limit, 077);
  }
  Result<void> write_file_atomic(const std::string& path, std::string_view bytes) override {
    const std::lock_guard lock(disk_->mutex);
    TANDEM_TRY(check_target(path));
    if (bytes.size() > disk_->space) return disk_full(path);
    if (disk_->fault == Fault::kSync) return io_error(path);
    disk_->use(bytes.size());
    disk_->files[path].bytes = Bytes(bytes);
    return {};
  }
  Result<std::unique_ptr<NewFile>> create(const std::string& path) override {
    const std::lock_guard lock(disk_->mutex);
    TANDEM_TRY(check_target(path));
    return std::make_unique<MemoryNewFile>(disk_, path);
  }
  Result<std::unique_ptr<ReadFile>> open_read(const std::string& path) override {
    const std::lock_guard lock(disk_->mutex);
    TANDEM_TRY_ASSIGN(Bytes bytes, read(path, UINT64_MAX, 0));
    return std::make_unique<MemoryReadFile>(disk_, path, std::move(bytes));
  }
  Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) override {
    const std::lock_guard lock(disk_->mutex);
    TANDEM_TRY(check_target(path));
    disk_->files.try_emplace(path);
    return std::make_unique<MemoryAppendFile>(disk_, path);
  }
  Result<void> make_directories(const std::string& path) override {
    const std::lock_guard lock(disk_->mutex);
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
      const std::string part = path.substr(0, end);
      if (disk_->files.contains(part)) {
        return fail(errors::kNotADirectory, "cannot create the directory '{}': '{}' is a file; choose another path",
                    path, part);
      }
      disk_->directories.insert(part);
      if (end == std::string::npos) return {};
    }
  }
  bool exists(const std::string& path) override {
    const std::lock_guard lock(disk_->mutex);
    return disk_->files.contains(path) || disk_->directories.contains(path);
  }
  Result<void> remove_file(const std::string& path) override {
    const std::lock_guard lock(disk_->mutex);
    if (disk_->directories.contains(path)) return is_a_directory(path);
    if (disk_->files.erase(path) == 0) return not_found(path);
    return {};
  }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    const std::lock_guard lock(disk_->mutex);
    TANDEM_TRY(check_target(path));
    if (!disk_->locked.insert(path).second) {
      return fail(errors::kLockHeld, "'{}' is held by process 1; talk to it, stop it, or use another directory", path);
    }
    disk_->files.try_emplace(path);
    return std::make_unique<MemoryLock>(disk_, path);
  }

 private:
  struct File {
    Bytes bytes;
    std::uint32_t mode = 0644;
  };
  struct Disk {
    std::mutex mutex;
    std::map<std::string, File> files;
    std::set<std::string> directories{"/", "."};
    std::set<std::string> locked;
    std::uint64_t space = UINT64_MAX;
    Fault fault = Fault::kNone;
    Bytes standard_input;
    void use(std::uint64_t bytes) {
      if (space != UINT64_MAX) space -= bytes;
    }
  };
  class MemoryNewFile final : public NewFile {
   public:
    MemoryNewFile(std::shared_ptr<Disk> disk, std::string path) : disk_(std::move(disk)), path_(std::move(path)) {}
    ~MemoryNewFile() override {
      const std::lock_guard lock(disk_->mutex);
      if (!published_ && disk_->space != UINT64_MAX) disk_->space += bytes_.size();
    }
    Result<void> write(std::string_view bytes) override {
      const std::lock_guard lock(disk_->mutex);
      if (bytes.size() > disk_->space) return disk_full(path_);
      disk_->use(bytes.size());
      bytes_ += bytes;
      return {};
    }
    Result<void> publish() override {
      const std::lock_guard lock(disk_->mutex);
      if (disk_->fault == Fault::kSync) return io_error(path_);
      disk_->files[path_].bytes = std::move(bytes_);
      published_ = true;
      return {};
    }

   private:
    std::shared_ptr<Disk> disk_;
    std::string path_;
    Bytes bytes_;
    bool published_ = false;
  };
  class MemoryReadFile final : public ReadFile {
   public:
    MemoryReadFile(std::shared_ptr<Disk> disk, std::string path, Bytes bytes)
        : disk_(std::move(disk)), path_(std::move(path)), bytes_(std::move(bytes)) {}
    Result<std::size_t> read(std::span<char> into) override {
      const std::lock_guard lock(disk_->mutex);
      if (disk_->fault == Fault::kRead) return io_error(path_);
      const std::size_t size = bytes_.copy(into.data(), into.size(), at_);
      at_ += size;
      return size;
    }

   private:
    std::shared_ptr<Disk> disk_;
    std::string path_;
    const Bytes bytes_;
    std::size_t at_ = 0;
  };
  class MemoryAppendFile final : public AppendFile {
   public:
    MemoryAppendFile(std::shared_ptr<Disk> disk, std::string path) : disk_(std::move(disk)), path_(std::move(path)) {}
    Result<void> append_durable(std::string_view bytes) override {
      const std::lock_guard lock(disk_->mutex);
      if (failed_) return fail(errors::kIoError, "'{}' takes no more bytes after an error", path_);
      failed_ = bytes.size() > disk_->space || disk_->fault == Fault::kSync;
      if (bytes.size() > disk_->space) return disk_full(path_);
      disk_->use(bytes.size());
      disk_->files[path_].bytes += bytes;  // also when the sync fails: then nobody knows whether they are there
      if (failed_) return io_error(path_);
      return {};
    }

   private:
    std::shared_ptr<Disk> disk_;
    std::string path_;
    bool failed_ = false;
  };
  class MemoryLock final : public FileLock {
   public:
    MemoryLock(std::shared_ptr<Disk> disk, std::string path) : disk_(std::move(disk)), path_(std::move(path)) {}
    ~MemoryLock() override {
      const std::lock_guard lock(disk_->mutex);
      disk_->locked.erase(path_);
    }

   private:
    std::shared_ptr<Disk> disk_;
    std::string path_;
  };

  static tl::unexpected<Error> not_found(const std::string& path) {
    return fail(errors::kFileNotFound, "'{}' does not exist; check the path", path);
  }
  static tl::unexpected<Error> is_a_directory(const std::string& path) {
    return fail(errors::kIsADirectory, "'{}' is a directory; name a file in it", path);
  }
  static tl::unexpected<Error> disk_full(const std::string& path) {
    return fail(errors::kDiskFull, "cannot write '{}': no space left on device; free some space and try again", path);
  }
  static tl::unexpected<Error> io_error(const std::string& path) {
    return fail(errors::kIoError, "cannot read or sync '{}': planted fault; check the disk", path);
  }

  template <typename Action>
  void with_lock(Action action) {
    const std::lock_guard lock(disk_->mutex);
    action();
  }
  Result<Bytes> read(const std::string& path, std::uint64_t limit, std::uint32_t forbidden_mode) const {
    if (disk_->fault == Fault::kRead) return io_error(path);
    if (disk_->directories.contains(path)) return is_a_directory(path);
    const auto found = disk_->files.find(path);
    if (path != "-" && found == disk_->files.end()) return not_found(path);
    if (path != "-" && (found->second.mode & forbidden_mode) != 0) {
      return fail(errors::kCredentialUnsafe, "'{}' has mode {:04o}, so others may read it; run chmod 0400 on it", path,
                  found->second.mode);
    }
    const Bytes& bytes = path == "-" ? disk_->standard_input : found->second.bytes;
    if (bytes.size() > limit) {
      return fail(errors::kInputTooLarge, "'{}' has {} bytes, the limit is {}; split it", path, bytes.size(), limit);
    }
    return bytes;
  }
  /// A path that can be written: its directory is there and it is not one itself.
  Result<void> check_target(const std::string& path) const {
    if (disk_->directories.contains(path)) return is_a_directory(path);
    const std::size_t slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    if (disk_->files.contains(parent)) {
      return fail(errors::kNotADirectory, "'{}' is a file, not a directory; check the path", parent);
    }
    if (!disk_->directories.contains(parent)) return not_found(path);
    return {};
  }

  std::shared_ptr<Disk> disk_ = std::make_shared<Disk>();
};

}  // namespace tandem
