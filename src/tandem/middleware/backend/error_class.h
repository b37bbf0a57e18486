// tandem/middleware/backend/error_class.h - ErrorClass: what an answer of a backend means for whoever asked.
//
// Room: middleware. The breaker and the retry policy go by it. Not here: which answer of a provider is which (the codecs and
// middleware/remote), what causes a fallback (model/job/fallback.h).
// Source: reference/vendors.md 14.3.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tandem/base/error.h"

namespace tandem::backend {

enum class ErrorClass : std::uint8_t {
  kOk,
  kAccepted,  ///< of a submission: the provider has the work
  kNotYet,  ///< there is no result so far
  kAuthExpired,  ///< the credential is not valid any more
  kForbiddenOrQuota,  ///< no permission, no credit, or a limit that waiting does not lift
  kInvalid,  ///< the same will be refused for ever; also every error that names no other class
  kDeviceUnavailable,  ///< the device, or the way to it, is down
  kThrottled,  ///< too many requests for now
  kTransient,  ///< something on the way failed
  kNotCancellable,  ///< too late to cancel
};
inline constexpr std::size_t kNumErrorClasses = static_cast<std::size_t>(ErrorClass::kNotCancellable) + 1;
std::string_view to_string(ErrorClass error_class);  ///< "ok", "accepted", "not_yet", ...
std::optional<ErrorClass> find_error_class(std::string_view name);

/// By the number of the error alone.
ErrorClass class_of(const Error& error);

/// Throttled, transient or device_unavailable: it says nothing of the work and may pass. The breaker counts exactly these, and
/// the retry policy repeats exactly these.
bool may_pass(ErrorClass error_class);

}  // namespace tandem::backend
