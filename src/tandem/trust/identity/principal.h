// tandem/trust/identity/principal.h - Principal: who asks, for which tenant, and what that one may do.
//
// Room: trust. A value; the same for a person at a terminal, a client of the API and a ticket system. Not here: how one is
// recognised (identity_book.h), what a job may use (trust/access), whose money it spends (trust/budget).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/result.h"

namespace tandem::identity {

/// What one may be to a tenant. A role says nothing of another one: who may approve is not thereby allowed to submit.
enum class Role : std::uint8_t {
  kSubmitter,  ///< hands jobs in, and acts on those of his own
  kApprover,  ///< decides on approvals and reviews; never on jobs of his own
  kOperator,  ///< acts on every job of the tenant, reads metrics
  kAuditor,  ///< reads everything of the tenant, and metrics
  kAdmin,  ///< what submitter, operator and auditor may; does not approve
  kTicket,  ///< a ticket system: posts decisions with their external_ref, and nothing else
};
inline constexpr std::size_t kNumRoles = static_cast<std::size_t>(Role::kTicket) + 1;
std::string_view to_string(Role role);  ///< "submitter", ...
std::optional<Role> find_role(std::string_view name);
/// Of all roles, for messages: "submitter, approver, ...".
std::string role_names();

/// A set of roles.
class Roles {
 public:
  Roles() = default;
  Roles(std::initializer_list<Role> roles) {
    for (const Role role : roles) add(role);
  }
  void add(Role role) { bits_ |= static_cast<std::uint8_t>(1u << static_cast<unsigned>(role)); }
  bool has(Role role) const { return (bits_ >> static_cast<unsigned>(role) & 1u) != 0; }
  bool has_any(Roles other) const { return (bits_ & other.bits_) != 0; }
  bool empty() const { return bits_ == 0; }
  std::vector<std::string> names() const;  ///< in the order of Role
  friend bool operator==(Roles, Roles) = default;

 private:
  std::uint8_t bits_ = 0;
};

/// Whose word an approval needs is said by its rule (trust/access).
enum class Permission : std::uint8_t {
  kRead,  ///< jobs, results, backends, approvals of the tenant
  kSubmit,  ///< jobs and plans; cancel, suspend, resume, retry and remove jobs of one's own
  kOperate,  ///< the same on jobs of others
  kReview,  ///< a result that is not trusted enough
  kObserve,  ///< metrics of the whole server
};
/// The roles that carry it.
Roles roles_with(Permission permission);

inline constexpr std::string_view kDefaultTenant = "default";
inline constexpr std::string_view kLocalUser = "local";

/// Threads: a value; never changed once it is shared.
struct Principal {
  std::string tenant{kDefaultTenant};
  std::string user{kLocalUser};
  Roles roles;
  std::vector<std::string> projects;  ///< that it may see and submit to; empty: every project of its tenant

  /// "user:ann": in events, rows and logs.
  std::string actor() const;
  bool may(Permission permission) const { return roles.has_any(roles_with(permission)); }
  /// Whether a job is there at all for it.
  bool sees(std::string_view job_tenant, std::string_view project) const;
  /// Errors: 4102 not_permitted - names the roles that would do.
  Result<void> require(Permission permission) const;
  friend bool operator==(const Principal&, const Principal&) = default;
};
/// The user behind an actor: "ann" of "user:ann"; of any other actor all of it.
std::string_view user_of(std::string_view actor);
using PrincipalPtr = std::shared_ptr<const Principal>;  ///< never null

/// Where identity is not set up: tenant "default", user "local", every role but that of a ticket system.
PrincipalPtr local_principal();

/// Names of tenants and users: 1 to kNameMax of letters, digits, '.', '_', '-', '@', not first a '.' or '-'. They stand in
/// keys and actors, between separators.
inline constexpr std::size_t kNameMax = 64;
/// Errors: 1023 value_out_of_range at `place`.
Result<void> check_name(std::string place, std::string_view name);

}  // namespace tandem::identity
