// tandem/model/problem/greedy_coloring.h - a colouring of a graph by one greedy pass: so many colours do.
//
// Room: model. Source: Brelaz 1979, "New methods to color the vertices of a graph" (Communications of the ACM 22): DSATUR.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "tandem/model/problem/edge_list.h"

namespace tandem::problem {

/// A colour a node, from 0; of two neighbours never the same. Next comes always the node whose neighbours have the most colours, of those the
/// one of the most neighbours, of those the first; it gets the least colour that is free. A stop leaves the rest without one (kNoColor).
///
/// `edges`: u < v, each once. Cost: O((nodes + edges) log nodes), and a bit a node and colour.
inline constexpr std::uint32_t kNoColor = UINT32_MAX;
std::vector<std::uint32_t> greedy_coloring(std::size_t num_nodes, std::span<const Edge> edges,
                                           const std::stop_token& stop = {});

}  // namespace tandem::problem
