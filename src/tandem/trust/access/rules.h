// tandem/trust/access/rules.h - Rules: where the work of a job may go, and whose word it needs.
//
// Room: trust. Read from a YAML file (setting policy.file):
//
//   rules:
//   - name: pilots-at-home            # every decision names it
//     tenant: acme                    # optional: of this tenant only
//     project: pilot                  # optional: of this project only
//     vendors: [lab]                  # only these (pin); absent: all (roam)
//     preferred_vendor: lab
//     regions: [eu]                   # only there
//     data:                           # what of a job's data a vendor or tier may get
//     - {tier: qpu, classes: [public, internal]}
//     simulators_only: false          # no quantum hardware, emulated or not
//     requires_simulation: true       # hardware only after a simulator; absent: for pilots
//   approvals:
//   - name: money
//     when: {cost_above_usd_micros: 5000000}    # any of: cost_above_usd_micros, any_qpu, data_classes, production
//     approvers: 2
//     role: approver
//     of: [ann, bob, cem]             # optional: only these people
//     expires: 24h
//
// Every rule whose tenant and project fit applies. What runs in this house is bound by none of them: they speak of backends that
// somebody else has (access cloud) and of quantum hardware. Not here: who somebody is (trust/identity), the decisions of people
// (trust/approval), a job's own policy (model/job).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/middleware/backend/backend.h"
#include "tandem/model/job/job_spec.h"
#include "tandem/model/job/plan.h"

namespace tandem::access {

/// What rules ask of a job.
struct Subject {
  std::string tenant;
  std::string project;
  std::string stage;
  std::string data_class;
  static Subject of(std::string_view tenant, const job::JobSpec& spec);
};

/// What approval rules ask of a plan.
struct PlanFacts {
  job::Money cost_max;  ///< that it may spend
  job::Money cost_max_emulated;  ///< the same of play money
  bool any_qpu = false;
};

/// Classes of data that a vendor, a tier, or both together may get.
struct DataRule {
  std::string vendor;  ///< empty: any
  std::optional<job::Tier> tier;
  std::vector<std::string> classes;
};

struct Rule {
  std::string name;
  std::string tenant;  ///< empty: any
  std::string project;  ///< empty: any
  std::optional<std::vector<std::string>> vendors;
  std::string preferred_vendor;
  std::optional<std::vector<std::string>> regions;
  std::vector<DataRule> data;
  bool simulators_only = false;
  std::optional<bool> requires_simulation;  ///< empty: of pilots
};

struct ApprovalRule {
  std::string name;
  std::string tenant;
  std::string project;
  std::optional<job::Money> cost_above;
  bool any_qpu = false;
  std::vector<std::string> data_classes;
  bool production = false;
  std::uint32_t approvers = 1;
  std::string role;
  std::vector<std::string> of;
  std::int64_t expires_ms = 0;
};

/// Threads: immutable after parse(); safe to share. Cost: linear in the rules, kRulesMax.
class Rules {
 public:
  static constexpr std::size_t kRulesMax = 1000;
  static constexpr std::uint32_t kApproversMax = 10;
  static constexpr std::int64_t kExpiresMsMax = 365ll * 86'400'000;
  static constexpr std::int64_t kExpiresMsDefault = 7ll * 86'400'000;

  /// No file: nobody is asked, and nothing is refused but pilots on hardware, not emulated, that no simulator has passed.
  Rules() = default;
  /// Errors: those of parse_yaml; 1017, 1020..1023 with file:line.
  static Result<Rules> parse(std::string_view text, std::string_view name);

  bool empty() const { return !is_set_; }
  bool asks_people() const { return !approvals_.empty(); }
  /// Why a backend may not get the work, naming the rule; empty: it may. `simulated`: a simulator has passed with the same encoding
  /// and version.
  std::string refusal(const Subject& subject, const backend::BackendInfo& backend, bool simulated) const;
  /// Whether a refusal could depend on what a simulator did. Emulated hardware is rehearsed on as if it were real where there is a file.
  bool asks_for_simulation(const Subject& subject, const backend::BackendInfo& backend) const;
  /// Of the first rule that names one; empty: none.
  std::string preferred_vendor(const Subject& subject) const;
  /// Whose word a plan needs.
  std::vector<job::ApprovalNeed> needs(const Subject& subject, const PlanFacts& plan) const;
  /// What a plan may spend that nobody approved, of money and of play money each: the lowest cost_above_usd_micros. Empty: there is none.
  std::optional<job::Money> unasked_cost_max(const Subject& subject) const;
  /// The rules that apply, canonical; null where there is no file. Part of a plan's policy digest.
  Json applying(const Subject& subject) const;

 private:
  bool is_set_ = false;
  std::vector<Rule> rules_;
  std::vector<ApprovalRule> approvals_;
};

}  // namespace tandem::access
