// tandem/model/problem/vartype.h - vartype, sense and assignments: the words all models share.
//
// Room: model.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tandem/base/result.h"

namespace tandem::problem {

/// kBinary: values 0, 1. kSpin: values -1, +1. The map between them is s = 2x - 1.
enum class Vartype : std::uint8_t { kBinary, kSpin };
enum class Sense : std::uint8_t { kMin, kMax };

/// One value a variable, index = variable. Values are those of the model's vartype.
using Assignment = std::vector<std::int8_t>;
using AssignmentView = std::span<const std::int8_t>;

std::string_view to_string(Vartype vartype);  ///< "binary", "spin"
std::string_view to_string(Sense sense);      ///< "min", "max"
/// Errors: 1023 value_out_of_range.
Result<Vartype> parse_vartype(std::string_view text);
Result<Sense> parse_sense(std::string_view text);

/// x -> 2x-1 or s -> (s+1)/2, elementwise; the identity when `from` == `to`.
Assignment convert(AssignmentView values, Vartype from, Vartype to);
/// Errors: 1104 size_mismatch; 1105 bad_vartype (index and value named).
Result<void> check_assignment(AssignmentView values, std::size_t num_variables, Vartype vartype);

/// True when `a` is strictly better than `b`.
constexpr bool better(Sense sense, double a, double b) { return sense == Sense::kMin ? a < b : a > b; }

/// Relative to the larger of the two, and to 1: objectives are sums in double, below it two of them are the same number.
inline constexpr double kSameObjective = 1e-9;
constexpr bool same_objective(double a, double b) {
  const auto size = [](double value) { return value < 0 ? -value : value; };
  return size(a - b) <= kSameObjective * std::max({1.0, size(a), size(b)});
}

}  // namespace tandem::problem
