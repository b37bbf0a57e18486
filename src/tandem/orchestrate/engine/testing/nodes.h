// tandem/orchestrate/engine/testing/nodes.h - Nodes: engines that stand for processes, on one store.
//
// Room: orchestrate, tests only.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tandem/orchestrate/engine/store_clock.h"
#include "tandem/orchestrate/engine/store_watch.h"
#include "tandem/orchestrate/engine/testing/cut_store.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {

/// Engines that stand for processes; they share the store, the providers and the clock of one world.
class Nodes : public testing::Test {
 protected:
  struct Node {
    Node(store::Store& shared, const Clock& machine) : store(shared), clock(machine) {}
    CutStore store;
    StoreClock clock;
    std::unique_ptr<submit::Submitter> submitter;
    std::unique_ptr<Engine> engine;
  };

  Nodes() { world_.store->share(world_.clock); }

  std::unique_ptr<Node> node(const std::string& name, std::size_t workers = 1,
                             backend::BackendRegistry* backends = nullptr, const Clock* machine = nullptr) {
    auto out = std::make_unique<Node>(*world_.store, machine != nullptr ? *machine : world_.clock);
    out->submitter = world_.make_submitter(out->store);
    auto started = Engine::start(world_.services(out->store, *out->submitter, backends, &out->clock),
                                 {.workers = workers,
                                  .store_retry_interval = store_retry_interval_,
                                  .clock_look_interval = store_retry_interval_,
                                  .lease_ttl = kLease,
                                  .log_interval = std::chrono::milliseconds(2),
                                  .schedules = schedules_.value_or(workers != 0),
                                  .node_id = name});
    EXPECT_THAT(started, Succeeds());
    out->engine = *std::move(started);
    return out;
  }
  /// The first job that begins waits at the gate; those after it pass by.
  void hold_first(Gate& gate) {
    world_.main().before =
        [&gate, begun = std::make_shared<std::atomic<bool>>()](std::stop_token stop) -> std::optional<Error> {
      if (!begun->exchange(true)) gate.pass(stop);
      return std::nullopt;
    };
  }
  JobId admit(Node& at, const job::JobSpec& spec) { return at.engine->admit(spec, "default", "", "user").value().id; }
  JobView wait(Node& at, const JobId& id) { return at.engine->wait(id, Deadline::never()).value(); }
  /// However often it is refused before because nothing can be stored: a process may have found that out by any of its threads, and is
  /// told at its next probe that the store is back.
  JobId admit_through_trouble(Node& at, const job::JobSpec& spec) {
    auto admitted = at.engine->admit(spec, "default", "", "user");
    while (!admitted && is_store_trouble(admitted.error())) admitted = at.engine->admit(spec, "default", "", "user");
    EXPECT_THAT(admitted, Succeeds());
    return admitted.value_or(Admission{}).id;
  }
  /// The job's end, however often it is said in between that nothing can be stored.
  JobView wait_through_trouble(Node& at, const JobId& id) {
    auto end = at.engine->wait(id, Deadline::never());
    while (!end && is_store_trouble(end.error())) end = at.engine->wait(id, Deadline::never());
    EXPECT_THAT(end, Succeeds());
    return end.value_or(JobView{});
  }
  std::vector<std::string> event_types(Node& at, const JobId& id) {
    std::vector<std::string> out;
    const auto events = at.engine->events(id, 0, 1000);
    for (const job::Event& event : events.value()) out.push_back(event.type);
    return out;
  }

  void wait_for_beats(const std::string& name, std::uint64_t count) {
    const auto beats = [&] { return (*world_.store->get(store::Table::kMeta, "node/" + name))->version; };
    for (const std::uint64_t last = beats() + count; beats() < last;) std::this_thread::yield();
  }

  static constexpr std::chrono::milliseconds kLease{200};
  std::chrono::milliseconds store_retry_interval_{5};
  std::optional<bool> schedules_;  ///< of who starts next; else who works schedules, too
  EngineWorld world_;
};

}  // namespace tandem::engine
