#include "tandem/api/http/event_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "tandem/api/http/testing/log_engine.h"
#include "tandem/base/testing/manual_executor.h"
#include "tandem/base/text.h"

namespace tandem::http {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint64_t kStreamBytesMax = server::ServerOptions{}.stream_bytes_max;

/// What a stream was given, and what became of it. Its client takes everything at once, unless it stalls.
struct Heard {
  Bytes text;
  std::vector<server::SharedBytes> pieces;
  std::uint64_t unsent = 0;
  bool stalled = false;
  bool closed = false;  ///< by the feed
  bool ended = false;  ///< the response is over
  bool too_slow = false;
  bool released = false;  ///< the feed keeps nothing of it
  std::vector<Task> at_end;
  std::vector<Task> when_drained;

  std::vector<std::uint64_t> ids() const {
    std::vector<std::uint64_t> out;
    for (const std::string_view line : split(text, '\n'))
      if (line.starts_with("id: ")) out.push_back(static_cast<std::uint64_t>(*parse_int64(line.substr(4))));
    return out;
  }
  /// The client has taken all; a response that was closed is over then.
  void drain() {
    stalled = false;
    unsent = 0;
    if (closed) return end();
    for (const Task& task : std::exchange(when_drained, {})) task();
  }
  /// The client goes, or has all.
  void end() {
    if (std::exchange(ended, true)) return;
    for (const Task& task : std::exchange(when_drained, {})) task();
    for (const Task& task : std::exchange(at_end, {})) task();
  }
};

/// As the server's: tasks run on the executor, or at once when the response is over.
class FakeStream final : public server::Stream {
 public:
  FakeStream(std::shared_ptr<Heard> heard, Executor& executor) : heard_(std::move(heard)), executor_(executor) {}
  ~FakeStream() override {
    close();
    heard_->released = true;
  }

  bool write(std::string_view bytes) override {
    if (heard_->closed || heard_->ended) return false;
    if (heard_->unsent + bytes.size() > kStreamBytesMax) {
      heard_->closed = heard_->too_slow = true;
      return false;
    }
    heard_->text += bytes;
    if (heard_->stalled) heard_->unsent += bytes.size();
    return true;
  }
  bool write(server::SharedBytes bytes, server::Handover&) override {
    if (!write(*bytes)) return false;
    heard_->pieces.push_back(std::move(bytes));
    return true;
  }
  bool write_last(server::SharedBytes bytes, server::Handover& handover) override {
    const bool taken = write(std::move(bytes), handover);
    close();
    return taken;
  }
  std::uint64_t unsent() const override { return heard_->ended ? 0 : heard_->unsent; }
  void on_drained(Task task) override { keep(heard_->when_drained, std::move(task)); }
  void close() override {
    if (std::exchange(heard_->closed, true) || heard_->ended || heard_->stalled) return;
    executor_.post([heard = heard_] { heard->end(); });
  }
  void on_close(Task task) override { keep(heard_->at_end, std::move(task)); }

 private:
  void keep(std::vector<Task>& tasks, Task task) {
    if (heard_->ended) return task();
    tasks.push_back([this_executor = &executor_, task = std::move(task)] { this_executor->post(task); });
  }
  std::shared_ptr<Heard> heard_;
  Executor& executor_;
};

class EventFeedTest : public testing::Test {
 protected:
  ~EventFeedTest() override {
    for (const auto& heard : all_) heard->end();
    executor_.run_ready();
    EXPECT_EQ(engine_.listeners(), 0u) << "a feed without streams is gone";
    EXPECT_EQ(executor_.timers_waiting(), 0u);
  }
  std::shared_ptr<Heard> follow(const JobId& job, std::uint64_t after = 0) {
    auto heard = std::make_shared<Heard>();
    all_.push_back(heard);
    feeds_->follow(job, after, std::make_unique<FakeStream>(heard, executor_));
    return heard;
  }
  std::shared_ptr<Heard> follow_and_read(const JobId& job, std::uint64_t after = 0) {
    auto heard = follow(job, after);
    executor_.run_ready();
    return heard;
  }

  FakeClock clock_;
  ManualExecutor executor_{clock_};
  LogEngine engine_;
  std::shared_ptr<ServedEngine> served_ = std::make_shared<ServedEngine>(engine_);
  std::shared_ptr<EventFeeds> feeds_ = std::make_shared<EventFeeds>(served_, executor_);
  std::vector<std::shared_ptr<Heard>> all_;
  const JobId job_{"job_1"};
  const JobId other_{"job_2"};
};

TEST_F(EventFeedTest, streams_at_the_same_place_are_given_the_same_bytes_of_one_read) {
  engine_.append(job_);
  std::vector<std::shared_ptr<Heard>> streams;
  for (int i = 0; i < 50; ++i) streams.push_back(follow(job_));
  executor_.run_ready();
  EXPECT_EQ(engine_.reads(), 1u);
  EXPECT_EQ(engine_.listeners(), 1u);
  engine_.append(job_);
  executor_.run_ready();
  EXPECT_EQ(engine_.reads(), 2u);
  for (const auto& heard : streams) {
    EXPECT_THAT(heard->ids(), ElementsAre(1, 2));
    EXPECT_EQ(heard->pieces, streams.front()->pieces);
  }
}

TEST_F(EventFeedTest, other_jobs_do_not_wake_a_feed) {
  engine_.append(job_);
  const auto heard = follow_and_read(job_);
  engine_.append(other_);
  EXPECT_EQ(executor_.tasks_waiting(), 0u);
  engine_.append(job_);
  EXPECT_EQ(executor_.tasks_waiting(), 1u);
  engine_.append(job_);
  EXPECT_EQ(executor_.tasks_waiting(), 1u) << "one task at a time";
  executor_.run_ready();
  EXPECT_THAT(heard->ids(), ElementsAre(1, 3, 4));
}

TEST_F(EventFeedTest, a_stream_starts_after_any_number_also_one_that_the_log_has_not_reached) {
  for (const JobId& job : {job_, other_, job_}) engine_.append(job);  // 1, 3
  const std::vector<std::shared_ptr<Heard>> after = {follow(job_, 0), follow(job_, 1), follow(job_, 2),
                                                     follow(job_, 3), follow(job_, 4), follow(job_, 9)};
  executor_.run_ready();
  engine_.append(job_);  // 4
  engine_.append(job_);  // 5
  executor_.run_ready();
  engine_.end(job_);  // 6
  executor_.run_ready();
  EXPECT_THAT(after[0]->ids(), ElementsAre(1, 3, 4, 5, 6));
  EXPECT_THAT(after[1]->ids(), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(after[2]->ids(), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(after[3]->ids(), ElementsAre(4, 5, 6));
  EXPECT_THAT(after[4]->ids(), ElementsAre(5, 6));
  EXPECT_THAT(after[5]->ids(), IsEmpty());
  for (const auto& heard : after) EXPECT_TRUE(heard->closed);
}

TEST_F(EventFeedTest, a_stream_closes_with_what_its_log_has_when_the_job_has_ended) {
  engine_.append(job_);
  const auto early = follow_and_read(job_);
  EXPECT_FALSE(early->closed);
  engine_.end(job_);
  executor_.run_ready();
  EXPECT_TRUE(early->closed);
  engine_.append(job_);  // as an orphan that is found later
  const auto late = follow_and_read(job_, 1);
  EXPECT_THAT(late->ids(), ElementsAre(2, 3));
  EXPECT_TRUE(late->closed);
  EXPECT_THAT(early->ids(), ElementsAre(1, 2));
}

TEST_F(EventFeedTest, a_page_ends_with_the_event_that_reaches_its_limit) {
  engine_.append(job_, EventFeeds::kPageBytes - 1000);
  engine_.append(job_, EventFeeds::kPageBytes - 1000);
  engine_.append(job_);
  for (std::size_t i = 0; i < EventFeeds::kPageEvents; ++i) engine_.append(job_);
  const auto heard = follow_and_read(job_);
  ASSERT_THAT(heard->pieces, SizeIs(3));
  const auto events = [&](std::size_t piece) { return Heard{.text = *heard->pieces[piece]}.ids().size(); };
  EXPECT_EQ(events(0), 2u);
  EXPECT_EQ(events(1), EventFeeds::kPageEvents);
  EXPECT_EQ(events(2), 1u);
}

TEST_F(EventFeedTest, a_client_that_does_not_read_holds_up_nobody_and_goes_on_where_it_stands) {
  engine_.append(job_);
  const auto slow = follow_and_read(job_);
  const auto quick = follow_and_read(job_);
  slow->stalled = true;
  constexpr std::size_t kEvents = 600;  // more than a stream may hold
  std::uint64_t held = 0;
  for (std::size_t i = 1; i < kEvents; ++i) {
    engine_.append(job_, 1024);
    executor_.run_ready();
    held = std::max(held, slow->unsent);
  }
  EXPECT_THAT(quick->ids(), SizeIs(kEvents));
  EXPECT_LE(held, EventFeeds::kUnsentBytes + 2048);
  EXPECT_FALSE(slow->closed);
  const std::size_t reads = engine_.reads();
  EXPECT_EQ(executor_.tasks_waiting(), 0u);
  engine_.end(job_);
  executor_.run_ready();
  EXPECT_LE(engine_.reads(), reads + 1) << "nothing is read for one that takes nothing";
  while (!slow->closed) {
    slow->drain();
    slow->stalled = true;
    ASSERT_GT(executor_.run_ready(), 0u);
    held = std::max(held, slow->unsent);
  }
  EXPECT_LE(held, EventFeeds::kPageBytes + EventFeeds::kUnsentBytes + 2048);
  EXPECT_EQ(slow->ids(), quick->ids());
  EXPECT_THAT(slow->ids(), SizeIs(kEvents + 1));
}

TEST_F(EventFeedTest, those_at_the_end_of_the_log_are_given_an_event_before_a_long_log_was_read_for_others) {
  for (std::size_t i = 0; i < 10 * EventFeeds::kPageEvents; ++i) engine_.append(job_);
  const auto live = follow_and_read(job_, engine_.last());
  const auto replay = follow(job_);
  executor_.run_one();
  engine_.append(job_);
  executor_.run_one();
  EXPECT_THAT(live->ids(), ElementsAre(engine_.last()));
  EXPECT_LE(replay->ids().size(), 2 * EventFeeds::kPageEvents);
  executor_.run_ready();
  EXPECT_EQ(replay->ids(), engine_.sequences(job_, 0));
}

TEST_F(EventFeedTest, clients_that_keep_joining_do_not_hold_up_one_further_on) {
  for (std::size_t i = 0; i < 5 * EventFeeds::kPageEvents; ++i) engine_.append(job_);
  const auto middle = follow(job_, EventFeeds::kPageEvents);
  for (int i = 0; i < 20; ++i) {
    follow(job_);
    executor_.run_one();
  }
  EXPECT_EQ(middle->ids(), engine_.sequences(job_, EventFeeds::kPageEvents));
}

TEST_F(EventFeedTest, a_client_that_goes_is_forgotten_wherever_it_stands) {
  engine_.append(job_);
  const auto unread = follow(job_);
  unread->end();
  const auto at_end = follow_and_read(job_);
  at_end->end();
  const auto slow = follow(job_);
  slow->stalled = true;
  engine_.append(job_, EventFeeds::kUnsentBytes + 1);
  executor_.run_ready();
  slow->end();
  executor_.run_ready();
  EXPECT_EQ(engine_.listeners(), 0u);
  EXPECT_EQ(executor_.timers_waiting(), 0u);
  engine_.append(job_);
  const auto next = follow_and_read(job_, 2);
  EXPECT_THAT(next->ids(), ElementsAre(3));
}

TEST_F(EventFeedTest, nothing_is_kept_of_a_client_that_went_while_others_stay) {
  for (std::size_t i = 0; i < 3 * EventFeeds::kPageEvents; ++i) engine_.append(job_);
  const auto stays = follow_and_read(job_);
  const auto at_end = follow_and_read(job_, engine_.last());
  const auto behind = follow(job_);
  executor_.run_one();
  ASSERT_THAT(behind->ids(), SizeIs(EventFeeds::kPageEvents));
  behind->end();
  at_end->end();
  executor_.run_ready();
  EXPECT_TRUE(behind->released);
  EXPECT_TRUE(at_end->released);
  EXPECT_FALSE(stays->released);
}

TEST_F(EventFeedTest, a_log_that_cannot_be_read_ends_its_streams_and_another_one_goes_on) {
  engine_.append(job_);
  engine_.append(other_);
  const auto first = follow_and_read(job_);
  const auto second = follow_and_read(other_);
  engine_.fail_reads(make_error(errors::kStoreUnreachable, "planted"));
  engine_.append(job_);
  executor_.run_ready();
  EXPECT_TRUE(first->closed);
  EXPECT_FALSE(second->closed) << "nothing was read for it";
  engine_.fail_reads(std::nullopt);
  const auto again = follow_and_read(job_, first->ids().back());
  EXPECT_THAT(again->ids(), ElementsAre(3));
  EXPECT_FALSE(again->closed);
}

TEST_F(EventFeedTest, the_streams_of_a_job_that_is_removed_close) {
  engine_.append(job_);
  const auto heard = follow_and_read(job_);
  engine_.remove(job_);
  executor_.run_ready();
  EXPECT_TRUE(heard->closed);
  EXPECT_TRUE(follow_and_read(job_)->closed);
}

TEST_F(EventFeedTest, a_heartbeat_comes_to_those_who_have_taken_all_and_finds_what_nobody_told_of) {
  engine_.append(job_);
  const auto idle = follow_and_read(job_);
  const auto busy = follow_and_read(job_);
  idle->text.clear();
  busy->text.clear();
  busy->unsent = 1;
  executor_.advance(std::chrono::seconds(15));
  EXPECT_EQ(idle->text, ":\n\n");
  EXPECT_EQ(busy->text, "");
  engine_.append_untold(job_);
  executor_.advance(std::chrono::seconds(15));
  EXPECT_THAT(idle->ids(), ElementsAre(2));
  EXPECT_TRUE(idle->text.starts_with(":\n\n:\n\n"));
}

TEST_F(EventFeedTest, streams_that_are_wound_up_write_what_the_log_has_and_close) {
  engine_.append(job_);
  const auto early = follow_and_read(job_);
  const auto slow = follow_and_read(job_);
  slow->stalled = true;
  engine_.append(job_, EventFeeds::kUnsentBytes + 1);
  executor_.run_ready();
  engine_.append_untold(job_);
  feeds_->wind_up(Deadline(Instant{0}), clock_);  // does not wait
  const auto late = follow(job_, 1);
  executor_.run_ready();
  for (const auto& heard : {early, late}) EXPECT_TRUE(heard->closed);
  EXPECT_THAT(early->ids(), ElementsAre(1, 2, 3));
  EXPECT_THAT(late->ids(), ElementsAre(2, 3));
  EXPECT_FALSE(slow->closed) << "its client gets the rest when it reads";
  slow->drain();
  executor_.run_ready();
  EXPECT_TRUE(slow->closed);
  EXPECT_THAT(slow->ids(), ElementsAre(1, 2, 3));
  feeds_->wind_up(Deadline::never(), clock_);  // nothing is open
}

TEST_F(EventFeedTest, when_the_server_is_gone_nothing_is_read_and_streams_close) {
  engine_.append(job_);
  const auto heard = follow_and_read(job_);
  const std::size_t reads = engine_.reads();
  served_->end();
  engine_.append(job_);
  executor_.run_ready();
  EXPECT_EQ(engine_.reads(), reads);
  EXPECT_TRUE(heard->closed);
  EXPECT_TRUE(follow_and_read(job_)->closed);
}

/// Whatever happens in whatever order, a client has all events after the place that it named, each once and in order, as far as it
/// stayed; and when the job has ended, the end of the stream.
TEST_F(EventFeedTest, no_order_of_joins_events_stalls_and_goodbyes_makes_a_gap_or_a_repetition) {
  struct Client {
    JobId job;
    std::uint64_t after = 0;
    std::shared_ptr<Heard> heard;
  };
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&](std::size_t count) {
      return std::uniform_int_distribution<std::size_t>(0, count - 1)(random);
    };
    const std::vector<JobId> jobs = {JobId(fmt::format("job_a{}", seed)), JobId(fmt::format("job_b{}", seed))};
    const std::uint64_t begin = engine_.last();
    std::vector<Client> clients;
    for (const JobId& job : jobs) engine_.append(job);
    for (int step = 0; step < 200; ++step) {
      const JobId& job = jobs[below(2)];
      const auto some = [&] { return clients[below(clients.size())].heard; };
      switch (below(clients.empty() ? 3 : 7)) {
        case 0:
          engine_.append(job, below(4) == 0 ? 20'000 : 10);
          break;
        case 1: {
          const std::uint64_t after = begin + below(engine_.last() - begin + 3);
          clients.push_back({.job = job, .after = after, .heard = follow(job, after)});
          break;
        }
        case 2:
        case 3:
          for (std::size_t i = below(4); i > 0; --i) executor_.run_one();
          break;
        case 4:
          some()->stalled = true;
          break;
        case 5:
          some()->drain();
          break;
        default:
          if (below(4) == 0) some()->end();
      }
    }
    std::set<const Heard*> gone;
    for (const Client& client : clients)
      if (client.heard->ended) gone.insert(client.heard.get());
    for (const JobId& job : jobs) engine_.end(job);
    for (bool more = true; more;) {
      for (const Client& client : clients) client.heard->drain();
      more = executor_.run_ready() > 0;
    }
    for (const Client& client : clients) {
      std::vector<std::uint64_t> expected = engine_.sequences(client.job, client.after);
      const std::vector<std::uint64_t> ids = client.heard->ids();
      EXPECT_FALSE(client.heard->too_slow);
      if (gone.contains(client.heard.get()))
        expected.resize(std::min(expected.size(), ids.size()));
      else
        EXPECT_TRUE(client.heard->closed);
      EXPECT_EQ(ids, expected);
    }
    ASSERT_FALSE(HasFailure());
    EXPECT_EQ(engine_.listeners(), 0u);
  }
}

}  // namespace
}  // namespace tandem::http
