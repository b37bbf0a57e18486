// Searches on rows of neighbours, against optima: models of several small parts, each swept, whose optimum is the sum of theirs. A
// model of up to 64 variables would have dense rows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tandem/base/testing/manual_executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/compute/solve/engine.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/compute/solve/testing/plain_sweep.h"

namespace tandem::solve {
namespace {

using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

struct Parts {
  const char* name;
  Vartype vartype;
  std::vector<std::uint32_t> sizes;
  double density;  ///< of a part
  double weight_max;  ///< integers up to it, mostly at the ends
  bool linear;
  double unit;  ///< by which all is multiplied after the sweep
  std::size_t rows;  ///< alternative of Rows
};

struct Built {
  Bqm bqm;
  double optimum;
};

/// The variables of all parts are mixed.
Built build(const Parts& parts, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  const std::uint32_t n = std::accumulate(parts.sizes.begin(), parts.sizes.end(), 0u);
  std::vector<std::uint32_t> label(n);
  std::iota(label.begin(), label.end(), 0u);
  for (std::uint32_t i = n; i > 1; --i) std::swap(label[i - 1], label[rng.below(i)]);
  const auto weight = [&] {
    const double sign = rng() >> 63 ? 1 : -1;
    const bool inside = rng.below(2) == 0;
    return sign * (inside ? static_cast<double>(1 + rng.below(static_cast<std::uint64_t>(parts.weight_max)))
                          : parts.weight_max);
  };
  std::vector<double> linear(n);
  std::vector<QuadraticTerm> terms;
  double optimum = 0;
  std::uint32_t first = 0;
  for (const std::uint32_t size : parts.sizes) {
    std::vector<double> own_linear(size);
    std::vector<QuadraticTerm> own;
    for (std::uint32_t u = 0; u < size; ++u) {
      if (parts.linear) own_linear[u] = weight();
      for (std::uint32_t v = u + 1; v < size; ++v)
        if (rng.uniform() < parts.density) own.push_back({u, v, weight()});
    }
    optimum += swept_in_gray_order(Bqm::create(parts.vartype, own_linear, own, 0).value());
    for (std::uint32_t u = 0; u < size; ++u) linear[label[first + u]] = parts.unit * own_linear[u];
    for (const QuadraticTerm& term : own)
      terms.push_back({label[first + term.u], label[first + term.v], parts.unit * term.bias});
    first += size;
  }
  return {.bqm = Bqm::create(parts.vartype, std::move(linear), std::move(terms), 0).value(),
          .optimum = parts.unit * optimum};
}

std::vector<Parts> cases() {
  const std::vector<std::uint32_t> small(12, 9);
  const std::vector<std::uint32_t> mixed = {16, 1, 12, 2, 15, 3, 14, 8, 1, 13, 5, 11};
  return {
      {"signs", Vartype::kSpin, {20, 18, 19, 17, 16}, 0.4, 1, false, 1, 0},
      {"signs without cycles of three", Vartype::kSpin, mixed, 0.25, 1, false, 1, 0},
      {"small weights", Vartype::kBinary, mixed, 0.5, 20, true, 1, 0},
      {"whole parts", Vartype::kBinary, small, 1, 7, true, 1, 0},
      {"16 bits full", Vartype::kSpin, mixed, 0.4, 2000, true, 1, 0},
      {"32 bits", Vartype::kBinary, mixed, 0.5, 1e7, true, 1, 0},
      {"decimals", Vartype::kSpin, mixed, 0.5, 30, true, 0.01, 0},
      {"64 bits", Vartype::kBinary, mixed, 0.5, 0x1p40, true, 1, 1},
      {"thirds, which are rounded", Vartype::kSpin, mixed, 0.5, 30, true, 1.0 / 3, 1},
      {"all alike", Vartype::kSpin, small, 1, 1, false, 3, 0},
  };
}

double tolerance(const Parts& parts) { return parts.unit == 1 || parts.unit == 3 ? 0 : 1e-9; }

TEST(SparseRows, every_solver_reaches_the_sum_of_the_swept_optima) {
  int sparse = 0;  // models that reductions leave sparse, so that the portfolio races its line of such models
  for (const Parts& parts : cases()) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const Built built = build(parts, seed);
      const SearchModel search = SearchModel::create(built.bqm, std::uint64_t{1} << 30).value();
      ASSERT_EQ(search.rows().index(), parts.rows) << parts.name;
      for (const char* name : {"annealing", "tabu", "tempering", "treewidth", "portfolio"}) {
        SCOPED_TRACE(fmt::format("{}, {}, seed {}", name, parts.name, seed));
        const std::string_view solver = name;
        if (solver == "tempering" && !ReplicaModel::fits(search)) continue;
        FakeClock clock;
        ManualExecutor executor{clock};
        SolveOptions options{.seed = seed, .target = built.optimum};
        options.work.units.assign(2, solver == "tabu" ? 400'000 : 40'000'000);
        const auto outcome = find_solver(name)->solve(built.bqm, options, {executor, {}, {}, 1});
        ASSERT_THAT(outcome, Succeeds());
        const result::Sample& best = outcome->samples.best();
        EXPECT_NEAR(best.energy, built.optimum, tolerance(parts));
        EXPECT_EQ(best.energy, built.bqm.energy(best.values));
        EXPECT_LE(outcome->bound.value_or(-HUGE_VAL), built.optimum + tolerance(parts));
        if (solver == "portfolio" && outcome->race.choice.find("(dense)") == std::string::npos) ++sparse;
        for (const EngineRecord& engine : outcome->race.engines)
          EXPECT_GE(engine.best_energy.value_or(HUGE_VAL), built.optimum - tolerance(parts)) << engine.engine;
      }
    }
  }
  EXPECT_GE(sparse, 12);
}

/// Those that the portfolio races on sparse rows, each by itself.
std::vector<std::unique_ptr<Engine>> engines_of(const SearchModel& search, const ReplicaModel* replicas) {
  const EngineOptions options{.seed = 7};
  const Temperatures temperatures = measure_temperatures(search);
  std::vector<std::unique_ptr<Engine>> out;
  out.push_back(make_memetic_engine(search, options));
  out.push_back(make_annealing_engine(search, options, temperatures));
  out.push_back(make_width_engine(search, options, false, true));
  out.push_back(make_width_engine(search, options, true, true));
  if (replicas == nullptr) return out;
  out.push_back(make_replica_engine(*replicas, options, temperatures));
  out.push_back(make_tempering_engine(*replicas, options, temperatures));
  return out;
}

TEST(SparseRows, every_engine_of_the_portfolio_reaches_them_alone) {
  for (const Parts& parts : cases()) {
    const Built built = build(parts, 4);
    const SearchModel search = SearchModel::create(built.bqm, std::uint64_t{1} << 30).value();
    const bool fits = ReplicaModel::fits(search);
    const auto replicas = fits ? std::make_unique<ReplicaModel>(search) : nullptr;
    const std::int64_t least = search.energy_at_most(built.optimum).value();
    for (const auto& engine : engines_of(search, replicas.get())) {
      SCOPED_TRACE(fmt::format("{}, {}", engine->name(), parts.name));
      FakeClock clock;
      ManualExecutor executor{clock};
      const WorkLimit unlimited;
      const SolveContext context{executor, {}, {}, 1};
      Race race({.objective = [&](std::int64_t energy) { return search.objective(energy); }}, unlimited, context);
      while (engine->state() == StrandState::kWorking && engine->best_energy() > least && engine->units() < 400'000'000)
        engine->advance(engine->units() + 200'000, Watch(race, 0));
      EXPECT_NEAR(search.objective(engine->best_energy()), built.optimum, 1e-9);
      Archive found(4);
      engine->collect(found);
      ASSERT_FALSE(found.empty());
      EXPECT_EQ(found.candidates().front().energy, engine->best_energy());
      for (const Candidate& one : found.candidates()) EXPECT_EQ(one.energy, search.energy(one.bits));
    }
  }
}

}  // namespace
}  // namespace tandem::solve
