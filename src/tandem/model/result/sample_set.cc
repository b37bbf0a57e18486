#include "tandem/model/result/sample_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/model/result/kind.h"

namespace tandem::result {
namespace {

using problem::Assignment;
using problem::Vartype;

constexpr std::int8_t low_value(Vartype vartype) { return vartype == Vartype::kBinary ? 0 : -1; }

std::string text_of(const Assignment& values) {
  std::string text(values.size(), '0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == 1) text[i] = '1';
  }
  return text;
}

Result<Assignment> assignment_of(std::string_view text, Vartype vartype, std::size_t num_variables) {
  if (text.size() != num_variables) {
    return fail(errors::kSizeMismatch, "a sample has {} characters for {} variables; write one a variable", text.size(),
                num_variables);
  }
  Assignment values;
  values.reserve(text.size());
  for (const char c : text) {
    if (c != '0' && c != '1') {
      return fail(errors::kBadEncoding, "the sample {} has a character that is neither 0 nor 1", quote(text));
    }
    values.push_back(c == '1' ? std::int8_t{1} : low_value(vartype));
  }
  return values;
}

bool by_values(const Sample& a, const Sample& b) { return a.values < b.values; }

/// Whether one assignment has two energies, which no model gives.
const Sample* contradiction(std::span<const Sample> sorted_by_values) {
  for (std::size_t i = 1; i < sorted_by_values.size(); ++i) {
    const Sample& a = sorted_by_values[i - 1];
    const Sample& b = sorted_by_values[i];
    if (a.values == b.values && a.energy != b.energy) return &b;
  }
  return nullptr;
}

}  // namespace

SampleSet SampleSet::create(Vartype vartype, std::size_t num_variables, std::vector<Sample> samples) {
  for (const Sample& sample : samples) {
    TANDEM_ASSERT(problem::check_assignment(sample.values, num_variables, vartype).has_value());
    TANDEM_ASSERT(std::isfinite(sample.energy));
  }
  std::ranges::sort(samples, by_values);
  TANDEM_ASSERT(contradiction(samples) == nullptr);
  SampleSet set;
  set.vartype_ = vartype;
  set.num_variables_ = num_variables;
  for (Sample& sample : samples) {
    if (!set.samples_.empty() && set.samples_.back().values == sample.values) {
      set.samples_.back().occurrences += sample.occurrences;
    } else {
      set.samples_.push_back(std::move(sample));
    }
  }
  std::ranges::stable_sort(set.samples_, {}, &Sample::energy);  // stable: equal energies stay sorted by values
  return set;
}

std::uint64_t SampleSet::occurrences() const {
  std::uint64_t sum = 0;
  for (const Sample& sample : samples_) sum += sample.occurrences;
  return sum;
}

Json SampleSet::document() const {
  Json texts = Json::array();
  Json energies = Json::array();
  Json occurrences = Json::array();
  for (const Sample& sample : samples_) {
    texts.push_back(text_of(sample.values));
    energies.push_back(sample.energy);
    occurrences.push_back(sample.occurrences);
  }
  return {{"kind", "sample_set"},
          {"vartype", problem::to_string(vartype_)},
          {"num_variables", num_variables_},
          {"samples", std::move(texts)},
          {"energies", std::move(energies)},
          {"occurrences", std::move(occurrences)}};
}

Result<SampleSet> SampleSet::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, open_kind(document, pointer, "sample_set"));
  TANDEM_TRY(reader.allow_only({"kind", "vartype", "num_variables", "samples", "energies", "occurrences"}));
  TANDEM_TRY_ASSIGN(const std::string vartype_text, reader.string("vartype"));
  auto vartype = problem::parse_vartype(vartype_text);
  if (!vartype) {
    vartype.error().place = reader.at("vartype");
    return tl::unexpected<Error>(std::move(vartype).error());
  }
  TANDEM_TRY_ASSIGN(const std::int64_t num_variables, reader.integer("num_variables", 0, kVariablesMax));
  TANDEM_TRY_ASSIGN(const Json* const texts, reader.array("samples"));
  TANDEM_TRY_ASSIGN(const std::vector<double> energies, reader.numbers("energies"));
  TANDEM_TRY_ASSIGN(const Json* const occurrences, reader.array("occurrences"));
  if (energies.size() != texts->size() || occurrences->size() != texts->size()) {
    return fail_at(pointer, errors::kSizeMismatch, "{} samples with {} energies and {} occurrences; give one of each",
                   texts->size(), energies.size(), occurrences->size());
  }
  std::vector<Sample> samples;
  samples.reserve(texts->size());
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < texts->size(); ++i) {
    const auto place = [&](std::string_view key) { return fmt::format("{}/{}", reader.at(key), i); };
    const Json& text = (*texts)[i];
    if (!text.is_string()) return fail_at(place("samples"), errors::kWrongType, R"(expected a text such as "0110")");
    auto values = assignment_of(text.get_ref<const std::string&>(), *vartype, static_cast<std::size_t>(num_variables));
    if (!values) {
      values.error().place = place("samples");
      return tl::unexpected<Error>(std::move(values).error());
    }
    TANDEM_TRY_ASSIGN(const std::int64_t count, json_integer((*occurrences)[i], place("occurrences"), 1, INT64_MAX));
    sum += static_cast<std::uint64_t>(count);
    if (sum > static_cast<std::uint64_t>(INT64_MAX)) {
      return fail_at(place("occurrences"), errors::kValueOutOfRange, "the occurrences add up to more than 2^63");
    }
    samples.push_back({*std::move(values), energies[i], static_cast<std::uint64_t>(count)});
  }
  std::ranges::sort(samples, by_values);
  if (const Sample* bad = contradiction(samples); bad != nullptr) {
    return fail_at(reader.at("energies"), errors::kValueOutOfRange, "the sample {} has two energies, one of them {}",
                   quote(text_of(bad->values)), bad->energy);
  }
  return create(*vartype, static_cast<std::size_t>(num_variables), std::move(samples));
}

}  // namespace tandem::result
