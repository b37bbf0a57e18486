#include "tandem/compute/solve/search_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "tandem/base/assert.h"
#include "tandem/base/stopped.h"

namespace tandem::solve {

namespace {

using problem::IntegerBqm;
using problem::IntegerTerm;
using problem::Vartype;

constexpr std::int64_t kSpinMagnitudeMax = IntegerBqm::kMagnitudeMax / 8;  // 4J, and 2h - 2 sum J, stay below 2^61
constexpr double kDenseShare = 0.1;            // from this density on a dense row is faster than a list
constexpr std::size_t kAlwaysDenseMax = 64;    // one block: a dense row costs no more than a short list
constexpr double kInt64Max = 9.2e18;
// How far below an energy a target may be and count as reached: sums of the same decimals differ by that in another order.
constexpr double kTargetStep = 1e-6;
constexpr double kTargetShare = 1e-15;

std::int64_t magnitude(const IntegerBqm& bqm, const std::stop_token& stop) {
  std::int64_t sum = std::abs(bqm.offset);
  for (const std::int64_t value : bqm.linear) sum += std::abs(value);
  for_each(std::span(bqm.terms), stop, [&](const IntegerTerm& term) { sum += std::abs(term.bias); });
  return sum;
}

/// The unit of a rounded form: a power of two, read off its largest coefficient.
double unit_of(const problem::Bqm& bqm, const IntegerBqm& rounded) {
  double largest = std::abs(bqm.offset());
  std::int64_t digits = std::abs(rounded.offset);
  const auto see = [&](double value, std::int64_t integer) {
    if (std::abs(value) <= largest) return;
    largest = std::abs(value);
    digits = std::abs(integer);
  };
  for (std::size_t i = 0; i < rounded.linear.size(); ++i) see(bqm.linear()[i], rounded.linear[i]);
  std::size_t next = 0;  // terms that became zero are missing in the rounded form
  for (const problem::QuadraticTerm& term : bqm.terms()) {
    if (next == rounded.terms.size()) break;
    if (rounded.terms[next].u != term.u || rounded.terms[next].v != term.v) continue;
    see(term.bias, rounded.terms[next++].bias);
  }
  if (digits == 0) return 1;
  // The largest of at most 2^29 coefficients has 20 digits or more, so that the quotient is near its power of two.
  return std::ldexp(1.0, std::ilogb(1.5 * largest / static_cast<double>(digits)));
}

std::vector<SearchModel::Pair> pairs_lost(const problem::Bqm& bqm, const IntegerBqm& rounded) {
  std::vector<SearchModel::Pair> out;
  std::size_t next = 0;
  for (const problem::QuadraticTerm& term : bqm.terms()) {
    const bool kept = next < rounded.terms.size() && rounded.terms[next].u == term.u && rounded.terms[next].v == term.v;
    if (kept) {
      ++next;
    } else {
      out.push_back({term.u, term.v});
    }
  }
  return out;
}

/// s = 2x - 1: h s + J s s = 2h x - h, 4J x x - 2J x - 2J x + J.
void to_binary(IntegerBqm& bqm, const std::stop_token& stop) {
  if (bqm.vartype == Vartype::kBinary) return;
  for (std::int64_t& value : bqm.linear) {
    bqm.offset -= value;
    value *= 2;
  }
  for_each(std::span(bqm.terms), stop, [&](IntegerTerm& term) {
    bqm.offset += term.bias;
    bqm.linear[term.u] -= 2 * term.bias;
    bqm.linear[term.v] -= 2 * term.bias;
    term.bias *= 4;
  });
}

std::int64_t take_out_divisor(IntegerBqm& bqm, const std::stop_token& stop) {
  std::int64_t divisor = 0;
  for (const std::int64_t value : bqm.linear) divisor = std::gcd(divisor, value);
  for_each(std::span(bqm.terms), stop, [&](const IntegerTerm& term) {
    if (divisor != 1) divisor = std::gcd(divisor, term.bias);
  });
  if (divisor <= 1) return 1;
  for (std::int64_t& value : bqm.linear) value /= divisor;
  for_each(std::span(bqm.terms), stop, [&](IntegerTerm& term) { term.bias /= divisor; });
  return divisor;
}

struct Extremes {
  std::int64_t weight_max = 0;
  std::int64_t weight_bits = 0;  ///< set in any weight
  std::int64_t field_max = 0;
};

Extremes extremes(const IntegerBqm& bqm, const std::stop_token& stop) {
  Extremes out;
  std::vector<std::int64_t> fields(bqm.linear.size());
  std::ranges::transform(bqm.linear, fields.begin(), [](std::int64_t value) { return std::abs(value); });
  for_each(std::span(bqm.terms), stop, [&](const IntegerTerm& term) {
    const std::int64_t weight = std::abs(term.bias);
    out.weight_max = std::max(out.weight_max, weight);
    out.weight_bits |= weight;
    fields[term.u] += weight;
    fields[term.v] += weight;
  });
  for (const std::int64_t field : fields) out.field_max = std::max(out.field_max, field);
  return out;
}

template <class Weight>
SparseRows<Weight> sparse_rows(const IntegerBqm& bqm, const std::stop_token& stop) {
  SparseRows<Weight> rows;
  const std::size_t n = bqm.linear.size();
  rows.begin.assign(n + 1, 0);
  for_each(std::span(bqm.terms), stop, [&](const IntegerTerm& term) {
    ++rows.begin[term.u + 1];
    ++rows.begin[term.v + 1];
  });
  for (std::size_t i = 0; i < n; ++i) rows.begin[i + 1] += rows.begin[i];
  rows.entries.resize(2 * bqm.terms.size());
  std::vector<std::uint64_t> next(rows.begin.begin(), rows.begin.end() - 1);
  // Sorted by (u, v): every row comes out ascending.
  for_each(std::span(bqm.terms), stop,
           [&](const IntegerTerm& term) { rows.entries[next[term.v]++] = {term.u, static_cast<Weight>(term.bias)}; });
  for_each(std::span(bqm.terms), stop,
           [&](const IntegerTerm& term) { rows.entries[next[term.u]++] = {term.v, static_cast<Weight>(term.bias)}; });
  return rows;
}

template <class Dense>
Dense dense_rows(const IntegerBqm& bqm, const std::stop_token& stop, int shift = 0) {
  const std::size_t n = bqm.linear.size();
  Dense rows{.stride = padded(n), .shift = shift};
  rows.weights.assign(n * rows.stride, 0);
  throw_if(stop);
  for_each(std::span(bqm.terms), stop, [&](const IntegerTerm& term) {
    rows.weights[term.u * rows.stride + term.v] = static_cast<typename Dense::Weight>(term.bias >> shift);
  });
  constexpr std::size_t kTile = 64;  // mirrored by tiles: a column at a time would miss the cache at every step
  for (std::size_t row = 0; row < n; row += kTile) {
    throw_if(stop);
    for (std::size_t column = row; column < n; column += kTile) {
      for (std::size_t i = row; i < std::min(row + kTile, n); ++i) {
        for (std::size_t j = std::max(column, i + 1); j < std::min(column + kTile, n); ++j) {
          rows.weights[j * rows.stride + i] = rows.weights[i * rows.stride + j];
        }
      }
    }
  }
  return rows;
}

Result<void> check_memory(std::uint64_t needed, std::uint64_t available, std::size_t n) {
  if (needed <= available) return {};
  return fail(
      errors::kOutOfMemory,
      "solving {} variables needs {} bytes and {} are available; raise memory_bytes_max or narrow the model first", n,
      needed, available);
}

std::int64_t energy_of(const auto& rows, std::span<const std::int64_t> linear, problem::AssignmentView bits) {
  std::int64_t twice = 0;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < linear.size(); ++i) {
    if (bits[i] == 0) continue;
    sum += linear[i];
    if constexpr (requires { rows.entries; }) {
      for (const auto& entry : rows.row(i)) twice += bits[entry.column] * static_cast<std::int64_t>(entry.weight);
    } else {
      const auto* row = rows.row(i);
      for (std::size_t j = 0; j < linear.size(); ++j) twice += bits[j] * std::int64_t{rows.field(row[j])};
    }
  }
  return sum + twice / 2;
}

}  // namespace

Result<SearchModel> SearchModel::create(const problem::Bqm& bqm, std::uint64_t memory_bytes_max, simd::Isa isa,
                                        const std::stop_token& stop) {
  const std::size_t n = bqm.num_variables();
  const std::uint64_t num_terms = bqm.terms().size();
  const std::uint64_t integer_bytes = num_terms * sizeof(IntegerTerm) + n * 3 * sizeof(std::int64_t);
  TANDEM_TRY(check_memory(integer_bytes, memory_bytes_max, n));
  SearchModel model;
  model.isa_ = isa;
  IntegerBqm integers;
  if (auto exact = bqm.to_integer(stop)) integers = *std::move(exact);
  throw_if(stop);
  model.magnitude_ = magnitude(integers, stop);
  // Empty because there is no exact form, or too large for the form over {0, 1}.
  model.exact_ =
      integers.linear.size() == n && (bqm.vartype() == Vartype::kBinary || model.magnitude_ <= kSpinMagnitudeMax);
  if (!model.exact_) {
    integers = bqm.to_rounded_integer();
    model.unit_ = unit_of(bqm, integers);
    model.lost_pairs_ = pairs_lost(bqm, integers);
  }
  to_binary(integers, stop);
  model.quantum_ = take_out_divisor(integers, stop);
  model.vartype_ = bqm.vartype();
  model.coefficients_ = static_cast<double>(n + num_terms + 1);
  model.scale_.decimals = integers.decimals;
  model.scale_.offset = integers.offset;
  model.num_entries_ = 2 * integers.terms.size();

  const auto [weight_max, weight_bits, field_max] = extremes(integers, stop);
  const bool narrow = field_max <= kFieldMax;
  const int shift = weight_bits == 0 ? 0 : std::countr_zero(static_cast<std::uint64_t>(weight_bits));
  const std::uint64_t sparse_bytes = model.num_entries_ * (narrow ? 8 : 16) + 2 * n * 8;
  const std::uint64_t weight_bytes = !narrow                                                          ? 8
                                     : weight_max >> shift <= std::numeric_limits<std::int8_t>::max() ? 1
                                     : weight_max <= std::numeric_limits<std::int16_t>::max()         ? 2
                                                                                                      : 4;
  const std::uint64_t dense_bytes = n * padded(n) * weight_bytes;
  const double pairs = static_cast<double>(n) * static_cast<double>(n);
  const bool wants_dense = n <= kAlwaysDenseMax || static_cast<double>(model.num_entries_) >= kDenseShare * pairs;
  const bool dense = wants_dense && integer_bytes + dense_bytes <= memory_bytes_max;
  model.bytes_ = n * 8 + (dense ? dense_bytes : sparse_bytes);
  TANDEM_TRY(check_memory(integer_bytes + model.bytes_, memory_bytes_max, n));
  if (!dense && narrow) model.rows_ = sparse_rows<std::int32_t>(integers, stop);
  if (!dense && !narrow) model.rows_ = sparse_rows<std::int64_t>(integers, stop);
  if (dense && weight_bytes == 1) model.rows_ = dense_rows<DenseRows<std::int8_t, std::int32_t>>(integers, stop, shift);
  if (dense && weight_bytes == 2) model.rows_ = dense_rows<DenseRows<std::int16_t, std::int32_t>>(integers, stop);
  if (dense && weight_bytes == 4) model.rows_ = dense_rows<DenseRows<std::int32_t, std::int32_t>>(integers, stop);
  if (dense && weight_bytes == 8) model.rows_ = dense_rows<DenseRows<std::int64_t, std::int64_t>>(integers, stop);
  model.linear_ = std::move(integers.linear);
  return model;
}

std::int64_t SearchModel::energy(problem::AssignmentView bits) const {
  TANDEM_ASSERT(bits.size() == size());
  return std::visit([&](const auto& rows) { return energy_of(rows, linear_, bits); }, rows_);
}

double SearchModel::objective(std::int64_t energy) const {
  const std::int64_t steps = scale_.offset + quantum_ * energy;
  return exact_ ? scale_.to_objective(steps) : static_cast<double>(steps) * unit_;
}

double SearchModel::error_max() const {
  // Each coefficient of the Bqm is off by half a step, also those that became zero; the rest is exact.
  return exact_ ? 0 : unit_ * coefficients_;
}

double SearchModel::steps(double objective) const {
  if (!exact_) return objective / unit_ / static_cast<double>(quantum_);
  return objective * std::pow(10.0, scale_.decimals) / static_cast<double>(quantum_);
}

bool SearchModel::objectives_are_doubles() const {
  return exact_ && scale_.decimals == 0 && magnitude_ <= (std::int64_t{1} << 53);
}

std::optional<std::int64_t> SearchModel::energy_at_most(double objective) const {
  double steps = objective;
  if (exact_) {
    for (int i = 0; i < scale_.decimals; ++i) steps *= 10;
    steps += kTargetStep + std::abs(steps) * kTargetShare;
  } else {
    steps = (objective + error_max()) / unit_;
  }
  if (!(steps > -kInt64Max / 2)) return std::nullopt;
  if (steps >= kInt64Max / 2) return std::numeric_limits<std::int64_t>::max();
  const std::int64_t above = static_cast<std::int64_t>(std::floor(steps)) - scale_.offset;
  return above >= 0 ? above / quantum_ : -((-above + quantum_ - 1) / quantum_);
}

}  // namespace tandem::solve
