#include <algorithm>
#include <map>

#include "tandem/orchestrate/route/route.h"

namespace tandem::route {

std::optional<std::uint64_t> gates_2q_max(const job::Plan& plan, const std::string& backend) {
  for (const job::PlanStep& step : plan.steps) {
    const auto limits = step.parameters.value("gates_2q_max", std::map<std::string, std::uint64_t>());
    if (const auto limit = limits.find(backend); limit != limits.end()) return limit->second;
  }
  return std::nullopt;
}

namespace {

/// With variables and couplings that the problem does not have.
bool is_encoded(const Probe& probe) { return probe.num_constraints > 0; }

}  // namespace

std::size_t core_size_max(const job::JobSpec& spec, const Probe& probe) {
  const std::size_t asked = spec.refinement.core_max;
  return is_encoded(probe) ? asked : std::min(asked, probe.num_variables);
}

std::optional<backend::Work> representative_work(const job::JobSpec& spec, const Probe& probe,
                                                 const backend::BackendInfo& info, std::optional<std::uint64_t> gates) {
  if (!info.takes_program) return std::nullopt;
  if (spec.is_program()) return backend::ProgramWork{.pubs = spec.program().pubs, .seed = spec.seed};
  const bool encoded = is_encoded(probe);
  const auto qubits = static_cast<std::uint32_t>(std::min<std::size_t>(core_size_max(spec, probe), info.qubits_max));
  auto circuit = circuit::Circuit::create(qubits, qubits);
  if (!circuit || qubits == 0) return std::nullopt;
  using circuit::Angle;
  using circuit::Gate;
  const std::uint64_t pairs = std::uint64_t{qubits} * (qubits - 1) / 2;
  const std::uint64_t couplings = encoded ? pairs : std::min<std::uint64_t>(pairs, probe.num_terms);
  const std::uint64_t mixing = encoded && qubits > 2 ? qubits : 0;  // around a ring, where numbers of ones are kept
  // A core with fewer couplings gets more layers: all in all no more gates than the backend carries, or than one layer has.
  const std::uint64_t layers = spec.refinement.layers;
  std::uint64_t left = layers * (couplings + mixing);
  if (gates) left = std::min(left, std::max(*gates, couplings + mixing));
  const auto takes_one = [&] { return left != 0 && left-- != 0; };
  for (std::uint32_t q = 0; q < qubits; ++q) circuit->gate(Gate::kH, {q});
  for (std::uint64_t layer = 0; layer < layers; ++layer) {
    std::uint64_t coupled = 0;
    for (std::uint32_t step = 1; step < qubits; ++step)
      for (std::uint32_t q = 0; q + step < qubits && coupled < couplings; ++q, ++coupled)
        if (takes_one()) circuit->gate(Gate::kRzz, {q, q + step}, {Angle::constant(1)});
    for (std::uint32_t q = 0; q < qubits; ++q) {
      circuit->gate(Gate::kRz, {q}, {Angle::constant(1)});
      circuit->gate(Gate::kRx, {q}, {Angle::constant(1)});
    }
    for (std::uint32_t q = 0; q < mixing; ++q)
      if (takes_one()) circuit->gate(Gate::kXxPlusYy, {q, (q + 1) % qubits}, {Angle::constant(1), Angle::constant(0)});
  }
  circuit->measure_all();
  return backend::ProgramWork{.pubs = {circuit::Pub{.circuit = *std::move(circuit), .shots = spec.refinement.shots}},
                              .seed = spec.seed};
}

}  // namespace tandem::route
