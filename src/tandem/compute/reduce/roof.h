// tandem/compute/reduce/roof.h - roof duality: a lower bound of a quadratic function, and variables that an optimum fixes.
//
// Room: compute, inside reduce. Integers only.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

#include "tandem/compute/reduce/max_flow.h"

namespace tandem::reduce {

struct RoofTerm {
  std::uint32_t u = 0;
  std::uint32_t v = 0;
  std::int64_t bias = 0;  ///< not 0
};

enum class Persistency : std::uint8_t {
  kNone,
  kStrong,  ///< in all optima
  kWeak,  ///< in one optimum, all of them together
};

enum class RoofState : std::uint8_t {
  kComplete,
  kBroken,  ///< at the limit of its work: the bound holds, nothing is fixed
  kSkipped,  ///< too large to begin: the bound is the sum of all terms at their lowest
};
std::string_view to_string(RoofState state);  ///< "complete", "broken", "skipped"

struct Roof {
  RoofState state = RoofState::kSkipped;
  std::int64_t bound = 0;
  std::vector<Persistency> persistencies;  ///< empty unless kComplete
  std::vector<std::int8_t> values;  ///< 1 or -1 where there is a persistency
};

/// E(s) = offset + sum_i fields_i s_i + sum_uv bias_uv s_u s_v over s in {-1, +1}. The implication network has a node for each
/// literal s_i and -s_i and is solved by maximum flow. Strong persistencies are what the source still reaches. Of the rest, a
/// strongly connected component of what room is left that reaches only components taken before, and not its own negation,
/// is taken as a whole (weak). Components of the model without fields are their own mirror image: one spin of each is held at 1
/// for the flow, and what follows from it is weak.
/// A model without frustration, of which every cycle of couplings has an even number of positive ones (after a change of signs
/// it is submodular), is solved to its optimum whatever its fields: the bound is reached and all variables are fixed.
/// The bound is raised to the next number that may be an energy, by the greatest common divisor of their differences.
///
/// Limits:  the sum of all |integers| is at most kRoofMagnitudeMax; above kRoofSizeMax variables and terms the flow is skipped.
/// Threads: one. A stop throws Stopped. Cost: linear where the flow is easy; broken off after kRoofWorkPerArc looks at each of 4 arcs a term.
/// Source: Hammer, Hansen, Simeone 1984 (Math. Program. 28); the network: Boros, Hammer, Sun 1991 (RUTCOR 17-91); weak
/// persistencies: Boros, Hammer, Sun, Tavares 2008 (Discrete Optimization 5).
Roof roof_of(std::int64_t offset, std::span<const std::int64_t> fields, std::span<const RoofTerm> terms,
             const std::stop_token& stop);

inline constexpr std::int64_t kRoofMagnitudeMax = std::int64_t{1} << 60;
inline constexpr std::uint64_t kRoofSizeMax = 1'000'000;  ///< a second, and 150 MB of network
inline constexpr std::uint64_t kRoofWorkPerArc = 40;

/// Memory that roof_of() needs at most.
std::uint64_t roof_bytes(std::uint64_t variables, std::uint64_t terms);

}  // namespace tandem::reduce
