// tandem/middleware/backend/testing/conformance.h - what every Backend must show, whatever is behind it.
//
// Room: middleware, tests only. An implementation writes a Harness and two lines:
//   INSTANTIATE_TYPED_TEST_SUITE_P(Solver, BackendEssentials, SolverHarness);
//   INSTANTIATE_TYPED_TEST_SUITE_P(Solver, BackendConformance, SolverHarness);
// One that is known but not here shows the essentials alone.
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

/// Whether `values` are an optimum of a model of a few binary variables, by looking at every assignment.
inline bool is_optimum(const solve::Model& model, problem::AssignmentView values) {
  const auto* const cqm = std::get_if<problem::Cqm>(&model);
  if (cqm != nullptr && !cqm->feasible(values)) return false;
  for (std::uint32_t choice = 0; choice < 1u << values.size(); ++choice) {
    problem::Assignment other(values.size());
    for (std::size_t i = 0; i < other.size(); ++i) other[i] = static_cast<std::int8_t>(choice >> i & 1);
    if (cqm != nullptr && !cqm->feasible(other)) continue;
    if (solve::energy(model, other) < solve::energy(model, values)) return false;
  }
  return true;
}

template <typename Harness>
class BackendEssentials : public testing::Test {
 protected:
  static constexpr int kPollsMax = 100'000;

  Backend& backend() { return harness_.backend(); }
  WorkRef submit() {
    WorkRef out{.handle = {}, .token = fmt::format("token-{}", ++tokens_)};
    auto handle = backend().submit(harness_.work(), out.token, {});
    EXPECT_TRUE(handle.has_value()) << (handle ? "" : handle.error().error.to_string());
    out.handle = handle.value_or(Handle());
    return out;
  }
  WorkState poll_to_the_end(const WorkRef& work) {
    for (int i = 0; i < kPollsMax; ++i) {
      const auto status = backend().poll(work, {});
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
TYPED_TEST_SUITE_P(BackendEssentials);

TYPED_TEST_P(BackendEssentials, says_who_it_is_and_what_it_takes) {
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

TYPED_TEST_P(BackendEssentials, refuses_foreign_work_before_anything_happens) {
  EXPECT_THAT(this->backend().validate(this->harness_.foreign_work()), testing::Not(Succeeds()));
  const auto handle = this->backend().submit(this->harness_.foreign_work(), "token", {});
  ASSERT_FALSE(handle.has_value());
  EXPECT_FALSE(handle.error().ambiguous);
  const auto found = this->backend().reconcile({.token = "token", .sent_at = {}}, {});
  ASSERT_THAT(found, Succeeds());
  EXPECT_EQ(found->kind, Reconciled::Kind::kNotFound);
}

TYPED_TEST_P(BackendEssentials, a_handle_that_it_never_gave_is_unknown) {
  const WorkRef work{.handle = "never-given", .token = "token"};
  EXPECT_THAT(this->backend().poll(work, {}), FailsWith(errors::kUnknownHandle));
  EXPECT_THAT(this->backend().fetch(work, {}), FailsWith(errors::kUnknownHandle));
  EXPECT_THAT(this->backend().cancel(work, {}), FailsWith(errors::kUnknownHandle));
}

REGISTER_TYPED_TEST_SUITE_P(BackendEssentials, says_who_it_is_and_what_it_takes,
                            refuses_foreign_work_before_anything_happens, a_handle_that_it_never_gave_is_unknown);

/// Of backends that can take work here and now.
template <typename Harness>
class BackendConformance : public BackendEssentials<Harness> {};
TYPED_TEST_SUITE_P(BackendConformance);

TYPED_TEST_P(BackendConformance, quotes_what_it_takes) {
  EXPECT_THAT(this->backend().validate(this->harness_.work()), Succeeds());
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
  const WorkRef work = this->submit();
  ASSERT_EQ(this->poll_to_the_end(work), WorkState::kSucceeded);
  const auto raw = this->backend().fetch(work, {});
  ASSERT_THAT(raw, Succeeds());
  EXPECT_FALSE(raw->media_type.empty());
  const auto result = this->backend().decode(*raw, this->harness_.work());
  ASSERT_THAT(result, Succeeds());
  if (const auto* solved = std::get_if<SolveResult>(&*result)) {
    const Work asked = this->harness_.work();
    const solve::Model& model = *std::get<SolveWork>(asked).model;
    const result::Sample& best = solved->outcome.samples.best();
    EXPECT_TRUE(is_optimum(model, best.values));
    EXPECT_EQ(best.energy, solve::energy(model, best.values));
    EXPECT_FALSE(solved->outcome.work_done.empty());
  } else {
    // The most frequent outcome of X on qubit 0 of three is "100", also on a device that makes mistakes.
    const result::BindingResult& binding = std::get<ProgramResult>(*result).pubs.at(0).bindings.at(0);
    if (const auto* computed = std::get_if<result::Distribution>(&binding)) {
      std::size_t best = 0;
      for (std::size_t i = 0; i < computed->size(); ++i)
        if (computed->probability(i) > computed->probability(best)) best = i;
      EXPECT_EQ(computed->text(best), "100");
      return;
    }
    const auto& counts = std::get<result::Counts>(binding);
    std::size_t best = 0;
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (counts.count(i) > counts.count(best)) best = i;
    EXPECT_EQ(counts.text(best), "100");
    EXPECT_EQ(counts.shots(), std::get<ProgramWork>(this->harness_.work()).pubs[0].shots);
  }
}

TYPED_TEST_P(BackendConformance, a_result_can_be_fetched_and_decoded_again_and_again) {
  const WorkRef work = this->submit();
  ASSERT_EQ(this->poll_to_the_end(work), WorkState::kSucceeded);
  const auto first = this->backend().fetch(work, {});
  const auto second = this->backend().fetch(work, {});
  ASSERT_THAT(first, Succeeds());
  ASSERT_THAT(second, Succeeds());
  EXPECT_EQ(first->bytes, second->bytes);
  EXPECT_EQ(this->poll_to_the_end(work), WorkState::kSucceeded);
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
  const WorkRef work = this->submit();
  EXPECT_THAT(this->backend().fetch(work, {}), FailsWith(errors::kResultNotReady));
}

TYPED_TEST_P(BackendConformance, a_handle_with_the_token_of_other_work_is_unknown_and_that_work_goes_on) {
  const WorkRef work = this->submit();
  const WorkRef foreign{.handle = work.handle, .token = "token-of-other-work"};
  EXPECT_THAT(this->backend().poll(foreign, {}), FailsWith(errors::kUnknownHandle));
  EXPECT_THAT(this->backend().cancel(foreign, {}), FailsWith(errors::kUnknownHandle));
  EXPECT_EQ(this->poll_to_the_end(work), WorkState::kSucceeded);  // nobody cancelled it
  EXPECT_THAT(this->backend().fetch(foreign, {}), FailsWith(errors::kUnknownHandle));
}

TYPED_TEST_P(BackendConformance, cancelling_twice_is_as_good_as_once) {
  const WorkRef work = this->submit();
  EXPECT_THAT(this->backend().cancel(work, {}), Succeeds());
  EXPECT_THAT(this->backend().cancel(work, {}), Succeeds());
  const WorkState state = this->poll_to_the_end(work);
  EXPECT_TRUE(state == WorkState::kCancelled || state == WorkState::kSucceeded);
}

TYPED_TEST_P(BackendConformance, forgetting_frees_the_handle_where_the_work_is_kept_here) {
  const WorkRef work = this->submit();
  this->poll_to_the_end(work);
  this->backend().forget(work.handle);
  this->backend().forget(work.handle);
  if (this->backend().info().safety == SubmitSafety::kLocal) {
    EXPECT_THAT(this->backend().fetch(work, {}), FailsWith(errors::kUnknownHandle));
  }
}

REGISTER_TYPED_TEST_SUITE_P(BackendConformance, quotes_what_it_takes, is_available_here_and_now,
                            work_goes_from_submit_to_a_result_of_its_kind,
                            a_result_can_be_fetched_and_decoded_again_and_again, bytes_that_are_no_result_are_garbage,
                            a_result_is_not_there_before_the_work_is_done,
                            a_handle_with_the_token_of_other_work_is_unknown_and_that_work_goes_on,
                            cancelling_twice_is_as_good_as_once,
                            forgetting_frees_the_handle_where_the_work_is_kept_here);

}  // namespace tandem::backend
