// tandem/orchestrate/engine/testing/zombie_world.h - processes that can be stopped, around one store of any kind.
//
// Room: orchestrate, tests only. On the clock of the machine, with short leases.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "tandem/base/testing/recording_log.h"
#include "tandem/base/testing/recording_tracer.h"
#include "tandem/orchestrate/engine/engine.h"
#include "tandem/orchestrate/engine/testing/frozen_store.h"
#include "tandem/store/memory/memory_store.h"
#include "tandem/store/postgres/postgres_store.h"
#include "tandem/store/postgres/testing/cluster.h"
#include "tandem/store/sqlite/sqlite_store.h"
#include "tandem/store/testing/temp_folder.h"

namespace tandem::engine {

struct ZombieWorld {
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

  /// `kind` of store: "memory", "sqlite" or "postgres".
  explicit ZombieWorld(const std::string& kind) {
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
struct ZombieNode {
  ZombieNode(ZombieWorld& world, const std::string& name, EngineOptions options = {}, submit::SubmitOptions waits = {})
      : store(*world.store, world.clock),
        submitter({.store = store,
                   .executor = world.executor,
                   .clock = world.clock,
                   .log = world.log,
                   .meter = world.meter,
                   .crash_points = world.crash_points},
                  waits) {
    options.lease_ttl = std::chrono::milliseconds(500);
    options.log_interval = std::chrono::milliseconds(50);
    options.node_id = name;
    engine = Engine::start({.store = store,
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
                           std::move(options))
                 .value();
  }
  FrozenStore store;
  submit::Submitter submitter;
  std::unique_ptr<Engine> engine;
};

}  // namespace tandem::engine
