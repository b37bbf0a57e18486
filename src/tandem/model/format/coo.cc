#include "tandem/model/format/coo.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "tandem/base/assert.h"
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
using problem::Vartype;

constexpr std::string_view kAdvice = "a line holds two indices and a number, or is a comment that starts with '#'";

class CooReader {
 public:
  CooReader(std::string_view text, std::string_view name, const ReadLimits& limits)
      : scanner_(text, name), limits_(limits) {}

  Result<Bqm> read(Vartype vartype) {
    while (scanner_.next_line()) {
      if (!scanner_.has_token() || scanner_.peek() == '#') continue;
      TANDEM_TRY(read_entry());
    }
    if (linear_.empty()) return expected("a line 'index index bias'");
    auto bqm = Bqm::create(vartype, std::move(linear_), std::move(couplers_), 0);
    if (!bqm && !too_large_at_.empty())
      return tl::unexpected<Error>(problem::placed(std::move(bqm).error(), too_large_at_));
    return bqm;
  }

 private:
  tl::unexpected<Error> expected(std::string_view what) const {
    return tl::unexpected<Error>(scanner_.unexpected_token(errors::kFormatSyntax, what, kAdvice));
  }

  Result<std::size_t> read_index() {
    std::int64_t index = 0;
    if (!scanner_.read_integer(index) || index < 0) return expected("an index from 0");
    const auto at = static_cast<std::size_t>(index);
    if (at >= limits_.variables_max) {
      return fail_at(scanner_.place(), errors::kModelTooLarge,
                     "index {} asks for more variables than the limit of {}; number them from 0", index,
                     limits_.variables_max);
    }
    if (at >= linear_.size()) linear_.resize(at + 1);
    return at;
  }

  Result<void> read_entry() {
    TANDEM_TRY_ASSIGN(const std::size_t u, read_index());
    TANDEM_TRY_ASSIGN(const std::size_t v, read_index());
    double bias = 0;
    if (!scanner_.read_number(bias)) return expected(scanner_.number_expected());
    magnitude_ += std::abs(bias);
    if (magnitude_ > Bqm::kMagnitudeMax && too_large_at_.empty()) too_large_at_ = scanner_.place();
    if (scanner_.has_token()) {
      scanner_.token();
      return expected("the end of the line");
    }
    if (u == v) {
      linear_[u] += bias;
      return {};
    }
    if (couplers_.size() == limits_.terms_max) {
      return fail_at(scanner_.place(), errors::kModelTooLarge, "there are more than {} couplings; reduce the model",
                     limits_.terms_max);
    }
    couplers_.push_back({static_cast<std::uint32_t>(u), static_cast<std::uint32_t>(v), bias});
    return {};
  }

  LineScanner scanner_;
  ReadLimits limits_;
  double magnitude_ = 0;
  std::string too_large_at_;  // place of the entry with which the |numbers| pass what a model may hold
  std::vector<double> linear_;
  std::vector<QuadraticTerm> couplers_;
};

/// The problem that the headers say; empty where there is none.
Result<std::optional<std::string>> read_header(std::string_view text, std::string_view name) {
  std::optional<std::string> out;
  std::size_t line_number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++line_number;
    const auto said = problem_of_vartype(line);
    if (!said) continue;
    const std::string place = fmt::format("{}:{}", name, line_number);
    if (*said != "qubo" && *said != "ising") {
      return fail_at(place, errors::kFormatSyntax, "the vartype {} is neither BINARY nor SPIN; correct the comment",
                     quote(*said));
    }
    if (out && *out != *said) {
      return fail_at(place, errors::kFormatSyntax, "the file says BINARY in one comment and SPIN in another; keep one");
    }
    out = said;
  }
  return out;
}

/// "i j 0.25", never with an exponent.
void append_plain_entry(std::string& text, std::size_t row, std::size_t column, double bias) {
  std::array<char, 1200> digits{};  // the smallest doubles have 1074 zeros at most, the greatest 309 digits
  const auto [after, code] =
      std::to_chars(digits.data(), digits.data() + digits.size(), bias, std::chars_format::fixed);
  TANDEM_ASSERT(code == std::errc{});
  text += fmt::format("{} {} {}\n", row, column, std::string_view(digits.data(), after));
}

}  // namespace

std::optional<std::string> problem_of_vartype(std::string_view comment) {
  constexpr std::string_view kWord = "vartype";
  comment = trim(comment);
  if (!comment.starts_with('#')) return std::nullopt;
  std::size_t at = comment.find(kWord);
  if (at == std::string_view::npos) return std::nullopt;
  comment.remove_prefix(at + kWord.size());
  if (!comment.starts_with('=') && !comment.starts_with(':')) return std::nullopt;
  comment = trim(comment.substr(1));
  const std::string_view word = comment.substr(0, comment.find_first_of(" \t\r"));
  if (word == "BINARY") return "qubo";
  if (word == "SPIN") return "ising";
  return std::string(word);
}

Result<ProblemPtr> read_coo(std::string_view text, std::string_view name, const ReadOptions& options) {
  TANDEM_TRY_ASSIGN(Notes file_notes, read_notes(text, name, FileFormat::kCoo));
  TANDEM_TRY_ASSIGN(file_notes.problem, read_header(text, name));
  TANDEM_TRY_ASSIGN(const Notes notes, settle(file_notes, options, name));
  const std::string asked = notes.problem.value_or("");
  if (asked != "qubo" && asked != "ising") {
    return fail_at(
        std::string(name), errors::kFormatAmbiguous,
        "the file does not say whether its variables are 0 and 1 or spins{}; say --problem qubo or --problem "
        "ising, or write '# vartype=BINARY' or '# vartype=SPIN' above it",
        asked.empty() ? "" : fmt::format(", and holds no {} problem", quote(asked)));
  }
  CooReader reader(text, name, options.limits);
  auto bqm = reader.read(asked == "qubo" ? Vartype::kBinary : Vartype::kSpin);
  if (!bqm) return tl::unexpected<Error>(problem::placed(std::move(bqm).error(), std::string(name)));
  if (notes.negated) bqm = bqm->negated();
  const Sense sense = notes.sense.value_or(Sense::kMin);
  return asked == "qubo" ? problem::make_qubo(*std::move(bqm), sense) : problem::make_ising(*std::move(bqm), sense);
}

Result<std::string> write_coo(const problem::Problem& problem, std::span<const std::string> comments) {
  const Vartype vartype = problem.type() == "ising" ? Vartype::kSpin : Vartype::kBinary;
  TANDEM_TRY_ASSIGN(BqmOf of, bqm_of(problem, Constant::kHasNone, vartype));
  std::string text = fmt::format("# vartype={}\n", vartype == Vartype::kSpin ? "SPIN" : "BINARY");
  if (of.sense == Sense::kMax) {  // every reader of the format minimises
    of.bqm = of.bqm.negated();
    text += notes_line({.sense = of.sense, .negated = true}, FileFormat::kCoo);
  }
  text += comment_lines(comments, FileFormat::kCoo);
  const Bqm& bqm = of.bqm;
  const auto linear = bqm.linear();
  std::vector<char> coupled(linear.size());
  for (const QuadraticTerm& term : bqm.terms()) coupled[term.u] = coupled[term.v] = 1;
  std::size_t next = 0;  // row by row; a variable that nothing else names stands with 0
  for (std::size_t u = 0; u < linear.size(); ++u) {
    if (linear[u] != 0 || coupled[u] == 0) append_plain_entry(text, u, u, linear[u]);
    for (; next < bqm.terms().size() && bqm.terms()[next].u == u; ++next)
      append_plain_entry(text, u, bqm.terms()[next].v, bqm.terms()[next].bias);
  }
  return text;
}

}  // namespace tandem::format
