// tandem/sim/process.h - Process: one server from its start to its end: a real engine on simulated seams.
//
// Room: sim. A dead process runs on for a while, as its destructors need, but nothing of it reaches the disk, the device or a client.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "tandem/base/crash_point.h"
#include "tandem/orchestrate/engine/engine.h"
#include "tandem/orchestrate/resilience/gates.h"
#include "tandem/sim/device.h"
#include "tandem/sim/oracle.h"
#include "tandem/sim/sim_store.h"

namespace tandem::sim {

/// What all processes of one history share. `calm`: no faults from now on.
struct Surroundings {
  const Options& options;
  Scheduler& scheduler;
  Group& world;
  Disk& disk;
  StoreWeather& weather;
  Devices& devices;
  Oracle& oracle;
  const problem::ProblemRegistry& problems;
  const access::Rules& rules;
  const budget::Limits* limits = nullptr;
  bool calm = false;
};

/// Tells when a circuit holds a call back, so that it is seen whether circuits come to anything in the simulation.
class CircuitMeter final : public Meter {
 public:
  explicit CircuitMeter(std::function<void()> held_back) : held_back_(std::move(held_back)) {}
  void add(std::string_view name, double /*amount*/, Labels /*labels*/) override {
    if (name == "tandem_backend_calls_held_back_total") held_back_();
  }
  void observe(std::string_view, double, Labels) override {}
  void set(std::string_view, double, Labels) override {}

 private:
  std::function<void()> held_back_;
};

/// Threads: one, that of the scheduler; start(), call() and end() block, so they are called from a fibre of the world.
class Process : public std::enable_shared_from_this<Process> {
 public:
  Process(Surroundings& around, std::string name, std::size_t workers, engine::Runs runs);

  /// Starts the engine. False when it could not, or the process died meanwhile.
  bool start();
  /// kill -9, a power failure: nothing of it counts from now on.
  void kill();
  /// A signal to shut down.
  void ask_to_stop();
  /// Until it is dead, has to stop, or `other` holds, which news() makes it look at.
  void wait_until_over(const std::function<bool()>& other);
  void news() { changed_.notify_all(); }
  /// Ends what runs; a process that is not dead may finish and requeue first.
  void end();
  /// Stops being scheduled for so long.
  void pause(Scheduler::Nanos duration);

  bool serves() const { return engine_ != nullptr && !dead_ && !stopping_; }
  bool dead() const { return dead_; }
  const std::string& name() const { return name_; }
  SimClock& wall() { return clock_; }
  SimStore& store() { return store_; }

  /// A request to the server and its answer. Errors: 1202 peer_unreachable - nobody there; 1205 connection_lost - no answer, whatever
  /// became of the request; those of `request`, which is copied and may run twice.
  template <typename T>
  static Result<T> call(std::shared_ptr<Process> process, Scheduler::Nanos time_out,
                        std::function<Result<T>(engine::Engine&)> request) {
    if (process == nullptr || !process->serves()) return fail(errors::kPeerUnreachable, "nobody listens");
    const auto told = [&](Result<T> out) {
      process->around_.oracle.tell(process->name_, out ? "answers a client" : out.error().to_string());
      return out;
    };
    const auto answer = std::make_shared<std::optional<Result<T>>>();
    const auto serve = [process, answer, request = std::move(request)] {
      Result<T> out = request(*process->engine_);
      --process->calls_;
      if (!process->dead_ && !process->happens(process->around_.options.reply_lost, "reply lost"))
        if (!*answer) *answer = std::move(out);
      process->changed_.notify_all();
    };
    if (!process->happens(process->around_.options.request_lost, "request lost")) {
      process->receive(serve);
      if (process->happens(process->around_.options.request_doubled, "request doubled")) process->receive(serve);
    }
    process->wait([&] { return answer->has_value() || process->dead_; }, time_out);
    if (answer->has_value()) return told(**answer);
    return told(fail(errors::kConnectionLost, "no answer"));
  }

 private:
  bool happens(double chance, const char* fault);
  void receive(std::function<void()> serve);
  bool wait(const std::function<bool()>& predicate, Scheduler::Nanos time_out);
  StoreHooks hooks();
  Line line();

  Surroundings& around_;
  const std::string name_;
  const std::size_t workers_;
  const engine::Runs runs_;
  Group group_;
  SimClock clock_;
  engine::StoreClock store_clock_;
  SimExecutor executor_;
  SimRng rng_;
  NullLog log_;
  CircuitMeter meter_;
  NullTracer tracer_;
  CrashPoints crash_points_;
  SimStore store_;
  backend::BackendRegistry backends_;
  resilience::Gates gates_;
  std::unique_ptr<submit::Submitter> submitter_;
  std::unique_ptr<engine::Engine> engine_;
  std::mutex mutex_;
  SimCondition changed_;
  std::size_t calls_ = 0;
  bool starting_ = false;
  bool dead_ = false;
  bool stopping_ = false;
};

}  // namespace tandem::sim
