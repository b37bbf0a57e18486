#include "tandem/compute/reduce/reduce.h"

#include <algorithm>
#include <deque>

#include "tandem/base/assert.h"
#include "tandem/compute/reduce/fixed_point.h"

namespace tandem::reduce {

namespace {

using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

/// Sums of the negative and of the positive couplings of one variable.
template <class Integer>
struct Couplings {
  Integer negative = 0;
  Integer positive = 0;
  void add(Integer bias) { (bias < 0 ? negative : positive) += bias; }
  void remove(Integer bias) { (bias < 0 ? negative : positive) -= bias; }
};

/// What raising one variable from low to high adds to the energy lies in [lo, hi], whatever the others do.
template <class Integer>
struct Range {
  Integer lo = 0;
  Integer hi = 0;
};

template <class Integer>
Range<Integer> field_range(Vartype vartype, Integer linear, const Couplings<Integer>& couplings) {
  if (vartype == Vartype::kBinary) return {linear + couplings.negative, linear + couplings.positive};
  const Integer sum = couplings.positive - couplings.negative;
  return {2 * (linear - sum), 2 * (linear + sum)};
}

/// How the field of one variable changes when its neighbour is raised.
template <class Integer>
Integer coupling(Vartype vartype, Integer bias) {
  return vartype == Vartype::kBinary ? bias : 4 * bias;
}

enum class Relation : std::uint8_t { kNone, kEqual, kOpposite };

/// The pair rules: with the fields of i and j apart from each other in [i.lo, i.hi] and [j.lo, j.hi], and coupling q, a pair
/// of values (x_i, x_j) is never better than another one of which one value differs. Both unequal pairs: equal; both equal
/// pairs: opposite.
template <class Integer>
Relation relation(Range<Integer> i, Range<Integer> j, Integer q) {
  const Integer negative = std::min<Integer>(0, q);
  const Integer positive = std::max<Integer>(0, q);
  i = {i.lo - negative, i.hi - positive};
  j = {j.lo - negative, j.hi - positive};
  const bool high_low_worse = i.lo >= 0 || j.hi + q <= 0;  // (1,0) -> (0,0) or (1,1)
  const bool low_high_worse = j.lo >= 0 || i.hi + q <= 0;  // (0,1) -> (0,0) or (1,1)
  if (high_low_worse && low_high_worse) return Relation::kEqual;
  const bool low_low_worse = i.hi <= 0 || j.hi <= 0;  // (0,0) -> (1,0) or (0,1)
  const bool high_high_worse = i.lo + q >= 0 || j.lo + q >= 0;  // (1,1) -> (0,1) or (1,0)
  return low_low_worse && high_high_worse ? Relation::kOpposite : Relation::kNone;
}

template <class Integer>
std::vector<Couplings<Integer>> coupling_sums(const Bqm& bqm, const FixedPoint& grid) {
  std::vector<Couplings<Integer>> sums(bqm.num_variables());
  for (std::size_t t = 0; t < bqm.terms().size(); ++t) {
    const auto bias = grid.bias<Integer>(t);
    sums[bqm.terms()[t].u].add(bias);
    sums[bqm.terms()[t].v].add(bias);
  }
  return sums;
}

/// True when some rule fires on the model as it is. One pass over the terms: models that cannot be reduced cost no more.
template <class Integer>
bool anything_fires(const Bqm& bqm, const FixedPoint& grid, const std::vector<Couplings<Integer>>& sums) {
  const std::size_t n = bqm.num_variables();
  std::vector<Range<Integer>> ranges(n);
  std::vector<std::uint32_t> degrees(n);
  for (const QuadraticTerm& term : bqm.terms()) {
    ++degrees[term.u];
    ++degrees[term.v];
  }
  for (std::size_t i = 0; i < n; ++i) {
    ranges[i] = field_range(bqm.vartype(), grid.linear<Integer>(i), sums[i]);
    if (degrees[i] <= 1 || ranges[i].lo >= 0 || ranges[i].hi <= 0) return true;
  }
  for (std::size_t t = 0; t < bqm.terms().size(); ++t) {
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
  Reducer(const Bqm& bqm, const FixedPoint& grid, std::vector<Couplings<Integer>> sums)
      : vartype_(bqm.vartype()),
        grid_(grid),
        linear_(bqm.num_variables()),
        sums_(std::move(sums)),
        edges_of_(bqm.num_variables()),
        removed_(bqm.num_variables()),
        queued_(bqm.num_variables()),
        edge_to_(bqm.num_variables(), kNoEdge),
        offset_(grid.offset<Integer>()) {
    for (std::size_t i = 0; i < linear_.size(); ++i) linear_[i] = grid.linear<Integer>(i);
    std::vector<std::uint32_t> degrees(bqm.num_variables());
    for (const QuadraticTerm& term : bqm.terms()) {
      ++degrees[term.u];
      ++degrees[term.v];
    }
    for (std::size_t i = 0; i < degrees.size(); ++i) edges_of_[i].reserve(degrees[i]);
    edges_.reserve(bqm.terms().size());
    for (std::size_t t = 0; t < bqm.terms().size(); ++t) {
      const QuadraticTerm& term = bqm.terms()[t];
      edges_of_[term.u].push_back(static_cast<std::uint32_t>(t));
      edges_of_[term.v].push_back(static_cast<std::uint32_t>(t));
      edges_.push_back({term.u, term.v, grid.bias<Integer>(t)});
    }
  }

  void run(const std::stop_token& stop) {
    for (std::uint32_t i = 0; i < linear_.size(); ++i) enqueue(i);
    while (!queue_.empty() && !stop.stop_requested()) {
      const std::uint32_t i = queue_.front();
      queue_.pop_front();
      queued_[i] = false;
      if (!removed_[i]) look_at(i);
    }
  }

  Result<Reduced> finish() && {
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
    for (const Edge& edge : edges_) {
      if (edge.bias != 0) terms.push_back({index[edge.u], index[edge.v], value(edge.bias)});
    }
    TANDEM_TRY_ASSIGN(Bqm model, Bqm::create(vartype_, std::move(linear), std::move(terms), grid_.value(offset_)));
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

  void drop_dead_edges(std::uint32_t i) {
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
    const Integer energy_low = at_low * best(at_low);
    const Integer energy_high = at_high * best(at_high);
    if (vartype_ == Vartype::kBinary) {
      linear_[j] += energy_high - energy_low;
      offset_ += energy_low;
    } else {  // -|h - J| and -|h + J| are both even or both odd
      linear_[j] += (energy_high - energy_low) / 2;
      offset_ += (energy_high + energy_low) / 2;
    }
    set_bias(edge, 0);
    enqueue(j);
    remove({.kind = TrailKind::kLeaf,
            .variable = i,
            .partner = j,
            .value = best(at_low),
            .value_high = best(at_high),
            .rule = "leaf"});
  }

  /// Substitutes x_i = x_j or its opposite.
  void merge(std::uint32_t i, std::uint32_t j, std::uint32_t joining, Relation relation) {
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
    for (const std::uint32_t edge : edges_of_[j]) {
      if (edges_[edge].bias != 0) edge_to_[other_end(edge, j)] = edge;
    }
    for (const std::uint32_t edge : edges_of_[i]) {
      const Integer bias = edges_[edge].bias;
      if (bias == 0) continue;
      const std::uint32_t k = other_end(edge, i);
      if (!equal && vartype_ == Vartype::kBinary) linear_[k] += bias;  // b (1 - x_j) x_k
      set_bias(edge, 0);
      if (edge_to_[k] != kNoEdge) {
        set_bias(edge_to_[k], edges_[edge_to_[k]].bias + sign * bias);
      } else {
        edges_[edge] = {j, k, 0};  // the edge stays in the list of k and moves from i to j
        set_bias(edge, sign * bias);
        moved_.push_back(edge);
      }
      enqueue(k);
    }
    for (const std::uint32_t edge : edges_of_[j]) edge_to_[other_end(edge, j)] = kNoEdge;
    edges_of_[j].insert(edges_of_[j].end(), moved_.begin(), moved_.end());
    moved_.clear();
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

  Vartype vartype_;
  const FixedPoint& grid_;
  std::vector<Integer> linear_;
  std::vector<Couplings<Integer>> sums_;
  std::vector<Edge> edges_;
  std::vector<std::vector<std::uint32_t>> edges_of_;  // with dead ones, until drop_dead_edges()
  std::vector<bool> removed_;
  std::vector<bool> queued_;
  std::deque<std::uint32_t> queue_;
  std::vector<std::uint32_t> edge_to_;  // scratch of merge(): the edge from j to each variable
  std::vector<std::uint32_t> moved_;  // scratch of merge()
  std::vector<TrailEntry> entries_;
  Integer offset_;
};

template <class Integer>
std::optional<Reduced> reduced_on(const FixedPoint& grid, const Bqm& bqm, const std::stop_token& stop) {
  std::vector<Couplings<Integer>> sums = coupling_sums<Integer>(bqm, grid);
  if (!anything_fires(bqm, grid, sums)) return std::nullopt;
  Reducer<Integer> reducer(bqm, grid, std::move(sums));
  reducer.run(stop);
  // b (1 - x)(1 - y) has four coefficients of size b: a model at Bqm::kMagnitudeMax may outgrow it, and stays as it is.
  auto reduced = std::move(reducer).finish();
  if (!reduced) return std::nullopt;
  return *std::move(reduced);
}

}  // namespace

Reduced reduce_exact(const Bqm& bqm, Rounding rounding, const std::stop_token& stop) {
  std::optional<Reduced> reduced;
  if (const auto grid = FixedPoint::create(bqm)) {
    reduced = grid->narrow() ? reduced_on<std::int64_t>(*grid, bqm, stop) : reduced_on<Wide>(*grid, bqm, stop);
  }
  const bool keep = reduced && (rounding == Rounding::kAllowed || reduced->error_max == 0);
  return keep ? *std::move(reduced) : Reduced{.model = bqm, .trail = Trail(bqm.num_variables())};
}

std::uint64_t bytes_needed(const Bqm& bqm) {
  // Per variable: coefficient, two sums, a list, flags, its place in the queue, an index and its trail entry; per term: the
  // integer, the edge, its place in two lists, and what is left of it.
  constexpr std::uint64_t kVariable = 3 * sizeof(Wide) + sizeof(std::vector<std::uint32_t>) + 24 + sizeof(TrailEntry);
  constexpr std::uint64_t kTerm = sizeof(problem::IntegerTerm) + 2 * sizeof(Wide) + 8 + 2 * sizeof(QuadraticTerm);
  return bqm.num_variables() * kVariable + bqm.terms().size() * kTerm;
}

bool reducible(const Bqm& bqm) {
  const auto grid = FixedPoint::create(bqm);
  if (!grid) return false;
  return grid->narrow() ? anything_fires(bqm, *grid, coupling_sums<std::int64_t>(bqm, *grid))
                        : anything_fires(bqm, *grid, coupling_sums<Wide>(bqm, *grid));
}

}  // namespace tandem::reduce
