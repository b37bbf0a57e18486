// tandem/orchestrate/engine/testing/engine_bench.h - BenchNode: an engine on a store, and clients that hand it no-op jobs.
//
// Room: orchestrate, benchmarks only.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/orchestrate/engine/engine.h"

namespace tandem::engine {

using Latencies = std::vector<std::chrono::nanoseconds>;

inline void report(::benchmark::State& state, const std::string& name, Latencies latencies) {
  if (latencies.empty()) return;
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double share) {
    const auto index = static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1));
    return std::chrono::duration<double, std::milli>(latencies[index]).count();
  };
  state.counters[name + "_p50_ms"] = at(0.5);
  state.counters[name + "_p99_ms"] = at(0.99);
  state.counters[name + "_max_ms"] = at(1);
}

/// Counts what goes, and nothing else.
class BenchMeter final : public Meter {
 public:
  void add(std::string_view name, double amount, Labels) override {
    if (name == "tandem_jobs_ended_total" && on_ended) on_ended();
    if (name == "tandem_jobs_removed_total") removed += static_cast<std::uint64_t>(amount);
    if (name == "tandem_blobs_erased_total") erased += static_cast<std::uint64_t>(amount);
  }
  void observe(std::string_view name, double value, Labels) override {
    if (name != "tandem_store_group_batches") return;
    ++groups;
    batches += static_cast<std::uint64_t>(value);
  }
  void set(std::string_view, double, Labels) override {}
  std::function<void()> on_ended;  ///< of a job
  std::atomic<std::uint64_t> removed = 0;
  std::atomic<std::uint64_t> erased = 0;
  std::atomic<std::uint64_t> groups = 0;  ///< that the store committed
  std::atomic<std::uint64_t> batches = 0;
};

/// How long after its acknowledgement a worker, of whichever node, begins a job.
class Starts {
 public:
  void acknowledged(const std::string& job, Instant at) { note(job, at, true); }
  void began(const std::string& job, Instant at) { note(job, at, false); }
  Latencies taken() {
    const std::lock_guard lock(mutex_);
    return taken_;
  }
  /// Jobs of which one of the two is known so far, and when it was.
  std::unordered_map<std::string, Instant> open() {
    const std::lock_guard lock(mutex_);
    return open_;
  }

 private:
  void note(const std::string& job, Instant at, bool is_acknowledgement) {
    const std::lock_guard lock(mutex_);
    const auto [other, first] = open_.emplace(job, at);
    if (first) return;
    // Who began before his client had heard of it did not wait.
    const auto waited = is_acknowledgement ? other->second - at : at - other->second;
    taken_.push_back(std::max<std::chrono::nanoseconds>(waited, std::chrono::nanoseconds(0)));
    open_.erase(other);
  }
  std::mutex mutex_;
  std::unordered_map<std::string, Instant> open_;
  Latencies taken_;
};

class StartTracer final : public Tracer {
 public:
  StartTracer(const Clock& clock, Starts& starts) : clock_(clock), starts_(starts) {}
  std::unique_ptr<Span> start(std::string_view name, std::string_view job) override {
    // The first of its job: a no-op without steps has no other.
    if (name == "walk.next") starts_.began(std::string(job), clock_.monotonic());
    return NullTracer().start(name, job);
  }

 private:
  const Clock& clock_;
  Starts& starts_;
};

/// One process: its threads, its store and its engine.
struct BenchNode {
  using Open = std::function<std::unique_ptr<store::Store>(BenchNode&)>;
  /// Nothing is open.
  BenchNode(Open open, Starts& starts) : tracer(clock, starts), open_(std::move(open)) {}
  BenchNode(Open open, std::size_t workers, Starts& starts) : BenchNode(std::move(open), starts) {
    open_store();
    open_engine({.workers = workers, .node_id = "node_" + new_uuid7(clock, rng)});
  }
  void open_store() {
    store = open_(*this);
    submitter = std::make_unique<submit::Submitter>(submit::SubmitServices{.store = *store,
                                                                           .executor = executor,
                                                                           .clock = clock,
                                                                           .log = log,
                                                                           .meter = meter,
                                                                           .crash_points = crash_points},
                                                    submit::SubmitOptions{});
  }
  void open_engine(EngineOptions options) {
    engine = Engine::start({.store = *store,
                            .backends = backends,
                            .problems = problems,
                            .executor = executor,
                            .clock = clock,
                            .rng = rng,
                            .log = log,
                            .meter = meter,
                            .tracer = tracer,
                            .submitter = *submitter,
                            .crash_points = crash_points},
                           std::move(options))
                 .value();
  }
  /// The process ends; what it stored stays.
  void close() {
    engine.reset();
    submitter.reset();
    store.reset();
  }
  job::JobSpec noop(int steps = 0) {
    return job::JobSpec::parse({{"problem", {{"type", "noop"}, {"steps", steps}}}}, problems).value();
  }

  SystemClock clock;
  SystemRng rng;
  ThreadExecutor executor{2};
  RecordingLog log;
  BenchMeter meter;
  StartTracer tracer;
  CrashPoints crash_points;
  problem::ProblemRegistry problems = problem::ProblemRegistry::with_builtin_types();
  backend::BackendRegistry backends;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<submit::Submitter> submitter;
  std::unique_ptr<Engine> engine;

 private:
  Open open_;
};

/// Counts what is admitted and what has ended, and holds clients back when too much waits.
class Backlog {
 public:
  static constexpr std::int64_t kMax = 2'000;  ///< jobs that have not ended; clients hold back beyond it
  /// Ends of jobs that `node` runs, from now on. The node ends first.
  void count(BenchNode& node) {
    node.meter.on_ended = [this] {
      const std::lock_guard lock(mutex_);
      ++ended_;
      if (waiting_ != 0 && open() <= kMax / 2) done_.notify_all();
    };
  }
  /// Called after each admission. Clients go on when half of the backlog is done, all at once: waking them is no part of what
  /// is measured.
  void hold_back() {
    std::unique_lock lock(mutex_);
    ++admitted_;
    most_ = std::max(most_, open());
    if (open() <= kMax) return;
    ++waiting_;
    done_.wait(lock, [&] { return open() <= kMax / 2; });
    --waiting_;
  }
  std::uint64_t ended() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::uint64_t>(ended_);
  }
  /// Jobs that had not ended, at most: what a job waits is this many divided by the jobs a second.
  std::int64_t most() const {
    const std::lock_guard lock(mutex_);
    return most_;
  }

 private:
  /// Below 0 when a job has ended before its client came to count it.
  std::int64_t open() const { return admitted_ - ended_; }
  mutable std::mutex mutex_;
  std::condition_variable done_;
  std::int64_t admitted_ = 0;
  std::int64_t ended_ = 0;
  std::int64_t most_ = 0;
  std::size_t waiting_ = 0;
};

/// Clients that ask one thing after the other for `duration`, on one thread, as connections of a server are. `ask` calls what it is given
/// with the id of a job, or none, when it is answered; `after_each` gets that id and when it was. Returns how long each answer took.
template <typename Ask, typename After>
Latencies ask_for(std::chrono::nanoseconds duration, BenchNode& node, int clients, const Ask& ask,
                  const After& after_each) {
  struct Answered {
    std::string id;
    Instant asked;
    Instant at;
  };
  const Deadline end = Deadline::after(node.clock, duration);
  std::mutex mutex;
  const auto some = node.executor.make_condition();
  std::vector<Answered> answered;
  const auto ask_one = [&] {
    const Instant asked = node.clock.monotonic();
    ask([&, asked](std::string id) {
      const std::lock_guard lock(mutex);
      answered.push_back({std::move(id), asked, node.clock.monotonic()});
      if (answered.size() == 1) some->notify_one();
    });
  };
  Latencies out;
  int under_way = clients;
  for (int i = 0; i < clients; ++i) ask_one();
  std::vector<Answered> taken;
  while (under_way > 0) {
    {
      std::unique_lock lock(mutex);
      some->wait(lock, [&] { return !answered.empty(); });
      taken.swap(answered);
    }
    for (const Answered& one : taken) {
      out.push_back(one.at - one.asked);
      after_each(one.id, one.at);
      if (end.expired(node.clock))
        --under_way;
      else
        ask_one();
    }
    taken.clear();
  }
  return out;
}

/// Clients of `node` that admit one job after the other for `duration`. Returns how long each admission took.
inline Latencies admit_for(std::chrono::nanoseconds duration, BenchNode& node, int clients, int steps, Starts& starts,
                           const std::function<void()>& after_each) {
  const auto spec = std::make_shared<const job::JobSpec>(node.noop(steps));
  return ask_for(
      duration, node, clients,
      [&](auto answered) {
        node.engine->admit(spec, "default", "", "user:bench", [answered](const Result<Admission>& admission) {
          TANDEM_ASSERT(admission.has_value());
          answered(admission->id.value);
        });
      },
      [&](const std::string& id, Instant at) {
        starts.acknowledged(id, at);
        after_each();
      });
}

/// One client that asks until `enough`, with up to `under_way_max` questions under way; when those are out it goes on at half of them.
/// `ask` gets the number of the question. Returns how many.
template <typename Ask>
std::size_t ask_until(Executor& executor, std::size_t under_way_max, const std::function<bool(std::size_t)>& enough,
                      const Ask& ask) {
  std::mutex mutex;
  const auto answered = executor.make_condition();
  std::size_t under_way = 0;
  std::size_t asked = 0;
  while (!enough(asked)) {
    {
      std::unique_lock lock(mutex);
      answered->wait(lock, [&] { return under_way < under_way_max; });
      ++under_way;
    }
    ask(asked++, [&] {
      const std::lock_guard lock(mutex);
      if (--under_way == under_way_max / 2 || under_way == 0) answered->notify_all();
    });
  }
  std::unique_lock lock(mutex);
  answered->wait(lock, [&] { return under_way == 0; });
  return asked;
}

inline void rate(::benchmark::State& state, const std::string& name, double count) {
  state.counters[name] = ::benchmark::Counter(count, ::benchmark::Counter::kIsRate);
}

}  // namespace tandem::engine
