// tandem/hybrid/narrow/narrow.h - from a problem too large for a device to a core that fits: exact reductions, then the
// backbone that all good solutions agree on is frozen, then the most contested connected variables are kept.
//
// Room: hybrid. Every step is a reversible trail entry. Not here: solving the core (refine).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/compute/reduce/reduce.h"
#include "tandem/model/problem/problem.h"

namespace tandem::narrow {

struct NarrowOptions {
  std::uint32_t core_max = 20;
  double agreement = 0.95;  ///< a variable equal in at least this share of the elite is backbone
  std::uint64_t seed = 1;  ///< breaks ties
  std::vector<std::uint32_t> avoid;  ///< variables of recent cores (rotation), used only if nothing else is left
};

/// A core: the statement restricted to `variables`, all others fixed at the incumbent's values.
/// Shapes: `variables` ascending, of the statement it was cut from; `statement` has variables.size() variables.
struct Core {
  problem::Statement statement;  ///< Bqm or Cqm; constraints keep what the fixed variables leave of their bounds
  std::vector<std::uint32_t> variables;
  std::uint32_t backbone = 0;  ///< variables frozen because the elite agrees
  std::uint32_t cut = 0;  ///< contested variables frozen only because of core_max
  Json trail;  ///< for lineage: kind, proof class, sizes before and after, frozen values
  /// The full assignment: the incumbent with the core's variables replaced.
  problem::Assignment lift(problem::AssignmentView core_values) const;
  problem::Assignment incumbent;
};

/// `elite`: distinct good assignments, best first, at least one; for a model without fields they are first aligned by global
/// flip. Contested variables come first; where the elite contests fewer than core_max, the variables whose flip costs least
/// fill up. The core is empty only when the statement has no variables.
/// Errors: 1402 backend_cannot - a polynomial of order above 2.
Result<Core> narrow(const problem::Statement& statement, std::span<const problem::Assignment> elite,
                    const NarrowOptions& options);

}  // namespace tandem::narrow
