// tandem/base/json.h - JSON at the edge: strict reading with limits, canonical writing.
//
// Room: base. Inside, values are nlohmann::json; this header is the only way bytes become one.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/result.h"

namespace tandem {

using Json = nlohmann::json;

/// Limits of a document; each is named in the error that reports it.
struct JsonLimits {
  std::uint64_t bytes_max = 64ull << 20;
  std::uint32_t depth_max = 64;
  std::uint64_t values_max = 20'000'000;
};

/// Reads one document. Duplicate keys, NaN and numbers that overflow a double, trailing text, invalid UTF-8 and anything
/// beyond `limits` are errors with place "<name>:line:column".
///
/// Errors: 1003 input_too_large; 1010 json_syntax; 1011 json_duplicate_key; 1012 json_too_deep; 1013 number_out_of_range.
Result<Json> parse_json(std::string_view text, std::string_view name, const JsonLimits& limits = {});

/// RFC 8785 canonical form for hashing: keys sorted by UTF-16 code units, no blanks, numbers as ECMAScript writes them.
/// Beyond RFC 8785, integers above 2^53 keep all their digits, so that two seeds never share a hash. Numbers must be finite.
std::string canonical_json(const Json& value);

/// A value as its canonical text: for documents that are carried and stored often and looked into rarely.
class JsonText {
 public:
  JsonText() = default;
  explicit JsonText(const Json& value) : text_(canonical_json(value)) {}
  /// `canonical` is what canonical_json() would write.
  static JsonText of(std::string canonical) { return JsonText(std::move(canonical)); }
  const std::string& text() const { return text_; }
  Json value() const;
  friend bool operator==(const JsonText&, const JsonText&) = default;

 private:
  explicit JsonText(std::string canonical) : text_(std::move(canonical)) {}
  std::string text_ = "null";
};

/// Typed reading of one value that is no member of an object, such as an element of an array.
/// Errors: 1021 wrong_type; 1023 value_out_of_range. `place` is text: for long arrays pass {} and set the error's place.
Result<double> json_number(const Json& value,
                           std::string place);  ///< finite; an integer equal to it or its canonical text
Result<std::int64_t> json_integer(const Json& value, std::string place, std::int64_t min, std::int64_t max);

/// Typed reading of objects with good errors: unknown keys are named with the nearest known one.
/// `pointer` is the JSON pointer of the object and becomes the place of every error.
///
/// Errors of all readers: 1020 missing_key; 1021 wrong_type; 1022 unknown_key; 1023 value_out_of_range.
class ObjectReader {
 public:
  /// Fails with 1021 unless `value` is an object.
  static Result<ObjectReader> create(const Json& value, std::string pointer);

  /// Fails with 1022 when the object has a key outside `known`.
  Result<void> allow_only(std::initializer_list<std::string_view> known) const;

  bool has(std::string_view key) const;  ///< present and not null
  const Json* find(std::string_view key) const;  ///< nullptr when absent or null
  std::string at(std::string_view key) const;  ///< JSON pointer of a member

  Result<std::string> string(std::string_view key) const;
  Result<std::string> string_or(std::string_view key, std::string_view fallback) const;
  Result<double> number(std::string_view key) const;  ///< finite
  Result<double> number_or(std::string_view key, double fallback) const;
  Result<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max) const;
  Result<std::int64_t> integer_or(std::string_view key, std::int64_t fallback, std::int64_t min,
                                  std::int64_t max) const;
  Result<bool> boolean_or(std::string_view key, bool fallback) const;
  Result<const Json*> array(std::string_view key) const;
  Result<ObjectReader> object(std::string_view key) const;
  Result<std::vector<double>> numbers(std::string_view key) const;
  Result<std::vector<std::string>> strings_or_empty(std::string_view key) const;

 private:
  Result<const Json*> required(std::string_view key) const;
  ObjectReader(const Json& value, std::string pointer) : value_(&value), pointer_(std::move(pointer)) {}
  const Json* value_;
  std::string pointer_;
};

}  // namespace tandem
