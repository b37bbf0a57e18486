#include "tandem/base/setting.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "tandem/base/settings_table.h"
#include "tandem/base/testing/map_environment.h"
#include "tandem/base/testing/matchers.h"

namespace tandem {
namespace {

using testing::HasSubstr;
using Flags = std::map<std::string, std::string>;

Result<Settings> load(std::string_view file, const MapEnvironment& environment = {}, const Flags& flags = {}) {
  return Settings::load(file, "tandem.yaml", environment, flags);
}

TEST(Settings, every_setting_has_a_default_within_its_own_limits) {
  const Settings settings = *load("");
  for (const SettingRecord& record : settings::kTable) {
    EXPECT_EQ(settings.value(record.name).text, record.default_value) << record.name;
    EXPECT_EQ(settings.value(record.name).origin, SettingOrigin::kDefault) << record.name;
    // What a person writes as the default is read and stays as it is.
    const auto given = load("", {}, {{std::string(record.name), std::string(record.default_value)}});
    ASSERT_THAT(given, Succeeds()) << record.name;
    EXPECT_EQ(given->value(record.name).text, record.default_value) << record.name;
    EXPECT_EQ(given->digest(), settings.digest()) << record.name;
  }
}

TEST(Settings, a_flag_beats_the_environment_and_that_beats_the_file) {
  const std::string file = "server:\n  listen: 127.0.0.1:1\n  connections_max: 10\n  body_bytes_max: 2048\n";
  const MapEnvironment environment{{"TANDEM_SERVER_LISTEN", "127.0.0.1:2"}, {"TANDEM_SERVER_CONNECTIONS_MAX", "20"}};
  const Settings settings = *load(file, environment, {{"server.listen", "127.0.0.1:3"}});
  EXPECT_EQ(settings.string("server.listen"), "127.0.0.1:3");
  EXPECT_EQ(settings.integer("server.connections_max"), 20);
  EXPECT_EQ(settings.integer("server.body_bytes_max"), 2048);
  EXPECT_EQ(settings.value("server.listen").source, "command line");
  EXPECT_EQ(settings.value("server.listen").origin, SettingOrigin::kFlag);
  EXPECT_EQ(settings.value("server.connections_max").source, "TANDEM_SERVER_CONNECTIONS_MAX");
  EXPECT_EQ(settings.value("server.connections_max").origin, SettingOrigin::kEnvironment);
  EXPECT_EQ(settings.value("server.body_bytes_max").source, "tandem.yaml:4:19");
  EXPECT_EQ(settings.value("server.body_bytes_max").origin, SettingOrigin::kFile);
}

TEST(Settings, durations_are_milliseconds_and_have_one_spelling) {
  const Settings seconds = *load("server: {drain_timeout: 2s}");
  const Settings millis = *load("", {}, {{"server.drain_timeout", "2000ms"}});
  EXPECT_EQ(seconds.integer("server.drain_timeout"), 2000);
  EXPECT_EQ(seconds.value("server.drain_timeout").text, "2000ms");
  EXPECT_EQ(seconds.digest(), millis.digest());
  EXPECT_NE(seconds.digest(), load("server: {drain_timeout: 3s}")->digest());
}

TEST(Settings, a_json_file_and_dotted_names_are_read_too) {
  EXPECT_EQ(load("{\"engine\": {\"workers\": 3}}")->integer("engine.workers"), 3);
  EXPECT_EQ(load("engine.workers: 4")->integer("engine.workers"), 4);
  EXPECT_THAT(load("engine: {workers: 3}\nengine.workers: 4"), FailsAt("tandem.yaml:2:17", errors::kJsonDuplicateKey));
  EXPECT_THAT(load(" \n"), Succeeds());
}

TEST(Settings, unknown_names_are_refused_with_the_nearest_one_wherever_they_come_from) {
  const auto file = load("server:\n  listn: x");
  EXPECT_THAT(file, FailsAt("tandem.yaml:2:10", errors::kUnknownSetting));
  EXPECT_EQ(file.error().message, "unknown setting 'server.listn', did you mean 'server.listen'?");
  EXPECT_THAT(load("sever: 5"), FailsAt("tandem.yaml:1:8", errors::kUnknownSetting));
  EXPECT_THAT(load("", {}, {{"server.listn", "x"}}), FailsAt("command line", errors::kUnknownSetting));
  const auto variable = load("", MapEnvironment{{"TANDEM_SERVER_LISTN", "x"}});
  EXPECT_THAT(variable, FailsAt("TANDEM_SERVER_LISTN", errors::kUnknownSetting));
  EXPECT_THAT(variable.error().message, HasSubstr("did you mean 'TANDEM_SERVER_LISTEN'?"));
  EXPECT_THAT(load("", MapEnvironment{{"TANDEM_SEVER_LISTEN", "x"}}), FailsWith(errors::kUnknownSetting));
  EXPECT_THAT(load("", MapEnvironment{{"TANDEM_ENGINE_SOMETHING_ELSE_ENTIRELY", "x"}}),
              FailsWith(errors::kUnknownSetting));
}

TEST(Settings, variables_of_others_with_our_prefix_are_left_alone) {
  EXPECT_THAT(load("", MapEnvironment({{"TANDEM_SECRET_DEVICE", "x"},
                                       {"TANDEM_TEST_DATA", "/data"},
                                       {"TANDEM_KILLS", "50"},
                                       {"TANDEM_BINARY", "/bin/x"},
                                       {"TANDEM_SOURCE_DIR", "/src"},
                                       {"OTHER", "x"}})),
              Succeeds());
}

TEST(Settings, bad_values_are_refused_with_value_limit_and_place) {
  struct Refused {
    const char* name;
    const char* value;
    const char* words;
  };
  for (const Refused& c :
       std::vector<Refused>{{"engine.workers", "0", "write a value from 1 to 256"},
                            {"engine.workers", "257", "is '257'"},
                            {"engine.workers", "two", "write an integer"},
                            {"engine.workers", "1.5", "write an integer"},
                            {"engine.workers", "99999999999999999999", "write an integer"},
                            {"server.drain_timeout", "5", "write a duration with a unit"},
                            {"server.drain_timeout", "11m", "write a value from 0ms to 600000ms"},
                            {"store.commit_wait", "0.4ms", "write a duration of whole milliseconds"},
                            {"server.drain_timeout", "1.0005s", "whole milliseconds"},
                            {"server.listen", "8642", "write HOST:PORT"},
                            {"server.listen", ":8642", "write HOST:PORT"},
                            {"server.listen", "localhost:", "write HOST:PORT"},
                            {"server.listen", "localhost:65536", "write HOST:PORT"},
                            {"server.listen", "localhost:-1", "write HOST:PORT"},
                            {"server.listen", "http://localhost:1", "write HOST:PORT"},
                            {"log.level", "silly", "one of debug, info, warning, error, off"},
                            {"log.level", "warnin", "did you mean 'warning'?"},
                            {"log.level", "", "is ''"},
                            {"log.level", "debug|info", "one of debug"},
                            {"lab.device_url", "garbage", "http://HOST[:PORT] or https://HOST[:PORT]"},
                            {"lab.device_url", "ftp://x:1", "is 'ftp://x:1'"},
                            {"lab.device_url", "http://", "write http://HOST"},
                            {"lab.device_url", "http:///x", "write http://HOST"},
                            {"lab.device_url", "http://x:0", "a port from 1 to 65535"},
                            {"lab.device_url", "http://a@x:1", "write http://HOST"},
                            {"lab.device_url", "127.0.0.1:9641", "write http://HOST"}}) {
    const auto result = load("", {}, {{c.name, c.value}});
    ASSERT_THAT(result, FailsAt("command line", errors::kBadSetting)) << c.name << " " << c.value;
    EXPECT_THAT(result.error().message, HasSubstr(c.words));
  }
  for (const char* url : {"http://me:hunter@x:1", "http://me:hun/ter@x", "me:hunter@x", "ftp://me:hunter@x"}) {
    const auto result = load("", {}, {{"lab.device_url", url}});
    ASSERT_THAT(result, FailsAt("command line", errors::kBadSetting)) << url;
    EXPECT_THAT(result.error().message,
                testing::AllOf(HasSubstr("'lab.device_url'"), HasSubstr("password"), testing::Not(HasSubstr("hun"))));
  }
  EXPECT_THAT(load("engine:\n  workers: [1]"), FailsAt("tandem.yaml:2:12", errors::kBadSetting));
  EXPECT_THAT(load("engine:\n  workers:"), FailsWith(errors::kBadSetting));
  EXPECT_THAT(load("- a"), FailsAt("tandem.yaml:1:1", errors::kWrongType));
  EXPECT_THAT(load("a: 1\na: 2"), FailsWith(errors::kJsonDuplicateKey));
  EXPECT_THAT(load("server: {listen: '[::1]:8642'}"), Succeeds());
  for (const char* url :
       {"http://127.0.0.1:9641", "https://[::1]:443/base", "https://[::1]/base", "https://api.example/v0.4", ""})
    EXPECT_THAT(load("", {}, {{"lab.device_url", url}}), Succeeds()) << url;
}

TEST(SystemEnvironment, reads_the_variables_of_the_process) {
  ASSERT_EQ(::setenv("TANDEM_TEST_VARIABLE", "a=b", 1), 0);
  const SystemEnvironment environment;
  EXPECT_EQ(environment.get("TANDEM_TEST_VARIABLE"), "a=b");
  EXPECT_EQ(environment.with_prefix("TANDEM_TEST_VAR").at("TANDEM_TEST_VARIABLE"), "a=b");
  EXPECT_FALSE(environment.with_prefix("TANDEM_TEST_VAR").contains("PATH"));
  ::unsetenv("TANDEM_TEST_VARIABLE");
  EXPECT_EQ(environment.get("TANDEM_TEST_VARIABLE"), "");
}

}  // namespace
}  // namespace tandem
