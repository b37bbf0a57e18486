// Sessions that are cut, servers that crash, and a server that says nothing: every answer of the store stays true.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tandem/base/executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/store/postgres/postgres_store.h"
#include "tandem/store/postgres/statements.h"
#include "tandem/store/postgres/testing/cluster.h"
#include "tandem/store/testing/ledger.h"

namespace tandem::postgres {
namespace {

using store::Batch;
using store::Ledger;
using store::Table;

constexpr const char* kDurable = "fsync = on\nfull_page_writes = on";

struct World {
  explicit World(const char* settings = kDurable) : cluster(settings) {}
  Cluster cluster;
  ThreadExecutor executor{1};
  SystemClock clock;
  SystemRng rng;
  NullMeter meter;
  std::unique_ptr<PostgresStore> open(PostgresOptions options = {}) {
    return PostgresStore::open(cluster.address(), options, executor, clock, rng, meter).value();
  }
};

/// Commits numbered batches on several threads until told to stop, and keeps what it was told of each.
class Committing {
 public:
  Committing(store::Store& store, int threads) {
    for (int i = 0; i < threads; ++i) {
      running_.emplace_back([this, &store] {
        while (!stopping_) {
          const int number = next_++;
          const auto done = store.commit_and_wait(Ledger::batch(number));
          const std::lock_guard lock(mutex_);
          answers_.emplace(number, done ? ErrorNumber{} : done.error().number);
        }
      });
    }
  }
  std::size_t acknowledged() {
    const std::lock_guard lock(mutex_);
    std::size_t out = 0;
    for (const auto& [number, error] : answers_) out += error == ErrorNumber{} ? 1 : 0;
    return out;
  }
  void wait_for_more(std::size_t more) {
    const std::size_t until = acknowledged() + more;
    while (acknowledged() < until) std::this_thread::yield();
  }
  /// Ends, and puts every answer into the ledger. Returns the errors that are neither "acknowledged" nor "unreachable".
  std::set<ErrorNumber> end(Ledger& ledger) {
    stopping_ = true;
    for (std::thread& thread : running_) thread.join();
    std::set<ErrorNumber> others;
    for (const auto& [number, error] : answers_) {
      if (error == ErrorNumber{})
        ledger.acknowledge(number);
      else
        ledger.refuse(number);
      if (error != ErrorNumber{} && error != errors::kStoreUnreachable) others.insert(error);
    }
    return others;
  }

 private:
  std::atomic<bool> stopping_ = false;
  std::atomic<int> next_ = 0;
  std::mutex mutex_;
  std::map<int, ErrorNumber> answers_;
  std::vector<std::thread> running_;
};

TEST(PostgresFaults, sessions_that_are_cut_at_any_moment_make_no_answer_untrue) {
  World world;
  const auto store = world.open();
  Committing committing(*store, 6);
  for (int i = 0; i < 60; ++i) {
    committing.wait_for_more(5);
    world.cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tandem'");
  }
  Ledger ledger;
  EXPECT_THAT(committing.end(ledger), testing::IsEmpty());
  EXPECT_EQ(ledger.compare(*store), "");
  EXPECT_GT(ledger.num_present(), 300u);
}

TEST(PostgresFaults, a_server_that_crashes_loses_nothing_acknowledged_and_the_store_goes_on) {
  World world;
  const auto store = world.open();
  Committing committing(*store, 6);
  for (const int signal : {SIGKILL, SIGQUIT, SIGINT, SIGKILL, SIGQUIT}) {
    committing.wait_for_more(40);
    world.cluster.kill(signal);
    world.cluster.start();
  }
  committing.wait_for_more(20);
  Ledger ledger;
  EXPECT_THAT(committing.end(ledger), testing::IsEmpty());
  EXPECT_EQ(ledger.compare(*store), "");
}

TEST(PostgresFaults, while_the_server_is_away_commits_and_reads_say_so_and_succeed_again_later) {
  World world;
  const auto store = world.open();
  ASSERT_THAT(store->commit_and_wait(Batch().put(Table::kMeta, "k", "1")), Succeeds());
  world.cluster.kill(SIGINT);
  EXPECT_THAT(store->commit_and_wait(Batch().put(Table::kMeta, "k", "2")), FailsWith(errors::kStoreUnreachable));
  EXPECT_THAT(store->get(Table::kMeta, "k"), FailsWith(errors::kStoreUnreachable));
  world.cluster.start();
  ASSERT_THAT(store->commit_and_wait(Batch().put(Table::kMeta, "k", "3")), Succeeds());
  EXPECT_EQ(store->get(Table::kMeta, "k").value()->value, "3");
  EXPECT_EQ(store->get(Table::kMeta, "k").value()->version, 2u);
}

TEST(PostgresFaults, a_server_that_says_nothing_counts_as_gone_after_the_wait) {
  World world;
  const auto store = world.open({.answer_wait = std::chrono::milliseconds(300)});
  ASSERT_THAT(store->get(Table::kMeta, "k"), Succeeds());
  // The session's worker stops, not the server: nobody closes the connection.
  world.cluster.sql("SELECT 1");
  const std::string worker = world.cluster.sql(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'tandem' AND query LIKE 'SELECT version, value%'");
  ASSERT_NE(worker, "");
  ASSERT_EQ(::kill(std::stoi(worker), SIGSTOP), 0);
  EXPECT_THAT(store->get(Table::kMeta, "k"), Succeeds());  // tried once more, on a new session
  ASSERT_EQ(::kill(std::stoi(worker), SIGCONT), 0);
}

TEST(PostgresFaults, all_sessions_that_a_restart_cut_are_replaced_without_a_word) {
  World world("fsync = off");
  const auto store = world.open({.readers_max = 4});
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      for (int k = 0; k < 50; ++k) EXPECT_THAT(store->get(Table::kMeta, "k"), Succeeds());
    });
  }
  for (std::thread& reader : readers) reader.join();
  world.cluster.kill(SIGINT);
  world.cluster.start();
  EXPECT_THAT(store->get(Table::kMeta, "k"), Succeeds());
  EXPECT_THAT(store->commit_and_wait(Batch().put(Table::kMeta, "k", "1")), Succeeds());
}

TEST(PostgresFaults, tables_that_somebody_locks_stop_commits_for_as_long_as_that_takes) {
  World world("fsync = off");
  const auto store = world.open();
  PGconn* person = PQconnectdb(world.cluster.address().c_str());
  PQclear(PQexec(person, "BEGIN; LOCK TABLE tandem.meta"));
  EXPECT_THAT(store->commit_and_wait(Batch().put(Table::kMeta, "k", "1")), FailsWith(errors::kLockHeld));
  PQfinish(person);
  EXPECT_THAT(store->commit_and_wait(Batch().put(Table::kMeta, "k", "2")), Succeeds());
  EXPECT_EQ(store->get(Table::kMeta, "k").value()->version, 1u);
}

TEST(PostgresFaults, a_process_that_stops_in_the_middle_of_a_statement_is_ended_by_who_waits_for_it) {
  World world("fsync = off");
  const auto store = world.open();
  PGconn* stopped = PQconnectdb((world.cluster.address() + "&application_name=tandem").c_str());
  PQclear(PQexec(stopped, "BEGIN"));
  PQclear(PQexec(stopped, "SELECT * FROM tandem.store_head FOR UPDATE"));
  // A message without a Sync: the server waits for the rest, and no time limit of its own runs.
  PQenterPipelineMode(stopped);
  PQsendQueryParams(stopped, "SELECT 1", 0, nullptr, nullptr, nullptr, nullptr, 0);
  PQsendFlushRequest(stopped);
  PQflush(stopped);
  EXPECT_THAT(store->commit_and_wait(Batch().put(Table::kMeta, "k", "1")), FailsWith(errors::kLockHeld));
  EXPECT_THAT(store->commit_and_wait(Batch().put(Table::kMeta, "k", "1")), Succeeds());
  PQfinish(stopped);
}

TEST(PostgresFaults, a_process_that_stops_inside_its_transaction_does_not_stop_the_others) {
  World world("fsync = off");
  const auto store = world.open();
  PGconn* stopped = PQconnectdb(world.cluster.address().c_str());
  PQclear(PQexec(stopped, "SET idle_in_transaction_session_timeout = '1s'"));  // ours has five
  PQclear(PQexec(stopped, "BEGIN"));
  PQclear(PQexec(stopped, "SELECT * FROM tandem.store_head FOR UPDATE"));
  EXPECT_THAT(store->commit_and_wait(Batch().put(Table::kMeta, "k", "1")), Succeeds());
  PGresult* late = PQexec(stopped, "UPDATE tandem.store_head SET sequence = 77");
  EXPECT_EQ(PQresultStatus(late), PGRES_FATAL_ERROR);
  PQclear(late);
  PQfinish(stopped);
  EXPECT_EQ(store->last_sequence().value(), 0u);
}

void wait_until(const Cluster& cluster, const std::string& condition) {
  while (cluster.sql("SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'tandem' AND " + condition) !=
         "t")
    std::this_thread::yield();
}

/// Has `batch` committed by a session that is lost before it says so.
Result<store::Committed> commit_unheard(const Cluster& cluster, store::Store& store, Batch batch) {
  // Nobody is this standby: a commit is done, and waits before it says so.
  cluster.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  cluster.sql("SELECT pg_reload_conf()");
  while (cluster.sql("SHOW synchronous_standby_names") != "nobody") std::this_thread::yield();
  Result<store::Committed> answer = fail(errors::kInternal, "none");
  std::thread committing([&] { answer = store.commit_and_wait(std::move(batch)); });
  wait_until(cluster, "wait_event = 'SyncRep'");
  cluster.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tandem' AND wait_event = "
      "'SyncRep'");
  cluster.sql("ALTER SYSTEM RESET synchronous_standby_names");
  cluster.sql("SELECT pg_reload_conf()");
  committing.join();
  return answer;
}

TEST(PostgresFaults, a_commit_whose_answer_is_lost_is_answered_with_its_sequences) {
  World world("fsync = off");
  const auto store = world.open();
  const auto other = world.open();
  ASSERT_THAT(other->commit_and_wait(Batch().append("s", "1").append("s", "2")), Succeeds());
  const auto answer = commit_unheard(world.cluster, *store,
                                     Batch().put(Table::kMeta, "k", "1", store::Expect::absent()).append("s", "3"));
  ASSERT_THAT(answer, Succeeds());
  EXPECT_THAT(answer->sequences, testing::ElementsAre(3));
  EXPECT_EQ(store->get(Table::kMeta, "k").value()->version, 1u);
  EXPECT_EQ(store->last_sequence().value(), 3u);
}

TEST(PostgresFaults, a_commit_whose_log_takes_several_statements_is_found_behind_those_of_others) {
  World world("fsync = off");
  const auto store = world.open();
  const auto other = world.open();
  ASSERT_THAT(store->commit_and_wait(Batch().append("s", "1")), Succeeds());
  for (int i = 0; i < 50; ++i) ASSERT_THAT(other->commit_and_wait(Batch().append("s", "of another")), Succeeds());
  Batch batch;
  batch.put(Table::kMeta, "k", "1", store::Expect::absent());
  for (int i = 0; i < 3; ++i) batch.append("s", std::string(20u << 20, 'x'));  // 32 MiB a statement
  const auto answer = commit_unheard(world.cluster, *store, std::move(batch));
  ASSERT_THAT(answer, Succeeds());
  EXPECT_THAT(answer->sequences, testing::ElementsAre(52, 53, 54));
  EXPECT_EQ(store->last_sequence().value(), 54u);
}

TEST(PostgresFaults, a_commit_without_entries_whose_answer_is_lost_is_not_done_again) {
  World world("fsync = off");
  const auto store = world.open();
  for (std::uint64_t times = 1; times < 3; ++times) {
    ASSERT_THAT(commit_unheard(world.cluster, *store, Batch().put(Table::kMeta, "k", "1")), Succeeds());
    EXPECT_EQ(store->get(Table::kMeta, "k").value()->version, times);
  }
  EXPECT_EQ(store->last_sequence().value(), 0u);
}

TEST(PostgresFaults, a_commit_that_is_undone_with_its_session_is_told_from_the_one_before_and_done_again) {
  World world("fsync = off");
  const auto store = world.open();
  for (const bool appends : {false, true}) {
    const std::string key = appends ? "appends" : "only writes";
    const auto batch = [&] {
      Batch out;
      out.put(Table::kMeta, key, "");
      if (appends) out.append("s", key);
      return out;
    };
    ASSERT_THAT(store->commit_and_wait(batch()), Succeeds());
    PGconn* person = PQconnectdb(world.cluster.address().c_str());
    PQclear(PQexec(person, "BEGIN; SELECT * FROM tandem.store_head FOR UPDATE"));
    Result<store::Committed> answer = fail(errors::kInternal, "none");
    std::thread committing([&] { answer = store->commit_and_wait(batch()); });
    wait_until(world.cluster, "wait_event_type = 'Lock'");
    const std::string worker = world.cluster.sql(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'tandem' AND wait_event_type = 'Lock'");
    ASSERT_NE(worker, "");
    ASSERT_EQ(::kill(std::stoi(worker), SIGKILL), 0);  // without a word; the server ends all sessions and recovers
    PQfinish(person);
    committing.join();
    ASSERT_THAT(answer, Succeeds());
    EXPECT_EQ(store->get(Table::kMeta, key).value()->version, 2u);
  }
  EXPECT_EQ(store->last_sequence().value(), 2u);
}

TEST(PostgresFaults, whoever_asks_what_became_of_a_commit_ends_a_process_that_stopped_in_the_middle_of_its_own) {
  World world("fsync = off");
  const auto store = world.open({.doubt_wait = std::chrono::seconds(10)});
  PGconn* stopped = PQconnectdb((world.cluster.address() + "&application_name=tandem").c_str());
  PQenterPipelineMode(stopped);
  PQsendQueryParams(stopped, statement(CommonQuery::kJoin).sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0);
  PQsendFlushRequest(stopped);
  PQflush(stopped);
  PQclear(PQgetResult(stopped));  // it has the lock
  const auto answer = commit_unheard(world.cluster, *store, Batch().append("s", "1"));
  PQfinish(stopped);
  ASSERT_THAT(answer, Succeeds());
  EXPECT_EQ(store->last_sequence().value(), 1u);
}

TEST(PostgresFaults, a_lost_session_that_is_still_at_work_does_nothing_that_is_done_again) {
  // Where it waits: for the head, with its commit sent, and before it comes to the head.
  for (const char* held : {"SELECT * FROM tandem.store_head FOR UPDATE", "LOCK TABLE tandem.meta IN SHARE MODE"}) {
    World world("fsync = off");
    const auto store = world.open({.answer_wait = std::chrono::milliseconds(1000)});
    PGconn* person = PQconnectdb(world.cluster.address().c_str());
    PQclear(PQexec(person, "BEGIN"));
    PQclear(PQexec(person, held));
    Result<store::Committed> answer = fail(errors::kInternal, "none");
    std::thread committing(
        [&] { answer = store->commit_and_wait(Batch().put(Table::kMeta, "k", "1").append("s", "1")); });
    wait_until(world.cluster, "wait_event_type = 'Lock'");
    // It has all rows and waits for us; its client gives it up, and tries again beside it.
    while (world.cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") != "2")
      std::this_thread::yield();
    PQfinish(person);
    committing.join();
    ASSERT_THAT(answer, Succeeds());
    EXPECT_THAT(answer->sequences, testing::ElementsAre(1));
    EXPECT_EQ(store->get(Table::kMeta, "k").value()->version, 1u);
    EXPECT_EQ(store->last_sequence().value(), 1u);
  }
}

}  // namespace
}  // namespace tandem::postgres
