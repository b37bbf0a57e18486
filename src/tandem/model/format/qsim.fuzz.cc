// The reader of qsim on any bytes.
#include "tandem/model/format/testing/fuzz_circuit.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  format::fuzz_circuit(data, size, format::CircuitFormat::kQsim);
  return 0;
}
