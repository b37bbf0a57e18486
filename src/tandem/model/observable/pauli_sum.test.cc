#include "tandem/model/observable/pauli_sum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace tandem::observable {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(PauliSum, text_puts_qubit_0_first_and_y_sets_both_bits) {
  const PauliTerm term = PauliSum::parse_term("XIZY", 2.5).value();
  EXPECT_EQ(term, (PauliTerm{.x = 0b1001, .z = 0b1100, .coefficient = 2.5}));
  EXPECT_EQ(PauliSum::to_string(term, 4), "XIZY");
}

TEST(PauliSum, every_string_on_three_qubits_reads_back) {
  for (std::uint64_t x = 0; x < 8; ++x) {
    for (std::uint64_t z = 0; z < 8; ++z) {
      const PauliTerm term{.x = x, .z = z, .coefficient = -1};
      EXPECT_EQ(PauliSum::parse_term(PauliSum::to_string(term, 3), -1).value(), term);
    }
  }
}

TEST(PauliSum, equal_strings_are_added_sorted_and_dropped_at_zero) {
  const auto sum = PauliSum::create(2, {{.x = 1, .z = 0, .coefficient = 1},
                                        {.x = 0, .z = 3, .coefficient = 0.5},
                                        {.x = 0, .z = 1, .coefficient = 2},
                                        {.x = 0, .z = 3, .coefficient = 0.25},
                                        {.x = 1, .z = 0, .coefficient = -1}})
                       .value();
  EXPECT_THAT(sum.terms(), testing::ElementsAre(PauliTerm{.x = 0, .z = 1, .coefficient = 2},
                                                PauliTerm{.x = 0, .z = 3, .coefficient = 0.75}));
}

TEST(PauliSum, document_reads_back) {
  const auto sum = PauliSum::create(64, {{.x = 1, .z = 1ull << 63, .coefficient = 0.1}, {.coefficient = -2}}).value();
  EXPECT_EQ(PauliSum::parse(sum.document(), "").value(), sum);
  EXPECT_EQ(PauliSum::create(2, {{.z = 1, .coefficient = 0.5}}).value().document(),
            Json::parse(R"({"num_qubits": 2, "terms": [["ZI", 0.5]]})"));
}

TEST(PauliSum, what_is_outside_the_limits_is_refused) {
  EXPECT_EQ(PauliSum::create(65, {}).error().number, errors::kModelTooLarge);
  EXPECT_EQ(PauliSum::create(2, {{.x = 4, .coefficient = 1}}).error().number, errors::kIndexOutOfRange);
  EXPECT_EQ(PauliSum::create(2, {{.coefficient = kInfinity}}).error().number, errors::kNotFinite);
  EXPECT_EQ(PauliSum::create(2, {{.coefficient = 1.7e308}, {.coefficient = 1.7e308}}).error().number,
            errors::kNotFinite);
  EXPECT_EQ(PauliSum::parse_term("XQ", 1).error().number, errors::kBadEncoding);
  EXPECT_EQ(PauliSum::parse_term(std::string(65, 'I'), 1).error().number, errors::kModelTooLarge);
}

TEST(PauliSum, parse_names_the_place_of_the_error) {
  struct Case {
    std::string_view text;
    ErrorNumber number;
    std::string_view place;
  };
  for (const Case& c :
       {Case{R"({"num_qubits": 2, "terms": [["ZI", 1], ["ZIZ", 1]]})", errors::kSizeMismatch, "/o/terms/1"},
        Case{R"({"num_qubits": 2, "terms": [["zI", 1]]})", errors::kBadEncoding, "/o/terms/0"},
        Case{R"({"num_qubits": 2, "terms": [["ZI", "1"]]})", errors::kWrongType, "/o/terms/0"},
        Case{R"({"num_qubits": 2, "terms": [[1, "ZI"]]})", errors::kWrongType, "/o/terms/0"},
        Case{R"({"num_qubits": 99, "terms": []})", errors::kValueOutOfRange, "/o/num_qubits"},
        Case{R"({"num_qubits": 2, "term": []})", errors::kUnknownKey, "/o/term"},
        Case{R"({"num_qubits": 2})", errors::kMissingKey, "/o"}}) {
    const auto result = PauliSum::parse(Json::parse(c.text), "/o");
    ASSERT_FALSE(result.has_value()) << c.text;
    EXPECT_EQ(result.error().number, c.number) << c.text;
    EXPECT_EQ(result.error().place, c.place) << c.text;
  }
}

}  // namespace
}  // namespace tandem::observable
