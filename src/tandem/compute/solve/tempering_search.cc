#include "tandem/compute/solve/tempering_search.h"

#include <algorithm>
#include <cstdlib>

#include "tandem/base/assert.h"

namespace tandem::solve {

namespace {

static const std::uint64_t kSweepsMax = getenv("PT_SWEEPS") ? atoi(getenv("PT_SWEEPS")) : 64;
static const std::uint64_t kQuenches = getenv("PT_QUENCH") ? atoi(getenv("PT_QUENCH")) : 4;
static const std::uint32_t kColdest = getenv("PT_COLD") ? atoi(getenv("PT_COLD")) : 4;
static const std::uint32_t kLevels = getenv("PT_LEVELS") ? atoi(getenv("PT_LEVELS")) : 0;
static const double kHot = getenv("PT_HOT") ? atof(getenv("PT_HOT")) : 1;
static const double kCold = getenv("PT_COLDT") ? atof(getenv("PT_COLDT")) : 1;
constexpr std::uint64_t kCrossingVisits = 6;  // as in replica_search.cc

std::uint32_t levels_of(std::size_t n) {
  if (kLevels) return kLevels;
  return n < 64 ? 8 : n < 256 ? 16 : 32;
}
static const double kRatio = getenv("PT_R") ? atof(getenv("PT_R")) : 4;
Temperatures scaled(Temperatures t) { return {t.hot * kHot, std::max(t.cold * kCold, t.hot / kRatio)}; }

}  // namespace

TemperingSearch::TemperingSearch(const ReplicaModel& model, TemperingSearchOptions options)
    : model_(model),
      options_(std::move(options)),
      tempering_(model, {.seed = options_.seed,
                         .visit_units = options_.visit_units,
                         .temperatures = scaled(options_.temperatures),
                         .levels = levels_of(model.size()),
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
      harvest(next_++, watch);
      continue;
    }
    if (tempering_.done()) tempering_.begin(sweeps_, kQuenches);
    tempering_.advance(units_end - harvest_units_, watch);
    if (!tempering_.done()) continue;
    sweeps_ = std::min(2 * sweeps_, kSweepsMax);
    next_ = 0;
  }
}

void TemperingSearch::harvest(std::size_t replica, const Watch& watch) {
  const bool cold = tempering_.level(replica) < std::max(1u, kColdest * levels_of(model_.size()) / 32);
  std::int64_t energy = tempering_.energy(replica);
  if (!cold && energy >= best_.energy) return;
  tempering_.copy(replica, bits_);
  for (const Candidate* other : {&std::as_const(best_), &std::as_const(elsewhere_)}) {
    if (other->bits.empty()) continue;
    energy += crossing_.improve(bits_, other->bits);
    if (model_.symmetric()) energy += crossing_.improve_by_opposite(bits_, other->bits);
  }
  harvest_units_ += kCrossingVisits * options_.visit_units * model_.size();
  archive_.offer(energy, bits_);
  if (energy >= best_.energy) return;
  TANDEM_ASSERT(energy == model_.search_model().energy(bits_));
  best_ = {energy, bits_};
  reached_target_ = watch.found(energy, units());
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
