#include "tandem/model/job/job_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::job {
namespace {

using testing::HasSubstr;
using testing::Not;

const problem::ProblemRegistry& registry() {
  static const auto instance = problem::ProblemRegistry::with_builtin_types();
  return instance;
}

constexpr std::string_view kQubo =
    R"({"problem": {"type": "qubo", "num_variables": 2, "linear": [1, -1], "quadratic": [[0, 1, 2.0]], "sense": "min"}})";

TEST(JobSpec, the_document_of_the_contract_is_read_with_every_default) {
  const auto spec = JobSpec::parse_text(kQubo, "job.json", registry());
  ASSERT_TRUE(spec) << spec.error().to_string();
  EXPECT_FALSE(spec->is_program());
  EXPECT_EQ(spec->problem()->type(), "qubo");
  EXPECT_EQ(spec->problem()->num_variables(), 2u);
  EXPECT_EQ(spec->limits, Limits{});
  EXPECT_EQ(spec->limits.cost_max.usd_micros, 0);
  EXPECT_EQ(spec->business.data_class, "internal");
  EXPECT_EQ(spec->seed, 1u);
}

TEST(JobSpec, a_retry_policy_is_bounded_and_its_mistakes_have_their_place) {
  const auto parsed = [](const Json& retry) {
    Json document = parse_json(kQubo, "job").value();
    document["limits"]["retry"] = retry;
    return JobSpec::parse(document, registry());
  };
  EXPECT_EQ(parsed(Json::object())->limits.retry, RetryPolicy{});
  EXPECT_EQ(parsed({{"delay_min", "1m"}})->limits.retry.delay_max_ms, 60'000);
  const std::pair<Json, const char*> kCases[] = {
      {{{"max_attempts", 0}}, "/limits/retry/max_attempts"},
      {{{"max_attempts", 101}}, "/limits/retry/max_attempts"},
      {{{"delay_min", 0}}, "/limits/retry/delay_min"},
      {{{"delay_min", "2s"}, {"delay_max", "1s"}}, "/limits/retry/delay_max"},
      {{{"delay_min", "soon"}}, "/limits/retry/delay_min"},
      {{{"budget", 3}}, "/limits/retry/budget"},
      {{{"budget", {{"retries", 1001}}}}, "/limits/retry/budget/retries"},
      {{{"budget", {{"tries", 1}}}}, "/limits/retry/budget/tries"},
      {{{"attempts", 3}}, "/limits/retry/attempts"},
  };
  for (const auto& [retry, place] : kCases) {
    const auto spec = parsed(retry);
    ASSERT_FALSE(spec) << retry.dump();
    EXPECT_EQ(spec.error().place, place) << retry.dump();
  }
}

TEST(JobSpec, yaml_and_json_give_the_same_job) {
  const auto json = JobSpec::parse_text(kQubo, "job.json", registry());
  const auto yaml = JobSpec::parse_text(
      "problem:\n  type: qubo\n  num_variables: 2\n  linear: [1, -1]\n  quadratic: [[0, 1, 2.0]]\n  sense: min\n",
      "job.yaml", registry());
  ASSERT_TRUE(json && yaml);
  EXPECT_EQ(json->hash(), yaml->hash());
}

TEST(JobSpec, the_canonical_document_reads_back_to_itself) {
  const std::string text = R"(
name: n
problem: {type: max_cut, num_nodes: 3, edges: [[0, 1, 1], [1, 2, 2]]}
business: {objective: o, reason: r, owner: w, consumer: c, data_class: public, success: [{criterion: improvement, value: 0.5}, {criterion: proved}]}
inputs: [{name: i, version: "2", sha256: "0000000000000000000000000000000000000000000000000000000000000000"}]
limits: {time: 1.5s, total_time: 1m, cost_max_usd_micros: 7, retry: {max_attempts: 5, delay_min: 20ms, delay_max: 2s, budget: {retries: 9, time: 1m}}}
policy: {backends: [cpu.portfolio], avoid: [lab.device], allow_emulated: false, allow_qpu: false}
refinement: {mode: off, core_max: 9, layers: 2, shots: 77, rounds: 3, angles: schedule, start: warm}
target: 2.5
proof: true
solver: tabu
starts: ["010", "111"]
fallbacks: [cpu.annealing]
seed: 18446744073709551615
threads: 2
)";
  const auto spec = JobSpec::parse_text(text, "job.yaml", registry());
  ASSERT_TRUE(spec) << spec.error().to_string();
  EXPECT_EQ(spec->limits.time_ms, 1500);
  EXPECT_EQ(spec->limits.total_time_ms, 60'000);
  EXPECT_EQ(spec->limits.retry, (RetryPolicy{.max_attempts = 5,
                                             .delay_min_ms = 20,
                                             .delay_max_ms = 2'000,
                                             .budget_retries = 9,
                                             .budget_time_ms = 60'000}));
  EXPECT_EQ(spec->seed, UINT64_MAX);
  EXPECT_EQ(spec->business.success,
            (std::vector<Criterion>{{Criterion::Kind::kImprovement, 0.5}, {Criterion::Kind::kProved, 0}}));
  const auto again = JobSpec::parse(spec->document(), registry());
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(again->document(), spec->document());
  EXPECT_EQ(again->hash(), spec->hash());
  EXPECT_EQ(spec->text(), JsonText(spec->document()));
  EXPECT_EQ(spec->options_text(), JsonText(spec->options_text().value()));
}

TEST(JobSpec, a_start_is_a_solution_of_the_problem_and_its_mistakes_have_their_place) {
  const auto spec = *JobSpec::parse_text(kQubo, "job.json", registry());
  const std::size_t n = spec.problem()->num_variables();
  const std::string good(n, '1');
  EXPECT_EQ(spec.with({{"starts", {good}}}).value().starts, std::vector<std::string>{good});
  const auto refused = [&](Json starts) { return spec.with({{"starts", std::move(starts)}}).error(); };
  EXPECT_EQ(refused({good, good + "0"}).number, errors::kSizeMismatch);
  EXPECT_EQ(refused({good, good + "0"}).place, "/starts/1");
  EXPECT_EQ(refused({std::string(n, '2')}).number, errors::kValueOutOfRange);
  EXPECT_EQ(refused({std::string(n, '2')}).place, "/starts/0");
  EXPECT_EQ(refused(Json(17, good)).place, "/starts");
}

TEST(JobSpec, changes_stand_above_its_own_members_and_are_held_to_the_same_limits) {
  const auto spec = *JobSpec::parse_text(kQubo, "job.json", registry());
  const auto changed = spec.with({{"threads", 0}, {"limits", {{"time", "7s"}}}, {"proof", true}});
  ASSERT_TRUE(changed) << changed.error().to_string();
  Json expected = spec.document();
  expected["threads"] = 0;
  expected["limits"]["time"] = "7000ms";
  expected["proof"] = true;
  EXPECT_EQ(changed->document(), expected);
  EXPECT_EQ(spec.with(Json::object())->hash(), spec.hash());

  const auto threads = spec.with({{"threads", 100'000}});
  ASSERT_FALSE(threads);
  EXPECT_EQ(threads.error().place, "/threads");
  EXPECT_THAT(threads.error().message, HasSubstr("1024"));
  const auto shorter = spec.with({{"limits", {{"time", "7s"}, {"total_time", "1s"}}}});
  ASSERT_FALSE(shorter);
  EXPECT_EQ(shorter.error().place, "/limits/total_time");
}

struct BadCase {
  const char* name;
  const char* text;
  ErrorNumber number;
  const char* place;
  const char* says;
};

class BadJob : public testing::TestWithParam<BadCase> {};

TEST(JobSpec, a_limit_of_less_than_a_millisecond_is_a_limit_and_0s_is_none) {
  const auto limits = [](const char* duration) {
    return JobSpec::parse({{"problem", {{"type", "noop"}}},
                           {"limits", {{"total_time", "1h"}, {"queue_wait", duration}, {"run_time", duration}}}},
                          registry())
        ->limits;
  };
  EXPECT_EQ(limits("0s").queue_wait_ms, 0);
  EXPECT_EQ(limits("0s").run_time_ms, 0);
  EXPECT_EQ(limits("1us").queue_wait_ms, 1);
  EXPECT_EQ(limits("1us").run_time_ms, 1);
  EXPECT_EQ(limits("1.5ms").run_time_ms, 2);
}

TEST(JobSpec, a_step_may_have_tries_of_its_own_which_say_only_what_is_other) {
  const auto parsed = [](const Json& steps) {
    return JobSpec::parse({{"problem", {{"type", "noop"}}},
                           {"limits",
                            {{"retry",
                              {{"max_attempts", 5},
                               {"delay_min", "20ms"},
                               {"budget", {{"retries", 9}, {"time", "1m"}}},
                               {"steps", steps}}}}}},
                          registry());
  };
  const auto spec = parsed({{"baseline", {{"max_attempts", 1}}}, {"refine", {{"delay_min", "30s"}}}});
  ASSERT_TRUE(spec.has_value()) << spec.error().to_string();
  RetryPolicy all{.max_attempts = 5, .delay_min_ms = 20, .budget_retries = 9, .budget_time_ms = 60'000};
  EXPECT_EQ(spec->limits.retry_of("solve"), all);
  EXPECT_EQ(spec->limits.retry_of("refinement"), all);
  RetryPolicy baseline = all;
  baseline.max_attempts = 1;
  EXPECT_EQ(spec->limits.retry_of("baseline"), baseline);
  RetryPolicy refine = all;
  refine.delay_min_ms = refine.delay_max_ms = 30'000;
  EXPECT_EQ(spec->limits.retry_of("refine/0/qaoa@lab.device"), refine);
  EXPECT_EQ(JobSpec::parse(spec->document(), registry())->limits, spec->limits);
  EXPECT_EQ(parsed(Json::object())->document()["limits"]["retry"].count("steps"), 0u);

  EXPECT_EQ(parsed({{"score", Json::object()}}).error().place, "/limits/retry/steps/score");
  EXPECT_EQ(parsed({{"run", {{"budget", Json::object()}}}}).error().place, "/limits/retry/steps/run/budget");
  EXPECT_EQ(parsed({{"run", {{"delay_max", "1ms"}}}}).error().place, "/limits/retry/steps/run/delay_max");
}

TEST(JobSpec, limits_of_remote_backends_stand_in_the_document_only_where_they_were_given) {
  const auto document = [](Json limits) {
    return JobSpec::parse({{"problem", {{"type", "noop"}}}, {"limits", std::move(limits)}}, registry())->options_text();
  };
  EXPECT_THAT(std::string(document({{"backend_wait", "1.5s"}}).text()), HasSubstr(R"("backend_wait":"1500ms")"));
  EXPECT_THAT(std::string(document({{"heartbeat", "2s"}}).text()), HasSubstr(R"("heartbeat":"2000ms")"));
  EXPECT_THAT(std::string(document(Json::object()).text()), testing::Not(HasSubstr("heartbeat")));
  EXPECT_THAT(std::string(document({{"backend_wait", "0s"}}).text()), Not(HasSubstr("backend_wait")));
  EXPECT_EQ(document({{"backend_wait", "0s"}}).text(), document(Json::object()).text());
  EXPECT_THAT(std::string(document({{"calibration_age", "168h"}}).text()),
              HasSubstr(R"("calibration_age":"604800000ms")"));
  EXPECT_EQ(document({{"calibration_age", "0s"}}).text(), document(Json::object()).text());
}

TEST_P(BadJob, is_refused_with_place_value_and_what_to_do) {
  const auto spec = JobSpec::parse_text(GetParam().text, "job.yaml", registry());
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().number, GetParam().number) << spec.error().to_string();
  EXPECT_THAT(spec.error().place, HasSubstr(GetParam().place)) << spec.error().to_string();
  EXPECT_THAT(spec.error().message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    JobSpec, BadJob,
    testing::Values(
        BadCase{"unknown_key", "problem: {type: max_cut, num_nodes: 1, edges: []}\nsolvr: tabu\n", errors::kUnknownKey,
                "job.yaml:2:", "solver"},
        BadCase{"both", "problem: {type: max_cut, num_nodes: 1, edges: []}\nprogram: {pubs: []}\n", errors::kBadJob,
                "job.yaml", "both"},
        BadCase{"neither", "name: x\n", errors::kBadJob, "job.yaml", "neither"},
        BadCase{"unknown_problem", "problem: {type: max_cutt, num_nodes: 1, edges: []}\n", errors::kUnknownProblem,
                "job.yaml:1:", "max_cut"},
        BadCase{"time_without_unit", "problem: {type: max_cut, num_nodes: 1, edges: []}\nlimits: {time: '5'}\n",
                errors::kBadDuration, "job.yaml:2:", "5"},
        BadCase{"time_too_long", "problem: {type: max_cut, num_nodes: 1, edges: []}\nlimits: {time: 48h}\n",
                errors::kValueOutOfRange, "job.yaml:2:", "86400000"},
        BadCase{"total_shorter",
                "problem: {type: max_cut, num_nodes: 1, edges: []}\nlimits: {time: 5s, total_time: 1s}\n",
                errors::kBadJob, "job.yaml:2:", "1000 ms"},
        BadCase{"data_class", "problem: {type: max_cut, num_nodes: 1, edges: []}\nbusiness: {data_class: secret}\n",
                errors::kValueOutOfRange, "job.yaml:2:", "confidential"},
        BadCase{"criterion_value",
                "problem: {type: max_cut, num_nodes: 1, edges: []}\nbusiness: {success: [{criterion: objective}]}\n",
                errors::kMissingKey, "job.yaml:2:", "value"},
        BadCase{
            "criterion_no_value",
            "problem: {type: max_cut, num_nodes: 1, edges: []}\nbusiness: {success: [{criterion: proved, value: 1}]}\n",
            errors::kUnknownKey, "job.yaml:2:", "takes no value"},
        BadCase{"hash", "problem: {type: max_cut, num_nodes: 1, edges: []}\ninputs: [{name: a, sha256: xyz}]\n",
                errors::kBadEncoding, "job.yaml:2:", "64"},
        BadCase{"negative_cost",
                "problem: {type: max_cut, num_nodes: 1, edges: []}\nlimits: {cost_max_usd_micros: -1}\n",
                errors::kValueOutOfRange, "job.yaml:2:", "-1"},
        BadCase{"program_target",
                "program: {pubs: [{circuit: {num_qubits: 1, num_clbits: 1, parameters: [], instructions: "
                "[[\"h\", [0]], [\"measure\", [0], [], 0]]}, shots: 5}]}\ntarget: 1\n",
                errors::kBadJob, "job.yaml:2:", "objective"},
        BadCase{"wrong_type", "problem: {type: max_cut, num_nodes: 1, edges: []}\nseed: soon\n", errors::kWrongType,
                "job.yaml:2:", "seed"}),
    [](const testing::TestParamInfo<BadCase>& bad) { return bad.param.name; });

TEST(JobSpec, fallbacks_are_names_or_entries_and_the_document_writes_every_one_out) {
  const Json work = {{"type", "qubo"}, {"num_variables", 1}, {"linear", {1}}, {"sense", "min"}};
  const auto parsed = [&](Json more) {
    more["problem"] = work;
    return JobSpec::parse(more, registry());
  };
  const auto spec = parsed({{"fallbacks",
                             {"cpu.tabu",
                              {{"backend", "cached_result"}, {"on", {"timeout"}}, {"age_max_ms", 5}},
                              {{"backend", "manual_review"}}}},
                            {"review", {{"confidence_min", 0.25}}}});
  ASSERT_TRUE(spec) << spec.error().to_string();
  EXPECT_EQ(spec->fallbacks[0], Fallback("cpu.tabu"));
  EXPECT_EQ(spec->fallbacks[1].age_max_ms, 5);
  EXPECT_EQ(spec->document()["fallbacks"][0],
            Json({{"backend", "cpu.tabu"}, {"on", {"queue_wait", "unavailable", "timeout", "partial"}}}));
  EXPECT_EQ(spec->document()["fallbacks"][2],
            Json({{"backend", "manual_review"}, {"on", {"partial", "low_confidence"}}}));
  EXPECT_EQ(spec->document()["review"], Json({{"confidence_min", 0.25}}));
  EXPECT_EQ(JobSpec::parse(spec->document(), registry())->document(), spec->document());
  EXPECT_EQ(parsed(Json::object())->review.confidence_min, 0);
  const auto above = parsed({{"review", {{"confidence_min", 1.5}}}});
  ASSERT_FALSE(above);
  EXPECT_EQ(above.error().place, "/review/confidence_min");
  const auto wrong = parsed({{"fallbacks", {"cpu.tabu", {{"backend", "cpu.tabu"}, {"on", {"late"}}}}}});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().place, "/fallbacks/1/on/0");
}

}  // namespace
}  // namespace tandem::job
