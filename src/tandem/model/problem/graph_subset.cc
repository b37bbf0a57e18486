#include "tandem/model/problem/graph_subset.h"

#include <algorithm>
#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/model/problem/edge_list.h"
#include "tandem/model/problem/term_document.h"

namespace tandem::problem {
namespace {

constexpr std::string_view kTemplate = R"(problem:
  type: {}
  # Nodes are counted from 0. {}
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

/// The pairs that are no edges. `edges` ascending.
std::vector<Edge> complement(std::size_t num_nodes, std::span<const Edge> edges) {
  std::vector<Edge> out;
  out.reserve(num_nodes * (num_nodes - 1) / 2 - edges.size());
  auto next = edges.begin();
  for (std::uint32_t u = 0; u < num_nodes; ++u) {
    for (std::uint32_t v = u + 1; v < num_nodes; ++v) {
      if (next != edges.end() && *next == Edge(u, v))
        ++next;
      else
        out.emplace_back(u, v);
    }
  }
  return out;
}

class GraphSubset final : public Problem {
 public:
  GraphSubset(const SubsetWords& words, std::size_t num_nodes, std::vector<Edge> edges, std::vector<double> weights,
              std::vector<std::string> names)
      : words_(words),
        num_nodes_(num_nodes),
        edges_(std::move(edges)),
        weights_(std::move(weights)),
        names_(std::move(names)) {}

  std::string_view type() const override { return words_.type; }
  Sense sense() const override { return words_.rule == SubsetRule::kEveryEdge ? Sense::kMin : Sense::kMax; }
  Vartype vartype() const override { return Vartype::kBinary; }
  std::size_t num_variables() const override { return num_nodes_; }
  std::span<const std::string> names() const override { return names_; }

  Json document() const override {
    Json out{{"type", type()}, {"num_nodes", num_nodes_}, {"edges", edges_document(edges_)}};
    if (!weights_.empty()) out["weights"] = numbers_document(weights_);
    if (!names_.empty()) out["names"] = names_;
    return out;
  }

  Statement state() const override {
    const double sign = sense() == Sense::kMin ? 1 : -1;
    std::vector<double> linear(num_nodes_);
    for (std::size_t i = 0; i < num_nodes_; ++i) linear[i] = sign * weight(i);
    const bool covers = words_.rule == SubsetRule::kEveryEdge;
    const std::vector<Edge> others =
        words_.rule == SubsetRule::kAllEdges ? complement(num_nodes_, edges_) : std::vector<Edge>();
    const std::vector<Edge>& pairs = words_.rule == SubsetRule::kAllEdges ? others : edges_;
    std::vector<LinearConstraint> constraints;
    constraints.reserve(pairs.size());
    for (const auto& [u, v] : pairs) {
      constraints.push_back({.name = fmt::format("{}-{}", u, v),
                             .terms = {{u, 1}, {v, 1}},
                             .comparison = covers ? Comparison::kGreaterEqual : Comparison::kLessEqual,
                             .bound = 1});
    }
    auto objective = Bqm::create(Vartype::kBinary, std::move(linear), {}, 0);
    TANDEM_ASSERT(objective.has_value());
    auto cqm = Cqm::create(*std::move(objective), std::move(constraints));
    TANDEM_ASSERT(cqm.has_value());
    return *std::move(cqm);
  }

  Score score(AssignmentView solution) const override {
    TANDEM_ASSERT(solution.size() == num_nodes_);
    Score out;
    for (std::size_t i = 0; i < num_nodes_; ++i) out.objective += solution[i] != 0 ? weight(i) : 0;
    const std::vector<Edge> broken = broken_pairs(solution);
    if (broken.empty()) return out;
    out.feasible = false;
    const auto& [u, v] = broken.front();
    const std::string pair = fmt::format("{} and {}", quote(name_of(names_, u)), quote(name_of(names_, v)));
    const std::string more = broken.size() > 1 ? fmt::format(", and {} more", broken.size() - 1) : "";
    switch (words_.rule) {
      case SubsetRule::kNoEdge:
        out.violations.push_back(fmt::format("{} are neighbours and both chosen{}", pair, more));
        break;
      case SubsetRule::kEveryEdge:
        out.violations.push_back(fmt::format("the edge between {} has neither chosen{}", pair, more));
        break;
      case SubsetRule::kAllEdges:
        out.violations.push_back(fmt::format("{} are chosen and no neighbours{}", pair, more));
        break;
    }
    return out;
  }

  Json answer(AssignmentView solution) const override {
    return {{"nodes", variables_with(solution, 1, names_)},
            {"size", std::ranges::count(solution, 1)},
            {"weight", number_document(score(solution).objective)}};
  }

  std::vector<std::string> explain(AssignmentView solution) const override {
    const auto size = std::ranges::count(solution, 1);
    std::vector<std::string> out{fmt::format("The {} has {} of {} nodes; the graph has {} edges.", words_.noun, size,
                                             num_nodes_, edges_.size())};
    if (!weights_.empty()) out.push_back(fmt::format("It weighs {}.", plain_number(score(solution).objective)));
    out.push_back(fmt::format("Chosen: {}.", list_variables_with(solution, 1, names_)));
    return out;
  }

 private:
  double weight(std::size_t i) const { return weights_.empty() ? 1 : weights_[i]; }

  /// Those that the rule forbids.
  std::vector<Edge> broken_pairs(AssignmentView solution) const {
    std::vector<Edge> out;
    if (words_.rule != SubsetRule::kAllEdges) {
      for (const auto& [u, v] : edges_) {
        const int chosen = solution[u] + solution[v];
        if (chosen == (words_.rule == SubsetRule::kNoEdge ? 2 : 0)) out.emplace_back(u, v);
      }
      return out;
    }
    std::vector<std::uint32_t> chosen;
    for (std::uint32_t i = 0; i < num_nodes_; ++i)
      if (solution[i] != 0) chosen.push_back(i);
    for (std::size_t a = 0; a < chosen.size(); ++a) {
      for (std::size_t b = a + 1; b < chosen.size(); ++b)
        if (!std::ranges::binary_search(edges_, Edge(chosen[a], chosen[b]))) out.emplace_back(chosen[a], chosen[b]);
    }
    return out;
  }

  const SubsetWords& words_;
  std::size_t num_nodes_;
  std::vector<Edge> edges_;  ///< ascending, each once
  std::vector<double> weights_;  ///< empty: 1 each
  std::vector<std::string> names_;
};

Result<ProblemPtr> make(const SubsetWords& words, std::size_t num_nodes, std::span<const QuadraticTerm> pairs,
                        std::vector<double> weights, std::vector<std::string> names, const std::string& place) {
  TANDEM_TRY_ASSIGN(std::vector<Edge> edges, edges_of(pairs, words.type, place));
  const auto nodes = static_cast<double>(num_nodes);
  const double stated =
      words.rule == SubsetRule::kAllEdges ? nodes * (nodes - 1) / 2 - static_cast<double>(edges.size()) : 0;
  if (stated > static_cast<double>(kComplementMax)) {
    return fail_at(place, errors::kModelTooLarge,
                   "{} pairs of nodes are no edges, the limit is {}; look for the clique in a part of the graph",
                   stated, kComplementMax);
  }
  return std::make_shared<GraphSubset>(words, num_nodes, std::move(edges), std::move(weights), std::move(names));
}

}  // namespace

const SubsetWords kIndependentSetWords = {
    .type = "independent_set",
    .rule = SubsetRule::kNoEdge,
    .noun = "independent set",
    .summary = "choose as many nodes of a graph as can be, no two of them neighbours",
    .advice = "Of two neighbours only one may be chosen; as many as can be are."};
const SubsetWords kVertexCoverWords = {
    .type = "vertex_cover",
    .rule = SubsetRule::kEveryEdge,
    .noun = "vertex cover",
    .summary = "choose as few nodes of a graph as can be, so that every edge has one of them",
    .advice = "Every edge needs one of its nodes; as few as can be are chosen."};
const SubsetWords kCliqueWords = {
    .type = "clique",
    .rule = SubsetRule::kAllEdges,
    .noun = "clique",
    .summary = "choose as many nodes of a graph as can be, all of them neighbours of each other",
    .advice = "Every two that are chosen have to be neighbours; as many as can be are chosen."};

std::string subset_template(const SubsetWords& words) { return fmt::format(kTemplate, words.type, words.advice); }

Result<ProblemPtr> make_graph_subset(const SubsetWords& words, std::size_t num_nodes,
                                     std::vector<QuadraticTerm> edges) {
  return make(words, num_nodes, edges, {}, {}, "");
}

Result<ProblemPtr> parse_graph_subset(const SubsetWords& words, const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"type", "num_nodes", "edges", "weights", "names"}));
  TANDEM_TRY_ASSIGN(const std::int64_t num_nodes, reader.integer("num_nodes", 1, Bqm::kVariablesMax));
  const auto size = static_cast<std::size_t>(num_nodes);
  TANDEM_TRY_ASSIGN(const std::vector<QuadraticTerm> pairs,
                    read_pairs(reader, "edges", size, PairWeight::kOneByDefault));
  std::vector<double> weights;
  if (reader.has("weights")) {
    TANDEM_TRY_ASSIGN(weights, reader.numbers("weights"));
    if (weights.size() != size) {
      return fail_at(reader.at("weights"), errors::kSizeMismatch, "there are {} weights for {} nodes; give one a node",
                     weights.size(), size);
    }
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) {
      if (!(weights[i] > 0)) {
        return fail_at(fmt::format("{}/{}", reader.at("weights"), i), errors::kValueOutOfRange,
                       "the weight is {}; weights of nodes are above 0", weights[i]);
      }
      sum += weights[i];
    }
    if (sum > Bqm::kMagnitudeMax) {
      return fail_at(reader.at("weights"), errors::kCoefficientOverflow,
                     "the weights add up to {}, the limit is {}; scale them down", sum, Bqm::kMagnitudeMax);
    }
  }
  TANDEM_TRY_ASSIGN(std::vector<std::string> names, read_names(reader, size));
  return make(words, size, pairs, std::move(weights), std::move(names), pointer);
}

}  // namespace tandem::problem
