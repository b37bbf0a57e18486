// tandem/compute/reduce/blocks.h - parts of a graph that hang on the rest of it by one node.
//
// Room: compute, inside reduce. Source: Hopcroft, Tarjan 1973, "Algorithm 447: efficient algorithms for graph manipulation" (Commun.
// ACM 16). Not here: what is made of such a part (reduce.h).
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

namespace tandem::reduce {

/// The neighbours of each node in one list.
class Links {
 public:
  /// Each pair once, without loops.
  Links(std::size_t num_nodes, std::span<const std::pair<std::uint32_t, std::uint32_t>> edges);
  std::size_t size() const { return begin_.size() - 1; }
  std::span<const std::uint32_t> neighbours(std::size_t node) const {
    return {neighbours_.data() + begin_[node], neighbours_.data() + begin_[node + 1]};
  }

 private:
  std::vector<std::uint64_t> begin_;
  std::vector<std::uint32_t> neighbours_;
};

/// Nodes of which only the last one, `cut`, has neighbours outside.
struct HangingBlock {
  std::uint32_t cut = 0;
  std::vector<std::uint32_t> nodes;  ///< without the cut
};

/// The blocks - largest parts that no node's removal takes apart - of at most `size_max` nodes beside their cut that hang on one, once
/// the blocks listed before are gone. Of every component a block stays: one that is too large, or the last.
///
/// Throws Stopped. Cost: two passes over the edges.
std::vector<HangingBlock> hanging_blocks(const Links& links, std::size_t size_max, const std::stop_token& stop = {});

}  // namespace tandem::reduce
