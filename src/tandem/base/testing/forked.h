// tandem/base/testing/forked.h - Forked: a second process, and the two pipes between it and the first one.
//
// Room: base, tests and benchmarks only. For what has to be measured apart: files, threads or memory of its own.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/base/assert.h"

namespace tandem {

/// Either end. Threads: one in each process.
class Forked {
 public:
  /// Forks: the calling process has no other threads. The new one runs `body` with its own end, and then is gone, with code 0 where
  /// that returns true; nothing of the first process is destroyed there.
  explicit Forked(const std::function<bool(Forked& parent)>& body) {
    std::array<int, 2> to{};
    std::array<int, 2> from{};
    TANDEM_ASSERT(pipe(to.data()) == 0 && pipe(from.data()) == 0);
    process_ = fork();
    TANDEM_ASSERT(process_ >= 0);
    const bool child = process_ == 0;
    in_ = child ? to[0] : from[0];
    out_ = child ? from[1] : to[1];
    close(child ? to[1] : from[1]);
    close(child ? from[0] : to[0]);
    if (child) _exit(body(*this) ? 0 : 1);
  }
  /// Says that there is no more to hear, and waits until the process is gone.
  ~Forked() {
    hush();
    close(in_);
    waitpid(process_, nullptr, 0);
  }
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;

  /// To one that has gone it ends the process (SIGPIPE).
  bool say(const void* bytes, std::size_t size) {
    return write(out_, bytes, size) == static_cast<ssize_t>(size);  // to a pipe: all of it, or nobody reads
  }
  bool say(std::string_view text) {
    const std::size_t size = text.size();
    return say(&size, sizeof size) && say(text.data(), size);
  }
  /// All of `size` bytes; false where they do not come any more.
  bool hear(void* bytes, std::size_t size) {
    auto* place = static_cast<char*>(bytes);
    while (size > 0) {
      const ssize_t some = read(in_, place, size);
      if (some <= 0) return false;
      place += some;
      size -= static_cast<std::size_t>(some);
    }
    return true;
  }
  /// A whole text; empty where none comes any more.
  std::string hear() {
    std::size_t size = 0;
    std::string out;
    if (hear(&size, sizeof size)) out.resize(size);
    if (!hear(out.data(), out.size())) out.clear();
    return out;
  }
  /// The other one hears the end.
  void hush() {
    if (out_ >= 0) close(std::exchange(out_, -1));
  }

 private:
  pid_t process_ = 0;
  int in_ = -1;
  int out_ = -1;
};

}  // namespace tandem
