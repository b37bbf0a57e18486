#include "tandem/orchestrate/route/chain.h"

#include <algorithm>

#include "tandem/base/assert.h"

namespace tandem::route {
namespace {

using backend::BackendInfo;
using job::FallbackCause;
using job::Tier;

bool names(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

/// The entry with the backends whose answers may be used: those of its own list, or all, that the job's policy allows.
job::Fallback within_policy(const RouteInput& input, job::Fallback entry) {
  const job::JobSpec& spec = *input.spec;
  std::vector<std::string> allowed;
  for (const BackendFacts& facts : input.backends) {
    const BackendInfo& info = facts.backend->info();
    const bool named = std::any_of(spec.fallbacks.begin(), spec.fallbacks.end(),
                                   [&](const job::Fallback& one) { return one.backend == info.id.value; });
    if (!policy_refusal(input, info, named ? Place::kNamedFallback : Place::kAny).empty()) continue;
    if (entry.from.empty() || names(entry.from, info.id.value)) allowed.push_back(info.id.value);
  }
  entry.from = std::move(allowed);
  return entry;
}

}  // namespace

std::string policy_refusal(const RouteInput& input, const BackendInfo& info, Place place) {
  const job::JobSpec& spec = *input.spec;
  const auto contains = [&](const std::vector<std::string>& list) {
    return std::find(list.begin(), list.end(), info.id.value) != list.end();
  };
  if (contains(spec.policy.avoid)) return "policy.avoid names it";
  const bool listed = spec.policy.backends.empty() || contains(spec.policy.backends);
  if (!listed && place == Place::kAny) return "policy.backends does not name it";
  if (info.emulated && !spec.policy.allow_emulated) return "policy.allow_emulated is false and this device is emulated";
  if (info.tier == Tier::kQpu && !spec.policy.allow_qpu) return "policy.allow_qpu is false";
  if (input.rules != nullptr) return input.rules->refusal(input.subject, info, input.simulated.contains(info.id.value));
  return {};
}

std::string availability_refusal(const BackendFacts& facts) {
  if (!facts.availability) return {};
  if (!facts.availability->operational)
    return facts.availability->detail.empty() ? "it is not operational" : facts.availability->detail;
  if (!facts.availability->accepts_work) return "it does not accept work now: " + facts.availability->detail;
  return {};
}

std::string shown(const BackendInfo& info) { return info.id.value + (info.emulated ? " (emulated)" : ""); }

Result<std::vector<job::Fallback>> named_fallbacks(const RouteInput& input, const std::string& primary,
                                                   const std::function<std::string(const BackendFacts&)>& refusal_of,
                                                   std::vector<std::string>& reasons) {
  std::vector<job::Fallback> out;
  for (std::size_t i = 0; i < input.spec->fallbacks.size(); ++i) {
    const job::Fallback& entry = input.spec->fallbacks[i];
    const std::string& name = entry.backend;
    if (name == job::Fallback::kManualReview) continue;  // nobody does the work by hand: review_chain()
    if (name == job::Fallback::kCachedResult) {
      out.push_back(within_policy(input, entry));
      continue;
    }
    const auto facts = std::find_if(input.backends.begin(), input.backends.end(),
                                    [&](const BackendFacts& one) { return one.backend->info().id.value == name; });
    TANDEM_ASSERT(facts != input.backends.end());  // check_names came before
    const std::string refusal = refusal_of(*facts);
    const bool only_now =
        !availability_refusal(*facts).empty() || (facts->backend->info().metered && !facts->quote.has_value());
    if (refusal.empty()) {
      const bool again = std::any_of(out.begin(), out.end(), [&](const job::Fallback& one) { return one == entry; });
      if (name != primary && !again) out.push_back(entry);
    } else if (only_now && policy_refusal(input, facts->backend->info(), Place::kNamedFallback).empty()) {
      reasons.push_back(fmt::format("The fallback {} is left out: {}.", shown(facts->backend->info()), refusal));
    } else {
      return fail_at(fmt::format("/fallbacks/{}", i), errors::kNoPlan,
                     "the fallback '{}' cannot take this work: {}; name another, or relax that rule", name, refusal);
    }
  }
  return out;
}

job::Fallback cached_result(const RouteInput& input) {
  return within_policy(input, job::Fallback(std::string(job::Fallback::kCachedResult), {FallbackCause::kTimeout}));
}

std::vector<job::Fallback> stand_ins(const RouteInput& input, const std::string& solver,
                                     const std::vector<std::string>& arms) {
  std::vector<job::Fallback> out;
  bool cloud = false;
  std::string simulator;
  for (const BackendFacts& facts : input.backends) {
    const BackendInfo& info = facts.backend->info();
    if (!names(arms, info.id.value)) continue;
    cloud = cloud || info.access == job::Access::kCloud;
    if (info.tier == Tier::kSimulator && simulator.empty()) simulator = info.id.value;
  }
  if (!cloud) return out;
  if (!simulator.empty()) out.push_back({simulator, {FallbackCause::kQueueWait}});
  out.emplace_back(solver);
  return out;
}

std::vector<job::Fallback> review_chain(const job::JobSpec& spec) {
  std::vector<job::Fallback> out;
  for (const job::Fallback& entry : spec.fallbacks)
    if (entry.backend == job::Fallback::kManualReview) out.push_back(entry);
  if (spec.fallbacks.empty() && spec.review.confidence_min > 0)
    out.push_back({std::string(job::Fallback::kManualReview), {FallbackCause::kLowConfidence}});
  return out;
}

std::optional<Absent> absent_for_now(const RouteInput& input) {
  const job::JobSpec& spec = *input.spec;
  const bool answered = std::any_of(spec.fallbacks.begin(), spec.fallbacks.end(), [](const job::Fallback& entry) {
    return entry.answers(job::FallbackCause::kUnavailable);
  });
  const backend::ProgramWork work{.pubs = spec.program().pubs, .seed = spec.seed};
  for (std::size_t i = 0; i < input.backends.size(); ++i) {
    const BackendFacts& facts = input.backends[i];
    const BackendInfo& info = facts.backend->info();
    if (!info.takes_program || !policy_refusal(input, info).empty()) continue;
    if (answered && !availability_refusal(facts).empty()) return Absent{.index = i};
    if (facts.may_be_back && facts.backend->validate(work)) return Absent{.index = i, .awaited = !answered};
  }
  return std::nullopt;
}

std::string shown_chain(const RouteInput& input, std::vector<job::Fallback> chain) {
  for (job::Fallback& entry : chain)
    for (const BackendFacts& facts : input.backends)
      if (facts.backend->info().id.value == entry.backend) {
        entry.backend = shown(facts.backend->info());
        break;
      }
  return job::chain_words(chain);
}

}  // namespace tandem::route
