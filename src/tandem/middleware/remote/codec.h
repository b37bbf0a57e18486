// tandem/middleware/remote/codec.h - Codec: what an adapter is. Pure: values to requests, answers to values; no I/O, no clock.
//
// Room: middleware. So every fact about a provider's wire is a test without a socket. Not here: sending (remote_backend.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/http.h"
#include "tandem/middleware/backend/backend.h"
#include "tandem/middleware/remote/manifest.h"
#include "tandem/middleware/remote/price_list.h"
#include "tandem/middleware/remote/sightings.h"

namespace tandem::remote {

/// "true" on every answer of an emulator of this house, and of nothing else.
inline constexpr std::string_view kEmulatedHeader = "Tandem-Emulated";

/// What the provider says about its device now.
struct DeviceFacts {
  std::uint32_t qubits_max = 0;
  std::uint64_t shots_max = 0;
  job::Money price_per_job;  ///< 0 where prices are asked for work by work (Codec::encode_estimate)
  job::Money price_per_shot;
  std::string price_source;  ///< with its date
  std::string calibration_id;
  backend::Availability availability;  ///< observed_at is the caller's to fill
};

/// Whose a credential is, in the provider's own words.
struct KeyOwner {
  std::string key_id;
  std::string key_name;
  std::string project_id = {};  ///< empty: it names none
  friend bool operator==(const KeyOwner&, const KeyOwner&) = default;
};

struct Classified {
  Verdict verdict = Verdict::kGarbage;
  std::string detail;  ///< the provider's own words, for messages
  std::optional<std::chrono::milliseconds> retry_after;
};

/// Requests carry a path below the provider's base URL in `url`, and no credential.
/// Threads: immutable; every method is const and safe to call concurrently.
/// Errors of decode_*: 1405 backend_garbage - also when an answer is not about what was asked for;
///         1408 unknown_handle - the handle names work that does not bear our token.
class Codec {
 public:
  virtual ~Codec() = default;
  virtual const Manifest& manifest() const = 0;

  /// Whether the work can be said to the provider. `facts`: what is known of the device; nullptr: the manifest's limits.
  /// Errors: 1402 backend_cannot; 1113 too_many_qubits; those of Pub::check().
  virtual Result<void> validate(const backend::Work& work, const DeviceFacts* facts) const = 0;

  virtual HttpRequest encode_device() const = 0;
  /// Empty: the device has no calibration.
  virtual std::optional<HttpRequest> encode_calibration() const = 0;
  /// Empty: the device does not say what constrains circuits.
  virtual std::optional<HttpRequest> encode_target() const = 0;
  /// What the provider counts of work that validate() took; of one that encode_estimate() has a question for.
  virtual Billable billable(const backend::Work& work) const = 0;
  /// The question whose answer quote() needs; empty: the facts are enough.
  virtual std::optional<HttpRequest> encode_estimate(const backend::Work& work) const = 0;
  /// Empty: the provider does not tell whose a credential is.
  virtual std::optional<HttpRequest> encode_whose_key() const = 0;
  /// Same work and token, same bytes. Errors: 1402 backend_cannot - larger than the provider takes.
  virtual Result<HttpRequest> encode_submit(const backend::Work& work, std::string_view token) const = 0;
  virtual HttpRequest encode_poll(const backend::Handle& handle) const = 0;
  /// The question for the bill of work that has ended; empty: its status names it.
  virtual std::optional<HttpRequest> encode_bill(const backend::Handle& handle) const = 0;
  /// `status_body`: the status of the work, which decode_receipt() took. Errors: 1405 - it says no place of ours.
  virtual Result<HttpRequest> encode_fetch(const backend::Handle& handle, const Bytes& status_body) const = 0;
  virtual HttpRequest encode_cancel(const backend::Handle& handle) const = 0;
  /// `page`: what the page before said in `next`; empty: the first. Of a provider of class C: whatever is lost, the question is the same.
  virtual HttpRequest encode_lookup(const backend::LostWork& lost, std::string_view page) const = 0;

  /// Never fails: what it cannot make sense of is garbage. The body of a good result is not looked into.
  virtual Classified classify(const HttpResponse& response) const = 0;

  virtual Result<DeviceFacts> decode_device(const Bytes& body) const = 0;
  virtual Result<std::optional<device::Calibration>> decode_calibration(const Bytes& body) const = 0;
  virtual Result<std::optional<device::Target>> decode_target(const Bytes& body) const = 0;
  /// The answer to encode_whose_key().
  virtual Result<KeyOwner> decode_whose_key(const Bytes& body) const = 0;
  /// `estimate`: the answer to encode_estimate(); empty where nothing was asked.
  virtual Result<backend::Quote> quote(const backend::Work& work, const DeviceFacts& facts,
                                       const Bytes& estimate) const = 0;
  virtual Result<backend::Handle> decode_submit(const Bytes& body, std::string_view token) const = 0;
  /// An unknown status is no error: it counts as running, and `detail` names it.
  virtual Result<backend::PollStatus> decode_poll(const Bytes& body, const backend::WorkRef& work) const = 0;
  /// Empty: the provider has not made it out yet.
  virtual Result<std::optional<job::Money>> decode_bill(const Bytes& body) const = 0;
  virtual Result<LookupPage> decode_lookup(const Bytes& body, const backend::LostWork& lost) const = 0;
  /// Which calibration, bill and kind of bytes belong to a result, from the status of its work. An empty media type: what the
  /// answer with the bytes says of itself. Errors: 5004 result_not_ready.
  virtual Result<backend::RawResult> decode_receipt(const Bytes& status_body, const backend::WorkRef& work) const = 0;
  /// Whether a result names another submission than `work`. Bytes that cannot be read name none.
  virtual bool is_foreign_result(const Bytes& body, const backend::WorkRef& work) const = 0;
  virtual Result<backend::WorkResult> decode_result(const backend::RawResult& raw, const backend::Work& work) const = 0;
};

}  // namespace tandem::remote
