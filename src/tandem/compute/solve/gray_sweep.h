// tandem/compute/solve/gray_sweep.h - every assignment of a small model in Gray-code order, each one flip from the last.
//
// Room: compute, inside solve.
#pragma once

#include <cstdint>
#include <memory>

#include "tandem/compute/solve/archive.h"
#include "tandem/compute/solve/constraint_model.h"
#include "tandem/compute/solve/exact_order.h"
#include "tandem/compute/solve/polynomial_model.h"
#include "tandem/compute/solve/race.h"
#include "tandem/compute/solve/search_model.h"

namespace tandem::solve {

struct SweepOptions {
  std::size_t candidates_max = 16;
  std::uint64_t batch_units = 0;  ///< units that a batch counts; 0: one for each of its assignments
  const problem::Cqm* cqm = nullptr;  ///< whose constraints are kept
  const ConstraintModel* constraints = nullptr;
  FineOrder order{};
};

/// Threads: one. Cost: a flip an assignment.
class GraySweep {
 public:
  static constexpr std::size_t kVariablesMax = 32;
  static constexpr std::uint64_t kBatch = 1024;  ///< assignments a step: some 10 us

  virtual ~GraySweep() = default;
  /// As Strand::advance().
  virtual void advance(std::uint64_t units_end, const Watch& watch) = 0;
  std::uint64_t units() const { return units_; }
  bool done() const { return done_; }
  bool reached_target() const { return reached_target_; }
  const Archive& found() const { return archive_; }
  /// The best of found(), to the last digit; the optimum where done(). found() is not empty.
  const problem::Assignment& best_bits() const {
    return best_bits_.empty() ? archive_.candidates().front().bits : best_bits_;
  }

 protected:
  explicit GraySweep(std::size_t candidates_max) : archive_(candidates_max) {}
  std::uint64_t units_ = 0;
  bool done_ = false;
  bool reached_target_ = false;
  Archive archive_;
  problem::Assignment best_bits_;  ///< empty where the archive tells energies apart
};

std::unique_ptr<GraySweep> make_sweep(const SearchModel& model, const SweepOptions& options);
std::unique_ptr<GraySweep> make_sweep(const PolynomialModel& model, const SweepOptions& options);

/// A race's strand of nothing but a sweep.
class SweepStrand final : public Strand {
 public:
  explicit SweepStrand(std::unique_ptr<GraySweep> sweep) : sweep_(std::move(sweep)) {}
  void advance(std::uint64_t units_end, const Watch& watch) override { sweep_->advance(units_end, watch); }
  std::uint64_t units() const override { return sweep_->units(); }
  StrandState state() const override {
    if (sweep_->done()) return StrandState::kProved;
    return sweep_->reached_target() ? StrandState::kTarget : StrandState::kWorking;
  }
  const GraySweep& sweep() const { return *sweep_; }

 private:
  std::unique_ptr<GraySweep> sweep_;
};

}  // namespace tandem::solve
