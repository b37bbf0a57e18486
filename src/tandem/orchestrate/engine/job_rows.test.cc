#include "tandem/orchestrate/engine/job_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

class JobRowsTest : public testing::Test {
 protected:
  EngineWorld world_;
};

TEST_F(JobRowsTest, what_is_loaded_is_what_the_store_has_at_that_moment) {
  world_.open();
  const JobId id = world_.run(world_.classical_job()).id;
  JobRows rows(*world_.store);
  const auto expect_as_stored = [&] {
    const auto kept = rows.load(id);
    const auto stored = load_job(*world_.store, id);
    ASSERT_THAT(kept, Succeeds());
    ASSERT_THAT(stored, Succeeds());
    EXPECT_EQ(kept->version, stored->version);
    EXPECT_EQ(kept->value(), stored->value());
    EXPECT_EQ(kept->view.document(), stored->view.document());
  };
  expect_as_stored();
  expect_as_stored();  // known
  const store::Row row = world_.store->get(store::Table::kJob, id.value).value().value();
  const auto put = [&](const Bytes& value) {
    ASSERT_THAT(world_.store->commit_and_wait(store::Batch().put(store::Table::kJob, id.value, value)), Succeeds());
  };
  put(row.value);  // the same bytes at another version
  expect_as_stored();
  JobRecord changed = load_job(*world_.store, id).value();
  changed.view.name = "another name";
  put(changed.value());
  expect_as_stored();
  EXPECT_EQ(rows.load(id)->view.name, "another name");
  put("{}");
  EXPECT_FALSE(rows.load(id).has_value()) << "a row that is damaged is not answered from what it was";
  put(row.value);
  expect_as_stored();
  ASSERT_THAT(world_.store->commit_and_wait(store::Batch().erase(store::Table::kJob, id.value)), Succeeds());
  EXPECT_THAT(rows.load(id), FailsWith(errors::kJobNotFound));
}

}  // namespace
}  // namespace tandem::engine
