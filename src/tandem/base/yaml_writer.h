// tandem/base/yaml_writer.h - YAML for people to read and edit, which reads back to the same value.
//
// Room: base. Reading: base/yaml.h. Not yaml-cpp's emitter: it replaces characters that Unicode calls noncharacters.
#pragma once

#include <string>

#include "tandem/base/json.h"

namespace tandem {

/// Blocks of mappings and sequences; sequences of scalars stand on one line. parse_yaml() of the text is an equal value, every double
/// the same bits. Text that YAML 1.1 or 1.2 could read as something else is quoted. Numbers must be
/// finite; bytes that are not UTF-8 become U+FFFD.
///
/// Threads: a function of its argument. Depth: recursive, so a document as json.h limits it.
std::string write_yaml(const Json& value);

}  // namespace tandem
