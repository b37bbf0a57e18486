#include "tandem/middleware/remote/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"

namespace tandem::remote {
namespace {

using testing::HasSubstr;

constexpr std::string_view kGood = R"(adapter: test
api_version: "4"
version: "2"
access: cloud
authorization: Bearer
backends:
  - {id: test.device, name: a device, tier: qpu, emulated: false, metered: true, best_for: tests, qubits_max: 7}
  - {id: test.simulator, name: a simulator, tier: simulator, metered: false, best_for: trials, qubits_max: 9}
safety: {class: C, note: echoes}
conformance: {level: L1, note: schema of 2026-01}
limits: {shots_max: 100, pubs_max: 3, request_bytes_max: 1000, response_bytes_max: 2000}
price: {source: a page, note: per shot}
states: {waiting: queued, done: succeeded}
failures: {TooBig: invalid, NoCredit: forbidden}
errors: {"402": forbidden, "503": unavailable}
)";

std::string with(std::string_view from, std::string_view to) {
  std::string text(kGood);
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(Manifest, carries_what_the_file_says) {
  const auto manifests = Manifest::parse(kGood, "adapter.yaml");
  ASSERT_THAT(manifests, Succeeds());
  const Manifest* const manifest = &manifests->front();
  EXPECT_EQ(manifest->info.id, BackendId("test.device"));
  EXPECT_EQ(manifest->info.tier, job::Tier::kQpu);
  EXPECT_EQ(manifest->info.access, job::Access::kCloud);
  EXPECT_FALSE(manifest->info.emulated);
  EXPECT_TRUE(manifest->info.metered);
  EXPECT_EQ(manifest->info.safety, backend::SubmitSafety::kC);
  EXPECT_EQ(manifest->info.conformance, "L1");
  EXPECT_EQ(manifest->info.qubits_max, 7u);
  EXPECT_EQ(manifest->info.shots_max, 100u);
  EXPECT_EQ(manifest->pubs_max, 3u);
  EXPECT_EQ(manifest->states.at("waiting"), backend::WorkState::kQueued);
  EXPECT_THAT(manifest->failures, testing::ElementsAre(testing::Pair("NoCredit", Verdict::kForbidden),
                                                       testing::Pair("TooBig", Verdict::kInvalid)));
  EXPECT_EQ(manifest->authorization, "Bearer");
  ASSERT_EQ(manifests->size(), 2u);
  EXPECT_EQ(manifests->back().info.id, BackendId("test.simulator"));
  EXPECT_EQ(manifests->back().info.tier, job::Tier::kSimulator);
  EXPECT_FALSE(manifests->back().info.metered);
  EXPECT_EQ(manifests->back().info.qubits_max, 9u);
  EXPECT_EQ(manifests->back().info.safety, backend::SubmitSafety::kC);  // what stands for all
}

TEST(Manifest, a_status_that_the_file_does_not_name_is_judged_by_its_class) {
  const auto manifests = Manifest::parse(kGood, "adapter.yaml");
  ASSERT_THAT(manifests, Succeeds());
  const Manifest* const manifest = &manifests->front();
  const std::pair<int, Verdict> cases[] = {
      {200, Verdict::kOk},        {201, Verdict::kOk},        {402, Verdict::kForbidden}, {503, Verdict::kUnavailable},
      {500, Verdict::kTransient}, {504, Verdict::kTransient}, {408, Verdict::kTransient}, {302, Verdict::kGarbage},
      {404, Verdict::kGarbage},   {199, Verdict::kGarbage},   {600, Verdict::kGarbage}};
  for (const auto& [status, verdict] : cases) EXPECT_EQ(manifest->verdict_of(status), verdict) << status;
}

TEST(Manifest, only_the_providers_own_no_before_the_work_is_taken_removes_doubt) {
  for (const Verdict verdict : {Verdict::kOk, Verdict::kUnavailable, Verdict::kTransient, Verdict::kGarbage}) {
    EXPECT_FALSE(surely_not_accepted(verdict)) << to_string(verdict);
  }
  for (const Verdict verdict : {Verdict::kUnauthenticated, Verdict::kForbidden, Verdict::kInvalid, Verdict::kNotFound,
                                Verdict::kConflict, Verdict::kThrottled}) {
    EXPECT_TRUE(surely_not_accepted(verdict)) << to_string(verdict);
  }
}

TEST(Manifest, what_a_verdict_means_depends_on_what_was_asked) {
  using enum backend::ErrorClass;
  struct Case {
    Verdict verdict;
    backend::ErrorClass submission, read, cancel;
  };
  for (const Case& one :
       {Case{Verdict::kOk, kAccepted, kOk, kOk},
        Case{Verdict::kUnauthenticated, kAuthExpired, kAuthExpired, kAuthExpired},
        Case{Verdict::kForbidden, kForbiddenOrQuota, kForbiddenOrQuota, kForbiddenOrQuota},
        Case{Verdict::kInvalid, kInvalid, kInvalid, kInvalid}, Case{Verdict::kNotFound, kInvalid, kNotYet, kInvalid},
        Case{Verdict::kConflict, kForbiddenOrQuota, kNotYet, kNotCancellable},
        Case{Verdict::kThrottled, kThrottled, kThrottled, kThrottled},
        Case{Verdict::kUnavailable, kDeviceUnavailable, kDeviceUnavailable, kDeviceUnavailable},
        Case{Verdict::kTransient, kTransient, kTransient, kTransient},
        Case{Verdict::kGarbage, kTransient, kTransient, kTransient}}) {
    EXPECT_EQ(class_of(one.verdict, Asked::kSubmission), one.submission) << to_string(one.verdict);
    EXPECT_EQ(class_of(one.verdict, Asked::kRead), one.read) << to_string(one.verdict);
    EXPECT_EQ(class_of(one.verdict, Asked::kCancel), one.cancel) << to_string(one.verdict);
  }
}

TEST(Manifest, mistakes_are_reported_with_their_place) {
  struct Case {
    std::string text;
    std::string place;
    ErrorNumber number;
  };
  const Case cases[] = {
      {with("tier: qpu", "tier: abacus"), "adapter.yaml:7:45", errors::kValueOutOfRange},
      {with("class: C", "class: E"), "adapter.yaml:9:17", errors::kValueOutOfRange},
      {with("qubits_max: 7", "qubits_max: 0"), "adapter.yaml:7:111", errors::kValueOutOfRange},
      {with("\"402\": forbidden", "\"42\": forbidden"), "adapter.yaml:15:16", errors::kValueOutOfRange},
      {with("TooBig: invalid", "TooBig: large"), "adapter.yaml:14:20", errors::kValueOutOfRange},
      {with("TooBig: invalid", "TooBig: not_found"), "adapter.yaml:14:20", errors::kValueOutOfRange},
      {with("waiting: queued", "waiting: asleep"), "adapter.yaml:13:19", errors::kValueOutOfRange},
      {with("pubs_max: 3, ", ""), "adapter.yaml:11:9", errors::kMissingKey},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(Manifest::parse(c.text, "adapter.yaml"), FailsAt(c.place, c.number)) << c.text;
  }
  EXPECT_THAT(Manifest::parse(with("price:", "prize:"), "adapter.yaml"), FailsWith(errors::kUnknownKey));
  EXPECT_THAT(Manifest::parse(with("failures: {TooBig: invalid, NoCredit: forbidden}\n", ""), "adapter.yaml"),
              Succeeds())
      << "a provider may name no reasons";
}

}  // namespace
}  // namespace tandem::remote
