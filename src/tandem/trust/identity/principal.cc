#include "tandem/trust/identity/principal.h"

#include <algorithm>
#include <array>

#include "tandem/base/text.h"

namespace tandem::identity {
namespace {

constexpr std::array<std::string_view, kNumRoles> kRoleNames = {"submitter", "approver", "operator",
                                                                "auditor",   "admin",    "ticket"};

std::string_view words_of(Permission permission) {
  switch (permission) {
    case Permission::kRead:
      return "read";
    case Permission::kSubmit:
      return "submit jobs";
    case Permission::kOperate:
      return "act on jobs of others";
    case Permission::kReview:
      return "review results";
    case Permission::kObserve:
      return "read metrics";
  }
  return "";
}

bool is_name_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-' ||
         c == '@';
}

}  // namespace

std::string_view to_string(Role role) { return kRoleNames[static_cast<std::size_t>(role)]; }

std::optional<Role> find_role(std::string_view name) {
  for (std::size_t i = 0; i < kNumRoles; ++i)
    if (kRoleNames[i] == name) return static_cast<Role>(i);
  return std::nullopt;
}

std::string role_names() { return fmt::format("{}", fmt::join(kRoleNames, ", ")); }

std::vector<std::string> Roles::names() const {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < kNumRoles; ++i)
    if (has(static_cast<Role>(i))) out.emplace_back(kRoleNames[i]);
  return out;
}

Roles roles_with(Permission permission) {
  switch (permission) {
    case Permission::kRead:
      return {Role::kSubmitter, Role::kApprover, Role::kOperator, Role::kAuditor, Role::kAdmin};
    case Permission::kSubmit:
      return {Role::kSubmitter, Role::kAdmin};
    case Permission::kOperate:
      return {Role::kOperator, Role::kAdmin};
    case Permission::kReview:
      return {Role::kApprover, Role::kOperator, Role::kAdmin};
    case Permission::kObserve:
      return {Role::kOperator, Role::kAuditor, Role::kAdmin};
  }
  return {};
}

namespace {
constexpr std::string_view kActorPrefix = "user:";
}

std::string Principal::actor() const { return std::string(kActorPrefix) + user; }

std::string_view user_of(std::string_view actor) {
  return actor.starts_with(kActorPrefix) ? actor.substr(kActorPrefix.size()) : actor;
}

bool Principal::sees(std::string_view job_tenant, std::string_view project) const {
  if (job_tenant != tenant) return false;
  return projects.empty() || std::find(projects.begin(), projects.end(), project) != projects.end();
}

Result<void> Principal::require(Permission permission) const {
  if (may(permission)) return {};
  return fail(errors::kNotPermitted, "user {} of tenant {} is {} and may not {}; that takes one of the roles {}",
              quote(user), quote(tenant), fmt::join(roles.names(), ", "), words_of(permission),
              fmt::join(roles_with(permission).names(), ", "));
}

PrincipalPtr local_principal() {
  return std::make_shared<const Principal>(
      Principal{.tenant = std::string(kDefaultTenant),
                .user = std::string(kLocalUser),
                .roles = {Role::kSubmitter, Role::kApprover, Role::kOperator, Role::kAuditor, Role::kAdmin},
                .projects = {}});
}

Result<void> check_name(std::string place, std::string_view name) {
  const bool begins = !name.empty() && name.front() != '.' && name.front() != '-';
  if (begins && name.size() <= kNameMax && std::all_of(name.begin(), name.end(), is_name_character)) return {};
  return fail_at(std::move(place), errors::kValueOutOfRange,
                 "{} is no name; write 1 to {} letters, digits and . _ - @, and no . or - first", quote(name),
                 kNameMax);
}

}  // namespace tandem::identity
