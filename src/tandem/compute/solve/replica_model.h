// tandem/compute/solve/replica_model.h - a quadratic model as annealing of many replicas side by side walks over it.
//
// Room: compute, inside solve. Variables keep their order; couplings of a variable that are equal stand together, so that its
// neighbours are counted as bytes and multiplied once.
#pragma once

#include <cstdint>
#include <vector>

#include "tandem/compute/solve/replica_kernels.h"
#include "tandem/compute/solve/search_model.h"

namespace tandem::solve {

/// Threads: immutable after the constructor; strands share it, and the SearchModel, which must outlive it.
class ReplicaModel {
 public:
  static constexpr std::size_t kExponentials = std::size_t{1} << 15;

  /// Whether lanes of 32 bits hold every field.
  static bool fits(const SearchModel& model);
  static std::uint64_t bytes(const SearchModel& model);  ///< at most, while it is built
  /// Needs fits(model). Throws Stopped (base/stopped.h).
  explicit ReplicaModel(const SearchModel& model, const std::stop_token& stop = {});

  const SearchModel& search_model() const { return *model_; }
  std::size_t size() const { return rows_.size(); }
  bool narrow() const { return narrow_; }  ///< lanes of 16 bits hold every field
  ReplicaWalk start() const { return {0, rows_.data(), runs_.data(), neighbours_.data()}; }
  /// Flipping all variables leaves the energy as it is: spins without fields.
  bool symmetric() const { return symmetric_; }
  /// kExponentials samples of the exponential distribution of mean 1.
  const float* exponentials() const { return exponentials_.data(); }
  /// Variables whose visit by all replicas takes some ten thousand sums: some microseconds.
  std::size_t variables_per_look() const { return variables_per_look_; }
  /// Time of a visit by all replicas in that of a visit of scalar annealing.
  std::uint64_t visit_cost() const { return visit_cost_; }

 private:
  const SearchModel* model_;
  bool narrow_ = true;
  bool symmetric_ = true;
  std::size_t variables_per_look_ = 1;
  std::uint64_t visit_cost_ = 1;
  std::vector<ReplicaRow> rows_;
  std::vector<ReplicaRun> runs_;
  std::vector<std::uint32_t> neighbours_;
  std::vector<float> exponentials_;
};

}  // namespace tandem::solve
