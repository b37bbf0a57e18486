// tandem/model/result/kind.h - opening a result document that says in "kind" what it is.
//
// Room: model; for the sources of this part only.
#pragma once

#include <string>
#include <string_view>

#include "tandem/base/json.h"
#include "tandem/base/result.h"

namespace tandem::result {

/// Errors: 1020 missing_key; 1021 wrong_type; 1023 value_out_of_range - another kind.
Result<ObjectReader> open_kind(const Json& document, const std::string& pointer, std::string_view kind);

}  // namespace tandem::result
