#include "tandem/middleware/ansatz/qaoa.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <tuple>

#include "tandem/base/assert.h"
#include "tandem/middleware/ansatz/fixed_weight.h"

namespace tandem::ansatz {
namespace {

using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

/// Fixed angles of unweighted d-regular Max-Cut, to four decimals (arXiv 2107.00677). The table's phase is exp(-i gamma C / 2)
/// with C the cut, so a coupling is 1/4.
struct FixedAngles {
  std::uint32_t degree;
  std::uint32_t layers;
  std::array<double, 4> gammas;
  std::array<double, 4> betas;
};
constexpr FixedAngles kFixedAngles[] = {
    {3, 1, {1.2311}, {0.3927}},
    {3, 2, {0.9754, 1.7960}, {0.5551, 0.2925}},
    {3, 3, {0.8442, 1.5968, 1.8742}, {0.6088, 0.4593, 0.2354}},
    {3, 4, {0.8175, 1.5612, 1.9755, 2.3126}, {0.5996, 0.4344, 0.2970, 0.1591}},
    {4, 1, {1.0470}, {0.3928}},
    {4, 2, {0.8162, 1.4796}, {0.5343, 0.2830}},
    {4, 3, {0.7090, 1.3028, 1.5085}, {0.5879, 0.4232, 0.2230}},
    {4, 4, {0.6300, 1.1751, 1.3464, 1.5424}, {0.6050, 0.4778, 0.3613, 0.1875}},
    {5, 1, {0.9273}, {0.3927}},
    {5, 2, {0.7173, 1.2897}, {0.5241, 0.2788}},
    {5, 3, {0.6233, 1.1270, 1.2954}, {0.5783, 0.4076, 0.2189}},
    {5, 4, {0.5549, 1.0195, 1.1542, 1.3233}, {0.5973, 0.4635, 0.3452, 0.1828}},
    {6, 1, {0.8411}, {0.3927}},
    {6, 2, {0.6484, 1.1595}, {0.5182, 0.2766}},
    {6, 3, {0.5628, 1.0081, 1.1536}, {0.5726, 0.3989, 0.2169}},
};

// The ramp in natural units, over t = (layer + 1/2) / layers.
constexpr double kGammaSlope = 1.2;
constexpr double kBetaSlope = 0.8;

/// Share of the variation of the couplings that a shallow circuit does without: half of the gates of a dense model.
constexpr double kDroppedShare = 0.1;

/// The degree when the spin form is sum of one and the same positive coupling over a regular graph, else 0.
std::uint32_t regular_degree(const Bqm& spins) {
  if (spins.terms().empty() || spins.num_variables() == 0) return 0;
  if (std::any_of(spins.linear().begin(), spins.linear().end(), [](double h) { return h != 0; })) return 0;
  std::vector<std::uint32_t> degree(spins.num_variables(), 0);
  const double coupling = spins.terms().front().bias;
  if (coupling <= 0) return 0;
  for (const QuadraticTerm& term : spins.terms()) {
    if (term.bias != coupling) return 0;
    ++degree[term.u];
    ++degree[term.v];
  }
  const bool regular = std::all_of(degree.begin(), degree.end(), [&](std::uint32_t d) { return d == degree.front(); });
  return regular ? degree.front() : 0;
}

/// Mean and covariances of spins that are uniform over all assignments which keep the cardinalities.
struct Moments {
  /// Of each qubit: the cardinality that holds it, or -1.
  std::vector<int> group;
  std::span<const problem::Cardinality> cardinalities;

  /// E[(field + sum_k weights[k] s_k)^2]. Of `moved_group` (-1: none) one that is 1 and one that is 0 are taken out.
  double mean_square(double field, const std::vector<double>& weights, int moved_group) const {
    std::vector<double> sum(cardinalities.size(), 0);
    std::vector<double> squares(cardinalities.size(), 0);
    double variance = 0;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      if (weights[k] == 0) continue;
      if (group[k] < 0) {
        variance += weights[k] * weights[k];
        continue;
      }
      sum[static_cast<std::size_t>(group[k])] += weights[k];
      squares[static_cast<std::size_t>(group[k])] += weights[k] * weights[k];
    }
    double mean = field;
    for (std::size_t g = 0; g < cardinalities.size(); ++g) {
      const bool here = static_cast<int>(g) == moved_group;
      const double size = static_cast<double>(cardinalities[g].variables.size()) - (here ? 2.0 : 0.0);
      const double ones = static_cast<double>(cardinalities[g].ones) - (here ? 1.0 : 0.0);
      if (size <= 0) continue;
      const double mu = 2 * ones / size - 1;
      mean += mu * sum[g];
      // Drawing without putting back: any two spins of the group have covariance -(1 - mu^2) / (size - 1).
      if (size > 1) variance += (1 - mu * mu) * (squares[g] - (sum[g] * sum[g] - squares[g]) / (size - 1));
    }
    return mean * mean + variance;
  }
};

double scale_with_cardinalities(const Bqm& spins, std::span<const problem::Cardinality> cardinalities) {
  const std::size_t n = spins.num_variables();
  std::vector<double> coupling(n * n, 0);
  for (const QuadraticTerm& term : spins.terms())
    coupling[term.u * n + term.v] = coupling[term.v * n + term.u] = term.bias;
  Moments moments{.group = std::vector<int>(n, -1), .cardinalities = cardinalities};
  for (std::size_t g = 0; g < cardinalities.size(); ++g)
    for (const std::uint32_t v : cardinalities[g].variables) moments.group[v] = static_cast<int>(g);
  double sum = 0;
  double moving = 0;
  std::vector<double> weights(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (moments.group[i] >= 0) continue;
    for (std::size_t k = 0; k < n; ++k) weights[k] = coupling[i * n + k];
    sum += moments.mean_square(spins.linear()[i], weights, -1);
    moving += 1;
  }
  for (const problem::Cardinality& one : cardinalities) {
    const std::size_t size = one.variables.size();
    if (one.ones == 0 || one.ones == size) continue;
    double pairs = 0;
    for (std::size_t a = 0; a < size; ++a)
      for (std::size_t b = a + 1; b < size; ++b) {
        const std::size_t i = one.variables[a];
        const std::size_t j = one.variables[b];
        for (std::size_t k = 0; k < n; ++k)
          weights[k] = k == i || k == j ? 0 : coupling[i * n + k] - coupling[j * n + k];
        pairs += moments.mean_square(spins.linear()[i] - spins.linear()[j], weights, moments.group[i]);
      }
    const auto count = static_cast<double>(size);
    sum += count * pairs / (count * (count - 1) / 2);
    moving += count;
  }
  return sum > 0 ? std::sqrt(sum / moving) : 1.0;
}

/// The couplings among the variables of a cardinality, dense and symmetric, and the fields that go with them.
struct Inner {
  std::size_t size;
  std::vector<double> couplings;  ///< size x size
  std::vector<double> fields;  ///< to be added to the linear terms

  double& at(std::size_t a, std::size_t b) { return couplings[a * size + b]; }
  template <typename Body>
  void for_pairs(const Body& body) {
    for (std::size_t a = 0; a < size; ++a)
      for (std::size_t b = a + 1; b < size; ++b) body(a, b);
  }
  void set(std::size_t a, std::size_t b, double value) { at(a, b) = at(b, a) = value; }
  std::size_t gates() {
    std::size_t out = 0;
    for_pairs([&](std::size_t a, std::size_t b) { out += at(a, b) != 0 ? 1 : 0; });
    return out;
  }
};

/// Takes from every pair the coupling that most pairs have: where the number of ones is fixed this is a constant.
void subtract_common(Inner& inner) {
  std::map<double, std::size_t> counts;
  inner.for_pairs([&](std::size_t a, std::size_t b) { ++counts[inner.at(a, b)]; });
  const auto common =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (common == counts.end() || common->second < 2) return;
  inner.for_pairs([&](std::size_t a, std::size_t b) { inner.set(a, b, inner.at(a, b) - common->first); });
}

/// Takes r_a + r_b from every pair, r fitted by least squares: where the spins sum to S, sum (r_a + r_b) s_a s_b is
/// S sum r_a s_a and a constant. A common factor in the couplings, as markets have one, goes into the fields that way.
void subtract_rows(Inner& inner, double spin_sum) {
  const auto n = static_cast<double>(inner.size);
  std::vector<double> rows(inner.size, 0);
  double total = 0;
  for (std::size_t a = 0; a < inner.size; ++a) {
    for (std::size_t b = 0; b < inner.size; ++b) rows[a] += inner.at(a, b);
    total += rows[a];
  }
  // Normal equations: row sum = (n - 2) r_a + sum r, and sum r = total / (2 (n - 1)).
  for (double& row : rows) row = (row - total / (2 * (n - 1))) / (n - 2);
  inner.for_pairs([&](std::size_t a, std::size_t b) { inner.set(a, b, inner.at(a, b) - rows[a] - rows[b]); });
  for (std::size_t a = 0; a < inner.size; ++a) inner.fields[a] += spin_sum * rows[a];
}

/// Leaves the smallest couplings out, as long as their squares sum to no more than a share of all.
void drop_smallest(Inner& inner, double share) {
  std::vector<std::tuple<double, std::size_t, std::size_t>> order;
  double left = 0;
  inner.for_pairs([&](std::size_t a, std::size_t b) {
    const double square = inner.at(a, b) * inner.at(a, b);
    order.emplace_back(square, a, b);
    left += share * square;
  });
  std::sort(order.begin(), order.end());
  for (const auto& [square, a, b] : order) {
    left -= square;
    if (left < 0) return;
    inner.set(a, b, 0);
  }
}

/// The spin form as the circuit applies it: what is constant under the cardinalities costs no gates and, where gates err,
/// neither does what hardly matters. Samples are always scored with the whole model.
Bqm applied_form(Bqm spins, const QaoaOptions& options) {
  for (const problem::Cardinality& one : options.cardinalities) {
    const std::size_t size = one.variables.size();
    std::vector<std::int64_t> place(spins.num_variables(), -1);
    for (std::size_t a = 0; a < size; ++a) place[one.variables[a]] = static_cast<std::int64_t>(a);
    Inner inner{.size = size, .couplings = std::vector<double>(size * size, 0), .fields = std::vector<double>(size, 0)};
    std::vector<QuadraticTerm> terms;
    for (const QuadraticTerm& term : spins.terms()) {
      if (place[term.u] >= 0 && place[term.v] >= 0)
        inner.set(static_cast<std::size_t>(place[term.u]), static_cast<std::size_t>(place[term.v]), term.bias);
      else
        terms.push_back(term);
    }
    Inner lean = inner;
    subtract_common(inner);
    if (options.depth == Depth::kShallow && size >= 3) {
      subtract_rows(lean, 2.0 * one.ones - static_cast<double>(size));
      drop_smallest(lean, kDroppedShare);
    }
    Inner& chosen = lean.gates() < inner.gates() ? lean : inner;
    std::vector<double> linear(spins.linear().begin(), spins.linear().end());
    for (std::size_t a = 0; a < size; ++a) linear[one.variables[a]] += chosen.fields[a];
    chosen.for_pairs([&](std::size_t a, std::size_t b) {
      if (chosen.at(a, b) != 0) terms.push_back({one.variables[a], one.variables[b], chosen.at(a, b)});
    });
    auto applied = Bqm::create(Vartype::kSpin, std::move(linear), std::move(terms), 0);
    TANDEM_ASSERT(applied.has_value());  // sums of few coefficients that were there
    spins = *std::move(applied);
  }
  return spins;
}

/// What keeps a cardinality, as beta turns it.
statevector::WeightGroup group_of(const problem::Cardinality& one, Depth depth) {
  const std::vector<std::uint32_t>& v = one.variables;
  statevector::WeightGroup out{.qubits = v, .ones = one.ones};
  if (one.ones == 0 || one.ones == v.size()) return out;
  const bool complete = depth == Depth::kFree || v.size() <= 3;
  out.pairs = complete ? statevector::complete_pairs(v) : statevector::ring_pairs(v);
  out.strength = 2 / (complete ? static_cast<double>(v.size() - 1) : 2.0);  // 2 over the pairs of a qubit
  return out;
}

}  // namespace

double qaoa_scale(const Bqm& bqm, std::span<const problem::Cardinality> cardinalities) {
  const Bqm spins = bqm.with_vartype(Vartype::kSpin);
  if (!cardinalities.empty()) return scale_with_cardinalities(spins, cardinalities);
  double sum = 0;
  for (const double h : spins.linear()) sum += h * h;
  for (const QuadraticTerm& term : spins.terms()) sum += 2 * term.bias * term.bias;
  return sum > 0 ? std::sqrt(sum / static_cast<double>(spins.num_variables())) : 1.0;
}

QaoaAngles linear_ramp(std::uint32_t layers) {
  QaoaAngles out{.schedule = fmt::format("linear_ramp(p={})", layers)};
  for (std::uint32_t l = 0; l < layers; ++l) {
    const double t = (l + 0.5) / layers;
    out.gammas.push_back(kGammaSlope * t);
    out.betas.push_back(kBetaSlope * (1 - t));
  }
  return out;
}

QaoaAngles choose_angles(const Bqm& bqm, std::uint32_t layers) {
  const std::uint32_t degree = regular_degree(bqm.with_vartype(Vartype::kSpin));
  for (const FixedAngles& fixed : kFixedAngles) {
    if (fixed.degree != degree || fixed.layers != layers) continue;
    QaoaAngles out{.schedule = fmt::format("fixed_angles(d={},p={})", degree, layers)};
    // The table's local field is sqrt(d)/4; ours is one unit.
    const double unit = std::sqrt(static_cast<double>(degree)) / 4;
    for (std::uint32_t l = 0; l < layers; ++l) {
      out.gammas.push_back(fixed.gammas[l] * unit);
      out.betas.push_back(fixed.betas[l]);
    }
    return out;
  }
  return linear_ramp(layers);
}

std::vector<double> warm_start(problem::AssignmentView solution, double epsilon) {
  TANDEM_ASSERT(epsilon >= 0 && epsilon <= 0.5);
  std::vector<double> out;
  for (const std::int8_t value : solution) out.push_back(value > 0 ? 1 - epsilon : epsilon);
  return out;
}

QaoaForm qaoa_form(const Bqm& bqm, const QaoaOptions& options) {
  TANDEM_ASSERT(options.ones.empty() || (options.cardinalities.empty() && options.ones.size() == bqm.num_variables()));
  QaoaForm out{.phases = applied_form(bqm.with_vartype(Vartype::kSpin), options),
               .scale = qaoa_scale(bqm, options.cardinalities)};
  for (const problem::Cardinality& one : options.cardinalities) out.groups.push_back(group_of(one, options.depth));
  return out;
}

Result<circuit::Circuit> qaoa_circuit(const Bqm& bqm, const QaoaAngles& angles, const QaoaOptions& options) {
  if (angles.gammas.size() != angles.betas.size()) {
    return fail(errors::kSizeMismatch, "{} gammas but {} betas; a layer has one of each", angles.gammas.size(),
                angles.betas.size());
  }
  const auto n = static_cast<std::uint32_t>(bqm.num_variables());
  TANDEM_TRY_ASSIGN(circuit::Circuit out, circuit::Circuit::create(n, n));
  const QaoaForm form = qaoa_form(bqm, options);
  using circuit::Angle;
  using circuit::Gate;
  std::vector<char> free(n, 1);
  for (const problem::Cardinality& one : options.cardinalities) {
    for (const std::uint32_t v : one.variables) {
      TANDEM_ASSERT(v < n && free[v] != 0);
      free[v] = 0;
    }
    if (options.depth == Depth::kFree)
      append_uniform_weight(out, one.variables, one.ones);
    else
      append_block_weight(out, one.variables, one.ones);
  }
  std::vector<double> tilts;  // of each axis from z; a warm start has them
  for (const double share : options.ones) tilts.push_back(2 * std::asin(std::sqrt(share)));
  const auto tilt = [&](std::uint32_t q, double sign) { out.gate(Gate::kRy, {q}, {Angle::constant(sign * tilts[q])}); };
  for (std::uint32_t q = 0; q < n; ++q) {
    if (!tilts.empty())
      tilt(q, 1);
    else if (free[q] != 0)
      out.gate(Gate::kH, {q});
  }
  for (std::size_t l = 0; l < angles.gammas.size(); ++l) {
    // s = -Z: exp(-i g h s) = RZ(-2 g h), exp(-i g J s s) = RZZ(2 g J).
    const double gamma = angles.gammas[l] / form.scale;
    for (const QuadraticTerm& term : form.phases.terms())
      out.gate(Gate::kRzz, {term.u, term.v}, {Angle::constant(2 * gamma * term.bias)});
    for (std::uint32_t q = 0; q < n; ++q)
      if (form.phases.linear()[q] != 0)
        out.gate(Gate::kRz, {q}, {Angle::constant(-2 * gamma * form.phases.linear()[q])});
    for (std::uint32_t q = 0; q < n; ++q) {
      if (!tilts.empty()) {
        tilt(q, -1);
        out.gate(Gate::kRz, {q}, {Angle::constant(-2 * angles.betas[l])});
        tilt(q, 1);
      } else if (free[q] != 0) {
        out.gate(Gate::kRx, {q}, {Angle::constant(-2 * angles.betas[l])});
      }
    }
    for (const statevector::WeightGroup& group : form.groups)
      for (const auto& [u, v] : group.pairs)
        out.gate(Gate::kXxPlusYy, {u, v}, {Angle::constant(-2 * angles.betas[l] * group.strength), Angle::constant(0)});
  }
  out.measure_all();
  return out;
}

}  // namespace tandem::ansatz
