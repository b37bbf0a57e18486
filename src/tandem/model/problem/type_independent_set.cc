// The type `independent_set`: choose as many nodes of a graph as can be, no two of them neighbours.
#include "tandem/model/problem/graph_subset.h"

namespace tandem::problem {

Result<ProblemPtr> make_independent_set(std::size_t num_nodes, std::vector<QuadraticTerm> edges) {
  return make_graph_subset(kIndependentSetWords, num_nodes, std::move(edges));
}

ProblemType independent_set_type() { return subset_type<kIndependentSetWords>(); }

}  // namespace tandem::problem
