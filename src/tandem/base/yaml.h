// tandem/base/yaml.h - YAML at the edge: read into the same Json value, with the same strictness.
//
// Room: base. Aliases, tags other than the core schema's, duplicate keys and multiple documents are refused.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "tandem/base/json.h"

namespace tandem {

/// A document and where each of its values stood: JSON pointer -> "name:line:column".
struct LocatedJson {
  Json value;
  std::map<std::string, std::string, std::less<>> places;
  /// The place of `pointer` or of its nearest ancestor; the pointer itself when nothing is known.
  std::string place_of(std::string_view pointer) const;
};

/// Errors: those of parse_json, and 1014 yaml_syntax; 1015 yaml_unsupported (alias, tag, several documents).
Result<LocatedJson> parse_yaml(std::string_view text, std::string_view name, const JsonLimits& limits = {});
/// JSON when the first significant byte is '{' or '[', else YAML.
Result<LocatedJson> parse_json_or_yaml(std::string_view text, std::string_view name, const JsonLimits& limits = {});

}  // namespace tandem
