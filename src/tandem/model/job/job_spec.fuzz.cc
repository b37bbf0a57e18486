// Any job document, YAML or JSON: one that is read is written and read back to the same hash; a refusal has its place.
#include "tandem/model/job/job_spec.h"

#include <cstddef>
#include <cstdint>

#include "tandem/base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const auto registry = problem::ProblemRegistry::with_builtin_types();
  const auto spec = job::JobSpec::parse_text(text.substr(0, 1u << 16), "fuzz", registry);
  if (!spec) {
    TANDEM_ASSERT(spec.error().place.starts_with("fuzz") && spec.error().number != errors::kInternal);
    return 0;
  }
  const auto again = job::JobSpec::parse(spec->document(), registry);
  TANDEM_ASSERT(again && again->hash() == spec->hash());
  TANDEM_ASSERT(spec->text() == JsonText(spec->document()));
  return 0;
}
