// tandem/compute/solve/labs_search.h - low autocorrelation binary sequences: the polynomials that state them, and their tabu search.
//
// Room: compute, inside solve. The energy of spins s_0 .. s_{n-1} is the sum over k = 1 .. n-1 of C_k^2 with C_k = sum_i s_i s_{i+k}.
#pragma once

#include <memory>
#include <optional>

#include "tandem/compute/simd/isa.h"
#include "tandem/compute/solve/tabu_search.h"
#include "tandem/model/problem/polynomial.h"

namespace tandem::solve {

/// A polynomial that is a positive multiple of the energy of sequences, and a constant.
class LabsForm {
 public:
  /// Empty unless the terms are exactly those of the energy of at least four spins: 2 s_a s_d for every a < d of even distance, and
  /// 4 s_a s_b s_c s_d for every a < b < c < d with a + d = b + c, all times one factor. Cost: O(terms).
  static std::optional<LabsForm> read(const problem::Polynomial& polynomial);

  std::size_t size() const { return size_; }
  double objective(std::int64_t energy) const { return constant_ + factor_ * static_cast<double>(energy - offset()); }
  /// The largest energy whose objective counts as <= `objective`; empty when there can be none.
  std::optional<std::int64_t> energy_at_most(double objective) const;

 private:
  std::int64_t offset() const { return static_cast<std::int64_t>(size_ * (size_ - 1) / 2); }  ///< of the energy

  std::size_t size_ = 0;
  double factor_ = 1;
  double constant_ = 0;
};

/// Tabu search on the energy of sequences of `num_spins` > 0, with short random tenures; bit 1 is spin +1. Source: Gallardo, Cotta,
/// Fernandez 2009, "Finding low autocorrelation binary sequences with memetic algorithms" (Applied Soft Computing 9): short tabu runs from
/// many starts. There a flip costs O(n^2) with the flip energies of all spins.
///
/// Threads: one.
/// Cost: O(num_spins) a flip, all flip energies included (labs_kernels.h), about 50 ns for 50 spins.
std::unique_ptr<TabuSearch> make_labs_search(std::size_t num_spins, simd::Isa isa);
std::uint64_t labs_search_bytes(std::size_t num_spins);

}  // namespace tandem::solve
