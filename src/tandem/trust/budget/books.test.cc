#include "tandem/trust/budget/books.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/store/memory/memory_store.h"
#include "tandem/trust/budget/budget.h"
#include "tandem/trust/budget/usage.h"

namespace tandem::budget {
namespace {

using job::Money;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Timestamp at(std::string_view time) { return parse_rfc3339(time).value(); }
const Timestamp kNoon = at("2026-11-15T12:00:00Z");

std::vector<store::Row> rows_of(store::Store& store, std::string_view prefix) {
  store::Scan scan = store::Scan::prefix(store::Table::kBudget, std::string(prefix), 1'000'000);
  return store.scan(scan).value();
}

/// What is wrong with the books of a whole store: each account against the holds and reservations that name it, and each against its
/// limit. Nothing here knows how the verbs work.
std::vector<std::string> faults(store::Store& store, const Limits& limits) {
  struct Sum {
    std::int64_t granted = 0;
    std::int64_t held = 0;
  };
  std::map<std::pair<std::string, Unit>, Sum> due;
  std::vector<std::string> out;
  for (const store::Row& row : rows_of(store, kHoldPrefix)) {
    const Hold hold = Hold::parse(row).value();
    for (const std::string& account : hold.accounts) {
      Sum& sum = due[{account, Unit::kUsdMicros}];
      sum.granted += hold.money.limit.usd_micros;
      sum.held += (hold.money.free + hold.money.reserved).usd_micros;
    }
  }
  for (const store::Row& row : rows_of(store, kReservationPrefix)) {
    const Reservation reservation = Reservation::parse(row).value();
    for (const Share& share : reservation.shares) {
      Sum& sum = due[{share.account, share.unit}];
      sum.granted += share.amount;
      if (reservation.state == ReservationState::kReserved) sum.held += share.amount;
    }
  }
  for (const store::Row& row : rows_of(store, kAccountPrefix)) {
    const auto account = Account::parse(row);  // that each balances
    if (!account) {
      out.push_back(account.error().to_string());
      continue;
    }
    for (const auto& [unit, entry] : account->entries) {
      const auto bound = limits.bound(account->id, unit);
      if (bound && bound->hard && entry.taken() - entry.overrun > *bound->hard)
        out.push_back(fmt::format("{}: {} {} are beyond the limit", row.key, entry.taken(), to_string(unit)));
      if ((unit == Unit::kJobs || unit == Unit::kBytes) && account->id.scope.backend.empty())
        continue;  // no hold says that a job was admitted
      const Sum sum = due[{row.key, unit}];
      if (entry.granted != sum.granted || entry.held != sum.held)
        out.push_back(fmt::format("{}: {} granted and {} held, by the jobs {} and {}", row.key, entry.granted,
                                  entry.held, sum.granted, sum.held));
    }
  }
  return out;
}

class BooksTest : public testing::Test {
 protected:
  ThreadExecutor executor_{4};
  memory::MemoryStore store_{executor_};
  Limits limits_;
  Timestamp now_ = kNoon;

  void limit(std::string_view text) { limits_ = Limits::parse(text, "budget.yaml").value(); }
  Budget budget() { return Budget(store_, &limits_); }
  /// Builds and commits until nobody else was faster.
  template <typename Build>
  Result<std::vector<std::string>> commit(const Build& build) {
    while (true) {
      store::Batch batch;
      TANDEM_TRY_ASSIGN(Alerts alerts, build(batch));
      const auto done = store_.commit_and_wait(std::move(batch));
      if (!done && done.error().number == errors::kPreconditionFailed) continue;
      if (!done) return tl::unexpected(done.error());
      std::vector<std::string> crossed;
      for (job::EventData& alert : alerts) crossed.push_back(Json::parse(alert.finish().text())["crossed"]);
      return crossed;
    }
  }
  Result<std::vector<std::string>> admit(const std::string& job, Money cost_max, Payer payer = {.tenant = "acme"},
                                         std::uint64_t bytes = 100) {
    return commit([&](store::Batch& batch) {
      return budget().admit(batch,
                            {.job = JobId(job), .payer = payer, .cost_max = cost_max, .bytes = bytes, .now = now_});
    });
  }
  Result<std::vector<std::string>> reserve(const std::string& job, const std::string& token, Money amount,
                                           std::string backend = "qpu.one", bool emulated = false,
                                           job::MeteredUse use = {}) {
    return commit([&](store::Batch& batch) {
      return budget().reserve(batch, {.job = JobId(job),
                                      .token = token,
                                      .fence = 1,
                                      .amount = amount,
                                      .use = use,
                                      .backend = backend,
                                      .emulated = emulated,
                                      .now = now_});
    });
  }
  Result<std::vector<std::string>> settle(const std::string& job, const std::string& token, Money billed,
                                          std::optional<job::MeteredUse> use = std::nullopt, bool accepted = true) {
    return commit([&](store::Batch& batch) {
      return budget().settle(batch, {.job = JobId(job),
                                     .token = token,
                                     .billed = billed,
                                     .use = use,
                                     .accepted = accepted,
                                     .begin = now_,
                                     .now = now_});
    });
  }
  Result<std::vector<std::string>> release(const std::string& job) {
    return commit(
        [&](store::Batch& batch) { return budget().release(batch, JobId(job)).map([] { return Alerts(); }); });
  }
  Entry entry(const AccountId& id, Unit unit = Unit::kUsdMicros) {
    const auto row = store_.get(store::Table::kBudget, id.key()).value();
    return row ? Account::parse(*row).value().entries[unit] : Entry{};
  }
  static AccountId month_of(const char* tenant, const char* span = "2026-11") {
    return {.scope = {.tenant = tenant}, .period = Period::kMonth, .span = span};
  }
};

TEST_F(BooksTest, without_limits_a_job_that_may_spend_nothing_leaves_nothing) {
  EXPECT_THAT(admit("job_1", {0}), Succeeds());
  EXPECT_THAT(rows_of(store_, ""), IsEmpty());
  limit("limits: [{tenant: other, period: day, jobs: {hard: 1}}, {tenant: acme, period: day, cost: {hard: $1}}]");
  EXPECT_THAT(admit("job_2", {0}), Succeeds());
  EXPECT_THAT(rows_of(store_, ""), IsEmpty());
}

TEST_F(BooksTest, money_is_held_at_admission_settled_by_the_bill_and_given_back_at_the_end) {
  limit("limits: [{tenant: acme, period: month, cost: {hard: $1}}]");
  ASSERT_THAT(admit("job_1", {600'000}), Succeeds());
  EXPECT_EQ(entry(month_of("acme")).held, 600'000);
  ASSERT_THAT(reserve("job_1", "a", {500'000}), Succeeds());
  EXPECT_EQ(entry(month_of("acme")).held, 600'000);  // it is in the hold already
  ASSERT_THAT(settle("job_1", "a", {200'000}), Succeeds());
  EXPECT_EQ(entry(month_of("acme")).held, 400'000);
  EXPECT_EQ(entry(month_of("acme")).settled, 200'000);
  ASSERT_THAT(release("job_1"), Succeeds());
  const Entry end = entry(month_of("acme"));
  EXPECT_EQ(end.granted, 600'000);
  EXPECT_EQ(end.held, 0);
  EXPECT_EQ(end.settled, 200'000);
  EXPECT_EQ(end.released, 400'000);
}

TEST_F(BooksTest, what_is_over_a_hard_limit_is_refused_with_the_figures_and_the_way_out) {
  limit("limits: [{tenant: acme, period: month, cost: {hard: $1}}]");
  ASSERT_THAT(admit("job_1", {600'000}), Succeeds());
  ASSERT_THAT(reserve("job_1", "a", {600'000}), Succeeds());
  ASSERT_THAT(settle("job_1", "a", {100'000}), Succeeds());
  const auto refused = admit("job_2", {400'001});
  ASSERT_THAT(refused, FailsWith(errors::kLimitExceeded));
  for (const char* part :
       {"tenant acme", "$0.400001 are needed", "$0.40 are free", "period 2026-11", "limit $1.00", "held $0.50",
        "settled $0.10", "cost_max_usd_micros to 400000 or less", "wait until 2026-12-01T00:00:00"})
    EXPECT_THAT(refused.error().message, HasSubstr(part));
  EXPECT_THAT(rows_of(store_, "hold/job_2"), IsEmpty());
  EXPECT_THAT(admit("job_3", {400'000}), Succeeds());
}

TEST_F(BooksTest, every_scope_of_the_payer_has_to_have_room) {
  limit(R"(limits:
  - {tenant: acme, period: month, cost: {hard: $10}}
  - {tenant: acme, project: p, period: month, cost: {hard: $2}}
  - {tenant: acme, user: "*", period: month, cost: {hard: $1}})");
  const Payer ann{.tenant = "acme", .project = "p", .user = "ann"};
  const Payer bob{.tenant = "acme", .project = "p", .user = "bob"};
  ASSERT_THAT(admit("job_1", {1'000'000}, ann), Succeeds());
  EXPECT_THAT(admit("job_2", {1}, ann).error().message, HasSubstr("tenant acme, user ann"));
  ASSERT_THAT(admit("job_3", {1'000'000}, bob), Succeeds());
  EXPECT_THAT(admit("job_4", {1}, {.tenant = "acme", .project = "p", .user = "eve"}).error().message,
              HasSubstr("tenant acme, project p"));
  ASSERT_THAT(admit("job_5", {1'000'000}, {.tenant = "acme", .user = "eve"}), Succeeds());
  EXPECT_EQ(entry(month_of("acme")).held, 3'000'000);
  EXPECT_THAT(faults(store_, limits_), IsEmpty());
}

TEST_F(BooksTest, a_new_period_begins_with_nothing_and_a_late_bill_goes_to_the_old_one) {
  limit(R"(limits: [{tenant: acme, period: day, cost: {hard: $1}}, {tenant: acme, period: month, cost: {hard: $2}}])");
  const auto day = [](const char* span) {
    return AccountId{.scope = {.tenant = "acme"}, .period = Period::kDay, .span = span};
  };
  now_ = at("2026-11-29T23:59:59.999999Z");
  ASSERT_THAT(admit("job_1", {1'000'000}), Succeeds());
  ASSERT_THAT(reserve("job_1", "a", {1'000'000}), Succeeds());
  EXPECT_THAT(admit("job_2", {1}), FailsWith(errors::kLimitExceeded));
  now_ = at("2026-11-30T00:00:00Z");  // another day of the month
  ASSERT_THAT(admit("job_3", {1'000'000}), Succeeds());
  EXPECT_THAT(admit("job_4", {1}).error().message, HasSubstr("period 2026-11-30"));
  now_ = at("2026-12-01T00:00:00Z");  // another month
  ASSERT_THAT(admit("job_5", {1'000'000}), Succeeds());
  ASSERT_THAT(settle("job_1", "a", {700'000}), Succeeds());
  ASSERT_THAT(release("job_1"), Succeeds());
  EXPECT_EQ(entry(day("2026-11-29")).settled, 700'000);
  EXPECT_EQ(entry(day("2026-11-29")).held, 0);
  EXPECT_EQ(entry(day("2026-12-01")).settled, 0);
  EXPECT_EQ(entry(month_of("acme")).settled, 700'000);
  EXPECT_EQ(entry(month_of("acme", "2026-12")).settled, 0);
  EXPECT_EQ(entry(month_of("acme", "2026-12")).held, 1'000'000);
  EXPECT_THAT(faults(store_, limits_), IsEmpty());
}

TEST_F(BooksTest, a_bill_beyond_everything_is_posted_in_every_scope_and_stops_the_job) {
  limit(
      R"(limits: [{tenant: acme, period: month, cost: {hard: $1}}, {backend: qpu.one, period: month, cost: {hard: $9}}])");
  ASSERT_THAT(admit("job_1", {1'000'000}), Succeeds());
  ASSERT_THAT(reserve("job_1", "a", {300'000}), Succeeds());
  ASSERT_THAT(settle("job_1", "a", {5'000'000}),
              Succeeds());  // 300'000 of its own, 700'000 free, 4'000'000 of nobody's
  const Entry tenant = entry(month_of("acme"));
  EXPECT_EQ(tenant.settled, 5'000'000);
  EXPECT_EQ(tenant.overrun, 4'000'000);
  EXPECT_EQ(tenant.held, 0);
  const AccountId backend{.scope = {.backend = "qpu.one"}, .period = Period::kMonth, .span = "2026-11"};
  EXPECT_EQ(entry(backend).settled, 5'000'000);
  EXPECT_EQ(entry(backend).overrun, 4'700'000);  // of the backend's account only what was reserved was granted
  EXPECT_THAT(reserve("job_1", "b", {0}), FailsWith(errors::kBudgetExceeded));
  EXPECT_THAT(admit("job_2", {1}).error().message, HasSubstr("over-run $4.00"));
  ASSERT_THAT(release("job_1"), Succeeds());
  EXPECT_THAT(faults(store_, limits_), IsEmpty());
}

TEST_F(BooksTest, what_is_ambiguous_stays_held_for_ever_and_is_settled_once) {
  limit("limits: [{tenant: acme, period: day, cost: {hard: $1}}]");
  ASSERT_THAT(admit("job_1", {1'000'000}), Succeeds());
  ASSERT_THAT(reserve("job_1", "lost", {400'000}), Succeeds());
  ASSERT_THAT(release("job_1"), Succeeds());
  const AccountId today{.scope = {.tenant = "acme"}, .period = Period::kDay, .span = "2026-11-15"};
  EXPECT_EQ(entry(today).held, 400'000);
  now_ = at("2027-03-01T00:00:00Z");
  EXPECT_EQ(entry(today).held, 400'000);
  ASSERT_THAT(settle("job_1", "lost", {50'000}), Succeeds());
  EXPECT_EQ(entry(today).settled, 50'000);
  EXPECT_EQ(entry(today).released, 950'000);
  EXPECT_THAT(settle("job_1", "lost", {50'000}), FailsWith(errors::kDoubleSettlement));
  EXPECT_EQ(entry(today).settled, 50'000);
}

TEST_F(BooksTest, jobs_and_bytes_are_used_up_by_admissions) {
  limit("limits: [{tenant: acme, period: day, jobs: {hard: 2}, bytes: {hard: 1000}}]");
  const AccountId today{.scope = {.tenant = "acme"}, .period = Period::kDay, .span = "2026-11-15"};
  ASSERT_THAT(admit("job_1", {0}, {.tenant = "acme"}, 600), Succeeds());
  EXPECT_THAT(admit("job_2", {0}, {.tenant = "acme"}, 401).error().message,
              HasSubstr("401 bytes are needed and 400 bytes are free"));
  ASSERT_THAT(admit("job_3", {0}, {.tenant = "acme"}, 400), Succeeds());
  EXPECT_THAT(admit("job_4", {0}, {.tenant = "acme"}, 0).error().message,
              HasSubstr("1 jobs are needed and 0 jobs are free"));
  EXPECT_EQ(entry(today, Unit::kJobs).settled, 2);
  EXPECT_EQ(entry(today, Unit::kBytes).settled, 1000);
  EXPECT_THAT(rows_of(store_, kHoldPrefix), IsEmpty());
}

TEST_F(BooksTest, bytes_of_requests_are_held_for_their_backend_and_used_up_where_it_took_them) {
  limit(R"(limits:
  - {tenant: acme, period: day, bytes: {hard: 150}}
  - {tenant: acme, backend: qpu.one, period: day, bytes: {hard: 1000}}
  - {backend: lab.device, emulated: true, period: day, bytes: {hard: 10}})");
  const AccountId tenant{.scope = {.tenant = "acme"}, .period = Period::kDay, .span = "2026-11-15"};
  const AccountId wire{.scope = {.tenant = "acme", .backend = "qpu.one"}, .period = Period::kDay, .span = "2026-11-15"};
  ASSERT_THAT(admit("job_1", {100}), Succeeds());
  ASSERT_THAT(reserve("job_1", "a", {10}, "qpu.one", false, {.shots = 1, .bytes = 600}), Succeeds());
  EXPECT_THAT(reserve("job_1", "b", {10}, "qpu.one", false, {.shots = 1, .bytes = 401}).error().message,
              HasSubstr("401 bytes are needed and 400 bytes are free"));
  EXPECT_THAT(reserve("job_1", "c", {10}, "qpu.two", false, {.shots = 1, .bytes = 4000}), Succeeds());
  EXPECT_THAT(reserve("job_1", "d", {10}, "lab.device", true, {.shots = 1, .bytes = 11}),
              FailsWith(errors::kLimitExceeded));
  // No provider counts them: what it says of shots and time does not change what was sent.
  ASSERT_THAT(settle("job_1", "a", {5}, job::MeteredUse{.shots = 1}), Succeeds());
  EXPECT_EQ(entry(wire, Unit::kBytes).settled, 600);
  ASSERT_THAT(reserve("job_1", "e", {10}, "qpu.one", false, {.shots = 1, .bytes = 400}), Succeeds());
  EXPECT_EQ(entry(wire, Unit::kBytes).held, 400);
  ASSERT_THAT(settle("job_1", "e", {0}, job::MeteredUse{}, false), Succeeds());
  EXPECT_EQ(entry(wire, Unit::kBytes).held, 0);
  EXPECT_EQ(entry(wire, Unit::kBytes).settled, 600) << "what was refused was not taken";
  EXPECT_EQ(entry(tenant, Unit::kBytes).settled, 100) << "the document, and nothing else";
  EXPECT_THAT(faults(store_, limits_), IsEmpty());
}

TEST_F(BooksTest, of_two_attempts_at_once_one_is_refused_where_the_time_of_both_is_beyond_the_limit) {
  limit("limits: [{backend: qpu.one, period: day, qpu_seconds: {hard: 1}}]");
  ASSERT_THAT(admit("job_1", {100}), Succeeds());
  ASSERT_THAT(reserve("job_1", "a", {10}, "qpu.one", false, {.shots = 100, .qpu_us = 600'000}), Succeeds());
  const auto second = reserve("job_1", "b", {10}, "qpu.one", false, {.shots = 100, .qpu_us = 600'000});
  ASSERT_THAT(second, FailsWith(errors::kLimitExceeded));
  EXPECT_THAT(second.error().message, HasSubstr("QPU"));
  ASSERT_THAT(settle("job_1", "a", {5}, job::MeteredUse{.shots = 100, .qpu_us = 400'000}), Succeeds());
  EXPECT_THAT(reserve("job_1", "b", {10}, "qpu.one", false, {.shots = 100, .qpu_us = 600'000}), Succeeds())
      << "the bill was lower";
}

TEST_F(BooksTest, shots_and_time_of_the_device_are_held_as_asked_and_settled_as_the_provider_counts) {
  limit(R"(limits:
  - {tenant: acme, period: day, shots: {hard: 1000}, qpu_seconds: {hard: 10}}
  - {backend: qpu.one, period: day, jobs: {hard: 2}, shots: {hard: 5000}})");
  const AccountId tenant{.scope = {.tenant = "acme"}, .period = Period::kDay, .span = "2026-11-15"};
  const AccountId backend{.scope = {.backend = "qpu.one"}, .period = Period::kDay, .span = "2026-11-15"};
  ASSERT_THAT(admit("job_1", {100}), Succeeds());
  ASSERT_THAT(reserve("job_1", "a", {10}, "qpu.one", false, {.shots = 800, .qpu_us = 4'000'000}), Succeeds());
  EXPECT_THAT(reserve("job_1", "b", {10}, "qpu.two", false, {.shots = 201}).error().message,
              HasSubstr("201 shots are needed and 200 shots are free"));
  ASSERT_THAT(settle("job_1", "a", {5}, job::MeteredUse{.shots = 700, .qpu_us = 9'999'999}), Succeeds());
  EXPECT_EQ(entry(tenant, Unit::kShots).settled, 700);
  EXPECT_EQ(entry(tenant, Unit::kQpuMicroseconds).settled, 9'999'999);
  EXPECT_EQ(entry(tenant, Unit::kQpuMicroseconds).overrun, 5'999'999);
  EXPECT_EQ(entry(backend, Unit::kJobs).settled, 1);
  // A provider that names no figures is believed to have used what it was asked for; one that refused has used nothing.
  ASSERT_THAT(reserve("job_1", "c", {10}, "qpu.one", false, {.shots = 100}), Succeeds());
  EXPECT_THAT(reserve("job_1", "d", {10}, "qpu.one").error().message, HasSubstr("1 jobs are needed and 0"));
  ASSERT_THAT(settle("job_1", "c", {0}, std::nullopt, false), Succeeds());
  EXPECT_EQ(entry(tenant, Unit::kShots).settled, 700);
  EXPECT_EQ(entry(backend, Unit::kJobs).settled, 1);
  ASSERT_THAT(reserve("job_1", "e", {10}, "qpu.one", false, {.shots = 100}), Succeeds());
  ASSERT_THAT(settle("job_1", "e", {1}), Succeeds());
  EXPECT_EQ(entry(tenant, Unit::kShots).settled, 800);
  // One microsecond is left: what is not foretold may begin, and then nothing more.
  ASSERT_THAT(admit("job_2", {100}), Succeeds());
  EXPECT_THAT(reserve("job_2", "f", {10}, "qpu.two"), Succeeds());
  ASSERT_THAT(settle("job_2", "f", {1}, job::MeteredUse{.shots = 0, .qpu_us = 1}), Succeeds());
  EXPECT_THAT(reserve("job_2", "g", {10}, "qpu.two").error().message, HasSubstr("QPU seconds are free"));
  EXPECT_THAT(faults(store_, limits_), IsEmpty());
}

TEST_F(BooksTest, play_money_stands_beside_real_money_and_is_never_added_to_it) {
  limit(R"(limits:
  - {tenant: acme, period: month, cost: {hard: $1}}
  - {tenant: acme, emulated: true, period: month, cost: {hard: $0.50}})");
  AccountId play = month_of("acme");
  play.scope.emulated = true;
  ASSERT_THAT(admit("job_1", {1'000'000}), Succeeds());
  ASSERT_THAT(reserve("job_1", "a", {500'000}, "lab.device", true), Succeeds());
  EXPECT_THAT(reserve("job_1", "b", {1}, "lab.device", true).error().message, HasSubstr("tenant acme (emulated)"));
  ASSERT_THAT(settle("job_1", "a", {300'000}), Succeeds());
  EXPECT_EQ(entry(month_of("acme")).settled, 0);
  EXPECT_EQ(entry(play).settled, 300'000);
  ASSERT_THAT(reserve("job_1", "c", {1'000'000}, "qpu.one"), Succeeds());  // all of the real money is still there
  ASSERT_THAT(settle("job_1", "c", {900'000}), Succeeds());
  ASSERT_THAT(release("job_1"), Succeeds());
  EXPECT_EQ(entry(month_of("acme")).settled, 900'000);
  const Hold hold = budget().load(JobId("job_1")).value();
  EXPECT_EQ(hold.money.settled, Money{900'000});
  EXPECT_EQ(hold.play_money.settled, Money{300'000});
  const auto groups = usage(store_, {.tenant = "acme", .from = {}, .to = at("2030-01-01T00:00:00Z")}, UsageBy::kTier);
  EXPECT_THAT(*groups,
              ElementsAre(UsageGroup{.name = "qpu", .cost = {900'000}, .submissions = 1, .jobs = 1},
                          UsageGroup{.name = "qpu", .emulated = true, .cost = {300'000}, .submissions = 1, .jobs = 1}));
  EXPECT_THAT(faults(store_, limits_), IsEmpty());
}

TEST_F(BooksTest, each_crossing_is_told_once_in_a_period) {
  limit("limits: [{tenant: acme, period: day, jobs: {hard: 20, soft: 12}}]");
  now_ = at("2026-11-15T00:00:01Z");  // too early for a forecast
  std::map<int, std::vector<std::string>> told;
  for (int i = 1; i <= 20; ++i) told[i] = admit(fmt::format("job_{}", i), {0}).value();
  std::erase_if(told, [](const auto& one) { return one.second.empty(); });
  EXPECT_EQ(told, (std::map<int, std::vector<std::string>>{
                      {10, {"50"}}, {12, {"soft"}}, {16, {"80"}}, {19, {"95"}}, {20, {"100"}}}));
  now_ = at("2026-11-16T00:00:01Z");
  for (int i = 1; i <= 9; ++i) EXPECT_THAT(admit(fmt::format("next_{}", i), {0}).value(), IsEmpty());
  EXPECT_THAT(admit("next_10", {0}).value(), ElementsAre("50"));
}

TEST_F(BooksTest, several_are_crossed_at_once_and_a_burn_that_leads_beyond_the_limit_is_told) {
  limit("limits: [{tenant: acme, period: day, cost: {hard: $10}}, {tenant: acme, period: month, cost: {soft: $100}}]");
  now_ = at("2026-11-15T06:00:00Z");  // a quarter of the day
  EXPECT_THAT(admit("job_1", {9'600'000}).value(), ElementsAre("50", "80", "95"));
  ASSERT_THAT(reserve("job_1", "a", {2'400'000}), Succeeds());
  EXPECT_THAT(settle("job_1", "a", {2'400'000}).value(), IsEmpty());  // leads to 9.6
  ASSERT_THAT(reserve("job_1", "b", {200'000}), Succeeds());
  EXPECT_THAT(settle("job_1", "b", {200'000}).value(), ElementsAre("forecast"));  // to 10.4
  ASSERT_THAT(reserve("job_1", "c", {200'000}), Succeeds());
  EXPECT_THAT(settle("job_1", "c", {200'000}).value(), IsEmpty());
}

TEST_F(BooksTest, what_takes_nothing_is_granted_also_after_a_bill_beyond_the_limit) {
  limit("limits: [{backend: qpu.one, period: month, cost: {hard: $0.000100}, shots: {hard: 100}}]");
  ASSERT_THAT(admit("job_1", {1000}), Succeeds());
  ASSERT_THAT(reserve("job_1", "a", {100}, "qpu.one", false, {.shots = 100}), Succeeds());
  ASSERT_THAT(settle("job_1", "a", {100}, job::MeteredUse{.shots = 101}), Succeeds());
  EXPECT_THAT(reserve("job_1", "b", {0}, "qpu.one"), Succeeds());
  EXPECT_THAT(reserve("job_1", "c", {0}, "qpu.one", false, {.shots = 1}), FailsWith(errors::kLimitExceeded));
}

TEST_F(BooksTest, an_account_is_full_before_it_could_not_be_read_any_more) {
  limit(
      "limits: [{tenant: acme, period: month, cost: {soft: $1}}, {backend: qpu.one, period: month, shots: {soft: 1}}]");
  const auto put = [&](const AccountId& id, Unit unit, Entry entry) {
    Account account{.id = id, .entries = {{unit, std::move(entry)}}};
    store::Batch batch;
    batch.put(store::Table::kBudget, id.key(), account.value());
    ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  };
  const std::int64_t nearly = kSumMaxUnits - 600;
  put(month_of("acme"), Unit::kUsdMicros, {.granted = nearly, .released = nearly});
  ASSERT_THAT(admit("job_1", {600}), Succeeds());
  const auto refused = admit("job_2", {1});
  ASSERT_THAT(refused, FailsWith(errors::kLimitExceeded));
  EXPECT_THAT(refused.error().message, HasSubstr("than can be counted"));
  EXPECT_THAT(refused.error().message, HasSubstr("wait until 2026-12-01"));
  ASSERT_THAT(release("job_1"), Succeeds()) << "what was granted goes its way";
  EXPECT_EQ(entry(month_of("acme")).granted, kSumMaxUnits);
  EXPECT_THAT(admit("job_2", {0}), Succeeds());
  // A figure that is too much for the account is an error of that bill, and the account stays what it was.
  const AccountId backend{.scope = {.backend = "qpu.one"}, .period = Period::kMonth, .span = "2026-11"};
  put(backend, Unit::kShots, {.granted = 0, .settled = kSumMaxUnits, .overrun = kSumMaxUnits});
  limits_ = Limits();
  ASSERT_THAT(admit("job_3", {600}), Succeeds());
  limit("limits: [{backend: qpu.one, period: month, shots: {soft: 1}}]");
  ASSERT_THAT(reserve("job_3", "a", {1}), Succeeds());
  EXPECT_THAT(settle("job_3", "a", {1}, job::MeteredUse{.shots = 1}), FailsWith(errors::kValueOutOfRange));
  EXPECT_EQ(entry(backend, Unit::kShots).settled, kSumMaxUnits);
  EXPECT_THAT(settle("job_3", "a", {1}, job::MeteredUse{}), Succeeds());
}

TEST_F(BooksTest, what_others_took_of_a_limit_that_tenants_share_is_told_to_none) {
  limit(
      "limits: [{backend: qpu.one, period: month, shots: {hard: 1000}}, {tenant: acme, period: month, cost: {hard: "
      "$1}}]");
  ASSERT_THAT(admit("job_1", {600'000}), Succeeds());
  ASSERT_THAT(admit("job_2", {1000}, {.tenant = "beta"}), Succeeds());
  ASSERT_THAT(reserve("job_1", "a", {10}, "qpu.one", false, {.shots = 300}), Succeeds());
  ASSERT_THAT(settle("job_1", "a", {10}), Succeeds());
  ASSERT_THAT(reserve("job_1", "b", {10}, "qpu.one", false, {.shots = 123}), Succeeds());
  const auto shared = reserve("job_2", "c", {10}, "qpu.one", false, {.shots = 578});
  ASSERT_THAT(shared, FailsWith(errors::kLimitExceeded));
  EXPECT_THAT(shared.error().message, HasSubstr("578 shots are needed and 577 shots are free"));
  EXPECT_THAT(shared.error().message, HasSubstr("(limit 1000 shots)"));
  EXPECT_THAT(shared.error().message, testing::Not(HasSubstr("settled")));
  EXPECT_THAT(admit("job_3", {600'000}).error().message, HasSubstr("(limit $1.00, held $0.59999, settled $0.00001)"));
  store::Batch batch;
  const auto alerts = budget().reserve(batch, {.job = JobId("job_2"),
                                               .token = "d",
                                               .fence = 1,
                                               .amount = {10},
                                               .use = {.shots = 577},
                                               .backend = "qpu.one",
                                               .now = now_});
  ASSERT_THAT(alerts, Succeeds());
  ASSERT_FALSE(alerts->empty());
  for (job::EventData alert : *alerts) {
    const Json data = Json::parse(alert.finish().text());
    for (const char* figure : {"held", "settled", "overrun", "forecast"}) EXPECT_TRUE(data[figure].is_null()) << data;
    EXPECT_EQ(data["limit"], 1000);
  }
  // Where it stands is told with the limit and what is free, to whom the rest is not shown.
  const auto standing = standings(store_, limits_, "beta", now_).value().at(0);
  const Json told = standing.document(false);
  for (const char* figure : {"held", "settled", "released", "overrun", "forecast"})
    EXPECT_TRUE(told[figure].is_null()) << told;
  EXPECT_EQ(told["hard"], 1000);
  EXPECT_EQ(told["free"], 577);
  EXPECT_EQ(standing.document(true)["settled"], 300);
}

TEST_F(BooksTest, an_account_that_lost_what_a_job_has_there_is_damage) {
  limit("limits: [{tenant: acme, period: month, cost: {hard: $1}}]");
  ASSERT_THAT(admit("job_1", {600'000}), Succeeds());
  store::Batch batch;
  batch.erase(store::Table::kBudget, month_of("acme").key());
  ASSERT_THAT(store_.commit_and_wait(std::move(batch)), Succeeds());
  EXPECT_THAT(release("job_1"), FailsWith(errors::kStoreDamaged));
}

TEST_F(BooksTest, limits_that_are_taken_out_of_the_file_leave_what_was_granted_to_be_given_back) {
  limit("limits: [{tenant: acme, period: month, cost: {hard: $1}}]");
  ASSERT_THAT(admit("job_1", {600'000}), Succeeds());
  limits_ = Limits();
  ASSERT_THAT(release("job_1"), Succeeds());
  EXPECT_EQ(entry(month_of("acme")).held, 0);
  EXPECT_EQ(entry(month_of("acme")).released, 600'000);
}

TEST_F(BooksTest, sixty_four_that_race_for_ten_dollars_get_ten_dollars) {
  limit("limits: [{tenant: acme, period: month, cost: {hard: $10}, jobs: {hard: 30}}]");
  std::atomic<int> admitted = 0;
  std::atomic<int> refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 64; ++i)
      threads.emplace_back([&, i] {
        const auto done = admit(fmt::format("job_{}", i), {1'000'000});
        if (done)
          ++admitted;
        else if (done.error().number == errors::kLimitExceeded)
          ++refused;
      });
  }
  EXPECT_EQ(admitted, 10);
  EXPECT_EQ(refused, 54);
  EXPECT_EQ(entry(month_of("acme")).held, 10'000'000);
  EXPECT_THAT(faults(store_, limits_), IsEmpty());
}

constexpr std::string_view kManyLimits = R"(limits:
  - {tenant: "*", period: month, cost: {hard: $0.02}, jobs: {hard: 60}}
  - {tenant: "*", period: day, cost: {hard: $0.01, soft: $0.005}, shots: {hard: 4000}}
  - {tenant: "*", project: "*", period: day, cost: {hard: $0.008}}
  - {tenant: t0, user: u1, period: total, cost: {hard: $0.03}}
  - {backend: qpu.one, period: day, cost: {hard: $0.02}, jobs: {hard: 40}}
  - {tenant: "*", backend: "*", period: month, shots: {hard: 9000}, qpu_seconds: {hard: 0.01}, bytes: {hard: 3000}}
  - {tenant: "*", emulated: true, period: day, cost: {hard: $0.02}}
  - {backend: lab.device, emulated: true, period: total, cost: {hard: $1}, shots: {hard: 100000}})";

/// One who works on some jobs: builds what he does from what he read, loses his memory now and then, and asks again.
class Walker {
 public:
  Walker(store::Store& store, const Limits& limits, std::uint64_t seed) : store_(store), limits_(limits), rng_(seed) {}

  /// A batch of one verb; empty where there was nothing to do or it was refused.
  std::optional<store::Batch> build(Timestamp now) {
    store::Batch batch;
    const Budget budget(store_, &limits_);
    const JobId job(fmt::format("job_{}", rng_.below(kJobs)));
    const std::string token = fmt::format("{}-{}", job.value, rng_.below(4));
    const Money amount{static_cast<std::int64_t>(rng_.below(3000))};
    const job::MeteredUse use{.shots = static_cast<std::int64_t>(rng_.below(300)),
                              .qpu_us = static_cast<std::int64_t>(rng_.below(200)),
                              .bytes = static_cast<std::int64_t>(rng_.below(100))};
    const bool emulated = rng_.below(3) == 0;
    Result<Alerts> built;
    switch (rng_.below(8)) {
      case 0:
      case 1:
        built = budget.admit(batch, {.job = job,
                                     .payer = {.tenant = fmt::format("t{}", rng_.below(2)),
                                               .project = rng_.below(3) == 0 ? "" : fmt::format("p{}", rng_.below(2)),
                                               .user = fmt::format("u{}", rng_.below(2))},
                                     .cost_max = {static_cast<std::int64_t>(rng_.below(6000))},
                                     .bytes = 10,
                                     .now = now});
        break;
      case 2:
      case 3:
      case 4:
        built = budget.reserve(batch, {.job = job,
                                       .token = token,
                                       .fence = 1,
                                       .amount = amount,
                                       .use = use,
                                       .backend = emulated             ? "lab.device"
                                                  : rng_.below(2) == 0 ? "qpu.one"
                                                                       : "qpu.two",
                                       .emulated = emulated,
                                       .now = now});
        break;
      case 5:
      case 6:
        built = budget.settle(batch, {.job = job,
                                      .token = token,
                                      .billed = rng_.below(10) == 0 ? amount + Money{4000} : amount,
                                      .use = rng_.below(2) == 0 ? std::optional(use) : std::nullopt,
                                      .accepted = rng_.below(5) != 0,
                                      .begin = now,
                                      .now = now});
        break;
      default:
        built = budget.release(batch, job).map([] { return Alerts(); });
    }
    if (built) return batch;
    EXPECT_THAT((std::vector<ErrorNumber>{errors::kLimitExceeded, errors::kBudgetExceeded, errors::kHoldUnknown,
                                          errors::kDoubleSettlement}),
                testing::Contains(built.error().number))
        << built.error().to_string();
    if (built.error().number == errors::kLimitExceeded) ++refused;
    return std::nullopt;
  }

  static constexpr std::uint64_t kJobs = 40;
  std::size_t refused = 0;

 private:
  store::Store& store_;
  const Limits& limits_;
  Xoshiro256 rng_;
};

TEST_F(BooksTest, accounts_are_the_sum_of_what_jobs_hold_over_any_interleaving_of_reads_and_commits) {
  limit(kManyLimits);
  std::size_t committed = 0;
  std::size_t stale = 0;
  std::size_t refused = 0;
  std::int64_t overrun = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    memory::MemoryStore store(executor_);
    Walker walker(store, limits_, seed);
    Xoshiro256 rng(seed * 1000);
    std::vector<store::Batch> pending;
    Timestamp now = at("2026-11-29T20:00:00Z");
    for (int step = 0; step < 400; ++step) {
      now.micros += static_cast<std::int64_t>(rng.below(600'000'000));  // over midnight and the end of the month
      if (auto batch = walker.build(now)) pending.push_back(*std::move(batch));
      if (!pending.empty() && (pending.size() > 4 || rng.below(2) == 0)) {
        const std::size_t pick = rng.below(pending.size());
        store::Batch batch = std::move(pending[pick]);
        pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(pick));
        if (rng.below(10) == 0) continue;  // crashed before the commit
        const auto done = store.commit_and_wait(std::move(batch));
        ++(done ? committed : stale);
        if (!done) {
          ASSERT_THAT(done, FailsWith(errors::kPreconditionFailed));
        }
        ASSERT_THAT(faults(store, limits_), IsEmpty()) << "seed " << seed << ", step " << step;
      }
    }
    refused += walker.refused;
    for (const store::Row& row : rows_of(store, kAccountPrefix)) {
      const Account account = Account::parse(row).value();
      for (const auto& [unit, entry] : account.entries) overrun += entry.overrun;
    }
  }
  EXPECT_GT(committed, 1000u);  // the walk must have met everything that it claims to show
  EXPECT_GT(stale, 100u);
  EXPECT_GT(refused, 100u);
  EXPECT_GT(overrun, 0);
}

TEST_F(BooksTest, accounts_are_the_sum_of_what_jobs_hold_when_sixty_four_work_at_once) {
  limit(kManyLimits);
  std::atomic<std::size_t> committed = 0;
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t i = 0; i < 64; ++i)
      threads.emplace_back([&, i] {
        Walker walker(store_, limits_, 1000 + i);
        for (int step = 0; step < 60; ++step) {
          Timestamp now = at("2026-11-30T23:00:00Z");
          now.micros += std::int64_t{step} * 120'000'000;
          auto batch = walker.build(now);
          if (batch && store_.commit_and_wait(*std::move(batch))) ++committed;
        }
      });
  }
  EXPECT_GT(committed, 200u);
  EXPECT_THAT(faults(store_, limits_), IsEmpty());
}

}  // namespace
}  // namespace tandem::budget
