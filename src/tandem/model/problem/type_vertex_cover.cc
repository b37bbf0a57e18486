// The type `vertex_cover`: choose as few nodes of a graph as can be, so that every edge has one of them.
#include "tandem/model/problem/graph_subset.h"

namespace tandem::problem {
namespace {

constexpr std::string_view kTemplate = R"(problem:
  type: vertex_cover
  # Nodes are counted from 0. Every edge needs one of its nodes; as few as can be are chosen.
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

Result<ProblemPtr> make_vertex_cover(std::size_t num_nodes, std::vector<QuadraticTerm> edges) {
  return make_graph_subset(kVertexCoverWords, num_nodes, std::move(edges));
}

ProblemType vertex_cover_type() {
  return {.name = kVertexCoverWords.type,
          .summary = "choose as few nodes of a graph as can be, so that every edge has one of them",
          .template_yaml = kTemplate,
          .parse = [](const Json& document, const std::string& pointer) {
            return parse_graph_subset(kVertexCoverWords, document, pointer);
          }};
}

}  // namespace tandem::problem
