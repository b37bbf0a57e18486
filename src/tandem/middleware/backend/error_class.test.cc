#include "tandem/middleware/backend/error_class.h"

#include <gtest/gtest.h>

#include "tandem/middleware/backend/backend.h"

namespace tandem::backend {
namespace {

using enum ErrorClass;

TEST(ErrorClass, is_found_by_its_word) {
  for (std::size_t i = 0; i < kNumErrorClasses; ++i) {
    const auto error_class = static_cast<ErrorClass>(i);
    EXPECT_EQ(find_error_class(to_string(error_class)), error_class);
  }
  EXPECT_EQ(find_error_class("busy"), std::nullopt);
}

TEST(ErrorClass, three_of_them_may_pass) {
  for (std::size_t i = 0; i < kNumErrorClasses; ++i) {
    const auto error_class = static_cast<ErrorClass>(i);
    const bool passes = error_class == kThrottled || error_class == kTransient || error_class == kDeviceUnavailable;
    EXPECT_EQ(may_pass(error_class), passes) << to_string(error_class);
  }
}

TEST(ErrorClass, of_an_error_goes_by_its_number) {
  const std::pair<ErrorNumber, ErrorClass> kCases[] = {{errors::kBackendUnavailable, kDeviceUnavailable},
                                                       {errors::kCircuitOpen, kDeviceUnavailable},
                                                       {errors::kPeerTimeout, kTransient},
                                                       {errors::kConnectionLost, kTransient},
                                                       {errors::kBackendGarbage, kTransient},
                                                       {errors::kResultNotReady, kNotYet},
                                                       {errors::kUnknownHandle, kNotYet},
                                                       {errors::kEgressRefused, kForbiddenOrQuota},
                                                       {errors::kLibraryMissing, kForbiddenOrQuota},
                                                       {errors::kCredentialMissing, kForbiddenOrQuota},
                                                       {errors::kTlsFailed, kDeviceUnavailable},
                                                       {errors::kBudgetExceeded, kForbiddenOrQuota},
                                                       {errors::kBackendBusy, kForbiddenOrQuota},
                                                       {errors::kAccountsContended, kTransient},
                                                       {errors::kCredentialRefused, kAuthExpired},
                                                       {errors::kBackendForbidden, kForbiddenOrQuota},
                                                       {errors::kBackendThrottled, kThrottled},
                                                       {errors::kBackendRefused, kInvalid},
                                                       {errors::kBackendCannot, kInvalid},
                                                       {errors::kBackendJobFailed, kInvalid},
                                                       {errors::kSubmissionAmbiguous, kInvalid},
                                                       {errors::kOutOfMemory, kInvalid}};
  for (const auto& [number, expected] : kCases)
    EXPECT_EQ(class_of(Error{.number = number}), expected) << static_cast<int>(number);
}

TEST(ErrorClass, what_the_provider_said_of_a_submission_counts_before_the_number) {
  SubmitFailure failure{.error = make_error(errors::kBackendRefused, "slower, please")};
  EXPECT_EQ(class_of(failure), kInvalid);
  failure.said = kThrottled;
  EXPECT_EQ(class_of(failure), kThrottled);
}

}  // namespace
}  // namespace tandem::backend
