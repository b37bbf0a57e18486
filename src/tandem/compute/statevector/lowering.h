// tandem/compute/statevector/lowering.h - instructions -> steps on the places of amplitudes: phases, turns of one bit, pairs.
//
// Room: compute, inside statevector. Every gate on one qubit is a turn between phases, and phases of any number of gates commute and need
// nothing to be near: so circuits become few and cheap kinds of work.
#pragma once

#include <complex>
#include <cstdint>
#include <span>
#include <vector>

#include "tandem/compute/statevector/frame.h"
#include "tandem/compute/statevector/prepared_gate.h"

namespace tandem::statevector {

struct Step {
  enum class Kind : std::uint8_t {
    kPhase,  ///< `factor` where the one or two bits of `touched` are all 1
    kTurn,  ///< (cosine a - sine b, cosine b + sine a), about y; one about x stands between phases i and -i
    kParity,  ///< `factor` where of three or more bits, those of `touched`, an odd number are 1
    kGate,  ///< anything else
    kDense,  ///< several steps on the pair of bits `touched` (fuse.h); lower() makes none
    kReading,  ///< changes nothing: is a place where Steps::readings are taken
    kReadTurn,  ///< a turn and the reading of Y on its bit, which commute; lower() makes none
  };
  Kind kind = Kind::kPhase;
  bool fixed = false;  ///< a gate without angles
  std::uint32_t gate = 0;  ///< number in Steps::gates or Steps::readings
  std::uint64_t touched = 0;
  std::uint64_t mixing = 0;  ///< bits of pairs
  std::complex<double> factor = 1;
  double cosine = 1;  ///< of half the angle
  double sine = 0;
};

/// Whether something is read where the step stands.
inline bool is_read(const Step& step) {
  return step.kind == Step::Kind::kReading || step.kind == Step::Kind::kReadTurn;
}

/// The Pauli string with X on the bits of x and Z on those of z, of which Im <bra|P|ket> is wanted where the step stands: `factor` times
/// that is part of the derivative by `parameter`.
struct Reading {
  std::uint64_t x = 0;
  std::uint64_t z = 0;
  std::uint32_t parameter = 0;
  double factor = 1;
};

struct Steps {
  std::vector<Step> steps;
  std::vector<PreparedGate> gates;
  std::vector<Reading> readings;
};

/// Appends what the unitary `instructions`, and exponentials of Pauli strings that are written as several (pauli_exponential.h), do to amplitudes in `frame`, and moves the frame on. Angles are finite. They decide factors,
/// cosines, sines and matrices only: what steps there are, what they touch, and where the frame ends follow from gates, qubits and the
/// bits of the frame, so that a plan of the steps holds for any angles.
void lower(std::span<const circuit::Instruction> instructions, std::span<const double> parameter_values, Frame& frame,
           Steps& out);

/// Writes the numbers of `steps` again, which lower() made of the same gates and qubits in a frame with the same bits. Allocates nothing.
void lower_again(std::span<const circuit::Instruction> instructions, std::span<const double> parameter_values,
                 Frame& frame, Steps& steps);

}  // namespace tandem::statevector
