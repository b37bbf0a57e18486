// kill -9 at every crash point of the submission ledger: a child process of this test dies there, another one takes over, and
// the book of the device, which stands in the parent, is the oracle. TANDEM_CRASH_ARRIVALS raises the arrivals tried (1).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <csignal>

#include "tandem/base/setting.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/text.h"
#include "tandem/lab/device/testing/bench.h"
#include "tandem/lab/provider/testing/rig.h"
#include "tandem/orchestrate/submit/crash_points.h"
#include "tandem/store/sqlite/sqlite_store.h"

extern char** environ;

namespace tandem::lab {
namespace {

using std::chrono::milliseconds;
using testing::IsEmpty;

/// One job a fate: what happens to submissions in the order of their arrival, when nobody dies.
/// The result of job 6 stays unreadable until the ledger gives up after 21 fetches; from then on results are gone.
constexpr const char* kFaults =
    "faults: [{on: submit, action: refuse, nth: 2}, {on: submit, action: drop_request, nth: 3},"
    " {on: submit, action: drop_reply, nth: 4}, {on: submit, action: accept_late, delay_ms: 120, nth: 5},"
    " {on: result, action: garbage_truncated, from: 3, count: 21}, {on: result, action: result_missing, from: 24}]";
constexpr milliseconds kDeadlines[] = {
    milliseconds(3000),  // 0: good
    milliseconds(3000),  // 1: refused
    milliseconds(3000),  // 2: lost, then held
    milliseconds(3000),  // 3: found by its token
    milliseconds(3000),  // 4: held, then an orphan
    milliseconds(0),  // 5: withdrawn before it is sent
    milliseconds(3000),  // 6: failed
    milliseconds(200),  // 7: given up at the deadline, and cancelled too late
};
constexpr milliseconds kQuiet{150};

/// Both processes open the same store, one after the other.
class OurStore {
 public:
  explicit OurStore(const std::string& folder)
      : store_(sqlite::SqliteStore::open(folder + "/store.db", {}, threads_, clock_, meter_).value()) {}
  store::Store& operator*() { return *store_; }

 private:
  SystemClock clock_;
  NullMeter meter_;
  ThreadExecutor threads_{1};
  std::unique_ptr<store::Store> store_;
};

/// Not a test of its own: the work of the child process, started by the sweep below.
TEST(CrashChild, DISABLED_runs_all_jobs) {
  const SystemEnvironment environment;
  const std::string url = environment.get("TANDEM_TEST_DEVICE");
  ASSERT_THAT(url, testing::Not(IsEmpty()));
  OurStore store(environment.get("TANDEM_TEST_FOLDER"));
  SystemClock clock;
  OurWire wire(url.substr(std::string("http://").size()));
  auto crash_points = CrashPoints::arm(environment);
  ASSERT_THAT(crash_points, Succeeds());
  OurProcess process(*store, wire.http(), device_access(url), *std::move(crash_points));
  ASSERT_THAT(process.sweep(), Succeeds());
  for (std::size_t i = 0; i < std::size(kDeadlines); ++i) {
    if (!budget::Budget(*store).load(job_number(i))) admit(*store, job_number(i));
    ASSERT_THAT(process.backend().availability({}),
                Succeeds());  // so that a price is known when there is no time to ask
    ASSERT_THAT(process.run(i, kDeadlines[i]), Succeeds()) << i;
  }
  // Late work appears and is found by a sweep.
  const Deadline patience = Deadline::after(clock, kQuiet);
  while (!patience.expired(clock)) {
    ASSERT_THAT(process.sweep(), Succeeds());
    ASSERT_THAT(pause(process.executor(), milliseconds(5), {}), Succeeds());
  }
}

/// Runs this program again as the child; answers its wait status.
int run_child(const std::string& url, const std::string& folder, const std::string& crash_point) {
  std::vector<std::string> variables = {"TANDEM_TEST_DEVICE=" + url, "TANDEM_TEST_FOLDER=" + folder,
                                        "TANDEM_CRASH_POINT=" + crash_point};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (!text.starts_with("TANDEM_") && !text.starts_with("GTEST_")) variables.emplace_back(text);
  }
  std::vector<char*> pointers;
  for (std::string& variable : variables) pointers.push_back(variable.data());
  pointers.push_back(nullptr);
  std::string arguments[] = {"crash_child", "--gtest_filter=CrashChild.DISABLED_runs_all_jobs",
                             "--gtest_also_run_disabled_tests", "--gtest_brief=1"};
  char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(), arguments[3].data(), nullptr};
  pid_t child = 0;
  EXPECT_EQ(posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, argv, pointers.data()), 0);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

class CrashSweep : public testing::TestWithParam<std::string> {};

TEST_P(CrashSweep, a_process_killed_here_loses_nothing_and_bills_nothing_twice) {
  const auto asked = parse_int64(SystemEnvironment().get("TANDEM_CRASH_ARRIVALS"));
  for (std::int64_t arrival = 1; arrival <= asked.value_or(1); ++arrival) {
    DeviceOptions options = DeviceBench::quick();
    options.queue_time = milliseconds(10);
    DeviceBench device(kFaults, options);
    ScratchFolder folder;
    const int first = run_child(device.url(), folder.path(), fmt::format("{}:{}", GetParam(), arrival));
    const bool killed = WIFSIGNALED(first) && WTERMSIG(first) == SIGKILL;
    if (arrival == 1) {
      EXPECT_TRUE(killed) << "the walk of the child does not pass " << GetParam();
    }
    if (!killed) {
      EXPECT_TRUE(WIFEXITED(first) && WEXITSTATUS(first) == 0);
      break;  // so often nobody comes by
    }
    const int second = run_child(device.url(), folder.path(), "");
    ASSERT_TRUE(WIFEXITED(second) && WEXITSTATUS(second) == 0) << "the successor failed";

    OurStore store(folder.path());
    OurWire wire(device.origin());
    OurProcess process(*store, wire.http(), device.access());
    std::vector<JobId> jobs;
    for (std::size_t i = 0; i < std::size(kDeadlines); ++i) jobs.push_back(job_number(i));
    EXPECT_THAT(come_to_rest(process, device, *store, jobs, kQuiet).violations, IsEmpty()) << "arrival " << arrival;
    for (const JobId& job : jobs) EXPECT_EQ(process.submitter().submissions(job)->size(), 1u) << job.value;
  }
}

/// What a person says is no part of the walk: tests/fault/crash_sweep.py says it.
std::vector<std::string> points() {
  std::vector<std::string> out = submit::crash_point_names();
  std::erase_if(out, [](const std::string& name) { return name.ends_with("_released"); });
  return out;
}

INSTANTIATE_TEST_SUITE_P(AllPoints, CrashSweep, testing::ValuesIn(points()),
                         [](const auto& cell) { return cell.param.substr(std::string("submit.").size()); });

}  // namespace
}  // namespace tandem::lab
