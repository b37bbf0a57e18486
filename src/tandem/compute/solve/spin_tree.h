// tandem/compute/solve/spin_tree.h - depth-first branch and bound on one connected spin model, a step a node.
//
// Room: compute, inside solve. Strongly coupled spins are fixed first, in one order for the whole tree; of two children the
// one with the lower bound goes first.
#pragma once

#include <functional>
#include <vector>

#include "tandem/compute/solve/convex_bound.h"

namespace tandem::solve {

/// E(s) = sum_i fields_i s_i + sum_{i<j} couplings_ij s_i s_j.
struct SpinModel {
  std::vector<double> fields;
  std::vector<double> couplings;  ///< rows of size(), symmetric, zero on the diagonal
  std::size_t size() const { return fields.size(); }
  double energy(problem::AssignmentView spins) const;
};

/// Threads: one. Cost: a node is two bounds, (variables left)^2 operations.
class SpinTree {
 public:
  /// Whether spins `a` are better than `b`, both in the order given.
  using Better = std::function<bool(problem::AssignmentView a, problem::AssignmentView b)>;

  /// Looks for energies below energy(incumbent) - `gain`: what lies above that is cut off. Two variables at least, coupled.
  /// With a negative gain `better` decides between the best and every leaf that lies less than -gain above it.
  SpinTree(const SpinModel& model, problem::Assignment incumbent, double gain, Better better = {});
  static std::uint64_t bytes(std::size_t size) { return ConvexBound::bytes(size) + 8 * size * (4 * size + 8); }

  /// Next node, or one step of preparation. False when `stop` ended it before anything changed. done() is false.
  bool step(const std::function<bool()>& stop);
  bool done() const { return done_; }
  double best_energy() const { return best_energy_; }
  const problem::Assignment& best() const { return best_; }  ///< spins
  std::uint64_t revision() const { return revision_; }  ///< how often best() has changed
  /// An assignment found elsewhere.
  void offer(problem::AssignmentView spins);
  /// No assignment has an energy below this, but for rounding; best_energy() - gain when done, at most best_energy().
  double lower_bound() const;

 private:
  struct Child {
    std::int8_t spin = 1;
    double energy = 0;  ///< of what is fixed
    double bound = 0;
  };
  struct Node {
    std::vector<double> fields;  ///< of the variables from its depth on
    Child children[2];  ///< better bound first
    int next_child = 2;
    double energy = 0;
  };
  void evaluate(std::size_t depth);
  void consider_leaf(double energy);
  void take(problem::AssignmentView spins, double energy);

  std::vector<std::size_t> order_;  ///< depth -> variable
  SpinModel model_;  ///< in the order of the tree
  double gain_;
  Better better_;
  std::uint64_t revision_ = 0;
  problem::Assignment best_;  ///< in the order given
  double best_energy_;
  ConvexBound bound_;
  std::vector<Node> nodes_;  ///< one a depth
  problem::Assignment spins_;
  std::size_t depth_ = 0;
  double root_bound_;
  bool started_ = false;
  bool done_ = false;
};

}  // namespace tandem::solve
