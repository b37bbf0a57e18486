// Speed of one exact neighbourhood on a torus of 5,000 spins with weights +1 and -1: planning it, and running a plan.
//
// Goal: a run at width 10 takes at most 2 ms on one core (a scratch program on strips of width 10 took 3 to 8 ms), and at width 12 no
// more than twice that; planning at most 10 ms. Every run checks that what it found is what it said.
//   ./dev bench compute/solve
#include <benchmark/benchmark.h>

#include <numeric>

#include "tandem/base/assert.h"
#include "tandem/compute/solve/width_tables.h"

namespace tandem::solve {
namespace {

constexpr std::uint32_t kRows = 50;
constexpr std::uint32_t kColumns = 100;

SearchModel make_model(simd::Isa isa) {
  Xoshiro256 rng(1);
  std::vector<problem::QuadraticTerm> terms;
  for (std::uint32_t r = 0; r < kRows; ++r) {
    for (std::uint32_t c = 0; c < kColumns; ++c) {
      const auto weight = [&] { return rng() >> 63 != 0 ? 1.0 : -1.0; };
      terms.push_back({r * kColumns + c, r * kColumns + (c + 1) % kColumns, weight()});
      terms.push_back({r * kColumns + c, (r + 1) % kRows * kColumns + c, weight()});
    }
  }
  const auto bqm =
      problem::Bqm::create(problem::Vartype::kSpin, std::vector<double>(kRows * kColumns), std::move(terms), 0);
  return SearchModel::create(*bqm, std::uint64_t{1} << 30, isa).value();
}

WidthPlan make_plan(const SearchModel& model, std::size_t width) {
  std::vector<std::uint32_t> all(model.size());
  std::iota(all.begin(), all.end(), 0u);
  WidthPlanner planner(model);
  planner.begin(all, {.width = width}, 1);
  while (planner.step()) {
  }
  return planner.take([] { return false; }).value();
}

void plan(benchmark::State& run) {
  const SearchModel model = make_model(simd::best_isa());
  std::size_t covered = 0;
  for (auto _ : run) covered = make_plan(model, static_cast<std::size_t>(run.range(0))).size();
  TANDEM_ASSERT(covered > model.size() / 2);
  run.counters["covered"] = static_cast<double>(covered) / static_cast<double>(model.size());
}
BENCHMARK(plan)->Arg(10)->Arg(12)->Arg(14)->Unit(benchmark::kMillisecond);

void sweep(benchmark::State& run) {
  const auto isa = static_cast<simd::Isa>(run.range(1));
  if (isa > simd::best_isa()) {
    run.SkipWithError("this machine does not run that instruction set");
    return;
  }
  const SearchModel model = make_model(isa);
  const WidthPlan it = make_plan(model, static_cast<std::size_t>(run.range(0)));
  problem::Assignment bits(model.size());
  WidthTables tables(model);
  Xoshiro256 rng(1);
  std::vector<std::uint32_t> flips;
  std::int64_t energy = model.energy(bits);
  for (auto _ : run) {
    run.PauseTiming();  // fields from scratch: a search keeps them
    std::vector<std::int64_t> fields(model.linear().begin(), model.linear().end());
    for (std::size_t i = 0; i < model.size(); ++i) {
      for_each_coupling(model, i, [&](std::size_t j, std::int64_t weight) { fields[i] += bits[j] * weight; });
    }
    run.ResumeTiming();
    tables.begin(it, fields, bits);
    while (!tables.done()) tables.step();
    tables.trace(rng, flips);
    run.PauseTiming();
    for (const std::uint32_t i : flips) bits[i] = static_cast<std::int8_t>(1 - bits[i]);
    const std::int64_t now = model.energy(bits);
    TANDEM_ASSERT(now <= energy);
    energy = now;
    run.ResumeTiming();
  }
  run.SetLabel(std::string(to_string(isa)));
}
BENCHMARK(sweep)->ArgsProduct({{10, 12, 14}, {0, 1, 2}})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tandem::solve
