#include "tandem/middleware/remote/price_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"

namespace tandem::remote {
namespace {

using job::Money;
using testing::HasSubstr;

constexpr std::string_view kBackends[] = {"vendor.qpu.one", "vendor.qpu.two"};
Timestamp at(std::string_view time) { return parse_rfc3339(time).value(); }
Result<PriceList> parse(std::string_view text) { return PriceList::parse(text, "prices.yaml", kBackends); }

constexpr std::string_view kFile = R"(prices:
  - backend: vendor.qpu.one
    source: contract 7
    as_of: "2026-01-01"
    valid_until: "2026-06-30"
    minimum: $1
    per_job: 0.30
    per_shot: $0.01
    per_1q_gate: 0.0000003
    per_2q_gate: 0.000002
  - backend: vendor.qpu.one
    source: contract 7, annex B
    as_of: "2026-09-01"
    per_job: 0.5
)";

TEST(PriceList, the_latest_entry_that_has_begun_counts_until_its_last_day_is_over) {
  const auto list = parse(kFile);
  ASSERT_THAT(list, Succeeds());
  const auto source = [&](std::string_view time) {
    const ListPrice* found = list->find("vendor.qpu.one", at(time));
    return found == nullptr ? std::string() : found->source;
  };
  EXPECT_EQ(source("2025-12-31T23:59:59.999999Z"), "");
  EXPECT_EQ(source("2026-01-01T00:00:00Z"), "contract 7");
  EXPECT_EQ(source("2026-06-30T23:59:59.999999Z"), "contract 7");
  EXPECT_EQ(source("2026-07-01T00:00:00Z"), "");
  EXPECT_EQ(source("2026-09-01T00:00:00Z"), "contract 7, annex B");
  EXPECT_EQ(source("2036-09-01T00:00:00Z"), "contract 7, annex B");
  EXPECT_EQ(list->find("vendor.qpu.two", at("2026-09-01T00:00:00Z")), nullptr);
  EXPECT_EQ(list->entries().front().words(), "the price list of 2026-01-01 (contract 7)");
}

TEST(PriceList, counts_times_rates_are_rounded_up_to_a_millionth_of_a_dollar) {
  const auto list = parse(kFile);
  ASSERT_THAT(list, Succeeds());
  const ListPrice& price = list->entries().front();
  EXPECT_EQ(price.of({}).value(), Money{1'000'000}) << "the minimum";
  EXPECT_EQ(price.of({.shots = 70}).value(), Money{1'000'000}) << "0.30 + 70 x 0.01, exactly";
  EXPECT_EQ(price.of({.shots = 71}).value(), Money{1'010'000});
  EXPECT_EQ(price.of({.shots = 100, .one_qubit_gates = 1}).value(), Money{1'300'001}) << "0.3 millionths are one";
  EXPECT_EQ(price.of({.shots = 100, .one_qubit_gates = 10, .two_qubit_gates = 3}).value(), Money{1'300'009});
  EXPECT_EQ(price.of({.shots = 1000, .one_qubit_gates = 10'000, .two_qubit_gates = 5'000}).value(), Money{10'313'000});
  EXPECT_THAT(price.of({.shots = UINT64_MAX}), FailsWith(errors::kValueOutOfRange));
}

TEST(PriceList, what_cannot_be_is_refused_with_its_line_and_column) {
  struct Case {
    const char* entry;
    const char* place;
    const char* what;
  };
  for (const Case& one : {
           Case{"backend: vendor.qpu.on, source: c, as_of: \"2026-01-01\", per_job: 1", "prices.yaml:2:15",
                "did you mean 'vendor.qpu.one'"},
           Case{"backend: vendor.qpu.one, source: c, as_of: \"2026-02-30\", per_job: 1", "prices.yaml:2:", "no day"},
           Case{"backend: vendor.qpu.one, source: c, as_of: \"2026-02-01T00:00:00Z\", per_job: 1",
                "prices.yaml:2:", "no day"},
           Case{"backend: vendor.qpu.one, source: c, as_of: \"2026-02-02\", valid_until: \"2026-02-01\", per_job: 1",
                "prices.yaml:2:", "before 2026-02-02"},
           Case{"backend: vendor.qpu.one, source: c, as_of: \"2026-01-01\"", "prices.yaml:2:5", "no rate"},
           Case{"backend: vendor.qpu.one, source: c, as_of: \"2026-01-01\", per_shot: -1",
                "prices.yaml:2:", "not from $0"},
           Case{"backend: vendor.qpu.one, source: c, as_of: \"2026-01-01\", per_shot: 1e10",
                "prices.yaml:2:", "not from $0"},
           Case{"backend: vendor.qpu.one, source: c, as_of: \"2026-01-01\", per_shot: $1x",
                "prices.yaml:2:", "no price"},
           Case{"backend: vendor.qpu.one, source: c, as_of: \"2026-01-01\", per_shots: 1",
                "prices.yaml:2:", "per_shot"},
           Case{"backend: vendor.qpu.one, as_of: \"2026-01-01\", per_shot: 1", "prices.yaml:2:", "source"},
       }) {
    const auto parsed = parse(std::string("prices:\n  - {") + one.entry + "}\n");
    ASSERT_FALSE(parsed.has_value()) << one.entry;
    EXPECT_THAT(parsed.error().place, HasSubstr(one.place)) << parsed.error().to_string();
    EXPECT_THAT(parsed.error().message, HasSubstr(one.what)) << parsed.error().to_string();
  }
  const std::string entry = "  - {backend: vendor.qpu.one, source: c, as_of: \"2026-01-01\", per_job: 1}\n";
  EXPECT_THAT(parse("prices:\n" + entry), Succeeds());
  EXPECT_THAT(parse("prices:\n" + entry + entry).error().place, HasSubstr("prices.yaml:3:"));
}

}  // namespace
}  // namespace tandem::remote
