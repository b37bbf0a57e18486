#include "tandem/base/yaml_writer.h"

#include <gmock/gmock.h>

#include <bit>
#include <limits>

#include "tandem/base/rng.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/yaml.h"

namespace tandem {
namespace {

/// The value that the written text is read as.
Json read_back(const Json& value) {
  const std::string text = write_yaml(value);
  const auto read = parse_yaml(text, "written");
  EXPECT_THAT(read, Succeeds()) << text;
  return read ? read->value : Json("unread");
}

TEST(WriteYaml, is_written_as_a_person_would) {
  const Json value = {{"name", "spring review"},
                      {"limits", {{"time", "5s"}, {"cost", 0}}},
                      {"quadratic", Json::array({{0, 1, 2.0}, {1, 2, -0.5}})},
                      {"assets", {{{"name", "Alder Power"}, {"cost", 30}}, {{"name", "no"}, {"tags", Json::array()}}}},
                      {"nested", Json::array({Json::array({Json::array({1}), Json::array({2})})})},
                      {"none", nullptr}};
  EXPECT_EQ(write_yaml(value),
            "assets:\n"
            "  - cost: 30\n"
            "    name: Alder Power\n"
            "  - name: \"no\"\n"
            "    tags: []\n"
            "limits:\n"
            "  cost: 0\n"
            "  time: \"5s\"\n"
            "name: spring review\n"
            "nested:\n"
            "  - - [1]\n"
            "    - [2]\n"
            "none: null\n"
            "quadratic:\n"
            "  - [0, 1, 2.0]\n"
            "  - [1, 2, -0.5]\n");
  EXPECT_EQ(read_back(value), value);
}

TEST(WriteYaml, text_stays_text_as_value_as_key_and_in_lists) {
  const std::string hostile[] = {
      "",
      "no",
      "No",
      "yes",
      "on",
      "off",
      "y",
      "N",
      "true",
      "TRUE",
      "null",
      "Null",
      "~",
      "1e3",
      "1",
      "-1",
      "+1",
      "007",
      "0x1F",
      "0o17",
      "1_000",
      ".5",
      ".inf",
      "-.inf",
      ".nan",
      "1:30",
      "2001-01-01",
      "a: b",
      "a :b",
      "a #b",
      "#a",
      "- a",
      "-",
      "---",
      "...",
      "? a",
      ": a",
      "[a]",
      "{a: b}",
      "a, b",
      "*alias",
      "&anchor",
      "!tag",
      "!!str 5",
      "%YAML 1.2",
      "@a",
      "`a`",
      "'a'",
      "\"a\"",
      "\\",
      "a\nb",
      "a\n",
      "\na",
      "a\r\nb",
      "a\tb",
      " a",
      "a ",
      "  ",
      "|",
      ">-",
      "<<",
      "=",
      "a\\nb",
      "\xC3\xA4",
      "\xE2\x82\xAC 5",
      "\xF0\x9F\x98\x80",
      "\xC2\x85",
      "\xC2\xA0",
      "\xE2\x80\xA8",
      "\xEF\xBB\xBF",
      "\xEF\xBF\xBE",
      "\xEF\xB7\x90",
      std::string("\0\x01\x1B\x7F", 4),
      "a" + std::string(5000, 'b'),
      std::string(5000, ':'),
      std::string(2000, ' ') + "x",
  };
  for (const std::string& text : hostile) {
    SCOPED_TRACE(Json(text).dump().substr(0, 100));
    EXPECT_EQ(read_back(text), Json(text));
    const Json inside = {{"list", {text, text}}, {"map", {{text, text}}}, {"deep", {{{text, {{"k", text}}}}, {text}}}};
    EXPECT_EQ(read_back(inside), inside);
  }
}

TEST(WriteYaml, what_a_yaml_stream_may_not_hold_is_escaped) {
  EXPECT_EQ(write_yaml("\x7F \xC2\x85 \xC2\xA0 \xE2\x80\xA8 \xEF\xBB\xBF \xEF\xBF\xBF \xE2\x82\xAC"),
            "\"\\x7F \\x85 \xC2\xA0 \\u2028 \\uFEFF \\uFFFF \xE2\x82\xAC\"\n");
  EXPECT_EQ(write_yaml(1e30), "1.0e+30\n");
}

TEST(WriteYaml, doubles_keep_their_bits_and_integers_their_digits) {
  std::vector<double> doubles = {
      0.0, -0.0, 1.0, -1.0, 0.1, 1e3, 1e22, 1e23, 1e300, 5e-324, std::numeric_limits<double>::max(), 2.0 / 3};
  Xoshiro256 rng(7);
  while (doubles.size() < 5000) {
    const auto value = std::bit_cast<double>(rng());
    if (std::isfinite(value)) doubles.push_back(value);
  }
  const Json read = read_back(doubles);
  ASSERT_EQ(read.size(), doubles.size());
  for (std::size_t i = 0; i < doubles.size(); ++i) {
    ASSERT_TRUE(read[i].is_number_float()) << doubles[i];
    EXPECT_EQ(std::bit_cast<std::uint64_t>(read[i].get<double>()), std::bit_cast<std::uint64_t>(doubles[i]));
  }
  const Json integers = {INT64_MIN, INT64_MAX, UINT64_MAX, 0, -1};
  EXPECT_EQ(read_back(integers).dump(), integers.dump());
}

TEST(WriteYaml, whatever_is_empty_or_alone_reads_back) {
  for (const Json& value :
       {Json::object(), Json::array(), Json(), Json(true), Json(7), Json({{"a", Json::object()}}),
        Json::array({Json::array(), Json::object(), nullptr}), Json::array({{{"a", Json::array({{{"b", 1}}})}}})})
    EXPECT_EQ(read_back(value), value) << value.dump();
}

}  // namespace
}  // namespace tandem
