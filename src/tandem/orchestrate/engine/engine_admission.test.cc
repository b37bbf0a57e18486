// What a request becomes when it is taken, and what it leaves when it is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>

#include "tandem/hybrid/walk/walk.h"
#include "tandem/orchestrate/engine/testing/cut_store.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class EngineAdmission : public testing::Test {
 protected:
  EngineWorld world_;
};

std::uint64_t num_jobs(EngineWorld& world) { return world.store->count(store::Table::kJob, "").value(); }

TEST_F(EngineAdmission, admission_writes_job_document_hold_and_event_in_one_commit) {
  world_.open(0);
  const job::JobSpec spec = world_.paid_job();
  const JobId id = world_.admit(spec);
  EXPECT_EQ(world_.engine->job(id)->state, job::JobState::kQueued);
  EXPECT_EQ(world_.engine->spec_document(id).value(), spec.document());
  EXPECT_EQ(world_.hold(id).money.free.usd_micros, 5000);
  EXPECT_THAT(world_.event_types(id), ElementsAre("job.queued"));
  // A fresh process on the same disk sees the same.
  world_.close();
  world_.open(0);
  EXPECT_EQ(world_.engine->job(id)->name, "paid");
  EXPECT_EQ(world_.hold(id).money.free.usd_micros, 5000);
}

TEST_F(EngineAdmission, a_failed_admission_leaves_nothing) {
  world_.open(0);
  world_.store->fail_commits(1, 1, make_error(errors::kDiskFull, "planted"));
  EXPECT_THAT(world_.engine->admit(world_.classical_job(), "default", "key", "user"), FailsWith(errors::kDiskFull));
  EXPECT_EQ(num_jobs(world_), 0u);
  EXPECT_EQ(world_.store->count(store::Table::kIdempotency, "").value(), 0u);
  EXPECT_EQ(world_.store->last_sequence().value(), 0u);
}

TEST_F(EngineAdmission, one_for_which_there_is_no_memory_does_not_hold_the_drain_up) {
  world_.open(0);
  CutStore short_of_memory(*world_.store);
  const auto engine =
      Engine::start(world_.services(short_of_memory, *world_.submitter), EngineOptions{.workers = 0}).value();
  short_of_memory.before_commit([] { throw std::bad_alloc(); });
  EXPECT_THROW((void)engine->admit(world_.classical_job(), "default", "", "user"), std::bad_alloc);
  engine->drain(Deadline::after(world_.clock, std::chrono::nanoseconds(0)), Deadline::never());
  EXPECT_EQ(num_jobs(world_), 0u);
}

TEST_F(EngineAdmission, the_same_key_and_document_give_the_same_job_also_after_a_restart) {
  world_.open(0);
  const auto first = world_.engine->admit(world_.classical_job(), "default", "key", "user");
  const auto again = world_.engine->admit(world_.classical_job(), "default", "key", "user");
  ASSERT_THAT(first, Succeeds());
  ASSERT_THAT(again, Succeeds());
  EXPECT_FALSE(first->replayed);
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(again->id, first->id);
  world_.close();
  world_.open(0);
  EXPECT_EQ(world_.engine->admit(world_.classical_job(), "default", "key", "user")->id, first->id);
  EXPECT_EQ(num_jobs(world_), 1u);
}

TEST_F(EngineAdmission, a_key_belongs_to_one_document_and_one_tenant) {
  world_.open(0);
  world_.admit(world_.classical_job("one"), "key");
  EXPECT_THAT(world_.engine->admit(world_.classical_job("two"), "default", "key", "user"),
              FailsWith(errors::kIdempotencyConflict));
  EXPECT_THAT(world_.engine->admit(world_.classical_job("two"), "other", "key", "user"), Succeeds());
  // A row with a byte that is not UTF-8 could never be read again.
  for (const std::string& key : {std::string(256, 'k'), std::string("k\xff")})
    EXPECT_THAT(world_.engine->admit(world_.classical_job(), "default", key, "user"),
                FailsAt("Idempotency-Key", errors::kValueOutOfRange));
  EXPECT_EQ(num_jobs(world_), 2u);
}

TEST_F(EngineAdmission, a_job_that_names_what_is_not_here_is_refused_and_leaves_nothing) {
  world_.open(0);
  job::JobSpec spec = world_.classical_job();
  spec.policy.backends = {"cpu.tabu", "cpu.tabo"};
  EXPECT_THAT(world_.engine->admit(spec, "default", "", "user"),
              FailsAt("/policy/backends/1", errors::kUnknownBackend));
  spec = world_.classical_job();
  spec.solver = "magic";
  EXPECT_THAT(world_.engine->admit(spec, "default", "", "user"), FailsAt("/solver", errors::kValueOutOfRange));
  EXPECT_EQ(num_jobs(world_), 0u);
}

TEST_F(EngineAdmission, a_problem_that_needs_more_memory_than_there_is_is_refused_with_both_figures) {
  world_.memory_bytes_max = walk::bytes_needed(8);
  world_.open(0);
  EXPECT_THAT(world_.engine->admit(world_.classical_job(), "default", "", "user"), Succeeds());
  const job::JobSpec larger = world_.spec({{"problem", EngineWorld::max_cut(9)}});
  const auto refused = world_.engine->admit(larger, "default", "", "user");
  ASSERT_THAT(refused, FailsAt("/problem", errors::kOutOfMemory));
  EXPECT_THAT(refused.error().message, HasSubstr(std::to_string(walk::bytes_needed(9))));
  EXPECT_THAT(refused.error().message, HasSubstr(std::to_string(walk::bytes_needed(8))));
  EXPECT_EQ(num_jobs(world_), 1u);
}

TEST_F(EngineAdmission, one_key_at_the_same_time_on_many_threads_makes_one_job_and_who_came_too_early_is_told) {
  world_.open(0);
  const job::JobSpec spec = world_.classical_job();
  std::vector<Result<Admission>> answers(16, Admission{});
  world_.executor.parallel(answers.size(), 4,
                           [&](std::size_t i) { answers[i] = world_.engine->admit(spec, "default", "key", "user"); });
  const Admission repeated = world_.engine->admit(spec, "default", "key", "user").value();
  EXPECT_TRUE(repeated.replayed);
  int fresh = 0;
  for (const auto& answer : answers) {
    if (answer) {
      EXPECT_EQ(answer->id, repeated.id);
      fresh += answer->replayed ? 0 : 1;
    } else {
      EXPECT_THAT(answer, FailsAt("Idempotency-Key", errors::kIdempotencyInFlight));
    }
  }
  EXPECT_EQ(fresh, 1);
  EXPECT_EQ(num_jobs(world_), 1u);
}

TEST_F(EngineAdmission, a_key_whose_first_request_is_not_committed_yet_gets_no_second_job_and_no_answer) {
  world_.open(0);
  CutStore slow(*world_.store);
  const auto engine = Engine::start(world_.services(slow, *world_.submitter), EngineOptions{.workers = 0}).value();
  JobId first;
  slow.before_commit([&] { first = world_.admit(world_.classical_job(), "key"); });
  const auto early = engine->admit(world_.classical_job(), "default", "key", "user");
  EXPECT_THAT(early, FailsAt("Idempotency-Key", errors::kIdempotencyInFlight));
  EXPECT_THAT(early.error().message, HasSubstr("send this one again in a moment"));
  const auto again = engine->admit(world_.classical_job(), "default", "key", "user");
  ASSERT_THAT(again, Succeeds());
  EXPECT_EQ(again->id, first);
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(num_jobs(world_), 1u);
}

}  // namespace
}  // namespace tandem::engine
