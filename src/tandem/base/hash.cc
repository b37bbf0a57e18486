#include "tandem/base/hash.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "tandem/base/assert.h"
#include "tandem/base/bytes.h"

namespace tandem {
namespace {

constexpr std::size_t kAttemptTokenLength = 26;  // 130 bits: no two attempts share one, and vendors' tag limits hold

/// Fetched once: looking an algorithm up by its name takes longer than hashing a row.
const EVP_MD* algorithm() {
  static const EVP_MD* const fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return fetched;
}

EVP_MD_CTX* as_context(void* context) { return static_cast<EVP_MD_CTX*>(context); }
std::string_view as_text(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()};
}

/// To make one takes as long as to hash a row.
Sha256Stream& stream_of_thread() {
  thread_local Sha256Stream stream;
  return stream;
}

}  // namespace

std::string Sha256::hex() const { return to_hex(as_text(*this)); }

Sha256 sha256(std::string_view bytes) {
  Sha256Stream& stream = stream_of_thread();
  stream.update(bytes);
  return stream.finish();
}

bool equal_in_constant_time(const Sha256& a, const Sha256& b) {
  return CRYPTO_memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) == 0;
}

Sha256 merkle_leaf_hash(std::string_view entry) {
  Sha256Stream& stream = stream_of_thread();
  stream.update(std::string_view("\0", 1));
  stream.update(entry);
  return stream.finish();
}

std::string attempt_token(std::string_view tenant, std::string_view job, std::string_view step, std::uint32_t attempt) {
  const Sha256 digest = sha256(fmt::format("{}\x1f{}\x1f{}\x1f{}", tenant, job, step, attempt));
  return to_base32(as_text(digest)).substr(0, kAttemptTokenLength);
}

// OpenSSL fails here only when it cannot allocate or was built without SHA-256; neither leaves anything to return.
Sha256Stream::Sha256Stream() : context_(EVP_MD_CTX_new()) {
  TANDEM_ASSERT(context_ != nullptr);
  begin();
}

void Sha256Stream::begin() { TANDEM_ASSERT(EVP_DigestInit_ex2(as_context(context_), algorithm(), nullptr) == 1); }

Sha256Stream::~Sha256Stream() { EVP_MD_CTX_free(as_context(context_)); }

void Sha256Stream::update(std::string_view bytes) {
  TANDEM_ASSERT(EVP_DigestUpdate(as_context(context_), bytes.data(), bytes.size()) == 1);
}

Sha256 Sha256Stream::finish() {
  Sha256 digest;
  unsigned size = 0;
  TANDEM_ASSERT(EVP_DigestFinal_ex(as_context(context_), digest.bytes.data(), &size) == 1 &&
                size == digest.bytes.size());
  begin();
  return digest;
}

}  // namespace tandem
