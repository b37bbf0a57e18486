// tandem/middleware/adapter/labdevice/wire_result.h - the result document of API v1 -> PubResults, in the house's bit order.
//
// Room: middleware; for the sources of this part only.
#pragma once

#include <span>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/result/pub_result.h"

namespace tandem::labdevice {

/// Reads "pubs" of a result: one entry a PUB, one binding a row of values, counts that add up to the shots asked for.
/// Errors: those of ObjectReader and of the results; 1104 size_mismatch; 1030 bad_encoding - no outcome of that many bits.
Result<std::vector<result::PubResult>> read_pubs(const ObjectReader& reader, std::span<const circuit::Pub> asked);

}  // namespace tandem::labdevice
