// The type `clique`: choose as many nodes of a graph as can be, all of them neighbours of each other.
#include "tandem/model/problem/graph_subset.h"

namespace tandem::problem {
namespace {

constexpr std::string_view kTemplate = R"(problem:
  type: clique
  # Nodes are counted from 0. Every two that are chosen have to be neighbours; as many as can be are chosen.
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

Result<ProblemPtr> make_clique(std::size_t num_nodes, std::vector<QuadraticTerm> edges) {
  return make_graph_subset(kCliqueWords, num_nodes, std::move(edges));
}

ProblemType clique_type() {
  return {.name = kCliqueWords.type,
          .summary = "choose as many nodes of a graph as can be, all of them neighbours of each other",
          .template_yaml = kTemplate,
          .parse = [](const Json& document, const std::string& pointer) {
            return parse_graph_subset(kCliqueWords, document, pointer);
          }};
}

}  // namespace tandem::problem
