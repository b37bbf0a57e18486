#include "tandem/compute/statevector/tile_readings.h"

#include <algorithm>
#include <bit>

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
                            .place = 0,
                            .sign = k >= 2 ? -1.0 : 1.0};
    const Part part = k % 2 == 0 ? Part::kImaginary : Part::kReal;
    auto group = std::ranges::find_if(groups_, [&](const Group& other) { return other.x == x && other.part == part; });
    if (group == groups_.end()) group = groups_.insert(groups_.end(), {x, part, {}, {}});
    group->receivers.push_back(receiver);
  }
  const auto bits =
      static_cast<std::uint32_t>(std::ranges::count_if(position, [](std::uint32_t at) { return at != kOutside; }));
  for (Group& group : groups_) {
    std::vector<std::uint64_t> masks;
    for (const Receiver& receiver : group.receivers) masks.push_back(receiver.mask);
    std::ranges::sort(masks);
    masks.erase(std::unique(masks.begin(), masks.end()), masks.end());
    group.sums = SignedSums(std::move(masks), bits);
    for (Receiver& receiver : group.receivers) receiver.place = group.sums.place_of(receiver.mask);
  }
}

template <class Real>
void TileReadings<Real>::apply(const Real* ket, const Real* bra, std::uint64_t base, std::span<double> values,
                               const PauliKernels<Real>& kernels, double* slots) const {
  for (const Group& group : groups_) {
    group.sums.sums(values, kernels.sums, [&](std::uint64_t first, std::uint64_t count, double* out) {
      kernels.overlaps(ket, bra, first / kLanes<Real>, count / kLanes<Real>, group.x >> kLaneBits<Real>,
                       static_cast<std::uint32_t>(group.x & (kLanes<Real> - 1)), group.part, out);
    });
    for (const Receiver& receiver : group.receivers) {
      const double sum = receiver.sign * factor_ * values[receiver.place];
      slots[receiver.slot] += odd(receiver.outside & base) ? -sum : sum;
    }
  }
}

template <class Real>
std::size_t TileReadings<Real>::bytes() const {
  std::size_t out = 0;
  for (const Group& group : groups_)
    out += sizeof(Group) + group.receivers.size() * (sizeof(Receiver) + sizeof(std::uint64_t));  // and their masks
  return out;
}

template class TileReadings<float>;
template class TileReadings<double>;

}  // namespace tandem::statevector
