// Sparse models of a million variables: every solver of such models does its first steps on one, and takes no more memory than it said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "tandem/base/rng.h"
#include "tandem/base/testing/manual_executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/peak_memory.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {
namespace {

using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

/// Spins on a lattice of 1000 columns whose sides are joined, with couplings of +-1: four a spin, which no reduction removes but here and there.
Bqm lattice(std::uint32_t rows) {
  constexpr std::uint32_t kColumns = 1000;
  Xoshiro256 rng(rows);
  std::vector<QuadraticTerm> terms;
  const auto add = [&](std::uint32_t u, std::uint32_t v) {
    terms.push_back({std::min(u, v), std::max(u, v), rng() >> 63 != 0 ? 1.0 : -1.0});
  };
  for (std::uint32_t r = 0; r < rows; ++r) {
    for (std::uint32_t c = 0; c < kColumns; ++c) {
      add(r * kColumns + c, r * kColumns + (c + 1) % kColumns);
      add(r * kColumns + c, (r + 1) % rows * kColumns + c);
    }
  }
  return Bqm::create(Vartype::kSpin, std::vector<double>(rows * kColumns), std::move(terms), 0).value();
}

struct Case {
  const char* solver;
  std::uint64_t units;
};
/// Of the work that a solver counts, less than a second's: a few sweeps; for tabu, flips to a random assignment and then downwards.
constexpr std::array kCases = {Case{"tabu", 1'000'000}, Case{"annealing", 40'000'000}, Case{"tempering", 40'000'000},
                               Case{"treewidth", 40'000'000}, Case{"portfolio", 40'000'000}};

Result<SolveOutcome> solved(const Bqm& bqm, const Case& c, std::uint64_t memory_bytes_max) {
  FakeClock clock;
  ManualExecutor executor{clock};
  SolveOptions options{.seed = 5, .strands = 1};
  options.work.units = {c.units};
  options.memory_bytes_max = memory_bytes_max;
  return find_solver(c.solver)->solve(bqm, options, {executor, {}, {}, 1});
}

TEST(Million, spins_are_searched_by_every_solver_of_sparse_models) {
  const Bqm bqm = lattice(1000);
  ASSERT_EQ(bqm.num_variables(), 1'000'000u);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.solver);
    const auto outcome = solved(bqm, c, std::uint64_t{4} << 30);
    ASSERT_THAT(outcome, Succeeds());
    const result::Sample& best = outcome->samples.best();
    ASSERT_THAT(problem::check_assignment(best.values, bqm.num_variables(), Vartype::kSpin), Succeeds());
    EXPECT_EQ(best.energy, bqm.energy(best.values));
    // A random assignment is within some 1,400 of zero; the least energy is about -1.4 a spin (Palmer, Adler 1999).
    EXPECT_LT(best.energy, -100'000);
    EXPECT_GT(best.energy, -1'500'000);
    EXPECT_GT(outcome->work_done.at(0), 0u);
    EXPECT_LE(outcome->bound.value_or(-HUGE_VAL), best.energy);
  }
}

/// The bytes that a solver says it needs: the least limit that it does not refuse.
std::uint64_t bytes_said(const Bqm& bqm, Case c) {
  c.units = 1;
  std::uint64_t limit = 1;
  for (int tries = 0; tries < 10; ++tries) {
    const auto outcome = solved(bqm, c, limit);
    if (outcome) return limit;
    EXPECT_EQ(outcome.error().number, errors::kOutOfMemory);
    std::smatch found;
    if (!std::regex_search(outcome.error().message, found, std::regex("needs ([0-9]+) bytes"))) break;
    limit = std::stoull(found[1]);
  }
  ADD_FAILURE() << c.solver << " does not say what it needs";
  return limit;
}

TEST(Million, memory_that_is_taken_is_about_what_was_said) {
  if (!measures_memory()) GTEST_SKIP() << "sanitizers take memory of their own";
  const Bqm bqm = lattice(300);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.solver);
    const std::uint64_t said = bytes_said(bqm, c);
    const auto taken = peak_bytes_of([&] { return solved(bqm, c, said).has_value(); });
    ASSERT_TRUE(taken.has_value());
    EXPECT_LT(static_cast<double>(*taken), 1.1 * static_cast<double>(said) + 4e6);
    // Tables of the widest plans, most of what treewidth says, are not filled in so little work.
    EXPECT_GT(static_cast<double>(*taken), 0.2 * static_cast<double>(said));
  }
}

}  // namespace
}  // namespace tandem::solve
