#include "tandem/model/problem/edge_list.h"

#include <algorithm>

#include "tandem/model/problem/term_document.h"

namespace tandem::problem {

Result<std::vector<Edge>> edges_of(std::span<const QuadraticTerm> pairs, std::string_view type,
                                   const std::string& place) {
  std::vector<Edge> out;
  out.reserve(pairs.size());
  for (const QuadraticTerm& pair : pairs) {
    if (pair.bias != 1) {
      return fail_at(place + "/edges", errors::kValueOutOfRange,
                     "the edge {} {} has the weight {}; edges of a problem {} have none", pair.u, pair.v, pair.bias,
                     type);
    }
    out.emplace_back(std::min(pair.u, pair.v), std::max(pair.u, pair.v));
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Json edges_document(std::span<const Edge> edges) {
  if (edges.size() > kTriplesMax) {
    std::string text;
    for (const auto& [u, v] : edges) text += fmt::format("{} {}\n", u, v);
    return text;
  }
  Json::array_t pairs;
  pairs.reserve(edges.size());
  for (const auto& [u, v] : edges) pairs.push_back(Json::array({u, v}));
  return pairs;
}

}  // namespace tandem::problem
