#include "tandem/model/format/matrix_text.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "tandem/base/line_scanner.h"
#include "tandem/base/text.h"
#include "tandem/model/format/notes.h"
#include "tandem/model/problem/term_document.h"

namespace tandem::format {
namespace {

using problem::Bqm;
using problem::ProblemPtr;
using problem::QuadraticTerm;
using problem::Sense;

constexpr std::size_t kEntryBytesMin = 6;  // "1 2 3\n": a file cannot promise more entries than it has room for

constexpr double kMagnitudeMax = Bqm::kMagnitudeMax / 4;  // a cut states each weight four times, a matrix entry twice

/// The numbers of one file.
struct Matrix {
  std::size_t size = 0;
  std::vector<double> diagonal;
  std::vector<QuadraticTerm> entries;  ///< as they stand, indices from 0
  std::string too_large_at;  ///< place of the entry with which the |numbers| pass what a model may hold; empty: none
};

class MatrixReader {
 public:
  MatrixReader(std::string_view text, std::string_view name, FileFormat format, const ReadLimits& limits)
      : text_size_(text.size()), scanner_(text, name), format_(format), limits_(limits) {}

  Result<Matrix> read() {
    TANDEM_TRY(read_header());
    std::size_t count = 0;
    while (next_content()) {
      if (count == promised_) {
        return fail_at(scanner_.place(), errors::kFormatSyntax,
                       "the first line promises {} entries, here is one more; correct the count", promised_);
      }
      TANDEM_TRY(read_entry());
      ++count;
    }
    if (count < promised_) {
      return fail_at(scanner_.place(), errors::kFormatSyntax,
                     "the text ends after {} of {} entries; it may be truncated, fetch it again", count, promised_);
    }
    return std::move(matrix_);
  }

 private:
  /// Moves to the next line that is neither empty nor a comment.
  bool next_content() {
    while (scanner_.next_line()) {
      if (scanner_.has_token() && scanner_.peek() != '#' && scanner_.peek() != '%') return true;
    }
    return false;
  }

  tl::unexpected<Error> expected(std::string_view what) const {
    return tl::unexpected<Error>(
        scanner_.unexpected_token(errors::kFormatSyntax, what,
                                  in_header_ ? "the first line holds the number of variables and of entries"
                                             : "a line holds two indices and a number"));
  }

  Result<std::size_t> read_count(std::string_view what, std::size_t min, std::size_t max) {
    std::int64_t count = 0;
    if (!scanner_.read_integer(count) || count < 0) return expected(what);
    if (static_cast<std::size_t>(count) > max) {
      return fail_at(scanner_.place(), errors::kModelTooLarge, "{} is {}, the limit is {}; reduce the model", what,
                     count, max);
    }
    if (static_cast<std::size_t>(count) < min) return expected(what);
    return static_cast<std::size_t>(count);
  }

  Result<void> read_header() {
    if (!next_content()) return expected("the number of variables");
    TANDEM_TRY_ASSIGN(matrix_.size, read_count("the number of variables", 1, limits_.variables_max));
    TANDEM_TRY_ASSIGN(promised_, read_count("the number of entries", 0, limits_.terms_max));
    in_header_ = false;  // what else stands in the first line is ignored: files in the wild have names there
    matrix_.diagonal.assign(matrix_.size, 0.0);
    matrix_.entries.reserve(std::min(promised_, text_size_ / kEntryBytesMin + 1));
    return {};
  }

  Result<void> read_entry() {
    const auto size = static_cast<std::int64_t>(matrix_.size);
    std::int64_t u = 0;
    std::int64_t v = 0;
    double value = 0;
    if (!scanner_.read_integer(u) || u < 1 || u > size || !scanner_.read_integer(v) || v < 1 || v > size) {
      return expected(fmt::format("an index from 1 to {}", size));
    }
    if (!scanner_.read_number(value)) return expected(scanner_.number_expected());
    if (scanner_.has_token()) {
      scanner_.token();
      return expected("the end of the line");
    }
    note_magnitude(value);
    if (u != v) {
      matrix_.entries.push_back({static_cast<std::uint32_t>(u - 1), static_cast<std::uint32_t>(v - 1), value});
      return {};
    }
    if (format_ == FileFormat::kRudy) {
      return fail_at(scanner_.place(), errors::kFormatSyntax,
                     "an edge joins node {} with itself; remove it, or read the file with --problem qubo", u);
    }
    matrix_.diagonal[static_cast<std::size_t>(u - 1)] += value;
    return {};
  }

  /// Only create() of the model decides; should it refuse the sum, this is the line to look at.
  void note_magnitude(double value) {
    magnitude_ += std::abs(value);
    if (magnitude_ > kMagnitudeMax && matrix_.too_large_at.empty()) matrix_.too_large_at = scanner_.place();
  }

  std::size_t text_size_;
  LineScanner scanner_;
  double magnitude_ = 0;
  FileFormat format_;
  ReadLimits limits_;
  bool in_header_ = true;
  std::size_t promised_ = 0;
  Matrix matrix_;
};

/// Where the entry (u, v) stands, in a text that was read before.
std::string place_of_entry(std::string_view text, std::string_view name, const QuadraticTerm& entry) {
  LineScanner scanner(text, name);
  bool in_header = true;
  while (scanner.next_line()) {
    if (!scanner.has_token() || scanner.peek() == '#' || scanner.peek() == '%') continue;
    if (std::exchange(in_header, false)) continue;
    std::int64_t u = 0;
    std::int64_t v = 0;
    if (scanner.read_integer(u) && u == std::int64_t{entry.u} + 1 && scanner.read_integer(v) &&
        v == std::int64_t{entry.v} + 1) {
      return scanner.place();
    }
  }
  return std::string(name);
}

/// The error of building a model from a file: at the entry where its numbers grew too large, else at the file.
tl::unexpected<Error> refused(Error error, const Matrix& matrix, std::string_view name) {
  return tl::unexpected<Error>(
      problem::placed(std::move(error), matrix.too_large_at.empty() ? std::string(name) : matrix.too_large_at));
}

/// Half of a symmetric matrix names each pair in one order only. When a pair stands in both, whether the file holds the whole
/// matrix or an entry too many would be a guess.
Result<void> check_half(const std::vector<QuadraticTerm>& entries, std::string_view text, std::string_view name) {
  const auto is_lower = [](const QuadraticTerm& entry) { return entry.u > entry.v; };
  const auto lower = std::count_if(entries.begin(), entries.end(), is_lower);
  if (lower == 0 || lower == std::ssize(entries)) return {};
  std::vector<std::pair<std::uint32_t, std::uint32_t>> upper_pairs;
  for (const QuadraticTerm& entry : entries) {
    if (!is_lower(entry)) upper_pairs.emplace_back(entry.u, entry.v);
  }
  std::sort(upper_pairs.begin(), upper_pairs.end());
  for (const QuadraticTerm& entry : entries) {
    if (is_lower(entry) && std::binary_search(upper_pairs.begin(), upper_pairs.end(), std::pair(entry.v, entry.u))) {
      return fail_at(place_of_entry(text, name, entry), errors::kFormatSyntax,
                     "the pair ({}, {}) stands in both halves of the matrix; keep one half", entry.v + 1, entry.u + 1);
    }
  }
  return {};
}

}  // namespace

void append_entry(std::string& text, std::size_t row, std::size_t column, double value) {
  problem::append_number(text, static_cast<double>(row));
  text += ' ';
  problem::append_number(text, static_cast<double>(column));
  text += ' ';
  problem::append_number(text, value);
  text += '\n';
}

Result<ProblemPtr> read_rudy(std::string_view text, std::string_view name, const ReadOptions& options) {
  TANDEM_TRY_ASSIGN(const Notes file_notes, read_notes(text, name, FileFormat::kRudy));
  TANDEM_TRY_ASSIGN(const Notes notes, settle(file_notes, options, name));
  if (notes.problem && *notes.problem != "max_cut") {
    return fail_at(std::string(name), errors::kFormatAmbiguous,
                   "a rudy file holds a max_cut problem, not {}; read it with --from sparse", quote(*notes.problem));
  }
  if (notes.sense == Sense::kMin) {
    return fail_at(std::string(name), errors::kFormatAmbiguous,
                   "a cut is maximised, but the sense is min; drop --sense");
  }
  MatrixReader reader(text, name, FileFormat::kRudy, options.limits);
  TANDEM_TRY_ASSIGN(Matrix matrix, reader.read());
  auto made = problem::make_max_cut(matrix.size, std::move(matrix.entries));
  if (!made) return refused(std::move(made).error(), matrix, name);
  return made;
}

Result<ProblemPtr> read_sparse(std::string_view text, std::string_view name, const ReadOptions& options) {
  TANDEM_TRY_ASSIGN(const Notes file_notes, read_notes(text, name, FileFormat::kSparse));
  TANDEM_TRY_ASSIGN(const Notes notes, settle(file_notes, options, name));
  if (notes.problem && *notes.problem != "qubo") {
    return fail_at(std::string(name), errors::kFormatAmbiguous,
                   "a sparse file holds a qubo problem, not {}; read it with --from rudy", quote(*notes.problem));
  }
  if (!notes.sense) {
    return fail_at(
        std::string(name), errors::kFormatAmbiguous,
        "sparse files do not say whether they are minimised or maximised, and both exist; add --problem qubo "
        "--sense min or --sense max");
  }
  MatrixReader reader(text, name, FileFormat::kSparse, options.limits);
  TANDEM_TRY_ASSIGN(Matrix matrix, reader.read());
  TANDEM_TRY(check_half(matrix.entries, text, name));
  for (QuadraticTerm& entry : matrix.entries) entry.bias *= 2;  // x'Qx holds q_uv and q_vu
  auto bqm = Bqm::create(problem::Vartype::kBinary, std::move(matrix.diagonal), std::move(matrix.entries), 0);
  if (!bqm) return refused(std::move(bqm).error(), matrix, name);
  return problem::make_qubo(*std::move(bqm), *notes.sense);
}

Result<std::string> write_rudy(const problem::Problem& problem, std::span<const std::string> comments) {
  if (problem.type() != "max_cut") {
    return fail(errors::kFormatCannotExpress,
                "rudy files hold max_cut problems, this is {}; write sparse, qbsolv or json", problem.type());
  }
  if (!problem.names().empty()) {
    return fail(errors::kFormatCannotExpress, "rudy files have no place for names of nodes; write json");
  }
  const problem::Statement statement = problem.state();
  const Bqm& bqm = std::get<Bqm>(statement);
  std::string text = notes_line({.problem = "max_cut"}, FileFormat::kRudy) + comment_lines(comments, FileFormat::kRudy);
  text += fmt::format("{} {}\n", bqm.num_variables(), bqm.terms().size());
  text.reserve(text.size() + bqm.terms().size() * 16);
  for (const QuadraticTerm& term : bqm.terms()) append_entry(text, term.u + 1, term.v + 1, term.bias / 2);
  return text;
}

Result<std::string> write_sparse(const problem::Problem& problem, std::span<const std::string> comments) {
  TANDEM_TRY_ASSIGN(const BqmOf qubo, bqm_of(problem, Constant::kHasNone));
  const Bqm& bqm = qubo.bqm;
  std::string text = notes_line({.problem = "qubo", .sense = qubo.sense}, FileFormat::kSparse) +
                     comment_lines(comments, FileFormat::kSparse);
  const auto linear = bqm.linear();
  const auto zeros = static_cast<std::size_t>(std::count(linear.begin(), linear.end(), 0.0));
  text += fmt::format("{} {}\n", bqm.num_variables(), linear.size() - zeros + bqm.terms().size());
  text.reserve(text.size() + bqm.terms().size() * 16);
  std::size_t next = 0;  // row by row: each diagonal entry before its row
  for (std::size_t u = 0; u < linear.size(); ++u) {
    if (linear[u] != 0) append_entry(text, u + 1, u + 1, linear[u]);
    for (; next < bqm.terms().size() && bqm.terms()[next].u == u; ++next) {
      append_entry(text, u + 1, bqm.terms()[next].v + 1, bqm.terms()[next].bias / 2);
    }
  }
  return text;
}

Result<BqmOf> bqm_of(const problem::Problem& problem, Constant constant, problem::Vartype vartype) {
  const problem::Statement statement = problem.state();
  const auto* const stated = std::get_if<Bqm>(&statement);
  if (stated == nullptr) {
    return fail(errors::kFormatCannotExpress,
                "QUBO files have no place for the constraints or the order of a {} problem; write json",
                problem.type());
  }
  if (!problem.names().empty()) {
    return fail(errors::kFormatCannotExpress, "QUBO files have no place for names of variables; write json");
  }
  // A cut is stated as the minimum of its negative; every other problem goes in its own sense.
  const bool negate = problem.sense() == Sense::kMax && problem.type() != "max_cut";
  BqmOf out{.bqm = stated->with_vartype(vartype), .sense = negate ? Sense::kMax : Sense::kMin};
  if (negate) out.bqm = out.bqm.negated();
  if (constant == Constant::kHasNone && out.bqm.offset() != 0) {
    return fail(errors::kFormatCannotExpress,
                "these files have no place for the constant {} of the problem; write qplib or json",
                problem::plain_number(out.bqm.offset()));
  }
  return out;
}

}  // namespace tandem::format
