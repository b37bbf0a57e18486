#include "tandem/compute/solve/memetic_search.h"

#include <gtest/gtest.h>

#include "tandem/base/testing/manual_executor.h"
#include "tandem/model/problem/testing/random_models.h"

namespace tandem::solve {
namespace {

using problem::Bqm;
using problem::Vartype;

TEST(MemeticSearch, a_population_that_has_converged_starts_afresh_beside_its_best) {
  const Bqm bqm = problem::random_bqm(Vartype::kBinary, 120, 1, 3);
  const SearchModel model = SearchModel::create(bqm, std::uint64_t{1} << 30).value();
  MemeticSearch search(model, {.seed = 5, .patience = 200});
  FakeClock clock;
  ManualExecutor executor{clock};
  const WorkLimit unlimited;
  const SolveContext context{executor, {}, {}, 1};
  Race race({.objective = [&](std::int64_t energy) { return model.objective(energy); }}, unlimited, context);
  int restarts = 0;
  std::vector<Candidate> before;
  for (int step = 0; step < 2'000'000 && restarts < 3; ++step) {
    search.advance(search.units() + 1, Watch(race, 0));
    const auto now = search.population();
    if (now.size() < before.size()) {  // at the end of one run
      ++restarts;
      ASSERT_EQ(now.size(), 1u);
      // The best one stays, or the one that the last run added above it.
      EXPECT_LE(now.front().energy, before.front().energy);
    }
    if (now.size() > 1) {
      for (std::size_t i = 1; i < now.size(); ++i) ASSERT_NE(now[i].bits, now[i - 1].bits);
    }
    before.assign(now.begin(), now.end());
  }
  EXPECT_EQ(restarts, 3);
  Archive found(4);
  search.collect(found);
  EXPECT_EQ(found.candidates().front().energy, search.best_energy());
  EXPECT_EQ(model.energy(found.candidates().front().bits), search.best_energy());
}

}  // namespace
}  // namespace tandem::solve
