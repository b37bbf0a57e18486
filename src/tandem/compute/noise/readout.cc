#include "tandem/compute/noise/readout.h"

#include <algorithm>

#include "tandem/base/rng.h"

namespace tandem::noise {
namespace {

using statevector::BasisCount;

constexpr std::size_t kBuffer = 1 << 20;                // 16 MiB
constexpr std::uint64_t kShotsBetweenStops = 1 << 16;

struct Flip {
  std::uint64_t bit;
  double of_0;
  double of_1;
};

}  // namespace

void Histogram::add(std::uint64_t state, std::uint64_t count) {
  if (!buffer_.empty() && buffer_.back().state == state) {
    buffer_.back().count += count;
    return;
  }
  if (buffer_.size() == kBuffer) fold();
  buffer_.push_back({state, count});
}

void Histogram::fold() {
  std::ranges::sort(buffer_, {}, &BasisCount::state);
  const auto middle = static_cast<std::ptrdiff_t>(folded_.size());
  folded_.insert(folded_.end(), buffer_.begin(), buffer_.end());
  buffer_.clear();
  std::ranges::inplace_merge(folded_, folded_.begin() + middle, {}, &BasisCount::state);
  std::size_t kept = 0;
  for (const BasisCount& entry : folded_) {
    if (kept > 0 && folded_[kept - 1].state == entry.state) {
      folded_[kept - 1].count += entry.count;
    } else {
      folded_[kept++] = entry;
    }
  }
  folded_.resize(kept);
}

std::vector<BasisCount> Histogram::take() {
  fold();
  return std::exchange(folded_, {});
}

Result<std::vector<BasisCount>> misread(const std::vector<BasisCount>& states,
                                        std::span<const std::pair<std::uint32_t, std::uint32_t>> writes,
                                        const device::Calibration& calibration, std::uint64_t seed,
                                        const std::stop_token& stop) {
  std::vector<Flip> flips;
  for (const auto& [qubit, clbit] : writes) {
    const device::QubitCalibration& record = calibration.qubits[qubit];
    if (record.readout_p01 == 0 && record.readout_p10 == 0) continue;
    flips.push_back({std::uint64_t{1} << qubit, record.readout_p01, record.readout_p10});
  }
  if (flips.empty()) return states;
  Xoshiro256 rng(seed);
  Histogram histogram;
  std::uint64_t shots = 0;
  for (const BasisCount& entry : states) {
    for (std::uint64_t shot = 0; shot < entry.count; ++shot) {
      if (shots++ % kShotsBetweenStops == 0 && stop.stop_requested()) {
        return fail(errors::kCancelled, "the simulation was stopped on request");
      }
      std::uint64_t read = entry.state;
      for (const Flip& flip : flips) {
        if (rng.uniform() < ((entry.state & flip.bit) != 0 ? flip.of_1 : flip.of_0)) read ^= flip.bit;
      }
      histogram.add(read, 1);
    }
  }
  return histogram.take();
}

}  // namespace tandem::noise
