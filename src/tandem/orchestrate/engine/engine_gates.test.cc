// Which submissions count at the gate of their provider: those whose bytes go out, each time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::engine {
namespace {

using submit::OnSubmit;

constexpr std::size_t kPlenty = 1'000;

class EngineGates : public testing::Test {
 protected:
  EngineGates() {
    auto own = std::make_unique<submit::FakeProvider>(world_.clock, backend::SubmitSafety::kA, "fake.knows_tokens");
    resends_ = own.get();
    world_.backends.add(std::move(own));
  }
  ~EngineGates() override { world_.close(); }

  Engine& open(std::size_t starts_max = kPlenty) {
    gates_.reset();
    if (world_.store == nullptr)
      world_.store = std::make_unique<memory::MemoryStore>(world_.store_threads, world_.contents);
    gates_.emplace(world_.executor, world_.clock, *world_.store, world_.log,
                   std::map<std::string, resilience::GateLimits, std::less<>>{
                       {"fake.*", {.calls_max = 4, .starts_per_minute_max = starts_max}}});
    world_.gates = &*gates_;
    return world_.open();
  }
  job::JobSpec job_at(const std::string& backend) {
    circuit::Pub pub{.circuit = circuit::Circuit::create(1, 1).value(), .shots = 10};
    pub.circuit.measure_all();
    return world_.spec({{"program", {{"pubs", Json::array({pub.document()})}}},
                        {"policy", {{"backends", {backend}}}},
                        {"limits", {{"cost_max_usd_micros", 5000}}}});
  }
  /// As the store has it.
  std::size_t starts() {
    const auto row = world_.store->get(store::Table::kMeta, "starts/fake.*").value();
    std::size_t out = 0;
    if (row)
      for (const Json& step : Json::parse(row->value)) out += step[1].get<std::size_t>();
    return out;
  }

  EngineWorld world_;
  submit::FakeProvider* resends_ = nullptr;
  std::optional<resilience::Gates> gates_;
};

TEST_F(EngineGates, what_is_sent_counts_and_what_is_refused_before_that_does_not) {
  open();
  EXPECT_EQ(world_.run(job_at("fake.provider")).state, job::JobState::kSucceeded);
  EXPECT_EQ(starts(), 1u);
  int quotes = 0;
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {
    if (++quotes == 1) return std::nullopt;  // the plan
    return make_error(errors::kBackendRefused, "it will not have it");
  };
  EXPECT_EQ(world_.run(job_at("fake.provider")).state, job::JobState::kFailed);
  EXPECT_EQ(quotes, 2);
  EXPECT_EQ(starts(), 1u);
}

TEST_F(EngineGates, what_is_sent_once_more_counts_once_more) {
  resends_->plan.on_submit = {OnSubmit::kLoseRequest, OnSubmit::kLoseRequest};
  open();
  EXPECT_EQ(world_.run(job_at("fake.knows_tokens")).state, job::JobState::kSucceeded);
  EXPECT_EQ(resends_->submissions(), 3);
  EXPECT_EQ(starts(), 3u);
}

TEST_F(EngineGates, what_may_not_begin_now_is_not_sent_once_more) {
  resends_->plan.on_submit = {OnSubmit::kLoseRequest};
  open(1);
  EXPECT_EQ(world_.run(job_at("fake.knows_tokens")).state, job::JobState::kFailed);
  EXPECT_EQ(resends_->submissions(), 1);
  EXPECT_EQ(starts(), 1u);
}

/// Reserved, and the process died before anything was sent: it begins with the next one, and waits for its turn.
TEST_F(EngineGates, a_reservation_that_a_crash_left_counts_when_it_is_sent) {
  open();
  bool planned = false;
  world_.provider->plan.during_quote = [&]() -> std::optional<Error> {
    // The commit after the next one would be the intent.
    if (std::exchange(planned, true))
      world_.store->fail_commits(2, 1'000'000, make_error(errors::kStoreClosed, "planted crash"));
    return std::nullopt;
  };
  const JobId id = world_.admit(job_at("fake.provider"));
  while (world_.engine->ready()) std::this_thread::yield();
  world_.close();
  world_.provider->plan.during_quote = {};
  EXPECT_EQ(world_.provider->submissions(), 0);
  open();
  const std::size_t before = starts();
  EXPECT_EQ(world_.wait(id).state, job::JobState::kSucceeded);
  EXPECT_EQ(world_.provider->submissions(), 1);
  EXPECT_EQ(starts(), before + 1);
}

}  // namespace
}  // namespace tandem::engine
