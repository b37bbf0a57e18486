#include "tandem/compute/noise/error_sites.h"

#include <algorithm>

#include "tandem/base/assert.h"

namespace tandem::noise {
namespace {

/// Sites whose survival is multiplied up: at least (1/16)^64 = 2^-256, so nothing underflows.
constexpr std::size_t kStretch = 64;

}  // namespace

ErrorSites::ErrorSites(std::span<const circuit::Instruction> instructions, const device::Calibration& calibration) {
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    const std::uint8_t num_qubits = circuit::gate_record(instructions[i].gate).num_qubits;
    if (num_qubits == 0) continue;
    TANDEM_ASSERT(num_qubits <= 2);
    const double probability = num_qubits == 1 ? calibration.error_1q : calibration.error_2q;
    if (probability == 0) continue;
    const std::uint32_t num_paulis = num_qubits == 1 ? 4 : 16;
    const double kept = 1 - probability * (1 - 1.0 / num_paulis);
    const double before = sites_.size() % kStretch == 0 ? 1 : sites_.back().survival;
    sites_.push_back({static_cast<std::uint32_t>(i), num_paulis, before * kept});
  }
}

void ErrorSites::draw(Xoshiro256& rng, std::vector<PauliError>& errors) const {
  errors.clear();
  for (std::size_t first = 0; first < sites_.size(); first += kStretch) {
    const auto stretch = std::span(sites_).subspan(first, std::min(kStretch, sites_.size() - first));
    // The first error falls on the first site whose survival is at most the random number; given the survival up to a
    // site, that number is uniform below it.
    double below = 1;
    for (std::size_t next = 0; next < stretch.size();) {
      const double uniform = rng.uniform() * below;
      if (uniform < stretch.back().survival) break;
      const auto hit =
          std::ranges::find_if(stretch.subspan(next), [uniform](const Site& s) { return s.survival <= uniform; });
      TANDEM_ASSERT(hit != stretch.end());
      errors.push_back({hit->instruction, static_cast<std::uint32_t>(1 + rng.below(hit->num_paulis - 1))});
      below = hit->survival;
      next = static_cast<std::size_t>(hit - stretch.begin()) + 1;
    }
  }
}

}  // namespace tandem::noise
