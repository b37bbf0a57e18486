// Walks over a list of work, against a list that grows and that nobody can see at once.
#include "tandem/middleware/remote/sightings.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <random>

namespace tandem::remote {
namespace {

using backend::LostWork;
using backend::Reconciled;
using Kind = backend::Reconciled::Kind;

/// A provider's list of jobs, each sent a second after the one before, and who walks over it; a page shows two.
class SightingsTest : public testing::Test {
 protected:
  static constexpr std::size_t kOfPage = 2;

  /// One more job on top.
  void sent(std::string token = "") { jobs_.push_back(std::move(token)); }
  void sent_by_others(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) sent();
  }
  static Timestamp sent_at(std::size_t job) { return {static_cast<std::int64_t>(job) * 1'000'000}; }
  static LostWork lost(std::string_view token, std::size_t job) {
    return {.token = token, .sent_at = {sent_at(job).micros - 1}};
  }
  /// Looks for work that was sent as job number `job` with time for so many pages; empty: they did not suffice.
  std::optional<Reconciled> look(const LostWork& lost, Instant fresh_since, std::size_t pages = 1'000) {
    while (true) {
      auto known = seen_.look(lost, fresh_since, {now_, {now_.nanos / 1000 + wall_ahead_.count()}});
      if (const auto* answer = std::get_if<Reconciled>(&known)) return *answer;
      if (pages-- == 0) {
        seen_.cut_off(lost);
        return std::nullopt;
      }
      now_ = now_ + std::chrono::milliseconds(1);
      ++pages_;
      seen_.add(page(std::get<Sightings::Wanted>(known).page));
    }
  }
  /// As one that asks now.
  std::optional<Reconciled> look(const LostWork& lost, std::size_t pages = 1'000) { return look(lost, now_, pages); }
  void forget_all() { seen_ = {}; }
  void passes(std::chrono::nanoseconds time) { now_ = now_ + time; }

  std::vector<std::string> jobs_;  ///< tokens, oldest first
  Sightings seen_;
  Instant now_{1'000};
  std::chrono::microseconds wall_ahead_{0};
  std::size_t pages_ = 0;

 private:
  /// A page is named after the job below which it begins.
  LookupPage page(const std::string& name) const {
    LookupPage out;
    std::size_t below = name.empty() ? jobs_.size() : std::stoul(name);
    for (std::size_t i = 0; i < kOfPage && below > 0; ++i) {
      --below;
      out.work.push_back({.handle = fmt::format("job-{}", below), .token = jobs_[below]});
    }
    if (!out.work.empty()) out.back_to = sent_at(below + out.work.size() - 1);
    if (below > 0) out.next = std::to_string(below);
    return out;
  }
};

TEST_F(SightingsTest, one_walk_answers_for_all_who_ask_after_it_began) {
  for (int i = 0; i < 20; ++i) sent(fmt::format("t{}", i));
  const Instant since = now_;
  for (std::size_t i = 20; i-- > 0;) {
    const std::string token = fmt::format("t{}", i);
    const auto found = look(lost(token, i), since);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, Kind::kFound);
    EXPECT_EQ(found->handle, fmt::format("job-{}", i));
  }
  EXPECT_EQ(pages_, 10u);
}

TEST_F(SightingsTest, not_found_is_said_no_earlier_than_all_was_seen_on_which_it_may_stand) {
  sent_by_others(20);
  const auto young = look(lost("young", 17));
  ASSERT_TRUE(young);
  EXPECT_EQ(young->kind, Kind::kNotFound);
  EXPECT_EQ(pages_, 3u);  // jobs 19 to 14: all of the last page are older
  const Instant since{young->seen_since.value()};
  const auto old = look(lost("old", 5), since);
  EXPECT_EQ(old->kind, Kind::kNotFound);
  EXPECT_EQ(old->seen_since, since);
  EXPECT_EQ(pages_, 9u);  // it went on where the other one stopped
  EXPECT_EQ(look(lost("oldest", 0), since)->kind, Kind::kNotFound);
  EXPECT_EQ(pages_, 10u);
}

TEST_F(SightingsTest, who_asks_later_sees_all_anew) {
  sent_by_others(20);
  const auto first = look(lost("late", 10));
  ASSERT_EQ(first->kind, Kind::kNotFound);
  jobs_[12] = "late";  // shown late, far down
  passes(std::chrono::seconds(1));
  EXPECT_EQ(look(lost("late", 10), first->seen_since.value())->kind, Kind::kNotFound);
  const auto again = look(lost("late", 10));
  EXPECT_EQ(again->kind, Kind::kFound);
  EXPECT_EQ(again->handle, "job-12");
}

TEST_F(SightingsTest, what_is_left_of_a_list_is_seen_by_later_calls_below_what_came_on_top) {
  sent("ours");
  sent_by_others(200);
  const LostWork ours = lost("ours", 0);
  ASSERT_FALSE(look(ours, 3));
  std::size_t calls = 1;
  std::optional<Reconciled> found;
  for (; !found && calls < 1'000; ++calls) {
    sent_by_others(2);
    passes(std::chrono::seconds(1));
    found = look(ours, 3);
  }
  ASSERT_TRUE(found);
  EXPECT_EQ(found->handle, "job-0");
  EXPECT_LE(calls, 201u / 2);  // of three pages a call one or two are new on top
}

TEST_F(SightingsTest, more_on_top_than_a_call_sees_is_seen_by_the_next_ones) {
  sent("ours");
  sent_by_others(40);
  const LostWork ours = lost("ours", 0);
  ASSERT_FALSE(look(ours, 15));  // down to job 11
  sent("between");
  sent_by_others(30);
  const LostWork between = lost("between", 41);
  passes(std::chrono::seconds(1));
  ASSERT_FALSE(look(between, 5));  // down to job 62
  passes(std::chrono::seconds(1));
  EXPECT_EQ(look(between, 12)->handle, "job-41");
  passes(std::chrono::seconds(1));
  EXPECT_EQ(look(ours, 8)->handle, "job-0") << "below what the first one saw";
}

TEST_F(SightingsTest, who_needs_less_sees_all_anew_and_keeps_nobody_from_getting_on) {
  sent_by_others(100);
  const LostWork shallow = lost("shallow", 91), deep = lost("deep", 1);
  std::size_t rounds = 0;
  std::optional<Reconciled> answer;
  for (; !answer && rounds < 100; ++rounds) {
    passes(std::chrono::seconds(1));
    const Instant since = now_;
    const auto young = look(shallow, since, 10);
    ASSERT_TRUE(young);
    EXPECT_EQ(young->seen_since, since);
    answer = look(deep, since, 5);
  }
  EXPECT_LT(rounds, 15u);
  EXPECT_EQ(answer->kind, Kind::kNotFound);
  EXPECT_LT(answer->seen_since.value(), now_ + -std::chrono::seconds(5)) << "it was begun in the first round";
}

TEST_F(SightingsTest, two_who_need_more_than_a_call_sees_get_on_each_with_its_own) {
  sent_by_others(200);
  const LostWork half = lost("half", 100), deep = lost("deep", 1);
  while (!look(deep, now_, 8)) passes(std::chrono::seconds(1));  // begun long ago, to the end
  ASSERT_FALSE(look(deep, now_, 8));
  passes(std::chrono::hours(1));
  const Instant asked = now_;
  std::optional<Reconciled> of_half, of_deep;
  for (std::size_t rounds = 0; rounds < 30 && !(of_half && of_deep); ++rounds) {
    if (!of_half) of_half = look(half, now_, 8);
    if (!of_deep) of_deep = look(deep, now_, 8);
    passes(std::chrono::seconds(1));
  }
  ASSERT_TRUE(of_half && of_deep);
  EXPECT_GE(of_half->seen_since.value(), asked) << "nothing of it is what the deeper one saw an hour ago";
  EXPECT_LT(of_deep->seen_since.value(), asked);
}

TEST_F(SightingsTest, who_comes_back_late_goes_on_where_it_was_cut_off) {
  sent("ours");
  sent_by_others(99);
  const LostWork ours = lost("ours", 0), shallow = lost("shallow", 97);
  std::size_t calls = 0;
  for (std::optional<Reconciled> found; !found; ++calls) {
    ASSERT_LT(calls, 20u);
    for (int i = 0; i < 60; ++i) {  // beside others, once a minute
      passes(std::chrono::seconds(10));
      ASSERT_TRUE(look(shallow));
    }
    found = look(ours, 6);
  }
  EXPECT_GT(calls, 5u);
}

TEST_F(SightingsTest, what_was_seen_before_the_machine_slept_is_as_old_as_it_is) {
  sent_by_others(100);
  const LostWork deep = lost("deep", 1);
  ASSERT_FALSE(look(deep, 10));
  const Instant before = now_;
  wall_ahead_ = std::chrono::minutes(10);  // the other clock stood still
  const auto answer = look(deep);
  ASSERT_TRUE(answer);
  EXPECT_LE(answer->seen_since.value(), before + -std::chrono::minutes(10));
  forget_all();
  ASSERT_FALSE(look(deep, 10));
  const Instant again = now_;
  wall_ahead_ = -std::chrono::minutes(10);  // it was set
  EXPECT_LE(look(deep)->seen_since.value(), again);
}

TEST_F(SightingsTest, a_page_that_is_none_costs_the_walk_that_wanted_it) {
  sent("ours");
  sent_by_others(99);
  const LostWork ours = lost("ours", 0);
  ASSERT_FALSE(look(ours, 40));
  passes(std::chrono::seconds(1));
  ASSERT_FALSE(look(ours, 1));  // on top; then below what was seen
  seen_.give_up();
  pages_ = 0;
  EXPECT_EQ(look(ours)->handle, "job-0");
  EXPECT_EQ(pages_, 50u) << "all was seen anew";
}

TEST_F(SightingsTest, of_more_that_are_cut_off_than_are_kept_the_list_is_seen_to_its_end) {
  sent("ours");
  for (std::size_t i = 0; i < 3 * Sightings::kWalksMax; ++i) {
    sent_by_others(20);
    passes(std::chrono::seconds(1));
    ASSERT_FALSE(look(lost("ours", 0), 2));  // more comes on top than it sees
  }
  EXPECT_EQ(look(lost("ours", 0))->handle, "job-0");
}

/// Whatever happens: what stands there is found once all was seen, nothing else is, and not found rests on what was seen since it says.
TEST_F(SightingsTest, random_askers_of_a_growing_list_hear_the_truth) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 rng(seed);
    const auto below = [&](std::size_t end) { return static_cast<std::size_t>(rng() % end); };
    seen_ = {};
    jobs_.clear();
    std::vector<Instant> shown_at;  // of each job: its token
    std::size_t answers = 0;
    for (int step = 0; step < 400; ++step) {
      passes(std::chrono::milliseconds(below(3'000)));
      if (below(3) != 0) {
        for (std::size_t count = below(6); count > 0; --count) {
          sent(fmt::format("t{}", jobs_.size()));
          shown_at.push_back(now_);
          if (below(4) != 0) continue;
          jobs_.back() = "";  // shown later, or never
          shown_at.back() = Instant{INT64_MAX};
        }
        if (jobs_.empty()) continue;
        const std::size_t late = below(jobs_.size());
        if (jobs_[late].empty() && below(2) == 0) {
          jobs_[late] = fmt::format("t{}", late);
          shown_at[late] = now_;
        }
      }
      if (jobs_.empty()) continue;
      const std::size_t job = jobs_.size() - 1 - below(std::min<std::size_t>(jobs_.size(), 60));
      const std::string token = fmt::format("t{}", job);
      const Instant since = now_ + -std::chrono::milliseconds(below(2'000));
      const auto answer = look(lost(token, job), since, below(20));
      if (!answer) continue;
      ++answers;
      if (answer->kind == Kind::kFound) {
        ASSERT_EQ(answer->handle, fmt::format("job-{}", job)) << "seed " << seed;
        ASSERT_EQ(jobs_[job], token) << "seed " << seed;
      } else {
        ASSERT_GT(shown_at[job], answer->seen_since.value()) << "seed " << seed << " step " << step;
      }
    }
    ASSERT_GT(answers, 50u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tandem::remote
