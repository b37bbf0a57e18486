#include "tandem/base/line_scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tandem {
namespace {

TEST(LineScanner, words_of_each_line_whatever_the_blanks_and_line_ends) {
  LineScanner scanner("a  b\r\n\n\tc \v\f d", "f");
  std::vector<std::vector<std::string>> lines;
  while (scanner.next_line()) {
    lines.emplace_back();
    while (scanner.has_token()) {
      const char first = scanner.peek();
      lines.back().emplace_back(scanner.token());
      EXPECT_EQ(lines.back().back()[0], first);
    }
    EXPECT_EQ(scanner.token(), "");
  }
  EXPECT_EQ(lines, (std::vector<std::vector<std::string>>{{"a", "b"}, {}, {"c", "d"}}));
}

TEST(LineScanner, next_line_leaves_the_rest_of_a_line_behind) {
  LineScanner scanner("a b c\nd", "f");
  ASSERT_TRUE(scanner.next_line());
  EXPECT_EQ(scanner.token(), "a");
  ASSERT_TRUE(scanner.next_line());
  EXPECT_EQ(scanner.token(), "d");
  EXPECT_FALSE(scanner.next_line());
  EXPECT_FALSE(scanner.next_line());
}

TEST(LineScanner, an_empty_text_has_no_line) {
  LineScanner scanner("", "f");
  EXPECT_FALSE(scanner.next_line());
  EXPECT_FALSE(scanner.has_token());
}

TEST(LineScanner, integers_of_all_64_bits) {
  LineScanner scanner("0 -7 +3 999999999999999 1234567890123456 -9223372036854775808 9223372036854775807", "f");
  ASSERT_TRUE(scanner.next_line());
  for (const std::int64_t expected :
       {std::int64_t{0}, std::int64_t{-7}, std::int64_t{3}, std::int64_t{999'999'999'999'999},
        std::int64_t{1'234'567'890'123'456}, std::int64_t{INT64_MIN}, std::int64_t{INT64_MAX}}) {
    std::int64_t value = 0;
    ASSERT_TRUE(scanner.read_integer(value)) << expected;
    EXPECT_EQ(value, expected);
  }
  EXPECT_FALSE(scanner.has_token());
}

TEST(LineScanner, numbers_as_the_compiler_reads_them) {
  LineScanner scanner("2 -0.125 1e3 .5 -1.7976931348623157e308 123456789012345680 0.1\n", "f");
  ASSERT_TRUE(scanner.next_line());
  for (const double expected : {2.0, -0.125, 1e3, .5, -1.7976931348623157e308, 123456789012345680.0, 0.1}) {
    double value = 0;
    ASSERT_TRUE(scanner.read_number(value)) << expected;
    EXPECT_EQ(value, expected);
  }
  double value = 0;
  EXPECT_FALSE(scanner.read_number(value));
}

TEST(LineScanner, what_is_no_number_stays_the_place_of_the_error) {
  for (const char* word : {"x", "-", "1x", "1.5.2", "nan", "inf", "1e999", "--1", "0x10", "1,5", "9007199254740993",
                           "-9007199254740993", "9223372036854775807"}) {
    const std::string text = "12 34\n 5\t" + std::string(word) + " 6\n";
    LineScanner scanner(text, "data.txt");
    ASSERT_TRUE(scanner.next_line());
    ASSERT_TRUE(scanner.next_line());
    double value = 0;
    ASSERT_TRUE(scanner.read_number(value));
    EXPECT_FALSE(scanner.read_number(value)) << word;
    EXPECT_EQ(scanner.place(), "data.txt:2:4");
    EXPECT_EQ(scanner.unexpected_token(errors::kFormatSyntax, "a weight", "write a number").message,
              "expected a weight, found '" + std::string(word) + "'; write a number");
  }
  LineScanner scanner("1.5", "f");
  ASSERT_TRUE(scanner.next_line());
  std::int64_t value = 0;
  EXPECT_FALSE(scanner.read_integer(value));
}

TEST(LineScanner, a_missing_word_says_what_ended) {
  LineScanner scanner("1\n2", "f");
  ASSERT_TRUE(scanner.next_line());
  double value = 0;
  ASSERT_TRUE(scanner.read_number(value));
  EXPECT_FALSE(scanner.read_number(value));
  EXPECT_EQ(scanner.unexpected_token(errors::kFormatSyntax, "a weight", "add it").to_string(),
            "f:1:2: expected a weight, found the end of the line; add it [1201 format_syntax]");
  ASSERT_TRUE(scanner.next_line());
  ASSERT_TRUE(scanner.read_number(value));
  EXPECT_FALSE(scanner.read_number(value));
  EXPECT_EQ(scanner.unexpected_token(errors::kFormatSyntax, "a weight", "add it").to_string(),
            "f:2:2: expected a weight, found the end of the text; add it [1201 format_syntax]");
}

TEST(LineScanner, large_integers_that_a_double_holds_are_read) {
  LineScanner scanner("9007199254740992 9007199254740994 -9223372036854775808 9.007199254740993e15", "f");
  ASSERT_TRUE(scanner.next_line());
  for (const double expected :
       {0x1p53, 0x1p53 + 2, -0x1p63, 0x1p53}) {  // 9007199254740993 is half way: ties go to even
    double value = 0;
    ASSERT_TRUE(scanner.read_number(value));
    EXPECT_EQ(value, expected);
  }
}

TEST(LineScanner, a_byte_order_mark_is_no_word) {
  LineScanner scanner(
      "\xef\xbb\xbf"
      "5",
      "f");
  ASSERT_TRUE(scanner.next_line());
  std::int64_t value = 0;
  ASSERT_TRUE(scanner.read_integer(value));
  EXPECT_EQ(value, 5);
}

}  // namespace
}  // namespace tandem
