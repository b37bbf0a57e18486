#include "tandem/model/job/fallback.h"

#include <algorithm>
#include <array>

#include "tandem/base/text.h"

namespace tandem::job {
namespace {

using enum FallbackCause;

constexpr std::array<std::string_view, kNumFallbackCauses> kCauses = {"queue_wait", "unavailable", "timeout", "partial",
                                                                      "low_confidence"};
constexpr std::array<std::string_view, 4> kOutcomes = {"left", "passed_over", "answered", "stood_in"};

std::vector<FallbackCause> answerable(std::string_view name) {
  if (name == Fallback::kManualReview) return {kPartial, kLowConfidence};
  return {kQueueWait, kUnavailable, kTimeout, kPartial};
}

Result<std::vector<FallbackCause>> parse_causes(const ObjectReader& reader, const std::string& name) {
  const std::vector<FallbackCause> all = answerable(name);
  if (!reader.has("on")) return all;
  TANDEM_TRY_ASSIGN(const std::vector<std::string> words, reader.strings_or_empty("on"));
  std::vector<FallbackCause> out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string place = fmt::format("{}/{}", reader.at("on"), i);
    const auto cause = find_fallback_cause(words[i]);
    if (!cause) {
      return fail_at(place, errors::kValueOutOfRange, "{} is not one of {}{}", quote(words[i]),
                     fmt::join(kCauses, ", "), did_you_mean(words[i], kCauses));
    }
    if (std::find(all.begin(), all.end(), *cause) == all.end()) {
      return fail_at(place, errors::kValueOutOfRange, "{} cannot answer '{}'{}", name, words[i],
                     *cause == kLowConfidence ? "; name manual_review for it" : "");
    }
    out.push_back(*cause);
  }
  if (out.empty())
    return fail_at(reader.at("on"), errors::kValueOutOfRange, "'on' names no cause, so {} would never be used", name);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace

std::string_view to_string(FallbackCause cause) { return kCauses[static_cast<std::size_t>(cause)]; }

std::optional<FallbackCause> find_fallback_cause(std::string_view name) {
  for (std::size_t i = 0; i < kCauses.size(); ++i)
    if (kCauses[i] == name) return static_cast<FallbackCause>(i);
  return std::nullopt;
}

FallbackCause cause_of(const Error& error) {
  if (error.number == errors::kQueueWaitPredicted || error.number == errors::kBackendBusy) return kQueueWait;
  if (error.number == errors::kPartialResult) return kPartial;
  if (error.number == errors::kLowConfidence) return kLowConfidence;
  if (error.number == errors::kPeerTimeout) return kTimeout;
  return error_record(error.number).family == ErrorFamily::kDeadlineExceeded ? kTimeout : kUnavailable;
}

Fallback::Fallback(std::string name) : backend(std::move(name)), on(answerable(backend)) {
  if (backend == kCachedResult) age_max_ms = kAgeDefaultMs;
}

bool Fallback::answers(FallbackCause cause) const { return std::find(on.begin(), on.end(), cause) != on.end(); }

Json Fallback::document() const {
  Json causes = Json::array();
  for (const FallbackCause cause : on) causes.push_back(to_string(cause));
  Json out = {{"backend", backend}, {"on", std::move(causes)}};
  if (backend == kCachedResult) {
    out["age_max_ms"] = age_max_ms;
    out["from"] = from;
  }
  return out;
}

Result<Fallback> Fallback::parse(const Json& value, const std::string& pointer) {
  if (value.is_string()) return Fallback(value.get<std::string>());
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  TANDEM_TRY_ASSIGN(std::string name, reader.string("backend"));
  Fallback out(std::move(name));
  if (out.backend == kCachedResult) {
    TANDEM_TRY(reader.allow_only({"backend", "on", "age_max_ms", "from"}));
    TANDEM_TRY_ASSIGN(out.age_max_ms, reader.integer_or("age_max_ms", kAgeDefaultMs, 1, kAgeMaxMs));
    TANDEM_TRY_ASSIGN(out.from, reader.strings_or_empty("from"));
  } else {
    TANDEM_TRY(reader.allow_only({"backend", "on"}));
  }
  TANDEM_TRY_ASSIGN(out.on, parse_causes(reader, out.backend));
  return out;
}

std::string cause_words(const std::vector<FallbackCause>& causes) {
  std::vector<std::string_view> words;
  for (const FallbackCause cause : causes) words.push_back(to_string(cause));
  return fmt::format("{}", fmt::join(words, " or "));
}

std::string chain_words(const std::vector<Fallback>& chain) {
  std::string out;
  for (const Fallback& entry : chain)
    out += fmt::format("{}{} on {}", out.empty() ? "" : ", then ", entry.backend, cause_words(entry.on));
  return out;
}

std::string_view to_string(PathEntry::Outcome outcome) { return kOutcomes[static_cast<std::size_t>(outcome)]; }

Json PathEntry::document() const {
  return {{"step", step},
          {"backend", backend},
          {"outcome", to_string(outcome)},
          {"cause", cause ? Json(to_string(*cause)) : Json()},
          {"number", number},
          {"reason", reason}};
}

Result<PathEntry> PathEntry::parse(const Json& value, const std::string& pointer) {
  if (value.is_string()) return PathEntry{.reason = value.get<std::string>()};
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  PathEntry out;
  TANDEM_TRY_ASSIGN(out.step, reader.string("step"));
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(const std::string outcome, reader.string("outcome"));
  const auto known = std::find(kOutcomes.begin(), kOutcomes.end(), outcome);
  if (known == kOutcomes.end())
    return fail_at(reader.at("outcome"), errors::kValueOutOfRange, "'{}' is not one of {}", outcome,
                   fmt::join(kOutcomes, ", "));
  out.outcome = static_cast<Outcome>(known - kOutcomes.begin());
  if (reader.has("cause")) {
    TANDEM_TRY_ASSIGN(const std::string cause, reader.string("cause"));
    out.cause = find_fallback_cause(cause);
    if (!out.cause) return fail_at(reader.at("cause"), errors::kValueOutOfRange, "'{}' is no cause", cause);
  }
  TANDEM_TRY_ASSIGN(const std::int64_t number, reader.integer_or("number", 0, 0, UINT16_MAX));
  out.number = static_cast<std::uint16_t>(number);
  TANDEM_TRY_ASSIGN(out.reason, reader.string_or("reason", ""));
  return out;
}

std::string PathEntry::words() const {
  const std::string why = cause ? fmt::format(" ({})", to_string(*cause)) : "";
  switch (outcome) {
    case Outcome::kLeft:
      return backend.empty() ? reason : fmt::format("{} was left{}: {}", backend, why, reason);
    case Outcome::kPassedOver:
      return fmt::format("{} was passed over{}: {}", backend, why, reason);
    case Outcome::kStoodIn:
      return fmt::format("{} stands in{}{}", backend, why, reason.empty() ? "" : ": " + reason);
    case Outcome::kAnswered:
      break;
  }
  return fmt::format("{} answered{}{}", backend, why, reason.empty() ? "" : ": " + reason);
}

Json CachedAnswer::document() const {
  return {{"step", step}, {"job_id", source.value}, {"backend", backend}, {"age_ms", age_ms}};
}

Result<CachedAnswer> CachedAnswer::parse(const Json& value, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  CachedAnswer out;
  TANDEM_TRY_ASSIGN(out.step, reader.string("step"));
  TANDEM_TRY_ASSIGN(const std::string source, reader.string("job_id"));
  out.source = JobId(source);
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(out.age_ms, reader.integer("age_ms", 0, INT64_MAX));
  return out;
}

Json PartialAnswer::document() const {
  return {{"step", step}, {"backend", backend},       {"asked", asked},
          {"got", got},   {"raw_sha256", raw_sha256}, {"used", used}};
}

Result<PartialAnswer> PartialAnswer::parse(const Json& value, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  PartialAnswer out;
  TANDEM_TRY_ASSIGN(out.step, reader.string("step"));
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(const std::int64_t asked, reader.integer("asked", 1, INT64_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t got, reader.integer("got", 0, asked));
  out.asked = static_cast<std::uint64_t>(asked);
  out.got = static_cast<std::uint64_t>(got);
  TANDEM_TRY_ASSIGN(out.raw_sha256, reader.string_or("raw_sha256", ""));
  TANDEM_TRY_ASSIGN(out.used, reader.boolean_or("used", false));
  return out;
}

}  // namespace tandem::job
