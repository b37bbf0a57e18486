#include "tandem/compute/solve/annealing_strands.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

namespace {

constexpr std::uint64_t kRoundsByItself = 1;
constexpr std::uint64_t kReplicaSweeps = 2048;  // of a first round: some generations

/// Whether replicas side by side are the faster way. Updates a second against one replica at a time, measured on a core of a Zen 4:
/// on sparse Gset graphs 9 to 60 times as many, so that four reads pay; on dense models from 10 times as many (n = 60, equal
/// weights) to half (n = 100, all different), for a visit sums the whole row, where a flip is rare and adds it by vectors anyway.
bool side_by_side(const SearchModel& model, const SolveOptions& options) {
  constexpr std::uint64_t kReadsMin = 4;
  const bool few = options.num_samples != 0 && options.num_samples < kReadsMin;
  return !model.dense() && !few && ReplicaModel::fits(model);
}

class AnnealingSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{.name = "annealing",
                                      .summary = "simulated annealing with temperatures measured on the model",
                                      .version = "3",
                                      .takes_bqm = true,
                                      .takes_polynomial = true,
                                      .variables_max = problem::Bqm::kVariablesMax};
    return kInfo;
  }

  Result<SolveOutcome> solve(const Model& model, const SolveOptions& options,
                             const SolveContext& context) const override {
    const std::size_t count = num_strands(options);
    TANDEM_TRY(check_input(info(), model, options, count));
    if (num_variables(model) == 0) return empty_outcome(model, count, "visits");
    return within_limits(model, options, context, count, "visits", [&]() -> Result<SolveOutcome> {
      const auto quadratic = [&](const problem::Bqm& bqm) -> Result<SolveOutcome> {
        TANDEM_TRY_ASSIGN(const SearchModel search,
                          SearchModel::create(bqm, options.memory_bytes_max, context.isa, context.stop));
        if (side_by_side(search, options)) return with_replicas(model, search, options, context, count);
        return one_at_a_time(model, search, &search, options, context, count);
      };
      if (const auto* bqm = std::get_if<problem::Bqm>(&model)) return quadratic(*bqm);
      const auto& polynomial = std::get<problem::Polynomial>(model);
      if (const auto bqm = polynomial.to_bqm()) return quadratic(*bqm);
      TANDEM_TRY_ASSIGN(const PolynomialModel search, PolynomialModel::create(polynomial, options.memory_bytes_max));
      return one_at_a_time(model, search, nullptr, options, context, count);
    });
  }

 private:
  using Strands = std::vector<std::unique_ptr<Strand>>;

  static AnnealingShare share_of(std::size_t strand, std::size_t count, const SolveOptions& options) {
    return {.seed = options.seed,
            .index = strand,
            .count = count,
            .num_samples = options.num_samples,
            .sweeps = options.sweeps,
            .candidates_max = options.candidates_max};
  }

  static Result<SolveOutcome> with_replicas(const Model& model, const SearchModel& search, const SolveOptions& options,
                                            const SolveContext& context, std::size_t count) {
    const std::uint64_t strand_bytes = replica_strand_bytes(search.size(), share_of(0, count, options));
    TANDEM_TRY(check_memory(search.bytes() + ReplicaModel::bytes(search) + count * strand_bytes, options));
    const ReplicaModel replicas(search, context.stop);
    const Temperatures temperatures = measure_temperatures(search, context.stop);
    const std::vector<problem::Assignment> starts = start_bits(model, options);
    Strands strands;
    for (std::size_t i = 0; i < count; ++i) {
      throw_if(context.stop);
      strands.push_back(make_replica_strand(replicas, temperatures, share_of(i, count, options), starts));
    }
    return run(model, search, &search, options, context, strands, search.size() * kReplicas * kReplicaSweeps);
  }

  template <class Form>
  static Result<SolveOutcome> one_at_a_time(const Model& model, const Form& search, const SearchModel* known,
                                            const SolveOptions& options, const SolveContext& context,
                                            std::size_t count) {
    const std::uint64_t strand_bytes = scalar_strand_bytes(search.size(), share_of(0, count, options));
    TANDEM_TRY(check_memory(search.bytes() + count * strand_bytes, options));
    const std::vector<problem::Assignment> starts = start_bits(model, options);
    Strands strands;
    const AnnealingOptions own{.candidates_max = options.candidates_max,
                               .temperatures = measure_temperatures(search, context.stop)};
    for (std::size_t i = 0; i < count; ++i) {
      throw_if(context.stop);
      strands.push_back(make_scalar_strand(AnnealingSearch::create(search, own), share_of(i, count, options), starts));
    }
    return run(model, search, known, options, context, strands, search.size() * kSweepsFirst);
  }

  template <class Form>
  static Result<SolveOutcome> run(const Model& model, const Form& search, const SearchModel* known,
                                  const SolveOptions& options, const SolveContext& context, const Strands& strands,
                                  std::uint64_t round) {
    // Strands have nothing to tell each other: a round only shares one thread among them.
    const RoundLengths lengths{
        .first = round,
        .max = 64 * round,
        .rounds_max = options.num_samples != 0 ? UINT64_MAX : rounds_allowed(options, context, kRoundsByItself)};
    Race race(goal_of(search, options), options.work, context);
    const StopReason reason = race.run(strands, lengths, [](std::uint64_t) {});

    std::vector<Candidate> found;
    for (const auto& strand : strands) {
      const auto results = static_cast<const AnnealingStrand&>(*strand).results();
      found.insert(found.end(), results.begin(), results.end());
    }
    if (found.empty()) {
      Archive archive(candidates_kept(options));
      for (const auto& strand : strands) {
        if (strand->units() > 0) static_cast<const AnnealingStrand&>(*strand).collect(archive);
      }
      found.assign(archive.candidates().begin(), archive.candidates().end());
    }
    if (found.empty()) return unsearched_outcome(model, options, context, work_done(strands), "visits");
    SolveOutcome outcome = outcome_of(strands, reason, "visits");
    outcome.samples = make_samples(model, found, known);
    return outcome;
  }
};

}  // namespace

const Solver& annealing_solver() {
  static const AnnealingSolver solver;
  return solver;
}

}  // namespace tandem::solve
