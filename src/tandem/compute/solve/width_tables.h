// tandem/compute/solve/width_tables.h - the tables of a plan: which flips of its variables together lower the energy most.
//
// Room: compute, inside solve. Works on flips of an assignment, so that all that stands still is in the flip energies:
// dE = sum_i d_i y_i + sum_{i<j} c_ij y_i y_j with d_i the flip energy, c_ij = s_i s_j w_ij and s = 1 - 2x. No flips cost nothing, so
// that what is found is never worse.
#pragma once

#include <memory>

#include "tandem/compute/solve/width_kernels.h"
#include "tandem/compute/solve/width_plan.h"

namespace tandem::solve {

/// Threads: one. Cost: a step of a bag of k variables is 2^k values, a block of 64 bytes some nanoseconds.
class WidthTables {
 public:
  explicit WidthTables(const SearchModel& model) : model_(&model) {}

  /// The plan must outlive the run. `fields`: what raising each variable would add.
  void begin(const WidthPlan& plan, std::span<const std::int64_t> fields, std::span<const std::int8_t> bits);
  bool done() const { return next_ == plan_->size(); }
  /// Eliminates the next variable. Returns how many blocks that took, one at least.
  std::uint64_t step();
  /// When done: the variables to flip, of an optimum in which every tie was broken at random.
  void trace(Xoshiro256& rng, std::vector<std::uint32_t>& flips);

 private:
  struct alignas(kWidthBlock) Block {
    std::byte bytes[kWidthBlock];
  };
  template <class Value>
  Value* table(std::uint32_t step) {
    return reinterpret_cast<Value*>(reinterpret_cast<std::byte*>(tables_.data()) + plan_->steps[step].table);
  }
  template <class Value>
  void eliminate(WidthKernel<Value> kernel);
  template <class Value>
  void trace_as(Xoshiro256& rng, std::vector<std::uint32_t>& flips);
  std::int64_t coupling(std::uint32_t step, const WidthPlan::Edge& edge) const {
    return highs_[step] == highs_[edge.step] ? edge.weight : -edge.weight;
  }

  const SearchModel* model_;
  const WidthPlan* plan_ = nullptr;
  std::vector<std::int64_t> rises_;  ///< by step: what flipping its variable adds, no more than its reach
  std::vector<std::int8_t> highs_;  ///< by step: the bit of its variable
  std::uint32_t next_ = 0;
  std::vector<Block> tables_;
  std::vector<WidthChild> children_;
  std::vector<std::int8_t> flipped_;  ///< by step
};

}  // namespace tandem::solve
