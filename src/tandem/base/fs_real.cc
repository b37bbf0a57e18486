#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include "tandem/base/fs.h"
#include "tandem/base/text.h"

namespace tandem {
namespace {

constexpr mode_t kDirectoryMode = 0700;       // XDG base directory specification: what we create is the user's own
constexpr mode_t kFileMode = 0666;            // less the umask
constexpr mode_t kPermissionBits = 07777;
constexpr std::size_t kReadStep = 4096;  ///< at first where the size is not known, as of /proc; twice as much each time
constexpr std::size_t kPidDigitsMax = 16;

/// A file descriptor, closed when it goes.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  /// Closes now, for the error that a delayed write may report.
  int close() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

/// The error for `code` while `verb`-ing `path`.
tl::unexpected<Error> system_error(int code, std::string_view verb, const std::string& path) {
  const std::string reason = std::system_category().message(code);
  switch (code) {
    case ENOENT:
    case ENAMETOOLONG:
    case ELOOP:
      return fail(errors::kFileNotFound, "cannot {} {}: {}; check the path", verb, quote(path), reason);
    case EBADF:
      return fail(errors::kFileNotFound, "cannot {} {}: it is closed; name a file, or pipe the data in", verb,
                  quote(path));
    case ENOTDIR:
      return fail(errors::kNotADirectory, "cannot {} {}: a part of the path is a file, not a directory; check the path",
                  verb, quote(path));
    case EACCES:
    case EPERM:
    case EROFS:
      return fail(errors::kFilePermissionDenied, "cannot {} {}: {}; change its owner or mode, or choose another path",
                  verb, quote(path), reason);
    case EISDIR:
      return fail(errors::kIsADirectory, "cannot {} {}: it is a directory; name a file in it", verb, quote(path));
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return fail(errors::kDiskFull, "cannot {} {}: {}; free some space and try again", verb, quote(path), reason);
    case EMFILE:
    case ENFILE:
      return fail(errors::kTooManyOpenFiles, "cannot {} {}: {}; raise the limit (ulimit -n) or close some connections",
                  verb, quote(path), reason);
    case ENOMEM:
      return fail(errors::kOutOfMemory, "cannot {} {}: {}; free some memory and try again", verb, quote(path), reason);
    default:
      return fail(errors::kIoError, "cannot {} {}: {}; check the disk", verb, quote(path), reason);
  }
}

template <typename Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

/// Opens `path`. Messages name `shown`, which the caller knows.
Result<Descriptor> open_file(const std::string& path, int flags, std::string_view verb, const std::string& shown) {
  // The system would read the name only up to the zero byte: another file.
  if (path.find('\0') != std::string::npos)
    return fail(errors::kFileNotFound, "cannot {} {}: a path has no zero byte", verb, quote(shown));
  Descriptor file(retried([&] { return ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, kFileMode); }));
  if (!file.open()) {
    // ENXIO: a socket, or a pipe that nobody reads.
    if (errno == ENXIO)
      return fail(errors::kNotARegularFile, "cannot {} {}: it is a pipe, socket or device; name a regular file", verb,
                  quote(shown));
    return system_error(errno, verb, shown);
  }
  return file;
}

Result<Descriptor> open_file(const std::string& path, int flags, std::string_view verb) {
  return open_file(path, flags, verb, path);
}

Result<struct stat> status_of_regular(const Descriptor& file, std::string_view verb, const std::string& path) {
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return system_error(errno, verb, path);
  if (S_ISDIR(status.st_mode)) return system_error(EISDIR, verb, path);
  if (!S_ISREG(status.st_mode)) {
    return fail(errors::kNotARegularFile, "cannot {} {}: it is a pipe, socket or device; name a regular file", verb,
                quote(path));
  }
  return status;
}

tl::unexpected<Error> too_large(const std::string& path, std::uint64_t size, std::uint64_t limit) {
  return fail(errors::kInputTooLarge, "{} has {} bytes, the limit is {}; split it or raise the limit", quote(path),
              size, limit);
}

/// Reads to the end, at most `limit` bytes. `expected` is the size the file claims.
Result<Bytes> read_all(const Descriptor& file, const std::string& path, std::uint64_t expected, std::uint64_t limit) {
  Bytes bytes;
  std::size_t filled = 0;
  try {
    while (true) {
      // One byte more than expected: its absence is the end of the file.
      if (filled == bytes.size())
        bytes.resize(filled == 0 && expected > 0 ? expected + 1 : std::max(kReadStep, filled * 2));
      const ssize_t got = retried([&] { return ::read(file.get(), bytes.data() + filled, bytes.size() - filled); });
      if (got < 0) return system_error(errno, "read", path);
      filled += static_cast<std::size_t>(got);
      if (filled > limit)
        return fail(errors::kInputTooLarge, "{} has more than the limit of {} bytes; split it or raise the limit",
                    quote(path), limit);
      if (got == 0) break;
    }
  } catch (const std::bad_alloc&) {
    return system_error(ENOMEM, "read", path);
  }
  bytes.resize(filled);
  return bytes;
}

Result<Bytes> read_opened(const Descriptor& file, const std::string& path, const struct stat& status,
                          std::uint64_t limit) {
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > limit) return too_large(path, size, limit);
  return read_all(file, path, size, limit);
}

/// O_NONBLOCK, so that opening a pipe returns instead of waiting for a writer; regular files ignore it.
Result<Descriptor> open_to_read(const std::string& path) { return open_file(path, O_RDONLY | O_NONBLOCK, "read"); }

/// Returns 0 or the errno.
int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = retried([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Makes a new name durable.
Result<void> sync_directory(const std::string& path) {
  TANDEM_TRY_ASSIGN(const Descriptor directory, open_file(path, O_RDONLY | O_DIRECTORY, "sync"));
  // Some file systems (network, FUSE) have no sync of directories and say EINVAL; there is nothing better to do there.
  if (::fsync(directory.get()) != 0 && errno != EINVAL) return system_error(errno, "sync", path);
  return {};
}

class RealAppendFile final : public AppendFile {
 public:
  RealAppendFile(Descriptor file, std::string path, std::uint64_t size)
      : file_(std::move(file)), path_(std::move(path)), size_(size) {}

  Result<void> append_durable(std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    if (failed_)
      return fail(errors::kIoError, "{} takes no more bytes after an error; restart when the disk is well",
                  quote(path_));
    if (const int code = write_all(file_.get(), bytes); code != 0) {
      failed_ = true;
      // Nothing half-written: what is there of the entry is cut off again. Should that fail too, the error below stands for both.
      [[maybe_unused]] const int cut = ::ftruncate(file_.get(), static_cast<off_t>(size_));
      return system_error(code, "write", path_);
    }
    // After a failed sync the kernel may have dropped the pages, so a second try could succeed and lie.
    if (::fdatasync(file_.get()) != 0) {
      failed_ = true;
      return system_error(errno, "sync", path_);
    }
    size_ += bytes.size();
    return {};
  }

 private:
  std::mutex mutex_;
  Descriptor file_;
  std::string path_;
  std::uint64_t size_;
  bool failed_ = false;
};

class RealFileLock final : public FileLock {
 public:
  explicit RealFileLock(Descriptor file) : file_(std::move(file)) {}
  ~RealFileLock() override {
    // The file stays: to remove it would let two processes lock two files of one name.
    [[maybe_unused]] const int emptied = ::ftruncate(file_.get(), 0);
  }

 private:
  Descriptor file_;
};

/// Where a link leads, so that writing replaces the file and not the link.
std::string resolved(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return path;
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? std::string(real.get()) : path;
}

class RealNewFile final : public NewFile {
 public:
  /// `path` as the caller named it, for messages.
  RealNewFile(Descriptor file, std::string temporary, std::string target, std::string path)
      : file_(std::move(file)), temporary_(std::move(temporary)), target_(std::move(target)), path_(std::move(path)) {}
  ~RealNewFile() override {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  Result<void> write(std::string_view bytes) override {
    if (const int code = write_all(file_.get(), bytes); code != 0) return system_error(code, "write", path_);
    return {};
  }
  Result<void> publish() override {
    if (::fsync(file_.get()) != 0) return system_error(errno, "sync", path_);
    if (file_.close() != 0) return system_error(errno, "write", path_);
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) return system_error(errno, "write", path_);
    temporary_.clear();
    return sync_directory(parent_of(target_));
  }

 private:
  Descriptor file_;
  std::string temporary_;  // empty once it has its name
  const std::string target_;
  const std::string path_;
};

class RealReadFile final : public ReadFile {
 public:
  RealReadFile(Descriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  Result<std::size_t> read(std::span<char> into) override {
    std::size_t filled = 0;
    while (filled < into.size()) {
      const ssize_t got = retried([&] { return ::read(file_.get(), into.data() + filled, into.size() - filled); });
      if (got < 0) return system_error(errno, "read", path_);
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  }

 private:
  Descriptor file_;
  const std::string path_;
};

}  // namespace

void hold_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number is this one. Without /dev/null there is nothing better to do.
    [[maybe_unused]] const int held = ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

Result<Bytes> RealFs::read_file(const std::string& path, std::uint64_t limit) {
  if (path == "-") {
    const Descriptor input(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!input.open()) return system_error(errno, "read", "standard input");
    return read_all(input, "standard input", 0, limit);
  }
  TANDEM_TRY_ASSIGN(const Descriptor file, open_to_read(path));
  TANDEM_TRY_ASSIGN(const struct stat status, status_of_regular(file, "read", path));
  return read_opened(file, path, status, limit);
}

Result<Bytes> RealFs::read_private_file(const std::string& path, std::uint64_t limit) {
  TANDEM_TRY_ASSIGN(const Descriptor file, open_to_read(path));
  TANDEM_TRY_ASSIGN(const struct stat status, status_of_regular(file, "read", path));
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fail(errors::kCredentialUnsafe, "{} has mode {:04o}, so others may read it; run chmod 0400 on it",
                quote(path), status.st_mode & kPermissionBits);
  }
  return read_opened(file, path, status, limit);
}

Result<void> RealFs::write_file_atomic(const std::string& path, std::string_view bytes) {
  TANDEM_TRY_ASSIGN(const std::unique_ptr<NewFile> file, create(path));
  TANDEM_TRY(file->write(bytes));
  return file->publish();
}

Result<std::unique_ptr<NewFile>> RealFs::create(const std::string& path) {
  const std::string target = resolved(path);
  std::optional<mode_t> mode;
  struct stat status{};
  if (::stat(target.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return system_error(EISDIR, "write", path);
    // Renaming over /dev/stdout or a pipe would replace it for everybody.
    if (!S_ISREG(status.st_mode)) {
      return fail(errors::kNotARegularFile, "cannot write {}: it is a pipe, socket or device; name a regular file",
                  quote(path));
    }
    mode = status.st_mode & kPermissionBits;
  }
  // Unique as long as a thread writes a file at a time. A left-over of a crashed process may be replaced.
  const std::string temporary = fmt::format("{}.tmp.{}.{}", target, ::getpid(), ::gettid());
  ::unlink(temporary.c_str());
  TANDEM_TRY_ASSIGN(Descriptor file, open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, "write", path));
  const int descriptor = file.get();
  auto out = std::make_unique<RealNewFile>(std::move(file), temporary, target, path);
  if (mode && ::fchmod(descriptor, *mode) != 0) return system_error(errno, "write", path);
  return out;
}

Result<std::unique_ptr<ReadFile>> RealFs::open_read(const std::string& path) {
  TANDEM_TRY_ASSIGN(Descriptor file, open_to_read(path));
  TANDEM_TRY(status_of_regular(file, "read", path));
  return std::make_unique<RealReadFile>(std::move(file), path);
}

Result<std::unique_ptr<AppendFile>> RealFs::open_append(const std::string& path) {
  TANDEM_TRY_ASSIGN(Descriptor file, open_file(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, "write"));
  TANDEM_TRY_ASSIGN(const struct stat status, status_of_regular(file, "write", path));
  TANDEM_TRY(sync_directory(parent_of(path)));
  return std::make_unique<RealAppendFile>(std::move(file), path, static_cast<std::uint64_t>(status.st_size));
}

Result<void> RealFs::make_directories(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), kDirectoryMode) == 0) {
      TANDEM_TRY(sync_directory(parent_of(part)));
    } else {
      struct stat status{};
      const int code = errno;
      if (::stat(part.c_str(), &status) != 0) return system_error(code, "create the directory", path);
      if (!S_ISDIR(status.st_mode)) return system_error(ENOTDIR, "create the directory", path);
    }
    if (end == std::string::npos) return {};
  }
}

bool RealFs::exists(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0;
}

Result<void> RealFs::remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return system_error(errno, "remove", path);
  return {};
}

Result<std::unique_ptr<FileLock>> RealFs::lock(const std::string& path) {
  TANDEM_TRY_ASSIGN(Descriptor file, open_file(path, O_RDWR | O_CREAT | O_NONBLOCK, "lock"));
  TANDEM_TRY(status_of_regular(file, "lock", path));
  if (retried([&] { return ::flock(file.get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno != EWOULDBLOCK) return system_error(errno, "lock", path);
    std::array<char, kPidDigitsMax> holder{};
    const ssize_t got = retried([&] { return ::pread(file.get(), holder.data(), holder.size(), 0); });
    const std::string_view pid = trim({holder.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))});
    return fail(errors::kLockHeld, "{} is held by process {}; talk to it, stop it, or use another directory",
                quote(path), pid.empty() ? "unknown" : pid);
  }
  // The pid is for people; the lock itself is the kernel's and goes with the process.
  if (::ftruncate(file.get(), 0) != 0) return system_error(errno, "lock", path);
  if (const int code = write_all(file.get(), fmt::format("{}\n", ::getpid())); code != 0)
    return system_error(code, "lock", path);
  return std::make_unique<RealFileLock>(std::move(file));
}

}  // namespace tandem
