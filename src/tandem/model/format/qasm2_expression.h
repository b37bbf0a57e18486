// tandem/model/format/qasm2_expression.h - an angle as OpenQASM 2 writes it: numbers, pi, names, + - * / ^ and six functions.
//
// Room: model. For qasm2*.cc only.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/model/format/qasm2_lexer.h"

namespace tandem::format {

/// In the order of a stack machine: operands first.
struct Qasm2Expression {
  enum class Op : std::uint8_t {
    kNumber,  ///< pushes `number`
    kName,  ///< pushes the value of the formal parameter `index`
    kNegate,
    kAdd,
    kSubtract,
    kMultiply,
    kDivide,
    kPower,
    kSin,
    kCos,
    kTan,
    kExp,
    kLn,
    kSqrt,
  };
  struct Step {
    Op op;
    std::uint32_t index = 0;
    double number = 0;
  };
  std::vector<Step> steps;

  /// With values for the names. NaN or infinite where it has no value: 1/0, ln(-1). `stack` is room to work in.
  double value(std::span<const double> values, std::vector<double>& stack) const;
};

/// Names of a definition and their indices.
using Qasm2Formals = std::unordered_map<std::string_view, std::uint32_t>;

/// Appends the expression that `words` stand at; its names are those of `formals`.
/// Errors: 1201 format_syntax; 1013 number_out_of_range; 1103 model_too_large - brackets within brackets, 200 deep.
Result<void> read_qasm2_expression(Qasm2Words& words, const Qasm2Formals& formals, Qasm2Expression& out);

}  // namespace tandem::format
