#include "tandem/orchestrate/schedule/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tandem/base/testing/seeded_rng.h"

namespace tandem::schedule {
namespace {

Ticket ticket(const std::string& job, const std::string& tenant, std::int64_t rank = 0, const std::string& project = "",
              const std::string& key = "") {
  return {.job = job, .tenant = tenant, .project = project, .rank = rank, .serial_key = key};
}

std::vector<std::string> drain(FairQueue& queue, double cost = 1) {
  std::vector<std::string> out;
  while (auto next = queue.pop(cost)) out.push_back(next->job);
  return out;
}

TEST(FairQueue, within_a_project_the_smaller_rank_is_first_and_ties_go_by_id) {
  FairQueue queue;
  for (const auto& [job, rank] : {std::pair("c", 5), {"a", 7}, {"b", 5}, {"d", 1}}) queue.push(ticket(job, "t", rank));
  EXPECT_THAT(drain(queue), testing::ElementsAre("d", "b", "c", "a"));
  EXPECT_FALSE(queue.ready());
}

TEST(FairQueue, a_job_waits_once) {
  FairQueue queue;
  EXPECT_TRUE(queue.push(ticket("a", "t")));
  EXPECT_FALSE(queue.push(ticket("a", "t", 9)));
  EXPECT_EQ(queue.size(), 1u);
  EXPECT_TRUE(queue.erase("a"));
  EXPECT_FALSE(queue.erase("a"));
  EXPECT_EQ(queue.pop(1), std::nullopt);
}

TEST(FairQueue, a_ticket_comes_out_as_it_went_in) {
  FairQueue queue;
  const Ticket one = ticket("a", "t", -3, "p", "k");
  queue.push(one);
  EXPECT_EQ(queue.pop(1), one);
}

TEST(FairQueue, tenants_share_by_weight_however_many_jobs_each_has_and_whatever_they_cost) {
  FairQueue queue({{"heavy", 3.0}, {"light", 1.0}});
  SeededRng rng(5);
  std::map<std::string, double> served;
  int made = 0;
  for (int i = 0; i < 3000; ++i) queue.push(ticket(std::to_string(made++), "heavy", i));
  for (int i = 0; i < 3000; ++i) queue.push(ticket(std::to_string(made++), "light", i));
  for (int i = 0; i < 2000; ++i) {
    const auto next = queue.pop(1);
    ASSERT_TRUE(next);
    const double cost = 0.5 + static_cast<double>(rng.next_u64() % 1000) / 1000;  // pop() guessed 1
    queue.charge(*next, cost - 1);
    served[next->tenant] += cost;
  }
  EXPECT_NEAR(served["heavy"] / served["light"], 3.0, 0.05);
}

TEST(FairQueue, projects_share_what_their_tenant_gets) {
  FairQueue queue({{"a/x", 2.0}});
  int made = 0;
  for (int i = 0; i < 400; ++i)
    for (const auto& [tenant, project] : {std::pair("a", "x"), {"a", "y"}, {"b", "z"}})
      queue.push(ticket(std::to_string(made++), tenant, i, project));
  std::map<std::string, int> served;
  for (int i = 0; i < 600; ++i) ++served[queue.pop(1)->project];
  EXPECT_NEAR(served["z"], 300, 3);
  EXPECT_NEAR(served["x"], 200, 3);
  EXPECT_NEAR(served["y"], 100, 3);
}

TEST(FairQueue, who_was_idle_saves_nothing_up) {
  FairQueue queue;
  for (int i = 0; i < 200; ++i) queue.push(ticket(fmt::format("a{:03}", i), "a", i));
  for (int i = 0; i < 100; ++i) queue.pop(1);
  for (int i = 0; i < 100; ++i) queue.push(ticket(fmt::format("b{:03}", i), "b", i));
  int first = 0;
  for (int i = 0; i < 20; ++i) first += queue.pop(1)->tenant == "b" ? 1 : 0;
  EXPECT_NEAR(first, 10, 1);
}

TEST(FairQueue, of_a_serial_key_one_is_out_at_a_time_over_all_projects_of_a_tenant) {
  FairQueue queue;
  queue.push(ticket("b", "t", 2, "p", "k"));
  queue.push(ticket("a", "t", 1, "q", "k"));
  queue.push(ticket("c", "t", 3));
  queue.push(ticket("other", "u", 9, "", "k"));
  std::vector<std::string> out = drain(queue);
  std::sort(out.begin(), out.end());
  EXPECT_THAT(out, testing::ElementsAre("a", "c", "other"));
  queue.push(ticket("0", "t", 0, "p", "k"));
  EXPECT_FALSE(queue.ready());
  EXPECT_EQ(queue.size(), 2u);
  queue.release(ticket("a", "t", 1, "q", "k"));
  EXPECT_EQ(queue.pop(1)->job, "0");
  EXPECT_TRUE(queue.erase("b"));
  queue.release(ticket("0", "t", 0, "p", "k"));
  EXPECT_FALSE(queue.ready());
}

TEST(FairQueue, the_next_of_a_serial_key_steps_in_when_the_first_is_erased) {
  FairQueue queue;
  queue.push(ticket("a", "t", 1, "p", "k"));
  queue.push(ticket("b", "t", 2, "q", "k"));
  queue.erase("a");
  EXPECT_EQ(queue.pop(1)->job, "b");
}

TEST(FairQueue, an_urgent_job_overtakes_every_tenant_but_not_its_serial_key) {
  FairQueue queue;
  queue.push(ticket("a", "t", 1, "", "k"));
  queue.push(ticket("b", "t", 2, "", "k"));
  queue.push(ticket("z", "u", 9));
  queue.hurry("z");
  EXPECT_EQ(queue.pop(1)->job, "z");
  queue.hurry("b");
  EXPECT_EQ(queue.pop(1)->job, "a");
  EXPECT_EQ(queue.pop(1), std::nullopt);
}

TEST(FairQueue, agrees_with_a_plain_list_over_random_calls) {
  // The oracle knows one tenant: a list that is searched for the smallest (rank, job) whose key is free.
  SeededRng rng(11);
  FairQueue queue;
  std::vector<Ticket> list;
  std::set<std::string> taken;
  std::vector<Ticket> out;
  const auto before = [](const Ticket& a, const Ticket& b) {
    return std::tie(a.rank, a.job) < std::tie(b.rank, b.job);
  };
  for (int i = 0; i < 20'000; ++i) {
    switch (rng.next_u64() % 4) {
      case 0: {
        const std::string key = rng.next_u64() % 2 == 0 ? "" : std::to_string(rng.next_u64() % 3);
        const Ticket one =
            ticket(std::to_string(rng.next_u64() % 60), "t", static_cast<std::int64_t>(rng.next_u64() % 10), "", key);
        const bool is_new = std::none_of(list.begin(), list.end(), [&](const Ticket& t) { return t.job == one.job; });
        EXPECT_EQ(queue.push(one), is_new);
        if (is_new) list.push_back(one);
        break;
      }
      case 1: {
        std::vector<Ticket> free;
        for (const Ticket& one : list)
          if (one.serial_key.empty() || !taken.contains(one.serial_key)) free.push_back(one);
        const auto next = queue.pop(1);
        ASSERT_EQ(next.has_value(), !free.empty());
        if (!next) break;
        ASSERT_EQ(*next, *std::min_element(free.begin(), free.end(), before));
        list.erase(std::find(list.begin(), list.end(), *next));
        if (!next->serial_key.empty()) taken.insert(next->serial_key);
        out.push_back(*next);
        break;
      }
      case 2: {
        if (out.empty()) break;
        const std::size_t at = rng.next_u64() % out.size();
        queue.release(out[at]);
        taken.erase(out[at].serial_key);
        out.erase(out.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      }
      default: {
        const std::string job = std::to_string(rng.next_u64() % 60);
        const auto found = std::find_if(list.begin(), list.end(), [&](const Ticket& t) { return t.job == job; });
        EXPECT_EQ(queue.erase(job), found != list.end());
        if (found != list.end()) list.erase(found);
      }
    }
    ASSERT_EQ(queue.size(), list.size());
  }
}

TEST(Rank, waiting_makes_up_for_priority_at_one_step_a_minute) {
  const std::int64_t early = rank_of(0, 0, std::nullopt);
  EXPECT_LT(rank_of(59'000, 1, std::nullopt), early);
  EXPECT_GT(rank_of(61'000, 1, std::nullopt), early);
  EXPECT_GT(rank_of(0, -1, std::nullopt), early);
}

TEST(Rank, a_deadline_pulls_forward_but_not_before_the_admission) {
  EXPECT_EQ(rank_of(1'000, -5, 20'000), 20'000);
  EXPECT_EQ(rank_of(1'000, -5, 500), 1'000);
  EXPECT_EQ(rank_of(1'000, 3, 20'000), 1'000 - 3 * kAgingMs);
}

}  // namespace
}  // namespace tandem::schedule
