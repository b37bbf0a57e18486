// tandem/compute/reduce/reduce.h - exact reductions of a Bqm to a fixpoint, and the reversible trail that lifts solutions back.
//
// Room: compute. Every rule keeps at least one optimum. Not here: heuristic freezing (hybrid/narrow).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/compute/reduce/roof.h"
#include "tandem/model/problem/bqm.h"

namespace tandem::reduce {

enum class TrailKind : std::uint8_t {
  kFix,  ///< value_[variable] = value
  kEqual,  ///< value_[variable] = value_[partner]
  kOpposite,  ///< value_[variable] = opposite of value_[partner]: value (high) where that is low, value_high (low) else
  kLeaf,  ///< value_[variable] follows one partner: value when that is low, value_high when it is high
  kPair,  ///< value_[variable] follows partner and partner2: 1 where the bit of `table` that they number is set, else value (low)
  kTriple,  ///< and partner3
};

/// One variable removed. Variables are those of the original model; values are of its vartype (low: 0 or -1, high: 1).
struct TrailEntry {
  TrailKind kind = TrailKind::kFix;
  std::uint32_t variable = 0;
  std::uint32_t partner = 0;
  std::int8_t value = 0;
  std::int8_t value_high = 0;
  std::uint8_t table = 0;  ///< bit 1 * (partner is high) + 2 * (partner2 is high) + 4 * (partner3 is high)
  std::uint32_t partner2 = 0;
  std::uint32_t partner3 = 0;
  /// "isolated", "dominance", "leaf", "equal_pair", "opposite_pair", "series", "star", "articulation", "roof", "roof_weak"
  std::string_view rule;
  friend bool operator==(const TrailEntry&, const TrailEntry&) = default;
};

/// The way back from a reduced model to the original one.
class Trail {
 public:
  static constexpr std::size_t kStepsMax = 100'000;  ///< in a document as arrays, of some 300 bytes each in memory
  explicit Trail(std::size_t num_variables = 0);
  /// Entries in the order of removal: a partner is removed later than the variable that follows it, or never.
  Trail(std::size_t num_variables, std::vector<TrailEntry> entries);
  std::span<const TrailEntry> entries() const { return entries_; }
  std::size_t num_variables() const { return num_variables_; }
  /// Original variables that are left, ascending: reduced variable i is remaining()[i].
  std::span<const std::uint32_t> remaining() const { return remaining_; }
  /// The original assignment of a reduced one.
  problem::Assignment lift(problem::AssignmentView reduced) const;
  /// {"proof_class": "exact", "num_variables", "remaining", "entries": n, "by_rule": {...}, "steps": [["fix", rule, variable, value],
  /// ["equal", rule, variable, partner], ["opposite" | "leaf", rule, variable, partner, value, value_high], ["pair", rule,
  /// variable, partner, partner2, value, table], ["triple", rule, variable, partner, partner2, partner3, value, table], ...]} - complete, so
  /// that lift can be repeated. More than kStepsMax steps are one text, a line a step with its parts apart by a space; there
  /// "fix rule variable value count" stands for that many steps with variables in a row.
  Json document() const;
  /// Errors: those of ObjectReader; 1023 value_out_of_range - a step that removes twice, follows a removed partner, or has
  ///         an unknown rule or value; "remaining" that does not follow from the steps; 1201 format_syntax - a line of the
  ///         text form, with its number.
  static Result<Trail> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const Trail&, const Trail&) = default;

 private:
  std::size_t num_variables_;
  std::vector<TrailEntry> entries_;
  std::vector<std::uint32_t> remaining_;
};

/// What a reduced model may be where doubles cannot hold it.
enum class Rounding : std::uint8_t { kRefused, kAllowed };

/// Energy is kept: reduced.energy(y) = original.energy(trail.lift(y)), within error_max.
struct Reduced {
  problem::Bqm model;
  Trail trail;
  double error_max = 0;  ///< 0: the same function to the last digit
};

/// What the exact rules made of a model, and what they know of its optimum.
struct Presolved {
  std::optional<Reduced> reduced;  ///< empty: the model stays as it is
  double bound = 0;  ///< no energy of the original model is below it
  RoofState roof = RoofState::kSkipped;  ///< of the last flow; also where its numbers do not fit
};

/// Applies all exact rules until none fires. With the field of a variable between lo and hi over all values of the others:
///   isolated       no couplings: takes its better value;
///   dominance      lo >= 0 or hi <= 0, which for spins is |linear| >= sum |biases|;
///   leaf           one coupling: follows its neighbour;
///   equal_pair     both unequal pairs of values are never better than one of the equal pairs;
///   opposite_pair  both equal pairs of values are never better than one of the unequal pairs;
///   series         two couplings: what it is at best is a field of each neighbour and a coupling between them;
///   star           three couplings, where what it is at best has no term in all three neighbours: three couplings between them,
/// and where none of these fires any more, again as long as one in 64 variables went meanwhile:
///   articulation   up to ten variables that hang on the rest by one: what they are at best is a field of that one (blocks.h);
///   roof           in all optima of what is left, by roof duality (roof.h);
///   roof_weak      in one of them.
/// Rounding: all decisions are made on integers (fixed_point.h); a model that fits no such grid stays as it is. What is left is
/// given back in doubles: where those cannot hold it, `rounding` says whether it may be rounded or the model stays as it is.
/// A stop throws Stopped (base/stopped.h): half a reduction cannot be repeated.
/// Cost: one pass over the terms for a model without a flow where nothing fires; near-linear in terms a round where something
/// does. The flow is limited in size and work by roof.h, and of more than 20,000 terms there is one only where a variable has
/// at most 32 couplings on average, or no cycle is frustrated: large dense models are what it fixes nothing in.
/// Source: Glover, Lewis, Kochenberger 2018, "Logical and inequality implications for reducing the size and difficulty of
/// quadratic unconstrained binary optimization problems" (EJOR 265), rules 1 to 3; the pairs are stated here by dominance. Series
/// and star are the least over one variable, written out; articulation is that over several.
/// What has other names elsewhere: first-order fixing (Hansen) is dominance; a folded node of two neighbours in an independent set
/// stated by penalties is series, then equal_pair. Components are not split: engines that profit do that themselves.
Presolved presolve(const problem::Bqm& bqm, Rounding rounding = Rounding::kRefused, const std::stop_token& stop = {});

/// The same to its end, with a copy of the model where nothing was removed.
Reduced reduce_exact(const problem::Bqm& bqm, Rounding rounding = Rounding::kRefused);

/// presolve() for other rooms, where a stop is an error: 1002 cancelled.
Result<Presolved> presolve_or_cancel(const problem::Bqm& bqm, Rounding rounding, const std::stop_token& stop);

/// Memory that presolve() needs beside the model at most; the trail, which stays, is a third of it.
std::uint64_t bytes_needed(const problem::Bqm& bqm);

}  // namespace tandem::reduce
