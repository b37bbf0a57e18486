// tandem/sim/coverage.h - Coverage: what histories have come to, by name, and all that they should come to.
//
// Room: sim. Not here: who sees it (oracle.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/middleware/backend/backend.h"
#include "tandem/model/job/job_state.h"
#include "tandem/orchestrate/submit/submission_state.h"

namespace tandem::sim {

/// Doubts that are over, by the intervals between two looks that each lasted (doubts.h).
struct DoubtCounts {
  std::map<std::uint64_t, std::uint64_t> by_intervals;
  std::uint64_t apart = 0;  ///< given up with the step's time, or by a clock that jumped, before anybody could know
  std::uint64_t count() const;
  /// The least number of intervals within which this share of them was over.
  std::uint64_t percentile(double share) const;
  void add(const DoubtCounts& other);
  Json document() const;
};
/// Of as many as kDoubtsMin doubts in all, 99 % are over within that many intervals.
inline constexpr std::uint64_t kDoubtIntervalsMax = 5;
inline constexpr std::uint64_t kDoubtsMin = 100;  ///< of fewer, one is more than 1 %

/// Counts by name: "queued start running", "class B: submission late", "crash before commit". Of one history or of many.
struct Coverage {
  std::map<std::string, std::uint64_t> job_transitions;
  std::map<std::string, std::uint64_t> submission_transitions;
  std::map<std::string, std::uint64_t> vendors;  ///< what became of submissions to the vendor of each class
  std::map<std::string, std::uint64_t> faults;
  std::map<std::string, DoubtCounts> doubts;  ///< by class of vendor
  void add(const Coverage& other);
  DoubtCounts all_doubts() const;
  /// Empty when doubts are over as soon as they should be, else how long they lasted.
  std::string slow_doubts() const;
};

template <typename State, typename Event>
std::string transition_name(State from, Event event, State to) {
  return fmt::format("{} {} {}", to_string(from), to_string(event), to_string(to));
}

/// All transitions that the tables allow, as Coverage names them; of submissions without those that people make.
std::vector<std::string> submission_transitions();
std::vector<std::string> job_transitions();
/// All kinds of fault that a history can have.
std::vector<std::string> faults();

inline constexpr const char* kVendorLost = "submission lost";
inline constexpr const char* kVendorLate = "submission late";
inline constexpr const char* kVendorResent = "sent again";
inline constexpr const char* kVendorHeld = "held, and the vendor does not have it";
inline constexpr const char* kVendorAdopted = "adopted by the reconciler";
inline constexpr const char* kVendorOrphan = "billed and used by nobody";
inline constexpr const char* kVendorWaited = "sent to after it was waited for";
inline constexpr const char* kVendorStandsIn = "answers after another vendor was left";
/// As Coverage names it.
std::string vendor_name(backend::SubmitSafety safety, std::string_view what);
/// All that has to happen at the vendor of each class, as far as the class allows it.
std::vector<std::string> vendors();

}  // namespace tandem::sim
