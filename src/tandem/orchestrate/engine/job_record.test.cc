#include "tandem/orchestrate/engine/job_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"

namespace tandem::engine {
namespace {

JobRecord usual() {
  JobRecord out;
  out.view = {.id = JobId("job_1"), .problem_type = "noop", .tenant = "default"};
  out.view.created_at = out.view.updated_at = Timestamp{1'795'943'348'863'706};
  out.view.submitted_by = "user:one";
  out.rank = 1'795'943'348'863;
  return out;
}

/// With nothing as it is in most rows.
JobRecord unusual() {
  JobRecord out = usual();
  out.view.project = "p";
  out.view.priority = -2;
  out.view.cancel_requested = true;
  out.owner = "node_1";
  out.lost_leases = 3;
  out.rank += 120'000;
  out.serial_key = "k";
  out.suspend_requested = true;
  out.queue_until_micros = 7;
  return out;
}

void expect_same(const JobRecord& a, const JobRecord& b) {
  EXPECT_EQ(a.view.document(), b.view.document());
  EXPECT_EQ(a.owner, b.owner);
  EXPECT_EQ(a.lost_leases, b.lost_leases);
  EXPECT_EQ(a.rank, b.rank);
  EXPECT_EQ(a.serial_key, b.serial_key);
  EXPECT_EQ(a.suspend_requested, b.suspend_requested);
  EXPECT_EQ(a.queue_until_micros, b.queue_until_micros);
}

TEST(JobRecord, a_row_holds_what_is_not_as_in_most_and_what_it_leaves_out_is_read_as_it_was) {
  for (const JobRecord& record : {usual(), unusual()}) {
    const auto read = JobRecord::parse({.key = "job_1", .version = 1, .value = record.value()});
    ASSERT_THAT(read, Succeeds());
    expect_same(*read, record);
  }
  const Json shorter = Json::parse(usual().value());
  const Json longer = Json::parse(unusual().value());
  for (const char* member : {"project", "priority", "cancel_requested", "owner", "lost_leases", "rank", "serial_key",
                             "suspend_requested", "queue_until_micros"}) {
    EXPECT_FALSE(shorter.contains(member)) << member;
    EXPECT_TRUE(longer.contains(member)) << member;
  }
}

TEST(JobRecord, a_row_of_a_version_that_left_nothing_out_is_read) {
  Json row = Json::parse(usual().value());
  row.update({{"job_id", "job_1"},
              {"project", ""},
              {"priority", 0},
              {"cancel_requested", false},
              {"owner", ""},
              {"lost_leases", 0},
              {"rank", usual().rank},
              {"serial_key", ""},
              {"suspend_requested", false},
              {"queue_until_micros", 0}});
  const auto read = JobRecord::parse({.key = "job_1", .version = 1, .value = row.dump()});
  ASSERT_THAT(read, Succeeds());
  expect_same(*read, usual());
}

TEST(JobRecord, where_a_job_is_at_home_is_read_off_its_announcement) {
  const std::string at_one = R"({"actor":"\"home\":\"two\"","data":{"home":"one","start_by":0,"tenant":"home"}})";
  EXPECT_TRUE(has_home(at_one));
  EXPECT_TRUE(is_at_home(at_one, "one"));
  for (const char* other : {"two", "on", "one2", ""}) EXPECT_FALSE(is_at_home(at_one, other)) << other;
  EXPECT_FALSE(may_expire(at_one));
  const std::string nowhere = R"({"actor":"user:home","data":{"home":"","start_by":1795943348863,"tenant":"t"}})";
  EXPECT_FALSE(has_home(nowhere));
  EXPECT_TRUE(may_expire(nowhere));
  EXPECT_FALSE(has_home(R"({"data":{"tenant":"of a version without homes"}})"));
  EXPECT_FALSE(is_at_home(R"({"data":{"tenant":"one"}})", "one"));
}

}  // namespace
}  // namespace tandem::engine
