#include "tandem/evidence/benchmark/benchmark.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/store/memory/memory_store.h"

namespace tandem::benchmark {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr auto kClass = "max_cut/sparse/1000";

class BenchmarkTest : public testing::Test {
 protected:
  /// Ids sort by `number`, as those of jobs sort by time.
  static JobId job_of(std::size_t number) { return JobId(fmt::format("job_01900000-0000-7000-8000-{:012}", number)); }

  void store(const EvidenceRecord& record) {
    store::Batch batch;
    add(batch, record);
    ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  }
  void store(std::size_t number, const std::string& backend, double elapsed_ms, bool reached_best,
             const std::string& instance_class = kClass) {
    store({.instance_class = instance_class,
           .backend = backend,
           .job = job_of(number),
           .label = "solve",
           .succeeded = true,
           .reached_best = reached_best,
           .elapsed_ms = elapsed_ms});
  }
  std::map<std::string, Experience> experience_of(const std::string& instance_class = kClass) {
    auto out = experience(store_, instance_class, Role::kWhole);
    EXPECT_THAT(out, Succeeds());
    return out.value_or(std::map<std::string, Experience>());
  }

  ThreadExecutor threads_{1};
  memory::MemoryStore store_{threads_};
};

TEST_F(BenchmarkTest, a_record_is_stored_and_read_with_every_member) {
  const EvidenceRecord record{.instance_class = kClass,
                              .backend = "lab.device",
                              .job = job_of(1),
                              .label = "refine/0/qaoa@lab.device",
                              .succeeded = true,
                              .reached_best = true,
                              .objective = -2.5,
                              .elapsed_ms = 12.5,
                              .cost = job::Money{700},
                              .engines = {"tabu", "replicas"},
                              .at = Timestamp{1'700'000'000'123'456}};
  store(record);
  const auto rows = store_.scan(store::Scan::prefix(store::Table::kEvidence, ""));
  ASSERT_THAT(*rows, SizeIs(1));
  const auto again = EvidenceRecord::parse(rows->front());
  ASSERT_THAT(again, Succeeds());
  EXPECT_EQ(again->document(), record.document());
  EXPECT_EQ(again->at, record.at);
  EXPECT_EQ(again->cost, record.cost);
}

TEST_F(BenchmarkTest, a_damaged_row_is_an_error_and_no_experience) {
  store::Batch batch;
  batch.put(store::Table::kEvidence, std::string(kClass) + "\x1f" + "whole" + "\x1f" + "x", R"({"instance_class": 3})");
  ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  EXPECT_THAT(experience(store_, kClass, Role::kWhole), FailsAt("/instance_class", errors::kWrongType));
}

TEST_F(BenchmarkTest, nothing_is_known_of_a_class_that_was_never_seen) {
  store(1, "cpu.tabu", 10, true, "max_cut/sparse/1000x");
  store(2, "cpu.tabu", 10, true, "max_cut/sparse");
  EXPECT_THAT(experience_of(), IsEmpty());  // neither a longer nor a shorter name is this class
}

TEST_F(BenchmarkTest, experience_counts_runs_shares_and_medians_a_backend) {
  const double elapsed[] = {50, 10, 40, 30, 20};
  for (std::size_t i = 0; i < 5; ++i) store(i, "cpu.tabu", elapsed[i], i < 2);
  store(9, "cpu.annealing", 7, false);
  const auto known = experience_of();
  ASSERT_THAT(known, SizeIs(2));
  EXPECT_EQ(known.at("cpu.tabu").runs, 5u);
  EXPECT_DOUBLE_EQ(known.at("cpu.tabu").share_best, 0.4);
  EXPECT_DOUBLE_EQ(known.at("cpu.tabu").latency_ms_median, 30);
  EXPECT_EQ(known.at("cpu.annealing").runs, 1u);
  EXPECT_DOUBLE_EQ(known.at("cpu.annealing").share_best, 0);
  EXPECT_DOUBLE_EQ(known.at("cpu.annealing").latency_ms_median, 7);
}

TEST_F(BenchmarkTest, each_engine_is_counted_in_the_runs_whose_best_it_found) {
  EvidenceRecord record{
      .instance_class = kClass, .backend = "cpu.portfolio", .job = job_of(1), .label = "solve", .engines = {"tabu"}};
  store(record);
  record.job = job_of(2);
  record.engines = {"replicas", "tabu"};
  store(record);
  record.job = job_of(3);
  record.engines = {};
  store(record);
  const std::map<std::string, std::uint64_t> expected = {{"replicas", 1}, {"tabu", 2}};
  EXPECT_EQ(experience_of().at("cpu.portfolio").engines, expected);
}

/// An even number of runs has two middle ones; the slower of them is taken, so that nothing is promised too fast.
TEST_F(BenchmarkTest, the_median_of_an_even_number_of_runs_is_the_upper_one) {
  store(1, "cpu.tabu", 10, true);
  store(2, "cpu.tabu", 20, true);
  EXPECT_DOUBLE_EQ(experience_of().at("cpu.tabu").latency_ms_median, 20);
}

TEST_F(BenchmarkTest, every_attempt_of_a_job_is_kept_and_a_repeated_commit_changes_nothing) {
  EvidenceRecord record{.instance_class = kClass, .backend = "cpu.tabu", .job = job_of(1), .label = "solve"};
  store(record);
  store(record);
  record.label = "baseline";
  store(record);
  record.backend = "cpu.random";
  store(record);
  EXPECT_EQ(experience_of().at("cpu.tabu").runs, 2u);
  EXPECT_EQ(experience_of().at("cpu.random").runs, 1u);
}

TEST_F(BenchmarkTest, what_was_done_on_cores_is_no_history_of_whole_problems) {
  store({.instance_class = kClass,
         .role = Role::kCore,
         .backend = "cpu.branch_and_bound",
         .job = job_of(1),
         .label = "refine/0/exact_shadow@cpu.branch_and_bound",
         .succeeded = true,
         .reached_best = true,
         .elapsed_ms = 0.1});
  store(1, "cpu.tabu", 10, true);
  EXPECT_THAT(experience_of(), SizeIs(1));
  EXPECT_TRUE(experience_of().contains("cpu.tabu"));
  const auto cores = experience(store_, kClass, Role::kCore);
  ASSERT_THAT(cores, Succeeds());
  EXPECT_THAT(*cores, SizeIs(1));
  EXPECT_EQ(cores->at("cpu.branch_and_bound").runs, 1u);
}

TEST_F(BenchmarkTest, only_the_latest_attempts_of_a_class_count) {
  store::Batch batch;
  const auto put = [&](std::size_t number, double elapsed_ms) {
    add(batch, {.instance_class = kClass,
                .backend = "cpu.tabu",
                .job = job_of(number),
                .label = "solve",
                .elapsed_ms = elapsed_ms});
  };
  // Old and slow first, then as many fast ones as count; in the batch the other way round, for the key decides.
  for (std::size_t i = 0; i < kRunsMax; ++i) put(1000 + i, 1);
  for (std::size_t i = 0; i < 100; ++i) put(i, 1'000'000);
  ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  const auto known = experience_of().at("cpu.tabu");
  EXPECT_EQ(known.runs, kRunsMax);
  EXPECT_DOUBLE_EQ(known.latency_ms_median, 1);
}

}  // namespace
}  // namespace tandem::benchmark
