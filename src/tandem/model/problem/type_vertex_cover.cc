// The type `vertex_cover`: choose as few nodes of a graph as can be, so that every edge has one of them.
#include "tandem/model/problem/graph_subset.h"

namespace tandem::problem {

Result<ProblemPtr> make_vertex_cover(std::size_t num_nodes, std::vector<QuadraticTerm> edges) {
  return make_graph_subset(kVertexCoverWords, num_nodes, std::move(edges));
}

ProblemType vertex_cover_type() { return subset_type<kVertexCoverWords>(); }

}  // namespace tandem::problem
