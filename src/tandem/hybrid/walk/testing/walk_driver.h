// tandem/hybrid/walk/testing/walk_driver.h - drives a walk to its end: solve work by enumeration, circuits by the simulator.
//
// Room: hybrid, tests only.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/hybrid/walk/walk.h"
#include "tandem/middleware/backend/local_backend.h"

namespace tandem::walk {

/// What a walk asked for and gave.
struct Driven {
  job::ResultDocument result;
  Json document;
  Json lineage;
  std::vector<Json> states;  ///< one a round
  std::vector<std::vector<std::string>> rounds;  ///< labels
};

enum class Restart : bool { kNever, kEveryRound };

class WalkDriver {
 public:
  static constexpr std::size_t kVariablesMax = 16;

  bool proves = false;
  std::function<void(hybrid::Reply&)> change_reply;  ///< before the walk sees it
  /// What the walk says in the end, with all that it was told.
  std::function<void(hybrid::Done& done, const std::vector<hybrid::Reply>& told)> change_end;

  /// With kEveryRound each round is done by a walk of its own, made from the job and the plan, from the state as text.
  Result<Driven> drive(const job::JobSpec& spec, const job::Plan& plan, Restart restart = Restart::kNever) {
    Driven out;
    TANDEM_TRY_ASSIGN(auto loop, make_walk(spec, plan));
    Json state = loop->initial_state();
    std::vector<hybrid::Reply> replies;
    std::vector<hybrid::Reply> told;
    while (true) {
      if (restart == Restart::kEveryRound) {
        TANDEM_TRY_ASSIGN(loop, make_walk(spec, plan));
        TANDEM_TRY_ASSIGN(state, parse_json(state.dump(), "state"));
      }
      TANDEM_TRY_ASSIGN(hybrid::Advance advance, loop->next(state, replies));
      state = advance.state;
      if (advance.done && change_end) change_end(*advance.done, told);
      EXPECT_TRUE(advance.orders.empty() || !advance.done);
      if (advance.done) {
        out.document = advance.done->result.document();
        out.lineage = advance.done->lineage;
        TANDEM_TRY_ASSIGN(out.result, job::ResultDocument::parse(out.document));
        EXPECT_EQ(out.result.document(), out.document);
        return out;
      }
      out.states.push_back(state);
      out.rounds.emplace_back();
      replies.clear();
      for (const hybrid::Order& order : advance.orders) {
        out.rounds.back().push_back(order.label);
        replies.push_back(answer(order));
        if (change_reply) change_reply(replies.back());
        told.push_back(replies.back());
      }
    }
  }

 private:
  hybrid::Reply answer(const hybrid::Order& order) {
    hybrid::Reply out{.label = order.label, .backend = order.backend, .elapsed_ms = 1};
    if (const auto* solve = std::get_if<backend::SolveWork>(&order.work)) {
      out.result = backend::SolveResult{enumerate(*solve)};
      return out;
    }
    const auto handle = simulator_->submit(order.work, "", {});
    EXPECT_TRUE(handle.has_value());
    const backend::WorkRef ref{.handle = *handle, .token = ""};
    EXPECT_THAT(simulator_->poll(ref, {}), Succeeds());
    out.result = simulator_->decode(simulator_->fetch(ref, {}).value(), order.work).value();
    return out;
  }

  solve::SolveOutcome enumerate(const backend::SolveWork& work) const {
    const solve::Model& model = *work.model;
    const std::size_t n = solve::num_variables(model);
    EXPECT_LE(n, kVariablesMax);
    const std::int8_t low = solve::vartype(model) == problem::Vartype::kSpin ? -1 : 0;
    std::vector<result::Sample> samples;
    for (std::uint32_t bits = 0; bits < (1u << n); ++bits) {
      problem::Assignment values(n);
      for (std::size_t i = 0; i < n; ++i) values[i] = (bits >> i & 1u) != 0 ? std::int8_t{1} : low;
      // A solver that keeps constraints returns what satisfies them.
      if (const auto* cqm = std::get_if<problem::Cqm>(&model); cqm != nullptr && !cqm->feasible(values)) continue;
      const double energy = solve::energy(model, values);
      samples.push_back({.values = std::move(values), .energy = energy});
    }
    solve::SolveOutcome out;
    const auto all = result::SampleSet::create(solve::vartype(model), n, std::move(samples));
    const auto best =
        all.samples().first(std::min(all.samples().size(), static_cast<std::size_t>(work.options.candidates_max)));
    out.samples = result::SampleSet::create(solve::vartype(model), n, {best.begin(), best.end()});
    out.proved = proves;
    if (proves) out.bound = out.samples.best().energy;
    out.work_done = {1};
    out.unit_name = "assignments";
    return out;
  }

  FakeClock clock_;
  ThreadExecutor executor_{2};
  std::unique_ptr<backend::Backend> simulator_ =
      backend::make_statevector_backend(executor_, clock_, std::uint64_t{1} << 20);
};

}  // namespace tandem::walk
