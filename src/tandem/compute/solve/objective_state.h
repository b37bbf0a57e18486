// tandem/compute/solve/objective_state.h - a quadratic objective under flips, behind one interface whatever its rows.
//
// Room: compute, inside solve. For searches whose moves cost more than a virtual call; annealing takes the landscape itself.
#pragma once

#include <memory>

#include "tandem/compute/solve/landscape.h"

namespace tandem::solve {

/// Starts at all bits low. Threads: one; the model may be shared.
class ObjectiveState {
 public:
  static std::unique_ptr<ObjectiveState> create(const SearchModel& model);
  static std::uint64_t bytes(const SearchModel& model) { return model.size() * 16; }
  virtual ~ObjectiveState() = default;
  std::int64_t energy() const { return energy_; }
  virtual const problem::Assignment& bits() const = 0;
  virtual std::int64_t flip_energy(std::size_t i) const = 0;
  virtual void flip(std::size_t i) = 0;
  /// w_ij. Cost: O(log degree) in sparse rows.
  virtual std::int64_t coupling(std::size_t i, std::size_t j) const = 0;

 protected:
  std::int64_t energy_ = 0;
};

}  // namespace tandem::solve
