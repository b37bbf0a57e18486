// tandem/base/line_scanner.h - walks a text of lines of blank-separated words and numbers, with places for its errors.
//
// Room: base. For the plain text files that tools exchange. Not here: what the words mean.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/base/result.h"

namespace tandem {

/// A walk over `text`, which must outlive it. Lines end with LF; CR, tab, VT and FF are blanks like the space.
///
/// Threads: one. Cost: linear and without allocation until an error is asked for; about 5 ns a number.
class LineScanner {
 public:
  LineScanner(std::string_view text, std::string_view name);

  /// Moves to the start of the next line, the first one at the first call. False at the end of the text.
  bool next_line();
  /// True when another word stands in this line.
  bool has_token();
  /// The first character of the next word; call it only after has_token() said yes.
  char peek() const { return *at_; }
  /// The next word of this line; empty at its end.
  std::string_view token();
  /// Reads the next word of this line as a number. False, with the word as the place of errors, when there is none or it is
  /// no such number. read_number() takes finite decimals; too small ones become 0, integers that a double would round are
  /// refused.
  bool read_integer(std::int64_t& value);
  bool read_number(double& value);

  /// What read_number() wanted, for unexpected_token().
  std::string_view number_expected() const;
  /// "name:line:column" of the word last read.
  std::string place() const;
  /// "expected <expected>, found 'x'; <advice>" at the word last read.
  Error unexpected_token(ErrorNumber number, std::string_view expected, std::string_view advice) const;

 private:
  void skip_blanks();

  const char* begin_;
  const char* end_;
  const char* at_;
  const char* token_;  ///< start of the word last read
  std::string_view name_;
  bool started_ = false;
  bool rounded_ = false;  ///< the number last read is an integer that a double would round
};

}  // namespace tandem
