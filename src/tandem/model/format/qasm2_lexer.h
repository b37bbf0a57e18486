// tandem/model/format/qasm2_lexer.h - the words of an OpenQASM 2 text, one after the other, with their places.
//
// Room: model. For qasm2*.cc only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/base/result.h"

namespace tandem::format {

struct Qasm2Token {
  enum class Kind : std::uint8_t {
    kName,
    kInteger,  ///< digits, of any length
    kReal,
    kString,  ///< `text` is without its quotes
    kSymbol,  ///< one character, "->" or "=="
    kBad,  ///< a character that begins none of these, or a string without an end
    kEnd,  ///< of the text, which is empty
  } kind = Kind::kEnd;
  std::string_view text;
  bool is(std::string_view word) const { return (kind == Kind::kSymbol || kind == Kind::kName) && text == word; }
};

/// A walk over `text`, which must outlive it. Comments are passed over.
///
/// Threads: one. Cost: linear and without allocation until a place is asked for; about 5 ns a token.
class Qasm2Lexer {
 public:
  Qasm2Lexer(std::string_view text, std::string_view name);
  Qasm2Token next();
  /// "name:line:column" of a token of this text.
  std::string place(const Qasm2Token& token) const;
  /// The token as messages show it.
  static std::string shown(const Qasm2Token& token);

 private:
  void skip_blanks();
  Qasm2Token take(Qasm2Token::Kind kind, std::size_t size);

  std::string_view text_;
  std::string_view name_;
  std::size_t at_;
};

/// The words of a text with the next one in hand. What fails says what was expected there.
///
/// Errors: 1201 format_syntax.
class Qasm2Words {
 public:
  Qasm2Words(std::string_view text, std::string_view name) : lexer_(text, name), here_(lexer_.next()) {}
  const Qasm2Token& here() const { return here_; }
  Qasm2Token advance();  ///< the word in hand; the next one is then
  std::string place() const { return lexer_.place(here_); }
  std::string place_of(const Qasm2Token& token) const { return lexer_.place(token); }

  tl::unexpected<Error> expected(std::string_view what) const;
  Result<void> skip(std::string_view word);
  bool skip_if(std::string_view word);
  Result<Qasm2Token> read_name(std::string_view what);
  /// A name that the program gives: none of the words of the language.
  Result<Qasm2Token> read_new_name(std::string_view what);

 private:
  Qasm2Lexer lexer_;
  Qasm2Token here_;
};

}  // namespace tandem::format
