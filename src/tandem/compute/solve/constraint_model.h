// tandem/compute/solve/constraint_model.h - linear constraints as search works on them: integer activities within bounds.
//
// Room: compute, inside solve. A constraint is scaled to integers: exactly where its coefficients are decimals, else rounded
// with room for the rounding, so that nothing feasible is ever refused. Cqm::feasible() has the last word on what is kept.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/model/problem/cqm.h"

namespace tandem::solve {

/// Threads: immutable.
class ConstraintModel {
 public:
  static constexpr std::int64_t kOpen = std::int64_t{1} << 60;  ///< a bound that is none: no activity is this far out
  struct Entry {
    std::uint32_t constraint = 0;
    std::int64_t coefficient = 0;
  };
  /// Feasible: low <= activity <= high.
  struct Range {
    std::int64_t low = 0;
    std::int64_t high = 0;
    double typical = 1;  ///< mean |coefficient|: the size of a step

    std::int64_t violation(std::int64_t activity) const {
      if (activity < low) return low - activity;
      return activity > high ? activity - high : 0;
    }
  };

  explicit ConstraintModel(const problem::Cqm& cqm);
  static std::uint64_t bytes(const problem::Cqm& cqm);
  std::span<const Range> ranges() const { return ranges_; }
  std::span<const Entry> of(std::size_t variable) const {
    return {entries_.data() + begin_[variable], entries_.data() + begin_[variable + 1]};
  }

 private:
  std::vector<Range> ranges_;
  std::vector<std::uint64_t> begin_;
  std::vector<Entry> entries_;
};

/// Activities kept up to date under flips, starting at all bits low. Threads: one.
class ConstraintState {
 public:
  explicit ConstraintState(const ConstraintModel& model) : model_(&model), activities_(model.ranges().size()) {
    for (std::size_t c = 0; c < activities_.size(); ++c) violated_ += model.ranges()[c].violation(0) > 0 ? 1 : 0;
  }
  bool feasible() const { return violated_ == 0; }
  std::int64_t activity(std::size_t constraint) const { return activities_[constraint]; }
  /// Cost: O(constraints of the variable).
  void flip(std::size_t variable, bool rises) {
    for (const auto& entry : model_->of(variable)) {
      const auto& range = model_->ranges()[entry.constraint];
      std::int64_t& activity = activities_[entry.constraint];
      const bool was = range.violation(activity) > 0;
      activity += rises ? entry.coefficient : -entry.coefficient;
      const bool is = range.violation(activity) > 0;
      violated_ += (is ? 1 : 0) - (was ? 1 : 0);
    }
  }

 private:
  const ConstraintModel* model_;
  std::vector<std::int64_t> activities_;
  std::int64_t violated_ = 0;
};

}  // namespace tandem::solve
