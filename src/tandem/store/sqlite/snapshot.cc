#include "tandem/store/sqlite/snapshot.h"

#include <utility>

namespace tandem::sqlite {

using store::Table;

namespace {

class SqliteSnapshot final : public store::Snapshot {
 public:
  SqliteSnapshot(std::unique_ptr<Connection> reader, std::uint64_t last_sequence, std::uint64_t schema_version)
      : reader_(std::move(reader)), last_sequence_(last_sequence), schema_version_(schema_version) {}

  std::uint64_t last_sequence() const override { return last_sequence_; }
  std::uint64_t schema_version() const override { return schema_version_; }

  Result<void> read_rows(Table table, const TakeRow& take) override {
    TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement, reader_->statement(Query::kUp, table));
    Use use(statement);
    use.blob(1, "").integer(2, kNoLimit);
    return each(use, [&] { return take({std::string(use.blob_at(0)), use.integer_at(1), Bytes(use.blob_at(2))}); });
  }

  Result<void> read_log(const TakeEntry& take) override {
    TANDEM_TRY_ASSIGN(sqlite3_stmt* const statement, reader_->statement(LogQuery::kAfter));
    Use use(statement);
    use.integer(1, 0).integer(2, kNoLimit);
    return each(use, [&] { return take({use.integer_at(0), std::string(use.blob_at(1)), Bytes(use.blob_at(2))}); });
  }

  Result<std::vector<std::string>> faults() override {
    TANDEM_TRY_ASSIGN(std::vector<std::string> found, reader_->texts("PRAGMA integrity_check"));
    if (found == std::vector<std::string>{"ok"}) found.clear();
    for (std::size_t i = 0; i < store::kNumTables; ++i) {
      const std::string_view name = to_string(static_cast<Table>(i));
      TANDEM_TRY_ASSIGN(const std::int64_t rows,
                        reader_->integer(fmt::format("SELECT count(*) FROM {}", name).c_str()));
      TANDEM_TRY_ASSIGN(const std::int64_t counted,
                        reader_->integer(fmt::format("SELECT rows FROM row_count WHERE name = '{}'", name).c_str()));
      if (rows != counted) found.push_back(fmt::format("table {} has {} rows and counts {}", name, rows, counted));
    }
    return found;
  }

 private:
  template <typename Take>
  Result<void> each(Use& use, Take take) {
    int code = use.step();
    for (; code == SQLITE_ROW; code = use.step()) TANDEM_TRY(take());
    if (code != SQLITE_DONE) return unexpected<Error>(reader_->error(code));
    return {};
  }

  std::unique_ptr<Connection> reader_;
  const std::uint64_t last_sequence_;
  const std::uint64_t schema_version_;
};

}  // namespace

Result<std::unique_ptr<store::Snapshot>> begin_snapshot(std::unique_ptr<Connection> reader) {
  TANDEM_TRY(reader->execute("BEGIN"));
  // The first read is the moment.
  TANDEM_TRY_ASSIGN(const std::int64_t last, reader->integer(sql_of(LogQuery::kLastSequence)));
  TANDEM_TRY_ASSIGN(const std::int64_t version, reader->integer("PRAGMA user_version"));
  return std::make_unique<SqliteSnapshot>(std::move(reader), static_cast<std::uint64_t>(last),
                                          static_cast<std::uint64_t>(version));
}

}  // namespace tandem::sqlite
