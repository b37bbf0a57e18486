#include "tandem/model/result/outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "tandem/model/result/pub_result.h"

namespace tandem::result {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Counts, text_puts_bit_0_first) {
  const std::vector<std::uint64_t> shots{0b001, 0b001, 0b110};
  const Counts counts = Counts::from_shots(3, shots);
  ASSERT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts.text(0), "100");
  EXPECT_EQ(counts.count(0), 2u);
  EXPECT_EQ(counts.text(1), "011");
  EXPECT_EQ(counts.count(1), 1u);
  EXPECT_TRUE(counts.bit(0, 0));
  EXPECT_FALSE(counts.bit(0, 2));
  EXPECT_EQ(counts.shots(), 3u);
}

TEST(Counts, shots_histograms_and_texts_of_one_experiment_are_equal) {
  const Counts from_text = Counts::create(2, {{"01", 2}, {"10", 1}, {"01", 3}}).value();
  const std::vector<std::uint64_t> shots{2, 2, 1, 2, 2, 2};
  const std::vector<std::uint64_t> outcomes{2, 0, 1, 2};
  const std::vector<std::uint64_t> counts{4, 0, 1, 1};
  EXPECT_EQ(from_text, Counts::from_shots(2, shots));
  EXPECT_EQ(from_text, Counts::from_histogram(2, outcomes, counts));
}

TEST(Counts, wide_outcomes_are_ordered_by_their_highest_word) {
  // Three outcomes of 70 bits, two words each: bit 69 set, bit 0 set, and both.
  const std::vector<std::uint64_t> shots{1, 32, 1, 0, 0, 32, 1, 32};
  const Counts counts = Counts::from_shots(70, shots);
  ASSERT_EQ(counts.size(), 3u);
  EXPECT_EQ(counts.text(0), "1" + std::string(69, '0'));
  EXPECT_EQ(counts.text(1), std::string(69, '0') + "1");
  EXPECT_EQ(counts.text(2), "1" + std::string(68, '0') + "1");
  EXPECT_EQ(counts.count(2), 2u);
  EXPECT_EQ(Counts::parse(counts.document(), "").value(), counts);
}

TEST(Counts, document_reads_back_and_has_the_documented_shape) {
  const Counts counts = Counts::create(3, {{"100", 512}, {"011", 488}}).value();
  EXPECT_TRUE(counts.document() ==
              Json::parse(R"({"kind": "counts", "num_bits": 3, "counts": {"100": 512, "011": 488}})"));
  EXPECT_EQ(Counts::parse(counts.document(), "").value(), counts);
  EXPECT_EQ(Counts::parse(Counts::create(3, {}).value().document(), "").value().size(), 0u);
}

TEST(Counts, bad_entries_are_refused) {
  EXPECT_EQ(Counts::create(3, {{"10", 1}}).error().number, errors::kSizeMismatch);
  EXPECT_EQ(Counts::create(2, {{"1x", 1}}).error().number, errors::kBadEncoding);
  EXPECT_EQ(Counts::create(2, {{"10", 0}}).error().number, errors::kValueOutOfRange);
  EXPECT_EQ(Counts::create(2, {{"10", INT64_MAX}, {"11", INT64_MAX}}).error().number, errors::kValueOutOfRange);
  EXPECT_EQ(Counts::create(0, {}).error().number, errors::kValueOutOfRange);
  EXPECT_EQ(Counts::create(4097, {}).error().number, errors::kValueOutOfRange);
}

TEST(Distribution, document_reads_back) {
  const Distribution exact = Distribution::create(2, {{"11", 0.5}, {"00", 0.5}}, true).value();
  EXPECT_EQ(exact.text(0), "00");
  EXPECT_EQ(exact.probability(1), 0.5);
  EXPECT_EQ(Distribution::parse(exact.document(), "").value(), exact);
  const Distribution quasi = Distribution::create(1, {{"0", 1.02}, {"1", -0.03}}, false).value();
  EXPECT_EQ(Distribution::parse(quasi.document(), "").value(), quasi);
}

TEST(Distribution, exact_probabilities_add_up_to_one) {
  EXPECT_TRUE(Distribution::create(1, {{"0", 1 - 9e-7}}, true).has_value());
  EXPECT_EQ(Distribution::create(1, {{"0", 0.99}}, true).error().number, errors::kValueOutOfRange);
  EXPECT_EQ(Distribution::create(1, {{"0", 1.5}, {"1", -0.5}}, true).error().number, errors::kValueOutOfRange);
  EXPECT_EQ(Distribution::create(1, {{"0", kNan}}, false).error().number, errors::kNotFinite);
  EXPECT_EQ(Distribution::create(1, {{"0", 0.5}, {"0", 0.5}}, true).error().number, errors::kValueOutOfRange);
}

TEST(Expectation, document_reads_back) {
  const Expectation expectation{.value = -0.5, .standard_error = 0.01, .shots = 4096};
  EXPECT_EQ(Expectation::parse(expectation.document(), "").value(), expectation);
}

TEST(PubResult, document_reads_back_for_every_kind) {
  PubResult counts;
  counts.bindings.emplace_back(Counts::create(2, {{"10", 3}}).value());
  counts.bindings.emplace_back(Counts::create(2, {{"01", 4}}).value());
  EXPECT_EQ(PubResult::parse(counts.document(), "").value(), counts);
  EXPECT_EQ(counts.counts(1).count(0), 4u);
  PubResult distribution;
  distribution.bindings = {*Distribution::create(2, {{"01", 0.25}, {"11", 0.75}}, false)};
  EXPECT_EQ(PubResult::parse(distribution.document(), "").value(), distribution);

  PubResult expectations;
  expectations.bindings.emplace_back(Expectations{{.value = 1}, {.value = 2, .standard_error = 0.5, .shots = 9}});
  EXPECT_EQ(PubResult::parse(expectations.document(), "").value(), expectations);
  EXPECT_EQ(expectations.expectations(0)[1].shots, 9u);
  EXPECT_EQ(PubResult::parse(PubResult{}.document(), "").value(), PubResult{});

  EXPECT_FALSE(counts.document().contains("arithmetic"));
  for (const bool single : {false, true}) {
    counts.arithmetic = Arithmetic{.single = single, .tolerance = 1e-3, .rounding = 1e-5};
    EXPECT_EQ(PubResult::parse(counts.document(), "").value(), counts);
    counts.arithmetic->rounding.reset();
    EXPECT_EQ(PubResult::parse(counts.document(), "").value(), counts);
  }
}

TEST(PubResult, parse_names_the_place_of_the_error) {
  struct Case {
    std::string_view bindings;
    ErrorNumber number;
    std::string_view place;
  };
  constexpr std::string_view kCounts = R"({"kind": "counts", "num_bits": 1, "counts": {"1": 1}})";
  const std::string mixed = fmt::format(R"([{}, {{"kind": "expectations", "values": []}}])", kCounts);
  for (const Case& c : {
           Case{mixed, errors::kValueOutOfRange, "/r/bindings/1/kind"},
           Case{R"([{"kind": "memory"}])", errors::kValueOutOfRange, "/r/bindings/0/kind"},
           Case{R"([{"kind": "counts", "num_bits": 1, "counts": {"1": 0}}])", errors::kValueOutOfRange,
                "/r/bindings/0/counts/1"},
           Case{R"([{"kind": "counts", "num_bits": 2, "counts": {"1": 1}}])", errors::kSizeMismatch,
                "/r/bindings/0/counts"},
           Case{R"([{"kind": "counts", "num_bits": 1, "counts": {"1": 1}, "shots": 1}])", errors::kUnknownKey,
                "/r/bindings/0/shots"},
           Case{R"([{"kind": "expectations", "values": [{"kind": "expectation", "value": 1, "standard_error": -1,
                "shots": 1}]}])",
                errors::kValueOutOfRange, "/r/bindings/0/values/0/standard_error"},
           Case{R"([1])", errors::kWrongType, "/r/bindings/0"},
       }) {
    const Json document{{"kind", "pub_result"}, {"bindings", Json::parse(c.bindings)}};
    const auto result = PubResult::parse(document, "/r");
    ASSERT_FALSE(result.has_value()) << c.bindings;
    EXPECT_EQ(result.error().number, c.number) << result.error().to_string();
    EXPECT_EQ(result.error().place, c.place);
  }
  EXPECT_EQ(PubResult::parse(Json{{"kind", "counts"}, {"bindings", Json::array()}}, "/r").error().place, "/r/kind");
  Json other = PubResult{}.document();
  other["arithmetic"] = {{"precision", "f16"}, {"tolerance", 1}};
  EXPECT_EQ(PubResult::parse(other, "/r").error().place, "/r/arithmetic/precision");
}

}  // namespace
}  // namespace tandem::result
