#include "tandem/compute/reduce/blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tandem/base/rng.h"
#include "tandem/base/stopped.h"

namespace tandem::reduce {
namespace {

using Edges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

/// Parts of what `left` holds when `cut` is taken away, of those in its own component.
std::vector<std::set<std::uint32_t>> parts_around(const Edges& edges, const std::set<std::uint32_t>& left,
                                                  std::uint32_t cut) {
  std::vector<std::set<std::uint32_t>> parts;
  std::set<std::uint32_t> seen;
  for (const auto& [a, b] : edges) {
    const std::uint32_t first = a == cut ? b : a;
    if ((a != cut && b != cut) || !left.contains(a) || !left.contains(b) || seen.contains(first)) continue;
    std::set<std::uint32_t> part{first};
    for (std::size_t before = 0; before != part.size();) {
      before = part.size();
      for (const auto& [u, v] : edges) {
        if (u == cut || v == cut || !left.contains(u) || !left.contains(v)) continue;
        if (part.contains(u) || part.contains(v)) part.insert({u, v});
      }
    }
    seen.insert(part.begin(), part.end());
    parts.push_back(std::move(part));
  }
  return parts;
}

Edges random_edges(Xoshiro256& rng, std::uint32_t n) {
  std::set<std::pair<std::uint32_t, std::uint32_t>> edges;
  const std::size_t wanted = rng.below(2 * n);
  for (std::size_t k = 0; k < wanted; ++k) {
    const auto u = static_cast<std::uint32_t>(rng.below(n));
    // Some near, so that there are blocks of several nodes, and cuts.
    const auto v = static_cast<std::uint32_t>(rng.below(4) == 0 ? rng.below(n) : (u + 1 + rng.below(3)) % n);
    if (u != v) edges.insert({std::min(u, v), std::max(u, v)});
  }
  return {edges.begin(), edges.end()};
}

TEST(Blocks, each_hangs_on_its_cut_by_the_time_it_goes_and_none_is_left_in_the_end) {
  Xoshiro256 rng(5);
  std::size_t found = 0;
  std::size_t several = 0;
  for (int round = 0; round < 10'000; ++round) {
    const auto n = static_cast<std::uint32_t>(1 + rng.below(16));
    const std::size_t size_max = 1 + rng.below(5);
    const Edges edges = random_edges(rng, n);
    std::set<std::uint32_t> left;
    for (std::uint32_t i = 0; i < n; ++i) left.insert(i);
    for (const HangingBlock& block : hanging_blocks(Links(n, edges), size_max)) {
      const std::set<std::uint32_t> nodes(block.nodes.begin(), block.nodes.end());
      ASSERT_EQ(nodes.size(), block.nodes.size());
      ASSERT_LE(nodes.size(), size_max);
      const auto parts = parts_around(edges, left, block.cut);
      ASSERT_TRUE(left.contains(block.cut));
      ASSERT_GE(parts.size(), 2u) << "the rest is gone";
      ASSERT_TRUE(std::ranges::find(parts, nodes) != parts.end());
      for (const std::uint32_t node : nodes) left.erase(node);
      ++found;
      several += nodes.size() > 1 ? 1 : 0;
    }
    for (const std::uint32_t cut : left) {
      const auto parts = parts_around(edges, left, cut);
      for (const auto& part : parts) ASSERT_TRUE(parts.size() == 1 || part.size() > size_max) << "round " << round;
    }
  }
  EXPECT_GT(found, 10'000u);
  EXPECT_GT(several, 500u);
}

TEST(Blocks, a_small_part_between_two_large_ones_stays) {
  // Triangles 0 1 2 and 6 7 8, joined by the path 2 3 4 6; 5 hangs on 3. Nothing else is of one node beside its cut.
  const Edges edges{{0, 1}, {0, 2}, {1, 2}, {2, 3}, {3, 4}, {3, 5}, {4, 6}, {6, 7}, {6, 8}, {7, 8}};
  const auto blocks = hanging_blocks(Links(9, edges), 1);
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_EQ(blocks[0].cut, 3u);
  EXPECT_THAT(blocks[0].nodes, testing::ElementsAre(5));
}

TEST(Blocks, a_stop_is_heard) {
  std::stop_source stop;
  stop.request_stop();
  const Edges edges{{0, 1}};
  EXPECT_THROW(hanging_blocks(Links(2, edges), 3, stop.get_token()), Stopped);
}

}  // namespace
}  // namespace tandem::reduce
