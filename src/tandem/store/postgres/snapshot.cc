#include "tandem/store/postgres/snapshot.h"

#include <limits>
#include <utility>

#include "tandem/store/postgres/log_rows.h"

namespace tandem::postgres {

using store::Table;

namespace {

constexpr std::int64_t kPageRows = 1000;
constexpr std::int64_t kPageBytes = std::int64_t{4} << 20;
constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

/// Not the name of sessions that group_writer.cc ends when they hold on to a transaction: this one is meant to.
constexpr const char* kApplicationName = "tandem snapshot";
constexpr const char* kPatience = "SET idle_in_transaction_session_timeout = '10min'";

class PostgresSnapshot final : public store::Snapshot {
 public:
  PostgresSnapshot(std::unique_ptr<Connection> session, std::uint64_t last_sequence, std::vector<std::int64_t> counts,
                   std::uint64_t schema_version)
      : session_(std::move(session)),
        last_sequence_(last_sequence),
        counts_(std::move(counts)),
        schema_version_(schema_version) {}

  std::uint64_t last_sequence() const override { return last_sequence_; }
  std::uint64_t schema_version() const override { return schema_version_; }

  Result<void> read_rows(Table table, const TakeRow& take) override {
    for (std::string from;;) {
      TANDEM_TRY_ASSIGN(const Answer page, session_->run(statement(Query::kPage, table),
                                                         Params().bytes(from).integer(kPageRows).integer(kPageBytes)));
      if (page.num_rows() == 0) return {};
      for (std::size_t i = 0; i < page.num_rows(); ++i) {
        TANDEM_TRY(take(
            {std::string(page.bytes(i, 0)), static_cast<std::uint64_t>(page.integer(i, 1)), Bytes(page.bytes(i, 2))}));
      }
      from = std::string(page.bytes(page.num_rows() - 1, 0)) + '\0';
    }
  }

  Result<void> read_log(const TakeEntry& take) override {
    for (std::int64_t after = 0;;) {
      TANDEM_TRY_ASSIGN(const Answer page,
                        session_->run(statement(CommonQuery::kLogPage),
                                      Params().integer(after).integer(kPageRows).integer(kPageBytes)));
      if (page.num_rows() == 0) return {};
      TANDEM_TRY_ASSIGN(std::vector<store::LogEntry> entries,
                        entries_of(page, static_cast<std::uint64_t>(after), kAll));
      for (store::LogEntry& entry : entries) TANDEM_TRY(take(std::move(entry)));
      after = page.integer(page.num_rows() - 1, 0);
    }
  }

  Result<std::vector<std::string>> faults() override {
    std::vector<std::string> found;
    for (std::size_t i = 0; i < store::kNumTables; ++i) {
      const auto table = static_cast<Table>(i);
      TANDEM_TRY_ASSIGN(const Answer answer, session_->run(statement(Query::kCount, table), Params().bytes("")));
      if (answer.integer(0, 0) != counts_[i]) {
        found.push_back(
            fmt::format("table {} has {} rows and counts {}", to_string(table), answer.integer(0, 0), counts_[i]));
      }
    }
    TANDEM_TRY_ASSIGN(const Answer entries, session_->run(statement(CommonQuery::kLogSize)));
    if (entries.integer(0, 0) != static_cast<std::int64_t>(last_sequence_))
      found.push_back(
          fmt::format("the log has {} entries and its head says {}", entries.integer(0, 0), last_sequence_));
    return found;
  }

 private:
  std::unique_ptr<Connection> session_;
  const std::uint64_t last_sequence_;
  const std::vector<std::int64_t> counts_;
  const std::uint64_t schema_version_;
};

}  // namespace

Result<std::unique_ptr<store::Snapshot>> begin_snapshot(Address address, std::chrono::milliseconds answer_wait,
                                                        const Clock& clock) {
  address.options["application_name"] = kApplicationName;
  TANDEM_TRY_ASSIGN(auto session, Connection::open(address, answer_wait, clock));
  TANDEM_TRY(session->script(kPatience));
  session->send(statement(CommonQuery::kBeginSnapshot));
  session->send(statement(CommonQuery::kSnapshotHead));  // the first read is the moment
  TANDEM_TRY_ASSIGN(const std::vector<Answer> answers, session->finish());
  const Answer& head = answers.at(1);
  if (head.num_rows() != 1 || head.null(0, 2) || head.integers(0, 1).size() != store::kNumTables)
    return fail(errors::kStoreDamaged, "{} has no head: restore the last backup", address.shown);
  return std::make_unique<PostgresSnapshot>(std::move(session), static_cast<std::uint64_t>(head.integer(0, 0)),
                                            head.integers(0, 1), static_cast<std::uint64_t>(head.integer(0, 2)));
}

}  // namespace tandem::postgres
