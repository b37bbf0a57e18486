// tandem/lab/provider/testing/rig.h - the whole way of a submission: ledger, adapter, transport, real sockets, provider with its book.
//
// Room: lab, tests only.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tandem/base/pause.h"
#include "tandem/base/testing/memory_credentials.h"
#include "tandem/base/testing/seeded_rng.h"
#include "tandem/lab/provider/testing/audit.h"
#include "tandem/lab/provider/testing/doubts.h"
#include "tandem/lab/provider/testing/provider_bench.h"
#include "tandem/middleware/remote/remote_backend.h"
#include "tandem/net/client/curl_http.h"
#include "tandem/orchestrate/submit/reconcile.h"
#include "tandem/orchestrate/submit/submit.h"

namespace tandem::lab {

inline constexpr std::chrono::milliseconds kSettleWindow{60};
inline constexpr job::Money kJobLimit{2'000'000};  // a submission of one of the rigs costs half of it at most

inline JobId job_number(std::size_t number) { return JobId(fmt::format("job_01900000-0000-7000-8000-{:012}", number)); }

inline void admit(store::Store& store, const JobId& job, job::Money limit = kJobLimit) {
  store::Batch batch;
  budget::hold(batch, job, {.tenant = "tenant"}, limit);
  ASSERT_TRUE(store.commit_and_wait(std::move(batch)).has_value());
}

/// Real sockets to one provider.
class OurWire {
 public:
  explicit OurWire(const std::string& origin)
      : http_(client::CurlHttp::create({.allow = {origin}}, clock_, executor_).value()) {}
  Http& http() { return *http_; }

 private:
  SystemClock clock_;
  ThreadExecutor executor_{1};
  std::unique_ptr<client::CurlHttp> http_;
};

/// What one process of ours holds: a backend for the provider, a ledger on a store, a reconciler.
class OurProcess {
 public:
  OurProcess(store::Store& store, Http& http, const ProviderAccess& access, CrashPoints crash_points = CrashPoints())
      : credentials_{{"key", access.api_key}},
        crash_points_(std::move(crash_points)),
        submitter_({store, executor_, clock_, log_, meter_, crash_points_},
                   {.settle_window = kSettleWindow, .lookup_interval = std::chrono::milliseconds(3)}),
        reconciler_(submitter_, backends_) {
    auto remote = remote::make_remote_backend(access.make_codec(), {http, credentials_, clock_, executor_, rng_, log_},
                                              {.base_url = access.url,
                                               .credential = access.api_key.empty() ? "" : "key",
                                               .request_timeout = std::chrono::milliseconds(150),
                                               .poll_interval = std::chrono::milliseconds(2),
                                               .backoff_base = std::chrono::milliseconds(1),
                                               .backoff_cap = std::chrono::milliseconds(10)});
    auto backend = std::make_unique<WatchedBackend>(std::move(remote), doubts_, clock_);
    backend_ = backend.get();
    backends_.add(std::move(backend));
    submitter_.publish_to([this](const job::Event& event) { doubts_.see(event); });
  }

  Result<submit::SubmissionOutcome> run(std::size_t job, std::chrono::milliseconds time, std::uint64_t fence = 1,
                                        std::uint32_t attempt = 0) {
    return submitter_.run({.tenant = "tenant",
                           .job = job_number(job),
                           .step = "refine",
                           .attempt = attempt,
                           .fence = fence,
                           .backend = *backend_,
                           .work = work_,
                           .deadline = Deadline::after(clock_, time)},
                          {});
  }
  Result<submit::SweepReport> sweep() { return reconciler_.sweep({}); }
  submit::Submitter& submitter() { return submitter_; }
  backend::Backend& backend() { return *backend_; }
  const backend::Work& work() const { return work_; }
  Executor& executor() { return executor_; }
  const Doubts& doubts() const { return doubts_; }

 private:
  SystemClock clock_;
  ThreadExecutor executor_{1};
  NullLog log_;
  NullMeter meter_;
  MemoryCredentials credentials_;
  SeededRng rng_{1};
  CrashPoints crash_points_;
  Doubts doubts_{kSettleWindow};
  backend::BackendRegistry backends_;
  backend::Backend* backend_ = nullptr;
  backend::Work work_ = backend::ProgramWork{.pubs = {x_on_qubit_0(50)}};
  submit::Submitter submitter_;
  submit::Reconciler reconciler_;
};

/// Sweeps until ledger and book agree, but not before `quiet` has passed, in which late work may still appear.
inline Audit come_to_rest(OurProcess& process, ProviderBench& provider, store::Store& store,
                          const std::vector<JobId>& jobs, std::chrono::milliseconds quiet,
                          BillsComeOut bills_come_out = BillsComeOut::kAlways) {
  SystemClock clock;
  EXPECT_TRUE(pause(process.executor(), quiet, {}).has_value());
  const Deadline patience = Deadline::after(clock, std::chrono::seconds(20));
  while (true) {
    const auto swept = process.sweep();
    EXPECT_TRUE(swept.has_value()) << swept.error().to_string();
    Audit audited = audit(provider.book(), store, process.submitter(), jobs, bills_come_out);
    if (audited.violations.empty() || patience.expired(clock)) return audited;
    EXPECT_TRUE(pause(process.executor(), std::chrono::milliseconds(5), {}).has_value());
  }
}

}  // namespace tandem::lab
