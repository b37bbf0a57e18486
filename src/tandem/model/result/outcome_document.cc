// Reading of Counts, Distribution and Expectation.
#include "tandem/model/result/kind.h"
#include "tandem/model/result/outcome.h"

namespace tandem::result {
namespace {

template <typename T>
Result<T> with_place(Result<T> result, const std::string& place) {
  if (!result) result.error().place = place;
  return result;
}

}  // namespace

Result<Counts> Counts::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, open_kind(document, pointer, "counts"));
  TANDEM_TRY(reader.allow_only({"kind", "num_bits", "counts"}));
  TANDEM_TRY_ASSIGN(const std::int64_t num_bits, reader.integer("num_bits", 1, kBitsMax));
  TANDEM_TRY_ASSIGN(const ObjectReader inner, reader.object("counts"));
  std::vector<std::pair<std::string, std::int64_t>> entries;
  for (const auto& [text, value] : reader.find("counts")->items()) {
    TANDEM_TRY_ASSIGN(const std::int64_t count, json_integer(value, inner.at(text), 1, INT64_MAX));
    entries.emplace_back(text, count);
  }
  return with_place(create(static_cast<std::uint32_t>(num_bits), std::move(entries)), reader.at("counts"));
}

Result<Distribution> Distribution::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, open_kind(document, pointer, "distribution"));
  TANDEM_TRY(reader.allow_only({"kind", "num_bits", "exact", "probabilities"}));
  TANDEM_TRY_ASSIGN(const std::int64_t num_bits, reader.integer("num_bits", 1, kBitsMax));
  TANDEM_TRY_ASSIGN(const bool exact, reader.boolean_or("exact", false));
  TANDEM_TRY_ASSIGN(const ObjectReader inner, reader.object("probabilities"));
  std::vector<std::pair<std::string, double>> entries;
  for (const auto& [text, value] : reader.find("probabilities")->items()) {
    TANDEM_TRY_ASSIGN(const double probability, json_number(value, inner.at(text)));
    entries.emplace_back(text, probability);
  }
  return with_place(create(static_cast<std::uint32_t>(num_bits), std::move(entries), exact),
                    reader.at("probabilities"));
}

Result<Expectation> Expectation::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, open_kind(document, pointer, "expectation"));
  TANDEM_TRY(reader.allow_only({"kind", "value", "standard_error", "shots"}));
  Expectation expectation;
  TANDEM_TRY_ASSIGN(expectation.value, reader.number("value"));
  TANDEM_TRY_ASSIGN(expectation.standard_error, reader.number("standard_error"));
  if (expectation.standard_error < 0) {
    return fail_at(reader.at("standard_error"), errors::kValueOutOfRange,
                   "a standard error of {} is negative; use 0 or more", expectation.standard_error);
  }
  TANDEM_TRY_ASSIGN(const std::int64_t shots, reader.integer("shots", 0, INT64_MAX));
  expectation.shots = static_cast<std::uint64_t>(shots);
  return expectation;
}

}  // namespace tandem::result
