#include "tandem/middleware/adapter/ionq/wire_result.h"

#include <charconv>
#include <cmath>
#include <map>

#include "tandem/base/json.h"
#include "tandem/base/text.h"
#include "tandem/middleware/adapter/ionq/wire_circuit.h"

namespace tandem::ionq {
namespace {

/// A service rounds what it prints; what is further from 1 is another table.
constexpr double kSumTolerance = 1e-3;

/// Decimal outcomes of qubits -> text outcomes of classical bits.
class Outcomes {
 public:
  Outcomes(const circuit::Circuit& circuit, std::uint32_t qubits)
      : qubit_of_(measured_qubits(circuit)), qubits_(qubits) {}

  Result<std::string> read(std::string_view text, const std::string& place) const {
    std::uint64_t state = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), state);
    const bool whole = code == std::errc() && end == text.data() + text.size() && !text.empty();
    if (!whole || (qubits_ < 64 && state >> qubits_ != 0)) {
      return fail_at(place, errors::kBadEncoding, "{} is no outcome of {} qubits as a decimal number", quote(text),
                     qubits_);
    }
    std::string out(qubit_of_.size(), '0');
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (qubit_of_[i] && ((state >> *qubit_of_[i]) & 1) != 0) out[i] = '1';
    }
    return out;
  }
  std::uint32_t num_bits() const { return static_cast<std::uint32_t>(qubit_of_.size()); }

 private:
  std::vector<std::optional<std::uint32_t>> qubit_of_;
  std::uint32_t qubits_;
};

Result<result::BindingResult> read_probabilities(const Json& table, const Outcomes& outcomes) {
  std::map<std::string, double> sums;
  double total = 0;
  for (const auto& [text, value] : table.items()) {
    TANDEM_TRY_ASSIGN(const double probability, json_number(value, "/" + text));
    if (probability < 0 || probability > 1 + kSumTolerance) {
      return fail_at("/" + text, errors::kValueOutOfRange, "{} is no probability", probability);
    }
    TANDEM_TRY_ASSIGN(std::string outcome, outcomes.read(text, "/" + text));
    sums[std::move(outcome)] += probability;
    total += probability;
  }
  if (std::abs(total - 1) > kSumTolerance) {
    return fail(errors::kSizeMismatch, "the probabilities add up to {}", total);
  }
  return result::Distribution::create(outcomes.num_bits(), {sums.begin(), sums.end()}, false)
      .map([](result::Distribution distribution) { return result::BindingResult(std::move(distribution)); });
}

Result<result::BindingResult> counts_of(const std::map<std::string, std::int64_t>& sums, const Outcomes& outcomes,
                                        std::uint64_t shots_asked) {
  std::uint64_t total = 0;
  for (const auto& [outcome, count] : sums) total += static_cast<std::uint64_t>(count);
  if (total == 0 || total > shots_asked) {  // fewer are a partial answer, which the engine judges
    return fail(errors::kSizeMismatch, "the counts add up to {} shots, asked were {}", total, shots_asked);
  }
  return result::Counts::create(outcomes.num_bits(), {sums.begin(), sums.end()}).map([](result::Counts counts) {
    return result::BindingResult(std::move(counts));
  });
}

Result<result::BindingResult> read_histogram(const Json& table, const Outcomes& outcomes, std::uint64_t shots_asked) {
  std::map<std::string, std::int64_t> sums;
  for (const auto& [text, value] : table.items()) {
    TANDEM_TRY_ASSIGN(const std::int64_t count,
                      json_integer(value, "/" + text, 0, static_cast<std::int64_t>(circuit::Pub::kShotsMax)));
    TANDEM_TRY_ASSIGN(std::string outcome, outcomes.read(text, "/" + text));
    if (count > 0) sums[std::move(outcome)] += count;
  }
  return counts_of(sums, outcomes, shots_asked);
}

/// One outcome a shot, as numbers or as text.
Result<result::BindingResult> read_shots(const Json& list, const Outcomes& outcomes, std::uint64_t shots_asked) {
  std::map<std::string, std::int64_t> sums;
  for (const Json& shot : list) {
    const std::string text = shot.is_string() ? shot.get<std::string>() : shot.is_number_unsigned() ? shot.dump() : "";
    TANDEM_TRY_ASSIGN(std::string outcome, outcomes.read(text, ""));
    ++sums[std::move(outcome)];
  }
  return counts_of(sums, outcomes, shots_asked);
}

}  // namespace

Result<result::BindingResult> read_result(std::string_view media_type, const Bytes& bytes, const circuit::Pub& asked,
                                          std::uint32_t qubits) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(bytes, "result"));
  const Outcomes outcomes(asked.circuit, qubits);
  if (media_type == kShotsType && document.is_array()) return read_shots(document, outcomes, asked.shots);
  if (media_type == kProbabilitiesType && document.is_object()) return read_probabilities(document, outcomes);
  if (media_type == kHistogramType && document.is_object()) return read_histogram(document, outcomes, asked.shots);
  return fail(errors::kWrongType, "a JSON {} is no result of type '{}'", document.type_name(), media_type);
}

}  // namespace tandem::ionq
