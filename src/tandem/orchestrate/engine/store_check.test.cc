#include "tandem/orchestrate/engine/store_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/hash.h"
#include "tandem/orchestrate/engine/job_record.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {
namespace {

using store::Batch;
using store::Table;
using testing::ElementsAre;
using testing::IsEmpty;

class StoreChecked : public testing::Test {
 protected:
  StoreChecked() { world_.open(); }

  StoreCheck check() {
    StoreCheck out;
    const auto snapshot = world_.store->snapshot().value();
    for (std::size_t i = 0; i < store::kNumTables; ++i) {
      const auto table = static_cast<Table>(i);
      EXPECT_THAT(snapshot->read_rows(table,
                                      [&](const store::Row& row) -> Result<void> {
                                        out.row(table, row);
                                        return {};
                                      }),
                  Succeeds());
    }
    EXPECT_THAT(snapshot->read_log([&](const store::LogEntry& entry) -> Result<void> {
      out.entry(entry);
      return {};
    }),
                Succeeds());
    out.finish();
    return out;
  }
  std::vector<std::string> places() {
    std::vector<std::string> out;
    const StoreCheck done = check();
    for (const Finding& finding : done.findings()) out.push_back(finding.place);
    return out;
  }
  void plant(Batch batch) { ASSERT_THAT(world_.store->commit_and_wait(std::move(batch)), Succeeds()); }

  EngineWorld world_;
};

TEST_F(StoreChecked, accounts_that_do_not_hold_what_their_jobs_have_there_are_found) {
  world_.close();
  world_.limit(R"(limits:
  - {tenant: default, period: total, cost: {hard: $1}}
  - {backend: fake.provider, emulated: true, period: total, cost: {hard: $1}})");
  world_.open();
  EXPECT_EQ(world_.run(world_.paid_job()).state, job::JobState::kSucceeded);
  world_.close();
  world_.open(0);
  const JobId waits = world_.admit(world_.paid_job());
  EXPECT_THAT(places(), IsEmpty());
  budget::Hold hold = world_.hold(waits);
  hold.money.free.usd_micros -= 100;
  hold.money.released.usd_micros += 100;
  plant(std::move(Batch().put(Table::kBudget, "hold/" + waits.value, hold.value())));
  EXPECT_THAT(places(), ElementsAre("budget/account/total/total/real/default///"));
  plant(std::move(Batch().put(Table::kBudget, "hold/" + waits.value, "{}")));
  EXPECT_THAT(places(), testing::Contains("budget/hold/" + waits.value));
}

TEST_F(StoreChecked, what_an_engine_leaves_makes_sense_and_is_counted) {
  EXPECT_EQ(world_.run(world_.classical_job()).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.run(world_.paid_job()).state, job::JobState::kSucceeded);
  const StoreCheck done = check();
  EXPECT_THAT(done.findings(), IsEmpty());
  EXPECT_EQ(done.rows()[static_cast<std::size_t>(Table::kJob)], 2u);
  EXPECT_EQ(done.entries(), world_.store->last_sequence().value());
}

TEST_F(StoreChecked, every_contradiction_is_found_where_it_is) {
  const JobId id = world_.run(world_.classical_job()).id;
  const std::string index = state_index_key(job::JobState::kSucceeded, id);
  ASSERT_THAT(places(), IsEmpty());

  plant(Batch().erase(Table::kJobIndex, index));
  EXPECT_THAT(places(), ElementsAre("job_index/" + index));
  plant(Batch().put(Table::kJobIndex, index, ""));
  const std::string stray = state_index_key(job::JobState::kQueued, id);
  plant(Batch().put(Table::kJobIndex, stray, ""));
  EXPECT_THAT(places(), ElementsAre("job_index/" + stray));
  plant(Batch().erase(Table::kJobIndex, stray));

  const std::string key = sha256("abc").hex();
  plant(Batch().put(Table::kBlob, key, "abc"));
  EXPECT_THAT(places(), IsEmpty());
  plant(Batch().put(Table::kBlob, key, "abd"));
  EXPECT_THAT(places(), ElementsAre("blob/" + key));
  plant(Batch().erase(Table::kBlob, key));

  const Bytes row = world_.store->get(Table::kJob, id.value).value()->value;
  plant(Batch().put(Table::kJob, id.value, row.substr(1)));
  EXPECT_THAT(places(), ElementsAre("job/" + id.value, "job_index/" + index));
  plant(Batch().put(Table::kJob, id.value, row));
  EXPECT_THAT(places(), IsEmpty());
}

TEST_F(StoreChecked, whatever_a_job_names_and_is_not_there_is_found_and_what_nobody_names_is_counted) {
  const JobId id = world_.run(world_.paid_job()).id;
  const JobRecord record = load_job(*world_.store, id).value();
  const std::string raw = world_.engine->lineage(id)->work.at(0).raw_sha256;
  const Bytes result = world_.engine->result(id).value();
  for (const std::optional<Bytes>& instead : {std::optional<Bytes>(), std::optional<Bytes>("{}")}) {
    plant(instead ? Batch().put(Table::kStep, result_key(id), *instead) : Batch().erase(Table::kStep, result_key(id)));
    EXPECT_THAT(places(), testing::ElementsAre("step/" + result_key(id)));
  }
  plant(Batch().put(Table::kStep, result_key(id), result));
  EXPECT_THAT(places(), IsEmpty());
  for (const std::string& blob : {record.spec_sha256, raw}) {
    const Bytes bytes = world_.store->get(Table::kBlob, blob).value()->value;
    plant(Batch().erase(Table::kBlob, blob));
    const StoreCheck done = check();
    ASSERT_EQ(done.findings().size(), 1u);
    EXPECT_EQ(done.findings()[0].place, "blob/" + blob);
    const bool of_the_job = blob != raw;
    EXPECT_THAT(done.findings()[0].what, testing::HasSubstr(of_the_job ? "job/" + id.value : "step/" + id.value + "/"));
    plant(Batch().put(Table::kBlob, blob, bytes));
    EXPECT_THAT(places(), IsEmpty());
  }
  // A lineage and a submission are each enough to need the bytes.
  const std::string token = world_.submitter->submissions(id)->at(0).token;
  const auto without_steps = [&] {
    const auto rows = rows_under(*world_.store, Table::kStep, "").value();
    Batch batch;
    for (const store::Row& row : rows)
      if (row.key != result_key(id)) batch.erase(Table::kStep, row.key);
    return batch;
  };
  plant(without_steps().erase(Table::kBlob, raw));
  EXPECT_THAT(places(), ElementsAre("blob/" + raw));
  const Bytes submission = world_.store->get(Table::kSubmission, token).value()->value;
  plant(Batch().erase(Table::kSubmission, token));
  EXPECT_THAT(places(), testing::Contains("blob/" + raw));
  EXPECT_THAT(places(), testing::Contains("submission/job/" + id.value + "/" + token));
  plant(Batch().put(Table::kSubmission, token, submission));
  const std::string handle = submit::handle_key("fake.provider", "work-1");
  plant(Batch().put(Table::kSubmission, handle, token));
  EXPECT_THAT(places(), ElementsAre("blob/" + raw));
  plant(Batch().put(Table::kSubmission, handle, "token-of-a-job-that-is-gone"));  // which it outlives
  EXPECT_THAT(places(), ElementsAre("blob/" + raw));
  plant(Batch().erase(Table::kSubmission, handle));
  const std::string other = submit::handle_key("fake.provider", "work-2");
  plant(Batch().put(Table::kSubmission, other, token));
  EXPECT_THAT(places(), testing::Contains("submission/" + other));
  plant(Batch().erase(Table::kSubmission, other));
  const std::string by_job = submit::job_key(id, token);
  plant(Batch().erase(Table::kSubmission, by_job));
  EXPECT_THAT(places(), testing::Contains("submission/" + by_job));
  plant(Batch().put(Table::kSubmission, by_job, ""));
  // One that is not resolved is found by the reconciler.
  Json open = parse_json(submission, "submission").value();
  open["state"] = "held";
  plant(Batch().put(Table::kSubmission, token, open.dump()));
  EXPECT_THAT(places(), testing::Contains("submission/" + submit::open_key(token)));
  plant(Batch().put(Table::kSubmission, token, submission));
  const Bytes lineage = world_.store->get(Table::kLineage, record.view.lineage_id).value()->value;
  plant(Batch().erase(Table::kLineage, record.view.lineage_id));
  EXPECT_THAT(places(), ElementsAre("lineage/" + record.view.lineage_id, "blob/" + raw));
  plant(Batch().put(Table::kLineage, record.view.lineage_id, lineage).put(Table::kBlob, raw, "result"));
  EXPECT_THAT(places(), IsEmpty());

  EXPECT_EQ(check().blobs_unreferenced(), 0u);
  plant(Batch().put(Table::kBlob, sha256("nobody's").hex(), "nobody's"));
  EXPECT_EQ(check().blobs_unreferenced(), 1u);
  EXPECT_THAT(places(), IsEmpty());
}

TEST_F(StoreChecked, an_event_that_was_altered_or_misfiled_and_a_gap_in_the_log_are_found) {
  world_.run(world_.classical_job());
  const store::LogEntry event = world_.store->read_log(0, 1).value().at(0);
  const auto wrong = [](std::vector<store::LogEntry> entries) {
    StoreCheck check;
    for (const store::LogEntry& entry : entries) check.entry(entry);
    check.finish();
    return check.findings().size();
  };
  EXPECT_EQ(wrong({event}), 0u);
  store::LogEntry altered = event;
  altered.value.replace(altered.value.find("queued"), 6, "sueued");
  EXPECT_EQ(wrong({altered}), 1u);
  EXPECT_EQ(wrong({{1, "job_of_another", event.value}}), 1u);
  EXPECT_EQ(wrong({event, {3, event.subject, event.value}}), 1u);
  EXPECT_EQ(wrong({{2, event.subject, event.value}}), 1u);
  EXPECT_EQ(wrong({{1, event.subject, "no JSON"}}), 1u);
}

TEST(StoreCheck, findings_without_end_are_counted_and_not_all_kept) {
  StoreCheck check;
  for (int i = 0; i < 2000; ++i) check.row(Table::kBlob, {std::to_string(i), 1, ""});
  EXPECT_EQ(check.findings().size(), StoreCheck::kFindingsMax);
  EXPECT_EQ(check.findings_total(), 2000u);
}

}  // namespace
}  // namespace tandem::engine
