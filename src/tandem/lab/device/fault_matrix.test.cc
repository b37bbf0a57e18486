// Every fault of the emulated device, over real sockets, against the real ledger: nothing is billed twice, nothing is lost.
// TANDEM_FAULT_SUBMITS raises the submissions of each cell (20).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "tandem/base/setting.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/text.h"
#include "tandem/lab/device/testing/rig.h"
#include "tandem/store/memory/memory_store.h"
#include "tandem/store/sqlite/sqlite_store.h"

namespace tandem::lab {
namespace {

using std::chrono::milliseconds;
using submit::SubmissionOutcome;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::size_t kWorkers = 4;
constexpr milliseconds kQuiet{200};  // longer than any delay of the scripts below

struct Cell {
  const char* name;
  const char* faults;
  milliseconds queue_time{1};
  milliseconds deadline{3000};
};

void PrintTo(const Cell& cell, std::ostream* out) { *out << cell.name; }

const Cell kCells[] = {
    {"no_fault", "faults: []"},
    {"refuse", "faults: [{on: submit, action: refuse, probability: 0.5}]"},
    {"throttle", "faults: [{on: submit, action: throttle, probability: 0.5}]"},
    {"delay", "faults: [{on: submit, action: delay, delay_ms: 10}]"},
    {"delay_beyond_the_timeout", "faults: [{on: submit, action: delay, delay_ms: 180, probability: 0.4}]"},
    {"error_before", "faults: [{on: submit, action: error, status: 503, probability: 0.5}]"},
    {"error_after_accepting", "faults: [{on: submit, action: error_after, status: 502, probability: 0.5}]"},
    {"drop_request", "faults: [{on: submit, action: drop_request, probability: 0.5}]"},
    {"drop_reply", "faults: [{on: submit, action: drop_reply, probability: 0.5}]"},
    {"accept_late_within_the_window", "faults: [{on: submit, action: accept_late, delay_ms: 20, probability: 0.5}]"},
    {"accept_late_beyond_the_window", "faults: [{on: submit, action: accept_late, delay_ms: 150, probability: 0.5}]"},
    {"garbage_html_on_submit", "faults: [{on: submit, action: garbage_html, probability: 0.5}]"},
    {"garbage_truncated_on_submit", "faults: [{on: submit, action: garbage_truncated, probability: 0.5}]"},
    {"slow_body_on_submit", "faults: [{on: submit, action: slow_body, delay_ms: 190, probability: 0.4}]"},
    {"bad_status",
     "faults: [{on: status, action: error, probability: 0.3}, {on: status, action: garbage_html, probability: 0.3},"
     " {on: status, action: unknown_status, probability: 0.3}, {on: status, action: drop_reply, probability: 0.3}]"},
    {"bad_result",
     "faults: [{on: result, action: garbage_truncated, probability: 0.4}, {on: result, action: slow_body, delay_ms: 20,"
     " probability: 0.3}, {on: result, action: garbage_html, probability: 0.3}]"},
    {"result_missing_for_a_while", "faults: [{on: result, action: result_missing, probability: 0.7}]"},
    {"result_missing_for_ever", "faults: [{on: result, action: result_missing}]", milliseconds(1), milliseconds(150)},
    {"unreadable_for_ever", "faults: [{on: result, action: garbage_truncated}]", milliseconds(1), milliseconds(150)},
    {"lost_replies_and_a_bad_lookup",
     "faults: [{on: submit, action: drop_reply, probability: 0.7}, {on: lookup, action: error, probability: 0.4},"
     " {on: lookup, action: garbage_truncated, probability: 0.4}]"},
    {"deadline_in_the_queue", "faults: []", milliseconds(15), milliseconds(40)},
    {"cancel_race", "faults: [{on: cancel, action: cancel_race, probability: 0.6}]", milliseconds(15),
     milliseconds(40)},
    {"device_description_fails", "faults: [{on: device, action: error, probability: 0.3}]"},
    {"everything_at_once",
     "faults: [{on: submit, action: drop_reply, probability: 0.2}, {on: submit, action: accept_late, delay_ms: 150,"
     " probability: 0.2}, {on: submit, action: error_after, probability: 0.2}, {on: submit, action: drop_request,"
     " probability: 0.2}, {on: status, action: error, probability: 0.2}, {on: status, action: unknown_status,"
     " probability: 0.2}, {on: result, action: garbage_truncated, probability: 0.3}, {on: lookup, action: error,"
     " probability: 0.3}, {on: cancel, action: error, probability: 0.3}]"},
};

std::size_t submits_per_cell() {
  const auto asked = parse_int64(SystemEnvironment().get("TANDEM_FAULT_SUBMITS"));
  return asked ? static_cast<std::size_t>(*asked) : 20;
}

/// The simulated counts of X on qubit 0 came through whole: the most frequent outcome is "100".
void expect_right_counts(OurProcess& process, const SubmissionOutcome& outcome) {
  const auto decoded = process.backend().decode(outcome.raw, process.work());
  ASSERT_THAT(decoded, Succeeds());
  const result::Counts& counts = std::get<backend::ProgramResult>(*decoded).pubs.at(0).counts(0);
  std::size_t most = 0;
  for (std::size_t i = 1; i < counts.size(); ++i)
    if (counts.count(i) > counts.count(most)) most = i;
  EXPECT_EQ(counts.text(most), "100");
}

enum class StoreKind : std::uint8_t { kMemory, kSqlite };
void PrintTo(StoreKind kind, std::ostream* out) { *out << (kind == StoreKind::kMemory ? "memory" : "sqlite"); }

class FaultMatrix : public testing::TestWithParam<std::tuple<Cell, StoreKind>> {};

TEST_P(FaultMatrix, nothing_is_billed_twice_and_every_doubt_is_resolved_or_held_with_a_reason) {
  const auto& [cell, kind] = GetParam();
  DeviceOptions options = DeviceBench::quick();
  options.queue_time = cell.queue_time;
  options.seed = 4;
  DeviceBench device(cell.faults, options);
  ClientBench client(device);
  ScratchFolder folder;
  ThreadExecutor store_threads(1);
  SystemClock clock;
  NullMeter meter;
  std::unique_ptr<store::Store> store = std::make_unique<memory::MemoryStore>(store_threads);
  if (kind == StoreKind::kSqlite) {
    store = sqlite::SqliteStore::open(folder.path() + "/store.db", {}, store_threads, clock, meter).value();
  }
  OurProcess process(*store, client.http(), device.url());

  const std::size_t submits = submits_per_cell();
  std::vector<JobId> jobs;
  for (std::size_t i = 0; i < submits; ++i) {
    jobs.push_back(job_number(i));
    admit(*store, jobs.back());
  }
  std::mutex mutex;
  std::map<std::string, std::size_t> outcomes;
  ThreadExecutor workers(kWorkers);
  workers.parallel(submits, kWorkers, [&](std::size_t i) {
    const auto outcome = process.run(i, cell.deadline);
    const std::lock_guard lock(mutex);
    if (!outcome) {
      // Only a device that does not describe itself may end an attempt before it begins.
      EXPECT_THAT(outcome, FailsWith(errors::kBackendUnavailable)) << outcome.error().to_string();
      ++outcomes["unavailable"];
      return;
    }
    ++outcomes[std::string(to_string(outcome->kind))];
    if (outcome->kind == SubmissionOutcome::Kind::kResult) {
      expect_right_counts(process, *outcome);
    } else {
      ASSERT_TRUE(outcome->error.has_value());
      EXPECT_THAT(outcome->error->message, Not(IsEmpty()));
    }
  });
  const Audit audited = come_to_rest(process, device, *store, jobs, kQuiet);
  EXPECT_THAT(audited.violations, IsEmpty());

  std::cout << cell.name << ": " << audited.billed << " billed;";
  for (const auto& [outcome, count] : outcomes) std::cout << ' ' << outcome << ' ' << count;
  std::cout << "; at rest:";
  for (const auto& [state, count] : audited.states) std::cout << ' ' << state << ' ' << count;
  std::cout << '\n';
}

INSTANTIATE_TEST_SUITE_P(OnMemory, FaultMatrix,
                         testing::Combine(testing::ValuesIn(kCells), testing::Values(StoreKind::kMemory)),
                         [](const auto& cell) { return std::string(std::get<0>(cell.param).name); });
/// The same ledger on disk; two cells suffice, for the store has its own conformance suite.
INSTANTIATE_TEST_SUITE_P(OnSqlite, FaultMatrix,
                         testing::Combine(testing::Values(kCells[8], kCells[std::size(kCells) - 1]),
                                          testing::Values(StoreKind::kSqlite)),
                         [](const auto& cell) { return std::string(std::get<0>(cell.param).name); });

// --- planted faults: the oracle has teeth ----------------------------------------------------------------------------

/// What clients of providers do: send a submission again when its answer is missing.
class RepeatingHttp final : public Http {
 public:
  explicit RepeatingHttp(Http& inner) : inner_(inner) {}
  tl::expected<HttpResponse, HttpFailure> send(const HttpRequest& request, Deadline deadline) override {
    auto answer = inner_.send(request, deadline);
    if (answer && answer->status < 500) return answer;
    return inner_.send(request, deadline);
  }

 private:
  Http& inner_;
};

TEST(PlantedFault, a_transport_that_repeats_submissions_is_caught_by_the_book) {
  DeviceBench device("faults: [{on: submit, action: drop_reply, probability: 0.5}]");
  ClientBench client(device);
  RepeatingHttp repeating(client.http());
  ThreadExecutor store_threads(1);
  memory::MemoryStore store(store_threads);
  OurProcess process(store, repeating, device.url());
  std::vector<JobId> jobs;
  for (std::size_t i = 0; i < 10; ++i) {
    jobs.push_back(job_number(i));
    admit(store, jobs.back());
    ASSERT_THAT(process.run(i, milliseconds(3000)), Succeeds());
  }
  EXPECT_THAT(audit(device.book(), store, process.submitter(), jobs).violations, Contains(HasSubstr("billed 2 times")));
}

/// Two processes get hold of the same attempts, as after a lease that ran out while its worker hung; the second has the
/// higher fence.
TEST(PlantedFault, two_workers_on_one_attempt_bill_it_once) {
  DeviceBench device;
  ClientBench client(device);
  ThreadExecutor store_threads(1);
  memory::MemoryStore store(store_threads);
  OurProcess old_worker(store, client.http(), device.url());
  OurProcess new_worker(store, client.http(), device.url());
  ThreadExecutor threads(2);
  std::vector<JobId> jobs;
  for (std::size_t i = 0; i < 60; ++i) {
    jobs.push_back(job_number(i));
    admit(store, jobs.back());
    std::atomic<int> at_start{0};
    threads.parallel(2, 2, [&](std::size_t worker) {
      ++at_start;
      while (at_start < 2) std::this_thread::yield();
      const auto outcome = (worker == 0 ? old_worker : new_worker).run(i, milliseconds(3000), worker + 1);
      if (outcome) return;
      EXPECT_THAT(outcome, FailsWith(errors::kStaleFence)) << outcome.error().to_string();
    });
  }
  EXPECT_THAT(come_to_rest(new_worker, device, store, jobs, kQuiet).violations, IsEmpty());
}

/// A worker's way to the store: hangs before the commit of an intent, and loses the preconditions when told to.
class HangingStore final : public store::Store {
 public:
  enum class Preconditions : std::uint8_t { kKept, kForgotten };
  HangingStore(store::Store& inner, Preconditions preconditions, Task meanwhile)
      : inner_(inner), preconditions_(preconditions), meanwhile_(std::move(meanwhile)) {}

  void commit(store::Batch batch, store::CommitDone done) override {
    for (store::Operation& operation : batch.operations) {
      auto* put = std::get_if<store::Put>(&operation);
      if (put == nullptr) continue;
      if (put->value.find(R"("state":"intent")") != Bytes::npos && meanwhile_) std::exchange(meanwhile_, nullptr)();
      if (preconditions_ == Preconditions::kForgotten) put->expect = store::Expect::any();
    }
    inner_.commit(std::move(batch), std::move(done));
  }
  Result<std::optional<store::Row>> get(store::Table table, std::string_view key) override {
    return inner_.get(table, key);
  }
  Result<std::vector<store::Row>> scan(const store::Scan& scan) override { return inner_.scan(scan); }
  Result<std::uint64_t> count(store::Table table, std::string_view prefix) override {
    return inner_.count(table, prefix);
  }
  Result<std::vector<store::LogEntry>> read_log(std::uint64_t after, std::size_t limit,
                                                std::string_view subject) override {
    return inner_.read_log(after, limit, subject);
  }
  Result<std::uint64_t> last_sequence() override { return inner_.last_sequence(); }
  std::string_view kind() const override { return "hanging"; }

 private:
  store::Store& inner_;
  Preconditions preconditions_;
  Task meanwhile_;
};

/// A worker hangs just before its intent; another with a higher fence takes the attempt over and finishes it; then the first
/// wakes up. Answers how often the attempt was billed.
int wake_up_late(HangingStore::Preconditions preconditions) {
  DeviceBench device;
  ClientBench client(device);
  ThreadExecutor store_threads(1);
  memory::MemoryStore store(store_threads);
  admit(store, job_number(0));
  OurProcess new_worker(store, client.http(), device.url());
  HangingStore hanging(store, preconditions, [&] {
    EXPECT_EQ(new_worker.run(0, milliseconds(3000), 2)->kind, SubmissionOutcome::Kind::kResult);
  });
  OurProcess old_worker(hanging, client.http(), device.url());
  const auto late = old_worker.run(0, milliseconds(3000), 1);
  if (preconditions == HangingStore::Preconditions::kKept) {
    EXPECT_THAT(late, FailsWith(errors::kStaleFence));
  }
  return device.times_billed().begin()->second;
}

TEST(PlantedFault, a_worker_that_wakes_up_late_sends_nothing) {
  EXPECT_EQ(wake_up_late(HangingStore::Preconditions::kKept), 1);
}

TEST(PlantedFault, a_worker_that_wakes_up_late_without_the_fence_is_caught_by_the_book) {
  EXPECT_EQ(wake_up_late(HangingStore::Preconditions::kForgotten), 2);
}

}  // namespace
}  // namespace tandem::lab
