#include "tandem/base/id.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "tandem/base/clock.h"
#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/seeded_rng.h"

namespace tandem {
namespace {

using std::chrono::microseconds;
using testing::MatchesRegex;

/// Gives the same byte for ever.
class ConstantRng final : public Rng {
 public:
  explicit ConstantRng(std::uint8_t byte) : byte_(byte) {}
  void fill(std::span<std::uint8_t> bytes) override { std::fill(bytes.begin(), bytes.end(), byte_); }

 private:
  std::uint8_t byte_;
};

// By hand from RFC 9562 5.7 and 6.2: 1645557742000 ms = 0x017F22E279B0 is the time of the example in its appendix A.6;
// 0.999 ms as twelve bits of fraction are 999 * 4096 / 1000 = 4091 = 0xffb.
TEST(Uuid7, has_time_version_fraction_variant_and_entropy_where_rfc_9562_says) {
  ConstantRng ones(0xff);
  ConstantRng zeros(0x00);
  EXPECT_EQ(new_uuid7(FakeClock(Timestamp{1645557742000000}), ones), "017f22e2-79b0-7000-bfff-ffffffffffff");
  EXPECT_EQ(new_uuid7(FakeClock(Timestamp{1645557742000999}), zeros), "017f22e2-79b0-7ffb-8000-000000000000");
}

TEST(Uuid7, ids_sort_by_the_microsecond_of_their_creation) {
  FakeClock clock;
  SeededRng rng(1);
  std::string last;
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = new_uuid7(clock, rng);
    ASSERT_THAT(id, MatchesRegex("[0-9a-f]+-[0-9a-f]+-7[0-9a-f]+-[89ab][0-9a-f]+-[0-9a-f]+"));
    ASSERT_EQ(id.size(), 36u);
    ASSERT_LT(last, id);
    last = id;
    clock.advance(microseconds(i % 7 == 0 ? 997 : 1));
  }
}

TEST(Uuid7, ids_of_one_instant_differ) {
  const FakeClock clock;
  SeededRng rng(2);
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(new_uuid7(clock, rng));
  EXPECT_EQ(ids.size(), 10'000u);
}

TEST(JobId, is_read_back) {
  const FakeClock clock;
  SeededRng rng(3);
  const JobId id = new_job_id(clock, rng);
  EXPECT_EQ(id.value.substr(0, 4), "job_");
  EXPECT_EQ(*parse_job_id(id.value), id);
  EXPECT_EQ(std::unordered_set<JobId>({id, id}).size(), 1u);
}

TEST(JobId, refuses_other_text) {
  EXPECT_THAT(parse_job_id("job_017f22e2-79b0-7000-bfff-ffffffffffff"), Succeeds());
  for (const char* text : {"", "job_", "017f22e2-79b0-7000-bfff-ffffffffffff",
                           "job_017F22E2-79B0-7000-BFFF-FFFFFFFFFFFF", "job_017f22e2-79b0-4000-bfff-ffffffffffff",
                           "job_017f22e2-79b0-7000-cfff-ffffffffffff", "job_017f22e279b07000bfffffffffffffff",
                           "job_017f22e2-79b0-7000-bfff-fffffffffffff", "job_017f22e2-79b0-7000-bfff-fffffffffff",
                           "job_017f22e2-79b0-7000-bfff-ffffffff/../", "lin_017f22e2-79b0-7000-bfff-ffffffffffff"}) {
    EXPECT_THAT(parse_job_id(text), FailsWith(errors::kBadId)) << text;
  }
}

}  // namespace
}  // namespace tandem
