#include "tandem/model/problem/greedy_coloring.h"

#include <algorithm>
#include <bit>
#include <queue>
#include <tuple>

namespace tandem::problem {
namespace {
constexpr std::size_t kBits = 64;
constexpr std::size_t kLooks = 256;  // nodes between two looks at the stop token
}  // namespace

std::vector<std::uint32_t> greedy_coloring(std::size_t num_nodes, std::span<const Edge> edges,
                                           const std::stop_token& stop) {
  std::vector<std::uint64_t> begin(num_nodes + 1);
  for (const auto& [u, v] : edges) {
    ++begin[u + 1];
    ++begin[v + 1];
  }
  for (std::size_t i = 0; i < num_nodes; ++i) begin[i + 1] += begin[i];
  std::vector<std::uint32_t> neighbours(2 * edges.size());
  std::vector<std::uint64_t> next(begin.begin(), begin.end() - 1);
  for (const auto& [u, v] : edges) {
    neighbours[next[u]++] = v;
    neighbours[next[v]++] = u;
  }
  const auto degree = [&](std::uint32_t i) { return begin[i + 1] - begin[i]; };
  std::vector<std::vector<std::uint64_t>> seen(num_nodes);  // colours of the neighbours
  std::vector<std::uint32_t> saturation(num_nodes);
  std::vector<std::uint32_t> colors(num_nodes, kNoColor);
  // Of a node that is raised the old entry stays behind it: it comes when the node has its colour.
  using Entry = std::tuple<std::uint32_t, std::uint64_t, std::uint32_t>;  // saturation, degree, minus node
  std::vector<Entry> entries;
  for (std::uint32_t i = 0; i < num_nodes; ++i) entries.emplace_back(0, degree(i), ~i);
  std::priority_queue<Entry> queue(std::less<Entry>(), std::move(entries));
  for (std::size_t done = 0; !queue.empty() && (done % kLooks != 0 || !stop.stop_requested());) {
    const std::uint32_t node = ~std::get<2>(queue.top());
    queue.pop();
    if (colors[node] != kNoColor) continue;
    ++done;
    std::uint32_t color = 0;
    for (const std::uint64_t word : seen[node]) {
      color += static_cast<std::uint32_t>(std::countr_one(word));
      if (~word != 0) break;
    }
    colors[node] = color;
    seen[node] = {};
    for (std::uint64_t at = begin[node]; at < begin[node + 1]; ++at) {
      const std::uint32_t other = neighbours[at];
      if (colors[other] != kNoColor) continue;
      auto& words = seen[other];
      if (words.size() <= color / kBits) words.resize(color / kBits + 1);
      std::uint64_t& word = words[color / kBits];
      const std::uint64_t bit = std::uint64_t{1} << (color % kBits);
      if ((word & bit) != 0) continue;
      word |= bit;
      queue.emplace(++saturation[other], degree(other), ~other);
    }
  }
  return colors;
}

}  // namespace tandem::problem
