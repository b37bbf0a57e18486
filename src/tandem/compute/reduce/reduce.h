// tandem/compute/reduce/reduce.h - exact reductions of a Bqm to a fixpoint, and the reversible trail that lifts solutions back.
//
// Room: compute. Every rule keeps at least one optimum. Heuristic freezing (hybrid/narrow) writes into the same trail.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/model/problem/bqm.h"

namespace tandem::reduce {

/// What a trail entry rests on.
enum class ProofClass : std::uint8_t { kExact, kHeuristic };

enum class TrailKind : std::uint8_t {
  kFix,  ///< value_[variable] = value
  kEqual,  ///< value_[variable] = value_[partner]
  kOpposite,  ///< value_[variable] = opposite of value_[partner]: value (high) where that is low, value_high (low) else
  kLeaf,  ///< value_[variable] follows its only neighbour: value when partner is low, value_high when it is high
};

/// One variable removed. Variables are those of the original model; values are of its vartype (low: 0 or -1, high: 1).
struct TrailEntry {
  TrailKind kind = TrailKind::kFix;
  ProofClass proof = ProofClass::kExact;
  std::uint32_t variable = 0;
  std::uint32_t partner = 0;
  std::int8_t value = 0;
  std::int8_t value_high = 0;
  std::string_view rule;  ///< "dominance", "leaf", "equal_pair", "opposite_pair", "isolated", "backbone"
  friend bool operator==(const TrailEntry&, const TrailEntry&) = default;
};

/// The rules that a trail may name; all but "backbone" are exact.
std::span<const std::string_view> trail_rules();

/// The way back from a reduced model to the original one.
class Trail {
 public:
  explicit Trail(std::size_t num_variables = 0);
  /// Entries in the order of removal: a partner is removed later than the variable that follows it, or never.
  Trail(std::size_t num_variables, std::vector<TrailEntry> entries);
  /// Cost: O(num_variables); many entries at once belong into the constructor.
  void push(TrailEntry entry);
  std::span<const TrailEntry> entries() const { return entries_; }
  std::size_t num_variables() const { return num_variables_; }
  /// Original variables that are left, ascending: reduced variable i is remaining()[i].
  std::span<const std::uint32_t> remaining() const { return remaining_; }
  /// The original assignment of a reduced one.
  problem::Assignment lift(problem::AssignmentView reduced) const;
  bool exact() const;  ///< no heuristic entry
  /// {"num_variables", "remaining", "entries": n, "by_rule": {...}, "steps": [["fix", rule, variable, value],
  /// ["equal", rule, variable, partner], ["opposite" | "leaf", rule, variable, partner, value, value_high], ...]} - complete,
  /// so that lift can be repeated.
  Json document() const;
  /// Errors: those of ObjectReader; 1023 value_out_of_range - a step that removes twice, follows a removed partner, or has
  ///         an unknown rule or value; "remaining" that does not follow from the steps.
  static Result<Trail> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const Trail&, const Trail&) = default;

 private:
  std::size_t num_variables_;
  std::vector<TrailEntry> entries_;
  std::vector<std::uint32_t> remaining_;
};

/// Energy is kept: reduced.energy(y) = original.energy(trail.lift(y)).
struct Reduced {
  problem::Bqm model;
  Trail trail;
};

/// Applies all exact rules until none fires. With the field of a variable between lo and hi over all values of the others:
///   isolated       no couplings: takes its better value;
///   dominance      lo >= 0 or hi <= 0, which for spins is |linear| >= sum |biases|;
///   leaf           one coupling: follows its neighbour;
///   equal_pair     both unequal pairs of values are never better than one of the equal pairs;
///   opposite_pair  both equal pairs of values are never better than one of the unequal pairs.
/// Rounding: none where the coefficients are integers after scaling (Bqm::to_integer); elsewhere that of the sums.
/// Cost: one pass over the terms where nothing fires; near-linear in terms a round where something does.
/// Source: Glover, Lewis, Kochenberger 2018, "Logical and inequality implications for reducing the size and difficulty of
/// quadratic unconstrained binary optimization problems" (EJOR 265), rules 1 to 3; the pairs are stated here by dominance.
Reduced reduce_exact(const problem::Bqm& bqm);

/// Whether reduce_exact() would remove anything. Cost: one pass over the terms, and no copy of the model.
bool reducible(const problem::Bqm& bqm);

/// Fixes `variables` (of `reduced.model`) at `values` as heuristic entries and substitutes.
Reduced freeze(const Reduced& reduced, std::span<const std::uint32_t> variables, problem::AssignmentView values);

}  // namespace tandem::reduce
