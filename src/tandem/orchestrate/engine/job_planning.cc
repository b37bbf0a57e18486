#include <algorithm>

#include "tandem/base/text.h"
#include "tandem/evidence/benchmark/benchmark.h"
#include "tandem/model/problem/noop.h"
#include "tandem/orchestrate/engine/job_runner.h"
#include "tandem/orchestrate/route/route.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {
namespace {

constexpr auto kAskTime = std::chrono::seconds(3);  ///< for quotes and availability at planning time

/// What its backend says of itself now: what it would take for the work of `plan`, or of one that is still to be made.
void ask_backend(route::BackendFacts& facts, const job::JobSpec& spec, const route::Probe& probe,
                 const backend::CallContext& call, const job::Plan* plan = nullptr) {
  backend::Backend& backend = *facts.backend;
  auto availability = backend.availability(call);
  if (availability) {
    facts.availability = *std::move(availability);
    facts.may_be_back = !facts.availability->operational || !facts.availability->accepts_work;
  } else {
    facts.availability =
        backend::Availability{.operational = false, .accepts_work = false, .detail = availability.error().to_string()};
    facts.may_be_back = backend::may_pass(backend::class_of(availability.error()));
  }
  if (!facts.availability->operational || !backend.info().takes_program) return;
  // Without one the router assumes an error; a device that is busy need not lose its arm for that.
  if (auto calibration = backend.calibration(call)) facts.calibration = *std::move(calibration);
  if (!backend.info().metered) return;
  const auto gates = plan != nullptr ? route::gates_2q_max(*plan, backend.info().id.value) : route::gates_2q_max(facts);
  const auto work = route::representative_work(spec, probe, backend.info(), gates);
  if (!work) return;
  auto quote = backend.quote(*work, call);
  if (quote) {
    facts.quote = *std::move(quote);
    return;
  }
  facts.quote_error = quote.error().message;
  facts.may_be_back |= backend::may_pass(backend::class_of(quote.error()));
}

}  // namespace

bool JobRunner::add_plan(JobRecord& row, Change& change, const job::Plan& plan, const std::string& digest) {
  if (row.plan) return false;
  row.view.plan_digest = digest;
  change.events.push_back({job::EventData("job.planned")
                               .member("digest", digest)
                               .member("policy_digest", plan.policy_digest)
                               .member("primary", plan.primary)
                               .member("reasons", plan.reasons)});
  return true;
}

Result<job::Plan> JobRunner::make_plan(const job::JobSpec& spec, std::string_view tenant, const RunControl* run) {
  route::RouteInput input{.spec = &spec, .probe = route::probe(spec)};
  input.rules = services_.rules;
  input.subject = access::Subject::of(tenant, spec);
  if (!spec.is_program() && problem::noop_steps(*spec.problem())) return route::make_plan(input);
  input.memory_bytes_max = options_.memory_bytes_max;
  input.backend_wait_max = options_.remote_deadline;
  input.threads = spec.threads != 0 ? spec.threads : options_.threads;
  TANDEM_TRY_ASSIGN(input.experience,
                    benchmark::experience(services_.store, input.probe.instance_class, benchmark::Role::kWhole));
  TANDEM_TRY_ASSIGN(input.core_experience,
                    benchmark::experience(services_.store, input.probe.instance_class, benchmark::Role::kCore));
  const auto backends = services_.backends.all();
  for (const backend::Backend* backend : backends) {
    const backend::BackendInfo& info = backend->info();
    if (input.rules == nullptr || !input.rules->asks_for_simulation(input.subject, info)) continue;
    TANDEM_TRY_ASSIGN(const bool passed,
                      benchmark::is_simulated(services_.store, tenant, key_of_simulation(spec, info)));
    if (passed) input.simulated.insert(info.id.value);
  }
  const backend::CallContext call{.stop = run != nullptr ? run->stop : std::stop_token(),
                                  .deadline = Deadline::after(services_.clock, kAskTime)};
  for (backend::Backend* backend : backends) input.backends.push_back({.backend = backend});
  const auto ask = [&](bool local) {
    for (route::BackendFacts& facts : input.backends)
      if (is_local(*facts.backend) == local) ask_backend(facts, spec, input.probe, call);
  };
  ask(true);
  {
    std::optional<WorkerSlots::Place::LongWait> waiting;
    if (run != nullptr && std::any_of(input.backends.begin(), input.backends.end(),
                                      [](const route::BackendFacts& facts) { return !is_local(*facts.backend); }))
      waiting.emplace(run->place, kWaitPatience, run->stop);
    ask(false);
  }
  // Who was cut short knows less than a plan is to rest on.
  if (call.stop.stop_requested()) return fail(errors::kCancelled, "stopped while it was planned");
  return route::make_plan(input);
}

bool JobRunner::asks_others(const job::Plan& plan) const {
  const std::vector<std::string> asked = plan.backends();
  return std::any_of(asked.begin(), asked.end(), [&](const std::string& id) {
    const backend::Backend* backend = services_.backends.find(id);
    return backend != nullptr && !is_local(*backend);
  });
}

std::string JobRunner::key_of_simulation(const job::JobSpec& spec, const backend::BackendInfo& hardware) const {
  return route::simulation_key(spec, options_.versions.tandem, hardware);
}

Result<JobRunner::Planned> JobRunner::stored_or_new_plan(const JobRecord& record, const job::JobSpec& spec,
                                                         const RunControl& control) {
  if (record.plan) {
    TANDEM_TRY_ASSIGN(job::Plan stored, job::Plan::parse(record.plan->value(), "/plan"));
    return std::make_shared<const PlanAndDocument>(std::move(stored), record.view.plan_digest, *record.plan);
  }
  TANDEM_TRY_ASSIGN(job::Plan plan, make_plan(spec, record.view.tenant, &control));
  std::string digest = plan.digest();
  JsonText document = plan.text(digest);
  return std::make_shared<const PlanAndDocument>(std::move(plan), std::move(digest), std::move(document));
}

Result<void> JobRunner::write_plan(JobRecord& row, Change& change, const PlanAndDocument& planned,
                                   const job::JobSpec& spec) const {
  if (!add_plan(row, change, planned.plan, planned.digest)) return {};
  row.plan = planned.document;
  // Whoever may spend something has a hold since his admission.
  if (spec.limits.cost_max.usd_micros != 0 || !asks_others(planned.plan)) return {};
  if (row.approvals != 0) {  // and so may who had another plan before
    const auto held = budget::Budget(services_.store).load(row.view.id);
    if (held) return {};
    if (held.error().number != errors::kHoldUnknown) return tl::unexpected(held.error());
  }
  budget::hold(change.batch, row.view.id, payer_of(row), {}, spec.business.owner);
  return {};
}

std::string JobRunner::why_void(const job::Plan& plan, const JobRecord& record, const job::JobSpec& spec,
                                const RunControl& control) {
  route::RouteInput input{.spec = &spec, .probe = route::probe(spec)};
  input.rules = services_.rules;
  input.subject = access::Subject::of(record.view.tenant, spec);
  if (route::policy_digest(input) != plan.policy_digest) return "the rules have changed since it was made";
  WorkerSlots::Place::LongWait waiting(control.place, kWaitPatience, control.stop);
  const backend::CallContext call{.stop = control.stop, .deadline = Deadline::after(services_.clock, kAskTime)};
  const std::vector<std::string> asked = plan.backends();
  for (const job::Candidate& candidate : plan.candidates) {
    if (std::find(asked.begin(), asked.end(), candidate.backend) == asked.end()) continue;
    route::BackendFacts facts{.backend = services_.backends.find(candidate.backend)};
    if (facts.backend == nullptr) return fmt::format("{} is not here any more", candidate.backend);
    if (is_local(*facts.backend)) continue;
    ask_backend(facts, spec, input.probe, call, &plan);
    if (facts.quote && candidate.estimate.cost && facts.quote->cost > *candidate.estimate.cost)
      return fmt::format("{} costs {} now, and {} were approved", candidate.backend,
                         format_usd(facts.quote->cost.usd_micros), format_usd(candidate.estimate.cost->usd_micros));
  }
  return {};
}

std::optional<SpendMax> JobRunner::spend_max_of(const Cleared& cleared, const access::Subject& subject) const {
  if (cleared.approval) {
    const approval::Subject& approved = cleared.approval->subject;
    return SpendMax{.money = approved.cost_max, .play_money = approved.cost_max_emulated};
  }
  if (services_.rules == nullptr) return std::nullopt;
  const auto unasked = services_.rules->unasked_cost_max(subject);
  if (!unasked) return std::nullopt;
  return SpendMax{.money = *unasked, .play_money = *unasked};
}

Result<JobRunner::Cleared> JobRunner::clear(Run& run, const RunControl& control) {
  JobRecord& record = run.record;
  const job::JobSpec& spec = *run.spec;
  while (true) {
    Cleared out;
    TANDEM_TRY_ASSIGN(out.plan, stored_or_new_plan(record, spec, control));
    const job::Plan& plan = out.plan->plan;
    if (plan.approvals.empty()) return out;
    out.waits = true;
    if (!record.plan || record.approvals == 0) return out;
    TANDEM_TRY_ASSIGN(approval::Approval last, approval::load(services_.store, {record.view.id, record.approvals}));
    // What was begun goes on as it was approved; its price is watched by every reservation.
    TANDEM_TRY_ASSIGN(const auto begun, services_.store.get(store::Table::kStep, step_key(record.view.id, 0, "state")));
    const bool covers = last.covers(approval::subject_of(plan, out.plan->digest), plan.approvals);
    if (begun && last.state == approval::State::kVoid) {  // by such a price: it goes on without what has to be paid
      out.waits = false;
      out.approval = std::move(last);
      return out;
    }
    if (!covers) return out;
    const std::string why = begun ? std::string() : why_void(plan, record, spec, control);
    if (control.stop.stop_requested()) return fail(errors::kCancelled, "stopped before the plan was begun");
    if (why.empty()) {
      out.waits = false;
      out.approval = std::move(last);
      return out;
    }
    TANDEM_TRY_ASSIGN(record, ledger_.advance(record, kActor, [&](JobRecord& row, Change& change) -> Result<void> {
      if (run.start) TANDEM_TRY(run.start(row, change));
      row.plan.reset();
      row.view.plan_digest.clear();
      return close_approval(services_.store, row, change, approval::State::kVoid, why);
    }));
    run.start = nullptr;
  }
}

Decide JobRunner::ask_people(const Run& run, const Planned& planned) {
  return [this, start = run.start, planned, spec = run.spec](JobRecord& row, Change& change) -> Result<void> {
    if (start) TANDEM_TRY(start(row, change));
    // Another process may have promised the client something else while this one was planning.
    if (row.view.cancel_requested)
      return move_without_result(services_.store, row, change, job::JobEvent::kCancel,
                                 make_error(errors::kCancelled, "cancelled by the client while it was planned"));
    if (row.suspend_requested)
      return move_without_result(services_.store, row, change, job::JobEvent::kSuspend,
                                 make_error(errors::kCancelled, "suspended by the client while it was planned"));
    TANDEM_TRY(write_plan(row, change, *planned, *spec));
    TANDEM_TRY_ASSIGN(row.view.state, job::require_transition(row.view.state, job::JobEvent::kNeedsApproval));
    const approval::Approval asked = approval::request({.id = {row.view.id, row.approvals + 1},
                                                        .tenant = row.view.tenant,
                                                        .project = row.view.project,
                                                        .submitted_by = row.view.submitted_by,
                                                        .submitted_before = row.submitted_before},
                                                       planned->plan, planned->digest, services_.clock.now());
    row.approvals = asked.id.number;
    row.approval_until_micros = asked.expires_at.micros;
    approval::put(change.batch, asked);
    const std::string expires_at = format_rfc3339(asked.expires_at);
    change.events.push_back({job::EventData("approval.requested")
                                 .member("approval_id", asked.id.text())
                                 .member("cost_max_emulated_usd_micros", asked.subject.cost_max_emulated.usd_micros)
                                 .member("cost_max_usd_micros", asked.subject.cost_max.usd_micros)
                                 .member("expires_at", expires_at)
                                 .member("external_ref", "")
                                 .member("needs", job::list_document(asked.needs))
                                 .member("plan_digest", asked.subject.plan_digest)
                                 .member("policy_digest", asked.subject.policy_digest)
                                 .member("submitted_before", asked.submitted_before)
                                 .member("submitted_by", asked.submitted_by)});
    change.events.push_back({job::EventData("job.awaiting_approval")
                                 .member("approval_id", asked.id.text())
                                 .member("expires_at", expires_at)});
    return {};
  };
}

}  // namespace tandem::engine
