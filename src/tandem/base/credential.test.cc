#include "tandem/base/credential.h"

#include <gmock/gmock.h>

#include "tandem/base/testing/map_environment.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/memory_credentials.h"
#include "tandem/base/testing/memory_fs.h"
#include "tandem/base/testing/recording_log.h"

namespace tandem {
namespace {

class FileCredentialsTest : public testing::Test {
 protected:
  MemoryFs fs_;
  MapEnvironment environment_;
  RecordingLog log_;
  FileCredentials credentials_{fs_, environment_, log_};
};

TEST_F(FileCredentialsTest, a_secret_comes_from_a_private_file_without_its_last_line_end) {
  fs_.put_file("/run/token", "s3cret\n", 0400);
  EXPECT_EQ(credentials_.get("file:/run/token")->reveal(), "s3cret");
}

TEST_F(FileCredentialsTest, a_secret_comes_from_a_variable_made_for_secrets_only) {
  environment_.variables = {{"TANDEM_SECRET_DEVICE", "s3cret"}, {"HOME", "/root"}};
  EXPECT_EQ(credentials_.get("env:TANDEM_SECRET_DEVICE")->reveal(), "s3cret");
  EXPECT_THAT(credentials_.get("env:HOME"), FailsWith(errors::kBadCredentialReference));
}

TEST_F(FileCredentialsTest, a_variable_is_warned_of_once_and_without_its_value) {
  environment_.variables = {{"TANDEM_SECRET_DEVICE", "s3cret"}};
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(credentials_.get("env:TANDEM_SECRET_DEVICE"));
  const auto entries = log_.entries();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries.front().event, "credential.in_environment");
  for (const auto& [name, value] : entries.front().fields)
    EXPECT_THAT(value, testing::Not(testing::HasSubstr("s3cret"))) << name;
}

TEST_F(FileCredentialsTest, a_secret_comes_from_the_service_manager) {
  fs_.put_file("/run/credentials/tandem/vendor", "s3cret\n", 0440);
  EXPECT_THAT(credentials_.get("systemd:vendor"), FailsWith(errors::kCredentialMissing));
  environment_.variables = {{"CREDENTIALS_DIRECTORY", "/run/credentials/tandem"}};
  EXPECT_EQ(credentials_.get("systemd:vendor")->reveal(), "s3cret");
  EXPECT_THAT(credentials_.get("systemd:other"), FailsWith(errors::kCredentialMissing));
  for (const char* reference : {"systemd:", "systemd:..", "systemd:../tandem/vendor", "systemd:/etc/passwd"})
    EXPECT_THAT(credentials_.get(reference), FailsWith(errors::kBadCredentialReference)) << reference;
}

TEST_F(FileCredentialsTest, a_file_that_others_may_read_is_refused) {
  fs_.put_file("/run/token", "s3cret", 0644);
  EXPECT_THAT(credentials_.get("file:/run/token"), FailsWith(errors::kCredentialUnsafe));
}

TEST_F(FileCredentialsTest, what_is_missing_or_empty_says_so) {
  fs_.put_file("/run/empty", "\n", 0400);
  for (const char* reference : {"file:/run/absent", "file:/run/empty", "env:TANDEM_SECRET_ABSENT"}) {
    EXPECT_THAT(credentials_.get(reference), FailsWith(errors::kCredentialMissing)) << reference;
  }
}

TEST_F(FileCredentialsTest, anything_else_is_no_reference) {
  for (const char* reference : {"", "file:", "env:", "env:TANDEM_SECRET_", "s3cret", "/run/token", "FILE:/run/token"}) {
    EXPECT_THAT(credentials_.get(reference), FailsWith(errors::kBadCredentialReference)) << reference;
    const auto refused = credentials_.get(reference);
    EXPECT_EQ(refused.error().to_string().find("s3cret"), std::string::npos) << "it may be the secret itself";
  }
}

TEST_F(FileCredentialsTest, no_error_shows_a_secret) {
  fs_.put_file("/run/token", "s3cret", 0644);
  environment_.variables = {{"HOME", "s3cret"}};
  for (const char* reference : {"file:/run/token", "env:HOME"}) {
    EXPECT_EQ(credentials_.get(reference).error().to_string().find("s3cret"), std::string::npos);
  }
}

TEST(MemoryCredentials, knows_what_it_was_given) {
  MemoryCredentials credentials{{"file:/a", "s3cret"}};
  EXPECT_EQ(credentials.get("file:/a")->reveal(), "s3cret");
  EXPECT_THAT(credentials.get("file:/b"), FailsWith(errors::kCredentialMissing));
}

}  // namespace
}  // namespace tandem
