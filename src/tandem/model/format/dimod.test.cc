#include "tandem/model/format/dimod.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::format {
namespace {

using problem::Vartype;

// Expected texts: dimod 0.12.23, SampleSet.from_samples(...).to_serializable(pack_samples=False) of the same samples.

TEST(Dimod, binary_samples_as_dimod_itself_writes_them) {
  const auto samples = result::SampleSet::create(
      Vartype::kBinary, 3,
      {{.values = {0, 1, 1}, .energy = 1.5, .occurrences = 3}, {.values = {1, 0, 0}, .energy = -2}});
  const Json expected =
      parse_json(
          R"({"type": "SampleSet", "version": {"sampleset_schema": "3.2.0"}, "num_variables": 3, "num_rows": 2,
      "sample_data": {"type": "array", "data": [[1, 0, 0], [0, 1, 1]], "data_type": "int8", "shape": [2, 3], "use_bytes": false},
      "sample_type": "int8", "sample_packed": false,
      "vectors": {"energy": {"type": "array", "data": [-2, 1.5], "data_type": "float64", "shape": [2], "use_bytes": false},
                  "num_occurrences": {"type": "array", "data": [1, 3], "data_type": "int64", "shape": [2], "use_bytes": false}},
      "variable_labels": ["a", "b", "c"], "variable_type": "BINARY", "info": {"solver": "tabu"}})",
          "dimod")
          .value();
  EXPECT_EQ(dimod_sample_set(samples, std::vector<std::string>{"a", "b", "c"}, {{"solver", "tabu"}}), expected);
}

TEST(Dimod, one_spin_sample_has_its_shape_as_a_list) {
  const auto samples = result::SampleSet::create(Vartype::kSpin, 2, {{.values = {1, -1}, .energy = -2}});
  const Json expected =
      parse_json(
          R"({"type": "SampleSet", "version": {"sampleset_schema": "3.2.0"}, "num_variables": 2, "num_rows": 1,
      "sample_data": {"type": "array", "data": [[1, -1]], "data_type": "int8", "shape": [1, 2], "use_bytes": false},
      "sample_type": "int8", "sample_packed": false,
      "vectors": {"energy": {"type": "array", "data": [-2], "data_type": "float64", "shape": [1], "use_bytes": false},
                  "num_occurrences": {"type": "array", "data": [1], "data_type": "int64", "shape": [1], "use_bytes": false}},
      "variable_labels": [0, 1], "variable_type": "SPIN", "info": {}})",
          "dimod")
          .value();
  EXPECT_EQ(dimod_sample_set(samples, {}, Json::object()), expected);
}

}  // namespace
}  // namespace tandem::format
