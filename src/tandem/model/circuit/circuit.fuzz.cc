// Any PUB document: one that is read is written and read back equal; a refusal says why.
#include "tandem/model/circuit/circuit.h"

#include <cstddef>
#include <cstdint>

#include "tandem/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto document = parse_json(text, "fuzz", {.bytes_max = 1u << 16});
  if (!document) return 0;
  const auto pub = circuit::Pub::parse(*document, "/pub");
  if (!pub) {
    TANDEM_ASSERT(pub.error().place.starts_with("/pub") && pub.error().number != errors::kInternal);
    return 0;
  }
  const auto again = circuit::Pub::parse(pub->document(), "");
  TANDEM_ASSERT(again && *again == *pub);
  return 0;
}
