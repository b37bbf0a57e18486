// tandem/orchestrate/submit/fingerprint.h - what a token stands for: a hash over everything that work asks for.
//
// Room: orchestrate; for the sources of this part only. A record that is resumed with other work is turned away by it.
#pragma once

#include "tandem/base/hash.h"
#include "tandem/middleware/backend/backend.h"

namespace tandem::submit {

/// Cost: linear in the size of the model or of the PUBs.
Sha256 fingerprint(const backend::Work& work);

}  // namespace tandem::submit
