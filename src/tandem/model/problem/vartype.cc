#include "tandem/model/problem/vartype.h"

#include "tandem/base/text.h"

namespace tandem::problem {

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
  for (std::int8_t& value : out) {
    value = static_cast<std::int8_t>(to == Vartype::kSpin ? 2 * value - 1 : (value + 1) / 2);
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
  const auto wrong = [low](std::int8_t value) { return value != low && value != 1; };
  if (std::ranges::count_if(values, wrong) == 0) return {};  // without a branch a value: there may be millions
  const auto first = std::ranges::find_if(values, wrong);
  return fail(errors::kBadVartype, "value {} of variable {} is not {}; use {} or 1", *first, first - values.begin(),
              to_string(vartype), low);
}

}  // namespace tandem::problem
