// The reader of coordinates on any bytes.
#include "tandem/model/format/testing/fuzz_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  format::fuzz_reader(data, size, format::FileFormat::kCoo, {});
  return 0;
}
