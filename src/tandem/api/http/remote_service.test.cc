// RemoteService and the API server are two ends of one line: what goes in at one end comes out as LocalService would have said it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tandem/api/http/api_server.h"
#include "tandem/net/client/curl_http.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::http {
namespace {

using engine::Gate;
using testing::ElementsAreArray;
using testing::HasSubstr;

constexpr std::uint64_t kBodyBytesMax = 20'000;

class RemoteServiceOverHttp : public testing::Test {
 protected:
  RemoteServiceOverHttp() {
    world_.open(2);
    const service::LocalSeams seams{*world_.engine, world_.backends, *world_.submitter, clock_, world_.executor};
    local_ = service::make_local_service(seams, identity::local_principal());
    auto started =
        ApiServer::start({.listen = "127.0.0.1:0", .body_bytes_max = kBodyBytesMax},
                         {[local = local_](const identity::PrincipalPtr&) { return local; }, identities_,
                          *world_.engine, world_.problems, *world_.store, meters_},
                         {.executor = world_.executor, .clock = clock_, .log = world_.log, .meter = world_.meter});
    EXPECT_THAT(started, Succeeds());
    server_ = *std::move(started);
    http_ = client::CurlHttp::create({.allow = {server_->address()}}, clock_, world_.executor).value();
    remote_ = service::make_remote_service(
        [this] { return service::ServerPlace{.address = server_->address()}; },
        {.http = *http_, .executor = world_.executor, .clock = clock_, .rng = world_.rng}, {});
  }
  ~RemoteServiceOverHttp() override {
    gate_.open();
    server_.reset();
  }

  SystemClock clock_;
  Gate gate_;  // before the world, whose workers pass it
  engine::EngineWorld world_;
  telemetry::MeterRegistry meters_;
  const identity::IdentityBook identities_ = identity::IdentityBook::open_to_all();
  std::shared_ptr<service::Service> local_;
  std::unique_ptr<ApiServer> server_;
  std::unique_ptr<client::CurlHttp> http_;
  std::unique_ptr<service::Service> remote_;
};

TEST_F(RemoteServiceOverHttp, a_job_that_was_sent_is_the_job_that_was_meant) {
  const auto admitted = remote_->submit(world_.hybrid_job(), "key");
  ASSERT_THAT(admitted, Succeeds());
  const JobId id((*admitted)["job_id"]);
  EXPECT_EQ(*local_->spec(id), world_.hybrid_job().document());
  EXPECT_EQ((*remote_->submit(world_.hybrid_job(), "key"))["job_id"], id.value);
  EXPECT_THAT(remote_->submit(world_.classical_job(), "key"), FailsWith(errors::kIdempotencyConflict));
  world_.wait(id);
}

TEST_F(RemoteServiceOverHttp, every_document_is_the_one_that_the_local_service_gives) {
  const JobId id = world_.run(world_.paid_job()).id;
  using service::Service;
  for (const auto part : {&Service::job, &Service::result, &Service::spec, &Service::plan_of, &Service::lineage,
                          &Service::submissions, &Service::replay_package}) {
    const auto near = ((*local_).*part)(id);
    const auto far = ((*remote_).*part)(id);
    ASSERT_THAT(near, Succeeds());
    ASSERT_THAT(far, Succeeds());
    EXPECT_EQ(*far, *near);
  }
  EXPECT_EQ(*remote_->events(id, 2, 3), *local_->events(id, 2, 3));
  const auto but_for_the_time = [](Json page) {
    EXPECT_EQ(page.erase("read_at"), 1u);
    return page;
  };
  EXPECT_EQ(but_for_the_time(*remote_->jobs({})), but_for_the_time(*local_->jobs({})));
  EXPECT_EQ(*remote_->plan(world_.classical_job()), *local_->plan(world_.classical_job()));
  EXPECT_EQ((*remote_->backends())["backends"].size(), (*local_->backends())["backends"].size());
}

TEST_F(RemoteServiceOverHttp, an_error_is_the_one_that_the_local_service_gives) {
  const JobId unknown("job_01900000-0000-7000-8000-00000000dead");
  EXPECT_EQ(remote_->job(unknown).error(), local_->job(unknown).error());
  EXPECT_EQ(remote_->cancel(unknown, "").error(), local_->cancel(unknown, "").error());
  const JobId id = world_.run(world_.classical_job()).id;
  EXPECT_EQ(remote_->cancel(id, "").error(), local_->cancel(id, "").error());
}

TEST_F(RemoteServiceOverHttp, a_follower_hears_every_event_once_and_in_order) {
  world_.provider->plan.during_submit = [this] { gate_.pass({}); };
  const JobId id((*remote_->submit(world_.paid_job(), ""))["job_id"]);
  gate_.wait_for_arrivals(1);
  std::vector<Json> heard;
  Result<Json> end = Json();
  std::thread follower([&] {
    end = remote_->follow(id, {.on_event = [&](const Json& event) { heard.push_back(event); }, .on_progress = {}},
                          Deadline::never());
  });
  gate_.open();
  follower.join();
  ASSERT_THAT(end, Succeeds());
  EXPECT_EQ(*end, *local_->job(id));
  EXPECT_EQ(Json(heard), (*local_->events(id, 0, 1000))["events"]);
}

TEST_F(RemoteServiceOverHttp, a_cancellation_reaches_the_job_with_its_reason) {
  world_.main().before = [this](std::stop_token stop) -> std::optional<Error> {
    gate_.pass(stop);
    return std::nullopt;
  };
  const JobId id((*remote_->submit(world_.classical_job(), ""))["job_id"]);
  gate_.wait_for_arrivals(1);
  ASSERT_THAT(remote_->cancel(id, "changed my mind"), Succeeds());
  const auto end = remote_->follow(id, {}, Deadline::never());
  ASSERT_THAT(end, Succeeds());
  EXPECT_EQ((*end)["state"], "cancelled");
  EXPECT_THAT((*local_->events(id, 0, 1000)).dump(), HasSubstr("changed my mind"));
}

TEST_F(RemoteServiceOverHttp, a_removal_reaches_the_job_and_its_reason_the_log_as_it_was_said) {
  const std::string reason = "50 % of \"ä\" & b=c+d?#1/2";
  const JobId id((*remote_->submit(world_.classical_job(), ""))["job_id"]);
  world_.wait(id);
  ASSERT_THAT(remote_->remove(id, reason), Succeeds());
  EXPECT_THAT(remote_->remove(id, ""), FailsWith(errors::kJobNotFound));
  EXPECT_THAT(remote_->job(id), FailsWith(errors::kJobNotFound));
  const auto log = world_.store->read_log(0, 1000, id.value).value();
  const job::Event last = job::Event::parse(log.back().value, log.back().sequence).value();
  EXPECT_EQ(last.type, "job.removed");
  EXPECT_EQ(last.data.value()["reason"], reason);
}

TEST_F(RemoteServiceOverHttp, a_job_that_is_too_large_for_the_server_is_told_the_limit_and_what_to_do) {
  job::JobSpec large = world_.classical_job();
  large.name = std::string(30'000'000, 'x');  // the server answers long before it has all of it
  const auto refused = remote_->submit(large, "");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().number, errors::kInputTooLarge) << refused.error().to_string();
  EXPECT_THAT(refused.error().message, HasSubstr(std::to_string(kBodyBytesMax)));
  EXPECT_THAT(refused.error().message, HasSubstr("server.body_bytes_max"));
}

}  // namespace
}  // namespace tandem::http
