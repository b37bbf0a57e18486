#include "tandem/compute/solve/tempering_search.h"

#include <algorithm>

#include "tandem/base/assert.h"

namespace tandem::solve {

namespace {

// The best of a few on lattices, regular graphs and Gset graphs at three CPU seconds each.
constexpr double kLadder = 3;  // hot against cold, at most: colder levels hardly move
constexpr std::uint32_t kColdShare = 8;   // the coldest level of so many gives what is crossed
constexpr std::uint64_t kSweepsMax = 64;  // of a round
constexpr std::uint64_t kQuenches = 4;
constexpr std::uint64_t kCrossingVisits = 6;  // as in replica_search.cc

/// The larger the model, the less the energies at neighbouring temperatures overlap.
std::uint32_t levels_for(std::size_t n) { return n < 64 ? 8 : n < 256 ? 16 : 32; }

Temperatures ladder_of(const Temperatures& measured) {
  return {measured.hot, std::max(measured.cold, measured.hot / kLadder)};
}

}  // namespace

TemperingSearch::TemperingSearch(const ReplicaModel& model, TemperingSearchOptions options)
    : model_(model),
      options_(std::move(options)),
      tempering_(model, {.seed = options_.seed,
                         .visit_units = options_.visit_units,
                         .temperatures = ladder_of(options_.temperatures),
                         .levels = levels_for(model.size()),
                         .starts = options_.starts}),
      crossing_(model.search_model()),
      archive_(options_.candidates_max),
      next_(kReplicas) {
  for (const problem::Assignment& start : options_.starts) offer({model.search_model().energy(start), start});
}

std::uint64_t TemperingSearch::bytes(std::size_t num_variables, std::size_t candidates_max) {
  return ReplicaTempering::bytes(num_variables) + ComponentCrossing::bytes(num_variables) +
         num_variables * (candidates_max + 3);
}

void TemperingSearch::advance(std::uint64_t units_end, const Watch& watch) {
  while (units() < units_end && !reached_target_ && !watch.stopped()) {
    if (next_ < kReplicas) {
      if (!harvest(next_, watch)) return;
      ++next_;
      continue;
    }
    if (tempering_.done()) tempering_.begin(sweeps_, kQuenches);
    tempering_.advance(units_end - harvest_units_, watch);
    if (!tempering_.done()) continue;
    sweeps_ = std::min(2 * sweeps_, kSweepsMax);
    next_ = 0;
  }
}

bool TemperingSearch::harvest(std::size_t replica, const Watch& watch) {
  const bool cold = tempering_.level(replica) < tempering_.levels() / kColdShare;
  std::int64_t energy = tempering_.energy(replica);
  if (!cold && energy >= best_.energy) return true;
  tempering_.copy(replica, bits_);
  for (const Candidate* other : {&std::as_const(best_), &std::as_const(elsewhere_)}) {
    if (other->bits.empty()) continue;
    const auto gain = crossing_.improve(bits_, other->bits, model_.symmetric(), watch);
    if (!gain) return false;
    energy += *gain;
  }
  harvest_units_ += kCrossingVisits * options_.visit_units * model_.size();
  archive_.offer(energy, bits_);
  if (energy >= best_.energy) return true;
  TANDEM_ASSERT(energy == model_.search_model().energy(bits_));
  best_ = {energy, bits_};
  reached_target_ = watch.found(energy, units());
  return true;
}

void TemperingSearch::collect(Archive& into) const {
  into.offer(archive_);
  if (!archive_.empty()) return;  // else still in the first round
  problem::Assignment bits;
  tempering_.copy(0, bits);
  into.offer(model_.search_model().energy(bits), bits);
}

void TemperingSearch::offer(const Candidate& candidate) {
  if (candidate.energy < elsewhere_.energy) elsewhere_ = candidate;
}

}  // namespace tandem::solve
