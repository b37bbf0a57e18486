#include "tandem/model/format/dimod.h"

#include <utility>

#include "tandem/base/assert.h"

namespace tandem::format {
namespace {

constexpr std::string_view kSchema = "3.2.0";

/// dimod's form of a numpy array.
Json array_of(Json data, std::string_view data_type, Json shape) {
  return {{"type", "array"},
          {"data", std::move(data)},
          {"data_type", data_type},
          {"shape", std::move(shape)},
          {"use_bytes", false}};
}

}  // namespace

Json dimod_sample_set(const result::SampleSet& samples, std::span<const std::string> names, Json info) {
  const std::size_t num_variables = samples.num_variables();
  const std::size_t num_rows = samples.samples().size();
  TANDEM_ASSERT(names.empty() || names.size() == num_variables);
  Json rows = Json::array();
  Json energies = Json::array();
  Json occurrences = Json::array();
  for (const result::Sample& sample : samples.samples()) {
    rows.push_back(sample.values);
    energies.push_back(sample.energy);
    occurrences.push_back(sample.occurrences);
  }
  Json labels = Json::array();
  for (std::size_t i = 0; i < num_variables; ++i) {
    if (names.empty()) {
      labels.push_back(i);
    } else {
      labels.push_back(names[i]);
    }
  }
  return {{"type", "SampleSet"},
          {"version", {{"sampleset_schema", kSchema}}},
          {"num_variables", num_variables},
          {"num_rows", num_rows},
          {"sample_data", array_of(std::move(rows), "int8", {num_rows, num_variables})},
          {"sample_type", "int8"},
          {"sample_packed", false},
          {"vectors",
           {{"energy", array_of(std::move(energies), "float64", Json::array({num_rows}))},
            {"num_occurrences", array_of(std::move(occurrences), "int64", Json::array({num_rows}))}}},
          {"variable_labels", std::move(labels)},
          {"variable_type", samples.vartype() == problem::Vartype::kBinary ? "BINARY" : "SPIN"},
          {"info", std::move(info)}};
}

}  // namespace tandem::format
