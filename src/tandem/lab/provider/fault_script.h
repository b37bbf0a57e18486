// tandem/lab/provider/fault_script.h - FaultScript: what goes wrong at an emulated provider, and when. Faults are data.
//
// Room: lab. Format: docs/guide/lab_device.md. Not here: carrying faults out (fault_stage.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tandem/base/result.h"

namespace tandem::lab {

/// The request that a fault waits for.
enum class Operation : std::uint8_t {
  kSubmit,
  kStatus,
  kResult,
  kCancel,
  kLookup,
  kDevice,
  kCalibration,
  kEstimate,
  kBill
};
inline constexpr std::size_t kNumOperations = static_cast<std::size_t>(Operation::kBill) + 1;
std::string_view to_string(Operation operation);  ///< "submit", ...

enum class FaultAction : std::uint8_t {
  kRefuse,  ///< submit: 409 with a reason; nothing accepted
  kThrottle,  ///< 429 with Retry-After, before anything is done
  kThrottleSilently,  ///< 429 that does not say when, before anything is done
  kDelay,  ///< does it after `delay`
  kError,  ///< answers `status` (5xx) before anything is done
  kErrorAfter,  ///< does it, then answers `status`
  kDropRequest,  ///< closes the connection before anything is done
  kDropReply,  ///< does it, then closes the connection without a reply
  kAcceptLate,  ///< submit: closes the connection at once, accepts after `delay`
  kErrorHtml,  ///< answers `status` with a page of HTML before anything is done, as a proxy would
  kGarbageHtml,  ///< does it, then answers 200 with a page of HTML
  kGarbageTruncated,  ///< does it, then answers with the first half of the JSON
  kSlowBody,  ///< does it, then sends the answer in pieces over `delay`
  kResultMissing,  ///< result: 404 although the job succeeded
  kPartialResult,  ///< result: half of the shots of every outcome, rounded down, are missing
  kCancelRace,  ///< cancel: the job ends in the same moment: 409
  kUnknownStatus,  ///< status: a status that no document mentions
  kTwice,  ///< does it twice, as if a proxy had repeated the request, and answers with the second answer
  kCheapEstimate,  ///< estimate: names half of what the work will cost
};
inline constexpr std::size_t kNumFaultActions = static_cast<std::size_t>(FaultAction::kCheapEstimate) + 1;
std::string_view to_string(FaultAction action);  ///< "refuse", ...

/// One rule. A request is counted per operation, from 1; the first rule that matches it decides.
struct Fault {
  Operation operation = Operation::kSubmit;
  std::uint64_t from = 1;  ///< first request it applies to
  std::uint64_t count = 1;  ///< how many of them; 0: all later ones
  double probability = 1;  ///< drawn for each request from the device's seed
  FaultAction action = FaultAction::kDelay;
  std::chrono::milliseconds delay{0};
  int status = 503;
  friend bool operator==(const Fault&, const Fault&) = default;
};

/// Threads: a plain value.
struct FaultScript {
  static constexpr std::size_t kFaultsMax = 1000;
  std::vector<Fault> faults;
  std::chrono::milliseconds clock_offset{0};  ///< the provider's clock is ahead of ours by this

  /// Reads JSON or YAML: {"faults": [{"on": "submit", "action": "drop_reply", "nth": 3}, ...], "clock_offset_ms": -60000}.
  /// Errors: those of the readers; 1020..1023 with places - an unknown key, operation or action, an action that does not fit
  ///         the operation, `nth` together with `from`, a status that is not 5xx.
  static Result<FaultScript> parse(std::string_view text, std::string_view name);
  /// The rule for request number `number` of `operation`; nullptr: none. `seed` decides where probabilities are given.
  const Fault* find(Operation operation, std::uint64_t number, std::uint64_t seed) const;
  /// Whether an emulator that has `operations` can play all of it. Errors: 1023 - a fault of an operation that it does not have.
  Result<void> check_operations(std::span<const Operation> operations) const;
  friend bool operator==(const FaultScript&, const FaultScript&) = default;
};

}  // namespace tandem::lab
