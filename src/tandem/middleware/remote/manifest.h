// tandem/middleware/remote/manifest.h - Manifest: what an adapter says about its provider, read from its adapter.yaml.
//
// Room: middleware. The facts stand in one file a human can check against the provider's documents; code reads them from
// there. Not here: what can be asked from the provider itself (Codec::decode_device).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/middleware/backend/backend.h"

namespace tandem::remote {

/// How one answer of a provider is to be understood (reference/vendors.md 14.3).
enum class Verdict : std::uint8_t {
  kOk,
  kUnauthenticated,
  kForbidden,  ///< no permission, no credit
  kInvalid,  ///< the request is wrong for ever
  kNotFound,
  kConflict,  ///< not in this state
  kThrottled,  ///< too many requests
  kUnavailable,  ///< the provider says that it cannot, for now
  kTransient,  ///< something on the way failed
  kGarbage,  ///< not what this provider answers
};
std::string_view to_string(Verdict verdict);  ///< "ok", "unauthenticated", ...
/// What was asked for, where the same answer means different things.
enum class Asked : std::uint8_t { kSubmission, kRead, kCancel };
backend::ErrorClass class_of(Verdict verdict, Asked asked);
/// A submission answered like this was surely not accepted. All else leaves doubt.
bool surely_not_accepted(Verdict verdict);

/// Of one backend of the provider.
struct Manifest {
  backend::BackendInfo info;  ///< limits as long as the provider was not asked
  std::vector<circuit::Gate>
      native_gates;  ///< what the machine does without rewriting; empty: the provider does not say
  std::string api_version;
  std::string authorization;  ///< scheme of the header Authorization, before the secret: "Bearer"
  std::string safety_note;  ///< why that class
  std::string conformance_note;  ///< what the level rests on
  std::string price_source;
  std::string price_note;
  std::size_t pubs_max = 0;  ///< of one submission
  std::uint64_t request_bytes_max = 0;
  std::uint64_t response_bytes_max = 0;
  std::map<std::string, backend::WorkState, std::less<>> states;  ///< the provider's words
  std::map<std::string, Verdict, std::less<>> failures;  ///< the provider's words for why work failed; may be empty
  std::map<int, Verdict> errors;  ///< HTTP status -> verdict; others: 5xx and 408 transient, else garbage

  /// One a backend, in the order of the file.
  /// Errors: those of the YAML reader and of ObjectReader; 1023 value_out_of_range - an unknown word, a status that is none, a verdict
  ///         that says nothing of failed work, or no backend.
  static Result<std::vector<Manifest>> parse(std::string_view yaml, std::string_view name);
  /// By the status alone.
  Verdict verdict_of(int status) const;
};

}  // namespace tandem::remote
