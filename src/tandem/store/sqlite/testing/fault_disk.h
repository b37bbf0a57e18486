// tandem/store/sqlite/testing/fault_disk.h - a disk in memory, as an SQLite VFS, that fills up, fails and loses power
// when told.
//
// Room: store, tests only. Files behave as POSIX promises and no better: a write is on the disk after a sync of its
// file, a name after a sync of its directory. What was not synced when the power went may be there whole, in part
// (sectors), or not at all.
// Source: the crash tests of SQLite (test6.c) and Pillai et al., "All file systems are not created equal", OSDI 2014,
//         for the model.
#pragma once

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/base/rng.h"

namespace tandem::sqlite {

/// Threads: safe to use from several connections at once; the faults are set by the test.
class FaultDisk {
 public:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  /// `name` is what SqliteOptions::vfs selects; one disk a name at a time.
  explicit FaultDisk(std::string name) : name_(std::move(name)) {
    system_ = sqlite3_vfs_find(nullptr);
    vfs_.iVersion = 1;
    vfs_.szOsFile = sizeof(File);
    vfs_.mxPathname = 512;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.xOpen = [](sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
      return of(vfs).open(path, file, flags, out_flags);
    };
    vfs_.xDelete = [](sqlite3_vfs* vfs, const char* path, int sync_directory) {
      return of(vfs).remove(path, sync_directory != 0);
    };
    vfs_.xAccess = [](sqlite3_vfs* vfs, const char* path, int flags, int* out) {
      return of(vfs).access(path, flags, out);
    };
    vfs_.xFullPathname = [](sqlite3_vfs*, const char* path, int size, char* out) {
      sqlite3_snprintf(size, out, "%s", path);
      return SQLITE_OK;
    };
    vfs_.xRandomness = [](sqlite3_vfs* vfs, int size, char* out) {
      return of(vfs).system_->xRandomness(of(vfs).system_, size, out);
    };
    vfs_.xSleep = [](sqlite3_vfs* vfs, int micros) { return of(vfs).system_->xSleep(of(vfs).system_, micros); };
    vfs_.xCurrentTime = [](sqlite3_vfs* vfs, double* out) {
      return of(vfs).system_->xCurrentTime(of(vfs).system_, out);
    };
    vfs_.xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; };
    TANDEM_ASSERT(sqlite3_vfs_register(&vfs_, 0) == SQLITE_OK);
  }
  ~FaultDisk() {
    TANDEM_ASSERT(open_files_ == 0);
    sqlite3_vfs_unregister(&vfs_);
  }
  FaultDisk(const FaultDisk&) = delete;
  FaultDisk& operator=(const FaultDisk&) = delete;
  const std::string& name() const { return name_; }

  /// After `writes` more writes, each further one stores half of its bytes and fails with SQLITE_FULL, until
  /// free_space().
  void full_after(std::uint64_t writes) { set(full_in_, writes); }
  /// All files together hold at most `bytes`; what would make them larger fails with SQLITE_FULL.
  void limit_capacity(std::uint64_t bytes) { set(capacity_bytes_, bytes); }
  void free_space() {
    set(full_in_, kNever);
    set(capacity_bytes_, kNever);
  }
  /// After `writes` more writes, each further one fails with SQLITE_IOERR_WRITE.
  void fail_writes_after(std::uint64_t writes) { set(fail_write_in_, writes); }
  /// After `reads` more reads, the next one fails with SQLITE_IOERR_READ; later reads succeed.
  void fail_one_read_after(std::uint64_t reads) { set(fail_read_in_, reads); }
  /// True from such a failure on.
  bool failed_a_read() const {
    const std::lock_guard lock(mutex_);
    return failed_a_read_;
  }
  /// After `syncs` more syncs, the next one fails, and the kernel drops what it would have written; later syncs
  /// succeed.
  void fail_one_sync_after(std::uint64_t syncs) { set(fail_sync_in_, syncs); }
  /// Planted fault: a sync answers at once and does nothing, as if commits were acknowledged before their sync.
  void lie_about_syncs(bool lie) {
    const std::lock_guard lock(mutex_);
    lying_ = lie;
  }
  /// The power goes at the change of the disk (write, truncate, sync, create, remove) after `changes` more; then
  /// everything fails.
  void power_off_after(std::uint64_t changes) { set(power_off_in_, changes); }
  bool powered_off() const {
    const std::lock_guard lock(mutex_);
    return off_;
  }
  /// How often the disk was changed: writes, truncations, syncs, files created and removed.
  std::uint64_t changes() const {
    const std::lock_guard lock(mutex_);
    return changes_;
  }
  /// Turns the power on again: files hold what was synced and what `generator` chooses of the rest. No file may be
  /// open.
  void reboot(Xoshiro256& generator) {
    const std::lock_guard lock(mutex_);
    TANDEM_ASSERT(open_files_ == 0);
    std::map<std::string, std::shared_ptr<Inode>> kept;
    for (const auto* side : {&names_, &durable_names_}) {
      for (const auto& [path, inode] : *side) {
        const bool same =
            names_.contains(path) && durable_names_.contains(path) && names_[path] == durable_names_[path];
        if (same || generator.below(2) == 0) kept[path] = inode;
      }
    }
    // How much survives differs from loss to loss: a cache that held everything, one that wrote all but the last,
    // anything between.
    const std::uint64_t survivors_of_4 = generator.below(5);
    for (auto& [path, inode] : kept) {
      for (Change& change : inode->pending) {
        if (generator.below(4) >= survivors_of_4) continue;
        if (change.offset >= 0 && generator.below(4) == 0) {
          const std::uint64_t sectors = (change.bytes.size() + kSectorBytes - 1) / kSectorBytes;
          change.bytes.resize(std::min(change.bytes.size(), generator.below(sectors + 1) * kSectorBytes));
        }
        apply(change, inode->durable);
      }
      inode->pending.clear();
      inode->view = inode->durable;
    }
    names_ = durable_names_ = std::move(kept);
    shared_memory_.clear();
    off_ = false;
    full_in_ = capacity_bytes_ = fail_read_in_ = fail_write_in_ = fail_sync_in_ = power_off_in_ = kNever;
  }

 private:
  static constexpr std::size_t kSectorBytes = 512;

  struct File;
  struct Change {
    std::int64_t offset = 0;  // of a write; -1 for a truncation
    std::uint64_t size = 0;  // of the file, for a truncation
    std::string bytes;
  };
  struct Inode {
    std::string view;
    std::string durable;
    std::vector<Change> pending;  // in view, not in durable
    std::vector<File*> users;
  };
  struct SharedMemory {
    std::vector<std::unique_ptr<char[]>> regions;
    std::array<int, SQLITE_SHM_NLOCK> shared{};
    std::array<bool, SQLITE_SHM_NLOCK> exclusive{};
    int users = 0;
  };
  struct File {
    sqlite3_file base;
    FaultDisk* disk;
    std::shared_ptr<Inode> inode;
    std::string path;
    bool sync_directory;  // with the next sync, as the system's VFS does for journals and logs
    int lock;
    bool maps_memory;
    std::array<bool, SQLITE_SHM_NLOCK> shared;
    std::array<bool, SQLITE_SHM_NLOCK> exclusive;
  };

  static FaultDisk& of(sqlite3_vfs* vfs) { return *static_cast<FaultDisk*>(vfs->pAppData); }
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

  void set(std::uint64_t& counter, std::uint64_t value) {
    const std::lock_guard lock(mutex_);
    counter = value;
  }
  /// True once `counter` has run out; kNever never does.
  static bool due(std::uint64_t& counter) {
    if (counter == kNever) return false;
    if (counter == 0) return true;
    --counter;
    return false;
  }
  static void apply(const Change& change, std::string& bytes) {
    if (change.offset < 0) {
      bytes.resize(change.size);
      return;
    }
    const auto offset = static_cast<std::size_t>(change.offset);
    if (change.bytes.empty()) return;
    if (bytes.size() < offset + change.bytes.size()) bytes.resize(offset + change.bytes.size());
    bytes.replace(offset, change.bytes.size(), change.bytes);
  }
  void change(Inode& inode, Change change) {
    apply(change, inode.view);
    inode.pending.push_back(std::move(change));
  }
  bool grows_too_large(const Inode& inode, std::uint64_t end) const {
    if (end <= inode.view.size()) return false;
    std::uint64_t used = end - inode.view.size();
    for (const auto& [path, other] : names_) used += other->view.size();
    return used > capacity_bytes_;
  }
  /// Called at every change.
  bool power_goes() {
    ++changes_;
    off_ = off_ || due(power_off_in_);
    return off_;
  }

  int open(const char* path, sqlite3_file* out, int flags, int* out_flags) {
    const std::lock_guard lock(mutex_);
    out->pMethods = nullptr;
    if (off_) return SQLITE_IOERR;
    std::shared_ptr<Inode> inode = std::make_shared<Inode>();
    if (path != nullptr) {
      if (const auto found = names_.find(path); found != names_.end()) {
        inode = found->second;
      } else {
        if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
        if (power_goes()) return SQLITE_IOERR;
        names_[path] = inode;
      }
    }
    const bool journal = (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
    new (out) File{.base = {&methods()},
                   .disk = this,
                   .inode = std::move(inode),
                   .path = path == nullptr ? "" : path,
                   .sync_directory = journal && (flags & SQLITE_OPEN_CREATE) != 0,
                   .lock = SQLITE_LOCK_NONE,
                   .maps_memory = false,
                   .shared = {},
                   .exclusive = {}};
    of(out).inode->users.push_back(&of(out));
    ++open_files_;
    if (out_flags != nullptr) *out_flags = flags;
    return SQLITE_OK;
  }

  int remove(const char* path, bool sync_directory) {
    const std::lock_guard lock(mutex_);
    if (off_) return SQLITE_IOERR_DELETE;
    if (!names_.contains(path)) return SQLITE_IOERR_DELETE_NOENT;
    names_.erase(path);
    if (power_goes()) return SQLITE_IOERR_DELETE;
    if (sync_directory && !lying_) durable_names_ = names_;
    return SQLITE_OK;
  }

  int access(const char* path, int flags, int* out) const {
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(path);
    // As the system's VFS: a file of no bytes does not exist.
    *out = found != names_.end() && (flags != SQLITE_ACCESS_EXISTS || !found->second->view.empty()) ? 1 : 0;
    return off_ ? SQLITE_IOERR_ACCESS : SQLITE_OK;
  }

  int close(File& file) {
    const std::lock_guard lock(mutex_);
    unmap(file, false);
    std::erase(file.inode->users, &file);
    --open_files_;
    file.~File();
    return SQLITE_OK;
  }

  int read(File& file, char* out, std::size_t size, std::size_t offset) {
    const std::lock_guard lock(mutex_);
    if (off_) return SQLITE_IOERR_READ;
    if (due(fail_read_in_)) {
      fail_read_in_ = kNever;
      failed_a_read_ = true;
      return SQLITE_IOERR_READ;
    }
    const std::string& view = file.inode->view;
    const std::size_t there = offset < view.size() ? std::min(size, view.size() - offset) : 0;
    std::memcpy(out, view.data() + std::min(offset, view.size()), there);
    std::memset(out + there, 0, size - there);
    return there == size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }

  int write(File& file, const char* bytes, std::size_t size, std::int64_t offset) {
    const std::lock_guard lock(mutex_);
    if (off_) return SQLITE_IOERR_WRITE;
    const bool full = due(full_in_) || grows_too_large(*file.inode, static_cast<std::uint64_t>(offset) + size);
    change(*file.inode, {.offset = offset, .bytes = std::string(bytes, full ? size / 2 : size)});
    if (power_goes()) return SQLITE_IOERR_WRITE;
    if (full) return SQLITE_FULL;
    return due(fail_write_in_) ? SQLITE_IOERR_WRITE : SQLITE_OK;
  }

  int truncate(File& file, std::uint64_t size) {
    const std::lock_guard lock(mutex_);
    if (off_) return SQLITE_IOERR_TRUNCATE;
    change(*file.inode, {.offset = -1, .size = size});
    return power_goes() ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
  }

  int sync(File& file) {
    const std::lock_guard lock(mutex_);
    if (power_goes()) return SQLITE_IOERR_FSYNC;
    if (lying_) return SQLITE_OK;
    if (due(fail_sync_in_)) {
      fail_sync_in_ = kNever;
      file.inode->pending.clear();
      return SQLITE_IOERR_FSYNC;
    }
    for (const Change& change : file.inode->pending) apply(change, file.inode->durable);
    file.inode->pending.clear();
    if (std::exchange(file.sync_directory, false)) durable_names_ = names_;
    return SQLITE_OK;
  }

  int size(File& file, sqlite3_int64* out) {
    const std::lock_guard lock(mutex_);
    *out = static_cast<sqlite3_int64>(file.inode->view.size());
    return off_ ? SQLITE_IOERR_FSTAT : SQLITE_OK;
  }

  /// The lock ladder of SQLite (shared < reserved < pending < exclusive) among the handles of one file.
  int lock(File& file, int level) {
    const std::lock_guard lock(mutex_);
    if (file.lock >= level) return SQLITE_OK;
    int others = SQLITE_LOCK_NONE;
    for (const File* user : file.inode->users) {
      if (user != &file) others = std::max(others, user->lock);
    }
    if (level == SQLITE_LOCK_SHARED && others >= SQLITE_LOCK_PENDING) return SQLITE_BUSY;
    if (level >= SQLITE_LOCK_RESERVED && others >= SQLITE_LOCK_RESERVED) return SQLITE_BUSY;
    if (level == SQLITE_LOCK_EXCLUSIVE && others >= SQLITE_LOCK_SHARED) {
      file.lock = SQLITE_LOCK_PENDING;
      return SQLITE_BUSY;
    }
    file.lock = level;
    return SQLITE_OK;
  }
  int unlock(File& file, int level) {
    const std::lock_guard lock(mutex_);
    file.lock = std::min(file.lock, level);
    return SQLITE_OK;
  }
  int check_reserved(File& file, int* out) const {
    const std::lock_guard lock(mutex_);
    *out = std::any_of(file.inode->users.begin(), file.inode->users.end(),
                       [](const File* user) { return user->lock >= SQLITE_LOCK_RESERVED; })
               ? 1
               : 0;
    return SQLITE_OK;
  }

  int map(File& file, std::size_t region, std::size_t size, bool extend, void volatile** out) {
    const std::lock_guard lock(mutex_);
    *out = nullptr;
    if (off_) return SQLITE_IOERR_SHMMAP;
    SharedMemory& memory = shared_memory_[file.path];
    if (!std::exchange(file.maps_memory, true) && memory.users++ == 0) memory.regions.clear();
    while (extend && memory.regions.size() <= region) memory.regions.push_back(std::make_unique<char[]>(size));
    if (region < memory.regions.size()) *out = memory.regions[region].get();
    return SQLITE_OK;
  }
  int lock_memory(File& file, std::size_t first, std::size_t count, int flags) {
    const std::lock_guard lock(mutex_);
    SharedMemory& memory = shared_memory_[file.path];
    for (std::size_t i = first; i < first + count && (flags & SQLITE_SHM_LOCK) != 0; ++i) {
      const bool others_share = memory.shared[i] - (file.shared[i] ? 1 : 0) > 0;
      const bool others_exclude = memory.exclusive[i] && !file.exclusive[i];
      if (others_exclude || ((flags & SQLITE_SHM_EXCLUSIVE) != 0 && others_share)) return SQLITE_BUSY;
    }
    const bool take = (flags & SQLITE_SHM_LOCK) != 0;
    for (std::size_t i = first; i < first + count; ++i) {
      if ((flags & SQLITE_SHM_EXCLUSIVE) != 0) {
        memory.exclusive[i] = file.exclusive[i] = take;
      } else if (std::exchange(file.shared[i], take) != take) {
        memory.shared[i] += take ? 1 : -1;
      }
    }
    return SQLITE_OK;
  }
  void unmap(File& file, bool remove) {
    if (!std::exchange(file.maps_memory, false)) return;
    SharedMemory& memory = shared_memory_[file.path];
    for (std::size_t i = 0; i < SQLITE_SHM_NLOCK; ++i) {
      memory.shared[i] -= std::exchange(file.shared[i], false) ? 1 : 0;
      if (std::exchange(file.exclusive[i], false)) memory.exclusive[i] = false;
    }
    if (--memory.users == 0 && remove) shared_memory_.erase(file.path);
  }

  static const sqlite3_io_methods& methods() {
    static const sqlite3_io_methods kMethods = [] {
      sqlite3_io_methods m{};
      m.iVersion = 2;
      m.xClose = [](sqlite3_file* f) { return of(f).disk->close(of(f)); };
      m.xRead = [](sqlite3_file* f, void* out, int size, sqlite3_int64 offset) {
        return of(f).disk->read(of(f), static_cast<char*>(out), static_cast<std::size_t>(size),
                                static_cast<std::size_t>(offset));
      };
      m.xWrite = [](sqlite3_file* f, const void* bytes, int size, sqlite3_int64 offset) {
        return of(f).disk->write(of(f), static_cast<const char*>(bytes), static_cast<std::size_t>(size), offset);
      };
      m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
        return of(f).disk->truncate(of(f), static_cast<std::uint64_t>(size));
      };
      m.xSync = [](sqlite3_file* f, int) { return of(f).disk->sync(of(f)); };
      m.xFileSize = [](sqlite3_file* f, sqlite3_int64* out) { return of(f).disk->size(of(f), out); };
      m.xLock = [](sqlite3_file* f, int level) { return of(f).disk->lock(of(f), level); };
      m.xUnlock = [](sqlite3_file* f, int level) { return of(f).disk->unlock(of(f), level); };
      m.xCheckReservedLock = [](sqlite3_file* f, int* out) { return of(f).disk->check_reserved(of(f), out); };
      m.xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; };
      m.xSectorSize = [](sqlite3_file*) { return 4096; };
      m.xDeviceCharacteristics = [](sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; };  // as the system's VFS
      m.xShmMap = [](sqlite3_file* f, int region, int size, int extend, void volatile** out) {
        return of(f).disk->map(of(f), static_cast<std::size_t>(region), static_cast<std::size_t>(size), extend != 0,
                               out);
      };
      m.xShmLock = [](sqlite3_file* f, int first, int count, int flags) {
        return of(f).disk->lock_memory(of(f), static_cast<std::size_t>(first), static_cast<std::size_t>(count), flags);
      };
      m.xShmBarrier = [](sqlite3_file* f) { const std::lock_guard lock(of(f).disk->mutex_); };
      m.xShmUnmap = [](sqlite3_file* f, int remove) {
        const std::lock_guard lock(of(f).disk->mutex_);
        of(f).disk->unmap(of(f), remove != 0);
        return SQLITE_OK;
      };
      return m;
    }();
    return kMethods;
  }

  const std::string name_;
  sqlite3_vfs vfs_{};
  sqlite3_vfs* system_ = nullptr;

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, std::shared_ptr<Inode>> names_;
  std::map<std::string, std::shared_ptr<Inode>> durable_names_;
  std::map<std::string, SharedMemory> shared_memory_;
  int open_files_ = 0;
  std::uint64_t changes_ = 0;
  bool off_ = false;
  bool lying_ = false;
  std::uint64_t full_in_ = kNever;
  std::uint64_t capacity_bytes_ = kNever;
  bool failed_a_read_ = false;
  std::uint64_t fail_read_in_ = kNever;
  std::uint64_t fail_write_in_ = kNever;
  std::uint64_t fail_sync_in_ = kNever;
  std::uint64_t power_off_in_ = kNever;
};

}  // namespace tandem::sqlite
