// tandem/compute/solve/exact_search.h - branch and bound on a whole model: an incumbent by tabu, then one tree a component.
//
// Room: compute, inside solve. Components of more than kTreeMax variables are not searched; what they can be at best goes into
// the bound.
#pragma once

#include <memory>
#include <optional>

#include "tandem/compute/solve/exact_order.h"
#include "tandem/compute/solve/memetic_search.h"
#include "tandem/compute/solve/spin_tree.h"

namespace tandem::solve {

struct ExactOptions {
  std::uint64_t seed = 1;
  std::uint64_t flip_units = 1;  ///< units that a flip of the first search counts
  std::uint64_t node_units = 1;  ///< units that a node, or a step of its preparation, counts
  std::size_t candidates_max = 16;
  std::vector<problem::Assignment> starts{};  ///< bits
  FineOrder order{};
};

/// A proof holds to the last digit: bounds may round by kRounding of the sum of all |coefficients|, and where that, or the order
/// of the options, leaves assignments that cannot be told apart, all of them are looked at and compared exactly.
///
/// Threads: one.
class ExactSearch {
 public:
  static constexpr std::size_t kTreeMax = 256;  ///< a step of preparation takes 50 ms there
  static constexpr double kRounding = 1e-11;

  ExactSearch(const SearchModel& model, ExactOptions options);
  static std::uint64_t bytes(const SearchModel& model, std::size_t candidates_max);
  /// Variables in the largest component, or `at_most`. Cost: little more than one row where the model is dense and larger.
  static std::size_t largest_component(const SearchModel& model, std::size_t at_most);

  /// As Strand::advance(), until done().
  void advance(std::uint64_t units_end, const Watch& watch);
  std::uint64_t units() const { return units_; }
  bool done() const { return done_; }
  bool proved() const { return done_ && skipped_ == 0; }
  bool reached_target() const { return reached_target_; }
  std::int64_t best_energy() const { return best_energy_; }
  void collect(Archive& into) const;
  /// The best assignment, as bits; empty before one was found. The optimum where proved().
  const problem::Assignment& best_bits() const { return best_bits_; }
  /// An assignment found elsewhere.
  void offer(const Candidate& candidate);
  /// A lower bound on every energy; empty before an assignment was found.
  std::optional<std::int64_t> bound() const;

 private:
  void search_first(std::uint64_t units_end, const Watch& watch);
  void begin_component();
  void open_tree(std::span<const std::uint32_t> members);
  void settle_single(std::uint32_t i);
  void take_best_of_tree();
  /// Whether `b` becomes better by taking these members from `a`.
  bool better(std::span<const std::uint32_t> members, problem::AssignmentView a, problem::AssignmentView b) const;
  void report(const Watch& watch);
  double tree_gap() const;

  const SearchModel& model_;
  ExactOptions options_;
  MemeticSearch first_;
  std::uint64_t first_end_;
  std::vector<std::vector<std::uint32_t>> components_;
  std::size_t current_ = 0;  ///< component whose tree is open, or next to be begun
  std::unique_ptr<SpinTree> tree_;
  double tree_rounding_ = 0;
  std::uint64_t tree_revision_ = 0;  ///< of the tree when last looked at
  double gap_ = 0;  ///< of the components done: what was not searched
  std::size_t skipped_ = 0;  ///< components that were too large
  std::uint64_t units_ = 0;
  bool done_ = false;
  bool reached_target_ = false;
  std::int64_t best_energy_ = INT64_MAX;
  std::int64_t reported_ = INT64_MAX;  ///< best that the watch has heard of
  problem::Assignment best_bits_;
  Archive archive_;
};

}  // namespace tandem::solve
