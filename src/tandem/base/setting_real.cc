#include <unistd.h>

#include <cstdlib>

#include "tandem/base/setting.h"

namespace tandem {

std::map<std::string, std::string> SystemEnvironment::with_prefix(std::string_view prefix) const {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (text.starts_with(prefix) && equals != std::string_view::npos)
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

std::string SystemEnvironment::get(std::string_view name) const {
  const char* const value = std::getenv(std::string(name).c_str());
  return value == nullptr ? "" : value;
}

}  // namespace tandem
