#include "tandem/base/line_scanner.h"

#include <cmath>
#include <cstring>

#include "tandem/base/document.h"
#include "tandem/base/text.h"

namespace tandem {
namespace {

constexpr int kFastDigitsMax = 15;  // as many are exact in a double and cannot overflow an int64

bool is_blank(char c) { return c == ' ' || c == '\r' || c == '\t' || c == '\v' || c == '\f'; }
bool ends_token(char c) { return is_blank(c) || c == '\n'; }

/// Reads a plain integer of at most kFastDigitsMax digits that ends with the word. Its end, or nullptr when the word is
/// something else.
const char* read_plain_integer(const char* at, const char* end, std::int64_t& value) {
  const bool negative = at < end && *at == '-';
  if (negative) ++at;
  const char* const digits = at;
  std::int64_t size = 0;
  while (at < end && is_digit(*at) && at - digits < kFastDigitsMax) size = size * 10 + (*at++ - '0');
  if (at == digits || (at < end && !ends_token(*at))) return nullptr;
  value = negative ? -size : size;
  return at;
}

/// Whether `word`, an integer that fits 64 bits, is not what was read. Longer ones are as rounded as all doubles of their size.
bool is_rounded_integer(std::string_view word, double read) {
  constexpr double kExactMax = 9007199254740992.0;  // 2^53
  constexpr double kTwo63 = 9223372036854775808.0;
  if (std::abs(read) < kExactMax) return false;
  const auto integer = parse_int64(word);
  return integer && (read >= kTwo63 || static_cast<std::int64_t>(read) != *integer);
}

}  // namespace

LineScanner::LineScanner(std::string_view text, std::string_view name)
    : begin_(text.data()),
      end_(text.data() + text.size()),
      at_(text.data() + document::text_begin(text)),
      token_(at_),
      name_(name) {}

void LineScanner::skip_blanks() {
  while (at_ < end_ && is_blank(*at_)) ++at_;
}

bool LineScanner::next_line() {
  if (started_ && at_ < end_) {
    const void* const newline = std::memchr(at_, '\n', static_cast<std::size_t>(end_ - at_));
    at_ = newline == nullptr ? end_ : static_cast<const char*>(newline) + 1;
  }
  started_ = true;
  token_ = at_;
  return at_ < end_;
}

bool LineScanner::has_token() {
  skip_blanks();
  return at_ < end_ && *at_ != '\n';
}

std::string_view LineScanner::token() {
  skip_blanks();
  token_ = at_;
  while (at_ < end_ && !ends_token(*at_)) ++at_;
  return {token_, static_cast<std::size_t>(at_ - token_)};
}

bool LineScanner::read_integer(std::int64_t& value) {
  skip_blanks();
  if (const char* const after = read_plain_integer(at_, end_, value)) {
    token_ = at_;
    at_ = after;
    return true;
  }
  const auto parsed = parse_int64(token());
  if (parsed) value = *parsed;
  return parsed.has_value();
}

bool LineScanner::read_number(double& value) {
  skip_blanks();
  std::int64_t integer = 0;
  if (const char* const after = read_plain_integer(at_, end_, integer)) {
    token_ = at_;
    at_ = after;
    value = static_cast<double>(integer);
    return true;
  }
  const std::string_view word = token();
  const auto parsed = parse_double(word);
  if (parsed) value = *parsed;
  rounded_ = parsed && is_rounded_integer(word, *parsed);
  return parsed && !rounded_;
}

std::string_view LineScanner::number_expected() const {
  return rounded_ ? "an integer that a double holds, as all up to 2^53 are" : "a finite number";
}

std::string LineScanner::place() const {
  const std::string_view text(begin_, static_cast<std::size_t>(end_ - begin_));
  return document::Source{text, name_}.place(static_cast<std::size_t>(token_ - begin_));
}

Error LineScanner::unexpected_token(ErrorNumber number, std::string_view expected, std::string_view advice) const {
  const char* after = token_;
  while (after < end_ && !ends_token(*after)) ++after;
  const std::string_view word(token_, static_cast<std::size_t>(after - token_));
  const std::string found = !word.empty() ? quote(word) : after < end_ ? "the end of the line" : "the end of the text";
  return make_error_at(place(), number, "expected {}, found {}; {}", expected, found, advice);
}

}  // namespace tandem
