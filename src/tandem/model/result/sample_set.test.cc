#include "tandem/model/result/sample_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace tandem::result {
namespace {

using problem::Vartype;

TEST(SampleSet, samples_stand_best_first_and_equal_ones_are_merged) {
  const SampleSet set = SampleSet::create(Vartype::kBinary, 2,
                                          {{{1, 1}, 3.0, 1}, {{0, 1}, -1.0, 2}, {{1, 0}, -1.0, 1}, {{0, 1}, -1.0, 5}});
  EXPECT_THAT(set.samples(),
              testing::ElementsAre(Sample{{0, 1}, -1.0, 7}, Sample{{1, 0}, -1.0, 1}, Sample{{1, 1}, 3.0, 1}));
  EXPECT_EQ(set.best(), (Sample{{0, 1}, -1.0, 7}));
  EXPECT_EQ(set.occurrences(), 9u);
}

TEST(SampleSet, the_order_of_the_samples_given_does_not_matter) {
  std::vector<Sample> samples{{{0, 0}, 1.0, 1}, {{0, 1}, 0.0, 1}, {{1, 0}, 0.0, 1}, {{1, 1}, 2.0, 3}};
  const SampleSet set = SampleSet::create(Vartype::kBinary, 2, samples);
  std::ranges::sort(samples, {}, &Sample::values);
  do {
    EXPECT_EQ(SampleSet::create(Vartype::kBinary, 2, samples), set);
  } while (std::ranges::next_permutation(samples, {}, &Sample::values).found);
}

TEST(SampleSet, document_writes_spins_as_zero_and_one_and_reads_back) {
  const SampleSet set = SampleSet::create(Vartype::kSpin, 3, {{{-1, 1, -1}, 0.5, 2}, {{1, 1, 1}, -0.5, 1}});
  EXPECT_TRUE(set.document() ==
              Json::parse(R"({"kind": "sample_set", "vartype": "spin", "num_variables": 3, "samples": ["111", "010"],
                              "energies": [-0.5, 0.5], "occurrences": [1, 2]})"));
  EXPECT_EQ(SampleSet::parse(set.document(), "").value(), set);
  EXPECT_EQ(SampleSet::parse(SampleSet().document(), "").value(), SampleSet());
}

TEST(SampleSet, parse_names_the_place_of_the_error) {
  struct Case {
    std::function<void(Json&)> spoil;
    ErrorNumber number;
    std::string_view place;
  };
  const std::vector<Case> cases{
      {[](Json& d) { d["kind"] = "counts"; }, errors::kValueOutOfRange, "/s/kind"},
      {[](Json& d) { d["vartype"] = "ternary"; }, errors::kValueOutOfRange, "/s/vartype"},
      {[](Json& d) { d["samples"][1] = "01"; }, errors::kSizeMismatch, "/s/samples/1"},
      {[](Json& d) { d["samples"][1] = "01-"; }, errors::kBadEncoding, "/s/samples/1"},
      {[](Json& d) { d["samples"][1] = 1; }, errors::kWrongType, "/s/samples/1"},
      {[](Json& d) { d["samples"][1] = "111"; }, errors::kValueOutOfRange, "/s/energies"},
      {[](Json& d) { d["energies"].push_back(1); }, errors::kSizeMismatch, "/s"},
      {[](Json& d) { d["energies"][0] = "low"; }, errors::kWrongType, "/s/energies/0"},
      {[](Json& d) { d["occurrences"][0] = 0; }, errors::kValueOutOfRange, "/s/occurrences/0"},
      {[](Json& d) { d["occurrences"] = {INT64_MAX, 1}; }, errors::kValueOutOfRange, "/s/occurrences/1"},
      {[](Json& d) { d["num_variables"] = -1; }, errors::kValueOutOfRange, "/s/num_variables"},
      {[](Json& d) { d["shots"] = 1; }, errors::kUnknownKey, "/s/shots"},
  };
  for (const Case& c : cases) {
    Json document = SampleSet::create(Vartype::kBinary, 3, {{{0, 1, 0}, 0.5, 2}, {{1, 1, 1}, -0.5, 1}}).document();
    c.spoil(document);
    const auto result = SampleSet::parse(document, "/s");
    ASSERT_FALSE(result.has_value()) << c.place;
    EXPECT_EQ(result.error().number, c.number) << result.error().to_string();
    EXPECT_EQ(result.error().place, c.place);
  }
}

}  // namespace
}  // namespace tandem::result
