// tandem/lab/device/testing/rig.h - the whole way of a submission: ledger, transport, real sockets, device with its book.
//
// Room: lab, tests only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tandem/base/pause.h"
#include "tandem/lab/device/testing/audit.h"
#include "tandem/lab/device/testing/bench.h"
#include "tandem/orchestrate/submit/reconcile.h"
#include "tandem/orchestrate/submit/submit.h"

namespace tandem::lab {

inline constexpr std::chrono::milliseconds kSettleWindow{60};

inline JobId job_number(std::size_t number) { return JobId(fmt::format("job_01900000-0000-7000-8000-{:012}", number)); }

inline void admit(store::Store& store, const JobId& job) {
  store::Batch batch;
  budget::hold(batch, job, {.tenant = "tenant"}, job::Money{1'000'000});
  ASSERT_TRUE(store.commit_and_wait(std::move(batch)).has_value());
}

/// What one process of ours holds: a backend for the device, a ledger on a store, a reconciler.
class OurProcess {
 public:
  OurProcess(store::Store& store, Http& http, const std::string& url, CrashPoints crash_points = CrashPoints())
      : crash_points_(std::move(crash_points)),
        submitter_({store, executor_, clock_, log_, meter_, crash_points_},
                   {.settle_window = kSettleWindow, .lookup_interval = std::chrono::milliseconds(3)}),
        reconciler_(submitter_, backends_) {
    auto backend =
        remote::make_remote_backend(labdevice::make_codec(), {http, credentials_, clock_, executor_, rng_, log_},
                                    {.base_url = url,
                                     .request_timeout = std::chrono::milliseconds(150),
                                     .poll_interval = std::chrono::milliseconds(2),
                                     .backoff_base = std::chrono::milliseconds(1),
                                     .backoff_cap = std::chrono::milliseconds(10)});
    backend_ = backend.get();
    backends_.add(std::move(backend));
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

 private:
  SystemClock clock_;
  ThreadExecutor executor_{1};
  NullLog log_;
  NullMeter meter_;
  MemoryCredentials credentials_;
  SeededRng rng_{1};
  CrashPoints crash_points_;
  backend::BackendRegistry backends_;
  backend::Backend* backend_ = nullptr;
  backend::Work work_ = backend::ProgramWork{.pubs = {x_on_qubit_0(50)}};
  submit::Submitter submitter_;
  submit::Reconciler reconciler_;
};

/// Sweeps until ledger and book agree, but not before `quiet` has passed, in which late work may still appear.
inline Audit come_to_rest(OurProcess& process, DeviceBench& device, store::Store& store, const std::vector<JobId>& jobs,
                          std::chrono::milliseconds quiet) {
  SystemClock clock;
  EXPECT_TRUE(pause(process.executor(), quiet, {}).has_value());
  const Deadline patience = Deadline::after(clock, std::chrono::seconds(20));
  while (true) {
    const auto swept = process.sweep();
    EXPECT_TRUE(swept.has_value()) << swept.error().to_string();
    Audit audited = audit(device.book(), store, process.submitter(), jobs);
    if (audited.violations.empty() || patience.expired(clock)) return audited;
    EXPECT_TRUE(pause(process.executor(), std::chrono::milliseconds(5), {}).has_value());
  }
}

}  // namespace tandem::lab
