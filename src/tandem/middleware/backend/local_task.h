// tandem/middleware/backend/local_task.h - what all backends that run here share: handles, cancelling, raw results.
//
// Room: middleware. Local work runs on the thread that polls it first: nothing waits in a queue for a thread that waits itself.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "tandem/middleware/backend/backend.h"

namespace tandem::backend {

class LocalBackend : public Backend {
 public:
  LocalBackend(BackendInfo info, const Clock& clock) : info_(std::move(info)), clock_(clock) {}

  const BackendInfo& info() const override { return info_; }
  Result<Quote> quote(const Work& work, const CallContext& context) override;
  tl::expected<Handle, SubmitFailure> submit(const Work& work, std::string_view token,
                                             const CallContext& context) override;
  Result<PollStatus> poll(const WorkRef& work, const CallContext& context) override;
  Result<RawResult> fetch(const WorkRef& work, const CallContext& context) override;
  Result<void> cancel(const WorkRef& work, const CallContext& context) override;
  Result<Reconciled> reconcile(const LostWork& lost, const CallContext& context) override;
  Result<Availability> availability(const CallContext& context) override;
  Result<std::optional<device::Calibration>> calibration(const CallContext& context) override;
  Result<std::optional<device::Target>> target(const CallContext& context) override;
  void forget(const Handle& handle) override;

 protected:
  /// Does the work; `stop` covers the caller's stop, cancel() and nothing else. Never called twice for one handle.
  virtual Result<Bytes> compute(const Work& work, const CallContext& context, std::stop_token stop) = 0;

 private:
  struct Task {
    std::mutex running;  ///< held while computing, so that a second poller waits for the first
    Work work;
    std::string token;
    std::stop_source stop;
    std::optional<Result<Bytes>> answer;
  };
  Result<std::shared_ptr<Task>> find(const WorkRef& work);  ///< 1408 unknown_handle

  BackendInfo info_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<Handle, std::shared_ptr<Task>> tasks_;
  std::uint64_t next_ = 1;
};

}  // namespace tandem::backend
