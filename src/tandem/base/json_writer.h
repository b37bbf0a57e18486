// tandem/base/json_writer.h - JsonWriter: an object as JSON text, member by member, without building a Json first.
//
// Room: base. For rows that are written often. What has to be read, compared or patched is a Json.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/base/json.h"

namespace tandem {

/// Members stand in the order in which they are written; whoever writes one twice writes no JSON.
class JsonWriter {
 public:
  JsonWriter& member(std::string_view key, std::string_view text);
  JsonWriter& member(std::string_view key, const char* text) { return member(key, std::string_view(text)); }
  JsonWriter& member(std::string_view key, const std::string& text) { return member(key, std::string_view(text)); }
  JsonWriter& member(std::string_view key, std::same_as<bool> auto value) { return raw(key, value ? "true" : "false"); }
  JsonWriter& member(std::string_view key, std::integral auto value)
    requires(!std::same_as<decltype(value), bool>)
  {
    return raw(key, std::to_string(value));
  }
  JsonWriter& member(std::string_view key, double value);  ///< finite
  /// `json` is JSON text already.
  JsonWriter& raw(std::string_view key, std::string_view json);
  /// The text of the object. Once.
  std::string finish();

 private:
  void begin(std::string_view key);
  std::string out_ = "{";
};

}  // namespace tandem
