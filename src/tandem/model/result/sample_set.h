// tandem/model/result/sample_set.h - SampleSet: scored assignments, best first.
//
// Room: model. Energies are those of the model that was sampled (always a minimum); business objectives are the problem's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/model/problem/vartype.h"

namespace tandem::result {

struct Sample {
  problem::Assignment values{};
  double energy = 0;
  std::uint64_t occurrences = 1;
  friend bool operator==(const Sample&, const Sample&) = default;
};

/// Shapes: samples sorted by (energy, values), equal assignments merged. Threads: immutable after create().
class SampleSet {
 public:
  static constexpr std::int64_t kVariablesMax = 10'000'000;  ///< as problem::Bqm

  SampleSet() = default;
  /// Sorts and merges. Sizes and values must agree with the arguments, and energies be finite and the same for equal
  /// assignments (asserted).
  static SampleSet create(problem::Vartype vartype, std::size_t num_variables, std::vector<Sample> samples);
  problem::Vartype vartype() const { return vartype_; }
  std::size_t num_variables() const { return num_variables_; }
  std::span<const Sample> samples() const { return samples_; }
  bool empty() const { return samples_.empty(); }
  const Sample& best() const { return samples_.front(); }
  std::uint64_t occurrences() const;
  /// {"kind":"sample_set","vartype","num_variables","samples":["0110..."],"energies":[],"occurrences":[]};
  /// character i is variable i: '0'/'1', for spins '0' is -1.
  Json document() const;
  /// Errors: those of ObjectReader; 1104 size_mismatch; 1030 bad_encoding; 1023 value_out_of_range - vartype,
  ///         occurrences, or two energies for one assignment.
  static Result<SampleSet> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const SampleSet&, const SampleSet&) = default;

 private:
  problem::Vartype vartype_ = problem::Vartype::kBinary;
  std::size_t num_variables_ = 0;
  std::vector<Sample> samples_;
};

}  // namespace tandem::result
