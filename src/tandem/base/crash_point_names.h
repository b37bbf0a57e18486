// tandem/base/crash_point_names.h - lists of the names of crash points (base/crash_point.h), checked when they are compiled.
//
// Room: base. Each part that has crash points keeps one constexpr array of their names and takes every name that it reaches
// from it, so that a sweep over the lists misses none.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace tandem {

/// `name`, which is one of `names`; another one does not compile.
template <std::size_t kSize>
consteval std::string_view one_of(const std::array<std::string_view, kSize>& names, std::string_view name) {
  for (const std::string_view known : names)
    if (known == name) return name;
  throw "no crash point of this list has that name";
}

}  // namespace tandem
