// tandem/compute/solve/engine.h - Engine: one search of a strand that shares its time among several; and their makers.
//
// Room: compute, inside solve.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "tandem/compute/solve/annealing_search.h"
#include "tandem/compute/solve/exact_search.h"
#include "tandem/compute/solve/memetic_search.h"
#include "tandem/compute/solve/replica_model.h"

namespace tandem::solve {

/// Threads: one at a time.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string_view name() const = 0;
  /// As Strand::advance(). A unit is about the time of one annealing visit, so that shares of units are shares of time.
  virtual void advance(std::uint64_t units_end, const Watch& watch) = 0;
  virtual std::uint64_t units() const = 0;
  /// kFinished: it rests, the others go on.
  virtual StrandState state() const = 0;
  /// The greatest number before it found anything.
  virtual std::int64_t best_energy() const = 0;
  /// What has been found up to the last step; units() > 0.
  virtual void collect(Archive& into) const = 0;
  /// An assignment found elsewhere, for it to work with where it can.
  virtual void offer(const Candidate& candidate) = 0;
  /// No assignment has an energy below this, where that is known.
  virtual std::optional<std::int64_t> bound() const { return std::nullopt; }
  /// Bits of the optimum in state kProved; null before.
  virtual const problem::Assignment* optimum() const { return nullptr; }
};

/// What all engines of a strand are told.
struct EngineOptions {
  std::uint64_t seed = 1;
  std::size_t candidates_max = 16;
  std::vector<problem::Assignment> starts{};  ///< bits
  std::stop_token stop{};  ///< while an engine is made: that throws Stopped (base/stopped.h)
};

/// Tabu runs and crossover.
std::unique_ptr<Engine> make_memetic_engine(const SearchModel& model, const EngineOptions& options);
std::unique_ptr<Engine> make_memetic_engine(const PolynomialModel& model, const EngineOptions& options);
/// On low autocorrelation binary sequences: random starts and children as well, but short runs.
std::unique_ptr<Engine> make_labs_engine(std::size_t num_spins, const EngineOptions& options, simd::Isa isa);
/// One replica, reads of growing length.
std::unique_ptr<Engine> make_annealing_engine(const SearchModel& model, const EngineOptions& options,
                                              const Temperatures& temperatures);
std::unique_ptr<Engine> make_annealing_engine(const PolynomialModel& model, const EngineOptions& options,
                                              const Temperatures& temperatures);
/// Many replicas at once, for sparse models.
std::unique_ptr<Engine> make_replica_engine(const ReplicaModel& model, const EngineOptions& options,
                                            const Temperatures& temperatures);
/// Many replicas at once as well, at temperatures that they exchange.
std::unique_ptr<Engine> make_tempering_engine(const ReplicaModel& model, const EngineOptions& options,
                                              const Temperatures& temperatures);
/// Exact moves of small elimination width, for sparse models. With `whole` it tries all of the model first. `exact`: equal energies of the
/// model are equal energies, so that its least one is a proof; else it ends in kFinished with a bound.
std::unique_ptr<Engine> make_width_engine(const SearchModel& model, const EngineOptions& options, bool whole,
                                          bool exact);
/// Branch and bound.
std::unique_ptr<Engine> make_exact_engine(const SearchModel& model, const EngineOptions& options, FineOrder order);

}  // namespace tandem::solve
