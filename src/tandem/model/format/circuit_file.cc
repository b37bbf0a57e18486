#include "tandem/model/format/circuit_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tandem/base/json.h"
#include "tandem/base/text.h"
#include "tandem/model/format/qasm2.h"
#include "tandem/model/format/qsim.h"

namespace tandem::format {
namespace {

using circuit::Circuit;

struct FormatName {
  CircuitFormat format;
  std::string_view name;
};
constexpr std::array kFormatNames{FormatName{CircuitFormat::kDocument, "json"},
                                  FormatName{CircuitFormat::kQasm2, "qasm2"}, FormatName{CircuitFormat::kQsim, "qsim"}};

/// The first key of an object tells; ours begin with "num_qubits", those of a reader who sorts keys with "instructions".
bool looks_like_document(std::string_view text) {
  return trim(text).starts_with('{') && text.find("\"num_qubits\"") != std::string_view::npos &&
         text.find("\"instructions\"") != std::string_view::npos && text.find("\"program\"") == std::string_view::npos;
}

Result<Circuit> read_document(std::string_view text, std::string_view name, const CircuitLimits& limits) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(text, name, {.bytes_max = limits.bytes_max}));
  auto circuit = Circuit::parse(document, "");
  if (circuit && circuit->instructions().size() > limits.instructions_max) {
    return fail_at(std::string(name), errors::kModelTooLarge,
                   "the circuit has {} instructions, the limit is {}; reduce it", circuit->instructions().size(),
                   limits.instructions_max);
  }
  return circuit;
}

}  // namespace

std::string_view to_string(CircuitFormat format) {
  return std::ranges::find(kFormatNames, format, &FormatName::format)->name;
}

Result<CircuitFormat> parse_circuit_format(std::string_view text) {
  const auto* const found = std::ranges::find(kFormatNames, text, &FormatName::name);
  if (found != kFormatNames.end()) return found->format;
  std::array<std::string_view, kFormatNames.size()> names;
  std::ranges::transform(kFormatNames, names.begin(), &FormatName::name);
  const std::string hint = did_you_mean(text, names);
  return fail(errors::kFormatUnknown, "no format of circuits is called {}{}", quote(text),
              hint.empty() ? "; use json, qasm2 or qsim" : hint);
}

std::optional<CircuitFormat> detect_circuit(std::string_view text) {
  if (looks_like_qasm2(text)) return CircuitFormat::kQasm2;
  if (looks_like_qsim(text)) return CircuitFormat::kQsim;
  if (looks_like_document(text)) return CircuitFormat::kDocument;
  return std::nullopt;
}

std::optional<CircuitFormat> detect_circuit(std::string_view text, std::string_view said) {
  if (said.empty()) return detect_circuit(text);
  const auto named = parse_circuit_format(said);
  if (!named) return std::nullopt;
  if (*named != CircuitFormat::kDocument) return *named;
  return looks_like_document(text) ? named.value() : std::optional<CircuitFormat>();
}

Result<Circuit> read_circuit(std::string_view text, std::string_view name, const CircuitLimits& limits,
                             std::optional<CircuitFormat> format) {
  if (text.size() > limits.bytes_max) {
    return fail_at(std::string(name), errors::kInputTooLarge,
                   "the text has {} bytes, the limit is {}; split it or raise the limit", text.size(),
                   limits.bytes_max);
  }
  if (!format) format = detect_circuit(text);
  if (!format) {
    return fail_at(std::string(name), errors::kFormatUnknown,
                   "the first words are those of no circuit; write a circuit document, OpenQASM 2 or qsim's text");
  }
  switch (*format) {
    case CircuitFormat::kDocument:
      break;
    case CircuitFormat::kQasm2:
      return read_qasm2(text, name, limits);
    case CircuitFormat::kQsim:
      return read_qsim(text, name, limits);
  }
  return read_document(text, name, limits);
}

Result<std::string> write_circuit(const Circuit& circuit, CircuitFormat format) {
  if (format == CircuitFormat::kDocument) return circuit.document().dump() + "\n";
  if (format == CircuitFormat::kQasm2) return write_qasm2(circuit);
  return fail(errors::kFormatCannotExpress, "the text of qsim is read and not written; write json or qasm2");
}

}  // namespace tandem::format
