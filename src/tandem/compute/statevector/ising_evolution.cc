#include "tandem/compute/statevector/ising_evolution.h"

#include <algorithm>
#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/base/trig.h"
#include "tandem/compute/statevector/ising_model.h"

namespace tandem::statevector {
namespace {

/// `radius`: no energy is farther from the offset.
Result<void> check(const LayerAngles& angles, double radius) {
  if (angles.gammas.size() != angles.betas.size()) {
    return fail(errors::kSizeMismatch, "{} gammas but {} betas; a layer has one of each", angles.gammas.size(),
                angles.betas.size());
  }
  for (const auto part : {angles.gammas, angles.betas})
    for (const double angle : part)
      if (!std::isfinite(angle)) return fail(errors::kNotFinite, "an angle is {}; use finite ones", angle);
  for (const double gamma : angles.gammas) {
    if (!std::isfinite(gamma * radius)) {
      return fail(errors::kNotFinite, "gamma {} times energies up to {} is not finite; use smaller ones", gamma,
                  radius);
    }
  }
  return {};
}

/// Of the first `n` bits, where spin form has -1 and 1; the others are 0.
EnergyForm form_of(const problem::Bqm& cost, std::uint32_t n) {
  const problem::Bqm binary = cost.with_vartype(problem::Vartype::kBinary);
  EnergyForm out{.num_bits = n,
                 .whole = binary.offset(),
                 .linear = {binary.linear().begin(), binary.linear().begin() + n},
                 .pairs = std::vector<double>(std::size_t{n} * n)};
  for (const problem::QuadraticTerm& term : binary.terms())
    if (term.u < n && term.v < n) out.pairs[term.u * n + term.v] = out.pairs[term.v * n + term.u] = term.bias;
  return out;
}

/// e^(-i gamma (energy + offset)).
PhaseForm phases_of(const EnergyForm& energy, double offset, double gamma) {
  const auto turned = [&](double value) {
    const SinCos parts = sin_cos(-gamma * value);
    return std::complex<double>(parts.cos, parts.sin);
  };
  PhaseForm out{.num_bits = energy.num_bits,
                .whole = turned(energy.whole + offset),
                .linear = {},
                .pairs = std::vector<std::complex<double>>(energy.pairs.size(), 1.0)};
  for (const double value : energy.linear) out.linear.push_back(turned(value));
  for (std::uint32_t u = 0; u < energy.num_bits; ++u)
    for (std::uint32_t v = 0; v < u; ++v)
      if (energy.pair(u, v) != 0)
        out.pairs[u * energy.num_bits + v] = out.pairs[v * energy.num_bits + u] = turned(energy.pair(u, v));
  return out;
}

}  // namespace

template <class Real>
std::vector<IsingLayer> IsingEvolution<Real>::layers(const LayerAngles& angles) const {
  std::vector<IsingLayer> out;
  for (std::size_t l = 0; l < angles.gammas.size(); ++l)
    out.push_back({.phases = phases_of(model_->energy, model_->offset, angles.gammas[l]),
                   .betas = std::vector<double>(model_->num_qubits, angles.betas[l])});
  return out;
}

template <class Real>
Result<IsingEvolution<Real>> IsingEvolution<Real>::create(const problem::Bqm& cost, std::uint64_t memory_bytes_max,
                                                          Executor& executor) {
  if (cost.num_variables() == 0) {
    return fail(errors::kValueOutOfRange, "a model without variables has no state; give it at least one");
  }
  const auto n = static_cast<std::uint32_t>(cost.num_variables());
  const problem::Bqm spins = cost.with_vartype(problem::Vartype::kSpin);
  const bool fields = std::ranges::any_of(spins.linear(), [](double h) { return h != 0; });
  auto model = std::make_unique<Model>();
  model->num_qubits = n;
  model->symmetric = !fields && can_be_halved<Real>(n);
  const std::uint32_t num_stored = n - (model->symmetric ? 1 : 0);
  TANDEM_TRY(BasicStateVector<Real>::fits(num_stored, memory_bytes_max));
  model->memory_bytes_max = memory_bytes_max;
  model->energy = form_of(cost, num_stored);
  // The mean over all states, apart, so that what is summed up is about 0.
  model->offset = spins.offset();
  model->energy.whole -= model->offset;
  for (const double h : spins.linear()) model->radius += std::abs(h);
  for (const problem::QuadraticTerm& term : spins.terms()) model->radius += std::abs(term.bias);
  model->ket = model->new_state();
  if (!model->ket) {
    return fail(errors::kOutOfMemory, "the machine refused {} bytes for a state vector of {} qubits; use fewer qubits",
                model->bytes(), n);
  }
  return IsingEvolution(std::move(model), executor);
}

template <class Real>
IsingEvolution<Real>::IsingEvolution(std::unique_ptr<Model> model, Executor& executor)
    : model_(std::move(model)), executor_(&executor) {}
template <class Real>
IsingEvolution<Real>::IsingEvolution(IsingEvolution&&) noexcept = default;
template <class Real>
IsingEvolution<Real>& IsingEvolution<Real>::operator=(IsingEvolution&&) noexcept = default;
template <class Real>
IsingEvolution<Real>::~IsingEvolution() = default;

template <class Real>
Result<double> IsingEvolution<Real>::value(const LayerAngles& angles, std::stop_token stop) {
  TANDEM_TRY(check(angles, model_->radius));
  model_->scale = 0;
  const std::vector<IsingLayer> all = layers(angles);
  IsingRunner<Real> runner(model_->state(), all, {.isa = isa_, .tile_bits = tile_bits_, .energy = &model_->energy},
                           *executor_, stop);
  TANDEM_TRY(runner.forward());
  model_->scale = runner.scale();
  return runner.energy() + model_->offset;
}

template <class Real>
Result<IsingGradient> IsingEvolution<Real>::gradient(const LayerAngles& angles, std::stop_token stop) {
  TANDEM_TRY(check(angles, model_->radius));
  model_->scale = 0;
  const std::uint64_t bytes = model_->bytes();
  if (!model_->bra) {
    if (model_->memory_bytes_max - bytes >= bytes) model_->bra = model_->new_state();
    if (!model_->bra) {
      return fail(errors::kOutOfMemory,
                  "a gradient holds two states of {} bytes and {} are available; use fewer qubits, or ask for values",
                  bytes, model_->memory_bytes_max);
    }
  }
  const std::vector<IsingLayer> all = layers(angles);
  // Tiles of two states share the cache.
  IsingRunner<Real> runner(model_->state(), all, {.isa = isa_, .tile_bits = tile_bits_ - 1, .energy = &model_->energy},
                           *executor_, stop);
  TANDEM_TRY(runner.forward_and_back());
  IsingGradient out{.value = runner.energy() + model_->offset, .gammas = {}, .betas = {}};
  for (std::size_t layer = 0; layer < all.size(); ++layer) {
    out.gammas.push_back(runner.by_gamma(layer));
    out.betas.push_back(runner.by_beta(layer));
  }
  return out;
}

template <class Real>
std::complex<double> IsingEvolution<Real>::amplitude(std::uint64_t state) const {
  TANDEM_ASSERT(model_->scale != 0 && state >> model_->num_qubits == 0);
  const bool flips = model_->symmetric && (state >> model_->num_stored()) != 0;
  const std::uint64_t place = flips ? state ^ ones(model_->num_qubits) : state;
  const Real* const re = model_->ket.get() + re_at<Real>(place);
  return model_->scale * std::complex<double>(re[0], re[kLanes<Real>]);
}

template class IsingEvolution<double>;
template class IsingEvolution<float>;

}  // namespace tandem::statevector
