// tandem/orchestrate/submit/testing/submit_fixture.h - a store, a provider and submitters around them, on a clock that skips.
//
// Room: orchestrate, tests only.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tandem/base/hash.h"
#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/base/testing/skipping_executor.h"
#include "tandem/model/job/job_event.h"
#include "tandem/orchestrate/submit/reconcile.h"
#include "tandem/orchestrate/submit/submit.h"
#include "tandem/orchestrate/submit/testing/fake_provider.h"
#include "tandem/store/memory/memory_store.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::submit {

class SubmitFixture : public testing::Test {
 protected:
  explicit SubmitFixture(backend::SubmitSafety safety = backend::SubmitSafety::kB) {
    auto provider = std::make_unique<FakeProvider>(clock_, safety);
    provider_ = provider.get();
    backends_.add(std::move(provider));
    circuit::Pub pub{.circuit = circuit::Circuit::create(1, 1).value(), .shots = 10};
    pub.circuit.measure_all();
    work_ = backend::ProgramWork{.pubs = {pub}};
    admit(job_, job::Money{10'000});
  }

  void admit(const JobId& job, job::Money limit) {
    store::Batch batch;
    budget::hold(batch, job, {.tenant = "tenant"}, limit);
    ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  }
  void end_job(const JobId& job) {
    store::Batch batch;
    ASSERT_THAT(budget::Budget(store_).release(batch, job), Succeeds());
    ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  }

  SubmissionRequest request(Deadline deadline = Deadline::never()) {
    return {.tenant = "tenant",
            .job = job_,
            .step = "refine",
            .fence = 1,
            .backend = *provider_,
            .work = work_,
            .deadline = deadline};
  }
  SubmissionRequest request_within(std::chrono::milliseconds time) { return request(Deadline::after(clock_, time)); }
  Result<SubmissionOutcome> run(const SubmissionRequest& request) { return submitter_.run(request, {}); }
  std::string token() const { return attempt_token("tenant", job_.value, "refine", 0); }

  /// The record as stored.
  SubmissionRecord record() {
    const auto all = submitter_.submissions(job_);
    EXPECT_EQ(all.value().size(), 1u);
    return all->empty() ? SubmissionRecord{} : all->front();
  }
  SubmissionState state() { return record().state; }
  budget::Hold hold() { return budget::Budget(store_).load(job_).value(); }
  Result<SweepReport> sweep() { return Reconciler(submitter_, backends_).sweep({}); }

  std::vector<job::Event> events() {
    std::vector<job::Event> out;
    const auto log = store_.read_log(0, 1000, job_.value);
    for (const store::LogEntry& entry : log.value()) {
      out.push_back(job::Event::parse(entry.value, entry.sequence).value());
    }
    return out;
  }
  std::vector<std::string> event_types() {
    std::vector<std::string> out;
    for (const job::Event& event : events()) out.push_back(event.type);
    return out;
  }

  FakeClock clock_;
  SkippingExecutor skipping_{clock_};
  ThreadExecutor store_threads_{1};
  memory::MemoryStore store_{store_threads_};
  RecordingLog log_;
  NullMeter meter_;
  CrashPoints crash_points_;
  FakeProvider* provider_ = nullptr;
  backend::BackendRegistry backends_;
  backend::Work work_;
  const JobId job_{"job_01900000-0000-7000-8000-000000000001"};
  SubmitServices services_{.store = store_,
                           .executor = skipping_,
                           .clock = clock_,
                           .log = log_,
                           .meter = meter_,
                           .crash_points = crash_points_};
  SubmitOptions options_{.settle_window = std::chrono::milliseconds(2000),
                         .lookup_interval = std::chrono::milliseconds(50)};
  Submitter submitter_{services_, options_};
};

}  // namespace tandem::submit
