#include "tandem/base/json.h"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>

#include "tandem/base/rng.h"
#include "tandem/base/testing/matchers.h"

namespace tandem {
namespace {

using testing::HasSubstr;

Result<Json> parse(std::string_view text) { return parse_json(text, "t.json"); }

TEST(ParseJson, reads_every_kind_of_value) {
  const Json value =
      *parse(R"({"null": null, "yes": true, "no": false, "int": -5, "big": 18446744073709551615, "real": 1.5e3,
                               "text": "a\u20ac\ud83d\ude00\n", "list": [1, [], {}], "": {"": 0}})");
  const Json expected = {{"null", nullptr},   {"yes", true},
                         {"no", false},       {"int", -5},
                         {"big", UINT64_MAX}, {"real", 1500.0},
                         {"text", "a€😀\n"},  {"list", Json::array({1, Json::array(), Json::object()})},
                         {"", {{"", 0}}}};
  EXPECT_EQ(value, expected);
  EXPECT_EQ(*parse(" 7 "), 7);
  EXPECT_EQ(*parse("\xef\xbb\xbf[1]"), Json::array({1}));  // a byte order mark is skipped
}

struct Refused {
  std::string text;
  ErrorNumber number;
  const char* place;
};

TEST(ParseJson, refuses_with_number_and_place) {
  // Columns count characters from 1; a place past the last character stands for the end of the text.
  const std::vector<Refused> cases = {{"", errors::kJsonSyntax, "t.json:1:1"},
                                      {"{\"a\": 1,}", errors::kJsonSyntax, "t.json:1:9"},
                                      {"[1, 2", errors::kJsonSyntax, "t.json:1:6"},
                                      {"[1\n 2]", errors::kJsonSyntax, "t.json:2:2"},
                                      {"[1] x", errors::kJsonSyntax, "t.json:1:5"},
                                      {"{}{}", errors::kJsonSyntax, "t.json:1:3"},
                                      {"{'a': 1}", errors::kJsonSyntax, "t.json:1:2"},
                                      {"// no\n1", errors::kJsonSyntax, "t.json:1:1"},
                                      {"[NaN]", errors::kJsonSyntax, "t.json:1:2"},
                                      {"[-Infinity]", errors::kJsonSyntax, "t.json:1:3"},
                                      {"[01]", errors::kJsonSyntax, "t.json:1:3"},
                                      {"[+1]", errors::kJsonSyntax, "t.json:1:2"},
                                      {"[.5]", errors::kJsonSyntax, "t.json:1:2"},
                                      {"[\"\\ud800\"]", errors::kJsonSyntax, "t.json:1:9"},
                                      {"[\"\t\"]", errors::kJsonSyntax, "t.json:1:3"},
                                      {std::string("{}\0{}", 5), errors::kJsonSyntax, "t.json:1:3"},
                                      {"[\"ä\xff\"]", errors::kJsonSyntax, "t.json:1:4"},
                                      {"[\n  \"ä\", 1e400]", errors::kNumberOutOfRange, "t.json:2:12"},
                                      {"{\"a\": 1,\n \"b\": 2, \"a\": 3}", errors::kJsonDuplicateKey, "t.json:2:10"},
                                      {"{\"x\": {\"a\": 1, \"\\u0061\": 2}}", errors::kJsonDuplicateKey, "t.json:1:16"},
                                      {"[{\"a\": 1}, {\"b\": 1 , \"b\":1}]", errors::kJsonDuplicateKey, "t.json:1:22"}};
  for (const Refused& c : cases) EXPECT_THAT(parse(c.text), FailsAt(c.place, c.number)) << c.text;
}

TEST(ParseJson, says_what_is_wrong_in_one_short_line) {
  const std::string long_text = "[\"" + std::string(1'000'000, 'x');
  for (const std::string& text : {std::string("[1, 2"), std::string("{\"a\" 1}"), long_text}) {
    const auto result = parse(text);
    ASSERT_FALSE(result);
    EXPECT_LT(result.error().message.size(), 300u);
    EXPECT_THAT(result.error().message, HasSubstr("not JSON: syntax error while parsing"));
    EXPECT_EQ(result.error().message.find('\n'), std::string::npos);
  }
  EXPECT_THAT(parse("{\"tmie\": 1, \"tmie\": 2}").error().message, HasSubstr("'tmie' stands twice"));
}

TEST(ParseJson, holds_each_limit_exactly) {
  const JsonLimits limits{.bytes_max = 20, .depth_max = 3, .values_max = 5};
  EXPECT_THAT(parse_json("[[[1]]]", "t", limits), Succeeds());
  EXPECT_THAT(parse_json("[[[[1]]]]", "t", limits), FailsAt("t:1:4", errors::kJsonTooDeep));
  EXPECT_THAT(parse_json("{\"a\":[{\"b\":[]}]}", "t", limits), FailsAt("t:1:12", errors::kJsonTooDeep));
  EXPECT_THAT(parse_json("[1,2,3,4]", "t", limits), Succeeds());
  EXPECT_THAT(parse_json("[1,2,3,4,5]", "t", limits), FailsAt("t:1:10", errors::kInputTooLarge));
  EXPECT_THAT(parse_json("[1                 ]", "t", limits), Succeeds());
  EXPECT_THAT(parse_json("[1                  ]", "t", limits), FailsAt("t", errors::kInputTooLarge));
}

TEST(ParseJson, a_hundred_thousand_nested_brackets_are_an_error_and_not_a_crash) {
  for (const std::string unit : {"[", "{\"a\":", "[{\"a\":"}) {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += unit;
    EXPECT_THAT(parse(text), FailsWith(errors::kJsonTooDeep)) << unit;
  }
  EXPECT_THAT(parse(std::string(100'000, ']')), FailsWith(errors::kJsonSyntax));
}

// RFC 8785 appendix B: IEEE 754 bits and the text that ECMAScript gives them.
TEST(CanonicalJson, writes_the_number_samples_of_rfc_8785) {
  const std::vector<std::pair<std::uint64_t, const char*>> samples = {{0x0000000000000000, "0"},
                                                                      {0x8000000000000000, "0"},
                                                                      {0x0000000000000001, "5e-324"},
                                                                      {0x8000000000000001, "-5e-324"},
                                                                      {0x7fefffffffffffff, "1.7976931348623157e+308"},
                                                                      {0xffefffffffffffff, "-1.7976931348623157e+308"},
                                                                      {0x4340000000000000, "9007199254740992"},
                                                                      {0xc340000000000000, "-9007199254740992"},
                                                                      {0x4430000000000000, "295147905179352830000"},
                                                                      {0x44b52d02c7e14af5, "9.999999999999997e+22"},
                                                                      {0x44b52d02c7e14af6, "1e+23"},
                                                                      {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
                                                                      {0x444b1ae4d6e2ef4e, "999999999999999700000"},
                                                                      {0x444b1ae4d6e2ef4f, "999999999999999900000"},
                                                                      {0x444b1ae4d6e2ef50, "1e+21"},
                                                                      {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
                                                                      {0x3eb0c6f7a0b5ed8d, "0.000001"},
                                                                      {0x41b3de4355555553, "333333333.3333332"},
                                                                      {0x41b3de4355555554, "333333333.33333325"},
                                                                      {0x41b3de4355555555, "333333333.3333333"},
                                                                      {0x41b3de4355555556, "333333333.3333334"},
                                                                      {0x41b3de4355555557, "333333333.33333343"},
                                                                      {0xbecbf647612f3696, "-0.0000033333333333333333"},
                                                                      {0x43143ff3c1cb0959, "1424953923781206.2"}};
  for (const auto& [bits, text] : samples) EXPECT_EQ(canonical_json(Json(std::bit_cast<double>(bits))), text);
}

// From a JavaScript engine: JSON.stringify(x).
TEST(JsonNumber, integers_that_a_double_would_round_are_refused_with_both) {
  for (const char* text : {"9007199254740993", "-9007199254740993", "9223372036854775807", "18446744073709551615"}) {
    const auto number = json_number(Json::parse(text), "/x");
    ASSERT_THAT(number, FailsAt("/x", errors::kValueOutOfRange)) << text;
    EXPECT_THAT(number.error().message, testing::HasSubstr(text));
  }
  EXPECT_EQ(json_number(Json::parse("9007199254740994"), "").value(), 0x1p53 + 2);
  EXPECT_EQ(json_number(Json::parse("9223372036854775808"), "").value(), 0x1p63);
  EXPECT_EQ(json_number(Json::parse("-9223372036854775808"), "").value(), -0x1p63);
  EXPECT_EQ(json_number(Json::parse("9007199254740993.0"), "").value(), 0x1p53);
}

TEST(JsonNumber, whatever_the_canonical_form_writes_is_read_back) {
  // Beyond 2^53 ECMAScript writes digits that tell doubles apart, then zeros: 123456789012345696 is 123456789012345700.
  std::vector<double> numbers = {123456789012345696.0, 1.2345678901234568e18, 0x1p63, 0x1.fffffffffffffp63, 1e20, 1e21};
  for (double number = 0x1p52 + 1; number < 1e22; number *= 1.0078125) numbers.push_back(std::nextafter(number, 0));
  for (const double number : numbers) {
    for (const double one : {number, -number}) {
      const std::string text = canonical_json(Json(one));
      const auto read = json_number(Json::parse(text), "");
      ASSERT_THAT(read, Succeeds()) << text;
      EXPECT_EQ(*read, one) << text;
    }
  }
  EXPECT_EQ(canonical_json(Json(123456789012345696.0)), "123456789012345700");
  EXPECT_THAT(json_number(Json::parse("123456789012345699"), ""), FailsWith(errors::kValueOutOfRange));
}

TEST(CanonicalJson, writes_other_numbers_as_ecmascript_does) {
  const std::vector<std::pair<double, const char*>> samples = {{0.1 + 0.2, "0.30000000000000004"},
                                                               {1.0 / 3, "0.3333333333333333"},
                                                               {1e21, "1e+21"},
                                                               {1e20, "100000000000000000000"},
                                                               {123456789012345680000.0, "123456789012345680000"},
                                                               {1e-6, "0.000001"},
                                                               {1e-7, "1e-7"},
                                                               {1.5e-7, "1.5e-7"},
                                                               {4.35, "4.35"},
                                                               {100, "100"},
                                                               {1e300, "1e+300"},
                                                               {-1e-300, "-1e-300"},
                                                               {0.000123, "0.000123"},
                                                               {9007199254740994.0, "9007199254740994"},
                                                               {1.25e21, "1.25e+21"}};
  for (const auto& [value, text] : samples) EXPECT_EQ(canonical_json(Json(value)), text);
}

TEST(CanonicalJson, an_integer_and_the_double_of_the_same_value_have_one_form) {
  for (const std::int64_t value : {0ll, 1ll, -1ll, 1000000ll, 9007199254740992ll, -9007199254740992ll}) {
    EXPECT_EQ(canonical_json(Json(value)), canonical_json(Json(static_cast<double>(value)))) << value;
  }
  EXPECT_EQ(canonical_json(Json(UINT64_MAX)), "18446744073709551615");
  EXPECT_EQ(canonical_json(Json(INT64_MIN)), "-9223372036854775808");
}

TEST(CanonicalJson, numbers_read_back_to_the_same_bits) {
  Xoshiro256 generator(1);
  for (int i = 0; i < 100'000; ++i) {
    const double value = std::bit_cast<double>(generator());
    if (!std::isfinite(value)) continue;
    const Json back = *parse(canonical_json(Json(value)));
    ASSERT_EQ(back.get<double>(), value);
  }
}

// RFC 8785 3.2.3: the order of UTF-16 code units, where U+1F600 (d83d de00) stands before U+FB33.
TEST(CanonicalJson, sorts_keys_by_utf_16_code_units) {
  const Json value =
      *parse(R"({"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7})");
  EXPECT_EQ(canonical_json(value), "{\"\\r\":2,\"1\":4,\"\xc2\x80\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\xef\xac\xb3\":3}");
}

TEST(CanonicalJson, escapes_wherever_in_a_text_it_must_be) {
  for (std::size_t length = 1; length <= 20; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      for (const char* const piece :
           {"\"", "\\", "\x1f", "\n", " ", "!", "#", "[", "]", "\x7f", "\xc2\x80", "\xf4\x8f\xbf\xbf"}) {
        std::string text(length, 'a');
        text.replace(at, 1, piece);
        EXPECT_EQ(canonical_json(Json(text)), Json(text).dump());  // which writes each character by itself
      }
    }
  }
}

TEST(CanonicalJson, escapes_only_what_must_be) {
  std::string all;
  for (char c = 1; c < 0x20; ++c) all += c;
  EXPECT_EQ(
      canonical_json(Json(all + "\"\\/\x7f€")),
      R"("\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f\u0010\u0011\u0012\u0013\u0014\u0015)"
      R"(\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f\"\\/)"
      "\x7f€\"");
}

TEST(CanonicalJson, does_not_depend_on_blanks_or_the_order_of_keys) {
  EXPECT_EQ(canonical_json(*parse("{ \"b\" : [ 1 , 2.0 ] , \"a\" : { } }")), "{\"a\":{},\"b\":[1,2]}");
  EXPECT_EQ(canonical_json(*parse("{\"a\":{},\"b\":[1e0,2]}")), "{\"a\":{},\"b\":[1,2]}");
}

class ObjectReaderTest : public testing::Test {
 protected:
  ObjectReader reader(std::string_view text) {
    value_ = *parse(text);
    return *ObjectReader::create(value_, "/job");
  }

 private:
  Json value_;
};

TEST_F(ObjectReaderTest, reads_typed_members) {
  const ObjectReader r = reader(
      R"({"s": "x", "d": 1.5, "i": 7, "f": 1e3, "b": true, "a": [1, 2.5], "t": ["p", "q"], "o": {"k": 1}, "n": null})");
  EXPECT_EQ(*r.string("s"), "x");
  EXPECT_EQ(*r.number("d"), 1.5);
  EXPECT_EQ(*r.number("i"), 7.0);
  EXPECT_EQ(*r.integer("i", 0, 7), 7);
  EXPECT_EQ(*r.integer("f", 0, 1000), 1000);  // 1e3 is an integer
  EXPECT_EQ(*r.boolean_or("b", false), true);
  EXPECT_THAT(*r.numbers("a"), testing::ElementsAre(1.0, 2.5));
  EXPECT_THAT(*r.strings_or_empty("t"), testing::ElementsAre("p", "q"));
  EXPECT_EQ((*r.array("a"))->size(), 2u);
  EXPECT_EQ(*r.object("o")->integer("k", 0, 9), 1);
  EXPECT_EQ(r.object("o")->at("k"), "/job/o/k");
  EXPECT_TRUE(r.has("s"));
  EXPECT_FALSE(r.has("n"));
  EXPECT_FALSE(r.has("absent"));
  EXPECT_EQ(r.find("n"), nullptr);
}

TEST_F(ObjectReaderTest, absent_and_null_members_take_the_fallback) {
  const ObjectReader r = reader(R"({"n": null})");
  for (const char* key : {"n", "absent"}) {
    EXPECT_EQ(*r.string_or(key, "f"), "f");
    EXPECT_EQ(*r.number_or(key, 2.5), 2.5);
    EXPECT_EQ(*r.integer_or(key, 3, 0, 9), 3);
    EXPECT_EQ(*r.boolean_or(key, true), true);
    EXPECT_TRUE(r.strings_or_empty(key)->empty());
    EXPECT_THAT(r.string(key), FailsAt("/job", errors::kMissingKey));
    EXPECT_THAT(r.object(key), FailsAt("/job", errors::kMissingKey));
  }
}

TEST_F(ObjectReaderTest, wrong_types_are_named_with_the_value_found) {
  const ObjectReader r =
      reader(R"({"s": 5, "d": "1.5", "i": 1.5, "b": 1, "a": {}, "o": [], "m": [1, "x"], "t": ["p", 2]})");
  EXPECT_THAT(r.string("s"), FailsAt("/job/s", errors::kWrongType));
  EXPECT_THAT(r.number("d"), FailsAt("/job/d", errors::kWrongType));
  EXPECT_THAT(r.integer("i", 0, 9), FailsAt("/job/i", errors::kWrongType));
  EXPECT_THAT(r.boolean_or("b", true), FailsAt("/job/b", errors::kWrongType));
  EXPECT_THAT(r.array("a"), FailsAt("/job/a", errors::kWrongType));
  EXPECT_THAT(r.object("o"), FailsAt("/job/o", errors::kWrongType));
  EXPECT_THAT(r.numbers("m"), FailsAt("/job/m/1", errors::kWrongType));
  EXPECT_THAT(r.strings_or_empty("t"), FailsAt("/job/t/1", errors::kWrongType));
  EXPECT_EQ(r.string("s").error().message, "expected text, found the number 5");
  EXPECT_THAT(ObjectReader::create(Json(5), "/p"), FailsAt("/p", errors::kWrongType));
}

TEST_F(ObjectReaderTest, integers_outside_their_limits_are_refused) {
  const ObjectReader r = reader(R"({"a": 10, "b": -1, "c": 18446744073709551615, "d": 1e300, "e": 1e17})");
  for (const char* key : {"a", "b", "c", "d", "e"}) {
    EXPECT_THAT(r.integer(key, 0, 9), FailsAt(std::string("/job/") + key, errors::kValueOutOfRange)) << key;
  }
  EXPECT_EQ(r.integer("a", 0, 9).error().message, "the number 10 is outside the limits; use an integer from 0 to 9");
  // 1e17 is a double that no longer says which integer was meant.
  EXPECT_THAT(r.integer("e", 0, INT64_MAX), FailsWith(errors::kValueOutOfRange));
}

TEST_F(ObjectReaderTest, unknown_keys_are_named_with_the_nearest_known_one) {
  const ObjectReader r = reader(R"({"tmie": 1})");
  const auto result = r.allow_only({"time", "seed"});
  EXPECT_THAT(result, FailsAt("/job/tmie", errors::kUnknownKey));
  EXPECT_EQ(result.error().message, "unknown key 'tmie', did you mean 'time'?");
  EXPECT_EQ(reader(R"({"zzzz": 1})").allow_only({"time", "seed"}).error().message,
            "unknown key 'zzzz'; known are: time, seed");
  EXPECT_THAT(reader(R"({"time": 1})").allow_only({"time", "seed"}), Succeeds());
}

TEST_F(ObjectReaderTest, pointers_escape_slash_and_tilde) { EXPECT_EQ(reader("{}").at("a/b~c"), "/job/a~1b~0c"); }

}  // namespace
}  // namespace tandem
