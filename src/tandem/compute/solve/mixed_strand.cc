#include "tandem/compute/solve/mixed_strand.h"

#include <algorithm>

namespace tandem::solve {

namespace {

// Times of steps against a visit of about 4 ns, on one core of a Zen 5 at sizes from 50 to 7000.
constexpr std::uint64_t kTabuFlip = 40;
constexpr std::uint64_t kTabuVariables = 8;  // variables that a tabu flip passes in the time of a visit
constexpr std::uint64_t kNode = 30;
constexpr std::uint64_t kNodeProducts = 40;  // squared variables of the model, for most nodes are deep
constexpr std::uint64_t kSliceFirst = 1 << 17;  // half a millisecond
constexpr std::uint64_t kSliceMax = 1 << 22;    // 16 ms
constexpr std::uint64_t kSlices = 16;           // a slice is at most this part of what the strand has done

}  // namespace

StepUnits StepUnits::of(const SearchModel& model) {
  const std::uint64_t n = model.size();
  const std::uint64_t left = std::min<std::uint64_t>(n, ExactSearch::kTreeMax);
  return {.tabu_flip = kTabuFlip + n / kTabuVariables, .node = kNode + left * left / kNodeProducts};
}

MixedStrand::MixedStrand(const SearchModel& model, MixedOptions options)
    : seed_(options.seed),
      shares_(options.shares),
      tabu_(model, {.seed = derive_seed(options.seed, 0),
                    .step_units = StepUnits::of(model).tabu_flip,
                    .candidates_max = options.candidates_max,
                    .starts = options.starts}),
      annealing_(AnnealingSearch::create(
          model, {.flip_units = 1, .candidates_max = options.candidates_max, .temperatures = options.temperatures})) {
  if (options.exact) {
    const StepUnits units = StepUnits::of(model);
    exact_ = std::make_unique<ExactSearch>(model, ExactOptions{.seed = derive_seed(options.seed, 1),
                                                               .flip_units = units.tabu_flip,
                                                               .node_units = units.node,
                                                               .candidates_max = options.candidates_max,
                                                               .starts = std::move(options.starts),
                                                               .order = std::move(options.order)});
  }
}

std::uint64_t MixedStrand::bytes(const SearchModel& model, std::size_t candidates_max, bool exact) {
  return MemeticSearch::bytes(model, candidates_max) + AnnealingSearch::bytes(model.size(), candidates_max) +
         (exact ? ExactSearch::bytes(model, candidates_max) : 0);
}

std::uint64_t MixedStrand::units_of(Engine engine) const {
  switch (engine) {
    case kExact:
      return exact_ == nullptr ? 0 : exact_->units();
    case kTabu:
      return tabu_.units();
    case kAnnealing:
      return annealing_->units();
    case kEngines:
      break;
  }
  return 0;
}

std::uint64_t MixedStrand::share_of(Engine engine) const {
  switch (engine) {
    case kExact:
      return exact_ == nullptr || exact_->done() ? 0 : shares_.exact;
    case kTabu:
      return shares_.tabu;
    case kAnnealing:
      return shares_.annealing;
    case kEngines:
      break;
  }
  return 0;
}

std::uint64_t MixedStrand::units() const { return units_of(kExact) + units_of(kTabu) + units_of(kAnnealing); }

StrandState MixedStrand::state() const {
  if (exact_ != nullptr && exact_->proved()) return StrandState::kProved;
  const bool target =
      tabu_.reached_target() || annealing_->reached_target() || (exact_ != nullptr && exact_->reached_target());
  return target ? StrandState::kTarget : StrandState::kWorking;
}

/// The engine that has had least of its share.
MixedStrand::Engine MixedStrand::neediest() const {
  Engine best = kTabu;
  double least = 0;
  bool any = false;
  for (const Engine engine : {kExact, kTabu, kAnnealing}) {
    const std::uint64_t share = share_of(engine);
    if (share == 0) continue;
    const double had = static_cast<double>(units_of(engine)) / static_cast<double>(share);
    if (any && had >= least) continue;
    any = true;
    least = had;
    best = engine;
  }
  return best;
}

void MixedStrand::advance(std::uint64_t units_end, const Watch& watch) {
  while (units() < units_end && state() == StrandState::kWorking && !watch.stopped()) {
    const std::uint64_t before = units();
    const bool resting = share_of(current_) == 0;  // its shares changed, or its proof is done
    if (before >= slice_end_ || resting) {
      current_ = neediest();
      slice_end_ = before + std::clamp(before / kSlices, kSliceFirst, kSliceMax);
    }
    work(current_, std::min(slice_end_, units_end) - before, watch);
  }
}

void MixedStrand::work(Engine engine, std::uint64_t more, const Watch& strand_watch) {
  const std::uint64_t end = units_of(engine) + more;
  const Watch watch = strand_watch.after(units() - units_of(engine));
  switch (engine) {
    case kExact:
      exact_->advance(end, watch);
      break;
    case kTabu:
      tabu_.advance(end, watch);
      break;
    case kAnnealing:
      if (annealing_->done()) {
        annealing_->begin(lengthening_read(derive_seed(seed_, 2), reads_, reads_, kSweepsFirst));
        ++reads_;
      }
      annealing_->advance(end, watch);
      break;
    case kEngines:
      break;
  }
}

Archive MixedStrand::best(std::size_t count) const {
  Archive out(count);
  collect(out);
  return out;
}

void MixedStrand::offer(const Candidate& candidate) {
  tabu_.immigrate(candidate);
  if (exact_ != nullptr && !exact_->done() && exact_->units() > 0 && candidate.energy < exact_->best_energy()) {
    exact_->offer(candidate);
  }
}

void MixedStrand::collect(Archive& into) const {
  if (exact_ != nullptr && exact_->units() > 0) exact_->collect(into);
  if (tabu_.units() > 0) tabu_.collect(into);
  if (annealing_->units() > 0) annealing_->collect(into);
}

}  // namespace tandem::solve
