// tandem/compute/solve/coloring_search.h - ColoringSearch: colourings without conflicts, of fewer and fewer colours, by local search.
//
// Room: compute, inside solve. Sources: Hertz, de Werra 1987, "Using tabu search techniques for graph coloring" (Computing 39); Galinier,
// Hao 1999, "Hybrid evolutionary algorithms for graph coloring" (J. Comb. Optim. 3): the crossover and the tenure; Moalic, Gondran 2018,
// "Variations on memetic algorithms for graph coloring problems" (J. Heuristics 24): two individuals and the elite of the last cycles.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/compute/simd/aligned.h"
#include "tandem/compute/simd/isa.h"
#include "tandem/compute/solve/coloring_core.h"
#include "tandem/compute/solve/coloring_form.h"
#include "tandem/compute/solve/coloring_kernels.h"
#include "tandem/compute/solve/race.h"

namespace tandem::solve {

/// Looks for a colouring with one colour less than the best, in the core that so many colours leave; or, where the colours are given, for
/// one of fewer conflicts. Two colourings are crossed with each other and improved by runs of tabu search, until they are the same;
/// then it begins anew with runs twice as long. A step is a move of a node to another colour; a unit is about one field looked at.
///
/// Threads: one; the form may be shared. Cost: a move looks at all colours of the nodes in conflict, and at the neighbours of one.
class ColoringSearch {
 public:
  /// `start`: colours below form.num_colors(), with or without conflicts.
  ColoringSearch(const ColoringForm& form, std::uint64_t seed, std::vector<std::uint32_t> start, simd::Isa isa);
  static std::uint64_t bytes(const ColoringForm& form);

  /// As Strand::advance(); not when done().
  void advance(std::uint64_t units_end, const Watch& watch);
  std::uint64_t units() const { return units_; }
  bool reached_target() const { return reached_target_; }
  /// There is nothing better: no conflict where colours are given, else one colour.
  bool done() const { return best_energy_ <= (form_.counts() ? 1 : 0); }
  std::int64_t best_energy() const { return best_energy_; }
  const std::vector<std::uint32_t>& best() const { return best_; }
  /// A colouring from elsewhere, better than the best.
  void offer(std::vector<std::uint32_t> colors);

 private:
  using Colors = std::vector<std::uint32_t>;  ///< of the core
  struct Individual {
    Colors colors;
    std::int64_t conflicts = INT64_MAX;
  };
  bool settle(Colors whole);  ///< a new best, of all nodes; true where it begins to look for something else
  void begin();  ///< two new individuals
  void begin_run(Colors colors);
  void end_run();
  void move();
  void recolor(std::uint32_t node, std::uint32_t color);
  void enter(std::uint32_t node);
  void leave(std::uint32_t node);
  void give_least(Colors& colors, std::vector<std::uint32_t>& nodes);  ///< colours for nodes that have none
  Colors cross(const Colors& a, const Colors& b);
  bool same(const Colors& a, const Colors& b) const;

  const ColoringForm& form_;
  const ColoringKernels& kernels_;
  Xoshiro256 rng_;
  std::uint64_t units_ = 0;
  bool reached_target_ = false;
  std::vector<std::uint32_t> best_;
  std::int64_t best_energy_ = INT64_MAX;

  // What is looked for.
  std::optional<ColoringCore> core_;
  std::uint32_t num_colors_ = 0;
  std::uint64_t run_length_ = 0;
  std::uint64_t generation_ = 0;
  std::size_t turn_ = 0;  ///< which of the two is improved
  Individual parents_[2];
  Individual children_[2];
  Individual elite_;  ///< of this cycle
  Individual elite_before_;

  // The run.
  Colors colors_;
  std::size_t stride_ = 0;
  simd::AlignedVector<std::int32_t> counts_;  ///< neighbours of each colour, a row a node
  simd::AlignedVector<std::int32_t> until_;
  std::vector<std::uint32_t> in_conflict_;
  std::vector<std::uint32_t> place_;  ///< in in_conflict_, or UINT32_MAX
  std::vector<std::int32_t> least_;
  std::int64_t conflicts_ = 0;
  std::uint64_t moves_ = 0;
  Individual best_of_run_;
};

}  // namespace tandem::solve
