#include "tandem/compute/reduce/blocks.h"

#include <algorithm>

#include "tandem/base/stopped.h"

namespace tandem::reduce {

namespace {

constexpr std::uint32_t kNone = UINT32_MAX;

/// Depth first; a block is whole when the search goes back to its cut, and all that hangs on it has been seen by then.
class BlockSearch {
 public:
  BlockSearch(const Links& links, std::size_t size_max, const std::stop_token& stop)
      : links_(links),
        size_max_(size_max),
        stop_(stop),
        order_(links.size()),
        low_(links.size()),
        next_(links.size()),
        held_(links.size()),
        gone_(links.size()) {}

  std::vector<HangingBlock> run() && {
    for (std::uint32_t node = 0; node < links_.size(); ++node)
      if (order_[node] == 0) search(node);
    // From within a block that stays all that hangs is seen from above.
    std::ranges::fill(order_, 0);
    held_.assign(links_.size(), false);
    count_ = 0;
    for (const std::uint32_t node : std::exchange(again_, {})) search(node);
    return std::move(out_);
  }

 private:
  void enter(std::uint32_t node) {
    order_[node] = low_[node] = ++count_;
    next_[node] = 0;
    path_.push_back(node);
    open_.push_back(node);
  }

  void search(std::uint32_t root) {
    root_ = root;
    large_ = kNone;
    root_is_in_large_ = false;
    of_root_.clear();
    enter(root);
    while (true) {
      if (looks_++ % kLookEvery == 0) throw_if(stop_);
      const std::uint32_t node = path_.back();
      const std::span<const std::uint32_t> neighbours = links_.neighbours(node);
      if (next_[node] < neighbours.size()) {
        const std::uint32_t other = neighbours[next_[node]++];
        if (gone_[other]) continue;
        if (order_[other] == 0) {
          enter(other);
        } else {
          low_[node] = std::min(low_[node], order_[other]);
        }
        continue;
      }
      path_.pop_back();
      if (path_.empty()) break;
      const std::uint32_t above = path_.back();
      low_[above] = std::min(low_[above], low_[node]);
      if (low_[node] >= order_[above]) close(above, node);
    }
    open_.clear();
    // On the root, of blocks that could all go, one stays.
    if (!held_[root] && !of_root_.empty())
      of_root_.erase(std::ranges::max_element(of_root_, {}, [](const HangingBlock& one) { return one.nodes.size(); }));
    for (HangingBlock& block : of_root_) take(std::move(block));
    if (large_ != kNone && !root_is_in_large_) again_.push_back(large_);
  }

  /// A block of `cut` and the open nodes from `first` on.
  void close(std::uint32_t cut, std::uint32_t first) {
    std::size_t begin = open_.size() - 1;
    while (open_[begin] != first) --begin;
    const std::span<const std::uint32_t> nodes = std::span(open_).subspan(begin);
    const bool large = nodes.size() > size_max_;
    if (large || std::ranges::any_of(nodes, [&](std::uint32_t node) { return held_[node]; })) {
      held_[cut] = true;
      if (large) {
        large_ = first;
        root_is_in_large_ = root_is_in_large_ || cut == root_;
      }
    } else {
      HangingBlock block{.cut = cut, .nodes = {nodes.begin(), nodes.end()}};
      if (cut == root_) {
        of_root_.push_back(std::move(block));
      } else {
        take(std::move(block));
      }
    }
    open_.resize(begin);
  }

  void take(HangingBlock block) {
    for (const std::uint32_t node : block.nodes) gone_[node] = true;
    out_.push_back(std::move(block));
  }

  const Links& links_;
  std::size_t size_max_;
  const std::stop_token& stop_;
  std::vector<std::uint32_t> order_;  ///< 0: not seen yet
  std::vector<std::uint32_t> low_;  ///< the earliest that it or what is below it is coupled with
  std::vector<std::uint32_t> next_;  ///< neighbour to look at
  std::vector<bool> held_;  ///< a block that stays hangs below it
  std::vector<bool> gone_;
  std::vector<std::uint32_t> path_;
  std::vector<std::uint32_t> open_;  ///< seen, and in no block yet
  std::uint32_t count_ = 0;
  std::uint32_t root_ = 0;
  std::uint32_t large_ = kNone;  ///< a node of a block that stays for its size
  bool root_is_in_large_ = false;
  std::vector<HangingBlock> of_root_;
  std::vector<std::uint32_t> again_;  ///< where to begin once more
  std::vector<HangingBlock> out_;
  std::size_t looks_ = 0;
};

}  // namespace

Links::Links(std::size_t num_nodes, std::span<const std::pair<std::uint32_t, std::uint32_t>> edges)
    : begin_(num_nodes + 1), neighbours_(2 * edges.size()) {
  for (const auto& [u, v] : edges) {
    ++begin_[u + 1];
    ++begin_[v + 1];
  }
  for (std::size_t i = 0; i < num_nodes; ++i) begin_[i + 1] += begin_[i];
  std::vector<std::uint64_t> next(begin_.begin(), begin_.end() - 1);
  for (const auto& [u, v] : edges) {
    neighbours_[next[u]++] = v;
    neighbours_[next[v]++] = u;
  }
}

std::vector<HangingBlock> hanging_blocks(const Links& links, std::size_t size_max, const std::stop_token& stop) {
  return BlockSearch(links, size_max, stop).run();
}

}  // namespace tandem::reduce
