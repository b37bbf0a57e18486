// Speed of making a Bqm of 5000 variables and 12.5 million terms, the size of the largest Palubeckis p5000 instances.
//
// Goals: terms in random order are sorted and merged in at most half of the time of std::sort over the same terms; terms that
// come sorted are only checked, in at most a fifth of it. Every case checks its answer.
//   ./dev bench model/problem
#include <benchmark/benchmark.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tandem/base/assert.h"
#include "tandem/base/rng.h"
#include "tandem/model/problem/bqm.h"

namespace tandem::problem {
namespace {

constexpr std::uint32_t kVariables = 5000;

/// All pairs, each once.
std::vector<QuadraticTerm> make_terms(bool shuffled) {
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < kVariables; ++u) {
    for (std::uint32_t v = u + 1; v < kVariables; ++v) terms.push_back({u, v, 1});
  }
  Xoshiro256 rng(1);
  for (std::size_t left = terms.size(); shuffled && left > 1; --left)
    std::swap(terms[left - 1], terms[rng.below(left)]);
  return terms;
}

void std_sort(benchmark::State& run) {
  const std::vector<QuadraticTerm> terms = make_terms(true);
  for (auto _ : run) {
    std::vector<QuadraticTerm> copy = terms;
    std::sort(copy.begin(), copy.end(),
              [](const QuadraticTerm& a, const QuadraticTerm& b) { return std::pair(a.u, a.v) < std::pair(b.u, b.v); });
    TANDEM_ASSERT(copy.back().v == kVariables - 1);
  }
}
BENCHMARK(std_sort)->Unit(benchmark::kMillisecond);

void create(benchmark::State& run) {
  const std::vector<QuadraticTerm> terms = make_terms(run.range(0) != 0);
  for (auto _ : run) {
    const auto bqm = Bqm::create(Vartype::kBinary, std::vector<double>(kVariables), terms, 0);
    TANDEM_ASSERT(bqm && bqm->terms().size() == terms.size() && bqm->terms().back().v == kVariables - 1);
  }
  run.SetLabel(run.range(0) != 0 ? "shuffled" : "sorted");
}
BENCHMARK(create)->Arg(1)->Arg(0)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tandem::problem
