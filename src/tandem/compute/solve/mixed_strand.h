// tandem/compute/solve/mixed_strand.h - one strand that shares its time among tabu, annealing and a proof.
//
// Room: compute, inside solve. Which engine works next depends on the steps done and on shares set at round borders, never on
// time. A unit is about the time of one annealing visit, so that shares of units are shares of time.
#pragma once

#include <array>
#include <memory>

#include "tandem/compute/solve/annealing_search.h"
#include "tandem/compute/solve/exact_search.h"
#include "tandem/compute/solve/memetic_search.h"

namespace tandem::solve {

/// Units of the steps of each engine on one model, measured as multiples of an annealing visit.
struct StepUnits {
  std::uint64_t tabu_flip = 1;
  std::uint64_t node = 1;
  static StepUnits of(const SearchModel& model);
};

/// Shares of a strand's units; 0: the engine rests.
struct Shares {
  std::uint32_t tabu = 1;
  std::uint32_t annealing = 1;
  std::uint32_t exact = 0;
};

struct MixedOptions {
  std::uint64_t seed = 1;
  std::size_t candidates_max = 16;
  bool exact = false;  ///< this strand also proves
  Shares shares;
  std::optional<Temperatures> temperatures{};
  std::vector<problem::Assignment> starts{};  ///< bits
  FineOrder order{};  ///< for the proof
};

/// Threads: one at a time; between rounds whoever holds the race.
class MixedStrand final : public Strand {
 public:
  MixedStrand(const SearchModel& model, MixedOptions options);
  static std::uint64_t bytes(const SearchModel& model, std::size_t candidates_max, bool exact);

  void advance(std::uint64_t units_end, const Watch& watch) override;
  std::uint64_t units() const override;
  StrandState state() const override;

  std::int64_t tabu_best() const { return tabu_.best_energy(); }
  std::int64_t annealing_best() const { return annealing_->best_energy(); }
  const Temperatures& temperatures() const { return annealing_->temperatures(); }
  const ExactSearch* exact() const { return exact_.get(); }
  void set_shares(const Shares& shares) { shares_ = shares; }
  /// Best of the strand, empty before its first step.
  Archive best(std::size_t count) const;
  /// Takes in what others, or the other engines of this strand, have found.
  void offer(const Candidate& candidate);
  void collect(Archive& into) const;

 private:
  enum Engine : std::uint8_t { kExact, kTabu, kAnnealing, kEngines };
  std::uint64_t units_of(Engine engine) const;
  std::uint64_t share_of(Engine engine) const;
  Engine neediest() const;
  void work(Engine engine, std::uint64_t more, const Watch& strand_watch);

  std::uint64_t seed_;
  Shares shares_;
  std::unique_ptr<ExactSearch> exact_;
  MemeticSearch tabu_;
  std::unique_ptr<AnnealingSearch> annealing_;
  std::uint64_t reads_ = 0;
  Engine current_ = kTabu;
  std::uint64_t slice_end_ = 0;  ///< units() at which the next engine is chosen
};

}  // namespace tandem::solve
