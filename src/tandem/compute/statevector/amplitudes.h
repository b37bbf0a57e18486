// tandem/compute/statevector/amplitudes.h - where the amplitudes live, and loops over blocks of them.
//
// Room: compute; for the sources of this part only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/compute/statevector/kernels.h"
#include "tandem/compute/statevector/statevector.h"

namespace tandem::statevector {

/// Blocks are what one thread takes at a time and what sums are taken over: 2^14 amplitudes are 256 KiB, which stay in a
/// second-level cache while several gates pass. Fixed, because the order of sums is part of every result.
inline constexpr std::uint32_t kBlockBits = 14;

struct FreeDeleter {
  void operator()(double* memory) const { std::free(memory); }
};
using Doubles = std::unique_ptr<double[], FreeDeleter>;

/// Uninitialised, so that the thread that first writes a page owns it; null when the machine refuses. Large ones ask for
/// huge pages, without which every gate pays for address translation.
Doubles allocate_doubles(std::uint64_t count);

/// Doubles between the end of the real and the start of the imaginary parts: 48 cache lines. re[i] and im[i] are always
/// touched together, and at some distances (2^27 + 2^12 bytes is one) the first-level cache of AMD's Zen takes them for
/// the same line and every access misses: five times slower, measured. In different cache sets they cannot meet.
inline constexpr std::uint64_t kSkew = 48 * 8;

struct StateVector::Amplitudes {
  std::uint32_t num_qubits = 0;
  Doubles memory;
  double* re = nullptr;
  double* im = nullptr;

  std::uint64_t size() const { return std::uint64_t{1} << num_qubits; }
  std::uint32_t block_bits() const { return std::min(num_qubits, kBlockBits); }
  std::uint64_t block_size() const { return std::uint64_t{1} << block_bits(); }
  std::uint64_t num_blocks() const { return size() >> block_bits(); }
  Parts all() { return {{re, size()}, {im, size()}}; }
  ConstParts all() const { return {{re, size()}, {im, size()}}; }
  Parts block(std::uint64_t index) { return all().subspan(index * block_size(), block_size()); }
  ConstParts block(std::uint64_t index) const { return all().subspan(index * block_size(), block_size()); }
};

/// body(i) for i in [0, count), on the executor when there is more than one.
template <typename Body>
void for_blocks(Executor& executor, std::uint64_t count, const Body& body) {
  if (count == 1) {
    body(std::size_t{0});
  } else {
    executor.parallel(count, 0, body);
  }
}

/// The values term(i) of all blocks.
template <typename Term>
std::vector<double> block_values(Executor& executor, std::uint64_t count, const Term& term) {
  std::vector<double> values(count);
  for_blocks(executor, count, [&](std::size_t i) { values[i] = term(i); });
  return values;
}

/// Their sum, added in order.
template <typename Term>
double block_sum(Executor& executor, std::uint64_t count, const Term& term) {
  double sum = 0;
  for (const double value : block_values(executor, count, term)) sum += value;
  return sum;
}

}  // namespace tandem::statevector
