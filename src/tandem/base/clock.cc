#include "tandem/base/clock.h"

#include <fmt/format.h>

#include <algorithm>

#include "tandem/base/text.h"

namespace tandem {
namespace {

using std::chrono::microseconds;

constexpr std::string_view kShape = "0000-00-00T00:00:00";
constexpr std::size_t kFractionDigitsMax = 9;  // peers write nanoseconds; digits beyond microseconds are dropped

bool has_shape(std::string_view text) {
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    if (kShape[i] == '0' ? !is_digit(text[i]) : text[i] != kShape[i]) return false;
  }
  return true;
}

unsigned digits(std::string_view text, std::size_t begin, std::size_t count) {
  unsigned value = 0;
  for (const char c : text.substr(begin, count)) value = value * 10 + static_cast<unsigned>(c - '0');
  return value;
}

tl::unexpected<Error> bad_timestamp(std::string_view text) {
  return fail(errors::kBadTimestamp, "{} is not a time in UTC; write it as 2026-01-31T12:00:00Z", quote(text));
}

}  // namespace

std::chrono::nanoseconds Deadline::left(const Clock& clock) const {
  return std::max(std::chrono::nanoseconds(0), at_ - clock.monotonic());
}

std::string format_rfc3339(Timestamp time) {
  const std::chrono::sys_time<microseconds> point{microseconds(time.micros)};
  const auto second = std::chrono::floor<std::chrono::seconds>(point);
  // Who writes one time writes many within the same second.
  struct Written {
    std::chrono::sys_seconds second{};
    std::string text = "1970-01-01T00:00:00.";
  };
  thread_local Written last;
  if (second != last.second) {
    const auto day = std::chrono::floor<std::chrono::days>(second);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss<std::chrono::seconds> clock(second - day);
    last = {second, fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.", static_cast<int>(date.year()),
                                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                clock.hours().count(), clock.minutes().count(), clock.seconds().count())};
  }
  std::string out;
  out.reserve(last.text.size() + 7);
  out += last.text;
  auto rest = static_cast<unsigned>((point - second).count());
  for (unsigned unit = 100'000; unit != 0; unit /= 10) {
    out += static_cast<char>('0' + rest / unit);
    rest %= unit;
  }
  out += 'Z';
  return out;
}

Result<Timestamp> parse_rfc3339(std::string_view text) {
  if (text.size() <= kShape.size() || text.back() != 'Z' || !has_shape(text)) return bad_timestamp(text);
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(digits(text, 0, 4))),
                                         std::chrono::month(digits(text, 5, 2)), std::chrono::day(digits(text, 8, 2)));
  const unsigned hour = digits(text, 11, 2);
  const unsigned minute = digits(text, 14, 2);
  const unsigned second = digits(text, 17, 2);
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return bad_timestamp(text);
  std::string_view fraction = text.substr(kShape.size(), text.size() - kShape.size() - 1);
  if (!fraction.empty()) {
    if (fraction.front() != '.') return bad_timestamp(text);
    fraction.remove_prefix(1);
    if (fraction.empty() || fraction.size() > kFractionDigitsMax ||
        !std::all_of(fraction.begin(), fraction.end(), is_digit)) {
      return bad_timestamp(text);
    }
  }
  std::string micros(fraction.substr(0, 6));
  micros.resize(6, '0');
  const std::chrono::sys_time<microseconds> point = std::chrono::sys_days(date) + std::chrono::hours(hour) +
                                                    std::chrono::minutes(minute) + std::chrono::seconds(second) +
                                                    microseconds(digits(micros, 0, 6));
  return Timestamp{point.time_since_epoch().count()};
}

}  // namespace tandem
