#include "tandem/compute/reduce/reduce.h"

#include <algorithm>
#include <cmath>
#include <deque>

#include "tandem/base/assert.h"

namespace tandem::reduce {

namespace {

using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

constexpr double kExactMax = 0x1.0p53;  // doubles add integers exactly up to here

/// Coefficients as sums are made on them: integers where the model has an exact form, so that sums of 0.1 stay decimals.
struct Scale {
  double factor = 1;

  static Scale of(const Bqm& bqm) {
    const auto whole = [](double value) { return std::trunc(value) == value && std::abs(value) <= kExactMax; };
    if (whole(bqm.offset()) && std::ranges::all_of(bqm.linear(), whole) &&
        std::ranges::all_of(bqm.terms(), whole, &QuadraticTerm::bias)) {
      return {};
    }
    const auto exact = bqm.to_integer();
    if (!exact) return {};
    Scale scale;
    for (int i = 0; i < exact->decimals; ++i) scale.factor *= 10;
    double magnitude = std::abs(bqm.offset());
    for (const double value : bqm.linear()) magnitude += std::abs(value);
    for (const QuadraticTerm& term : bqm.terms()) magnitude += std::abs(term.bias);
    return magnitude * scale.factor < kExactMax / 4 ? scale : Scale{};
  }
  double up(double value) const { return factor == 1 ? value : std::nearbyint(value * factor); }
  double down(double value) const { return value / factor; }
};

/// Sums of the negative and of the positive couplings of one variable.
struct Couplings {
  double negative = 0;
  double positive = 0;
  void add(double bias) { (bias < 0 ? negative : positive) += bias; }
  void remove(double bias) { (bias < 0 ? negative : positive) -= bias; }
};

/// What raising one variable from low to high adds to the energy lies in [lo, hi], whatever the others do.
struct Range {
  double lo = 0;
  double hi = 0;
};

Range field_range(Vartype vartype, double linear, const Couplings& couplings) {
  if (vartype == Vartype::kBinary) return {linear + couplings.negative, linear + couplings.positive};
  const double sum = couplings.positive - couplings.negative;
  return {2 * (linear - sum), 2 * (linear + sum)};
}

/// How the field of one variable changes when its neighbour is raised.
double coupling(Vartype vartype, double bias) { return vartype == Vartype::kBinary ? bias : 4 * bias; }

enum class Relation : std::uint8_t { kNone, kEqual, kOpposite };

/// The pair rules: with the fields of i and j apart from each other in [i.lo, i.hi] and [j.lo, j.hi], and coupling q, a pair
/// of values (x_i, x_j) is never better than another one of which one value differs. Both unequal pairs: equal; both equal
/// pairs: opposite.
Relation relation(Range i, Range j, double q) {
  const double negative = std::min(0.0, q);
  const double positive = std::max(0.0, q);
  i = {i.lo - negative, i.hi - positive};
  j = {j.lo - negative, j.hi - positive};
  const bool high_low_worse = i.lo >= 0 || j.hi + q <= 0;  // (1,0) -> (0,0) or (1,1)
  const bool low_high_worse = j.lo >= 0 || i.hi + q <= 0;  // (0,1) -> (0,0) or (1,1)
  if (high_low_worse && low_high_worse) return Relation::kEqual;
  const bool low_low_worse = i.hi <= 0 || j.hi <= 0;  // (0,0) -> (1,0) or (0,1)
  const bool high_high_worse = i.lo + q >= 0 || j.lo + q >= 0;  // (1,1) -> (0,1) or (1,0)
  return low_low_worse && high_high_worse ? Relation::kOpposite : Relation::kNone;
}

std::vector<Couplings> coupling_sums(const Bqm& bqm, const Scale& scale) {
  std::vector<Couplings> sums(bqm.num_variables());
  for (const QuadraticTerm& term : bqm.terms()) {
    const double bias = scale.up(term.bias);
    sums[term.u].add(bias);
    sums[term.v].add(bias);
  }
  return sums;
}

/// True when some rule fires on the model as it is. One pass over the terms: models that cannot be reduced cost no more.
bool anything_fires(const Bqm& bqm, const Scale& scale, const std::vector<Couplings>& sums) {
  const std::size_t n = bqm.num_variables();
  std::vector<Range> ranges(n);
  std::vector<std::uint32_t> degrees(n);
  for (const QuadraticTerm& term : bqm.terms()) {
    ++degrees[term.u];
    ++degrees[term.v];
  }
  for (std::size_t i = 0; i < n; ++i) {
    ranges[i] = field_range(bqm.vartype(), scale.up(bqm.linear()[i]), sums[i]);
    if (degrees[i] <= 1 || ranges[i].lo >= 0 || ranges[i].hi <= 0) return true;
  }
  return std::ranges::any_of(bqm.terms(), [&](const QuadraticTerm& term) {
    const double q = coupling(bqm.vartype(), scale.up(term.bias));
    return relation(ranges[term.u], ranges[term.v], q) != Relation::kNone;
  });
}

/// The model under reduction: couplings as edges that die or change an end, and a queue of variables to look at again.
class Reducer {
 public:
  Reducer(const Bqm& bqm, const Scale& scale, std::vector<Couplings> sums)
      : vartype_(bqm.vartype()),
        scale_(scale),
        linear_(bqm.num_variables()),
        sums_(std::move(sums)),
        edges_of_(bqm.num_variables()),
        removed_(bqm.num_variables()),
        queued_(bqm.num_variables()),
        edge_to_(bqm.num_variables(), kNoEdge),
        offset_(scale.up(bqm.offset())) {
    std::ranges::transform(bqm.linear(), linear_.begin(), [&](double value) { return scale.up(value); });
    std::vector<std::uint32_t> degrees(bqm.num_variables());
    for (const QuadraticTerm& term : bqm.terms()) {
      ++degrees[term.u];
      ++degrees[term.v];
    }
    for (std::size_t i = 0; i < degrees.size(); ++i) edges_of_[i].reserve(degrees[i]);
    edges_.reserve(bqm.terms().size());
    for (const QuadraticTerm& term : bqm.terms()) {
      edges_of_[term.u].push_back(static_cast<std::uint32_t>(edges_.size()));
      edges_of_[term.v].push_back(static_cast<std::uint32_t>(edges_.size()));
      edges_.push_back({term.u, term.v, scale.up(term.bias)});
    }
  }

  void run() {
    for (std::uint32_t i = 0; i < linear_.size(); ++i) enqueue(i);
    while (!queue_.empty()) {
      const std::uint32_t i = queue_.front();
      queue_.pop_front();
      queued_[i] = false;
      if (!removed_[i]) look_at(i);
    }
  }

  Result<Reduced> finish() && {
    Trail trail(linear_.size(), std::move(entries_));
    std::vector<std::uint32_t> index(linear_.size());
    std::vector<double> linear;
    for (const std::uint32_t i : trail.remaining()) {
      index[i] = static_cast<std::uint32_t>(linear.size());
      linear.push_back(scale_.down(linear_[i]));
    }
    std::vector<QuadraticTerm> terms;
    for (const QuadraticTerm& edge : edges_) {
      if (edge.bias != 0) terms.push_back({index[edge.u], index[edge.v], scale_.down(edge.bias)});
    }
    TANDEM_TRY_ASSIGN(Bqm model, Bqm::create(vartype_, std::move(linear), std::move(terms), scale_.down(offset_)));
    return Reduced{std::move(model), std::move(trail)};
  }

 private:
  static constexpr std::uint32_t kNoEdge = UINT32_MAX;

  std::int8_t low() const { return vartype_ == Vartype::kBinary ? 0 : -1; }
  std::uint32_t other_end(std::uint32_t edge, std::uint32_t i) const {
    return edges_[edge].u == i ? edges_[edge].v : edges_[edge].u;
  }

  void enqueue(std::uint32_t i) {
    if (queued_[i]) return;
    queued_[i] = true;
    queue_.push_back(i);
  }

  /// Drops dead edges of i and sums its couplings afresh, so that rounding does not pile up.
  void refresh(std::uint32_t i) {
    std::erase_if(edges_of_[i], [&](std::uint32_t edge) { return edges_[edge].bias == 0; });
    sums_[i] = {};
    for (const std::uint32_t edge : edges_of_[i]) sums_[i].add(edges_[edge].bias);
  }

  Range range(std::uint32_t i) const { return field_range(vartype_, linear_[i], sums_[i]); }

  void look_at(std::uint32_t i) {
    refresh(i);
    const Range mine = range(i);
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
      const double q = coupling(vartype_, edges_[edge].bias);
      if (relation(mine, range(j), q) == Relation::kNone) continue;
      refresh(j);
      const Relation found = relation(mine, range(j), q);
      if (found == Relation::kNone) continue;
      merge(i, j, edge, found);
      return;
    }
  }

  /// Sets the bias of an edge and keeps the sums of both ends; 0 kills it.
  void set_bias(std::uint32_t edge, double bias) {
    QuadraticTerm& e = edges_[edge];
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
    const double bias = edges_[edge].bias;
    const double at_low = linear_[i] + low() * bias;  // coefficient of the leaf's value when its neighbour is low
    const double at_high = linear_[i] + bias;
    const auto best = [&](double coefficient) { return coefficient < 0 ? std::int8_t{1} : low(); };
    const double energy_low = at_low * best(at_low);
    const double energy_high = at_high * best(at_high);
    const double half = vartype_ == Vartype::kBinary ? 1 : 0.5;
    linear_[j] += half * (energy_high - energy_low);
    offset_ += vartype_ == Vartype::kBinary ? energy_low : half * (energy_high + energy_low);
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
    const double sign = equal ? 1 : -1;
    const double joint = edges_[joining].bias;
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
      const double bias = edges_[edge].bias;
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
  Scale scale_;
  std::vector<double> linear_;
  std::vector<Couplings> sums_;
  std::vector<QuadraticTerm> edges_;  // bias 0: dead
  std::vector<std::vector<std::uint32_t>> edges_of_;  // with dead ones, until refresh()
  std::vector<bool> removed_;
  std::vector<bool> queued_;
  std::deque<std::uint32_t> queue_;
  std::vector<std::uint32_t> edge_to_;  // scratch of merge(): the edge from j to each variable
  std::vector<std::uint32_t> moved_;  // scratch of merge()
  std::vector<TrailEntry> entries_;
  double offset_;
};

}  // namespace

Reduced reduce_exact(const Bqm& bqm) {
  const Scale scale = Scale::of(bqm);
  std::vector<Couplings> sums = coupling_sums(bqm, scale);
  if (anything_fires(bqm, scale, sums)) {
    Reducer reducer(bqm, scale, std::move(sums));
    reducer.run();
    // b (1 - x)(1 - y) has four coefficients of size b: a model at Bqm::kMagnitudeMax may outgrow it, and stays as it is.
    if (auto reduced = std::move(reducer).finish()) return *std::move(reduced);
  }
  return {bqm, Trail(bqm.num_variables())};
}

bool reducible(const Bqm& bqm) {
  const Scale scale = Scale::of(bqm);
  return anything_fires(bqm, scale, coupling_sums(bqm, scale));
}

Reduced freeze(const Reduced& reduced, std::span<const std::uint32_t> variables, problem::AssignmentView values) {
  TANDEM_ASSERT(variables.size() == values.size());
  const Bqm& model = reduced.model;
  const Scale scale = Scale::of(model);
  std::vector<std::int8_t> value_of(model.num_variables());
  std::vector<bool> frozen(model.num_variables());
  std::vector<TrailEntry> entries(reduced.trail.entries().begin(), reduced.trail.entries().end());
  for (std::size_t k = 0; k < variables.size(); ++k) {
    const std::uint32_t i = variables[k];
    TANDEM_ASSERT(i < model.num_variables() && !frozen[i]);
    frozen[i] = true;
    value_of[i] = values[k];
    entries.push_back({.kind = TrailKind::kFix,
                       .proof = ProofClass::kHeuristic,
                       .variable = reduced.trail.remaining()[i],
                       .value = values[k],
                       .rule = "backbone"});
  }
  double offset = scale.up(model.offset());
  std::vector<double> linear(model.num_variables());
  std::ranges::transform(model.linear(), linear.begin(), [&](double value) { return scale.up(value); });
  std::vector<QuadraticTerm> terms;
  for (const QuadraticTerm& term : model.terms()) {
    const double bias = scale.up(term.bias);
    if (frozen[term.u] && frozen[term.v]) {
      offset += bias * value_of[term.u] * value_of[term.v];
    } else if (frozen[term.u]) {
      linear[term.v] += bias * value_of[term.u];
    } else if (frozen[term.v]) {
      linear[term.u] += bias * value_of[term.v];
    } else {
      terms.push_back(term);
    }
  }
  std::vector<std::uint32_t> index(model.num_variables());
  std::vector<double> left;
  for (std::size_t i = 0; i < linear.size(); ++i) {
    if (frozen[i]) {
      offset += linear[i] * value_of[i];
    } else {
      index[i] = static_cast<std::uint32_t>(left.size());
      left.push_back(scale.down(linear[i]));
    }
  }
  for (QuadraticTerm& term : terms) term = {index[term.u], index[term.v], term.bias};
  auto smaller = Bqm::create(model.vartype(), std::move(left), std::move(terms), scale.down(offset));
  TANDEM_ASSERT(smaller.has_value());  // fixing only moves coefficients together
  return {*std::move(smaller), Trail(reduced.trail.num_variables(), std::move(entries))};
}

}  // namespace tandem::reduce
