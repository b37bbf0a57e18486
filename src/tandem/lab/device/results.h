// tandem/lab/device/results.h - results as API v1 writes them: outcomes are hexadecimal numbers, bit i = classical bit i.
//
// Room: lab. Written apart from the adapter that reads them, so that the two agree because both follow the document.
#pragma once

#include "tandem/base/json.h"
#include "tandem/model/result/pub_result.h"

namespace tandem::lab {

/// {"bindings":[{"num_bits":3,"shots":512,"counts":{"0x1":500,"0x5":12}} | {"expectations":[{"value","standard_error","shots"}]}]}
Json pub_document(const result::PubResult& pub);

}  // namespace tandem::lab
