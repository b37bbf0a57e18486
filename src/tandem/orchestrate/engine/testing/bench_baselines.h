// tandem/orchestrate/engine/testing/bench_baselines.h - what stands beside figures of the engine: the disk alone, and the same rows
// without the engine.
//
// Room: orchestrate, benchmarks only.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tandem/base/pause.h"
#include "tandem/orchestrate/engine/testing/engine_bench.h"
#include "tandem/store/memory/memory_store.h"
#include "tandem/store/testing/bench_folder.h"
#include "tandem/store/testing/passing_store.h"

namespace tandem::engine {

/// One writer of blocks of 4 KiB, each synced.
inline void fdatasync_loop(::benchmark::State& state) {
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
  rate(state, "syncs_per_s", static_cast<double>(latencies.size()));
  report(state, "sync", std::move(latencies));
}

/// Admits jobs until `enough`, as one client that has many admissions under way. Returns how many.
inline std::size_t admit_until(BenchNode& node, int steps, const std::function<bool(std::size_t)>& enough) {
  constexpr std::size_t kUnderWayMax = 4096;
  const auto spec = std::make_shared<const job::JobSpec>(node.noop(steps));
  return ask_until(node.executor, kUnderWayMax, enough, [&](std::size_t, auto answered) {
    node.engine->admit(spec, "default", "", "user:bench", [answered](const Result<Admission>& admission) {
      TANDEM_ASSERT(admission.has_value());
      answered();
    });
  });
}

/// A store in memory that keeps what was committed to it, in its order.
class RecordingStore final : public store::PassingStore {
 public:
  RecordingStore(Executor& executor, const Clock& clock, bool shared, std::vector<store::Batch>& committed)
      : RecordingStore(std::make_unique<memory::MemoryStore>(executor), clock, shared, committed) {}
  void commit(store::Batch batch, store::CommitDone done) override {
    auto copy = std::make_shared<store::Batch>(batch);
    PassingStore::commit(std::move(batch), [this, copy, done = std::move(done)](Result<store::Committed> answer) {
      if (answer) committed_.push_back(std::move(*copy));
      done(std::move(answer));
    });
  }
  bool shared() const override { return shared_; }

 private:
  RecordingStore(std::unique_ptr<memory::MemoryStore> rows, const Clock& clock, bool shared,
                 std::vector<store::Batch>& committed)
      : PassingStore(*rows), rows_(std::move(rows)), shared_(shared), committed_(committed) {
    rows_->share(clock);
  }
  std::unique_ptr<memory::MemoryStore> rows_;
  const bool shared_;
  std::vector<store::Batch>& committed_;
};

/// All that the full cycles of `jobs` jobs commit, to a store that processes share or to one that a process has alone.
inline std::vector<store::Batch> record_cycles(std::size_t jobs, int steps, bool shared) {
  std::vector<store::Batch> out;
  Starts starts;
  Backlog backlog;
  BenchNode node(
      [&](BenchNode& self) { return std::make_unique<RecordingStore>(self.executor, self.clock, shared, out); }, 2,
      starts);
  backlog.count(node);
  admit_until(node, steps, [&](std::size_t asked) { return asked == jobs; });
  while (backlog.ended() < jobs) (void)pause(node.executor, std::chrono::milliseconds(1), {});
  return out;
}

/// The commits of admissions of no-op jobs, without an engine: that of one job, with other ids.
class Admissions {
 public:
  explicit Admissions(bool shared) {
    std::vector<store::Batch> committed;
    Starts starts;
    BenchNode node(
        [&](BenchNode& self) { return std::make_unique<RecordingStore>(self.executor, self.clock, shared, committed); },
        0, starts);
    // What stays for all after the first one, as the document, is no part of the second.
    for (JobId* id : {&first_id_, &id_}) *id = node.engine->admit(node.noop(), "default", "", "user:bench")->id;
    for (const store::Batch& batch : committed) {
      if (admits(batch, first_id_)) first_ = batch;
      if (admits(batch, id_)) batch_ = batch;
    }
    TANDEM_ASSERT(!first_.operations.empty() && !batch_.operations.empty());
  }
  const store::Batch& first() const { return first_; }
  store::Batch of(const std::string& id) const {
    store::Batch out = batch_;
    for (store::Operation& operation : out.operations)
      std::visit(
          [&](auto& one) {
            if constexpr (requires { one.subject; })
              rename(one.subject, id);
            else
              rename(one.key, id);
            if constexpr (requires { one.value; }) rename(one.value, id);
          },
          operation);
    return out;
  }

 private:
  static bool admits(const store::Batch& batch, const JobId& id) {
    return std::any_of(batch.operations.begin(), batch.operations.end(), [&](const store::Operation& operation) {
      const auto* append = std::get_if<store::Append>(&operation);
      return append != nullptr && append->subject == id.value;
    });
  }
  /// Ids are of one length.
  void rename(std::string& text, const std::string& id) const {
    for (std::size_t at = text.find(id_.value); at != std::string::npos; at = text.find(id_.value, at + id.size()))
      text.replace(at, id.size(), id);
  }

  JobId first_id_;
  JobId id_;
  store::Batch first_;
  store::Batch batch_;
};

/// The limit of admissions: the same commits to the store of `node`, by clients that wait for each, without the engine. Returns
/// how long each took.
inline Latencies admit_raw_for(std::chrono::nanoseconds duration, BenchNode& node, int clients) {
  const Admissions admissions(node.store->shared());
  TANDEM_ASSERT(node.store->commit_and_wait(admissions.first()).has_value());
  return ask_for(
      duration, node, clients,
      [&](auto answered) {
        store::Batch batch = admissions.of("job_" + new_uuid7(node.clock, node.rng));
        node.store->commit(std::move(batch), [answered](const Result<store::Committed>& done) {
          TANDEM_ASSERT(done.has_value());
          answered(std::string());
        });
      },
      [](const std::string&, Instant) {});
}

/// The limit of full cycles: all that they commit, without the engine, with so many commits under way.
inline void commit_all(BenchNode& node, std::vector<store::Batch> batches, std::size_t under_way) {
  ask_until(
      node.executor, under_way, [&](std::size_t asked) { return asked == batches.size(); },
      [&](std::size_t number, auto answered) {
        node.store->commit(std::move(batches[number]), [answered](const Result<store::Committed>& done) {
          TANDEM_ASSERT(done.has_value());
          answered();
        });
      });
}

}  // namespace tandem::engine
