// tandem/orchestrate/route/chain.h - the fallback chains of a plan: the job's own, or by cause the router's.
//
// Room: orchestrate; for the sources of this part only. Threads: pure functions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tandem/orchestrate/route/route.h"

namespace tandem::route {

/// A job that names a fallback has put it beside policy.backends itself; every other rule holds for it too.
enum class Place : std::uint8_t { kAny, kNamedFallback };

/// Empty when the policies of the job and of the house allow the backend, else the rule that does not.
std::string policy_refusal(const RouteInput& input, const backend::BackendInfo& info, Place place = Place::kAny);
/// Empty when the backend answers and takes work, else why not.
std::string availability_refusal(const BackendFacts& facts);
/// As people read it: an emulation is never shown without the word.
std::string shown(const backend::BackendInfo& info);

/// The fallbacks that the job names for its work, in its order, held to the same rules as any candidate. What may never take the
/// work contradicts the job; what only cannot now (out of service, no quote) is left out, and `reasons` says so.
/// Errors: 5006 no_plan, with the place.
Result<std::vector<job::Fallback>> named_fallbacks(const RouteInput& input, const std::string& primary,
                                                   const std::function<std::string(const BackendFacts&)>& refusal_of,
                                                   std::vector<std::string>& reasons);

/// The router's own cached result: what a backend that took too long is answered with.
job::Fallback cached_result(const RouteInput& input);
/// Who stands in for a graded arm, which never runs elsewhere: for one whose queue is too long the simulator, where that is an
/// arm, too; else the classical solve.
std::vector<job::Fallback> stand_ins(const RouteInput& input, const std::string& solver,
                                     const std::vector<std::string>& arms);
/// Who answers low confidence: the job's own manual_review, or, where it names no fallbacks and asks for a confidence, a person.
std::vector<job::Fallback> review_chain(const job::JobSpec& spec);

/// What becomes of the work of a backend that is not there now.
struct Absent {
  std::size_t index = 0;  ///< in the input
  bool awaited = false;  ///< else the job names who answers that
  std::string_view then() const {
    return awaited ? "it is waited for when the work gets to it" : "what the job names for that comes next";
  }
};
/// The first backend that could run the program but is not there now, where the job names who answers that, or it may be back when the
/// work gets to it. It stays the first choice.
std::optional<Absent> absent_for_now(const RouteInput& input);

/// "simulator.statevector on queue_wait, then ..."; an emulation is never shown without the word.
std::string shown_chain(const RouteInput& input, std::vector<job::Fallback> chain);

}  // namespace tandem::route
