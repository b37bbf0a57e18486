#include "tandem/middleware/ansatz/qaoa.h"

#include <algorithm>
#include <array>
#include <cmath>

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

// The ramp in units of qaoa_scale, over t = (layer + 1/2) / layers.
constexpr double kGammaStart = 0.25;
constexpr double kGammaRise = 0.5;
constexpr double kBetaStart = 0.78;
constexpr double kBetaFall = 0.70;

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

}  // namespace

double qaoa_scale(const Bqm& bqm) {
  const Bqm spins = bqm.with_vartype(Vartype::kSpin);
  double sum = 0;
  for (const double h : spins.linear()) sum += h * h;
  for (const QuadraticTerm& term : spins.terms()) sum += 2 * term.bias * term.bias;
  return sum > 0 ? std::sqrt(sum / static_cast<double>(spins.num_variables())) : 1.0;
}

QaoaAngles linear_ramp(std::uint32_t layers) {
  QaoaAngles out{.schedule = fmt::format("linear_ramp(p={})", layers)};
  for (std::uint32_t l = 0; l < layers; ++l) {
    const double t = (l + 0.5) / layers;
    out.gammas.push_back(kGammaStart + kGammaRise * t);
    out.betas.push_back(kBetaStart - kBetaFall * t);
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

Result<circuit::Circuit> qaoa_circuit(const Bqm& bqm, const QaoaAngles& angles) {
  if (angles.gammas.size() != angles.betas.size()) {
    return fail(errors::kSizeMismatch, "{} gammas but {} betas; a layer has one of each", angles.gammas.size(),
                angles.betas.size());
  }
  const auto n = static_cast<std::uint32_t>(bqm.num_variables());
  TANDEM_TRY_ASSIGN(circuit::Circuit out, circuit::Circuit::create(n, n));
  const Bqm spins = bqm.with_vartype(Vartype::kSpin);
  const double scale = qaoa_scale(bqm);
  using circuit::Angle;
  using circuit::Gate;
  for (std::uint32_t q = 0; q < n; ++q) out.gate(Gate::kH, {q});
  for (std::size_t l = 0; l < angles.gammas.size(); ++l) {
    // s = -Z: exp(-i g h s) = RZ(-2 g h), exp(-i g J s s) = RZZ(2 g J).
    const double gamma = angles.gammas[l] / scale;
    for (const QuadraticTerm& term : spins.terms())
      out.gate(Gate::kRzz, {term.u, term.v}, {Angle::constant(2 * gamma * term.bias)});
    for (std::uint32_t q = 0; q < n; ++q)
      if (spins.linear()[q] != 0) out.gate(Gate::kRz, {q}, {Angle::constant(-2 * gamma * spins.linear()[q])});
    for (std::uint32_t q = 0; q < n; ++q) out.gate(Gate::kRx, {q}, {Angle::constant(-2 * angles.betas[l])});
  }
  out.measure_all();
  return out;
}

}  // namespace tandem::ansatz
