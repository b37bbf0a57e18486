#include "tandem/sim/coverage.h"

namespace tandem::sim {
namespace {

using backend::SubmitSafety;
using job::JobEvent;
using job::JobState;
using submit::SubmissionEvent;
using submit::SubmissionState;

}  // namespace

void Coverage::add(const Coverage& other) {
  for (const auto& [name, count] : other.job_transitions) job_transitions[name] += count;
  for (const auto& [name, count] : other.submission_transitions) submission_transitions[name] += count;
  for (const auto& [name, count] : other.vendors) vendors[name] += count;
  for (const auto& [name, count] : other.faults) faults[name] += count;
  for (const auto& [name, counts] : other.doubts) doubts[name].add(counts);
}

std::uint64_t DoubtCounts::count() const {
  std::uint64_t out = 0;
  for (const auto& [intervals, count] : by_intervals) out += count;
  return out;
}

std::uint64_t DoubtCounts::percentile(double share) const {
  const double wanted = share * static_cast<double>(count());
  std::uint64_t seen = 0;
  for (const auto& [intervals, count] : by_intervals)
    if (static_cast<double>(seen += count) >= wanted) return intervals;
  return 0;
}

void DoubtCounts::add(const DoubtCounts& other) {
  for (const auto& [intervals, count] : other.by_intervals) by_intervals[intervals] += count;
  apart += other.apart;
}

Json DoubtCounts::document() const {
  return {{"resolved", count()},
          {"intervals_p50", percentile(0.5)},
          {"intervals_p99", percentile(0.99)},
          {"intervals_max", by_intervals.empty() ? 0 : by_intervals.rbegin()->first},
          {"given_up_with_the_step", apart}};
}

DoubtCounts Coverage::all_doubts() const {
  DoubtCounts out;
  for (const auto& [name, counts] : doubts) out.add(counts);
  return out;
}

std::string Coverage::slow_doubts() const {
  const DoubtCounts all = all_doubts();
  if (all.count() < kDoubtsMin || all.percentile(0.99) <= kDoubtIntervalsMax) return {};
  return fmt::format("1 % of {} doubts lasted {} intervals or more, and {} are allowed", all.count(),
                     all.percentile(0.99), kDoubtIntervalsMax);
}

std::vector<std::string> submission_transitions() {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < submit::kNumSubmissionStates; ++i)
    for (std::size_t k = 0; k < submit::kNumSubmissionEvents; ++k) {
      const auto from = static_cast<SubmissionState>(i);
      const auto event = static_cast<SubmissionEvent>(k);
      const auto to = submit::transition(from, event);
      if (to && !submit::is_of_people(event)) out.push_back(transition_name(from, event, *to));
    }
  return out;
}

std::vector<std::string> job_transitions() {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < job::kNumJobStates; ++i)
    for (std::size_t k = 0; k < job::kNumJobEvents; ++k) {
      const auto from = static_cast<JobState>(i);
      const auto event = static_cast<JobEvent>(k);
      if (const auto to = job::transition(from, event)) out.push_back(transition_name(from, event, *to));
    }
  return out;
}

std::vector<std::string> faults() {
  return {"call held back",
          "clock jump",
          "commit failed",
          "crash",
          "crash after a commit",
          "crash before a commit",
          "device fails",
          "device names no bill",
          "device refuses",
          "device throttles",
          "device unreachable",
          "disk full",
          "limit reached",
          "local work fails",
          "pause",
          "pause after a commit",
          "pause before a commit",
          "reply lost",
          "request doubled",
          "request lost",
          "restart",
          "result damaged",
          "result lost",
          "store unreachable",
          "submission doubled",
          "submission late",
          "submission lost",
          "submission's reply lost",
          "submissions lost for long",
          "window closed"};
}

std::string vendor_name(SubmitSafety safety, std::string_view what) {
  return fmt::format("class {}: {}", backend::to_string(safety), what);
}

std::vector<std::string> vendors() {
  using enum SubmitSafety;
  std::vector<std::string> out;
  for (const SubmitSafety safety : {kA, kB, kC, kD})
    for (const char* what : {kVendorLost, kVendorLate, kVendorHeld, kVendorOrphan, kVendorStandsIn, kVendorWaited})
      out.push_back(vendor_name(safety, what));
  for (const SubmitSafety safety : {kA, kB, kC}) out.push_back(vendor_name(safety, kVendorAdopted));
  out.push_back(vendor_name(kA, kVendorResent));
  return out;
}

}  // namespace tandem::sim
