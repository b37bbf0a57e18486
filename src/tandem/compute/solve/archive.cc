#include "tandem/compute/solve/archive.h"

#include <algorithm>

namespace tandem::solve {

void Archive::offer(std::int64_t energy, problem::AssignmentView bits) {
  const bool full = candidates_.size() == capacity_;
  if (full && (capacity_ == 0 || energy > candidates_.back().energy)) return;
  const auto before = [&](const Candidate& candidate) {
    return candidate.energy < energy ||
           (candidate.energy == energy && std::ranges::lexicographical_compare(candidate.bits, bits));
  };
  const auto place = std::ranges::partition_point(candidates_, before);
  if (place != candidates_.end() && place->energy == energy && std::ranges::equal(place->bits, bits)) return;
  if (full && place == candidates_.end()) return;
  if (full) {  // the last one makes room, and lends its memory
    std::rotate(place, candidates_.end() - 1, candidates_.end());
    place->energy = energy;
    place->bits.assign(bits.begin(), bits.end());
  } else {
    candidates_.insert(place, Candidate{energy, problem::Assignment(bits.begin(), bits.end())});
  }
}

void Archive::offer(const Archive& other) {
  for (const Candidate& candidate : other.candidates_) offer(candidate.energy, candidate.bits);
}

}  // namespace tandem::solve
