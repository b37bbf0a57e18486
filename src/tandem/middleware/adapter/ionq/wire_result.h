// tandem/middleware/adapter/ionq/wire_result.h - the vendor's tables of outcomes -> results in the house's bit order.
//
// Room: middleware; for the sources of this part only.
#pragma once

#include <string_view>

#include "tandem/base/bytes.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/result/pub_result.h"

namespace tandem::ionq {

/// What the bytes of a result are: the wire itself says "application/json" of all three.
inline constexpr std::string_view kProbabilitiesType = "application/vnd.ionq.probabilities+json";
inline constexpr std::string_view kHistogramType = "application/vnd.ionq.histogram+json";
inline constexpr std::string_view kShotsType = "application/vnd.ionq.shots+json";

/// Probabilities become a Distribution, counted outcomes become Counts, and neither ever the other. Outcomes of all `qubits` become
/// outcomes of the classical bits of `asked`; what differs only in qubits that nobody measured is added up.
///
/// Errors: those of the readers; 1021 wrong_type - another kind of bytes; 1030 bad_encoding - no outcome of that many qubits;
///         1023 value_out_of_range - a probability that is none, or a count that is none; 1104 size_mismatch - probabilities that do
///         not add up to 1, or more shots than asked.
Result<result::BindingResult> read_result(std::string_view media_type, const Bytes& bytes, const circuit::Pub& asked,
                                          std::uint32_t qubits);

}  // namespace tandem::ionq
