// tandem/compute/statevector/amplitudes.h - where the amplitudes live, and loops over blocks of them.
//
// Room: compute; for the sources of this part only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "tandem/base/executor.h"
#include "tandem/compute/statevector/frame.h"
#include "tandem/compute/statevector/spare_memory.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/compute/statevector/tile_kernels.h"

namespace tandem::statevector {

/// Shares of sums, and what one thread takes at a time. Fixed, because the order of sums is part of every result.
inline constexpr std::uint32_t kShareBits = 14;

/// To where memory came from.
struct GiveBack {
  std::shared_ptr<SpareMemory> spare;
  std::uint64_t bytes = 0;

  void operator()(void* memory) const {
    if (spare)
      spare->give(memory, bytes);
    else
      std::free(memory);
  }
};
template <class Real>
using Memory = std::unique_ptr<Real[], GiveBack>;

/// Uninitialised, so that the thread that first writes a page owns it; null when the machine refuses. Large ones ask for
/// huge pages, without which every gate pays for address translation. `spare`: whence it may come, and where it goes.
template <class Real>
Memory<Real> allocate(std::uint64_t count, std::shared_ptr<SpareMemory> spare = nullptr);

/// Where in blocks the real part of a place stands; its imaginary part stands kLanes behind it.
template <class Real>
constexpr std::uint64_t re_at(std::uint64_t place) {
  return place / kLanes<Real> * 2 * kLanes<Real> + place % kLanes<Real>;
}

template <class Real>
struct BasicStateVector<Real>::Amplitudes {
  std::uint32_t num_qubits = 0;
  std::uint32_t num_bits = 0;  ///< of places: at least kLaneBits; bits without a qubit stay 0
  Frame frame{0};
  Memory<Real> memory;  ///< blocks of kLanes
  bool is_zero = false;  ///< |0...0>, as set_basis_state() left it
  std::vector<double> row_weights;  ///< of each row (sampling.h), where the last pass took them; else empty

  std::uint64_t size() const { return std::uint64_t{1} << num_bits; }
  std::uint32_t share_bits() const { return std::min(num_bits, kShareBits); }
  std::uint64_t share_size() const { return std::uint64_t{1} << share_bits(); }
  std::uint64_t num_shares() const { return size() >> share_bits(); }
  const Real* re(std::uint64_t place) const { return memory.get() + re_at<Real>(place); }
  const Real* im(std::uint64_t place) const { return re(place) + kLanes<Real>; }
  Real* re(std::uint64_t place) { return memory.get() + re_at<Real>(place); }
  Real* im(std::uint64_t place) { return re(place) + kLanes<Real>; }
  double weight(std::uint64_t place) const {
    const double real = *re(place);
    const double imaginary = *im(place);
    return real * real + imaginary * imaginary;
  }
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
