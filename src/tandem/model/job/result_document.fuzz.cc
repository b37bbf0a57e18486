// Any result document: one that is read is written to a fixed point; a refusal says why.
#include "tandem/model/job/result_document.h"

#include <cstddef>
#include <cstdint>

#include "tandem/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto document = parse_json(text, "fuzz", {.bytes_max = 1u << 16});
  if (!document) return 0;
  const auto result = job::ResultDocument::parse(*document);
  if (!result) {
    TANDEM_ASSERT(!result.error().message.empty() && result.error().number != errors::kInternal);
    return 0;
  }
  const Json written = result->document();
  const auto again = job::ResultDocument::parse(written);
  TANDEM_ASSERT(again && again->document() == written);
  TANDEM_ASSERT(result->text() == JsonText(written));
  const JsonText computed = result->computed();
  TANDEM_ASSERT(computed == JsonText(computed.value()));
  return 0;
}
