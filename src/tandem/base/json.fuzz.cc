// Any bytes: a value or an error with a place, never a crash; and what was read survives writing and reading again.
#include <cstddef>
#include <cstdint>

#include "tandem/base/assert.h"
#include "tandem/base/json.h"
#include "tandem/base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = tandem::parse_json(text, "fuzz");
  if (!value) {
    TANDEM_ASSERT(!value.error().place.empty());
    TANDEM_ASSERT(tandem::invalid_utf8_at(value.error().message) == std::string_view::npos);
    return 0;
  }
  const std::string canonical = tandem::canonical_json(*value);
  TANDEM_ASSERT(tandem::invalid_utf8_at(canonical) == std::string_view::npos);
  const auto again = tandem::parse_json(canonical, "canonical");
  TANDEM_ASSERT(again.has_value() && tandem::canonical_json(*again) == canonical);
  return 0;
}
