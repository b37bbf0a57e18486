// A process that is stopped for longer than its lease and goes on: what it had sent before arrives, and nothing of it counts.
// TANDEM_ZOMBIES raises the late completions on each store (1,000).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/setting.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/base/testing/recording_tracer.h"
#include "tandem/base/text.h"
#include "tandem/orchestrate/engine/engine.h"
#include "tandem/orchestrate/engine/testing/frozen_store.h"
#include "tandem/store/memory/memory_store.h"
#include "tandem/store/postgres/postgres_store.h"
#include "tandem/store/postgres/testing/cluster.h"
#include "tandem/store/sqlite/sqlite_store.h"
#include "tandem/store/testing/temp_folder.h"

namespace tandem::engine {
namespace {

constexpr std::size_t kRound = 250;  ///< late completions of one stop
constexpr std::chrono::milliseconds kLease{500};

struct World {
  SystemClock clock;
  SystemRng rng;
  NullLog log;
  NullMeter meter;
  NullTracer tracer;
  CrashPoints crash_points;
  ThreadExecutor executor{2};
  problem::ProblemRegistry problems = problem::ProblemRegistry::with_builtin_types();
  backend::BackendRegistry backends;
  std::unique_ptr<store::TempFolder> folder;
  std::unique_ptr<store::Store> store;

  explicit World(const std::string& kind) {
    if (kind == "memory") {
      store = std::make_unique<memory::MemoryStore>(executor);
    } else if (kind == "sqlite") {
      folder = std::make_unique<store::TempFolder>();
      store = sqlite::SqliteStore::open(*folder / "store.db", {}, executor, clock, meter).value();
    } else {
      static postgres::Cluster cluster;
      store = postgres::PostgresStore::open(cluster.address(), {}, executor, clock, rng, meter).value();
    }
  }
};

/// One process.
struct Node {
  Node(World& world, const std::string& name)
      : store(*world.store, world.clock),
        submitter({.store = store,
                   .executor = world.executor,
                   .clock = world.clock,
                   .log = world.log,
                   .meter = world.meter,
                   .crash_points = world.crash_points},
                  {}),
        engine(Engine::start({.store = store,
                              .backends = world.backends,
                              .problems = world.problems,
                              .executor = world.executor,
                              .clock = world.clock,
                              .rng = world.rng,
                              .log = world.log,
                              .meter = world.meter,
                              .tracer = world.tracer,
                              .submitter = submitter,
                              .crash_points = world.crash_points},
                             {.lease_ttl = kLease, .log_interval = std::chrono::milliseconds(50), .node_id = name})
                   .value()) {}
  FrozenStore store;
  submit::Submitter submitter;
  std::unique_ptr<Engine> engine;
};

class Zombies : public testing::TestWithParam<std::string> {};

/// So that it is seen that the wire delivers.
TEST_P(Zombies, what_was_on_the_wire_counts_where_nobody_took_over) {
  World world(GetParam());
  const job::JobSpec noop =
      job::JobSpec::parse({{"problem", {{"type", "noop"}, {"steps", 1}}}}, world.problems).value();
  Node stopped(world, "stopped");
  stopped.store.keep_ends();
  constexpr std::size_t kJobs = 20;
  for (std::size_t i = 0; i < kJobs; ++i) ASSERT_THAT(stopped.engine->admit(noop, "default", "", "user"), Succeeds());
  stopped.store.wait_for_ends(kJobs);
  stopped.store.freeze();
  EXPECT_EQ(stopped.store.thaw(), kJobs);
}

TEST_P(Zombies, no_late_completion_of_a_process_that_was_stopped_is_taken) {
  const auto asked = parse_int64(SystemEnvironment().get("TANDEM_ZOMBIES"));
  const auto total = static_cast<std::size_t>(asked.value_or(1'000));
  World world(GetParam());
  const job::JobSpec noop =
      job::JobSpec::parse({{"problem", {{"type", "noop"}, {"steps", 1}}}}, world.problems).value();
  std::size_t late = 0;
  std::size_t taken = 0;
  for (int round = 0; late < total; ++round) {
    Node stopped(world, fmt::format("stopped-{}", round));
    stopped.store.keep_ends();
    std::vector<JobId> jobs;
    for (std::size_t i = 0; i < kRound; ++i)
      jobs.push_back(stopped.engine->admit(noop, "default", "", "user:test").value().id);
    stopped.store.wait_for_ends(kRound);
    stopped.store.freeze();
    Node heir(world, fmt::format("heir-{}", round));
    std::map<std::string, Bytes> results;
    for (const JobId& id : jobs) {
      ASSERT_EQ(heir.engine->wait(id, Deadline::never()).value().state, job::JobState::kSucceeded);
      results[id.value] = heir.engine->result(id).value();
    }
    const std::uint64_t before = world.store->last_sequence().value();
    taken += stopped.store.thaw();
    late += kRound;
    stopped.engine->drain(Deadline::never());
    EXPECT_EQ(world.store->last_sequence().value(), before) << "the log grew";
    for (const JobId& id : jobs) {
      const auto view = heir.engine->job(id).value();
      EXPECT_GE(view.fence, 3u) << "started, taken over, started; more where the heir was slow";
      EXPECT_EQ(heir.engine->result(id).value(), results[id.value]);
      std::vector<std::string> types;
      const auto events = heir.engine->events(id, 0, 1000).value();
      for (const job::Event& event : events) types.push_back(event.type);
      EXPECT_THAT(types, testing::Contains("job.succeeded").Times(1));
      EXPECT_THAT(types, testing::Contains("job.started").Times(testing::Ge(2)));
      EXPECT_THAT(types, testing::Contains("job.requeued"));
    }
  }
  EXPECT_EQ(taken, 0u);
  fmt::print("{}: {} of {} late completions taken\n", GetParam(), taken, late);
}

INSTANTIATE_TEST_SUITE_P(Stores, Zombies, testing::Values("memory", "sqlite", "postgres"),
                         [](const auto& store) { return store.param; });

}  // namespace
}  // namespace tandem::engine
