#include "tandem/trust/budget/limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"

namespace tandem::budget {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kFile = R"(limits:
  - tenant: acme
    period: month
    cost: {hard: $500, soft: 400}
    jobs: {hard: 1000}
  - tenant: "*"
    user: "*"
    period: day
    jobs: {hard: 10}
    shots: {soft: 5000}
  - backend: qpu.one
    period: total
    cost: {hard: $1.25}
    qpu_seconds: {hard: 1.5}
  - backend: lab.device
    emulated: true
    period: day
    cost: {hard: $2}
)";

Timestamp at(std::string_view time) { return parse_rfc3339(time).value(); }
const Timestamp kNow = at("2026-11-28T23:59:59.999999Z");

std::vector<std::string> words(const std::vector<Due>& dues) {
  std::vector<std::string> out;
  for (const Due& due : dues) out.push_back(due.account.key() + " " + std::string(to_string(due.unit)));
  return out;
}

TEST(Limits, a_file_says_who_may_take_how_much_of_what) {
  const auto limits = Limits::parse(kFile, "budget.yaml");
  ASSERT_THAT(limits, Succeeds());
  ASSERT_EQ(limits->lines().size(), 4u);
  EXPECT_EQ(limits->lines()[0], (Line{.scope = {.tenant = "acme"},
                                      .period = Period::kMonth,
                                      .bounds = {{Unit::kUsdMicros, {.hard = 500'000'000, .soft = 400'000'000}},
                                                 {Unit::kJobs, {.hard = 1000, .soft = std::nullopt}}},
                                      .place = "budget.yaml:2:5"}));
  EXPECT_EQ(limits->lines()[2].bounds.at(Unit::kQpuMicroseconds).hard, 1'500'000);
  EXPECT_TRUE(limits->lines()[3].scope.emulated);
}

TEST(Limits, a_job_takes_from_what_its_payer_is_limited_by_and_an_attempt_from_the_rest) {
  const Limits limits = Limits::parse(kFile, "budget.yaml").value();
  const Payer ann{.tenant = "acme", .project = "p", .user = "ann/x"};
  EXPECT_THAT(words(limits.of_admission(ann, kNow)),
              ElementsAre("account/month/2026-11/real/acme/// usd_micros", "account/month/2026-11/real/acme/// jobs",
                          "account/day/2026-11-28/real/acme//ann%2Fx/ jobs"));
  EXPECT_THAT(
      words(limits.of_attempt(ann, "qpu.one", false, kNow)),
      ElementsAre("account/total/total/real////qpu.one usd_micros", "account/total/total/real////qpu.one qpu_us",
                  "account/day/2026-11-28/real/acme//ann%2Fx/ shots"));
  EXPECT_THAT(words(limits.of_attempt(ann, "lab.device", true, kNow)),
              ElementsAre("account/day/2026-11-28/emulated////lab.device usd_micros"));
  EXPECT_THAT(words(limits.of_admission({.tenant = "other"}, kNow)), ElementsAre());
}

TEST(Limits, of_several_that_hold_for_one_account_the_least_counts) {
  const Limits limits = Limits::parse(R"({"limits": [
      {"tenant": "*", "period": "day", "jobs": {"hard": 5, "soft": 4}},
      {"tenant": "acme", "period": "day", "jobs": {"hard": 9, "soft": 2}},
      {"tenant": "acme", "period": "month", "jobs": {"hard": 1}}]})",
                                      "budget.json")
                            .value();
  const AccountId acme{.scope = {.tenant = "acme"}, .period = Period::kDay, .span = "2026-11-28"};
  EXPECT_EQ(limits.bound(acme, Unit::kJobs), (Bound{.hard = 5, .soft = 2}));
  EXPECT_EQ(limits.bound(acme, Unit::kShots), std::nullopt);
  const AccountId project{.scope = {.tenant = "acme", .project = "p"}, .period = Period::kDay, .span = "2026-11-28"};
  EXPECT_EQ(limits.bound(project, Unit::kJobs), std::nullopt);
}

TEST(Limits, what_cannot_be_is_refused_with_its_line_and_column) {
  struct Case {
    const char* text;
    const char* place;
    const char* what;
  };
  for (const Case& one : {
           Case{"limits:\n  - period: day\n    jobs: {hard: 1}\n", "b.yaml:2:5", "says nobody"},
           Case{"limits:\n  - tenant: a\n    period: week\n    jobs: {hard: 1}\n", "b.yaml:3:13",
                "day, month or total"},
           Case{"limits:\n  - tenant: a\n    period: day\n", "b.yaml:2:5", "at least one of cost"},
           Case{"limits:\n  - tenant: a\n    period: day\n    jobs: {}\n", "b.yaml:4:11", "limits nothing"},
           Case{"limits:\n  - tenant: a\n    period: day\n    cost: {hard: five}\n", "b.yaml:4:18",
                "no amount of money"},
           Case{"limits:\n  - tenant: a\n    period: day\n    cost: {hard: $1, soft: $2}\n", "b.yaml:4:28",
                "above the hard"},
           Case{"limits:\n  - tenant: a\n    period: day\n    jobs: {hard: -1}\n", "b.yaml:4:18", "-1"},
           Case{"limits:\n  - tenant: a\n    period: day\n    job: {hard: 1}\n", "b.yaml:4:10", "jobs"},
           Case{"limits:\n  - project: p\n    period: day\n    jobs: {hard: 1}\n", "b.yaml:2:14", "name the tenant"},
           Case{"limits:\n  - tenant: a\n    emulated: true\n    period: day\n    bytes: {hard: 1}\n", "b.yaml:5:12",
                "name the backend"},
           Case{"limits:\n  - tenant: a\n    emulated: true\n    period: day\n    jobs: {hard: 1}\n", "b.yaml:5:11",
                "name the backend"},
           Case{"limits:\n  - tenant: a\n    period: day\n    jobs: {hard: 1}\n  - tenant: a\n    period: day\n    "
                "shots: {hard: 1}\n",
                "b.yaml:5:5", "join the two"},
           Case{"limit: []\n", "b.yaml:1:", "limits"},
       }) {
    const auto parsed = Limits::parse(one.text, "b.yaml");
    ASSERT_FALSE(parsed.has_value()) << one.text;
    EXPECT_THAT(parsed.error().place, HasSubstr(one.place)) << one.text << parsed.error().to_string();
    EXPECT_THAT(parsed.error().message, HasSubstr(one.what)) << one.text;
  }
}

TEST(Limits, what_a_backend_never_reaches_is_refused_with_its_line_and_column) {
  const Limits limits = Limits::parse(kFile, "budget.yaml").value();
  EXPECT_THAT(limits.check_backend({.id = "qpu.one", .counts_qpu_time = true}), Succeeds());
  EXPECT_THAT(limits.check_backend({.id = "lab.device", .is_emulated = true}), Succeeds());
  EXPECT_THAT(limits.check_backend({.id = "of.no.entry", .is_local = true}), Succeeds());
  const auto refused = [&](const Result<void>& checked, const char* place, const char* why) {
    ASSERT_THAT(checked, FailsWith(errors::kBadSetting));
    EXPECT_EQ(checked.error().place, place);
    EXPECT_THAT(checked.error().message, HasSubstr(why));
  };
  refused(limits.check_backend({.id = "qpu.one"}), "budget.yaml:11:5", "do not say how long the device worked");
  refused(limits.check_backend({.id = "qpu.one", .is_emulated = true, .counts_qpu_time = true}), "budget.yaml:11:5",
          "write emulated: true");
  refused(limits.check_backend({.id = "lab.device", .counts_qpu_time = true}), "budget.yaml:15:5", "bills real money");
  refused(limits.check_backend({.id = "qpu.one", .is_local = true, .counts_qpu_time = true}), "budget.yaml:11:5",
          "runs here");
}

}  // namespace
}  // namespace tandem::budget
