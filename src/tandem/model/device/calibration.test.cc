#include "tandem/model/device/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

namespace tandem::device {
namespace {

Calibration sample_calibration() {
  Calibration calibration{.device = "emu", .taken_at = Timestamp{1'764'000'000'123'456}};
  calibration.qubits = {{.t1_us = 120, .t2_us = 80.5, .readout_p01 = 0.01, .readout_p10 = 0.03}, {}};
  calibration.error_1q = 0.0005;
  calibration.error_2q = 0.01;
  calibration.duration_1q_us = 0.035;
  calibration.duration_2q_us = 0.3;
  calibration.duration_readout_us = 1;
  calibration.id = calibration.content_id();
  return calibration;
}

TEST(Calibration, document_reads_back) {
  const Calibration calibration = sample_calibration();
  EXPECT_EQ(Calibration::parse(calibration.document(), "").value(), calibration);
  EXPECT_EQ(calibration.document()["taken_at"], "2025-11-24T16:00:00.123456Z");
}

TEST(Calibration, id_is_20_characters_of_content) {
  Calibration calibration = sample_calibration();
  EXPECT_THAT(calibration.id, testing::MatchesRegex("cal_[0-9a-f]{16}"));
  calibration.id = "something else";
  EXPECT_EQ(calibration.content_id(), sample_calibration().id);
  calibration.qubits[1].readout_p10 = 0.25;
  EXPECT_NE(calibration.content_id(), sample_calibration().id);
}

TEST(Calibration, an_edited_document_is_refused) {
  Json document = sample_calibration().document();
  document["error_2q"] = 0.001;
  const auto result = Calibration::parse(document, "/calibration");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().number, errors::kValueOutOfRange);
  EXPECT_EQ(result.error().place, "/calibration/id");
}

TEST(Calibration, parse_names_the_place_of_the_error) {
  struct Case {
    std::function<void(Json&)> spoil;
    ErrorNumber number;
    std::string_view place;
  };
  const std::vector<Case> cases{
      {[](Json& d) { d["error_1q"] = 1.5; }, errors::kValueOutOfRange, "/c/error_1q"},
      {[](Json& d) { d["error_2q"] = -0.1; }, errors::kValueOutOfRange, "/c/error_2q"},
      {[](Json& d) { d["duration_1q_us"] = -1; }, errors::kValueOutOfRange, "/c/duration_1q_us"},
      {[](Json& d) { d["qubits"][1]["readout_p01"] = 2; }, errors::kValueOutOfRange, "/c/qubits/1/readout_p01"},
      {[](Json& d) { d["qubits"][0]["t3"] = 2; }, errors::kUnknownKey, "/c/qubits/0/t3"},
      {[](Json& d) { d["taken_at"] = "yesterday"; }, errors::kBadTimestamp, "/c/taken_at"},
      {[](Json& d) { d.erase("id"); }, errors::kMissingKey, "/c"},
      {[](Json& d) { d["device"] = 1; }, errors::kWrongType, "/c/device"},
  };
  for (const Case& c : cases) {
    Json document = sample_calibration().document();
    c.spoil(document);
    const auto result = Calibration::parse(document, "/c");
    ASSERT_FALSE(result.has_value()) << c.place;
    EXPECT_EQ(result.error().number, c.number) << result.error().to_string();
    EXPECT_EQ(result.error().place, c.place);
  }
}

Target sample_target() {
  return {.device = "emu",
          .num_qubits = 3,
          .gates = {circuit::Gate::kRz, circuit::Gate::kSx, circuit::Gate::kCx, circuit::Gate::kMeasure},
          .couplings = {{0, 1}, {1, 2}},
          .shots_max = 10'000};
}

TEST(Target, document_reads_back) {
  const Target target = sample_target();
  EXPECT_EQ(Target::parse(target.document(), "").value(), target);
  EXPECT_TRUE(target.document() ==
              Json::parse(R"({"device": "emu", "num_qubits": 3, "gates": ["rz", "sx", "cx", "measure"],
                              "couplings": [[0, 1], [1, 2]], "shots_max": 10000})"));
}

TEST(Target, parse_names_the_place_of_the_error) {
  struct Case {
    std::string_view key;
    std::string_view value;
    ErrorNumber number;
    std::string_view place;
  };
  for (const Case& c : {Case{"gates", R"(["rz", "rq"])", errors::kUnknownGate, "/t/gates/1"},
                        Case{"couplings", "[[0, 1], [1, 3]]", errors::kIndexOutOfRange, "/t/couplings/1"},
                        Case{"couplings", "[[1, 0]]", errors::kValueOutOfRange, "/t/couplings/0"},
                        Case{"couplings", "[[1, 1]]", errors::kValueOutOfRange, "/t/couplings/0"},
                        Case{"couplings", "[[0, 1], [0, 1]]", errors::kValueOutOfRange, "/t/couplings/1"},
                        Case{"couplings", "[[0, 1, 2]]", errors::kWrongType, "/t/couplings/0"},
                        Case{"couplings", "[[0, 0.5]]", errors::kWrongType, "/t/couplings/0"},
                        Case{"num_qubits", "5000", errors::kValueOutOfRange, "/t/num_qubits"},
                        Case{"shots", "1", errors::kUnknownKey, "/t/shots"}}) {
    Json document = sample_target().document();
    document[std::string(c.key)] = Json::parse(c.value);
    const auto result = Target::parse(document, "/t");
    ASSERT_FALSE(result.has_value()) << c.value;
    EXPECT_EQ(result.error().number, c.number) << result.error().to_string();
    EXPECT_EQ(result.error().place, c.place);
  }
}

}  // namespace
}  // namespace tandem::device
