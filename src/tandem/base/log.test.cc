#include "tandem/base/log.h"

#include <gmock/gmock.h>

#include <thread>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/json.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/base/text.h"

namespace tandem {
namespace {

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  for (const std::string_view line : split(trim(text), '\n')) {
    const auto parsed = parse_json(line, "log");
    EXPECT_THAT(parsed, Succeeds()) << line;
    if (parsed) lines.push_back(*parsed);
  }
  return lines;
}

TEST(StderrLog, writes_one_json_object_a_line_with_time_level_event_and_fields) {
  testing::internal::CaptureStderr();
  StderrLog(LogLevel::kInfo)
      .write(LogLevel::kWarning, "job_failed", {{"job_id", "job_1"}, {"why", "a \"quoted\"\nline {} \xff"}});
  const auto lines = lines_of(testing::internal::GetCapturedStderr());
  ASSERT_EQ(lines.size(), 1u);
  Json line = lines.front();
  EXPECT_THAT(parse_rfc3339(line["time"].get<std::string>()), Succeeds());
  line.erase("time");
  EXPECT_EQ(line, Json({{"level", "warning"},
                        {"event", "job_failed"},
                        {"job_id", "job_1"},
                        {"why", "a \"quoted\"\nline {} \xef\xbf\xbd"}}));
}

TEST(StderrLog, drops_what_is_below_its_level) {
  const std::vector<std::pair<LogLevel, int>> cases = {
      {LogLevel::kDebug, 4}, {LogLevel::kInfo, 3}, {LogLevel::kWarning, 2}, {LogLevel::kError, 1}, {LogLevel::kOff, 0}};
  for (const auto& [level, written] : cases) {
    testing::internal::CaptureStderr();
    StderrLog log(level);
    for (const LogLevel at :
         {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError, LogLevel::kOff}) {
      log.write(at, "event", {});
    }
    const std::string text = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), written);
  }
}

TEST(StderrLog, lines_of_several_threads_do_not_mix) {
  testing::internal::CaptureStderr();
  {
    StderrLog log(LogLevel::kDebug);
    std::vector<std::thread> writers;
    for (int t = 0; t < 4; ++t) {
      writers.emplace_back([&log] {
        for (int i = 0; i < 100; ++i) log.write(LogLevel::kInfo, "event", {{"text", std::string(200, 'x')}});
      });
    }
    for (std::thread& writer : writers) writer.join();
  }
  EXPECT_EQ(lines_of(testing::internal::GetCapturedStderr()).size(), 400u);
}

TEST(RecordingLog, keeps_what_was_written) {
  RecordingLog log;
  log.write(LogLevel::kError, "a", {{"k", "v"}});
  log.write(LogLevel::kInfo, "b", {});
  EXPECT_EQ(log.count("a"), 1u);
  EXPECT_THAT(log.entries(), testing::ElementsAre(RecordingLog::Entry{LogLevel::kError, "a", {{"k", "v"}}},
                                                  RecordingLog::Entry{LogLevel::kInfo, "b", {}}));
}

}  // namespace
}  // namespace tandem
