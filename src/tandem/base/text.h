// tandem/base/text.h - small text work: numbers, durations, sizes, nearest names.
//
// Room: base.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/result.h"

namespace tandem {

/// The candidate nearest to `word` within an edit distance of a third of its length; empty when none is near.
std::string nearest(std::string_view word, std::span<const std::string_view> candidates);
/// ", did you mean 'x'?" or "".
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

/// Whole-string conversions; overflow, NaN, infinity and trailing text are errors (1013 number_out_of_range, 1016 bad_number).
Result<std::int64_t> parse_int64(std::string_view text);
Result<double> parse_double(std::string_view text);
/// "5s", "250ms", "2m", "1h", "1.5s"; a bare number is refused (1017 bad_duration).
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);
std::string format_duration(std::chrono::nanoseconds duration);  ///< "1.25 s", "340 ms"
/// "0.000001" -> 1: decimal USD to micro-USD (1018 bad_money).
Result<std::int64_t> parse_usd(std::string_view text);
std::string format_usd(std::int64_t micros);  ///< "$1.250000" shortened to at least two decimals

/// `text` from the outside, fit for a message: printable UTF-8, cut with "..." after `bytes_max`.
std::string printable(std::string_view text, std::size_t bytes_max);
/// The same in single quotes, cut after 80 bytes.
std::string quote(std::string_view text);
/// Where the first byte that is not UTF-8 (RFC 3629) stands; npos when all is well.
std::size_t invalid_utf8_at(std::string_view text);
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }  ///< ASCII, whatever the locale
std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
std::string to_lower(std::string_view text);
/// The shortest decimal that reads back to the same double.
std::string shortest(double value);

}  // namespace tandem
