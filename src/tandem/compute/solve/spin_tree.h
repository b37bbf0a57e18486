// tandem/compute/solve/spin_tree.h - depth-first branch and bound on one connected spin model, a step a node.
//
// Room: compute, inside solve. Strongly coupled spins are fixed first, in one order for the whole tree; of two children the
// one with the lower bound goes first.
#pragma once

#include <functional>
#include <vector>

#include "tandem/compute/solve/convex_bound.h"
#include "tandem/model/problem/vartype.h"

namespace tandem::solve {

/// E(s) = sum_i fields_i s_i + sum_{i<j} couplings_ij s_i s_j.
struct SpinModel {
  std::vector<double> fields;
  std::vector<double> couplings;  ///< rows of size(), symmetric, zero on the diagonal
  std::size_t size() const { return fields.size(); }
  double energy(problem::AssignmentView spins) const;
};

/// Where no spin has a field the first one stays at 1: the other half of the tree is its mirror image.
///
/// Threads: one. Cost: a node takes some 6 operations a variable left.
class SpinTree {
 public:
  /// Whether spins `a` are better than `b`, both in the order given.
  using Better = std::function<bool(problem::AssignmentView a, problem::AssignmentView b)>;

  /// Looks for energies below energy(incumbent) - `gain`: what lies above that is cut off. Two variables at least, coupled.
  /// With a negative gain `better` decides between the best and every leaf that lies less than -gain above it.
  SpinTree(const SpinModel& model, problem::Assignment incumbent, double gain, simd::Isa isa, Better better = {});
  static std::uint64_t bytes(std::size_t size) { return ConvexBound::bytes(size) + 8 * size * (6 * size + 64); }

  /// At most `nodes_max` more nodes, or one step of preparation, which counts as one; ends early when best() changes. How many it
  /// were: 0 when `stop` ended it before anything changed. done() is false.
  std::uint64_t advance(std::uint64_t nodes_max, const std::function<bool()>& stop);
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
    double square = 0;  ///< of the image of its fields
  };
  struct Node {
    std::vector<double> fields;  ///< padded; those from its depth on count
    std::vector<double> image;  ///< of the fields
    Child children[2];  ///< better bound first
    int next_child = 2;
  };
  double cutoff() const { return best_energy_ - gain_; }
  void enter(const Child& child);
  void branch(double energy, double bound, double square, double product);
  void consider_leaf(double energy);
  void take(problem::AssignmentView spins, double energy);

  std::vector<std::size_t> order_;  ///< depth -> variable
  const ConvexKernels& kernels_;
  SpinModel model_;  ///< in the order of the tree
  double gain_;
  Better better_;
  std::uint64_t revision_ = 0;
  problem::Assignment best_;  ///< in the order given
  double best_energy_;
  ConvexBound bound_;
  std::vector<double> rows_;  ///< couplings, each row padded
  std::vector<Node> nodes_;  ///< one a depth
  problem::Assignment spins_;
  std::size_t depth_ = 0;
  double root_bound_;
  bool started_ = false;
  bool done_ = false;
};

}  // namespace tandem::solve
