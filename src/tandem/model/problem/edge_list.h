// tandem/model/problem/edge_list.h - the edges of a graph that have no weights, as documents hold them.
//
// Room: model. For graph_subset.cc and type_coloring.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/model/problem/bqm.h"

namespace tandem::problem {

using Edge = std::pair<std::uint32_t, std::uint32_t>;

/// Ascending with u < v, each once, of pairs in either order that may stand twice.
/// Errors: 1023 value_out_of_range - an edge with another weight than 1, at `place`/edges; `type` stands in the message.
Result<std::vector<Edge>> edges_of(std::span<const QuadraticTerm> pairs, std::string_view type,
                                   const std::string& place);

/// [[u, v], ...], or text beyond kTriplesMax.
Json edges_document(std::span<const Edge> edges);

}  // namespace tandem::problem
