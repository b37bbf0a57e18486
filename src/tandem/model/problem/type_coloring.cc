// The type `coloring`: give every node of a graph a colour, neighbours never the same: as few colours as can be, or so many.
#include <algorithm>
#include <optional>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/model/problem/coloring.h"
#include "tandem/model/problem/edge_list.h"
#include "tandem/model/problem/greedy_coloring.h"
#include "tandem/model/problem/problem.h"
#include "tandem/model/problem/term_document.h"

namespace tandem::problem {
namespace {

constexpr std::size_t kTermsMax = 100'000'000;  // edges times colours: 1.6 GB
constexpr std::size_t kClassesShownMax = 12;  // in an explanation

constexpr std::string_view kTemplate = R"(problem:
  type: coloring
  # Nodes are counted from 0: meetings, say, and colours are the hours. Neighbours never have the same colour.
  num_nodes: 5
  # Edges [node, node]. Many edges may stand as text instead, one "node node" a line.
  edges:
    - [0, 1]
    - [1, 2]
    - [2, 3]
    - [3, 4]
    - [0, 4]
    - [0, 2]
  # Optional: so many colours are there, and as few neighbours as can be have the same: none, where that is possible.
  # When left out, as few colours as can be are used.
  # colors: 3
  # Optional: names for the nodes.
  names: [north, east, south, west, middle]
)";

class Coloring final : public Problem {
 public:
  /// `given`: colours that there are; `edges` ascending.
  Coloring(ColoringLayout layout, std::optional<std::size_t> given, std::vector<Edge> edges,
           std::vector<std::string> names)
      : layout_(layout), given_(given), edges_(std::move(edges)), names_(std::move(names)) {}

  std::string_view type() const override { return "coloring"; }
  Sense sense() const override { return Sense::kMin; }
  Vartype vartype() const override { return Vartype::kBinary; }
  std::size_t num_variables() const override {
    return layout_.num_node_variables() + (given_ ? 0 : layout_.num_colors);
  }

  Json document() const override {
    Json out{{"type", type()}, {"num_nodes", layout_.num_nodes}, {"edges", edges_document(edges_)}};
    if (given_) out["colors"] = *given_;
    if (!names_.empty()) out["names"] = names_;
    return out;
  }

  /// One colour a node. With colours given, the edges of one colour are what is minimised. Else a colour costs 1, whoever has it makes it
  /// used, and an edge of one colour costs as much as all colours: so whatever has none is better than whatever has one. Edges are
  /// terms of the objective, not constraints, which would take ten times the memory; and a few conflicts may be the answer.
  Statement state() const override {
    const std::size_t nodes = layout_.num_nodes;
    std::vector<double> linear(num_variables());
    std::fill(linear.begin() + static_cast<std::ptrdiff_t>(layout_.num_node_variables()), linear.end(), 1.0);
    std::vector<QuadraticTerm> terms;
    for (auto first = edges_.begin(); first != edges_.end();) {
      const std::uint32_t u = first->first;
      const auto last = std::find_if(first, edges_.end(), [&](const Edge& edge) { return edge.first != u; });
      for (std::size_t color = 0; color < layout_.colors_of(u); ++color) {
        for (auto edge = first; edge != last; ++edge)
          terms.push_back({variable(u, color), variable(edge->second, color), price()});
      }
      first = last;
    }
    std::vector<LinearConstraint> constraints;
    constraints.reserve(nodes + (given_ ? 0 : layout_.num_node_variables()));
    for (std::size_t node = 0; node < nodes; ++node) {
      LinearConstraint one{
          .name = fmt::format("one:{}", node), .terms = {}, .comparison = Comparison::kEqual, .bound = 1};
      for (std::size_t color = 0; color < layout_.colors_of(node); ++color)
        one.terms.push_back({variable(node, color), 1});
      constraints.push_back(std::move(one));
    }
    for (std::size_t node = 0; node < nodes && !given_; ++node) {
      for (std::size_t color = 0; color < layout_.colors_of(node); ++color) {
        constraints.push_back({.name = fmt::format("used:{}:{}", node, color),
                               .terms = {{variable(node, color), 1}, {used(color), -1}},
                               .comparison = Comparison::kLessEqual,
                               .bound = 0});
      }
    }
    auto objective = Bqm::create(Vartype::kBinary, std::move(linear), std::move(terms), 0);
    TANDEM_ASSERT(objective.has_value());
    auto cqm = Cqm::create(*std::move(objective), std::move(constraints));
    TANDEM_ASSERT(cqm.has_value());
    return *std::move(cqm);
  }

  Score score(AssignmentView solution) const override {
    const Judged judged = judge(solution);
    Score out;
    out.objective = static_cast<double>(judged.counted) + price() * static_cast<double>(judged.conflicts);
    if (judged.without > 0) {
      out.violations.push_back(fmt::format("{} has {} colours, must be exactly one{}",
                                           quote(name_of(names_, judged.first_without)), judged.colors_there,
                                           and_more(judged.without, "nodes")));
    }
    if (judged.uncounted > 0)
      out.violations.push_back(fmt::format("{} colours are used and not counted", judged.uncounted));
    out.feasible = out.violations.empty();
    return out;
  }

  Json answer(AssignmentView solution) const override {
    const auto classes = classes_of(solution);
    Json lists = Json::array();
    for (const auto& nodes : classes) {
      Json list = Json::array();
      for (const std::uint32_t node : nodes) list.push_back(names_.empty() ? Json(node) : Json(names_[node]));
      lists.push_back(std::move(list));
    }
    return {{"colors", classes.size()}, {"conflicts", judge(solution).conflicts}, {"classes", std::move(lists)}};
  }

  std::vector<std::string> explain(AssignmentView solution) const override {
    const Judged judged = judge(solution);
    const auto classes = classes_of(solution);
    std::vector<std::string> out{fmt::format("The colouring uses {} colours{} for {} nodes and {} edges.",
                                             classes.size(), given_ ? fmt::format(" of {}", *given_) : "",
                                             layout_.num_nodes, edges_.size())};
    if (judged.conflicts > 0) {
      out.push_back(
          fmt::format("Neighbours of one colour: {} and {}{}.", quote(name_of(names_, judged.first_conflict.first)),
                      quote(name_of(names_, judged.first_conflict.second)), and_more(judged.conflicts, "pairs")));
    }
    for (std::size_t k = 0; k < std::min(classes.size(), kClassesShownMax); ++k) {
      Assignment members(layout_.num_nodes);
      for (const std::uint32_t node : classes[k]) members[node] = 1;
      out.push_back(fmt::format("Colour {}: {}.", k + 1, list_variables_with(members, 1, names_)));
    }
    if (classes.size() > kClassesShownMax)
      out.push_back(fmt::format("And {} more.", classes.size() - kClassesShownMax));
    return out;
  }

 private:
  /// A solution judged from the graph alone.
  struct Judged {
    std::size_t without = 0;  ///< nodes that have not exactly one colour
    std::size_t first_without = 0;
    std::size_t colors_there = 0;
    std::size_t conflicts = 0;  ///< edges of one colour, of each that both have
    Edge first_conflict;
    std::size_t counted = 0;
    std::size_t uncounted = 0;
  };

  Judged judge(AssignmentView solution) const {
    TANDEM_ASSERT(solution.size() == num_variables());
    Judged out;
    std::vector<char> appears(layout_.num_colors);
    for (std::size_t node = 0; node < layout_.num_nodes; ++node) {
      std::size_t colors = 0;
      for (std::size_t color = 0; color < layout_.colors_of(node); ++color) {
        if (solution[variable(node, color)] == 0) continue;
        ++colors;
        appears[color] = 1;
      }
      if (colors == 1) continue;
      if (out.without++ > 0) continue;
      out.first_without = node;
      out.colors_there = colors;
    }
    for (const Edge& edge : edges_) {
      for (std::size_t color = 0; color < layout_.colors_of(edge.first); ++color) {
        if (solution[variable(edge.first, color)] == 0 || solution[variable(edge.second, color)] == 0) continue;
        if (out.conflicts++ == 0) out.first_conflict = edge;
      }
    }
    for (std::size_t color = 0; color < layout_.num_colors && !given_; ++color) {
      if (solution[used(color)] != 0)
        ++out.counted;
      else if (appears[color] != 0)
        ++out.uncounted;
    }
    return out;
  }

  /// Nodes by colour, without colours that nobody has.
  std::vector<std::vector<std::uint32_t>> classes_of(AssignmentView solution) const {
    std::vector<std::vector<std::uint32_t>> out(layout_.num_colors);
    for (std::uint32_t node = 0; node < layout_.num_nodes; ++node) {
      for (std::size_t color = 0; color < layout_.colors_of(node); ++color)
        if (solution[variable(node, color)] != 0) out[color].push_back(node);
    }
    std::erase_if(out, [](const auto& nodes) { return nodes.empty(); });
    return out;
  }

  double price() const { return given_ ? 1 : static_cast<double>(layout_.num_colors); }
  static std::string and_more(std::size_t count, std::string_view what) {
    return count > 1 ? fmt::format(", and {} more {}", count - 1, what) : "";
  }
  std::uint32_t variable(std::size_t node, std::size_t color) const {
    return static_cast<std::uint32_t>(layout_.first_of(node) + color);
  }
  std::uint32_t used(std::size_t color) const {
    return static_cast<std::uint32_t>(layout_.num_node_variables() + color);
  }

  ColoringLayout layout_;
  std::optional<std::size_t> given_;
  std::vector<Edge> edges_;
  std::vector<std::string> names_;  ///< of nodes
};

Result<ProblemPtr> make(std::size_t num_nodes, std::span<const QuadraticTerm> pairs, std::optional<std::size_t> colors,
                        std::vector<std::string> names, const std::string& place) {
  TANDEM_TRY_ASSIGN(std::vector<Edge> edges, edges_of(pairs, "coloring", place));
  ColoringLayout layout{.num_nodes = num_nodes, .num_colors = std::min(colors.value_or(0), num_nodes)};
  if (!colors) layout.num_colors = std::ranges::max(greedy_coloring(num_nodes, edges)) + std::size_t{1};
  std::size_t terms = 0;
  for (const Edge& edge : edges) terms += layout.colors_of(edge.first);
  const std::size_t variables = layout.num_node_variables() + layout.num_colors;
  if (variables > Bqm::kVariablesMax || terms > kTermsMax) {
    return fail_at(place, errors::kModelTooLarge,
                   "{} nodes and {} edges in {} colours are {} variables and {} terms, the limits are {} and {}; {}",
                   num_nodes, edges.size(), layout.num_colors, variables, terms, Bqm::kVariablesMax, kTermsMax,
                   colors ? "allow fewer colours or colour a part of the graph" : "colour a part of the graph");
  }
  return std::make_shared<Coloring>(layout, colors, std::move(edges), std::move(names));
}

Result<ProblemPtr> parse_coloring(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"type", "num_nodes", "edges", "colors", "names"}));
  TANDEM_TRY_ASSIGN(const std::int64_t num_nodes, reader.integer("num_nodes", 1, Bqm::kVariablesMax));
  const auto size = static_cast<std::size_t>(num_nodes);
  TANDEM_TRY_ASSIGN(const std::vector<QuadraticTerm> pairs,
                    read_pairs(reader, "edges", size, PairWeight::kOneByDefault));
  std::optional<std::size_t> colors;
  if (reader.has("colors")) {
    TANDEM_TRY_ASSIGN(const std::int64_t given, reader.integer("colors", 1, Bqm::kVariablesMax));
    colors = static_cast<std::size_t>(given);
  }
  TANDEM_TRY_ASSIGN(std::vector<std::string> names, read_names(reader, size));
  return make(size, pairs, colors, std::move(names), pointer);
}

}  // namespace

Result<ProblemPtr> make_coloring(std::size_t num_nodes, std::vector<QuadraticTerm> edges,
                                 std::optional<std::size_t> colors) {
  return make(num_nodes, edges, colors, {}, "");
}

ProblemType coloring_type() {
  return {.name = "coloring",
          .summary = "give every node of a graph a colour, neighbours never the same; as few colours as can be",
          .template_yaml = kTemplate,
          .parse = parse_coloring};
}

}  // namespace tandem::problem
