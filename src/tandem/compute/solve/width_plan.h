// tandem/compute/solve/width_plan.h - which variables are optimised exactly together, and in what order they are eliminated.
//
// Room: compute, inside solve. Not here: the tables (width_tables.h), which plan follows which (width_search.h).
// Source: Bertele and Brioschi 1972, "Nonserial Dynamic Programming"; Dechter 1999, "Bucket elimination" (Artificial Intelligence 113);
// least degree first: Tinney and Walker 1967 (Proceedings of the IEEE 55).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/compute/solve/search_model.h"

namespace tandem::solve {

/// Calls `see(column, weight)` for every variable that i is coupled with.
template <class See>
void for_each_coupling(const SearchModel& model, std::size_t i, const See& see) {
  std::visit(
      [&](const auto& rows) {
        if constexpr (requires { rows.entries; }) {
          for (const auto& entry : rows.row(i)) see(std::size_t{entry.column}, std::int64_t{entry.weight});
        } else {
          const auto* row = rows.row(i);
          for (std::size_t j = 0; j < model.size(); ++j) {
            if (row[j] != 0) see(j, std::int64_t{rows.field(row[j])});
          }
        }
      },
      model.rows());
}

/// Steps in an order in which each comes after all that it is the child's bag of; a bag holds what is coupled with a step's variable,
/// or with what went before it, and goes later. Bit p of an index stands for entry p of the bag, which is in descending order.
struct WidthPlan {
  struct Step {
    std::uint32_t variable = 0;
    std::uint32_t bits = 0;  ///< size of the bag
    std::uint32_t bag = 0;  ///< where it begins in `bags`
    std::uint32_t edges = 0;  ///< and the couplings with it in `edges`, up to those of the next step
    std::uint32_t children = 0;  ///< likewise
    std::uint64_t table = 0;  ///< where its table begins, in bytes
    std::int64_t reach = 0;  ///< sum of all |couplings| within the plan
  };
  struct Edge {
    std::uint32_t position = 0;  ///< in the bag
    std::uint32_t step = 0;  ///< that stands there
    std::int64_t weight = 0;
  };
  struct Child {
    std::uint32_t step = 0;
    std::uint32_t mask = 0;  ///< which entries of this bag its own has; beside them it has this step's variable
  };
  std::vector<Step> steps;  ///< and one more that only ends the last one's ranges
  std::vector<std::uint32_t> bags;  ///< steps
  std::vector<Edge> edges;
  std::vector<Child> children;
  std::vector<std::uint32_t> fixed;  ///< variables that were left out
  std::uint64_t table_bytes = 0;
  std::uint32_t value_bytes = 1;  ///< 1, 2, 4 or 8: the narrowest type that holds every sum
  std::uint32_t bits_max = 0;
  std::uint32_t children_max = 0;

  std::size_t size() const { return steps.empty() ? 0 : steps.size() - 1; }
};

struct WidthLimits {
  std::size_t width = 10;  ///< of the bags; below kWidthBits
  std::uint64_t entries_max = UINT64_MAX;  ///< of all tables; a variable for which there is no more room is left out
  bool whole = false;  ///< leave nothing out, rather fail
};

/// Eliminates the variable of least degree, one a step, and leaves out one of many neighbours when that degree is above the width.
///
/// Threads: one. Cost: O(width^2) a step, and a pass over the couplings of the region at both ends.
class WidthPlanner {
 public:
  explicit WidthPlanner(const SearchModel& model) : model_(&model), place_(model.size(), kNowhere) {}
  /// Bytes beside the tables, of a planner and of `plans` plans of `variables` each.
  static std::uint64_t bytes(const SearchModel& model, std::size_t variables, std::size_t width, std::size_t plans);

  /// `region` holds distinct variables; of equal ones the last are left out first, and those of a thousand neighbours at once.
  void begin(std::span<const std::uint32_t> region, const WidthLimits& limits, std::uint64_t seed);
  /// One variable goes. False when none is left, or when it failed.
  bool step();
  bool failed() const { return failed_; }
  /// What was planned; every step was done and none failed. Empty where `stop` says so meanwhile.
  std::optional<WidthPlan> take(const std::function<bool()>& stop);

 private:
  static constexpr std::uint32_t kNowhere = UINT32_MAX;
  void put(std::uint32_t v);
  void remove(std::uint32_t v);
  void eliminate(std::uint32_t v);
  void leave_out(std::uint32_t v);
  std::uint32_t crowded();
  std::vector<std::uint32_t> post_order() const;
  static void measure(WidthPlan& plan);

  const SearchModel* model_;
  WidthLimits limits_;
  Xoshiro256 rng_{0};
  bool failed_ = false;
  std::vector<std::uint32_t> region_;
  std::vector<std::uint32_t> place_;  ///< of a variable in the region
  std::vector<std::vector<std::uint32_t>> links_;  ///< by place, ascending; of one that is gone: its bag
  std::vector<std::vector<std::uint32_t>> buckets_;  ///< by degree
  std::vector<std::uint32_t> slot_;  ///< of a place in its bucket
  std::vector<std::uint32_t> degree_;
  std::vector<std::uint32_t> order_;  ///< places as they went
  std::vector<std::uint32_t> left_out_;
  std::size_t remaining_ = 0;
  std::size_t least_ = 0;  ///< no bucket below it has any
  std::uint64_t entries_ = 0;  ///< of all tables
  std::vector<std::uint32_t> merged_;
};

}  // namespace tandem::solve
