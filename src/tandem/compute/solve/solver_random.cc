#include "tandem/base/rng.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/model/problem/cardinality.h"

namespace tandem::solve {

namespace {

constexpr std::uint64_t kSamplesByItself = 1000;

/// Uniform among the choices of `one`: each variable is taken with the share of ones that are left (Knuth, algorithm S).
void draw_weight(problem::Assignment& values, const problem::Cardinality& one, Xoshiro256& rng) {
  std::uint64_t ones = one.ones;
  std::uint64_t left = one.variables.size();
  for (const std::uint32_t variable : one.variables) {
    const bool taken = rng.below(left--) < ones;
    values[variable] = taken ? std::int8_t{1} : std::int8_t{0};
    ones -= taken ? 1 : 0;
  }
}

/// Uniform draws: the control that every sampler must beat. One stream whatever the number of strands. Of a Cqm the
/// disjoint cardinalities hold in every draw, which is uniform among the assignments that keep them: a sampler that keeps
/// them by construction has no merit in that. Other constraints are not looked at.
class RandomSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{.name = "random",
                                      .summary = "uniform random sampling: the control that others are compared with",
                                      .version = "2",
                                      .takes_bqm = true,
                                      .takes_polynomial = true,
                                      .takes_cqm = true,
                                      .variables_max = problem::Bqm::kVariablesMax};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    TANDEM_TRY(check_input(info(), model, options, 1));
    const std::size_t n = num_variables(model);
    if (n == 0) return empty_outcome(model, 1, "samples");
    const std::uint64_t wanted = options.num_samples != 0 ? options.num_samples : kSamplesByItself;
    const std::uint64_t count = options.work.units.empty() ? wanted : std::min(wanted, options.work.units.front());
    TANDEM_TRY(check_memory(count * (n + sizeof(result::Sample)), options));
    return within_limits(model, options, context, 1, "samples", [&]() -> Result<SolveOutcome> {
      Xoshiro256 rng(options.seed);
      std::vector<result::Sample> samples;
      const std::int8_t low = vartype(model) == problem::Vartype::kSpin ? std::int8_t{-1} : std::int8_t{0};
      std::vector<problem::Cardinality> kept;
      if (const auto* cqm = std::get_if<problem::Cqm>(&model))
        kept = problem::disjoint_cardinalities(cqm->constraints(), n);
      std::optional<double> best;
      while (samples.size() < count && !context.stop.stop_requested()) {
        problem::Assignment values(n);
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < n; ++i, bits >>= 1) {
          if (i % 64 == 0) bits = rng();
          values[i] = (bits & 1u) != 0 ? std::int8_t{1} : low;
        }
        for (const problem::Cardinality& one : kept) draw_weight(values, one, rng);
        const double value = energy(model, values);
        samples.push_back({.values = std::move(values), .energy = value});
        if (best && value >= *best) continue;
        best = value;
        if (context.sink) context.sink({.energy = value, .units = samples.size()});
      }
      if (samples.empty()) return unsearched_outcome(model, options, context, {0}, "samples");
      SolveOutcome outcome;
      outcome.work_done = {samples.size()};
      outcome.reason = samples.size() == wanted  ? StopReason::kFinished
                       : samples.size() == count ? StopReason::kWork
                                                 : StopReason::kStopped;
      outcome.unit_name = "samples";
      outcome.samples = result::SampleSet::create(vartype(model), n, std::move(samples));
      return outcome;
    });
  }
};

}  // namespace

const Solver& random_solver() {
  static const RandomSolver solver;
  return solver;
}

}  // namespace tandem::solve
