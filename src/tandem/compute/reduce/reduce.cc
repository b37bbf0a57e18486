#include "tandem/compute/reduce/reduce.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>

#include "tandem/base/assert.h"
#include "tandem/base/stopped.h"
#include "tandem/compute/reduce/blocks.h"
#include "tandem/compute/reduce/field_range.h"
#include "tandem/compute/reduce/first_look.h"
#include "tandem/compute/reduce/fixed_point.h"
#include "tandem/compute/reduce/side_sweep.h"

namespace tandem::reduce {

namespace {

using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

constexpr std::size_t kPartnersMax = 3;  // of a variable that is removed for couplings between its neighbours

constexpr std::size_t kSideMax = 10;  // variables that hang on one: 1 us for each

constexpr std::size_t kAgainShare =
    64;  // one in so many variables removed since the last flow, or search for what hangs, is worth another

template <class Integer>
std::vector<Couplings<Integer>> coupling_sums(const Bqm& bqm, const FixedPoint& grid, const std::stop_token& stop) {
  std::vector<Couplings<Integer>> sums(bqm.num_variables());
  in_parts(bqm.terms().size(), stop, [&](std::size_t begin, std::size_t end) {
    for (std::size_t t = begin; t < end; ++t) {
      const auto bias = grid.bias<Integer>(t);
      sums[bqm.terms()[t].u].add(bias);
      sums[bqm.terms()[t].v].add(bias);
    }
  });
  return sums;
}

/// True when some rule may fire on the model as it is. One pass over the terms: models that cannot be reduced cost no more.
template <class Integer>
bool anything_fires(const Bqm& bqm, const FixedPoint& grid, const std::vector<Couplings<Integer>>& sums,
                    const std::stop_token& stop) {
  const std::size_t n = bqm.num_variables();
  std::vector<Range<Integer>> ranges(n);
  std::vector<std::uint32_t> degrees(n);
  for_each(bqm.terms(), stop, [&](const QuadraticTerm& term) {
    ++degrees[term.u];
    ++degrees[term.v];
  });
  for (std::size_t i = 0; i < n; ++i) {
    ranges[i] = field_range(bqm.vartype(), grid.linear<Integer>(i), sums[i]);
    if (degrees[i] <= kSideMax || ranges[i].lo >= 0 || ranges[i].hi <= 0) return true;
  }
  for (std::size_t t = 0; t < bqm.terms().size(); ++t) {
    if (t % kLookEvery == 0) throw_if(stop);
    const QuadraticTerm& term = bqm.terms()[t];
    const Integer q = coupling(bqm.vartype(), grid.bias<Integer>(t));
    if (relation(ranges[term.u], ranges[term.v], q) != Relation::kNone) return true;
  }
  return false;
}

/// The model under reduction: couplings as edges that die or change an end, and a queue of variables to look at again.
template <class Integer>
class Reducer {
 public:
  Reducer(const Bqm& bqm, const FixedPoint& grid, std::vector<Couplings<Integer>> sums, bool flows,
          const std::stop_token& stop)
      : stop_(stop),
        vartype_(bqm.vartype()),
        grid_(grid),
        linear_(bqm.num_variables()),
        sums_(std::move(sums)),
        edges_of_(bqm.num_variables()),
        removed_(bqm.num_variables()),
        queued_(bqm.num_variables()),
        parallel_(bqm.num_variables()),
        edge_to_(bqm.num_variables(), kNoEdge),
        offset_(grid.offset<Integer>()),
        flows_(flows) {
    for (std::size_t i = 0; i < linear_.size(); ++i) linear_[i] = grid.linear<Integer>(i);
    std::vector<std::uint32_t> degrees(bqm.num_variables());
    for_each(bqm.terms(), stop_, [&](const QuadraticTerm& term) {
      ++degrees[term.u];
      ++degrees[term.v];
    });
    in_parts(degrees.size(), stop_, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) edges_of_[i].reserve(degrees[i]);
    });
    edges_.reserve(bqm.terms().size());
    for (std::size_t t = 0; t < bqm.terms().size(); ++t) {
      if (t % kLookEvery == 0) throw_if(stop_);
      const QuadraticTerm& term = bqm.terms()[t];
      edges_of_[term.u].push_back(static_cast<std::uint32_t>(t));
      edges_of_[term.v].push_back(static_cast<std::uint32_t>(t));
      edges_.push_back({term.u, term.v, grid.bias<Integer>(t)});
    }
  }

  void run() {
    for (std::uint32_t i = 0; i < linear_.size(); ++i) enqueue(i);
    // Another flow finds more only where the other rules did, and much more only where they did much.
    std::size_t before = 0;
    for (bool first = true;; first = false) {
      apply_local_rules();
      if (!flows_ || !(first || worth_another_look(before))) break;
      fix_by_roof();
      before = entries_.size();
    }
  }

  RoofState roof() const { return roof_; }
  /// A bound of all energies on the grid; empty where the numbers were too large for one.
  std::optional<std::int64_t> bound() const { return bound_; }
  bool removed_any() const { return !entries_.empty(); }

  Result<Reduced> finish() && {
    for (std::uint32_t i = 0; i < linear_.size(); ++i) join_parallel(i);
    throw_if(stop_);
    Trail trail(linear_.size(), std::move(entries_));
    double error_max = grid_.error(offset_);
    const auto value = [&](Integer integer) {
      error_max += grid_.error(integer);
      return grid_.value(integer);
    };
    std::vector<std::uint32_t> index(linear_.size());
    std::vector<double> linear;
    for (const std::uint32_t i : trail.remaining()) {
      index[i] = static_cast<std::uint32_t>(linear.size());
      linear.push_back(value(linear_[i]));
    }
    std::vector<QuadraticTerm> terms;
    for_each(std::span<const Edge>(edges_), stop_, [&](const Edge& edge) {
      if (edge.bias != 0) terms.push_back({index[edge.u], index[edge.v], value(edge.bias)});
    });
    TANDEM_TRY_ASSIGN(Bqm model, Bqm::create(vartype_, std::move(linear), std::move(terms), grid_.value(offset_)));
    throw_if(stop_);
    if (!grid_.decimal()) error_max += misreading(model);
    return Reduced{.model = std::move(model), .trail = std::move(trail), .error_max = error_max};
  }

 private:
  static constexpr std::uint32_t kNoEdge = UINT32_MAX;

  struct Edge {
    std::uint32_t u = 0;
    std::uint32_t v = 0;
    Integer bias = 0;  ///< 0: dead
  };

  /// What is left of doubles that are no decimals together may by itself be read as decimals: how much that changes.
  static double misreading(const Bqm& model) {
    const auto decimals = model.to_integer();
    if (!decimals || decimals->decimals == 0) return 0;
    double magnitude = std::abs(model.offset());
    for (const double linear : model.linear()) magnitude += std::abs(linear);
    for (const QuadraticTerm& term : model.terms()) magnitude += std::abs(term.bias);
    return magnitude * 0x1.0p-52;
  }

  std::int8_t low() const { return vartype_ == Vartype::kBinary ? 0 : -1; }
  std::uint32_t other_end(std::uint32_t edge, std::uint32_t i) const {
    return edges_[edge].u == i ? edges_[edge].v : edges_[edge].u;
  }

  void enqueue(std::uint32_t i) {
    if (queued_[i]) return;
    queued_[i] = true;
    queue_.push_back(i);
  }

  bool worth_another_look(std::size_t entries_before) const {
    return (entries_.size() - entries_before) * kAgainShare > linear_.size() - entries_.size();
  }

  void apply_local_rules() {
    std::size_t before = 0;
    do {
      apply_rules();
      before = entries_.size();
      fold_sides();
    } while (worth_another_look(before));
    apply_rules();
  }

  void apply_rules() {
    while (!queue_.empty()) {
      throw_if(stop_);
      const std::uint32_t i = queue_.front();
      queue_.pop_front();
      queued_[i] = false;
      if (!removed_[i]) look_at(i);
    }
  }

  /// Couplings that a rule has put beside another one between the same two become one.
  void join_parallel(std::uint32_t i) {
    if (!parallel_[i]) return;
    parallel_[i] = false;
    for (const std::uint32_t edge : edges_of_[i]) {
      if (edges_[edge].bias == 0) continue;
      const std::uint32_t j = other_end(edge, i);
      std::uint32_t& known = edge_to_[j];
      if (known == kNoEdge || edges_[known].bias == 0) {
        known = edge;
        continue;
      }
      const Integer sum = edges_[known].bias + edges_[edge].bias;
      set_bias(edge, 0);
      set_bias(known, sum);
      enqueue(j);
    }
    for (const std::uint32_t edge : edges_of_[i]) edge_to_[edges_[edge].u] = edge_to_[edges_[edge].v] = kNoEdge;
  }

  void drop_dead_edges(std::uint32_t i) {
    join_parallel(i);
    std::erase_if(edges_of_[i], [&](std::uint32_t edge) { return edges_[edge].bias == 0; });
  }

  Range<Integer> range(std::uint32_t i) const { return field_range(vartype_, linear_[i], sums_[i]); }

  void look_at(std::uint32_t i) {
    drop_dead_edges(i);
    const Range<Integer> mine = range(i);
    if (mine.lo >= 0 || mine.hi <= 0) {
      const std::int8_t value = mine.lo >= 0 ? low() : std::int8_t{1};
      fix(i, value, edges_of_[i].empty() ? "isolated" : "dominance");
      return;
    }
    if (edges_of_[i].size() == 1) {
      fold_leaf(i);
      return;
    }
    for (const std::uint32_t edge : edges_of_[i]) {
      const std::uint32_t j = other_end(edge, i);
      const Integer q = coupling(vartype_, edges_[edge].bias);
      const Relation found = relation(mine, range(j), q);
      if (found == Relation::kNone) continue;
      merge(i, j, edge, found);
      return;
    }
    if (edges_of_[i].size() <= kPartnersMax) fold_star(i);
  }

  /// Sets the bias of an edge and keeps the sums of both ends; 0 kills it.
  void set_bias(std::uint32_t edge, Integer bias) {
    Edge& e = edges_[edge];
    for (const std::uint32_t end : {e.u, e.v}) {
      sums_[end].remove(e.bias);
      sums_[end].add(bias);
    }
    e.bias = bias;
  }

  void remove(TrailEntry entry) {
    removed_[entry.variable] = true;
    entries_.push_back(entry);
  }

  void fix(std::uint32_t i, std::int8_t value, std::string_view rule) {
    offset_ += linear_[i] * value;
    for (const std::uint32_t edge : edges_of_[i]) {
      const std::uint32_t j = other_end(edge, i);
      linear_[j] += edges_[edge].bias * value;
      set_bias(edge, 0);
      enqueue(j);
    }
    remove({.kind = TrailKind::kFix, .variable = i, .value = value, .rule = rule});
  }

  void fold_leaf(std::uint32_t i) {
    const std::uint32_t edge = edges_of_[i].front();
    const std::uint32_t j = other_end(edge, i);
    const Integer bias = edges_[edge].bias;
    const Integer at_low = linear_[i] + low() * bias;  // coefficient of the leaf's value when its neighbour is low
    const Integer at_high = linear_[i] + bias;
    const auto best = [&](Integer coefficient) { return coefficient < 0 ? std::int8_t{1} : low(); };
    add_side(j, at_low * best(at_low), at_high * best(at_high));
    set_bias(edge, 0);
    enqueue(j);
    remove({.kind = TrailKind::kLeaf,
            .variable = i,
            .partner = j,
            .value = best(at_low),
            .value_high = best(at_high),
            .rule = "leaf"});
  }

  /// What has gone is worth so much at the two values of i. Of spins these are both even or both odd, like the sum of all that went.
  void add_side(std::uint32_t i, Integer energy_low, Integer energy_high) {
    if (vartype_ == Vartype::kBinary) {
      linear_[i] += energy_high - energy_low;
      offset_ += energy_low;
    } else {
      linear_[i] += (energy_high - energy_low) / 2;
      offset_ += (energy_high + energy_low) / 2;
    }
  }

  /// What hangs on one variable becomes a field of that.
  void fold_sides() {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
    for_each(std::span<const Edge>(edges_), stop_, [&](const Edge& edge) {
      if (edge.bias != 0) pairs.emplace_back(edge.u, edge.v);
    });
    for (const HangingBlock& block : hanging_blocks(Links(linear_.size(), pairs), kSideMax, stop_)) fold_side(block);
  }

  void fold_side(const HangingBlock& block) {
    throw_if(stop_);
    SideSweep<Integer, kSideMax> side(block.nodes.size(), low());
    for (std::size_t k = 0; k < block.nodes.size(); ++k) edge_to_[block.nodes[k]] = static_cast<std::uint32_t>(k);
    for (std::size_t k = 0; k < block.nodes.size(); ++k) {
      side.set_linear(k, linear_[block.nodes[k]]);
      for (const std::uint32_t edge : edges_of_[block.nodes[k]]) {
        if (edges_[edge].bias == 0) continue;
        const std::uint32_t other = other_end(edge, block.nodes[k]);
        if (other == block.cut) {
          side.couple_to_outside(k, edges_[edge].bias);
        } else {
          side.couple(k, edge_to_[other], edges_[edge].bias);
        }
        set_bias(edge, 0);
      }
    }
    const auto at_low = side.least(low());
    const auto at_high = side.least(1);
    add_side(block.cut, at_low.energy, at_high.energy);
    for (std::size_t k = 0; k < block.nodes.size(); ++k) {
      edge_to_[block.nodes[k]] = kNoEdge;
      const auto value = [&](std::uint32_t high) { return (high >> k & 1) != 0 ? std::int8_t{1} : low(); };
      remove({.kind = TrailKind::kLeaf,
              .variable = block.nodes[k],
              .partner = block.cut,
              .value = value(at_low.high),
              .value_high = value(at_high.high),
              .rule = "articulation"});
    }
    enqueue(block.cut);
  }

  /// Two or three couplings: writes the least over i, a function of its neighbours, with terms in one and two of them.
  void fold_star(std::uint32_t i) {
    const std::vector<std::uint32_t> edges = edges_of_[i];
    const std::size_t count = edges.size();
    std::array<std::uint32_t, kPartnersMax> partners{};
    for (std::size_t k = 0; k < count; ++k) partners[k] = other_end(edges[k], i);
    std::array<Integer, 1 << kPartnersMax> least{};
    TrailEntry entry{.kind = count == 2 ? TrailKind::kPair : TrailKind::kTriple,
                     .variable = i,
                     .partner = partners[0],
                     .value = low(),
                     .partner2 = partners[1],
                     .partner3 = partners[2],
                     .rule = count == 2 ? "series" : "star"};
    for (std::size_t row = 0; row < std::size_t{1} << count; ++row) {
      Integer coefficient = linear_[i];
      for (std::size_t k = 0; k < count; ++k)
        coefficient += ((row >> k) & 1) != 0 ? edges_[edges[k]].bias : low() * edges_[edges[k]].bias;
      if (coefficient < 0) entry.table |= static_cast<std::uint8_t>(1 << row);
      least[row] = coefficient < 0 ? coefficient : low() * coefficient;
    }
    // How much less it is to raise neighbour k where neighbour l is high, the third one low.
    const auto second = [&](std::size_t k, std::size_t l, std::size_t third) {
      const std::size_t a = std::size_t{1} << k;
      const std::size_t b = std::size_t{1} << l;
      return Integer{(least[a + b + third] - least[b + third]) - (least[a + third] - least[third])};
    };
    if (count == 3 && second(0, 1, 0) != second(0, 1, 4)) return;
    const Integer unit = vartype_ == Vartype::kBinary ? 1 : 4;  // quarters are whole on the grid
    offset_ += least[0];
    for (std::size_t k = 0; k < count; ++k) {
      const Integer rise = least[std::size_t{1} << k] - least[0];
      add_field(partners[k], vartype_ == Vartype::kBinary ? rise : rise / 2);
    }
    for (std::size_t k = 0; k < count; ++k) set_bias(edges[k], 0);
    edges_of_[i] = {};
    for (std::size_t k = 0; k + (count == 2 ? 1 : 0) < count; ++k) {
      const std::size_t l = (k + 1) % count;
      const Integer joint = second(k, l, 0) / unit;
      if (joint == 0) continue;
      if (vartype_ == Vartype::kSpin) {
        offset_ += joint;
        add_field(partners[k], joint);
        add_field(partners[l], joint);
        offset_ -= 2 * joint;
      }
      add_edge(edges[k], partners[k], partners[l], joint);
    }
    for (std::size_t k = 0; k < count; ++k) enqueue(partners[k]);
    remove(entry);
  }

  /// With a spin that is low its field counts -1 times: the offset makes up for it.
  void add_field(std::uint32_t i, Integer field) {
    linear_[i] += field;
    if (vartype_ == Vartype::kSpin) offset_ += field;
  }

  /// A dead edge of k comes to life between k and l, which may have others.
  void add_edge(std::uint32_t edge, std::uint32_t k, std::uint32_t l, Integer bias) {
    edges_[edge] = {k, l, 0};
    set_bias(edge, bias);
    edges_of_[l].push_back(edge);
    parallel_[k] = parallel_[l] = true;
  }

  /// Fixes what roof duality does.
  void fix_by_roof() {
    std::vector<std::uint32_t> left;
    std::vector<std::uint32_t> index(linear_.size());
    double magnitude = std::abs(static_cast<double>(offset_));
    const Integer unit = vartype_ == Vartype::kBinary ? 4 : 1;  // of energies: x = (1 + s) / 2 has quarters
    for (std::uint32_t i = 0; i < linear_.size(); ++i) {
      if (removed_[i]) continue;
      index[i] = static_cast<std::uint32_t>(left.size());
      left.push_back(i);
      magnitude += std::abs(static_cast<double>(linear_[i]));
    }
    std::size_t alive = 0;
    for_each(std::span<const Edge>(edges_), stop_, [&](const Edge& edge) {
      magnitude += std::abs(static_cast<double>(edge.bias));
      alive += edge.bias != 0 ? 1 : 0;
    });
    if (4 * magnitude > 0.99 * static_cast<double>(kRoofMagnitudeMax)) return;
    auto offset = static_cast<std::int64_t>(unit * offset_);
    std::vector<std::int64_t> fields;
    std::vector<RoofTerm> terms;
    fields.reserve(left.size());
    terms.reserve(alive);
    for (const std::uint32_t i : left) {
      fields.push_back(static_cast<std::int64_t>(unit == 1 ? linear_[i] : 2 * linear_[i]));
      if (unit != 1) offset += fields.back();
    }
    for_each(std::span<const Edge>(edges_), stop_, [&](const Edge& edge) {
      if (edge.bias == 0) return;
      const auto bias = static_cast<std::int64_t>(edge.bias);
      terms.push_back({index[edge.u], index[edge.v], bias});
      if (unit == 1) return;
      fields[index[edge.u]] += bias;
      fields[index[edge.v]] += bias;
      offset += bias;
    });
    const Roof roof = roof_of(offset, fields, terms, stop_);
    roof_ = roof.state;
    const auto per_energy = static_cast<std::int64_t>(unit);
    std::int64_t bound = roof.bound / per_energy;
    if (bound * per_energy < roof.bound) ++bound;  // energies are whole
    bound_ = std::max(bound, bound_.value_or(bound));
    for (std::size_t k = 0; k < roof.values.size(); ++k) {
      if (roof.persistencies[k] == Persistency::kNone) continue;
      drop_dead_edges(left[k]);
      fix(left[k], roof.values[k] > 0 ? std::int8_t{1} : low(),
          roof.persistencies[k] == Persistency::kStrong ? "roof" : "roof_weak");
    }
  }

  /// Substitutes x_i = x_j or its opposite, or the other way round: whose couplings are fewer moves.
  void merge(std::uint32_t i, std::uint32_t j, std::uint32_t joining, Relation relation) {
    if (edges_of_[i].size() > edges_of_[j].size()) std::swap(i, j);
    const bool equal = relation == Relation::kEqual;
    const Integer sign = equal ? 1 : -1;
    const Integer joint = edges_[joining].bias;
    set_bias(joining, 0);
    linear_[j] += sign * linear_[i];
    if (vartype_ == Vartype::kSpin) {
      offset_ += sign * joint;  // s_i s_j is 1 or -1
    } else if (equal) {
      linear_[j] += joint;  // x_i x_j is x_j; of opposites it is 0
    } else {
      offset_ += linear_[i];
    }
    for (const std::uint32_t edge : edges_of_[i]) {
      const Integer bias = edges_[edge].bias;
      if (bias == 0) continue;
      const std::uint32_t k = other_end(edge, i);
      if (!equal && vartype_ == Vartype::kBinary) linear_[k] += bias;  // b (1 - x_j) x_k
      set_bias(edge, 0);
      add_edge(edge, k, j, sign * bias);
      enqueue(k);
    }
    edges_of_[i] = {};
    enqueue(j);
    TrailEntry entry{.kind = TrailKind::kEqual, .variable = i, .partner = j, .rule = "equal_pair"};
    if (!equal) {
      entry.kind = TrailKind::kOpposite;
      entry.value = 1;
      entry.value_high = low();
      entry.rule = "opposite_pair";
    }
    remove(entry);
  }

  const std::stop_token& stop_;
  Vartype vartype_;
  const FixedPoint& grid_;
  std::vector<Integer> linear_;
  std::vector<Couplings<Integer>> sums_;
  std::vector<Edge> edges_;
  std::vector<std::vector<std::uint32_t>> edges_of_;  // with dead ones, until drop_dead_edges()
  std::vector<bool> removed_;
  std::vector<bool> queued_;
  std::vector<bool> parallel_;  ///< may have two edges to one neighbour
  std::deque<std::uint32_t> queue_;
  std::vector<std::uint32_t> edge_to_;  // scratch of join_parallel(): the edge to each variable
  std::vector<TrailEntry> entries_;
  Integer offset_;
  bool flows_;
  RoofState roof_ = RoofState::kSkipped;
  std::optional<std::int64_t> bound_;
};

double below(const FixedPoint& grid, std::int64_t bound) {
  const double error = grid.error(bound);
  return error == 0 ? grid.value(bound) : grid.value(bound) - 2 * error;
}

template <class Integer>
void presolve_on(const FixedPoint& grid, const Bqm& bqm, Rounding rounding, const std::stop_token& stop,
                 Presolved& out) {
  std::vector<Couplings<Integer>> sums = coupling_sums<Integer>(bqm, grid, stop);
  const bool flows = flow_pays(bqm, stop);
  if (!flows && !anything_fires(bqm, grid, sums, stop)) return;
  Reducer<Integer> reducer(bqm, grid, std::move(sums), flows, stop);
  reducer.run();
  out.roof = reducer.roof();
  if (const auto bound = reducer.bound()) out.bound = std::max(out.bound, below(grid, *bound));
  if (!reducer.removed_any()) return;
  // b (1 - x)(1 - y) has four coefficients of size b: a model at Bqm::kMagnitudeMax may outgrow it, and stays as it is.
  auto reduced = std::move(reducer).finish();
  if (!reduced || (rounding == Rounding::kRefused && reduced->error_max > 0)) return;
  out.reduced = *std::move(reduced);
}

}  // namespace

Presolved presolve(const Bqm& bqm, Rounding rounding, const std::stop_token& stop) {
  Presolved out{.bound = loose_bound(bqm, stop)};
  const auto grid = FixedPoint::create(bqm, stop);
  if (!grid) return out;
  if (grid->narrow()) {
    presolve_on<std::int64_t>(*grid, bqm, rounding, stop, out);
  } else {
    presolve_on<Wide>(*grid, bqm, rounding, stop, out);
  }
  return out;
}

Reduced reduce_exact(const Bqm& bqm, Rounding rounding) {
  Presolved presolved = presolve(bqm, rounding);
  if (presolved.reduced) return *std::move(presolved.reduced);
  return {.model = bqm, .trail = Trail(bqm.num_variables())};
}

Result<Presolved> presolve_or_cancel(const Bqm& bqm, Rounding rounding, const std::stop_token& stop) {
  try {
    return presolve(bqm, rounding, stop);
  } catch (const Stopped&) {
    return fail(errors::kCancelled, "stopped while {} variables were being reduced", bqm.num_variables());
  }
}

std::uint64_t bytes_needed(const Bqm& bqm) {
  // Per variable: coefficient, two sums, a list, flags, its place in the queue, an index and its trail entry; per term: the
  // integer, the edge, its place in two lists, and what is left of it.
  constexpr std::uint64_t kVariable = 3 * sizeof(Wide) + sizeof(std::vector<std::uint32_t>) + 24 + sizeof(TrailEntry);
  constexpr std::uint64_t kTerm = sizeof(problem::IntegerTerm) + 2 * sizeof(Wide) + 8 + 2 * sizeof(QuadraticTerm);
  return bqm.num_variables() * kVariable + bqm.terms().size() * kTerm +
         roof_bytes(bqm.num_variables(), bqm.terms().size());
}

}  // namespace tandem::reduce
