// How the engines of a strand share its time.
#include "tandem/compute/solve/mixed_strand.h"

#include <gtest/gtest.h>

#include <array>

#include "tandem/base/executor.h"

namespace tandem::solve {
namespace {

/// Finds `energy` once it has done `first` units.
class Finder final : public Engine {
 public:
  Finder(std::int64_t energy, std::uint64_t first) : energy_(energy), first_(first) {}
  std::string_view name() const override { return "finder"; }
  void advance(std::uint64_t units_end, const Watch&) override { units_ = std::max(units_, units_end); }
  std::uint64_t units() const override { return units_; }
  StrandState state() const override { return StrandState::kWorking; }
  std::int64_t best_energy() const override { return units_ < first_ ? INT64_MAX : energy_; }
  void collect(Archive& into) const override { into.offer(best_energy(), problem::Assignment{0}); }
  void offer(const Candidate&) override {}

 private:
  std::int64_t energy_;
  std::uint64_t first_;
  std::uint64_t units_ = 0;
};

constexpr std::uint64_t kRound = std::uint64_t{1} << 24;
constexpr std::array<std::uint32_t, 3> kFirst{1, 3, 3};

/// The parts of the time of so many rounds that three engines of one strand got, with a lead of 15.
std::array<double, 3> parts(std::array<Finder, 3> finders, int rounds) {
  ThreadExecutor executor(1);
  SolveContext context{executor, {}, {}, 1};
  WorkLimit unlimited;
  Race race({.objective = [](std::int64_t energy) { return static_cast<double>(energy); }}, unlimited, context);
  MixedStrand strand;
  for (std::size_t i = 0; i < finders.size(); ++i) strand.add(std::make_unique<Finder>(finders[i]), kFirst[i]);
  MixedStrand* const strands[] = {&strand};
  std::uint64_t end = 0;
  for (int round = 0; round < rounds; ++round) {
    end += kRound;
    strand.advance(end, Watch(race, 0));
    share_by_results(strands, kFirst, 15);
  }
  std::array<double, 3> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<double>(strand.engine(i).units()) / static_cast<double>(strand.units());
  }
  return out;
}

TEST(MixedStrand, engines_that_are_equal_share_as_at_first) {
  const auto got = parts({Finder(-5, 0), Finder(-5, 0), Finder(-5, 0)}, 32);
  EXPECT_NEAR(got[0], 1.0 / 7, 0.02);
  EXPECT_NEAR(got[1], 3.0 / 7, 0.02);
  EXPECT_NEAR(got[2], 3.0 / 7, 0.02);
}

TEST(MixedStrand, the_engine_that_found_the_best_leads) {
  const auto got = parts({Finder(-5, 0), Finder(-6, 0), Finder(-9, 0)}, 32);
  EXPECT_NEAR(got[0], 1.0 / 17, 0.02);
  EXPECT_NEAR(got[1], 1.0 / 17, 0.02);
  EXPECT_NEAR(got[2], 15.0 / 17, 0.04);
}

TEST(MixedStrand, an_engine_that_has_found_nothing_yet_keeps_its_first_share) {
  const auto got = parts({Finder(-5, 0), Finder(-9, UINT64_MAX), Finder(-6, 0)}, 32);
  EXPECT_NEAR(got[0], 1.0 / 19, 0.02);
  EXPECT_NEAR(got[1], 3.0 / 19, 0.03);
  EXPECT_NEAR(got[2], 15.0 / 19, 0.04);
}

TEST(MixedStrand, and_leads_once_it_has_found_the_best) {
  const auto got = parts({Finder(-5, 0), Finder(-9, kRound), Finder(-6, 0)}, 200);
  EXPECT_GT(got[1], 0.7);
}

}  // namespace
}  // namespace tandem::solve
