// tandem/model/problem/graph_subset.h - GraphSubset: the problems that ask for a set of nodes of a graph.
//
// Room: model. For type_independent_set.cc, type_vertex_cover.cc and type_clique.cc only; everybody else sees a Problem.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/model/problem/problem.h"

namespace tandem::problem {

enum class SubsetRule : std::uint8_t {
  kNoEdge,  ///< no edge has both its nodes in the set, of which there are to be many
  kEveryEdge,  ///< every edge has one in the set, of which there are to be few
  kAllEdges,  ///< every two are neighbours; there are to be many
};

/// How a type spells its document and its answer.
struct SubsetWords {
  std::string_view type;
  SubsetRule rule;
  std::string_view noun;  ///< "independent set"
  std::string_view summary;
  std::string_view advice;  ///< a sentence of the template
};

inline constexpr std::size_t kComplementMax = 20'000'000;  ///< 2.5 GB of constraints

/// Document: {"type", "num_nodes", "edges": [[u, v], ...] or text, "weights": [..] (1 each where absent; positive), "names"}.
/// Edges may stand twice, in either order. Errors: those of ObjectReader, read_pairs and read_names; 1104 size_mismatch and 1023
/// value_out_of_range - weights, also of an edge; 1103 model_too_large - of a clique, more pairs without an edge than kComplementMax.
Result<ProblemPtr> parse_graph_subset(const SubsetWords& words, const Json& document, const std::string& pointer);
Result<ProblemPtr> make_graph_subset(const SubsetWords& words, std::size_t num_nodes, std::vector<QuadraticTerm> edges);

extern const SubsetWords kIndependentSetWords;
extern const SubsetWords kVertexCoverWords;
extern const SubsetWords kCliqueWords;

std::string subset_template(const SubsetWords& words);

/// The type that goes by these words.
template <const SubsetWords& kWords>
ProblemType subset_type() {
  static const std::string text = subset_template(kWords);
  return {.name = kWords.type,
          .summary = kWords.summary,
          .template_yaml = text,
          .parse = [](const Json& document, const std::string& pointer) {
            return parse_graph_subset(kWords, document, pointer);
          }};
}

}  // namespace tandem::problem
