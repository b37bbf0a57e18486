// tandem/hybrid/refine/polish.h - descent from a lifted solution to the nearest local minimum of the whole statement.
//
// Room: hybrid. A constrained solution first becomes feasible, then better, and stays feasible.
#pragma once

#include <cstdint>
#include <vector>

#include "tandem/model/problem/problem.h"

namespace tandem::refine {

/// Shapes: adjacency in compressed rows, built once for many starts. Threads: immutable.
class Polisher {
 public:
  /// `statement` must be a Bqm or a Cqm and outlive this (asserted).
  explicit Polisher(const problem::Statement& statement);

  /// Steepest one-flip descent; for a Cqm on (total violation, objective), with swaps of a one and a zero where no flip
  /// helps. Ends in a local minimum or after `moves_max` moves. Cost: O(n) a flip scan, O(n^2) a swap scan.
  problem::Assignment polish(problem::Assignment start, std::uint64_t moves_max) const;

 private:
  struct Walker;
  const problem::Bqm* objective_;
  const problem::Cqm* constrained_;  ///< null for a Bqm
  std::vector<std::size_t> row_begin_;
  std::vector<std::uint32_t> columns_;
  std::vector<double> biases_;
};

}  // namespace tandem::refine
