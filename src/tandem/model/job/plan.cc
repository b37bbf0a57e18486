#include "tandem/model/job/plan.h"

#include <algorithm>
#include <array>

#include "tandem/base/json_writer.h"

namespace tandem::job {
namespace {

constexpr std::array<std::string_view, 4> kTiers = {"cpu", "gpu", "simulator", "qpu"};
constexpr std::array<std::string_view, 2> kAccesses = {"local", "cloud"};
constexpr std::array<std::string_view, 4> kBases = {"computed", "historical", "assumed", "unavailable"};
constexpr std::array<std::string_view, 7> kSteps = {"formulate", "reduce",   "solve", "refine",
                                                    "run",       "baseline", "score"};

template <typename Enum, std::size_t N>
std::optional<Enum> find_name(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  return std::nullopt;
}

/// Reads a member that names one of `names`.
template <typename Enum, std::size_t N>
Result<Enum> read_name(const ObjectReader& reader, std::string_view key, const std::array<std::string_view, N>& names) {
  TANDEM_TRY_ASSIGN(const std::string text, reader.string(key));
  if (const auto found = find_name<Enum>(names, text)) return *found;
  return fail_at(reader.at(key), errors::kValueOutOfRange, "'{}' is not one of the {} known values of '{}'", text, N,
                 key);
}

// What is written is written in the order of the canonical form.

void write_estimate(JsonWriter& out, const Estimate& estimate) {
  out.member("cost_basis", to_string(estimate.cost_basis));
  if (!estimate.cost_source.empty()) out.member("cost_source", estimate.cost_source);
  if (estimate.cost) out.member("cost_usd_micros", estimate.cost->usd_micros);
  out.member("latency_basis", to_string(estimate.latency_basis))
      .member_if("latency_ms", estimate.latency_ms)
      .member_if("quality", estimate.quality)
      .member("quality_basis", to_string(estimate.quality_basis));
}

Result<Estimate> parse_estimate(const ObjectReader& reader) {
  Estimate out;
  TANDEM_TRY_ASSIGN(out.cost_basis, read_name<Basis>(reader, "cost_basis", kBases));
  TANDEM_TRY_ASSIGN(out.cost_source, reader.string_or("cost_source", ""));
  TANDEM_TRY_ASSIGN(out.latency_basis, read_name<Basis>(reader, "latency_basis", kBases));
  TANDEM_TRY_ASSIGN(out.quality_basis, read_name<Basis>(reader, "quality_basis", kBases));
  if (reader.has("cost_usd_micros")) {
    TANDEM_TRY_ASSIGN(const std::int64_t micros, reader.integer("cost_usd_micros", INT64_MIN, INT64_MAX));
    out.cost = Money{micros};
  }
  if (reader.has("latency_ms")) {
    TANDEM_TRY_ASSIGN(out.latency_ms, reader.number("latency_ms"));
  }
  if (reader.has("quality")) {
    TANDEM_TRY_ASSIGN(out.quality, reader.number("quality"));
  }
  return out;
}

void write_candidate(JsonWriter& out, const Candidate& candidate) {
  out.member("access", to_string(candidate.access))
      .member("backend", candidate.backend)
      .member("emulated", candidate.emulated)
      .object("estimate", [&](JsonWriter& estimate) { write_estimate(estimate, candidate.estimate); })
      .member("feasible", candidate.feasible)
      .member("method", candidate.method)
      .member("reason", candidate.reason)
      .member("tier", to_string(candidate.tier));
}

Result<Candidate> parse_candidate(const Json& value, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  Candidate out;
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(out.method, reader.string("method"));
  TANDEM_TRY_ASSIGN(out.tier, read_name<Tier>(reader, "tier", kTiers));
  TANDEM_TRY_ASSIGN(out.access, read_name<Access>(reader, "access", kAccesses));
  TANDEM_TRY_ASSIGN(out.emulated, reader.boolean_or("emulated", false));
  TANDEM_TRY_ASSIGN(const ObjectReader estimate, reader.object("estimate"));
  TANDEM_TRY_ASSIGN(out.estimate, parse_estimate(estimate));
  TANDEM_TRY_ASSIGN(out.feasible, reader.boolean_or("feasible", true));
  TANDEM_TRY_ASSIGN(out.reason, reader.string("reason"));
  return out;
}

void write_step(JsonWriter& out, const PlanStep& step) {
  out.member("backend", step.backend)
      .member("fallbacks", list_document(step.fallbacks))
      .member("kind", to_string(step.kind))
      .member("parameters", step.parameters);
}

Result<PlanStep> parse_step(const Json& value, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  PlanStep out;
  TANDEM_TRY_ASSIGN(out.kind, read_name<StepKind>(reader, "kind", kSteps));
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(out.fallbacks, parse_list_or_empty<Fallback>(reader, "fallbacks"));
  if (const Json* parameters = reader.find("parameters")) out.parameters = *parameters;
  return out;
}

/// `digest`: none where it is not known yet.
std::string write(const Plan& plan, const std::optional<std::string>& digest) {
  JsonWriter out;
  out.member("approvals", list_document(plan.approvals))
      .member("baseline", plan.baseline)
      .objects("candidates", plan.candidates, write_candidate)
      .member("cost_max_needed_emulated_usd_micros", plan.cost_max_needed_emulated.usd_micros)
      .member("cost_max_needed_usd_micros", plan.cost_max_needed.usd_micros)
      .member_if("digest", digest)
      .member("policy_digest", plan.policy_digest)
      .member("primary", plan.primary)
      .member("reasons", plan.reasons)
      .objects("steps", plan.steps, write_step);
  return out.finish();
}

}  // namespace

std::string_view to_string(Tier tier) { return kTiers[static_cast<std::size_t>(tier)]; }
std::string_view to_string(Access access) { return kAccesses[static_cast<std::size_t>(access)]; }
std::string_view to_string(Basis basis) { return kBases[static_cast<std::size_t>(basis)]; }
std::string_view to_string(StepKind kind) { return kSteps[static_cast<std::size_t>(kind)]; }
std::optional<Tier> find_tier(std::string_view name) { return find_name<Tier>(kTiers, name); }
std::optional<Access> find_access(std::string_view name) { return find_name<Access>(kAccesses, name); }

Json ApprovalNeed::document() const {
  return {{"rule", rule}, {"reason", reason}, {"approvers", approvers},
          {"role", role}, {"of", of},         {"expires_ms", expires_ms}};
}

Result<ApprovalNeed> ApprovalNeed::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  ApprovalNeed out;
  TANDEM_TRY_ASSIGN(out.rule, reader.string("rule"));
  TANDEM_TRY_ASSIGN(out.reason, reader.string("reason"));
  TANDEM_TRY_ASSIGN(const std::int64_t approvers, reader.integer("approvers", 1, UINT32_MAX));
  out.approvers = static_cast<std::uint32_t>(approvers);
  TANDEM_TRY_ASSIGN(out.role, reader.string("role"));
  TANDEM_TRY_ASSIGN(out.of, reader.strings_or_empty("of"));
  TANDEM_TRY_ASSIGN(out.expires_ms, reader.integer("expires_ms", 1, INT64_MAX));
  return out;
}

std::vector<std::string> Plan::backends() const {
  std::vector<std::string> out;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
  };
  for (const PlanStep& step : steps) {
    add(step.backend);
    for (const std::string& arm : step.parameters.value("quantum_backends", std::vector<std::string>())) add(arm);
    for (const Fallback& entry : step.fallbacks) add(entry.backend);
  }
  return out;
}

std::string Plan::digest() const { return sha256(write(*this, std::nullopt)).hex(); }

JsonText Plan::text(const std::string& digest) const { return JsonText::of(write(*this, digest)); }
Json Plan::document() const { return text().value(); }

Result<Plan> Plan::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"primary", "baseline", "steps", "candidates", "reasons", "cost_max_needed_usd_micros",
                                "cost_max_needed_emulated_usd_micros", "policy_digest", "approvals", "digest"}));
  Plan out;
  TANDEM_TRY_ASSIGN(out.primary, reader.string("primary"));
  TANDEM_TRY_ASSIGN(out.baseline, reader.string("baseline"));
  TANDEM_TRY_ASSIGN(out.policy_digest, reader.string("policy_digest"));
  TANDEM_TRY_ASSIGN(out.cost_max_needed.usd_micros, reader.integer("cost_max_needed_usd_micros", 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(out.cost_max_needed_emulated.usd_micros,
                    reader.integer_or("cost_max_needed_emulated_usd_micros", 0, 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(out.reasons, reader.strings_or_empty("reasons"));
  TANDEM_TRY_ASSIGN(const Json* steps, reader.array("steps"));
  for (std::size_t i = 0; i < steps->size(); ++i) {
    TANDEM_TRY_ASSIGN(PlanStep step, parse_step((*steps)[i], fmt::format("{}/{}", reader.at("steps"), i)));
    out.steps.push_back(std::move(step));
  }
  TANDEM_TRY_ASSIGN(const Json* candidates, reader.array("candidates"));
  for (std::size_t i = 0; i < candidates->size(); ++i) {
    TANDEM_TRY_ASSIGN(Candidate candidate,
                      parse_candidate((*candidates)[i], fmt::format("{}/{}", reader.at("candidates"), i)));
    out.candidates.push_back(std::move(candidate));
  }
  TANDEM_TRY_ASSIGN(out.approvals, parse_list_or_empty<ApprovalNeed>(reader, "approvals"));
  TANDEM_TRY_ASSIGN(const std::string digest, reader.string("digest"));
  // Of the document as it stands: an older one may say the same in other words.
  Json undigested = document;
  undigested.erase("digest");
  const std::string actual = sha256(canonical_json(undigested)).hex();
  if (digest != actual) {
    return fail_at(reader.at("digest"), errors::kStoreDamaged, "the plan's digest is {} but its content hashes to {}",
                   digest, actual);
  }
  return out;
}

}  // namespace tandem::job
