// No-op jobs on PostgreSQL, one server and all nodes on this machine, default durability.
//
// Beside pgbench of the same run. Goals: one job per acknowledgement with 8 clients >= 0.7 x pgbench's inserts with 8 clients; in bulk
// >= 45,000/s; full cycle with 2 nodes >= 12,000/s, with default settings >= 5,000/s; pickup by another process p50 <= 3 ms, p99
// <= 15 ms. own_us_per_job and server_us_per_job are processor time, of everything in this process and in the server; where others use
// the machine they say more than rates. postgres_cycle_raw is what the server alone takes for the rows of a full cycle.
//
//   ./dev bench engine                                                            the figures beside their goals
//   ./dev bench orchestrate/engine --benchmark_filter='pgbench|admit|admission|drained|postgres|pickup'
// Without a filter backlog.bench.cc makes two stores of 1,000,000 jobs as well, which takes 8 GiB of disk and many minutes.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <list>
#include <map>
#include <sstream>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

#include "tandem/base/pause.h"
#include "tandem/base/testing/forked.h"
#include "tandem/orchestrate/engine/testing/bench_baselines.h"
#include "tandem/store/postgres/connection.h"
#include "tandem/store/postgres/group_plan.h"
#include "tandem/store/postgres/log_rows.h"
#include "tandem/store/postgres/postgres_store.h"
#include "tandem/store/postgres/schema.h"
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

/// How many batches `node` commits at once.
void report_groups(::benchmark::State& state, const BenchNode& node) {
  state.counters["batches_per_group"] =
      static_cast<double>(node.meter.batches) / static_cast<double>(node.meter.groups);
}

/// One row a transaction, as long as the row of a job: at pgbench's best, and as it comes (a statement parsed each time, one thread).
void pgbench_inserts(::benchmark::State& state) {
  const std::string address = new_database();
  cluster().sql("CREATE TABLE raw (id bigserial PRIMARY KEY, value text NOT NULL)",
                address.substr(address.find("/bench_") + 1, address.find('?') - address.find("/bench_") - 1));
  const std::string script = (std::filesystem::temp_directory_path() / "tandem-pgbench.sql").string();
  std::ofstream(script) << "INSERT INTO raw(value) VALUES (repeat('x', 900));\n";
  double per_s = 0;
  for (auto _ : state) {
    const std::string options = state.range(0) != 0 ? " -M prepared -j 2" : "";
    const std::string command = "/usr/lib/postgresql/15/bin/pgbench -n" + options + " -c 8 -T 5 -f " + script + " '" +
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
  report_groups(state, node);
  report(state, "admit", std::move(admissions));
}

/// The limit: the commits of admissions, by clients that wait for each, without the engine.
void admission_raw(::benchmark::State& state) {
  const std::string address = new_database();
  Starts starts;
  BenchNode node(at(address), starts);
  node.open_store();
  Latencies admissions;
  const CpuTime cpu;
  for (auto _ : state) admissions = admit_raw_for(kDuration, node, static_cast<int>(state.range(0)));
  rate(state, "jobs_per_s", static_cast<double>(admissions.size()));
  cpu.report(state, static_cast<double>(admissions.size()));
  report(state, "admit", std::move(admissions));
}

void admit_in_bulk(::benchmark::State& state) {
  const std::string address = new_database();
  Starts starts;
  BenchNode node(at(address), 0, starts);
  std::size_t admitted = 0;
  const CpuTime cpu;
  for (auto _ : state) {
    const Deadline end = Deadline::after(node.clock, kDuration);
    admitted = admit_until(node, 0, [&](std::size_t) { return end.expired(node.clock); });
  }
  rate(state, "jobs_per_s", static_cast<double>(admitted));
  cpu.report(state, static_cast<double>(admitted));
}

/// A list: parameters stay where they are, which values point into.
using Sendings = std::list<std::pair<const postgres::Statement*, postgres::Params>>;

/// Versions of rows.
using Known = std::array<std::unordered_map<std::string, std::uint64_t>, store::kNumTables>;

/// The statements of one group, made ahead.
Sendings statements_of(std::span<const store::Batch* const> group, Known& known, std::string_view mark) {
  using postgres::CommonQuery;
  using postgres::Params;
  using postgres::Query;
  Sendings out;
  postgres::Presence presence(1);
  postgres::GroupPlan plan(group, presence);
  plan.begin_surely();
  for (std::size_t i = 0; i < store::kNumTables; ++i) {
    for (const auto& [key, row] : plan.rows(static_cast<store::Table>(i)))
      if (const auto found = known[i].find(std::string(key)); found != known[i].end())
        plan.know(static_cast<store::Table>(i), key, found->second);
  }
  for (const store::Batch* batch : group) TANDEM_ASSERT(plan.decide(*batch).has_value());
  for (std::size_t i = 0; i < store::kNumTables; ++i) {
    const auto table = static_cast<store::Table>(i);
    for (const auto& [key, row] : plan.rows(table)) {
      if (row.now)
        known[i][std::string(key)] = static_cast<std::uint64_t>(*row.now);
      else
        known[i].erase(std::string(key));
    }
    std::map<Query, std::map<std::string_view, const postgres::PlannedRow*>> rows;
    for (const auto& [key, row] : plan.rows(table)) {
      if (row.value != nullptr)
        rows[row.there() ? Query::kUpdate : Query::kInsert].emplace(key, &row);
      else if (row.there() && !row.now)
        rows[Query::kErase].emplace(key, &row);
    }
    for (const auto& [query, entries] : rows) {
      std::vector<std::string_view> keys;
      std::vector<std::string_view> values;
      std::vector<std::int64_t> expected;
      std::vector<std::int64_t> versions;
      for (const auto& [key, row] : entries) {
        keys.push_back(key);
        values.push_back(row->value == nullptr ? std::string_view() : std::string_view(*row->value));
        expected.push_back(row->expected());
        versions.push_back(row->now.value_or(0));
      }
      Params params;
      params.byte_strings(keys);
      if (query != Query::kInsert) params.integers(expected);
      if (query != Query::kErase) params.integers(versions).byte_strings(values);
      out.emplace_back(&statement(query, table), std::move(params));
    }
  }
  Params head;
  const auto entries = static_cast<std::int64_t>(plan.appended().size());
  head.integer(entries).integers(plan.added()).integer(static_cast<std::int64_t>(postgres::migrations().size()));
  out.emplace_back(&statement(CommonQuery::kMoveHead), std::move(head));
  out.emplace_back(&statement(CommonQuery::kAppend), postgres::append_params(plan.appended(), entries, mark));
  return out;
}

/// The limit: what full cycles commit, without the engine and without deciding anything. One session, groups of a given size.
void raw_cycle(::benchmark::State& state) {
  constexpr std::size_t kJobs = 20'000;
  const std::vector<store::Batch> batches = record_cycles(kJobs, 0, /*shared=*/true);
  const std::string address = new_database();
  const SystemClock clock;
  TANDEM_ASSERT(postgres::PostgresStore::migrate(address, {}, clock).has_value());
  const auto session =
      postgres::Connection::open(postgres::Address::parse(address).value(), std::chrono::seconds(30), clock).value();
  Known known;
  std::list<Sendings> groups;
  const auto size = static_cast<std::size_t>(state.range(0));
  const std::string mark(24, 'm');  // as long as one is
  for (std::size_t i = 0; i < batches.size(); i += size) {
    std::vector<const store::Batch*> group;
    for (std::size_t k = i; k < std::min(i + size, batches.size()); ++k) group.push_back(&batches[k]);
    groups.push_back(statements_of(group, known, mark));
  }
  const CpuTime cpu;
  for (auto _ : state) {
    for (const Sendings& group : groups) {
      for (const auto& [sent, params] : group) session->send(*sent, params);
      const auto done = session->finish();
      TANDEM_ASSERT(done.has_value());
    }
  }
  rate(state, "jobs_per_s", static_cast<double>(kJobs));
  cpu.report(state, static_cast<double>(kJobs));
}

/// Jobs that wait when the worker starts.
void backlog_drained(::benchmark::State& state) {
  constexpr std::size_t kJobs = 50'000;
  const std::string address = new_database();
  Starts starts;
  Backlog backlog;
  BenchNode api(at(address), 0, starts);
  admit_until(api, 0, [](std::size_t asked) { return asked == kJobs; });
  std::unique_ptr<BenchNode> worker;
  std::uint64_t ended = 0;
  const CpuTime cpu;
  for (auto _ : state) {
    const Deadline end = Deadline::after(api.clock, kDuration);
    worker = std::make_unique<BenchNode>(at(address), 2, starts);
    backlog.count(*worker);
    while ((ended = backlog.ended()) < kJobs && !end.expired(api.clock))
      (void)pause(api.executor, std::chrono::milliseconds(1), {});
  }
  rate(state, "jobs_per_s", static_cast<double>(ended));
  cpu.report(state, static_cast<double>(ended));
}

void full_cycle(::benchmark::State& state) {
  const std::string address = new_database();
  Starts starts;
  Backlog backlog;
  std::vector<std::unique_ptr<BenchNode>> nodes;
  for (int i = 0; i < state.range(1); ++i) {
    nodes.push_back(std::make_unique<BenchNode>(at(address), static_cast<std::size_t>(state.range(2)), starts));
    backlog.count(*nodes.back());
  }
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
  report_groups(state, *nodes.front());
  report(state, "admit", std::move(admissions.front()));
  report(state, "to_start", starts.taken());
}

/// A process that runs the jobs of another one, and tells it when each began.
class WorkerProcess {
 public:
  /// Forks: before the bench has threads.
  explicit WorkerProcess(const std::string& address) : process_([&](Forked& parent) { return work(parent, address); }) {
    char ready = 0;
    TANDEM_ASSERT(process_.hear(&ready, 1));
  }

  /// Ends it. Returns when each job began, by the clock that processes share.
  std::vector<std::pair<std::string, Instant>> began() {
    process_.hush();
    std::vector<std::pair<std::string, Instant>> out;
    Began one;
    while (process_.hear(&one, sizeof one)) out.emplace_back(std::string(one.job.data(), one.job.size()), one.at);
    return out;
  }

 private:
  struct Began {
    std::array<char, 40> job{};  ///< "job_" and a UUID
    Instant at;
  };
  /// The cluster is the other one's to end.
  static bool work(Forked& parent, const std::string& address) {
    Starts starts;
    {
      BenchNode node(at(address), 2, starts);
      TANDEM_ASSERT(parent.say("r", 1));
      char word = 0;
      (void)parent.hear(&word, 1);  // until the other one has enough, or has ended
    }
    for (const auto& [job, at] : starts.open()) {
      Began one{.at = at};
      TANDEM_ASSERT(job.size() == one.job.size());
      std::copy(job.begin(), job.end(), one.job.begin());
      if (!parent.say(&one, sizeof one)) return false;
    }
    return true;
  }
  Forked process_;
};

/// Jobs that one process admits and another one runs, one at a time.
void pickup(::benchmark::State& state) {
  const std::string address = new_database();
  TANDEM_ASSERT(postgres::PostgresStore::migrate(address, {}, SystemClock()).has_value());
  WorkerProcess worker(address);
  Starts starts;
  Latencies cycles;
  {
    BenchNode api(at(address), 0, starts);
    const job::JobSpec spec = api.noop(0);
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
  }
  for (const auto& [job, at] : worker.began()) starts.began(job, at);
  TANDEM_ASSERT(starts.taken().size() == cycles.size() && starts.open().empty());
  state.counters["jobs"] = static_cast<double>(cycles.size());
  report(state, "pickup", starts.taken());
  report(state, "cycle", std::move(cycles));
}

BENCHMARK(pgbench_inserts)
    ->ArgName("best")
    ->Arg(1)
    ->Arg(0)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);
BENCHMARK(admit_only)
    ->ArgName("clients")
    ->Arg(8)
    ->Arg(64)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);
BENCHMARK(admission_raw)->ArgName("clients")->Arg(8)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);
BENCHMARK(admit_in_bulk)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);
BENCHMARK(backlog_drained)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);
BENCHMARK(full_cycle)
    ->Name("postgres_cycle")
    ->ArgNames({"clients", "nodes", "workers"})
    ->Args({64, 1, 2})
    ->Args({64, 2, 2})
    ->Args({256, 2, 1})
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);
BENCHMARK(raw_cycle)
    ->Name("postgres_cycle_raw")
    ->ArgName("batches")
    ->Arg(32)
    ->Arg(256)
    ->Iterations(1)
    ->UseRealTime()
    ->Unit(::benchmark::kMillisecond);
BENCHMARK(pickup)->Iterations(1)->UseRealTime()->Unit(::benchmark::kMillisecond);

}  // namespace
