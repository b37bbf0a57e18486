// tandem/model/result/outcome.h - Counts, Distribution and Expectation: three different things, never converted silently.
//
// Room: model. Bit order: bit i of an outcome is classical bit i; in text, character i is classical bit i (bit 0 is leftmost).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/result.h"

namespace tandem::result {

/// A table of distinct outcomes of `num_bits` bits, ascending, each `words()` little-endian 64-bit words.
class OutcomeTable {
 public:
  static constexpr std::uint32_t kBitsMax = 4096;
  explicit OutcomeTable(std::uint32_t num_bits = 0) : num_bits_(num_bits) {}
  std::uint32_t num_bits() const { return num_bits_; }
  std::size_t words() const { return (num_bits_ + 63) / 64; }
  std::size_t size() const { return words() == 0 ? 0 : bits_.size() / words(); }
  bool bit(std::size_t outcome, std::uint32_t index) const {
    return ((bits_[outcome * words() + index / 64] >> (index % 64)) & 1u) != 0;
  }
  std::span<const std::uint64_t> outcome(std::size_t index) const { return {bits_.data() + index * words(), words()}; }
  std::string text(std::size_t outcome) const;
  friend bool operator==(const OutcomeTable&, const OutcomeTable&) = default;

 protected:
  std::uint32_t num_bits_;
  std::vector<std::uint64_t> bits_;
};

/// Integer histogram of measured shots.
class Counts : public OutcomeTable {
 public:
  Counts() : OutcomeTable(0) {}
  /// From raw shots, one row of words each, any order.
  static Counts from_shots(std::uint32_t num_bits, std::span<const std::uint64_t> shots);
  /// From outcomes with their counts, any order; equal outcomes are added, counts of 0 dropped. outcomes: one row of words each.
  static Counts from_histogram(std::uint32_t num_bits, std::span<const std::uint64_t> outcomes,
                               std::span<const std::uint64_t> counts);
  /// From text outcomes. Errors: 1030 bad_encoding, 1104 size_mismatch, 1023 value_out_of_range (a count <= 0, or the sum above 2^63).
  static Result<Counts> create(std::uint32_t num_bits, std::vector<std::pair<std::string, std::int64_t>> entries);
  std::uint64_t count(std::size_t outcome) const { return counts_[outcome]; }
  std::uint64_t shots() const;
  Json document() const;  ///< {"kind":"counts","num_bits":3,"counts":{"100":512,...}}
  static Result<Counts> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const Counts&, const Counts&) = default;

 private:
  std::vector<std::uint64_t> counts_;
};

/// Probabilities. `exact`: computed, not negative, adding up to 1 within 1e-6; else what a vendor sent (quasi-probabilities).
class Distribution : public OutcomeTable {
 public:
  Distribution() : OutcomeTable(0) {}
  /// Errors: 1030 bad_encoding, 1104 size_mismatch, 1102 not_finite; 1023 value_out_of_range - an outcome twice and, where
  ///         `exact`, a negative probability or a sum that is not 1.
  static Result<Distribution> create(std::uint32_t num_bits, std::vector<std::pair<std::string, double>> entries,
                                     bool exact);
  double probability(std::size_t outcome) const { return probabilities_[outcome]; }
  bool exact() const { return exact_; }
  Json document() const;
  static Result<Distribution> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const Distribution&, const Distribution&) = default;

 private:
  std::vector<double> probabilities_;
  bool exact_ = false;
};

/// Mean and standard error of one observable. shots 0 and standard_error 0: computed exactly.
struct Expectation {
  double value = 0;
  double standard_error = 0;
  std::uint64_t shots = 0;
  Json document() const;
  static Result<Expectation> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const Expectation&, const Expectation&) = default;
};

}  // namespace tandem::result
