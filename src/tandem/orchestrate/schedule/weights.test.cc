#include "tandem/orchestrate/schedule/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"

namespace tandem::schedule {
namespace {

using testing::HasSubstr;

TEST(TenantWeights, name_tenants_and_their_projects) {
  EXPECT_EQ(parse_weights("acme=3, acme/pilot=2").value(), (Weights{{"acme", 3}, {"acme/pilot", 2}}));
  EXPECT_EQ(parse_weights("  a = 0.5 ,b=1e3").value(), (Weights{{"a", 0.5}, {"b", 1000}}));
  EXPECT_EQ(parse_weights("").value(), Weights{});
  EXPECT_EQ(parse_weights("  ").value(), Weights{});
}

TEST(TenantWeights, what_they_cannot_be_is_refused_with_its_place_and_what_to_write) {
  struct Case {
    const char* text;
    const char* place;
    const char* what;
  };
  for (const Case& one :
       {Case{"acme", "entry 1 of 'engine.tenant_weights', at character 1, is 'acme'", "TENANT=WEIGHT"},
        Case{"acme=3,", "entry 2 of 'engine.tenant_weights', at character 8, is ''", "TENANT=WEIGHT"},
        Case{"acme=3, pilot=", "entry 2 of 'engine.tenant_weights', at character 8", "from 1e-06 to"},
        Case{"acme=0", "entry 1", "from 1e-06 to"}, Case{"acme=-1", "entry 1", "from 1e-06 to"},
        Case{"acme=nan", "entry 1", "from 1e-06 to"}, Case{"acme=1e7", "entry 1", "to 1e+06"},
        Case{"acme=1e-7", "entry 1", "from 1e-06"}, Case{"acme=1e-310", "entry 1", "from 1e-06"},
        Case{"acme=three", "entry 1", "from 1e-06 to"}, Case{"=3", "entry 1", "must be a tenant"},
        Case{"/pilot=3", "entry 1", "must be a tenant"}, Case{"acme/=3", "entry 1", "must be a tenant"},
        Case{"a/b/c=3", "entry 1", "must be a tenant"}, Case{"a b=3", "entry 1", "must be a tenant"},
        Case{"acme=3, acme=2", "entry 2", "already"}}) {
    const auto parsed = parse_weights(one.text);
    ASSERT_THAT(parsed, FailsWith(errors::kBadSetting)) << one.text;
    EXPECT_THAT(parsed.error().message, HasSubstr(one.place)) << one.text;
    EXPECT_THAT(parsed.error().message, HasSubstr(one.what)) << one.text;
  }
}

}  // namespace
}  // namespace tandem::schedule
