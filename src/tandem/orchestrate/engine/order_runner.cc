#include "tandem/orchestrate/engine/order_runner.h"

#include <algorithm>
#include <mutex>
#include <new>

#include "tandem/base/either_stop.h"
#include "tandem/base/pause.h"
#include "tandem/base/text.h"
#include "tandem/orchestrate/engine/answer_index.h"
#include "tandem/orchestrate/engine/local_team.h"
#include "tandem/orchestrate/engine/order_way.h"
#include "tandem/orchestrate/engine/shortfall.h"
#include "tandem/orchestrate/engine/store_watch.h"

namespace tandem::engine {
namespace {

constexpr auto kAskTime = std::chrono::seconds(3);  ///< for the calibration that an answer was taken with

const solve::SolveOutcome* outcome_of(const hybrid::Reply& reply) {
  if (!reply.result) return nullptr;
  const auto* solve = std::get_if<backend::SolveResult>(&*reply.result);
  return solve == nullptr ? nullptr : &solve->outcome;
}

double share_used(const std::vector<job::PartialAnswer>& parts) {
  for (const job::PartialAnswer& part : parts)
    if (part.used) return part.share();
  return 0;
}

/// Seed and shots of the work, as lineage names them.
void describe_work(lineage::WorkRecord& record, const backend::Work& work) {
  if (const auto* solve = std::get_if<backend::SolveWork>(&work)) {
    record.seed = solve->options.seed;
    record.shots = solve->options.num_samples;
    return;
  }
  const auto& program = std::get<backend::ProgramWork>(work);
  record.seed = program.seed;
  for (const circuit::Pub& pub : program.pubs) record.shots += pub.shots * pub.num_bindings();
}

/// What a record that is stored with a checkpoint tells followers. Stopped with its job it is not stored at all.
std::string event_of(const lineage::WorkRecord& record) {
  if (record.error.empty()) return "step.finished";
  return record.error_number == static_cast<std::uint16_t>(errors::kCancelled) ? "step.stopped" : "step.failed";
}

}  // namespace

Result<std::vector<Carried>> OrderRunner::run(std::span<const hybrid::Order> orders, const OrderContext& context) {
  std::vector<std::optional<Result<Carried>>> answers(orders.size());
  std::vector<std::size_t> local;
  std::vector<std::size_t> remote;
  for (std::size_t i = 0; i < orders.size(); ++i) {
    const backend::Backend* backend = services_.backends.find(orders[i].backend);
    (backend != nullptr && !is_local(*backend) ? remote : local).push_back(i);
  }
  std::stop_source proved;
  const std::stop_callback forward(context.stop, [&] { proved.request_stop(); });
  const std::size_t threads = std::max<std::size_t>(1, context.threads / std::max<std::size_t>(1, local.size()));
  LocalTeam team(context.place, services_.executor, context.stop);
  const auto one = [&](std::size_t i, LocalTeam* its_team) {
    const bool main = orders[i].label == "solve";
    try {
      answers[i] =
          carry(orders[i], context, {.threads = threads, .team = its_team}, main ? context.stop : proved.get_token());
    } catch (const std::bad_alloc&) {  // on a thread of its own nobody else would catch it
      answers[i] = fail(errors::kOutOfMemory, "there is not enough memory for {} on {}; use a smaller problem",
                        orders[i].label, orders[i].backend);
    }
    if (!main || !*answers[i]) return;
    const solve::SolveOutcome* outcome = outcome_of((**answers[i]).reply);
    if (outcome != nullptr && outcome->proved) proved.request_stop();
  };
  {
    // A remote order mostly waits: it gets a thread of its own instead of holding one of the pool's.
    std::vector<std::unique_ptr<Timer>> waiting;
    for (const std::size_t i : remote)
      waiting.push_back(services_.executor.start_loop("order", [&one, i](std::stop_token) { one(i, nullptr); }));
    services_.executor.parallel(local.size(), context.threads, [&](std::size_t k) {
      const LocalTeam::Member member(team);
      one(local[k], &team);
    });
    if (!waiting.empty()) {
      const auto outside = context.place.wait_outside_after(kWaitPatience, context.stop);
      waiting.clear();  // joins; `stop` of a loop is only a request, and a remote order ends at its own deadline
    }
  }
  std::vector<Carried> out;
  std::string waited_for;
  for (auto& answer : answers) {
    TANDEM_TRY_ASSIGN(Carried carried, std::move(*answer));
    if (!carried.waited_for.empty()) waited_for += ", " + carried.waited_for;
    out.push_back(std::move(carried));
  }
  if (context.stop.stop_requested())
    return fail(errors::kCancelled, "stopped while round {} was running{}", context.round, waited_for);
  return out;
}

OrderRunner::Attempt OrderRunner::attempt_local(backend::Backend& backend, const hybrid::Order& order,
                                                const OrderContext& context, const Seat& seat, std::stop_token stop) {
  std::optional<WorkerSlots::Place::Move> working;  // a remote order came to it
  if (seat.team == nullptr) working.emplace(context.place, WorkerSlots::Place::Move::To::kIn, context.stop);
  Attempt out;
  const Instant begin = services_.clock.monotonic();
  std::mutex mutex;
  std::optional<double> best;
  const backend::CallContext call{.stop = std::move(stop),
                                  .deadline = context.deadline,
                                  .threads = seat.threads,
                                  .sink =
                                      [&](const solve::Incumbent& incumbent) {
                                        const std::lock_guard lock(mutex);
                                        if (!best || incumbent.energy < *best) {  // else only its bound is better
                                          best = incumbent.energy;
                                          out.time_to_best_ms = milliseconds(services_.clock.monotonic() - begin);
                                        }
                                        if (context.on_incumbent) context.on_incumbent(order.label, incumbent);
                                      },
                                  .aside =
                                      [&](const std::function<void()>& wait) {
                                        if (seat.team != nullptr) return seat.team->wait(wait);
                                        const auto outside =
                                            context.place.wait_outside_after(kWaitPatience, context.stop);
                                        wait();
                                      }};
  const auto handle = backend.submit(order.work, "", call);
  const auto failed = [&out](const Error& error) {
    out.fail_with(error);
    out.may_repeat = out.error_class == backend::ErrorClass::kTransient;
  };
  if (!handle) {
    failed(handle.error().error);
    return out;
  }
  const backend::WorkRef work{.handle = *handle, .token = ""};
  auto status = backend.poll(work, call);
  while (status && (status->state == backend::WorkState::kQueued || status->state == backend::WorkState::kRunning)) {
    status = backend.poll(work, call);
  }
  auto raw = status ? backend.fetch(work, call) : tl::unexpected(status.error());
  backend.forget(*handle);
  if (!raw) {
    failed(raw.error());
    return out;
  }
  auto result = backend.decode(*raw, order.work);
  if (result)
    out.result = *std::move(result);
  else
    out.error = result.error();
  out.raw_sha256 = sha256(raw->bytes).hex();
  out.raw = *std::move(raw);
  return out;
}

submit::SubmissionRequest OrderRunner::request_of(backend::Backend& backend, const hybrid::Order& order,
                                                  const OrderContext& context, std::uint32_t attempt) {
  return {.tenant = context.tenant,
          .job = context.job,
          .step = submission_step(context, order),
          .attempt = attempt,
          .fence = context.fence,
          .backend = backend,
          .work = order.work,
          .queue_wait_max = order.backend_wait_max,
          .calibration_age_max = order.calibration_age_max,
          .awaits_answers = order.backend_awaited,
          .heartbeat_max = context.heartbeat_max,
          .spend_max = context.spend_max ? std::optional(context.spend_max->of(backend.info().emulated)) : std::nullopt,
          .payable = context.payable,
          .holds = context.holds};
}

Result<OrderRunner::Attempt> OrderRunner::attempt_remote(backend::Backend& backend, const hybrid::Order& order,
                                                         const Sending& sending, std::optional<Deadline>& until,
                                                         const OrderContext& context, const std::stop_token& stop) {
  Attempt out;
  std::optional<resilience::Gates::Pass> pass;
  const Instant asked = services_.clock.monotonic();
  if (!sending.is_known) {
    // One that stands in may have no room; who waits for that holds room elsewhere, so not for ever.
    const EitherStop not_needed_or_draining(stop, context.drain);
    auto room = context.stay.enter(backend.info().id.value, not_needed_or_draining.token(),
                                   Deadline(std::min(context.deadline.at(), asked + context.remote_deadline)));
    if (!room) {
      if (room.error().number == errors::kCancelled && !stop.stop_requested())
        return tl::unexpected(std::move(room).error());  // the server goes down
      out.error = std::move(room).error();
      return out;
    }
  }
  // Of a reservation that was found, which has to end before anything else is sent for the step.
  std::optional<Error> no_room;
  if (services_.gates != nullptr && sending.is_past_gate) {
    pass.emplace(services_.gates->resume(backend.info().id.value));
  } else if (services_.gates != nullptr) {
    // A wait of our own making is no fault of the provider's: it takes as long as it takes, unless the job asks for less.
    Deadline turn_by = context.deadline;
    if (order.backend_wait_max && *order.backend_wait_max < context.remote_deadline)
      turn_by = Deadline(std::min(turn_by.at(), asked + *order.backend_wait_max));
    const EitherStop not_needed_or_draining(stop, context.drain);
    auto turn = services_.gates->enter(backend.info().id.value, not_needed_or_draining.token(), turn_by);
    if (!turn) {
      const bool going_down = turn.error().number == errors::kCancelled && !stop.stop_requested();
      if (going_down || is_store_trouble(turn.error())) return tl::unexpected(std::move(turn).error());
      out.error = turn.error();
      if (!sending.is_known) return out;
      no_room = std::move(turn).error();
    } else {
      pass.emplace(*std::move(turn));
    }
  }
  const Instant now = services_.clock.monotonic();
  out.in_line = now - asked;
  const Instant end = until ? until->at() + (now - asked) : now + context.remote_deadline;
  until = Deadline(no_room ? now : std::min(context.deadline.at(), end));
  submit::SubmissionRequest request = request_of(backend, order, context, sending.attempt);
  request.deadline = *until;
  request.owned = [&](store::Batch& batch) { return ledger_.require_owned(batch, context.job, context.fence); };
  if (pass) {
    request.on_send = [&] { pass->begun(); };
    request.may_resend = [&] { return services_.gates->try_start(backend.info().id.value); };
  }
  auto outcome = services_.submitter.run(request, context.stop);
  if (!outcome) {
    const ErrorNumber number_of = outcome.error().number;
    // These end the job or the worker; everything else is a reason to fall back.
    if (number_of == errors::kCancelled || number_of == errors::kStaleFence || is_store_trouble(outcome.error())) {
      return tl::unexpected(std::move(outcome).error());
    }
    if (number_of == errors::kPriceNotApproved && context.on_price_above)
      TANDEM_TRY(context.on_price_above(outcome.error()));
    // What may pass was said before anything was reserved.
    out.fail_with(std::move(outcome).error());
    out.may_repeat = backend::may_pass(out.error_class);
    return out;
  }
  out.token = outcome->token;
  out.billed = outcome->billed;
  out.error = no_room ? no_room : outcome->error;
  out.error_class = outcome->error_class;
  out.retry_after = outcome->retry_after;
  out.may_repeat = outcome->is_surely_free() && backend::may_pass(out.error_class);
  out.not_ready = outcome->kind == submit::SubmissionOutcome::Kind::kNotReady;
  out.number_is_used = outcome->number_is_used;
  if (outcome->kind != submit::SubmissionOutcome::Kind::kResult) return out;
  out.raw = std::move(outcome->raw);
  out.raw_sha256 = outcome->raw_sha256;
  out.stored = true;
  auto result = backend.decode(*out.raw, order.work);
  if (!result)
    out.error = result.error();
  else
    out.result = *std::move(result);
  if (out.error || out.raw->calibration_id.empty()) return out;
  // A provider that has calibrated again, or does not say, leaves the age unknown.
  const auto calibration = backend.calibration({.deadline = Deadline::after(services_.clock, kAskTime)});
  if (calibration && *calibration && (*calibration)->id == out.raw->calibration_id) {
    const std::int64_t age = services_.clock.now().micros - (*calibration)->taken_at.micros;
    out.calibration_age_ms = static_cast<double>(std::max<std::int64_t>(0, age)) / 1000;
  }
  return out;
}

Result<OrderRunner::Attempt> OrderRunner::attempt_cached(const job::Fallback& entry, const hybrid::Order& order,
                                                         Way& way, const OrderContext& context) {
  Attempt out;
  out.backend = entry.backend;
  const Timestamp now = services_.clock.now();
  auto found = find_answer(services_.store,
                           {.tenant = context.tenant, .project = context.project, .data_class = context.data_class},
                           order.label, way.question_sha256, entry, now);
  if (!found) {
    if (is_store_trouble(found.error())) return tl::unexpected(std::move(found).error());
    out.error = std::move(found).error();
    return out;
  }
  const lineage::WorkRecord& work = found->work;
  const backend::Backend* backend = services_.backends.find(work.backend);
  out.raw = backend::RawResult{.bytes = std::move(found->raw),
                               .media_type = work.raw_media_type,
                               .billed = {},
                               .calibration_id = work.calibration_id};
  auto result = backend == nullptr
                    ? fail(errors::kNoCachedResult, "the answer is one of {}, which is not here", work.backend)
                    : backend->decode(*out.raw, order.work);
  if (!result) {
    out.error = make_error(errors::kNoCachedResult, "{}", result.error().message);
    return out;
  }
  const std::int64_t age_ms = std::max<std::int64_t>(0, (now.micros - found->finished_at.micros) / 1000);
  out.result = *std::move(result);
  out.cached = job::CachedAnswer{.step = order.label, .source = found->job, .backend = work.backend, .age_ms = age_ms};
  out.backend = work.backend;
  out.backend_version = work.backend_version;
  out.local = work.local;
  out.emulated = work.emulated;
  out.raw_sha256 = work.raw_sha256;
  if (work.calibration_age_ms) out.calibration_age_ms = *work.calibration_age_ms + static_cast<double>(age_ms);
  return out;  // its bytes are put once more: the job that they come from may be removed at any time
}

Result<OrderRunner::Attempt> OrderRunner::attempt_backend(backend::Backend& backend, std::uint32_t station,
                                                          const hybrid::Order& order, Way& way,
                                                          const OrderContext& context, const Seat& seat,
                                                          const std::stop_token& stop) {
  const bool local = is_local(backend);
  const std::string& name = backend.info().id.value;
  std::optional<Deadline> until;  // of a remote one, from its first turn on
  // How that one ended is known, and the chain went on: another try could be billed beside what came after it.
  if (way.had_left(station))
    return attempt_remote(backend, order, way.sending(way.sent.at(station)), until, context, stop);
  std::uint32_t tries = 0;
  std::optional<job::FailedTry> last;
  for (const job::FailedTry& one : way.tries) {
    if (one.station != station) continue;
    last = one;
    if (!is_wait(one)) ++tries;
  }
  while (true) {
    Attempt attempt;
    const Instant begin = services_.clock.monotonic();
    if (last) {
      const EitherStop not_needed_or_draining(stop, context.drain);
      if (!pause(services_.executor, tries_.left(*last), not_needed_or_draining.token())) {
        Error why = make_error(errors::kCancelled, "stopped before try {} of {}", tries + 1, name);
        if (!stop.stop_requested()) return tl::unexpected(std::move(why));  // the server goes down
        attempt.error = std::move(why);
        return attempt;
      }
    }
    const Instant begun = services_.clock.monotonic();
    if (local) {
      attempt = attempt_local(backend, order, context, seat, stop);
    } else {
      const Sending sending = way.sending(last ? last->next_attempt : station);
      TANDEM_TRY_ASSIGN(attempt, attempt_remote(backend, order, sending, until, context, stop));
    }
    way.aside += attempt.not_ready ? begun - begin + attempt.in_line : services_.clock.monotonic() - begin;
    if (attempt.not_ready && !stop.stop_requested()) {
      TANDEM_TRY_ASSIGN(const bool ready, await_ready(backend, station, order, way, context, attempt, tries + 1, stop));
      if (!ready) return attempt;
      last = *std::find_if(way.tries.rbegin(), way.tries.rend(),
                           [&](const job::FailedTry& one) { return one.station == station; });
      until.reset();  // its time begins when it takes work
      continue;
    }
    ++tries;
    if (attempt.result || !attempt.may_repeat || stop.stop_requested()) return attempt;
    const TryScope scope = scope_of(order, context, until.value_or(context.deadline));
    TANDEM_TRY_ASSIGN(auto noted, tries_.note(scope, attempt.as_failed(order, context, station, name, tries),
                                              std::chrono::milliseconds(last && !is_wait(*last) ? last->delay_ms : 0),
                                              attempt.retry_after));
    if (!noted) {
      if (tries == 1) return attempt;
      attempt.cause = job::cause_of(*attempt.error);
      attempt.error = make_error(errors::kRetriesExhausted, "{} tries of {} failed; the last one: {}", tries, name,
                                 attempt.error->to_string());
      return attempt;
    }
    way.tries.push_back(*noted);
    last = *std::move(noted);
  }
}

Result<void> OrderRunner::try_entry(const job::Fallback& entry, const hybrid::Order& order, Way& way,
                                    const OrderContext& context, const Seat& seat, const std::stop_token& stop) {
  using enum job::PathEntry::Outcome;
  const std::uint32_t number = way.stations++;
  backend::Backend* backend = services_.backends.find(entry.backend);
  Attempt attempt;
  if (entry.backend == job::Fallback::kCachedResult) {
    TANDEM_TRY_ASSIGN(attempt, attempt_cached(entry, order, way, context));
  } else if (backend == nullptr) {
    attempt.backend = entry.backend;
    attempt.error = make_error(errors::kUnknownBackend, "there is no backend '{}' here", entry.backend);
  } else {
    TANDEM_TRY_ASSIGN(attempt, attempt_backend(*backend, number, order, way, context, seat, stop));
    const backend::BackendInfo& info = backend->info();
    attempt.backend = info.id.value;
    attempt.backend_version = info.version;
    attempt.local = is_local(*backend);
    attempt.emulated = info.emulated;
  }
  way.billed = way.billed + attempt.billed;
  job::PathEntry station{.step = order.label, .backend = entry.backend, .outcome = kLeft, .cause = way.cause};
  if (auto part = attempt.result ? shortfall(order.work, *attempt.result) : std::nullopt) {
    attempt.error = make_error(errors::kPartialResult, "{} of {} came back", part->got, part->asked);
    part->step = order.label;
    part->backend = attempt.backend;
    part->raw_sha256 = attempt.raw_sha256;
    if (!attempt.stored) way.blobs.put(store::Table::kBlob, attempt.raw_sha256, attempt.raw->bytes);
    attempt.stored = true;
    way.parts.push_back(*std::move(part));
    const auto fuller = [&] { return way.parts.back().share() > share_used(way.parts); };
    if (!way.partial || fuller()) {
      for (job::PartialAnswer& other : way.parts) other.used = false;
      way.parts.back().used = true;
      way.partial = attempt;
    }
    attempt.result.reset();
  }
  way.last = std::move(attempt);
  if (way.last.result) {
    if (way.path.empty()) return {};
    station.outcome = kAnswered;
    if (way.last.cached) {
      station.reason =
          fmt::format("the answer of {} to {}, {} old", way.last.cached->backend, way.last.cached->source.value,
                      format_duration(std::chrono::milliseconds(way.last.cached->age_ms)));
    }
    way.path.push_back(std::move(station));
    return {};
  }
  // It did not fail, it is not needed any more: nobody else has to try.
  if (stop.stop_requested()) return {};
  // That nothing earlier fits says nothing of the backend that was left: its cause still is the one to answer.
  if (entry.backend != job::Fallback::kCachedResult) {
    way.cause = station.cause = way.last.cause.value_or(job::cause_of(*way.last.error));
    way.error = way.last.error;
  }
  station.number = static_cast<std::uint16_t>(way.last.error->number);
  station.reason = way.last.error->message;
  way.path.push_back(std::move(station));
  return {};
}

Result<void> OrderRunner::recall(const hybrid::Order& order, const OrderContext& context, Way& way) {
  TANDEM_TRY_ASSIGN(way.tries, tries_.of(context.job, context.round, order.label));
  TANDEM_TRY_ASSIGN(const std::vector<submit::SubmissionRecord> all, services_.submitter.submissions(context.job));
  for (const submit::SubmissionRecord& one : all) {
    if (one.step != submission_step(context, order)) continue;
    std::uint32_t station = one.attempt;
    for (const job::FailedTry& failed : way.tries)
      if (failed.next_attempt == one.attempt) station = failed.station;
    // Given back before anything was sent, and numbered anew; or of a longer chain, as another version may have made it.
    if (station > order.fallbacks.size()) continue;
    std::uint32_t& last = way.sent[station];
    last = std::max(last, one.attempt);
    if (one.sends != 0 || submit::is_final(one.state)) way.past_gate.insert(one.attempt);
  }
  return {};
}

Result<Carried> OrderRunner::carry(const hybrid::Order& order, const OrderContext& context, const Seat& seat,
                                   std::stop_token stop) {
  TANDEM_TRY_ASSIGN(std::optional<Carried> earlier, resume(order, context));
  if (earlier) return *std::move(earlier);

  const Instant begin = services_.clock.monotonic();
  Way way;
  if (asks_whole(order.label)) way.question_sha256 = submit::question(order.work).hex();
  if (context.fence > 1) TANDEM_TRY(recall(order, context, way));  // not the first start
  std::vector<job::Fallback> chain = {job::Fallback(order.backend)};
  chain.insert(chain.end(), order.fallbacks.begin(), order.fallbacks.end());
  for (const job::Fallback& entry : chain) {
    const bool tried = way.last.error.has_value();
    if (way.last.result || (tried && (stop.stop_requested() || context.stop.stop_requested()))) break;
    const std::optional<bool> had_sent = way.had_sent(way.stations);
    if (had_sent ? *had_sent : way.stations == 0 || entry.answers(*way.cause)) {
      TANDEM_TRY(try_entry(entry, order, way, context, seat, stop));
      continue;
    }
    ++way.stations;
    way.path.push_back({.step = order.label,
                        .backend = entry.backend,
                        .outcome = job::PathEntry::Outcome::kPassedOver,
                        .cause = way.cause,
                        .reason = had_sent ? "an earlier start of the job had gone on from it to a later one"
                                           : "it is for " + job::cause_words(entry.on)});
  }
  if (!way.last.result && stop.stop_requested()) {
    way.error = make_error(errors::kCancelled, "stopped: the solve beside it proved its answer");
  } else if (!way.last.result && way.partial) {
    way.last = *std::move(way.partial);
    way.path.push_back({.step = order.label,
                        .backend = way.last.backend,
                        .outcome = job::PathEntry::Outcome::kAnswered,
                        .cause = job::FallbackCause::kPartial,
                        .reason = "nobody gave more, so the result rests on a part"});
  }
  if (way.last.result && !way.last.error) {
    for (job::PartialAnswer& part : way.parts) part.used = false;
  }

  Carried out{.reply = {},
              .record = {.label = order.label,
                         .round = context.round,
                         .backend = way.last.backend,
                         .backend_version = way.last.backend_version,
                         .local = way.last.local,
                         .emulated = way.last.emulated,
                         .path = std::move(way.path),
                         .partial = std::move(way.parts),
                         .tries = std::move(way.tries),
                         .cached = way.last.cached,
                         .question_sha256 = way.question_sha256,
                         .calibration_id = way.last.raw ? way.last.raw->calibration_id : "",
                         .calibration_age_ms = way.last.calibration_age_ms,
                         .token = way.last.token,
                         .billed = way.billed,
                         .elapsed_ms = milliseconds(services_.clock.monotonic() - begin),
                         .waited_ms = milliseconds(way.waited),
                         .time_to_best_ms = way.last.time_to_best_ms}};
  describe_work(out.record, order.work);
  out.reply = out.record.reply();
  out.reply.result = std::move(way.last.result);
  if (out.reply.result) {
    out.record.raw_sha256 = way.last.raw_sha256;
    out.record.raw_media_type = way.last.raw->media_type;
    if (const solve::SolveOutcome* outcome = outcome_of(out.reply)) {
      out.record.work_done = outcome->work_done;
      out.record.unit_name = outcome->unit_name;
      out.record.race = outcome->race;
      out.record.best_energy = outcome->samples.best().energy;
    }
  } else {
    const Error& error = way.error ? *way.error : *way.last.error;
    // Only what the record keeps, so that a resumed or replayed reply is the same.
    out.reply.error = Error{.number = error.number, .message = error.message};
    out.record.error = error.message;
    out.record.error_number = static_cast<std::uint16_t>(error.number);
  }
  out.waited_for = way.last.waited_for;
  // Work cut short by a stop of the job is not a result of the order: it will be done again.
  if (context.stop.stop_requested()) return out;
  if (way.last.raw && !way.last.stored)
    way.blobs.put(store::Table::kBlob, way.last.raw_sha256, std::move(way.last.raw->bytes));
  TANDEM_TRY(checkpoint(out, std::move(way.blobs), context));
  return out;
}

Result<void> OrderRunner::checkpoint(const Carried& carried, store::Batch blobs, const OrderContext& context) {
  const lineage::WorkRecord& record = carried.record;
  auto done = ledger_.update(context.job, context.fence, "engine", [&](JobRecord&, Change& change) -> Result<void> {
    change.keeps_row = true;
    change.batch = blobs;
    change.batch.put(store::Table::kStep, step_key(context.job, record.round, record.label), record.document().dump());
    change.events.push_back(
        {job::EventData(event_of(record))
             .member("backend", record.backend)
             .member("billed_usd_micros", record.billed.usd_micros)
             .member("cached_age_ms", record.cached ? std::optional(record.cached->age_ms) : std::nullopt)
             .member("cached_from", record.cached ? record.cached->source.value : "")
             .member("elapsed_ms", record.elapsed_ms)
             .member("emulated", record.emulated)
             .member("error", record.error)
             .member("label", record.label)
             .member("path", job::list_document(record.path))
             .member("round", record.round)});
    return {};
  });
  return done.map([](const JobRecord&) {});
}

Result<std::optional<Carried>> OrderRunner::resume(const hybrid::Order& order, const OrderContext& context) {
  TANDEM_TRY_ASSIGN(const auto row,
                    services_.store.get(store::Table::kStep, step_key(context.job, context.round, order.label)));
  if (!row) return std::optional<Carried>();
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row->value, "checkpoint " + row->key));
  Carried out;
  TANDEM_TRY_ASSIGN(out.record, lineage::WorkRecord::parse(document, ""));
  out.reply = out.record.reply();
  if (out.record.raw_sha256.empty()) {
    out.reply.error = Error{.number = static_cast<ErrorNumber>(out.record.error_number), .message = out.record.error};
    return std::optional<Carried>(std::move(out));
  }
  backend::Backend* backend = services_.backends.find(out.record.backend);
  if (backend == nullptr) {
    return fail(errors::kUnknownBackend,
                "job {} has a result of backend '{}', which this process does not have; configure it again",
                context.job.value, out.record.backend);
  }
  TANDEM_TRY_ASSIGN(const auto blob, services_.store.get(store::Table::kBlob, out.record.raw_sha256));
  if (!blob) {
    return fail(errors::kStoreDamaged, "the raw result {} of job {} is gone", out.record.raw_sha256, context.job.value);
  }
  const backend::RawResult raw{.bytes = blob->value,
                               .media_type = out.record.raw_media_type,
                               .billed = out.record.billed,
                               .calibration_id = out.record.calibration_id};
  TANDEM_TRY_ASSIGN(out.reply.result, backend->decode(raw, order.work));
  return std::optional<Carried>(std::move(out));
}

}  // namespace tandem::engine
