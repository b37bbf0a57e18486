#include <condition_variable>
#include <mutex>

#include "tandem/api/service/event_reader.h"
#include "tandem/api/service/service.h"
#include "tandem/base/pause.h"
#include "tandem/base/text.h"

namespace tandem::service {
namespace {

using identity::Permission;

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
  LocalService(LocalSeams seams, identity::PrincipalPtr who) : seams_(seams), who_(std::move(who)) {}

  Result<Json> submit(const job::JobSpec& spec, std::string_view idempotency_key) override {
    TANDEM_TRY(may_submit(spec));
    return admitted([&] { return seams_.engine.admit(spec, who_->tenant, idempotency_key, who_->actor()); });
  }
  void submit(std::shared_ptr<const job::JobSpec> spec, std::string_view idempotency_key,
              std::function<void(Result<Json>)> done) override {
    if (auto allowed = may_submit(*spec); !allowed) return done(tl::unexpected(std::move(allowed).error()));
    seams_.engine.admit(
        std::move(spec), who_->tenant, idempotency_key, who_->actor(),
        [done = std::move(done)](Result<engine::Admission> admission) { done(admission.map(admission_document)); });
  }
  Result<Json> plan(const job::JobSpec& spec) override {
    TANDEM_TRY(may_submit(spec));
    return seams_.engine.plan(spec, who_->tenant).map([](const job::Plan& plan) { return plan.document(); });
  }
  Result<Json> job(const JobId& id) override {
    return seen(id).map([](const engine::JobView& view) { return view.document(); });
  }
  Result<Json> jobs(const JobQuery& query) override {
    TANDEM_TRY(who_->require(Permission::kRead));
    JobQuery own = query;
    own.tenant = who_->tenant;
    own.projects = who_->projects;
    TANDEM_TRY_ASSIGN(const engine::JobPage page, seams_.engine.jobs(own));
    Json list = Json::array();
    for (const engine::JobView& view : page.jobs) list.push_back(view.document());
    return Json{{"jobs", std::move(list)},
                {"next_page_token", page.next_page_token},
                {"read_at", format_rfc3339(seams_.clock.now())}};
  }
  Result<Json> result(const JobId& id) override {
    TANDEM_TRY(seen(id));
    TANDEM_TRY_ASSIGN(const Bytes bytes, seams_.engine.result(id));
    return parse_json(bytes, "result of " + id.value, {.bytes_max = UINT64_MAX});
  }
  Result<Json> spec(const JobId& id) override {
    TANDEM_TRY(seen(id));
    return seams_.engine.spec_document(id);
  }
  Result<Json> plan_of(const JobId& id) override {
    TANDEM_TRY(seen(id));
    return seams_.engine.plan_document(id);
  }
  Result<Json> lineage(const JobId& id) override {
    TANDEM_TRY(seen(id));
    return seams_.engine.lineage(id).map([](const lineage::LineageRecord& record) { return record.document(); });
  }
  Result<Json> events(const JobId& id, std::uint64_t after, std::size_t limit) override {
    TANDEM_TRY(seen(id));
    TANDEM_TRY_ASSIGN(const std::vector<job::Event> events, seams_.engine.events(id, after, limit));
    Json list = Json::array();
    for (const job::Event& event : events) list.push_back(Json::parse(event.numbered()));
    return Json{{"events", std::move(list)}};
  }
  Result<Json> replay_package(const JobId& id) override {
    TANDEM_TRY(seen(id));
    return seams_.engine.replay_package(id).map(
        [](const lineage::ReplayPackage& package) { return package.document(); });
  }
  Result<Json> submissions(const JobId& id) override {
    TANDEM_TRY(seen(id));
    TANDEM_TRY_ASSIGN(const std::vector<submit::SubmissionRecord> records, seams_.submitter.submissions(id));
    Json list = Json::array();
    for (const submit::SubmissionRecord& record : records) list.push_back(record.document());
    return Json{{"submissions", std::move(list)}};
  }
  Result<void> cancel(const JobId& id, std::string_view reason) override {
    TANDEM_TRY(may_act_on(id));
    return seams_.engine.cancel(id, who_->actor(), reason);
  }
  Result<void> suspend(const JobId& id, std::string_view reason) override {
    TANDEM_TRY(may_act_on(id));
    return seams_.engine.suspend(id, who_->actor(), reason);
  }
  Result<void> resume(const JobId& id) override {
    TANDEM_TRY(may_act_on(id));
    return seams_.engine.resume(id, who_->actor());
  }
  Result<void> remove(const JobId& id, std::string_view reason) override {
    TANDEM_TRY(may_act_on(id));
    return seams_.engine.remove(id, who_->actor(), reason);
  }
  Result<Json> retry(const JobId& id, std::string_view idempotency_key) override {
    TANDEM_TRY(may_act_on(id));
    TANDEM_TRY(who_->require(Permission::kSubmit));
    return admitted([&] { return seams_.engine.retry(id, idempotency_key, who_->actor()); });
  }
  Result<void> review(const JobId& id, engine::Verdict verdict, std::string_view reason) override {
    TANDEM_TRY(seen(id));
    TANDEM_TRY(who_->require(Permission::kReview));
    return seams_.engine.review(id, verdict, who_->actor(), reason);
  }
  Result<Json> approvals(const ApprovalQuery& query) override {
    TANDEM_TRY(who_->require(Permission::kRead));
    if (query.job) TANDEM_TRY(seen(*query.job));
    ApprovalQuery own = query;
    own.tenant = who_->tenant;
    own.projects = who_->projects;
    TANDEM_TRY_ASSIGN(const engine::ApprovalPage page, seams_.engine.approvals(own));
    Json list = Json::array();
    for (const approval::Approval& one : page.approvals) list.push_back(one.document());
    return Json{{"approvals", std::move(list)}, {"next_page_token", page.next_page_token}};
  }
  Result<Json> approval(std::string_view id) override {
    TANDEM_TRY(who_->require(Permission::kRead));
    return asked(id).map([](const approval::Approval& one) { return one.document(); });
  }
  Result<Json> decide(std::string_view id, const approval::Word& word) override {
    TANDEM_TRY_ASSIGN(const approval::Approval before, asked(id));
    return seams_.engine.decide(before.id, *who_, word).map([](const approval::Approval& after) {
      return Json{{"approval_id", after.id.text()}, {"state", to_string(after.state)}};
    });
  }
  Result<Json> submissions(const SubmissionQuery& query) override {
    TANDEM_TRY(who_->require(Permission::kRead));
    if (query.job) TANDEM_TRY(seen(*query.job));
    SubmissionQuery own = query;
    own.tenant = who_->tenant;
    own.projects = who_->projects;
    TANDEM_TRY_ASSIGN(const submit::SubmissionPage page, seams_.engine.submissions(own));
    Json list = Json::array();
    for (const submit::SubmissionRecord& record : page.submissions) list.push_back(record.document());
    return Json{{"submissions", std::move(list)},
                {"next_page_token", page.next_page_token},
                {"read_at", format_rfc3339(seams_.clock.now())}};
  }
  Result<Json> submission(std::string_view token) override {
    return sent(token).map([](const submit::SubmissionRecord& record) { return record.document(); });
  }
  Result<Json> release(std::string_view token, std::string_view reason, job::Money billed) override {
    TANDEM_TRY(sent(token));
    TANDEM_TRY(who_->require(Permission::kOperate));
    const std::string actor = who_->actor();
    return seams_.engine.release(token, {.actor = actor, .reason = reason}, billed)
        .map([](const submit::SubmissionRecord& record) { return record.document(); });
  }
  Result<Json> adopt(std::string_view token, std::string_view handle, std::string_view reason) override {
    TANDEM_TRY(sent(token));
    TANDEM_TRY(who_->require(Permission::kOperate));
    const std::string actor = who_->actor();
    return seams_.engine.adopt(token, {.actor = actor, .reason = reason}, handle)
        .map([](const submit::SubmissionRecord& record) { return record.document(); });
  }
  Result<Json> backends() override {
    TANDEM_TRY(who_->require(Permission::kRead));
    Json list = Json::array();
    for (backend::Backend* backend : seams_.backends.all()) list.push_back(backend_document(*backend, seams_.clock));
    return Json{{"backends", std::move(list)}};
  }
  Result<Json> usage(const UsageQuery& query) override {
    TANDEM_TRY(who_->require(Permission::kRead));
    const budget::Span month = budget::span_of(budget::Period::kMonth, seams_.clock.now());
    const budget::UsageQuery range{.tenant = who_->tenant,
                                   .projects = who_->projects,
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
      TANDEM_TRY_ASSIGN(const budget::ChargePage page, seams_.engine.charges(range, query.limit, query.page_token));
      for (const budget::Charge& charge : page.charges) out["charges"].push_back(charge.document());
      out["next_page_token"] = page.next_page_token;
      return out;
    }
    TANDEM_TRY_ASSIGN(const auto groups, seams_.engine.usage(range, *query.by));
    for (const budget::UsageGroup& group : groups)
      out["groups"].push_back({{"name", group.name},
                               {"emulated", group.emulated},
                               {"cost_usd_micros", group.cost.usd_micros},
                               {"shots", group.use.shots},
                               {"qpu_us", group.use.qpu_us},
                               {"bytes", group.use.bytes},
                               {"submissions", group.submissions},
                               {"jobs", group.jobs}});
    return out;
  }
  Result<Json> budgets() override {
    TANDEM_TRY(who_->require(Permission::kRead));
    TANDEM_TRY_ASSIGN(const auto standings, seams_.engine.standings(who_->tenant));
    Json list = Json::array();
    // Where nobody has to say who he is, there is one tenant, and nothing to hide from it.
    const bool is_alone = *who_ == *identity::local_principal();
    for (const budget::Standing& standing : standings) {
      const budget::Scope& scope = standing.account.scope;
      const bool is_seen =
          who_->projects.empty() || (!scope.project.empty() && who_->sees(scope.tenant, scope.project));
      if (is_seen) list.push_back(standing.document(is_alone || !scope.is_shared()));
    }
    return Json{{"budgets", std::move(list)}};
  }
  Result<Json> follow(const JobId& id, const Watch& watch, Deadline deadline) override {
    TANDEM_TRY(seen(id));
    // What is published only says that there is something to read: it comes in no order.
    Bell bell;
    const auto subscription = seams_.engine.subscribe(
        id, [&](const job::Event&) { bell.ring(); },
        [&](const engine::Progress& progress) {
          if (watch.on_progress) watch.on_progress(progress);
        },
        [&] { bell.ring(); });
    EventReader reader(*this, id, watch);
    while (true) {
      // Asked before the log is read: the event that ends a job is in the log when its row says so.
      const auto ended = seams_.engine.wait(id, Deadline(Instant{0}));
      TANDEM_TRY(reader.read_on());
      if (ended) return ended->document();
      if (ended.error().number != errors::kResultNotReady || deadline.expired(seams_.clock))
        return tl::unexpected(ended.error());
      bell.wait_for(std::min<std::chrono::nanoseconds>(deadline.left(seams_.clock), std::chrono::hours(1)));
    }
  }

 private:
  /// A job that is there for who asks. Costs a read of its row.
  Result<engine::JobView> seen(const JobId& id) {
    TANDEM_TRY(who_->require(Permission::kRead));
    TANDEM_TRY_ASSIGN(engine::JobView view, seams_.engine.job(id));
    if (!who_->sees(view.tenant, view.project)) return tl::unexpected(engine::no_such_job(id));
    return view;
  }
  /// A request that is there for who asks. A ticket system may not read it, only answer.
  Result<approval::Approval> asked(std::string_view id) {
    TANDEM_TRY_ASSIGN(const approval::ApprovalId parsed, approval::ApprovalId::parse(id));
    TANDEM_TRY_ASSIGN(approval::Approval out, seams_.engine.approval(parsed));
    if (!who_->sees(out.tenant, out.project)) return tl::unexpected(approval::no_such_approval(id));
    return out;
  }
  /// A submission that is there for who asks: its job is.
  Result<submit::SubmissionRecord> sent(std::string_view token) {
    TANDEM_TRY(who_->require(Permission::kRead));
    TANDEM_TRY_ASSIGN(submit::SubmissionRecord out, seams_.engine.submission(token));
    if (who_->sees(out.tenant, "")) return out;  // every project of its tenant
    const auto job =
        out.tenant == who_->tenant ? seams_.engine.job(out.job) : tl::unexpected(engine::no_such_job(out.job));
    if (!job && job.error().number != errors::kJobNotFound) return tl::unexpected(job.error());
    if (!job || !who_->sees(job->tenant, job->project)) return tl::unexpected(submit::no_such_submission(token));
    return out;
  }
  Result<void> may_act_on(const JobId& id) {
    TANDEM_TRY_ASSIGN(const engine::JobView view, seen(id));
    if (view.submitted_by == who_->actor() && who_->may(Permission::kSubmit)) return {};
    return who_->require(Permission::kOperate);
  }
  Result<void> may_submit(const job::JobSpec& spec) const {
    TANDEM_TRY(who_->require(Permission::kSubmit));
    const std::string& project = spec.schedule.project;
    if (who_->sees(who_->tenant, project)) return {};
    return fail_at("/schedule/project", errors::kNotPermitted, "user {} may submit to the projects {}, and not to {}",
                   quote(who_->user), fmt::join(who_->projects, ", "), quote(project));
  }

  template <typename Admit>
  Result<Json> admitted(const Admit& admit) {
    for (int tries = 1;; ++tries) {
      const Result<engine::Admission> admission = admit();
      if (admission || admission.error().number != errors::kIdempotencyInFlight || tries == kAdmitTries)
        return admission.map(admission_document);
      TANDEM_TRY(pause(seams_.executor, kAdmitPause, {}));
    }
  }

  const LocalSeams seams_;
  const identity::PrincipalPtr who_;
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
              {"vendor", info.vendor},
              {"region", info.region},
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
  if (const auto target = backend.target(call); target && *target) out["target"] = (*target)->document();
  return out;
}

std::shared_ptr<Service> make_local_service(LocalSeams seams, identity::PrincipalPtr who) {
  return std::make_shared<LocalService>(seams, std::move(who));
}

}  // namespace tandem::service
