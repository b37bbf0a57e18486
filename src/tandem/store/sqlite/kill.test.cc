// kill -9 of a process that commits: the next process finds every acknowledged batch, whole. TANDEM_KILLS sets the
// number of kills.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "tandem/base/rng.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/store/sqlite/connection.h"
#include "tandem/store/sqlite/sqlite_store.h"
#include "tandem/store/testing/ledger.h"
#include "tandem/store/testing/temp_folder.h"

namespace tandem::sqlite {
namespace {

using store::Ledger;

const SqliteOptions kOptions{.checkpoint_bytes = 128 << 10, .vfs = {}};  // several checkpoints a life
constexpr int kThreads = 6;

/// Commits for ever, one batch a thread at a time, and tells each acknowledged number through `pipe`.
[[noreturn]] void commit_until_killed(const std::string& path, int first, int pipe) {
  ThreadExecutor executor(1);
  SystemClock clock;
  NullMeter meter;
  const auto store = SqliteStore::open(path, kOptions, executor, clock, meter);
  if (!store) _exit(2);
  std::atomic<int> next = first;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      while (true) {
        const int number = next++;
        if (!(*store)->commit_and_wait(Ledger::batch(number))) _exit(3);
        if (write(pipe, &number, sizeof number) != sizeof number) _exit(4);  // at once or not at all: below PIPE_BUF
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  _exit(5);
}

TEST(Kill, loses_nothing_acknowledged_and_leaves_nothing_in_part) {
  const char* chosen = std::getenv("TANDEM_KILLS");
  const int kills = chosen != nullptr ? std::max(1, std::atoi(chosen)) : 50;
  const store::TempFolder folder;
  const std::string path = folder / "store.db";
  Xoshiro256 generator(5);
  Ledger ledger;
  int next = 0;
  for (int kill_number = 0; kill_number < kills; ++kill_number) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();  // this process has no other thread now
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(pipe_ends[0]);
      commit_until_killed(path, next, pipe_ends[1]);
    }
    close(pipe_ends[1]);
    // After so many acknowledgements; 0: while it opens the store.
    std::uint64_t until = generator.below(8) == 0 ? 0 : generator.below(120);
    int highest = next - 1;
    const auto take_one = [&] {
      int number = 0;
      if (read(pipe_ends[0], &number, sizeof number) != sizeof number) return false;
      highest = std::max(highest, number);
      ledger.acknowledge(number);
      return true;
    };
    while (until > 0 && take_one()) --until;
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child ended by itself: " << status;
    while (take_one()) {
    }
    close(pipe_ends[0]);
    // Numbers are given in order and each thread has one in flight.
    for (int number = next; number <= highest + kThreads; ++number) ledger.hand_in(number);
    next = highest + kThreads + 1;

    ThreadExecutor executor(1);
    SystemClock clock;
    NullMeter meter;
    const auto store = SqliteStore::open(path, kOptions, executor, clock, meter);
    ASSERT_THAT(store, Succeeds()) << "kill " << kill_number;
    ASSERT_EQ(ledger.compare(**store), "") << "kill " << kill_number;
  }
  EXPECT_GT(ledger.num_present(), static_cast<std::size_t>(kills) * 20);
  EXPECT_EQ(Connection::open(path, "", Access::kReader).value()->text("PRAGMA integrity_check").value(), "ok");
}

}  // namespace
}  // namespace tandem::sqlite
