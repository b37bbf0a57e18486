#include "tandem/model/format/dimacs.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "tandem/base/line_scanner.h"
#include "tandem/base/text.h"
#include "tandem/model/format/notes.h"
#include "tandem/model/problem/coloring.h"
#include "tandem/model/problem/term_document.h"

namespace tandem::format {
namespace {

using problem::ProblemPtr;
using problem::QuadraticTerm;

constexpr std::size_t kEdgeBytesMin = 6;  // "e 1 2\n"

struct Graph {
  std::size_t num_nodes = 0;
  std::vector<QuadraticTerm> edges;  ///< u < v, each once
};

class DimacsReader {
 public:
  DimacsReader(std::string_view text, std::string_view name, const ReadLimits& limits)
      : text_size_(text.size()), scanner_(text, name), limits_(limits) {}

  Result<Graph> read() {
    while (scanner_.next_line()) {
      if (!scanner_.has_token()) continue;
      const std::string_view kind = scanner_.token();
      if (kind == "p") {
        TANDEM_TRY(read_header());
      } else if (kind == "e") {
        TANDEM_TRY(read_edge());
      } else if (kind != "c" && kind != "n" && kind != "d" && kind != "v" && kind != "x") {
        return expected("a line 'c', 'p' or 'e'");
      }
    }
    if (graph_.num_nodes == 0) return expected("the line 'p edge nodes edges'");
    if (graph_.edges.size() < promised_) {
      return fail_at(scanner_.place(), errors::kFormatSyntax,
                     "the text ends after {} of {} edges; it may be truncated, fetch it again", graph_.edges.size(),
                     promised_);
    }
    std::ranges::sort(graph_.edges, {}, [](const QuadraticTerm& edge) { return std::pair(edge.u, edge.v); });
    const auto same = [](const QuadraticTerm& a, const QuadraticTerm& b) { return a.u == b.u && a.v == b.v; };
    graph_.edges.erase(std::unique(graph_.edges.begin(), graph_.edges.end(), same), graph_.edges.end());
    return std::move(graph_);
  }

 private:
  tl::unexpected<Error> expected(std::string_view what) const {
    return tl::unexpected<Error>(scanner_.unexpected_token(
        errors::kFormatSyntax, what, "the file holds one line 'p edge nodes edges' and lines 'e node node'"));
  }

  Result<std::size_t> read_count(std::string_view what, std::size_t min, std::size_t max) {
    std::int64_t count = 0;
    if (!scanner_.read_integer(count) || count < static_cast<std::int64_t>(min)) return expected(what);
    if (static_cast<std::size_t>(count) > max) {
      return fail_at(scanner_.place(), errors::kModelTooLarge, "{} is {}, the limit is {}; reduce the graph", what,
                     count, max);
    }
    return static_cast<std::size_t>(count);
  }

  Result<void> read_header() {
    if (graph_.num_nodes != 0) return expected("an edge");
    const std::string_view kind = scanner_.token();
    if (kind != "edge" && kind != "edges" && kind != "col") return expected("'edge' or 'col'");
    TANDEM_TRY_ASSIGN(graph_.num_nodes, read_count("the number of nodes", 1, limits_.variables_max));
    TANDEM_TRY_ASSIGN(promised_, read_count("the number of edges", 0, limits_.terms_max));
    graph_.edges.reserve(std::min(promised_, text_size_ / kEdgeBytesMin + 1));
    return {};
  }

  Result<void> read_edge() {
    if (graph_.num_nodes == 0) return expected("the line 'p edge nodes edges'");
    const auto nodes = static_cast<std::int64_t>(graph_.num_nodes);
    std::int64_t u = 0;
    std::int64_t v = 0;
    if (!scanner_.read_integer(u) || u < 1 || u > nodes || !scanner_.read_integer(v) || v < 1 || v > nodes)
      return expected(fmt::format("a node from 1 to {}", nodes));
    if (u == v) {
      return fail_at(scanner_.place(), errors::kFormatSyntax, "an edge joins node {} with itself; remove it", u);
    }
    if (graph_.edges.size() == limits_.terms_max) {
      return fail_at(scanner_.place(), errors::kModelTooLarge, "there are more than {} edges; reduce the graph",
                     limits_.terms_max);
    }
    graph_.edges.push_back(
        {static_cast<std::uint32_t>(std::min(u, v) - 1), static_cast<std::uint32_t>(std::max(u, v) - 1), 1});
    return {};
  }

  std::size_t text_size_;
  LineScanner scanner_;
  ReadLimits limits_;
  std::size_t promised_ = 0;
  Graph graph_;
};

using Maker = Result<ProblemPtr> (*)(Graph);
struct Question {
  std::string_view problem;
  Maker make;
};
constexpr std::array kQuestions = {
    Question{"independent_set",
             [](Graph it) { return problem::make_independent_set(it.num_nodes, std::move(it.edges)); }},
    Question{"vertex_cover", [](Graph it) { return problem::make_vertex_cover(it.num_nodes, std::move(it.edges)); }},
    Question{"clique", [](Graph it) { return problem::make_clique(it.num_nodes, std::move(it.edges)); }},
    Question{"coloring", [](Graph it) { return problem::make_coloring(it.num_nodes, std::move(it.edges)); }},
    Question{"max_cut", [](Graph it) { return problem::make_max_cut(it.num_nodes, std::move(it.edges)); }}};

const Question* question_of(std::string_view problem) {
  const auto* const found = std::ranges::find(kQuestions, problem, &Question::problem);
  return found == kQuestions.end() ? nullptr : found;
}

}  // namespace

Result<ProblemPtr> read_dimacs(std::string_view text, std::string_view name, const ReadOptions& options) {
  const std::string wanted = options.problem.value_or("");
  const Question* const question = question_of(wanted);
  if (question == nullptr) {
    return fail_at(std::string(name), errors::kFormatAmbiguous,
                   "a DIMACS graph does not say what is asked of it{}; say --problem independent_set, vertex_cover, "
                   "clique, coloring or max_cut",
                   wanted.empty() ? "" : fmt::format(", and {} is not asked of graphs", quote(wanted)));
  }
  DimacsReader reader(text, name, options.limits);
  TANDEM_TRY_ASSIGN(Graph graph, reader.read());
  auto made = question->make(std::move(graph));
  if (!made) return tl::unexpected<Error>(problem::placed(std::move(made).error(), std::string(name)));
  const problem::Sense sense = (*made)->sense();
  TANDEM_TRY(settle({.problem = wanted, .sense = sense}, options, name));
  return made;
}

Result<std::string> write_dimacs(const problem::Problem& problem, std::span<const std::string> comments) {
  if (question_of(problem.type()) == nullptr) {
    return fail(errors::kFormatCannotExpress,
                "DIMACS files hold the graphs of independent_set, vertex_cover, clique, coloring and max_cut problems, "
                "this is {}; write json",
                problem.type());
  }
  const Json document = problem.document();
  for (const auto& [key, what] : {std::pair("names", "names of nodes"), std::pair("weights", "weights of nodes"),
                                  std::pair("colors", "number of colours")}) {
    if (document.contains(key))
      return fail(errors::kFormatCannotExpress, "DIMACS files have no place for the {}; write json", what);
  }
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  TANDEM_TRY_ASSIGN(const std::int64_t num_nodes, reader.integer("num_nodes", 1, problem::Bqm::kVariablesMax));
  TANDEM_TRY_ASSIGN(
      const std::vector<QuadraticTerm> edges,
      problem::read_pairs(reader, "edges", static_cast<std::size_t>(num_nodes), problem::PairWeight::kOneByDefault));
  std::string text = comment_lines(comments, FileFormat::kDimacs);
  text += fmt::format("p edge {} {}\n", num_nodes, edges.size());
  for (const QuadraticTerm& edge : edges) {
    if (edge.bias != 1) {
      return fail(errors::kFormatCannotExpress,
                  "the edge {} {} has the weight {}, for which DIMACS files have no place; write {}json", edge.u,
                  edge.v, problem::plain_number(edge.bias), problem.type() == "max_cut" ? "rudy or " : "");
    }
    text += fmt::format("e {} {}\n", edge.u + 1, edge.v + 1);
  }
  return text;
}

}  // namespace tandem::format
