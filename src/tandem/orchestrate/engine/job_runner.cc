#include "tandem/orchestrate/engine/job_runner.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <new>
#include <set>

#include "tandem/base/text.h"
#include "tandem/evidence/benchmark/benchmark.h"
#include "tandem/hybrid/walk/walk.h"
#include "tandem/model/problem/noop.h"
#include "tandem/orchestrate/engine/answer_index.h"
#include "tandem/orchestrate/engine/store_watch.h"
#include "tandem/orchestrate/route/route.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {
namespace {

/// The engines that found the best of a race, each once.
std::vector<std::string> finders_of(const solve::RaceRecord& race) {
  std::optional<double> best;
  for (const solve::EngineRecord& one : race.engines)
    if (one.best_energy) best = std::min(*one.best_energy, best.value_or(*one.best_energy));
  std::vector<std::string> out;
  for (const solve::EngineRecord& one : race.engines) {
    const bool found = one.best_energy && one.best_energy == best;
    if (found && std::ranges::find(out, one.engine) == out.end()) out.push_back(one.engine);
  }
  return out;
}

/// Whole-problem work is judged by the best of the job, an arm by the optimum of its core.
void add_evidence(store::Batch& batch, const job::JobSpec& spec, const job::ResultDocument& result,
                  const std::vector<Carried>& carried, Timestamp now) {
  if (carried.empty()) return;
  const std::string instance_class = route::probe(spec).instance_class;
  for (const Carried& one : carried) {
    const lineage::WorkRecord& record = one.record;
    if (record.cached) continue;  // the backend did nothing this time
    benchmark::EvidenceRecord out{
        .instance_class = instance_class,
        .role = record.label.starts_with("refine/") ? benchmark::Role::kCore : benchmark::Role::kWhole,
        .backend = record.backend,
        .job = result.job_id,
        .label = record.label,
        .succeeded = record.error.empty(),
        .elapsed_ms = record.elapsed_ms - record.waited_ms,  // a closed window is no property of the work
        .cost = record.billed,
        .engines = finders_of(record.race),
        .at = now};
    const bool whole = record.label == "solve" || record.label == "baseline";
    if (whole && record.best_energy && result.best) {
      out.objective = spec.problem()->sense() == problem::Sense::kMax ? -*record.best_energy : *record.best_energy;
      out.reached_best = problem::same_objective(out.objective, result.best->candidate.objective);
    }
    for (const job::ArmSummary& arm : result.refinement.arms) {
      if (whole || record.label != fmt::format("refine/{}/{}@{}", arm.round, arm.arm, arm.backend) || !arm.best_energy)
        continue;
      out.objective = *arm.best_energy;
      out.reached_best = arm.regret && *arm.regret == 0;
    }
    benchmark::add(batch, out);
  }
}

/// Why a result does not simply count.
struct Distrust {
  Error why;
  bool reviewed = false;  ///< the plan names a person for that
};

/// Errors in `why`: 5021 low_confidence; 5026 partial_result. A partial answer that nobody is to look at counts as what it is.
std::optional<Distrust> distrust_of(const job::JobSpec& spec, const job::Plan& plan,
                                    const job::ResultDocument& result) {
  const auto reviewed = [&](job::FallbackCause cause) {
    for (const job::PlanStep& step : plan.steps)
      for (const job::Fallback& entry : step.fallbacks)
        if (entry.backend == job::Fallback::kManualReview && entry.answers(cause)) return true;
    return false;
  };
  if (result.confidence.value < spec.review.confidence_min) {
    return Distrust{.why = make_error(errors::kLowConfidence, "confidence {:.3f} is below review.confidence_min {}",
                                      result.confidence.value, spec.review.confidence_min),
                    .reviewed = reviewed(job::FallbackCause::kLowConfidence)};
  }
  if (result.provenance.partial() && reviewed(job::FallbackCause::kPartial)) {
    return Distrust{.why = make_error(errors::kPartialResult, "the result rests on a part: {:.3g} % came back",
                                      100 * result.confidence.share_returned),
                    .reviewed = true};
  }
  return std::nullopt;
}

/// A simulator of circuits gave an answer of its own.
bool ran_on_simulator(const std::vector<Carried>& carried, const backend::BackendRegistry& backends) {
  return std::any_of(carried.begin(), carried.end(), [&](const Carried& one) {
    const backend::Backend* backend = backends.find(one.record.backend);
    return one.record.error.empty() && !one.record.cached && backend != nullptr &&
           backend->info().tier == job::Tier::kSimulator;
  });
}

}  // namespace

/// Threads: safe to call concurrently.
class JobRunner::Footing {
 public:
  Footing(store::Store& store, JobLedger& ledger, const Cleared& cleared)
      : store_(store), ledger_(ledger), approval_(cleared.approval) {}

  /// The commit counts only as long as the approval is what it was.
  void rest_on(store::Batch& batch) const {
    const std::lock_guard lock(mutex_);
    if (approval_)
      batch.check(store::Table::kStep, approval::row_key(approval_->id), store::Expect::at(approval_->version));
  }
  /// Of a commit after which money is promised or bytes go out. Errors: 4109 price_not_approved - it is void.
  Result<void> pay_on(store::Batch& batch) const {
    rest_on(batch);
    const std::lock_guard lock(mutex_);
    if (!approval_ || approval_->state == approval::State::kApproved) return {};
    return fail(errors::kPriceNotApproved, "the approval {} is {}: {}; nothing was sent", approval_->id.text(),
                to_string(approval_->state), approval_->reason);
  }
  /// What was approved was not enough. Errors: 5005 stale_fence; those of the store.
  Result<void> make_void(const JobId& job, std::uint64_t fence, const Error& why) {
    const std::lock_guard voiding(voiding_);
    {
      const std::lock_guard lock(mutex_);
      if (!approval_ || approval_->state != approval::State::kApproved) return {};
    }
    TANDEM_TRY(ledger_.update(job, fence, kActor, [&](JobRecord& row, Change& change) -> Result<void> {
      change.keeps_row = true;
      return close_approval(store_, row, change, approval::State::kVoid, why.message);
    }));
    TANDEM_TRY_ASSIGN(approval::Approval now, approval::load(store_, approval_->id));
    const std::lock_guard lock(mutex_);
    approval_ = std::move(now);
    return {};
  }
  std::optional<approval::Approval> approval() const {
    const std::lock_guard lock(mutex_);
    return approval_;
  }

 private:
  store::Store& store_;
  JobLedger& ledger_;
  std::mutex voiding_;  ///< one at a time
  mutable std::mutex mutex_;  ///< guards approval_
  std::optional<approval::Approval> approval_;
};

job::EventData succeeded(const job::ResultDocument& result, const std::string& result_sha256) {
  return job::EventData("job.succeeded")
      .member("acceptance_met", result.acceptance.met)
      .member("billed_usd_micros", result.billed.usd_micros)
      .member("lineage_id", result.lineage_id.value)
      .member("objective", result.best ? std::optional(result.best->candidate.objective) : std::nullopt)
      .member("result_sha256", result_sha256);
}

Result<job::JobSpec> load_spec(store::Store& store, const JobRecord& record, const problem::ProblemRegistry& problems) {
  TANDEM_TRY_ASSIGN(const auto blob, store.get(store::Table::kBlob, record.spec_sha256));
  if (!blob)
    return fail(errors::kStoreDamaged, "the document {} of job {} is gone", record.spec_sha256, record.view.id.value);
  TANDEM_TRY_ASSIGN(const Json document,
                    parse_json(blob->value, "job " + record.view.id.value, {.bytes_max = UINT64_MAX}));
  return job::JobSpec::parse(document, problems);
}

Result<JobRunner::Walked> JobRunner::walk(Run& run, const Cleared& cleared, const RunControl& control, Room& room,
                                          Deadline deadline) {
  const Planned& planned = cleared.plan;
  JobRecord& record = run.record;
  const job::JobSpec& spec = *run.spec;
  TANDEM_TRY_ASSIGN(const std::unique_ptr<hybrid::Loop> loop, walk::make_walk(spec, planned->plan, control.stop));
  OrderRunner orders(services_, ledger_);
  OrderContext context{.place = control.place,
                       .stay = room.stay,
                       .job = record.view.id,
                       .tenant = record.view.tenant,
                       .project = record.view.project,
                       .data_class = spec.business.data_class,
                       .threads = spec.threads != 0 ? spec.threads : options_.threads,
                       .stop = control.stop,
                       .drain = control.drain,
                       .holds = control.holds,
                       .deadline = deadline,
                       .remote_deadline = options_.remote_deadline,
                       .limits = spec.limits};
  if (spec.limits.heartbeat_ms != 0) context.heartbeat_max = std::chrono::milliseconds(spec.limits.heartbeat_ms);
  if (spec.limits.backend_wait_ms != 0) context.ready_wait_max = std::chrono::milliseconds(spec.limits.backend_wait_ms);
  context.spend_max = spend_max_of(cleared, access::Subject::of(record.view.tenant, spec));
  Footing footing(services_.store, ledger_, cleared);
  context.payable = [&](store::Batch& batch) { return footing.pay_on(batch); };
  context.on_price_above = [&](const Error& why) { return footing.make_void(context.job, context.fence, why); };
  const Instant begin = services_.clock.monotonic();
  context.on_incumbent = [&](const std::string& label, const solve::Incumbent& incumbent) {
    if (!control.on_progress) return;
    const double sign = !spec.is_program() && spec.problem()->sense() == problem::Sense::kMax ? -1 : 1;
    control.on_progress({.job = record.view.id,
                         .step = label,
                         .objective = sign * incumbent.energy,
                         .bound = incumbent.bound ? std::optional(sign * *incumbent.bound) : std::nullopt,
                         .elapsed_ms = milliseconds(services_.clock.monotonic() - begin)});
  };
  Walked out;
  Json state = loop->initial_state();
  std::vector<hybrid::Reply> replies;
  for (std::uint32_t round = 0;; ++round) {
    auto span = services_.tracer.start("walk.next", record.view.id.value);
    TANDEM_TRY_ASSIGN(hybrid::Advance advance, loop->next(state, replies));
    span.reset();
    state = std::move(advance.state);
    if (advance.done) {
      out.result = std::move(advance.done->result);
      out.walk_lineage = std::move(advance.done->lineage);
      out.approval = footing.approval();
      return out;
    }
    context.round = round;
    for (const hybrid::Order& order : advance.orders) {
      const backend::Backend* backend = services_.backends.find(order.backend);
      if (backend == nullptr || is_local(*backend)) continue;
      if (!room.stay.try_enter(order.backend)) {
        room.full = bulkheads_.compartment_of(order.backend);
        return fail(errors::kBackendBusy, "{} runs of this process use {} already, as many as may",
                    bulkheads_.limit_of(room.full), room.full);
      }
      control.place.bound_elsewhere();
    }
    TANDEM_TRY_ASSIGN(record, ledger_.advance(record, kActor, [&](JobRecord& row, Change& change) -> Result<void> {
      if (run.start) TANDEM_TRY(run.start(row, change));
      change.keeps_row = row.plan.has_value() && !run.start;
      TANDEM_TRY(write_plan(row, change, *planned, spec));
      footing.rest_on(change.batch);
      change.batch.put(store::Table::kStep, step_key(record.view.id, round, "state"), state.dump());
      std::vector<std::string> labels;
      for (const hybrid::Order& order : advance.orders) labels.push_back(order.label);
      change.events.push_back({job::EventData("round.started").member("orders", labels).member("round", round)});
      return {};
    }));
    run.start = nullptr;
    context.fence = record.view.fence;
    if (control.stop.stop_requested()) return fail(errors::kCancelled, "stopped before round {}", round);
    if (control.on_progress && !advance.orders.empty()) {
      control.on_progress({.job = record.view.id,
                           .step = advance.orders.front().label,
                           .elapsed_ms = milliseconds(services_.clock.monotonic() - begin)});
    }
    replies.clear();
    if (advance.orders.empty()) continue;
    TANDEM_TRY_ASSIGN(std::vector<Carried> carried, orders.run(advance.orders, context));
    for (Carried& one : carried) {
      replies.push_back(one.reply);
      one.reply.result.reset();  // only the record is needed from here on
      out.carried.push_back(std::move(one));
    }
  }
}

Result<Decide> JobRunner::end_with_result(const Run& run, const Cleared& cleared, Walked walked, double elapsed_ms) {
  const Planned& planned = cleared.plan;
  const JobRecord& record = run.record;
  const job::JobSpec& spec = *run.spec;
  job::ResultDocument& result = walked.result;
  const std::optional<Distrust> distrust = distrust_of(spec, planned->plan, result);
  const job::JobEvent end = !distrust            ? job::JobEvent::kSucceed
                            : distrust->reviewed ? job::JobEvent::kNeedsReview
                                                 : job::JobEvent::kFail;
  TANDEM_TRY_ASSIGN(result.status, job::require_transition(job::JobState::kRunning, end));
  result.job_id = record.view.id;
  result.elapsed_ms = elapsed_ms;
  for (const Carried& carried : walked.carried) {
    result.billed = result.billed + carried.record.billed;
    if (carried.record.emulated) result.billed_emulated = result.billed_emulated + carried.record.billed;
  }
  result.acceptance = walk::evaluate_acceptance(spec, result);
  lineage::LineageRecord lineage{.id = LineageId("lin_" + record.view.id.value.substr(4)),
                                 .job = record.view.id,
                                 .spec_sha256 = record.spec_sha256,
                                 .plan = planned->document,
                                 .walk = std::move(walked.walk_lineage),
                                 .versions = options_.versions,
                                 .created_at = format_rfc3339(services_.clock.now()),
                                 .consumer = spec.business.consumer};
  lineage.spec = spec.options_text();
  if (walked.approval) lineage.approval = walked.approval->document();
  if (!spec.is_program()) lineage.problem_sha256 = spec.problem()->hash().hex();
  for (const Carried& carried : walked.carried) lineage.work.push_back(carried.record);
  const bool simulated = ran_on_simulator(walked.carried, services_.backends);
  if (Json& profile = lineage.versions.machine_profile; !simulated && profile.is_object())
    profile.erase("speed");  // of simulated circuits
  result.lineage_id = lineage.id;
  // All that the commit writes beside the row is made once; the row itself is decided on whatever it is by then.
  store::Batch batch;
  Bytes bytes = result.text().text();
  lineage.result_sha256 = sha256(result.computed().text()).hex();
  const std::string result_sha256 = sha256(bytes).hex();
  batch.put(store::Table::kStep, result_key(record.view.id), std::move(bytes));
  batch.put(store::Table::kLineage, lineage.id.value, lineage.text().text());
  add_evidence(batch, spec, result, walked.carried, services_.clock.now());
  const std::optional<double> objective = result.best ? std::optional(result.best->candidate.objective) : std::nullopt;
  Error why;
  if (distrust) {
    why = distrust->why;
  } else {
    put_answers(batch,
                {.tenant = record.view.tenant, .project = record.view.project, .data_class = spec.business.data_class},
                record.view.id, lineage.work, services_.clock.now());
    if (simulated) {
      std::set<std::string> keys;  // those of one vendor mostly have one
      for (const backend::Backend* backend : services_.backends.all())
        if (backend->info().tier == job::Tier::kQpu) keys.insert(key_of_simulation(spec, backend->info()));
      for (const std::string& key : keys) benchmark::add_simulation(batch, record.view.tenant, key, record.view.id);
    }
  }
  job::EventData said = [&] {
    if (!distrust) return succeeded(result, result_sha256);
    const auto number = static_cast<std::uint16_t>(why.number);
    if (!distrust->reviewed) return job::EventData("job.failed").member("error", why.message).member("number", number);
    return job::EventData("job.awaiting_review")
        .member("confidence", result.confidence.value)
        .member("error", why.message)
        .member("number", number)
        .member("result_sha256", result_sha256);
  }();
  // No step of its only start went to anybody who bills: the hold is what the admission wrote.
  const bool untouched = std::all_of(walked.carried.begin(), walked.carried.end(),
                                     [](const Carried& one) { return one.record.local && one.record.path.empty(); });
  return [&store = services_.store, start = run.start, planned, untouched, unread = true,
          spends = spec.limits.cost_max.usd_micros != 0, owner = spec.business.owner,
          asks_others = asks_others(planned->plan), batch = std::move(batch), objective, said = std::move(said),
          result_sha256, why = std::move(why), end, partial = result.provenance.partial(),
          lineage_id = lineage.id.value](JobRecord& row, Change& change) mutable -> Result<void> {
    if (start) TANDEM_TRY(start(row, change));
    TANDEM_TRY_ASSIGN(row.view.state, job::require_transition(row.view.state, end));
    const bool held = asks_others && row.plan;
    add_plan(row, change, planned->plan, planned->digest);
    row.plan.reset();  // the lineage has it
    row.result_sha256 = result_sha256;
    row.view.lineage_id = lineage_id;
    row.view.partial = partial;
    if (objective) row.view.objective = objective;
    if (end == job::JobEvent::kFail) {
      row.view.error = why.message;
      row.view.error_number = static_cast<std::uint16_t>(why.number);
    }
    // Money that was set aside may stand in accounts as well, which have to be read.
    if (!spends && untouched && row.starts == 1 && std::exchange(unread, false)) {  // refused, the second try reads
      if (held) budget::release_untouched(change.batch, row.view.id, payer_of(row), {}, owner);
    } else {
      TANDEM_TRY(budget::Budget(store).release(change.batch, row.view.id));
    }
    change.batch.operations.insert(change.batch.operations.end(), batch.operations.begin(), batch.operations.end());
    change.events.push_back({said});
    return {};
  };
}

RunOutcome JobRunner::end_with(Run run, const Error& error, StopReason why) {
  if (run.start && is_too_late(error)) return {.decide = {}, .error = {}, .run = std::move(run)};
  if (error.number == errors::kStaleFence || is_store_trouble(error)) {
    services_.log.write(LogLevel::kWarning, "job.let_go",
                        {{"job_id", run.record.view.id.value}, {"error", error.to_string()}});
    return {.decide = {}, .error = error, .run = std::move(run)};
  }
  if (why == StopReason::kLost) {
    return {.decide = {},
            .error = make_error(errors::kLeaseLost, "the lease of this process was over; the job goes on later"),
            .run = std::move(run)};
  }
  // Whoever stopped it found a row that waits, and it is what he made of it.
  if (run.start && why != StopReason::kNone) return {.decide = {}, .error = {}, .run = std::move(run)};
  job::JobEvent event = job::JobEvent::kFail;
  Error reason = error;
  if (why == StopReason::kCancelled) {
    event = job::JobEvent::kCancel;
    reason = make_error(errors::kCancelled, "cancelled by the client while it was running");
  } else if (error.number == errors::kExpired || error.number == errors::kRunExpired) {
    event = job::JobEvent::kExpire;
  } else if (error.number == errors::kCancelled && why == StopReason::kSuspended) {
    event = job::JobEvent::kSuspend;
    reason = make_error(errors::kCancelled, "suspended by the client; its checkpoints are kept");
  } else if (error.number == errors::kCancelled && why == StopReason::kDraining) {
    event = job::JobEvent::kRequeue;
  }
  Decide decide = [&store = services_.store, start = run.start, event, reason](JobRecord& row,
                                                                               Change& change) -> Result<void> {
    if (start) TANDEM_TRY(start(row, change));
    // Another process may have promised the client its end while this one was stopping.
    const bool goes_on = event == job::JobEvent::kRequeue || event == job::JobEvent::kSuspend;
    if (goes_on && row.view.cancel_requested)
      return move_without_result(store, row, change, job::JobEvent::kCancel,
                                 make_error(errors::kCancelled, "cancelled by the client while it was running"));
    if (event == job::JobEvent::kSuspend && !row.suspend_requested)
      return move_without_result(store, row, change, job::JobEvent::kRequeue,
                                 Error{.message = "resumed while it stopped"});
    return move_without_result(store, row, change, event, reason);
  };
  return {.decide = std::move(decide), .error = {}, .run = std::move(run)};
}

RunOutcome JobRunner::run(Run run, const RunControl& control) {
  const JobRecord& record = run.record;
  // One stop for all reasons; a time limit is a timer that adds its own.
  std::stop_source stop;
  const std::stop_callback forward(control.stop, [&] { stop.request_stop(); });
  std::unique_ptr<Timer> timer;
  Room room(bulkheads_);
  const auto work = [&]() -> Result<Decide> {
    if (control.stop.stop_requested()) return fail(errors::kCancelled, "stopped before it began");
    if (run.spec == nullptr) {
      TANDEM_TRY_ASSIGN(job::JobSpec loaded, load_spec(services_.store, record, services_.problems));
      run.spec = std::make_shared<const job::JobSpec>(std::move(loaded));
    }
    const auto& spec = run.spec;
    const Instant begin = services_.clock.monotonic();
    Deadline deadline = Deadline::never();
    const bool limited = spec->limits.run_time_ms != 0;
    if (limited) deadline = Deadline(begin + std::chrono::milliseconds(spec->limits.run_time_ms));
    bool total_first = false;
    if (record.deadline_micros != 0) {
      const auto left = std::chrono::microseconds(record.deadline_micros - services_.clock.now().micros);
      total_first = !limited || left <= std::chrono::milliseconds(spec->limits.run_time_ms);
      if (total_first) deadline = Deadline::after(services_.clock, std::max(left, std::chrono::microseconds(0)));
    }
    const auto expired = [&](const std::string& meanwhile) {
      return total_first ? fail(errors::kExpired, "the total time of {} ms was over before the job was done{}",
                                spec->limits.total_time_ms, meanwhile)
                         : fail(errors::kRunExpired, "the run took longer than the {} ms of limits.run_time{}",
                                spec->limits.run_time_ms, meanwhile);
    };
    if (deadline.expired(services_.clock)) return expired("");
    if (limited || record.deadline_micros != 0)
      timer = services_.executor.post_after(deadline.left(services_.clock), [stop]() mutable { stop.request_stop(); });
    const std::stop_callback told(stop.get_token(), [&, begins_at = run.start ? record.version : 0] {
      if (!control.on_told_to_stop) return;
      constexpr std::string_view kHangs = "what it computes here did not stop when it was told to, and was left";
      control.on_told_to_stop({.why = control.stop.stop_requested() ? make_error(errors::kCancelled, "{}", kHangs)
                                                                    : expired(fmt::format("; {}", kHangs)).value(),
                               .heartbeat = std::chrono::milliseconds(spec->limits.heartbeat_ms),
                               .begins_at = begins_at});
    });
    RunControl inner = control;
    inner.stop = stop.get_token();
    const Result<Cleared> cleared = clear(run, inner);
    // Waiting and earlier starts count; a wall clock that was set back counts nothing.
    const auto since_admission = [&] {
      return static_cast<double>(
                 std::max<std::int64_t>(0, services_.clock.now().micros - record.view.created_at.micros)) /
             1000;
    };
    if (cleared && cleared->waits) return ask_people(run, cleared->plan);
    auto walked = cleared.and_then([&](const Cleared& plan) { return walk(run, plan, inner, room, deadline); });
    if (!walked) {
      if (deadline.expired(services_.clock)) return expired("; " + walked.error().message);
      return tl::unexpected(std::move(walked).error());
    }
    return end_with_result(run, *cleared, *std::move(walked), since_admission());
  };
  const auto within_memory = [&]() -> Result<Decide> {
    try {
      return work();
    } catch (const std::bad_alloc&) {  // the job ends, not the server, and no later start tries it again
      return fail(errors::kOutOfMemory, "there is not enough memory for this job; use a smaller problem");
    }
  };
  Result<Decide> done = within_memory();
  timer.reset();
  if (done) return {.decide = *std::move(done), .error = {}, .run = std::move(run)};
  if (room.full.empty()) return end_with(std::move(run), done.error(), control.reason());
  // Nothing of the round was begun: back into the queue, as when the server goes down.
  RunOutcome out = end_with(std::move(run), make_error(errors::kCancelled, "{}", done.error().message),
                            std::max(control.reason(), StopReason::kDraining));
  out.behind = std::move(room.full);
  return out;
}

}  // namespace tandem::engine
