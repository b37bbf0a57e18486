// Speed of a flip of tabu search on dense models, those of Palubeckis: couplings of a byte, of which the rows of 7,000 variables are
// 49 MB.
//
// Goal: 4 M flips a second and core at 1,000 variables, 2 M at 3,000 and 1 M at 7,000 with AVX-512. The limit of the machine: a flip
// reads a byte of the row, a byte of the bits and an energy of four bytes for each variable, and writes the energy: 10 bytes, which
// `bytes` counts; `row_bytes` are those that come from behind the second cache for large models. A core that stores 32 bytes a cycle
// at 3 GHz does a flip of 7,000 variables in 0.3 us; reading the row from the third cache at 20 GB/s takes as long. The energy of the
// best is checked.
//   ./dev bench compute/solve
#include <benchmark/benchmark.h>

#include <algorithm>

#include "tandem/base/assert.h"
#include "tandem/compute/solve/tabu_search.h"
#include "tandem/model/format/generate.h"

namespace tandem::solve {
namespace {

void flips(benchmark::State& run) {
  const auto isa = static_cast<simd::Isa>(run.range(1));
  if (isa > simd::best_isa()) {
    run.SkipWithError("this machine does not run that instruction set");
    return;
  }
  const auto n = static_cast<std::uint32_t>(run.range(0));
  const auto made = format::generate_palubeckis({.variables = n, .density = 80, .seed = n});
  const auto bqm = std::get<problem::Bqm>(made->problem->state());
  const SearchModel model = SearchModel::create(bqm, std::uint64_t{1} << 32, isa).value();
  const auto search = TabuSearch::create(model);
  search->begin(problem::Assignment(n), 1, UINT64_MAX);
  for (std::uint32_t k = 0; k < 2 * n; ++k) search->step();  // down to where searches spend their time
  for (auto _ : run) search->step();
  TANDEM_ASSERT(search->best_energy() == model.energy(search->best_bits()));
  const auto row = static_cast<double>(padded(n));
  run.counters["flips"] = benchmark::Counter(1, benchmark::Counter::kIsIterationInvariantRate);
  run.counters["row_bytes"] = benchmark::Counter(row, benchmark::Counter::kIsIterationInvariantRate);
  run.counters["bytes"] = benchmark::Counter(10 * row, benchmark::Counter::kIsIterationInvariantRate);
  run.SetLabel(std::string(to_string(isa)));
}
BENCHMARK(flips)->ArgsProduct({{1000, 3000, 7000}, {0, 1, 2}})->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tandem::solve
