// tandem/orchestrate/engine/testing/engine_world.h - everything an engine borrows, around a disk that outlives it.
//
// Room: orchestrate, tests only. close() and open() are a crash and a restart: the contents of the store and the provider stay.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/base/testing/recording_meter.h"
#include "tandem/base/testing/recording_tracer.h"
#include "tandem/base/testing/seeded_rng.h"
#include "tandem/base/testing/skipping_executor.h"
#include "tandem/middleware/backend/local_backend.h"
#include "tandem/orchestrate/engine/engine.h"
#include "tandem/orchestrate/engine/testing/fake_tier.h"
#include "tandem/orchestrate/submit/testing/fake_provider.h"
#include "tandem/store/memory/memory_store.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {

/// "cpu.tabu" is the router's first choice among the fakes, "cpu.annealing" its fallback; the others serve as arms.
class EngineWorld {
 public:
  EngineWorld() {
    for (const char* id : {"cpu.tabu", "cpu.annealing", "cpu.branch_and_bound", "cpu.random"}) {
      auto tier = std::make_unique<FakeTier>(id, clock);
      tiers_.push_back(tier.get());
      backends.add(std::move(tier));
    }
    backends.add(backend::make_statevector_backend(executor, clock, std::uint64_t{1} << 20));
    auto provider_owned = std::make_unique<submit::FakeProvider>(clock, submit_safety_);
    provider = provider_owned.get();
    backends.add(std::move(provider_owned));
    store = std::make_unique<memory::MemoryStore>(store_threads, contents);
  }
  ~EngineWorld() { close(); }

  FakeTier& tier(std::string_view id) {
    for (FakeTier* tier : tiers_)
      if (tier->info().id.value == id) return *tier;
    ADD_FAILURE() << "no fake tier " << id;
    return *tiers_.front();
  }
  FakeTier& main() { return tier("cpu.tabu"); }
  int computed() const {
    int out = 0;
    for (const FakeTier* tier : tiers_) out += tier->computed();
    return out;
  }

  /// Of whoever opens next.
  void limit(std::string_view text) { limits = budget::Limits::parse(text, "budget.yaml").value(); }
  Engine& open(std::size_t workers = 2, Runs runs = Runs::kEveryJob) {
    if (store == nullptr) store = std::make_unique<memory::MemoryStore>(store_threads, contents);
    submitter = make_submitter(*store);
    auto started = Engine::start(services(), {.workers = workers,
                                              .runs = runs,
                                              .memory_bytes_max = memory_bytes_max,
                                              .provider_runs_max = provider_runs_max,
                                              .store_retry_interval = store_retry_interval,
                                              .clock_look_interval = clock_look_interval.value_or(store_retry_interval),
                                              .queue_delay_max = queue_delay_max,
                                              .retention_age = retention_age,
                                              .retention_jobs = retention_jobs,
                                              .idempotency_age = idempotency_age,
                                              .retention_interval = retention_interval,
                                              .schedules = workers != 0 || schedules});
    EXPECT_THAT(started, Succeeds());
    engine = *std::move(started);
    return *engine;
  }
  std::unique_ptr<submit::Submitter> make_submitter(store::Store& on) {
    return std::make_unique<submit::Submitter>(submit::SubmitServices{.store = on,
                                                                      .executor = skipping,
                                                                      .clock = clock,
                                                                      .log = log,
                                                                      .meter = meter,
                                                                      .crash_points = crash_points,
                                                                      .limits = limits.empty() ? nullptr : &limits},
                                               submit::SubmitOptions{});
  }
  EngineServices services() { return services(*store, *submitter); }
  /// Of a process that sees the store in a way of its own, and may have other backends.
  EngineServices services(store::Store& seen, submit::Submitter& submits, backend::BackendRegistry* own = nullptr,
                          StoreClock* store_clock = nullptr) {
    return {.store = seen,
            .backends = own != nullptr ? *own : backends,
            .problems = problems,
            .executor = executor,
            .clock = store_clock != nullptr ? static_cast<const Clock&>(*store_clock) : clock,
            .rng = rng,
            .log = log,
            .meter = meter,
            .tracer = tracer,
            .submitter = submits,
            .crash_points = crash_points,
            .gates = gates,
            .rules = &rules,
            .store_clock = store_clock,
            .limits = limits.empty() ? nullptr : &limits};
  }
  /// The process ends; what was committed stays.
  void close() {
    engine.reset();
    submitter.reset();
    store.reset();
  }

  job::JobSpec spec(Json document) {
    auto parsed = job::JobSpec::parse(document, problems);
    EXPECT_THAT(parsed, Succeeds());
    return *std::move(parsed);
  }
  /// The cut of a complete graph on `num_nodes` nodes with weights 1, 2 and 3, so mixed that no exact reduction applies.
  static Json max_cut(std::uint32_t num_nodes = 8) {
    Json edges = Json::array();
    for (std::uint32_t u = 0; u < num_nodes; ++u)
      for (std::uint32_t v = u + 1; v < num_nodes; ++v) edges.push_back({u, v, 1 + (u * u + 3 * v) % 3});
    return {{"type", "max_cut"}, {"num_nodes", num_nodes}, {"edges", std::move(edges)}};
  }
  /// One round: solve, which is its own baseline.
  job::JobSpec classical_job(const std::string& name = "classical") {
    return spec({{"name", name},
                 {"problem", max_cut()},
                 {"refinement", {{"mode", "off"}}},
                 {"limits", {{"cost_max_usd_micros", 300}}}});  // so that it has a hold
  }
  /// Solve and baseline, then two rounds of four arms, one of them on the simulator.
  job::JobSpec hybrid_job() {
    return spec({{"name", "hybrid"},
                 {"problem", max_cut()},
                 {"policy", {{"avoid", {"fake.provider"}}}},
                 {"refinement", {{"core_max", 4}, {"layers", 1}, {"shots", 30}, {"rounds", 2}}},
                 {"limits", {{"cost_max_usd_micros", 300}}}});
  }
  /// One order on the metered provider, which costs 1000 at most and bills 700.
  job::JobSpec paid_job() {
    circuit::Pub pub{.circuit = circuit::Circuit::create(1, 1).value(), .shots = 10};
    pub.circuit.measure_all();
    return spec({{"name", "paid"},
                 {"program", {{"pubs", Json::array({pub.document()})}}},
                 {"policy", {{"backends", {"fake.provider"}}}},
                 {"limits", {{"cost_max_usd_micros", 5000}}}});
  }

  /// Rules of the house, from now on.
  void set_rules(std::string_view yaml) {
    auto read = access::Rules::parse(yaml, "policy.yaml");
    EXPECT_THAT(read, Succeeds());
    rules = read ? *std::move(read) : access::Rules();
  }

  JobId admit(const job::JobSpec& job, std::string_view key = "") {
    auto admission = engine->admit(job, "default", key, "user:test");
    EXPECT_THAT(admission, Succeeds());
    return admission ? admission->id : JobId();
  }
  JobView wait(const JobId& id) {
    auto view = engine->wait(id, Deadline::never());
    EXPECT_THAT(view, Succeeds());
    return view ? *view : JobView{};
  }
  JobView run(const job::JobSpec& job) { return wait(admit(job)); }
  std::vector<job::Event> events(const JobId& id) { return engine->events(id, 0, 1000).value(); }
  std::vector<std::string> event_types(const JobId& id) {
    std::vector<std::string> out;
    for (const job::Event& event : events(id)) out.push_back(event.type);
    return out;
  }
  budget::Hold hold(const JobId& id) { return budget::Budget(*store).load(id).value(); }
  /// The result without what differs from run to run.
  Json canonical_result(const JobId& id) {
    return job::ResultDocument::parse(parse_json(engine->result(id).value(), "result").value())->computed().value();
  }

 private:
  static constexpr backend::SubmitSafety submit_safety_ = backend::SubmitSafety::kB;
  std::vector<FakeTier*> tiers_;

 public:
  FakeClock clock;
  SkippingExecutor skipping{clock};
  ThreadExecutor executor{4};
  ThreadExecutor store_threads{1};
  std::shared_ptr<memory::Contents> contents = memory::new_contents();
  SeededRng rng{7};
  RecordingLog log;
  RecordingMeter meter;
  RecordingTracer tracer;
  CrashPoints crash_points;
  resilience::Gates* gates = nullptr;
  resilience::Bulkheads::Limits provider_runs_max;
  access::Rules rules;
  bool schedules = false;  ///< also without workers
  problem::ProblemRegistry problems = problem::ProblemRegistry::with_builtin_types();
  backend::BackendRegistry backends;
  submit::FakeProvider* provider = nullptr;
  budget::Limits limits;
  std::chrono::milliseconds store_retry_interval{1'000};
  std::optional<std::chrono::milliseconds>
      clock_look_interval;  ///< a test's clock passes no time by itself; else as the other one
  std::chrono::milliseconds queue_delay_max{0};
  std::chrono::milliseconds retention_age{0};
  std::uint64_t retention_jobs = 0;
  std::chrono::milliseconds idempotency_age = EngineOptions{}.idempotency_age;
  std::chrono::milliseconds retention_interval = EngineOptions{}.retention_interval;
  std::uint64_t memory_bytes_max = EngineOptions{}.memory_bytes_max;
  std::unique_ptr<memory::MemoryStore> store;
  std::unique_ptr<submit::Submitter> submitter;
  std::unique_ptr<Engine> engine;
};

}  // namespace tandem::engine
