// A store with a million jobs, queued or ended: how long until an engine is ready, what it keeps in memory, how long a claim, a page
// and an admission take beside them, and how fast retention removes what has ended.
//
// Goals for 1,000,000 queued: claim p99 <= 10 ms, start <= 3 s, RSS <= 500 MiB. TANDEM_BENCH_JOBS sets another number,
// TANDEM_BENCH_DIR the disk; a million ended jobs take about 8 GiB of it.
//
//   ./dev bench engine backlog                                                    queued, beside the goals
//   ./dev bench orchestrate/engine --benchmark_filter='^(queued|ended)'
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/base/fs.h"
#include "tandem/base/hash.h"
#include "tandem/base/pause.h"
#include "tandem/orchestrate/engine/testing/engine_bench.h"
#include "tandem/store/sqlite/sqlite_store.h"
#include "tandem/store/testing/bench_folder.h"
#include "tandem/store/testing/passing_store.h"

namespace {

using namespace tandem;
using engine::BenchNode;
using engine::Latencies;
using engine::report;
using engine::Starts;
using store::Table;

constexpr std::size_t kJobsABatch = 500;
constexpr std::size_t kPages = 100;
constexpr std::size_t kAdmissions = 300;
constexpr std::size_t kDrained = 3'000;
constexpr int kProjects = 10;

std::size_t num_jobs() {
  const char* chosen = std::getenv("TANDEM_BENCH_JOBS");
  return chosen != nullptr ? std::stoul(chosen) : 1'000'000;
}

/// Passes everything on, and takes the time of each claim: from the reading of a job's row until its start is durable; and of each commit.
class TimedStore final : public store::PassingStore {
 public:
  TimedStore(std::unique_ptr<store::Store> store, const Clock& clock)
      : PassingStore(*store), store_(std::move(store)), clock_(clock) {}

  void commit(store::Batch batch, store::CommitDone done) override {
    const Instant handed_in = clock_.monotonic();
    std::optional<Instant> began;
    for (const store::Operation& operation : batch.operations) {
      const auto* append = std::get_if<store::Append>(&operation);
      if (append == nullptr || append->value.find("\"job.started\"") == std::string::npos) continue;
      const std::lock_guard lock(mutex_);
      const auto found = read_at_.find(append->subject);
      began = found == read_at_.end() ? handed_in : found->second;
      if (found != read_at_.end()) read_at_.erase(found);
    }
    PassingStore::commit(std::move(batch),
                         [this, handed_in, began, done = std::move(done)](Result<store::Committed> result) {
                           {
                             const std::lock_guard lock(mutex_);
                             const Instant now = clock_.monotonic();
                             if (began) claims_.push_back(now - *began);
                             commits_.push_back(now - handed_in);
                           }
                           done(std::move(result));
                         });
  }
  Result<std::optional<store::Row>> get(Table table, std::string_view key) override {
    if (table == Table::kJob) {
      const std::lock_guard lock(mutex_);
      read_at_.emplace(key, clock_.monotonic());
    }
    return PassingStore::get(table, key);
  }

  Latencies take_claims() { return take(claims_); }
  Latencies take_commits() { return take(commits_); }

 private:
  Latencies take(Latencies& from) {
    const std::lock_guard lock(mutex_);
    return std::exchange(from, {});
  }
  std::unique_ptr<store::Store> store_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Instant> read_at_;
  Latencies claims_;
  Latencies commits_;
};

/// A process on a disk that outlives it.
struct Machine {
  Machine()
      : node(
            [this](BenchNode& self) {
              return std::make_unique<TimedStore>(
                  sqlite::SqliteStore::open(path, {}, self.executor, self.clock, self.meter).value(), self.clock);
            },
            starts) {}
  TimedStore& store() { return static_cast<TimedStore&>(*node.store); }
  engine::Engine& engine() { return *node.engine; }
  void close() {
    node.close();
    ::malloc_trim(0);
  }
  std::chrono::nanoseconds since(Instant begin) { return node.clock.monotonic() - begin; }
  double ms_since(Instant begin) { return std::chrono::duration<double, std::milli>(since(begin)).count(); }
  void rest() { (void)pause(node.executor, std::chrono::milliseconds(2), {}); }
  double file_mib() {
    double out = 0;
    for (const char* suffix : {"", "-wal"})
      if (std::filesystem::exists(path + suffix)) out += static_cast<double>(std::filesystem::file_size(path + suffix));
    return out / (1 << 20);
  }
  double rss_mib() {
    const std::string status = RealFs().read_file("/proc/self/status", 1 << 16).value();
    return std::stod(status.substr(status.find("VmRSS:") + 6)) / 1024;
  }

  store::BenchFolder folder;
  const std::string path = folder / "store.db";
  Starts starts;
  BenchNode node;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// Stands in the name of a template's document, so that each job that is made of it has a document of its own.
constexpr std::string_view kPlaceholder = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// Everything that a store has of one job, to be written again under other ids.
class Template {
 public:
  Template(store::Store& store, const JobId& id) : id_(id) {
    for (std::size_t i = 0; i < store::kNumTables; ++i) {
      const auto table = static_cast<Table>(i);
      const auto rows = store.scan({.table = table, .from = "", .until = "", .limit = 1000}).value();
      for (const store::Row& row : rows) {
        if (!is_own(row.key) && !is_own(row.value)) continue;
        if (table == Table::kBlob)
          blobs_.push_back(row);
        else
          rows_.emplace_back(table, row);
      }
    }
    const auto log = store.read_log(0, 100, id.value).value();
    for (const store::LogEntry& entry : log) events_.push_back(job::Event::parse(entry.value, entry.sequence).value());
  }
  void write(store::Batch& batch, const JobId& id) const {
    std::vector<std::pair<std::string, std::string>> names = {{id_.value.substr(4), id.value.substr(4)},
                                                              {std::string(kPlaceholder), id.value.substr(4)}};
    for (const store::Row& row : blobs_) {
      Bytes value = renamed(row.value, names);
      names.emplace_back(row.key, sha256(value).hex());
      batch.put(Table::kBlob, names.back().second, std::move(value));
    }
    for (const auto& [table, row] : rows_) batch.put(table, renamed(row.key, names), renamed(row.value, names));
    for (job::Event event : events_) {
      event.job = id;
      batch.append(id.value, event.stored());
    }
  }

 private:
  bool is_own(const std::string& text) const {
    return text.find(id_.value.substr(4)) != std::string::npos || text.find(kPlaceholder) != std::string::npos;
  }
  static std::string renamed(std::string text, const std::vector<std::pair<std::string, std::string>>& names) {
    for (const auto& [from, to] : names) text = replaced(std::move(text), from, to);
    return text;
  }

  JobId id_;
  std::vector<std::pair<Table, store::Row>> rows_;
  std::vector<store::Row> blobs_;
  std::vector<job::Event> events_;
};

/// Writes the jobs of the templates, one after the other, until there are `count`.
void fill(Machine& machine, const std::vector<Template>& templates, std::size_t count) {
  for (std::size_t done = 0; done < count;) {
    store::Batch batch;
    for (std::size_t i = 0; i < kJobsABatch && done < count; ++i, ++done)
      templates[done % templates.size()].write(batch, new_job_id(machine.node.clock, machine.node.rng));
    TANDEM_ASSERT(machine.store().commit_and_wait(std::move(batch)).has_value());
  }
}

void measure_pages(::benchmark::State& state, Machine& machine, job::JobState in) {
  Latencies all;
  Latencies some;
  for (std::size_t i = 0; i < kPages; ++i) {
    Instant begin = machine.node.clock.monotonic();
    TANDEM_ASSERT(machine.engine().jobs({.limit = 100})->jobs.size() == 100);
    all.push_back(machine.since(begin));
    begin = machine.node.clock.monotonic();
    TANDEM_ASSERT(machine.engine().jobs({.state = in, .limit = 100})->jobs.size() == 100);
    some.push_back(machine.since(begin));
  }
  report(state, "page", std::move(all));
  report(state, "page_of_state", std::move(some));
}

void measure_start(::benchmark::State& state, Machine& machine, engine::EngineOptions options) {
  state.counters["rss_before_mib"] = machine.rss_mib();
  const Instant begin = machine.node.clock.monotonic();
  const std::chrono::nanoseconds cpu = machine.node.clock.thread_cpu();
  machine.node.open_store();
  machine.node.open_engine(std::move(options));
  TANDEM_ASSERT(machine.engine().ready().has_value());
  state.counters["start_ms"] = machine.ms_since(begin);
  state.counters["start_cpu_ms"] =
      std::chrono::duration<double, std::milli>(machine.node.clock.thread_cpu() - cpu).count();
  state.counters["rss_mib"] = machine.rss_mib();
}

void measure_admissions(::benchmark::State& state, Machine& machine, const std::string& name) {
  Latencies out;
  const job::JobSpec spec = machine.node.noop();
  for (std::size_t i = 0; i < kAdmissions; ++i) {
    const Instant begin = machine.node.clock.monotonic();
    TANDEM_ASSERT(machine.engine().admit(spec, "default", "", "user:bench").has_value());
    out.push_back(machine.since(begin));
  }
  report(state, name, std::move(out));
}

void queued(::benchmark::State& state) {
  Machine machine;
  machine.node.open_store();
  machine.node.open_engine({.workers = 0});
  std::vector<Template> templates;
  for (int project = 0; project < kProjects; ++project) {
    job::JobSpec spec = machine.node.noop();
    spec.schedule.project = fmt::format("p{}", project);
    const JobId id = machine.engine().admit(spec, "default", "", "user:bench")->id;
    templates.emplace_back(machine.store(), id);
  }
  fill(machine, templates, num_jobs());
  machine.close();
  for (auto _ : state) {
    measure_start(state, machine, {.workers = 2, .retention_interval = std::chrono::hours(1)});
    std::atomic<std::uint64_t> ended = 0;
    const auto counting = machine.engine().subscribe(
        [&](const job::Event& event) { ended += event.type == "job.succeeded" ? 1 : 0; }, nullptr, nullptr);
    const Instant begin = machine.node.clock.monotonic();
    while (ended < kDrained) machine.rest();
    state.counters["drained_per_s"] = static_cast<double>(ended) / machine.ms_since(begin) * 1000;
    report(state, "claim", machine.store().take_claims());
    measure_admissions(state, machine, "admit");
    measure_pages(state, machine, job::JobState::kQueued);
    state.counters["jobs"] = static_cast<double>(num_jobs());
    state.counters["rss_end_mib"] = machine.rss_mib();
  }
  state.counters["file_mib"] = machine.file_mib();
  machine.close();
}

void ended(::benchmark::State& state) {
  Machine machine;
  machine.node.open_store();
  machine.node.open_engine({.workers = 2});
  job::JobSpec spec = machine.node.noop();
  spec.name = kPlaceholder;
  const JobId id = machine.engine().admit(spec, "default", "", "user:bench")->id;
  TANDEM_ASSERT(machine.engine().wait(id, Deadline::never())->state == job::JobState::kSucceeded);
  const std::vector<Template> templates = {Template(machine.store(), id)};
  fill(machine, templates, num_jobs());
  machine.close();
  const double filled_mib = machine.file_mib();
  for (auto _ : state) {
    measure_start(state, machine, {.workers = 2});
    measure_pages(state, machine, job::JobState::kSucceeded);
    measure_admissions(state, machine, "admit");
    machine.close();

    // A tenth is removed, with a client that goes on admitting.
    machine.node.open_store();
    const std::size_t goes = num_jobs() / 10;
    const std::uint64_t removed = machine.node.meter.removed;
    machine.node.open_engine({.workers = 2, .retention_jobs = num_jobs() - goes});
    const Instant begin = machine.node.clock.monotonic();
    std::atomic<bool> over = false;
    Latencies beside;
    std::thread client([&] {
      const job::JobSpec another = machine.node.noop();
      while (!over) {
        const Instant asked = machine.node.clock.monotonic();
        TANDEM_ASSERT(machine.engine().admit(another, "default", "", "user:bench").has_value());
        beside.push_back(machine.since(asked));
        machine.rest();
      }
    });
    while (machine.node.meter.removed - removed < goes) machine.rest();
    state.counters["removed_per_s"] = static_cast<double>(goes) / machine.ms_since(begin) * 1000;
    const Instant swept_from = machine.node.clock.monotonic();
    while (machine.node.meter.erased == 0) machine.rest();  // said once, when the sweep is over
    state.counters["sweep_ms"] = machine.ms_since(swept_from);
    over = true;
    client.join();
    report(state, "admit_beside", std::move(beside));
    report(state, "commit_beside", machine.store().take_commits());
    state.counters["erased_blobs"] = static_cast<double>(machine.node.meter.erased);
    state.counters["rss_end_mib"] = machine.rss_mib();
    machine.close();

    // What was freed is used again.
    const double before_mib = machine.file_mib();
    machine.node.open_store();
    fill(machine, templates, goes / 2);
    machine.close();
    state.counters["file_mib"] = filled_mib;
    state.counters["grown_by_refill_mib"] = machine.file_mib() - before_mib;
    state.counters["grown_by_first_fill_mib"] = filled_mib / 20;
  }
}

BENCHMARK(queued)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);
BENCHMARK(ended)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);

}  // namespace
