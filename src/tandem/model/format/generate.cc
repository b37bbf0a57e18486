#include "tandem/model/format/generate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/base/text.h"
#include "tandem/model/problem/term_document.h"

namespace tandem::format {
namespace {

using problem::Bqm;
using problem::QuadraticTerm;

constexpr std::uint64_t kEdgesMax = 50'000'000;  // 800 MB of terms
constexpr std::uint64_t kNodesMax = Bqm::kVariablesMax;
constexpr std::uint64_t kStructureStream = 0;  // of derive_seed: edges and weights are drawn apart
constexpr std::uint64_t kWeightStream = 1;

struct Named {
  std::string_view name;
  PalubeckisOptions options;
};
constexpr std::array kPalubeckis{
    Named{"p3000.1", {3000, 50, 31000}},  Named{"p3000.2", {3000, 80, 32000}},  Named{"p3000.3", {3000, 80, 33000}},
    Named{"p3000.4", {3000, 100, 34000}}, Named{"p3000.5", {3000, 100, 35000}}, Named{"p4000.1", {4000, 50, 41000}},
    Named{"p4000.2", {4000, 80, 42000}},  Named{"p4000.3", {4000, 80, 43000}},  Named{"p4000.4", {4000, 100, 44000}},
    Named{"p4000.5", {4000, 100, 45000}}, Named{"p5000.1", {5000, 50, 51000}},  Named{"p5000.2", {5000, 80, 52000}},
    Named{"p5000.3", {5000, 80, 53000}},  Named{"p5000.4", {5000, 100, 54000}}, Named{"p5000.5", {5000, 100, 55000}},
    Named{"p6000.1", {6000, 50, 61000}},  Named{"p6000.2", {6000, 80, 62000}},  Named{"p6000.3", {6000, 100, 64000}},
    Named{"p7000.1", {7000, 50, 71000}},  Named{"p7000.2", {7000, 80, 72000}},  Named{"p7000.3", {7000, 100, 74000}}};

class Lehmer {
 public:
  explicit Lehmer(std::uint32_t seed) : state_(seed) {}
  /// In (0, 1): the state over 2^31, although the modulus is 2^31 - 1.
  double next() {
    state_ = state_ * 16807 % 2147483647;
    return static_cast<double>(state_) * 0x1p-31;
  }

 private:
  std::uint64_t state_;
};

Result<void> check_range(std::string_view flag, std::uint64_t value, std::uint64_t min, std::uint64_t max) {
  if (value >= min && value <= max) return {};
  return fail_at(fmt::format("--{}", flag), errors::kValueOutOfRange,
                 "{} is outside the limits; use an integer from {} to {}", value, min, max);
}

Result<void> check_edges(std::uint64_t edges) {
  if (edges <= kEdgesMax) return {};
  return fail(errors::kModelTooLarge, "the graph would have about {} edges, the limit is {}; make it smaller", edges,
              kEdgesMax);
}

/// The max-cut problem of edges, whose weights are drawn in order of (u, v).
Result<Generated> make_graph(std::size_t nodes, std::vector<QuadraticTerm> edges, EdgeWeights weights,
                             std::uint64_t seed, std::string command) {
  std::sort(edges.begin(), edges.end(),
            [](const QuadraticTerm& a, const QuadraticTerm& b) { return std::pair(a.u, a.v) < std::pair(b.u, b.v); });
  Xoshiro256 rng(derive_seed(seed, kWeightStream));
  for (QuadraticTerm& edge : edges) {
    edge.bias = weights == EdgeWeights::kPlusMinusOne && rng.below(2) == 0 ? -1 : 1;
  }
  TANDEM_TRY_ASSIGN(auto problem, problem::make_max_cut(nodes, std::move(edges)));
  command += fmt::format(" --weights {} --seed {}", to_string(weights), seed);
  return Generated{.problem = std::move(problem), .format = FileFormat::kRudy, .command = std::move(command)};
}

// ---- random regular graphs -----------------------------------------------------------------------------------------

/// How many edges join each pair of nodes: a hash table by linear probing, whose entries move up when one before them goes.
/// Cost: O(1) a call on average; 16 to 32 bytes an edge.
class EdgeCounts {
 public:
  explicit EdgeCounts(std::size_t num_edges) : slots_(std::bit_ceil(2 * num_edges + 2)), mask_(slots_.size() - 1) {}

  std::uint32_t count(std::uint32_t u, std::uint32_t v) const {
    const std::uint64_t slot = slots_[find(key(u, v))];
    return static_cast<std::uint32_t>(slot & kCountMask);
  }
  void add(std::uint32_t u, std::uint32_t v) {
    std::uint64_t& slot = slots_[find(key(u, v))];
    if (slot == 0) slot = key(u, v) << kCountBits;
    ++slot;
  }
  /// There is such an edge.
  void remove(std::uint32_t u, std::uint32_t v) {
    std::size_t hole = find(key(u, v));
    if ((--slots_[hole] & kCountMask) != 0) return;
    slots_[hole] = 0;
    for (std::size_t at = (hole + 1) & mask_; slots_[at] != 0; at = (at + 1) & mask_) {
      // What would be found from before the hole moves into it.
      const std::size_t home = home_of(slots_[at] >> kCountBits);
      if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
      slots_[hole] = std::exchange(slots_[at], 0);
      hole = at;
    }
  }

 private:
  static constexpr int kCountBits =
      14;  // edges between two nodes; more than 16,000 of one pair are not drawn by chance
  static constexpr std::uint64_t kCountMask = (std::uint64_t{1} << kCountBits) - 1;

  static std::uint64_t key(std::uint32_t u, std::uint32_t v) {
    static_assert(std::uint64_t{kNodesMax} < std::uint64_t{1} << ((64 - kCountBits) / 2));
    return std::uint64_t{std::min(u, v)} << ((64 - kCountBits) / 2) | std::max(u, v);
  }
  std::size_t home_of(std::uint64_t key) const {
    key = (key ^ key >> 29) * 0xbf58476d1ce4e5b9;  // the mixer of splitmix64
    return static_cast<std::size_t>(key ^ key >> 32) & mask_;
  }
  /// The slot of `key`, or the empty one where it belongs.
  std::size_t find(std::uint64_t key) const {
    std::size_t at = home_of(key);
    while (slots_[at] != 0 && slots_[at] >> kCountBits != key) at = (at + 1) & mask_;
    return at;
  }

  std::vector<std::uint64_t> slots_;  ///< key and count; 0: empty, for a key of two different nodes is not 0
  std::size_t mask_;
};

/// A pairing of nodes x degree points; point p belongs to node p / degree, and each pair of points is an edge.
class Pairing {
 public:
  Pairing(std::uint32_t nodes, std::uint32_t degree, Xoshiro256& rng)
      : degree_(degree), mate_(std::size_t{nodes} * degree), counts_(0), rng_(rng) {}

  /// Pairs at random, then switches away loops and double edges. False when that gets stuck.
  bool draw() {
    std::vector<std::uint32_t> points(mate_.size());
    for (std::size_t p = 0; p < points.size(); ++p) points[p] = static_cast<std::uint32_t>(p);
    for (std::size_t left = points.size(); left > 1; --left) std::swap(points[left - 1], points[rng_.below(left)]);
    counts_ = EdgeCounts(points.size() / 2);
    for (std::size_t k = 0; k + 1 < points.size(); k += 2) join(points[k], points[k + 1]);
    for (std::size_t p = 0; p < mate_.size(); ++p) {
      const auto point = static_cast<std::uint32_t>(p);
      for (int attempt = 0; is_bad(point); ++attempt) {
        if (attempt == kSwitchesMax) return false;
        switch_with(point, static_cast<std::uint32_t>(rng_.below(mate_.size())));
      }
    }
    return true;
  }

  std::vector<QuadraticTerm> edges() const {
    std::vector<QuadraticTerm> edges;
    for (std::size_t p = 0; p < mate_.size(); ++p) {
      const auto point = static_cast<std::uint32_t>(p);
      if (node(point) < node(mate_[p])) edges.push_back({node(point), node(mate_[p]), 1});
    }
    return edges;
  }

 private:
  static constexpr int kSwitchesMax = 1000;  // a random switch works nearly always unless the graph is tiny

  std::uint32_t node(std::uint32_t point) const { return point / degree_; }
  void join(std::uint32_t p, std::uint32_t q) {
    mate_[p] = q;
    mate_[q] = p;
    if (node(p) != node(q)) counts_.add(node(p), node(q));
  }
  /// The edge of p is about to be replaced.
  void part(std::uint32_t p) {
    if (node(p) != node(mate_[p])) counts_.remove(node(p), node(mate_[p]));
  }
  bool is_bad(std::uint32_t p) const { return node(p) == node(mate_[p]) || counts_.count(node(p), node(mate_[p])) > 1; }
  /// Replaces the edges p-q and r-s by p-r and q-s where both are new: every switch removes a bad edge and makes none.
  void switch_with(std::uint32_t p, std::uint32_t r) {
    const std::uint32_t q = mate_[p];
    const std::uint32_t s = mate_[r];
    if (p == r || q == r) return;
    const std::uint32_t a = node(p);
    const std::uint32_t b = node(q);
    const std::uint32_t c = node(r);
    const std::uint32_t d = node(s);
    if (a == c || b == d || (a == d && b == c) || (a == b && c == d)) return;
    if (counts_.count(a, c) > 0 || counts_.count(b, d) > 0) return;
    part(p);
    part(r);
    join(p, r);
    join(q, s);
  }

  std::uint32_t degree_;
  std::vector<std::uint32_t> mate_;
  EdgeCounts counts_;
  Xoshiro256& rng_;
};

/// All pairs of nodes that `edges` lacks.
std::vector<QuadraticTerm> complement(std::uint32_t nodes, const std::vector<QuadraticTerm>& edges) {
  std::vector<std::vector<std::uint32_t>> above(nodes);
  for (const QuadraticTerm& edge : edges) above[edge.u].push_back(edge.v);
  std::vector<QuadraticTerm> out;
  for (std::uint32_t u = 0; u < nodes; ++u) {
    std::sort(above[u].begin(), above[u].end());
    auto skip = above[u].begin();
    for (std::uint32_t v = u + 1; v < nodes; ++v) {
      if (skip != above[u].end() && *skip == v) {
        ++skip;
      } else {
        out.push_back({u, v, 1});
      }
    }
  }
  return out;
}

// ---- Erdos-Renyi ---------------------------------------------------------------------------------------------------

/// Draws how many pairs to skip before the next edge: P(skip = g) = p q^g with q = 1 - p.
///
/// The binary digits of a geometric number are independent, digit k being 1 with probability q^(2^k) / (1 + q^(2^k)): the
/// product over all digits telescopes to p q^g. Only products and quotients, so every machine draws the same.
class GeometricSkip {
 public:
  explicit GeometricSkip(double p) {
    double power = 1 - p;
    for (int digit = 0; digit < kDigitsMax && power > 0x1p-60; ++digit, power *= power) {
      chance_.push_back(power / (1 + power));
    }
  }
  std::uint64_t draw(Xoshiro256& rng) const {
    std::uint64_t skip = 0;
    for (std::size_t digit = 0; digit < chance_.size(); ++digit) {
      skip |= static_cast<std::uint64_t>(rng.uniform() < chance_[digit] ? 1 : 0) << digit;
    }
    return skip;
  }

 private:
  static constexpr int kDigitsMax = 48;  // more pairs than 10 million nodes have
  std::vector<double> chance_;
};

// ---- planted lattices ----------------------------------------------------------------------------------------------

/// A lattice of even sides, joined at the ends. One layer: two dimensions.
struct Lattice {
  std::uint32_t sides[3];  ///< layers, rows, columns
  std::uint32_t node(const std::array<std::uint32_t, 3>& at) const {
    return (at[0] % sides[0] * sides[1] + at[1] % sides[1]) * sides[2] + at[2] % sides[2];
  }
  bool flat() const { return sides[0] == 1; }
  /// Every edge is in one tile whose least corner has coordinates of one parity.
  bool begins_tile(const std::array<std::uint32_t, 3>& at) const {
    return at[1] % 2 == at[2] % 2 && (flat() || at[0] % 2 == at[1] % 2);
  }
};

/// Corners of a square or a cube by the bits of their number, and the edges between those that differ in one bit.
class Tile {
 public:
  explicit Tile(bool flat) : num_corners_(flat ? 4 : 8) {
    for (std::uint32_t a = 0; a < num_corners_; ++a) {
      for (std::uint32_t bit = 1; bit < num_corners_; bit *= 2) {
        if ((a & bit) == 0) edges_.push_back({a, a | bit, 1});
      }
    }
  }
  std::uint32_t num_corners() const { return num_corners_; }
  std::span<const QuadraticTerm> edges() const { return edges_; }

  /// Draws weights for which no state has a lower sum of w s s than all corners alike.
  void draw(Xoshiro256& rng) {
    if (num_corners_ == 4) {
      const std::uint64_t broken = rng.below(edges_.size());
      for (std::size_t e = 0; e < edges_.size(); ++e)
        edges_[e].bias = e == broken ? 1 : -1 - static_cast<double>(rng.below(2));
      return;
    }
    for (QuadraticTerm& edge : edges_) edge.bias = rng.below(2) == 0 ? -1 : 1;
    std::uint32_t best = 0;
    for (std::uint32_t state = 0; state < 1u << num_corners_; ++state) {
      if (energy(state) < energy(best)) best = state;
    }
    for (QuadraticTerm& edge : edges_) {
      if ((best >> edge.u & 1) != (best >> edge.v & 1)) edge.bias = -edge.bias;
    }
  }

 private:
  double energy(std::uint32_t state) const {
    double sum = 0;
    for (const QuadraticTerm& edge : edges_)
      sum += (state >> edge.u & 1) == (state >> edge.v & 1) ? edge.bias : -edge.bias;
    return sum;
  }

  std::uint32_t num_corners_;
  std::vector<QuadraticTerm> edges_;
};

}  // namespace

std::string_view to_string(EdgeWeights weights) { return weights == EdgeWeights::kOne ? "one" : "pm1"; }

Result<EdgeWeights> parse_edge_weights(std::string_view text) {
  for (const EdgeWeights weights : {EdgeWeights::kOne, EdgeWeights::kPlusMinusOne}) {
    if (text == to_string(weights)) return weights;
  }
  return fail_at("--weights", errors::kValueOutOfRange, "{} is no kind of weights; use 'one', or 'pm1' for +1 and -1",
                 quote(text));
}

std::optional<PalubeckisOptions> find_palubeckis(std::string_view name) {
  for (const Named& named : kPalubeckis) {
    if (named.name == name) return named.options;
  }
  return std::nullopt;
}

Result<Generated> generate_palubeckis(const PalubeckisOptions& options) {
  TANDEM_TRY(check_range("variables", options.variables, 1, PalubeckisOptions::kVariablesMax));
  TANDEM_TRY(check_range("density", options.density, 1, 100));
  TANDEM_TRY(check_range("seed", options.seed, 1, 2147483646));
  Lehmer lehmer(options.seed);
  const auto coefficient = [&] { return std::trunc(201 * lehmer.next()) - 100; };
  const auto density = static_cast<float>(options.density);
  const std::uint64_t pairs = std::uint64_t{options.variables} * (options.variables - 1) / 2;
  std::vector<double> linear(options.variables);
  std::vector<QuadraticTerm> terms;
  terms.reserve(pairs * options.density / 100 + pairs / 100);
  for (std::uint32_t i = 0; i < options.variables; ++i) {
    linear[i] = coefficient();
    for (std::uint32_t j = i + 1; j < options.variables; ++j) {
      if (static_cast<float>(100 * lehmer.next()) > density) continue;
      if (const double q = coefficient(); q != 0) terms.push_back({i, j, 2 * q});  // x'Qx holds q_ij and q_ji
    }
  }
  TANDEM_TRY_ASSIGN(Bqm bqm, Bqm::create(problem::Vartype::kBinary, std::move(linear), std::move(terms), 0));
  return Generated{.problem = problem::make_qubo(std::move(bqm), problem::Sense::kMax),
                   .format = FileFormat::kSparse,
                   .command = fmt::format("tandem generate palubeckis --variables {} --density {} --seed {}",
                                          options.variables, options.density, options.seed)};
}

Result<Generated> generate_regular(const RegularOptions& options) {
  const std::uint32_t nodes = options.nodes;
  TANDEM_TRY(check_range("nodes", nodes, 1, kNodesMax));
  TANDEM_TRY(check_range("degree", options.degree, 0, nodes - 1));
  if (std::uint64_t{nodes} * options.degree % 2 != 0) {
    return fail_at("--degree", errors::kValueOutOfRange,
                   "{} nodes of degree {} have an odd number of ends; make one of the two even", nodes, options.degree);
  }
  TANDEM_TRY(check_edges(std::uint64_t{nodes} * options.degree / 2));
  // Above half the nodes, the graph that is left out is the sparser one.
  const bool inverted = options.degree > (nodes - 1) / 2;
  const std::uint32_t degree = inverted ? nodes - 1 - options.degree : options.degree;
  std::vector<QuadraticTerm> edges;
  if (degree > 0) {
    Xoshiro256 rng(derive_seed(options.seed, kStructureStream));
    Pairing pairing(nodes, degree, rng);
    while (!pairing.draw()) {
    }
    edges = pairing.edges();
  }
  if (inverted) edges = complement(nodes, edges);
  return make_graph(nodes, std::move(edges), options.weights, options.seed,
                    fmt::format("tandem generate regular --nodes {} --degree {}", nodes, options.degree));
}

Result<Generated> generate_gnp(const GnpOptions& options) {
  const std::uint64_t nodes = options.nodes;
  constexpr double kProbabilityMin = 1e-12;  // below it no graph within the limits has an edge
  TANDEM_TRY(check_range("nodes", nodes, 1, kNodesMax));
  const double p = options.probability;
  if (!(p == 0 || (p >= kProbabilityMin && p <= 1))) {
    return fail_at("--probability", errors::kValueOutOfRange,
                   "{} is outside the limits; use 0, or a number from {} to 1", p, kProbabilityMin);
  }
  const std::uint64_t pairs = nodes * (nodes - 1) / 2;
  TANDEM_TRY(check_edges(static_cast<std::uint64_t>(static_cast<double>(pairs) * p)));
  std::vector<QuadraticTerm> edges;
  if (p > 0) {
    Xoshiro256 rng(derive_seed(options.seed, kStructureStream));
    const GeometricSkip skip(p);
    std::uint64_t u = 0;
    std::uint64_t in_row = 0;  // the pair (u, u + 1 + in_row) is the next candidate
    while (true) {
      in_row += skip.draw(rng);
      while (u + 1 < nodes && in_row >= nodes - 1 - u) in_row -= nodes - 1 - u++;
      if (u + 1 >= nodes) break;
      edges.push_back({static_cast<std::uint32_t>(u), static_cast<std::uint32_t>(u + 1 + in_row), 1});
      ++in_row;
    }
  }
  return make_graph(nodes, std::move(edges), options.weights, options.seed,
                    fmt::format("tandem generate gnp --nodes {} --probability {}", nodes, problem::plain_number(p)));
}

Result<Generated> generate_torus(const TorusOptions& options) {
  const std::uint64_t rows = options.rows;
  const std::uint64_t columns = options.columns;
  TANDEM_TRY(check_range("rows", rows, 3, kNodesMax));
  TANDEM_TRY(check_range("columns", columns, 3, kNodesMax));
  if (rows * columns > kNodesMax) {
    return fail(errors::kModelTooLarge, "{} x {} nodes are more than the limit of {}; make the grid smaller", rows,
                columns, kNodesMax);
  }
  TANDEM_TRY(check_edges(2 * rows * columns));
  std::vector<QuadraticTerm> edges;
  edges.reserve(2 * rows * columns);
  const auto node = [&](std::uint64_t row, std::uint64_t column) {
    return static_cast<std::uint32_t>(row % rows * columns + column % columns);
  };
  for (std::uint64_t row = 0; row < rows; ++row) {
    for (std::uint64_t column = 0; column < columns; ++column) {
      const std::uint32_t here = node(row, column);
      for (const std::uint32_t other : {node(row, column + 1), node(row + 1, column)}) {
        edges.push_back({std::min(here, other), std::max(here, other), 1});
      }
    }
  }
  return make_graph(rows * columns, std::move(edges), options.weights, options.seed,
                    fmt::format("tandem generate torus --rows {} --columns {}", rows, columns));
}

Result<Generated> generate_planted(const PlantedOptions& options) {
  const auto check_side = [](std::string_view flag, std::uint64_t value) -> Result<void> {
    TANDEM_TRY(check_range(flag, value, 4, kNodesMax));
    if (value % 2 == 0) return {};
    return fail_at(fmt::format("--{}", flag), errors::kValueOutOfRange, "{} is odd; tiles need even sides", value);
  };
  TANDEM_TRY(check_side("rows", options.rows));
  TANDEM_TRY(check_side("columns", options.columns));
  if (options.layers != 1) TANDEM_TRY(check_side("layers", options.layers));
  const std::uint64_t layer = std::uint64_t{options.rows} * options.columns;
  if (layer > kNodesMax || layer * options.layers > kNodesMax) {
    return fail(errors::kModelTooLarge, "{} x {} x {} nodes are more than the limit of {}; make the lattice smaller",
                options.layers, options.rows, options.columns, kNodesMax);
  }
  const std::uint64_t nodes = layer * options.layers;
  TANDEM_TRY(check_edges((options.layers == 1 ? 2 : 3) * nodes));
  const Lattice lattice{{options.layers, options.rows, options.columns}};
  Xoshiro256 hidden_rng(derive_seed(options.seed, kStructureStream));
  std::vector<std::uint8_t> hidden(nodes);
  for (std::uint8_t& side : hidden) side = hidden_rng() >> 63 != 0 ? 1 : 0;
  Xoshiro256 rng(derive_seed(options.seed, kWeightStream));
  Tile tile(lattice.flat());
  std::vector<QuadraticTerm> edges;
  edges.reserve((lattice.flat() ? 2 : 3) * nodes);
  double optimum = 0;
  std::array<std::uint32_t, 3> at{};
  for (at[0] = 0; at[0] < lattice.sides[0]; ++at[0]) {
    for (at[1] = 0; at[1] < lattice.sides[1]; ++at[1]) {
      for (at[2] = 0; at[2] < lattice.sides[2]; ++at[2]) {
        if (!lattice.begins_tile(at)) continue;
        tile.draw(rng);
        for (const QuadraticTerm& edge : tile.edges()) {
          const auto corner = [&](std::uint32_t bits) {
            return lattice.node({at[0] + (bits >> 2), at[1] + (bits >> 1 & 1), at[2] + (bits & 1)});
          };
          const std::uint32_t u = corner(edge.u);
          const std::uint32_t v = corner(edge.v);
          const double weight = hidden[u] == hidden[v] ? edge.bias : -edge.bias;
          if (hidden[u] != hidden[v]) optimum += weight;
          edges.push_back({std::min(u, v), std::max(u, v), weight});
        }
      }
    }
  }
  TANDEM_TRY_ASSIGN(auto problem, problem::make_max_cut(nodes, std::move(edges)));
  std::string command = fmt::format("tandem generate planted --rows {} --columns {}", options.rows, options.columns);
  if (!lattice.flat()) command += fmt::format(" --layers {}", options.layers);
  command += fmt::format(" --seed {}", options.seed);
  return Generated{
      .problem = std::move(problem), .format = FileFormat::kRudy, .command = std::move(command), .optimum = optimum};
}

Result<Generated> generate_labs(const LabsOptions& options) {
  const std::uint32_t n = options.size;
  TANDEM_TRY(check_range("size", n, 1, LabsOptions::kSizeMax));
  // The square of a sum of products: each product with itself is 1, each pair of them comes twice.
  std::vector<problem::Monomial> terms = {{.variables = {}, .coefficient = n * (n - 1) / 2.0}};
  for (std::uint32_t k = 1; k < n; ++k) {
    for (std::uint32_t i = 0; i + k < n; ++i) {
      for (std::uint32_t j = i + 1; j + k < n; ++j)
        terms.push_back({.variables = {i, i + k, j, j + k}, .coefficient = 2});
    }
  }
  TANDEM_TRY_ASSIGN(auto polynomial, problem::Polynomial::create(problem::Vartype::kSpin, n, std::move(terms)));
  return Generated{.problem = problem::make_pubo(std::move(polynomial), problem::Sense::kMin),
                   .format = FileFormat::kDocument,
                   .command = fmt::format("tandem generate labs --size {}", n)};
}

}  // namespace tandem::format
