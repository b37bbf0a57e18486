#include "tandem/compute/noise/trajectories.h"

#include <algorithm>
#include <map>

#include "tandem/base/assert.h"

namespace tandem::noise {
namespace {

using circuit::Gate;
using circuit::Instruction;

constexpr std::uint64_t kShotsBetweenStops = 1 << 16;

/// Gives `count` shots the pattern of a kept shot each, chosen at random.
void share_out(std::uint64_t count, Xoshiro256& rng, std::vector<Trajectory>& patterns) {
  std::vector<std::uint64_t> kept;  // shots of the patterns up to and including each
  for (const Trajectory& pattern : patterns) kept.push_back((kept.empty() ? 0 : kept.back()) + pattern.shots);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t shot = rng.below(kept.back());
    ++patterns[static_cast<std::size_t>(std::ranges::upper_bound(kept, shot) - kept.begin())].shots;
  }
}

}  // namespace

Result<Trajectories> draw_trajectories(const ErrorSites& sites, std::uint64_t shots, std::uint64_t patterns_max,
                                       std::uint64_t seed, const std::stop_token& stop) {
  TANDEM_ASSERT(patterns_max >= 1);
  Trajectories result;
  std::map<std::vector<PauliError>, std::uint64_t> patterns;
  bool full = false;
  Xoshiro256 rng(seed);
  std::vector<PauliError> errors;
  for (std::uint64_t shot = 0; shot < shots; ++shot) {
    if (shot % kShotsBetweenStops == 0 && stop.stop_requested()) {
      return fail(errors::kCancelled, "the simulation was stopped on request");
    }
    sites.draw(rng, errors);
    if (errors.empty()) {
      ++result.error_free_shots;
      continue;
    }
    if (!full) {
      const auto known = patterns.find(errors);
      if (known != patterns.end()) {
        ++known->second;
        continue;
      }
      full = patterns.size() >= patterns_max;
      if (!full) {
        patterns.emplace(errors, 1);
        continue;
      }
    }
    ++result.shared_shots;
  }
  for (const auto& [pattern, count] : patterns) result.patterns.push_back({pattern, count});
  if (result.shared_shots > 0) share_out(result.shared_shots, rng, result.patterns);
  return result;
}

std::vector<Instruction> with_errors(std::span<const Instruction> instructions, std::span<const PauliError> errors) {
  constexpr std::array<Gate, 4> kPaulis{Gate::kI, Gate::kX, Gate::kZ, Gate::kY};  // by x bit + 2 * z bit
  std::vector<Instruction> result;
  result.reserve(instructions.size() + 2 * errors.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    result.push_back(instructions[i]);
    if (next == errors.size() || errors[next].instruction != i) continue;
    const std::uint8_t num_qubits = circuit::gate_record(instructions[i].gate).num_qubits;
    for (std::uint8_t k = 0; k < num_qubits; ++k) {
      const Gate pauli = kPaulis[(errors[next].pauli >> (2 * k)) & 3];
      if (pauli != Gate::kI) result.push_back({.gate = pauli, .qubits = {instructions[i].qubits[k]}});
    }
    ++next;
  }
  TANDEM_ASSERT(next == errors.size());
  return result;
}

}  // namespace tandem::noise
