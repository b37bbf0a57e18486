#include "tandem/model/format/qbsolv.h"

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

constexpr std::size_t kEntryBytesMin = 6;  // "0 1 2\n"

class QbsolvReader {
 public:
  QbsolvReader(std::string_view text, std::string_view name, const ReadLimits& limits)
      : text_size_(text.size()), scanner_(text, name), limits_(limits) {}

  Result<Bqm> read() {
    while (scanner_.next_line()) {
      if (!scanner_.has_token()) continue;
      if (scanner_.peek() == 'c') {
        if (scanner_.token() == "c") continue;
        return expected("a comment 'c ...', the line 'p qubo ...' or an entry");
      }
      if (scanner_.peek() == 'p') {
        TANDEM_TRY(read_header());
      } else {
        TANDEM_TRY(read_entry());
      }
    }
    if (!has_header_) return expected("the line 'p qubo 0 variables diagonals couplers'");
    if (diagonals_ != diagonals_promised_ || couplers_.size() != couplers_promised_) {
      return fail_at(
          scanner_.place(), errors::kFormatSyntax,
          "the text ends after {} of {} diagonals and {} of {} couplers; it may be truncated, fetch it again",
          diagonals_, diagonals_promised_, couplers_.size(), couplers_promised_);
    }
    auto bqm = Bqm::create(problem::Vartype::kBinary, std::move(linear_), std::move(couplers_), 0);
    if (!bqm && !too_large_at_.empty())
      return tl::unexpected<Error>(problem::placed(std::move(bqm).error(), too_large_at_));
    return bqm;
  }

 private:
  tl::unexpected<Error> expected(std::string_view what) const {
    return tl::unexpected<Error>(scanner_.unexpected_token(
        errors::kFormatSyntax, what,
        has_header_ ? "a line holds two indices and a number" : "the file starts with comments and one 'p' line"));
  }

  Result<std::size_t> read_count(std::string_view what, std::size_t min, std::size_t max) {
    std::int64_t count = 0;
    if (!scanner_.read_integer(count) || count < static_cast<std::int64_t>(min)) return expected(what);
    if (static_cast<std::size_t>(count) > max) {
      return fail_at(scanner_.place(), errors::kModelTooLarge, "{} is {}, the limit is {}; reduce the model", what,
                     count, max);
    }
    return static_cast<std::size_t>(count);
  }

  Result<void> end_of_line() {
    if (!scanner_.has_token()) return {};
    scanner_.token();
    return expected("the end of the line");
  }

  Result<void> read_header() {
    if (scanner_.token() != "p" || has_header_) return expected(has_header_ ? "an entry" : "'p'");
    if (scanner_.token() != "qubo") return expected("'qubo'");
    if (scanner_.token().empty()) return expected("a topology, which is 0");
    TANDEM_TRY_ASSIGN(const std::size_t variables, read_count("the number of variables", 1, limits_.variables_max));
    TANDEM_TRY_ASSIGN(diagonals_promised_, read_count("the number of diagonals", 0, limits_.terms_max));
    TANDEM_TRY_ASSIGN(couplers_promised_, read_count("the number of couplers", 0, limits_.terms_max));
    TANDEM_TRY(end_of_line());
    has_header_ = true;
    linear_.assign(variables, 0.0);
    couplers_.reserve(std::min(couplers_promised_, text_size_ / kEntryBytesMin + 1));
    return {};
  }

  Result<void> read_entry() {
    if (!has_header_) {
      scanner_.token();
      return expected("the line 'p qubo 0 variables diagonals couplers'");
    }
    const auto index_max = static_cast<std::int64_t>(linear_.size()) - 1;
    std::int64_t u = 0;
    std::int64_t v = 0;
    double value = 0;
    if (!scanner_.read_integer(u) || u < 0 || u > index_max || !scanner_.read_integer(v) || v < 0 || v > index_max) {
      return expected(fmt::format("an index from 0 to {}", index_max));
    }
    if (!scanner_.read_number(value)) return expected(scanner_.number_expected());
    TANDEM_TRY(end_of_line());
    magnitude_ += std::abs(value);
    if (magnitude_ > Bqm::kMagnitudeMax && too_large_at_.empty()) too_large_at_ = scanner_.place();
    if ((u == v ? diagonals_ : couplers_.size()) == (u == v ? diagonals_promised_ : couplers_promised_)) {
      return fail_at(scanner_.place(), errors::kFormatSyntax,
                     "the 'p' line promises {} {}, here is one more; correct the count",
                     u == v ? diagonals_promised_ : couplers_promised_, u == v ? "diagonals" : "couplers");
    }
    if (u == v) {
      linear_[static_cast<std::size_t>(u)] += value;
      ++diagonals_;
    } else {
      couplers_.push_back({static_cast<std::uint32_t>(u), static_cast<std::uint32_t>(v), value});
    }
    return {};
  }

  std::size_t text_size_;
  LineScanner scanner_;
  ReadLimits limits_;
  bool has_header_ = false;
  std::size_t diagonals_promised_ = 0;
  std::size_t couplers_promised_ = 0;
  std::size_t diagonals_ = 0;
  double magnitude_ = 0;
  std::string too_large_at_;  // place of the entry with which the |numbers| pass what a model may hold
  std::vector<double> linear_;
  std::vector<QuadraticTerm> couplers_;
};

}  // namespace

Result<ProblemPtr> read_qbsolv(std::string_view text, std::string_view name, const ReadOptions& options) {
  TANDEM_TRY_ASSIGN(const Notes file_notes, read_notes(text, name, FileFormat::kQbsolv));
  TANDEM_TRY_ASSIGN(const Notes notes, settle(file_notes, options, name));
  if (notes.problem && *notes.problem != "qubo") {
    return fail_at(std::string(name), errors::kFormatAmbiguous,
                   "a qbsolv file holds a qubo problem, not {}; drop --problem", quote(*notes.problem));
  }
  QbsolvReader reader(text, name, options.limits);
  auto bqm = reader.read();
  if (!bqm) return tl::unexpected<Error>(problem::placed(std::move(bqm).error(), std::string(name)));
  return problem::make_qubo(notes.negated ? bqm->negated() : *std::move(bqm), notes.sense.value_or(Sense::kMin));
}

Result<std::string> write_qbsolv(const problem::Problem& problem, std::span<const std::string> comments) {
  TANDEM_TRY_ASSIGN(BqmOf qubo, bqm_of(problem, Constant::kHasNone));
  const bool negated = qubo.sense == Sense::kMax;  // every reader of the format minimises
  if (negated) qubo.bqm = qubo.bqm.negated();
  const Bqm& bqm = qubo.bqm;
  std::string text = notes_line({.problem = "qubo", .sense = qubo.sense, .negated = negated}, FileFormat::kQbsolv) +
                     comment_lines(comments, FileFormat::kQbsolv);
  const auto linear = bqm.linear();
  const auto zeros = static_cast<std::size_t>(std::count(linear.begin(), linear.end(), 0.0));
  text += fmt::format("p qubo 0 {} {} {}\n", bqm.num_variables(), linear.size() - zeros, bqm.terms().size());
  text.reserve(text.size() + bqm.terms().size() * 16);
  for (std::size_t i = 0; i < linear.size(); ++i) {
    if (linear[i] != 0) append_entry(text, i, i, linear[i]);
  }
  for (const QuadraticTerm& term : bqm.terms()) append_entry(text, term.u, term.v, term.bias);
  return text;
}

}  // namespace tandem::format
