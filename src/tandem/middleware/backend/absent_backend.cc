#include "tandem/middleware/backend/local_backend.h"
#include "tandem/middleware/backend/local_task.h"

namespace tandem::backend {
namespace {

/// Known, but not here.
class AbsentBackend final : public LocalBackend {
 public:
  AbsentBackend(BackendInfo info, std::string reason, const Clock& clock)
      : LocalBackend(std::move(info), clock), reason_(std::move(reason)), clock_(clock) {}
  Result<void> validate(const Work& /*work*/) const override {
    return fail(errors::kBackendUnavailable, "{} is not here: {}", info().id.value, reason_);
  }
  Result<WorkResult> decode(const RawResult& /*raw*/, const Work& work) const override {
    TANDEM_TRY(validate(work));
    return fail(errors::kBackendUnavailable, "{} is not here: {}", info().id.value, reason_);
  }
  Result<Availability> availability(const CallContext& /*context*/) override {
    return Availability{.operational = false, .accepts_work = false, .observed_at = clock_.now(), .detail = reason_};
  }

 private:
  Result<Bytes> compute(const Work& work, const CallContext& /*context*/, std::stop_token /*stop*/) override {
    TANDEM_TRY(validate(work));
    return Bytes();
  }
  std::string reason_;
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<Backend> make_absent_backend(BackendInfo info, std::string reason, const Clock& clock) {
  return std::make_unique<AbsentBackend>(std::move(info), std::move(reason), clock);
}

}  // namespace tandem::backend
