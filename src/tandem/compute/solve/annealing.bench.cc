// Speed of annealing: spin updates, which are visits of one variable in one replica, on models with couplings of +-1.
//
// Goal: at least 400 M updates a second and core on a lattice, a random graph of 20 neighbours (as G22 of Gset) and a planar union
// (as G14); the usual scalar annealers do 63-80 M. The limit of the machine: an update reads a byte a neighbour, and a core loads
// two vectors of 32 bytes a cycle, so that 20 neighbours take 10 cycles for 32 replicas. What `bytes` a second stays below that is
// the decision, some 12 instructions for 32 replicas, and on a lattice the wait of each variable for the one before it. Tempering has
// a temperature for each replica and sums up its energy, some 20 instructions more. The answer
// checked: energies are those of the model, and annealing's no worse than those of the scalar search after as many sweeps.
//   ./dev bench compute/solve
#include <benchmark/benchmark.h>

#include "tandem/base/assert.h"
#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/solve/replica_annealing.h"
#include "tandem/compute/solve/replica_tempering.h"

namespace tandem::solve {
namespace {

using problem::Bqm;
using problem::QuadraticTerm;

constexpr std::uint64_t kSweeps = 500;

Bqm spins(std::size_t n, std::vector<QuadraticTerm> terms) {
  return Bqm::create(problem::Vartype::kSpin, std::vector<double>(n), std::move(terms), 0).value();
}

QuadraticTerm term(std::size_t u, std::size_t v, double bias) {
  return {static_cast<std::uint32_t>(std::min(u, v)), static_cast<std::uint32_t>(std::max(u, v)), bias};
}

/// A torus of side x side spins, couplings +-1.
Bqm torus(std::size_t side) {
  Xoshiro256 rng(1);
  const auto sign = [&] { return rng() >> 63 != 0 ? 1.0 : -1.0; };
  std::vector<QuadraticTerm> terms;
  for (std::size_t row = 0; row < side; ++row) {
    for (std::size_t column = 0; column < side; ++column) {
      const std::size_t i = row * side + column;
      terms.push_back(term(i, row * side + (column + 1) % side, sign()));
      terms.push_back(term(i, (row + 1) % side * side + column, sign()));
    }
  }
  return spins(side * side, std::move(terms));
}

/// n spins, couplings of 1 between n * degree / 2 random pairs.
Bqm random_graph(std::size_t n, std::size_t degree) {
  Xoshiro256 rng(2);
  std::vector<QuadraticTerm> terms;
  while (terms.size() < n * degree / 2) {
    const std::size_t u = rng.below(n);
    const std::size_t v = rng.below(n);
    if (u != v) terms.push_back(term(u, v, 1));
  }
  return spins(n, std::move(terms));
}

/// Two planar triangulations over the same spins: each new one joins the corners of a random face.
Bqm planar_union(std::size_t n) {
  Xoshiro256 rng(3);
  std::vector<QuadraticTerm> terms;
  for (int layer = 0; layer < 2; ++layer) {
    std::vector<std::size_t> name(n);
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t other = rng.below(i + 1);
      name[i] = name[other];
      name[other] = i;
    }
    const auto join = [&](std::size_t u, std::size_t v) { terms.push_back(term(name[u], name[v], 1)); };
    join(0, 1);
    join(0, 2);
    join(1, 2);
    std::vector<std::array<std::size_t, 3>> faces = {{0, 1, 2}, {0, 1, 2}};
    for (std::size_t i = 3; i < n; ++i) {
      const std::size_t face = rng.below(faces.size());
      const auto [a, b, c] = faces[face];
      for (const std::size_t corner : {a, b, c}) join(corner, i);
      faces[face] = {a, b, i};
      faces.push_back({a, c, i});
      faces.push_back({b, c, i});
    }
  }
  return spins(n, std::move(terms));
}

enum class Way : std::uint8_t { kScalar, kReplicas, kTempering };

/// Anneals kSweeps, or tempers so many, with replicas or without, and returns the best energy.
std::int64_t anneal(const SearchModel& search, const ReplicaModel& replicas, Way way, const Temperatures& temperatures,
                    std::uint64_t& units) {
  ThreadExecutor executor(1);
  const SolveContext context{executor, {}, {}, 1};
  const WorkLimit unlimited;
  Race race({.objective = [](std::int64_t energy) { return static_cast<double>(energy); }}, unlimited, context);
  Archive best(1);
  problem::Assignment bits;
  if (way == Way::kTempering) {
    ReplicaTempering tempering(replicas, {.visit_units = kReplicas, .temperatures = temperatures});
    tempering.begin(kSweeps, 1);
    tempering.advance(UINT64_MAX, Watch(race, 0));
    for (std::size_t r = 0; r < kReplicas; ++r) {
      tempering.copy(r, bits);
      best.offer(tempering.energy(r), bits);
    }
    units = tempering.units();
  } else if (way == Way::kReplicas) {
    const auto annealing = ReplicaAnnealing::create(replicas, temperatures, kReplicas);
    annealing->begin({.seed = 1, .sweeps = kSweeps});
    annealing->advance(UINT64_MAX, Watch(race, 0));
    const auto energies = annealing->energies();
    for (std::size_t r = 0; r < kReplicas; ++r) {
      annealing->copy(r, bits);
      best.offer(energies[r], bits);
    }
    units = annealing->units();
  } else {
    const auto annealing = AnnealingSearch::create(search, {.candidates_max = 1, .temperatures = temperatures});
    annealing->begin({.seed = 1, .sweeps = kSweeps});
    annealing->advance(UINT64_MAX, Watch(race, 0));
    annealing->collect(best);
    units = annealing->units();
  }
  const Candidate& found = best.candidates().front();
  TANDEM_ASSERT(found.energy == search.energy(found.bits));
  return found.energy;
}

void annealing(benchmark::State& run, const Bqm& bqm, Way way, simd::Isa isa) {
  if (std::ranges::find(simd::runnable_isas(), isa) == simd::runnable_isas().end()) {
    run.SkipWithError("not on this machine");
    return;
  }
  const SearchModel search = SearchModel::create(bqm, std::uint64_t{1} << 30, isa).value();
  const ReplicaModel replicas(search);
  const Temperatures temperatures = measure_temperatures(search);
  std::uint64_t units = 0;
  std::uint64_t scalar_units = 0;
  std::int64_t best = 0;
  for (auto _ : run) best = anneal(search, replicas, way, temperatures, units);
  TANDEM_ASSERT(way == Way::kTempering || best <= anneal(search, replicas, Way::kScalar, temperatures, scalar_units));
  const double updates = static_cast<double>(units);
  const double degree = static_cast<double>(search.num_entries()) / static_cast<double>(search.size());
  run.counters["updates"] = benchmark::Counter(updates, benchmark::Counter::kIsIterationInvariantRate);
  if (way != Way::kScalar) {
    run.counters["bytes"] = benchmark::Counter(updates * (degree + 2), benchmark::Counter::kIsIterationInvariantRate);
  }
}

void register_all() {
  const std::pair<const char*, Bqm> models[] = {{"torus_2500", torus(50)},
                                                {"random_2000_degree_20", random_graph(2000, 20)},
                                                {"random_10000_degree_2", random_graph(10000, 2)},
                                                {"planar_union_800", planar_union(800)}};
  for (const auto& [name, bqm] : models) {
    const auto add = [&](const std::string& how, Way way, simd::Isa isa) {
      benchmark::RegisterBenchmark((std::string(name) + "/" + how).c_str(), [bqm = bqm, way,
                                                                             isa](benchmark::State& run) {
        annealing(run, bqm, way, isa);
      })->Unit(benchmark::kMillisecond);
    };
    add("scalar", Way::kScalar, simd::Isa::kPortable);
    for (const simd::Isa isa : {simd::Isa::kPortable, simd::Isa::kAvx2, simd::Isa::kAvx512}) {
      add("replicas_" + std::string(to_string(isa)), Way::kReplicas, isa);
      add("tempering_" + std::string(to_string(isa)), Way::kTempering, isa);
    }
  }
}
const bool registered = (register_all(), true);

}  // namespace
}  // namespace tandem::solve
