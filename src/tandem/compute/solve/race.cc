#include "tandem/compute/solve/race.h"

#include <algorithm>

namespace tandem::solve {

bool Watch::stopped() const {
  if (race_->context_.stop.stop_requested()) return true;
  return !race_->limited() && race_->over_.load(std::memory_order_relaxed);
}

bool Watch::found(std::int64_t energy, std::uint64_t units) const {
  const bool target = race_->goal_.target.has_value() && energy <= *race_->goal_.target;
  if (target) race_->over_.store(true, std::memory_order_relaxed);
  if (!race_->context_.sink) return target;
  const std::lock_guard lock(race_->mutex_);
  if (race_->best_ && energy >= *race_->best_) return target;
  race_->best_ = energy;
  race_->context_.sink({.energy = race_->goal_.objective(energy),
                        .strand = strand_,
                        .units = units_before_ + units,
                        .bound = race_->bound_});
  return target;
}

void Race::tell_bound(std::span<const std::unique_ptr<Strand>> strands) {
  if (!context_.sink || !goal_.bound) return;
  const std::optional<double> bound = goal_.bound();
  const std::lock_guard lock(mutex_);
  if (!bound || !best_ || (bound_ && *bound <= *bound_)) return;
  bound_ = bound;
  context_.sink({.energy = goal_.objective(*best_), .strand = 0, .units = strands[0]->units(), .bound = bound});
}

StopReason Race::run(std::span<const std::unique_ptr<Strand>> strands, const RoundLengths& lengths,
                     const std::function<void(std::uint64_t round)>& border) {
  std::uint64_t round_end = 0;
  std::uint64_t length = lengths.first;
  const auto limit_of = [&](std::size_t i) { return limited() ? limit_.units[i] : UINT64_MAX; };
  const auto any = [&](StrandState state) {
    return std::ranges::any_of(strands, [&](const auto& strand) { return strand->state() == state; });
  };
  for (std::uint64_t round = 0;; ++round) {
    round_end += length;
    length = std::min(2 * length, lengths.max);
    context_.executor.parallel(strands.size(), context_.threads, [&](std::size_t i) {
      Strand& strand = *strands[i];
      const std::uint64_t end = std::min(round_end, limit_of(i));
      if (strand.state() != StrandState::kWorking || strand.units() >= end) return;
      strand.advance(end, Watch(*this, static_cast<std::uint32_t>(i)));
      if (strand.state() == StrandState::kProved) over_.store(true, std::memory_order_relaxed);
    });
    tell_bound(strands);
    if (any(StrandState::kProved)) return StopReason::kProved;
    if (any(StrandState::kTarget)) return StopReason::kTarget;
    if (!any(StrandState::kWorking)) return StopReason::kFinished;
    if (context_.stop.stop_requested()) return StopReason::kStopped;
    bool work_left = false;
    for (std::size_t i = 0; i < strands.size(); ++i) {
      work_left = work_left || (strands[i]->state() == StrandState::kWorking && strands[i]->units() < limit_of(i));
    }
    if (!work_left) return StopReason::kWork;
    if (round + 1 >= lengths.rounds_max) return StopReason::kFinished;
    border(round);
  }
}

}  // namespace tandem::solve
