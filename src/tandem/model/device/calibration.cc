#include "tandem/model/device/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "tandem/base/hash.h"
#include "tandem/base/text.h"

namespace tandem::device {
namespace {

Result<double> within(const ObjectReader& reader, std::string_view key, double max, std::string_view meaning) {
  TANDEM_TRY_ASSIGN(const double value, reader.number(key));
  if (value < 0 || value > max) {
    return fail_at(reader.at(key), errors::kValueOutOfRange, "{} is {}, which is no {}; use 0 to {}", key, value,
                   meaning, max);
  }
  return value;
}

Result<double> probability(const ObjectReader& reader, std::string_view key) {
  return within(reader, key, 1, "probability");
}

Result<double> microseconds(const ObjectReader& reader, std::string_view key) {
  constexpr double kLongest = 1e15;  // thirty years: no qubit lives so long, and sums of such times stay exact enough
  return within(reader, key, kLongest, "time in microseconds");
}

Json document_without_id(const Calibration& calibration) {
  Json qubits = Json::array();
  for (const QubitCalibration& qubit : calibration.qubits) {
    qubits.push_back({{"t1_us", qubit.t1_us},
                      {"t2_us", qubit.t2_us},
                      {"readout_p01", qubit.readout_p01},
                      {"readout_p10", qubit.readout_p10}});
  }
  return {{"device", calibration.device},
          {"taken_at", format_rfc3339(calibration.taken_at)},
          {"qubits", std::move(qubits)},
          {"error_1q", calibration.error_1q},
          {"error_2q", calibration.error_2q},
          {"duration_1q_us", calibration.duration_1q_us},
          {"duration_2q_us", calibration.duration_2q_us},
          {"duration_readout_us", calibration.duration_readout_us}};
}

Result<QubitCalibration> parse_qubit(const Json& document, std::string pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, std::move(pointer)));
  TANDEM_TRY(reader.allow_only({"t1_us", "t2_us", "readout_p01", "readout_p10"}));
  QubitCalibration qubit;
  TANDEM_TRY_ASSIGN(qubit.t1_us, microseconds(reader, "t1_us"));
  TANDEM_TRY_ASSIGN(qubit.t2_us, microseconds(reader, "t2_us"));
  TANDEM_TRY_ASSIGN(qubit.readout_p01, probability(reader, "readout_p01"));
  TANDEM_TRY_ASSIGN(qubit.readout_p10, probability(reader, "readout_p10"));
  return qubit;
}

Result<std::pair<std::uint32_t, std::uint32_t>> parse_coupling(const Json& value, std::uint32_t num_qubits,
                                                               std::string place) {
  if (!value.is_array() || value.size() != 2) {
    return fail_at(std::move(place), errors::kWrongType, "expected a pair of qubits such as [0, 1]");
  }
  TANDEM_TRY_ASSIGN(const std::int64_t u, json_integer(value[0], place, 0, UINT32_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t v, json_integer(value[1], place, 0, UINT32_MAX));
  if (u >= num_qubits || v >= num_qubits) {
    return fail_at(std::move(place), errors::kIndexOutOfRange,
                   "the coupling {}-{} names a qubit of {}; use qubits below {}", u, v, num_qubits, num_qubits);
  }
  if (u >= v) {
    return fail_at(std::move(place), errors::kValueOutOfRange,
                   "the coupling {}-{} is not ascending; write the smaller first", u, v);
  }
  return std::pair(static_cast<std::uint32_t>(u), static_cast<std::uint32_t>(v));
}

}  // namespace

std::string Calibration::content_id() const {
  return "cal_" + sha256(canonical_json(document_without_id(*this))).hex().substr(0, 16);
}

Json Calibration::document() const {
  Json document = document_without_id(*this);
  document["id"] = id;
  return document;
}

Result<Calibration> Calibration::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"id", "device", "taken_at", "qubits", "error_1q", "error_2q", "duration_1q_us",
                                "duration_2q_us", "duration_readout_us"}));
  Calibration calibration;
  TANDEM_TRY_ASSIGN(calibration.id, reader.string("id"));
  TANDEM_TRY_ASSIGN(calibration.device, reader.string("device"));
  TANDEM_TRY_ASSIGN(const std::string taken_at, reader.string("taken_at"));
  auto timestamp = parse_rfc3339(taken_at);
  if (!timestamp) {
    timestamp.error().place = reader.at("taken_at");
    return tl::unexpected<Error>(std::move(timestamp).error());
  }
  calibration.taken_at = *timestamp;
  TANDEM_TRY_ASSIGN(const Json* const qubits, reader.array("qubits"));
  if (qubits->size() > kQubitsMax) {
    return fail_at(reader.at("qubits"), errors::kValueOutOfRange, "{} qubits are above the limit of {}", qubits->size(),
                   kQubitsMax);
  }
  for (const Json& item : *qubits) {
    TANDEM_TRY_ASSIGN(const QubitCalibration qubit,
                      parse_qubit(item, fmt::format("{}/{}", reader.at("qubits"), calibration.qubits.size())));
    calibration.qubits.push_back(qubit);
  }
  TANDEM_TRY_ASSIGN(calibration.error_1q, probability(reader, "error_1q"));
  TANDEM_TRY_ASSIGN(calibration.error_2q, probability(reader, "error_2q"));
  TANDEM_TRY_ASSIGN(calibration.duration_1q_us, microseconds(reader, "duration_1q_us"));
  TANDEM_TRY_ASSIGN(calibration.duration_2q_us, microseconds(reader, "duration_2q_us"));
  TANDEM_TRY_ASSIGN(calibration.duration_readout_us, microseconds(reader, "duration_readout_us"));
  if (const std::string expected = calibration.content_id(); calibration.id != expected) {
    return fail_at(reader.at("id"), errors::kValueOutOfRange,
                   "the id {} is not that of this content, {}; a calibration is never edited, take a new one",
                   quote(calibration.id), expected);
  }
  return calibration;
}

Json Target::document() const {
  Json names = Json::array();
  for (const circuit::Gate gate : gates) names.push_back(circuit::gate_record(gate).name);
  return {{"device", device},
          {"num_qubits", num_qubits},
          {"gates", std::move(names)},
          {"couplings", couplings},
          {"shots_max", shots_max}};
}

Result<Target> Target::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"device", "num_qubits", "gates", "couplings", "shots_max"}));
  Target target;
  TANDEM_TRY_ASSIGN(target.device, reader.string("device"));
  TANDEM_TRY_ASSIGN(const std::int64_t num_qubits, reader.integer("num_qubits", 0, Calibration::kQubitsMax));
  target.num_qubits = static_cast<std::uint32_t>(num_qubits);
  TANDEM_TRY_ASSIGN(const std::vector<std::string> names, reader.strings_or_empty("gates"));
  for (const std::string& name : names) {
    const std::optional<circuit::Gate> gate = circuit::find_gate(name);
    if (!gate) {
      return fail_at(fmt::format("{}/{}", reader.at("gates"), target.gates.size()), errors::kUnknownGate,
                     "unknown gate {}", quote(name));
    }
    target.gates.push_back(*gate);
  }
  if (reader.has("couplings")) {
    TANDEM_TRY_ASSIGN(const Json* const couplings, reader.array("couplings"));
    std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
    for (const Json& item : *couplings) {
      std::string place = fmt::format("{}/{}", reader.at("couplings"), target.couplings.size());
      TANDEM_TRY_ASSIGN(const auto coupling, parse_coupling(item, target.num_qubits, place));
      if (!seen.insert(coupling).second) {
        return fail_at(std::move(place), errors::kValueOutOfRange, "the coupling {}-{} stands twice", coupling.first,
                       coupling.second);
      }
      target.couplings.push_back(coupling);
    }
  }
  TANDEM_TRY_ASSIGN(const std::int64_t shots_max,
                    reader.integer("shots_max", 0, static_cast<std::int64_t>(circuit::Pub::kShotsMax)));
  target.shots_max = static_cast<std::uint64_t>(shots_max);
  return target;
}

}  // namespace tandem::device
