// Lost work in a list of jobs that is longer than one call has time for: the transport of middleware/remote over the codec of IonQ.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tandem/base/executor.h"
#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/memory_credentials.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/base/testing/scripted_http.h"
#include "tandem/base/testing/seeded_rng.h"
#include "tandem/base/testing/skipping_executor.h"
#include "tandem/middleware/adapter/ionq/ionq.h"
#include "tandem/middleware/remote/remote_backend.h"

namespace tandem::ionq {
namespace {

using backend::Reconciled;
using std::chrono::seconds;

constexpr std::size_t kJobsOfPage = 10;
constexpr seconds kPageTime{2};  // two pages a call
constexpr seconds kCallTime{5};

/// The account's jobs behind GET /jobs, each page of which takes its time.
class IonqLongListTest : public testing::Test {
 protected:
  IonqLongListTest() {
    http_.otherwise([this](const HttpRequest& request, Deadline deadline) { return answer(request, deadline); });
  }

  void add_jobs(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) add_job("of-others");
  }
  void add_job(std::string token) {
    tokens_.insert(tokens_.begin(), std::move(token));  // newest first
  }
  /// Calls until one has an answer; how many there were.
  std::size_t calls_until_answered(Result<Reconciled>& answer, std::size_t added_between = 0) {
    for (std::size_t calls = 1; calls <= 200; ++calls) {
      answer = look();
      if (answer) return calls;
      EXPECT_THAT(answer, FailsWith(errors::kResultNotReady));
      add_jobs(added_between);
    }
    return 0;
  }
  Result<Reconciled> look() { return look("ours", clock_.monotonic()); }
  Result<Reconciled> look(std::string_view token, Instant asked_since) {
    return backend_->reconcile({.token = token, .sent_at = sent_at_, .asked_since = asked_since},
                               {.deadline = Deadline::after(clock_, kCallTime)});
  }
  Result<Reconciled> look_patiently(std::string_view token) {
    return backend_->reconcile({.token = token, .sent_at = sent_at_}, {});
  }

  ScriptedHttp http_;
  std::vector<std::string> tokens_;
  std::atomic<std::size_t> pages_ = 0;
  FakeClock clock_;
  const Timestamp sent_at_ = clock_.now();

 private:
  ScriptedHttp::Reply answer(const HttpRequest& request, Deadline deadline) {
    if (deadline.left(clock_) < kPageTime) {
      clock_.advance(deadline.left(clock_));
      return tl::unexpected<HttpFailure>(
          HttpFailure{.error = make_error(errors::kPeerTimeout, "no answer in time"), .sent = Sent::kMaybe});
    }
    clock_.advance(kPageTime);
    ++pages_;
    // A job's name is its place from the oldest on, which stays when others are added; a page begins behind the job that it names.
    std::size_t begin = 0;
    if (const std::size_t at = request.url.find("next=job-"); at != std::string::npos)
      begin = tokens_.size() - std::stoul(request.url.substr(at + 9));
    const std::size_t end = std::min(begin + kJobsOfPage, tokens_.size());
    Json out = {{"jobs", Json::array()}, {"next", nullptr}};
    for (std::size_t i = begin; i < end; ++i)
      out["jobs"].push_back({{"id", fmt::format("job-{}", tokens_.size() - 1 - i)},
                             {"submitted_at", format_rfc3339(clock_.now())},
                             {"metadata", {{kTokenMember, tokens_[i]}}}});
    if (end < tokens_.size()) out["next"] = out["jobs"].back()["id"];
    return HttpResponse{
        .status = 200,
        .headers = {{"Content-Type", "application/json"}, {std::string(remote::kEmulatedHeader), "true"}},
        .body = out.dump()};
  }

  SkippingExecutor executor_{clock_};
  MemoryCredentials credentials_;
  SeededRng rng_{1};
  RecordingLog log_;
  std::unique_ptr<backend::Backend> backend_ =
      remote::make_remote_backend(make_codec({.backend = "qpu.forte-1", .emulated = true}).value(),
                                  {http_, credentials_, clock_, executor_, rng_, log_}, {.base_url = "http://h/v0.4"});
};

TEST_F(IonqLongListTest, the_oldest_of_many_is_found_by_calls_that_go_on_where_the_last_was_cut_off) {
  add_job("ours");
  add_jobs(200);
  auto found = look();
  EXPECT_THAT(found, FailsWith(errors::kResultNotReady));
  EXPECT_NE(calls_until_answered(found), 0u);
  EXPECT_EQ(found->kind, Reconciled::Kind::kFound);
  EXPECT_EQ(found->handle, "job-0");
  EXPECT_LE(pages_, 2 * 21u);  // each page once, and the first one of each call
}

TEST_F(IonqLongListTest, jobs_that_come_between_the_calls_hide_nothing) {
  add_job("ours");
  add_jobs(200);
  Result<Reconciled> found = look();
  EXPECT_NE(calls_until_answered(found, 7), 0u);
  EXPECT_EQ(found->kind, Reconciled::Kind::kFound);
  EXPECT_EQ(found->handle, "job-0");
}

TEST_F(IonqLongListTest, work_that_is_accepted_after_the_first_call_is_found_by_the_next_walk) {
  add_jobs(100);
  Result<Reconciled> found = look();
  ASSERT_THAT(found, FailsWith(errors::kResultNotReady));
  add_job("ours");
  add_jobs(3);
  EXPECT_NE(calls_until_answered(found), 0u);
  EXPECT_EQ(found->kind, Reconciled::Kind::kNotFound);
  EXPECT_LT(found->seen_since.value(), clock_.monotonic() + -seconds(20)) << "when it was not there";
  found = look();
  ASSERT_THAT(found, Succeeds());
  EXPECT_EQ(found->kind, Reconciled::Kind::kFound);
  EXPECT_EQ(found->handle, "job-100");
}

TEST_F(IonqLongListTest, a_list_of_as_many_pages_as_a_call_turns_is_seen_in_one) {
  add_job("ours");
  add_jobs(400 * kJobsOfPage - 1);
  const auto found = look_patiently("ours");
  ASSERT_THAT(found, Succeeds());
  EXPECT_EQ(found->handle, "job-0");
  add_job("of-others");
  const auto longer = look_patiently("none");
  EXPECT_THAT(longer, FailsWith(errors::kResultNotReady));
  EXPECT_THAT(longer.error().message, testing::HasSubstr("more than 400 pages"));
}

TEST_F(IonqLongListTest, those_who_look_at_once_hear_the_same) {
  constexpr std::size_t kLookers = 16;
  for (std::size_t i = 0; i < kLookers; ++i) add_job(fmt::format("ours-{}", i));
  ThreadExecutor threads(kLookers);
  std::vector<std::string> handles(kLookers);
  threads.parallel(kLookers, kLookers, [&](std::size_t i) {
    const auto found = look_patiently(fmt::format("ours-{}", i));
    handles[i] = found ? found->handle : found.error().to_string();
  });
  for (std::size_t i = 0; i < kLookers; ++i) EXPECT_EQ(handles[i], fmt::format("job-{}", i));
}

TEST_F(IonqLongListTest, not_found_is_said_when_all_was_seen_and_then_all_is_seen_anew) {
  add_jobs(200);
  Result<Reconciled> found = look();
  EXPECT_GT(calls_until_answered(found), 1u);
  EXPECT_EQ(found->kind, Reconciled::Kind::kNotFound);
  tokens_[150] = "ours";  // listed late, far down
  EXPECT_GT(calls_until_answered(found), 1u);
  EXPECT_EQ(found->kind, Reconciled::Kind::kFound);
}

TEST_F(IonqLongListTest, all_that_are_in_doubt_are_looked_for_in_one_walk) {
  for (int i = 0; i < 20; ++i) add_job(fmt::format("ours-{}", i));
  const Instant since = clock_.monotonic();
  for (int i = 0; i < 20; ++i) {
    const auto found = look(fmt::format("ours-{}", i), since);
    ASSERT_THAT(found, Succeeds());
    EXPECT_EQ(found->handle, fmt::format("job-{}", i));
  }
  const auto none = look("never-sent", since);
  ASSERT_THAT(none, Succeeds());
  EXPECT_EQ(none->kind, Reconciled::Kind::kNotFound);
  EXPECT_EQ(none->seen_since, since);
  EXPECT_EQ(pages_, 2u);
}

TEST_F(IonqLongListTest, a_place_to_go_on_from_that_the_provider_does_not_know_is_dropped) {
  add_job("ours");
  add_jobs(60);
  Result<Reconciled> found = look();
  ASSERT_THAT(found, FailsWith(errors::kResultNotReady));
  const std::string gone = R"({"statusCode":404,"error":"Not Found","message":"no such page"})";
  HttpResponse refused{
      .status = 404,
      .headers = {{"Content-Type", "application/json"}, {std::string(remote::kEmulatedHeader), "true"}},
      .body = gone};
  http_.then(refused);
  EXPECT_THAT(look(), FailsWith(errors::kUnknownHandle));
  EXPECT_NE(calls_until_answered(found), 0u);
  EXPECT_EQ(found->kind, Reconciled::Kind::kFound);
}

}  // namespace
}  // namespace tandem::ionq
