#include "tandem/compute/simd/isa.h"

#include <gmock/gmock.h>

namespace tandem::simd {
namespace {

TEST(Isa, every_name_leads_back_to_its_set_and_others_to_none) {
  for (const Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512}) EXPECT_EQ(find_isa(to_string(isa)), isa);
  EXPECT_EQ(find_isa("sse9"), std::nullopt);
}

TEST(Isa, what_runs_begins_with_the_portable_one_and_ends_with_the_best) {
  EXPECT_EQ(runnable_isas().front(), Isa::kPortable);
  EXPECT_EQ(runnable_isas().back(), best_isa());
}

}  // namespace
}  // namespace tandem::simd
