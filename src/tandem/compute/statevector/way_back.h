// tandem/compute/statevector/way_back.h - a stretch of instructions -> the steps that undo it, with what derivatives are read from.
//
// Room: compute, inside statevector.
#pragma once

#include <span>

#include "tandem/compute/statevector/lowering.h"

namespace tandem::statevector {

/// Appends the inverse of what lower() makes of `instructions`, from the last to the first, and before the inverse of a gate the readings
/// of its angles that are parameters. `frame`: before the first instruction; its bits alone count.
/// What steps and readings there are follows from gates, qubits, the bits of the frame and which angles are parameters, so that a plan of
/// them holds for any angles; Reading::parameter and Reading::factor are numbers, as those of steps.
void lower_back(std::span<const circuit::Instruction> instructions, std::span<const double> parameter_values,
                Frame frame, Steps& out);

}  // namespace tandem::statevector
