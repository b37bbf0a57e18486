// The type `independent_set`: choose as many nodes of a graph as can be, no two of them neighbours.
#include "tandem/model/problem/graph_subset.h"

namespace tandem::problem {
namespace {

constexpr std::string_view kTemplate = R"(problem:
  type: independent_set
  # Nodes are counted from 0. Of two neighbours only one may be chosen; as many as can be are.
  num_nodes: 5
  # Edges [node, node]. Many edges may stand as text instead, one "node node" a line.
  edges:
    - [0, 1]
    - [1, 2]
    - [2, 3]
    - [3, 4]
    - [0, 4]
    - [0, 2]
  # Optional: a weight above 0 a node, 1 each when left out; then the weight counts instead of the number.
  # weights: [2, 1, 1, 3, 1]
  # Optional: names for the nodes.
  names: [north, east, south, west, middle]
)";

}  // namespace

Result<ProblemPtr> make_independent_set(std::size_t num_nodes, std::vector<QuadraticTerm> edges) {
  return make_graph_subset(kIndependentSetWords, num_nodes, std::move(edges));
}

ProblemType independent_set_type() {
  return {.name = kIndependentSetWords.type,
          .summary = "choose as many nodes of a graph as can be, no two of them neighbours",
          .template_yaml = kTemplate,
          .parse = [](const Json& document, const std::string& pointer) {
            return parse_graph_subset(kIndependentSetWords, document, pointer);
          }};
}

}  // namespace tandem::problem
