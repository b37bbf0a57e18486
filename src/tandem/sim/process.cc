#include "tandem/sim/process.h"

#include <utility>

#include "tandem/orchestrate/resilience/breaker.h"

namespace tandem::sim {
namespace {

constexpr Scheduler::Nanos kMilli = 1'000'000;

/// As a server has them, in the proportions of the simulation, where a step waits a second for the device instead of twenty.
constexpr resilience::BreakerOptions kCircuits{
    .failures_max = 5, .pause_min = std::chrono::milliseconds(50), .pause_max = std::chrono::milliseconds(1000)};
constexpr std::size_t kDeviceCallsMax = 2;
constexpr std::size_t kDeviceRunsMax = 3;

std::map<std::string, resilience::GateLimits, std::less<>> gates_of(const Devices& devices) {
  std::map<std::string, resilience::GateLimits, std::less<>> out;
  for (const SimDevice& device : devices) out[device.vendor().id()] = {.calls_max = kDeviceCallsMax};
  return out;
}

resilience::Bulkheads::Limits bulkheads_of(const Devices& devices) {
  resilience::Bulkheads::Limits out;
  for (const SimDevice& device : devices) out[device.vendor().id()] = kDeviceRunsMax;
  return out;
}

}  // namespace

Process::Process(Surroundings& around, std::string name, std::size_t workers, engine::Runs runs)
    : around_(around),
      name_(std::move(name)),
      workers_(workers),
      runs_(runs),
      group_(around.scheduler),
      clock_(around.scheduler),
      store_clock_(clock_),
      executor_(around.scheduler, group_, 2),
      rng_(around.scheduler.rng()()),
      meter_([this] {
        around_.oracle.fault(name_, "call held back");
        around_.oracle.hindered(name_);
      }),
      store_(around.disk, around.weather, around.options, name_, around.scheduler, group_, clock_, hooks()),
      gates_(executor_, store_clock_, store_, log_, gates_of(around.devices),
             engine::among_others(store_, store_clock_, around.options.shared ? name_ : "")),
      changed_(around.scheduler) {
  backends_.add(make_sim_tier("cpu.tabu", true, clock_, executor_, line()));
  backends_.add(make_sim_tier("simulator.sim", false, clock_, executor_, line()));
  for (SimDevice& device : around.devices)
    backends_.add(resilience::guard(make_sim_backend(device, line()), clock_, log_, meter_, kCircuits));
}

bool Process::happens(double chance, const char* fault) {
  if (around_.calm || dead_ || !around_.scheduler.chance(chance)) return false;
  around_.oracle.fault(name_, fault);
  return true;
}

StoreHooks Process::hooks() {
  return {.before_commit =
              [this] {
                if (happens(around_.options.crash_before_commit, "crash before a commit")) kill();
                if (happens(around_.options.pause_at_commit, "pause before a commit"))
                  pause(around_.scheduler.between(1, 3) * around_.options.lease_ttl * kMilli);
              },
          .after_commit =
              [this] {
                if (happens(around_.options.crash_after_commit, "crash after a commit")) kill();
                if (happens(around_.options.pause_at_commit, "pause after a commit"))
                  pause(around_.scheduler.between(1, 3) * around_.options.lease_ttl * kMilli);
              },
          .commit_fails = [this] { return happens(around_.options.commit_failed, "commit failed"); },
          .stopped =
              [this] {  // somebody starts it again some time
                around_.scheduler.after(around_.world, around_.scheduler.between(10, 1000) * kMilli,
                                        [self = weak_from_this()] {
                                          if (const auto process = self.lock()) process->kill();
                                        });
              },
          .read_clock = [this] { around_.oracle.read_clock(name_); },
          .hindered = [this] { around_.oracle.hindered(name_); }};
}

Line Process::line() {
  return {.scheduler = around_.scheduler,
          .options = around_.options,
          .world = around_.world,
          .dead = [this] { return dead_; },
          .calm = [this] { return around_.calm; },
          .fault = [this](const std::string& fault) { around_.oracle.fault(name_, fault); },
          .vendor = [this](backend::SubmitSafety safety,
                           const std::string& what) { around_.oracle.vendor_saw(safety, what); }};
}

bool Process::wait(const std::function<bool()>& predicate, Scheduler::Nanos time_out) {
  const Scheduler::Nanos until = time_out == Scheduler::kNever ? time_out : around_.scheduler.now() + time_out;
  std::unique_lock lock(mutex_);
  while (!predicate()) {
    if (around_.scheduler.now() >= until) return false;
    changed_.wait_for(lock, std::chrono::nanoseconds(until - around_.scheduler.now()));
  }
  return true;
}

bool Process::start() {
  starting_ = true;
  executor_.post([this] {
    submitter_ = std::make_unique<submit::Submitter>(
        submit::SubmitServices{.store = store_,
                               .executor = executor_,
                               .clock = store_clock_,
                               .log = log_,
                               .meter = meter_,
                               .crash_points = crash_points_,
                               .limits = around_.limits},
        submit::SubmitOptions{.settle_window = std::chrono::milliseconds(around_.options.settle_window),
                              .lookup_interval = std::chrono::milliseconds(kLookupEveryMs)});
    auto started = engine::Engine::start({.store = store_,
                                          .backends = backends_,
                                          .problems = around_.problems,
                                          .executor = executor_,
                                          .clock = store_clock_,
                                          .rng = rng_,
                                          .log = log_,
                                          .meter = meter_,
                                          .tracer = tracer_,
                                          .submitter = *submitter_,
                                          .crash_points = crash_points_,
                                          .gates = &gates_,
                                          .rules = &around_.rules,
                                          .store_clock = &store_clock_,
                                          .limits = around_.limits},
                                         {.workers = workers_,
                                          .runs = runs_,
                                          .remote_deadline = std::chrono::milliseconds(around_.options.remote_deadline),
                                          .provider_runs_max = bulkheads_of(around_.devices),
                                          .reconcile_interval = std::chrono::milliseconds(kSweepEveryMs),
                                          .store_retry_interval = std::chrono::milliseconds(200),
                                          .clock_look_interval = std::chrono::milliseconds(5000),
                                          .lease_ttl = std::chrono::milliseconds(around_.options.lease_ttl),
                                          .log_interval = std::chrono::milliseconds(200),
                                          .node_id = around_.options.shared ? name_ : ""});
    if (started) engine_ = *std::move(started);
    starting_ = false;
    changed_.notify_all();
  });
  wait([this] { return !starting_; }, Scheduler::kNever);
  if (engine_ == nullptr) kill();
  around_.oracle.hindered(name_);
  return !dead_;
}

void Process::kill() {
  if (dead_) return;
  dead_ = true;
  store_.kill();
  group_.resume();
  if (around_.options.plant == Plant::kReplyBeforeSync) {
    around_.disk.lose_unsynced();
    around_.oracle.disk_went_back();
  }
  around_.oracle.check_acknowledged("after the death of " + name_);
  changed_.notify_all();
}

void Process::ask_to_stop() {
  stopping_ = true;
  changed_.notify_all();
}

void Process::wait_until_over(const std::function<bool()>& other) {
  wait([&] { return dead_ || stopping_ || other(); }, Scheduler::kNever);
}

void Process::end() {
  stopping_ = true;
  wait([this] { return !starting_; }, Scheduler::kNever);
  if (engine_ != nullptr)
    engine_->drain(Deadline::after(clock_, dead_ ? std::chrono::milliseconds(0) : std::chrono::milliseconds(100)),
                   Deadline::never());
  wait([this] { return calls_ == 0; }, Scheduler::kNever);
  engine_.reset();
  submitter_.reset();
  while (group_.fibres() > 0) around_.scheduler.sleep(kMilli);
  around_.scheduler.forget(group_);
}

void Process::pause(Scheduler::Nanos duration) {
  if (dead_ || group_.paused()) return;
  group_.pause();
  around_.scheduler.after(around_.world, duration, [self = weak_from_this()] {
    const auto process = self.lock();
    if (process == nullptr) return;
    process->group_.resume();
    process->around_.oracle.hindered(process->name_);
  });
}

void Process::receive(std::function<void()> serve) {
  ++calls_;
  around_.scheduler.after(group_, around_.scheduler.between(0, kMilli), std::move(serve));
}

}  // namespace tandem::sim
