// The text that this part parses itself: entries of the allow-list, and URLs to be logged.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tandem/base/assert.h"
#include "tandem/net/client/allow_list.h"
#include "tandem/net/client/redact.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem::client;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto origin = parse_origin(text)) {
    TANDEM_ASSERT(origin->port > 0);
    const auto again = parse_origin(origin->to_string());
    TANDEM_ASSERT(again && *again == *origin);
  }
  const std::string redacted = redact_url(text);
  TANDEM_ASSERT(redact_url(redacted) == redacted);
  TANDEM_ASSERT(redacted.find('#') == std::string::npos);
  return 0;
}
