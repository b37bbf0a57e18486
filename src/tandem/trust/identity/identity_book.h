// tandem/trust/identity/identity_book.h - IdentityBook: who stands behind a token.
//
// Room: trust. Read from a YAML file (setting identity.file) that holds no token, only the SHA-256 of each:
//
//   tokens:
//   - sha256: 64 hexadecimal digits
//     tenant: acme
//     user: ann
//     roles: [submitter, auditor]
//     projects: [pilot]                    # optional: only these
//     expires_at: 2027-01-31T00:00:00Z     # optional
//
// Tokens are drawn with 256 bits, so a plain hash keeps them. Not here: passwords, OIDC, sessions.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tandem/base/clock.h"
#include "tandem/base/hash.h"
#include "tandem/base/rng.h"
#include "tandem/trust/identity/principal.h"

namespace tandem::identity {

/// A token as it leaves the house, once, and what stays here of it.
struct NewToken {
  std::string token;  ///< "tdm_" and 64 hexadecimal digits
  std::string sha256;  ///< hex
};
NewToken new_token(Rng& rng);
/// An entry of the file, indented as it stands there.
std::string file_entry(const NewToken& token, const Principal& principal);

/// Threads: immutable; safe to share.
/// Cost:    find() is one SHA-256 of the token and one look into a hash table: about a microsecond.
class IdentityBook {
 public:
  static constexpr std::size_t kTokensMax = 100'000;
  static constexpr std::size_t kTokenBytesMax = 1024;  ///< a longer one is nobody's

  /// Of a server without a file: everybody is local_principal(), with a token or without one.
  static IdentityBook open_to_all();
  /// Errors: those of parse_yaml; 1020..1023 with file:line - also a token that stands twice, a role that there is not, `ticket` beside
  ///         another role, names as check_name() does not take them.
  static Result<IdentityBook> parse(std::string_view text, std::string_view name);

  bool is_open() const { return open_ != nullptr; }
  /// `token`: empty where none was given. Errors: 4101 not_authenticated - none, an unknown one or one that has expired; the message
  /// does not tell an unknown one from an expired one.
  Result<PrincipalPtr> find(std::string_view token, Timestamp now) const;

 private:
  struct Entry {
    PrincipalPtr principal;
    std::optional<Timestamp> expires_at;
  };
  /// A digest is as good as random: its first bytes are its hash. Found entries are compared whole, in constant time.
  struct FirstBytes {
    std::size_t operator()(const Sha256& digest) const;
  };
  struct SameInConstantTime {
    bool operator()(const Sha256& a, const Sha256& b) const;
  };
  PrincipalPtr open_;  ///< null where there is a file
  std::unordered_map<Sha256, Entry, FirstBytes, SameInConstantTime> entries_;
};

}  // namespace tandem::identity
