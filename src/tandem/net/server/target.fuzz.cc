// Request targets: whatever is accepted is clean, and survives encoding and decoding again.
#include "tandem/net/server/target.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/base/assert.h"

namespace {

std::string encode(std::string_view text, bool keep_slashes) {
  std::string encoded;
  for (const char c : text) {
    if (keep_slashes && c == '/') {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kParametersMax = 100;
  const auto target = tandem::server::parse_target({reinterpret_cast<const char*>(data), size}, kParametersMax);
  if (!target) return 0;

  const std::string& path = target->path;
  TANDEM_ASSERT(path.starts_with('/'));
  TANDEM_ASSERT(path.find("//") == std::string::npos && path.find('\\') == std::string::npos);
  TANDEM_ASSERT((path + "/").find("/../") == std::string::npos && (path + "/").find("/./") == std::string::npos);
  TANDEM_ASSERT(target->query.size() <= kParametersMax);

  std::string again = encode(path, true);
  char separator = '?';
  for (const auto& [name, value] : target->query) {
    again += separator + encode(name, false) + "=" + encode(value, false);
    separator = '&';
  }
  const auto second = tandem::server::parse_target(again, kParametersMax);
  TANDEM_ASSERT(second && *second == *target);
  return 0;
}
