// Plan, Event and ResultDocument: values with documents. tests/contract/test_documents.py holds them to their schemas.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include "tandem/base/hash.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/text.h"
#include "tandem/model/job/job_event.h"
#include "tandem/model/job/plan.h"
#include "tandem/model/job/result_document.h"

namespace tandem::job {
namespace {

const JobId kJob("job_01890a5d-ac96-774b-bcce-b302099a8057");

Plan sample_plan() {
  Plan plan{.primary = "cpu.portfolio", .baseline = "cpu.portfolio"};
  plan.steps = {{.kind = StepKind::kSolve,
                 .backend = "cpu.portfolio",
                 .fallbacks = {"cpu.tabu"},
                 .parameters = {{"time_ms", 5}}}};
  plan.candidates = {
      {.backend = "gpu.cuda", .method = "qaoa", .tier = Tier::kGpu, .feasible = false, .reason = "absent"}};
  plan.candidates[0].estimate = {.cost = Money{3},
                                 .cost_basis = Basis::kComputed,
                                 .cost_source = "price list of 2026",
                                 .latency_ms = 1.5,
                                 .latency_basis = Basis::kAssumed};
  plan.reasons = {"because"};
  plan.policy_digest = std::string(64, '0');
  return plan;
}

TEST(Plan, reads_back_to_itself) {
  const auto again = Plan::parse(sample_plan().document(), "");
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(*again, sample_plan());
}

TEST(Plan, the_digest_changes_with_every_decision_and_a_changed_plan_is_refused) {
  const std::string digest = sample_plan().digest();
  Plan other = sample_plan();
  other.steps[0].fallbacks.clear();
  EXPECT_NE(other.digest(), digest);
  Json document = sample_plan().document();
  document["primary"] = "cpu.random";
  const auto forged = Plan::parse(document, "");
  ASSERT_FALSE(forged);
  EXPECT_EQ(forged.error().number, errors::kStoreDamaged);
  document.erase("digest");
  const auto bare = Plan::parse(document, "");
  ASSERT_FALSE(bare);
  EXPECT_EQ(bare.error().number, errors::kMissingKey);
}

Event sample_event() {
  return {.sequence = 7,
          .job = kJob,
          .type = "job.queued",
          .at = Timestamp{1},
          .actor = "user:\"x\\\u00e9",
          .data = JsonText(Json{{"k", R"(","type":"job.failed",")"}})};
}

TEST(Event, reads_back_from_the_log_whatever_its_texts_hold) {
  const Event event = sample_event();
  const auto again = Event::parse(event.stored(), 7);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(again->sequence, 7);
  EXPECT_EQ(again->job, event.job);
  EXPECT_EQ(again->type, event.type);
  EXPECT_EQ(again->at.micros, event.at.micros);
  EXPECT_EQ(again->actor, event.actor);
  EXPECT_EQ(again->data, event.data);
  const Bytes stored = event.stored();
  EXPECT_EQ(EventHead::of(stored).job, event.job.value);
  EXPECT_EQ(EventHead::of(stored).type, event.type);
  for (const std::string_view other :
       {"", "{}",
        "no event at all, but a text that is long enough to hide a leaf hash, or what could be one, in it at its end"})
    EXPECT_EQ(EventHead::of(other).type, "");
}

TEST(Event, is_numbered_by_its_place_in_the_log_outside_of_the_hashed_bytes) {
  const Event event = sample_event();
  const Json stored = parse_json(event.stored(), "event").value();
  Json rest = stored;
  rest.erase("leaf_hash");
  EXPECT_EQ(stored["leaf_hash"], merkle_leaf_hash(canonical_json(rest)).hex());
  EXPECT_EQ(rest["data"], event.data.value());
  Json numbered = stored;
  numbered["sequence"] = 7;
  EXPECT_EQ(parse_json(event.numbered(), "event").value(), numbered);
}

/// `text` with the leaf hash that goes with it.
Bytes sealed(std::string text) {
  const std::string hash = merkle_leaf_hash(text).hex();
  text.pop_back();
  return text + R"(,"leaf_hash":")" + hash + "\"}";
}

TEST(Event, an_altered_one_is_noticed) {
  const Bytes stored = sample_event().stored();
  for (std::size_t i = 0; i < stored.size(); ++i) {
    Bytes altered = stored;
    altered[i] = altered[i] == '0' ? '1' : '0';
    EXPECT_THAT(Event::parse(altered, 7), FailsAt("event 7", errors::kStoreDamaged)) << i;
    EXPECT_THAT(Event::parse(stored.substr(0, i), 7), FailsAt("event 7", errors::kStoreDamaged)) << i;
  }
  // Sealed anew, by someone who knows how: no event all the same.
  for (const char* text : {R"({})", R"({"actor":"a"})",
                           R"({"actor":"a","at":"1970-01-01T00:00:00.000001Z","data":{"k":,"job_id":"j","type":"t"})",
                           R"({"actor":"a\x","at":"1970-01-01T00:00:00.000001Z","data":{},"job_id":"j","type":"t"})",
                           R"({"actor":"a","at":"1970-01-01T00:00:00.000001Z","data":{},"job_id":"j\"","type":"t"})",
                           R"({"actor":"a","at":"1970-01-01T00:00:00.000001Z","data":[],"job_id":"j","type":"t"})",
                           "{\"actor\":\"\xff\","
                           R"("at":"1970-01-01T00:00:00.000001Z","data":{},"job_id":"j","type":"t"})",
                           R"({"actor":"a\)", R"({"actor":"a","data":{},"job_id":"j","type":"t"})"})
    EXPECT_THAT(Event::parse(sealed(text), 7), FailsAt("event 7", errors::kStoreDamaged)) << text;
}

/// Writes `value` as a member of `out`.
void write(EventData& out, std::string_view name, const Json& value) {
  if (value.is_string())
    out.member(name, value.get<std::string>());
  else if (value.is_boolean())
    out.member(name, value.get<bool>());
  else if (value.is_number_integer())
    out.member(name, value.get<std::int64_t>());
  else if (value.is_number())
    out.member(name, value.get<double>());
  else if (value.is_null())
    out.member(name, std::optional<std::string>());
  else
    out.member(name, value);
}

TEST(EventData, every_entry_of_the_catalogue_can_be_written_and_is_canonical) {
  const std::map<std::string_view, Json> values = {{"string", ""},    {"integer", 1},           {"number", 0.5},
                                                   {"boolean", true}, {"array", Json::array()}, {"null", nullptr}};
  std::set<std::string_view> types;
  for (const EventRecord& record : event_catalogue()) {
    SCOPED_TRACE(record.type);
    EXPECT_TRUE(types.insert(record.type).second);
    for (const bool last : {false, true}) {  // of the types that a member may have
      EventData data(record.type);
      for (const EventMember& member : record.members) {
        const std::vector<std::string_view> kinds = split(member.types, '|');
        write(data, member.name, values.at(last ? kinds.back() : kinds.front()));
      }
      const JsonText text = data.finish();
      EXPECT_EQ(text, JsonText(text.value()));
    }
  }
}

TEST(EventDataDeathTest, what_the_catalogue_does_not_name_is_not_written) {
  EXPECT_DEATH(EventData("job.cueued"), "record_");
  EXPECT_DEATH(EventData("job.started").member("start", 1), "member");  // 'fence' comes first
  EXPECT_DEATH(EventData("job.started").member("fence", "1"), "member");
  EXPECT_DEATH(EventData("job.started").member("fence", 0.5), "member");
  EXPECT_DEATH(EventData("job.started").member("fence", 1).finish(), "written_");
  EXPECT_DEATH(EventData("job.started").member("fence", 1).member("start", 1).member("x", 1), "written_");
  EXPECT_DEATH(EventData("job.resumed").member("starts", std::optional<int>()), "member");
  EXPECT_DEATH(EventData("round.started").member("orders", Json::object()), "member");
}

ResultDocument sample_result() {
  ResultDocument out{.job_id = kJob, .status = JobState::kSucceeded, .kind = "candidates"};
  out.plan_digest = sample_plan().digest();
  out.lineage_id = LineageId("lin_01890a5d-ac96-774b-bcce-b302099a8057");
  ScoredCandidate candidate{.objective = 3, .feasible = true, .solution = {1, 0, 1}, .source = "solve:cpu.portfolio"};
  out.best = BestCandidate{
      .candidate = candidate, .proved = true, .bound = 3.0, .time_to_best_ms = 12.0, .answer = {{"a", 1}}};
  out.candidates = {candidate};
  out.comparison = {.improvement = 0.0, .verdict = "equal", .text = "t"};
  out.refinement = {.status = "done", .core_size = 2};
  out.refinement.arms = {{.arm = "qaoa",
                          .backend = "lab.device",
                          .emulated = true,
                          .status = "done",
                          .samples = 9,
                          .p_optimum = 0.5,
                          .elapsed_ms = 7}};
  out.acceptance.criteria = {{.criterion = "latency_ms", .limit = 5, .actual = 4.0, .met = true},
                             {.criterion = "feasible", .met = true}};
  out.confidence = {.value = 0.5,
                    .share_returned = 0.75,
                    .parts = {{.part = "feasible",
                               .state = ConfidencePart::State::kKnown,
                               .value = 1,
                               .weight = 0.25,
                               .low = 0.5,
                               .high = 1.0,
                               .detail = "d"},
                              {.part = "agreement", .state = ConfidencePart::State::kUnknown, .weight = 0.25}}};
  out.provenance.path = {{.step = "solve", .backend = "a", .cause = FallbackCause::kPartial, .number = 5026}};
  out.provenance.partial_work = {{.step = "solve", .backend = "a", .asked = 4, .got = 3, .used = true}};
  out.provenance.cached = {{.step = "solve", .source = kJob, .backend = "a", .age_ms = 5}};
  out.review = ReviewNote{.accepted = true, .reason = "r", .actor = "user:x", .at = "2026-01-01T00:00:00.000000Z"};
  out.explanation = {"one"};
  out.elapsed_ms = 99;
  return out;
}

TEST(ResultDocument, reads_back_to_itself) {
  const auto again = ResultDocument::parse(sample_result().document());
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_EQ(again->document(), sample_result().document());
}

TEST(ResultDocument, the_canonical_form_forgets_times_ids_and_money_and_nothing_else) {
  ResultDocument later = sample_result();
  later.job_id = JobId("job_y");
  later.lineage_id = LineageId("lin_y");
  later.elapsed_ms = 1;
  later.billed = Money{5};
  later.best->time_to_best_ms = 1.0;
  later.refinement.arms[0].elapsed_ms = 1;
  later.acceptance.criteria[0] = {.criterion = "latency_ms", .limit = 5, .actual = 6.0, .met = false};
  later.acceptance.met = false;
  later.review.reset();
  EXPECT_EQ(later.computed(), sample_result().computed());
  later.best->candidate.solution = {1, 1, 1};
  EXPECT_NE(later.computed(), sample_result().computed());
}

TEST(Documents, are_written_in_canonical_form) {
  ResultDocument bare;
  bare.best = BestCandidate{};
  for (const JsonText& text : {sample_plan().text(), sample_result().text(), sample_result().computed(),
                               ResultDocument().text(), bare.text(), bare.computed()})
    EXPECT_EQ(text, JsonText(text.value()));
}

/// For an independent validator, which names a folder and reads what it finds there.
TEST(Documents, are_written_out_where_a_folder_is_named) {
  const char* folder = std::getenv("TANDEM_DOCUMENTS_DIR");
  if (folder == nullptr) GTEST_SKIP() << "TANDEM_DOCUMENTS_DIR names no folder";
  Event event{.job = kJob, .type = "job.queued", .at = Timestamp{1}, .actor = "a"};
  event.data = JsonText(Json{{"name", ""},
                             {"problem_type", "qubo"},
                             {"spec_sha256", "00"},
                             {"cost_max_usd_micros", 3},
                             {"retry_of", nullptr},
                             {"tenant", "t"},
                             {"project", ""},
                             {"serial_key", ""},
                             {"rank", 1},
                             {"start_by", 0},
                             {"home", ""}});
  event.sequence = 7;
  ResultDocument bare = sample_result();
  bare.best.reset();
  bare.candidates.clear();
  bare.refinement.arms.clear();
  bare.acceptance.criteria.clear();
  const std::pair<const char*, Json> documents[] = {{"plan.sample", sample_plan().document()},
                                                    {"event.sample", Json::parse(event.numbered())},
                                                    {"result.sample", sample_result().document()},
                                                    {"result.bare", bare.document()}};
  for (const auto& [name, document] : documents) std::ofstream(fmt::format("{}/{}.json", folder, name)) << document;
}

TEST(ResultDocument, a_program_has_no_baseline_and_older_documents_that_say_zeros_replay_all_the_same) {
  ResultDocument program;
  program.kind = "program";
  const Json document = program.document();
  EXPECT_TRUE(document["baseline"].is_null());
  const auto again = ResultDocument::parse(document);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_FALSE(again->baseline);
  Json older = document;
  older["baseline"] = {
      {"backend", ""}, {"objective", 0.0}, {"feasible", false}, {"elapsed_ms", 0.0}, {"same_run", false}};
  const auto of_older = ResultDocument::parse(older);
  ASSERT_TRUE(of_older) << of_older.error().to_string();
  EXPECT_EQ(of_older->computed(), program.computed());
}

}  // namespace
}  // namespace tandem::job
