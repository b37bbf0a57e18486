// tandem/middleware/backend/testing/conformance.h - what every Backend must show, whatever is behind it.
//
// Room: middleware, tests only. An implementation writes a Harness and one line:
//   INSTANTIATE_TYPED_TEST_SUITE_P(Solver, BackendConformance, SolverHarness);
// Harness: default constructible; backend(), work() that it takes, foreign_work() that it does not; kRunsWhenPolled says that
// nothing happens before the first poll.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tandem/base/testing/matchers.h"
#include "tandem/middleware/backend/backend.h"

namespace tandem::backend {

/// X on qubit 0 of three: tells the bit orders apart.
inline ProgramWork x_on_qubit_0_of_three(std::uint64_t shots) {
  circuit::Pub pub{.circuit = circuit::Circuit::create(3, 3).value(), .shots = shots};
  pub.circuit.gate(circuit::Gate::kX, {0});
  pub.circuit.measure_all();
  return {.pubs = {std::move(pub)}, .seed = 3};
}

/// -x0 - 2 x1 + 2 x0 x1: the minimum is -2 at x = (0, 1).
inline SolveWork two_variables() {
  auto bqm = problem::Bqm::create(problem::Vartype::kBinary, {-1, -2}, {{0, 1, 2}}, 0);
  return {.model = std::make_shared<const solve::Model>(*std::move(bqm))};
}

template <typename Harness>
class BackendConformance : public testing::Test {
 protected:
  static constexpr int kPollsMax = 100'000;

  Backend& backend() { return harness_.backend(); }
  Handle submit() {
    auto handle = backend().submit(harness_.work(), fmt::format("token-{}", ++tokens_), {});
    EXPECT_TRUE(handle.has_value()) << (handle ? "" : handle.error().error.to_string());
    return handle.value_or(Handle());
  }
  WorkState poll_to_the_end(const Handle& handle) {
    for (int i = 0; i < kPollsMax; ++i) {
      const auto status = backend().poll(handle, {});
      EXPECT_THAT(status, Succeeds());
      if (!status) break;
      if (status->state != WorkState::kQueued && status->state != WorkState::kRunning) return status->state;
    }
    ADD_FAILURE() << "the work never ended";
    return WorkState::kFailed;
  }
  Harness harness_;
  int tokens_ = 0;
};
TYPED_TEST_SUITE_P(BackendConformance);

TYPED_TEST_P(BackendConformance, says_who_it_is_and_what_it_takes) {
  const BackendInfo& info = this->backend().info();
  EXPECT_NE(info.id.value.find('.'), std::string::npos);
  EXPECT_FALSE(info.name.empty());
  EXPECT_FALSE(info.version.empty());
  EXPECT_FALSE(info.conformance.empty());
  EXPECT_FALSE(info.best_for.empty());
  EXPECT_TRUE(info.takes_solve || info.takes_program);
  EXPECT_EQ(info.takes_program, info.qubits_max > 0);
  EXPECT_EQ(info.takes_solve, info.variables_max > 0);
  // Only what runs here has nothing to lose.
  EXPECT_EQ(info.access == job::Access::kLocal && !info.metered, info.safety == SubmitSafety::kLocal);
}

TYPED_TEST_P(BackendConformance, refuses_foreign_work_before_anything_happens) {
  EXPECT_THAT(this->backend().validate(this->harness_.work()), Succeeds());
  EXPECT_THAT(this->backend().validate(this->harness_.foreign_work()), testing::Not(Succeeds()));
  const auto handle = this->backend().submit(this->harness_.foreign_work(), "token", {});
  ASSERT_FALSE(handle.has_value());
  EXPECT_FALSE(handle.error().ambiguous);
  const auto found = this->backend().reconcile("token", {});
  ASSERT_THAT(found, Succeeds());
  EXPECT_EQ(found->kind, Reconciled::Kind::kNotFound);
}

TYPED_TEST_P(BackendConformance, quotes_what_it_takes) {
  const auto quote = this->backend().quote(this->harness_.work(), {});
  ASSERT_THAT(quote, Succeeds());
  EXPECT_EQ(quote->cost.usd_micros > 0, this->backend().info().metered);
  EXPECT_FALSE(quote->source.empty());
  EXPECT_THAT(this->backend().quote(this->harness_.foreign_work(), {}), testing::Not(Succeeds()));
}

TYPED_TEST_P(BackendConformance, is_available_here_and_now) {
  const auto availability = this->backend().availability({});
  ASSERT_THAT(availability, Succeeds());
  EXPECT_TRUE(availability->operational);
  EXPECT_TRUE(availability->accepts_work);
}

TYPED_TEST_P(BackendConformance, work_goes_from_submit_to_a_result_of_its_kind) {
  const Handle handle = this->submit();
  ASSERT_EQ(this->poll_to_the_end(handle), WorkState::kSucceeded);
  const auto raw = this->backend().fetch(handle, {});
  ASSERT_THAT(raw, Succeeds());
  EXPECT_FALSE(raw->media_type.empty());
  const auto result = this->backend().decode(*raw, this->harness_.work());
  ASSERT_THAT(result, Succeeds());
  if (const auto* solved = std::get_if<SolveResult>(&*result)) {
    EXPECT_EQ(solved->outcome.samples.best().values, (problem::Assignment{0, 1}));
    EXPECT_EQ(solved->outcome.samples.best().energy, -2);
    EXPECT_FALSE(solved->outcome.work_done.empty());
  } else {
    // The most frequent outcome of X on qubit 0 of three is "100", also on a device that makes mistakes.
    const result::Counts& counts = std::get<ProgramResult>(*result).pubs.at(0).counts(0);
    std::size_t best = 0;
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (counts.count(i) > counts.count(best)) best = i;
    EXPECT_EQ(counts.text(best), "100");
    EXPECT_EQ(counts.shots(), std::get<ProgramWork>(this->harness_.work()).pubs[0].shots);
  }
}

TYPED_TEST_P(BackendConformance, a_result_can_be_fetched_and_decoded_again_and_again) {
  const Handle handle = this->submit();
  ASSERT_EQ(this->poll_to_the_end(handle), WorkState::kSucceeded);
  const auto first = this->backend().fetch(handle, {});
  const auto second = this->backend().fetch(handle, {});
  ASSERT_THAT(first, Succeeds());
  ASSERT_THAT(second, Succeeds());
  EXPECT_EQ(first->bytes, second->bytes);
  EXPECT_EQ(this->poll_to_the_end(handle), WorkState::kSucceeded);
  const auto document = [&] {
    const auto result = this->backend().decode(*first, this->harness_.work());
    EXPECT_THAT(result, Succeeds());
    if (const auto* solved = std::get_if<SolveResult>(&*result)) return solved->outcome.samples.document();
    return std::get<ProgramResult>(*result).pubs.at(0).document();
  };
  EXPECT_EQ(document(), document());
}

TYPED_TEST_P(BackendConformance, bytes_that_are_no_result_are_garbage) {
  for (const char* bytes : {"", "{", "[]", "{}", "<html></html>", R"({"kind": "something else"})"}) {
    SCOPED_TRACE(bytes);
    EXPECT_THAT(this->backend().decode({.bytes = bytes, .media_type = "application/json"}, this->harness_.work()),
                FailsWith(errors::kBackendGarbage));
  }
}

TYPED_TEST_P(BackendConformance, a_result_is_not_there_before_the_work_is_done) {
  if (!TypeParam::kRunsWhenPolled) GTEST_SKIP() << "it runs by itself";
  const Handle handle = this->submit();
  EXPECT_THAT(this->backend().fetch(handle, {}), FailsWith(errors::kResultNotReady));
}

TYPED_TEST_P(BackendConformance, a_handle_that_it_never_gave_is_unknown) {
  EXPECT_THAT(this->backend().poll("never-given", {}), FailsWith(errors::kUnknownHandle));
  EXPECT_THAT(this->backend().fetch("never-given", {}), FailsWith(errors::kUnknownHandle));
  EXPECT_THAT(this->backend().cancel("never-given", {}), FailsWith(errors::kUnknownHandle));
}

TYPED_TEST_P(BackendConformance, cancelling_twice_is_as_good_as_once) {
  const Handle handle = this->submit();
  EXPECT_THAT(this->backend().cancel(handle, {}), Succeeds());
  EXPECT_THAT(this->backend().cancel(handle, {}), Succeeds());
  const WorkState state = this->poll_to_the_end(handle);
  EXPECT_TRUE(state == WorkState::kCancelled || state == WorkState::kSucceeded);
}

TYPED_TEST_P(BackendConformance, forgetting_frees_the_handle_where_the_work_is_kept_here) {
  const Handle handle = this->submit();
  this->poll_to_the_end(handle);
  this->backend().forget(handle);
  this->backend().forget(handle);
  if (this->backend().info().safety == SubmitSafety::kLocal) {
    EXPECT_THAT(this->backend().fetch(handle, {}), FailsWith(errors::kUnknownHandle));
  }
}

REGISTER_TYPED_TEST_SUITE_P(BackendConformance, says_who_it_is_and_what_it_takes,
                            refuses_foreign_work_before_anything_happens, quotes_what_it_takes,
                            is_available_here_and_now, work_goes_from_submit_to_a_result_of_its_kind,
                            a_result_can_be_fetched_and_decoded_again_and_again, bytes_that_are_no_result_are_garbage,
                            a_result_is_not_there_before_the_work_is_done, a_handle_that_it_never_gave_is_unknown,
                            cancelling_twice_is_as_good_as_once,
                            forgetting_frees_the_handle_where_the_work_is_kept_here);

}  // namespace tandem::backend
