#include "tandem/base/fs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/memory_fs.h"

namespace tandem {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

constexpr std::uint64_t kLimit = 1u << 20;

/// A folder of its own, removed afterwards.
class Folder {
 public:
  Folder() {
    std::string name = testing::TempDir() + "tandem-fs-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::string path_;
};

struct RealDisk {
  Folder folder;
  RealFs fs;
  std::string root() const { return folder / "root"; }
};
struct MemoryDisk {
  MemoryFs fs;
  std::string root() const { return "/root"; }
};

/// What every Fs promises.
template <typename Disk>
class FsContract : public testing::Test {
 protected:
  FsContract() { EXPECT_THAT(fs_.make_directories(disk_.root()), Succeeds()); }
  std::string path(const std::string& name) const { return disk_.root() + "/" + name; }

  Disk disk_;
  Fs& fs_ = disk_.fs;
};
using Disks = testing::Types<RealDisk, MemoryDisk>;
TYPED_TEST_SUITE(FsContract, Disks);

TYPED_TEST(FsContract, a_file_reads_back_as_written) {
  Bytes all;
  for (int i = 0; i < 100'000; ++i) all += static_cast<char>(i * 7);
  for (const Bytes& bytes : {Bytes(), Bytes("text"), all}) {
    ASSERT_THAT(this->fs_.write_file_atomic(this->path("f"), bytes), Succeeds());
    EXPECT_EQ(*this->fs_.read_file(this->path("f"), kLimit), bytes);
  }
}

TYPED_TEST(FsContract, a_file_written_in_pieces_appears_whole_and_reads_back_in_pieces) {
  ASSERT_THAT(this->fs_.write_file_atomic(this->path("f"), "old"), Succeeds());
  auto file = this->fs_.create(this->path("f")).value();
  ASSERT_THAT(file->write("one "), Succeeds());
  ASSERT_THAT(file->write("two"), Succeeds());
  EXPECT_EQ(*this->fs_.read_file(this->path("f"), kLimit), "old");
  ASSERT_THAT(file->publish(), Succeeds());
  EXPECT_EQ(*this->fs_.read_file(this->path("f"), kLimit), "one two");
  const auto reading = this->fs_.open_read(this->path("f")).value();
  std::array<char, 5> piece{};
  EXPECT_EQ(reading->read(piece).value(), 5u);
  EXPECT_EQ(std::string(piece.data(), 5), "one t");
  EXPECT_EQ(reading->read(piece).value(), 2u);
  EXPECT_EQ(reading->read(piece).value(), 0u);
  EXPECT_THAT(this->fs_.open_read(this->path("none")), FailsWith(errors::kFileNotFound));
  EXPECT_THAT(this->fs_.open_read(this->disk_.root()), FailsWith(errors::kIsADirectory));
}

TYPED_TEST(FsContract, a_file_that_was_not_completed_leaves_nothing) {
  ASSERT_THAT(this->fs_.create(this->path("f")).value()->write("half"), Succeeds());
  EXPECT_FALSE(this->fs_.exists(this->path("f")));
}

TYPED_TEST(FsContract, a_file_over_the_limit_is_refused) {
  ASSERT_THAT(this->fs_.write_file_atomic(this->path("f"), "12345"), Succeeds());
  EXPECT_EQ(*this->fs_.read_file(this->path("f"), 5), "12345");
  EXPECT_THAT(this->fs_.read_file(this->path("f"), 4), FailsWith(errors::kInputTooLarge));
}

TYPED_TEST(FsContract, what_is_not_there_is_not_found) {
  EXPECT_THAT(this->fs_.read_file(this->path("f"), kLimit), FailsWith(errors::kFileNotFound));
  EXPECT_THAT(this->fs_.remove_file(this->path("f")), FailsWith(errors::kFileNotFound));
  EXPECT_THAT(this->fs_.write_file_atomic(this->path("no/f"), "x"), FailsWith(errors::kFileNotFound));
  EXPECT_THAT(this->fs_.open_append(this->path("no/f")), FailsWith(errors::kFileNotFound));
  EXPECT_THAT(this->fs_.lock(this->path("no/f")), FailsWith(errors::kFileNotFound));
  EXPECT_FALSE(this->fs_.exists(this->path("f")));
}

TYPED_TEST(FsContract, a_directory_is_no_file_and_a_file_no_directory) {
  ASSERT_THAT(this->fs_.make_directories(this->path("a/b/c")), Succeeds());
  ASSERT_THAT(this->fs_.make_directories(this->path("a/b/c")), Succeeds());  // again is no error
  EXPECT_TRUE(this->fs_.exists(this->path("a/b")));
  EXPECT_THAT(this->fs_.read_file(this->path("a"), kLimit), FailsWith(errors::kIsADirectory));
  EXPECT_THAT(this->fs_.write_file_atomic(this->path("a"), "x"), FailsWith(errors::kIsADirectory));
  EXPECT_THAT(this->fs_.open_append(this->path("a")), FailsWith(errors::kIsADirectory));
  EXPECT_THAT(this->fs_.remove_file(this->path("a")), FailsWith(errors::kIsADirectory));
  ASSERT_THAT(this->fs_.write_file_atomic(this->path("f"), "x"), Succeeds());
  EXPECT_THAT(this->fs_.make_directories(this->path("f")), FailsWith(errors::kNotADirectory));
  EXPECT_THAT(this->fs_.make_directories(this->path("f/g")), FailsWith(errors::kNotADirectory));
  EXPECT_THAT(this->fs_.write_file_atomic(this->path("f/g"), "x"), FailsWith(errors::kNotADirectory));
}

TYPED_TEST(FsContract, a_removed_file_is_gone) {
  ASSERT_THAT(this->fs_.write_file_atomic(this->path("f"), "x"), Succeeds());
  EXPECT_TRUE(this->fs_.exists(this->path("f")));
  ASSERT_THAT(this->fs_.remove_file(this->path("f")), Succeeds());
  EXPECT_FALSE(this->fs_.exists(this->path("f")));
}

TYPED_TEST(FsContract, appends_follow_what_was_there) {
  for (const char* part : {"one\n", "two\n"}) {
    const auto file = this->fs_.open_append(this->path("log"));
    ASSERT_THAT(file, Succeeds());
    ASSERT_THAT((*file)->append_durable(part), Succeeds());
    ASSERT_THAT((*file)->append_durable("-\n"), Succeeds());
  }
  EXPECT_EQ(*this->fs_.read_file(this->path("log"), kLimit), "one\n-\ntwo\n-\n");
}

TYPED_TEST(FsContract, a_lock_has_one_holder_until_it_goes) {
  auto first = this->fs_.lock(this->path("lock"));
  ASSERT_THAT(first, Succeeds());
  const auto second = this->fs_.lock(this->path("lock"));
  ASSERT_THAT(second, FailsWith(errors::kLockHeld));
  EXPECT_THAT(second.error().message, MatchesRegex(".*lock' is held by process [0-9]+; .*"));
  EXPECT_THAT(this->fs_.lock(this->path("other")), Succeeds());
  first->reset();
  EXPECT_THAT(this->fs_.lock(this->path("lock")), Succeeds());
}

// ---- the real disk -------------------------------------------------------------------------------------------------

class RealFsTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_ / name; }
  mode_t mode_of(const std::string& name) const {
    struct stat status{};
    EXPECT_EQ(::stat(path(name).c_str(), &status), 0);
    return status.st_mode & 07777;
  }

  Folder folder_;
  RealFs fs_;
};

TEST_F(RealFsTest, a_file_of_two_gigabytes_is_refused_by_its_size_and_not_read) {
  std::ofstream(path("large")).put('x');
  ASSERT_EQ(::truncate(path("large").c_str(), 2ll << 30), 0);  // sparse: takes no space
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  const auto result = fs_.read_file(path("large"), 1u << 30);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  ASSERT_THAT(result, FailsWith(errors::kInputTooLarge));
  EXPECT_THAT(result.error().message, HasSubstr("has 2147483648 bytes, the limit is 1073741824"));
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10);  // kilobytes
}

TEST_F(RealFsTest, pipes_sockets_and_devices_are_refused_without_waiting) {
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string socket_path = path("socket");
  ASSERT_LT(socket_path.size(), sizeof address.sun_path);
  socket_path.copy(address.sun_path, socket_path.size());
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  for (const std::string& special : {path("fifo"), socket_path, std::string("/dev/null"), std::string("/dev/full")}) {
    EXPECT_THAT(fs_.read_file(special, kLimit), FailsWith(errors::kNotARegularFile)) << special;
    EXPECT_THAT(fs_.write_file_atomic(special, "x"), FailsWith(errors::kNotARegularFile)) << special;
    EXPECT_THAT(fs_.open_append(special), FailsWith(errors::kNotARegularFile)) << special;
    EXPECT_THAT(fs_.lock(special), FailsWith(errors::kNotARegularFile)) << special;
  }
  ::close(listener);
}

TEST_F(RealFsTest, files_that_do_not_know_their_size_are_read_to_the_end_and_held_to_the_limit) {
  const auto status = fs_.read_file("/proc/self/status", kLimit);
  ASSERT_THAT(status, Succeeds());
  EXPECT_THAT(*status, HasSubstr("Pid:"));
  EXPECT_THAT(fs_.read_file("/proc/self/status", 10), FailsWith(errors::kInputTooLarge));
}

TEST_F(RealFsTest, paths_that_name_nothing_are_not_found) {
  for (const std::string& bad : {std::string(), std::string(5000, 'x'), path("a") + std::string("\0b", 2)}) {
    EXPECT_THAT(fs_.read_file(bad, kLimit), FailsWith(errors::kFileNotFound));
    EXPECT_THAT(fs_.write_file_atomic(bad, "x"), FailsWith(errors::kFileNotFound));
  }
  ASSERT_EQ(::symlink("loop", path("loop").c_str()), 0);
  EXPECT_THAT(fs_.read_file(path("loop"), kLimit), FailsWith(errors::kFileNotFound));
}

/// File access as another user while it lives; for root, to whom everything is permitted.
class AsNobody {
 public:
  AsNobody() { ::setfsuid(65534); }
  ~AsNobody() { ::setfsuid(::geteuid()); }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
};

TEST_F(RealFsTest, a_write_names_the_path_it_was_given_and_not_its_temporary) {
  const auto written = fs_.write_file_atomic(folder_ / "none/x.json", "x");
  ASSERT_THAT(written, FailsWith(errors::kFileNotFound));
  EXPECT_THAT(written.error().message, HasSubstr("/none/x.json':"));
}

TEST_F(RealFsTest, too_many_open_files_are_called_that) {
  ASSERT_THAT(fs_.write_file_atomic(folder_ / "a", "x"), Succeeds());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto read = fs_.read_file(folder_ / "a", kLimit);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(read, FailsWith(errors::kTooManyOpenFiles));
}

TEST_F(RealFsTest, what_others_own_is_refused) {
  ASSERT_THAT(fs_.write_file_atomic(path("secret"), "x"), Succeeds());
  ASSERT_EQ(::chmod(path("secret").c_str(), 0), 0);
  ASSERT_EQ(::chmod(path("").c_str(), 0555), 0);
  {
    const AsNobody nobody;
    EXPECT_THAT(fs_.read_file(path("secret"), kLimit), FailsWith(errors::kFilePermissionDenied));
    EXPECT_THAT(fs_.write_file_atomic(path("new"), "x"), FailsWith(errors::kFilePermissionDenied));
    EXPECT_THAT(fs_.open_append(path("new")), FailsWith(errors::kFilePermissionDenied));
    EXPECT_THAT(fs_.lock(path("new")), FailsWith(errors::kFilePermissionDenied));
    EXPECT_THAT(fs_.make_directories(path("a/b")), FailsWith(errors::kFilePermissionDenied));
    EXPECT_THAT(fs_.remove_file(path("secret")), FailsWith(errors::kFilePermissionDenied));
  }
  ASSERT_EQ(::chmod(path("").c_str(), 0755), 0);
}

TEST_F(RealFsTest, writing_keeps_the_mode_of_the_file_and_the_link_to_it) {
  ASSERT_THAT(fs_.write_file_atomic(path("f"), "old"), Succeeds());
  ASSERT_EQ(::chmod(path("f").c_str(), 0640), 0);
  ASSERT_EQ(::symlink("f", path("link").c_str()), 0);
  ASSERT_THAT(fs_.write_file_atomic(path("link"), "new"), Succeeds());
  EXPECT_EQ(*fs_.read_file(path("f"), kLimit), "new");
  EXPECT_EQ(mode_of("f"), 0640u);
  EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
  EXPECT_EQ(folder_.entries(), 2u);  // no temporary is left
}

TEST_F(RealFsTest, what_it_creates_as_a_directory_is_the_users_own) {
  ASSERT_THAT(fs_.make_directories(path("a/b")), Succeeds());
  EXPECT_EQ(mode_of("a"), 0700u);
  EXPECT_EQ(mode_of("a/b"), 0700u);
}

TEST_F(RealFsTest, a_secret_that_others_may_read_is_refused) {
  ASSERT_THAT(fs_.write_file_atomic(path("key"), "s3cret"), Succeeds());
  for (const mode_t unsafe : {0644u, 0640u, 0604u, 0610u, 0602u}) {
    ASSERT_EQ(::chmod(path("key").c_str(), unsafe), 0);
    EXPECT_THAT(fs_.read_private_file(path("key"), kLimit), FailsWith(errors::kCredentialUnsafe)) << unsafe;
  }
  for (const mode_t safe : {0400u, 0600u}) {
    ASSERT_EQ(::chmod(path("key").c_str(), safe), 0);
    EXPECT_EQ(*fs_.read_private_file(path("key"), kLimit), "s3cret");
  }
}

/// No file of this process may grow beyond `bytes` while it lives: a disk that fills up.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*old_handler_)(int) = nullptr;
};

TEST_F(RealFsTest, a_write_that_finds_no_space_leaves_the_old_file_and_nothing_else) {
  ASSERT_THAT(fs_.write_file_atomic(path("f"), "old"), Succeeds());
  EXPECT_THAT(fs_.create(path("unfinished")).value()->write("half"), Succeeds());
  {
    const FileSizeLimit full(4096);
    EXPECT_THAT(fs_.write_file_atomic(path("f"), Bytes(10'000, 'x')), FailsWith(errors::kDiskFull));
  }
  EXPECT_EQ(*fs_.read_file(path("f"), kLimit), "old");
  EXPECT_EQ(folder_.entries(), 1u);
}

TEST_F(RealFsTest, an_append_that_finds_no_space_is_cut_off_and_nothing_follows_it) {
  const auto file = fs_.open_append(path("log"));
  ASSERT_THAT((*file)->append_durable("first\n"), Succeeds());
  {
    const FileSizeLimit full(4096);
    EXPECT_THAT((*file)->append_durable(Bytes(10'000, 'x')), FailsWith(errors::kDiskFull));
  }
  EXPECT_THAT((*file)->append_durable("second\n"), FailsWith(errors::kIoError));
  EXPECT_EQ(*fs_.read_file(path("log"), kLimit), "first\n");
}

TEST_F(RealFsTest, a_lock_goes_with_the_process_that_held_it) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held = fs_.lock(path("lock"));
    const char ok = held ? 'y' : 'n';
    [[maybe_unused]] const auto told = ::write(ready[1], &ok, 1);
    ::pause();  // until killed
    ::_exit(0);
  }
  char ok = 0;
  ASSERT_EQ(::read(ready[0], &ok, 1), 1);
  ASSERT_EQ(ok, 'y');
  const auto refused = fs_.lock(path("lock"));
  ASSERT_THAT(refused, FailsWith(errors::kLockHeld));
  EXPECT_THAT(refused.error().message, HasSubstr("held by process " + std::to_string(child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_THAT(fs_.lock(path("lock")), Succeeds());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(RealFsTest, threads_that_write_one_file_leave_one_of_their_versions) {
  std::vector<std::thread> writers;
  for (char name = 'a'; name <= 'd'; ++name) {
    writers.emplace_back([this, name] {
      for (int i = 0; i < 20; ++i) EXPECT_THAT(fs_.write_file_atomic(path("f"), Bytes(10'000, name)), Succeeds());
    });
  }
  for (std::thread& writer : writers) writer.join();
  const Bytes last = *fs_.read_file(path("f"), kLimit);
  EXPECT_EQ(last, Bytes(10'000, last.front()));
  EXPECT_EQ(folder_.entries(), 1u);
}

TEST_F(RealFsTest, a_dash_is_standard_input) {
  int input[2];
  ASSERT_EQ(::pipe(input), 0);
  ASSERT_EQ(::write(input[1], "from a pipe", 11), 11);
  ::close(input[1]);
  const int saved = ::dup(STDIN_FILENO);
  ASSERT_EQ(::dup2(input[0], STDIN_FILENO), STDIN_FILENO);
  EXPECT_EQ(*fs_.read_file("-", kLimit), "from a pipe");
  ::dup2(saved, STDIN_FILENO);
  ::close(saved);
  ::close(input[0]);
}

// ---- the disk in memory --------------------------------------------------------------------------------------------

TEST(MemoryFs, a_planted_full_disk_refuses_whole_writes_until_there_is_space) {
  MemoryFs fs;
  const auto log = *fs.open_append("/log");
  fs.fill_disk_after(10);
  EXPECT_THAT(fs.write_file_atomic("/f", "123456"), Succeeds());
  EXPECT_THAT(fs.write_file_atomic("/g", "12345"), FailsWith(errors::kDiskFull));
  EXPECT_FALSE(fs.exists("/g"));
  EXPECT_THAT(log->append_durable("12345"), FailsWith(errors::kDiskFull));
  fs.free_disk();
  EXPECT_THAT(fs.write_file_atomic("/g", "12345"), Succeeds());
  EXPECT_THAT(log->append_durable("1"), FailsWith(errors::kIoError));  // nothing more after an error
}

TEST(MemoryFs, planted_read_and_sync_faults_are_io_errors) {
  MemoryFs fs;
  fs.put_file("/f", "x");
  const auto log = *fs.open_append("/log");
  fs.set_fault(MemoryFs::Fault::kRead);
  EXPECT_THAT(fs.read_file("/f", kLimit), FailsWith(errors::kIoError));
  fs.set_fault(MemoryFs::Fault::kSync);
  EXPECT_EQ(*fs.read_file("/f", kLimit), "x");
  EXPECT_THAT(fs.write_file_atomic("/f", "y"), FailsWith(errors::kIoError));
  EXPECT_EQ(*fs.read_file("/f", kLimit), "x");
  EXPECT_THAT(log->append_durable("1"), FailsWith(errors::kIoError));
  fs.set_fault(MemoryFs::Fault::kNone);
  EXPECT_THAT(log->append_durable("1"), FailsWith(errors::kIoError));
}

TEST(MemoryFs, a_dash_is_the_standard_input_it_was_given_and_another_process_may_hold_a_lock) {
  MemoryFs fs;
  fs.set_standard_input("typed");
  EXPECT_EQ(*fs.read_file("-", kLimit), "typed");
  fs.hold_lock("/lock");
  EXPECT_THAT(fs.lock("/lock"), FailsWith(errors::kLockHeld));
}

}  // namespace
}  // namespace tandem
