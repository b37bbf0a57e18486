#include "tandem/trust/identity/identity_book.h"

#include <algorithm>
#include <cstring>

#include "tandem/base/bytes.h"
#include "tandem/base/text.h"
#include "tandem/base/yaml.h"

namespace tandem::identity {
namespace {

constexpr std::string_view kTokenPrefix = "tdm_";  ///< by which scanners for lost secrets find it
constexpr std::size_t kTokenBytes = 32;
constexpr std::size_t kProjectsMax = 1000;

Result<Sha256> read_digest(const ObjectReader& reader) {
  TANDEM_TRY_ASSIGN(const std::string text, reader.string("sha256"));
  const auto bytes = from_hex(text);
  Sha256 out;
  if (!bytes || bytes->size() != out.bytes.size()) {
    // Not repeated: who wrote the token itself here must not find it in a log as well.
    return fail_at(reader.at("sha256"), errors::kValueOutOfRange,
                   "it is no SHA-256 in {} hexadecimal digits; `tandem token new` prints one", 2 * out.bytes.size());
  }
  std::memcpy(out.bytes.data(), bytes->data(), out.bytes.size());
  return out;
}

Result<Roles> read_roles(const ObjectReader& reader) {
  TANDEM_TRY_ASSIGN(const std::vector<std::string> names, reader.strings_or_empty("roles"));
  Roles out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto role = find_role(names[i]);
    if (!role) {
      return fail_at(fmt::format("{}/{}", reader.at("roles"), i), errors::kValueOutOfRange,
                     "there is no role {}; there are {}", quote(names[i]), role_names());
    }
    out.add(*role);
  }
  if (out.empty())
    return fail_at(reader.at("roles"), errors::kMissingKey, "a token needs at least one role of {}", role_names());
  if (out.has(Role::kTicket) && out != Roles{Role::kTicket}) {
    return fail_at(reader.at("roles"), errors::kValueOutOfRange,
                   "the role ticket stands alone: a ticket system posts decisions and does nothing else");
  }
  return out;
}

Result<Principal> read_principal(const ObjectReader& reader) {
  Principal out;
  TANDEM_TRY_ASSIGN(out.tenant, reader.string("tenant"));
  TANDEM_TRY(check_name(reader.at("tenant"), out.tenant));
  TANDEM_TRY_ASSIGN(out.user, reader.string("user"));
  TANDEM_TRY(check_name(reader.at("user"), out.user));
  TANDEM_TRY_ASSIGN(out.roles, read_roles(reader));
  TANDEM_TRY_ASSIGN(out.projects, reader.strings_or_empty("projects"));
  if (out.projects.size() > kProjectsMax)
    return fail_at(reader.at("projects"), errors::kValueOutOfRange, "it names {} projects, the limit is {}",
                   out.projects.size(), kProjectsMax);
  return out;
}

}  // namespace

NewToken new_token(Rng& rng) {
  std::array<std::uint8_t, kTokenBytes> bytes{};
  rng.fill(bytes);
  NewToken out;
  out.token = std::string(kTokenPrefix) + to_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  out.sha256 = sha256(out.token).hex();
  return out;
}

std::string file_entry(const NewToken& token, const Principal& principal) {
  std::string out = fmt::format("- sha256: \"{}\"\n  tenant: \"{}\"\n  user: \"{}\"\n  roles: [{}]\n", token.sha256,
                                principal.tenant, principal.user, fmt::join(principal.roles.names(), ", "));
  if (!principal.projects.empty()) out += fmt::format("  projects: {}\n", Json(principal.projects).dump());
  return out;
}

std::size_t IdentityBook::FirstBytes::operator()(const Sha256& digest) const {
  std::size_t out = 0;
  std::memcpy(&out, digest.bytes.data(), sizeof out);
  return out;
}

bool IdentityBook::SameInConstantTime::operator()(const Sha256& a, const Sha256& b) const {
  return equal_in_constant_time(a, b);
}

IdentityBook IdentityBook::open_to_all() {
  IdentityBook out;
  out.open_ = local_principal();
  return out;
}

Result<IdentityBook> IdentityBook::parse(std::string_view text, std::string_view name) {
  TANDEM_TRY_ASSIGN(const LocatedJson located, parse_yaml(text, name));
  const auto read = [&]() -> Result<IdentityBook> {
    TANDEM_TRY_ASSIGN(const ObjectReader file, ObjectReader::create(located.value, ""));
    TANDEM_TRY(file.allow_only({"tokens"}));
    TANDEM_TRY_ASSIGN(const Json* list, file.array("tokens"));
    if (list->size() > kTokensMax)
      return fail_at("/tokens", errors::kValueOutOfRange, "there are {} tokens, the limit is {}", list->size(),
                     kTokensMax);
    IdentityBook out;
    for (std::size_t i = 0; i < list->size(); ++i) {
      TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create((*list)[i], fmt::format("/tokens/{}", i)));
      TANDEM_TRY(reader.allow_only({"sha256", "tenant", "user", "roles", "projects", "expires_at"}));
      TANDEM_TRY_ASSIGN(const Sha256 digest, read_digest(reader));
      Entry entry;
      TANDEM_TRY_ASSIGN(Principal principal, read_principal(reader));
      entry.principal = std::make_shared<const Principal>(std::move(principal));
      if (reader.has("expires_at")) {
        TANDEM_TRY_ASSIGN(const std::string at, reader.string("expires_at"));
        auto expires_at = parse_rfc3339(at);
        if (!expires_at) {
          expires_at.error().place = reader.at("expires_at");
          return tl::unexpected(std::move(expires_at).error());
        }
        entry.expires_at = *expires_at;
      }
      if (!out.entries_.emplace(digest, std::move(entry)).second)
        return fail_at(reader.at("sha256"), errors::kValueOutOfRange, "this token stands here already; leave one out");
    }
    return out;
  };
  return read().map_error([&](Error error) { return located.at_its_place(std::move(error)); });
}

Result<PrincipalPtr> IdentityBook::find(std::string_view token, Timestamp now) const {
  if (open_ != nullptr) return open_;
  if (token.empty()) {
    return fail(
        errors::kNotAuthenticated,
        "no token was given; send 'Authorization: Bearer TOKEN', or set client.credential for the command line");
  }
  const auto found = token.size() <= kTokenBytesMax ? entries_.find(sha256(token)) : entries_.end();
  const bool valid =
      found != entries_.end() && (!found->second.expires_at || now.micros < found->second.expires_at->micros);
  if (!valid) return fail(errors::kNotAuthenticated, "the token is unknown here or has expired");
  return found->second.principal;
}

}  // namespace tandem::identity
