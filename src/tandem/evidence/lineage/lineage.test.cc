#include "tandem/evidence/lineage/lineage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"
#include "tandem/base/text.h"

namespace tandem::lineage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

/// Every member with a value of its own.
WorkRecord whole_work() {
  return {
      .label = "solve",
      .round = 3,
      .backend = "cpu.tabu",
      .backend_version = "2",
      .local = false,
      .emulated = true,
      .path = {{.step = "solve",
                .backend = "cpu.x",
                .outcome = job::PathEntry::Outcome::kLeft,
                .cause = job::FallbackCause::kTimeout,
                .number = 2002,
                .reason = "away"}},
      .partial = {{.step = "solve", .backend = "cpu.x", .asked = 5, .got = 2, .raw_sha256 = "ef", .used = true}},
      .tries = {{.step = "solve",
                 .round = 1,
                 .station = 2,
                 .backend = "cpu.x",
                 .number = 1,
                 .tries_max = 3,
                 .error_class = "transient",
                 .error_number = 1048,
                 .reason = "too many",
                 .delay_ms = 120,
                 .next_attempt = 4,
                 .at = "2026-01-01T00:00:00.000000Z"}},
      .cached = job::CachedAnswer{.step = "solve", .source = JobId("job_2"), .backend = "cpu.tabu", .age_ms = 12},
      .question_sha256 = "aa",
      .work_done = {10, 18446744073709551615u},
      .unit_name = "flips",
      .race = {.choice = "20 variables",
               .engines = {{.engine = "tabu", .strand = 1, .units = 7, .best_energy = -3.5}, {.engine = "replicas"}},
               .reduction = solve::ReductionRecord{.kind = "conflict_graph",
                                                   .variables_before = 9,
                                                   .variables_after = 2,
                                                   .by_rule = {{"fold", 2}, {"clique", 3}},
                                                   .folds = 2}},
      .best_energy = -1.5,
      .seed = 18446744073709551615u,
      .shots = 30,
      .raw_sha256 = "ab",
      .raw_media_type = "text/plain",
      .calibration_id = "cal_1",
      .calibration_age_ms = 3.5,
      .token = "token",
      .billed = job::Money{700},
      .error = "none",
      .error_number = 1405,
      .elapsed_ms = 2.5,
      .time_to_best_ms = 1.25};
}

OrphanRecord whole_orphan() {
  return {.token = "t",
          .step = "0/run",
          .attempt = 2,
          .backend = "lab.device",
          .emulated = true,
          .handle = "h",
          .reason = "late",
          .billed = job::Money{9},
          .raw_sha256 = "cd",
          .raw_media_type = "application/json",
          .calibration_id = "cal_2",
          .intent_at = "2026-01-01T00:00:00.000000Z",
          .found_at = "2026-01-02T00:00:00.000000Z"};
}

LineageRecord whole_lineage() {
  return {
      .id = LineageId("lin_1"),
      .job = JobId("job_1"),
      .spec = JsonText(Json({{"name", "n"}})),
      .problem_sha256 = "p",
      .spec_sha256 = "s",
      .plan = JsonText(Json({{"digest", "d"}})),
      .walk = {{"trail", Json::array()}},
      .work = {whole_work(), WorkRecord{.label = "baseline"}},
      .versions = {.tandem = "0.1.0", .build = "g++", .machine_profile = {{"isa", "x"}}, .settings_digest = "e"},
      .result_sha256 = "r",
      .created_at = "2026-01-01T00:00:00.000000Z",
      .consumer = "treasury",
      .review =
          job::ReviewNote{.accepted = true, .reason = "fine", .actor = "user:x", .at = "2026-01-03T00:00:00.000000Z"},
      .orphans = {whole_orphan()}};
}

/// `document` without each member in turn, and with each member of another type.
void expect_members_are_held_to(const Json& document, const std::vector<std::string>& required,
                                const std::function<Result<Json>(const Json&)>& read) {
  for (const std::string& key : required) {
    Json lacking = document;
    lacking.erase(key);
    EXPECT_THAT(read(lacking), FailsWith(errors::kMissingKey)) << key;
  }
  for (const auto& [key, value] : document.items()) {
    Json wrong = document;
    if (value.is_object() || value.is_null()) continue;  // kept as it is, whatever it holds
    wrong[key] = Json::object();
    EXPECT_THAT(read(wrong), FailsAt("/" + key, errors::kWrongType)) << key;
  }
}

TEST(Lineage, a_record_reads_back_to_itself_with_every_member) {
  const Json document = whole_lineage().document();
  EXPECT_EQ(whole_lineage().text(), JsonText(document));
  const auto again = LineageRecord::parse(document);
  ASSERT_THAT(again, Succeeds());
  EXPECT_EQ(again->document(), document);
  EXPECT_EQ(again->orphans, whole_lineage().orphans);
  EXPECT_EQ(document["work"][0]["work_done"][1], 18446744073709551615u);
  // What was not measured is not there, so that nobody takes it for a zero.
  EXPECT_FALSE(document["work"][1].contains("best_energy"));
  EXPECT_FALSE(document["work"][1].contains("time_to_best_ms"));
}

TEST(Lineage, what_was_stored_with_the_result_knows_no_orphans_and_is_read_all_the_same) {
  Json document = whole_lineage().document();
  document.erase("orphans");
  const auto again = LineageRecord::parse(document);
  ASSERT_THAT(again, Succeeds());
  EXPECT_THAT(again->orphans, SizeIs(0));
}

TEST(Lineage, a_damaged_member_is_named_with_its_place) {
  const auto read = [](const Json& document) {
    return LineageRecord::parse(document).map([](const LineageRecord& record) { return record.document(); });
  };
  expect_members_are_held_to(whole_lineage().document(),
                             {"lineage_id", "job_id", "spec_sha256", "work", "versions", "result_sha256", "created_at"},
                             read);
  expect_members_are_held_to(
      whole_work().document(), {"label", "round", "backend", "work_done"}, [](const Json& document) {
        return WorkRecord::parse(document, "").map([](const WorkRecord& r) { return r.document(); });
      });
  expect_members_are_held_to(
      whole_orphan().document(),
      {"token", "step", "attempt", "backend", "handle", "reason", "billed_usd_micros", "raw_sha256", "raw_media_type",
       "calibration_id", "intent_at", "found_at"},
      [](const Json& document) {
        return OrphanRecord::parse(document, "").map([](const OrphanRecord& r) { return r.document(); });
      });
  Json deep = whole_lineage().document();
  deep["work"][1]["round"] = -1;
  EXPECT_THAT(read(deep), FailsAt("/work/1/round", errors::kValueOutOfRange));
  deep = whole_lineage().document();
  deep["orphans"][0]["attempt"] = -1;
  EXPECT_THAT(read(deep), FailsAt("/orphans/0/attempt", errors::kValueOutOfRange));
}

TEST(Lineage, the_data_class_of_the_job_is_read_and_what_is_no_job_document_is_an_error) {
  const auto data_class = [](Json spec) { return LineageRecord{.spec = JsonText(spec)}.data_class(); };
  EXPECT_EQ(data_class({{"business", {{"data_class", "restricted"}}}}).value(), "restricted");
  EXPECT_EQ(data_class({{"name", "n"}}).value(), "");
  EXPECT_THAT(LineageRecord().data_class(), FailsWith(errors::kWrongType));
  EXPECT_THAT(data_class({{"business", "x"}}), FailsAt("/spec/business", errors::kWrongType));
  EXPECT_THAT(data_class({{"business", {{"data_class", 1}}}}),
              FailsAt("/spec/business/data_class", errors::kWrongType));
}

TEST(ReplayPackage, carries_any_bytes) {
  Bytes every;
  for (int i = 0; i < 256; ++i) every.push_back(static_cast<char>(i));
  const ReplayPackage package{.spec = {{"name", "n"}},
                              .plan = {{"digest", "d"}},
                              .work = {whole_work()},
                              .raw = {{"hash", every}, {"empty", ""}}};
  const auto again = ReplayPackage::parse(parse_json(package.document().dump(), "package").value());
  ASSERT_THAT(again, Succeeds());
  EXPECT_EQ(again->raw, package.raw);
  EXPECT_EQ(again->document(), package.document());
  Json damaged = package.document();
  damaged["raw"]["hash"] = 3;
  EXPECT_THAT(ReplayPackage::parse(damaged), FailsAt("/raw", errors::kWrongType));
  damaged["raw"]["hash"] = "not base64!";
  EXPECT_THAT(ReplayPackage::parse(damaged), FailsWith(errors::kBadEncoding));
}

TEST(Difference, equal_documents_have_none) {
  EXPECT_THAT(difference(whole_lineage().document(), whole_lineage().document()), SizeIs(0));
}

TEST(Difference, each_leaf_that_differs_is_one_line_with_its_path_and_both_values) {
  const Json a = {{"same", 1}, {"changed", {1, 2}}, {"only_a", "x"}, {"kind", Json::object()}, {"longer", {1}}};
  const Json b = {{"same", 1}, {"changed", {1, 3}}, {"only_b", true}, {"kind", 7}, {"longer", {1, 2}}};
  EXPECT_THAT(difference(a, b), ElementsAre("/changed/1: 2 / 3", "/kind: {} / 7", "/longer: [1] / [1,2]",
                                            "/only_a: \"x\" / null", "/only_b: null / true"));
  EXPECT_THAT(difference(1, 2), ElementsAre("/: 1 / 2"));
}

TEST(Difference, stays_short_whatever_is_compared) {
  Json a = Json::array();
  Json b = Json::array();
  for (int i = 0; i < 1000; ++i) {
    a.push_back(std::string(1000, 'a'));
    b.push_back(i);
  }
  const std::vector<std::string> lines = difference(a, b, 7);
  ASSERT_THAT(lines, SizeIs(7));
  // The quote and 59 characters of the text, and the rest is left out.
  EXPECT_EQ(lines[3], "/3: \"" + std::string(59, 'a') + "... / 3");
}

TEST(Difference, a_long_value_is_not_cut_inside_a_character) {
  for (std::size_t shift = 0; shift < 4; ++shift) {
    std::string text(shift, 'x');
    for (int i = 0; i < 30; ++i) text += "\xE2\x82\xAC";  // the euro sign, three bytes
    for (const std::string& line : difference(text, 1)) EXPECT_EQ(invalid_utf8_at(line), std::string::npos);
  }
}

}  // namespace
}  // namespace tandem::lineage
