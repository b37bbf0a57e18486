#include "tandem/lab/provider/fault_script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"

namespace tandem::lab {
namespace {

using testing::HasSubstr;

TEST(FaultScript, reads_yaml_and_json_alike) {
  const auto yaml = FaultScript::parse(
      "faults:\n"
      "  - {on: submit, action: drop_reply, nth: 3}\n"
      "  - {on: status, action: delay, delay_ms: 50, from: 2, count: 4, probability: 0.25}\n"
      "  - {on: result, action: error, status: 502}\n",
      "faults.yaml");
  ASSERT_THAT(yaml, Succeeds());
  const FaultScript expected{
      .faults = {
          {.operation = Operation::kSubmit, .from = 3, .count = 1, .action = FaultAction::kDropReply},
          {.operation = Operation::kStatus,
           .from = 2,
           .count = 4,
           .probability = 0.25,
           .action = FaultAction::kDelay,
           .delay = std::chrono::milliseconds(50)},
          {.operation = Operation::kResult, .from = 1, .count = 0, .action = FaultAction::kError, .status = 502},
      }};
  EXPECT_EQ(*yaml, expected);
  const auto json = FaultScript::parse(
      R"({"faults": [{"on": "submit", "action": "drop_reply", "nth": 3},
                     {"on": "status", "action": "delay", "delay_ms": 50, "from": 2, "count": 4, "probability": 0.25},
                     {"on": "result", "action": "error", "status": 502}]})",
      "faults.json");
  ASSERT_THAT(json, Succeeds());
  EXPECT_EQ(*json, expected);
}

TEST(FaultScript, every_action_and_operation_has_a_name_of_its_own_that_is_read) {
  for (std::size_t a = 0; a < kNumFaultActions; ++a) {
    const auto action = static_cast<FaultAction>(a);
    bool fits_somewhere = false;
    for (std::size_t o = 0; o < kNumOperations; ++o) {
      const auto operation = static_cast<Operation>(o);
      const auto script = FaultScript::parse(
          fmt::format("faults: [{{on: {}, action: {}}}]", to_string(operation), to_string(action)), "f");
      if (!script) continue;
      fits_somewhere = true;
      EXPECT_EQ(script->faults.at(0).action, action);
      EXPECT_EQ(script->faults.at(0).operation, operation);
    }
    EXPECT_TRUE(fits_somewhere) << to_string(action);
  }
}

TEST(FaultScript, mistakes_are_reported_with_their_place) {
  struct Case {
    const char* text;
    const char* place;
    ErrorNumber number;
  };
  const Case cases[] = {
      {"faults:\n  - {on: sumbit, action: delay}", "f:2:10", errors::kValueOutOfRange},
      {"faults:\n  - {on: submit, action: explode}", "f:2:26", errors::kValueOutOfRange},
      {"faults:\n  - {on: status, action: refuse}", "f:2:26", errors::kValueOutOfRange},
      {"faults:\n  - {on: submit, action: refuse, nth: 0}", "f:2:39", errors::kValueOutOfRange},
      {"faults:\n  - {on: submit, action: refuse, nth: 1, from: 2}", "f:2:39", errors::kValueOutOfRange},
      {"faults:\n  - {on: submit, action: refuse, probability: 1.5}", "f:2:47", errors::kValueOutOfRange},
      {"faults:\n  - {on: submit, action: refuse, delay_ms: 5}", "f:2:44", errors::kValueOutOfRange},
      {"faults:\n  - {on: submit, action: error, status: 404}", "f:2:41", errors::kValueOutOfRange},
      {"faults:\n  - {on: submit, action: refuse, wehn: 1}", "f:2:40", errors::kUnknownKey},
      {"faults:\n  - {action: refuse}", "f:2:5", errors::kMissingKey},
      {"fault: []", "f:1:8", errors::kUnknownKey},
  };
  for (const Case& c : cases) EXPECT_THAT(FaultScript::parse(c.text, "f"), FailsAt(c.place, c.number)) << c.text;
  const auto near = FaultScript::parse("faults: [{on: sumbit, action: delay}]", "f");
  EXPECT_THAT(near.error().message, HasSubstr("did you mean 'submit'?"));
}

TEST(FaultScript, a_rule_applies_to_its_stretch_of_requests_of_its_operation) {
  const auto script =
      FaultScript::parse("faults: [{on: submit, action: refuse, from: 3, count: 2}, {on: status, action: error}]", "f");
  ASSERT_THAT(script, Succeeds());
  for (std::uint64_t number = 1; number <= 6; ++number) {
    EXPECT_EQ(script->find(Operation::kSubmit, number, 1) != nullptr, number == 3 || number == 4) << number;
    EXPECT_NE(script->find(Operation::kStatus, number, 1), nullptr);
    EXPECT_EQ(script->find(Operation::kResult, number, 1), nullptr);
  }
}

TEST(FaultScript, the_clock_may_be_off_and_operations_that_an_emulator_lacks_are_refused) {
  const auto script = FaultScript::parse(
      "faults: [{on: lookup, action: delay}, {on: bill, action: delay}]\nclock_offset_ms: -60000", "f");
  ASSERT_THAT(script, Succeeds());
  EXPECT_EQ(script->clock_offset, std::chrono::milliseconds(-60'000));
  const Operation both[] = {Operation::kLookup, Operation::kBill};
  EXPECT_THAT(script->check_operations(both), Succeeds());
  EXPECT_THAT(script->check_operations(std::span(both).first(1)), FailsAt("/faults/1/on", errors::kValueOutOfRange));
}

TEST(FaultScript, the_first_rule_that_matches_decides) {
  const auto script =
      FaultScript::parse("faults: [{on: submit, action: refuse, nth: 2}, {on: submit, action: drop_reply}]", "f");
  ASSERT_THAT(script, Succeeds());
  EXPECT_EQ(script->find(Operation::kSubmit, 1, 1)->action, FaultAction::kDropReply);
  EXPECT_EQ(script->find(Operation::kSubmit, 2, 1)->action, FaultAction::kRefuse);
}

/// 10,000 draws at p = 0.3: within 5 standard deviations (0.0046 each), so a right generator fails this once in 10^6.
TEST(FaultScript, probabilities_are_drawn_from_the_seed_and_the_request_alone) {
  const auto script = FaultScript::parse("faults: [{on: submit, action: refuse, probability: 0.3}]", "f");
  ASSERT_THAT(script, Succeeds());
  int hits = 0;
  int same_under_other_seed = 0;
  for (std::uint64_t number = 1; number <= 10'000; ++number) {
    const bool hit = script->find(Operation::kSubmit, number, 7) != nullptr;
    EXPECT_EQ(hit, script->find(Operation::kSubmit, number, 7) != nullptr);
    hits += hit;
    same_under_other_seed += hit == (script->find(Operation::kSubmit, number, 8) != nullptr);
  }
  EXPECT_NEAR(hits / 1e4, 0.3, 0.023);
  EXPECT_LT(same_under_other_seed, 7000);  // independent: 0.3^2 + 0.7^2 = 58 % agree
}

}  // namespace
}  // namespace tandem::lab
