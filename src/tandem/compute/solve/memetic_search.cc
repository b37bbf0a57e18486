#include "tandem/compute/solve/memetic_search.h"

#include <algorithm>

namespace tandem::solve {

namespace {

constexpr std::uint64_t kPatiencePerVariable = 20;
constexpr std::uint64_t kPatienceMin = 500;
constexpr std::size_t kBarrenMax = 20;
constexpr std::uint64_t kStopEvery = 16;  // flips between two looks at the stop token; the longest take 10 us

std::size_t distance(problem::AssignmentView a, problem::AssignmentView b) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += a[i] != b[i] ? 1 : 0;
  return count;
}

}  // namespace

MemeticSearch::MemeticSearch(std::unique_ptr<TabuSearch> search, MemeticOptions options)
    : options_(std::move(options)),
      search_(std::move(search)),
      rng_(options_.seed),
      n_(search_->bits().size()),
      patience_(options_.patience != 0 ? options_.patience : std::max(kPatienceMin, kPatiencePerVariable * n_)),
      archive_(options_.candidates_max),
      goal_(n_) {}

void MemeticSearch::advance(std::uint64_t units_end, const Watch& watch) {
  if (watch.stopped()) return;
  for (std::uint64_t flips = 1; units_ < units_end; ++flips) {
    if (!running_) begin_run();
    search_->step();
    units_ += options_.step_units;
    if (search_->has_best() && search_->best_energy() < best_energy_) {
      best_energy_ = search_->best_energy();
      if (watch.found(best_energy_, units_)) {
        reached_target_ = true;
        return;
      }
    }
    if (search_->done()) end_run();
    if (flips % kStopEvery == 0 && watch.stopped()) return;
  }
}

void MemeticSearch::begin_run() {
  running_ = true;
  if (next_start_ < options_.starts.size()) {
    search_->begin(options_.starts[next_start_++], rng_(), patience_);
    return;
  }
  if (population_.size() >= population_goal_) {
    const std::size_t from = rng_.below(population_.size());
    const std::size_t to = (from + 1 + rng_.below(population_.size() - 1)) % population_.size();
    search_->relink(population_[from].bits, population_[to].bits, rng_(), patience_);
    return;
  }
  for (std::int8_t& bit : goal_) bit = static_cast<std::int8_t>(rng_() >> 63);
  search_->begin(goal_, rng_(), patience_);
}

void MemeticSearch::end_run() {
  running_ = false;
  ++own_runs_;
  if (!search_->has_best()) return;
  archive_.offer(search_->best_energy(), search_->best_bits());
  const bool filling = population_.size() < population_goal_;
  const bool joined = join(search_->best_energy(), search_->best_bits());
  if (filling && !joined) --population_goal_;  // a small model has fewer local optima than places
  barren_ = joined ? 0 : barren_ + 1;
  if (!filling && (barren_ > kBarrenMax || converged())) {
    population_.resize(1);
    population_goal_ = kPopulation;
    barren_ = 0;
  }
  population_goal_ = std::max<std::size_t>(population_goal_, 2);
}

bool MemeticSearch::join(std::int64_t energy, problem::AssignmentView bits) {
  const bool full = population_.size() >= population_goal_;
  if (full && energy >= population_.back().energy) return false;
  for (const Candidate& member : population_) {
    if (std::ranges::equal(member.bits, bits)) return false;
  }
  if (full) population_.pop_back();
  const auto place = std::ranges::upper_bound(population_, energy, {}, &Candidate::energy);
  population_.insert(place, Candidate{energy, problem::Assignment(bits.begin(), bits.end())});
  return true;
}

bool MemeticSearch::converged() const {
  if (population_.size() < 2) return false;
  std::size_t sum = 0;
  for (std::size_t i = 1; i < population_.size(); ++i) sum += distance(population_[0].bits, population_[i].bits);
  return sum < (population_.size() - 1) * (n_ / 100 + 1);
}

void MemeticSearch::immigrate(const Candidate& candidate) {
  if (own_runs_ < kImmigrantRuns || population_.size() < population_goal_) return;
  own_runs_ = 0;
  join(candidate.energy, candidate.bits);
}

void MemeticSearch::collect(Archive& into) const {
  into.offer(archive_);
  if (units_ == 0) return;
  if (search_->has_best()) into.offer(search_->best_energy(), search_->best_bits());
  if (search_->energy() < best_energy_) into.offer(search_->energy(), search_->bits());  // on the way down
}

}  // namespace tandem::solve
