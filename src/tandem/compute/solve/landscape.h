// tandem/compute/solve/landscape.h - what annealing walks on: flip energies kept up to date under flips.
//
// Room: compute, inside solve. A landscape begins with all bits low at first_energy() and has size(), flip_energy(i), flip(i),
// bits() and flip_cost(), the work of a flip in visits. Sparse and dense quadratic models and polynomials of any order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tandem/compute/solve/polynomial_model.h"
#include "tandem/compute/solve/search_model.h"

namespace tandem::solve {

/// A quadratic model: keeps the field g_i = linear_i + sum_j w_ij x_j, which is what raising i would add.
///
/// Threads: one; the rows may be shared. Cost: flip() is one pass over a row.
template <class Rows>
class QuadraticLandscape {
 public:
  using Energy = typename Rows::Field;
  static constexpr bool kSparse = requires(Rows rows) { rows.entries; };

  QuadraticLandscape(const SearchModel& model, const Rows& rows) : rows_(&rows), bits_(model.size()) {
    fields_.assign(kSparse ? model.size() : padded(model.size()), 0);
    for (std::size_t i = 0; i < model.size(); ++i) fields_[i] = static_cast<Energy>(model.linear()[i]);
    // Measured: a list costs about a visit for two neighbours, a dense row one for sixteen.
    const std::uint64_t degree = model.num_entries() / std::max<std::size_t>(1, model.size());
    flip_cost_ = kSparse ? degree / 2 + 1 : fields_.size() / 16;
  }

  std::size_t size() const { return bits_.size(); }
  std::int64_t first_energy() const { return 0; }
  const problem::Assignment& bits() const { return bits_; }
  std::uint64_t flip_cost() const { return flip_cost_; }
  Energy flip_energy(std::size_t i) const { return bits_[i] != 0 ? -fields_[i] : fields_[i]; }

  void flip(std::size_t i) {
    const bool down = bits_[i] != 0;
    bits_[i] = static_cast<std::int8_t>(down ? 0 : 1);
    if constexpr (kSparse) {
      const auto row = rows_->row(i);
      if (down) {
        for (const auto& entry : row) fields_[entry.column] -= entry.weight;
      } else {
        for (const auto& entry : row) fields_[entry.column] += entry.weight;
      }
    } else {
      const Rows& rows = *rows_;
      const auto* row = rows.row(i);
      Energy* fields = fields_.data();
      const std::size_t count = fields_.size();
      if (down) {
        for (std::size_t j = 0; j < count; ++j) fields[j] -= rows.field(row[j]);
      } else {
        for (std::size_t j = 0; j < count; ++j) fields[j] += rows.field(row[j]);
      }
    }
  }

 private:
  const Rows* rows_;
  std::vector<Energy> fields_;
  problem::Assignment bits_;
  std::uint64_t flip_cost_ = 1;
};

/// A polynomial: keeps for each term how many of its factors are low (binary) or its sign (spins), and for each variable what
/// flipping it would add.
///
/// Threads: one. Cost: flip() is O(sum of the sizes of the terms of the variable).
class PolynomialLandscape {
 public:
  using Energy = std::int64_t;

  explicit PolynomialLandscape(const PolynomialModel& model);
  std::size_t size() const { return bits_.size(); }
  std::int64_t first_energy() const { return first_energy_; }
  const problem::Assignment& bits() const { return bits_; }
  std::uint64_t flip_cost() const { return flip_cost_; }
  Energy flip_energy(std::size_t i) const { return flip_energies_[i]; }
  void flip(std::size_t i);

 private:
  void flip_spin(std::size_t i);
  void flip_binary(std::size_t i);

  const PolynomialModel* model_;
  std::vector<std::int32_t> low_factors_;  ///< binary: per term, how many factors are 0; spins: parity of the low ones
  std::vector<Energy> flip_energies_;
  problem::Assignment bits_;
  std::int64_t first_energy_ = 0;
  std::uint64_t flip_cost_ = 1;
};

}  // namespace tandem::solve
