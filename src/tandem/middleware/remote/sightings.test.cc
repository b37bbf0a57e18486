// Walks over a list of work, against a list that grows and that nobody can see at once.
#include "tandem/middleware/remote/sightings.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <optional>
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
  Sightings::Moment moment() const { return {now_, {now_.nanos / 1000 + wall_ahead_.count()}}; }
  /// With time for so many pages; empty: they did not suffice.
  std::optional<Reconciled> look(const LostWork& lost, Instant fresh_since, std::size_t pages = 1'000) {
    Sightings::Call call = all_->call(lost, fresh_since, moment());
    while (true) {
      if (auto answer = turn_page(call, pages)) return answer;
      if (pages-- == 0) {
        call.cut_off(moment());
        return std::nullopt;
      }
    }
  }
  /// An answer, or else one page more, if there is time for any.
  std::optional<Reconciled> turn_page(Sightings::Call& call, std::size_t pages = 1) {
    auto known = call.known(moment());
    if (const auto* answer = std::get_if<Reconciled>(&known)) return *answer;
    if (pages == 0) return std::nullopt;
    passes(std::chrono::milliseconds(1));
    ++pages_;
    const auto& name = std::get<std::string>(known);
    call.add(name, page(name), moment());
    return std::nullopt;
  }
  /// As one that asks now.
  std::optional<Reconciled> look(const LostWork& lost, std::size_t pages = 1'000) { return look(lost, now_, pages); }
  void passes(std::chrono::nanoseconds time) { now_ = now_ + time; }

  std::vector<std::string> jobs_;  ///< tokens, oldest first
  std::optional<Sightings> all_{std::in_place};
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

TEST_F(SightingsTest, what_is_left_of_a_list_is_seen_by_later_calls) {
  sent("ours");
  sent_by_others(200);
  const LostWork ours = lost("ours", 0);
  ASSERT_FALSE(look(ours, 3));
  std::size_t calls = 1;
  std::optional<Reconciled> found;
  for (; !found && calls < 1'000; ++calls) {
    sent_by_others(20);  // more than a call sees
    passes(std::chrono::seconds(1));
    found = look(ours, 3);
  }
  ASSERT_TRUE(found);
  EXPECT_EQ(found->handle, "job-0");
  EXPECT_EQ(calls, 34u);
  EXPECT_EQ(pages_, 101u);
}

TEST_F(SightingsTest, what_comes_while_the_list_is_seen_is_found_by_the_next_walk) {
  sent_by_others(40);
  const LostWork old = lost("never", 1);
  ASSERT_FALSE(look(old, 5));
  sent("late");
  sent_by_others(30);
  const LostWork late = lost("late", 40);
  std::optional<Reconciled> found;
  std::size_t rounds = 0;
  for (; rounds < 100 && !(found && found->kind == Kind::kFound); ++rounds) {
    passes(std::chrono::seconds(1));
    (void)look(old, 5);
    found = look(late, 5);
  }
  EXPECT_EQ(found->handle, "job-40");
  EXPECT_LT(rounds, 12u);
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

TEST_F(SightingsTest, who_joins_a_walk_that_began_before_is_answered_by_it_and_then_by_one_of_its_own_time) {
  sent_by_others(200);
  const LostWork half = lost("half", 100), deep = lost("deep", 1);
  for (int i = 0; i < 3; ++i) ASSERT_FALSE(look(deep, 8));
  passes(std::chrono::minutes(1));
  const Instant asked = now_;
  std::optional<Reconciled> first, last;
  std::size_t rounds = 0;
  for (; rounds < 100 && !(last && last->seen_since >= asked); ++rounds) {
    passes(std::chrono::seconds(1));
    last = look(half, 8);
    if (!first) first = last;
    (void)look(deep, 8);
  }
  EXPECT_LT(first->seen_since.value(), asked);
  EXPECT_LT(rounds, 20u);
}

TEST_F(SightingsTest, who_comes_back_late_goes_on_where_it_was_cut_off) {
  sent("ours");
  sent_by_others(99);
  const LostWork ours = lost("ours", 0), shallow = lost("shallow", 97);
  std::size_t calls = 0;
  for (std::optional<Reconciled> found; !found; ++calls) {
    ASSERT_LT(calls, 20u);
    for (int i = 0; i < 150; ++i) {  // beside others, every 25 minutes
      passes(std::chrono::seconds(10));
      ASSERT_TRUE(look(shallow));
    }
    found = look(ours, 6);
  }
  EXPECT_GT(calls, 5u);
}

TEST_F(SightingsTest, those_who_come_back_late_because_they_are_many_come_to_their_end) {
  sent_by_others(400);
  std::vector<std::string> open;
  for (int i = 0; i < 130; ++i) open.push_back(fmt::format("t{}", i));
  std::size_t rounds = 0;
  for (; !open.empty(); ++rounds) {
    ASSERT_LT(rounds, 10u);
    std::erase_if(open, [&](const std::string& token) {
      passes(std::chrono::seconds(5));  // eleven minutes a round
      return look(lost(token, 1), 2).has_value();
    });
  }
  EXPECT_GT(rounds, 1u);
}

TEST_F(SightingsTest, who_does_not_come_back_keeps_nobody_waiting) {
  sent_by_others(200);
  const LostWork gone = lost("gone", 1), half = lost("half", 100);
  for (int i = 0; i < 10; ++i) ASSERT_FALSE(look(gone, 8));
  passes(Sightings::kPatience);
  const Instant asked = now_;
  std::optional<Reconciled> answer;
  for (std::size_t calls = 0; calls < 20 && !(answer && answer->seen_since >= asked); ++calls) {
    passes(std::chrono::seconds(1));
    answer = look(half, 8);
  }
  EXPECT_GE(answer->seen_since.value(), asked);
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
  all_.emplace();
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
  all_->call(ours, now_, moment()).give_up();
  pages_ = 0;
  EXPECT_EQ(look(ours)->handle, "job-0");
  EXPECT_EQ(pages_, 50u) << "all was seen anew";
}

TEST_F(SightingsTest, a_page_that_another_one_was_faster_with_changes_nothing) {
  sent_by_others(99);
  const LostWork none = lost("none", 1);
  Sightings::Call slow = all_->call(none, now_, moment());
  const std::string name = std::get<std::string>(slow.known(moment()));
  ASSERT_FALSE(look(none, Instant{}, 10));
  slow.add(name, {.work = {{.handle = "x", .token = "none"}}}, moment());
  EXPECT_EQ(look(none, Instant{})->kind, Kind::kNotFound);
}

TEST_F(SightingsTest, a_call_goes_on_with_its_walk_whoever_begins_another_one_meanwhile) {
  sent_by_others(19);
  const LostWork deep = lost("deep", 1), shallow = lost("shallow", 18);
  Sightings::Call call = all_->call(deep, now_, moment());
  std::optional<Reconciled> answer;
  std::size_t pages = 0;
  for (; !answer && pages < 100; ++pages) {
    answer = turn_page(call);
    passes(std::chrono::milliseconds(50));
    ASSERT_TRUE(look(shallow));  // begins a fresh one
  }
  EXPECT_EQ(pages, 11u);  // and the look behind the last page
}

TEST_F(SightingsTest, one_that_was_cut_off_once_looks_at_the_newest_again_whatever_others_need) {
  sent_by_others(2'000);
  const LostWork deep = lost("deep", 1), late = lost("late", 1'999);
  for (int i = 0; i < 5; ++i) ASSERT_FALSE(look(deep, 8));
  ASSERT_FALSE(look(late, 1));
  jobs_.back() = "late";
  std::size_t calls = 0;
  for (std::optional<Reconciled> found; calls < 100 && !(found && found->kind == Kind::kFound); ++calls) {
    passes(std::chrono::seconds(1));
    (void)look(deep, 8);
    found = look(late, 8);
  }
  EXPECT_LE(calls, 3u);
}

TEST_F(SightingsTest, a_page_that_nobody_gets_is_given_up_in_time) {
  sent_by_others(200);
  const LostWork deep = lost("deep", 1);
  ASSERT_FALSE(look(deep, 30));
  for (int i = 0; i < 31; ++i) {
    passes(std::chrono::minutes(1));
    ASSERT_FALSE(look(deep, 0));
  }
  passes(std::chrono::seconds(1));
  const Instant since = now_;
  EXPECT_EQ(look(deep, since)->seen_since, since);
}

/// Some whose work stands there and some whose does not, who ask in turn with little time each: all are answered, and by what is new.
TEST_F(SightingsTest, however_many_ask_with_little_time_all_are_answered_in_about_the_time_of_two_walks) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 rng(seed);
    const auto below = [&](std::size_t end) { return static_cast<std::size_t>(rng() % end); };
    all_.emplace();
    jobs_.clear();
    const std::size_t jobs = 20 + below(800), budget = 1 + below(20), askers = 1 + below(24);
    sent_by_others(jobs);
    struct Asker {
      std::string token;
      std::size_t job;
      std::size_t budget;
      bool answered = false;
    };
    std::vector<Asker> all;
    for (std::size_t i = 0; i < askers; ++i) {
      Asker one{.token = fmt::format("t{}", i), .job = below(jobs), .budget = budget + below(3)};
      if (below(2) == 0 && jobs_[one.job].empty()) jobs_[one.job] = one.token;
      all.push_back(one);
    }
    const Instant begin = now_;
    const bool as_one = below(2) == 0;
    const std::size_t rounds_max = 4 * (jobs / kOfPage / budget + 2);
    std::size_t rounds = 0;
    for (bool open = true; open; ++rounds) {
      ASSERT_LT(rounds, rounds_max) << "seed " << seed;
      passes(std::chrono::seconds(1));
      open = false;
      const Instant since = now_;
      for (Asker& one : all) {
        const auto answer = look(lost(one.token, one.job), as_one ? since : now_, one.budget);
        const bool there = jobs_[one.job] == one.token;
        if (answer) {
          ASSERT_EQ(answer->kind, there ? Kind::kFound : Kind::kNotFound) << "seed " << seed;
        }
        one.answered = one.answered || (answer && (there || answer->seen_since >= begin + std::chrono::seconds(3)));
        open = open || !one.answered;  // and goes on asking, as for what is held
      }
    }
  }
}

/// Whatever happens: what stands there is found once all was seen, nothing else is, and not found rests on what was seen since it says.
TEST_F(SightingsTest, random_askers_of_a_growing_list_hear_the_truth) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 rng(seed);
    const auto below = [&](std::size_t end) { return static_cast<std::size_t>(rng() % end); };
    all_.emplace();
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
