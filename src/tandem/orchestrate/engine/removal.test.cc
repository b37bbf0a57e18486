// Removing jobs. The oracle is the store itself: after a job is removed and the blobs are swept, it is what it was before the job.
#include "tandem/orchestrate/engine/removal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <thread>

#include "tandem/base/hash.h"
#include "tandem/orchestrate/engine/blob_sweep.h"
#include "tandem/orchestrate/engine/job_reads.h"
#include "tandem/orchestrate/engine/store_check.h"
#include "tandem/orchestrate/engine/testing/cut_store.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"
#include "tandem/store/sqlite/sqlite_store.h"
#include "tandem/store/testing/temp_folder.h"
#include "tandem/trust/budget/usage.h"

namespace tandem::engine {
namespace {

using store::Batch;
using store::Table;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

/// "<table>/<key>" and the hash of the value.
using Rows = std::map<std::string, std::string>;

constexpr std::size_t kLogMax = 1'000'000;

std::vector<store::Row> all(store::Store& store, Table table) {
  return store.scan({.table = table, .from = "", .until = "", .limit = 1'000'000}).value();
}

/// All rows but what was learned of backends, which is about no job, what processes say of themselves, and charges, which stay.
Rows rows_of(store::Store& store) {
  Rows out;
  for (std::size_t i = 0; i < store::kNumTables; ++i) {
    const auto table = static_cast<Table>(i);
    if (table == Table::kEvidence) continue;
    const std::vector<store::Row> rows = all(store, table);
    for (const store::Row& row : rows)
      if (!row.key.starts_with(budget::kUsagePrefix))
        out.emplace(fmt::format("{}/{}", to_string(table), row.key), sha256(row.value).hex());
  }
  return out;
}

std::vector<std::string> faults_of(store::Store& store) {
  StoreCheck check;
  for (std::size_t i = 0; i < store::kNumTables; ++i) {
    const std::vector<store::Row> rows = all(store, static_cast<Table>(i));
    for (const store::Row& row : rows) check.row(static_cast<Table>(i), row);
  }
  const std::vector<store::LogEntry> log = store.read_log(0, kLogMax).value();
  for (const store::LogEntry& entry : log) check.entry(entry);
  check.finish();
  std::vector<std::string> out;
  for (const Finding& finding : check.findings()) out.push_back(finding.place + ": " + finding.what);
  return out;
}

/// More rows of a job that has ended than one commit may take, of every kind that there may be many of.
void plant_rows(store::Store& store, const JobId& id) {
  Batch steps;
  Batch attempts;
  for (int i = 0; i < 5000; ++i) steps.put(Table::kStep, fmt::format("{}/{:05}/planted", id.value, i), "{}");
  for (int i = 0; i < 2500; ++i) {
    const submit::SubmissionRecord record{.token = fmt::format("planted{:05}", i),
                                          .tenant = "default",
                                          .job = id,
                                          .step = fmt::format("{}/planted", i / 2),
                                          .backend = "fake.provider",
                                          .state = submit::SubmissionState::kRefused,
                                          .has_bill = true};
    const budget::Reservation money{.token = record.token, .state = budget::ReservationState::kSettled};
    attempts.put(Table::kSubmission, record.token, record.document().dump())
        .put(Table::kSubmission, submit::job_key(id, record.token), "")
        .put(Table::kSubmission, submit::step_key(id, record.step), record.token)
        .put(Table::kBudget, fmt::format("reservation/{}/{}", id.value, record.token), money.value());
  }
  ASSERT_THAT(store.commit_and_wait(std::move(steps)), Succeeds());
  ASSERT_THAT(store.commit_and_wait(std::move(attempts)), Succeeds());
}

void sweep(store::Store& store) {
  const Housekeeping alone{.fence = [](Batch&) { return true; }, .rest = [] { return true; }};
  const auto swept = BlobSweep(store, alone).run();
  ASSERT_THAT(swept, Succeeds());
  EXPECT_TRUE(swept->complete);
}

class Removed : public testing::Test {
 protected:
  void open() { world_.open(); }
  Result<void> remove(const JobId& id) { return world_.engine->remove(id, "user:test", "no longer needed"); }
  job::JobSpec cut_of(std::uint32_t num_nodes) {
    return world_.spec({{"problem", EngineWorld::max_cut(num_nodes)}, {"refinement", {{"mode", "off"}}}});
  }
  Rows rows() { return rows_of(*world_.store); }
  void sweep_up() { sweep(*world_.store); }
  /// A paid job that is given up while the provider still has it: its submission stays held.
  JobId held_job() {
    world_.provider->plan.on_submit = {submit::OnSubmit::kLoseRequest};
    world_.provider->plan.answers_reads = false;
    const JobView view = world_.run(world_.paid_job());
    EXPECT_TRUE(job::is_final(view.state));
    return view.id;
  }
  EngineWorld world_;
};

TEST_F(Removed, everything_that_only_the_job_needed_is_gone_and_the_store_is_what_it_was_before_it) {
  open();
  // Each asks something else: of one question the youngest answer is kept, and goes with its job.
  ASSERT_EQ(world_.run(cut_of(6)).state, job::JobState::kSucceeded);
  const Rows before = rows();
  std::vector<JobId> ids = {world_.admit(world_.hybrid_job()), world_.admit(world_.paid_job()),
                            world_.admit(cut_of(7))};
  for (const JobId& id : ids) EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  EXPECT_GT(rows().size(), before.size() + 10);
  for (const JobId& id : ids) EXPECT_THAT(remove(id), Succeeds());
  EXPECT_THAT(faults_of(*world_.store), IsEmpty());
  sweep_up();
  EXPECT_EQ(rows(), before);
}

TEST_F(Removed, it_is_unknown_from_then_on_and_the_log_says_who_removed_what_and_why) {
  open();
  const JobId id = world_.run(world_.classical_job()).id;
  const Bytes result = world_.engine->result(id).value();
  const std::size_t entries = world_.store->read_log(0, kLogMax, id.value)->size();
  std::vector<std::string> heard;
  const auto listening =
      world_.engine->subscribe([&](const job::Event& event) { heard.push_back(event.type); }, nullptr, nullptr);
  ASSERT_THAT(remove(id), Succeeds());
  EXPECT_THAT(heard, ElementsAre("job.removed"));

  EXPECT_THAT(world_.engine->job(id), FailsWith(errors::kJobNotFound));
  EXPECT_THAT(world_.engine->result(id), FailsWith(errors::kJobNotFound));
  EXPECT_THAT(world_.engine->events(id, 0, 10), FailsWith(errors::kJobNotFound));
  EXPECT_THAT(world_.engine->wait(id, Deadline::never()), FailsWith(errors::kJobNotFound));
  EXPECT_THAT(world_.engine->retry(id, "", "user"), FailsWith(errors::kJobNotFound));
  EXPECT_THAT(remove(id), FailsWith(errors::kJobNotFound));
  EXPECT_THAT(world_.engine->jobs({.limit = 10})->jobs, IsEmpty());
  EXPECT_EQ(world_.meter.total("tandem_jobs_removed_total"), 1);

  const auto log = world_.store->read_log(0, kLogMax, id.value).value();
  ASSERT_EQ(log.size(), entries + 1);
  const job::Event event = job::Event::parse(log.back().value, log.back().sequence).value();
  EXPECT_EQ(event.type, "job.removed");
  EXPECT_EQ(event.actor, "user:test");
  EXPECT_EQ(event.data.value()["reason"], "no longer needed");
  EXPECT_EQ(event.data.value()["state"], "succeeded");
  EXPECT_EQ(event.data.value()["result_sha256"], sha256(result).hex());
}

TEST_F(Removed, only_what_has_ended_and_what_no_provider_may_still_have_is_removed) {
  world_.open(0);
  const JobId queued = world_.admit(world_.classical_job());
  EXPECT_THAT(remove(queued), FailsWith(errors::kJobNotFinal));
  EXPECT_THAT(remove(JobId("job_0")), FailsWith(errors::kJobNotFound));
  EXPECT_THAT(world_.engine->remove(queued, "user", std::string(5000, 'x')), FailsWith(errors::kValueOutOfRange));
  ASSERT_THAT(world_.engine->cancel(queued, "user", ""), Succeeds());
  EXPECT_THAT(remove(queued), Succeeds());
  world_.close();

  open();
  const JobId held = held_job();
  const Rows before = rows();
  EXPECT_THAT(remove(held), FailsWith(errors::kSubmissionOpen));
  EXPECT_EQ(rows(), before);
  EXPECT_NE(world_.hold(held).play_money.reserved.usd_micros, 0);
}

TEST_F(Removed, what_jobs_share_stays_until_the_last_of_them_goes) {
  open();
  const JobId first = world_.run(world_.classical_job()).id;
  const JobId second = world_.run(world_.classical_job()).id;
  ASSERT_THAT(remove(first), Succeeds());
  sweep_up();
  EXPECT_THAT(world_.engine->spec_document(second), Succeeds());
  EXPECT_THAT(world_.engine->result(second), Succeeds());
  EXPECT_THAT(world_.engine->replay_package(second), Succeeds());
  EXPECT_THAT(faults_of(*world_.store), IsEmpty());
  ASSERT_THAT(remove(second), Succeeds());
  sweep_up();
  EXPECT_THAT(all(*world_.store, Table::kBlob), IsEmpty());
}

TEST_F(Removed, a_result_that_was_reviewed_leaves_nothing_of_either_version) {
  open();
  const Rows before = rows();
  job::JobSpec spec = world_.paid_job();
  spec.review.confidence_min = 0.5;
  const JobView view = world_.run(spec);
  ASSERT_EQ(view.state, job::JobState::kAwaitingReview);
  EXPECT_THAT(remove(view.id), FailsWith(errors::kJobNotFinal));
  ASSERT_THAT(world_.engine->review(view.id, Verdict::kAccept, "user:ann", "fine"), Succeeds());
  EXPECT_THAT(faults_of(*world_.store), IsEmpty());
  ASSERT_THAT(remove(view.id), Succeeds());
  sweep_up();
  EXPECT_EQ(rows(), before);
}

TEST_F(Removed, an_answer_that_a_former_release_indexed_without_a_project_goes_with_its_job) {
  open();
  const Rows before = rows();
  const JobId id = world_.run(world_.paid_job()).id;
  store::Batch batch;
  const std::vector<store::Row> found = rows_under(*world_.store, Table::kJobIndex, "answer/default//").value();
  for (const store::Row& row : found)
    batch.put(Table::kJobIndex, "answer/default/" + row.key.substr(std::string_view("answer/default//").size()),
              row.value);
  ASSERT_EQ(batch.operations.size(), 1u);
  ASSERT_THAT(world_.store->commit_and_wait(std::move(batch)), Succeeds());
  ASSERT_THAT(remove(id), Succeeds());
  sweep_up();
  EXPECT_EQ(rows(), before);
}

TEST_F(Removed, an_answer_that_was_used_again_outlives_the_job_that_it_was_given_to) {
  open();
  const JobId source = world_.run(world_.paid_job()).id;
  world_.provider->plan.polls_until_done = 1'000'000'000;
  world_.provider->plan.until_done = backend::WorkState::kRunning;
  job::JobSpec again = world_.paid_job();
  again.fallbacks = {job::Fallback("cached_result", {job::FallbackCause::kTimeout})};
  const JobId user = world_.admit(again);
  ASSERT_EQ(world_.wait(user).state, job::JobState::kSucceeded);
  ASSERT_THAT(remove(source), Succeeds());
  sweep_up();
  EXPECT_THAT(world_.engine->replay_package(user), Succeeds());
  EXPECT_THAT(faults_of(*world_.store), IsEmpty());
  // Nobody is told an answer whose job is gone.
  EXPECT_EQ(world_.run(again).state, job::JobState::kFailed);
}

TEST_F(Removed, its_idempotency_key_is_kept_for_its_age_and_makes_no_second_job) {
  open();
  const Rows before = rows();
  const JobId first = world_.admit(world_.classical_job(), "the key");
  world_.wait(first);
  ASSERT_THAT(remove(first), Succeeds());
  const auto admit = [&](const std::string& name) {
    return world_.engine->admit(world_.classical_job(name), "default", "the key", "user");
  };
  const auto again = admit("classical");
  ASSERT_THAT(again, Succeeds());
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(again->id, first);
  EXPECT_THAT(world_.engine->job(first), FailsWith(errors::kJobNotFound));
  EXPECT_THAT(admit("another"), FailsWith(errors::kIdempotencyConflict));
  EXPECT_THAT(faults_of(*world_.store), IsEmpty());
  sweep_up();
  EXPECT_EQ(rows().size(), before.size() + 1);
  world_.clock.advance(std::chrono::hours(24 * 30 + 1));
  const auto later = admit("another");
  ASSERT_THAT(later, Succeeds());
  EXPECT_FALSE(later->replayed);
  EXPECT_NE(later->id, first);
}

TEST_F(Removed, a_crash_at_any_commit_leaves_the_job_whole_or_gone) {
  for (std::uint64_t n = 1; n < 5; ++n) {
    EngineWorld world;
    world.open();
    const JobId id = world.run(world.hybrid_job()).id;
    plant_rows(*world.store, id);
    world.store->fail_commits(n, 1'000'000, make_error(errors::kStoreClosed, "planted crash"));
    EXPECT_THAT(world.engine->remove(id, "user", ""), FailsWith(errors::kStoreClosed));
    world.close();
    world.open();
    EXPECT_THAT(world.engine->result(id), Succeeds());
    EXPECT_THAT(world.engine->replay_package(id), Succeeds());
    EXPECT_THAT(faults_of(*world.store), IsEmpty());
    EXPECT_THAT(world.engine->remove(id, "user", ""), Succeeds());
    sweep(*world.store);
    world.engine.reset();
    EXPECT_THAT(rows_of(*world.store), IsEmpty());
  }
}

TEST_F(Removed, of_many_who_remove_a_job_at_once_one_does) {
  open();
  for (int round = 0; round < 20; ++round) {
    const JobId id = world_.run(world_.classical_job()).id;
    std::atomic<int> done = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        const auto removed = remove(id);
        done += removed.has_value();
        if (!removed) {
          EXPECT_THAT(removed, FailsWith(errors::kJobNotFound));
        }
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(done, 1);
  }
}

TEST_F(Removed, a_listing_passes_over_what_was_removed_after_its_index_was_read) {
  open();
  const JobId first = world_.run(world_.classical_job()).id;
  world_.clock.advance(std::chrono::seconds(1));
  const JobId second = world_.run(world_.classical_job()).id;
  world_.clock.advance(std::chrono::seconds(1));
  const JobId third = world_.run(world_.classical_job()).id;
  ASSERT_THAT(world_.store->commit_and_wait(Batch().erase(Table::kJob, second.value)), Succeeds());
  const auto page = world_.engine->jobs({.state = job::JobState::kSucceeded, .limit = 2}).value();
  EXPECT_THAT(page.jobs, ElementsAre(Field(&JobView::id, third), Field(&JobView::id, first)));
  EXPECT_EQ(page.next_page_token, "");
}

TEST_F(Removed, who_reads_a_job_while_it_goes_is_told_that_it_is_unknown_and_not_of_damage) {
  open();
  CutStore store(*world_.store);
  const JobReads reads(store, *world_.submitter, world_.log);
  const std::vector<std::function<ErrorNumber(const JobId&)>> ways = {
      [&](const JobId& id) { return reads.result(id).error().number; },
      [&](const JobId& id) { return reads.spec_document(id).error().number; },
      [&](const JobId& id) { return reads.lineage(id).error().number; },
      [&](const JobId& id) { return reads.replay_package(id).error().number; }};
  for (const auto& way : ways) {
    const JobId id = world_.run(world_.paid_job()).id;
    store.after_job_read([&] {
      ASSERT_THAT(remove(id), Succeeds());
      sweep_up();
    });
    EXPECT_EQ(way(id), errors::kJobNotFound);
  }
  // What is truly gone is damage.
  const JobId id = world_.run(world_.paid_job()).id;
  ASSERT_THAT(world_.store->commit_and_wait(Batch().erase(Table::kStep, result_key(id))), Succeeds());
  EXPECT_EQ(reads.result(id).error().number, errors::kStoreDamaged);
}

TEST_F(Removed, an_sqlite_file_loses_the_same_rows) {
  open();
  const JobId stays = world_.run(world_.classical_job("stays")).id;
  const JobId goes = world_.admit(world_.paid_job());
  world_.wait(goes);
  // The same store as a file.
  const store::TempFolder folder;
  const auto file =
      sqlite::SqliteStore::open(folder / "store.db", {}, world_.store_threads, world_.clock, world_.meter);
  ASSERT_THAT(file, Succeeds());
  for (std::size_t i = 0; i < store::kNumTables; ++i) {
    const auto table = static_cast<Table>(i);
    Batch batch;
    std::vector<store::Row> rows = all(*world_.store, table);
    for (store::Row& row : rows) batch.restore(table, std::move(row));
    ASSERT_THAT((*file)->commit_and_wait(std::move(batch)), Succeeds());
  }
  ASSERT_THAT(remove(goes), Succeeds());
  sweep_up();

  submit::Submitter submitter({.store = **file,
                               .executor = world_.executor,
                               .clock = world_.clock,
                               .log = world_.log,
                               .meter = world_.meter,
                               .crash_points = world_.crash_points},
                              {});
  JobLedger ledger(**file, world_.clock, world_.crash_points, [](const job::Event&) {});
  auto removal = prepare_removal(**file, submitter, load_job(**file, goes).value(), "user", "", world_.clock.now());
  ASSERT_THAT(removal, Succeeds());
  ASSERT_THAT(ledger.remove({&*removal, 1}), Succeeds());
  sweep(**file);
  EXPECT_EQ(rows_of(**file), rows());
  EXPECT_THAT(load_job(**file, stays), Succeeds());
}

}  // namespace
}  // namespace tandem::engine
