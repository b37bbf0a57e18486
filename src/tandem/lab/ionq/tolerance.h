// tandem/lab/ionq/tolerance.h - where the emulator takes what the vendor's OpenAPI text does not allow, and for whom.
//
// Room: lab. Everything that real clients send beside the text stands in this table and in docs/guide/ionq.md, and nowhere else:
// for all others the text is kept to the letter.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tandem::lab {

enum class Tolerance : std::uint8_t {
  kLang,
  kShotsAsText,
  kAnyQpu,
  kBodyOfList,
  kNoNextOnLastPage,
  kSeedNull,
  kSessionOfEstimate
};

struct ToleranceRecord {
  Tolerance tolerance;
  std::string_view client;  ///< how its User-Agent begins
  std::string_view what;  ///< for people
};

std::span<const ToleranceRecord> tolerance_table();
/// Whether the client with that User-Agent may.
bool tolerates(std::string_view user_agent, Tolerance tolerance);

}  // namespace tandem::lab
