// tandem/compute/solve/annealing_search.h - simulated annealing, a step a visit of one variable.
//
// Room: compute, inside solve. Source: Kirkpatrick, Gelatt, Vecchi 1983 (Science 220). Temperatures come from the model: see
// Temperatures.
#pragma once

#include <memory>
#include <optional>

#include "tandem/compute/solve/archive.h"
#include "tandem/compute/solve/polynomial_model.h"
#include "tandem/compute/solve/race.h"
#include "tandem/compute/solve/search_model.h"

namespace tandem::solve {

/// In steps of integer energy. Hot is a share of the root mean square flip energy at a random assignment; cold one of the
/// smallest flip energies at a local optimum, so that hardly any is taken.
struct Temperatures {
  double hot = 1;
  double cold = 1;
};

/// Cost: two passes over the couplings, and those of a descent.
/// Throws Stopped (base/stopped.h).
Temperatures measure_temperatures(const SearchModel& model, const std::stop_token& stop = {});
Temperatures measure_temperatures(const PolynomialModel& model, const std::stop_token& stop = {});

struct AnnealingOptions {
  std::uint64_t seed = 1;
  std::uint64_t visit_units = 1;  ///< units that a visit counts
  std::uint64_t flip_units = 0;  ///< units that a flip counts beyond its visit, for each visit it is worth
  std::size_t candidates_max = 16;
  std::optional<Temperatures> temperatures{};  ///< those of another strand on the same model; empty: measured
};

/// One read: from an assignment through falling temperatures to a local optimum.
struct Read {
  std::uint64_t seed = 1;
  std::uint64_t sweeps = 1;
  const problem::Assignment* start = nullptr;  ///< bits; random where null
};

/// Read `number` of a search that goes on until stopped, after `done` reads of the same strand: a few of `sweeps_first`, then
/// of twice as many, and so on, so that the longest take about half of the time however long it is.
Read lengthening_read(std::uint64_t seed, std::uint64_t number, std::uint64_t done, std::uint64_t sweeps_first);
inline constexpr std::uint64_t kSweepsFirst = 64;

/// Threads: one; the model may be shared. Cost: O(1) a visit, a row a flip.
class AnnealingSearch {
 public:
  static std::unique_ptr<AnnealingSearch> create(const SearchModel& model, const AnnealingOptions& options);
  static std::unique_ptr<AnnealingSearch> create(const PolynomialModel& model, const AnnealingOptions& options);
  static std::uint64_t bytes(std::size_t num_variables, std::size_t candidates_max);
  virtual ~AnnealingSearch() = default;

  virtual void begin(const Read& read) = 0;
  /// Works on the read as Strand::advance() until it is done.
  virtual void advance(std::uint64_t units_end, const Watch& watch) = 0;
  bool done() const { return done_; }
  std::uint64_t units() const { return units_; }
  bool reached_target() const { return reached_target_; }
  std::int64_t energy() const { return energy_; }
  virtual problem::AssignmentView bits() const = 0;
  /// Best of all reads at the ends of sweeps.
  std::int64_t best_energy() const { return best_energy_; }
  /// What has been found up to the last step.
  virtual void collect(Archive& into) const = 0;

 protected:
  Temperatures temperatures_;
  std::uint64_t units_ = 0;
  bool done_ = true;
  bool reached_target_ = false;
  std::int64_t energy_ = 0;
  std::int64_t best_energy_ = INT64_MAX;
};

}  // namespace tandem::solve
