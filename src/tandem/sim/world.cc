#include "tandem/sim/world.h"

#include <memory>
#include <utility>
#include <vector>

#include "tandem/model/job/job_spec.h"
#include "tandem/orchestrate/engine/store_watch.h"
#include "tandem/sim/process.h"

namespace tandem::sim {
namespace {

constexpr Scheduler::Nanos kMilli = 1'000'000;
constexpr Scheduler::Nanos kFaultsMax =
    15'000 * kMilli;  ///< of a history; clients that are not done by then go on in the calm
constexpr Scheduler::Nanos kCalmMax = 120'000 * kMilli;  ///< in which everything must come to its end
constexpr Scheduler::Nanos kLookEvery = 200 * kMilli;
constexpr std::uint64_t kStepsMax = 20'000'000;  ///< a history that needs more is one that runs in a circle
constexpr std::uint64_t kScheduleStream = 2;

/// Of production, so that a share of the jobs falls under it; open for so short a time that some are not decided in time.
constexpr std::string_view kRules =
    "rules: [{name: no-rehearsal, requires_simulation: false}]\n"
    "approvals: [{name: production, when: {production: true}, approvers: 2, expires: 700ms}]\n";
/// Of tenants, projects, users and vendors, in real and in play money. Tight ones are reached by a few paid jobs.
budget::Limits make_limits(const Options& options) {
  if (!options.limits) return {};
  const std::int64_t room = options.tight_limits ? 1 : 1000;
  Json lines = Json::array();
  const auto add = [&](Json scope, const char* period, std::int64_t jobs) {
    scope["period"] = period;
    scope["cost"] = {{"hard", fmt::format("${:.6f}", 0.005 * static_cast<double>(jobs * room))}};
    scope["shots"] = {{"hard", 20 * jobs * room}, {"soft", 10 * jobs * room}};
    if (scope.contains("backend") || !scope.contains("emulated")) scope["jobs"] = {{"hard", 2 * jobs * room}};
    lines.push_back(std::move(scope));
  };
  add({{"tenant", "*"}}, "total", 8);
  add({{"tenant", "*"}, {"project", "*"}}, "day", 4);
  add({{"tenant", "*"}, {"user", "*"}}, "month", 7);
  for (const Vendor& vendor : options.vendors) {
    Json scope = {{"backend", vendor.id()}};
    if (vendor.emulated) scope["emulated"] = true;
    add(std::move(scope), "total", 4);
  }
  add({{"tenant", "*"}, {"backend", "*"}, {"emulated", true}}, "day", 3);
  add({{"tenant", "*"}, {"emulated", true}}, "total", 3);
  return budget::Limits::parse(Json{{"limits", lines}}.dump(), "the simulation").value();
}

class World {
 public:
  World(const Options& options, Oracle::Trace trace)
      : options_(options),
        scheduler_(derive_seed(options.seed, kScheduleStream)),
        group_(scheduler_),
        oracle_(scheduler_, disk_, devices_, options_, std::move(trace)),
        limits_(make_limits(options_)),
        around_{.options = options_,
                .scheduler = scheduler_,
                .world = group_,
                .disk = disk_,
                .weather = weather_,
                .devices = devices_,
                .oracle = oracle_,
                .problems = problems_,
                .rules = rules_,
                .limits = limits_.empty() ? nullptr : &limits_},
        changed_(scheduler_),
        nodes_(options_.nodes) {
    if (options_.plant == Plant::kReplyBeforeSync) disk_.keep_history();
    for (const Vendor& vendor : options_.vendors) {
      SimDevice& device = devices_.emplace_back(scheduler_, options_, vendor);
      device.on_accept = [this, &device](const std::string& token) { oracle_.accepted_by_device(device, token); };
      device.on_fault = [this, id = vendor.id()](const std::string& fault) { oracle_.fault(id, fault); };
      device.on_billed_twice = [this, &device](const std::string& token) { oracle_.billed_twice(device, token); };
    }
    make_specs();
  }

  /// False when it could not be brought to an end: then it cannot be destroyed either.
  bool run() {
    scheduler_.spawn(group_, [this] { direct(); });
    if (scheduler_.run(kStepsMax)) return true;
    oracle_.violate(scheduler_.steps() < kStepsMax ? "nobody can run any more" : "it does not come to an end");
    return false;
  }
  Report report() const {
    return {.options = options_,
            .violation = oracle_.violation(),
            .steps = scheduler_.steps(),
            .hash = scheduler_.hash(),
            .jobs = disk_.rows(store::Table::kJob).size(),
            .commits = disk_.batches(),
            .virtual_ms = static_cast<double>(scheduler_.now()) / static_cast<double>(kMilli),
            .coverage = oracle_.coverage()};
  }

 private:
  struct Node {
    std::shared_ptr<Process> process;
    std::uint32_t starts = 0;
    std::int64_t clock_offset_micros = 0;
  };

  std::pair<Json, Json> way_from(const Vendor& first);
  void make_specs();
  void direct();
  void run_node(std::size_t index);
  void run_client(std::size_t index);
  std::shared_ptr<const job::JobSpec> any_spec();
  void follow(const JobId& id);
  void review(const JobId& id);
  void decide(const engine::JobView& job);
  void speak(const engine::JobView& job, identity::Principal person);
  void retry(const JobId& id);
  void attend(const JobId& id);
  bool attends_to_all() const { return options_.runner_node && nodes_.size() == 1; }
  /// A verb of a client: whether it was carried out shows in the job.
  void ask(std::function<Result<void>(engine::Engine&)> request) {
    (void)Process::call<void>(any_node().process, 2000 * kMilli, std::move(request));
  }
  void read_events(const JobId& id);
  void plan_faults();
  void strike();

  bool happens(double chance) { return !around_.calm && scheduler_.chance(chance); }
  Node& any_node() { return nodes_[scheduler_.rng().below(nodes_.size())]; }
  void begin(std::function<void()> body) {
    ++parts_;
    scheduler_.spawn(group_, [this, body = std::move(body)] {
      body();
      --parts_;
      changed_.notify_all();
    });
  }
  bool violated() const { return !oracle_.violation().empty(); }

  const Options options_;
  Scheduler scheduler_;
  Group group_;
  Disk disk_;
  StoreWeather weather_;
  Devices devices_;
  Oracle oracle_;
  const problem::ProblemRegistry problems_ = problem::ProblemRegistry::with_builtin_types();
  const access::Rules rules_ = access::Rules::parse(kRules, "rules of the simulation").value();
  const budget::Limits limits_;
  Surroundings around_;
  std::mutex mutex_;
  SimCondition changed_;
  std::vector<Node> nodes_;
  std::vector<std::shared_ptr<const job::JobSpec>> paid_;  ///< each first at another vendor
  std::shared_ptr<const job::JobSpec> local_, poor_, hurried_, hasty_, impatient_, doubtful_, problem_;
  std::size_t clients_left_ = 0;
  std::size_t parts_ = 0;  ///< nodes and clients, and processes that end
  bool over_ = false;
};

/// A job begins at this vendor, or at whichever of them the router prefers; it goes on to others of them, for some causes or for all,
/// and mostly ends at the simulator.
std::pair<Json, Json> World::way_from(const Vendor& first) {
  Json backends = {first.id()};
  std::vector<std::string> others;
  for (const Vendor& vendor : options_.vendors)
    if (vendor.safety != first.safety) others.push_back(vendor.id());
  for (std::size_t i = others.size(); i > 1; --i) std::swap(others[i - 1], others[scheduler_.rng().below(i)]);
  if (scheduler_.chance(0.3))
    for (const std::string& other : others) backends.push_back(other);
  Json fallbacks = Json::array();
  for (const std::string& other : others) {
    if (scheduler_.chance(0.2)) continue;
    if (scheduler_.chance(0.3))
      fallbacks.push_back({{"backend", other}, {"on", {scheduler_.chance(0.5) ? "unavailable" : "timeout"}}});
    else
      fallbacks.push_back(other);
  }
  if (fallbacks.empty() || scheduler_.chance(0.8)) fallbacks.push_back("simulator.sim");
  return {std::move(backends), std::move(fallbacks)};
}

void World::make_specs() {
  circuit::Pub pub{.circuit = circuit::Circuit::create(1, 1).value(), .shots = 10};
  pub.circuit.measure_all();
  const auto program = [&](Json backends, Json limits, Json fallbacks = {"simulator.sim"}) {
    limits["retry"] = {{"max_attempts", 4}, {"delay_min", "5ms"}, {"delay_max", "200ms"}, {"budget", {{"retries", 5}}}};
    Json document = {{"name", fmt::format("{} {}", backends.dump(), fallbacks.dump())},
                     {"program", {{"pubs", Json::array({pub.document()})}}},
                     {"policy", {{"backends", std::move(backends)}}},
                     {"fallbacks", std::move(fallbacks)},
                     {"limits", std::move(limits)}};
    return std::make_shared<const job::JobSpec>(job::JobSpec::parse(document, problems_).value());
  };
  const Json local = {"simulator.sim"};
  local_ = program(local, Json::object());
  impatient_ = program(local, {{"queue_wait", "30ms"}});
  doubtful_ = program(local, {{"time", "10ms"}, {"total_time", "1s"}}, {"manual_review"});  // its results are partial
  for (const SimDevice& device : devices_) {
    auto [backends, fallbacks] = way_from(device.vendor());
    paid_.push_back(program(std::move(backends), {{"cost_max_usd_micros", 5000}}, std::move(fallbacks)));
  }
  const auto elsewhere = [&](Json limits) {
    auto [backends, fallbacks] = way_from(devices_[scheduler_.rng().below(devices_.size())].vendor());
    return program(std::move(backends), std::move(limits), std::move(fallbacks));
  };
  poor_ = elsewhere({{"cost_max_usd_micros", 1000}});
  hurried_ = elsewhere({{"cost_max_usd_micros", 5000}, {"time", "10ms"}, {"total_time", "300ms"}});
  hasty_ = elsewhere({{"cost_max_usd_micros", 5000}, {"time", "10ms"}, {"total_time", "20ms"}});
  const Json edges = Json::array({{0, 1, 1}, {0, 2, 2}, {0, 3, 3}, {1, 2, 3}, {1, 3, 1}, {2, 3, 2}});
  const Json cut = {{"name", "sim"},
                    {"problem", {{"type", "max_cut"}, {"num_nodes", 4}, {"edges", edges}}},
                    {"refinement", {{"mode", "off"}}}};
  problem_ = std::make_shared<const job::JobSpec>(job::JobSpec::parse(cut, problems_).value());
}

void World::direct() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) begin([this, i] { run_node(i); });
  for (std::size_t i = 0; i < options_.clients; ++i) {
    ++clients_left_;
    begin([this, i] { run_client(i); });
  }
  if (options_.faults_every > 0) scheduler_.spawn(group_, [this] { plan_faults(); });
  while (clients_left_ > 0 && scheduler_.now() < kFaultsMax && !violated()) scheduler_.sleep(kLookEvery);
  around_.calm = true;
  weather_.full_until = 0;
  for (SimDevice& device : devices_) device.down_until = std::min(device.down_until, scheduler_.now());
  const Scheduler::Nanos until = scheduler_.now() + kCalmMax;
  std::string open;
  while (!violated() && (clients_left_ > 0 || !oracle_.settled(&open))) {
    if (scheduler_.now() > until)
      oracle_.violate(clients_left_ > 0 ? "a client waits in vain" : fmt::format("{} for ever", open));
    scheduler_.sleep(kLookEvery);
  }
  over_ = true;
  for (Node& node : nodes_) {
    if (node.process == nullptr) continue;
    if (violated()) node.process->kill();
    node.process->news();
  }
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return parts_ == 0; });
  }
  if (!violated()) oracle_.check_end();
  scheduler_.stop();
}

void World::run_node(std::size_t index) {
  Node& node = nodes_[index];
  if (options_.clock_jumps) node.clock_offset_micros = scheduler_.between(-3'000'000, 3'000'000);
  while (!over_) {
    auto process = std::make_shared<Process>(
        around_, fmt::format("node-{}-{}", index, ++node.starts),
        options_.api_node && index == 0 ? 0 : options_.workers,
        options_.runner_node && index + 1 == nodes_.size() ? engine::Runs::kAttended : engine::Runs::kEveryJob);
    process->wall().set_offset(node.clock_offset_micros);
    node.process = process;
    if (process->start()) process->wait_until_over([this] { return over_; });
    if (process->dead())
      begin([process] { process->end(); });  // whatever is left of it, beside the next one
    else
      process->end();
    if (!over_) scheduler_.sleep(scheduler_.between(kMilli, 300 * kMilli));
  }
  node.process = nullptr;
}

void World::run_client(std::size_t index) {
  for (std::uint32_t number = 0; number < options_.jobs_per_client; ++number) {
    scheduler_.sleep(scheduler_.between(0, 300 * kMilli));
    const std::shared_ptr<const job::JobSpec> spec = any_spec();
    const std::string tenant = fmt::format("tenant-{}", index % options_.tenants);
    const std::string key = fmt::format("{}-{}", index, number);
    std::optional<JobId> id;
    bool again = happens(options_.request_doubled);
    while (!over_ && (!id || again)) {
      const auto admitted = Process::call<engine::Admission>(
          any_node().process, 2000 * kMilli,
          [spec, tenant, key](engine::Engine& engine) { return engine.admit(*spec, tenant, key, "user:sim"); });
      if (admitted) {
        oracle_.acknowledged(key, admitted->id);
        if (id) again = false;
        id = admitted->id;
      } else if (admitted.error().number == errors::kLimitExceeded) {
        oracle_.fault("client", "limit reached");
        break;  // it would not fit a moment later either
      } else if (!admitted.error().retryable() && !engine::is_store_trouble(admitted.error())) {
        return oracle_.violate("an admission was refused: " + admitted.error().to_string());
      }
      scheduler_.sleep(scheduler_.between(0, 50 * kMilli));
    }
    if (over_) return;
    if (!id) continue;
    if (happens(options_.cancels)) {
      scheduler_.sleep(scheduler_.between(0, 200 * kMilli));
      ask([job = *id](engine::Engine& engine) { return engine.cancel(job, "user:sim", "the simulation wants it"); });
    }
    if (happens(options_.suspends)) {
      scheduler_.sleep(scheduler_.between(0, 200 * kMilli));
      ask([job = *id](engine::Engine& engine) { return engine.suspend(job, "user:sim", "the simulation wants it"); });
    }
    follow(*id);
    if (happens(options_.retries) && !attends_to_all() && spec->name != doubtful_->name) retry(*id);
  }
  --clients_left_;
}

/// What a client wants to have done.
std::shared_ptr<const job::JobSpec> World::any_spec() {
  std::shared_ptr<const job::JobSpec> base =
      scheduler_.chance(0.4) ? local_ : paid_[scheduler_.rng().below(paid_.size())];
  if (scheduler_.chance(options_.problems)) base = problem_;
  if (scheduler_.chance(options_.short_of_money)) base = poor_;
  if (scheduler_.chance(options_.short_of_time))
    base = scheduler_.chance(0.3) ? impatient_ : scheduler_.chance(0.5) ? hurried_ : hasty_;
  if (scheduler_.chance(options_.doubtful)) base = doubtful_;
  if (scheduler_.chance(options_.approvals)) {
    auto approved = std::make_shared<job::JobSpec>(*base);
    approved->business.stage = job::kProduction;
    base = std::move(approved);
  }
  if (options_.projects == 1 && options_.serial == 0) return base;
  auto out = std::make_shared<job::JobSpec>(*base);
  out->schedule.project = fmt::format("project-{}", scheduler_.between(1, options_.projects));
  out->schedule.priority =
      static_cast<int>(scheduler_.between(-job::Schedule::kPriorityMax, job::Schedule::kPriorityMax));
  if (scheduler_.chance(options_.serial)) out->schedule.serial_key = fmt::format("key-{}", scheduler_.between(1, 2));
  return out;
}

/// Until it has ended. A client that looks now and then resumes what is suspended, by itself or by another's late request.
void World::follow(const JobId& id) {
  const bool waits = options_.suspends == 0 && scheduler_.chance(0.5);  // or looks now and then
  while (!over_) {
    if (attends_to_all() || (options_.runner_node && scheduler_.chance(0.3))) attend(id);
    const auto view =
        Process::call<engine::JobView>(any_node().process, 2000 * kMilli, [id, waits, this](engine::Engine& engine) {
          if (!waits) return engine.job(id);
          return engine.wait(id, Deadline(Instant{scheduler_.now() + 1'000'000'000 + 700 * kMilli}));
        });
    if (view && job::is_final(view->state)) {
      oracle_.told_final(id, view->state);
      if (scheduler_.chance(0.2)) read_events(id);
      return;
    }
    if (!view && view.error().number == errors::kJobNotFound)
      return oracle_.violate("lost: " + view.error().to_string());
    if (view && view->state == job::JobState::kAwaitingReview) review(id);
    if (view && view->state == job::JobState::kAwaitingApproval) decide(*view);
    if (view && view->state == job::JobState::kSuspended) {
      scheduler_.sleep(scheduler_.between(0, 300 * kMilli));
      if (happens(0.2))
        ask([id](engine::Engine& engine) { return engine.cancel(id, "user:sim", "not after all"); });
      else
        ask([id](engine::Engine& engine) { return engine.resume(id, "user:sim"); });
    }
    scheduler_.sleep(scheduler_.between(kMilli, (waits ? 50 : 200) * kMilli));
  }
}

void World::review(const JobId& id) {
  scheduler_.sleep(scheduler_.between(0, 300 * kMilli));
  const auto word = scheduler_.between(0, 2);
  ask([id, word](engine::Engine& engine) -> Result<void> {
    if (word == 0) return engine.cancel(id, "user:sim", "it is not wanted any more");
    return engine.review(id, word == 1 ? engine::Verdict::kAccept : engine::Verdict::kReject, "user:sim", "seen");
  });
}

/// Somebody says something, beside whoever thinks about it already, or nobody for a while: two of the three approvers are needed, and
/// "sim" submitted it.
void World::decide(const engine::JobView& job) {
  scheduler_.sleep(scheduler_.between(0, 100 * kMilli));
  const auto who = static_cast<std::size_t>(scheduler_.between(0, 9));
  if (who >= 8) {
    return ask([id = job.id](engine::Engine& engine) { return engine.cancel(id, "user:sim", "it takes too long"); });
  }
  constexpr std::string_view kUsers[] = {"ann", "bob", "cem", "sim"};
  const identity::Principal person{
      .tenant = job.tenant, .user = std::string(kUsers[who % 4]), .roles = {identity::Role::kApprover}, .projects = {}};
  begin([this, job, person] { speak(job, person); });
}

/// Of what was looked at, after some thought. The planted mistake gives the word to whatever the job asks by then.
void World::speak(const engine::JobView& job, identity::Principal person) {
  const auto shown = approval::ApprovalId::parse(job.approval_id);
  if (!shown) return oracle_.violate("a job awaits an approval that cannot be: " + job.approval_id);
  const auto seen = Process::call<approval::Approval>(
      any_node().process, 2000 * kMilli, [id = *shown](engine::Engine& engine) { return engine.approval(id); });
  if (!seen) return;
  scheduler_.sleep(scheduler_.between(0, 200 * kMilli));
  approval::ApprovalId id = *shown;
  if (options_.plant == Plant::kApproveUnseen) {
    const auto now = Process::call<engine::JobView>(any_node().process, 2000 * kMilli,
                                                    [job = id.job](engine::Engine& engine) { return engine.job(job); });
    const auto asked = now ? approval::ApprovalId::parse(now->approval_id) : shown;
    if (asked) id = *asked;
  }
  const bool yes = scheduler_.chance(0.9);
  if (yes) oracle_.said_yes(id, person.actor(), seen->subject);
  ask([id, person, yes](engine::Engine& engine) -> Result<void> {
    return engine
        .decide(id, person,
                {.verdict = yes ? approval::Verdict::kApprove : approval::Verdict::kReject,
                 .reason = "the simulation wants it",
                 .external_ref = ""})
        .map([](const approval::Approval&) {});
  });
}

/// Once: an answer that is lost leaves a job that nobody follows, and that ends all the same.
void World::retry(const JobId& id) {
  const auto again = Process::call<engine::Admission>(
      any_node().process, 2000 * kMilli, [id](engine::Engine& engine) { return engine.retry(id, "", "user:sim"); });
  if (!again) return;
  oracle_.acknowledged_retry(again->id);
  follow(again->id);
}

/// As the command does that runs one job: it asks the process that it is.
void World::attend(const JobId& id) {
  (void)Process::call<std::size_t>(nodes_.back().process, 2000 * kMilli,
                                   [id](engine::Engine& engine) { return engine.attend(id); });
}

/// In pages, as a client does that follows a job.
void World::read_events(const JobId& id) {
  constexpr std::size_t kPage = 4;
  std::vector<job::Event> all;
  while (!over_) {
    const std::uint64_t after = all.empty() ? 0 : all.back().sequence;
    const auto page = Process::call<std::vector<job::Event>>(
        any_node().process, 2000 * kMilli,
        [id, after](engine::Engine& engine) { return engine.events(id, after, kPage); });
    if (page) all.insert(all.end(), page->begin(), page->end());
    if (page && page->size() < kPage) return oracle_.told_events(id, all);
    if (!page) scheduler_.sleep(scheduler_.between(kMilli, 50 * kMilli));
  }
}

void World::plan_faults() {
  while (true) {
    scheduler_.sleep(scheduler_.between(1, 2 * options_.faults_every) * kMilli);
    if (around_.calm) return;
    strike();
  }
}

void World::strike() {
  Node& node = any_node();
  const std::shared_ptr<Process> process = node.process;
  if (process == nullptr || process->dead()) return;
  const auto hit = [&](bool wanted, const char* name) {
    if (wanted) oracle_.fault(process->name(), name);
    return wanted;
  };
  const Scheduler::Nanos some_time = scheduler_.between(1, 2 * options_.lease_ttl) * kMilli;
  switch (scheduler_.rng().below(7)) {
    case 0:
      if (hit(options_.crashes, "crash")) process->kill();
      return;
    case 1:
      if (hit(options_.restarts, "restart")) process->ask_to_stop();
      return;
    case 2:
      if (hit(options_.pauses, "pause")) process->pause(some_time);
      return;
    case 3:
      if (!hit(options_.clock_jumps, "clock jump")) return;
      node.clock_offset_micros = scheduler_.between(-5'000'000, 5'000'000);
      oracle_.clock_jumped();
      return process->wall().set_offset(node.clock_offset_micros);
    case 4:
      if (hit(options_.disk_fills, "disk full")) weather_.full_until = scheduler_.now() + some_time;
      return;
    case 5:
      if (!options_.shared || !hit(options_.store_cuts, "store unreachable")) return;
      for (Node& other : nodes_)  // the server of the store, or the line of one process
        if (other.process != nullptr && (other.process == process || scheduler_.chance(0.5)))
          other.process->store().cut_until(scheduler_.now() + some_time);
      return;
    default:
      if (hit(options_.device_outages, "device unreachable"))
        devices_[scheduler_.rng().below(devices_.size())].down_until = scheduler_.now() + some_time;
      return;
  }
}

Json table(const std::map<std::string, std::uint64_t>& counts) {
  Json out = Json::object();
  for (const auto& [name, count] : counts) out[name] = count;
  return out;
}

}  // namespace

Json Report::document() const {
  return {{"options", options.document()},
          {"violation", violation},
          {"steps", steps},
          {"hash", fmt::format("{:016x}", hash)},
          {"jobs", jobs},
          {"commits", commits},
          {"virtual_ms", virtual_ms},
          {"job_transitions", table(coverage.job_transitions)},
          {"submission_transitions", table(coverage.submission_transitions)},
          {"vendors", table(coverage.vendors)},
          {"faults", table(coverage.faults)},
          {"doubts", coverage.all_doubts().document()}};
}

Report simulate(const Options& options, Oracle::Trace trace) {
  auto world = std::make_unique<World>(options, std::move(trace));
  const bool ended = world->run();
  Report report = world->report();
  if (!ended) (void)world.release();  // engines stand in the middle of their work on stacks that will not go on
  return report;
}

}  // namespace tandem::sim
