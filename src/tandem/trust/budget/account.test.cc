#include "tandem/trust/budget/account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"

namespace tandem::budget {
namespace {

using testing::HasSubstr;

Timestamp at(std::string_view time) { return parse_rfc3339(time).value(); }

TEST(Period, a_day_and_a_month_begin_and_end_at_midnight_in_utc) {
  struct Case {
    Period period;
    const char* now;
    const char* name;
    const char* begin;
    const char* end;
  };
  // The calendar: 2026 and 2100 are no leap years, 2028 is one.
  for (const Case& one : {
           Case{Period::kDay, "2026-11-28T23:59:59.999999Z", "2026-11-28", "2026-11-28T00:00:00Z",
                "2026-11-29T00:00:00Z"},
           Case{Period::kDay, "2026-11-29T00:00:00Z", "2026-11-29", "2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z"},
           Case{Period::kDay, "2026-12-31T12:00:00Z", "2026-12-31", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"},
           Case{Period::kMonth, "2026-11-30T23:59:59.999999Z", "2026-11", "2026-11-01T00:00:00Z",
                "2026-12-01T00:00:00Z"},
           Case{Period::kMonth, "2026-12-01T00:00:00Z", "2026-12", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
           Case{Period::kMonth, "2026-02-28T01:00:00Z", "2026-02", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
           Case{Period::kMonth, "2028-02-29T01:00:00Z", "2028-02", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
           Case{Period::kDay, "2100-02-28T01:00:00Z", "2100-02-28", "2100-02-28T00:00:00Z", "2100-03-01T00:00:00Z"},
       }) {
    const Span span = span_of(one.period, at(one.now));
    EXPECT_EQ(span.name, one.name) << one.now;
    EXPECT_EQ(span.begin, at(one.begin)) << one.now;
    EXPECT_EQ(span.end, at(one.end)) << one.now;
    EXPECT_EQ(find_span(one.period, span.name)->end, span.end);
  }
  EXPECT_EQ(span_of(Period::kTotal, at("2026-11-28T00:00:00Z")).end, std::nullopt);
  EXPECT_FALSE(find_span(Period::kMonth, "2026-13"));
  EXPECT_FALSE(find_span(Period::kDay, "2026-02-30"));
  EXPECT_FALSE(find_span(Period::kTotal, "2026"));
}

Account some_account() {
  return {.id = {.scope = {.tenant = "a/b", .project = "%", .emulated = true},
                 .period = Period::kDay,
                 .span = "2026-11-28"},
          .entries = {{Unit::kUsdMicros,
                       {.granted = 10, .held = 2, .settled = 7, .released = 3, .overrun = 2, .told = {"50"}}},
                      {Unit::kJobs, {.granted = 1, .settled = 1}}},
          .version = 4};
}

TEST(Account, is_read_as_it_was_written) {
  const Account account = some_account();
  EXPECT_EQ(account.id.key(), "account/day/2026-11-28/emulated/a%2Fb/%25//");
  const auto read = Account::parse({.key = account.id.key(), .version = 4, .value = account.value()});
  ASSERT_THAT(read, Succeeds());
  EXPECT_EQ(*read, account);
}

TEST(Account, books_that_do_not_balance_or_belong_elsewhere_are_damage) {
  Account account = some_account();
  account.entries[Unit::kUsdMicros].held = 3;
  const auto unbalanced = Account::parse({.key = account.id.key(), .version = 1, .value = account.value()});
  ASSERT_THAT(unbalanced, FailsWith(errors::kStoreDamaged));
  EXPECT_THAT(unbalanced.error().message, HasSubstr("do not balance"));
  account = some_account();
  EXPECT_THAT(Account::parse({.key = "account/day/2026-11-28/real////", .version = 1, .value = account.value()}),
              FailsWith(errors::kStoreDamaged));
}

TEST(Account, the_forecast_is_the_burn_so_far_over_the_whole_period) {
  Account account{.id = {.scope = {.tenant = "a"}, .period = Period::kDay, .span = "2026-11-28"},
                  .entries = {{Unit::kJobs, {.granted = 30, .settled = 30}}}};
  EXPECT_EQ(forecast(account, Unit::kJobs, at("2026-11-28T06:00:00Z")), 120);  // a quarter of the day
  EXPECT_EQ(forecast(account, Unit::kJobs, at("2026-11-28T18:00:00Z")), 40);
  EXPECT_EQ(forecast(account, Unit::kJobs, at("2026-11-28T01:00:00Z")), std::nullopt);  // too early to say
  EXPECT_EQ(forecast(account, Unit::kJobs, at("2026-11-29T00:00:00Z")), std::nullopt);  // over
  EXPECT_EQ(forecast(account, Unit::kShots, at("2026-11-28T18:00:00Z")), std::nullopt);
}

}  // namespace
}  // namespace tandem::budget
