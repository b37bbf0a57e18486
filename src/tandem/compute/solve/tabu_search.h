// tandem/compute/solve/tabu_search.h - one-flip tabu search on one model, a step a flip.
//
// Room: compute, inside solve. Source: Glover, Lu, Hao 2010, "Diversification-driven tabu search for unconstrained binary
// quadratic problems" (4OR 8): best admissible flip, tenure n/100 + random, aspiration. Ties are broken at random.
#pragma once

#include <cstdint>
#include <memory>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/polynomial_model.h"
#include "tandem/compute/solve/search_model.h"

namespace tandem::solve {

/// A run walks from where the search stands to a goal, one flip a step, then searches until `patience` flips brought nothing.
///
/// Threads: one; the model may be shared. Cost: a dense flip is one pass over a row, the flip energies and their tenures;
/// a sparse one touches the neighbours and the blocks of 64 variables that they are in. A flip in a polynomial is O(sum of the sizes of the
/// terms of the variable), and touches the blocks of their factors.
class TabuSearch {
 public:
  static std::unique_ptr<TabuSearch> create(const SearchModel& model);
  static std::unique_ptr<TabuSearch> create(const PolynomialModel& model);
  static std::uint64_t bytes(const SearchModel& model);
  static std::uint64_t bytes(const PolynomialModel& model);
  virtual ~TabuSearch() = default;

  /// Begins a run. Nothing moves before the next step().
  virtual void begin(problem::AssignmentView goal, std::uint64_t seed, std::uint64_t patience) = 0;
  /// Flips once. Model of at least one variable; begin() came first.
  virtual void step() = 0;
  /// The run is over: patience is exhausted.
  virtual bool done() const = 0;

  std::int64_t energy() const { return energy_; }
  problem::AssignmentView bits() const { return bits_; }
  /// Best local optimum of the run so far; has_best() is false before the first one.
  bool has_best() const { return has_best_; }
  std::int64_t best_energy() const { return best_energy_; }
  problem::AssignmentView best_bits() const { return best_bits_; }

 protected:
  std::int64_t energy_ = 0;
  problem::Assignment bits_;
  bool has_best_ = false;
  std::int64_t best_energy_ = 0;
  problem::Assignment best_bits_;
};

}  // namespace tandem::solve
