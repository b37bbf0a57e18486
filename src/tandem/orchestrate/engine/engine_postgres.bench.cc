// No-op jobs on PostgreSQL, one server and all nodes on this machine, default durability.
//
// Beside pgbench of the same run. Goals: one job per acknowledgement with 8 clients >= 0.7 x pgbench's inserts with 8 clients; in bulk
// >= 45,000/s; full cycle with 2 nodes >= 12,000/s, with default settings >= 5,000/s; pickup by another process p50 <= 3 ms, p99
// <= 15 ms.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <map>
#include <sstream>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

#include "tandem/base/pause.h"
#include "tandem/orchestrate/engine/testing/engine_bench.h"
#include "tandem/store/postgres/postgres_store.h"
#include "tandem/store/postgres/testing/cluster.h"

namespace {

using namespace tandem;
using namespace tandem::engine;

constexpr auto kDuration = std::chrono::seconds(5);

postgres::Cluster& cluster() {
  static postgres::Cluster one("shared_buffers = 128MB");
  return one;
}

/// A database of its own.
std::string new_database() {
  static int number = 0;
  const std::string name = "bench_" + std::to_string(++number);
  cluster().sql("CREATE DATABASE " + name);
  return cluster().address(name);
}

/// Processor time of this process and of the server, its child, with all its sessions.
class CpuTime {
 public:
  CpuTime() : own_s_(own()), server_s_(server()) {}
  void report(::benchmark::State& state, double jobs) const {
    state.counters["own_us_per_job"] = (own() - own_s_) / jobs * 1e6;
    state.counters["server_us_per_job"] = (server() - server_s_) / jobs * 1e6;
  }

 private:
  static double own() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  static double server() {
    std::map<long, std::pair<long, double>> processes;  // parent, seconds
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream file(entry.path() / "stat");
      std::string line;
      if (!std::getline(file, line)) continue;
      std::istringstream rest(line.substr(line.rfind(')') + 2));
      std::vector<std::string> fields{std::istream_iterator<std::string>(rest), {}};
      double ticks = 0;
      for (std::size_t i = 11; i < 15; ++i) ticks += std::stod(fields.at(i));  // own, and of children that ended
      processes[std::stol(line)] = {std::stol(fields.at(1)), ticks / static_cast<double>(sysconf(_SC_CLK_TCK))};
    }
    double total_s = 0;
    for (const auto& [process, found] : processes) {
      const auto parent = processes.find(found.first);
      if (found.first == getpid() || (parent != processes.end() && parent->second.first == getpid()))
        total_s += found.second;
    }
    return total_s;
  }
  double own_s_;
  double server_s_;
};

BenchNode::Open at(const std::string& address) {
  return [address](BenchNode& self) -> std::unique_ptr<store::Store> {
    return postgres::PostgresStore::open(address, {}, self.executor, self.clock, self.rng, self.meter).value();
  };
}

/// One row a transaction, as long as the row of a job.
void pgbench_inserts(::benchmark::State& state) {
  const std::string address = new_database();
  cluster().sql("CREATE TABLE raw (id bigserial PRIMARY KEY, value text NOT NULL)",
                address.substr(address.find("/bench_") + 1, address.find('?') - address.find("/bench_") - 1));
  const std::string script = (std::filesystem::temp_directory_path() / "tandem-pgbench.sql").string();
  std::ofstream(script) << "INSERT INTO raw(value) VALUES (repeat('x', 900));\n";
  double per_s = 0;
  for (auto _ : state) {
    const std::string command = "/usr/lib/postgresql/15/bin/pgbench -n -M prepared -c 8 -j 2 -T 5 -f " + script + " '" +
                                address + "' 2>/dev/null";
    FILE* output = popen(command.c_str(), "r");
    TANDEM_ASSERT(output != nullptr);
    std::array<char, 512> line{};
    while (fgets(line.data(), line.size(), output) != nullptr) (void)std::sscanf(line.data(), "tps = %lf", &per_s);
    pclose(output);
  }
  state.counters["per_s"] = per_s;
}

void admit_only(::benchmark::State& state) {
  const std::string address = new_database();
  Starts starts;
  BenchNode node(at(address), 0, starts);
  Latencies admissions;
  const CpuTime cpu;
  for (auto _ : state) admissions = admit_for(kDuration, node, static_cast<int>(state.range(0)), 0, starts, [] {});
  rate(state, "jobs_per_s", static_cast<double>(admissions.size()));
  cpu.report(state, static_cast<double>(admissions.size()));
  report(state, "admit", std::move(admissions));
}

/// Admits jobs until `enough`, as one client that has many admissions under way. Returns how many.
std::size_t admit_until(BenchNode& node, const std::function<bool(std::size_t)>& enough) {
  constexpr std::size_t kUnderWayMax = 4096;
  const auto spec = std::make_shared<const job::JobSpec>(node.noop(0));
  std::mutex mutex;
  const auto answered = node.executor.make_condition();
  std::size_t under_way = 0;
  std::size_t asked = 0;
  while (!enough(asked)) {
    {
      std::unique_lock lock(mutex);
      answered->wait(lock, [&] { return under_way < kUnderWayMax; });
      ++under_way;
    }
    ++asked;
    node.engine->admit(spec, "default", "", "user:bench", [&](const Result<Admission>& admission) {
      TANDEM_ASSERT(admission.has_value());
      const std::lock_guard lock(mutex);
      if (--under_way == kUnderWayMax / 2 || under_way == 0) answered->notify_all();
    });
  }
  std::unique_lock lock(mutex);
  answered->wait(lock, [&] { return under_way == 0; });
  return asked;
}

void admit_in_bulk(::benchmark::State& state) {
  const std::string address = new_database();
  Starts starts;
  BenchNode node(at(address), 0, starts);
  std::size_t admitted = 0;
  const CpuTime cpu;
  for (auto _ : state) {
    const Deadline end = Deadline::after(node.clock, kDuration);
    admitted = admit_until(node, [&](std::size_t) { return end.expired(node.clock); });
  }
  rate(state, "jobs_per_s", static_cast<double>(admitted));
  cpu.report(state, static_cast<double>(admitted));
}

/// Jobs that wait when the worker starts.
void backlog_drained(::benchmark::State& state) {
  constexpr std::size_t kJobs = 50'000;
  const std::string address = new_database();
  Starts starts;
  BenchNode api(at(address), 0, starts);
  const Backlog backlog(api);
  admit_until(api, [](std::size_t asked) { return asked == kJobs; });
  std::unique_ptr<BenchNode> worker;
  std::uint64_t ended = 0;
  const CpuTime cpu;
  for (auto _ : state) {
    const Deadline end = Deadline::after(api.clock, kDuration);
    worker = std::make_unique<BenchNode>(at(address), 2, starts);
    while ((ended = backlog.ended()) < kJobs && !end.expired(api.clock))
      (void)pause(api.executor, std::chrono::milliseconds(1), {});
  }
  rate(state, "jobs_per_s", static_cast<double>(ended));
  cpu.report(state, static_cast<double>(ended));
}

void full_cycle(::benchmark::State& state) {
  const std::string address = new_database();
  Starts starts;
  std::vector<std::unique_ptr<BenchNode>> nodes;
  for (int i = 0; i < state.range(1); ++i)
    nodes.push_back(std::make_unique<BenchNode>(at(address), static_cast<std::size_t>(state.range(2)), starts));
  Backlog backlog(*nodes.front());
  std::uint64_t ended = 0;
  const CpuTime cpu;
  std::vector<Latencies> admissions(nodes.size());
  for (auto _ : state) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < nodes.size(); ++i)
      threads.emplace_back([&, i] {
        admissions[i] =
            admit_for(kDuration, *nodes[i], static_cast<int>(state.range(0)) / static_cast<int>(nodes.size()), 0,
                      starts, [&] { backlog.hold_back(); });
      });
    for (std::thread& thread : threads) thread.join();
    ended = backlog.ended();
  }
  rate(state, "jobs_per_s", static_cast<double>(ended));
  cpu.report(state, static_cast<double>(ended));
  report(state, "admit", std::move(admissions.front()));
  report(state, "to_start", starts.taken());
}

/// Jobs that one process admits and another one runs, one at a time.
void pickup(::benchmark::State& state) {
  const std::string address = new_database();
  Starts starts;
  BenchNode api(at(address), 0, starts);
  BenchNode worker(at(address), 2, starts);
  const job::JobSpec spec = api.noop(0);
  Latencies cycles;
  for (auto _ : state) {
    const Deadline end = Deadline::after(api.clock, kDuration);
    while (!end.expired(api.clock)) {
      const Instant started = api.clock.monotonic();
      const auto admission = api.engine->admit(spec, "default", "", "user:bench");
      starts.acknowledged(admission->id.value, api.clock.monotonic());
      TANDEM_ASSERT(api.engine->wait(admission->id, Deadline::never()).has_value());
      cycles.push_back(api.clock.monotonic() - started);
    }
  }
  report(state, "pickup", starts.taken());
  report(state, "cycle", std::move(cycles));
}

BENCHMARK(pgbench_inserts)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);
BENCHMARK(admit_only)
    ->ArgName("clients")
    ->Arg(8)
    ->Arg(64)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);
BENCHMARK(admit_in_bulk)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);
BENCHMARK(backlog_drained)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);
BENCHMARK(full_cycle)
    ->Name("postgres_cycle")
    ->ArgNames({"clients", "nodes", "workers"})
    ->Args({64, 1, 2})
    ->Args({64, 2, 2})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);
BENCHMARK(pickup)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);

}  // namespace
