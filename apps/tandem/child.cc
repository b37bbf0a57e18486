#include "child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tandem::app {
namespace {

/// Closes its descriptor.
struct Descriptor {
  int value = -1;
  Descriptor() = default;
  explicit Descriptor(int fd) : value(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void reset() {
    if (value >= 0) ::close(value);
    value = -1;
  }
};

tl::unexpected<Error> system_error(const char* what) {
  return fail(errors::kIoError, "{} failed: {}", what, std::strerror(errno));
}

/// The input as a file in memory: unlike a pipe it needs no second thread to fill it.
Result<void> fill(int fd, const std::string& input) {
  std::size_t written = 0;
  while (written < input.size()) {
    const ssize_t n = ::write(fd, input.data() + written, input.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("write");
    written += static_cast<std::size_t>(n);
  }
  if (::lseek(fd, 0, SEEK_SET) < 0) return system_error("lseek");
  return {};
}

/// Reads to the end.
void drain(int fd, std::string& out) {
  char buffer[1 << 16];
  while (true) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

}  // namespace

Result<ChildOutput> run_self(const std::vector<std::string>& arguments, const std::string& input) {
  Descriptor in(::memfd_create("tandem-input", MFD_CLOEXEC));
  if (in.value < 0) return system_error("memfd_create");
  TANDEM_TRY(fill(in.value, input));
  Descriptor err(::memfd_create("tandem-error", MFD_CLOEXEC));
  if (err.value < 0) return system_error("memfd_create");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("pipe");
  Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.value, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, write_end.value, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.value, STDERR_FILENO);
  std::vector<std::string> words = {"tandem"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  char path[] = "PATH=/usr/bin:/bin";
  char* environment[] = {path, nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), environment);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    errno = error;
    return system_error("posix_spawn");
  }
  write_end.reset();

  ChildOutput out;
  drain(read_end.value, out.standard_output);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return system_error("waitpid");
  out.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  out.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (::lseek(err.value, 0, SEEK_SET) < 0) return system_error("lseek");
  drain(err.value, out.standard_error);
  return out;
}

}  // namespace tandem::app
