#include "tandem/middleware/adapter/labdevice/wire_result.h"

#include "tandem/base/text.h"

namespace tandem::labdevice {
namespace {

/// "0x1f" -> words, least significant first: bit i of the number is classical bit i.
Result<void> append_outcome(std::string_view text, std::uint32_t num_bits, const std::string& place,
                            std::vector<std::uint64_t>& words) {
  const std::size_t first = words.size();
  words.resize(first + (num_bits + 63) / 64, 0);
  const std::string_view digits = text.starts_with("0x") ? text.substr(2) : std::string_view();
  bool good = !digits.empty() && digits.size() <= (num_bits + 3) / 4;
  for (std::size_t i = 0; good && i < digits.size(); ++i) {
    const char c = digits[digits.size() - 1 - i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    good = digit >= 0;
    for (std::size_t b = 0; good && b < 4; ++b) {
      if (((digit >> b) & 1) == 0) continue;
      const std::size_t bit = 4 * i + b;
      good = bit < num_bits;
      if (good) words[first + bit / 64] |= std::uint64_t{1} << (bit % 64);
    }
  }
  if (good) return {};
  return fail_at(place, errors::kBadEncoding, "{} is no outcome of {} bits in hexadecimal", quote(text), num_bits);
}

Result<result::Counts> read_counts(const ObjectReader& reader, const circuit::Pub& asked) {
  const std::uint32_t num_bits = asked.circuit.num_clbits();
  TANDEM_TRY_ASSIGN(const std::int64_t bits, reader.integer("num_bits", 0, UINT32_MAX));
  if (bits != num_bits) {
    return fail_at(reader.at("num_bits"), errors::kSizeMismatch, "outcomes of {} bits for a circuit with {}", bits,
                   num_bits);
  }
  TANDEM_TRY_ASSIGN(const ObjectReader counts, reader.object("counts"));
  std::vector<std::uint64_t> outcomes;
  std::vector<std::uint64_t> occurrences;
  std::uint64_t total = 0;
  for (const auto& [text, value] : reader.find("counts")->items()) {
    TANDEM_TRY(append_outcome(text, num_bits, counts.at(text), outcomes));
    TANDEM_TRY_ASSIGN(const std::int64_t count,
                      counts.integer(text, 1, static_cast<std::int64_t>(circuit::Pub::kShotsMax)));
    occurrences.push_back(static_cast<std::uint64_t>(count));
    total += static_cast<std::uint64_t>(count);
  }
  if (total == 0 || total > asked.shots) {  // fewer are a partial answer, which is the engine's to judge
    return fail_at(reader.at("counts"), errors::kSizeMismatch, "the counts add up to {} shots, asked were {}", total,
                   asked.shots);
  }
  return result::Counts::from_histogram(num_bits, outcomes, occurrences);
}

Result<result::Expectations> read_expectations(const ObjectReader& reader, const circuit::Pub& asked) {
  TANDEM_TRY_ASSIGN(const Json* values, reader.array("expectations"));
  if (values->size() != asked.observables.size()) {
    return fail_at(reader.at("expectations"), errors::kSizeMismatch, "{} expectations for {} observables",
                   values->size(), asked.observables.size());
  }
  result::Expectations out;
  for (std::size_t i = 0; i < values->size(); ++i) {
    TANDEM_TRY_ASSIGN(const ObjectReader entry,
                      ObjectReader::create((*values)[i], fmt::format("{}/{}", reader.at("expectations"), i)));
    result::Expectation value;
    TANDEM_TRY_ASSIGN(value.value, entry.number("value"));
    TANDEM_TRY_ASSIGN(value.standard_error, entry.number("standard_error"));
    TANDEM_TRY_ASSIGN(const std::int64_t shots, entry.integer("shots", 0, INT64_MAX));
    value.shots = static_cast<std::uint64_t>(shots);
    out.push_back(value);
  }
  return out;
}

Result<result::PubResult> read_pub(const ObjectReader& reader, const circuit::Pub& asked) {
  TANDEM_TRY_ASSIGN(const Json* bindings, reader.array("bindings"));
  if (bindings->size() != asked.num_bindings()) {
    return fail_at(reader.at("bindings"), errors::kSizeMismatch, "{} results for {} bindings", bindings->size(),
                   asked.num_bindings());
  }
  result::PubResult out;
  for (std::size_t i = 0; i < bindings->size(); ++i) {
    TANDEM_TRY_ASSIGN(const ObjectReader binding,
                      ObjectReader::create((*bindings)[i], fmt::format("{}/{}", reader.at("bindings"), i)));
    if (asked.observables.empty()) {
      TANDEM_TRY_ASSIGN(result::Counts counts, read_counts(binding, asked));
      out.bindings.emplace_back(std::move(counts));
    } else {
      TANDEM_TRY_ASSIGN(result::Expectations values, read_expectations(binding, asked));
      out.bindings.emplace_back(std::move(values));
    }
  }
  return out;
}

}  // namespace

Result<std::vector<result::PubResult>> read_pubs(const ObjectReader& reader, std::span<const circuit::Pub> asked) {
  TANDEM_TRY_ASSIGN(const Json* pubs, reader.array("pubs"));
  if (pubs->size() != asked.size()) {
    return fail_at(reader.at("pubs"), errors::kSizeMismatch, "{} results for {} PUBs", pubs->size(), asked.size());
  }
  std::vector<result::PubResult> out;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    TANDEM_TRY_ASSIGN(const ObjectReader entry,
                      ObjectReader::create((*pubs)[i], fmt::format("{}/{}", reader.at("pubs"), i)));
    TANDEM_TRY_ASSIGN(result::PubResult pub, read_pub(entry, asked[i]));
    out.push_back(std::move(pub));
  }
  return out;
}

}  // namespace tandem::labdevice
