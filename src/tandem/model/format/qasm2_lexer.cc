#include "tandem/model/format/qasm2_lexer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tandem/base/document.h"
#include "tandem/base/text.h"

namespace tandem::format {
namespace {

constexpr std::array<std::string_view, 18> kReserved = {"OPENQASM", "include", "qreg",    "creg",  "gate", "opaque",
                                                        "if",       "barrier", "measure", "reset", "pi",   "sin",
                                                        "cos",      "tan",     "exp",     "ln",    "sqrt", "U"};

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\v' || c == '\f'; }
bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool in_name(char c) { return begins_name(c) || is_digit(c); }

std::size_t count_digits(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
}

}  // namespace

Qasm2Lexer::Qasm2Lexer(std::string_view text, std::string_view name)
    : text_(text), name_(name), at_(document::text_begin(text)) {}

void Qasm2Lexer::skip_blanks() {
  while (at_ < text_.size()) {
    if (is_blank(text_[at_])) {
      ++at_;
    } else if (text_.substr(at_, 2) == "//") {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else {
      return;
    }
  }
}

Qasm2Token Qasm2Lexer::take(Qasm2Token::Kind kind, std::size_t size) {
  const Qasm2Token token{kind, text_.substr(at_, size)};
  at_ += size;
  return token;
}

Qasm2Token Qasm2Lexer::next() {
  using Kind = Qasm2Token::Kind;
  skip_blanks();
  const std::string_view rest = text_.substr(at_);
  if (rest.empty()) return take(Kind::kEnd, 0);
  if (begins_name(rest[0]))
    return take(Kind::kName, static_cast<std::size_t>(std::ranges::find_if_not(rest, in_name) - rest.begin()));
  const std::size_t whole = count_digits(rest);
  std::size_t size = whole;
  if (rest.substr(size).starts_with('.')) size += 1 + count_digits(rest.substr(size + 1));
  if (whole > 0 || size > 1) {
    const std::string_view after = rest.substr(size);
    if (after.starts_with('e') || after.starts_with('E')) {
      const std::size_t sign = after.size() > 1 && (after[1] == '+' || after[1] == '-') ? 1 : 0;
      const std::size_t digits = count_digits(after.substr(1 + sign));
      if (digits > 0) size += 1 + sign + digits;
    }
    return take(size == whole ? Kind::kInteger : Kind::kReal, size);
  }
  if (rest[0] == '"') {
    const std::size_t end = rest.find_first_of("\"\n", 1);
    if (end == std::string_view::npos || rest[end] == '\n') return take(Kind::kBad, 1);
    const Qasm2Token token{Kind::kString, rest.substr(1, end - 1)};
    at_ += end + 1;
    return token;
  }
  if (rest.starts_with("->") || rest.starts_with("==")) return take(Kind::kSymbol, 2);
  return take(std::string_view(";,()[]{}+-*/^").find(rest[0]) == std::string_view::npos ? Kind::kBad : Kind::kSymbol,
              1);
}

std::string Qasm2Lexer::place(const Qasm2Token& token) const {
  return document::Source{text_, name_}.place(static_cast<std::size_t>(token.text.data() - text_.data()));
}

std::string Qasm2Lexer::shown(const Qasm2Token& token) {
  if (token.kind == Qasm2Token::Kind::kEnd) return "the end of the text";
  if (token.kind == Qasm2Token::Kind::kBad && token.text == "\"") return "a string without an end";
  return quote(token.text);
}

Qasm2Token Qasm2Words::advance() { return std::exchange(here_, lexer_.next()); }

tl::unexpected<Error> Qasm2Words::expected(std::string_view what) const {
  return fail_at(place(), errors::kFormatSyntax, "expected {}, found {}; correct the statement", what,
                 Qasm2Lexer::shown(here_));
}

Result<void> Qasm2Words::skip(std::string_view word) {
  if (!here_.is(word)) return expected(quote(word));
  advance();
  return {};
}

bool Qasm2Words::skip_if(std::string_view word) {
  const bool there = here_.is(word);
  if (there) advance();
  return there;
}

Result<Qasm2Token> Qasm2Words::read_name(std::string_view what) {
  if (here_.kind != Qasm2Token::Kind::kName) return expected(what);
  return advance();
}

Result<Qasm2Token> Qasm2Words::read_new_name(std::string_view what) {
  if (std::ranges::find(kReserved, here_.text) != kReserved.end()) return expected(what);
  return read_name(what);
}

}  // namespace tandem::format
