#include "tandem/model/job/fallback.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"

namespace tandem::job {
namespace {

using enum FallbackCause;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(FallbackCause, every_error_has_one) {
  const std::pair<ErrorNumber, FallbackCause> cases[] = {{errors::kQueueWaitPredicted, kQueueWait},
                                                         {errors::kPartialResult, kPartial},
                                                         {errors::kLowConfidence, kLowConfidence},
                                                         {errors::kPeerTimeout, kTimeout},
                                                         {errors::kExpired, kTimeout},
                                                         {errors::kRunExpired, kTimeout},
                                                         {errors::kBackendUnavailable, kUnavailable},
                                                         {errors::kBackendRefused, kUnavailable},
                                                         {errors::kCredentialRefused, kUnavailable},
                                                         {errors::kBackendForbidden, kUnavailable},
                                                         {errors::kBackendThrottled, kUnavailable},
                                                         {errors::kBackendGarbage, kUnavailable},
                                                         {errors::kBackendJobFailed, kUnavailable},
                                                         {errors::kSubmissionAmbiguous, kUnavailable},
                                                         {errors::kCircuitOpen, kUnavailable},
                                                         {errors::kBackendBusy, kQueueWait},
                                                         {errors::kSolverRefused, kUnavailable},
                                                         {errors::kBudgetExceeded, kUnavailable},
                                                         {errors::kInternal, kUnavailable}};
  for (const auto& [number, cause] : cases)
    EXPECT_EQ(cause_of(Error{.number = number}), cause) << static_cast<int>(number);
  for (const FallbackCause cause : {kQueueWait, kUnavailable, kTimeout, kPartial, kLowConfidence})
    EXPECT_EQ(find_fallback_cause(to_string(cause)), cause);
  EXPECT_FALSE(find_fallback_cause("boredom"));
}

TEST(Fallback, a_plain_name_stands_for_every_cause_that_it_can_answer) {
  const auto on = [](const char* name) { return Fallback::parse(Json(name), "/fallbacks/0")->on; };
  EXPECT_THAT(on("cpu.tabu"), ElementsAre(kQueueWait, kUnavailable, kTimeout, kPartial));
  EXPECT_THAT(on("cached_result"), ElementsAre(kQueueWait, kUnavailable, kTimeout, kPartial));
  EXPECT_THAT(on("manual_review"), ElementsAre(kPartial, kLowConfidence));
}

TEST(Fallback, the_document_says_everything_and_reads_back) {
  const Json full = {{"backend", "cached_result"},
                     {"on", {"unavailable", "timeout"}},
                     {"age_max_ms", 60'000},
                     {"from", {"lab.device"}}};
  Json given = full;
  given["on"] = {"timeout", "unavailable", "timeout"};  // any order, any number of times
  EXPECT_EQ(Fallback::parse(given, "")->document(), full);
  EXPECT_EQ(Fallback("cpu.tabu").document(),
            Json({{"backend", "cpu.tabu"}, {"on", {"queue_wait", "unavailable", "timeout", "partial"}}}));
  EXPECT_EQ(Fallback("cached_result").document()["age_max_ms"], 86'400'000);
}

TEST(Fallback, what_an_entry_cannot_be_is_refused_with_its_place) {
  struct Case {
    Json value;
    const char* place;
    ErrorNumber number;
  };
  for (const Case& one :
       {Case{7, "/f", errors::kWrongType}, Case{Json::object(), "/f", errors::kMissingKey},
        Case{{{"backend", "x"}, {"on", {"tiemout"}}}, "/f/on/0", errors::kValueOutOfRange},
        Case{{{"backend", "x"}, {"on", Json::array()}}, "/f/on", errors::kValueOutOfRange},
        Case{{{"backend", "x"}, {"on", {"low_confidence"}}}, "/f/on/0", errors::kValueOutOfRange},
        Case{{{"backend", "manual_review"}, {"on", {"timeout"}}}, "/f/on/0", errors::kValueOutOfRange},
        Case{{{"backend", "x"}, {"age_max_ms", 5}}, "/f/age_max_ms", errors::kUnknownKey},
        Case{{{"backend", "cached_result"}, {"age_max_ms", 0}}, "/f/age_max_ms", errors::kValueOutOfRange}}) {
    SCOPED_TRACE(one.value.dump());
    EXPECT_THAT(Fallback::parse(one.value, "/f"), FailsAt(one.place, one.number));
  }
}

TEST(PathEntry, reads_back_and_an_older_text_is_the_reason_of_a_station_that_was_left) {
  const PathEntry entry{.step = "run",
                        .backend = "lab.device",
                        .outcome = PathEntry::Outcome::kLeft,
                        .cause = kTimeout,
                        .number = 2002,
                        .reason = "it is running"};
  EXPECT_EQ(PathEntry::parse(entry.document(), ""), entry);
  EXPECT_EQ(entry.words(), "lab.device was left (timeout): it is running");
  const auto older = PathEntry::parse(Json("lab.device: [1403] away"), "");
  ASSERT_TRUE(older);
  EXPECT_EQ(older->words(), "lab.device: [1403] away");
}

}  // namespace
}  // namespace tandem::job
