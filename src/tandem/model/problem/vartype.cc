#include "tandem/model/problem/vartype.h"

#include <algorithm>

#include "tandem/base/text.h"

namespace tandem::problem {

namespace {
// A loop of a fixed length becomes lanes: there may be millions of values, of many assignments.
constexpr std::size_t kBlock = 64;
}  // namespace

std::string_view to_string(Vartype vartype) { return vartype == Vartype::kBinary ? "binary" : "spin"; }
std::string_view to_string(Sense sense) { return sense == Sense::kMin ? "min" : "max"; }

Result<Vartype> parse_vartype(std::string_view text) {
  for (const Vartype vartype : {Vartype::kBinary, Vartype::kSpin}) {
    if (text == to_string(vartype)) return vartype;
  }
  return fail(errors::kValueOutOfRange, "{} is not a vartype; use 'binary' or 'spin'", quote(text));
}

Result<Sense> parse_sense(std::string_view text) {
  for (const Sense sense : {Sense::kMin, Sense::kMax}) {
    if (text == to_string(sense)) return sense;
  }
  return fail(errors::kValueOutOfRange, "{} is not a sense; use 'min' or 'max'", quote(text));
}

Assignment convert(AssignmentView values, Vartype from, Vartype to) {
  Assignment out(values.begin(), values.end());
  if (from == to) return out;
  const auto change = [&](const auto& changed) {
    std::size_t i = 0;
    for (; i + kBlock <= out.size(); i += kBlock)
      for (std::size_t k = i; k < i + kBlock; ++k) out[k] = changed(out[k]);
    for (; i < out.size(); ++i) out[i] = changed(out[i]);
  };
  if (to == Vartype::kSpin) {
    change([](std::int8_t bit) { return static_cast<std::int8_t>(2 * bit - 1); });
  } else {
    change([](std::int8_t spin) { return static_cast<std::int8_t>(spin > 0); });
  }
  return out;
}

Result<void> check_assignment(AssignmentView values, std::size_t num_variables, Vartype vartype) {
  if (values.size() != num_variables) {
    return fail(errors::kSizeMismatch,
                "the assignment has {} values, the model {} variables; give one value a variable", values.size(),
                num_variables);
  }
  const std::int8_t low = vartype == Vartype::kBinary ? 0 : -1;
  std::size_t right = 0;
  for (bool all = true; all && right + kBlock <= values.size(); right += all ? kBlock : 0) {
    std::int8_t wrong = 0;
    for (std::size_t i = right; i < right + kBlock; ++i)
      wrong = static_cast<std::int8_t>(wrong | ((values[i] != low) & (values[i] != 1)));
    all = wrong == 0;
  }
  const auto first = std::find_if(values.begin() + static_cast<std::ptrdiff_t>(right), values.end(),
                                  [low](std::int8_t value) { return value != low && value != 1; });
  if (first == values.end()) return {};
  return fail(errors::kBadVartype, "value {} of variable {} is not {}; use {} or 1", *first, first - values.begin(),
              to_string(vartype), low);
}

}  // namespace tandem::problem
