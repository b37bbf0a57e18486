// tandem/model/device/calibration.h - Target and Calibration: what a device can do, and how well it did at one moment.
//
// Room: model. Both are values, referenced by id from lineage. Not here: simulating the noise (compute/noise).
/// Limits: kQubitsMax qubits. Threads: a plain value.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/json.h"
#include "tandem/model/circuit/circuit.h"

namespace tandem::device {

struct QubitCalibration {
  double t1_us = 0;
  double t2_us = 0;
  double readout_p01 = 0;  ///< P(read 1 | prepared 0)
  double readout_p10 = 0;  ///< P(read 0 | prepared 1)
  friend bool operator==(const QubitCalibration&, const QubitCalibration&) = default;
};

/// A dated snapshot of device properties. Errors are depolarising probabilities per gate:
/// with probability p the qubits of the gate become maximally mixed (compute/noise).
/// Limits: kQubitsMax qubits. Threads: a plain value.
struct Calibration {
  static constexpr std::size_t kQubitsMax = circuit::Circuit::kQubitsMax;

  std::string id{};  ///< "cal_" + first 16 hex digits of the hash of the rest
  std::string device{};
  Timestamp taken_at{};
  std::vector<QubitCalibration> qubits{};
  double error_1q = 0;
  double error_2q = 0;
  double duration_1q_us = 0;
  double duration_2q_us = 0;
  double duration_readout_us = 0;

  /// What `id` must be; whoever makes a calibration sets id = content_id().
  std::string content_id() const;
  Json document() const;
  /// Errors: those of ObjectReader; 1023 value_out_of_range - a probability outside [0, 1], a negative time, an id that
  /// is not content_id().
  static Result<Calibration> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const Calibration&, const Calibration&) = default;
};

/// Immutable compile constraints. Limits: Calibration::kQubitsMax qubits. Threads: a plain value.
struct Target {
  std::string device{};
  std::uint32_t num_qubits = 0;
  std::vector<circuit::Gate> gates{};  ///< native gates
  std::vector<std::pair<std::uint32_t, std::uint32_t>> couplings{};  ///< undirected, u < v; empty: all-to-all
  std::uint64_t shots_max = 0;
  Json document() const;
  /// Errors: those of ObjectReader; 1110 unknown_gate; 1101 index_out_of_range - a coupling;
  ///         1023 value_out_of_range - a coupling that is not u < v, or twice.
  static Result<Target> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const Target&, const Target&) = default;
};

}  // namespace tandem::device
