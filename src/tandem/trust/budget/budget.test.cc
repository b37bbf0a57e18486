#include "tandem/trust/budget/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "tandem/base/rng.h"
#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/manual_executor.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/text.h"
#include "tandem/store/memory/memory_store.h"
#include "tandem/trust/budget/usage.h"

namespace tandem::budget {
namespace {

using job::Money;
using testing::HasSubstr;

/// What a hold has of real money.
struct Seen {
  Purse money;
  bool stopped = false;
  bool closed = false;
  friend bool operator==(const Seen&, const Seen&) = default;
  friend void PrintTo(const Seen& seen, std::ostream* out) {
    const auto& [limit, free, reserved, settled, released, overrun] = seen.money;
    *out << limit.usd_micros << " + " << overrun.usd_micros << " = " << free.usd_micros << " + " << reserved.usd_micros
         << " + " << settled.usd_micros << " + " << released.usd_micros << (seen.stopped ? ", stopped" : "")
         << (seen.closed ? ", closed" : "");
  }
};
Seen seen(const Hold& hold) { return {.money = hold.money, .stopped = hold.stopped, .closed = hold.closed}; }

class BudgetTest : public testing::Test {
 protected:
  FakeClock clock_;
  ManualExecutor executor_{clock_};
  memory::MemoryStore store_{executor_};
  Budget budget_{store_};
  const JobId job_{"job_1"};

  Result<void> commit(store::Batch batch) {
    std::optional<Result<store::Committed>> answer;
    store_.commit(std::move(batch), [&](Result<store::Committed> result) { answer = std::move(result); });
    executor_.run_ready();
    if (!answer) return fail(errors::kInternal, "no answer");
    if (!*answer) return tl::unexpected(answer->error());
    return {};
  }
  void admit(Money limit) {
    store::Batch batch;
    hold(batch, job_, {.tenant = "tenant"}, limit);
    ASSERT_THAT(commit(std::move(batch)), Succeeds());
  }
  Result<void> reserve(const std::string& token, Money amount, std::uint64_t fence = 1) {
    store::Batch batch;
    TANDEM_TRY(budget_.reserve(batch, {.job = job_, .token = token, .fence = fence, .amount = amount}));
    return commit(std::move(batch));
  }
  Result<void> settle(const std::string& token, Money billed) {
    store::Batch batch;
    TANDEM_TRY(budget_.settle(batch, {.job = job_, .token = token, .billed = billed}));
    return commit(std::move(batch));
  }
  Result<void> release() {
    store::Batch batch;
    TANDEM_TRY(budget_.release(batch, job_));
    return commit(std::move(batch));
  }
  /// The hold without what the comparison is not about.
  Seen accounts() { return seen(budget_.load(job_).value()); }
};

TEST_F(BudgetTest, money_moves_from_free_to_reserved_to_settled_and_the_rest_back) {
  admit({1000});
  ASSERT_THAT(reserve("a", {600}), Succeeds());
  EXPECT_EQ(accounts(), (Seen{.money = {.limit = {1000}, .free = {400}, .reserved = {600}}}));
  ASSERT_THAT(settle("a", {450}), Succeeds());
  EXPECT_EQ(accounts(), (Seen{.money = {.limit = {1000}, .free = {550}, .settled = {450}}}));
  ASSERT_THAT(release(), Succeeds());
  EXPECT_EQ(accounts(), (Seen{.money = {.limit = {1000}, .settled = {450}, .released = {550}}, .closed = true}));
}

TEST_F(BudgetTest, a_reservation_beyond_the_free_money_is_refused_with_the_figures) {
  admit({1'000'000});
  ASSERT_THAT(reserve("a", {700'000}), Succeeds());
  const auto refused = reserve("b", {300'001});
  ASSERT_THAT(refused, FailsWith(errors::kBudgetExceeded));
  EXPECT_THAT(refused.error().message, HasSubstr("$0.300001 are needed and $0.30 are free"));
  EXPECT_THAT(refused.error().message, HasSubstr("reserved $0.70"));
  EXPECT_THAT(reserve("b", {300'000}), Succeeds());
}

TEST_F(BudgetTest, no_more_is_reserved_than_people_approved_with_what_was_spent_and_promised_before) {
  admit({10'000});
  ASSERT_THAT(reserve("a", {600}), Succeeds());
  ASSERT_THAT(settle("a", {450}), Succeeds());
  ASSERT_THAT(reserve("b", {100}), Succeeds());
  const auto within = [&](Money amount, Money spend_max) {
    store::Batch batch;
    return budget_.reserve(batch, {.job = job_, .token = "c", .fence = 1, .amount = amount, .spend_max = spend_max});
  };
  EXPECT_THAT(within({50}, {600}), Succeeds());
  const auto beyond = within({51}, {600});
  ASSERT_THAT(beyond, FailsWith(errors::kPriceNotApproved));
  EXPECT_THAT(beyond.error().message, HasSubstr("$0.000051 are needed, and no more than $0.0006 are approved"));
  EXPECT_THAT(within({9'451}, {20'000}), FailsWith(errors::kBudgetExceeded));
}

TEST_F(BudgetTest, a_job_without_a_cost_limit_can_reserve_nothing_but_nothing) {
  admit({0});
  EXPECT_THAT(reserve("a", {1}), FailsWith(errors::kBudgetExceeded));
  EXPECT_THAT(reserve("b", {0}), Succeeds());
}

TEST_F(BudgetTest, a_second_settlement_is_an_error_and_moves_nothing) {
  admit({1000});
  ASSERT_THAT(reserve("a", {600}), Succeeds());
  ASSERT_THAT(settle("a", {100}), Succeeds());
  const Seen before = accounts();
  EXPECT_THAT(settle("a", {100}), FailsWith(errors::kDoubleSettlement));
  EXPECT_EQ(accounts(), before);
}

TEST_F(BudgetTest, of_two_settlements_built_side_by_side_one_commits) {
  admit({1000});
  ASSERT_THAT(reserve("a", {600}), Succeeds());
  store::Batch first;
  store::Batch second;
  ASSERT_THAT(budget_.settle(first, {.job = job_, .token = "a", .billed = {100}}), Succeeds());
  ASSERT_THAT(budget_.settle(second, {.job = job_, .token = "a", .billed = {100}}), Succeeds());
  EXPECT_THAT(commit(std::move(first)), Succeeds());
  EXPECT_THAT(commit(std::move(second)), FailsWith(errors::kPreconditionFailed));
  EXPECT_EQ(accounts().money.settled, Money{100});
}

TEST_F(BudgetTest, a_bill_above_its_reservation_takes_free_money_and_stops_further_work) {
  admit({1000});
  ASSERT_THAT(reserve("a", {600}), Succeeds());
  ASSERT_THAT(settle("a", {700}), Succeeds());
  EXPECT_EQ(accounts(), (Seen{.money = {.limit = {1000}, .free = {300}, .settled = {700}}, .stopped = true}));
  EXPECT_THAT(reserve("b", {1}), FailsWith(errors::kBudgetExceeded));
}

TEST_F(BudgetTest, what_nobody_set_aside_is_posted_as_an_over_run) {
  admit({1000});
  ASSERT_THAT(reserve("a", {600}), Succeeds());
  ASSERT_THAT(reserve("b", {300}), Succeeds());
  ASSERT_THAT(settle("a", {1500}), Succeeds());  // 600 of its own, 100 free, 800 of nobody's
  EXPECT_EQ(accounts(), (Seen{.money = {.limit = {1000}, .reserved = {300}, .settled = {1500}, .overrun = {800}},
                              .stopped = true}));
  ASSERT_THAT(settle("b", {0}), Succeeds());
  ASSERT_THAT(release(), Succeeds());
  EXPECT_EQ(accounts(), (Seen{.money = {.limit = {1000}, .settled = {1500}, .released = {300}, .overrun = {800}},
                              .stopped = true,
                              .closed = true}));
}

TEST_F(BudgetTest, an_ambiguous_reservation_outlives_the_job_and_is_settled_late) {
  admit({1000});
  ASSERT_THAT(reserve("lost", {600}), Succeeds());
  ASSERT_THAT(release(), Succeeds());
  EXPECT_EQ(accounts(), (Seen{.money = {.limit = {1000}, .reserved = {600}, .released = {400}}, .closed = true}));
  EXPECT_THAT(reserve("next", {1}), FailsWith(errors::kBudgetExceeded));
  ASSERT_THAT(settle("lost", {500}), Succeeds());
  EXPECT_EQ(accounts(), (Seen{.money = {.limit = {1000}, .settled = {500}, .released = {500}}, .closed = true}));
}

TEST_F(BudgetTest, a_second_release_does_nothing) {
  admit({1000});
  ASSERT_THAT(release(), Succeeds());
  const Hold before = budget_.load(job_).value();
  ASSERT_THAT(release(), Succeeds());
  EXPECT_EQ(budget_.load(job_).value(), before);
}

TEST_F(BudgetTest, a_worker_that_lost_the_job_reserves_nothing) {
  admit({1000});
  ASSERT_THAT(reserve("a", {100}, 2), Succeeds());
  EXPECT_THAT(reserve("b", {100}, 1), FailsWith(errors::kStaleFence));
  EXPECT_THAT(reserve("b", {100}, 3), Succeeds());
}

TEST_F(BudgetTest, one_attempt_has_one_reservation) {
  admit({1000});
  ASSERT_THAT(reserve("a", {100}), Succeeds());
  EXPECT_THAT(reserve("a", {100}), FailsWith(errors::kDoubleSettlement));
}

TEST_F(BudgetTest, unknown_jobs_and_attempts_and_absurd_bills_are_refused) {
  EXPECT_THAT(budget_.load(job_), FailsWith(errors::kHoldUnknown));
  EXPECT_THAT(reserve("a", {1}), FailsWith(errors::kHoldUnknown));
  store::Batch nothing;
  EXPECT_THAT(budget_.release(nothing, job_), Succeeds());
  EXPECT_TRUE(nothing.operations.empty());
  admit({1000});
  EXPECT_THAT(settle("a", {1}), FailsWith(errors::kHoldUnknown));
  ASSERT_THAT(reserve("a", {1}), Succeeds());
  EXPECT_THAT(settle("a", {-1}), FailsWith(errors::kValueOutOfRange));
  EXPECT_THAT(settle("a", kAmountMax + Money{1}), FailsWith(errors::kValueOutOfRange));
}

TEST_F(BudgetTest, a_hold_that_nobody_touched_is_released_without_being_read) {
  admit({1000});
  ASSERT_THAT(release(), Succeeds());
  const Seen released = accounts();
  const JobId other("job_2");
  store::Batch batch;
  hold(batch, other, {.tenant = "tenant"}, {1000});
  ASSERT_THAT(commit(std::move(batch)), Succeeds());
  store::Batch unread;
  release_untouched(unread, other, {.tenant = "tenant"}, {1000});
  ASSERT_THAT(commit(std::move(unread)), Succeeds());
  const Hold same = budget_.load(other).value();
  EXPECT_EQ(same.version, 2u);
  EXPECT_EQ(seen(same), released);
}

TEST_F(BudgetTest, a_hold_that_was_touched_is_not_released_unread) {
  admit({1000});
  ASSERT_THAT(reserve("a", {600}), Succeeds());
  const Hold before = budget_.load(job_).value();
  store::Batch unread;
  release_untouched(unread, job_, {.tenant = "tenant"}, {1000});
  EXPECT_THAT(commit(std::move(unread)), FailsWith(errors::kPreconditionFailed));
  EXPECT_EQ(budget_.load(job_).value(), before);
}

TEST_F(BudgetTest, an_attempt_of_a_release_before_play_money_is_settled_in_the_money_of_its_backend) {
  const auto open_from_then = [&](Money limit, Money reserved, const char* token) {
    store::Batch batch;
    batch.put(store::Table::kBudget, "hold/job_1",
              fmt::format(R"({{"job_id":"job_1","tenant":"tenant","limit_usd_micros":{},"free_usd_micros":{},)"
                          R"("reserved_usd_micros":{},"settled_usd_micros":0,"released_usd_micros":0,)"
                          R"("overrun_usd_micros":0,"stopped":false,"closed":false,"fence":1}})",
                          limit.usd_micros, (limit - reserved).usd_micros, reserved.usd_micros));
    batch.put(store::Table::kBudget, fmt::format("reservation/job_1/{}", token),
              fmt::format(R"({{"token":"{}","amount_usd_micros":{},"billed_usd_micros":0,"settled":false}})", token,
                          reserved.usd_micros));
    ASSERT_THAT(commit(std::move(batch)), Succeeds());
  };
  const auto settle_on = [&](const char* backend, bool emulated, const char* token) -> Result<void> {
    store::Batch batch;
    TANDEM_TRY(budget_.settle(
        batch, {.job = job_, .token = token, .billed = {450}, .backend = backend, .emulated = emulated, .now = {1}}));
    return commit(std::move(batch));
  };
  const auto charge_of = [&](const char* token) {
    return Charge::parse(
               *store_.get(store::Table::kBudget, fmt::format("usage/tenant/000000000000000001/{}", token)).value())
        .value();
  };
  open_from_then({1000}, {600}, "a");
  ASSERT_THAT(settle_on("lab.device", true, "a"), Succeeds());
  EXPECT_EQ(accounts(), (Seen{.money = {.limit = {1000}, .free = {1000}}}));
  EXPECT_EQ(budget_.load(job_)->play_money, (Purse{.limit = {1000}, .free = {550}, .settled = {450}}));
  EXPECT_EQ(charge_of("a").backend, "lab.device");
  EXPECT_TRUE(charge_of("a").emulated);

  open_from_then({1000}, {600}, "b");
  ASSERT_THAT(release(), Succeeds());  // the bill comes when the job is over
  ASSERT_THAT(settle_on("lab.device", true, "b"), Succeeds());
  EXPECT_EQ(accounts(), (Seen{.money = {.limit = {1000}, .released = {1000}}, .closed = true}));
  EXPECT_EQ(budget_.load(job_)->play_money, (Purse{.limit = {1000}, .settled = {450}, .released = {550}}));

  open_from_then({1000}, {600}, "c");
  ASSERT_THAT(settle_on("qpu.one", false, "c"), Succeeds());
  EXPECT_EQ(accounts(), (Seen{.money = {.limit = {1000}, .free = {550}, .settled = {450}}}));
  EXPECT_EQ(charge_of("c").backend, "qpu.one");
  EXPECT_FALSE(charge_of("c").emulated);
}

TEST_F(BudgetTest, a_price_or_a_use_that_cannot_be_is_an_error_of_the_attempt) {
  admit({1000});
  const auto wanted = [&](Money amount, job::MeteredUse use) {
    store::Batch batch;
    return budget_.reserve(batch, {.job = job_, .token = "a", .fence = 1, .amount = amount, .use = use});
  };
  EXPECT_THAT(wanted({-1}, {}), FailsWith(errors::kValueOutOfRange));
  EXPECT_THAT(wanted({1}, {.shots = -1}), FailsWith(errors::kValueOutOfRange));
  EXPECT_THAT(wanted({1}, {.qpu_us = -1}), FailsWith(errors::kValueOutOfRange));
  EXPECT_THAT(wanted({1}, {.shots = kAmountMaxUnits + 1}), FailsWith(errors::kValueOutOfRange));
}

TEST_F(BudgetTest, books_that_do_not_balance_are_damage) {
  admit({1000});
  Json document = Json::parse(budget_.load(job_)->value());
  document["free_usd_micros"] = 1001;
  store::Batch batch;
  batch.put(store::Table::kBudget, "hold/job_1", document.dump());
  ASSERT_THAT(commit(std::move(batch)), Succeeds());
  const auto damaged = budget_.load(job_);
  ASSERT_THAT(damaged, FailsWith(errors::kStoreDamaged));
  EXPECT_THAT(damaged.error().message, HasSubstr("do not balance"));
}

Result<void> without_alerts(Result<Alerts> alerts) {
  return std::move(alerts).map([](const Alerts&) {});
}

/// Many workers build batches from what they read and commit them later, in any order. The oracle knows only which commits
/// were acknowledged: it adds up reservations and bills by itself and never looks at the accounts.
TEST_F(BudgetTest, money_is_conserved_over_any_interleaving_of_reads_and_commits) {
  struct Attempt {
    Money amount;
    std::optional<Money> billed;
  };
  struct Pending {
    store::Batch batch;
    std::function<void()> acknowledged;
  };
  std::size_t committed = 0;
  std::size_t stale = 0;
  std::size_t overruns = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Xoshiro256 rng(seed);
    const JobId job("job_seed_" + std::to_string(seed));
    const Money limit{static_cast<std::int64_t>(rng.below(2000))};
    store::Batch admission;
    hold(admission, job, {.tenant = "t"}, limit);
    ASSERT_THAT(commit(std::move(admission)), Succeeds());

    std::map<std::string, Attempt> attempts;
    bool closed = false;
    std::vector<Pending> pending;
    for (int step = 0; step < 300; ++step) {
      if (!pending.empty() && rng.below(2) == 0) {  // some batch that was built some time ago
        const std::size_t pick = rng.below(pending.size());
        Pending chosen = std::move(pending[pick]);
        pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(pick));
        const auto result = commit(std::move(chosen.batch));
        if (result) {
          chosen.acknowledged();
          ++committed;
        } else {
          ASSERT_THAT(result, FailsWith(errors::kPreconditionFailed));
          ++stale;
        }
      } else if (pending.size() < 5) {
        Pending made;
        const std::string token = "t" + std::to_string(rng.below(20));
        const Money amount{static_cast<std::int64_t>(rng.below(500))};
        Result<void> built;
        switch (rng.below(12)) {
          case 0:
            built = budget_.release(made.batch, job);
            made.acknowledged = [&] { closed = true; };
            break;
          case 1:
          case 2:
          case 3:
          case 4:
          case 5:
            built =
                without_alerts(budget_.reserve(made.batch, {.job = job, .token = token, .fence = 1, .amount = amount}));
            made.acknowledged = [&attempts, token, amount] { attempts[token] = {.amount = amount}; };
            break;
          default:
            built = without_alerts(budget_.settle(made.batch, {.job = job, .token = token, .billed = amount}));
            made.acknowledged = [&attempts, token, amount] {
              ASSERT_FALSE(attempts[token].billed) << "settled twice";
              attempts[token].billed = amount;
            };
        }
        if (built) pending.push_back(std::move(made));
      }

      const auto now = budget_.load(job);
      ASSERT_THAT(now, Succeeds());  // parse() has checked that the books balance
      Money reserved;
      Money settled;
      for (const auto& [token, attempt] : attempts) {
        if (attempt.billed) settled = settled + *attempt.billed;
        if (!attempt.billed) reserved = reserved + attempt.amount;
      }
      ASSERT_EQ(now->money.reserved, reserved);
      ASSERT_EQ(now->money.settled, settled);
      ASSERT_EQ(now->closed, closed);
      ASSERT_EQ(now->money.limit, limit);
      ASSERT_EQ((now->money.limit + now->money.overrun),
                (now->money.free + now->money.reserved + now->money.settled + now->money.released));
      ASSERT_TRUE(now->money.overrun.usd_micros == 0 || now->stopped);
      if (closed) {
        ASSERT_EQ(now->money.free, Money{0});
      }
      // Reserving alone never exceeds the limit: only a provider's bill can.
      if (!now->stopped) {
        ASSERT_LE(reserved + settled, limit);
      }
      overruns += now->money.overrun.usd_micros > 0;
    }
  }
  EXPECT_GT(committed, 500u);  // the walk must have met everything that it claims to show
  EXPECT_GT(stale, 100u);
  EXPECT_GT(overruns, 100u);
}

}  // namespace
}  // namespace tandem::budget
