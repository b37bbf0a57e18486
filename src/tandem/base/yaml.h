// tandem/base/yaml.h - YAML at the edge: read into the same Json value, with the same strictness.
//
// Room: base. Aliases, tags other than the core schema's, duplicate keys and multiple documents are refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/base/json.h"

namespace tandem {

enum class Syntax : std::uint8_t { kJson, kYaml };

/// A document that still knows where each of its values stood.
///
/// Cost: place_of() reads `text` again. It is for the one error that is reported; keeping a place for each of millions of
///       values would cost more memory than the values.
struct LocatedJson {
  Json value;
  std::string text;
  std::string name;
  Syntax syntax = Syntax::kJson;
  /// "name:line:column" of the value at JSON pointer `pointer`, or of its nearest ancestor that is there.
  std::string place_of(std::string_view pointer) const;
  /// An error whose place is a pointer, for a person: the place becomes a line, and the message names the pointer.
  Error at_its_place(Error error) const;
};

/// Errors: those of parse_json, and 1014 yaml_syntax; 1015 yaml_unsupported (alias, tag, several documents).
Result<LocatedJson> parse_yaml(std::string_view text, std::string_view name, const JsonLimits& limits = {});
/// JSON when the first significant byte is '{' or '[', else YAML.
Result<LocatedJson> parse_json_or_yaml(std::string_view text, std::string_view name, const JsonLimits& limits = {});

}  // namespace tandem
