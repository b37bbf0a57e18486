// tandem/compute/solve/linear_search.h - LinearSearch: branch and cut by CBC on a model whose objective is linear as well.
//
// Room: compute, inside solve; its source alone includes CBC. What CBC says is taken as advice: an assignment counts once it is feasible in
// integers and by Cqm::feasible(), with the energy of the search model; a bound counts after it was lowered by what floating point may have
// added, and rounded up to the next integer energy only then.
// Source: Forrest, Lougee-Heimer et al., COIN-OR Branch and Cut (docs/adr/0015). Excluding a point by a row that it violates: Balas, Jeroslow
// 1972, "Canonical cuts on the unit hypercube" (SIAM J. Appl. Math. 23).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/compute/solve/archive.h"
#include "tandem/compute/solve/constrained_search.h"
#include "tandem/compute/solve/race.h"

namespace tandem::solve {

struct LinearOptions {
  std::size_t candidates_max = 16;
  std::uint64_t memory_bytes_max = 0;  ///< with bytes(), and what the tree takes: it ends there
  std::vector<problem::Assignment> starts{};  ///< bits
};

/// One tree. A unit is a step of CBC: an iteration or a factorization of a linear program, a node, a family of cuts.
///
/// Threads: one at a time, not always the same one. It pauses after any unit, so that a stop is heard as soon as that has ended: within a
/// millisecond on thousands of variables. The same model and units give the same bytes on one machine's libraries of linear algebra.
/// Cost: a unit is O(entries of the constraints) at most and often far less.
class LinearSearch {
 public:
  static constexpr std::size_t kVariablesMax = 100'000;

  /// What CBC calls of other libraries, before the first search. Errors: 1049 library_missing.
  static Result<void> open_libraries();
  /// `form` has a linear objective and outlives it.
  LinearSearch(const ConstrainedForm& form, LinearOptions options);
  ~LinearSearch();
  LinearSearch(const LinearSearch&) = delete;
  LinearSearch& operator=(const LinearSearch&) = delete;
  static bool takes(const problem::Cqm& cqm) {
    return cqm.objective().terms().empty() && cqm.num_variables() <= kVariablesMax;
  }
  /// Before the tree grows.
  static std::uint64_t bytes(const problem::Cqm& cqm);

  /// As Strand::advance().
  void advance(std::uint64_t units_end, const Watch& watch);
  std::uint64_t units() const;
  /// kProved: no feasible assignment has an energy below that of all that it has found or was told of; where that is none, none is
  /// feasible. kFinished: it cannot go on, for want of memory or of digits.
  StrandState state() const;
  /// Feasible assignments.
  const Archive& found() const;
  /// No feasible assignment has an energy below it.
  std::optional<std::int64_t> bound() const;
  /// The energy of a feasible assignment that was found elsewhere: nothing that is no better will be looked for.
  void hear_of(std::int64_t energy);

 private:
  class Cbc;
  std::unique_ptr<Cbc> cbc_;
};

}  // namespace tandem::solve
