#include "tandem/base/error.h"

#include <gmock/gmock.h>

#include <set>

#include "tandem/base/assert.h"
#include "tandem/base/error_table.h"
#include "tandem/base/result.h"

namespace tandem {
namespace {

TEST(Error, every_number_finds_its_own_record) {
  for (const ErrorRecord& record : errors::kTable) EXPECT_EQ(error_record(record.number).name, record.name);
}

TEST(Error, a_number_without_a_record_yields_that_of_internal) {
  for (const int number : {0, 1, 1000, 65535}) {
    EXPECT_EQ(error_record(ErrorNumber(static_cast<std::uint16_t>(number))).number, errors::kInternal) << number;
  }
}

TEST(Error, names_are_unique_and_exit_codes_stay_below_126) {
  std::set<std::string_view> names;
  for (const ErrorRecord& record : errors::kTable) {
    EXPECT_TRUE(names.insert(record.name).second) << record.name;
    EXPECT_GT(record.exit_code, 0) << record.name;
    EXPECT_LT(record.exit_code, 126) << record.name;
    EXPECT_GE(record.http_status, 400) << record.name;
    EXPECT_LT(record.http_status, 600) << record.name;
    EXPECT_FALSE(record.action.empty()) << record.name;
  }
}

TEST(Error, its_text_has_place_message_number_and_name) {
  const Error error = make_error_at("job.yaml:12:5", errors::kUnknownKey, "unknown key '{}'", "tmie");
  EXPECT_EQ(error.to_string(), "job.yaml:12:5: unknown key 'tmie' [1022 unknown_key]");
  EXPECT_EQ(make_error(errors::kUsage, "no file").to_string(), "no file [1005 usage]");
}

Result<int> half(int n) {
  if (n % 2 != 0) return fail(errors::kValueOutOfRange, "{} is odd", n);
  return n / 2;
}
Result<int> quarter(int n) {
  TANDEM_TRY_ASSIGN(const int h, half(n));
  TANDEM_TRY(half(h));
  return h / 2;
}

TEST(Result, try_binds_the_value_or_returns_the_error) {
  EXPECT_EQ(quarter(12), 3);
  EXPECT_EQ(quarter(3).error(), make_error(errors::kValueOutOfRange, "3 is odd"));
  EXPECT_EQ(quarter(6).error(), make_error(errors::kValueOutOfRange, "3 is odd"));
}

TEST(AssertDeathTest, a_broken_guarantee_ends_the_process_with_its_condition_and_place) {
  EXPECT_DEATH(TANDEM_ASSERT(1 + 1 == 3), "error.test.cc:.*assertion '1 \\+ 1 == 3' failed");
}

}  // namespace
}  // namespace tandem
