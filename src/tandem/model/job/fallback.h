// tandem/model/job/fallback.h - why work is given to somebody else, who gets it then, and the path that it took.
//
// Room: model. Plan, job document, result, lineage and events share these words. Not here: choosing the chain
// (orchestrate/route), following it (orchestrate/engine/order_runner.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/id.h"
#include "tandem/base/json.h"
#include "tandem/base/result.h"

namespace tandem::job {

enum class FallbackCause : std::uint8_t {
  kQueueWait,  ///< the queue of the backend is too long: stated before anything was sent, or seen afterwards
  kUnavailable,  ///< the backend does not do this work: down, busy, refusing, failing, or unable
  kTimeout,  ///< it took the work and did not finish in the step's time
  kPartial,  ///< it gave fewer shots or samples than were asked for
  kLowConfidence,  ///< the result of the job is below review.confidence_min
};
inline constexpr std::size_t kNumFallbackCauses = static_cast<std::size_t>(FallbackCause::kLowConfidence) + 1;
std::string_view to_string(FallbackCause cause);  ///< "queue_wait", ...
std::optional<FallbackCause> find_fallback_cause(std::string_view name);

/// The cause that an error is, by its number, then by its family: 5020 is queue_wait, 5026 partial, 5021 low_confidence, 2002
/// and the family deadline_exceeded timeout, and everything else unavailable. Errors that end the job or its worker
/// (cancelled, stale fence, trouble of the store) cause no fallback and are not asked about.
FallbackCause cause_of(const Error& error);

/// One entry of a chain. In a document {"backend": name, "on": [causes]}; a plain name stands for every cause that the entry can
/// answer.
///
/// Two names are no backends. "cached_result": an earlier answer to the same question, not older than `age_max_ms`, given by one
/// of `from`; it answers every cause but low_confidence. "manual_review": a person; it answers partial and low_confidence.
struct Fallback {
  static constexpr std::string_view kCachedResult = "cached_result";
  static constexpr std::string_view kManualReview = "manual_review";
  static constexpr std::int64_t kAgeDefaultMs = 86'400'000;  ///< a day
  static constexpr std::int64_t kAgeMaxMs = 366 * kAgeDefaultMs;

  std::string backend;
  std::vector<FallbackCause> on;  ///< in the order of the enum, each once, never empty
  std::int64_t age_max_ms = 0;  ///< of cached_result only
  /// Of cached_result only: backends whose answers may be used. In a job document empty means all that its policy allows; in a
  /// plan the list is what may be used.
  std::vector<std::string> from;

  Fallback() = default;
  /// For every cause that it can answer.
  Fallback(std::string name);  // implicit: a name is an entry
  Fallback(const char* name) : Fallback(std::string(name)) {}
  Fallback(std::string name, std::vector<FallbackCause> causes) : Fallback(std::move(name)) { on = std::move(causes); }

  bool is_backend() const { return backend != kCachedResult && backend != kManualReview; }
  bool answers(FallbackCause cause) const;
  Json document() const;
  /// Errors: 1020..1023 - among them a cause that the entry cannot answer.
  static Result<Fallback> parse(const Json& value, const std::string& pointer);
  friend bool operator==(const Fallback&, const Fallback&) = default;
};
std::string cause_words(const std::vector<FallbackCause>& causes);  ///< "timeout or partial"
/// "cached_result on timeout, then cpu.tabu on unavailable": for people.
std::string chain_words(const std::vector<Fallback>& chain);

/// One station on the way of an order that was not answered by the first backend.
struct PathEntry {
  enum class Outcome : std::uint8_t {
    kLeft,  ///< tried: `number` and `reason` say what it gave instead of an answer, `cause` what that is
    kPassedOver,  ///< its `on` does not name the cause
    kAnswered,
    kStoodIn,  ///< of a graded arm, which never runs elsewhere: this one's answer was there already and stands
  };
  std::string step;  ///< label of the order
  std::string backend;
  Outcome outcome = Outcome::kLeft;
  std::optional<FallbackCause> cause;  ///< that led to what `outcome` says
  std::uint16_t number = 0;  ///< of the error behind it
  std::string reason;
  Json document() const;
  /// A plain text, as older documents have it, is the reason of one that was left.
  static Result<PathEntry> parse(const Json& value, const std::string& pointer);
  /// "lab.device was left (timeout): ..."
  std::string words() const;
  friend bool operator==(const PathEntry&, const PathEntry&) = default;
};
std::string_view to_string(PathEntry::Outcome outcome);

/// Where an answer of cached_result comes from.
struct CachedAnswer {
  std::string step;  ///< of this job
  JobId source;  ///< the job that was answered
  std::string backend;  ///< that gave the answer then
  std::int64_t age_ms = 0;  ///< when it was used here
  Json document() const;
  static Result<CachedAnswer> parse(const Json& value, const std::string& pointer);
  friend bool operator==(const CachedAnswer&, const CachedAnswer&) = default;
};

/// Fewer shots or samples than were asked for.
struct PartialAnswer {
  std::string step;
  std::string backend;
  std::uint64_t asked = 0;
  std::uint64_t got = 0;
  std::string raw_sha256;  ///< of its bytes in the blob table
  bool used = false;  ///< nobody gave more, so the result rests on it
  double share() const { return asked == 0 ? 1 : static_cast<double>(got) / static_cast<double>(asked); }
  Json document() const;
  static Result<PartialAnswer> parse(const Json& value, const std::string& pointer);
  friend bool operator==(const PartialAnswer&, const PartialAnswer&) = default;
};

/// A list of such entries as a document, and back.
template <typename Entry>
Json list_document(const std::vector<Entry>& entries) {
  Json out = Json::array();
  for (const Entry& entry : entries) out.push_back(entry.document());
  return out;
}
template <typename Entry>
Result<std::vector<Entry>> parse_list_or_empty(const ObjectReader& reader, std::string_view key) {
  std::vector<Entry> out;
  if (!reader.has(key)) return out;
  TANDEM_TRY_ASSIGN(const Json* list, reader.array(key));
  for (std::size_t i = 0; i < list->size(); ++i) {
    TANDEM_TRY_ASSIGN(Entry entry, Entry::parse((*list)[i], fmt::format("{}/{}", reader.at(key), i)));
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace tandem::job
