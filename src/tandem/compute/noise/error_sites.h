// tandem/compute/noise/error_sites.h - where a shot's Pauli errors fall.
//
// Room: compute; for the sources of this part only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/device/calibration.h"

namespace tandem::noise {

/// A Pauli string that is not the identity, after instruction `instruction`: bits 2k and 2k + 1 of `pauli` are the x and z
/// bit of its qubit k.
struct PauliError {
  std::uint32_t instruction = 0;
  std::uint32_t pauli = 0;
  friend auto operator<=>(const PauliError&, const PauliError&) = default;
};

/// Draws the errors of one shot after another. A depolarising channel of probability p on k qubits leaves the identity
/// with probability 1 - p (1 - 4^-k) and gives each other string p / 4^k.
/// Cost: one random number for 64 sites without an error.
class ErrorSites {
 public:
  /// `instructions` are unitary, on one or two qubits each, or barriers.
  ErrorSites(std::span<const circuit::Instruction> instructions, const device::Calibration& calibration);

  /// Ascending by instruction.
  void draw(Xoshiro256& rng, std::vector<PauliError>& errors) const;

 private:
  struct Site {
    std::uint32_t instruction;
    std::uint32_t num_paulis;  ///< 4 or 16
    double survival;  ///< probability of no error at the sites of this stretch up to and including this one
  };
  std::vector<Site> sites_;
};

}  // namespace tandem::noise
