// tandem/base/stopped.h - Stopped: breaks off a long computation of which a half is of no use.
//
// Room: base. Thrown only by what its comment says so of, and caught in the same room. Not here: work whose parts are answers, which
// looks at its token itself and returns what it has.
#pragma once

#include <algorithm>
#include <span>
#include <stop_token>

namespace tandem {

struct Stopped {};

/// Throws Stopped when `stop` is requested. Cost: a look is some nanoseconds; loops look every kLookEvery steps.
inline void throw_if(const std::stop_token& stop) {
  if (stop.stop_requested()) throw Stopped{};
}

inline constexpr std::size_t kLookEvery = std::size_t{1} << 16;  ///< elements: a fifth of a millisecond at 3 ns each

/// Calls `visit(begin, end)` for parts of 0 .. `count` in order, with a look before each: the loop inside stays plain. Throws Stopped.
template <class Visit>
void in_parts(std::size_t count, const std::stop_token& stop, const Visit& visit) {
  for (std::size_t begin = 0; begin < count; begin += kLookEvery) {
    throw_if(stop);
    visit(begin, std::min(count, begin + kLookEvery));
  }
}

/// Calls `visit` with each element of `all` in order. Throws Stopped.
template <class Element, class Visit>
void for_each(std::span<Element> all, const std::stop_token& stop, const Visit& visit) {
  in_parts(all.size(), stop, [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) visit(all[i]);
  });
}

}  // namespace tandem
