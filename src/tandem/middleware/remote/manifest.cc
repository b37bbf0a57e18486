#include "tandem/middleware/remote/manifest.h"

#include <algorithm>
#include <array>

#include "tandem/base/json.h"
#include "tandem/base/text.h"
#include "tandem/base/yaml.h"

namespace tandem::remote {
namespace {

using backend::SubmitSafety;
using backend::WorkState;

constexpr std::array<std::string_view, 10> kVerdictNames = {"ok",        "unauthenticated", "forbidden", "invalid",
                                                            "not_found", "conflict",        "throttled", "unavailable",
                                                            "transient", "garbage"};
constexpr std::array<std::string_view, 5> kStateNames = {"queued", "running", "succeeded", "failed", "cancelled"};
constexpr std::array<std::string_view, 5> kSafetyNames = {"local", "A", "B", "C", "D"};

template <typename Enum, std::size_t N>
Result<Enum> read_word(const ObjectReader& reader, std::string_view key, const std::array<std::string_view, N>& words) {
  TANDEM_TRY_ASSIGN(const std::string text, reader.string(key));
  const auto found = std::find(words.begin(), words.end(), text);
  if (found != words.end()) return static_cast<Enum>(found - words.begin());
  return fail_at(reader.at(key), errors::kValueOutOfRange, "'{}' is not one of {}", text, fmt::join(words, ", "));
}

Result<void> read_limits(const ObjectReader& reader, Manifest& out) {
  TANDEM_TRY_ASSIGN(const ObjectReader limits, reader.object("limits"));
  TANDEM_TRY(limits.allow_only({"shots_max", "pubs_max", "request_bytes_max", "response_bytes_max"}));
  TANDEM_TRY_ASSIGN(const std::int64_t shots, limits.integer("shots_max", 1, INT64_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t pubs, limits.integer("pubs_max", 1, INT32_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t request, limits.integer("request_bytes_max", 1, INT64_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t response, limits.integer("response_bytes_max", 1, INT64_MAX));
  out.info.shots_max = static_cast<std::uint64_t>(shots);
  out.pubs_max = static_cast<std::size_t>(pubs);
  out.request_bytes_max = static_cast<std::uint64_t>(request);
  out.response_bytes_max = static_cast<std::uint64_t>(response);
  return {};
}

Result<void> read_notes(const ObjectReader& reader, Manifest& out) {
  TANDEM_TRY_ASSIGN(const ObjectReader safety, reader.object("safety"));
  TANDEM_TRY(safety.allow_only({"class", "note"}));
  TANDEM_TRY_ASSIGN(out.info.safety, read_word<SubmitSafety>(safety, "class", kSafetyNames));
  TANDEM_TRY_ASSIGN(out.safety_note, safety.string("note"));
  TANDEM_TRY_ASSIGN(const ObjectReader conformance, reader.object("conformance"));
  TANDEM_TRY(conformance.allow_only({"level", "note"}));
  TANDEM_TRY_ASSIGN(out.info.conformance, conformance.string("level"));
  TANDEM_TRY_ASSIGN(out.conformance_note, conformance.string("note"));
  TANDEM_TRY_ASSIGN(const ObjectReader price, reader.object("price"));
  TANDEM_TRY(price.allow_only({"source", "note"}));
  TANDEM_TRY_ASSIGN(out.price_source, price.string("source"));
  TANDEM_TRY_ASSIGN(out.price_note, price.string("note"));
  return {};
}

Result<void> read_words(const ObjectReader& reader, Manifest& out) {
  TANDEM_TRY_ASSIGN(const ObjectReader states, reader.object("states"));
  for (const auto& [word, meaning] : reader.find("states")->items()) {
    TANDEM_TRY_ASSIGN(out.states[word], read_word<WorkState>(states, word, kStateNames));
  }
  TANDEM_TRY_ASSIGN(const ObjectReader errors, reader.object("errors"));
  for (const auto& [word, meaning] : reader.find("errors")->items()) {
    const auto status = parse_int64(word);
    if (!status || *status < 300 || *status > 599) {
      return fail_at(errors.at(word), errors::kValueOutOfRange, "'{}' is no HTTP status of an error (300 to 599)",
                     word);
    }
    TANDEM_TRY_ASSIGN(out.errors[static_cast<int>(*status)], read_word<Verdict>(errors, word, kVerdictNames));
  }
  return {};
}

/// Why work failed that had been taken: other verdicts are about requests.
bool is_of_work(Verdict verdict) {
  return verdict == Verdict::kForbidden || verdict == Verdict::kInvalid || verdict == Verdict::kUnavailable ||
         verdict == Verdict::kTransient;
}

Result<void> read_failures(const ObjectReader& reader, Manifest& out) {
  if (!reader.has("failures")) return {};
  TANDEM_TRY_ASSIGN(const ObjectReader failures, reader.object("failures"));
  for (const auto& [word, meaning] : reader.find("failures")->items()) {
    TANDEM_TRY_ASSIGN(const Verdict verdict, read_word<Verdict>(failures, word, kVerdictNames));
    if (!is_of_work(verdict)) {
      return fail_at(failures.at(word), errors::kValueOutOfRange,
                     "'{}' is no reason why work failed: forbidden, invalid, unavailable or transient is",
                     to_string(verdict));
    }
    out.failures[word] = verdict;
  }
  return {};
}

Result<void> read_native_gates(const ObjectReader& reader, std::vector<circuit::Gate>& out) {
  TANDEM_TRY_ASSIGN(const std::vector<std::string> names, reader.strings_or_empty("native_gates"));
  for (const std::string& name : names) {
    const auto gate = circuit::find_gate(name);
    if (!gate) return fail_at(reader.at("native_gates"), errors::kUnknownGate, "unknown gate {}", quote(name));
    out.push_back(*gate);
  }
  return {};
}

Result<void> read_backend(const ObjectReader& reader, backend::BackendInfo& out) {
  TANDEM_TRY(reader.allow_only(
      {"id", "name", "tier", "emulated", "metered", "counts_qpu_time", "best_for", "qubits_max", "native_gates"}));
  TANDEM_TRY_ASSIGN(std::string id, reader.string("id"));
  out.id = BackendId(std::move(id));
  TANDEM_TRY_ASSIGN(out.name, reader.string("name"));
  TANDEM_TRY_ASSIGN(const std::string tier, reader.string("tier"));
  const auto known_tier = job::find_tier(tier);
  if (!known_tier) return fail_at(reader.at("tier"), errors::kValueOutOfRange, "'{}' is not a tier", tier);
  out.tier = *known_tier;
  TANDEM_TRY_ASSIGN(out.emulated, reader.boolean_or("emulated", false));
  TANDEM_TRY_ASSIGN(out.metered, reader.boolean_or("metered", true));
  TANDEM_TRY_ASSIGN(out.counts_qpu_time, reader.boolean_or("counts_qpu_time", false));
  TANDEM_TRY_ASSIGN(out.best_for, reader.string("best_for"));
  TANDEM_TRY_ASSIGN(const std::int64_t qubits, reader.integer("qubits_max", 1, circuit::Circuit::kQubitsMax));
  out.qubits_max = static_cast<std::uint32_t>(qubits);
  return {};
}

/// What the backends share.
Result<Manifest> read_common(const ObjectReader& reader) {
  TANDEM_TRY(
      reader.allow_only({"adapter", "api_version", "version", "vendor", "region", "access", "authorization", "backends",
                         "safety", "conformance", "limits", "price", "states", "failures", "errors"}));
  Manifest out;
  TANDEM_TRY_ASSIGN(out.api_version, reader.string("api_version"));
  TANDEM_TRY_ASSIGN(out.authorization, reader.string("authorization"));
  TANDEM_TRY_ASSIGN(out.info.version, reader.string("version"));
  TANDEM_TRY_ASSIGN(const std::string adapter, reader.string_or("adapter", ""));
  TANDEM_TRY_ASSIGN(out.info.vendor, reader.string_or("vendor", adapter));
  TANDEM_TRY_ASSIGN(out.info.region, reader.string_or("region", ""));
  TANDEM_TRY_ASSIGN(const std::string access, reader.string("access"));
  const auto known_access = job::find_access(access);
  if (!known_access) return fail_at("/access", errors::kValueOutOfRange, "'{}' is not an access", access);
  out.info.access = *known_access;
  out.info.takes_program = true;
  TANDEM_TRY(read_limits(reader, out));
  TANDEM_TRY(read_notes(reader, out));
  TANDEM_TRY(read_words(reader, out));
  TANDEM_TRY(read_failures(reader, out));
  return out;
}

Result<std::vector<Manifest>> read(const ObjectReader& reader) {
  TANDEM_TRY_ASSIGN(const Manifest common, read_common(reader));
  TANDEM_TRY_ASSIGN(const Json* backends, reader.array("backends"));
  if (backends->empty()) return fail_at(reader.at("backends"), errors::kValueOutOfRange, "name at least one backend");
  std::vector<Manifest> out;
  for (const Json& entry : *backends) {
    TANDEM_TRY_ASSIGN(const ObjectReader one,
                      ObjectReader::create(entry, fmt::format("{}/{}", reader.at("backends"), out.size())));
    out.push_back(common);
    TANDEM_TRY(read_backend(one, out.back().info));
    TANDEM_TRY(read_native_gates(one, out.back().native_gates));
  }
  return out;
}

}  // namespace

std::string_view to_string(Verdict verdict) { return kVerdictNames[static_cast<std::size_t>(verdict)]; }

backend::ErrorClass class_of(Verdict verdict, Asked asked) {
  using enum backend::ErrorClass;
  switch (verdict) {
    case Verdict::kOk:
      return asked == Asked::kSubmission ? kAccepted : kOk;
    case Verdict::kUnauthenticated:
      return kAuthExpired;
    case Verdict::kForbidden:
      return kForbiddenOrQuota;
    case Verdict::kInvalid:
      return kInvalid;
    case Verdict::kNotFound:
      return asked == Asked::kRead ? kNotYet : kInvalid;
    case Verdict::kConflict:
      return asked == Asked::kSubmission ? kForbiddenOrQuota : asked == Asked::kCancel ? kNotCancellable : kNotYet;
    case Verdict::kThrottled:
      return kThrottled;
    case Verdict::kUnavailable:
      return kDeviceUnavailable;
    case Verdict::kTransient:
    case Verdict::kGarbage:  // not the provider's own words: something between us spoke
      break;
  }
  return kTransient;
}

bool surely_not_accepted(Verdict verdict) {
  switch (verdict) {
    case Verdict::kUnauthenticated:
    case Verdict::kForbidden:
    case Verdict::kInvalid:
    case Verdict::kNotFound:
    case Verdict::kConflict:
    case Verdict::kThrottled:
      return true;
    case Verdict::kOk:
    case Verdict::kUnavailable:  // said on the way back as well as at the door
    case Verdict::kTransient:
    case Verdict::kGarbage:
      return false;
  }
  return false;
}

Result<std::vector<Manifest>> Manifest::parse(std::string_view yaml, std::string_view name) {
  TANDEM_TRY_ASSIGN(const LocatedJson document, parse_yaml(yaml, name));
  const auto place = [&](Error error) {
    if (!error.place.empty()) error.place = document.place_of(error.place);
    return error;
  };
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document.value, "").map_error(place));
  return read(reader).map_error(place);
}

Verdict Manifest::verdict_of(int status) const {
  if (status >= 200 && status < 300) return Verdict::kOk;
  if (const auto found = errors.find(status); found != errors.end()) return found->second;
  return status == 408 || (status >= 500 && status < 600) ? Verdict::kTransient : Verdict::kGarbage;
}

}  // namespace tandem::remote
