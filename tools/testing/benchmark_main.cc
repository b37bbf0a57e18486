// tools/testing/benchmark_main.cc - main() of every bench_<part>.
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
