#include "tandem/store/postgres/log_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"
#include "tandem/store/postgres/testing/database.h"
#include "tandem/store/testing/conformance.h"

namespace tandem::postgres {
namespace {

using store::Batch;
using store::LogEntry;
using testing::ElementsAre;

std::vector<std::string> values_of(const std::vector<LogEntry>& entries) {
  std::vector<std::string> out;
  for (const LogEntry& entry : entries)
    out.push_back(fmt::format("{} {} {}", entry.sequence, entry.subject, entry.value));
  return out;
}

class LogRows : public testing::Test {
 protected:
  std::string rows() {
    return database_.sql("SELECT string_agg(sequence || ':' || entries, ' ' ORDER BY sequence) FROM tandem.event_log");
  }
  Database database_;
  std::unique_ptr<PostgresStore> store_ = database_.try_open().value();
};

TEST_F(LogRows, neighbours_of_one_subject_share_a_row_and_are_read_one_by_one) {
  const std::string every_byte("\0\xff\n", 3);
  ASSERT_THAT(store_->commit_and_wait(
                  Batch().append("a", "1").append("a", "").append("a", every_byte).append("b", "4").append("a", "5")),
              Succeeds());
  ASSERT_THAT(store_->commit_and_wait(Batch().append("a", "6").append("a", "7")), Succeeds());
  EXPECT_EQ(rows(), "3:3 4:1 5:1 7:2");
  const std::vector<std::string> all = {"1 a 1", "2 a ", "3 a " + every_byte, "4 b 4", "5 a 5", "6 a 6", "7 a 7"};
  for (std::uint64_t after = 0; after <= all.size(); ++after) {
    for (std::size_t limit = 0; limit <= all.size(); ++limit) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(after);
      const std::size_t count = std::min(limit, all.size() - after);
      EXPECT_EQ(values_of(store_->read_log(after, limit).value()),
                std::vector<std::string>(begin, begin + static_cast<std::ptrdiff_t>(count)))
          << after << ", " << limit;
    }
  }
  EXPECT_THAT(values_of(store_->read_log(1, 3, "a").value()), ElementsAre("2 a ", "3 a " + every_byte, "5 a 5"));
  EXPECT_THAT(store_->snapshot().value()->faults().value(), testing::IsEmpty());
}

TEST_F(LogRows, a_row_ends_where_the_server_would_compress_it) {
  const Bytes half(kLogRowBytesMax / 2 - 10, 'h');
  const Bytes large(2 * kLogRowBytesMax, 'l');
  Batch batch;
  for (const Bytes& value : {half, half, half, large, large, half}) batch.append("s", value);
  ASSERT_THAT(store_->commit_and_wait(std::move(batch)), Succeeds());
  EXPECT_EQ(rows(), "2:2 3:1 4:1 5:1 6:1");
}

TEST_F(LogRows, a_row_that_does_not_hold_what_it_says_is_damaged) {
  ASSERT_THAT(store_->commit_and_wait(Batch().append("s", "one").append("s", "two")), Succeeds());
  for (const char* damage : {"entries = 3", "entries = 0", "entries = -1", "value = value || '\\x00'", "value = ''",
                             "value = '\\xffffffff61'", "value = substr(value, 1, 9)"}) {
    const std::string kept = database_.sql("SELECT value FROM tandem.event_log");
    database_.sql(fmt::format("UPDATE tandem.event_log SET {}", damage));
    EXPECT_THAT(store_->read_log(0, 10), FailsWith(errors::kStoreDamaged)) << damage;
    EXPECT_THAT(store_->snapshot().value()->read_log([](const LogEntry&) { return Result<void>(); }),
                FailsWith(errors::kStoreDamaged))
        << damage;
    database_.sql(fmt::format("UPDATE tandem.event_log SET entries = 2, value = '{}'", kept));
  }
  EXPECT_THAT(values_of(store_->read_log(0, 10).value()), ElementsAre("1 s one", "2 s two"));
}

TEST_F(LogRows, those_of_an_older_schema_have_one_entry_each) {
  ASSERT_THAT(store_->commit_and_wait(Batch().append("s", "1").append("t", "2")), Succeeds());
  store_.reset();
  database_.sql(
      "ALTER TABLE tandem.event_log DROP COLUMN entries, DROP COLUMN mark; UPDATE tandem.schema_version SET version = "
      "2");
  store_ = database_.try_open().value();
  ASSERT_THAT(store_->commit_and_wait(Batch().append("t", "3").append("t", "4")), Succeeds());
  EXPECT_EQ(rows(), "1:1 2:1 4:2");
  EXPECT_THAT(values_of(store_->read_log(0, 10).value()), ElementsAre("1 s 1", "2 t 2", "3 t 3", "4 t 4"));
  EXPECT_THAT(store_->snapshot().value()->faults().value(), testing::IsEmpty());
}

}  // namespace
}  // namespace tandem::postgres
