// No-op jobs through the engine on the SQLite store: what Tandem itself costs a job.
//
// A no-op is admitted, planned, queued, started, completed and recorded with all events like any job. Goals: full cycle >= 6,000
// jobs/s, commit-to-start p50 <= 1 ms and p99 <= 5 ms; three steps, each checkpointed, p50 <= 4 ms, p99 <= 15 ms and >= 3,000 steps/s;
// one client alone p50 <= 1 ms for the durable admission. TANDEM_BENCH_DIR chooses the disk; read the figures beside the
// fdatasync loop of the same run.
//
// Jobs/s and commit-to-start are read from one row of full_cycle: the one with the fewest clients that has the jobs/s of the best
// one. Clients admit as fast as they can and wait for no end. With more of them than that the workers are never idle, and every
// further client is only one more job in the queue: by Little's law a job then waits open_max / jobs_per_s, whatever the engine does,
// so 64 clients on two workers say how much is done and nothing of how soon a job starts.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "tandem/orchestrate/engine/testing/engine_bench.h"
#include "tandem/store/sqlite/sqlite_store.h"
#include "tandem/store/testing/bench_folder.h"

namespace {

using namespace tandem;
using namespace tandem::engine;

constexpr auto kDuration = std::chrono::seconds(5);

std::unique_ptr<store::Store> open_store(BenchNode& node, const store::BenchFolder& folder) {
  return sqlite::SqliteStore::open(folder / "store.db", {}, node.executor, node.clock, node.meter).value();
}

void fdatasync_loop(::benchmark::State& state) {
  const store::BenchFolder folder;
  const SystemClock clock;
  const int file = ::open((folder / "file").c_str(), O_CREAT | O_WRONLY, 0600);
  TANDEM_ASSERT(file >= 0);
  const std::string block(4096, 'x');
  Latencies latencies;
  for (auto _ : state) {
    const Deadline end = Deadline::after(clock, std::chrono::seconds(2));
    while (!end.expired(clock)) {
      const Instant started = clock.monotonic();
      TANDEM_ASSERT(::pwrite(file, block.data(), block.size(), static_cast<off_t>(latencies.size() % 512 * 4096)) ==
                    4096);
      TANDEM_ASSERT(::fdatasync(file) == 0);
      latencies.push_back(clock.monotonic() - started);
    }
  }
  ::close(file);
  state.counters["syncs_per_s"] =
      ::benchmark::Counter(static_cast<double>(latencies.size()), ::benchmark::Counter::kIsRate);
  report(state, "sync", std::move(latencies));
}

/// Clients that admit one job after the other, while the engine completes them.
void full_cycle(::benchmark::State& state) {
  const auto steps = static_cast<int>(state.range(1));
  const store::BenchFolder folder;
  Starts starts;
  Backlog backlog;
  BenchNode node([&](BenchNode& self) { return open_store(self, folder); }, static_cast<std::size_t>(state.range(2)),
                 starts);
  backlog.count(node);
  Latencies admissions;
  std::uint64_t ended = 0;
  for (auto _ : state) {
    admissions =
        admit_for(kDuration, node, static_cast<int>(state.range(0)), steps, starts, [&] { backlog.hold_back(); });
    ended = backlog.ended();
  }
  rate(state, "jobs_per_s", static_cast<double>(ended));
  state.counters["open_max"] = static_cast<double>(backlog.most());
  if (steps > 0) rate(state, "steps_per_s", static_cast<double>(ended) * steps);
  report(state, "admit", std::move(admissions));
  report(state, "to_start", starts.taken());
}

/// One client that waits for each job's end: how long a job alone takes.
void one_by_one(::benchmark::State& state) {
  const store::BenchFolder folder;
  Starts starts;
  BenchNode node([&](BenchNode& self) { return open_store(self, folder); }, 2, starts);
  const job::JobSpec spec = node.noop(static_cast<int>(state.range(0)));
  Latencies admissions;
  Latencies cycles;
  for (auto _ : state) {
    const Deadline end = Deadline::after(node.clock, std::chrono::seconds(3));
    while (!end.expired(node.clock)) {
      const Instant started = node.clock.monotonic();
      const auto admission = node.engine->admit(spec, "default", "", "user:bench");
      const Instant admitted = node.clock.monotonic();
      starts.acknowledged(admission->id.value, admitted);
      admissions.push_back(admitted - started);
      TANDEM_ASSERT(node.engine->wait(admission->id, Deadline::never()).has_value());
      cycles.push_back(node.clock.monotonic() - started);
    }
  }
  report(state, "admit", std::move(admissions));
  report(state, "cycle", std::move(cycles));
  report(state, "to_start", starts.taken());
}

BENCHMARK(fdatasync_loop)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);
BENCHMARK(full_cycle)
    ->ArgNames({"clients", "steps", "workers"})
    ->Args({8, 0, 2})
    ->Args({16, 0, 2})
    ->Args({32, 0, 2})
    ->Args({64, 0, 2})
    ->Args({64, 3, 2})
    ->Args({64, 3, 16})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);
BENCHMARK(one_by_one)->ArgName("steps")->Arg(0)->Arg(3)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);

}  // namespace
