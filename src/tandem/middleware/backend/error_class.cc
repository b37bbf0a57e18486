#include "tandem/middleware/backend/error_class.h"

#include <algorithm>
#include <array>

#include "tandem/base/error_numbers.h"

namespace tandem::backend {
namespace {

using enum ErrorClass;

constexpr std::array<std::string_view, kNumErrorClasses> kNames = {
    "ok",      "accepted",           "not_yet",   "auth_expired", "forbidden_or_quota",
    "invalid", "device_unavailable", "throttled", "transient",    "not_cancellable"};

struct Entry {
  ErrorNumber number;
  ErrorClass error_class;
};
constexpr Entry kClasses[] = {
    {errors::kCredentialRefused, kAuthExpired},
    {errors::kBackendForbidden, kForbiddenOrQuota},
    {errors::kBackendThrottled, kThrottled},
    {errors::kBackendUnavailable, kDeviceUnavailable},
    {errors::kCalibrationStale, kDeviceUnavailable},
    {errors::kCircuitOpen, kDeviceUnavailable},
    {errors::kTlsFailed, kDeviceUnavailable},
    {errors::kPeerUnreachable, kTransient},
    {errors::kPeerTimeout, kTransient},
    {errors::kConnectionLost, kTransient},
    {errors::kBackendGarbage, kTransient},
    {errors::kTooManyOpenFiles, kTransient},
    {errors::kResultNotReady, kNotYet},
    {errors::kUnknownHandle, kNotYet},
    {errors::kBudgetExceeded, kForbiddenOrQuota},
    {errors::kPriceNotApproved, kForbiddenOrQuota},
    {errors::kLimitExceeded, kForbiddenOrQuota},
    {errors::kBackendBusy, kForbiddenOrQuota},
    {errors::kAccountsContended, kTransient},
    {errors::kCredentialMissing, kForbiddenOrQuota},
    {errors::kCredentialUnsafe, kForbiddenOrQuota},
    {errors::kEgressRefused, kForbiddenOrQuota},
    {errors::kLibraryMissing, kForbiddenOrQuota},
};

}  // namespace

std::string_view to_string(ErrorClass error_class) { return kNames[static_cast<std::size_t>(error_class)]; }

std::optional<ErrorClass> find_error_class(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<ErrorClass>(found - kNames.begin());
}

ErrorClass class_of(const Error& error) {
  const auto found = std::find_if(std::begin(kClasses), std::end(kClasses),
                                  [&](const Entry& entry) { return entry.number == error.number; });
  return found == std::end(kClasses) ? kInvalid : found->error_class;
}

bool may_pass(ErrorClass error_class) {
  return error_class == kThrottled || error_class == kTransient || error_class == kDeviceUnavailable;
}

}  // namespace tandem::backend
