#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tandem/base/json.h"
#include "tandem/base/text.h"

namespace tandem {
namespace {

constexpr double kExactIntegerMax =
    9007199254740992.0;  // 2^53: beyond it a double no longer says which integer was meant

/// What a person calls the value, for "expected X, found Y".
std::string describe(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return value.get<bool>() ? "true" : "false";
    case Json::value_t::string:
      return "the text " + quote(value.get_ref<const std::string&>());
    case Json::value_t::array:
      return fmt::format("an array of {}", value.size());
    case Json::value_t::object:
      return "an object";
    case Json::value_t::number_float:
      return "the number " + shortest(value.get<double>());
    default:
      return "the number " + value.dump();
  }
}

tl::unexpected<Error> wrong_type(std::string place, const Json& value, std::string_view expected) {
  return fail_at(std::move(place), errors::kWrongType, "expected {}, found {}", expected, describe(value));
}

/// Whether `number`, read from the integer `value`, is equal to it.
bool holds(double number, const Json& value) {
  constexpr double kTwo63 = 9223372036854775808.0;
  if (value.is_number_unsigned())
    return number < 2 * kTwo63 && static_cast<std::uint64_t>(number) == value.get<std::uint64_t>();
  return number < kTwo63 && static_cast<std::int64_t>(number) == value.get<std::int64_t>();
}

/// Whether canonical_json() writes `number` as the integer `value`: beyond 2^53 that has the digits that tell it from other doubles
/// and zeros, so that it need not be equal.
bool is_written_as(double number, const Json& value) { return canonical_json(Json(number)) == value.dump(); }

}  // namespace

Result<double> json_number(const Json& value, std::string place) {
  if (!value.is_number()) return wrong_type(std::move(place), value, "a number");
  const double number = value.get<double>();
  if (!std::isfinite(number))
    return fail_at(std::move(place), errors::kValueOutOfRange, "the number is not finite; use a finite one");
  if (value.is_number_integer() && !holds(number, value) && !is_written_as(number, value)) {
    return fail_at(
        std::move(place), errors::kValueOutOfRange,
        "the integer {} would be rounded to {:.0f}; integers are exact up to 2^53, so scale it down or write that",
        value.dump(), number);
  }
  return number;
}

Result<std::int64_t> json_integer(const Json& value, std::string place, std::int64_t min, std::int64_t max) {
  bool fits = true;
  std::int64_t number = 0;
  if (value.is_number_unsigned()) {
    const auto wide = value.get<std::uint64_t>();
    fits = wide <= static_cast<std::uint64_t>(INT64_MAX);
    number = static_cast<std::int64_t>(wide);
  } else if (value.is_number_integer()) {
    number = value.get<std::int64_t>();
  } else if (value.is_number_float()) {
    // 1.0 and 1e3 are integers to JSON; other programs write them so.
    const double real = value.get<double>();
    if (!(std::trunc(real) == real)) return wrong_type(std::move(place), value, "an integer");
    fits = std::abs(real) <= kExactIntegerMax;
    number = fits ? static_cast<std::int64_t>(real) : 0;
  } else {
    return wrong_type(std::move(place), value, "an integer");
  }
  if (!fits || number < min || number > max) {
    return fail_at(std::move(place), errors::kValueOutOfRange, "{} is outside the limits; use an integer from {} to {}",
                   describe(value), min, max);
  }
  return number;
}

Result<ObjectReader> ObjectReader::create(const Json& value, std::string pointer) {
  if (!value.is_object()) return wrong_type(std::move(pointer), value, "an object");
  return ObjectReader(value, std::move(pointer));
}

Result<void> ObjectReader::allow_only(std::initializer_list<std::string_view> known) const {
  for (const auto& [key, member] : value_->items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::span<const std::string_view> names(known.begin(), known.size());
    std::string hint = did_you_mean(key, names);
    if (hint.empty()) hint = fmt::format("; known are: {}", fmt::join(known, ", "));
    return fail_at(at(key), errors::kUnknownKey, "unknown key {}{}", quote(key), hint);
  }
  return {};
}

bool ObjectReader::has(std::string_view key) const { return find(key) != nullptr; }

const Json* ObjectReader::find(std::string_view key) const {
  const auto member = value_->find(key);
  return member == value_->end() || member->is_null() ? nullptr : &*member;
}

std::string ObjectReader::at(std::string_view key) const {
  std::string pointer = pointer_ + "/";
  for (const char c : key) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
  return pointer;
}

Result<const Json*> ObjectReader::required(std::string_view key) const {
  const Json* const member = find(key);
  if (member == nullptr) return fail_at(pointer_, errors::kMissingKey, "the key '{}' is missing; add it", key);
  return member;
}

Result<std::string> ObjectReader::string(std::string_view key) const {
  TANDEM_TRY_ASSIGN(const Json* const member, required(key));
  if (!member->is_string()) return wrong_type(at(key), *member, "text");
  return member->get<std::string>();
}

Result<std::string> ObjectReader::string_or(std::string_view key, std::string_view fallback) const {
  return has(key) ? string(key) : std::string(fallback);
}

Result<double> ObjectReader::number(std::string_view key) const {
  TANDEM_TRY_ASSIGN(const Json* const member, required(key));
  return json_number(*member, at(key));
}

Result<double> ObjectReader::number_or(std::string_view key, double fallback) const {
  return has(key) ? number(key) : fallback;
}

Result<std::int64_t> ObjectReader::integer(std::string_view key, std::int64_t min, std::int64_t max) const {
  TANDEM_TRY_ASSIGN(const Json* const member, required(key));
  return json_integer(*member, at(key), min, max);
}

Result<std::int64_t> ObjectReader::integer_or(std::string_view key, std::int64_t fallback, std::int64_t min,
                                              std::int64_t max) const {
  return has(key) ? integer(key, min, max) : fallback;
}

Result<bool> ObjectReader::boolean_or(std::string_view key, bool fallback) const {
  const Json* const member = find(key);
  if (member == nullptr) return fallback;
  if (!member->is_boolean()) return wrong_type(at(key), *member, "true or false");
  return member->get<bool>();
}

Result<const Json*> ObjectReader::array(std::string_view key) const {
  TANDEM_TRY_ASSIGN(const Json* const member, required(key));
  if (!member->is_array()) return wrong_type(at(key), *member, "an array");
  return member;
}

Result<ObjectReader> ObjectReader::object(std::string_view key) const {
  TANDEM_TRY_ASSIGN(const Json* const member, required(key));
  return create(*member, at(key));
}

Result<std::vector<double>> ObjectReader::numbers(std::string_view key) const {
  TANDEM_TRY_ASSIGN(const Json* const items, array(key));
  std::vector<double> values;
  values.reserve(items->size());
  for (const Json& item : *items) {
    // The place is text; it is made only for the item that is wrong.
    auto value = json_number(item, {});
    if (!value) {
      value.error().place = fmt::format("{}/{}", at(key), values.size());
      return tl::unexpected<Error>(std::move(value).error());
    }
    values.push_back(*value);
  }
  return values;
}

Result<std::vector<std::string>> ObjectReader::strings_or_empty(std::string_view key) const {
  std::vector<std::string> values;
  if (!has(key)) return values;
  TANDEM_TRY_ASSIGN(const Json* const items, array(key));
  for (const Json& item : *items) {
    if (!item.is_string()) return wrong_type(fmt::format("{}/{}", at(key), values.size()), item, "text");
    values.push_back(item.get<std::string>());
  }
  return values;
}

}  // namespace tandem
