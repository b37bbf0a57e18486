// tandem/model/format/generate.h - instances that are made, not read: published generators and random graphs.
//
// Room: model. Same options, same instance, on every machine. Errors of all makers: 1023 value_out_of_range; 1103 model_too_large.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tandem/base/result.h"
#include "tandem/model/format/format.h"
#include "tandem/model/problem/problem.h"

namespace tandem::format {

struct Generated {
  problem::ProblemPtr problem;
  FileFormat format = FileFormat::kRudy;  ///< that users of such instances expect
  /// What makes it again, to be recorded in the file: "tandem generate torus --rows 3 --columns 4 --weights pm1 --seed 1".
  std::string command;
  std::optional<double> optimum = std::nullopt;  ///< objective of the best assignment, where the maker knows it
};

/// The QUBO instances p3000.1 .. p7000.3 of Palubeckis (Annals of Operations Research 131 (2004)), bit by bit; maximised.
///
/// Lehmer's generator s <- 16807 s mod (2^31 - 1), u = s / 2^31. Row by row: q_ii = trunc(201 u) - 100, then for every j > i
/// q_ij = trunc(201 u') - 100 where float32(100 u) <= density, else 0.
/// `tandem generate palubeckis --variables N --density PERCENT --seed SEED`
struct PalubeckisOptions {
  static constexpr std::uint32_t kVariablesMax = 20'000;
  std::uint32_t variables = 0;
  std::uint32_t density = 100;  ///< percent, 1 to 100
  std::uint32_t seed = 1;  ///< 1 to 2^31 - 2
  friend bool operator==(const PalubeckisOptions&, const PalubeckisOptions&) = default;
};
Result<Generated> generate_palubeckis(const PalubeckisOptions& options);
/// The options of "p3000.1" and its like; empty for other names.
std::optional<PalubeckisOptions> find_palubeckis(std::string_view name);

enum class EdgeWeights : std::uint8_t { kOne, kPlusMinusOne };
std::string_view to_string(EdgeWeights weights);  ///< "one", "pm1"
/// Errors: 1023 value_out_of_range.
Result<EdgeWeights> parse_edge_weights(std::string_view text);

/// A random graph in which every node has `degree` neighbours: the pairing model (Bollobas 1980), whose loops and double edges
/// are switched away; nearly, not exactly, uniform. Above half the nodes the complement is drawn. Cost: O(edges + degree^2).
/// `tandem generate regular --nodes N --degree D --weights one|pm1 --seed SEED`
struct RegularOptions {
  std::uint32_t nodes = 0;
  std::uint32_t degree = 3;
  EdgeWeights weights = EdgeWeights::kOne;
  std::uint64_t seed = 1;
};
Result<Generated> generate_regular(const RegularOptions& options);

/// Erdos-Renyi G(n, p): every pair is an edge with probability p. Cost: O(edges log(1/p)).
/// `tandem generate gnp --nodes N --probability P --weights one|pm1 --seed SEED`
struct GnpOptions {
  std::uint32_t nodes = 0;
  double probability = 0.5;
  EdgeWeights weights = EdgeWeights::kOne;
  std::uint64_t seed = 1;
};
Result<Generated> generate_gnp(const GnpOptions& options);

/// A grid whose opposite sides are joined; every node has four neighbours.
/// `tandem generate torus --rows R --columns C --weights one|pm1 --seed SEED`
struct TorusOptions {
  std::uint32_t rows = 0;  ///< at least 3
  std::uint32_t columns = 0;  ///< at least 3
  EdgeWeights weights = EdgeWeights::kPlusMinusOne;
  std::uint64_t seed = 1;
};
Result<Generated> generate_torus(const TorusOptions& options);

/// A periodic lattice in two or three dimensions whose optimum is known: its edges fall into tiles, no edge in two, and one state hidden
/// in the signs is best in every tile. A square has bonds 1, a, b, c with a, b, c drawn from 1 and 2 of which only the first wants to be
/// broken; a cube has twelve random signs, turned so that its best state is the hidden one. Source: Hamze, Jacob, Ochoa, Perera, Wang,
/// Katzgraber 2018, "From near to eternity: spin-glass planting, tiling puzzles, and constraint satisfaction problems" (Physical Review E
/// 97, 043303).
/// `tandem generate planted --rows R --columns C [--layers L] --seed SEED`
struct PlantedOptions {
  std::uint32_t rows = 0;  ///< even, at least 4; so are the others
  std::uint32_t columns = 0;
  std::uint32_t layers = 1;  ///< 1: a grid of squares
  std::uint64_t seed = 1;
};
Result<Generated> generate_planted(const PlantedOptions& options);

/// Low autocorrelation binary sequences: of `size` spins minimise the sum over k = 1 .. size-1 of (sum_i s_i s_{i+k})^2, as a polynomial
/// with about size^3 / 12 terms of order four. Source: Packebusch, Mertens 2016, "Low autocorrelation binary sequences" (Journal of Physics
/// A 49, 165001), with all optima up to 66 spins.
/// `tandem generate labs --size N`
struct LabsOptions {
  static constexpr std::uint32_t kSizeMax = 256;  ///< 1.4 million terms
  std::uint32_t size = 0;
};
Result<Generated> generate_labs(const LabsOptions& options);

}  // namespace tandem::format
