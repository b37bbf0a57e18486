// tandem/model/format/testing/fuzz_circuit.h - what every reader of circuits must hold for any bytes.
//
// Room: model, fuzzers only.
#pragma once

#include <cstdint>
#include <string_view>

#include "tandem/base/assert.h"
#include "tandem/model/format/circuit_file.h"

namespace tandem::format {

/// Reads `data` as `format`: an error has a number, a message and a place; a circuit is written as OpenQASM 2 and read back, and what comes
/// then stays as it is.
inline void fuzz_circuit(const std::uint8_t* data, std::size_t size, CircuitFormat format) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr CircuitLimits kLimits{.bytes_max = 1u << 20, .instructions_max = 2000};
  (void)detect_circuit(text);
  const auto circuit = read_circuit(text, "fuzz", kLimits, format);
  if (!circuit) {
    TANDEM_ASSERT(!circuit.error().message.empty() && !circuit.error().place.empty());
    TANDEM_ASSERT(circuit.error().number != errors::kInternal);
    return;
  }
  const auto written = write_circuit(*circuit, CircuitFormat::kQasm2);
  TANDEM_ASSERT(written.has_value());
  const auto again = read_circuit(*written, "again");
  TANDEM_ASSERT(again.has_value() && again->num_qubits() == circuit->num_qubits());
  const auto once_more = read_circuit(write_circuit(*again, CircuitFormat::kQasm2).value(), "once more");
  TANDEM_ASSERT(once_more.has_value() && *once_more == *again);
}

}  // namespace tandem::format
