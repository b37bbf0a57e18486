#include "tandem/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "tandem/base/assert.h"

namespace tandem {
namespace {

constexpr std::size_t kSuggestionLengthMax = 64;  // longer words are not misspelt keys, and the distance is quadratic
constexpr std::size_t kQuotedBytesMax = 80;  // enough to find the place, short enough for one line

/// Edits (insert, delete, replace, swap of neighbours) between two short words: optimal string alignment.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::array<std::array<std::size_t, kSuggestionLengthMax + 1>, 3> rows{};
  for (std::size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    auto& row = rows[i % 3];
    const auto& above = rows[(i + 2) % 3];
    const auto& two_above = rows[(i + 1) % 3];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], two_above[j - 2] + 1);
    }
  }
  return rows[a.size() % 3][b.size()];
}

/// Length of the UTF-8 sequence that starts `text` (RFC 3629), 0 when it is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!tail(1) || !tail(2) || (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f)) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3) || (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f))
      return 0;
    return 4;
  }
  return 0;
}

struct Unit {
  std::string_view name;
  std::int64_t nanos;
};
constexpr std::array kUnits = {Unit{"h", 3'600'000'000'000}, Unit{"m", 60'000'000'000}, Unit{"s", 1'000'000'000},
                               Unit{"ms", 1'000'000}, Unit{"us", 1'000}};
constexpr double kDurationNanosMax = 9.0e18;  // about 285 years; below the limit of int64
constexpr std::size_t kUsdDecimals = 6;

/// True for digits with at most one point between or before them, and at least one digit.
bool is_plain_decimal(std::string_view text) {
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  const std::string_view fraction = point == std::string_view::npos ? std::string_view() : text.substr(point + 1);
  if (whole.empty() || (point != std::string_view::npos && fraction.empty())) return false;
  return std::all_of(whole.begin(), whole.end(), is_digit) && std::all_of(fraction.begin(), fraction.end(), is_digit);
}

}  // namespace

std::string nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::size_t best = word.size() / 3 + 1;
  std::string_view found;
  if (word.size() > kSuggestionLengthMax) return {};
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kSuggestionLengthMax) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return std::string(found);
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
  const std::string found = nearest(word, candidates);
  return found.empty() ? "" : fmt::format(", did you mean '{}'?", found);
}

Result<std::int64_t> parse_int64(std::string_view text) {
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (code == std::errc::result_out_of_range && end == digits.data() + digits.size()) {
    return fail(errors::kNumberOutOfRange, "{} does not fit into 64 bits; use an integer from {} to {}", quote(text),
                INT64_MIN, INT64_MAX);
  }
  if (code != std::errc{} || end != digits.data() + digits.size() ||
      (digits.size() < text.size() && !is_digit(digits.front()))) {
    return fail(errors::kBadNumber, "{} is not an integer; use digits with an optional sign", quote(text));
  }
  return value;
}

Result<double> parse_double(std::string_view text) {
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  const std::size_t first = digits.starts_with('-') && digits.size() == text.size() ? 1 : 0;
  // from_chars also reads "inf" and "nan"; a number here starts with a digit or a point.
  const bool plain = digits.size() > first && (is_digit(digits[first]) || digits[first] == '.');
  double value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = end == digits.data() + digits.size();
  if (!plain || !whole || code == std::errc::invalid_argument) {
    return fail(errors::kBadNumber, "{} is not a number; use a finite decimal such as -1.5e3", quote(text));
  }
  // from_chars does not say whether the value was too large or too small; too small is zero, as for every other reader.
  if (code == std::errc::result_out_of_range) value = std::strtod(std::string(digits).c_str(), nullptr);
  if (!std::isfinite(value)) {
    return fail(errors::kNumberOutOfRange, "{} is too large for a double; the largest is 1.7976931348623157e308",
                quote(text));
  }
  return value;
}

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const auto split_at = static_cast<std::size_t>(
      std::find_if(text.begin(), text.end(), [](char c) { return !is_digit(c) && c != '.'; }) - text.begin());
  const std::string_view number = text.substr(0, split_at);
  const std::string_view name = text.substr(split_at);
  const auto* const unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == name; });
  if (unit == kUnits.end() || !is_plain_decimal(number)) {
    return fail(errors::kBadDuration, "{} is not a duration; write a number with a unit: 250ms, 5s, 1.5s, 2m, 1h",
                quote(text));
  }
  TANDEM_TRY_ASSIGN(const double amount, parse_double(number));
  const double nanos = amount * static_cast<double>(unit->nanos);
  if (nanos > kDurationNanosMax) {
    return fail(errors::kBadDuration, "the duration {} is too long; the limit is {}h", quote(text),
                static_cast<std::int64_t>(kDurationNanosMax) / kUnits.front().nanos);
  }
  return std::chrono::nanoseconds(std::llround(nanos));
}

std::string format_duration(std::chrono::nanoseconds duration) {
  const auto nanos = static_cast<double>(duration.count());
  const double size = std::abs(nanos);
  // Three significant digits; the thresholds are where rounding would reach the next unit.
  if (size < 999.5e3) return fmt::format("{:.3g} us", nanos / 1e3);
  if (size < 999.5e6) return fmt::format("{:.3g} ms", nanos / 1e6);
  if (size < 59.95e9) return fmt::format("{:.3g} s", nanos / 1e9);
  const std::int64_t seconds = std::llround(size / 1e9);
  const std::string_view sign = nanos < 0 ? "-" : "";
  if (seconds < 3600) return fmt::format("{}{} min {:02} s", sign, seconds / 60, seconds % 60);
  return fmt::format("{}{} h {:02} min", sign, seconds / 3600, seconds % 3600 / 60);
}

Result<std::int64_t> parse_usd(std::string_view text) {
  const std::string_view amount = text.starts_with('$') ? text.substr(1) : text;
  const std::size_t point = std::min(amount.find('.'), amount.size());
  if (!is_plain_decimal(amount) || amount.size() - point > kUsdDecimals + 1) {
    return fail(errors::kBadMoney, "{} is not an amount; write decimal USD with at most six decimals, such as 12.50",
                quote(text));
  }
  std::string micros(amount.substr(0, point));
  std::string fraction(amount.substr(std::min(point + 1, amount.size())));
  fraction.resize(kUsdDecimals, '0');
  auto value = parse_int64(micros + fraction);
  if (!value) {
    return fail(errors::kBadMoney, "the amount {} is too large; the limit is {}", quote(text), format_usd(INT64_MAX));
  }
  return *value;
}

std::string format_usd(std::int64_t micros) {
  const std::uint64_t size = micros < 0 ? 0 - static_cast<std::uint64_t>(micros) : static_cast<std::uint64_t>(micros);
  std::string text = fmt::format("{}${}.{:06}", micros < 0 ? "-" : "", size / 1'000'000, size % 1'000'000);
  for (std::size_t decimals = kUsdDecimals; decimals > 2 && text.back() == '0'; --decimals) text.pop_back();
  return text;
}

std::string printable(std::string_view text, std::size_t bytes_max) {
  std::string out;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t length = utf8_length(rest);
    const auto byte = static_cast<unsigned char>(rest.front());
    if (out.size() + std::max<std::size_t>(length, 1) > bytes_max) return out + "...";
    if (length == 0 || byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += rest.substr(0, length);
    }
    rest.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string quote(std::string_view text) { return fmt::format("'{}'", printable(text, kQuotedBytesMax)); }

std::size_t invalid_utf8_at(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string shortest(double value) {
  std::array<char, 32> buffer{};  // the longest double in shortest form has 24 characters
  const auto [end, code] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  TANDEM_ASSERT(code == std::errc{});
  return {buffer.data(), end};
}

}  // namespace tandem
