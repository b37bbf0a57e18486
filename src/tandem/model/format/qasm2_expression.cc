#include "tandem/model/format/qasm2_expression.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/base/trig.h"

namespace tandem::format {
namespace {

using Op = Qasm2Expression::Op;
using Kind = Qasm2Token::Kind;

constexpr std::uint32_t kNestingMax = 200;  // what the stack of a thread bears

double of_one(Op op, double a) {
  switch (op) {
    case Op::kSin:
      return sin_cos(a).sin;
    case Op::kCos:
      return sin_cos(a).cos;
    case Op::kTan:
      return sin_cos(a).sin / sin_cos(a).cos;
    case Op::kExp:
      return std::exp(a);
    case Op::kLn:
      return std::log(a);
    case Op::kSqrt:
      return std::sqrt(a);
    default:
      return 0 - a;
  }
}

double of_two(Op op, double a, double b) {
  switch (op) {
    case Op::kAdd:
      return a + b;
    case Op::kSubtract:
      return a - b;
    case Op::kMultiply:
      return a * b;
    case Op::kDivide:
      return a / b;
    default:
      return std::pow(a, b);
  }
}

struct Infix {
  std::string_view symbol;
  Op op;
  int left;
  int right;  ///< above left: groups to the left
};
constexpr std::array kInfix = {Infix{"+", Op::kAdd, 1, 2}, Infix{"-", Op::kSubtract, 1, 2},
                               Infix{"*", Op::kMultiply, 3, 4}, Infix{"/", Op::kDivide, 3, 4},
                               Infix{"^", Op::kPower, 8, 7}};
constexpr int kSign = 5;  // -2^2 is -4

struct Function {
  std::string_view name;
  Op op;
};
constexpr std::array kFunctions = {Function{"sin", Op::kSin}, Function{"cos", Op::kCos}, Function{"tan", Op::kTan},
                                   Function{"exp", Op::kExp}, Function{"ln", Op::kLn},   Function{"sqrt", Op::kSqrt}};

class ExpressionReader {
 public:
  ExpressionReader(Qasm2Words& words, const Qasm2Formals& formals, Qasm2Expression& out)
      : words_(words), formals_(formals), out_(out) {}

  /// An expression whose operators bind at least as much as `binding`.
  Result<void> read(int binding) {
    if (++nesting_ > kNestingMax) {
      return fail_at(words_.place(), errors::kModelTooLarge,
                     "expressions stand within each other more than {} deep; simplify it", kNestingMax);
    }
    TANDEM_TRY(read_term());
    while (words_.here().kind == Kind::kSymbol) {
      const auto* const infix = std::ranges::find(kInfix, words_.here().text, &Infix::symbol);
      if (infix == kInfix.end() || infix->left < binding) break;
      words_.advance();
      TANDEM_TRY(read(infix->right));
      out_.steps.push_back({.op = infix->op});
    }
    --nesting_;
    return {};
  }

 private:
  Result<void> read_term() {
    const Qasm2Token here = words_.here();
    if (here.kind == Kind::kInteger || here.kind == Kind::kReal) return read_number();
    if (words_.skip_if("pi")) {
      out_.steps.push_back({.op = Op::kNumber, .number = std::numbers::pi});
      return {};
    }
    if (words_.skip_if("+")) return read(kSign);
    if (words_.skip_if("-")) {
      TANDEM_TRY(read(kSign));
      out_.steps.push_back({.op = Op::kNegate});
      return {};
    }
    if (here.is("(")) return read_in_brackets();
    if (here.kind != Kind::kName) return words_.expected("a number, pi, a function or '('");
    const auto* const function = std::ranges::find(kFunctions, here.text, &Function::name);
    if (function != kFunctions.end()) {
      words_.advance();
      TANDEM_TRY(read_in_brackets());
      out_.steps.push_back({.op = function->op});
      return {};
    }
    const auto formal = formals_.find(here.text);
    if (formal == formals_.end()) return words_.expected("a number, pi, a function, '(' or an angle of the definition");
    out_.steps.push_back({.op = Op::kName, .index = formal->second});
    words_.advance();
    return {};
  }

  Result<void> read_in_brackets() {
    TANDEM_TRY(words_.skip("("));
    TANDEM_TRY(read(0));
    return words_.skip(")");
  }

  Result<void> read_number() {
    auto number = parse_double(words_.here().text);
    if (!number) {
      number.error().place = words_.place();
      return tl::unexpected<Error>(std::move(number).error());
    }
    out_.steps.push_back({.op = Op::kNumber, .number = *number});
    words_.advance();
    return {};
  }

  Qasm2Words& words_;
  const Qasm2Formals& formals_;
  Qasm2Expression& out_;
  std::uint32_t nesting_ = 0;
};

}  // namespace

double Qasm2Expression::value(std::span<const double> values, std::vector<double>& stack) const {
  stack.clear();
  for (const Step& step : steps) {
    if (step.op == Op::kNumber) {
      stack.push_back(step.number);
    } else if (step.op == Op::kName) {
      stack.push_back(values[step.index]);
    } else if (step.op >= Op::kAdd && step.op <= Op::kPower) {
      const double b = stack.back();
      stack.pop_back();
      stack.back() = of_two(step.op, stack.back(), b);
    } else {
      stack.back() = of_one(step.op, stack.back());
    }
  }
  TANDEM_ASSERT(stack.size() == 1);
  return stack.back();
}

Result<void> read_qasm2_expression(Qasm2Words& words, const Qasm2Formals& formals, Qasm2Expression& out) {
  return ExpressionReader(words, formals, out).read(0);
}

}  // namespace tandem::format
