// The type `clique`: choose as many nodes of a graph as can be, all of them neighbours of each other.
#include "tandem/model/problem/graph_subset.h"

namespace tandem::problem {

Result<ProblemPtr> make_clique(std::size_t num_nodes, std::vector<QuadraticTerm> edges) {
  return make_graph_subset(kCliqueWords, num_nodes, std::move(edges));
}

ProblemType clique_type() { return subset_type<kCliqueWords>(); }

}  // namespace tandem::problem
