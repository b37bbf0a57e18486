#include "tandem/orchestrate/route/house_rules.h"

#include <algorithm>

#include "tandem/base/hash.h"
#include "tandem/base/json_writer.h"

namespace tandem::route {
namespace {

using backend::BackendInfo;
using job::Plan;
using job::Tier;

/// Whether the plan asks a backend of the tier, now or as a fallback.
bool uses_tier(const RouteInput& input, const Plan& plan, Tier tier) {
  const std::vector<std::string> used = plan.backends();
  return std::any_of(input.backends.begin(), input.backends.end(), [&](const BackendFacts& facts) {
    const BackendInfo& info = facts.backend->info();
    return info.tier == tier && std::find(used.begin(), used.end(), info.id.value) != used.end();
  });
}

std::string approval_words(const job::ApprovalNeed& need) {
  return fmt::format("The policy rule '{}' wants {} of role {} to approve it: {}.", need.rule,
                     need.approvers == 1 ? "one person" : fmt::format("{} people", need.approvers), need.role,
                     need.reason);
}

}  // namespace

bool is_preferred(const RouteInput& input, const BackendInfo& info) {
  const std::string vendor = input.rules == nullptr ? "" : input.rules->preferred_vendor(input.subject);
  return vendor.empty() || info.access == job::Access::kLocal || info.vendor == vendor;
}

void ask_people(const RouteInput& input, Plan& plan) {
  if (input.rules == nullptr) return;
  plan.approvals = input.rules->needs(input.subject, {.cost_max = plan.cost_max_needed,
                                                      .cost_max_emulated = plan.cost_max_needed_emulated,
                                                      .any_qpu = uses_tier(input, plan, Tier::kQpu)});
  for (const job::ApprovalNeed& need : plan.approvals) plan.reasons.push_back(approval_words(need));
}

std::string policy_digest(const RouteInput& input) {
  const job::Policy& policy = input.spec->policy;
  JsonWriter document;  // canonical
  document.member("allow_emulated", policy.allow_emulated)
      .member("allow_qpu", policy.allow_qpu)
      .member("avoid", policy.avoid)
      .member("backends", policy.backends);
  if (input.rules != nullptr && !input.rules->empty()) document.member("house", input.rules->applying(input.subject));
  return sha256(document.finish()).hex();
}

std::string simulation_key(const job::JobSpec& spec, std::string_view version, const BackendInfo& hardware) {
  Json out = {{"version", version}, {"vendor", hardware.vendor}, {"adapter", hardware.version}};
  if (spec.is_program()) {
    Json circuits = Json::array();
    for (const circuit::Pub& pub : spec.program().pubs) {
      Json document = pub.document();
      document.erase("shots");
      circuits.push_back(std::move(document));
    }
    out["circuits"] = std::move(circuits);
  } else {
    out["problem"] = spec.problem()->type();
    out["method"] = "qaoa";
    out["layers"] = spec.refinement.layers;
    out["angles"] = job::to_string(spec.refinement.angles);
    out["start"] = job::to_string(spec.refinement.start);
    out["core"] = core_size_max(spec, probe(spec));
  }
  return sha256(canonical_json(out)).hex();
}

}  // namespace tandem::route
