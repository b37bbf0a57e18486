// tandem/compute/statevector/kernels.h - the hot loops: free functions on spans of real and imaginary parts.
//
// Room: compute; for the sources of this part only. One thread each; callers hand out ranges.
#pragma once

#include <cstdint>
#include <span>

#include "tandem/compute/statevector/prepared_gate.h"

namespace tandem::statevector {

/// Amplitudes as two arrays of one length, a power of two.
struct Parts {
  std::span<double> re;
  std::span<double> im;
  std::size_t size() const { return re.size(); }
  Parts subspan(std::size_t first, std::size_t count) const {
    return {re.subspan(first, count), im.subspan(first, count)};
  }
};
struct ConstParts {
  std::span<const double> re;
  std::span<const double> im;
  std::size_t size() const { return re.size(); }
  ConstParts subspan(std::size_t first, std::size_t count) const {
    return {re.subspan(first, count), im.subspan(first, count)};
  }
};

/// Number of groups of amplitudes that `gate` treats as one: all states that differ in its operands only.
std::uint64_t num_groups(const PreparedGate& gate, std::size_t num_amplitudes);

/// Applies `gate` to the groups [first, last), numbered by their states with the operand bits left out.
void apply_gate(const PreparedGate& gate, Parts parts, std::uint64_t first, std::uint64_t last);

double sum_of_squares(ConstParts parts);
/// Re and Im of conj(bra[z ^ flip]) ket[z] for every z; flip is below the size.
void overlaps_re(ConstParts bra, ConstParts ket, std::uint64_t flip, std::span<double> out);
void overlaps_im(ConstParts bra, ConstParts ket, std::uint64_t flip, std::span<double> out);

/// out[m] = sum_z (-1)^popcount(m & z) in[z], in place; the size is a power of two.
void walsh_hadamard(std::span<double> values);

}  // namespace tandem::statevector
