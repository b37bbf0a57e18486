#include "tandem/model/format/qplib.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "tandem/base/line_scanner.h"
#include "tandem/base/text.h"
#include "tandem/model/format/matrix_text.h"
#include "tandem/model/format/notes.h"
#include "tandem/model/problem/term_document.h"

namespace tandem::format {
namespace {

using problem::Bqm;
using problem::ProblemPtr;
using problem::QuadraticTerm;
using problem::Sense;

constexpr std::size_t kEntryBytesMin = 6;  // "2 1 3\n"

struct Content {
  Sense sense = Sense::kMin;
  Bqm bqm;
};

/// The sections stand in one order, each a line with its number first; the words behind it are for people.
class QplibReader {
 public:
  QplibReader(std::string_view text, std::string_view name, const ReadLimits& limits)
      : text_size_(text.size()), scanner_(text, name), limits_(limits) {}

  Result<Content> read() {
    if (!next_content()) return expected("the name of the problem");
    TANDEM_TRY_ASSIGN(const char objective, read_type());
    TANDEM_TRY_ASSIGN(const Sense sense, read_sense());
    TANDEM_TRY_ASSIGN(const std::size_t variables, read_count("the number of variables", 1, limits_.variables_max));
    linear_.assign(variables, 0.0);
    if (objective != 'L') TANDEM_TRY(read_quadratic());
    TANDEM_TRY(read_linear());
    TANDEM_TRY_ASSIGN(const double constant, read_value("the constant of the objective"));
    auto bqm = Bqm::create(problem::Vartype::kBinary, std::move(linear_), std::move(terms_), constant);
    if (!bqm && !too_large_at_.empty())
      return tl::unexpected<Error>(problem::placed(std::move(bqm).error(), too_large_at_));
    if (!bqm) return tl::unexpected<Error>(std::move(bqm).error());
    return Content{.sense = sense, .bqm = *std::move(bqm)};
  }

 private:
  /// Moves to the next line with words; '!', '%' and '#' begin comments.
  bool next_content() {
    while (scanner_.next_line()) {
      if (scanner_.has_token() && scanner_.peek() != '#' && scanner_.peek() != '%' && scanner_.peek() != '!')
        return true;
    }
    return false;
  }

  tl::unexpected<Error> expected(std::string_view what) const {
    return tl::unexpected<Error>(scanner_.unexpected_token(
        errors::kFormatSyntax, what, "the sections of a .qplib file stand in a fixed order; it may be truncated"));
  }

  Result<char> read_type() {
    if (!next_content()) return expected("the type of the problem, such as QBB");
    const std::string_view type = scanner_.token();
    const auto is_one_of = [&](std::size_t at, std::string_view letters) {
      return letters.find(type[at]) != std::string_view::npos;
    };
    if (type.size() != 3 || !is_one_of(0, "LDCQ") || !is_one_of(1, "CBMIG") || !is_one_of(2, "NBLDCQ"))
      return expected("three letters: objective, variables, constraints");
    if (type[1] != 'B' || !is_one_of(2, "NB")) {
      return fail_at(
          scanner_.place(), errors::kFormatCannotExpress,
          "problems of type {} have {}; of .qplib files those without constraints over binary variables are read (QBB, "
          "QBN)",
          type, type[1] != 'B' ? "variables that are not binary" : "constraints");
    }
    return type[0];
  }

  Result<Sense> read_sense() {
    if (!next_content()) return expected("minimize or maximize");
    const std::string_view word = scanner_.token();
    if (word == "minimize") return Sense::kMin;
    if (word == "maximize") return Sense::kMax;
    return expected("minimize or maximize");
  }

  Result<std::size_t> read_count(std::string_view what, std::size_t min, std::size_t max) {
    std::int64_t count = 0;
    if (!next_content() || !scanner_.read_integer(count) || count < static_cast<std::int64_t>(min))
      return expected(what);
    if (static_cast<std::size_t>(count) > max) {
      return fail_at(scanner_.place(), errors::kModelTooLarge, "{} is {}, the limit is {}; reduce the model", what,
                     count, max);
    }
    return static_cast<std::size_t>(count);
  }

  Result<double> read_value(std::string_view what) {
    double value = 0;
    if (!next_content() || !scanner_.read_number(value)) return expected(what);
    return value;
  }

  Result<std::uint32_t> read_index() {
    std::int64_t index = 0;
    if (!scanner_.read_integer(index) || index < 1 || index > std::ssize(linear_))
      return expected(fmt::format("an index from 1 to {}", linear_.size()));
    return static_cast<std::uint32_t>(index - 1);
  }

  Result<double> read_entry_value() {
    double value = 0;
    if (!scanner_.read_number(value)) return expected(scanner_.number_expected());
    magnitude_ += std::abs(value);
    if (magnitude_ > Bqm::kMagnitudeMax && too_large_at_.empty()) too_large_at_ = scanner_.place();
    return value;
  }

  Result<void> read_quadratic() {
    TANDEM_TRY_ASSIGN(const std::size_t count, read_count("the number of quadratic terms", 0, limits_.terms_max));
    terms_.reserve(std::min(count, text_size_ / kEntryBytesMin + 1));
    for (std::size_t i = 0; i < count; ++i) {
      if (!next_content()) return expected("a quadratic term: two indices and a number");
      TANDEM_TRY_ASSIGN(const std::uint32_t u, read_index());
      TANDEM_TRY_ASSIGN(const std::uint32_t v, read_index());
      TANDEM_TRY_ASSIGN(const double value, read_entry_value());
      if (u == v)
        linear_[u] += value / 2;  // of 1/2 q x x
      else
        terms_.push_back({u, v, value});  // q_uv and q_vu, of which one stands in the file
    }
    return {};
  }

  Result<void> read_linear() {
    TANDEM_TRY_ASSIGN(const double usual, read_value("the default of the linear coefficients"));
    std::vector<double> linear(linear_.size(), usual);
    TANDEM_TRY_ASSIGN(const std::size_t count,
                      read_count("the number of other linear coefficients", 0, linear_.size()));
    std::vector<bool> seen(linear_.size());
    for (std::size_t i = 0; i < count; ++i) {
      if (!next_content()) return expected("a linear coefficient: an index and a number");
      TANDEM_TRY_ASSIGN(const std::uint32_t u, read_index());
      if (seen[u]) {
        return fail_at(scanner_.place(), errors::kFormatSyntax, "variable {} has a second linear coefficient; keep one",
                       u + 1);
      }
      seen[u] = true;
      TANDEM_TRY_ASSIGN(const double value, read_entry_value());
      linear[u] = value;
    }
    for (std::size_t i = 0; i < linear.size(); ++i) linear_[i] += linear[i];
    return {};
  }

  std::size_t text_size_;
  LineScanner scanner_;
  ReadLimits limits_;
  double magnitude_ = 0;
  std::string too_large_at_;  // place of the entry with which the |numbers| pass what a model may hold
  std::vector<double> linear_;
  std::vector<QuadraticTerm> terms_;
};

}  // namespace

Result<ProblemPtr> read_qplib(std::string_view text, std::string_view name, const ReadOptions& options) {
  QplibReader reader(text, name, options.limits);
  auto read = reader.read();
  if (!read) return tl::unexpected<Error>(problem::placed(std::move(read).error(), std::string(name)));
  TANDEM_TRY(settle({.problem = "qubo", .sense = read->sense}, options, name));
  return problem::make_qubo(std::move(read->bqm), read->sense);
}

Result<std::string> write_qplib(const problem::Problem& problem, std::span<const std::string> comments) {
  TANDEM_TRY_ASSIGN(const BqmOf qubo, bqm_of(problem, Constant::kHasPlace));
  const Bqm& bqm = qubo.bqm;
  const auto linear = bqm.linear();
  std::string text = comment_lines(comments, FileFormat::kQplib);
  text += fmt::format("TANDEM\nQBN\n{}imize\n{} # number of variables\n{} # number of quadratic terms in objective\n",
                      problem::to_string(qubo.sense), bqm.num_variables(), bqm.terms().size());
  text.reserve(text.size() + bqm.terms().size() * 16);
  for (const QuadraticTerm& term : bqm.terms()) append_entry(text, term.v + 1, term.u + 1, term.bias);
  const auto zeros = static_cast<std::size_t>(std::count(linear.begin(), linear.end(), 0.0));
  text += fmt::format(
      "0 # default value for linear coefficients in objective\n{} # number of non-default linear coefficients\n",
      linear.size() - zeros);
  for (std::size_t i = 0; i < linear.size(); ++i) {
    if (linear[i] == 0) continue;
    problem::append_number(text, static_cast<double>(i + 1));
    text += ' ';
    problem::append_number(text, linear[i]);
    text += '\n';
  }
  problem::append_number(text, bqm.offset());
  return text +
         " # objective constant\n1e+308 # value for infinity\n0 # default variable primal value\n0 # others\n"
         "0 # default variable bound dual value\n0 # others\n0 # variable names\n0 # constraint names\n";
}

}  // namespace tandem::format
