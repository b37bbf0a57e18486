#include "tandem/compute/simd/isa.h"

#include <gmock/gmock.h>

#include "tandem/base/testing/matchers.h"

namespace tandem::simd {
namespace {

TEST(Isa, every_name_leads_back_to_its_set_and_others_are_refused) {
  for (const Isa isa : runnable_isas()) EXPECT_EQ(parse_isa(to_string(isa)).value(), isa);
  EXPECT_THAT(parse_isa("sse9"), FailsWith(errors::kValueOutOfRange));
}

TEST(Isa, what_runs_begins_with_the_portable_one_and_ends_with_the_best) {
  EXPECT_EQ(runnable_isas().front(), Isa::kPortable);
  EXPECT_EQ(runnable_isas().back(), best_isa());
}

}  // namespace
}  // namespace tandem::simd
