#include "tandem/compute/solve/stable_tree.h"

#include <algorithm>
#include <bit>

namespace tandem::solve {
namespace {
constexpr std::size_t kBits = 64;
constexpr std::uint64_t kWordsAUnit = 4;
}  // namespace

StableTree::StableTree(const ConflictGraph& graph)
    : graph_(graph), words_((graph.size() + kBits - 1) / kBits), order_(graph.size()), scratch_(words_) {
  // On the complement: nodes of few companions last, so that they are branched on first and the deep sets are of the many.
  const std::size_t n = graph.size();
  std::vector<std::size_t> degree(n);
  for (std::size_t i = 0; i < n; ++i) degree[i] = graph.neighbours(i).size();
  std::vector<char> taken(n);
  for (std::size_t place = n; place-- > 0;) {
    std::size_t next = n;
    for (std::size_t i = 0; i < n; ++i)
      if (taken[i] == 0 && (next == n || degree[i] > degree[next])) next = i;
    taken[next] = 1;
    order_[place] = static_cast<std::uint32_t>(next);
    for (const std::uint32_t other : graph.neighbours(next)) --degree[other];
  }
  std::vector<std::uint32_t> bit_of(n);
  for (std::uint32_t bit = 0; bit < n; ++bit) bit_of[order_[bit]] = bit;
  rows_.assign(n * words_, 0);
  for (std::size_t bit = 0; bit < n; ++bit) {
    for (const std::uint32_t other : graph.neighbours(order_[bit])) {
      const std::uint32_t at = bit_of[other];
      rows_[bit * words_ + at / kBits] |= Word{1} << (at % kBits);
    }
  }
}

void StableTree::open(std::size_t depth) {
  Level& level = *levels_[depth];
  level.choices.clear();
  const std::size_t chosen = chosen_.size();
  const std::size_t needed =
      best_size_ >= chosen ? best_size_ - chosen : 0;  // what at most this many give is nothing new
  std::vector<Word>& rest = scratch_;
  rest = level.left;
  std::vector<Word> clique(words_);
  std::uint32_t cliques = 0;
  std::size_t first = 0;
  while (true) {
    while (first < words_ && rest[first] == 0) ++first;
    if (first == words_) break;
    ++cliques;
    std::copy(rest.begin() + static_cast<std::ptrdiff_t>(first), rest.end(),
              clique.begin() + static_cast<std::ptrdiff_t>(first));
    for (std::size_t word = first; word < words_;) {
      if (clique[word] == 0) {
        ++word;
        continue;
      }
      const auto bit = static_cast<std::size_t>(std::countr_zero(clique[word])) + word * kBits;
      rest[word] &= ~(Word{1} << (bit % kBits));
      const Word* row = rows_.data() + bit * words_;
      clique[word] &= ~(Word{1} << (bit % kBits));
      for (std::size_t k = word; k < words_; ++k) clique[k] &= row[k];
      units_ += (words_ - word) / kWordsAUnit + 1;
      if (cliques > needed) level.choices.push_back({static_cast<std::uint32_t>(bit), cliques});
    }
  }
}

void StableTree::step() {
  if (!started_) {
    started_ = true;
    levels_.push_back(std::make_unique<Level>());
    levels_[0]->left.assign(words_, 0);
    for (std::size_t bit = 0; bit < order_.size(); ++bit) levels_[0]->left[bit / kBits] |= Word{1} << (bit % kBits);
    depth_ = 1;
    open(0);
    root_bound_ = levels_[0]->choices.empty() ? 0 : levels_[0]->choices.back().bound;
    return;
  }
  Level& level = *levels_[depth_ - 1];
  if (level.choices.empty() || chosen_.size() + level.choices.back().bound <= best_size_) {
    --depth_;
    if (!chosen_.empty()) chosen_.pop_back();
    ++units_;
    return;
  }
  const std::uint32_t bit = level.choices.back().node;
  if (depth_ == 1) root_bound_ = level.choices.back().bound;  // of all that is left
  level.choices.pop_back();
  level.left[bit / kBits] &= ~(Word{1} << (bit % kBits));
  chosen_.push_back(bit);
  if (chosen_.size() > best_size_) {
    best_size_ = chosen_.size();
    best_.assign(order_.size(), 0);
    for (const std::uint32_t one : chosen_) best_[order_[one]] = 1;
  }
  if (depth_ == levels_.size()) levels_.push_back(std::make_unique<Level>());
  Level& next = *levels_[depth_];
  next.left.resize(words_);
  const Word* row = rows_.data() + bit * words_;
  const Level& above = *levels_[depth_ - 1];
  for (std::size_t k = 0; k < words_; ++k) next.left[k] = above.left[k] & ~row[k];
  units_ += words_ / kWordsAUnit + 1;
  ++depth_;
  open(depth_ - 1);
}

std::size_t StableTree::bound() const {
  if (!started_) return order_.size();
  return done() ? best_size_ : std::max(best_size_, root_bound_);
}

}  // namespace tandem::solve
