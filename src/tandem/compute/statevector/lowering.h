// tandem/compute/statevector/lowering.h - instructions -> steps on the places of amplitudes: phases, turns of one bit, pairs.
//
// Room: compute, inside statevector. Every gate on one qubit is a turn between phases, and phases of any number of gates commute and need
// nothing to be near: so circuits become few and cheap kinds of work.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/compute/statevector/frame.h"
#include "tandem/compute/statevector/prepared_gate.h"

namespace tandem::statevector {

struct Step {
  enum class Kind : std::uint8_t {
    kPhase,  ///< e^(i angle) where the one or two bits of `touched` are all 1
    kTurnY,  ///< cos, sin of half the angle: (cos a - sin b, cos b + sin a)
    kTurnX,  ///< (cos a - i sin b, cos b - i sin a)
    kGate,  ///< anything else
  };
  Kind kind = Kind::kPhase;
  std::uint64_t touched = 0;
  std::uint64_t mixing = 0;  ///< bits of pairs
  double angle = 0;
  std::uint32_t gate = 0;  ///< number in Steps::gates
};

struct Steps {
  std::vector<Step> steps;
  std::vector<PreparedGate> gates;
};

/// Appends what the unitary `instructions` do to amplitudes in `frame`, and moves the frame on. Angles are finite.
void lower(std::span<const circuit::Instruction> instructions, std::span<const double> parameter_values, Frame& frame,
           Steps& out);

}  // namespace tandem::statevector
