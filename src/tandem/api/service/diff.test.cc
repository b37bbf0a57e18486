// diff: what counts as a difference between two jobs, and how it is said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/api/service/service.h"
#include "tandem/orchestrate/engine/testing/engine_world.h"

namespace tandem::service {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class DiffTest : public testing::Test {
 protected:
  DiffTest() {
    world_.open(2);
    service_ = make_local_service({*world_.engine, world_.backends, *world_.submitter, world_.clock, world_.executor},
                                  identity::local_principal());
  }
  JobDocuments run(const job::JobSpec& spec) {
    const JobId id = world_.run(spec).id;
    JobDocuments out;
    out.job = service_->job(id).value();
    out.spec = service_->spec(id).value();
    out.plan = service_->plan_of(id).value();
    out.result = service_->result(id).value();
    return out;
  }

  engine::EngineWorld world_;
  std::shared_ptr<Service> service_;
};

TEST_F(DiffTest, the_same_document_run_twice_differs_in_ids_and_times_only) {
  const JobDocuments first = run(world_.hybrid_job());
  const JobDocuments second = run(world_.hybrid_job());
  ASSERT_NE(first.result["job_id"], second.result["job_id"]);
  const Json report = diff(first, second);
  EXPECT_EQ(report["jobs"], Json({first.job["job_id"], second.job["job_id"]}));
  EXPECT_EQ(report["verdict"], "same") << report.dump(1);
  EXPECT_THAT(report["differences"], IsEmpty());
}

TEST_F(DiffTest, measured_times_are_told_and_not_counted) {
  const JobDocuments first = run(world_.hybrid_job());
  JobDocuments second = first;
  second.result["elapsed_ms"] = 77'000;
  second.result["best"]["time_to_best_ms"] = 77'000;
  second.result["baseline"]["elapsed_ms"] = 77'000;
  for (Json& arm : second.result["refinement"]["arms"]) arm["elapsed_ms"] = 77'000;
  const Json report = diff(first, second);
  EXPECT_EQ(report["verdict"], "same") << report.dump(1);
  EXPECT_THAT(report["timings"][0], HasSubstr("77000 ms in the second"));
}

TEST_F(DiffTest, every_other_change_is_a_difference_of_its_part_with_its_place) {
  const JobDocuments first = run(world_.hybrid_job());
  struct Case {
    Json JobDocuments::* document;
    const char* place;
    Json value;
    const char* part;
  };
  const Case cases[] = {
      {&JobDocuments::spec, "/problem/edges/0/2", 9, "document"},
      {&JobDocuments::spec, "/limits/time", "7ms", "document"},
      {&JobDocuments::spec, "/policy/allow_qpu", false, "document"},
      {&JobDocuments::spec, "/seed", 99, "document"},
      {&JobDocuments::spec, "/inputs", Json::array({{{"name", "x"}}}), "document"},
      {&JobDocuments::plan, "/primary", "cpu.other", "plan"},
      {&JobDocuments::plan, "/candidates/0/feasible", "changed", "plan"},
      {&JobDocuments::plan, "/digest", "0", "plan"},
      {&JobDocuments::result, "/best/objective", 1e6, "result"},
      {&JobDocuments::result, "/best/feasible", "changed", "result"},
      {&JobDocuments::result, "/best/proved", "changed", "result"},
      {&JobDocuments::result, "/candidates", Json::array(), "result"},
      {&JobDocuments::result, "/refinement/arms/0/status", "failed", "result"},
      {&JobDocuments::result, "/acceptance/met", "changed", "result"},
      {&JobDocuments::result, "/billed_usd_micros", 5, "result"},
      {&JobDocuments::result, "/status", "failed", "result"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.place);
    JobDocuments second = first;
    Json& value = (second.*one.document)[Json::json_pointer(one.place)];
    value = one.value == "changed" ? Json(!value.get<bool>()) : one.value;
    const Json report = diff(first, second);
    EXPECT_EQ(report["verdict"], "different");
    bool named = false;
    for (const Json& difference : report["differences"]) {
      EXPECT_EQ(difference["part"], one.part);
      for (const Json& place : difference["places"])
        named = named || place.get<std::string>().starts_with(one.place + std::string(": "));
    }
    EXPECT_TRUE(named) << report.dump(1);
  }
}

/// {"text"...} of all differences, one a line.
std::string told(const Json& report) {
  std::string out;
  for (const Json& difference : report["differences"]) out += difference["text"].get<std::string>() + "\n";
  return out;
}

TEST(Diff, the_verdicts_and_the_money_are_told_in_words) {
  const auto result = [](double objective, bool feasible, bool proved, bool met, int billed) {
    return Json{
        {"best", {{"objective", objective}, {"feasible", feasible}, {"proved", proved}, {"source", "cpu.tabu"}}},
        {"acceptance", {{"met", met}}},
        {"billed_usd_micros", billed}};
  };
  const Json plan = {{"primary", "cpu.tabu"}};
  const Json report = diff({.job = {{"state", "succeeded"}},
                            .spec = Json::object(),
                            .plan = plan,
                            .result = result(2.5, true, true, true, 0)},
                           {.job = {{"state", "succeeded"}},
                            .spec = Json::object(),
                            .plan = {{"primary", "cpu.annealing"}},
                            .result = result(3, false, false, false, 1'250'000)});
  EXPECT_THAT(told(report),
              HasSubstr("The main solve went to cpu.tabu in the first job, to cpu.annealing in the second."));
  EXPECT_THAT(told(report),
              HasSubstr("The first has best objective 2.5, feasible, proved optimal, found by cpu.tabu; the "
                        "second has best objective 3.0, not feasible, not proved, found by cpu.tabu."));
  EXPECT_THAT(told(report), HasSubstr("Only the first job is accepted by its own criteria."));
  EXPECT_THAT(told(report), HasSubstr("The first was billed $0.00, the second $1.25."));
}

TEST(Diff, a_job_that_got_less_far_is_told_by_its_state_and_what_it_lacks) {
  const JobDocuments done = {.job = {{"job_id", "a"}, {"state", "succeeded"}, {"error", nullptr}},
                             .spec = Json::object(),
                             .plan = Json::object(),
                             .result = Json::object()};
  const JobDocuments failed = {
      .job = {{"job_id", "b"}, {"state", "failed"}, {"error", {{"number", 5}, {"message", "no tier"}}}},
      .spec = Json::object(),
      .plan = {},
      .result = {}};
  EXPECT_EQ(told(diff(done, failed)),
            "The first job is succeeded, the second is failed.\n"
            "Error of the first: none. Error of the second: no tier.\n"
            "Only the first job has a plan.\n"
            "Only the first job has a result.\n");
  EXPECT_EQ(diff(failed, failed)["verdict"], "same");
}

/// A criterion on time is measured: its value counts for nothing, its verdict does.
TEST(Diff, the_verdict_of_a_criterion_counts_where_its_measured_time_does_not) {
  const auto documents = [](double latency_ms, bool met) {
    const Json item = {{"criterion", "latency_ms"}, {"limit", 50}, {"actual", latency_ms}, {"met", met}};
    JobDocuments out;
    out.spec = Json::object();
    out.plan = Json::object();
    out.result = {{"acceptance", {{"met", met}, {"criteria", Json::array({item})}}}};
    return out;
  };
  EXPECT_EQ(diff(documents(10, true), documents(20, true))["verdict"], "same");
  EXPECT_EQ(diff(documents(10, true), documents(70, false))["verdict"], "different");
}

}  // namespace
}  // namespace tandem::service
