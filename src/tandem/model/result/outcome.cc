#include "tandem/model/result/outcome.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"

namespace tandem::result {
namespace {

/// Numeric order of two outcomes: the highest word decides first.
bool less(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b) {
  return std::ranges::lexicographical_compare(a.rbegin(), a.rend(), b.rbegin(), b.rend());
}

/// The indices of rows of `words` words in ascending order of the rows.
std::vector<std::size_t> ascending(std::span<const std::uint64_t> rows, std::size_t words) {
  std::vector<std::size_t> order(rows.size() / words);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return less(rows.subspan(a * words, words), rows.subspan(b * words, words));
  });
  return order;
}

Result<void> check_bits(std::uint32_t num_bits) {
  if (num_bits == 0 || num_bits > OutcomeTable::kBitsMax) {
    return fail(errors::kValueOutOfRange, "outcomes of {} bits are outside the limits; use 1 to {}", num_bits,
                OutcomeTable::kBitsMax);
  }
  return {};
}

/// Appends the words of a text outcome.
Result<void> append_outcome(std::string_view text, std::uint32_t num_bits, std::vector<std::uint64_t>& rows) {
  if (text.size() != num_bits) {
    return fail(errors::kSizeMismatch, "the outcome {} has {} characters for {} bits; write one a bit", quote(text),
                text.size(), num_bits);
  }
  const std::size_t first = rows.size();
  rows.resize(first + (num_bits + 63) / 64);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '0' && text[i] != '1') {
      return fail(errors::kBadEncoding, "the outcome {} has a character that is neither 0 nor 1", quote(text));
    }
    rows[first + i / 64] |= std::uint64_t{text[i] == '1'} << (i % 64);
  }
  return {};
}

}  // namespace

std::string OutcomeTable::text(std::size_t outcome) const {
  std::string text(num_bits_, '0');
  for (std::uint32_t i = 0; i < num_bits_; ++i) {
    if (bit(outcome, i)) text[i] = '1';
  }
  return text;
}

Counts Counts::from_shots(std::uint32_t num_bits, std::span<const std::uint64_t> shots) {
  TANDEM_ASSERT(num_bits > 0 && num_bits <= kBitsMax);
  if (num_bits > 64)
    return from_histogram(num_bits, shots, std::vector<std::uint64_t>(shots.size() / ((num_bits + 63) / 64), 1));
  Counts counts;
  counts.num_bits_ = num_bits;
  std::vector<std::uint64_t> sorted(shots.begin(), shots.end());
  std::ranges::sort(sorted);
  for (const std::uint64_t outcome : sorted) {
    if (!counts.bits_.empty() && counts.bits_.back() == outcome) {
      ++counts.counts_.back();
    } else {
      counts.bits_.push_back(outcome);
      counts.counts_.push_back(1);
    }
  }
  return counts;
}

Counts Counts::from_histogram(std::uint32_t num_bits, std::span<const std::uint64_t> outcomes,
                              std::span<const std::uint64_t> counts) {
  TANDEM_ASSERT(num_bits > 0 && num_bits <= kBitsMax);
  Counts result;
  result.num_bits_ = num_bits;
  const std::size_t words = result.words();
  TANDEM_ASSERT(outcomes.size() == counts.size() * words);
  for (const std::size_t row : ascending(outcomes, words)) {
    if (counts[row] == 0) continue;
    const auto outcome = outcomes.subspan(row * words, words);
    if (!result.counts_.empty() && std::ranges::equal(result.outcome(result.size() - 1), outcome)) {
      result.counts_.back() += counts[row];
    } else {
      result.bits_.insert(result.bits_.end(), outcome.begin(), outcome.end());
      result.counts_.push_back(counts[row]);
    }
  }
  return result;
}

Result<Counts> Counts::create(std::uint32_t num_bits, std::vector<std::pair<std::string, std::int64_t>> entries) {
  TANDEM_TRY(check_bits(num_bits));
  std::vector<std::uint64_t> rows;
  std::vector<std::uint64_t> counts;
  std::uint64_t sum = 0;
  for (const auto& [text, count] : entries) {
    TANDEM_TRY(append_outcome(text, num_bits, rows));
    if (count <= 0) {
      return fail(errors::kValueOutOfRange, "the outcome {} has the count {}; use 1 or more", quote(text), count);
    }
    counts.push_back(static_cast<std::uint64_t>(count));
    sum += counts.back();
    if (sum > std::uint64_t{1} << 63) {
      return fail(errors::kValueOutOfRange, "the counts add up to more than 2^63; use fewer shots");
    }
  }
  return from_histogram(num_bits, rows, counts);
}

std::uint64_t Counts::shots() const { return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0}); }

Json Counts::document() const {
  Json counts = Json::object();
  for (std::size_t i = 0; i < size(); ++i) counts[text(i)] = counts_[i];
  return {{"kind", "counts"}, {"num_bits", num_bits_}, {"counts", std::move(counts)}};
}

Result<Distribution> Distribution::create(std::uint32_t num_bits, std::vector<std::pair<std::string, double>> entries,
                                          bool exact) {
  TANDEM_TRY(check_bits(num_bits));
  std::vector<std::uint64_t> rows;
  double sum = 0;
  for (const auto& [text, probability] : entries) {
    TANDEM_TRY(append_outcome(text, num_bits, rows));
    if (!std::isfinite(probability)) {
      return fail(errors::kNotFinite, "the outcome {} has the probability {}; use a finite number", quote(text),
                  probability);
    }
    if (exact && probability < 0) {
      return fail(errors::kValueOutOfRange, "the outcome {} has the probability {}; use 0 or more", quote(text),
                  probability);
    }
    sum += probability;
  }
  constexpr double kTolerance = 1e-6;  // what single precision keeps of a sum of a million probabilities
  if (exact && !(std::abs(sum - 1) <= kTolerance)) {
    return fail(errors::kValueOutOfRange, "the probabilities add up to {}; they must add up to 1 within {}", sum,
                kTolerance);
  }
  Distribution distribution;
  distribution.num_bits_ = num_bits;
  distribution.exact_ = exact;
  const std::size_t words = distribution.words();
  for (const std::size_t row : ascending(rows, words)) {
    const auto outcome = std::span(rows).subspan(row * words, words);
    if (distribution.size() != 0 && std::ranges::equal(distribution.outcome(distribution.size() - 1), outcome)) {
      return fail(errors::kValueOutOfRange, "the outcome {} stands twice; give one probability each",
                  quote(entries[row].first));
    }
    distribution.bits_.insert(distribution.bits_.end(), outcome.begin(), outcome.end());
    distribution.probabilities_.push_back(entries[row].second);
  }
  return distribution;
}

Json Distribution::document() const {
  Json probabilities = Json::object();
  for (std::size_t i = 0; i < size(); ++i) probabilities[text(i)] = probabilities_[i];
  return {{"kind", "distribution"},
          {"num_bits", num_bits_},
          {"exact", exact_},
          {"probabilities", std::move(probabilities)}};
}

Json Expectation::document() const {
  return {{"kind", "expectation"}, {"value", value}, {"standard_error", standard_error}, {"shots", shots}};
}

}  // namespace tandem::result
