#include "tandem/orchestrate/engine/job_runner.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "tandem/evidence/benchmark/benchmark.h"
#include "tandem/hybrid/walk/walk.h"
#include "tandem/orchestrate/engine/answer_index.h"
#include "tandem/orchestrate/engine/store_watch.h"
#include "tandem/orchestrate/route/route.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {
namespace {

constexpr auto kAskTime = std::chrono::seconds(3);  ///< for quotes and availability at planning time
constexpr const char* kActor = "engine";

/// Whole-problem work is judged by the best of the job, an arm by the optimum of its core.
void add_evidence(store::Batch& batch, const job::JobSpec& spec, const job::ResultDocument& result,
                  const std::vector<Carried>& carried, Timestamp now) {
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
        .elapsed_ms = record.elapsed_ms,
        .cost = record.billed,
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

}  // namespace

Json succeeded_data(const JobRecord& row, const job::ResultDocument& result) {
  return {{"objective", row.view.objective ? Json(*row.view.objective) : Json()},
          {"acceptance_met", result.acceptance.met},
          {"lineage_id", row.view.lineage_id},
          {"result_sha256", row.result_sha256},
          {"billed_usd_micros", result.billed.usd_micros}};
}

Result<job::JobSpec> load_spec(store::Store& store, const JobRecord& record, const problem::ProblemRegistry& problems) {
  TANDEM_TRY_ASSIGN(const auto blob, store.get(store::Table::kBlob, record.spec_sha256));
  if (!blob)
    return fail(errors::kStoreDamaged, "the document {} of job {} is gone", record.spec_sha256, record.view.id.value);
  TANDEM_TRY_ASSIGN(const Json document,
                    parse_json(blob->value, "job " + record.view.id.value, {.bytes_max = UINT64_MAX}));
  return job::JobSpec::parse(document, problems);
}

Result<job::Plan> JobRunner::make_plan(const job::JobSpec& spec) {
  route::RouteInput input{.spec = &spec, .probe = route::probe(spec)};
  input.memory_bytes_max = options_.memory_bytes_max;
  input.backend_wait_max = options_.remote_deadline;
  input.threads = spec.threads != 0 ? spec.threads : options_.threads;
  TANDEM_TRY_ASSIGN(input.experience,
                    benchmark::experience(services_.store, input.probe.instance_class, benchmark::Role::kWhole));
  TANDEM_TRY_ASSIGN(input.core_experience,
                    benchmark::experience(services_.store, input.probe.instance_class, benchmark::Role::kCore));
  const backend::CallContext call{.deadline = Deadline::after(services_.clock, kAskTime)};
  for (backend::Backend* backend : services_.backends.all()) {
    route::BackendFacts facts{.backend = backend};
    auto availability = backend->availability(call);
    if (availability)
      facts.availability = *std::move(availability);
    else
      facts.availability = backend::Availability{
          .operational = false, .accepts_work = false, .detail = availability.error().to_string()};
    const auto work = route::representative_work(spec, input.probe, backend->info());
    if (facts.availability->operational && work) {
      auto quote = backend->quote(*work, call);
      if (quote)
        facts.quote = *std::move(quote);
      else
        facts.quote_error = quote.error().message;
      // Without one the router assumes an error; a device that is busy need not lose its arm for that.
      if (auto calibration = backend->calibration(call)) facts.calibration = *std::move(calibration);
    }
    input.backends.push_back(std::move(facts));
  }
  return route::make_plan(input);
}

Result<job::Plan> JobRunner::stored_or_new_plan(const JobRecord& record, const job::JobSpec& spec,
                                                std::uint64_t fence) {
  if (record.plan) return job::Plan::parse(*record.plan, "/plan");
  TANDEM_TRY_ASSIGN(job::Plan plan, make_plan(spec));
  TANDEM_TRY(ledger_.update(record.view.id, fence, kActor, [&](JobRecord& row, Change& change) -> Result<void> {
    row.plan = plan.document();
    row.view.plan_digest = plan.digest();
    change.events.push_back(
        {"job.planned", {{"digest", plan.digest()}, {"primary", plan.primary}, {"reasons", plan.reasons}}});
    return {};
  }));
  return plan;
}

Result<JobRunner::Walked> JobRunner::walk(const JobRecord& record, const job::JobSpec& spec, const job::Plan& plan,
                                          const RunControl& control, Deadline deadline) {
  TANDEM_TRY_ASSIGN(const std::unique_ptr<hybrid::Loop> loop, walk::make_walk(spec, plan));
  OrderRunner orders(services_, ledger_);
  OrderContext context{.job = record.view.id,
                       .tenant = record.view.tenant,
                       .data_class = spec.business.data_class,
                       .fence = record.view.fence,
                       .threads = spec.threads != 0 ? spec.threads : options_.threads,
                       .stop = control.stop,
                       .deadline = deadline,
                       .remote_deadline = options_.remote_deadline};
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
      TANDEM_TRY_ASSIGN(out.result, job::ResultDocument::parse((*advance.done)["result"]));
      out.walk_lineage = (*advance.done)["lineage"];
      return out;
    }
    context.round = round;
    TANDEM_TRY(
        ledger_.update(record.view.id, record.view.fence, kActor, [&](JobRecord&, Change& change) -> Result<void> {
          change.keeps_row = true;
          change.batch.put(store::Table::kStep, step_key(record.view.id, round, "state"), state.dump());
          Json labels = Json::array();
          for (const hybrid::Order& order : advance.orders) labels.push_back(order.label);
          change.events.push_back({"round.started", {{"round", round}, {"orders", std::move(labels)}}});
          return {};
        }));
    if (control.on_progress) {
      control.on_progress({.job = record.view.id,
                           .step = advance.orders.front().label,
                           .elapsed_ms = milliseconds(services_.clock.monotonic() - begin)});
    }
    TANDEM_TRY_ASSIGN(std::vector<Carried> carried, orders.run(advance.orders, context));
    replies.clear();
    for (Carried& one : carried) {
      replies.push_back(one.reply);
      one.reply.result.reset();  // only the record is needed from here on
      out.carried.push_back(std::move(one));
    }
  }
}

Result<void> JobRunner::end_with_result(const JobRecord& record, const job::JobSpec& spec, const job::Plan& plan,
                                        Walked walked, double elapsed_ms) {
  job::ResultDocument& result = walked.result;
  const std::optional<Distrust> distrust = distrust_of(spec, plan, result);
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
                                 .plan = plan.document(),
                                 .walk = std::move(walked.walk_lineage),
                                 .versions = options_.versions,
                                 .created_at = format_rfc3339(services_.clock.now()),
                                 .consumer = spec.business.consumer};
  lineage.spec = spec.document();
  lineage.spec.erase("problem");  // it may be millions of numbers: the blob spec_sha256 has it
  lineage.spec.erase("program");
  if (!spec.is_program()) lineage.problem_sha256 = spec.problem()->hash().hex();
  for (const Carried& carried : walked.carried) lineage.work.push_back(carried.record);
  result.lineage_id = lineage.id;
  const Json document = result.document();
  const Bytes bytes = document.dump();
  const std::string result_sha256 = sha256(bytes).hex();
  lineage.result_sha256 = sha256(canonical_json(job::canonical_result(document))).hex();
  const budget::Budget budget(services_.store);
  auto stored =
      ledger_.update(record.view.id, record.view.fence, kActor, [&](JobRecord& row, Change& change) -> Result<void> {
        TANDEM_TRY_ASSIGN(row.view.state, job::require_transition(row.view.state, end));
        row.result_sha256 = result_sha256;
        row.view.lineage_id = lineage.id.value;
        if (result.best) row.view.objective = result.best->candidate.objective;
        TANDEM_TRY(budget.release(change.batch, row.view.id));
        change.batch.put(store::Table::kBlob, result_sha256, bytes);
        change.batch.put(store::Table::kLineage, lineage.id.value, lineage.document().dump());
        add_evidence(change.batch, spec, result, walked.carried, services_.clock.now());
        if (!distrust) {
          put_answers(change.batch, {.tenant = row.view.tenant, .data_class = spec.business.data_class}, row.view.id,
                      lineage.work, services_.clock.now());
          change.events.push_back({"job.succeeded", succeeded_data(row, result)});
          return {};
        }
        const auto number = static_cast<std::uint16_t>(distrust->why.number);
        Json said = {{"error", distrust->why.message}, {"number", number}};
        if (distrust->reviewed) {
          said.update({{"confidence", result.confidence.value}, {"result_sha256", result_sha256}});
        } else {
          row.view.error = distrust->why.message;
          row.view.error_number = number;
        }
        change.events.push_back({fmt::format("job.{}", job::to_string(row.view.state)), std::move(said)});
        return {};
      });
  return stored.map([](const JobRecord&) {});
}

Result<void> JobRunner::finish_without_result(const JobId& id, std::uint64_t fence, job::JobEvent event,
                                              const Error& error) {
  auto done = ledger_.update(id, fence, kActor, [&](JobRecord& row, Change& change) {
    // Another process may have promised the client its end while this one was stopping.
    if (event == job::JobEvent::kRequeue && row.view.cancel_requested)
      return move_without_result(services_.store, row, change, job::JobEvent::kCancel,
                                 make_error(errors::kCancelled, "cancelled by the client while it was running"));
    return move_without_result(services_.store, row, change, event, error);
  });
  return done.map([](const JobRecord&) {});
}

RunOutcome JobRunner::end_with(const JobId& id, std::uint64_t fence, const Error& error, const RunControl& control) {
  if (error.number == errors::kStaleFence || is_store_trouble(error)) {
    services_.log.write(LogLevel::kWarning, "job.let_go", {{"job_id", id.value}, {"error", error.to_string()}});
    return {error.number == errors::kStaleFence ? RunEnd::kLost : RunEnd::kUnstored, error};
  }
  if (control.lost())
    return {RunEnd::kUnstored,
            make_error(errors::kLeaseLost, "the lease of this process was over; the job goes on later")};
  job::JobEvent event = job::JobEvent::kFail;
  Error reason = error;
  if (control.cancelled()) {
    event = job::JobEvent::kCancel;
    reason = make_error(errors::kCancelled, "cancelled by the client while it was running");
  } else if (error.number == errors::kExpired) {
    event = job::JobEvent::kExpire;
  } else if (control.draining() && error.number == errors::kCancelled) {
    event = job::JobEvent::kRequeue;
  }
  const auto stored = finish_without_result(id, fence, event, reason);
  if (!stored) {
    services_.log.write(LogLevel::kError, "job.end_not_stored",
                        {{"job_id", id.value}, {"error", stored.error().to_string()}});
    return {stored.error().number == errors::kStaleFence ? RunEnd::kLost : RunEnd::kUnstored, stored.error()};
  }
  return {event == job::JobEvent::kRequeue ? RunEnd::kRequeued : RunEnd::kFinal, std::nullopt};
}

RunOutcome JobRunner::run(const JobId& id, std::uint64_t fence, std::shared_ptr<const job::JobSpec> spec,
                          const RunControl& control) {
  // One stop for all reasons; the total time limit is a timer that adds its own.
  std::stop_source stop;
  const std::stop_callback forward(control.stop, [&] { stop.request_stop(); });
  std::unique_ptr<Timer> timer;
  const auto work = [&]() -> Result<void> {
    TANDEM_TRY_ASSIGN(const JobRecord record, load_job(services_.store, id));
    if (spec == nullptr) {
      TANDEM_TRY_ASSIGN(job::JobSpec loaded, load_spec(services_.store, record, services_.problems));
      spec = std::make_shared<const job::JobSpec>(std::move(loaded));
    }
    Deadline deadline = Deadline::never();
    if (record.deadline_micros != 0) {
      const auto left = std::chrono::microseconds(record.deadline_micros - services_.clock.now().micros);
      if (left.count() <= 0) {
        return fail(errors::kExpired, "the total time of {} ms was over before the job was done",
                    spec->limits.total_time_ms);
      }
      deadline = Deadline::after(services_.clock, left);
      timer = services_.executor.post_after(left, [stop]() mutable { stop.request_stop(); });
    }
    TANDEM_TRY_ASSIGN(const job::Plan plan, stored_or_new_plan(record, *spec, fence));
    // Waiting and earlier starts count; a wall clock that was set back counts nothing.
    const auto since_admission = [&] {
      return static_cast<double>(
                 std::max<std::int64_t>(0, services_.clock.now().micros - record.view.created_at.micros)) /
             1000;
    };
    RunControl inner = control;
    inner.stop = stop.get_token();
    auto walked = walk(record, *spec, plan, inner, deadline);
    if (!walked) {
      if (deadline.expired(services_.clock))
        return fail(errors::kExpired, "the total time of {} ms was over before the job was done",
                    spec->limits.total_time_ms);
      return tl::unexpected(std::move(walked).error());
    }
    return end_with_result(record, *spec, plan, *std::move(walked), since_admission());
  };
  const auto within_memory = [&]() -> Result<void> {
    try {
      return work();
    } catch (const std::bad_alloc&) {  // the job ends, not the server, and no later start tries it again
      return fail(errors::kOutOfMemory, "there is not enough memory for this job; use a smaller problem");
    }
  };
  const Result<void> done = within_memory();
  timer.reset();
  if (done) return {};
  return end_with(id, fence, done.error(), control);
}

}  // namespace tandem::engine
