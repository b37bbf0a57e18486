#include "tandem/sim/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace tandem::sim {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSlow = true;
#else
constexpr bool kSlow = false;
#endif
constexpr std::uint64_t kSeeds = kSlow ? 30 : 400;  ///< ./dev check runs 2,000, ./dev fuzz sim the others
constexpr std::uint64_t kPlantSeedsMax = 2000;

TEST(Simulation, the_same_seed_gives_the_same_history) {
  for (const std::uint64_t seed : {1u, 2u, 3u, 88u}) {
    const Report first = simulate(Options::expand(seed, Plant::kNone));
    EXPECT_EQ(first.document(), simulate(Options::expand(seed, Plant::kNone)).document()) << seed;
    EXPECT_NE(first.hash, simulate(Options::expand(seed + 1000, Plant::kNone)).hash) << seed;
  }
}

TEST(Simulation, a_trace_changes_nothing) {
  std::size_t lines = 0;
  const Report traced = simulate(Options::expand(5, Plant::kNone), [&](const std::string&) { ++lines; });
  EXPECT_EQ(traced.hash, simulate(Options::expand(5, Plant::kNone)).hash);
  EXPECT_GT(lines, 100u);
}

TEST(Simulation, a_short_list_of_seeds_holds_and_covers_what_the_engine_can_do_and_what_can_fail) {
  Coverage coverage;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Report report = simulate(Options::expand(seed, Plant::kNone));
    EXPECT_EQ(report.violation, "") << "tandem-sim --seed " << seed << " --trace";
    coverage.add(report.coverage);
  }
  if (kSlow) return;
  EXPECT_GE(coverage.all_doubts().count(), kDoubtsMin);
  EXPECT_EQ(coverage.slow_doubts(), "");
  for (const std::string& name : job_transitions()) EXPECT_TRUE(coverage.job_transitions.contains(name)) << name;
  for (const auto& [name, count] : coverage.job_transitions) EXPECT_THAT(job_transitions(), testing::Contains(name));
  EXPECT_GE(coverage.vendors.size(), vendors().size() - 3);  // rare ones need more seeds
  for (const auto& [name, count] : coverage.vendors)  // D cannot be asked, and B to D get nothing twice
    EXPECT_THAT(vendors(), testing::Contains(name));
  EXPECT_GE(coverage.faults.size(), faults().size() - 2);
  for (const auto& [name, count] : coverage.faults) EXPECT_THAT(faults(), testing::Contains(name));
  EXPECT_GE(coverage.submission_transitions.size(), submission_transitions().size() - 3);  // rare ones need more seeds
}

class Planted : public testing::TestWithParam<Plant> {};

/// What the mistake does, in the oracle's words; whatever else follows from it is not what it is caught by.
std::string words_of(Plant plant) {
  switch (plant) {
    case Plant::kNone:
      break;
    case Plant::kFenceDropped:
      return "wrote to job_[^ ]+, which is (succeeded|failed|cancelled|expired)|"
             "the log has job.started of job_[^ ]+, which is running there";
    case Plant::kReplyBeforeSync:
      return "job_[^ ]+ was acknowledged (as a retry )?and is lost";
    case Plant::kRetryOnAmbiguousB:
      return "qpu.b billed [^ ]+ twice";
    case Plant::kRetryOnAmbiguousC:
      return "qpu.c billed [^ ]+ twice";
    case Plant::kRetryOnAmbiguousD:
      return "qpu.d billed [^ ]+ twice";
    case Plant::kLeaseByLocalClock:
      return "buried node[^ ]+, whose lease has [0-9.]+ ms left";
    case Plant::kApproveUnseen:
      return "was sent for a plan that user:[a-z]+ never saw";
  }
  return "";
}

TEST_P(Planted, fault_is_found_by_what_it_does) {
  std::set<std::string> others;
  for (std::uint64_t seed = 1; seed <= kPlantSeedsMax; ++seed) {
    const Report report = simulate(Options::expand(seed, GetParam()));
    if (report.violation.empty()) continue;
    if (testing::Value(report.violation, testing::ContainsRegex(words_of(GetParam())))) {
      RecordProperty("seed", std::to_string(seed));
      return;
    }
    others.insert(report.violation);
  }
  FAIL() << to_string(GetParam()) << " stays unseen for " << kPlantSeedsMax
         << " seeds; what was seen: " << testing::PrintToString(others);
}

TEST(Simulation, what_a_disk_lost_is_held_against_nobody_who_comes_after) {
  std::size_t found = 0;
  for (std::uint64_t seed = 1; seed <= (kSlow ? 10 : 100); ++seed) {
    const Report report = simulate(Options::expand(seed, Plant::kReplyBeforeSync));
    found += report.violation.empty() ? 0 : 1;
    // Clients and vendors remember, and the log is the disk's; a process reads what is there and breaks no rule by that.
    EXPECT_THAT(report.violation,
                testing::Not(testing::ContainsRegex("under the key|went on to|wrote to|moved|started job|fence|holds")))
        << seed;
  }
  EXPECT_GT(found, 0u);
}

INSTANTIATE_TEST_SUITE_P(Simulation, Planted, testing::ValuesIn(kPlants), [](const auto& planted) {
  std::string name(to_string(planted.param));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Plant, has_a_name_that_is_found_again) {
  for (const Plant plant : kPlants) EXPECT_EQ(find_plant(to_string(plant)), plant);
  EXPECT_EQ(find_plant("none"), Plant::kNone);
  EXPECT_EQ(find_plant("lunch"), std::nullopt);
}

TEST(Options, differ_from_seed_to_seed_and_a_plant_keeps_what_it_needs) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const Options options = Options::expand(seed, Plant::kNone);
    EXPECT_EQ(options.document(), Options::expand(seed, Plant::kNone).document());
    seen.insert(options.document().dump());
    EXPECT_TRUE(Options::expand(seed, Plant::kLeaseByLocalClock).shared);
    EXPECT_FALSE(Options::expand(seed, Plant::kReplyBeforeSync).shared);
    for (const Plant plant : {Plant::kRetryOnAmbiguousB, Plant::kRetryOnAmbiguousC, Plant::kRetryOnAmbiguousD})
      EXPECT_THAT(Options::expand(seed, plant).vendors,
                  testing::Contains(testing::Field(&Vendor::safety, resends(plant).value())));
    EXPECT_THAT(options.vendors, testing::SizeIs(testing::AllOf(testing::Ge(1u), testing::Le(4u))));
    std::set<std::string> ids;
    for (const Vendor& vendor : options.vendors) ids.insert(vendor.id());
    EXPECT_EQ(ids.size(), options.vendors.size()) << "each class once at most";
  }
  EXPECT_EQ(seen.size(), 50u);
}

TEST(Disk, forgets_what_was_not_synced_and_nothing_else) {
  Disk disk;
  disk.keep_history();
  const auto put = [](const char* key, const char* value) {
    return store::Batch().put(store::Table::kMeta, key, value).append("job", value);
  };
  ASSERT_TRUE(disk.apply("p", put("a", "1")));
  disk.sync();
  ASSERT_TRUE(disk.apply("p", put("a", "2")));
  ASSERT_TRUE(disk.apply("p", put("b", "3")));
  ASSERT_TRUE(disk.apply("p", store::Batch().erase(store::Table::kMeta, "a")));
  disk.lose_unsynced();
  ASSERT_EQ(disk.rows(store::Table::kMeta).size(), 1u);
  EXPECT_EQ(disk.rows(store::Table::kMeta).at("a").value, "1");
  EXPECT_EQ(disk.rows(store::Table::kMeta).at("a").version, 1u);
  EXPECT_EQ(disk.log().size(), 1u);
}

}  // namespace
}  // namespace tandem::sim
