#include "tandem/evidence/telemetry/telemetry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::telemetry {
namespace {

using testing::HasSubstr;

TEST(MeterRegistry, writes_each_kind_in_the_text_format_with_its_labels) {
  MeterRegistry meters;
  meters.add("tandem_jobs_total", 2, {{"state", "failed"}});
  meters.add("tandem_jobs_total", 1, {{"state", "failed"}});
  meters.set("tandem_queue_depth", 7, {});
  meters.observe("tandem_commit_seconds", 0.002, {});
  const std::string text = meters.text();
  EXPECT_THAT(text, HasSubstr("# TYPE tandem_jobs_total counter"));
  EXPECT_THAT(text, HasSubstr("tandem_jobs_total{state=\"failed\"} 3"));
  EXPECT_THAT(text, HasSubstr("tandem_queue_depth 7"));
  EXPECT_THAT(text, HasSubstr("tandem_commit_seconds_bucket{le=\"0.003\"} 1"));
  EXPECT_THAT(text, HasSubstr("tandem_commit_seconds_bucket{le=\"0.001\"} 0"));
  EXPECT_THAT(text, HasSubstr("tandem_commit_seconds_count 1"));
}

TEST(MeterRegistry, escapes_label_values) {
  MeterRegistry meters;
  meters.add("tandem_test_total", 1, {{"detail", "a \"quoted\"\nline"}});
  EXPECT_THAT(meters.text(), HasSubstr(R"(detail="a \"quoted\"\nline")"));
}

}  // namespace
}  // namespace tandem::telemetry
