// Any bytes: a value or an error with a place, never a crash; every place of a value that was read can be found.
#include <cstddef>
#include <cstdint>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/base/yaml.h"

namespace {

void find_places(const tandem::LocatedJson& document, const tandem::Json& value, const std::string& pointer) {
  TANDEM_ASSERT(document.place_of(pointer).starts_with("fuzz:"));
  if (value.is_array() && !value.empty())
    find_places(document, value.back(), pointer + "/" + std::to_string(value.size() - 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& document : {tandem::parse_yaml(text, "fuzz"), tandem::parse_json_or_yaml(text, "fuzz")}) {
    if (document) {
      find_places(*document, document->value, "");
      TANDEM_ASSERT(tandem::invalid_utf8_at(tandem::canonical_json(document->value)) == std::string_view::npos);
    } else {
      TANDEM_ASSERT(!document.error().place.empty());
      TANDEM_ASSERT(tandem::invalid_utf8_at(document.error().message) == std::string_view::npos);
    }
  }
  return 0;
}
