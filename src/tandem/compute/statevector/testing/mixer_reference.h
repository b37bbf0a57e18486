// tandem/compute/statevector/testing/mixer_reference.h - QAOA layers by their definition, amplitude by amplitude, with any mixer.
//
// Room: compute; tests only. Shares nothing with the engine. Cost: O(2^n) a qubit, pair and layer.
#pragma once

#include <cmath>
#include <complex>
#include <cstdint>
#include <functional>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/compute/statevector/ising_evolution.h"
#include "tandem/model/problem/bqm.h"

namespace tandem::statevector::testing {

using Amplitude = std::complex<double>;

struct MixedAngles {
  std::vector<double> gammas;
  std::vector<double> betas;
  operator LayerAngles() const { return {gammas, betas}; }
};

inline MixedAngles random_angles(std::size_t layers, Xoshiro256& rng) {
  MixedAngles out;
  for (std::size_t l = 0; l < layers; ++l) {
    out.gammas.push_back(2 * rng.uniform() - 1);
    out.betas.push_back(4 * rng.uniform() - 2);
  }
  return out;
}

/// Every pair coupled with probability `density`, and fields on all.
inline problem::Bqm random_model(std::uint32_t n, double density, problem::Vartype vartype, Xoshiro256& rng) {
  std::vector<double> linear(n);
  for (double& h : linear) h = rng.uniform() - 0.5;
  std::vector<problem::QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u)
    for (std::uint32_t v = u + 1; v < n; ++v)
      if (rng.uniform() < density) terms.push_back({u, v, rng.uniform() - 0.5});
  return problem::Bqm::create(vartype, linear, terms, 0.75).value();
}

inline double energy_of(const problem::Bqm& model, std::uint64_t state) {
  const std::int8_t low = model.vartype() == problem::Vartype::kSpin ? -1 : 0;
  problem::Assignment values;
  for (std::size_t q = 0; q < model.num_variables(); ++q)
    values.push_back((state >> q & 1) != 0 ? std::int8_t{1} : low);
  return model.energy(values);
}

inline double mean_energy(const problem::Bqm& model, const std::vector<Amplitude>& state) {
  double out = 0;
  for (std::uint64_t z = 0; z < state.size(); ++z) out += std::norm(state[z]) * energy_of(model, z);
  return out;
}

/// exp(-i angle (x X + z Z)) on one qubit, (x, z) having length 1.
inline void turn_axis(std::vector<Amplitude>& state, std::uint32_t q, double x, double z, double angle) {
  const Amplitude c = std::cos(angle);
  const Amplitude is(0, -std::sin(angle));
  for (std::uint64_t i = 0; i < state.size(); ++i) {
    const std::uint64_t j = i | std::uint64_t{1} << q;
    if (i == j) continue;
    const Amplitude a = state[i];
    const Amplitude b = state[j];
    state[i] = (c + is * z) * a + is * x * b;
    state[j] = is * x * a + (c - is * z) * b;
  }
}

/// exp(-i angle (XX + YY)/2) on two qubits.
inline void exchange(std::vector<Amplitude>& state, std::uint32_t u, std::uint32_t v, double angle) {
  const Amplitude c = std::cos(angle);
  const Amplitude is(0, -std::sin(angle));
  for (std::uint64_t i = 0; i < state.size(); ++i) {
    if ((i >> u & 1) != 1 || (i >> v & 1) != 0) continue;
    const std::uint64_t j = i ^ (std::uint64_t{1} << u | std::uint64_t{1} << v);
    const Amplitude a = state[i];
    state[i] = c * a + is * state[j];
    state[j] = is * a + c * state[j];
  }
}

/// The layers on `state`; `mix` is one mixer by its beta.
inline std::vector<Amplitude> play_layers(const problem::Bqm& model, const MixedAngles& angles,
                                          std::vector<Amplitude> state,
                                          const std::function<void(std::vector<Amplitude>&, double)>& mix) {
  for (std::size_t l = 0; l < angles.gammas.size(); ++l) {
    for (std::uint64_t z = 0; z < state.size(); ++z)
      state[z] *= std::polar(1.0, -angles.gammas[l] * energy_of(model, z));
    mix(state, angles.betas[l]);
  }
  return state;
}

/// Fourth-order differences of `value` by one of the angles.
inline double slope_of(const MixedAngles& angles, std::vector<double> MixedAngles::* part, std::size_t l,
                       const std::function<double(const MixedAngles&)>& value) {
  const auto at = [&](double step) {
    MixedAngles moved = angles;
    (moved.*part)[l] += step;
    return value(moved);
  };
  constexpr double kStep = 3e-4;
  return (8 * (at(kStep) - at(-kStep)) - (at(2 * kStep) - at(-2 * kStep))) / (12 * kStep);
}

}  // namespace tandem::statevector::testing
