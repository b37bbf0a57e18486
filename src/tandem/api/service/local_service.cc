#include <condition_variable>
#include <mutex>

#include "tandem/api/service/event_reader.h"
#include "tandem/api/service/service.h"
#include "tandem/base/pause.h"

namespace tandem::service {
namespace {

// For who comes while another request with the same key is being committed.
constexpr int kAdmitTries = 5;
constexpr auto kAdmitPause = std::chrono::milliseconds(50);
constexpr auto kAskTime = std::chrono::seconds(3);  ///< for availability and calibration of a backend

/// Rung by the threads of the engine when there may be something to read. Threads: safe to call concurrently.
class Bell {
 public:
  void ring() {
    const std::lock_guard lock(mutex_);
    rung_ = true;
    changed_.notify_all();
  }
  /// Until it was rung since the last time, or `time` has passed.
  void wait_for(std::chrono::nanoseconds time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [&] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool rung_ = false;
};

Json admission_document(const engine::Admission& admission) {
  return {{"job_id", admission.id.value}, {"replayed", admission.replayed}};
}

class LocalService final : public Service {
 public:
  LocalService(engine::Engine& engine, backend::BackendRegistry& backends, submit::Submitter& submitter,
               const Clock& clock, Executor& executor)
      : engine_(engine), backends_(backends), submitter_(submitter), clock_(clock), executor_(executor) {}

  Result<Json> submit(const job::JobSpec& spec, std::string_view idempotency_key, std::string_view actor) override {
    return admitted([&] { return engine_.admit(spec, kDefaultTenant, idempotency_key, actor); });
  }
  void submit(std::shared_ptr<const job::JobSpec> spec, std::string_view idempotency_key, std::string_view actor,
              std::function<void(Result<Json>)> done) override {
    engine_.admit(
        std::move(spec), kDefaultTenant, idempotency_key, actor,
        [done = std::move(done)](Result<engine::Admission> admission) { done(admission.map(admission_document)); });
  }
  Result<Json> plan(const job::JobSpec& spec) override {
    return engine_.plan(spec).map([](const job::Plan& plan) { return plan.document(); });
  }
  Result<Json> job(const JobId& id) override {
    return engine_.job(id).map([](const engine::JobView& view) { return view.document(); });
  }
  Result<Json> jobs(const JobQuery& query) override {
    TANDEM_TRY_ASSIGN(const engine::JobPage page, engine_.jobs(query));
    Json list = Json::array();
    for (const engine::JobView& view : page.jobs) list.push_back(view.document());
    return Json{{"jobs", std::move(list)}, {"next_page_token", page.next_page_token}};
  }
  Result<Json> result(const JobId& id) override {
    TANDEM_TRY_ASSIGN(const Bytes bytes, engine_.result(id));
    return parse_json(bytes, "result of " + id.value, {.bytes_max = UINT64_MAX});
  }
  Result<Json> spec(const JobId& id) override { return engine_.spec_document(id); }
  Result<Json> plan_of(const JobId& id) override { return engine_.plan_document(id); }
  Result<Json> lineage(const JobId& id) override {
    return engine_.lineage(id).map([](const lineage::LineageRecord& record) { return record.document(); });
  }
  Result<Json> events(const JobId& id, std::uint64_t after, std::size_t limit) override {
    TANDEM_TRY_ASSIGN(const std::vector<job::Event> events, engine_.events(id, after, limit));
    Json list = Json::array();
    for (const job::Event& event : events) list.push_back(Json::parse(event.numbered()));
    return Json{{"events", std::move(list)}};
  }
  Result<Json> replay_package(const JobId& id) override {
    return engine_.replay_package(id).map([](const lineage::ReplayPackage& package) { return package.document(); });
  }
  Result<Json> submissions(const JobId& id) override {
    TANDEM_TRY(engine_.job(id));
    TANDEM_TRY_ASSIGN(const std::vector<submit::SubmissionRecord> records, submitter_.submissions(id));
    Json list = Json::array();
    for (const submit::SubmissionRecord& record : records) list.push_back(record.document());
    return Json{{"submissions", std::move(list)}};
  }
  Result<void> cancel(const JobId& id, std::string_view actor, std::string_view reason) override {
    return engine_.cancel(id, actor, reason);
  }
  Result<void> suspend(const JobId& id, std::string_view actor, std::string_view reason) override {
    return engine_.suspend(id, actor, reason);
  }
  Result<void> resume(const JobId& id, std::string_view actor) override { return engine_.resume(id, actor); }
  Result<void> remove(const JobId& id, std::string_view actor, std::string_view reason) override {
    return engine_.remove(id, actor, reason);
  }
  Result<Json> retry(const JobId& id, std::string_view idempotency_key, std::string_view actor) override {
    return admitted([&] { return engine_.retry(id, idempotency_key, actor); });
  }
  Result<void> review(const JobId& id, engine::Verdict verdict, std::string_view actor,
                      std::string_view reason) override {
    return engine_.review(id, verdict, actor, reason);
  }
  Result<Json> backends() override {
    Json list = Json::array();
    for (backend::Backend* backend : backends_.all()) list.push_back(backend_document(*backend, clock_));
    return Json{{"backends", std::move(list)}};
  }
  Result<Json> usage(const UsageQuery& query) override {
    const budget::Span month = budget::span_of(budget::Period::kMonth, clock_.now());
    const budget::UsageQuery range{.tenant = std::string(kDefaultTenant),
                                   .from = query.from.value_or(month.begin),
                                   .to = query.to.value_or(*month.end)};
    if (range.to <= range.from)
      return fail_at("?to", errors::kValueOutOfRange, "{} is not after {}", format_rfc3339(range.to),
                     format_rfc3339(range.from));
    Json out = {{"by", query.by ? budget::to_string(*query.by) : "charge"},
                {"currency", "USD"},
                {"from", format_rfc3339(range.from)},
                {"to", format_rfc3339(range.to)},
                {"groups", Json::array()},
                {"charges", Json::array()},
                {"next_page_token", ""}};
    if (!query.by) {
      TANDEM_TRY_ASSIGN(const budget::ChargePage page, engine_.charges(range, query.limit, query.page_token));
      for (const budget::Charge& charge : page.charges) out["charges"].push_back(charge.document());
      out["next_page_token"] = page.next_page_token;
      return out;
    }
    TANDEM_TRY_ASSIGN(const auto groups, engine_.usage(range, *query.by));
    for (const budget::UsageGroup& group : groups)
      out["groups"].push_back({{"name", group.name},
                               {"emulated", group.emulated},
                               {"cost_usd_micros", group.cost.usd_micros},
                               {"shots", group.use.shots},
                               {"qpu_us", group.use.qpu_us},
                               {"submissions", group.submissions},
                               {"jobs", group.jobs}});
    return out;
  }
  Result<Json> budgets() override {
    TANDEM_TRY_ASSIGN(const auto standings, engine_.standings(kDefaultTenant));
    Json list = Json::array();
    for (const budget::Standing& standing : standings) list.push_back(standing.document());
    return Json{{"budgets", std::move(list)}};
  }
  Result<Json> follow(const JobId& id, const Watch& watch, Deadline deadline) override {
    // What is published only says that there is something to read: it comes in no order.
    Bell bell;
    const auto subscription = engine_.subscribe(
        id, [&](const job::Event&) { bell.ring(); },
        [&](const engine::Progress& progress) {
          if (watch.on_progress) watch.on_progress(progress);
        },
        [&] { bell.ring(); });
    EventReader reader(*this, id, watch);
    while (true) {
      // Asked before the log is read: the event that ends a job is in the log when its row says so.
      const auto ended = engine_.wait(id, Deadline(Instant{0}));
      TANDEM_TRY(reader.read_on());
      if (ended) return ended->document();
      if (ended.error().number != errors::kResultNotReady || deadline.expired(clock_))
        return tl::unexpected(ended.error());
      bell.wait_for(std::min<std::chrono::nanoseconds>(deadline.left(clock_), std::chrono::hours(1)));
    }
  }

 private:
  template <typename Admit>
  Result<Json> admitted(const Admit& admit) {
    for (int tries = 1;; ++tries) {
      const Result<engine::Admission> admission = admit();
      if (admission || admission.error().number != errors::kIdempotencyInFlight || tries == kAdmitTries)
        return admission.map(admission_document);
      TANDEM_TRY(pause(executor_, kAdmitPause, {}));
    }
  }

  engine::Engine& engine_;
  backend::BackendRegistry& backends_;
  submit::Submitter& submitter_;
  const Clock& clock_;
  Executor& executor_;
};

}  // namespace

Json backend_document(backend::Backend& backend, const Clock& clock) {
  const backend::BackendInfo& info = backend.info();
  Json out = {{"backend", info.id.value},
              {"name", info.name},
              {"version", info.version},
              {"tier", job::to_string(info.tier)},
              {"access", job::to_string(info.access)},
              {"emulated", info.emulated},
              {"metered", info.metered},
              {"takes_problems", info.takes_solve},
              {"takes_programs", info.takes_program},
              {"submit_safety", backend::to_string(info.safety)},
              {"conformance", info.conformance},
              {"best_for", info.best_for},
              {"qubits_max", info.qubits_max},
              {"shots_max", info.shots_max},
              {"variables_max", info.variables_max}};
  const backend::CallContext call{.deadline = Deadline::after(clock, kAskTime)};
  const auto availability = backend.availability(call);
  if (availability) {
    out["availability"] = {{"operational", availability->operational},
                           {"accepts_work", availability->accepts_work},
                           {"ready_in_ms", availability->ready_in_ms ? Json(*availability->ready_in_ms) : Json()},
                           {"queue_depth", availability->queue_depth ? Json(*availability->queue_depth) : Json()},
                           {"observed_at", format_rfc3339(availability->observed_at)},
                           {"detail", availability->detail}};
  } else {
    out["availability"] = {
        {"operational", false}, {"accepts_work", false}, {"detail", availability.error().to_string()}};
  }
  return out;
}

std::unique_ptr<Service> make_local_service(engine::Engine& engine, backend::BackendRegistry& backends,
                                            submit::Submitter& submitter, const Clock& clock, Executor& executor) {
  return std::make_unique<LocalService>(engine, backends, submitter, clock, executor);
}

}  // namespace tandem::service
