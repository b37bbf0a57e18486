// tandem/base/testing/map_environment.h - an Environment made of a map.
//
// Room: base, tests only.
#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/base/setting.h"

namespace tandem {

/// Threads: `variables` must not change while others read.
class MapEnvironment final : public Environment {
 public:
  MapEnvironment() = default;
  explicit MapEnvironment(std::map<std::string, std::string> initial) : variables(std::move(initial)) {}
  MapEnvironment(std::initializer_list<std::pair<const std::string, std::string>> initial) : variables(initial) {}

  std::map<std::string, std::string> with_prefix(std::string_view prefix) const override {
    std::map<std::string, std::string> found;
    for (const auto& [name, value] : variables) {
      if (name.starts_with(prefix)) found.emplace(name, value);
    }
    return found;
  }
  std::string get(std::string_view name) const override {
    const auto found = variables.find(std::string(name));
    return found == variables.end() ? std::string() : found->second;
  }

  std::map<std::string, std::string> variables;
};

}  // namespace tandem
