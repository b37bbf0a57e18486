#include "tandem/base/rng.h"
#include "tandem/compute/solve/annealing_search.h"
#include "tandem/compute/solve/outcome.h"
#include "tandem/compute/solve/solver.h"

namespace tandem::solve {

namespace {

constexpr std::uint64_t kSweepsOfRead = 1000;   // of num_samples reads where sweeps is 0
constexpr std::uint64_t kRoundsByItself = 1;

/// A strand of reads: with num_samples its share of them, numbered so that the number of strands does not change them; without,
/// longer and longer ones until stopped.
class AnnealingStrand final : public Strand {
 public:
  struct Reads {
    std::uint64_t seed = 1;
    std::uint64_t first = 0;  ///< number of the first read of this strand
    std::uint64_t stride = 1;  ///< distance to its next one
    std::uint64_t end = 0;  ///< reads in all; 0: without end
    std::uint64_t sweeps = 0;
  };

  AnnealingStrand(std::unique_ptr<AnnealingSearch> search, Reads reads, const std::vector<problem::Assignment>& starts)
      : search_(std::move(search)), reads_(reads), starts_(starts), next_(reads.first) {}

  void advance(std::uint64_t units_end, const Watch& watch) override {
    if (watch.stopped()) return;
    while (units() < units_end && state() == StrandState::kWorking) {
      if (search_->done()) begin_read();
      search_->advance(units_end, watch);
      if (search_->done() || search_->reached_target()) end_read();
      if (search_->reached_target() || watch.stopped()) return;
    }
  }
  std::uint64_t units() const override { return search_->units(); }
  StrandState state() const override {
    if (search_->reached_target()) return StrandState::kTarget;
    const bool all = reads_.end != 0 && next_ >= reads_.end && search_->done();
    return all ? StrandState::kFinished : StrandState::kWorking;
  }
  const AnnealingSearch& search() const { return *search_; }
  /// Final assignments of the reads done, where reads are counted.
  std::span<const Candidate> results() const { return results_; }

 private:
  void begin_read() {
    const bool counted = reads_.end != 0;
    Read read = lengthening_read(reads_.seed, next_, (next_ - reads_.first) / reads_.stride, reads_.sweeps);
    if (counted) read.sweeps = reads_.sweeps;
    if (!starts_.empty() && (counted || next_ < starts_.size())) read.start = &starts_[next_ % starts_.size()];
    search_->begin(read);
    next_ += reads_.stride;
  }
  void end_read() {
    if (reads_.end != 0) results_.push_back({search_->energy(), {search_->bits().begin(), search_->bits().end()}});
  }

  std::unique_ptr<AnnealingSearch> search_;
  Reads reads_;
  const std::vector<problem::Assignment>& starts_;
  std::uint64_t next_;
  std::vector<Candidate> results_;
};

class AnnealingSolver final : public Solver {
 public:
  const SolverInfo& info() const override {
    static constexpr SolverInfo kInfo{.name = "annealing",
                                      .summary = "simulated annealing with temperatures measured on the model",
                                      .version = "1",
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
    return with_memory(options, [&]() -> Result<SolveOutcome> {
      if (const auto* bqm = std::get_if<problem::Bqm>(&model)) {
        TANDEM_TRY_ASSIGN(const SearchModel search, SearchModel::create(*bqm, options.memory_bytes_max, context.isa));
        return run(model, search, &search, options, context, count);
      }
      const auto& polynomial = std::get<problem::Polynomial>(model);
      if (const auto bqm = polynomial.to_bqm()) {
        TANDEM_TRY_ASSIGN(const SearchModel search, SearchModel::create(*bqm, options.memory_bytes_max, context.isa));
        return run(model, search, &search, options, context, count);
      }
      TANDEM_TRY_ASSIGN(const PolynomialModel search, PolynomialModel::create(polynomial, options.memory_bytes_max));
      return run(model, search, nullptr, options, context, count);
    });
  }

 private:
  template <class Form>
  static Result<SolveOutcome> run(const Model& model, const Form& search, const SearchModel* known,
                                  const SolveOptions& options, const SolveContext& context, std::size_t count) {
    const std::uint64_t kept = options.num_samples != 0 ? options.num_samples / count + 1 : options.candidates_max;
    TANDEM_TRY(check_memory(search.bytes() + count * AnnealingSearch::bytes(search.size(), kept), options));
    const std::vector<problem::Assignment> starts = start_bits(model, options);
    std::vector<std::unique_ptr<Strand>> strands;
    AnnealingOptions own{.candidates_max = options.candidates_max};
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t by_choice = options.num_samples != 0 ? kSweepsOfRead : kSweepsFirst;
      auto annealing = AnnealingSearch::create(search, own);
      own.temperatures = annealing->temperatures();
      strands.push_back(std::make_unique<AnnealingStrand>(
          std::move(annealing),
          AnnealingStrand::Reads{.seed = options.seed,
                                 .first = i,
                                 .stride = count,
                                 .end = options.num_samples,
                                 .sweeps = options.sweeps != 0 ? options.sweeps : by_choice},
          starts));
    }
    const auto of = [&](std::size_t i) -> AnnealingStrand& { return static_cast<AnnealingStrand&>(*strands[i]); };
    // Strands have nothing to tell each other: a round only shares one thread among them.
    const std::uint64_t round = search.size() * kSweepsFirst;
    const RoundLengths lengths{
        .first = round,
        .max = 64 * round,
        .rounds_max = options.num_samples != 0 ? UINT64_MAX : rounds_allowed(options, context, kRoundsByItself)};
    Race race({.objective = [&](std::int64_t energy) { return search.objective(energy); },
               .target = options.target ? search.energy_at_most(*options.target) : std::nullopt},
              options.work, context);
    const StopReason reason = race.run(strands, lengths, [](std::uint64_t) {});

    std::vector<Candidate> found;
    for (std::size_t i = 0; i < count; ++i) found.insert(found.end(), of(i).results().begin(), of(i).results().end());
    if (found.empty()) {
      Archive archive(std::max<std::uint64_t>(1, options.candidates_max));
      for (std::size_t i = 0; i < count; ++i) of(i).search().collect(archive);
      found.assign(archive.candidates().begin(), archive.candidates().end());
    }
    if (found.empty()) return unsearched_outcome(model, options, context, work_done(strands), "visits");
    SolveOutcome outcome;
    outcome.samples = make_samples(model, found, known);
    outcome.work_done = work_done(strands);
    outcome.reason = reason;
    outcome.unit_name = "visits";
    return outcome;
  }
};

}  // namespace

const Solver& annealing_solver() {
  static const AnnealingSolver solver;
  return solver;
}

}  // namespace tandem::solve
