#include "tandem/base/text.h"

#include <gmock/gmock.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "tandem/base/rng.h"
#include "tandem/base/testing/matchers.h"

namespace tandem {
namespace {

using std::chrono::nanoseconds;
using testing::ElementsAre;

constexpr std::array<std::string_view, 6> kKeys = {"time", "seed", "problem", "cost_max_usd_micros", "limits", "id"};

TEST(Nearest, finds_the_key_that_was_meant) {
  // One swap, one missing, one extra, one wrong letter, and the edge of a third of the length.
  const std::vector<std::pair<const char*, const char*>> cases = {{"tmie", "time"},
                                                                  {"sed", "seed"},
                                                                  {"limitss", "limits"},
                                                                  {"problam", "problem"},
                                                                  {"cost_usd_micros", "cost_max_usd_micros"},
                                                                  {"time", "time"}};
  for (const auto& [word, meant] : cases) EXPECT_EQ(nearest(word, kKeys), meant) << word;
}

TEST(Nearest, is_silent_when_nothing_is_near) {
  for (const char* word : {"", "x", "ie", "backend", "teim"}) EXPECT_EQ(nearest(word, kKeys), "") << word;
  EXPECT_EQ(nearest(std::string(1'000'000, 't'), kKeys), "");
  EXPECT_EQ(nearest("time", {}), "");
}

TEST(Nearest, becomes_a_question) {
  EXPECT_EQ(did_you_mean("tmie", kKeys), ", did you mean 'time'?");
  EXPECT_EQ(did_you_mean("backend", kKeys), "");
}

TEST(ParseInt64, reads_all_of_the_range_and_nothing_else) {
  EXPECT_EQ(*parse_int64("0"), 0);
  EXPECT_EQ(*parse_int64("-0"), 0);
  EXPECT_EQ(*parse_int64("+7"), 7);
  EXPECT_EQ(*parse_int64("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(*parse_int64("-9223372036854775808"), INT64_MIN);
  for (const char* text : {"9223372036854775808", "-9223372036854775809", "99999999999999999999999"}) {
    EXPECT_THAT(parse_int64(text), FailsWith(errors::kNumberOutOfRange)) << text;
  }
  for (const char* text :
       {"", "-", "+", "+-1", "--1", " 1", "1 ", "1.0", "0x10", "1e3", "one", "9223372036854775808x"}) {
    EXPECT_THAT(parse_int64(text), FailsWith(errors::kBadNumber)) << text;
  }
}

TEST(ParseDouble, reads_finite_decimals_and_nothing_else) {
  const std::vector<std::pair<const char*, double>> cases = {
      {"0", 0},           {"-1.5", -1.5},
      {"+2", 2},          {".5", 0.5},
      {"5.", 5},          {"1e3", 1000},
      {"1E-3", 0.001},    {"1e-400", 0},
      {"5e-324", 5e-324}, {"1.7976931348623157e308", 1.7976931348623157e308}};
  for (const auto& [text, value] : cases) EXPECT_EQ(*parse_double(text), value) << text;
  for (const char* text : {"1e400", "-1e309"})
    EXPECT_THAT(parse_double(text), FailsWith(errors::kNumberOutOfRange)) << text;
  for (const char* text : {"", "-", "+", ".", "inf", "-inf", "+inf", "nan", "infinity", "1e", "1e+", " 1", "1 ", "1,5",
                           "0x1p3", "+-1", "1e400x", "--1"}) {
    EXPECT_THAT(parse_double(text), FailsWith(errors::kBadNumber)) << text;
  }
}

TEST(Shortest, reads_back_to_the_same_bits) {
  Xoshiro256 generator(1);
  for (int i = 0; i < 100'000; ++i) {
    const double value = std::bit_cast<double>(generator());
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(std::bit_cast<std::uint64_t>(*parse_double(shortest(value))), std::bit_cast<std::uint64_t>(value));
  }
  EXPECT_EQ(shortest(0.1), "0.1");
  EXPECT_EQ(shortest(1e23), "1e+23");
  EXPECT_EQ(shortest(-2.0), "-2");
}

TEST(Duration, is_a_number_with_a_unit) {
  const std::vector<std::pair<const char*, std::int64_t>> cases = {{"5s", 5'000'000'000},   {"250ms", 250'000'000},
                                                                   {"2m", 120'000'000'000}, {"1h", 3'600'000'000'000},
                                                                   {"1.5s", 1'500'000'000}, {"0s", 0},
                                                                   {"20us", 20'000},        {"0.0000001ms", 0}};
  for (const auto& [text, nanos] : cases) EXPECT_EQ(parse_duration(text)->count(), nanos) << text;
  for (const char* text : {"", "5", "s", "5 s", "-5s", "+5s", "5S", "5sec", ".5s", "5.s", "1.5.5s", "1e3s", "infs",
                           "5s ", "9999999999h"}) {
    EXPECT_THAT(parse_duration(text), FailsWith(errors::kBadDuration)) << text;
  }
}

TEST(Duration, is_written_for_people) {
  const std::vector<std::pair<std::int64_t, const char*>> cases = {{0, "0 us"},
                                                                   {1'500, "1.5 us"},
                                                                   {340'000'000, "340 ms"},
                                                                   {1'250'000'000, "1.25 s"},
                                                                   {999'600'000, "1 s"},
                                                                   {59'940'000'000, "59.9 s"},
                                                                   {59'960'000'000, "1 min 00 s"},
                                                                   {90'000'000'000, "1 min 30 s"},
                                                                   {3'661'000'000'000, "1 h 01 min"},
                                                                   {-340'000'000, "-340 ms"}};
  for (const auto& [nanos, text] : cases) EXPECT_EQ(format_duration(nanoseconds(nanos)), text) << nanos;
}

TEST(Usd, is_read_and_written_exactly) {
  const std::vector<std::tuple<const char*, std::int64_t, const char*>> cases = {
      {"0.000001", 1, "$0.000001"},
      {"1.25", 1'250'000, "$1.25"},
      {"$12", 12'000'000, "$12.00"},
      {"0", 0, "$0.00"},
      {"0.1", 100'000, "$0.10"},
      {"3.141590", 3'141'590, "$3.14159"},
      {"9223372036854.775807", INT64_MAX, "$9223372036854.775807"}};
  for (const auto& [text, micros, written] : cases) {
    EXPECT_EQ(*parse_usd(text), micros) << text;
    EXPECT_EQ(format_usd(micros), written) << text;
  }
  EXPECT_EQ(format_usd(-1'500'000), "-$1.50");
  EXPECT_EQ(format_usd(INT64_MIN), "-$9223372036854.775808");
  for (const char* text :
       {"", "$", "-1", "+1", "1.", ".5", "1.0000001", "1e3", "1,5", "ten", " 1", "9223372036854.775808", "1.2.3"}) {
    EXPECT_THAT(parse_usd(text), FailsWith(errors::kBadMoney)) << text;
  }
}

TEST(Quote, makes_text_from_outside_fit_for_a_message) {
  EXPECT_EQ(quote("tmie"), "'tmie'");
  EXPECT_EQ(quote("Zürich €"), "'Zürich €'");
  EXPECT_EQ(quote(std::string_view("a\0\n\x1b\xff", 5)), "'a\\x00\\x0a\\x1b\\xff'");
  const std::string cut = quote(std::string(1'000'000, 'x'));
  EXPECT_LT(cut.size(), 100u);
  EXPECT_TRUE(cut.ends_with("x...'"));
  std::string euros;
  for (int i = 0; i < 100; ++i) euros += "€";
  EXPECT_EQ(invalid_utf8_at(quote(euros)), std::string_view::npos);  // never cut within a character
}

TEST(Printable, is_cut_with_a_mark_and_only_where_it_is_too_long) {
  EXPECT_EQ(printable("why", 3), "why");
  EXPECT_EQ(printable("why not", 3), "why...");
  EXPECT_EQ(printable("a€b", 3), "a...");
  EXPECT_EQ(printable("two\nlines", 20), "two\\x0alines");
}

TEST(Utf8, is_valid_exactly_where_rfc_3629_says) {
  constexpr auto kValid = std::string_view::npos;
  // Every code point in its shortest form.
  for (std::uint32_t point = 0; point <= 0x10ffff; ++point) {
    std::string text;
    if (point < 0x80) {
      text = {static_cast<char>(point)};
    } else if (point < 0x800) {
      text = {static_cast<char>(0xc0 | point >> 6), static_cast<char>(0x80 | (point & 0x3f))};
    } else if (point < 0x10000) {
      text = {static_cast<char>(0xe0 | point >> 12), static_cast<char>(0x80 | (point >> 6 & 0x3f)),
              static_cast<char>(0x80 | (point & 0x3f))};
    } else {
      text = {static_cast<char>(0xf0 | point >> 18), static_cast<char>(0x80 | (point >> 12 & 0x3f)),
              static_cast<char>(0x80 | (point >> 6 & 0x3f)), static_cast<char>(0x80 | (point & 0x3f))};
    }
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    ASSERT_EQ(invalid_utf8_at(text), surrogate ? 0 : kValid) << point;
    ASSERT_NE(invalid_utf8_at(text.substr(0, text.size() - 1)) == kValid, text.size() > 1) << point;
  }
  // Overlong forms, beyond U+10FFFF, stray and missing tails.
  for (const char* text : {"\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                           "\xf5\x80\x80\x80", "\x80", "\xff", "\xc3(", "\xe2\x82(", "\xf0\x9f\x98("}) {
    EXPECT_EQ(invalid_utf8_at(text), 0u);
  }
  EXPECT_EQ(invalid_utf8_at("ok €\xff"), 6u);
}

TEST(Trim, removes_blanks_at_both_ends) {
  EXPECT_EQ(trim(" \t\r\n a b \f\v"), "a b");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim(" \n"), "");
}

TEST(Split, keeps_empty_parts) {
  EXPECT_THAT(split("a,b,,c", ','), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(split("", ','), ElementsAre(""));
  EXPECT_THAT(split(",", ','), ElementsAre("", ""));
}

TEST(ToLower, changes_ascii_letters_only) { EXPECT_EQ(to_lower("Content-TYPE Ä[Z]"), "content-type Ä[z]"); }

}  // namespace
}  // namespace tandem
