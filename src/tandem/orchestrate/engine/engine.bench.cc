// No-op jobs through the engine on the SQLite store: what Tandem itself costs a job.
//
// A no-op is admitted, planned, queued, started, completed and recorded with all events like any job. Goals: full cycle >= 6,000
// jobs/s, commit-to-start p50 <= 1 ms and p99 <= 5 ms; three steps, each checkpointed, p50 <= 4 ms, p99 <= 15 ms and >= 3,000 steps/s;
// one client alone p50 <= 1 ms for the durable admission. TANDEM_BENCH_DIR chooses the disk; read the figures beside the
// fdatasync loop of the same run, and beside full_cycle_raw: what the same jobs commit, without the engine.
//
//   ./dev bench engine                                                            the figures beside their goals
//   ./dev bench orchestrate/engine --benchmark_filter='fdatasync|^full_cycle|one_by_one'
// Without a filter backlog.bench.cc makes two stores of 1,000,000 jobs as well, which takes 8 GiB of disk and many minutes.
//
// Jobs/s and commit-to-start are read from one row of full_cycle: the one with the fewest clients that has 95 % of the jobs/s of the best
// one. Clients admit as fast as they can and wait for no end. With more of them than that the workers are never idle, and every
// further client is only one more job in the queue: by Little's law a job then waits open_max / jobs_per_s, whatever the engine does,
// so 64 clients on two workers say how much is done and nothing of how soon a job starts.
#include <benchmark/benchmark.h>

#include <string>

#include "tandem/orchestrate/engine/testing/bench_baselines.h"
#include "tandem/store/sqlite/sqlite_store.h"

namespace {

using namespace tandem;
using namespace tandem::engine;

constexpr auto kDuration = std::chrono::seconds(5);

std::unique_ptr<store::Store> open_store(BenchNode& node, const store::BenchFolder& folder) {
  return sqlite::SqliteStore::open(folder / "store.db", {}, node.executor, node.clock, node.meter).value();
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

/// The limit: what full cycles commit, without the engine.
void full_cycle_raw(::benchmark::State& state) {
  constexpr std::size_t kJobs = 20'000;
  const auto steps = static_cast<int>(state.range(0));
  std::vector<store::Batch> batches = record_cycles(kJobs, steps, /*shared=*/false);
  state.counters["commits_per_job"] = static_cast<double>(batches.size()) / kJobs;
  const store::BenchFolder folder;
  Starts starts;
  BenchNode node([&](BenchNode& self) { return open_store(self, folder); }, starts);
  node.open_store();
  for (auto _ : state) commit_all(node, std::move(batches), static_cast<std::size_t>(state.range(1)));
  rate(state, "jobs_per_s", kJobs);
  if (steps > 0) rate(state, "steps_per_s", static_cast<double>(kJobs) * steps);
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
BENCHMARK(full_cycle_raw)
    ->ArgNames({"steps", "under_way"})
    ->Args({0, 64})
    ->Args({0, 1024})
    ->Args({3, 64})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);
BENCHMARK(one_by_one)->ArgName("steps")->Arg(0)->Arg(3)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);

}  // namespace
