#include "tandem/compute/statevector/ising_evolution.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "tandem/base/assert.h"
#include "tandem/base/trig.h"
#include "tandem/compute/statevector/ising_model.h"
#include "tandem/compute/statevector/ising_table.h"

namespace tandem::statevector {

Result<void> check_layers(const LayerAngles& angles, double radius, double turns_max) {
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
    if (std::abs(gamma) * radius > turns_max) {
      return fail(errors::kValueOutOfRange,
                  "gamma {} times energies up to {} is above {}, where phases have no precision left; use smaller ones",
                  gamma, radius, turns_max);
    }
  }
  return {};
}

namespace {

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

std::complex<double> turned_by(double angle) {
  const SinCos parts = sin_cos(angle);
  return {parts.cos, parts.sin};
}

/// e^(-i gamma (energy + offset)).
PhaseForm phases_of(const EnergyForm& energy, double offset, double gamma) {
  const auto turned = [&](double value) { return turned_by(-gamma * value); };
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

/// exp(-i beta (sin(theta) X + cos(theta) Z)) = e^(-iaZ) e^(-ibX) e^(-iaZ).
struct AxisTurn {
  SinCos b;
  std::complex<double> twice_a = 1;  ///< e^(2ia)
  double b_slope = 1;  ///< by beta
  double a_slope = 0;
};
AxisTurn axis_turn(double share, const SinCos& beta) {
  const double sin_theta = 2 * std::sqrt(share * (1 - share));
  const double cos_theta = 1 - 2 * share;
  if (cos_theta == 0) return {.b = beta};
  const double tilted = cos_theta * beta.sin;
  const double squared = beta.cos * beta.cos + tilted * tilted;  // cos(b)^2, which is not 0
  const double cos_b = std::sqrt(squared);
  return {.b = {.sin = sin_theta * beta.sin, .cos = cos_b},
          .twice_a = {beta.cos / cos_b, tilted / cos_b},
          .b_slope = sin_theta * beta.cos / cos_b,
          .a_slope = cos_theta / (2 * squared)};
}

constexpr std::complex<double> kQuarter = {0, 1};  // a quarter turn

/// From the uniform state to the product state of the shares, up to a quarter turn back where a qubit is 1.
IsingLayer warm_start(std::span<const double> ones, std::uint32_t num_bits) {
  IsingLayer out{.phases = {.num_bits = num_bits,
                            .linear = std::vector<std::complex<double>>(num_bits, kQuarter),
                            .pairs = std::vector<std::complex<double>>(std::size_t{num_bits} * num_bits, 1.0)}};
  // The angle is pi/4 - theta/2, theta/2 having the sine sqrt(share).
  for (const double share : ones) {
    const double sine = std::sqrt(share);
    const double cosine = std::sqrt(1 - share);
    out.turns.push_back({.sin = std::sqrt(0.5) * (cosine - sine), .cos = std::sqrt(0.5) * (cosine + sine)});
  }
  return out;
}

/// Where a qubit is 1, behind the turns of a layer: those of the start, or by `beta`.
std::vector<std::complex<double>> phases_behind(std::span<const double> ones, const double* beta) {
  std::vector<std::complex<double>> out(ones.size(), std::conj(kQuarter));
  if (beta != nullptr)
    for (std::size_t i = 0; i < ones.size(); ++i) out[i] = axis_turn(ones[i], sin_cos(*beta)).twice_a;
  return out;
}

/// Makes X mixers those about the axes. `before`: phases that are left from the layer before.
void turn_axes(std::span<const double> ones, double beta, std::span<const std::complex<double>> before,
               IsingLayer& layer) {
  for (std::size_t i = 0; i < ones.size(); ++i) {
    const AxisTurn turn = axis_turn(ones[i], sin_cos(beta));
    layer.turns[i] = turn.b;
    layer.turn_slopes.push_back(turn.b_slope);
    layer.axis_slopes.push_back(turn.a_slope);
    layer.phases.linear[i] *= before[i] * turn.twice_a;
    layer.phases.whole *= std::conj(turn.twice_a);  // e^(-ia) twice
  }
}

}  // namespace

template <class Real>
std::vector<IsingLayer> IsingEvolution<Real>::layers(const LayerAngles& angles) const {
  std::vector<IsingLayer> out;
  if (!model_->ones.empty()) out.push_back(warm_start(model_->ones, model_->energy.num_bits));
  for (std::size_t l = 0; l < angles.gammas.size(); ++l) {
    const double gamma = angles.gammas[l];
    out.push_back({.phases = model_->table ? PhaseForm{.whole = turned_by(-gamma * model_->offset)}
                                           : phases_of(model_->energy, model_->offset, gamma),
                   .gamma = gamma,
                   .turns = std::vector<SinCos>(model_->num_qubits, sin_cos(angles.betas[l]))});
    if (!model_->ones.empty())
      turn_axes(model_->ones, angles.betas[l], phases_behind(model_->ones, l == 0 ? nullptr : &angles.betas[l - 1]),
                out.back());
  }
  return out;
}

template <class Real>
struct IsingEvolution<Real>::Sizes {
  std::uint32_t num_qubits = 0;
  bool symmetric = false;
  bool has_table = false;

  static Result<Sizes> of(std::size_t num_variables, bool is_even, bool has_table) {
    if (num_variables == 0) {
      return fail(errors::kValueOutOfRange, "a model without variables has no state; give it at least one");
    }
    // Of one more than fit nothing else is asked.
    Sizes out{.num_qubits = static_cast<std::uint32_t>(
                  std::min<std::size_t>(num_variables, BasicStateVector<Real>::kQubitsMax + 2)),
              .symmetric = false,
              .has_table = has_table};
    out.symmetric = is_even && can_be_halved<Real>(out.num_qubits);
    TANDEM_TRY(BasicStateVector<Real>::fits(out.num_stored(), std::numeric_limits<std::uint64_t>::max()));
    return out;
  }
  std::uint32_t num_stored() const { return num_qubits - (symmetric ? 1 : 0); }
  std::uint64_t state_bytes() const { return BasicStateVector<Real>::bytes_needed(num_stored()); }
  std::uint64_t bytes() const { return state_bytes() + (has_table ? state_bytes() / 2 : 0); }
};

namespace {

Result<void> check_shares(std::span<const double> ones, std::size_t num_variables) {
  if (!ones.empty() && ones.size() != num_variables) {
    return fail(errors::kSizeMismatch, "{} shares for {} variables; a warm start has one of each", ones.size(),
                num_variables);
  }
  for (const double share : ones) {
    if (!(share >= 0 && share <= 1)) return fail(errors::kValueOutOfRange, "a share of ones is {}; use 0 to 1", share);
  }
  return {};
}

/// Flipping all variables changes nothing.
bool is_even(const problem::Bqm& spins) {
  return std::ranges::all_of(spins.linear(), [](double h) { return h == 0; });
}
bool is_even(const problem::Polynomial& spins) {
  return std::ranges::all_of(spins.terms(),
                             [](const problem::Monomial& term) { return term.variables.size() % 2 == 0; });
}

}  // namespace

template <class Real>
Result<std::uint64_t> IsingEvolution<Real>::bytes_needed(const problem::Bqm& cost, std::span<const double> ones) {
  TANDEM_TRY(check_shares(ones, cost.num_variables()));
  const bool even = ones.empty() && is_even(cost.with_vartype(problem::Vartype::kSpin));
  TANDEM_TRY_ASSIGN(const Sizes sizes, Sizes::of(cost.num_variables(), even, false));
  return sizes.bytes();
}

template <class Real>
Result<std::uint64_t> IsingEvolution<Real>::bytes_needed(const problem::Polynomial& cost) {
  if (const std::optional<problem::Bqm> quadratic = cost.to_bqm()) return bytes_needed(*quadratic);
  TANDEM_TRY_ASSIGN(const problem::Polynomial spins, cost.with_vartype(problem::Vartype::kSpin));
  TANDEM_TRY_ASSIGN(const Sizes sizes, Sizes::of(cost.num_variables(), is_even(spins), true));
  return sizes.bytes();
}

/// With its memory, which nothing was written to.
template <class Real>
Result<std::unique_ptr<typename IsingEvolution<Real>::Model>> IsingEvolution<Real>::new_model(
    const Sizes& sizes, std::uint64_t memory_bytes_max) {
  if (sizes.bytes() > memory_bytes_max) {
    return fail(errors::kOutOfMemory,
                "{} variables need {} bytes for amplitudes{} and {} are available; use fewer variables, or raise "
                "compute.memory_bytes_max if the machine has more",
                sizes.num_qubits, sizes.bytes(), sizes.has_table ? " and energies" : "", memory_bytes_max);
  }
  auto model = std::make_unique<Model>();
  model->num_qubits = sizes.num_qubits;
  model->symmetric = sizes.symmetric;
  model->memory_bytes_max = memory_bytes_max - (sizes.bytes() - sizes.state_bytes());
  model->ket = model->new_state();
  if (sizes.has_table) model->table = allocate<Real>(sizes.state_bytes() / sizeof(Real) / 2);
  if (!model->ket || (sizes.has_table && !model->table)) {
    return fail(errors::kOutOfMemory, "the machine refused {} bytes for {} variables; use fewer", sizes.bytes(),
                sizes.num_qubits);
  }
  return model;
}

template <class Real>
Result<IsingEvolution<Real>> IsingEvolution<Real>::create(const problem::Bqm& cost, std::uint64_t memory_bytes_max,
                                                          Executor& executor, std::span<const double> ones) {
  const problem::Bqm spins = cost.with_vartype(problem::Vartype::kSpin);
  TANDEM_TRY(check_shares(ones, cost.num_variables()));
  TANDEM_TRY_ASSIGN(const Sizes sizes, Sizes::of(cost.num_variables(), ones.empty() && is_even(spins), false));
  TANDEM_TRY_ASSIGN(auto model, new_model(sizes, memory_bytes_max));
  model->ones.assign(ones.begin(), ones.end());
  model->energy = form_of(cost, model->num_stored());
  // The mean over all states, apart, so that what is summed up is about 0.
  model->offset = spins.offset();
  model->energy.whole -= model->offset;
  for (const double h : spins.linear()) model->radius += std::abs(h);
  for (const problem::QuadraticTerm& term : spins.terms()) model->radius += std::abs(term.bias);
  return IsingEvolution(std::move(model), executor);
}

template <class Real>
Result<IsingEvolution<Real>> IsingEvolution<Real>::create(const problem::Polynomial& cost,
                                                          std::uint64_t memory_bytes_max, Executor& executor) {
  if (const std::optional<problem::Bqm> quadratic = cost.to_bqm())
    return create(*quadratic, memory_bytes_max, executor);
  TANDEM_TRY_ASSIGN(const problem::Polynomial spins, cost.with_vartype(problem::Vartype::kSpin));
  TANDEM_TRY_ASSIGN(const Sizes sizes, Sizes::of(cost.num_variables(), is_even(spins), true));
  TANDEM_TRY_ASSIGN(auto model, new_model(sizes, memory_bytes_max));
  for (const problem::Monomial& term : spins.terms())
    term.variables.empty() ? model->offset += term.coefficient : model->radius += std::abs(term.coefficient);
  fill_energy_table(spins, std::max(sizes.num_stored(), kLaneBits<Real>), model->table.get(), executor);
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
Result<typename IsingEvolution<Real>::Valued> IsingEvolution<Real>::value_on(const IsingState<Real>& state,
                                                                             const LayerAngles& angles,
                                                                             const std::stop_token& stop) const {
  TANDEM_TRY(check_layers(angles, model_->radius, model_->turns_max()));
  const std::vector<IsingLayer> all = layers(angles);
  IsingRunner<Real> runner(state, all, {.isa = isa_, .tile_bits = tile_bits_, .energies = model_->energies()},
                           *executor_, stop);
  TANDEM_TRY(runner.forward());
  Valued out{.value = runner.energy() + model_->offset, .scale = runner.scale(), .last_phases = {}};
  if (!model_->ones.empty())
    out.last_phases = phases_behind(model_->ones, angles.betas.empty() ? nullptr : &angles.betas.back());
  return out;
}

template <class Real>
Result<IsingGradient> IsingEvolution<Real>::gradient_on(const IsingState<Real>& state, const LayerAngles& angles,
                                                        const std::stop_token& stop) const {
  TANDEM_TRY(check_layers(angles, model_->radius, model_->turns_max()));
  const std::vector<IsingLayer> all = layers(angles);
  // Tiles of two states share the cache.
  IsingRunner<Real> runner(state, all, {.isa = isa_, .tile_bits = tile_bits_ - 1, .energies = model_->energies()},
                           *executor_, stop);
  TANDEM_TRY(runner.forward_and_back());
  IsingGradient out{.value = runner.energy() + model_->offset, .gammas = {}, .betas = {}};
  for (std::size_t layer = model_->num_before(); layer < all.size(); ++layer) {
    out.gammas.push_back(runner.by_gamma(layer));
    out.betas.push_back(runner.by_beta(layer));
  }
  return out;
}

template <class Real>
Result<double> IsingEvolution<Real>::value(const LayerAngles& angles, std::stop_token stop) {
  model_->scale = 0;
  TANDEM_TRY_ASSIGN(Valued valued, value_on(model_->state(), angles, stop));
  model_->scale = valued.scale;
  model_->last_phases = std::move(valued.last_phases);
  return valued.value;
}

template <class Real>
Result<IsingGradient> IsingEvolution<Real>::gradient(const LayerAngles& angles, std::stop_token stop) {
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
  return gradient_on(model_->state(), angles, stop);
}

template <class Real>
std::complex<double> IsingEvolution<Real>::amplitude(std::uint64_t state) const {
  TANDEM_ASSERT(model_->scale != 0 && state >> model_->num_qubits == 0);
  const bool flips = model_->symmetric && (state >> model_->num_stored()) != 0;
  const std::uint64_t place = flips ? state ^ ones(model_->num_qubits) : state;
  const Real* const re = model_->ket.get() + re_at<Real>(place);
  std::complex<double> out = model_->scale * std::complex<double>(re[0], re[kLanes<Real>]);
  for (std::size_t i = 0; i < model_->last_phases.size(); ++i)
    if ((state >> i & 1) != 0) out *= model_->last_phases[i];
  return out;
}

template class IsingEvolution<double>;
template class IsingEvolution<float>;

}  // namespace tandem::statevector
