// Circuit and Pub as JSON, and whether the parts of a Pub fit together.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tandem/base/text.h"
#include "tandem/model/circuit/circuit.h"

namespace tandem::circuit {
namespace {

tl::unexpected<Error> at_place(Error error, std::string place) {
  if (error.place.empty()) error.place = std::move(place);
  return tl::unexpected<Error>(std::move(error));
}

Json angle_document(const Angle& angle) {
  if (angle.is_constant()) return angle.offset;
  Json document{{"p", angle.parameter}, {"f", angle.factor}};
  if (angle.offset != 0) document["o"] = angle.offset;
  return document;
}

Result<Angle> parse_angle(const Json& value, const std::string& pointer) {
  if (value.is_number()) return json_number(value, pointer).map(Angle::constant);
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  TANDEM_TRY(reader.allow_only({"p", "f", "o"}));
  Angle angle;
  TANDEM_TRY_ASSIGN(const std::int64_t parameter, reader.integer("p", 0, Angle::kNone - 1));
  angle.parameter = static_cast<std::uint32_t>(parameter);
  TANDEM_TRY_ASSIGN(angle.factor, reader.number_or("f", 1));
  TANDEM_TRY_ASSIGN(angle.offset, reader.number_or("o", 0));
  return angle;
}

Json instruction_document(const Instruction& instruction) {
  const GateRecord& record = gate_record(instruction.gate);
  Json qubits = Json::array();
  for (std::uint8_t i = 0; i < record.num_qubits; ++i) qubits.push_back(instruction.qubits[i]);
  Json angles = Json::array();
  for (std::uint8_t i = 0; i < record.num_parameters; ++i) angles.push_back(angle_document(instruction.angles[i]));
  Json document = Json::array({record.name, std::move(qubits), std::move(angles)});
  if (instruction.gate == Gate::kMeasure) document.push_back(instruction.clbit);
  const Condition& condition = instruction.condition;
  if (condition.exists())
    document.push_back({{"first", condition.first}, {"bits", condition.count}, {"equals", condition.value}});
  return document;
}

Result<Condition> parse_condition(const Json& value, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  TANDEM_TRY(reader.allow_only({"first", "bits", "equals"}));
  TANDEM_TRY_ASSIGN(const std::int64_t first, reader.integer_or("first", 0, 0, Circuit::kQubitsMax));
  TANDEM_TRY_ASSIGN(const std::int64_t count, reader.integer("bits", 1, Circuit::kQubitsMax));
  TANDEM_TRY_ASSIGN(const std::int64_t equals, reader.integer("equals", 0, INT64_MAX));
  return Condition{.first = static_cast<std::uint32_t>(first),
                   .count = static_cast<std::uint32_t>(count),
                   .value = static_cast<std::uint64_t>(equals)};
}

/// Errors carry the place within the instruction only; the caller puts the rest in front.
Result<Instruction> parse_instruction(const Json& value) {
  constexpr std::string_view kShape =
      R"(expected an instruction such as ["rx", [0], [0.5]] or ["measure", [0], [], 0], and last its condition)";
  const bool conditional = value.is_array() && value.size() > 2 && value.back().is_object();
  const std::size_t size = value.size() - (conditional ? 1 : 0);
  if (!value.is_array() || size < 2 || size > 4 || !value[0].is_string() || !value[1].is_array() ||
      (size > 2 && !value[2].is_array())) {
    return fail(errors::kWrongType, "{}", kShape);
  }
  const auto& name = value[0].get_ref<const std::string&>();
  const std::optional<Gate> gate = find_gate(name);
  if (!gate) {
    std::vector<std::string_view> names;
    for (const GateRecord& record : gate_table()) names.push_back(record.name);
    return fail_at("/0", errors::kUnknownGate, "unknown gate {}{}", quote(name), did_you_mean(name, names));
  }
  const GateRecord& record = gate_record(*gate);
  const Json no_angles = Json::array();
  const Json& angles = size > 2 ? value[2] : no_angles;
  if (value[1].size() != record.num_qubits) {
    return fail_at("/1", errors::kBadCircuit, "{} takes {} qubits, not {}", record.name, record.num_qubits,
                   value[1].size());
  }
  if (angles.size() != record.num_parameters) {
    return fail_at("/2", errors::kBadCircuit, "{} takes {} angles, not {}", record.name, record.num_parameters,
                   angles.size());
  }
  if ((size == 4) != (*gate == Gate::kMeasure)) {
    return fail(errors::kBadCircuit, "{} {}", record.name,
                *gate == Gate::kMeasure ? "needs the index of a classical bit as its fourth entry"
                                        : "writes no classical bit; remove the fourth entry");
  }
  Instruction instruction{.gate = *gate};
  for (std::size_t i = 0; i < value[1].size(); ++i) {
    TANDEM_TRY_ASSIGN(const std::int64_t qubit, json_integer(value[1][i], "/1", 0, UINT32_MAX));
    instruction.qubits[i] = static_cast<std::uint32_t>(qubit);
  }
  for (std::size_t i = 0; i < angles.size(); ++i) {
    TANDEM_TRY_ASSIGN(instruction.angles[i], parse_angle(angles[i], "/2/" + std::to_string(i)));
  }
  if (size == 4) {
    TANDEM_TRY_ASSIGN(const std::int64_t clbit, json_integer(value[3], "/3", 0, UINT32_MAX));
    instruction.clbit = static_cast<std::uint32_t>(clbit);
  }
  if (conditional) {
    TANDEM_TRY_ASSIGN(instruction.condition, parse_condition(value.back(), "/" + std::to_string(size)));
  }
  return instruction;
}

Result<std::vector<double>> parse_row(const Json& value, const std::string& pointer) {
  if (!value.is_array()) return fail_at(pointer, errors::kWrongType, "expected an array with one value a parameter");
  std::vector<double> row;
  row.reserve(value.size());
  for (const Json& item : value) {
    auto number = json_number(item, {});
    if (!number) return at_place(std::move(number).error(), fmt::format("{}/{}", pointer, row.size()));
    row.push_back(*number);
  }
  return row;
}

}  // namespace

Json Circuit::document() const {
  Json instructions = Json::array();
  for (const Instruction& instruction : instructions_) instructions.push_back(instruction_document(instruction));
  return {{"num_qubits", num_qubits_},
          {"num_clbits", num_clbits_},
          {"parameters", parameters_},
          {"instructions", std::move(instructions)}};
}

Result<Circuit> Circuit::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"num_qubits", "num_clbits", "parameters", "instructions"}));
  TANDEM_TRY_ASSIGN(const std::int64_t num_qubits, reader.integer("num_qubits", 0, kQubitsMax));
  TANDEM_TRY_ASSIGN(const std::int64_t num_clbits, reader.integer_or("num_clbits", 0, 0, kQubitsMax));
  TANDEM_TRY_ASSIGN(std::vector<std::string> parameters, reader.strings_or_empty("parameters"));
  auto circuit =
      create(static_cast<std::uint32_t>(num_qubits), static_cast<std::uint32_t>(num_clbits), std::move(parameters));
  if (!circuit) return at_place(std::move(circuit).error(), reader.at("parameters"));
  TANDEM_TRY_ASSIGN(const Json* const instructions, reader.array("instructions"));
  std::size_t index = 0;
  for (const Json& item : *instructions) {
    auto appended = parse_instruction(item).and_then([&](const Instruction& i) { return circuit->append(i); });
    if (!appended) {
      appended.error().place = fmt::format("{}/{}{}", reader.at("instructions"), index, appended.error().place);
      return tl::unexpected<Error>(std::move(appended).error());
    }
    ++index;
  }
  return circuit;
}

std::uint64_t Pub::entries_max() const {
  const std::uint64_t outcomes = circuit.num_clbits() < 64 ? std::uint64_t{1} << circuit.num_clbits() : UINT64_MAX;
  return num_bindings() * (observables.empty() ? std::min(shots, outcomes) : observables.size());
}

Result<void> Pub::check() const {
  const std::size_t num_parameters = circuit.parameters().size();
  if (parameter_values.empty() && num_parameters != 0) {
    return fail_at("/parameter_values", errors::kUnboundParameter, "parameter {} has no value; give a row of {} values",
                   quote(circuit.parameters()[0]), num_parameters);
  }
  if (parameter_values.size() > kBindingsMax) {
    return fail_at("/parameter_values", errors::kValueOutOfRange,
                   "{} rows of values are above the limit of {}; split them", parameter_values.size(), kBindingsMax);
  }
  for (std::size_t i = 0; i < parameter_values.size(); ++i) {
    const auto& row = parameter_values[i];
    if (row.size() != num_parameters) {
      return fail_at(fmt::format("/parameter_values/{}", i), errors::kSizeMismatch,
                     "{} values for {} parameters; give one a parameter", row.size(), num_parameters);
    }
    const auto bad = std::ranges::find_if_not(row, [](double value) { return std::isfinite(value); });
    if (bad != row.end()) {
      return fail_at(fmt::format("/parameter_values/{}/{}", i, bad - row.begin()), errors::kNotFinite,
                     "the value is {}; use a finite number", *bad);
    }
  }
  for (std::size_t i = 0; i < observables.size(); ++i) {
    if (observables[i].num_qubits() != circuit.num_qubits()) {
      return fail_at(fmt::format("/observables/{}", i), errors::kSizeMismatch,
                     "an observable on {} qubits for a circuit on {}; write one letter a qubit",
                     observables[i].num_qubits(), circuit.num_qubits());
    }
  }
  if (shots > kShotsMax || (observables.empty() && shots == 0)) {
    return fail_at("/shots", errors::kValueOutOfRange, "{} shots are outside the limits; use 1 to {}{}", shots,
                   kShotsMax, observables.empty() ? "" : ", or 0 for exact expectations");
  }
  if (entries_max() > kEntriesMax) {
    return fail_at("", errors::kValueOutOfRange,
                   "the result may have {} entries, of {} bindings, and the limit is {}; take fewer shots, bindings or "
                   "observables",
                   entries_max(), num_bindings(), kEntriesMax);
  }
  if (!std::isfinite(precision) || precision < 0) {
    return fail_at("/precision", errors::kValueOutOfRange, "a precision of {} is not a standard error; use 0 or more",
                   precision);
  }
  if (precision > 0 && (observables.empty() || shots > 0)) {
    return fail_at("/precision", errors::kValueOutOfRange,
                   "a precision is for observables without shots; give shots or a precision");
  }
  if (!std::isfinite(tolerance) || tolerance < 0) {
    return fail_at("/tolerance", errors::kValueOutOfRange,
                   "a tolerance of {} is no error of rounding; use more than 0, or 0 for double precision", tolerance);
  }
  return {};
}

Json Pub::document() const {
  Json sums = Json::array();
  for (const auto& observable : observables) sums.push_back(observable.document());
  Json out{{"circuit", circuit.document()},
           {"parameter_values", parameter_values},
           {"observables", std::move(sums)},
           {"shots", shots},
           {"precision", precision}};
  if (tolerance != 0) out["tolerance"] = tolerance;
  return out;
}

Result<Pub> Pub::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"circuit", "parameter_values", "observables", "shots", "precision", "tolerance"}));
  Pub pub;
  TANDEM_TRY(reader.object("circuit"));
  TANDEM_TRY_ASSIGN(pub.circuit, Circuit::parse(*reader.find("circuit"), reader.at("circuit")));
  if (reader.has("parameter_values")) {
    TANDEM_TRY_ASSIGN(const Json* const rows, reader.array("parameter_values"));
    for (const Json& item : *rows) {
      const std::string place = fmt::format("{}/{}", reader.at("parameter_values"), pub.parameter_values.size());
      TANDEM_TRY_ASSIGN(std::vector<double> row, parse_row(item, place));
      pub.parameter_values.push_back(std::move(row));
    }
  }
  if (reader.has("observables")) {
    TANDEM_TRY_ASSIGN(const Json* const sums, reader.array("observables"));
    for (const Json& item : *sums) {
      const std::string place = fmt::format("{}/{}", reader.at("observables"), pub.observables.size());
      TANDEM_TRY_ASSIGN(observable::PauliSum sum, observable::PauliSum::parse(item, place));
      pub.observables.push_back(std::move(sum));
    }
  }
  TANDEM_TRY_ASSIGN(const std::int64_t shots, reader.integer_or("shots", 0, 0, static_cast<std::int64_t>(kShotsMax)));
  pub.shots = static_cast<std::uint64_t>(shots);
  TANDEM_TRY_ASSIGN(pub.precision, reader.number_or("precision", 0));
  TANDEM_TRY_ASSIGN(pub.tolerance, reader.number_or("tolerance", 0));
  if (auto checked = pub.check(); !checked) {
    checked.error().place = pointer + checked.error().place;
    return tl::unexpected<Error>(std::move(checked).error());
  }
  return pub;
}

}  // namespace tandem::circuit
