#include "tandem/base/machine_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/memory_fs.h"

namespace tandem {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

/// A machine that says what the test wants.
struct Machine {
  MemoryFs fs;

  void memory(std::uint64_t total, std::uint64_t available) {
    fs.put_file("/proc/meminfo", fmt::format("MemTotal:       {} kB\nMemFree:   17 kB\nMemAvailable:   {} kB\n",
                                             total / 1024, available / 1024));
  }
  /// Of this process.
  void own(std::uint64_t bytes) {
    fs.put_file("/proc/self/status",
                fmt::format("Name:\tx\nVmRSS:\t 77 kB\nRssAnon:\t   {} kB\nThreads:\t1\n", bytes / 1024));
  }
  void groups(const std::string& text) { fs.put_file("/proc/self/cgroup", text); }
  void v2(const std::string& path, const std::string& max, std::uint64_t current, std::uint64_t inactive) {
    fs.put_file(path + "/memory.max", max + "\n");
    fs.put_file(path + "/memory.current", fmt::format("{}\n", current));
    fs.put_file(path + "/memory.stat", fmt::format("anon 5\ninactive_anon 6\ninactive_file {}\nslab 7\n", inactive));
  }
};

struct Case {
  std::string name;
  std::function<void(Machine&)> plant;
  std::uint64_t total;
  std::uint64_t available;
};

TEST(MachineMemory, the_least_of_machine_and_control_groups_counts) {
  const std::vector<Case> cases{
      {"nothing can be read", [](Machine&) {}, 4 * kGiB, 4 * kGiB},
      {"no control groups", [](Machine& m) { m.memory(24 * kGiB, 20 * kGiB); }, 24 * kGiB, 20 * kGiB},
      {"a kernel that gives no estimate", [](Machine& m) { m.fs.put_file("/proc/meminfo", "MemTotal: 2048 kB\n"); },
       2 * kMiB, 2 * kMiB},
      {"version 2, a container that sees its own root",
       [](Machine& m) {
         m.memory(24 * kGiB, 20 * kGiB);
         m.groups("0::/\n");
         m.v2("/sys/fs/cgroup", "8589934592", 5 * kGiB, 2 * kGiB);  // 2 of the 5 GiB can be dropped
       },
       8 * kGiB, 5 * kGiB},
      {"version 2, the limit stands above the group",
       [](Machine& m) {
         m.memory(24 * kGiB, 20 * kGiB);
         m.groups("0::/a/b\n");
         m.v2("/sys/fs/cgroup/a/b", "max", 1 * kGiB, 0);
         m.v2("/sys/fs/cgroup/a", "3221225472", 1 * kGiB, 0);
       },
       3 * kGiB, 2 * kGiB},
      {"version 2, more in use than the new limit",
       [](Machine& m) {
         m.memory(24 * kGiB, 20 * kGiB);
         m.groups("0::/\n");
         m.v2("/sys/fs/cgroup", "1073741824", 2 * kGiB, 0);
       },
       kGiB, 0},
      {"version 2, a path of outside that is not there",
       [](Machine& m) {
         m.memory(24 * kGiB, 20 * kGiB);
         m.groups("0::/kubepods/pod7\n");
         m.v2("/sys/fs/cgroup", "2147483648", kGiB, 0);
       },
       2 * kGiB, kGiB},
      {"version 1",
       [](Machine& m) {
         m.memory(24 * kGiB, 20 * kGiB);
         m.groups("5:cpu,cpuacct:/x\n4:memory:/x\n0::/\n");
         m.fs.put_file("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "4294967296\n");
         m.fs.put_file("/sys/fs/cgroup/memory/x/memory.usage_in_bytes", "3221225472\n");
         m.fs.put_file("/sys/fs/cgroup/memory/x/memory.stat", "inactive_file 1\ntotal_inactive_file 1073741824\n");
         m.fs.put_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
       },
       4 * kGiB, 2 * kGiB},
      {"lines that say nothing",
       [](Machine& m) {
         m.memory(24 * kGiB, 20 * kGiB);
         m.groups("\nnonsense\n4:memory\n0::\n");
       },
       24 * kGiB, 20 * kGiB},
      {"the kernel counts the machine more strictly than the group",
       [](Machine& m) {
         m.memory(24 * kGiB, kGiB);
         m.groups("0::/\n");
         m.v2("/sys/fs/cgroup", "8589934592", 2 * kGiB, 0);
       },
       8 * kGiB, kGiB},
  };
  for (const Case& c : cases) {
    Machine machine;
    c.plant(machine);
    const MemoryReading reading = read_memory(machine.fs);
    EXPECT_EQ(reading.total, c.total) << c.name;
    EXPECT_EQ(reading.available, c.available) << c.name;
  }
}

TEST(MachineMemory, this_machine_says_something_sensible) {
  RealFs fs;
  const auto own = read_own_memory(fs);
  ASSERT_TRUE(own.has_value());
  EXPECT_GT(*own, kMiB / 4);
  EXPECT_LT(*own, read_memory(fs).total);
  const MemoryReading reading = read_memory(fs);
  EXPECT_GT(reading.total, 100 * kMiB);
  EXPECT_LE(reading.available, reading.total);
}

class MachineMemoryTest : public testing::Test {
 protected:
  MachineMemoryTest() { machine_.memory(16 * kGiB, 8 * kGiB); }
  /// What is said at once: 1002 where it would have to be waited for.
  static Result<MachineMemory::Reservation> at_once(MachineMemory& memory, std::uint64_t bytes) {
    std::stop_source stop;
    return memory.reserve(bytes, "x", stop.get_token(), [&](const std::function<void()>& wait) {
      stop.request_stop();
      wait();
    });
  }
  /// A step on a thread of its own, from when it waits, or is answered, on.
  class Step {
   public:
    Step(Executor& executor, MachineMemory& memory, std::uint64_t bytes)
        : loop_(executor.start_loop("step", [this, &memory, bytes](std::stop_token stop) {
            const auto got = memory.reserve(bytes, "step", stop, [this](const std::function<void()>& wait) {
              seen();
              wait();
            });
            came_.set_value(got ? ErrorNumber{} : got.error().number);
            seen();
          })) {
      seen_.get_future().wait();
    }
    /// Its error, or none.
    ErrorNumber came() { return came_.get_future().get(); }

   private:
    void seen() {
      if (!told_.exchange(true)) seen_.set_value();
    }
    std::atomic<bool> told_ = false;
    std::promise<void> seen_;
    std::promise<ErrorNumber> came_;
    std::unique_ptr<Timer> loop_;
  };

  Machine machine_;
  ThreadExecutor executor_{3};
};

TEST_F(MachineMemoryTest, three_quarters_of_what_is_available_are_given_and_a_byte_more_is_refused_with_both_figures) {
  MachineMemory memory(machine_.fs, executor_, 0);
  EXPECT_EQ(memory.room(), 6 * kGiB);
  EXPECT_THAT(memory.reserve(6 * kGiB, "a state"), Succeeds());
  const auto refused = memory.reserve(6 * kGiB + 1, "a state vector of 30 qubits");
  ASSERT_THAT(refused, FailsWith(errors::kOutOfMemory));
  EXPECT_EQ(
      refused.error().message,
      "a state vector of 30 qubits needs 6442450945 bytes and 6442450944 are available beside 0 of running steps; "
      "use a smaller problem, end other programs, or raise compute.memory_bytes_max if the machine has more");
}

TEST_F(MachineMemoryTest, a_limit_of_the_settings_holds_and_never_promises_what_is_not_there) {
  MachineMemory small(machine_.fs, executor_, 2 * kGiB);
  EXPECT_EQ(small.room(), 2 * kGiB);
  EXPECT_THAT(small.reserve(2 * kGiB + 1, "x"), FailsWith(errors::kOutOfMemory));
  MachineMemory large(machine_.fs, executor_, 100 * kGiB);
  EXPECT_EQ(large.room(), 8 * kGiB);
  EXPECT_THAT(large.reserve(8 * kGiB, "x"), Succeeds());
  EXPECT_THAT(large.reserve(8 * kGiB + 1, "x"), FailsWith(errors::kOutOfMemory));
}

TEST_F(MachineMemoryTest, running_steps_share_and_give_back) {
  MachineMemory memory(machine_.fs, executor_, 0);
  {
    const auto first = memory.reserve(4 * kGiB, "first");
    ASSERT_THAT(first, Succeeds());
    EXPECT_EQ(memory.room(), 2 * kGiB);
    // It has touched all of it: what is available fell, and the second bound holds, 3/4 of 2 GiB.
    machine_.memory(16 * kGiB, 2 * kGiB);
    EXPECT_EQ(memory.room(), kGiB + kGiB / 2);
    // Somebody else ended: the running steps keep to what was there when the first began.
    machine_.memory(16 * kGiB, 15 * kGiB);
    EXPECT_EQ(memory.room(), 2 * kGiB);
  }
  EXPECT_EQ(memory.room(), 15 * kGiB / 4 * 3);
}

TEST_F(MachineMemoryTest, small_needs_pass_whatever_the_machine_says) {
  machine_.memory(16 * kGiB, 0);
  MachineMemory memory(machine_.fs, executor_, 0);
  EXPECT_THAT(memory.reserve(MachineMemory::kSmallBytes - 1, "small"), Succeeds());
  EXPECT_THAT(memory.reserve(MachineMemory::kSmallBytes, "large"), FailsWith(errors::kOutOfMemory));
}

/// What is reserved and not touched yet is available: it counts once. What is touched is not, and comes back.
TEST_F(MachineMemoryTest, what_is_available_and_what_is_reserved_are_not_counted_twice) {
  MachineMemory memory(machine_.fs, executor_, 0);
  machine_.own(kMiB);
  const auto first = memory.reserve(4 * kGiB, "first");
  ASSERT_THAT(first, Succeeds());
  // 8 are there in all, and nobody gets more than 6 of them; a MiB is the process's own.
  EXPECT_THAT(at_once(memory, 6 * kGiB + kMiB), FailsWith(errors::kOutOfMemory));
  machine_.memory(16 * kGiB, 4 * kGiB);
  machine_.own(4 * kGiB);
  EXPECT_THAT(at_once(memory, 6 * kGiB + 1), FailsWith(errors::kOutOfMemory));
  EXPECT_THAT(at_once(memory, 6 * kGiB), FailsWith(errors::kCancelled));
}

/// Steps that reserve nothing have trees that grew: what they have comes back, and until then nobody is told that it never will.
TEST_F(MachineMemoryTest, who_fits_without_the_small_steps_waits_for_those_that_began_before_it) {
  MachineMemory memory(machine_.fs, executor_, 0);
  auto tree = std::make_optional(*memory.reserve(kMiB, "a small search"));
  machine_.memory(16 * kGiB, 2 * kGiB);  // it took six
  machine_.own(6 * kGiB);
  EXPECT_THAT(at_once(memory, 6 * kGiB + 1), FailsWith(errors::kOutOfMemory));
  Step large(executor_, memory, 5 * kGiB);
  const auto later = memory.reserve(kMiB, "a small search that began later");  // which holds up nobody
  ASSERT_THAT(later, Succeeds());
  machine_.memory(16 * kGiB, 8 * kGiB);
  machine_.own(0);
  tree.reset();
  EXPECT_EQ(large.came(), ErrorNumber{});
}

/// Its memory is somebody else's by then, or never was theirs: it is refused once they have ended, and not kept for ever.
TEST_F(MachineMemoryTest, who_does_not_fit_when_the_small_steps_have_ended_is_refused) {
  MachineMemory memory(machine_.fs, executor_, 0);
  auto tree = std::make_optional(*memory.reserve(kMiB, "a small search"));
  machine_.memory(16 * kGiB, 2 * kGiB);
  machine_.own(6 * kGiB);
  Step large(executor_, memory, 5 * kGiB);
  tree.reset();
  EXPECT_EQ(large.came(), errors::kOutOfMemory);
}

TEST_F(MachineMemoryTest, who_comes_back_from_aside_keeps_nobody_behind_it) {
  MachineMemory memory(machine_.fs, executor_, 0);
  auto held = std::make_optional(*memory.reserve(6 * kGiB, "held"));
  std::promise<void> aside;
  std::promise<void> slot;
  std::shared_future<void> has_slot = slot.get_future().share();
  std::promise<bool> first_came;
  const auto first = executor_.start_loop("first", [&](std::stop_token stop) {
    const auto got = memory.reserve(5 * kGiB, "first", stop, [&, told = false](const auto& wait) mutable {
      if (!std::exchange(told, true)) aside.set_value();
      wait();
      has_slot.wait();  // which somebody behind it has
    });
    first_came.set_value(got.has_value());
  });
  aside.get_future().wait();
  std::promise<void> second_got;
  std::promise<void> second_ends;
  const auto second = executor_.start_loop("second", [&](std::stop_token stop) {
    const auto got = memory.reserve(4 * kGiB, "second", stop);
    EXPECT_THAT(got, Succeeds());
    second_got.set_value();
    second_ends.get_future().wait();
  });
  held.reset();
  second_got.get_future().wait();
  second_ends.set_value();
  slot.set_value();
  EXPECT_TRUE(first_came.get_future().get());
}

TEST_F(MachineMemoryTest, who_fits_alone_waits_and_who_never_fits_is_refused_at_once) {
  MachineMemory memory(machine_.fs, executor_, 0);
  auto first = std::make_optional(*memory.reserve(4 * kGiB, "first"));
  // 8 available and, as far as can be known here, 4 that may come back: nobody gets more than 9.
  EXPECT_THAT(memory.reserve(9 * kGiB + 1, "never"), FailsWith(errors::kOutOfMemory));
  std::promise<void> waits;
  std::atomic<bool> released = false;
  std::atomic<bool> in_turn = false;
  auto second = executor_.start_loop("second", [&](std::stop_token) {
    waits.set_value();
    const auto got = memory.reserve(5 * kGiB, "second");
    in_turn = got.has_value() && released;
  });
  waits.get_future().wait();
  released = true;
  first.reset();
  second.reset();  // joins
  EXPECT_TRUE(in_turn);
}

TEST_F(MachineMemoryTest, who_waits_is_judged_again_by_what_is_there_when_the_others_are_gone) {
  MachineMemory memory(machine_.fs, executor_, 0);
  auto first = std::make_optional(*memory.reserve(4 * kGiB, "first"));
  std::promise<void> waits;
  std::promise<ErrorNumber> came;
  const auto second = executor_.start_loop("second", [&](std::stop_token) {
    waits.set_value();
    const auto got = memory.reserve(5 * kGiB, "second");
    came.set_value(got ? ErrorNumber{} : got.error().number);
  });
  waits.get_future().wait();
  machine_.memory(16 * kGiB, kGiB);  // another program took the rest
  first.reset();
  EXPECT_EQ(came.get_future().get(), errors::kOutOfMemory);
}

TEST_F(MachineMemoryTest, who_is_stopped_waits_no_longer_and_keeps_nobody_behind_it) {
  MachineMemory memory(machine_.fs, executor_, 0);
  const auto first = memory.reserve(4 * kGiB, "first");
  ASSERT_THAT(first, Succeeds());
  std::stop_source stop;
  const auto later = executor_.post_after(std::chrono::milliseconds(2), [&] { stop.request_stop(); });
  EXPECT_THAT(memory.reserve(5 * kGiB, "second", stop.get_token()), FailsWith(errors::kCancelled));
  EXPECT_THAT(memory.reserve(kGiB, "third"), Succeeds());
}

TEST_F(MachineMemoryTest, many_at_once_never_have_more_than_the_limit) {
  MachineMemory memory(machine_.fs, executor_, 0);
  std::atomic<std::uint64_t> held = 0;
  std::atomic<bool> exceeded = false;
  std::atomic<std::size_t> served = 0;
  executor_.parallel(300, 0, [&](std::size_t i) {
    const std::uint64_t bytes = kMiB * (1000 + 97 * (i * i % 53));
    const auto got = memory.reserve(bytes, "one of many");
    if (!got) return;
    if (held.fetch_add(bytes) + bytes > 6 * kGiB) exceeded = true;
    held.fetch_sub(bytes);
    ++served;
  });
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(served, 300u);
}

}  // namespace
}  // namespace tandem
