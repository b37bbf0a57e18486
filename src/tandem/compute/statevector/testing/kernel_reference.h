// tandem/compute/statevector/testing/kernel_reference.h - what the kernels on tiles do, by plain loops over places in double precision.
//
// Room: compute; tests only. It shares nothing with the kernels but the order of numbers in a block and the records that they are called with.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/base/text.h"
#include "tandem/compute/simd/aligned.h"
#include "tandem/compute/statevector/past_caches.h"
#include "tandem/compute/statevector/pauli_kernels.h"
#include "tandem/compute/statevector/tile_kernels.h"

namespace tandem::statevector::testing {

using Amplitude = std::complex<double>;
using Places = std::vector<Amplitude>;

/// Where the real part of a place stands; its imaginary part is kLanes further on.
template <class Real>
std::uint64_t number_of(std::uint64_t place) {
  return place / kLanes<Real> * 2 * kLanes<Real> + place % kLanes<Real>;
}

/// Amplitudes as kernels see them.
template <class Real>
struct Tile {
  simd::AlignedVector<Real> numbers;

  explicit Tile(std::uint64_t num_blocks) : numbers(num_blocks * 2 * kLanes<Real>) {}
  Tile(std::uint64_t num_blocks, Xoshiro256& rng) : Tile(num_blocks) {
    for (Real& number : numbers) number = static_cast<Real>(2 * rng.uniform() - 1);
  }
  Real* data() { return numbers.data(); }
  std::uint64_t num_blocks() const { return numbers.size() / 2 / kLanes<Real>; }
  Places places() const {
    Places out(numbers.size() / 2);
    for (std::uint64_t place = 0; place < out.size(); ++place)
      out[place] = {numbers[number_of<Real>(place)], numbers[number_of<Real>(place) + kLanes<Real>]};
    return out;
  }
};

/// What comes of checks: how far from the reference, and a digest of every number that was written, as it lies in memory.
struct Verdict {
  double worst = 0;  ///< distance, relative to the largest number of its case
  std::string where;  ///< the case of it
  std::uint64_t digest = 0xcbf29ce484222325;
  std::size_t cases = 0;

  void add_bytes(const void* from, std::size_t size) {  // FNV-1a, eight bytes at a time
    const auto* bytes = static_cast<const char*>(from);
    for (std::size_t i = 0; i + 8 <= size; i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes + i, 8);
      digest = (digest ^ word) * 0x100000001b3;
    }
  }
  void add(double distance, const std::string& name) {
    ++cases;
    if (distance <= worst) return;
    worst = std::isnan(distance) ? std::numeric_limits<double>::infinity()
                                 : distance;  // or the next one would be taken for more
    where = name;
  }
  template <class Real>
  void compare(const Tile<Real>& found, const Places& wanted, const std::string& name) {
    const Places places = found.places();
    double largest = 0;
    double most = 0;
    for (std::size_t i = 0; i < places.size(); ++i) {
      largest = std::max(largest, std::abs(wanted[i]));
      const double distance = std::abs(places[i] - wanted[i]);
      most = std::isnan(distance) ? std::numeric_limits<double>::infinity() : std::max(most, distance);
    }
    add_bytes(found.numbers.data(), found.numbers.size() * sizeof(Real));
    add(most / std::max(largest, 1e-300), name);
  }
  /// A number, beside the size that rounding is relative to.
  void compare(double found, double wanted, double size, const std::string& name) {
    add_bytes(&found, sizeof found);
    add(std::abs(found - wanted) / size, name);
  }
};

/// Blocks of a tile by rows that lie in any order, with gaps between them.
template <class Real>
class Scattered {
 public:
  Scattered(std::uint64_t num_blocks, std::uint32_t block_bits, Xoshiro256& rng)
      : block_bits_(block_bits), row_(std::uint64_t{kLanes<Real>} << block_bits), at_(num_blocks >> block_bits) {
    for (std::uint64_t i = 0; i < at_.size(); ++i) {
      at_[i] = (2 * i + 1) * row_;
      std::swap(at_[i], at_[rng.below(i + 1)]);
    }
    numbers_.resize(2 * (2 * at_.size() + 1) * row_, kGap);
  }
  Rows<Real> rows() { return {.first = numbers_.data(), .at = at_.data(), .block_bits = block_bits_}; }
  void put(const Tile<Real>& tile) {
    for (std::uint64_t i = 0; i < at_.size(); ++i)
      std::memcpy(numbers_.data() + 2 * at_[i], tile.numbers.data() + 2 * row_ * i, 2 * row_ * sizeof(Real));
  }
  Tile<Real> tile() const {
    Tile<Real> out(at_.size() << block_bits_);
    for (std::uint64_t i = 0; i < at_.size(); ++i)
      std::memcpy(out.data() + 2 * row_ * i, numbers_.data() + 2 * at_[i], 2 * row_ * sizeof(Real));
    return out;
  }
  bool has_its_gaps() const {
    for (std::uint64_t row = 0; row < numbers_.size(); row += 4 * row_)
      for (std::uint64_t i = 0; i < 2 * row_; ++i)
        if (numbers_[row + i] != kGap) return false;
    return true;
  }

 private:
  static constexpr Real kGap = 17;
  std::uint32_t block_bits_;
  std::uint64_t row_;  ///< amplitudes
  std::vector<std::uint64_t> at_;
  simd::AlignedVector<Real> numbers_;
};

/// call(tile, passage) for every way in and out, which all give the same: what is not to be read is no number.
template <class Real, class Call>
void compare_passages(Verdict& out, const Tile<Real>& before, const Places& wanted, Xoshiro256& rng,
                      const std::string& name, const Call& call) {
  enum class Out : std::uint8_t { kTile, kRows, kPastCaches, kSameRows };
  const auto most = static_cast<std::uint32_t>(std::countr_zero(before.num_blocks()));
  for (const bool reads : {false, true}) {
    for (const Out leaves : {Out::kTile, Out::kRows, Out::kPastCaches, Out::kSameRows}) {
      if (!reads && (leaves == Out::kTile || leaves == Out::kSameRows)) continue;
      const auto block_bits = static_cast<std::uint32_t>(rng.below(most + 1));
      Scattered<Real> from(before.num_blocks(), block_bits, rng), other(before.num_blocks(), block_bits, rng);
      Scattered<Real>& to = leaves == Out::kSameRows ? from : other;
      Tile<Real> tile = before;
      if (reads) std::ranges::fill(tile.numbers, std::numeric_limits<Real>::quiet_NaN());
      from.put(before);
      Passage<Real> passage{
          .past_caches = leaves == Out::kPastCaches, .to_read = other.rows(), .to_write = from.rows()};
      if (reads) passage.from = from.rows();
      if (leaves != Out::kTile) passage.to = to.rows();
      call(tile.data(), &passage);
      fence_past_caches();
      const std::string way =
          fmt::format("{}, rows of 2^{} blocks, {} in, out {}", name, block_bits, reads, static_cast<int>(leaves));
      out.compare(leaves == Out::kTile ? tile : to.tile(), wanted, way);
      out.add(from.has_its_gaps() && to.has_its_gaps() ? 0 : 1, way + ": written outside of the rows");
    }
  }
}

/// (a, b) -> (keep a + mix_a b, keep b + mix_b a), as Turn says.
template <class Real>
struct Mixing {
  double keep;
  Amplitude to_a;
  Amplitude to_b;

  explicit Mixing(const Turn<Real>& turn) {
    const double ratio = turn.ratio;
    const double other = turn.large ? 1 : ratio;
    keep = turn.large ? ratio : 1;
    to_a = turn.about_x ? Amplitude(0, -other) : Amplitude(-other);
    to_b = turn.about_x ? Amplitude(0, -other) : Amplitude(other);
  }
  void apply(Amplitude& a, Amplitude& b) const {
    const Amplitude old = a;
    a = keep * a + to_a * b;
    b = keep * b + to_b * old;
  }
};

template <class Real>
void turned(Places& places, const Turn<Real>& turn) {
  const std::uint64_t bit = std::uint64_t{1} << turn.bit;
  for (std::uint64_t place = 0; place < places.size(); ++place)
    if ((place & bit) == 0) Mixing<Real>(turn).apply(places[place], places[place | bit]);
}

/// The first `count` places of a with those of b from the end on.
template <class Real>
void mirrored(Places& a, Places& b, std::uint64_t count, const Turn<Real>& turn) {
  for (std::uint64_t place = 0; place < count; ++place) Mixing<Real>(turn).apply(a[place], b[b.size() - 1 - place]);
}

template <class Real>
void paired(Places& places, const PairWork<Real>& work) {
  const Places old = places;
  const auto block_of = [&](std::uint64_t place) { return place / kLanes<Real>; };
  const auto mixed = [&](std::uint64_t place, std::uint64_t other, const Real* keep, const Real* mix) {
    const std::uint64_t lane = place % kLanes<Real>;
    places[place] = Amplitude(keep[lane], keep[lane + kLanes<Real>]) * old[place] +
                    Amplitude(mix[lane], mix[lane + kLanes<Real>]) * old[other];
  };
  for (std::uint64_t place = 0; place < places.size(); ++place) {
    const std::uint64_t other = place ^ ((work.a ^ work.b) * kLanes<Real> | work.lanes);
    if ((block_of(place) & work.operands) == work.a) {
      mixed(place, other, work.a_keep, work.a_mix);
    } else if ((block_of(place) & work.operands) == work.b) {
      mixed(place, other, work.b_keep, work.b_mix);
    }
  }
}

/// <bra|P|ket> with X on the bits of x and Z on those of z, i for each bit of both: Y is i X Z.
inline Amplitude between(const Places& bra, const Places& ket, std::uint64_t x, std::uint64_t z) {
  static constexpr Amplitude kPowers[4] = {1, {0, 1}, -1, {0, -1}};
  Amplitude sum = 0;
  for (std::uint64_t place = 0; place < ket.size(); ++place) {
    const Amplitude term = std::conj(bra[place ^ x]) * ket[place];
    sum += std::popcount(place & z) % 2 == 0 ? term : -term;
  }
  return kPowers[std::popcount(x & z) % 4] * sum;
}

inline double size_of(const Places& places) {
  double sum = 0;
  for (const Amplitude& amplitude : places) sum += std::norm(amplitude);
  return std::sqrt(sum);
}

}  // namespace tandem::statevector::testing
