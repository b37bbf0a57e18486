// Durable commits beside plain fdatasync loops, on the same disk in the same run.
//
// A job admission is one batch: a job row of 800 bytes, an index row and an event of 200 bytes. Goal: >= 5 jobs a sync
// with 64 writers, and no checkpoint above 25 ms in the 99th percentile over 20 s. The counters to read: jobs_per_s, jobs_per_sync,
// p50_ms, p99_ms, max_ms of commits, and ckpt_* of the time that a checkpoint keeps the next group waiting. TANDEM_BENCH_DIR
// chooses the disk.
//
//   ./dev bench store
#include "tandem/store/sqlite/sqlite_store.h"

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/base/hash.h"
#include "tandem/store/testing/bench_folder.h"

namespace {

using namespace tandem;
using store::Batch;
using store::Expect;
using store::Table;

constexpr auto kDuration = std::chrono::seconds(5);
constexpr auto kLongDuration = std::chrono::seconds(20);  ///< of the most writers: many checkpoints
constexpr int kWritersMax = 64;

/// Adds up what the store observes by name.
class SummingMeter final : public Meter {
 public:
  void add(std::string_view, double, Labels) override {}
  void observe(std::string_view name, double value, Labels) override {
    if (name == "tandem_store_group_batches") {
      ++groups;
      batches += static_cast<std::uint64_t>(value);
    } else if (name == "tandem_store_checkpoint_seconds") {
      checkpoints.emplace_back(static_cast<std::int64_t>(value * 1e9));
    }
  }
  void set(std::string_view name, double value, Labels) override {
    if (name == "tandem_store_log_bytes") log_bytes = std::max(log_bytes.load(), static_cast<std::uint64_t>(value));
  }
  std::atomic<std::uint64_t> groups = 0, batches = 0, log_bytes = 0;
  std::vector<std::chrono::nanoseconds> checkpoints;  // only the store's writer adds to it
};

double percentile_ms(std::vector<std::chrono::nanoseconds>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
  return std::chrono::duration<double, std::milli>(sorted[index]).count();
}

void report_latency(benchmark::State& state, std::vector<std::chrono::nanoseconds> latencies,
                    const std::string& of = "") {
  std::sort(latencies.begin(), latencies.end());
  state.counters[of + "p50_ms"] = percentile_ms(latencies, 0.5);
  state.counters[of + "p99_ms"] = percentile_ms(latencies, 0.99);
  state.counters[of + "max_ms"] = percentile_ms(latencies, 1);
}

/// One block of 4 KiB a sync; `appends`: at the end of a growing file, else over a file that was written before, as a
/// log that has started again from its beginning.
void fdatasync_loop(benchmark::State& state, bool appends) {
  constexpr off_t kBlocks = 2048;
  const store::BenchFolder folder;
  const SystemClock clock;
  const int file = ::open((folder / "file").c_str(), O_CREAT | O_WRONLY, 0600);
  TANDEM_ASSERT(file >= 0);
  const std::string block(4096, 'x');
  const auto write_block = [&](off_t number) {
    const auto size = static_cast<off_t>(block.size());
    TANDEM_ASSERT(::pwrite(file, block.data(), block.size(), number * size) == size);
  };
  for (off_t number = 0; number < kBlocks; ++number) write_block(number);
  TANDEM_ASSERT(::fdatasync(file) == 0);
  std::vector<std::chrono::nanoseconds> latencies;
  for (auto _ : state) {
    const Deadline end = Deadline::after(clock, kDuration);
    while (!end.expired(clock)) {
      const auto number = static_cast<off_t>(latencies.size());
      const Instant started = clock.monotonic();
      write_block(appends ? kBlocks + number : number % kBlocks);
      TANDEM_ASSERT(::fdatasync(file) == 0);
      latencies.push_back(clock.monotonic() - started);
    }
  }
  ::close(file);
  state.counters["syncs_per_s"] =
      benchmark::Counter(static_cast<double>(latencies.size()), benchmark::Counter::kIsRate);
  report_latency(state, std::move(latencies));
}

/// kScattered: with the document as a blob, whose key is its hash: every commit touches a page somewhere in a growing table.
enum class Keys : std::uint8_t { kAscending, kScattered };

Batch admission(int writer, std::uint64_t number, Keys keys) {
  // Ids sort by time, as UUIDv7 do.
  const std::string id = fmt::format("job_{:012}-{:04}-0000-0000-000000000000", number, writer);
  Batch batch;
  batch.put(Table::kJob, id, Bytes(800, 'j'), Expect::absent())
      .put(Table::kJobIndex, "state/queued/2026-01-01T00:00:00.000000Z/" + id, "")
      .append(id, Bytes(200, 'e'));
  if (keys == Keys::kScattered) batch.put(Table::kBlob, sha256(id).hex(), Bytes(800, 'b'));
  return batch;
}

void durable_commits(benchmark::State& state, Keys keys) {
  const auto writers = static_cast<int>(state.range(0));
  const store::BenchFolder folder;
  ThreadExecutor executor(1);
  SystemClock clock;
  SummingMeter meter;
  std::vector<std::vector<std::chrono::nanoseconds>> latencies(static_cast<std::size_t>(writers));
  for (auto _ : state) {
    const auto store = sqlite::SqliteStore::open(folder / "store.db", {}, executor, clock, meter).value();
    const Deadline end = Deadline::after(clock, writers < kWritersMax ? kDuration : kLongDuration);
    std::atomic<std::uint64_t> next = 0;
    std::vector<std::thread> threads;
    for (int writer = 0; writer < writers; ++writer) {
      threads.emplace_back([&, writer] {
        auto& own = latencies[static_cast<std::size_t>(writer)];
        while (!end.expired(clock)) {
          Batch batch = admission(writer, next++, keys);
          const Instant started = clock.monotonic();
          TANDEM_ASSERT(store->commit_and_wait(std::move(batch)).has_value());
          own.push_back(clock.monotonic() - started);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    state.PauseTiming();
    std::uint64_t jobs = 0;
    for (const auto& own : latencies) jobs += own.size();
    TANDEM_ASSERT(store->count(Table::kJob, "").value() == jobs &&
                  store->count(Table::kJobIndex, "state/").value() == jobs && store->last_sequence().value() == jobs);
    state.ResumeTiming();
  }
  std::vector<std::chrono::nanoseconds> all;
  for (const auto& own : latencies) all.insert(all.end(), own.begin(), own.end());
  state.counters["jobs_per_s"] = benchmark::Counter(static_cast<double>(all.size()), benchmark::Counter::kIsRate);
  state.counters["jobs_per_sync"] =
      static_cast<double>(meter.batches) / static_cast<double>(std::max<std::uint64_t>(1, meter.groups));
  state.counters["checkpoints"] = static_cast<double>(meter.checkpoints.size());
  report_latency(state, meter.checkpoints, "ckpt_");
  state.counters["log_mib_left_max"] = static_cast<double>(meter.log_bytes) / (1 << 20);
  report_latency(state, std::move(all));
}

BENCHMARK_CAPTURE(fdatasync_loop, append, true)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(fdatasync_loop, overwrite, false)->Iterations(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(durable_commits, ascending, Keys::kAscending)
    ->Arg(1)
    ->Arg(8)
    ->Arg(kWritersMax)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(durable_commits, scattered, Keys::kScattered)
    ->Arg(kWritersMax)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
