// tandem/api/http/testing/log_engine.h - an Engine that has nothing but logs of jobs, written by the test.
//
// Room: api, tests only.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/orchestrate/engine/engine.h"

namespace tandem::http {

/// One order of events over all jobs, from 1. Threads: one.
class LogEngine final : public engine::Engine {
 public:
  /// One more event of the job, with some bytes of data, and its listeners are told.
  void append(const JobId& id, std::size_t bytes = 10) { tell(write(id, "step.noted", bytes)); }
  void append_untold(const JobId& id) { write(id, "step.noted", 10); }
  void end(const JobId& id) {
    jobs_[id].state = job::JobState::kSucceeded;
    tell(write(id, "job.succeeded", 10));
  }
  void remove(const JobId& id) {
    jobs_.erase(id);
    tell({.sequence = ++last_, .job = id, .type = "job.removed", .at = {}, .actor = "test"});
  }
  void fail_reads(std::optional<Error> error) { failure_ = std::move(error); }

  std::uint64_t last() const { return last_; }
  std::size_t reads() const { return reads_; }
  std::size_t listeners() const { return listeners_->size(); }
  std::vector<std::uint64_t> sequences(const JobId& id, std::uint64_t after) const {
    std::vector<std::uint64_t> out;
    for (const job::Event& event : jobs_.at(id).log)
      if (event.sequence > after) out.push_back(event.sequence);
    return out;
  }

  Result<engine::JobView> job(const JobId& id) override {
    if (failure_) return tl::unexpected(*failure_);
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return fail(errors::kJobNotFound, "there is no job {}", id.value);
    engine::JobView out;
    out.id = id;
    out.state = found->second.state;
    return out;
  }
  Result<std::vector<job::Event>> events(const JobId& id, std::uint64_t after, std::size_t limit) override {
    ++reads_;
    TANDEM_TRY(job(id));
    std::vector<job::Event> out;
    for (const job::Event& event : jobs_[id].log)
      if (event.sequence > after && out.size() < limit) out.push_back(event);
    return out;
  }
  std::unique_ptr<Timer> subscribe(const JobId& id, std::function<void(const job::Event&)> on_event,
                                   std::function<void(const engine::Progress&)>, std::function<void()>) override {
    return std::make_unique<Subscription>(listeners_, listeners_->emplace(id, std::move(on_event)));
  }

  // Nobody who only follows logs asks for the rest.
  void admit(std::shared_ptr<const job::JobSpec>, std::string_view, std::string_view, std::string_view,
             Admitted) override {
    TANDEM_ASSERT(false);
  }
  Result<engine::Admission> admit(const job::JobSpec&, std::string_view, std::string_view, std::string_view) override {
    return unasked();
  }
  Result<job::Plan> plan(const job::JobSpec&, std::string_view) override { return unasked(); }
  Result<std::vector<budget::UsageGroup>> usage(const budget::UsageQuery&, budget::UsageBy) override {
    return unasked();
  }
  Result<budget::ChargePage> charges(const budget::UsageQuery&, std::size_t, std::string_view) override {
    return unasked();
  }
  Result<std::vector<budget::Standing>> standings(std::string_view) override { return unasked(); }
  Result<engine::JobPage> jobs(const engine::JobQuery&) override { return unasked(); }
  Result<Json> spec_document(const JobId&) override { return unasked(); }
  Result<Json> plan_document(const JobId&) override { return unasked(); }
  Result<engine::ApprovalPage> approvals(const engine::ApprovalQuery&) override { return unasked(); }
  Result<approval::Approval> approval(const approval::ApprovalId&) override { return unasked(); }
  Result<approval::Approval> decide(const approval::ApprovalId&, const identity::Principal&,
                                    const approval::Word&) override {
    return unasked();
  }
  Result<Bytes> result(const JobId&) override { return unasked(); }
  Result<lineage::LineageRecord> lineage(const JobId&) override { return unasked(); }
  Result<lineage::ReplayPackage> replay_package(const JobId&) override { return unasked(); }
  Result<void> cancel(const JobId&, std::string_view, std::string_view) override { return unasked(); }
  Result<void> suspend(const JobId&, std::string_view, std::string_view) override { return unasked(); }
  Result<void> resume(const JobId&, std::string_view) override { return unasked(); }
  Result<engine::Admission> retry(const JobId&, std::string_view, std::string_view) override { return unasked(); }
  Result<void> review(const JobId&, engine::Verdict, std::string_view, std::string_view) override { return unasked(); }
  Result<submit::SubmissionPage> submissions(const engine::SubmissionQuery&) override { return unasked(); }
  Result<submit::SubmissionRecord> submission(std::string_view) override { return unasked(); }
  Result<submit::SubmissionRecord> release(std::string_view, const submit::PersonsWord&, job::Money) override {
    return unasked();
  }
  Result<submit::SubmissionRecord> adopt(std::string_view, const submit::PersonsWord&, std::string_view) override {
    return unasked();
  }
  Result<void> remove(const JobId&, std::string_view, std::string_view) override { return unasked(); }
  Result<std::size_t> attend(const JobId&) override { return unasked(); }
  std::unique_ptr<Timer> subscribe(std::function<void(const job::Event&)>, std::function<void(const engine::Progress&)>,
                                   std::function<void()>) override {
    TANDEM_ASSERT(false);
    return nullptr;
  }
  Result<engine::JobView> wait(const JobId&, Deadline) override { return unasked(); }
  Result<void> ready() override { return unasked(); }
  std::size_t drain(Deadline, Deadline) override {
    TANDEM_ASSERT(false);
    return 0;
  }

 private:
  struct Job {
    job::JobState state = job::JobState::kRunning;
    std::vector<job::Event> log;
  };
  using Listeners = std::multimap<JobId, std::function<void(const job::Event&)>>;
  class Subscription final : public Timer {
   public:
    Subscription(std::shared_ptr<Listeners> listeners, Listeners::iterator mine)
        : listeners_(std::move(listeners)), mine_(mine) {}
    ~Subscription() override { cancel(); }
    void cancel() override {
      if (listeners_ != nullptr) listeners_->erase(mine_);
      listeners_.reset();
    }

   private:
    std::shared_ptr<Listeners> listeners_;
    Listeners::iterator mine_;
  };

  static tl::unexpected<Error> unasked() {
    TANDEM_ASSERT(false);
    return fail(errors::kInternal, "a log engine has logs only");
  }
  const job::Event& write(const JobId& id, std::string type, std::size_t bytes) {
    job::Event event{.sequence = ++last_, .job = id, .type = std::move(type), .at = {}, .actor = "test"};
    event.data = JsonText(Json{{"text", std::string(bytes, 'x')}});
    return jobs_[id].log.emplace_back(std::move(event));
  }
  void tell(const job::Event& event) {
    const auto [begin, end] = listeners_->equal_range(event.job);
    for (auto listener = begin; listener != end; ++listener) listener->second(event);
  }

  std::map<JobId, Job> jobs_;
  std::uint64_t last_ = 0;
  std::size_t reads_ = 0;
  std::optional<Error> failure_;
  std::shared_ptr<Listeners> listeners_ = std::make_shared<Listeners>();
};

}  // namespace tandem::http
