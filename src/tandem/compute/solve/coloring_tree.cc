#include "tandem/compute/solve/coloring_tree.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace tandem::solve {
namespace {
constexpr std::size_t kBits = 64;
constexpr std::uint32_t kNone = UINT32_MAX;
constexpr int kFewColors = 3;  // free ones, up to which ties are worth a longer look
}  // namespace

ColoringTree::ColoringTree(const ConflictGraph& graph, std::span<const std::uint32_t> clique, std::size_t fewer_than)
    : graph_(graph),
      words_((graph.size() + kBits - 1) / kBits),
      rows_(graph.size() * words_),
      seen_(graph.size()),
      counts_(graph.size() * kColorsMax),
      colors_(graph.size(), kNone),
      without_(graph.size()),
      place_(graph.size()),
      tied_(words_),
      fewer_than_(fewer_than) {
  for (std::size_t node = 0; node < graph.size(); ++node) {
    for (const std::uint32_t other : graph.neighbours(node))
      rows_[node * words_ + other / kBits] |= Word{1} << (other % kBits);
  }
  std::iota(without_.begin(), without_.end(), 0u);
  std::iota(place_.begin(), place_.end(), 0u);
  if (clique.size() >= fewer_than_) {
    done_ = true;
    return;
  }
  for (std::uint32_t k = 0; k < clique.size(); ++k) color(clique[k], k);
  descend(static_cast<std::uint32_t>(clique.size()));
}

void ColoringTree::color(std::uint32_t node, std::uint32_t color) {
  colors_[node] = color;
  for (const std::uint32_t other : graph_.neighbours(node))
    if (counts_[other * kColorsMax + color]++ == 0) seen_[other] |= Word{1} << color;
  const std::uint32_t last = without_.back();
  without_[place_[node]] = last;
  place_[last] = place_[node];
  without_.pop_back();
  units_ += graph_.neighbours(node).size();
}

void ColoringTree::uncolor(std::uint32_t node) {
  const std::uint32_t color = colors_[node];
  colors_[node] = kNone;
  for (const std::uint32_t other : graph_.neighbours(node))
    if (--counts_[other * kColorsMax + color] == 0) seen_[other] &= ~(Word{1} << color);
  place_[node] = static_cast<std::uint32_t>(without_.size());
  without_.push_back(node);
  units_ += graph_.neighbours(node).size();
}

std::uint32_t ColoringTree::next_node(Word colors) {
  units_ += without_.size();
  int fewest = INT32_MAX;
  for (const std::uint32_t node : without_) {
    const int free = std::popcount(colors & ~seen_[node]);
    if (free > fewest) continue;
    if (free < fewest) ties_.clear();
    fewest = free;
    ties_.push_back(node);
  }
  if (ties_.size() == 1 || fewest == 0) return ties_.front();
  // Of equals the one that takes most colours away from others: from its equals where few are left, else from all.
  const bool among_equals = fewest <= kFewColors;
  if (among_equals) {
    std::ranges::fill(tied_, Word{0});
    for (const std::uint32_t node : ties_) tied_[node / kBits] |= Word{1} << (node % kBits);
  }
  std::uint32_t best = ties_.front();
  std::int64_t most = -1;
  for (const std::uint32_t node : ties_) {
    std::int64_t taken = 0;
    if (among_equals) {
      for (std::size_t word = 0; word < words_; ++word) {
        for (Word left = rows_[node * words_ + word] & tied_[word]; left != 0; left &= left - 1) {
          const auto other = word * kBits + static_cast<std::size_t>(std::countr_zero(left));
          taken += std::popcount(colors & ~seen_[node] & ~seen_[other]);
          ++units_;
        }
      }
    } else {
      taken = static_cast<std::int64_t>(graph_.neighbours(node).size());
    }
    if (taken < most || (taken == most && node > best)) continue;
    most = taken;
    best = node;
  }
  return best;
}

void ColoringTree::descend(std::uint32_t used) {
  if (without_.empty()) {
    best_ = colors_;
    fewer_than_ = used;
    return;
  }
  const std::uint32_t node = next_node(colors_below(fewer_than_ - 1));
  levels_.push_back({.node = node, .used = used, .left = colors_below(used + 1) & ~seen_[node]});
}

void ColoringTree::step() {
  ++units_;
  if (levels_.empty()) {
    done_ = true;
    return;
  }
  Level& level = levels_.back();
  if (colors_[level.node] != kNone) uncolor(level.node);
  level.left &= colors_below(fewer_than_ - 1);
  if (level.left == 0 || level.used >= fewer_than_) {
    levels_.pop_back();
    return;
  }
  const auto next = static_cast<std::uint32_t>(std::countr_zero(level.left));
  level.left &= level.left - 1;
  const std::uint32_t used = std::max(level.used, next + 1);
  color(level.node, next);
  descend(used);
}

}  // namespace tandem::solve
