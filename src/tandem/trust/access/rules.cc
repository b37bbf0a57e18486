#include "tandem/trust/access/rules.h"

#include <algorithm>
#include <set>

#include "tandem/base/text.h"
#include "tandem/base/yaml.h"
#include "tandem/trust/identity/principal.h"

namespace tandem::access {
namespace {

using backend::BackendInfo;
using job::Tier;

constexpr std::string_view kBuiltIn = "built in";  ///< name of what holds where no rule says otherwise

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

template <typename AnyRule>
bool applies(const AnyRule& rule, const Subject& subject) {
  return (rule.tenant.empty() || rule.tenant == subject.tenant) &&
         (rule.project.empty() || rule.project == subject.project);
}

/// Rules speak of what others have, and of quantum hardware.
bool is_bound(const BackendInfo& info) { return info.access == job::Access::kCloud || info.tier == Tier::kQpu; }

std::string shown(std::string_view text, std::string_view none) {
  return text.empty() ? std::string(none) : std::string(text);
}

std::string by_rule(std::string_view name) { return fmt::format("the policy rule '{}' ", name); }

std::string refusal_by(const Rule& rule, const Subject& subject, const BackendInfo& info) {
  if (rule.vendors && !contains(*rule.vendors, info.vendor)) {
    return by_rule(rule.name) + fmt::format("allows the vendors {}, this one is {}",
                                            shown(fmt::format("{}", fmt::join(*rule.vendors, ", ")), "none"),
                                            shown(info.vendor, "not named"));
  }
  if (rule.regions && !contains(*rule.regions, info.region)) {
    return by_rule(rule.name) + fmt::format("allows the regions {}, this one is {}",
                                            shown(fmt::format("{}", fmt::join(*rule.regions, ", ")), "none"),
                                            shown(info.region, "not named"));
  }
  if (rule.simulators_only && info.tier == Tier::kQpu)
    return by_rule(rule.name) + "allows simulators only, and this is quantum hardware";
  for (const DataRule& data : rule.data) {
    const bool meant = (data.vendor.empty() || data.vendor == info.vendor) && (!data.tier || *data.tier == info.tier);
    if (!meant || contains(data.classes, subject.data_class)) continue;
    return by_rule(rule.name) + fmt::format("lets it have data of the classes {}, and this job's is {}",
                                            shown(fmt::format("{}", fmt::join(data.classes, ", ")), "none"),
                                            subject.data_class);
  }
  return {};
}

// ---- reading

Result<std::string> read_name(const ObjectReader& reader, std::set<std::string>& names) {
  TANDEM_TRY_ASSIGN(std::string name, reader.string("name"));
  TANDEM_TRY(identity::check_name(reader.at("name"), name));
  if (!names.insert(name).second)
    return fail_at(reader.at("name"), errors::kValueOutOfRange, "there is a rule {} already", quote(name));
  return name;
}

Result<std::vector<std::string>> read_words(const ObjectReader& reader, std::string_view key,
                                            std::span<const std::string_view> known) {
  TANDEM_TRY_ASSIGN(std::vector<std::string> out, reader.strings_or_empty(key));
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (std::find(known.begin(), known.end(), out[i]) != known.end()) continue;
    return fail_at(fmt::format("{}/{}", reader.at(key), i), errors::kValueOutOfRange, "{} is not one of {}{}",
                   quote(out[i]), fmt::join(known, ", "), did_you_mean(out[i], known));
  }
  return out;
}

Result<std::optional<std::vector<std::string>>> read_list(const ObjectReader& reader, std::string_view key) {
  if (!reader.has(key)) return std::optional<std::vector<std::string>>();
  TANDEM_TRY_ASSIGN(std::vector<std::string> out, reader.strings_or_empty(key));
  return std::optional(std::move(out));
}

Result<DataRule> read_data_rule(const ObjectReader& reader) {
  TANDEM_TRY(reader.allow_only({"vendor", "tier", "classes"}));
  DataRule out;
  TANDEM_TRY_ASSIGN(out.vendor, reader.string_or("vendor", ""));
  TANDEM_TRY_ASSIGN(const std::string tier, reader.string_or("tier", ""));
  if (!tier.empty()) {
    out.tier = job::find_tier(tier);
    if (!out.tier)
      return fail_at(reader.at("tier"), errors::kValueOutOfRange, "{} is not one of cpu, gpu, simulator, qpu",
                     quote(tier));
  }
  TANDEM_TRY(reader.array("classes"));
  TANDEM_TRY_ASSIGN(out.classes, read_words(reader, "classes", job::data_classes()));
  return out;
}

Result<Rule> read_rule(const ObjectReader& reader, std::set<std::string>& names) {
  TANDEM_TRY(reader.allow_only({"name", "tenant", "project", "vendors", "preferred_vendor", "regions", "data",
                                "simulators_only", "requires_simulation"}));
  Rule out;
  TANDEM_TRY_ASSIGN(out.name, read_name(reader, names));
  TANDEM_TRY_ASSIGN(out.tenant, reader.string_or("tenant", ""));
  TANDEM_TRY_ASSIGN(out.project, reader.string_or("project", ""));
  TANDEM_TRY_ASSIGN(out.vendors, read_list(reader, "vendors"));
  TANDEM_TRY_ASSIGN(out.preferred_vendor, reader.string_or("preferred_vendor", ""));
  TANDEM_TRY_ASSIGN(out.regions, read_list(reader, "regions"));
  if (reader.has("data")) {
    TANDEM_TRY_ASSIGN(const Json* list, reader.array("data"));
    for (std::size_t i = 0; i < list->size(); ++i) {
      TANDEM_TRY_ASSIGN(const ObjectReader item,
                        ObjectReader::create((*list)[i], fmt::format("{}/{}", reader.at("data"), i)));
      TANDEM_TRY_ASSIGN(DataRule data, read_data_rule(item));
      out.data.push_back(std::move(data));
    }
  }
  TANDEM_TRY_ASSIGN(out.simulators_only, reader.boolean_or("simulators_only", false));
  if (reader.has("requires_simulation")) {
    TANDEM_TRY_ASSIGN(out.requires_simulation, reader.boolean_or("requires_simulation", false));
  }
  return out;
}

Result<void> read_when(const ObjectReader& reader, ApprovalRule& out) {
  TANDEM_TRY(reader.allow_only({"cost_above_usd_micros", "any_qpu", "data_classes", "production"}));
  if (reader.has("cost_above_usd_micros")) {
    TANDEM_TRY_ASSIGN(const std::int64_t micros, reader.integer("cost_above_usd_micros", 0, INT64_MAX));
    out.cost_above = job::Money{micros};
  }
  TANDEM_TRY_ASSIGN(out.any_qpu, reader.boolean_or("any_qpu", false));
  TANDEM_TRY_ASSIGN(out.data_classes, read_words(reader, "data_classes", job::data_classes()));
  TANDEM_TRY_ASSIGN(out.production, reader.boolean_or("production", false));
  return {};
}

Result<ApprovalRule> read_approval(const ObjectReader& reader, std::set<std::string>& names) {
  TANDEM_TRY(reader.allow_only({"name", "tenant", "project", "when", "approvers", "role", "of", "expires"}));
  ApprovalRule out;
  TANDEM_TRY_ASSIGN(out.name, read_name(reader, names));
  TANDEM_TRY_ASSIGN(out.tenant, reader.string_or("tenant", ""));
  TANDEM_TRY_ASSIGN(out.project, reader.string_or("project", ""));
  TANDEM_TRY_ASSIGN(const ObjectReader when, reader.object("when"));
  TANDEM_TRY(read_when(when, out));
  if (!out.cost_above && !out.any_qpu && out.data_classes.empty() && !out.production) {
    return fail_at(reader.at("when"), errors::kMissingKey,
                   "it never holds; give cost_above_usd_micros, any_qpu, data_classes or production");
  }
  TANDEM_TRY_ASSIGN(const std::int64_t approvers, reader.integer_or("approvers", 1, 1, Rules::kApproversMax));
  out.approvers = static_cast<std::uint32_t>(approvers);
  TANDEM_TRY_ASSIGN(out.role, reader.string_or("role", to_string(identity::Role::kApprover)));
  const auto role = identity::find_role(out.role);
  if (!role || *role == identity::Role::kTicket) {
    return fail_at(reader.at("role"), errors::kValueOutOfRange, "{} is no role of a person; there are {}",
                   quote(out.role), identity::role_names());
  }
  TANDEM_TRY_ASSIGN(out.of, reader.strings_or_empty("of"));
  if (!out.of.empty() && std::set<std::string>(out.of.begin(), out.of.end()).size() < out.approvers) {
    return fail_at(reader.at("of"), errors::kValueOutOfRange, "it names fewer people than the {} that have to approve",
                   out.approvers);
  }
  out.expires_ms = Rules::kExpiresMsDefault;
  if (reader.has("expires")) {
    TANDEM_TRY_ASSIGN(const std::string text, reader.string("expires"));
    auto expires = parse_duration(text);
    if (!expires) {
      expires.error().place = reader.at("expires");
      return tl::unexpected(std::move(expires).error());
    }
    out.expires_ms = std::chrono::ceil<std::chrono::milliseconds>(*expires).count();
    if (out.expires_ms < 1 || out.expires_ms > Rules::kExpiresMsMax)
      return fail_at(reader.at("expires"), errors::kValueOutOfRange, "{} is not from 1 ms to 365 days", quote(text));
  }
  return out;
}

template <typename AnyRule, typename Read>
Result<std::vector<AnyRule>> read_all(const ObjectReader& file, std::string_view key, std::set<std::string>& names,
                                      const Read& read) {
  std::vector<AnyRule> out;
  if (!file.has(key)) return out;
  TANDEM_TRY_ASSIGN(const Json* list, file.array(key));
  if (list->size() > Rules::kRulesMax)
    return fail_at(file.at(key), errors::kValueOutOfRange, "there are {} rules, the limit is {}", list->size(),
                   Rules::kRulesMax);
  for (std::size_t i = 0; i < list->size(); ++i) {
    TANDEM_TRY_ASSIGN(const ObjectReader reader,
                      ObjectReader::create((*list)[i], fmt::format("{}/{}", file.at(key), i)));
    TANDEM_TRY_ASSIGN(AnyRule rule, read(reader, names));
    out.push_back(std::move(rule));
  }
  return out;
}

// ---- writing, for digests

Json document_of(const Rule& rule) {
  Json data = Json::array();
  for (const DataRule& one : rule.data)
    data.push_back(
        {{"vendor", one.vendor}, {"tier", one.tier ? job::to_string(*one.tier) : ""}, {"classes", one.classes}});
  return {{"name", rule.name},
          {"vendors", rule.vendors ? Json(*rule.vendors) : Json()},
          {"preferred_vendor", rule.preferred_vendor},
          {"regions", rule.regions ? Json(*rule.regions) : Json()},
          {"data", std::move(data)},
          {"simulators_only", rule.simulators_only},
          {"requires_simulation", rule.requires_simulation ? Json(*rule.requires_simulation) : Json()}};
}

Json document_of(const ApprovalRule& rule) {
  return {{"name", rule.name},
          {"cost_above_usd_micros", rule.cost_above ? Json(rule.cost_above->usd_micros) : Json()},
          {"any_qpu", rule.any_qpu},
          {"data_classes", rule.data_classes},
          {"production", rule.production},
          {"approvers", rule.approvers},
          {"role", rule.role},
          {"of", rule.of},
          {"expires_ms", rule.expires_ms}};
}

template <typename AnyRule>
Json documents_of(const std::vector<AnyRule>& rules, const Subject& subject) {
  Json out = Json::array();
  for (const AnyRule& rule : rules)
    if (applies(rule, subject)) out.push_back(document_of(rule));
  return out;
}

}  // namespace

Subject Subject::of(std::string_view tenant, const job::JobSpec& spec) {
  return {.tenant = std::string(tenant),
          .project = spec.schedule.project,
          .stage = spec.business.stage,
          .data_class = spec.business.data_class};
}

Result<Rules> Rules::parse(std::string_view text, std::string_view name) {
  TANDEM_TRY_ASSIGN(const LocatedJson located, parse_yaml(text, name));
  const auto read = [&]() -> Result<Rules> {
    TANDEM_TRY_ASSIGN(const ObjectReader file, ObjectReader::create(located.value, ""));
    TANDEM_TRY(file.allow_only({"rules", "approvals"}));
    Rules out;
    out.is_set_ = true;
    std::set<std::string> names;  // of both kinds: a decision names one
    TANDEM_TRY_ASSIGN(out.rules_, read_all<Rule>(file, "rules", names, read_rule));
    TANDEM_TRY_ASSIGN(out.approvals_, read_all<ApprovalRule>(file, "approvals", names, read_approval));
    return out;
  };
  return read().map_error([&](Error error) { return located.at_its_place(std::move(error)); });
}

namespace {

/// The rule that wants a simulator to have passed; empty: none does. A rule that says so outdoes one that does not want it, and
/// pilots are simulated first where no rule says anything.
std::string simulation_rule(const std::vector<Rule>& rules, const Subject& subject) {
  bool said = false;
  for (const Rule& rule : rules) {
    if (!applies(rule, subject) || !rule.requires_simulation) continue;
    if (*rule.requires_simulation) return rule.name;
    said = true;
  }
  return !said && subject.stage == job::kPilot ? std::string(kBuiltIn) : std::string();
}

}  // namespace

bool Rules::asks_for_simulation(const Subject& subject, const BackendInfo& backend) const {
  return backend.tier == Tier::kQpu && (is_set_ || !backend.emulated) && !simulation_rule(rules_, subject).empty();
}

std::string Rules::refusal(const Subject& subject, const BackendInfo& backend, bool simulated) const {
  if (!is_bound(backend)) return {};
  for (const Rule& rule : rules_) {
    if (!applies(rule, subject)) continue;
    if (std::string out = refusal_by(rule, subject, backend); !out.empty()) return out;
  }
  if (simulated || !asks_for_simulation(subject, backend)) return {};
  return by_rule(simulation_rule(rules_, subject)) +
         "wants a simulator to have passed first (requires_simulation), and none has with this encoding and version; "
         "a job on a simulator that succeeds is enough";
}

std::string Rules::preferred_vendor(const Subject& subject) const {
  for (const Rule& rule : rules_)
    if (applies(rule, subject) && !rule.preferred_vendor.empty()) return rule.preferred_vendor;
  return {};
}

std::vector<job::ApprovalNeed> Rules::needs(const Subject& subject, const PlanFacts& plan) const {
  std::vector<job::ApprovalNeed> out;
  for (const ApprovalRule& rule : approvals_) {
    if (!applies(rule, subject)) continue;
    std::vector<std::string> reasons;
    if (rule.cost_above && plan.cost_max > *rule.cost_above)
      reasons.push_back(fmt::format("it may cost {}, above {}", format_usd(plan.cost_max.usd_micros),
                                    format_usd(rule.cost_above->usd_micros)));
    else if (rule.cost_above && plan.cost_max_emulated > *rule.cost_above)
      reasons.push_back(fmt::format("it may cost {} of play money, above {}",
                                    format_usd(plan.cost_max_emulated.usd_micros),
                                    format_usd(rule.cost_above->usd_micros)));
    if (rule.any_qpu && plan.any_qpu) reasons.emplace_back("it asks quantum hardware");
    if (contains(rule.data_classes, subject.data_class))
      reasons.push_back(fmt::format("its data is {}", subject.data_class));
    if (rule.production && subject.stage == job::kProduction) reasons.emplace_back("it is production");
    if (reasons.empty()) continue;
    out.push_back({.rule = rule.name,
                   .reason = fmt::format("{}", fmt::join(reasons, "; ")),
                   .approvers = rule.approvers,
                   .role = rule.role,
                   .of = rule.of,
                   .expires_ms = rule.expires_ms});
  }
  return out;
}

std::optional<job::Money> Rules::unasked_cost_max(const Subject& subject) const {
  std::optional<job::Money> out;
  for (const ApprovalRule& rule : approvals_)
    if (applies(rule, subject) && rule.cost_above) out = std::min(out.value_or(*rule.cost_above), *rule.cost_above);
  return out;
}

Json Rules::applying(const Subject& subject) const {
  if (!is_set_) return Json();
  return {{"rules", documents_of(rules_, subject)}, {"approvals", documents_of(approvals_, subject)}};
}

}  // namespace tandem::access
