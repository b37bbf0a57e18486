// tandem/middleware/adapter/ionq/ionq.h - the adapter of the IonQ Quantum Cloud, API v0.4.
//
// Room: middleware. A pure codec; its facts stand in adapter.yaml beside it, its page is docs/guide/ionq.md.
// Bit order on the wire: an outcome is a decimal number whose bit i is qubit i. The vendor measures every qubit at the end, so that
// measurements are not sent: an answer is read through the measurements of the circuit that was asked.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/middleware/remote/codec.h"

namespace tandem::ionq {

/// The member of a job's metadata that holds our token.
inline constexpr std::string_view kTokenMember = "tandem_token";

struct CodecOptions {
  std::string backend;  ///< "simulator", "qpu.forte-1": what follows "ionq." in the id
  bool emulated =
      false;  ///< an emulator is spoken to: the backend is shown as emulated, and only answers that say so count
};

/// Errors: 1023 value_out_of_range - no backend of the manifest, with those that are.
Result<std::unique_ptr<const remote::Codec>> make_codec(const CodecOptions& options);

/// What CodecOptions::backend may be.
std::vector<std::string> backend_names();

/// The text of adapter.yaml, for people: `tandem backends`.
std::string_view adapter_yaml();

}  // namespace tandem::ionq
