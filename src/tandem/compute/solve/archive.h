// tandem/compute/solve/archive.h - the best distinct assignments that a search has seen.
//
// Room: compute, inside solve.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/model/problem/vartype.h"

namespace tandem::solve {

/// Bits are over {0, 1} whatever the vartype of the model.
struct Candidate {
  std::int64_t energy = 0;
  problem::Assignment bits;
  friend bool operator==(const Candidate&, const Candidate&) = default;
  friend auto operator<=>(const Candidate&, const Candidate&) = default;
};

/// Keeps the `capacity` first of all candidates offered, in the order of (energy, bits), each once: whatever the order of
/// offers, the same ones stay.
class Archive {
 public:
  explicit Archive(std::size_t capacity) : capacity_(capacity) {}
  /// Cost: O(size) moves and O(n) for a candidate that enters; O(1) for one that is not good enough.
  void offer(std::int64_t energy, problem::AssignmentView bits);
  void offer(const Archive& other);
  std::span<const Candidate> candidates() const { return candidates_; }
  bool empty() const { return candidates_.empty(); }

 private:
  std::size_t capacity_;
  std::vector<Candidate> candidates_;
};

}  // namespace tandem::solve
