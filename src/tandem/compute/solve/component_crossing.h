// tandem/compute/solve/component_crossing.h - the best child of two assignments that differ in parts which do not touch.
//
// Room: compute, inside solve. Source: Tinos, Whitley, Chicano 2015, "Partition crossover for pseudo-Boolean optimization" (FOGA);
// the same parts are the clusters of Houdayer 2001 (Eur. Phys. J. B 22) for spin glasses.
#pragma once

#include <cstdint>
#include <vector>

#include <optional>

#include "tandem/compute/solve/race.h"
#include "tandem/compute/solve/search_model.h"

namespace tandem::solve {

/// The variables in which two assignments differ fall into components without a coupling between them; each can be taken from
/// either, and what it adds to the energy does not depend on the others.
///
/// Threads: one; the model may be shared. Cost: O(n) and the rows of the differing variables.
class ComponentCrossing {
 public:
  explicit ComponentCrossing(const SearchModel& model) : model_(&model), seen_(model.size()) {}
  static std::uint64_t bytes(std::size_t num_variables) { return num_variables * 5; }

  /// Gives `child` every component of `other` that does not raise its energy. `symmetric`: then of the opposite of `other` too, which in
  /// a model without a preferred direction is as good. Returns what that adds: never above zero. Empty where the watch says stop
  /// meanwhile: a child half done is of no use.
  std::optional<std::int64_t> improve(problem::Assignment& child, problem::AssignmentView other, bool symmetric,
                                      const Watch& watch);

 private:
  /// Values differ where their exclusive or is `difference`.
  std::optional<std::int64_t> cross(problem::Assignment& child, problem::AssignmentView other, std::int8_t difference,
                                    const Watch& watch);

  const SearchModel* model_;
  std::vector<std::int8_t> seen_;
  std::vector<std::uint32_t> component_;
};

}  // namespace tandem::solve
