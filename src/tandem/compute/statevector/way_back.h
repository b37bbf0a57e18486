// tandem/compute/statevector/way_back.h - WayBack: a stretch of instructions -> the steps that undo it, with what derivatives are read from.
//
// Room: compute, inside statevector.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/compute/statevector/lowering.h"

namespace tandem::statevector {

/// The inverse of what lower() makes of the instructions, from the last to the first, with the readings of those angles that are parameters
/// where the strings they are read from are fewest: those of a rotation commute with it, and are read as it is undone.
/// What steps and readings there are follows from gates, qubits, the bits of the frame and which angles are parameters, so that a plan of
/// them holds for any angles; Reading::parameter and Reading::factor are numbers, as those of steps.
class WayBack {
 public:
  /// `frame`: before the first instruction; its bits alone count.
  void lower(std::span<const circuit::Instruction> instructions, std::span<const double> parameter_values, Frame frame);
  /// Writes the numbers again, of the same gates and qubits with the same angles as parameters, in a frame with the same bits.
  void lower_again(std::span<const circuit::Instruction> instructions, std::span<const double> parameter_values,
                   Frame frame);
  const Steps& steps() const { return back_; }
  std::size_t bytes() const;  ///< about

 private:
  void set_inverse(std::size_t number);
  void set_readings(std::span<const circuit::Instruction> instructions, std::span<const double> parameter_values);

  Steps there_;
  Steps back_;
  /// Of each step of back_: the step that it undoes, or kNone.
  std::vector<std::uint32_t> undone_;
  /// Of each reading: whether its string has a sign because of flipped bits.
  std::vector<char> negative_;
};

}  // namespace tandem::statevector
