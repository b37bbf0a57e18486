#include "tandem/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tandem/base/testing/matchers.h"
#include "tandem/store/precondition.h"

namespace tandem::store {
namespace {

TEST(Table, names_are_distinct_identifiers) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kNumTables; ++i) {
    const std::string_view name = to_string(static_cast<Table>(i));
    EXPECT_THAT(std::string(name), testing::MatchesRegex("[a-z_]+"));
    names.insert(name);
  }
  EXPECT_EQ(names.size(), kNumTables);
}

TEST(Scan, a_prefix_ends_before_the_next_key_without_it) {
  const auto until = [](std::string prefix) { return Scan::prefix(Table::kJob, std::move(prefix)).until; };
  EXPECT_EQ(until("ab"), "ac");
  EXPECT_EQ(until("a\x7f"), "a\x80");
  EXPECT_EQ(until("a\xff"), "b");
  EXPECT_EQ(until("a\xff\xff"), "b");
  EXPECT_EQ(until("\xff"), "");
  EXPECT_EQ(until(""), "");
  EXPECT_EQ(until(std::string(1, '\0')), "\x01");
}

TEST(Precondition, messages_show_the_key_readably) {
  const auto error = check_expect(Table::kStep, std::string("a\0\xff\\'", 5), Expect::at(3), 4);
  ASSERT_THAT(error, FailsWith(errors::kPreconditionFailed));
  EXPECT_EQ(error.error().message,
            R"(step 'a\x00\xff\x5c'' is at version 4 and was expected at version 3: read again)");
  const auto cut = check_expect(Table::kStep, std::string(2000, 'k'), Expect::present(), std::nullopt);
  EXPECT_LT(cut.error().message.size(), 200);
}

TEST(SizeBytes, counts_keys_and_values) {
  const Batch batch = Batch()
                          .put(Table::kJob, "key", "value")
                          .erase(Table::kJob, "k")
                          .check(Table::kJob, "kk", Expect::any())
                          .append("s", "vv");
  EXPECT_EQ(size_bytes(batch), 3 + 5 + 1 + 2 + 1 + 2);
  EXPECT_THAT(check_limits(batch), Succeeds());
}

}  // namespace
}  // namespace tandem::store
