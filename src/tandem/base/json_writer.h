// tandem/base/json_writer.h - JsonWriter: an object as JSON text, member by member, without building a Json first.
//
// Room: base. For what is written often. What has to be read, compared or patched is a Json.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/json.h"

namespace tandem {

/// Keys are names, with nothing to escape. Members stand in the order in which they are written, and whoever writes one twice writes no JSON. Whoever writes them sorted,
/// here and in the objects within, gets the canonical form (canonical_json).
class JsonWriter {
 public:
  JsonWriter() {
    out_.reserve(kUsualBytes);
    out_ += '{';
  }
  JsonWriter& member(std::string_view key, std::string_view text);
  JsonWriter& member(std::string_view key, const char* text) { return member(key, std::string_view(text)); }
  JsonWriter& member(std::string_view key, const std::string& text) { return member(key, std::string_view(text)); }
  JsonWriter& member(std::string_view key, std::same_as<bool> auto value) { return raw(key, value ? "true" : "false"); }
  JsonWriter& member(std::string_view key, std::signed_integral auto value) {
    return integer(key, std::int64_t{value});
  }
  JsonWriter& member(std::string_view key, std::unsigned_integral auto value)
    requires(!std::same_as<decltype(value), bool>)
  {
    return count(key, std::uint64_t{value});
  }
  JsonWriter& member(std::string_view key, double value);  ///< finite
  JsonWriter& member(std::string_view key, const std::vector<std::string>& texts);
  JsonWriter& member(std::string_view key, const JsonText& value) { return raw(key, value.text()); }
  JsonWriter& member(std::string_view key, const std::same_as<Json> auto& value) { return json(key, value); }
  /// null where it is empty.
  template <typename T>
  JsonWriter& member(std::string_view key, const std::optional<T>& value) {
    return value ? member(key, *value) : raw(key, "null");
  }
  /// No member where it is empty.
  template <typename T>
  JsonWriter& member_if(std::string_view key, const std::optional<T>& value) {
    return value ? member(key, *value) : *this;
  }
  /// An object whose members `write(*this)` writes.
  template <std::invocable<JsonWriter&> Write>
  JsonWriter& object(std::string_view key, Write&& write) {
    begin(key);
    out_ += '{';
    write(*this);
    out_ += '}';
    return *this;
  }
  /// A list of objects: `write(*this, item)` writes the members of one.
  template <typename Items, typename Write>
  JsonWriter& objects(std::string_view key, const Items& items, Write&& write) {
    begin(key);
    out_ += '[';
    for (const auto& item : items) {
      if (out_.back() != '[') out_ += ',';
      out_ += '{';
      write(*this, item);
      out_ += '}';
    }
    out_ += ']';
    return *this;
  }
  /// `json` is JSON text already.
  JsonWriter& raw(std::string_view key, std::string_view json);
  /// The text of the object. Once.
  std::string finish();

 private:
  JsonWriter& integer(std::string_view key, std::int64_t value);
  JsonWriter& count(std::string_view key, std::uint64_t value);
  JsonWriter& json(std::string_view key, const Json& value);
  /// Of a row. Allocators are slower from a kibibyte on, and this block is free again, in this thread's reach, when the text is finished.
  static constexpr std::size_t kUsualBytes = 1000;
  void begin(std::string_view key);
  std::string out_;
};

}  // namespace tandem
