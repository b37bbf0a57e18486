// tandem/model/problem/coloring.h - which variable of the statement of a colouring says what.
//
// Room: model. For type_coloring.cc, and for solvers that read a colouring out of its statement.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "tandem/model/problem/problem.h"

namespace tandem::problem {

/// In `colors`, with as few conflicts as can be, or without them in as few colours as can be. Edges of weight 1; in any order, some may
/// stand twice. Errors: 1023 value_out_of_range; 1103 model_too_large.
Result<ProblemPtr> make_coloring(std::size_t num_nodes, std::vector<QuadraticTerm> edges,
                                 std::optional<std::size_t> colors = std::nullopt);

/// Node v has a variable for each of the colours 0 .. min(v, num_colors - 1): every colouring can be named in this way, by numbering colours
/// in the order in which they come up. Where colours are counted, one variable for each colour follows behind those of all nodes.
struct ColoringLayout {
  std::size_t num_nodes = 0;
  std::size_t num_colors = 0;  ///< at most num_nodes

  std::size_t colors_of(std::size_t node) const { return std::min(node + 1, num_colors); }
  std::size_t first_of(std::size_t node) const {
    const std::size_t growing = std::min(node, num_colors);
    return growing * (growing + 1) / 2 + (node - growing) * num_colors;
  }
  std::size_t num_node_variables() const { return first_of(num_nodes); }
};

}  // namespace tandem::problem
