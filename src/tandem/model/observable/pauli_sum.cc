#include "tandem/model/observable/pauli_sum.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <tuple>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"

namespace tandem::observable {
namespace {

auto string_of(const PauliTerm& term) { return std::tuple(term.x, term.z); }

}  // namespace

Result<PauliSum> PauliSum::create(std::uint32_t num_qubits, std::vector<PauliTerm> terms) {
  if (num_qubits > kQubitsMax) {
    return fail(errors::kModelTooLarge, "an observable on {} qubits is above the limit of {}; use fewer qubits",
                num_qubits, kQubitsMax);
  }
  if (terms.size() > kTermsMax) {
    return fail(errors::kModelTooLarge, "an observable of {} terms is above the limit of {}; split it", terms.size(),
                kTermsMax);
  }
  const std::uint64_t outside = num_qubits == 64 ? 0 : ~std::uint64_t{0} << num_qubits;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (const std::uint64_t bad = (terms[i].x | terms[i].z) & outside; bad != 0) {
      return fail(errors::kIndexOutOfRange, "term {} acts on qubit {} of {}; use qubits below {}", i,
                  std::countr_zero(bad), num_qubits, num_qubits);
    }
    if (!std::isfinite(terms[i].coefficient)) {
      return fail(errors::kNotFinite, "the coefficient of term {} is {}; use a finite number", i, terms[i].coefficient);
    }
  }
  std::ranges::stable_sort(terms, {}, string_of);
  PauliSum sum;
  sum.num_qubits_ = num_qubits;
  for (std::size_t i = 0; i < terms.size();) {
    PauliTerm merged = terms[i++];
    while (i < terms.size() && string_of(terms[i]) == string_of(merged)) merged.coefficient += terms[i++].coefficient;
    if (!std::isfinite(merged.coefficient)) {
      return fail(errors::kNotFinite, "the coefficients of {} add up to {}; scale them down",
                  to_string(merged, num_qubits), merged.coefficient);
    }
    if (merged.coefficient != 0) sum.terms_.push_back(merged);
  }
  return sum;
}

Result<PauliTerm> PauliSum::parse_term(std::string_view paulis, double coefficient) {
  if (paulis.size() > kQubitsMax) {
    return fail(errors::kModelTooLarge, "a Pauli string of {} letters is above the limit of {}; use fewer qubits",
                paulis.size(), kQubitsMax);
  }
  PauliTerm term{.coefficient = coefficient};
  for (std::size_t i = 0; i < paulis.size(); ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    switch (paulis[i]) {
      case 'I':
        break;
      case 'X':
        term.x |= bit;
        break;
      case 'Z':
        term.z |= bit;
        break;
      case 'Y':
        term.x |= bit;
        term.z |= bit;
        break;
      default:
        return fail(errors::kBadEncoding, "letter {} of the Pauli string {} is none of I, X, Y, Z", i + 1,
                    quote(paulis));
    }
  }
  return term;
}

bool PauliSum::is_diagonal() const {
  return std::ranges::all_of(terms_, [](const PauliTerm& term) { return term.x == 0; });
}

std::string PauliSum::to_string(const PauliTerm& term, std::uint32_t num_qubits) {
  constexpr std::string_view kLetters = "IXZY";
  std::string text(num_qubits, 'I');
  for (std::uint32_t i = 0; i < num_qubits; ++i) text[i] = kLetters[((term.x >> i) & 1) | (((term.z >> i) & 1) << 1)];
  return text;
}

Json PauliSum::document() const {
  Json terms = Json::array();
  for (const PauliTerm& term : terms_) terms.push_back(Json::array({to_string(term, num_qubits_), term.coefficient}));
  return {{"num_qubits", num_qubits_}, {"terms", std::move(terms)}};
}

Result<PauliSum> PauliSum::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"num_qubits", "terms"}));
  TANDEM_TRY_ASSIGN(const std::int64_t num_qubits, reader.integer("num_qubits", 0, kQubitsMax));
  TANDEM_TRY_ASSIGN(const Json* const items, reader.array("terms"));
  std::vector<PauliTerm> terms;
  terms.reserve(items->size());
  for (const Json& item : *items) {
    const auto place = [&] { return fmt::format("{}/{}", reader.at("terms"), terms.size()); };
    if (!item.is_array() || item.size() != 2 || !item[0].is_string()) {
      return fail_at(place(), errors::kWrongType, R"(expected a term such as ["XIZ", 0.5])");
    }
    const auto& paulis = item[0].get_ref<const std::string&>();
    if (paulis.size() != static_cast<std::size_t>(num_qubits)) {
      return fail_at(place(), errors::kSizeMismatch,
                     "the Pauli string {} has {} letters for {} qubits; write one a qubit", quote(paulis),
                     paulis.size(), num_qubits);
    }
    auto term = json_number(item[1], {}).and_then([&](double value) { return parse_term(paulis, value); });
    if (!term) {
      term.error().place = place();
      return tl::unexpected<Error>(std::move(term).error());
    }
    terms.push_back(*term);
  }
  auto sum = create(static_cast<std::uint32_t>(num_qubits), std::move(terms));
  if (!sum) sum.error().place = pointer;
  return sum;
}

}  // namespace tandem::observable
