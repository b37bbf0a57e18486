// Each kind of write of a worker, on the wire while its process is stopped for longer than its lease: it arrives when another process
// has only buried the owner, or has ended the job already. What a worker decides is refused, what a provider said is kept or is known by
// then, and each bill is posted once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tandem/base/pause.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/orchestrate/engine/testing/zombie_world.h"
#include "tandem/orchestrate/submit/reconcile.h"
#include "tandem/orchestrate/submit/testing/fake_provider.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::engine {
namespace {

using std::chrono::milliseconds;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

/// What a provider said, which only the worker knows that asked.
const std::vector<std::string> kFacts = {"submission.confirmed", "submission.terminal", "submission.refused",
                                         "submission.ambiguous", "submission.failed",   "submission.cancelled"};
/// What a worker makes of it.
const std::vector<std::string> kDecisions = {"step.finished",     "step.failed",        "step.retrying",
                                             "job.succeeded",     "job.failed",         "submission.reserved",
                                             "submission.intent", "submission.settled", "submission.held"};

/// Of a job that still waits, as nobody has it: its start, stored with its first round. It counts where nobody else took the job, and the
/// job goes back as soon as its worker, or the leader, finds that the lease is over.
constexpr const char* kStart = "round.started";

constexpr job::Money kBill{700};

/// A provider, and what it bills for each entry of its book.
struct Vendor {
  submit::FakeProvider* provider = nullptr;
  job::Money bill = kBill;
};

class LateWrites : public testing::TestWithParam<std::tuple<std::string, bool>> {
 protected:
  LateWrites() : world_(std::get<0>(GetParam())) {
    add("fake.good");
    add("fake.refuses").provider->plan.on_submit.assign(100, submit::OnSubmit::kRefuse);
    add("fake.loses").provider->plan.on_submit.assign(100, submit::OnSubmit::kLoseReply);
    Vendor& throttles = add("fake.throttles");
    for (int i = 0; i < 50; ++i)
      for (const auto fate : {submit::OnSubmit::kThrottle, submit::OnSubmit::kAccept})
        throttles.provider->plan.on_submit.push_back(fate);
    Vendor& fails = add("fake.fails");
    fails.provider->plan.end = backend::WorkState::kFailed;
    Vendor& slow = add("fake.slow");
    slow.provider->plan.polls_until_done = 1'000'000;
    Vendor& free = add("fake.slow_without_bill");
    free.provider->plan.polls_until_done = 1'000'000;
    free.provider->plan.bill.reset();
    free.bill = {};
  }
  Vendor& add(const std::string& name) {
    auto owned = std::make_unique<submit::FakeProvider>(world_.clock, backend::SubmitSafety::kB, name);
    vendors_[name].provider = owned.get();
    world_.backends.add(std::move(owned));
    return vendors_[name];
  }
  std::unique_ptr<ZombieNode> node(const std::string& name, std::size_t workers) {
    return std::make_unique<ZombieNode>(
        world_, name,
        EngineOptions{
            .workers = workers, .remote_deadline = milliseconds(1500), .reconcile_interval = std::chrono::minutes(10)},
        submit::SubmitOptions{.settle_window = milliseconds(200), .lookup_interval = milliseconds(20)});
  }
  void admit(ZombieNode& at, const std::string& backend, int count) {
    circuit::Pub pub{.circuit = circuit::Circuit::create(1, 1).value(), .shots = 10};
    pub.circuit.measure_all();
    const auto spec = job::JobSpec::parse({{"program", {{"pubs", Json::array({pub.document()})}}},
                                           {"policy", {{"backends", {backend}}}},
                                           {"limits", {{"cost_max_usd_micros", 50'000}}}},
                                          world_.problems);
    ASSERT_THAT(spec, Succeeds());
    for (int i = 0; i < count; ++i) jobs_[backend].push_back(at.engine->admit(*spec, "default", "", "user").value().id);
  }
  /// Waits until `fits` holds for all jobs.
  void wait_for_all(ZombieNode& by, const std::function<bool(job::JobState)>& fits) {
    for (const auto& [backend, jobs] : jobs_)
      for (const JobId& id : jobs)
        while (!fits(by.engine->job(id).value().state)) (void)pause(world_.executor, milliseconds(5), {});
  }
  void expect_each_bill_posted_once(ZombieNode& by) {
    submit::Reconciler reconciler(by.submitter, world_.backends);
    const auto posted = [&](const std::string& backend) {
      job::Money out;
      for (const JobId& id : jobs_[backend])
        out = out + budget::Budget(*world_.store).load(id).value().play_money.settled;
      return out;
    };
    for (auto& [name, vendor] : vendors_) {
      const std::vector<std::string> book = vendor.provider->book();
      EXPECT_EQ(std::set<std::string>(book.begin(), book.end()).size(), book.size()) << name << " was sent one twice";
      const job::Money billed{vendor.bill.usd_micros * static_cast<std::int64_t>(book.size())};
      // What was given up is found by a sweep.
      for (int i = 0; i < 500 && posted(name) != billed; ++i) {
        EXPECT_THAT(reconciler.sweep({}), Succeeds());
        (void)pause(world_.executor, milliseconds(5), {});
      }
      EXPECT_EQ(posted(name), billed) << name;
    }
  }

  ZombieWorld world_;
  std::map<std::string, Vendor> vendors_;
  std::map<std::string, std::vector<JobId>> jobs_;
};

TEST_P(LateWrites, are_refused_or_what_a_provider_said) {
  const bool heir_first = std::get<1>(GetParam());
  auto stopped = node("stopped", 4);
  std::set<std::string> all(kFacts.begin(), kFacts.end());
  all.insert(kDecisions.begin(), kDecisions.end());
  all.insert(kStart);
  stopped->store.keep_first(all);
  admit(*stopped, "fake.good", 10);
  for (const char* name :
       {"fake.refuses", "fake.loses", "fake.throttles", "fake.fails", "fake.slow", "fake.slow_without_bill"})
    admit(*stopped, name, 4);
  stopped->store.wait_for_kept(all.size());
  stopped->store.freeze();

  const auto heir = node("heir", heir_first ? 4 : 0);
  std::unique_ptr<ZombieNode> later;
  if (heir_first) {
    wait_for_all(*heir, [](job::JobState state) { return job::is_final(state); });
    const std::uint64_t before = world_.store->last_sequence().value();
    EXPECT_THAT(stopped->store.thaw(), IsEmpty());
    stopped->engine->drain(Deadline::never(), Deadline::never());
    EXPECT_EQ(world_.store->last_sequence().value(), before) << "the log grew";
  } else {
    wait_for_all(*heir, [](job::JobState state) { return state != job::JobState::kRunning; });
    std::vector<std::string> taken = kFacts;
    taken.emplace_back(kStart);
    EXPECT_THAT(stopped->store.thaw(), UnorderedElementsAreArray(taken));
    later = node("later", 4);
    wait_for_all(*heir, [](job::JobState state) { return job::is_final(state); });
  }
  expect_each_bill_posted_once(*heir);
  for (const auto& [backend, jobs] : jobs_)
    for (const JobId& id : jobs) {
      int ends = 0;
      const auto events = heir->engine->events(id, 0, 1000);
      for (const job::Event& event : events.value())
        if (event.type == "job.succeeded" || event.type == "job.failed") ++ends;
      EXPECT_EQ(ends, 1) << backend << " " << id.value;
    }
}

INSTANTIATE_TEST_SUITE_P(Stores, LateWrites,
                         testing::Combine(testing::Values("memory", "sqlite", "postgres"), testing::Bool()),
                         [](const auto& values) {
                           return std::get<0>(values.param) +
                                  (std::get<1>(values.param) ? "_after_the_heir" : "_after_the_burial");
                         });

}  // namespace
}  // namespace tandem::engine
