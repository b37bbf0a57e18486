#include "tandem/store/postgres/postgres_store.h"

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/store/postgres/address.h"
#include "tandem/store/postgres/schema.h"
#include "tandem/store/postgres/signals.h"
#include "tandem/store/postgres/testing/database.h"
#include "tandem/store/testing/conformance.h"

namespace tandem::store {

using postgres::Database;

struct PostgresHarness {
  Database database;
  std::unique_ptr<Store> open() { return database.try_open().value(); }
};
/// The other end of every option: groups of two that wait for company, and one session that reads.
struct SmallPostgresHarness {
  Database database;
  std::unique_ptr<Store> open() {
    return database.try_open({.commit_batch_max = 2, .commit_wait = std::chrono::microseconds(50), .readers_max = 1})
        .value();
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, StoreConformance, PostgresHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(SmallPostgres, StoreConformance, SmallPostgresHarness);

}  // namespace tandem::store

namespace tandem::postgres {
namespace {

using store::Batch;
using store::Expect;
using store::Table;
using testing::HasSubstr;
using testing::Not;

TEST(Postgres, two_processes_share_one_log_without_gaps_and_no_change_is_lost) {
  Database database;
  const auto one = database.try_open().value();
  const auto two = database.try_open().value();
  constexpr int kThreads = 6;
  constexpr int kChanges = 40;
  std::atomic<int> refused = 0;
  store::run_threads(kThreads, [&](int thread) {
    store::Store& store = thread % 2 == 0 ? *one : *two;
    for (int i = 0; i < kChanges; ++i) {
      while (true) {
        const auto row = store.get(Table::kBudget, "counter").value();
        const int value = row ? std::stoi(row->value) : 0;
        const auto done = store.commit_and_wait(Batch()
                                                    .put(Table::kBudget, "counter", std::to_string(value + 1),
                                                         row ? Expect::at(row->version) : Expect::absent())
                                                    .append("counter", std::to_string(value + 1)));
        if (done) break;
        ASSERT_EQ(done.error().number, errors::kPreconditionFailed) << done.error().to_string();
        ++refused;
      }
    }
  });
  EXPECT_EQ(two->get(Table::kBudget, "counter").value()->value, std::to_string(kThreads * kChanges));
  const auto log = store::log_of(*one, 0, 1000);
  ASSERT_EQ(log.size(), static_cast<std::size_t>(kThreads * kChanges));
  for (std::size_t i = 0; i < log.size(); ++i) {
    EXPECT_EQ(log[i].sequence, i + 1);
    EXPECT_EQ(log[i].value, std::to_string(i + 1));  // the order of the log is that of the changes
  }
  EXPECT_GT(refused, 0);  // else they never met
}

TEST(Postgres, two_processes_that_start_at_once_make_one_schema) {
  Database database;
  std::vector<Result<std::unique_ptr<PostgresStore>>> opened(4);
  store::run_threads(4, [&](int i) { opened[static_cast<std::size_t>(i)] = database.try_open(); });
  for (const auto& store : opened) EXPECT_THAT(store, Succeeds());
  EXPECT_EQ(database.sql("SELECT version FROM tandem.schema_version"), std::to_string(migrations().size()));
}

/// All that makes the schema: tables with their columns and how full their pages are, indexes and constraints.
std::string shape_of(Database& database) {
  return database.sql(
      "SELECT string_agg(part, E'\\n' ORDER BY part) FROM ("
      "SELECT concat_ws(' ', c.relname, c.reloptions, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
      "pg_get_expr(d.adbin, d.adrelid)) AS part FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND "
      "a.attnum > 0 AND NOT a.attisdropped LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum "
      "WHERE c.relnamespace = 'tandem'::regnamespace AND c.relkind IN ('r', 'i') UNION ALL "
      "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'tandem'::regnamespace) parts");
}

TEST(Postgres, a_store_of_any_earlier_schema_is_migrated_with_what_it_holds) {
  Database fresh;
  fresh.try_open().value().reset();
  EXPECT_THAT(shape_of(fresh),
              testing::AllOf(HasSubstr("job {fillfactor=40} key bytea t"), HasSubstr("store_head_pkey")));
  for (std::size_t version = 1; version < migrations().size(); ++version) {
    SCOPED_TRACE(version);
    Database database;
    database.sql("CREATE SCHEMA tandem");
    for (const char* migration : migrations().first(version)) database.sql(migration);
    // As every one of them wrote a job and two entries of different subjects.
    database.sql(
        fmt::format("UPDATE tandem.schema_version SET version = {}; "
                    "INSERT INTO tandem.job VALUES ('k', 1, 'one'); "
                    "INSERT INTO tandem.event_log (sequence, subject, value) VALUES (1, 's', 'a'), (2, 't', 'b'); "
                    "INSERT INTO tandem.writer (id, mark, seen) VALUES ('gone', 1, now()); "
                    "UPDATE tandem.store_head SET sequence = 2, rows[1] = 1",
                    version));
    const SystemClock clock;
    EXPECT_THAT(PostgresStore::open_for_reading(database.address(), {}, clock), FailsWith(errors::kStoreForeign));
    const auto store = database.try_open().value();
    EXPECT_EQ(database.sql("SELECT version FROM tandem.schema_version"), std::to_string(migrations().size()));
    EXPECT_EQ(shape_of(database), shape_of(fresh));
    EXPECT_EQ(store->get(Table::kJob, "k").value(), (store::Row{.key = "k", .version = 1, .value = "one"}));
    const auto done =
        store->commit_and_wait(Batch().put(Table::kJob, "k", "two", Expect::at(1)).append("s", "c").append("s", "d"));
    ASSERT_THAT(done, Succeeds());
    EXPECT_THAT(done->sequences, testing::ElementsAre(3, 4));
    const auto log = store::log_of(*store, 0, 10);
    ASSERT_EQ(log.size(), 4u);
    for (std::size_t i = 0; i < log.size(); ++i) {
      EXPECT_EQ(log[i].sequence, i + 1);
      EXPECT_EQ(log[i].subject, i == 1 ? "t" : "s");
      EXPECT_EQ(log[i].value, Bytes(1, static_cast<char>('a' + i)));
    }
    EXPECT_EQ(store->count(Table::kJob, ""), 1u);
  }
}

TEST(Postgres, jobs_that_end_together_find_room_on_their_pages) {
  Database database;
  const auto store = database.try_open().value();
  constexpr int kJobs = 300;
  const auto key = [](int i) { return fmt::format("job_{:036}", i); };
  Batch queued;
  Batch ended;
  for (int i = 0; i < kJobs; ++i) queued.put(Table::kJob, key(i), Bytes(371, 'q'), Expect::absent());
  for (int i = 0; i < kJobs; ++i) ended.put(Table::kJob, key(i), Bytes(554, 'e'), Expect::at(1));
  const auto pages_of = [&](Batch batch) {
    EXPECT_THAT(store->commit_and_wait(std::move(batch)), Succeeds());
    return database.sql("SELECT pg_relation_size('tandem.job') / current_setting('block_size')::int");
  };
  const std::string before = pages_of(std::move(queued));
  EXPECT_EQ(pages_of(std::move(ended)), before);
}

TEST(Postgres, a_role_without_the_right_to_create_schemas_can_be_given_one) {
  Database database;
  database.sql("CREATE ROLE modest LOGIN");
  database.sql("CREATE SCHEMA tandem AUTHORIZATION modest");
  ThreadExecutor executor(1);
  SystemClock clock;
  SystemRng rng;
  NullMeter meter;
  std::string address = database.address();
  address.replace(address.find("postgres@"), 8, "modest");
  EXPECT_THAT(PostgresStore::open(address, {}, executor, clock, rng, meter), Succeeds());
}

TEST(Postgres, a_store_that_a_newer_version_migrates_takes_nothing_more) {
  Database database;
  const auto store = database.try_open().value();
  database.sql("UPDATE tandem.schema_version SET version = version + 1");
  EXPECT_THAT(store->commit_and_wait(Batch().put(Table::kMeta, "k", "v")), FailsWith(errors::kStoreNewer));
  EXPECT_THAT(store->commit_and_wait(Batch().put(Table::kMeta, "k", "v")), FailsWith(errors::kStoreClosed));
}

TEST(Postgres, a_process_hears_of_the_commits_of_others_and_not_of_its_own) {
  Database database;
  const auto one = database.try_open().value();
  const auto two = database.try_open().value();
  std::atomic<int> heard_by_one = 0;
  std::atomic<int> heard_by_two = 0;
  const auto first = one->watch([&] { ++heard_by_one; });
  const auto second = two->watch([&] { ++heard_by_two; });
  while (heard_by_one == 0 || heard_by_two == 0) std::this_thread::yield();  // each begins by looking once
  // They greet each other first, so it may take some rounds until one of them brings nothing to the one who commits.
  bool heard_itself = true;
  for (int round = 0; heard_itself && round < 20; ++round) {
    const int before = heard_by_one;
    const int known = heard_by_two;
    for (int i = 0; heard_by_two < known + 2; ++i)
      ASSERT_THAT(one->commit_and_wait(Batch().put(Table::kMeta, "k", std::to_string(i))), Succeeds());
    heard_itself = heard_by_one != before;
  }
  EXPECT_FALSE(heard_itself);
}

TEST(Postgres, who_hears_another_process_for_the_first_time_answers_and_tells_of_its_commits_from_then_on) {
  Database database;
  const SystemClock clock;
  const auto store = database.try_open().value();
  std::atomic<int> heard = 0;
  const auto watching = store->watch([&] { ++heard; });
  while (heard == 0) std::this_thread::yield();
  const auto other =
      Connection::open(Address::parse(database.address()).value(), std::chrono::seconds(30), clock).value();
  const std::atomic<int> own = other->server_process();
  const auto wait_for_news = [&] {
    Result<std::vector<std::string>> news;
    while (news && news->empty()) news = other->wait_for_notification(std::chrono::milliseconds(200), own);
    return news.has_value();
  };
  ASSERT_THAT(other->script("LISTEN tandem"), Succeeds());
  ASSERT_THAT(other->script("NOTIFY tandem"), Succeeds());
  EXPECT_TRUE(wait_for_news());
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(store->commit_and_wait(Batch().put(Table::kMeta, "k", std::to_string(i))), Succeeds());
    EXPECT_TRUE(wait_for_news());
  }
}

TEST(Postgres, who_begins_to_listen_is_answered_also_by_those_who_know_of_others_already) {
  Database database;
  const auto store = database.try_open().value();
  const Address address = Address::parse(database.address()).value();
  const FakeClock still;  // by it the next hello is never due
  ThreadExecutor executor(1);
  Signals signals(address, std::chrono::seconds(30), executor, still);
  std::atomic<int> heard = 0;
  const auto watching = signals.watch([&] { ++heard; });
  while (heard == 0) std::this_thread::yield();
  const auto other = Connection::open(address, std::chrono::seconds(30), still).value();
  const std::atomic<int> own = other->server_process();
  ASSERT_THAT(other->script("NOTIFY tandem"), Succeeds());
  while (heard == 1) std::this_thread::yield();
  ASSERT_THAT(other->script("LISTEN tandem"), Succeeds());
  for (int i = 0; i < 5; ++i) {  // its first words may still be under way
    ASSERT_THAT(other->script("NOTIFY tandem, 'who'"), Succeeds());
    Result<std::vector<std::string>> news;
    for (int look = 0; look < 100 && news && news->empty(); ++look)
      news = other->wait_for_notification(std::chrono::milliseconds(200), own);
    ASSERT_THAT(news, Succeeds());
    ASSERT_FALSE(news->empty());
  }
}

TEST(Postgres, a_burst_of_commits_is_told_in_few_words) {
  Database database;
  const Address address = Address::parse(database.address()).value();
  const FakeClock still;  // the other process counts as heard all the time
  const SystemClock clock;
  ThreadExecutor executor(1);
  Signals signals(address, std::chrono::seconds(30), executor, still);
  std::atomic<int> heard = 0;
  const auto watching = signals.watch([&] { ++heard; });
  while (heard == 0) std::this_thread::yield();
  const auto other = Connection::open(address, std::chrono::seconds(30), still).value();
  const std::atomic<int> own = other->server_process();
  ASSERT_THAT(other->script("NOTIFY tandem"), Succeeds());
  while (heard == 1) std::this_thread::yield();
  const Instant begin = clock.monotonic();
  ASSERT_THAT(other->script("LISTEN tandem"), Succeeds());
  std::int64_t commits = 0;
  std::int64_t words = 0;
  while (commits < 1'000 || words < 20) {
    signals.changed();
    ++commits;
    const auto news = other->wait_for_notification(std::chrono::milliseconds(0), own);
    ASSERT_THAT(news, Succeeds());
    words += std::ssize(*news);
  }
  EXPECT_LE(words, (clock.monotonic() - begin) / Signals::kQuiet + 1);  // one kQuiet at least is between two
}

TEST(Postgres, its_clock_is_that_of_the_server) {
  Database database;
  const auto store = database.try_open().value();
  const std::int64_t before = std::stoll(database.sql("SELECT (extract(epoch FROM now()) * 1000000)::int8"));
  const std::int64_t said = store->now().value().micros;
  EXPECT_LE(before, said);
  EXPECT_LE(said, std::stoll(database.sql("SELECT (extract(epoch FROM now()) * 1000000)::int8")));
}

TEST(Postgres, a_schema_of_a_newer_version_and_one_of_others_are_left_alone) {
  Database newer;
  newer.try_open().value().reset();
  newer.sql("UPDATE tandem.schema_version SET version = 99");
  EXPECT_THAT(newer.try_open(), FailsWith(errors::kStoreNewer));
  Database foreign;
  foreign.sql("CREATE SCHEMA tandem; CREATE TABLE tandem.songs (title text)");
  EXPECT_THAT(foreign.try_open(), FailsWith(errors::kStoreForeign));
  EXPECT_EQ(foreign.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'tandem'::regnamespace AND relkind = 'r'"),
            "1");
  Database damaged;
  damaged.try_open().value().reset();
  damaged.sql("DELETE FROM tandem.store_head");
  const auto store = damaged.try_open().value();
  EXPECT_THAT(store->commit_and_wait(Batch().put(Table::kMeta, "k", "v")), FailsWith(errors::kStoreDamaged));
  EXPECT_THAT(store->last_sequence(), FailsWith(errors::kStoreDamaged));
  Database short_of_counts;
  short_of_counts.try_open().value().reset();
  short_of_counts.sql("UPDATE tandem.store_head SET rows = array_fill(NULL::int8, ARRAY[10])");
  const auto counting = short_of_counts.try_open().value();
  EXPECT_THAT(counting->count(Table::kJob, ""), FailsWith(errors::kStoreDamaged));
  EXPECT_THAT(counting->commit_and_wait(Batch().put(Table::kMeta, "k", "v")), FailsWith(errors::kStoreDamaged));
  Database gone;
  const auto dropped = gone.try_open().value();
  gone.sql("DROP SCHEMA tandem CASCADE");
  EXPECT_THAT(dropped->commit_and_wait(Batch().put(Table::kMeta, "k", "v")), FailsWith(errors::kStoreDamaged));
}

TEST(Postgres, settings_by_which_the_server_may_lose_commits_are_told) {
  ThreadExecutor executor(1);
  SystemClock clock;
  SystemRng rng;
  NullMeter meter;
  for (const auto& [settings, unsafe] : {std::pair("", ""), std::pair("fsync = off", "fsync"),
                                         std::pair("fsync = off\nfull_page_writes = off", "fsync, full_page_writes")}) {
    const Cluster cluster(settings);
    const auto store = PostgresStore::open(cluster.address(), {}, executor, clock, rng, meter);
    ASSERT_THAT(store, Succeeds());
    EXPECT_THAT((*store)->unsafe_settings(), testing::Eq(Result<std::string>(unsafe)));
  }
}

TEST(Postgres, a_server_that_is_not_there_is_said_with_its_address_and_no_secret) {
  ThreadExecutor executor(1);
  SystemClock clock;
  SystemRng rng;
  NullMeter meter;
  const auto store = PostgresStore::open("postgresql://anna@127.0.0.1:1/none", {}, executor, clock, rng, meter);
  ASSERT_THAT(store, FailsWith(errors::kStoreUnreachable));
  EXPECT_THAT(store.error().message, HasSubstr("postgresql://anna@127.0.0.1:1/none"));
}

TEST(PostgresAddress, another_machine_must_prove_who_it_is_and_passwords_stay_out) {
  for (const char* good :
       {"postgresql://u@localhost/db", "postgresql:///db?host=/run/postgresql", "host=127.0.0.1 dbname=db",
        "postgresql://u@db.example/db?sslmode=verify-full", "postgresql://u@[::1]:5433/db"})
    EXPECT_THAT(Address::parse(good), Succeeds()) << good;
  for (const char* bad : {"postgresql://u@db.example/db", "postgresql://u@db.example/db?sslmode=require",
                          "host=localhost,db.example dbname=db", "host=localhost hostaddr=10.0.0.1 dbname=db",
                          "postgresql://u@db.example/db?sslmode=verify-ca", "host=127.evil.example dbname=db"}) {
    const auto address = Address::parse(bad);
    ASSERT_THAT(address, FailsWith(errors::kBadStoreAddress)) << bad;
    EXPECT_THAT(address.error().message, HasSubstr("verify-full"));
  }
  const auto secret = Address::parse("postgresql://u:hunter2@localhost/db");
  ASSERT_THAT(secret, FailsWith(errors::kBadStoreAddress));
  EXPECT_THAT(secret.error().message, testing::AllOf(HasSubstr("PGPASSFILE"), Not(HasSubstr("hunter2"))));
  const auto nonsense = Address::parse("postgresql://u:hunter2@localhost:port:port/db");
  ASSERT_THAT(nonsense, FailsWith(errors::kBadStoreAddress));
  EXPECT_THAT(nonsense.error().message, Not(HasSubstr("hunter2")));
  EXPECT_THAT(Address::parse("/var/lib/tandem.db"), FailsWith(errors::kBadStoreAddress));
  EXPECT_THAT(Address::parse("postgresql:///?service=prod"), FailsWith(errors::kBadStoreAddress));
}

}  // namespace
}  // namespace tandem::postgres
