// Speed of the exact reductions, and of the flow of roof duality, on models of 100,000 to 1,000,000 couplings.
//
// Goals: at most 20 ms for each 100,000 nonzeros of the matrix (two a coupling) without a flow (500,000 spins have none), and the same
// again with an easy one, on models whose variables stand in no order, so that every step is a cache miss; a dense model in which
// nothing fires costs a pass, 2 ms for each 100,000. Not met: a million spins, which no cache holds; and fields as strong as the
// couplings, where the flow itself is work. Every case checks its answer.
//   ./dev bench compute/reduce
#include <benchmark/benchmark.h>

#include <array>
#include <utility>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/base/rng.h"
#include "tandem/compute/reduce/reduce.h"

namespace tandem::reduce {
namespace {

using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

Bqm make(Vartype vartype, std::vector<double> linear, std::vector<QuadraticTerm> terms) {
  auto bqm = Bqm::create(vartype, std::move(linear), std::move(terms), 0);
  TANDEM_ASSERT(bqm.has_value());
  return *std::move(bqm);
}

/// `degree` couplings a spin on average; `tame`: signs that contradict nothing, and fields that pull every way.
Bqm sparse(std::uint32_t n, std::uint32_t degree, bool tame) {
  Xoshiro256 rng(1);
  std::vector<double> linear(n);
  for (double& value : linear) value = tame ? static_cast<double>(rng.below(41)) - 20 : 0;
  std::vector<QuadraticTerm> terms;
  while (terms.size() < std::size_t{n} * degree / 2) {
    const auto u = static_cast<std::uint32_t>(rng.below(n));
    const auto v = static_cast<std::uint32_t>(rng.below(n));
    if (u == v) continue;
    const double size = tame ? static_cast<double>(1 + rng.below(10)) : 1;
    terms.push_back({u, v, (tame ? u % 3 == v % 3 || u % 3 + v % 3 == 1 : rng.below(2) == 0) ? -size : size});
  }
  return make(Vartype::kSpin, std::move(linear), std::move(terms));
}

/// A tree, and one coupling more for every tenth spin.
Bqm tree(std::uint32_t n) {
  Xoshiro256 rng(2);
  std::vector<double> linear(n);
  for (double& value : linear) value = static_cast<double>(rng.below(7)) - 3;
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t v = 1; v < n; ++v) {
    terms.push_back({static_cast<std::uint32_t>(rng.below(v)), v, static_cast<double>(rng.below(21)) - 10});
    if (v % 10 == 3) terms.push_back({v - 3, v, static_cast<double>(rng.below(21)) - 10});
  }
  return make(Vartype::kSpin, std::move(linear), std::move(terms));
}

/// Complete graphs of six spins, each grown on a spin of those before: frustrated, and of too many couplings for rules that look at few.
Bqm clumps(std::uint32_t n) {
  Xoshiro256 rng(4);
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t first = 1; first + 5 <= n; first += 5) {
    std::array<std::uint32_t, 6> nodes{static_cast<std::uint32_t>(rng.below(first))};
    for (std::uint32_t k = 1; k < 6; ++k) nodes[k] = first + k - 1;
    for (std::size_t u = 0; u < 6; ++u)
      for (std::size_t v = u + 1; v < 6; ++v) terms.push_back({nodes[u], nodes[v], rng.below(2) == 0 ? -1.0 : 1.0});
  }
  return make(Vartype::kSpin, std::vector<double>(n), std::move(terms));
}

Bqm dense(std::uint32_t n) {
  Xoshiro256 rng(3);
  std::vector<double> linear(n);
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u)
    for (std::uint32_t v = u + 1; v < n; ++v) terms.push_back({u, v, static_cast<double>(rng.below(201)) - 100});
  return make(Vartype::kBinary, std::move(linear), std::move(terms));
}

void report(benchmark::State& run, const Bqm& bqm, const Presolved& presolved) {
  const std::size_t left = presolved.reduced ? presolved.reduced->model.num_variables() : bqm.num_variables();
  run.counters["left"] = static_cast<double>(left) / static_cast<double>(bqm.num_variables());
  run.counters["ms_per_1e5"] =
      benchmark::Counter(static_cast<double>(bqm.terms().size()) * 2 / 1e8,
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void presolve_sparse(benchmark::State& run) {
  const Bqm bqm = sparse(static_cast<std::uint32_t>(run.range(0)), static_cast<std::uint32_t>(run.range(1)), false);
  Presolved presolved;
  for (auto _ : run) presolved = presolve(bqm);
  const bool flow = bqm.num_variables() + bqm.terms().size() <= kRoofSizeMax;  // what is left is hardly less
  TANDEM_ASSERT((presolved.roof == RoofState::kComplete) == flow);
  TANDEM_ASSERT(presolved.bound >= -1.01 * static_cast<double>(bqm.terms().size()));
  report(run, bqm, presolved);
}
BENCHMARK(presolve_sparse)
    ->Args({100'000, 3})
    ->Args({100'000, 4})
    ->Args({100'000, 8})
    ->Args({500'000, 8})
    ->Unit(benchmark::kMillisecond);

void presolve_unfrustrated(benchmark::State& run) {
  const Bqm bqm = sparse(static_cast<std::uint32_t>(run.range(0)), static_cast<std::uint32_t>(run.range(1)), true);
  Presolved presolved;
  for (auto _ : run) presolved = presolve(bqm);
  TANDEM_ASSERT(presolved.reduced && presolved.reduced->model.num_variables() == 0);
  TANDEM_ASSERT(presolved.bound == presolved.reduced->model.offset());
  report(run, bqm, presolved);
}
BENCHMARK(presolve_unfrustrated)->Args({100'000, 6})->Args({2'000, 400})->Unit(benchmark::kMillisecond);

void presolve_tree(benchmark::State& run) {
  const Bqm bqm = tree(static_cast<std::uint32_t>(run.range(0)));
  Presolved presolved;
  for (auto _ : run) presolved = presolve(bqm);
  TANDEM_ASSERT(presolved.reduced && presolved.reduced->model.num_variables() < bqm.num_variables() / 50);
  report(run, bqm, presolved);
}
BENCHMARK(presolve_tree)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void presolve_clumps(benchmark::State& run) {
  const Bqm bqm = clumps(static_cast<std::uint32_t>(run.range(0)));
  Presolved presolved;
  for (auto _ : run) presolved = presolve(bqm);
  TANDEM_ASSERT(presolved.reduced && presolved.reduced->model.num_variables() <= 6);
  report(run, bqm, presolved);
}
BENCHMARK(presolve_clumps)->Arg(100'001)->Arg(1'000'001)->Unit(benchmark::kMillisecond);

void presolve_dense(benchmark::State& run) {
  const Bqm bqm = dense(static_cast<std::uint32_t>(run.range(0)));
  Presolved presolved;
  for (auto _ : run) presolved = presolve(bqm);
  TANDEM_ASSERT(!presolved.reduced && presolved.roof == RoofState::kSkipped);
  report(run, bqm, presolved);
}
BENCHMARK(presolve_dense)->Arg(450)->Arg(1'400)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tandem::reduce
