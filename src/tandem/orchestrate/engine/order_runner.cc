#include "tandem/orchestrate/engine/order_runner.h"

#include <mutex>
#include <new>

#include "tandem/orchestrate/engine/store_watch.h"

namespace tandem::engine {
namespace {

const solve::SolveOutcome* outcome_of(const hybrid::Reply& reply) {
  if (!reply.result) return nullptr;
  const auto* solve = std::get_if<backend::SolveResult>(&*reply.result);
  return solve == nullptr ? nullptr : &solve->outcome;
}

bool is_local(const backend::Backend& backend) { return backend.info().safety == backend::SubmitSafety::kLocal; }

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

std::string step_key(const JobId& job, std::uint32_t round, std::string_view label) {
  return fmt::format("{}/{:04}/{}", job.value, round, label);
}

struct OrderRunner::Attempt {
  std::optional<backend::RawResult> raw;
  std::optional<backend::WorkResult> result;
  std::optional<Error> error;
  std::string raw_sha256;
  std::string token;
  job::Money billed;
  std::optional<double> time_to_best_ms;
  bool stored = false;  ///< the raw bytes are in the blob table already
};

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
  const auto one = [&](std::size_t i) {
    const bool main = orders[i].label == "solve";
    try {
      answers[i] = carry(orders[i], context, threads, main ? context.stop : proved.get_token());
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
      waiting.push_back(services_.executor.start_loop("order", [&one, i](std::stop_token) { one(i); }));
    services_.executor.parallel(local.size(), context.threads, [&](std::size_t k) { one(local[k]); });
    // Leaving the scope joins; `stop` of a loop is only a request, and a remote order ends at its own deadline.
  }
  std::vector<Carried> out;
  for (auto& answer : answers) {
    TANDEM_TRY_ASSIGN(Carried carried, std::move(*answer));
    out.push_back(std::move(carried));
  }
  if (context.stop.stop_requested())
    return fail(errors::kCancelled, "stopped while round {} was running", context.round);
  return out;
}

OrderRunner::Attempt OrderRunner::attempt_local(backend::Backend& backend, const hybrid::Order& order,
                                                const OrderContext& context, std::size_t threads,
                                                std::stop_token stop) {
  Attempt out;
  const Instant begin = services_.clock.monotonic();
  std::mutex mutex;
  std::optional<double> best;
  const backend::CallContext call{.stop = std::move(stop),
                                  .deadline = context.deadline,
                                  .threads = threads,
                                  .sink = [&](const solve::Incumbent& incumbent) {
                                    const std::lock_guard lock(mutex);
                                    if (!best || incumbent.energy < *best) {  // else only its bound is better
                                      best = incumbent.energy;
                                      out.time_to_best_ms = milliseconds(services_.clock.monotonic() - begin);
                                    }
                                    if (context.on_incumbent) context.on_incumbent(order.label, incumbent);
                                  }};
  const auto handle = backend.submit(order.work, "", call);
  if (!handle) {
    out.error = handle.error().error;
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
    out.error = raw.error();
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

Result<OrderRunner::Attempt> OrderRunner::attempt_remote(backend::Backend& backend, const hybrid::Order& order,
                                                         std::uint32_t number, const OrderContext& context) {
  const Deadline deadline =
      Deadline(std::min(context.deadline.at(), services_.clock.monotonic() + context.remote_deadline));
  const submit::SubmissionRequest request{.tenant = context.tenant,
                                          .job = context.job,
                                          .step = fmt::format("{}/{}", context.round, order.label),
                                          .attempt = number,
                                          .fence = context.fence,
                                          .backend = backend,
                                          .work = order.work,
                                          .deadline = deadline};
  auto outcome = services_.submitter.run(request, context.stop);
  Attempt out;
  if (!outcome) {
    const ErrorNumber number_of = outcome.error().number;
    // These end the job or the worker; everything else is a reason to fall back.
    if (number_of == errors::kCancelled || number_of == errors::kStaleFence || is_store_trouble(outcome.error())) {
      return tl::unexpected(std::move(outcome).error());
    }
    out.error = std::move(outcome).error();
    return out;
  }
  out.token = outcome->token;
  out.billed = outcome->billed;
  out.error = outcome->error;
  if (outcome->kind != submit::SubmissionOutcome::Kind::kResult) return out;
  out.raw = std::move(outcome->raw);
  out.raw_sha256 = outcome->raw_sha256;
  out.stored = true;
  auto result = backend.decode(*out.raw, order.work);
  if (result)
    out.result = *std::move(result);
  else
    out.error = result.error();
  return out;
}

Result<Carried> OrderRunner::carry(const hybrid::Order& order, const OrderContext& context, std::size_t threads,
                                   std::stop_token stop) {
  TANDEM_TRY_ASSIGN(std::optional<Carried> earlier, resume(order, context));
  if (earlier) return *std::move(earlier);

  const Instant begin = services_.clock.monotonic();
  Carried out;
  out.reply.label = out.record.label = order.label;
  out.record.round = context.round;
  describe_work(out.record, order.work);
  std::vector<std::string> chain = {order.backend};
  chain.insert(chain.end(), order.fallbacks.begin(), order.fallbacks.end());
  Attempt last;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    backend::Backend* backend = services_.backends.find(chain[i]);
    out.reply.backend = out.record.backend = chain[i];
    last = Attempt();
    if (backend == nullptr) {
      last.error = make_error(errors::kUnknownBackend, "there is no backend '{}' here", chain[i]);
    } else if (is_local(*backend)) {
      last = attempt_local(*backend, order, context, threads, stop);
    } else {
      TANDEM_TRY_ASSIGN(last, attempt_remote(*backend, order, static_cast<std::uint32_t>(i), context));
    }
    out.reply.billed = out.reply.billed + last.billed;
    if (backend != nullptr) {
      out.record.local = is_local(*backend);
      out.reply.emulated = out.record.emulated = backend->info().emulated;
      out.record.backend_version = backend->info().version;
    }
    out.record.token = last.token;
    if (last.result || context.stop.stop_requested()) break;
    if (stop.stop_requested()) {
      // It did not fail, it is not needed any more: nobody else has to try.
      last.error = make_error(errors::kCancelled, "stopped: the solve beside it proved its answer");
      break;
    }
    out.reply.path.push_back(fmt::format("{}: {}", chain[i], last.error->to_string()));
  }
  out.reply.elapsed_ms = milliseconds(services_.clock.monotonic() - begin);
  out.reply.time_to_best_ms = last.time_to_best_ms;
  out.reply.result = std::move(last.result);
  // Only what the record keeps, so that a resumed or replayed reply is the same.
  if (!out.reply.result) out.reply.error = Error{.number = last.error->number, .message = last.error->message};
  if (last.raw) out.reply.calibration_id = last.raw->calibration_id;

  out.record.path = out.reply.path;
  out.record.elapsed_ms = out.reply.elapsed_ms;
  out.record.time_to_best_ms = out.reply.time_to_best_ms;
  out.record.billed = out.reply.billed;
  out.record.calibration_id = out.reply.calibration_id;
  if (out.reply.result) {
    out.record.raw_sha256 = last.raw_sha256;
    out.record.raw_media_type = last.raw->media_type;
    if (const solve::SolveOutcome* outcome = outcome_of(out.reply)) {
      out.record.work_done = outcome->work_done;
      out.record.unit_name = outcome->unit_name;
      out.record.best_energy = outcome->samples.best().energy;
    }
  } else {
    out.record.error = out.reply.error->message;
    out.record.error_number = static_cast<std::uint16_t>(out.reply.error->number);
  }
  // Work cut short by a stop of the job is not a result of the order: it will be done again.
  if (context.stop.stop_requested()) return out;
  TANDEM_TRY(checkpoint(out, last.raw && !last.stored ? last.raw->bytes : Bytes(), context));
  return out;
}

Result<void> OrderRunner::checkpoint(const Carried& carried, const Bytes& raw, const OrderContext& context) {
  const lineage::WorkRecord& record = carried.record;
  auto done = ledger_.update(context.job, context.fence, "engine", [&](JobRecord&, Change& change) -> Result<void> {
    change.keeps_row = true;
    if (!raw.empty()) change.batch.put(store::Table::kBlob, record.raw_sha256, raw);
    change.batch.put(store::Table::kStep, step_key(context.job, record.round, record.label), record.document().dump());
    change.events.push_back({event_of(record),
                             {{"label", record.label},
                              {"round", record.round},
                              {"backend", record.backend},
                              {"emulated", record.emulated},
                              {"path", record.path},
                              {"elapsed_ms", record.elapsed_ms},
                              {"billed_usd_micros", record.billed.usd_micros},
                              {"error", record.error}}});
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
  out.reply = {.label = order.label,
               .backend = out.record.backend,
               .emulated = out.record.emulated,
               .path = out.record.path,
               .billed = out.record.billed,
               .calibration_id = out.record.calibration_id,
               .elapsed_ms = out.record.elapsed_ms,
               .time_to_best_ms = out.record.time_to_best_ms};
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
