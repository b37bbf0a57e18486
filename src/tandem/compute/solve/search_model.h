// tandem/compute/solve/search_model.h - a Bqm as search works on it: integers over {0, 1}, couplings as rows.
//
// Room: compute, inside solve. Energies here are integers without offset, in steps of the greatest common divisor of all
// coefficients; objective() gives back those of the Bqm. Where the Bqm has no exact integer form its coefficients are rounded
// at 2^-50 of their sum: good for search, and samples() scores what was found with the Bqm itself.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <variant>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/compute/simd/aligned.h"
#include "tandem/compute/simd/isa.h"
#include "tandem/model/problem/bqm.h"

namespace tandem::solve {

/// Couplings of a sparse model: row i is entries[begin[i]] .. entries[begin[i + 1]].
template <class WeightType>
struct SparseRows {
  using Weight = WeightType;
  using Field = WeightType;
  struct Entry {
    std::uint32_t column = 0;
    Weight weight = 0;
  };
  std::vector<std::uint64_t> begin;
  std::vector<Entry> entries;

  std::span<const Entry> row(std::size_t i) const { return {entries.data() + begin[i], entries.data() + begin[i + 1]}; }
};

/// Couplings of a dense model: row i is weights[i * stride] .. , zero on the diagonal and beyond the variables. The coupling that a
/// weight stands for is field(weight).
template <class WeightType, class FieldType>
struct DenseRows {
  using Weight = WeightType;  ///< never the least value of its type, so that it can be negated
  using Field = FieldType;
  std::size_t stride = 0;  ///< variables rounded up to kDenseBlock
  int shift =
      0;  ///< bytes only: they are in steps of 1 << shift, for couplings are often even where a linear term is not
  simd::AlignedVector<Weight> weights{};

  const Weight* row(std::size_t i) const { return weights.data() + i * stride; }
  Field field(Weight weight) const {
    if constexpr (sizeof(Weight) == 1) return Field{weight} << shift;
    return weight;
  }
};

/// Dense loops run over whole blocks of this many variables.
inline constexpr std::size_t kDenseBlock = 64;
constexpr std::size_t padded(std::size_t n) { return (n + kDenseBlock - 1) / kDenseBlock * kDenseBlock; }

/// The narrowest type that holds every coupling, and in Field every sum of a row.
using Rows = std::variant<SparseRows<std::int32_t>, SparseRows<std::int64_t>, DenseRows<std::int8_t, std::int32_t>,
                          DenseRows<std::int16_t, std::int32_t>, DenseRows<std::int32_t, std::int32_t>,
                          DenseRows<std::int64_t, std::int64_t>>;

/// E(x) = sum_i linear[i] x_i + sum_{u<v} w_uv x_u x_v over x in {0, 1}; a spin model is carried over by s = 2x - 1.
///
/// Limits:  every |linear| + sum of |couplings| of a row is at most kLongFieldMax; with 32-bit fields at most kFieldMax.
/// Threads: immutable after create().
class SearchModel {
 public:
  static constexpr std::int64_t kFieldMax =
      std::int64_t{1} << 29;  ///< a quarter of an int32, so that two ranges of energies stand apart
  static constexpr std::int64_t kLongFieldMax = std::int64_t{1} << 61;  ///< as much of an int64

  /// Errors: 1004 out_of_memory - needs more than `memory_bytes_max`, before anything is allocated.
  /// Throws Stopped (base/stopped.h).
  static Result<SearchModel> create(const problem::Bqm& bqm, std::uint64_t memory_bytes_max,
                                    simd::Isa isa = simd::best_isa(), const std::stop_token& stop = {});

  std::size_t size() const { return linear_.size(); }
  problem::Vartype vartype() const { return vartype_; }  ///< of the Bqm
  std::span<const std::int64_t> linear() const { return linear_; }
  const Rows& rows() const { return rows_; }
  std::uint64_t num_entries() const { return num_entries_; }  ///< couplings, each counted from both ends
  bool dense() const { return rows_.index() >= 2; }
  simd::Isa isa() const { return isa_; }  ///< whose kernels searches on this model use
  /// Every energy is exactly that of the Bqm.
  bool exact() const { return exact_; }
  std::uint64_t bytes() const { return bytes_; }
  /// Pairs whose coupling became zero by rounding: variables that look apart and are not.
  struct Pair {
    std::uint32_t u = 0;
    std::uint32_t v = 0;
  };
  std::span<const Pair> lost_pairs() const { return lost_pairs_; }

  std::int64_t energy(problem::AssignmentView bits) const;
  /// The objective of an energy: exact, or within error_max() where exact() is false.
  double objective(std::int64_t energy) const;
  double error_max() const;
  /// A difference of objectives in steps of energy.
  double steps(double objective) const;
  /// Whether every objective is the double that Bqm::energy() gives, so that it need not be recomputed.
  bool objectives_are_doubles() const;
  /// The largest energy whose objective counts as <= `objective`, up to the rounding of sums of the same decimals, or
  /// error_max() where exact() is false. Empty when there can be none.
  std::optional<std::int64_t> energy_at_most(double objective) const;

 private:
  simd::Isa isa_ = simd::Isa::kPortable;
  problem::Vartype vartype_ = problem::Vartype::kBinary;
  std::vector<std::int64_t> linear_;
  Rows rows_;
  std::uint64_t num_entries_ = 0;
  std::vector<Pair> lost_pairs_;
  double coefficients_ = 0;  ///< of the Bqm, each rounded once where exact() is false
  std::int64_t quantum_ = 1;  ///< the greatest common divisor taken out
  problem::IntegerBqm scale_;  ///< decimals and offset only
  double unit_ = 1;  ///< objective of one integer step where exact() is false
  bool exact_ = true;
  std::int64_t magnitude_ = 0;  ///< sum of all |coefficients| of the integer form
  std::uint64_t bytes_ = 0;
};

}  // namespace tandem::solve
