// The type `max_cut`: split the nodes of a weighted graph in two so that the edges between the sides weigh most.
#include <algorithm>
#include <cmath>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/model/problem/problem.h"
#include "tandem/model/problem/term_document.h"

namespace tandem::problem {
namespace {

constexpr std::string_view kTemplate = R"(problem:
  type: max_cut
  # Nodes are counted from 0. The nodes are split into two sides; an edge between the sides counts with its weight.
  num_nodes: 4
  # Edges [node, node, weight]; the weight is 1 when left out. Many edges may stand as text instead, one "node node weight" a line.
  edges:
    - [0, 1, 2.5]
    - [1, 2]
    - [2, 3]
    - [0, 3]
  # Optional: names for the nodes.
  names: [north, east, south, west]
)";

class MaxCut final : public Problem {
 public:
  /// `graph` holds the weights as biases; its linear part is zero.
  MaxCut(Bqm graph, std::vector<std::string> names) : graph_(std::move(graph)), names_(std::move(names)) {}

  std::string_view type() const override { return "max_cut"; }
  Sense sense() const override { return Sense::kMax; }
  Vartype vartype() const override { return Vartype::kBinary; }
  std::size_t num_variables() const override { return graph_.num_variables(); }
  std::span<const std::string> names() const override { return names_; }

  Json document() const override {
    Json out{{"type", type()}, {"num_nodes", num_variables()}, {"edges", pairs_document(graph_.terms())}};
    if (!names_.empty()) out["names"] = names_;
    return out;
  }

  /// -cut = sum of w (2 x_u x_v - x_u - x_v): integers stay integers, which they do not over spins.
  Statement state() const override {
    std::vector<double> linear(num_variables(), 0.0);
    std::vector<QuadraticTerm> terms(graph_.terms().begin(), graph_.terms().end());
    for (QuadraticTerm& term : terms) {
      linear[term.u] -= term.bias;
      linear[term.v] -= term.bias;
      term.bias *= 2;
    }
    auto bqm = Bqm::create(Vartype::kBinary, std::move(linear), std::move(terms), 0);
    TANDEM_ASSERT(bqm.has_value());  // make() left room for the factor
    return *std::move(bqm);
  }

  Score score(AssignmentView solution) const override { return {.objective = cut(solution), .violations = {}}; }

  Json answer(AssignmentView solution) const override {
    return {{"cut_weight", number_document(cut(solution))},
            {"side_a", variables_with(solution, 0, names_)},
            {"side_b", variables_with(solution, 1, names_)}};
  }

  std::vector<std::string> explain(AssignmentView solution) const override {
    std::size_t edges_cut = 0;
    double positive = 0;
    for (const QuadraticTerm& edge : graph_.terms()) {
      edges_cut += solution[edge.u] != solution[edge.v] ? 1 : 0;
      positive += std::max(0.0, edge.bias);
    }
    const double weight = cut(solution);
    const auto side_b = std::count(solution.begin(), solution.end(), 1);
    std::vector<std::string> lines{fmt::format("The cut separates {} nodes from {} and crosses {} of {} edges.",
                                               std::ssize(solution) - side_b, side_b, edges_cut,
                                               graph_.terms().size())};
    lines.push_back(fmt::format("It weighs {}{}.", plain_number(weight),
                                positive > 0 ? fmt::format(", {:.1f} % of the {} of all edges of positive weight",
                                                           100 * weight / positive, plain_number(positive))
                                             : ""));
    lines.push_back(fmt::format("Side A: {}.", list_variables_with(solution, 0, names_)));
    lines.push_back(fmt::format("Side B: {}.", list_variables_with(solution, 1, names_)));
    return lines;
  }

  static Result<ProblemPtr> make(std::size_t num_nodes, std::vector<QuadraticTerm> edges,
                                 std::vector<std::string> names) {
    TANDEM_TRY_ASSIGN(Bqm graph,
                      Bqm::create(Vartype::kBinary, std::vector<double>(num_nodes, 0.0), std::move(edges), 0));
    double magnitude = 0;
    for (const QuadraticTerm& edge : graph.terms()) magnitude += std::abs(edge.bias);
    if (magnitude > kMagnitudeMax) {
      return fail(errors::kCoefficientOverflow, "the edge weights add up to {}, the limit is {}; scale them down",
                  magnitude, kMagnitudeMax);
    }
    return std::make_shared<MaxCut>(std::move(graph), std::move(names));
  }

 private:
  static constexpr double kMagnitudeMax =
      Bqm::kMagnitudeMax / 4;  // state() has w twice as linear and 2 w as quadratic bias

  double cut(AssignmentView solution) const {
    TANDEM_ASSERT(solution.size() == num_variables());
    double sum = 0;
    for (const QuadraticTerm& edge : graph_.terms()) {
      if (solution[edge.u] != solution[edge.v]) sum += edge.bias;
    }
    return sum;
  }

  Bqm graph_;
  std::vector<std::string> names_;
};

Result<ProblemPtr> parse_max_cut(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"type", "num_nodes", "edges", "names"}));
  TANDEM_TRY_ASSIGN(const std::int64_t num_nodes, reader.integer("num_nodes", 1, Bqm::kVariablesMax));
  const auto size = static_cast<std::size_t>(num_nodes);
  TANDEM_TRY_ASSIGN(std::vector<QuadraticTerm> edges, read_pairs(reader, "edges", size, PairWeight::kOneByDefault));
  TANDEM_TRY_ASSIGN(std::vector<std::string> names, read_names(reader, size));
  auto problem = MaxCut::make(size, std::move(edges), std::move(names));
  if (!problem) return tl::unexpected<Error>(placed(std::move(problem).error(), pointer));
  return problem;
}

}  // namespace

Result<ProblemPtr> make_max_cut(std::size_t num_nodes, std::vector<QuadraticTerm> edges) {
  return MaxCut::make(num_nodes, std::move(edges), {});
}

ProblemType max_cut_type() {
  return {.name = "max_cut",
          .summary = "split the nodes of a weighted graph in two so that the edges between the sides weigh most",
          .template_yaml = kTemplate,
          .parse = parse_max_cut};
}

}  // namespace tandem::problem
