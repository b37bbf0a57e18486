// tandem/lab/provider/testing/fault_matrix.h - what every emulated provider is put through: cells of faults, and planted mistakes of ours.
//
// Room: lab, tests only. Include it in one test file of a provider, which instantiates FaultMatrix with its cells (each over real sockets,
// the real ledger, adapter and transport) and PlantedFault with its bench. The oracle is the provider's own book.
// TANDEM_FAULT_SUBMITS: submissions of each cell (100).
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tandem/base/setting.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/text.h"
#include "tandem/lab/provider/testing/rig.h"
#include "tandem/lab/provider/testing/scratch_folder.h"
#include "tandem/store/memory/memory_store.h"
#include "tandem/store/sqlite/sqlite_store.h"
#include "tandem/store/testing/passing_store.h"

namespace tandem::lab {

/// What goes wrong at the provider while jobs are submitted.
struct FaultCell {
  const char* name;
  const char* faults;  ///< a fault script
  std::chrono::milliseconds queue_time{1};
  std::chrono::milliseconds deadline{3000};  ///< of each step
  BillsComeOut bills_come_out = BillsComeOut::kAlways;
  job::Money job_limit = kJobLimit;
  std::size_t jobs_of_others = 0;  ///< of the same account, in the provider's list before ours
};

using MakeProvider = std::unique_ptr<ProviderBench> (*)(const FaultCell& cell);
enum class StoreKind : std::uint8_t { kMemory, kSqlite };

struct MatrixCase {
  FaultCell cell;
  MakeProvider make_provider;
  StoreKind store = StoreKind::kMemory;
};
inline void PrintTo(const MatrixCase& one, std::ostream* out) {
  *out << one.cell.name << (one.store == StoreKind::kMemory ? " on memory" : " on sqlite");
}

/// For INSTANTIATE_TEST_SUITE_P.
inline std::vector<MatrixCase> matrix_of(std::span<const FaultCell> cells, MakeProvider make_provider,
                                         StoreKind store = StoreKind::kMemory) {
  std::vector<MatrixCase> out;
  for (const FaultCell& cell : cells) out.push_back({.cell = cell, .make_provider = make_provider, .store = store});
  return out;
}
inline std::string name_of_cell(const testing::TestParamInfo<MatrixCase>& one) { return one.param.cell.name; }

inline constexpr std::size_t kWorkers = 4;
inline constexpr std::chrono::milliseconds kQuiet{200};  // longer than any delay of the scripts
/// Goal: 99 of 100 doubts are over within so many intervals (doubts.h says how they are counted).
inline constexpr std::size_t kIntervalsMax = 5;

inline std::size_t submits_per_cell() {
  const auto asked = parse_int64(SystemEnvironment().get("TANDEM_FAULT_SUBMITS"));
  return asked ? static_cast<std::size_t>(*asked) : 100;
}

/// The simulated counts of X on qubit 0 came through whole: the most frequent outcome is "100".
inline void expect_right_counts(OurProcess& process, const submit::SubmissionOutcome& outcome) {
  const auto decoded = process.backend().decode(outcome.raw, process.work());
  ASSERT_THAT(decoded, Succeeds());
  const result::Counts& counts = std::get<backend::ProgramResult>(*decoded).pubs.at(0).counts(0);
  std::size_t most = 0;
  for (std::size_t i = 1; i < counts.size(); ++i)
    if (counts.count(i) > counts.count(most)) most = i;
  EXPECT_EQ(counts.text(most), "100");
}

class FaultMatrix : public testing::TestWithParam<MatrixCase> {};

TEST_P(FaultMatrix, nothing_is_billed_twice_and_every_doubt_is_resolved_or_held_with_a_reason) {
  using submit::SubmissionOutcome;
  const FaultCell& cell = GetParam().cell;
  const auto provider = GetParam().make_provider(cell);
  OurWire wire(provider->origin());
  ScratchFolder folder;
  ThreadExecutor store_threads(1);
  SystemClock clock;
  NullMeter meter;
  std::unique_ptr<store::Store> store = std::make_unique<memory::MemoryStore>(store_threads);
  if (GetParam().store == StoreKind::kSqlite) {
    store = sqlite::SqliteStore::open(folder.path() + "/store.db", {}, store_threads, clock, meter).value();
  }
  OurProcess process(*store, wire.http(), provider->access());

  const std::size_t submits = submits_per_cell();
  std::vector<JobId> jobs;
  for (std::size_t i = 0; i < submits; ++i) {
    jobs.push_back(job_number(i));
    admit(*store, jobs.back(), cell.job_limit);
  }
  std::mutex mutex;
  std::map<std::string, std::size_t> outcomes;
  ThreadExecutor workers(kWorkers);
  workers.parallel(submits, kWorkers, [&](std::size_t i) {
    const auto outcome = process.run(i, cell.deadline);
    const std::lock_guard lock(mutex);
    if (!outcome) {
      // Only a provider that does not describe its device or name its price may end an attempt before it begins.
      EXPECT_THAT(outcome.error().number,
                  testing::AnyOf(errors::kBackendUnavailable, errors::kBackendGarbage, errors::kBackendThrottled))
          << outcome.error().to_string();
      ++outcomes["not begun"];
      return;
    }
    ++outcomes[std::string(to_string(outcome->kind))];
    if (outcome->kind == SubmissionOutcome::Kind::kResult) {
      expect_right_counts(process, *outcome);
    } else {
      ASSERT_TRUE(outcome->error.has_value());
      EXPECT_THAT(outcome->error->message, testing::Not(testing::IsEmpty()));
    }
  });
  const Audit audited = come_to_rest(process, *provider, *store, jobs, kQuiet, cell.bills_come_out);
  EXPECT_THAT(audited.violations, testing::IsEmpty());
  EXPECT_EQ(process.doubts().open(), 0u);
  const std::vector<std::size_t> intervals = process.doubts().intervals();
  const std::size_t p99 = intervals.empty() ? 0 : intervals[(intervals.size() * 99 + 99) / 100 - 1];  // nearest rank
  EXPECT_LE(p99, kIntervalsMax);

  std::cout << cell.name << ": " << submits << " submits, " << audited.billed << " billed;";
  for (const auto& [outcome, count] : outcomes) std::cout << ' ' << outcome << ' ' << count;
  std::cout << "; at rest:";
  for (const auto& [state, count] : audited.states) std::cout << ' ' << state << ' ' << count;
  std::cout << "; doubts: " << intervals.size() << " over after p99 " << p99 << ", at most "
            << (intervals.empty() ? 0 : intervals.back()) << " intervals, " << process.doubts().without_lookup()
            << " with the step's time\n";
}

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

/// A worker's way to the store: hangs before the commit of an intent, and loses the preconditions when told to.
class HangingStore final : public store::PassingStore {
 public:
  enum class Preconditions : std::uint8_t { kKept, kForgotten };
  HangingStore(store::Store& inner, Preconditions preconditions, Task meanwhile)
      : PassingStore(inner), preconditions_(preconditions), meanwhile_(std::move(meanwhile)) {}

  void commit(store::Batch batch, store::CommitDone done) override {
    for (store::Operation& operation : batch.operations) {
      auto* put = std::get_if<store::Put>(&operation);
      if (put == nullptr) continue;
      if (put->value.find(R"("state":"intent")") != Bytes::npos && meanwhile_) std::exchange(meanwhile_, nullptr)();
      if (preconditions_ == Preconditions::kForgotten) put->expect = store::Expect::any();
    }
    PassingStore::commit(std::move(batch), std::move(done));
  }

 private:
  Preconditions preconditions_;
  Task meanwhile_;
};

class PlantedFault : public testing::TestWithParam<MakeProvider> {
 protected:
  std::unique_ptr<ProviderBench> provider(const char* faults = "faults: []") {
    return GetParam()({.name = "planted", .faults = faults});
  }
  ThreadExecutor store_threads_{1};
  memory::MemoryStore store_{store_threads_};
};

TEST_P(PlantedFault, a_transport_that_repeats_submissions_is_caught_by_the_book) {
  const auto device = provider("faults: [{on: submit, action: drop_reply, probability: 0.5}]");
  OurWire wire(device->origin());
  RepeatingHttp repeating(wire.http());
  OurProcess process(store_, repeating, device->access());
  std::vector<JobId> jobs;
  for (std::size_t i = 0; i < 10; ++i) {
    jobs.push_back(job_number(i));
    admit(store_, jobs.back());
    ASSERT_THAT(process.run(i, std::chrono::milliseconds(3000)), Succeeds());
  }
  EXPECT_THAT(audit(device->book(), store_, process.submitter(), jobs).violations,
              testing::Contains(testing::HasSubstr("billed 2 times")));
}

/// What a network may do and nobody at our end can undo; that it is seen is all there is.
TEST_P(PlantedFault, a_network_that_delivers_submissions_twice_is_caught_by_the_book) {
  const auto device = provider("faults: [{on: submit, action: twice}]");
  OurWire wire(device->origin());
  OurProcess process(store_, wire.http(), device->access());
  admit(store_, job_number(0));
  ASSERT_THAT(process.run(0, std::chrono::milliseconds(3000)), Succeeds());
  EXPECT_THAT(audit(device->book(), store_, process.submitter(), {job_number(0)}).violations,
              testing::Contains(testing::HasSubstr("billed 2 times")));
}

/// A ledger whose money drifts: the book says another figure than what was posted.
TEST_P(PlantedFault, a_bill_that_is_posted_with_another_figure_is_caught_by_the_book) {
  const auto device = provider();
  OurWire wire(device->origin());
  OurProcess process(store_, wire.http(), device->access());
  admit(store_, job_number(0));
  ASSERT_THAT(process.run(0, std::chrono::milliseconds(3000)), Succeeds());
  std::vector<Json> book = device->book();
  ASSERT_THAT(audit(book, store_, process.submitter(), {job_number(0)}).violations, testing::IsEmpty());
  ASSERT_EQ(book.back().value("line", ""), "ended");
  book.back()["billed_usd_micros"] = book.back()["billed_usd_micros"].get<std::int64_t>() + 1;
  EXPECT_THAT(audit(book, store_, process.submitter(), {job_number(0)}).violations,
              testing::Contains(testing::HasSubstr("but the book says")));
}

/// Two processes get hold of the same attempts, as after a lease that ran out while its worker hung; the second has the
/// higher fence.
TEST_P(PlantedFault, two_workers_on_one_attempt_bill_it_once) {
  const auto device = provider();
  OurWire wire(device->origin());
  OurProcess old_worker(store_, wire.http(), device->access());
  OurProcess new_worker(store_, wire.http(), device->access());
  ThreadExecutor threads(2);
  std::vector<JobId> jobs;
  for (std::size_t i = 0; i < 60; ++i) {
    jobs.push_back(job_number(i));
    admit(store_, jobs.back());
    std::atomic<int> at_start{0};
    threads.parallel(2, 2, [&](std::size_t worker) {
      ++at_start;
      while (at_start < 2) std::this_thread::yield();
      const auto outcome = (worker == 0 ? old_worker : new_worker).run(i, std::chrono::milliseconds(3000), worker + 1);
      if (outcome) return;
      EXPECT_THAT(outcome, FailsWith(errors::kStaleFence)) << outcome.error().to_string();
    });
  }
  EXPECT_THAT(come_to_rest(new_worker, *device, store_, jobs, kQuiet).violations, testing::IsEmpty());
}

/// A worker hangs just before its intent; another with a higher fence takes the attempt over and finishes it; then the first
/// wakes up. Answers how often the attempt was billed.
inline int wake_up_late(ProviderBench& provider, store::Store& store, HangingStore::Preconditions preconditions) {
  OurWire wire(provider.origin());
  admit(store, job_number(0));
  OurProcess new_worker(store, wire.http(), provider.access());
  HangingStore hanging(store, preconditions, [&] {
    EXPECT_EQ(new_worker.run(0, std::chrono::milliseconds(3000), 2)->kind, submit::SubmissionOutcome::Kind::kResult);
  });
  OurProcess old_worker(hanging, wire.http(), provider.access());
  const auto late = old_worker.run(0, std::chrono::milliseconds(3000), 1);
  if (preconditions == HangingStore::Preconditions::kKept) {
    EXPECT_THAT(late, FailsWith(errors::kStaleFence));
  }
  return provider.times_billed().begin()->second;
}

TEST_P(PlantedFault, a_worker_that_wakes_up_late_sends_nothing) {
  EXPECT_EQ(wake_up_late(*provider(), store_, HangingStore::Preconditions::kKept), 1);
}

TEST_P(PlantedFault, a_worker_that_wakes_up_late_without_the_fence_is_caught_by_the_book) {
  EXPECT_EQ(wake_up_late(*provider(), store_, HangingStore::Preconditions::kForgotten), 2);
}

}  // namespace tandem::lab
