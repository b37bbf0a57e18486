// tandem/compute/statevector/ising_layers.h - whether a circuit begins with Ising layers, and what they are.
//
// Room: compute, inside statevector. The one place that decides which circuits are run by IsingRunner instead of a plan: by their content,
// so that it does not matter who wrote them. Not here: how layers are run (ising_runner.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tandem/compute/statevector/ising_runner.h"
#include "tandem/model/circuit/circuit.h"

namespace tandem::statevector {

struct IsingLayers {
  std::vector<IsingLayer> layers;  ///< at least one
  bool symmetric = false;  ///< no phase of one qubit alone: half of the amplitudes hold all (IsingState)
  std::size_t num_seen = 0;  ///< instructions that were looked at
  std::vector<circuit::Instruction> rest;  ///< those among them that stand behind the layers
};

/// On |0...0>: H on every qubit, then layer by layer phases of one and two qubits and an RX on every qubit, whatever the order in which
/// gates on different qubits stand. A phase of two qubits may be written as CX, phase, CX. Angles are finite.
/// Empty: there is no such layer, or a plan is as fast (fewer than kIsingQubitsMin qubits).
/// Cost: what stands in the layers, and one instruction more.
template <class Real>
std::optional<IsingLayers> find_ising_layers(std::span<const circuit::Instruction> instructions,
                                             std::span<const double> parameter_values, std::uint32_t num_qubits);

/// Makes `amplitudes`, all of |0...0>'s, those of the layers, but for the factor that is returned.
/// Errors: 1002 cancelled; 1004 out_of_memory - to work in.
template <class Real>
Result<double> run_ising_layers(const IsingLayers& layers, Real* amplitudes, std::uint32_t num_qubits, simd::Isa isa,
                                Executor& executor, const std::stop_token& stop);

/// Below it a state fits into few tiles, and plans that are kept are bound to new angles faster than layers are found.
inline constexpr std::uint32_t kIsingQubitsMin = 14;

extern template std::optional<IsingLayers> find_ising_layers<float>(std::span<const circuit::Instruction>,
                                                                    std::span<const double>, std::uint32_t);
extern template std::optional<IsingLayers> find_ising_layers<double>(std::span<const circuit::Instruction>,
                                                                     std::span<const double>, std::uint32_t);
extern template Result<double> run_ising_layers<float>(const IsingLayers&, float*, std::uint32_t, simd::Isa, Executor&,
                                                       const std::stop_token&);
extern template Result<double> run_ising_layers<double>(const IsingLayers&, double*, std::uint32_t, simd::Isa,
                                                        Executor&, const std::stop_token&);

}  // namespace tandem::statevector
