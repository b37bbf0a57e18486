#include "tandem/compute/solve/replica_search.h"

#include <algorithm>

#include "tandem/base/assert.h"
#include "tandem/base/rng.h"

namespace tandem::solve {

namespace {

// The best of a few on Gset graphs of all kinds at three CPU seconds each; half or twice of any hardly matters.
constexpr std::uint64_t kFirstSweeps = 4;
constexpr std::uint64_t kSweepsMax = std::uint64_t{1} << 40;
constexpr std::uint64_t kGrowth = 3;             // of the sweeps, from an epoch to the next
constexpr std::uint64_t kFirstAnneal = 4;        // the first anneal of an epoch against those of its generations
constexpr double kReheatShare = 0.6;             // of the hot temperature
constexpr std::uint64_t kGenerationsMixed = 4;   // one in so many generations takes parts of other members
constexpr std::uint64_t kBarrenMax = 8;
constexpr std::uint64_t kSweepsOfGenerations = 32;  // with fewer, most of the time would be crossing
constexpr std::uint64_t kCrossingVisits = 6;  // time of crossing a member, in visits by all replicas of each variable

}  // namespace

ReplicaSearch::ReplicaSearch(const ReplicaModel& model, ReplicaSearchOptions options)
    : model_(model),
      options_(std::move(options)),
      annealing_(ReplicaAnnealing::create(model, options_.temperatures, options_.visit_units)),
      crossing_(model.search_model()),
      archive_(options_.candidates_max),
      sweeps_(options_.sweeps_first != 0 ? options_.sweeps_first : kFirstSweeps) {
  if (options_.starts.empty()) {
    begin_epoch();
    return;
  }
  for (const problem::Assignment& start : options_.starts) {
    archive_.offer(model.search_model().energy(start), start);
  }
  for (std::size_t r = 0; r < kReplicas; ++r) {
    const problem::Assignment& start = options_.starts[r % options_.starts.size()];
    population_.push_back({model.search_model().energy(start), start});
  }
  begin_generation();
}

std::uint64_t ReplicaSearch::bytes(std::size_t num_variables, std::size_t candidates_max) {
  return ReplicaAnnealing::bytes(num_variables) + ComponentCrossing::bytes(num_variables) +
         num_variables * (kReplicas + candidates_max + 1);
}

void ReplicaSearch::begin_epoch() {
  population_.clear();
  generation_ = 0;
  barren_ = 0;
  best_of_epoch_ = INT64_MAX;
  phase_ = Phase::kAnnealing;
  annealing_->begin({.seed = derive_seed(options_.seed, num_reads_++), .sweeps = kFirstAnneal * sweeps_});
}

void ReplicaSearch::begin_generation() {
  phase_ = Phase::kAnnealing;
  annealing_->begin({.seed = derive_seed(options_.seed, num_reads_++),
                     .sweeps = sweeps_,
                     .hot_share = kReheatShare,
                     .starts = population_});
}

void ReplicaSearch::advance(std::uint64_t units_end, const Watch& watch) {
  while (units() < units_end && !reached_target_ && !watch.stopped()) {
    if (phase_ == Phase::kAnnealing) {
      annealing_->advance(units_end - crossing_units_, watch);
      if (!annealing_->done()) continue;
      energies_ = annealing_->energies();
      population_.resize(kReplicas);
      next_ = 0;
      phase_ = Phase::kCrossing;
      continue;
    }
    Candidate& member = population_[next_];
    if (!(phase_ == Phase::kCrossing ? cross(member, watch) : mix(member, watch))) return;
    crossing_units_ += kCrossingVisits * options_.visit_units * model_.size();
    ++next_;
    note(member, watch);
    if (next_ < kReplicas) continue;
    next_ = 0;
    const bool mixes = phase_ == Phase::kCrossing && generation_ % kGenerationsMixed == kGenerationsMixed - 1;
    if (mixes) {
      phase_ = Phase::kMixing;
    } else {
      end_generation();
    }
  }
}

bool ReplicaSearch::cross(Candidate& member, const Watch& watch) {
  annealing_->copy(next_, bits_);
  std::int64_t energy = energies_[next_];
  if (!member.bits.empty()) {
    const auto gain = crossing_.improve(bits_, member.bits, false, watch);
    if (!gain) return false;
    energy += *gain;
  }
  member.energy = energy;
  member.bits.swap(bits_);
  return true;
}

bool ReplicaSearch::mix(Candidate& member, const Watch& watch) {
  const std::size_t shift = 1 + derive_seed(options_.seed, num_reads_) % (kReplicas - 1);
  const Candidate& other = population_[(next_ + shift) % kReplicas];
  bits_ = member.bits;
  const auto gain = crossing_.improve(bits_, other.bits, model_.symmetric(), watch);
  if (!gain) return false;
  member.energy += *gain;
  member.bits.swap(bits_);
  return true;
}

void ReplicaSearch::note(const Candidate& member, const Watch& watch) {
  archive_.offer(member.energy, member.bits);
  if (member.energy >= best_energy_) return;
  TANDEM_ASSERT(member.energy == model_.search_model().energy(member.bits));
  best_energy_ = member.energy;
  reached_target_ = watch.found(best_energy_, units());
}

void ReplicaSearch::end_generation() {
  const std::int64_t best = std::ranges::min_element(population_, {}, &Candidate::energy)->energy;
  barren_ = best < best_of_epoch_ ? 0 : barren_ + 1;
  best_of_epoch_ = std::min(best, best_of_epoch_);
  ++generation_;
  if (barren_ < kBarrenMax && sweeps_ >= kSweepsOfGenerations) {
    begin_generation();
    return;
  }
  if (sweeps_ < kSweepsMax) sweeps_ *= kGrowth;
  begin_epoch();
}

void ReplicaSearch::collect(Archive& into) const {
  into.offer(archive_);
  if (archive_.empty()) annealing_->collect(into);  // still in the first anneal
}

void ReplicaSearch::offer(const Candidate& candidate) {
  if (population_.empty() || population_.back().bits.empty()) return;
  const auto worst = std::ranges::max_element(population_, {}, &Candidate::energy);
  if (candidate.energy >= worst->energy || std::ranges::find(population_, candidate) != population_.end()) return;
  *worst = candidate;
}

}  // namespace tandem::solve
