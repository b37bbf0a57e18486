#include "tandem/trust/approval/approval.h"

#include <algorithm>
#include <array>
#include <set>

#include "tandem/base/text.h"
#include "tandem/model/job/fallback.h"

namespace tandem::approval {
namespace {

using identity::Role;
using job::ApprovalNeed;

constexpr std::array<std::string_view, 5> kStates = {"pending", "approved", "rejected", "expired", "void"};
constexpr std::array<std::string_view, 2> kVerdicts = {"approve", "reject"};
constexpr std::string_view kJobPrefix = "job_";
constexpr std::string_view kApprovalPrefix = "apr_";
constexpr std::string_view kUserPrefix = "user:";
constexpr std::uint32_t kNumberMax = 999'999;

template <typename Enum, std::size_t N>
std::optional<Enum> find_name(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  return std::nullopt;
}

/// Whether a need counts who has these roles and this name.
bool counts(const ApprovalNeed& need, std::string_view actor, identity::Roles roles) {
  const auto role = identity::find_role(need.role);
  const bool has_role = (role && roles.has(*role)) || roles.has(Role::kTicket);
  if (!has_role || !actor.starts_with(kUserPrefix)) return false;
  const std::string_view user = actor.substr(kUserPrefix.size());
  return need.of.empty() || std::find(need.of.begin(), need.of.end(), user) != need.of.end();
}

std::string needs_words(const std::vector<ApprovalNeed>& needs) {
  std::string out;
  for (const ApprovalNeed& need : needs)
    out += fmt::format("{}{} ({} of role {}{})", out.empty() ? "" : ", ", need.rule, need.approvers, need.role,
                       need.of.empty() ? "" : fmt::format(" among {}", fmt::join(need.of, ", ")));
  return out;
}

Result<void> check_text(std::string place, std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max)
    return fail_at(std::move(place), errors::kValueOutOfRange, "it has {} bytes, the limit is {}", text.size(),
                   bytes_max);
  if (const std::size_t at = invalid_utf8_at(text); at != std::string_view::npos)
    return fail_at(std::move(place), errors::kValueOutOfRange, "byte {} of it is not UTF-8", at);
  return {};
}

Json document_of(const Decision& decision) {
  return {
      {"actor", decision.actor},   {"roles", decision.roles.names()},       {"decision", to_string(decision.verdict)},
      {"reason", decision.reason}, {"external_ref", decision.external_ref}, {"at", format_rfc3339(decision.at)}};
}

Result<Decision> parse_decision(const Json& value, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  Decision out;
  TANDEM_TRY_ASSIGN(out.actor, reader.string("actor"));
  TANDEM_TRY_ASSIGN(const std::vector<std::string> roles, reader.strings_or_empty("roles"));
  for (const std::string& name : roles) {
    const auto role = identity::find_role(name);
    if (!role) return fail_at(reader.at("roles"), errors::kStoreDamaged, "there is no role {}", quote(name));
    out.roles.add(*role);
  }
  TANDEM_TRY_ASSIGN(const std::string verdict, reader.string("decision"));
  const auto known = find_name<Verdict>(kVerdicts, verdict);
  if (!known) return fail_at(reader.at("decision"), errors::kStoreDamaged, "{} is no decision", quote(verdict));
  out.verdict = *known;
  TANDEM_TRY_ASSIGN(out.reason, reader.string("reason"));
  TANDEM_TRY_ASSIGN(out.external_ref, reader.string("external_ref"));
  TANDEM_TRY_ASSIGN(const std::string at, reader.string("at"));
  TANDEM_TRY_ASSIGN(out.at, parse_rfc3339(at));
  return out;
}

Result<Timestamp> read_time(const ObjectReader& reader, std::string_view key) {
  TANDEM_TRY_ASSIGN(const std::string text, reader.string(key));
  return parse_rfc3339(text);
}

Result<Approval> parse_document(const Json& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  Approval out;
  TANDEM_TRY_ASSIGN(const std::string id, reader.string("approval_id"));
  TANDEM_TRY_ASSIGN(out.id, ApprovalId::parse(id));
  TANDEM_TRY_ASSIGN(out.tenant, reader.string("tenant"));
  TANDEM_TRY_ASSIGN(out.project, reader.string("project"));
  TANDEM_TRY_ASSIGN(out.submitted_by, reader.string("submitted_by"));
  TANDEM_TRY_ASSIGN(out.submitted_before, reader.strings_or_empty("submitted_before"));
  TANDEM_TRY_ASSIGN(const std::string state, reader.string("state"));
  const auto known = find_name<State>(kStates, state);
  if (!known) return fail_at("/state", errors::kStoreDamaged, "{} is no state of an approval", quote(state));
  out.state = *known;
  TANDEM_TRY_ASSIGN(out.reason, reader.string("reason"));
  TANDEM_TRY_ASSIGN(out.subject.plan_digest, reader.string("plan_digest"));
  TANDEM_TRY_ASSIGN(out.subject.policy_digest, reader.string("policy_digest"));
  TANDEM_TRY_ASSIGN(out.subject.cost_max.usd_micros, reader.integer("cost_max_usd_micros", 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(out.subject.cost_max_emulated.usd_micros,
                    reader.integer_or("cost_max_emulated_usd_micros", 0, 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(out.needs, job::parse_list_or_empty<ApprovalNeed>(reader, "needs"));
  TANDEM_TRY_ASSIGN(out.requested_at, read_time(reader, "requested_at"));
  TANDEM_TRY_ASSIGN(out.expires_at, read_time(reader, "expires_at"));
  TANDEM_TRY_ASSIGN(const Json* decisions, reader.array("decisions"));
  for (std::size_t i = 0; i < decisions->size(); ++i) {
    TANDEM_TRY_ASSIGN(Decision decision, parse_decision((*decisions)[i], fmt::format("/decisions/{}", i)));
    out.decisions.push_back(std::move(decision));
  }
  return out;
}

}  // namespace

std::string_view to_string(State state) { return kStates[static_cast<std::size_t>(state)]; }
std::string_view to_string(Verdict verdict) { return kVerdicts[static_cast<std::size_t>(verdict)]; }

std::string ApprovalId::text() const {
  return fmt::format("{}{}_{}", kApprovalPrefix, std::string_view(job.value).substr(kJobPrefix.size()), number);
}

Result<ApprovalId> ApprovalId::parse(std::string_view text) {
  const std::size_t end = text.rfind('_');
  if (!text.starts_with(kApprovalPrefix) || end < kApprovalPrefix.size() || end == std::string_view::npos)
    return tl::unexpected(no_such_approval(text));
  const auto number = parse_int64(text.substr(end + 1));
  auto job =
      parse_job_id(fmt::format("{}{}", kJobPrefix, text.substr(kApprovalPrefix.size(), end - kApprovalPrefix.size())));
  if (!job || !number || *number < 1 || *number > kNumberMax) return tl::unexpected(no_such_approval(text));
  return ApprovalId{.job = *std::move(job), .number = static_cast<std::uint32_t>(*number)};
}

std::string row_prefix(const JobId& job) { return job.value + "/approval/"; }
std::string row_key(const ApprovalId& id) { return fmt::format("{}{:06}", row_prefix(id.job), id.number); }

Error no_such_approval(std::string_view id) {
  return make_error(errors::kApprovalNotFound, "there is no approval {}; `tandem approvals` lists those that wait",
                    quote(id));
}

Result<void> Approval::decide(const identity::Principal& who, const Word& word, Timestamp now) {
  if (state != State::kPending) {
    return fail(errors::kApprovalClosed, "the approval {} is {}{}", id.text(), to_string(state),
                reason.empty() ? "" : ": " + reason);
  }
  if (now.micros >= expires_at.micros)
    return fail(errors::kApprovalClosed, "the approval {} was open until {}", id.text(), format_rfc3339(expires_at));
  const std::string actor = who.actor();
  if (is_submitter(actor))
    return fail(errors::kSelfApproval, "{} submitted the job{} and cannot decide on its plan; it needs {}",
                quote(who.user), actor == submitted_by ? "" : " that this one is a retry of", needs_words(needs));
  const bool counted =
      std::any_of(needs.begin(), needs.end(), [&](const ApprovalNeed& need) { return counts(need, actor, who.roles); });
  if (!counted)
    return fail(errors::kNotPermitted, "user {} is {}; this plan needs {}", quote(who.user),
                fmt::join(who.roles.names(), ", "), needs_words(needs));
  const auto before = std::find_if(decisions.begin(), decisions.end(),
                                   [&](const Decision& decision) { return decision.actor == actor; });
  if (before != decisions.end())
    return fail(errors::kDecidedAlready, "{} decided '{}' at {}; it stays", quote(who.user), to_string(before->verdict),
                format_rfc3339(before->at));
  if (word.reason.empty()) return fail_at("/reason", errors::kMissingKey, "a decision needs its reason");
  TANDEM_TRY(check_text("/reason", word.reason, kReasonMax));
  if (word.external_ref.empty() && who.roles.has(Role::kTicket))
    return fail_at("/external_ref", errors::kMissingKey, "a ticket system names the ticket in which it was decided");
  TANDEM_TRY(check_text("/external_ref", word.external_ref, kExternalRefMax));
  decisions.push_back({.actor = actor,
                       .roles = who.roles,
                       .verdict = word.verdict,
                       .reason = std::string(word.reason),
                       .external_ref = std::string(word.external_ref),
                       .at = now});
  const bool enough = std::all_of(needs.begin(), needs.end(),
                                  [this](const ApprovalNeed& need) { return approvers_of(need) >= need.approvers; });
  if (word.verdict == Verdict::kReject)
    state = State::kRejected;
  else if (enough)
    state = State::kApproved;
  return {};
}

void Approval::close(State how, std::string why) {
  state = how;
  reason = std::move(why);
}

bool Approval::is_submitter(std::string_view actor) const {
  return actor == submitted_by || std::ranges::find(submitted_before, actor) != submitted_before.end();
}

std::size_t Approval::approvers_of(const ApprovalNeed& need) const {
  std::set<std::string_view> people;
  for (const Decision& decision : decisions)
    if (decision.verdict == Verdict::kApprove && !is_submitter(decision.actor) &&
        counts(need, decision.actor, decision.roles))
      people.insert(decision.actor);
  return people.size();
}

bool Approval::covers(const Subject& wanted, const std::vector<ApprovalNeed>& wanted_needs) const {
  const bool rejected = std::any_of(decisions.begin(), decisions.end(),
                                    [](const Decision& decision) { return decision.verdict == Verdict::kReject; });
  return state == State::kApproved && !rejected && subject == wanted && needs == wanted_needs &&
         std::all_of(needs.begin(), needs.end(),
                     [this](const ApprovalNeed& need) { return approvers_of(need) >= need.approvers; });
}

std::vector<std::string> Approval::approved_by() const {
  std::vector<std::string> out;
  for (const Decision& decision : decisions)
    if (decision.verdict == Verdict::kApprove) out.push_back(decision.actor);
  return out;
}

Json Approval::document() const {
  Json words = Json::array();
  for (const Decision& decision : decisions) words.push_back(document_of(decision));
  return {{"approval_id", id.text()},
          {"job_id", id.job.value},
          {"tenant", tenant},
          {"project", project},
          {"submitted_by", submitted_by},
          {"submitted_before", submitted_before},
          {"state", to_string(state)},
          {"reason", reason},
          {"plan_digest", subject.plan_digest},
          {"policy_digest", subject.policy_digest},
          {"cost_max_usd_micros", subject.cost_max.usd_micros},
          {"cost_max_emulated_usd_micros", subject.cost_max_emulated.usd_micros},
          {"needs", job::list_document(needs)},
          {"requested_at", format_rfc3339(requested_at)},
          {"expires_at", format_rfc3339(expires_at)},
          {"decisions", std::move(words)}};
}

Bytes Approval::value() const { return document().dump(); }

Result<Approval> Approval::parse(const store::Row& row) {
  auto document = parse_json(row.value, "approval " + row.key);
  auto out = document.and_then([](const Json& value) { return parse_document(value); });
  if (!out) {
    return fail_at("step/" + row.key, errors::kStoreDamaged, "the approval cannot be read: {}",
                   out.error().to_string());
  }
  out->version = row.version;
  return out;
}

Subject subject_of(const job::Plan& plan, const std::string& plan_digest) {
  return {.plan_digest = plan_digest,
          .policy_digest = plan.policy_digest,
          .cost_max = plan.cost_max_needed,
          .cost_max_emulated = plan.cost_max_needed_emulated};
}

Approval request(Asked asked, const job::Plan& plan, const std::string& plan_digest, Timestamp now) {
  Approval out{.id = std::move(asked.id),
               .tenant = std::move(asked.tenant),
               .project = std::move(asked.project),
               .submitted_by = std::move(asked.submitted_by),
               .submitted_before = std::move(asked.submitted_before),
               .subject = subject_of(plan, plan_digest),
               .needs = plan.approvals,
               .requested_at = now,
               .expires_at = now};
  const auto shortest =
      std::min_element(plan.approvals.begin(), plan.approvals.end(),
                       [](const ApprovalNeed& a, const ApprovalNeed& b) { return a.expires_ms < b.expires_ms; });
  if (shortest != plan.approvals.end()) out.expires_at.micros += shortest->expires_ms * 1000;
  return out;
}

void put(store::Batch& batch, const Approval& approval) {
  const store::Expect expect = approval.version == 0 ? store::Expect::absent() : store::Expect::at(approval.version);
  batch.put(store::Table::kStep, row_key(approval.id), approval.value(), expect);
}

Result<Approval> load(store::Store& store, const ApprovalId& id) {
  TANDEM_TRY_ASSIGN(const auto row, store.get(store::Table::kStep, row_key(id)));
  if (!row) return tl::unexpected(no_such_approval(id.text()));
  return Approval::parse(*row);
}

}  // namespace tandem::approval
