// No-op jobs through the engine on the SQLite store: what Tandem itself costs a job.
//
// A no-op is admitted, planned, queued, started, completed and recorded with all events like any job. Goals: full cycle >= 6,000
// jobs/s, commit-to-start p50 <= 1 ms and p99 <= 5 ms; three steps, each checkpointed, p50 <= 4 ms, p99 <= 15 ms and >= 3,000 steps/s;
// one client alone p50 <= 1 ms for the durable admission. TANDEM_BENCH_DIR chooses the disk; read the figures beside the
// fdatasync loop of the same run.
#include "tandem/orchestrate/engine/engine.h"

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/base/pause.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/base/testing/recording_tracer.h"
#include "tandem/store/sqlite/sqlite_store.h"
#include "tandem/store/testing/bench_folder.h"

namespace {

using namespace tandem;

constexpr auto kDuration = std::chrono::seconds(5);
constexpr std::uint64_t kBacklogMax = 2'000;  ///< jobs that wait: clients hold back beyond it

class NoMeter final : public Meter {
 public:
  void add(std::string_view, double, Labels) override {}
  void observe(std::string_view, double, Labels) override {}
  void set(std::string_view, double, Labels) override {}
};

using Latencies = std::vector<std::chrono::nanoseconds>;

void report(::benchmark::State& state, const std::string& name, Latencies latencies) {
  if (latencies.empty()) return;
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double share) {
    const auto index = static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1));
    return std::chrono::duration<double, std::milli>(latencies[index]).count();
  };
  state.counters[name + "_p50_ms"] = at(0.5);
  state.counters[name + "_p99_ms"] = at(0.99);
}

/// An engine with its store, and when each job was seen queued, started and ended.
struct Bench {
  explicit Bench(std::size_t workers)
      : store(sqlite::SqliteStore::open(folder / "store.db", {}, executor, clock, meter).value()),
        submitter({.store = *store,
                   .executor = executor,
                   .clock = clock,
                   .log = log,
                   .meter = meter,
                   .crash_points = crash_points},
                  {}),
        engine(engine::Engine::start({.store = *store,
                                      .backends = backends,
                                      .problems = problems,
                                      .executor = executor,
                                      .clock = clock,
                                      .rng = rng,
                                      .log = log,
                                      .meter = meter,
                                      .tracer = tracer,
                                      .submitter = submitter,
                                      .crash_points = crash_points},
                                     {.workers = workers})
                   .value()) {
    subscription = engine->subscribe(
        [this](const job::Event& event) {
          const Instant now = clock.monotonic();
          const std::lock_guard lock(mutex);
          if (event.type == "job.queued") {
            queued[event.job] = now;
          } else if (event.type == "job.started") {
            if (const auto found = queued.find(event.job); found != queued.end()) {
              to_start.push_back(now - found->second);
              queued.erase(found);
            }
          } else if (event.type == "job.succeeded") {
            ++ended;
          }
        },
        nullptr, nullptr);
  }
  job::JobSpec noop(int steps) {
    return job::JobSpec::parse({{"problem", {{"type", "noop"}, {"steps", steps}}}}, problems).value();
  }

  store::BenchFolder folder;
  SystemClock clock;
  SystemRng rng;
  ThreadExecutor executor{2};
  RecordingLog log;
  NoMeter meter;
  RecordingTracer tracer;
  CrashPoints crash_points;
  problem::ProblemRegistry problems = problem::ProblemRegistry::with_builtin_types();
  backend::BackendRegistry backends;
  std::unique_ptr<store::Store> store;
  submit::Submitter submitter;
  std::mutex mutex;
  std::map<JobId, Instant> queued;
  Latencies to_start;
  std::atomic<std::uint64_t> ended = 0;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<Timer> subscription;
};

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
  const auto clients = static_cast<int>(state.range(0));
  const auto steps = static_cast<int>(state.range(1));
  Bench bench(static_cast<std::size_t>(state.range(2)));
  const job::JobSpec spec = bench.noop(steps);
  std::vector<Latencies> admissions(static_cast<std::size_t>(clients));
  std::atomic<std::uint64_t> admitted = 0;
  std::uint64_t done = 0;
  for (auto _ : state) {
    const Deadline end = Deadline::after(bench.clock, kDuration);
    std::vector<std::thread> threads;
    for (int client = 0; client < clients; ++client) {
      threads.emplace_back([&, client] {
        auto& own = admissions[static_cast<std::size_t>(client)];
        while (!end.expired(bench.clock)) {
          if (admitted - bench.ended > kBacklogMax) {
            (void)pause(bench.executor, std::chrono::milliseconds(1), {});
            continue;
          }
          const Instant started = bench.clock.monotonic();
          TANDEM_ASSERT(bench.engine->admit(spec, "default", "", "user:bench").has_value());
          own.push_back(bench.clock.monotonic() - started);
          ++admitted;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    done = bench.ended;
  }
  state.counters["jobs_per_s"] = ::benchmark::Counter(static_cast<double>(done), ::benchmark::Counter::kIsRate);
  if (steps > 0)
    state.counters["steps_per_s"] =
        ::benchmark::Counter(static_cast<double>(done) * steps, ::benchmark::Counter::kIsRate);
  Latencies all;
  for (const Latencies& own : admissions) all.insert(all.end(), own.begin(), own.end());
  report(state, "admit", std::move(all));
  const std::lock_guard lock(bench.mutex);
  report(state, "to_start", bench.to_start);
}

/// One client that waits for each job's end: how long a job alone takes.
void one_by_one(::benchmark::State& state) {
  const auto steps = static_cast<int>(state.range(0));
  Bench bench(2);
  const job::JobSpec spec = bench.noop(steps);
  Latencies admissions;
  Latencies cycles;
  for (auto _ : state) {
    const Deadline end = Deadline::after(bench.clock, std::chrono::seconds(3));
    while (!end.expired(bench.clock)) {
      const Instant started = bench.clock.monotonic();
      const auto admission = bench.engine->admit(spec, "default", "", "user:bench");
      admissions.push_back(bench.clock.monotonic() - started);
      TANDEM_ASSERT(bench.engine->wait(admission->id, Deadline::never()).has_value());
      cycles.push_back(bench.clock.monotonic() - started);
    }
  }
  report(state, "admit", std::move(admissions));
  report(state, "cycle", std::move(cycles));
  const std::lock_guard lock(bench.mutex);
  report(state, "to_start", bench.to_start);
}

BENCHMARK(fdatasync_loop)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);
BENCHMARK(full_cycle)
    ->ArgNames({"clients", "steps", "workers"})
    ->Args({8, 0, 2})
    ->Args({64, 0, 2})
    ->Args({64, 3, 2})
    ->Args({64, 3, 16})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);
BENCHMARK(one_by_one)->ArgName("steps")->Arg(0)->Arg(3)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);

}  // namespace
