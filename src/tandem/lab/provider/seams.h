// tandem/lab/provider/seams.h - ProviderSeams: what an emulated provider borrows.
//
// Room: lab.
#pragma once

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/fs.h"
#include "tandem/base/log.h"
#include "tandem/base/meter.h"

namespace tandem::lab {

/// All of it must outlive the provider.
struct ProviderSeams {
  Executor& executor;
  const Clock& clock;
  Fs& fs;
  Log& log;
  Meter& meter;
};

}  // namespace tandem::lab
