#include "tandem/base/yaml.h"

#include <gmock/gmock.h>

#include "tandem/base/testing/matchers.h"

namespace tandem {
namespace {

using testing::HasSubstr;

Result<LocatedJson> parse(std::string_view text) { return parse_yaml(text, "t.yaml"); }

TEST(ParseYaml, reads_the_same_value_as_the_json_it_means) {
  const Json value = parse(R"(# a job
problem:
  type: qubo
  linear: [1, -1]
  quadratic:
  - [0, 1, 2.0]
  -
    - 1
    - 2
    - -0.5
limits: {time: 5s, "cost": 0}
text: |
  two
  lines
folded: >-
  one
  line
"quoted": 'it''s'
)")
                         ->value;
  const Json expected = {
      {"problem", {{"type", "qubo"}, {"linear", {1, -1}}, {"quadratic", Json::array({{0, 1, 2.0}, {1, 2, -0.5}})}}},
      {"limits", {{"time", "5s"}, {"cost", 0}}},
      {"text", "two\nlines\n"},
      {"folded", "one line"},
      {"quoted", "it's"}};
  EXPECT_EQ(value, expected);
}

// YAML 1.2.2 section 10.3.2, the table of the core schema, and what YAML 1.1 would have read otherwise.
TEST(ParseYaml, types_plain_scalars_by_the_core_schema) {
  const std::vector<std::pair<const char*, Json>> cases = {{"null", nullptr},
                                                           {"Null", nullptr},
                                                           {"NULL", nullptr},
                                                           {"~", nullptr},
                                                           {"true", true},
                                                           {"True", true},
                                                           {"TRUE", true},
                                                           {"false", false},
                                                           {"False", false},
                                                           {"FALSE", false},
                                                           {"0", 0},
                                                           {"-19", -19},
                                                           {"+12", 12},
                                                           {"0o7", 7},
                                                           {"0x3A", 58},
                                                           {"007", 7},
                                                           {"18446744073709551615", UINT64_MAX},
                                                           {"-9223372036854775808", INT64_MIN},
                                                           {"18446744073709551616", 18446744073709551616.0},
                                                           {"0.", 0.0},
                                                           {"-0.0", -0.0},
                                                           {".5", 0.5},
                                                           {"+12e03", 12000.0},
                                                           {"-2E+05", -200000.0},
                                                           {"1e-400", 0.0},
                                                           {"yes", "yes"},
                                                           {"No", "No"},
                                                           {"on", "on"},
                                                           {"1_000", "1_000"},
                                                           {"12:30:45", "12:30:45"},
                                                           {"0b11", "0b11"},
                                                           {"2026-11-24", "2026-11-24"},
                                                           {"+", "+"},
                                                           {".", "."},
                                                           {"1e", "1e"},
                                                           {"1.2.3", "1.2.3"},
                                                           {"0x", "0x"},
                                                           {"0xg", "0xg"},
                                                           {"0o8", "0o8"},
                                                           {"tRUE", "tRUE"},
                                                           {"+-1", "+-1"},
                                                           {"--1", "--1"},
                                                           {"5s", "5s"},
                                                           {"\"5\"", "5"},
                                                           {"'true'", "true"},
                                                           {"\"\"", ""},
                                                           {"!!str 5", "5"},
                                                           {"!!int \"5\"", 5},
                                                           {"!!float 5", 5.0},
                                                           {"! 5", "5"}};
  for (const auto& [text, expected] : cases) {
    const auto result = parse(std::string("v: ") + text);
    ASSERT_THAT(result, Succeeds()) << text;
    EXPECT_EQ(result->value["v"], expected) << text;
    EXPECT_EQ(result->value["v"].type() == Json::value_t::number_float, expected.is_number_float()) << text;
    EXPECT_EQ(result->value["v"].is_string(), expected.is_string()) << text;
  }
  EXPECT_EQ(parse("v:")->value["v"], nullptr);
  EXPECT_EQ(parse("1: a\ntrue: b")->value, Json({{"1", "a"}, {"true", "b"}}));  // keys are text
}

struct Refused {
  std::string text;
  ErrorNumber number;
  const char* place;
};

TEST(ParseYaml, refuses_with_number_and_place) {
  const std::vector<Refused> cases = {{"a: 1\nb: 2\na: 3", errors::kJsonDuplicateKey, "t.yaml:3:1"},
                                      {"x:\n  - {k: 1, k: 2}", errors::kJsonDuplicateKey, "t.yaml:2:12"},
                                      {"a: 1\n\"a\": 2", errors::kJsonDuplicateKey, "t.yaml:2:1"},
                                      {"a: .inf", errors::kNumberOutOfRange, "t.yaml:1:4"},
                                      {"a: -.Inf", errors::kNumberOutOfRange, "t.yaml:1:4"},
                                      {"ä: [1, .nan]", errors::kNumberOutOfRange, "t.yaml:1:8"},
                                      {"a: 1e400", errors::kNumberOutOfRange, "t.yaml:1:4"},
                                      {"a: 0x10000000000000000", errors::kNumberOutOfRange, "t.yaml:1:4"},
                                      {"a: *b", errors::kYamlSyntax, "t.yaml:1:4"},  // an alias of nothing
                                      {"a: &b 1\nc: *b", errors::kYamlUnsupported, "t.yaml:1:4"},
                                      {"a: &b [1]", errors::kYamlUnsupported, "t.yaml:1:4"},
                                      {"a: !mine 1", errors::kYamlUnsupported, "t.yaml:1:4"},
                                      {"a: !!binary aGk=", errors::kYamlUnsupported, "t.yaml:1:4"},
                                      {"a: !!int x", errors::kYamlUnsupported, "t.yaml:1:4"},
                                      {"a: !!map [1]", errors::kYamlUnsupported, "t.yaml:1:4"},
                                      {"a: 1\n---\nb: 2", errors::kYamlUnsupported, "t.yaml:2:1"},
                                      {"? [a, b]\n: 1", errors::kYamlUnsupported, "t.yaml:1:3"},
                                      {"~: 1", errors::kYamlUnsupported, "t.yaml:1:1"},
                                      {"a:\n  <<: {b: 1}", errors::kYamlUnsupported, "t.yaml:2:3"},
                                      {"a: [1, 2", errors::kYamlSyntax, "t.yaml:1:9"},
                                      {"[1, 2", errors::kYamlSyntax, "t.yaml:1:1"},
                                      {"- {a: ']}', b: [1", errors::kYamlSyntax, "t.yaml:1:3"},
                                      {"{[a, b]: 1}", errors::kYamlUnsupported, "t.yaml:1:2"},
                                      {"? - a\n: 1", errors::kYamlUnsupported, "t.yaml:1:3"},
                                      {"a: \"\\_\"", errors::kYamlUnsupported, "t.yaml:1:4"},
                                      {"{\"\\N\": 1}", errors::kYamlUnsupported, "t.yaml:1:2"},
                                      {"[1] 2", errors::kYamlUnsupported, "t.yaml:1:5"},
                                      {"a: 'open", errors::kYamlSyntax, "t.yaml:1:9"},
                                      {"a: b: c", errors::kYamlSyntax, "t.yaml:1:5"},
                                      {"a: 1\n b: 2", errors::kYamlSyntax, "t.yaml:2:3"},
                                      {"", errors::kYamlSyntax, "t.yaml"},
                                      {"# nothing", errors::kYamlSyntax, "t.yaml"},
                                      {std::string("a: 1\0b: 2", 9), errors::kYamlSyntax, "t.yaml:1:5"},
                                      {"a: 1\n\x04"
                                       "b: 2",
                                       errors::kYamlSyntax, "t.yaml:2:1"},  // yaml-cpp would take U+0004 for the end
                                      {"a: \xff", errors::kYamlSyntax, "t.yaml:1:4"}};
  for (const Refused& c : cases) EXPECT_THAT(parse(c.text), FailsAt(c.place, c.number)) << c.text;
}

TEST(ParseYaml, no_message_holds_half_a_character) {
  const auto result = parse("a: \"\\€\"");  // the library would quote the first byte of the sign
  EXPECT_THAT(result, FailsWith(errors::kYamlSyntax));
  EXPECT_EQ(result.error().message, "not YAML: unknown escape character: \\xe2; correct the text here");
}

TEST(ParseYaml, holds_each_limit_exactly) {
  const JsonLimits limits{.bytes_max = 20, .depth_max = 3, .values_max = 5};
  EXPECT_THAT(parse_yaml("[[[1]]]", "t", limits), Succeeds());
  EXPECT_THAT(parse_yaml("[[[[1]]]]", "t", limits), FailsAt("t:1:4", errors::kJsonTooDeep));
  EXPECT_THAT(parse_yaml("a:\n b:\n  c:\n   d: 1", "t", limits), FailsAt("t:4:4", errors::kJsonTooDeep));
  EXPECT_THAT(parse_yaml("[1,2,3,4]", "t", limits), Succeeds());
  EXPECT_THAT(parse_yaml("[1,2,3,4,5]", "t", limits), FailsAt("t:1:10", errors::kInputTooLarge));
  EXPECT_THAT(parse_yaml("a: 12345678901234567", "t", limits), Succeeds());
  EXPECT_THAT(parse_yaml("a: 123456789012345678", "t", limits), FailsAt("t", errors::kInputTooLarge));
}

std::string repeat(std::string_view unit, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += unit;
  return text;
}

TEST(ParseYaml, a_hundred_thousand_nested_brackets_are_an_error_and_not_a_crash) {
  for (const std::string unit : {"[", "{a: ", "[{a: ", "- "}) {
    const auto result = parse(repeat(unit, 100'000));
    EXPECT_THAT(result, FailsWith(errors::kJsonTooDeep)) << unit;
    EXPECT_THAT(parse("a: " + repeat(unit, 100'000)), testing::Not(Succeeds())) << unit;
  }
  EXPECT_THAT(parse("a: " + repeat("[", 100'000)), FailsWith(errors::kJsonTooDeep));
  EXPECT_THAT(parse(repeat("? ", 100'000)), FailsWith(errors::kYamlUnsupported));
  EXPECT_THAT(parse(repeat("]", 100'000)), FailsWith(errors::kYamlSyntax));
}

TEST(ParseYaml, nested_indentation_is_held_to_the_limit_too) {
  std::string text;
  for (std::size_t i = 0; i < 1000; ++i) text += std::string(i, ' ') + "a:\n";
  EXPECT_THAT(parse(text), FailsAt("t.yaml:65:65", errors::kJsonTooDeep));
}

TEST(ParseJsonOrYaml, looks_at_the_first_significant_byte) {
  EXPECT_EQ(parse_json_or_yaml(" \n{\"a\": 1}", "t")->syntax, Syntax::kJson);
  EXPECT_EQ(parse_json_or_yaml("\xef\xbb\xbf[1]", "t")->syntax, Syntax::kJson);
  EXPECT_EQ(parse_json_or_yaml("a: 1", "t")->syntax, Syntax::kYaml);
  EXPECT_EQ(parse_json_or_yaml("# {\na: 1", "t")->syntax, Syntax::kYaml);
  EXPECT_THAT(parse_json_or_yaml("", "t"), FailsWith(errors::kYamlSyntax));
  EXPECT_THAT(parse_json_or_yaml("{a: 1}", "t"), FailsWith(errors::kJsonSyntax));
}

TEST(PlaceOf, knows_where_each_value_stands_in_yaml) {
  const LocatedJson document = *parse("a: 1\nb:\n  - x\n  - {c: 2, dé: 3, e: 4}\n\"f/~\": 5\n");
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"", "t.yaml:1:1"},
      {"/a", "t.yaml:1:4"},
      {"/b", "t.yaml:3:3"},
      {"/b/0", "t.yaml:3:5"},
      {"/b/1", "t.yaml:4:5"},
      {"/b/1/c", "t.yaml:4:9"},
      {"/b/1/e", "t.yaml:4:22"},
      {"/f~1~0", "t.yaml:5:8"},
      // What is not there takes the place of its nearest ancestor.
      {"/z", "t.yaml:1:1"},
      {"/b/7", "t.yaml:3:3"},
      {"/b/1/z/z", "t.yaml:4:5"},
      {"/a/0", "t.yaml:1:4"},
      {"/b/01", "t.yaml:3:3"}};
  for (const auto& [pointer, place] : cases) EXPECT_EQ(document.place_of(pointer), place) << pointer;
}

TEST(PlaceOf, knows_where_each_value_stands_in_json) {
  const LocatedJson document =
      *parse_json_or_yaml("{\"a\": 1,\n \"b\": [\"ä\", -2.5 ,{\"c\": null,\"d\":[]}],\n\"e\": 7}", "t.json");
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"", "t.json:1:1"},      {"/a", "t.json:1:7"},        {"/b", "t.json:2:7"},      {"/b/0", "t.json:2:8"},
      {"/b/1", "t.json:2:13"}, {"/b/2", "t.json:2:19"},     {"/b/2/c", "t.json:2:25"}, {"/b/2/d", "t.json:2:34"},
      {"/e", "t.json:3:6"},    {"/b/2/d/0", "t.json:2:34"}, {"/b/3", "t.json:2:7"},    {"/z/z", "t.json:1:1"}};
  for (const auto& [pointer, place] : cases) EXPECT_EQ(document.place_of(pointer), place) << pointer;
}

TEST(PlaceOf, leads_from_a_reader_error_to_the_line_of_the_document) {
  const LocatedJson document = *parse("limits:\n  tmie: 5s\n");
  const auto limits = ObjectReader::create(document.value, "")->object("limits");
  const auto result = limits->allow_only({"time"});
  EXPECT_EQ(document.place_of(result.error().place), "t.yaml:2:9");
}

}  // namespace
}  // namespace tandem
