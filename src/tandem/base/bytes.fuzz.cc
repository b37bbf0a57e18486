// Any bytes as base64, as gzip and as gzip in base64: a value within the limit or an error, never a crash.
#include "tandem/base/bytes.h"

#include <cstddef>
#include <cstdint>

#include "tandem/base/assert.h"

namespace {

void unpack(std::string_view bytes) {
  constexpr std::uint64_t kLimit = 1u << 20;
  const auto plain = tandem::gunzip(bytes, kLimit);
  TANDEM_ASSERT(plain ? plain->size() <= kLimit : !plain.error().message.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  unpack(text);
  if (const auto bytes = tandem::from_base64(text)) {
    TANDEM_ASSERT(tandem::to_base64(*bytes) == text);
    unpack(*bytes);
  }
  return 0;
}
