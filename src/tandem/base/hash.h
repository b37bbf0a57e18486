// tandem/base/hash.h - SHA-256 and the RFC 6962 leaf hash.
//
// Room: base. Not here: signatures (trust/audit).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace tandem {

/// A SHA-256 digest. Ordered and printable as 64 hex digits.
struct Sha256 {
  std::array<std::uint8_t, 32> bytes{};
  std::string hex() const;
  friend auto operator<=>(const Sha256&, const Sha256&) = default;
};

Sha256 sha256(std::string_view bytes);
/// The time it takes tells nothing of where they differ.
bool equal_in_constant_time(const Sha256& a, const Sha256& b);
/// RFC 6962 2.1: SHA-256(0x00 || entry).
Sha256 merkle_leaf_hash(std::string_view entry);
/// The attempt token that a vendor echoes: base32(SHA-256(parts joined by 0x1f)), first 26 characters.
std::string attempt_token(std::string_view tenant, std::string_view job, std::string_view step, std::uint32_t attempt);

/// Incremental hashing of large inputs. Not copyable; one thread.
class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(const Sha256Stream&) = delete;
  Sha256Stream& operator=(const Sha256Stream&) = delete;
  void update(std::string_view bytes);
  Sha256 finish();  ///< of all bytes since the last one; the next byte begins anew

 private:
  void begin();
  void* context_;
};

}  // namespace tandem
