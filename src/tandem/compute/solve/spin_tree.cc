#include "tandem/compute/solve/spin_tree.h"

#include <algorithm>
#include <cmath>

namespace tandem::solve {

namespace {

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

SpinTree::SpinTree(const SpinModel& model, problem::Assignment incumbent, double gain, Better better)
    : order_(strongest_first(model)),
      model_(reordered(model, order_)),
      gain_(gain),
      better_(std::move(better)),
      best_(std::move(incumbent)),
      best_energy_(model_.energy(reordered(best_, order_))),
      bound_(model_.couplings, model_.fields, reordered(best_, order_)),
      nodes_(model.size()),
      spins_(model.size()),
      root_bound_(0) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].fields.resize(nodes_.size() - i);
    root_bound_ -= std::abs(model_.fields[i]);
  }
  for (const double coupling : model_.couplings) root_bound_ -= std::abs(coupling) / 2;
}

bool SpinTree::step(const std::function<bool()>& stop) {
  if (!bound_.prepared()) {
    if (!bound_.prepare(stop)) return false;
    if (bound_.prepared()) root_bound_ = std::max(root_bound_, bound_.bound(0, model_.fields));
    return true;
  }
  if (!started_) {
    started_ = true;
    nodes_[0].fields = model_.fields;
    evaluate(0);
    return true;
  }
  while (true) {
    Node& node = nodes_[depth_];
    if (node.next_child == 2) {
      if (depth_ == 0) {
        done_ = true;
        return true;
      }
      --depth_;
      continue;
    }
    const Child child = node.children[node.next_child++];
    if (child.bound > best_energy_ - gain_) continue;
    spins_[depth_] = child.spin;
    Node& below = nodes_[depth_ + 1];
    below.energy = child.energy;
    const double* row = model_.couplings.data() + depth_ * model_.size() + depth_ + 1;
    for (std::size_t i = 0; i < below.fields.size(); ++i) below.fields[i] = node.fields[i + 1] + child.spin * row[i];
    evaluate(++depth_);
    return true;
  }
}

void SpinTree::evaluate(std::size_t depth) {
  Node& node = nodes_[depth];
  const std::size_t left = model_.size() - depth - 1;
  node.next_child = 0;
  for (int c = 0; c < 2; ++c) {
    Child& child = node.children[c];
    child.spin = static_cast<std::int8_t>(c == 0 ? 1 : -1);
    child.energy = node.energy + child.spin * node.fields[0];
    child.bound = child.energy;
    if (left == 0) {
      spins_[depth] = child.spin;
      consider_leaf(child.energy);
      continue;
    }
    std::vector<double>& fields = nodes_[depth + 1].fields;
    const double* row = model_.couplings.data() + depth * model_.size() + depth + 1;
    for (std::size_t i = 0; i < left; ++i) fields[i] = node.fields[i + 1] + child.spin * row[i];
    child.bound += bound_.bound(depth + 1, fields);
  }
  if (left == 0) node.next_child = 2;
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
