// tandem/orchestrate/engine/testing/fake_tier.h - a local backend that answers by trying everything, and does what a test says.
//
// Room: orchestrate, tests only.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/base/machine_memory.h"
#include "tandem/middleware/backend/local_task.h"
#include "tandem/middleware/backend/work_codec.h"

namespace tandem::engine {

/// A door that work waits at, until the test opens it or the work is told to stop.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  /// Work that came to the door so far, counting what has gone through.
  void wait_for_arrivals(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrivals_ >= count; });
  }
  void pass(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    ++arrivals_;
    changed_.notify_all();
    changed_.wait(lock, stop, [&] { return open_; });
    ++departures_;
    changed_.notify_all();
  }
  /// Work that went on from the door, let through or told to stop.
  void wait_for_departures(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return departures_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  int arrivals_ = 0;
  int departures_ = 0;
  bool open_ = false;
};

/// Solves models of up to kVariablesMax variables by enumeration. Threads: `before` and `while_planned` must not change while work runs.
class FakeTier final : public backend::LocalBackend {
 public:
  static constexpr std::size_t kVariablesMax = 12;

  FakeTier(std::string id, const Clock& clock)
      : LocalBackend({.id = BackendId(id),
                      .name = id,
                      .version = "1",
                      .tier = job::Tier::kCpu,
                      .takes_solve = true,
                      .conformance = "local",
                      .variables_max = kVariablesMax},
                     clock) {}

  /// Called when work begins; an error is the answer.
  std::function<std::optional<Error>(std::stop_token stop)> before;
  std::function<void()> while_planned;  ///< called when it is asked whether it is there
  bool proves = false;
  MachineMemory* memory = nullptr;  ///< from which its work takes `memory_bytes`, before it begins
  std::uint64_t memory_bytes = 0;
  int computed() const { return computed_; }

  Result<backend::Availability> availability(const backend::CallContext& context) override {
    if (while_planned) while_planned();
    return LocalBackend::availability(context);
  }
  Result<void> validate(const backend::Work& work) const override {
    if (std::holds_alternative<backend::SolveWork>(work)) return {};
    return fail(errors::kBackendCannot, "{} runs no circuits", info().id.value);
  }
  Result<backend::WorkResult> decode(const backend::RawResult& raw, const backend::Work&) const override {
    TANDEM_TRY_ASSIGN(backend::SolveResult out, backend::decode_outcome(raw.bytes));
    return backend::WorkResult(std::move(out));
  }

 private:
  Result<Bytes> compute(const backend::Work& work, const backend::CallContext& context, std::stop_token stop) override {
    MachineMemory::Reservation reservation;
    if (memory != nullptr) {
      TANDEM_TRY_ASSIGN(reservation, memory->reserve(memory_bytes, info().id.value, stop, context.aside));
    }
    ++computed_;
    if (before) {
      if (auto error = before(stop)) return tl::unexpected(*std::move(error));
    }
    if (stop.stop_requested()) return fail(errors::kCancelled, "stopped before anything was found");
    const auto& order = std::get<backend::SolveWork>(work);
    const solve::Model& model = *order.model;
    const std::size_t n = solve::num_variables(model);
    TANDEM_ASSERT(n <= kVariablesMax);
    const std::int8_t low = solve::vartype(model) == problem::Vartype::kSpin ? -1 : 0;
    std::vector<result::Sample> samples;
    for (std::uint32_t bits = 0; bits < (1u << n); ++bits) {
      problem::Assignment values(n);
      for (std::size_t i = 0; i < n; ++i) values[i] = (bits >> i & 1u) != 0 ? std::int8_t{1} : low;
      const double energy = solve::energy(model, values);
      samples.push_back({.values = std::move(values), .energy = energy});
    }
    solve::SolveOutcome out;
    const auto all = result::SampleSet::create(solve::vartype(model), n, std::move(samples));
    const auto best =
        all.samples().first(std::min(all.samples().size(), static_cast<std::size_t>(order.options.candidates_max)));
    std::vector<result::Sample> given(best.begin(), best.end());
    // Asked for samples it draws the best one as often as it takes.
    if (order.options.num_samples > given.size()) given.front().occurrences += order.options.num_samples - given.size();
    out.samples = result::SampleSet::create(solve::vartype(model), n, std::move(given));
    out.proved = proves;
    out.work_done = {1u << n};
    out.reason = proves ? solve::StopReason::kProved : solve::StopReason::kFinished;
    out.unit_name = "assignments";
    if (context.sink) context.sink({.energy = out.samples.best().energy, .units = 1});
    return backend::encode_outcome(out);
  }
  std::atomic<int> computed_{0};
};

}  // namespace tandem::engine
