// Speed of reading a sparse file of 12.4 million entries (p5000.5, 161 MB of text).
//
// Goal: the problem is read in at most four times the time of `scan`, which reads every number of the same text and makes
// nothing of it. Every case checks its answer.
//   ./dev bench model/format
#include <benchmark/benchmark.h>

#include <charconv>
#include <string>

#include "tandem/base/assert.h"
#include "tandem/model/format/format.h"
#include "tandem/model/format/generate.h"

namespace tandem::format {
namespace {

const std::string& text() {
  static const std::string written = [] {
    const Generated p5000 = generate_palubeckis(*find_palubeckis("p5000.5")).value();
    return write_problem(*p5000.problem, p5000.format).value();
  }();
  return written;
}

void scan(benchmark::State& run) {
  const std::size_t begin = text().find('\n') + 1;  // behind our comment
  for (auto _ : run) {
    const char* at = text().data() + begin;
    const char* const end = text().data() + text().size();
    std::size_t numbers = 0;
    for (long value = 0; at < end; ++at, ++numbers) at = std::from_chars(at, end, value).ptr;
    TANDEM_ASSERT(numbers > 37'000'000);
    benchmark::DoNotOptimize(numbers);
  }
  run.SetBytesProcessed(static_cast<std::int64_t>(run.iterations() * text().size()));
}
BENCHMARK(scan)->Unit(benchmark::kMillisecond);

void read_sparse(benchmark::State& run) {
  const auto registry = problem::ProblemRegistry::with_builtin_types();
  for (auto _ : run) {
    const auto problem = read_problem(text(), "p5000.5", {}, registry);
    TANDEM_ASSERT(problem && (*problem)->num_variables() == 5000);
  }
  run.SetBytesProcessed(static_cast<std::int64_t>(run.iterations() * text().size()));
}
BENCHMARK(read_sparse)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tandem::format
