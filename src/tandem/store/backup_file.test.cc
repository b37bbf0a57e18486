#include "tandem/store/backup_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/rng.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/memory_fs.h"
#include "tandem/store/testing/backup_bytes.h"

namespace tandem::store {
namespace {

using testing::HasSubstr;

/// All records as text, or the error.
Result<std::vector<std::string>> read(MemoryFs& fs, const std::string& path = "b") {
  TANDEM_TRY_ASSIGN(const auto reader, BackupReader::open(fs, path));
  std::vector<std::string> out;
  while (true) {
    TANDEM_TRY_ASSIGN(const auto record, reader->next());
    if (!record) return out;
    if (const auto* row = std::get_if<BackupRow>(&*record))
      out.push_back(fmt::format("{} {}@{}={}", to_string(row->table), row->row.key, row->row.version, row->row.value));
    else
      out.push_back(fmt::format("{} {}={}", std::get<LogEntry>(*record).sequence, std::get<LogEntry>(*record).subject,
                                std::get<LogEntry>(*record).value));
  }
}

Result<std::vector<std::string>> read(const std::string& bytes) {
  MemoryFs fs;
  fs.put_file("b", bytes);
  return read(fs);
}

BackupHeader header(std::uint64_t last_sequence) {
  return {.store = "sqlite",
          .schema_version = 1,
          .last_sequence = last_sequence,
          .created_at = Timestamp{1'767'323'045'000'006},
          .tandem = "0.1.0"};
}

TEST(BackupFile, records_read_back_as_they_were_written) {
  Xoshiro256 rng(7);
  Bytes noise;
  for (int i = 0; i < 3'000'000; ++i) noise += static_cast<char>(rng());
  for (const Compression compression : {Compression::kNone, Compression::kZlib}) {
    MemoryFs fs;
    std::vector<std::string> expected;
    const auto file = BackupWriter::create(fs, "b", header(300), compression).value();
    for (const Table table : {Table::kJob, Table::kBlob, Table::kMeta}) {
      const std::vector<Row> rows = {
          {"", 1, ""}, {std::string("\0", 1), INT64_MAX, noise}, {"k", 3, Bytes(5'000'000, 'z')}};
      for (const Row& row : rows) {
        ASSERT_THAT(file->add(table, row), Succeeds());
        expected.push_back(fmt::format("{} {}@{}={}", to_string(table), row.key, row.version, row.value));
      }
    }
    for (std::uint64_t i = 1; i <= 300; ++i) {
      ASSERT_THAT(file->add(LogEntry{i, "s" + std::to_string(i), "v"}), Succeeds());
      expected.push_back(fmt::format("{} s{}=v", i, i));
    }
    EXPECT_FALSE(fs.exists("b"));
    ASSERT_THAT(file->finish(), Succeeds());
    EXPECT_EQ(file->bytes(), fs.read_file("b", UINT64_MAX)->size());
    const auto back = read(fs);
    ASSERT_THAT(back, Succeeds());
    EXPECT_TRUE(*back == expected);  // megabytes: not to be printed
    const auto reader = BackupReader::open(fs, "b").value();
    EXPECT_EQ(reader->header().store, "sqlite");
    EXPECT_EQ(reader->header().schema_version, 1u);
    EXPECT_EQ(reader->header().last_sequence, 300u);
    EXPECT_EQ(reader->header().created_at.micros, 1'767'323'045'000'006);
    EXPECT_EQ(reader->header().tandem, "0.1.0");
  }
}

TEST(BackupFile, what_the_guide_says_can_be_read) {
  const auto back =
      read(backup_bytes(kBackupHeader, backup_block(backup_row(0, 3, "a", "x") + backup_row(1, 1, "b", "")) +
                                           backup_block(backup_entry(1, "s", "v"))));
  ASSERT_THAT(back, Succeeds());
  EXPECT_THAT(*back, testing::ElementsAre("job a@3=x", "meta b@1=", "1 s=v"));
}

TEST(BackupFile, every_changed_byte_and_every_missing_one_is_noticed) {
  MemoryFs fs;
  const auto file = BackupWriter::create(fs, "b", header(1), Compression::kZlib).value();
  ASSERT_THAT(file->add(Table::kJob, {"key", 1, Bytes(100, 'v')}), Succeeds());
  ASSERT_THAT(file->add(LogEntry{1, "s", "v"}), Succeeds());
  ASSERT_THAT(file->finish(), Succeeds());
  const Bytes whole = fs.read_file("b", UINT64_MAX).value();
  ASSERT_THAT(read(whole), Succeeds());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const int change : {1, 0x80}) {
      Bytes changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ change);
      const auto back = read(changed);
      ASSERT_FALSE(back.has_value()) << i;
      EXPECT_TRUE(back.error().number == errors::kBackupDamaged || back.error().number == errors::kStoreNewer) << i;
    }
    const auto cut = read(whole.substr(0, i));
    ASSERT_THAT(cut, FailsWith(errors::kBackupDamaged)) << i;
    EXPECT_THAT(cut.error().message, HasSubstr(fmt::format("from byte {} on", i < 8 ? 0 : i))) << i;
  }
  EXPECT_THAT(read(whole + "x"), FailsWith(errors::kBackupDamaged));
}

TEST(BackupFile, records_that_break_the_rules_are_damage_though_every_checksum_holds) {
  const std::string entry = backup_entry(1, "s", "");
  const std::string bad[] = {
      backup_row(2, 1, "table", "") + entry,                         // no such table
      backup_row(0, 0, "version", "") + entry,                       // no such version
      backup_row(0, 1, "b", "") + backup_row(0, 1, "a", "") + entry,  // order of keys
      backup_row(0, 1, "a", "") + backup_row(0, 1, "a", "") + entry,  // twice
      backup_row(1, 1, "a", "") + backup_row(0, 1, "b", "") + entry,  // order of tables
      entry + backup_row(0, 1, "a", ""),                             // rows after the log
      backup_entry(2, "s", ""),                                      // a gap
      entry + backup_entry(1, "s", ""),                              // twice
      "",                                                            // fewer entries than the header says
      entry + backup_entry(2, "s", ""),                              // more
      little_endian(3, 1) + entry,                                   // no such kind
      entry.substr(0, entry.size() - 1),                             // the last one is not whole
      backup_row(0, 1, std::string(1025, 'k'), "") + entry,          // a key over the limit
      little_endian(1, 1) + little_endian(0, 1) + little_endian(1, 8) + little_endian(1, 4) +
          little_endian(1u << 29, 4) + "k",  // a length that lies
  };
  for (const std::string& records : bad) {
    const auto back = read(backup_bytes(kBackupHeader, records.empty() ? "" : backup_block(records)));
    EXPECT_THAT(back, FailsWith(errors::kBackupDamaged)) << testing::PrintToString(records);
  }
}

TEST(BackupFile, a_later_format_or_an_unknown_table_asks_for_a_newer_binary) {
  EXPECT_THAT(read(backup_bytes(kBackupHeader, "", 2)), FailsWith(errors::kStoreNewer));
  std::string later(kBackupHeader);
  later.replace(later.find("meta"), 4, "moon");
  EXPECT_THAT(read(backup_bytes(later, "")), FailsWith(errors::kStoreNewer));
  EXPECT_THAT(read("SQLite format 3"), FailsWith(errors::kBackupDamaged));
  EXPECT_THAT(read(""), FailsWith(errors::kBackupDamaged));
  EXPECT_THAT(read(backup_bytes("{}", "")), FailsWith(errors::kBackupDamaged));
}

TEST(BackupFile, a_disk_that_fills_up_or_a_writer_that_gives_up_leaves_no_file) {
  for (std::uint64_t space = 0; space < 3'000'000; space = 2 * space + 10) {
    MemoryFs fs;
    fs.fill_disk_after(space);
    const auto written = [&]() -> Result<void> {
      TANDEM_TRY_ASSIGN(const auto file, BackupWriter::create(fs, "b", header(0), Compression::kNone));
      TANDEM_TRY(file->add(Table::kJob, {"k", 1, Bytes(3'000'000, 'v')}));
      return file->finish();
    }();
    EXPECT_THAT(written, FailsWith(errors::kDiskFull));
    EXPECT_FALSE(fs.exists("b"));
  }
}

}  // namespace
}  // namespace tandem::store
