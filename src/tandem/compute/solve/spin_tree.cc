#include "tandem/compute/solve/spin_tree.h"

#include <algorithm>
#include <cmath>

namespace tandem::solve {

namespace {

constexpr simd::KernelTables<ConvexKernels> kKernels = {&portable::kConvexKernels, &avx2::kConvexKernels,
                                                        &avx512::kConvexKernels};

/// The variable with the largest sum of squared couplings to those that are left goes first.
std::vector<std::size_t> strongest_first(const SpinModel& model) {
  const std::size_t n = model.size();
  std::vector<double> strength(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) strength[i] += model.couplings[i * n + j] * model.couplings[i * n + j];
  }
  std::vector<bool> taken(n);
  std::vector<std::size_t> order;
  while (order.size() < n) {
    std::size_t best = n;
    for (std::size_t i = 0; i < n; ++i) {
      if (!taken[i] && (best == n || strength[i] > strength[best])) best = i;
    }
    taken[best] = true;
    order.push_back(best);
    for (std::size_t i = 0; i < n; ++i) strength[i] -= model.couplings[best * n + i] * model.couplings[best * n + i];
  }
  return order;
}

SpinModel reordered(const SpinModel& model, std::span<const std::size_t> order) {
  SpinModel out;
  for (const std::size_t i : order) {
    out.fields.push_back(model.fields[i]);
    for (const std::size_t j : order) out.couplings.push_back(model.couplings[i * model.size() + j]);
  }
  return out;
}

problem::Assignment reordered(problem::AssignmentView spins, std::span<const std::size_t> order) {
  problem::Assignment out;
  for (const std::size_t i : order) out.push_back(spins[i]);
  return out;
}

}  // namespace

double SpinModel::energy(problem::AssignmentView spins) const {
  double sum = 0;
  for (std::size_t i = 0; i < size(); ++i) {
    double row = fields[i];
    for (std::size_t j = i + 1; j < size(); ++j) row += couplings[i * size() + j] * spins[j];
    sum += row * spins[i];
  }
  return sum;
}

SpinTree::SpinTree(const SpinModel& model, problem::Assignment incumbent, double gain, simd::Isa isa, Better better)
    : order_(strongest_first(model)),
      kernels_(simd::kernels_for(kKernels, isa)),
      model_(reordered(model, order_)),
      gain_(gain),
      better_(std::move(better)),
      best_(std::move(incumbent)),
      best_energy_(model_.energy(reordered(best_, order_))),
      bound_(model_.couplings, model_.fields, isa),
      rows_(model.size() * bound_.padded()),
      nodes_(model.size()),
      spins_(model.size()),
      root_bound_(0) {
  const std::size_t n = model_.size();
  for (std::size_t i = 0; i < n; ++i) {
    nodes_[i].fields.resize(bound_.padded());
    nodes_[i].image.resize(bound_.padded());
    std::copy_n(model_.couplings.data() + i * n, n, rows_.data() + i * bound_.padded());
    root_bound_ -= std::abs(model_.fields[i]);
  }
  for (const double coupling : model_.couplings) root_bound_ -= std::abs(coupling) / 2;
  std::ranges::copy(model_.fields, nodes_[0].fields.begin());
}

std::uint64_t SpinTree::advance(std::uint64_t nodes_max, const std::function<bool()>& stop) {
  if (!bound_.prepared()) return bound_.prepare(stop) ? 1 : 0;
  if (stop()) return 0;
  std::uint64_t nodes = 0;
  if (!started_) {
    started_ = true;
    const double square = bound_.image(0, nodes_[0].fields.data(), nodes_[0].image.data());
    root_bound_ = std::max(root_bound_, bound_.bound(0, square));
    branch(0, root_bound_, square,
           kernels_.dot(nodes_[0].image.data(), bound_.along(0), bound_.padded() / kConvexBlock));
    const bool symmetric = !better_ && std::ranges::all_of(model_.fields, [](double field) { return field == 0; });
    if (symmetric) nodes_[0].next_child = 1;
    ++nodes;
  }
  const std::uint64_t revision = revision_;
  while (nodes < nodes_max && revision_ == revision) {
    Node& node = nodes_[depth_];
    if (node.next_child == 2) {
      if (depth_ == 0) {
        done_ = true;
        break;
      }
      --depth_;
      continue;
    }
    const Child child = node.children[node.next_child++];
    if (child.bound > cutoff()) continue;
    ++nodes;
    enter(child);
  }
  return std::max<std::uint64_t>(1, nodes);
}

/// Fixes the variable of this depth and branches on the next one.
void SpinTree::enter(const Child& child) {
  const std::size_t depth = depth_ + 1;
  const std::size_t block = depth / kConvexBlock * kConvexBlock;
  const Node& node = nodes_[depth_];
  Node& below = nodes_[depth];
  spins_[depth_] = child.spin;
  const double product = kernels_.step({.image = below.image.data() + block,
                                        .from = node.image.data() + block,
                                        .along = bound_.along(depth_) + block,
                                        .fields = below.fields.data() + block,
                                        .fields_from = node.fields.data() + block,
                                        .row = rows_.data() + depth_ * bound_.padded() + block,
                                        .next = bound_.along(depth) + block,
                                        .spin = static_cast<double>(child.spin),
                                        .num_blocks = (bound_.padded() - block) / kConvexBlock});
  depth_ = depth;
  branch(child.energy, child.bound, child.square, product);
}

/// The children of the node at this depth: energy of what is fixed, bound, square of its image and product with what its variable
/// adds to that.
void SpinTree::branch(double energy, double bound, double square, double product) {
  Node& node = nodes_[depth_];
  const bool leaf = depth_ + 1 == model_.size();
  const double own = node.image[depth_];
  node.next_child = leaf ? 2 : 0;
  for (int c = 0; c < 2; ++c) {
    Child& child = node.children[c];
    child.spin = static_cast<std::int8_t>(c == 0 ? 1 : -1);
    child.energy = energy + child.spin * node.fields[depth_];
    if (leaf) {
      spins_[depth_] = child.spin;
      consider_leaf(child.energy);
      continue;
    }
    child.square = square - own * own + 2 * child.spin * product + bound_.along_square(depth_);
    child.bound = std::max(bound, child.energy + bound_.bound(depth_ + 1, child.square));
  }
  if (node.children[1].bound < node.children[0].bound) std::swap(node.children[0], node.children[1]);
}

void SpinTree::consider_leaf(double energy) {
  if (energy >= best_energy_ - std::min(gain_, 0.0)) return;
  problem::Assignment spins(spins_.size());
  for (std::size_t depth = 0; depth < order_.size(); ++depth) spins[order_[depth]] = spins_[depth];
  if (better_ && !better_(spins, best_)) return;
  take(spins, model_.energy(spins_));
}

void SpinTree::offer(problem::AssignmentView spins) {
  const double energy = model_.energy(reordered(spins, order_));
  if (better_ ? better_(spins, best_) : energy < best_energy_) take(spins, energy);
}

void SpinTree::take(problem::AssignmentView spins, double energy) {
  best_.assign(spins.begin(), spins.end());
  best_energy_ = energy;
  ++revision_;
}

double SpinTree::lower_bound() const {
  if (!started_) return root_bound_;
  double open = best_energy_ - std::max(gain_, 0.0);  // what was cut off
  if (done_) return open;
  for (std::size_t depth = 0; depth <= depth_; ++depth) {
    const Node& node = nodes_[depth];
    for (int c = node.next_child; c < 2; ++c) open = std::min(open, node.children[c].bound);
  }
  return std::max(open, root_bound_);
}

}  // namespace tandem::solve
