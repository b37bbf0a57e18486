// tandem/compute/solve/tabu_search.h - one-flip tabu search on one model, a step a flip.
//
// Room: compute, inside solve. Source: Glover, Lu, Hao 2010, "Diversification-driven tabu search for unconstrained binary
// quadratic problems" (4OR 8): best admissible flip, tenure n/100 + random, aspiration. Ties are broken at random. Wang, Lu,
// Glover, Hao 2012, "Path relinking for unconstrained binary quadratic programming" (EJOR 223): greedy paths between two
// assignments, of which the best in the middle third is where the search begins.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/polynomial_model.h"
#include "tandem/compute/solve/search_model.h"

namespace tandem::solve {

/// A run walks from where the search stands to where it begins, one flip a step, then searches until `patience` flips brought nothing.
///
/// Threads: one; the model may be shared. Cost: a dense flip is one pass over a row and the flip energies; a sparse one is
/// O(neighbours), a flip in a polynomial O(sum of the sizes of the terms of the variable).
class TabuSearch {
 public:
  static std::unique_ptr<TabuSearch> create(const SearchModel& model);
  static std::unique_ptr<TabuSearch> create(const PolynomialModel& model);
  static std::uint64_t bytes(const SearchModel& model);
  static std::uint64_t bytes(const PolynomialModel& model);
  virtual ~TabuSearch() = default;

  /// Begins a run from `goal`. Nothing moves before the next step().
  void begin(problem::AssignmentView goal, std::uint64_t seed, std::uint64_t patience);
  /// Begins a run from the best assignment of the middle third of a greedy path: each step flips, of those variables in which it still
  /// differs from `to`, the one of least flip energy.
  void relink(problem::AssignmentView from, problem::AssignmentView to, std::uint64_t seed, std::uint64_t patience);
  /// Flips once. Model of at least one variable; begin() or relink() came first.
  void step();
  /// The run is over: patience is exhausted.
  bool done() const {
    return phase_ == Phase::kSearching &&
           (static_cast<std::uint64_t>(iteration_ - last_gain_) > patience_ || iteration_ >= iterations_max_);
  }

  std::int64_t energy() const { return energy_; }
  problem::AssignmentView bits() const { return {bits_.data(), goal_.size()}; }
  /// Best local optimum of the run so far; has_best() is false before the first one.
  bool has_best() const { return has_best_; }
  std::int64_t best_energy() const { return best_energy_; }
  problem::AssignmentView best_bits() const { return best_bits_; }

 protected:
  static constexpr std::uint64_t kTenureSpread = 10;
  static constexpr std::int32_t kIterationsMax = 1 << 30;  // tenures are 32-bit
  /// A flip is not taken back for tenure(a random number) iterations, this many at most.
  static std::size_t tenure_max(std::size_t n) { return n / 100 + kTenureSpread; }

  /// `room`: places for bits, from the number of variables on. A run of `iterations_max` is ended.
  TabuSearch(std::size_t n, std::size_t room, std::int32_t iterations_max = kIterationsMax);
  std::size_t size() const { return goal_.size(); }
  std::int32_t tenure(std::uint64_t random) const;
  bool better() const { return !has_best_ || energy_ < best_energy_; }
  /// Keeps where the search stands, which is better() and a local optimum.
  void note();
  /// Where among `variables` the number that `value_of` gives is least.
  template <class ValueOf>
  static std::size_t place_of_least(std::span<const std::uint32_t> variables, const ValueOf& value_of) {
    std::size_t out = 0;
    for (std::size_t k = 1; k < variables.size(); ++k)
      if (value_of(variables[k]) < value_of(variables[out])) out = k;
    return out;
  }

  Xoshiro256 rng_{0};
  std::int32_t iteration_ = 0;
  std::int64_t energy_ = 0;
  simd::AlignedVector<std::int8_t> bits_;
  bool has_best_ = false;
  std::int64_t best_energy_ = 0;

 private:
  enum class Phase : std::uint8_t { kWalking, kLinking, kSearching };

  /// From here on no variable is tabu.
  virtual void end_search() = 0;
  /// Outside the search: flips and no more.
  virtual void flip(std::size_t i) = 0;
  /// Where among `variables` one of least flip energy is.
  virtual std::size_t least_of(std::span<const std::uint32_t> variables) const = 0;
  virtual void start_search() = 0;
  virtual void search_step() = 0;

  bool walk();
  bool link();

  const std::int32_t iterations_max_;
  Phase phase_ = Phase::kWalking;
  problem::Assignment goal_;
  std::size_t cursor_ = 0;  ///< where bits may differ from the goal
  bool linked_ = true;  ///< the goal is where the search begins
  problem::Assignment link_end_;
  std::vector<std::uint32_t> link_;  ///< variables still different from the end of the path
  std::size_t link_first_ = 0;  ///< sizes of it at the two ends of the middle third
  std::size_t link_last_ = 0;
  std::int64_t link_energy_ = 0;  ///< of the goal, the best of the path
  std::uint64_t patience_ = 0;
  std::int32_t last_gain_ = 0;
  problem::Assignment best_bits_;
};

std::unique_ptr<TabuSearch> make_dense_tabu_search(const SearchModel& model);
std::unique_ptr<TabuSearch> make_sparse_tabu_search(const SearchModel& model);

}  // namespace tandem::solve
