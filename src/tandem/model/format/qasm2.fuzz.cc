// The reader of OpenQASM 2 on any bytes.
#include "tandem/model/format/testing/fuzz_circuit.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  format::fuzz_circuit(data, size, format::CircuitFormat::kQasm2);
  return 0;
}
