// tandem/compute/statevector/testing/every_isa.h - tests that have a row for each instruction set, also for one that this machine lacks.
//
// Room: compute; tests only. What was not run is then seen in the log as a skipped row with the name of the set.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "tandem/compute/simd/isa.h"

namespace tandem::statevector::testing {

inline constexpr std::array kEveryIsa{simd::Isa::kPortable, simd::Isa::kAvx2, simd::Isa::kAvx512};
static_assert(kEveryIsa.size() == simd::kNumIsas);

inline bool is_runnable(simd::Isa isa) {
  const auto isas = simd::runnable_isas();
  return std::ranges::find(isas, isa) != isas.end();
}

}  // namespace tandem::statevector::testing

#define TANDEM_SKIP_WHERE_NOT_RUNNABLE(isa)              \
  if (!::tandem::statevector::testing::is_runnable(isa)) \
  GTEST_SKIP() << "this machine does not run " << ::tandem::simd::to_string(isa)
