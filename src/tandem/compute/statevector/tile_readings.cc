#include "tandem/compute/statevector/tile_readings.h"

#include <algorithm>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/tile_gate.h"

namespace tandem::statevector {

template <class Real>
TileReadings<Real>::TileReadings(std::span<const Reading> readings, std::span<const std::uint32_t> position,
                                 std::size_t first_slot) {
  const auto split = [&](std::uint64_t bits) {
    std::pair<std::uint64_t, std::uint64_t> out{};  // inside, outside
    for (; bits != 0; bits &= bits - 1) {
      const std::uint32_t at = position[static_cast<std::size_t>(std::countr_zero(bits))];
      (at == kOutside ? out.second : out.first) |= at == kOutside ? bits & (0 - bits) : std::uint64_t{1} << at;
    }
    return out;
  };
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const auto [x, x_outside] = split(readings[i].x);
    const auto [z, z_outside] = split(readings[i].z);
    TANDEM_ASSERT(x_outside == 0);
    // <bra|P|ket> is i^k times the signed sum of conj(bra[z ^ x]) ket[z], k being the number of Y.
    const int k = std::popcount(readings[i].x & readings[i].z) % 4;
    const Receiver receiver{.slot = static_cast<std::uint32_t>(first_slot + i),
                            .outside = z_outside,
                            .mask = z,
                            .sign = k >= 2 ? -1.0 : 1.0};
    if (std::popcount(x) == 1 && (z == 0 || z == x)) {
      auto& known = one_bit_[z == 0 ? 0 : 1];
      const auto bit = static_cast<std::uint32_t>(std::countr_zero(x));
      auto entry = std::ranges::find(known, bit, &OneBit::bit);
      if (entry == known.end()) entry = known.insert(known.end(), {bit, {}});
      entry->receivers.push_back(receiver);
      continue;
    }
    const Part part = k % 2 == 0 ? Part::kImaginary : Part::kReal;
    auto group = std::ranges::find_if(groups_, [&](const Group& other) { return other.x == x && other.part == part; });
    if (group == groups_.end()) group = groups_.insert(groups_.end(), {x, part, {}, {}});
    group->receivers.push_back(receiver);
  }
  for (auto& known : one_bit_) std::ranges::sort(known, {}, &OneBit::bit);
  for (Group& group : groups_) {
    std::vector<std::uint64_t> masks;
    for (const Receiver& receiver : group.receivers) masks.push_back(receiver.mask);
    std::ranges::sort(masks);
    masks.erase(std::unique(masks.begin(), masks.end()), masks.end());
    group.sums = SignedSums(std::move(masks));
  }
}

template <class Real>
void TileReadings<Real>::tell(const std::vector<Receiver>& receivers, std::uint64_t base, double sum,
                              double* slots) const {
  for (const Receiver& receiver : receivers) {
    const double factor = receiver.sign * factor_;
    slots[receiver.slot] += odd(receiver.outside & base) ? -factor * sum : factor * sum;
  }
}

/// Adds to `sums`, one a bit.
template <class Real>
void TileReadings<Real>::read_bits(const Real* ket, const Real* bra, std::uint64_t num_blocks,
                                   std::span<const OneBit> bits, bool about_y, const PauliKernels<Real>& kernels,
                                   std::span<double> sums) {
  std::size_t next = 0;
  for (; next < bits.size() && bits[next].bit < kLaneBits<Real>; ++next)
    sums[next] += kernels.cross_lane(ket, bra, num_blocks, bits[next].bit, about_y);
  while (next < bits.size()) {
    const std::size_t now = std::min(kCrossAtOnce, bits.size() - next);
    std::array<std::uint32_t, kCrossAtOnce> at{};
    std::array<double, kCrossAtOnce> found{};
    for (std::size_t i = 0; i < now; ++i) at[i] = bits[next + i].bit;
    kernels.cross(ket, bra, num_blocks, at.data(), now, about_y, found.data());
    for (std::size_t i = 0; i < now; ++i) sums[next + i] += found[i];
    next += now;
  }
}

template <class Real>
void TileReadings<Real>::apply(const Real* ket, const Real* bra, std::uint64_t base, std::span<double> values,
                               const PauliKernels<Real>& kernels, double* slots) const {
  const std::uint64_t num_blocks = values.size() / kLanes<Real>;
  // Low bits by pieces of 8 KiB, of which those of both states stay in the first-level cache while all of them are read.
  constexpr std::uint32_t kPieceBits = kLaneBits<Real> + 6;
  const std::uint64_t piece = std::min<std::uint64_t>(num_blocks, std::uint64_t{1} << (kPieceBits - kLaneBits<Real>));
  for (const bool about_y : {false, true}) {
    const std::span<const OneBit> all = one_bit_[about_y ? 1 : 0];
    if (all.empty()) continue;
    std::array<double, 64> sums{};
    const auto above = std::ranges::partition_point(all, [](const OneBit& one) { return one.bit < kPieceBits; });
    const auto num_low = static_cast<std::size_t>(above - all.begin());
    for (std::uint64_t first = 0; first < num_blocks && num_low != 0; first += piece) {
      const std::uint64_t at = first * 2 * kLanes<Real>;
      read_bits(ket + at, bra + at, piece, all.first(num_low), about_y, kernels, sums);
    }
    read_bits(ket, bra, num_blocks, all.subspan(num_low), about_y, kernels, std::span(sums).subspan(num_low));
    for (std::size_t i = 0; i < all.size(); ++i) tell(all[i].receivers, base, sums[i], slots);
  }
  for (const Group& group : groups_) {
    kernels.overlaps(ket, bra, num_blocks, group.x >> kLaneBits<Real>,
                     static_cast<std::uint32_t>(group.x & (kLanes<Real> - 1)), group.part, values.data());
    group.sums.reduce(values, kernels.sums);
    for (const Receiver& receiver : group.receivers) {
      const double sum = receiver.sign * factor_ * values[receiver.mask];
      slots[receiver.slot] += odd(receiver.outside & base) ? -sum : sum;
    }
  }
}

template <class Real>
std::size_t TileReadings<Real>::bytes() const {
  std::size_t out = 0;
  for (const auto& known : one_bit_)
    for (const OneBit& one : known) out += sizeof(OneBit) + one.receivers.size() * sizeof(Receiver);
  for (const Group& group : groups_)
    out += sizeof(Group) + group.receivers.size() * (sizeof(Receiver) + sizeof(std::uint64_t));  // and their masks
  return out;
}

template class TileReadings<float>;
template class TileReadings<double>;

}  // namespace tandem::statevector
