#include "tandem/middleware/encode/encode.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"

namespace tandem::encode {
namespace {

using problem::Bqm;
using problem::Comparison;
using problem::Cqm;
using problem::LinearConstraint;
using problem::LinearTerm;
using problem::QuadraticTerm;

/// A penalty weight exceeds its bound by this factor, so that rounding never makes an infeasible minimum.
constexpr double kWeightMargin = 1.01;
/// The unbalanced penalty follows exp(-h/u) to second order; u is this share of the range of the slack h.
constexpr double kUnbalancedUnit = 0.25;
constexpr std::uint32_t kSlackBitsMax = 40;  ///< a constraint whose slack needs more is not integral in any useful unit
constexpr int kDecimalsMax = 6;

/// a.x <= b or a.x == b with what is known of its activity.
struct Row {
  const LinearConstraint* source;
  std::vector<LinearTerm> terms;
  double bound;
  bool equality;
  double activity_min;
  double activity_max;
};

/// Smallest unit 10^-k of which all numbers are multiples; 0 when there is none with k <= kDecimalsMax.
double common_unit(std::span<const LinearTerm> terms, double bound) {
  double scale = 1;
  for (int k = 0; k <= kDecimalsMax; ++k, scale *= 10) {
    const auto integral = [&](double value) { return std::round(value * scale) / scale == value; };
    if (integral(bound) &&
        std::all_of(terms.begin(), terms.end(), [&](const LinearTerm& t) { return integral(t.coefficient); }))
      return 1 / scale;
  }
  return 0;
}

/// The K of a "choose exactly K" over all variables, or 0.
std::size_t cardinality_of(const Cqm& cqm) {
  for (const LinearConstraint& constraint : cqm.constraints()) {
    if (constraint.comparison != Comparison::kEqual || constraint.terms.size() != cqm.num_variables()) continue;
    const bool unit = std::all_of(constraint.terms.begin(), constraint.terms.end(),
                                  [](const LinearTerm& t) { return t.coefficient == 1; });
    if (unit && constraint.bound > 0) return static_cast<std::size_t>(constraint.bound);
  }
  return 0;
}

/// Range of a.x over {0,1}^n, or over the assignments with exactly `cardinality` ones when that is known.
void set_activity(Row& row, std::size_t num_variables, std::size_t cardinality) {
  row.activity_min = row.activity_max = 0;
  if (cardinality == 0) {
    for (const LinearTerm& term : row.terms)
      (term.coefficient < 0 ? row.activity_min : row.activity_max) += term.coefficient;
    return;
  }
  std::vector<double> coefficients(num_variables, 0);
  for (const LinearTerm& term : row.terms) coefficients[term.variable] = term.coefficient;
  std::sort(coefficients.begin(), coefficients.end());
  const std::size_t k = std::min(cardinality, num_variables);
  for (std::size_t i = 0; i < k; ++i) {
    row.activity_min += coefficients[i];
    row.activity_max += coefficients[num_variables - 1 - i];
  }
}

Row make_row(const LinearConstraint& constraint, std::size_t num_variables, std::size_t cardinality) {
  Row row{.source = &constraint,
          .terms = constraint.terms,
          .bound = constraint.bound,
          .equality = constraint.comparison == Comparison::kEqual,
          .activity_min = 0,
          .activity_max = 0};
  if (constraint.comparison == Comparison::kGreaterEqual) {
    for (LinearTerm& term : row.terms) term.coefficient = -term.coefficient;
    row.bound = -row.bound;
  }
  // The cardinality row itself must not be judged under its own assumption.
  const bool is_cardinality = row.equality && row.terms.size() == num_variables;
  set_activity(row, num_variables, is_cardinality ? 0 : cardinality);
  return row;
}

/// Collects the growing Bqm.
struct Builder {
  std::vector<double> linear;
  std::vector<QuadraticTerm> terms;
  double offset = 0;

  /// weight * (sum_i c_i x_i - bound)^2, using x^2 = x.
  void add_square(std::span<const LinearTerm> row, double bound, double weight) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const double c = row[i].coefficient;
      linear[row[i].variable] += weight * (c * c - 2 * bound * c);
      for (std::size_t j = i + 1; j < row.size(); ++j)
        terms.push_back({row[i].variable, row[j].variable, 2 * weight * c * row[j].coefficient});
    }
    offset += weight * bound * bound;
  }
  void add_linear(std::span<const LinearTerm> row, double constant, double weight) {
    for (const LinearTerm& term : row) linear[term.variable] += weight * term.coefficient;
    offset += weight * constant;
  }
};

/// Upper bound of how much one flip changes the objective, and of its whole range.
struct ObjectiveBounds {
  double flip = 0;
  double range = 0;
};

ObjectiveBounds bounds_of(const Bqm& objective) {
  std::vector<double> reach(objective.num_variables());
  ObjectiveBounds out;
  for (std::size_t i = 0; i < reach.size(); ++i) {
    reach[i] = std::abs(objective.linear()[i]);
    out.range += reach[i];
  }
  for (const QuadraticTerm& term : objective.terms()) {
    reach[term.u] += std::abs(term.bias);
    reach[term.v] += std::abs(term.bias);
    out.range += std::abs(term.bias);
  }
  for (const double value : reach) out.flip = std::max(out.flip, value);
  if (out.flip == 0) out.flip = out.range = 1;  // a constant objective: any weight orders feasibility first
  return out;
}

std::uint32_t slack_bits(double width, double unit) {
  return width <= 0 ? 0 : static_cast<std::uint32_t>(std::ceil(std::log2(std::round(width / unit) + 1)));
}

/// Binary expansion 1, 2, 4, ..., remainder: every value 0..width in steps of unit, none above.
void append_slack(std::vector<LinearTerm>& row, double width, double unit, std::uint32_t bits, std::uint32_t first) {
  double left = std::round(width / unit);
  double step = 1;
  for (std::uint32_t b = 0; b < bits; ++b) {
    const double value = b + 1 == bits ? left : std::min(step, left);
    row.push_back({first + b, value * unit});
    left -= value;
    step *= 2;
  }
}

Result<Encoding> encode_cqm(const Cqm& cqm, const EncodeOptions& options) {
  const std::size_t n = cqm.num_variables();
  const Bqm objective = cqm.objective().with_vartype(problem::Vartype::kBinary);
  const std::size_t cardinality = cardinality_of(cqm);
  const ObjectiveBounds bounds = bounds_of(objective);

  std::vector<Row> rows;
  for (const LinearConstraint& constraint : cqm.constraints()) rows.push_back(make_row(constraint, n, cardinality));
  Encoding out{.num_original = n};
  Builder builder{.linear = {objective.linear().begin(), objective.linear().end()},
                  .terms = {objective.terms().begin(), objective.terms().end()},
                  .offset = objective.offset()};

  // One row of unit coefficients is repaired by as many flips as it is violated, each worth at most bounds.flip, and its
  // penalty grows at least as fast. With several rows a repair may break another, so the whole range is charged.
  std::size_t active = 0;
  for (const Row& row : rows)
    active += row.equality || row.activity_max > row.bound + problem::kFeasibilityTolerance ? 1 : 0;
  for (const Row& row : rows) {
    EncodedConstraint done{.name = row.source->name};
    const double tolerance = problem::kFeasibilityTolerance * std::max(1.0, std::abs(row.bound));
    if (row.activity_min > row.bound + tolerance || (row.equality && row.activity_max < row.bound - tolerance)) {
      return fail(errors::kInfeasibleProblem,
                  "no assignment satisfies '{}': the left side is between {} and {}, the bound is {}", row.source->name,
                  shortest(row.activity_min), shortest(row.activity_max), shortest(row.bound));
    }
    if (!row.equality && row.activity_max <= row.bound + tolerance) {
      done.method = "redundant";
      out.constraints.push_back(std::move(done));
      continue;
    }
    const double unit = common_unit(row.terms, row.bound);
    const bool unit_coefficients =
        unit == 1 && std::all_of(row.terms.begin(), row.terms.end(),
                                 [](const LinearTerm& t) { return std::abs(t.coefficient) == 1; });
    const bool tight = unit_coefficients && active == 1;
    const double least = unit == 0 ? 1 : unit;
    done.weight = kWeightMargin * (tight ? bounds.flip : bounds.range / (least * least));
    if (row.equality) {
      done.method = "penalty";
      builder.add_square(row.terms, row.bound, done.weight);
      if (unit == 0) out.exact = false;
    } else {
      const double width = row.bound - row.activity_min;
      const std::uint32_t bits = unit == 0 ? kSlackBitsMax + 1 : slack_bits(width, unit);
      const bool fits = options.variables_max == 0 || builder.linear.size() + bits <= options.variables_max;
      if (bits <= kSlackBitsMax && fits) {
        done.method = "slack";
        done.slack_bits = bits;
        std::vector<LinearTerm> terms = row.terms;
        append_slack(terms, width, unit, bits, static_cast<std::uint32_t>(builder.linear.size()));
        builder.linear.resize(builder.linear.size() + bits, 0);
        builder.add_square(terms, row.bound, done.weight);
      } else {
        // exp(-h/u) ~ 1 - h/u + (h/u)^2/2 with slack h = b - a.x.
        done.method = "unbalanced";
        done.weight = kWeightMargin * bounds.flip;
        const double span = std::max(row.bound - row.activity_min, row.activity_max - row.bound);
        const double u = kUnbalancedUnit * span;
        builder.add_linear(row.terms, u - row.bound, done.weight / u);
        builder.add_square(row.terms, row.bound, done.weight / (2 * u * u));
        out.exact = false;
      }
    }
    out.constraints.push_back(std::move(done));
  }
  out.proof = fmt::format(
      "one flip changes the objective by at most {}, all together by at most {}; every weight exceeds the {} by {} %",
      shortest(bounds.flip), shortest(bounds.range), active <= 1 ? "first" : "second over the square of the unit",
      shortest(std::round((kWeightMargin - 1) * 100)));
  TANDEM_TRY_ASSIGN(out.bqm, Bqm::create(problem::Vartype::kBinary, std::move(builder.linear), std::move(builder.terms),
                                         builder.offset));
  return out;
}

}  // namespace

problem::Assignment Encoding::decode(problem::AssignmentView encoded) const {
  TANDEM_ASSERT(encoded.size() == bqm.num_variables());
  return {encoded.begin(), encoded.begin() + static_cast<std::ptrdiff_t>(num_original)};
}

Json Encoding::document() const {
  Json list = Json::array();
  for (const EncodedConstraint& constraint : constraints) {
    list.push_back({{"name", constraint.name},
                    {"method", constraint.method},
                    {"weight", constraint.weight},
                    {"slack_bits", constraint.slack_bits}});
  }
  return {{"num_variables", bqm.num_variables()},
          {"num_original", num_original},
          {"exact", exact},
          {"constraints", std::move(list)},
          {"proof", proof},
          {"vartype", problem::to_string(bqm.vartype())}};
}

Result<Encoding> encode(const problem::Statement& statement, const EncodeOptions& options) {
  if (const auto* cqm = std::get_if<Cqm>(&statement)) return encode_cqm(*cqm, options);
  if (const auto* bqm = std::get_if<Bqm>(&statement)) {
    return Encoding{.bqm = *bqm, .num_original = bqm->num_variables(), .proof = "no constraints: nothing is penalised"};
  }
  const auto& polynomial = std::get<problem::Polynomial>(statement);
  if (auto bqm = polynomial.to_bqm()) {
    const std::size_t n = bqm->num_variables();
    return Encoding{.bqm = *std::move(bqm), .num_original = n, .proof = "no constraints: nothing is penalised"};
  }
  return fail(errors::kBackendCannot, "the polynomial has order {}; only orders up to 2 become a quadratic model here",
              polynomial.degree());
}

Result<observable::PauliSum> to_observable(const Bqm& bqm) {
  if (bqm.num_variables() > observable::PauliSum::kQubitsMax) {
    return fail(errors::kTooManyQubits, "the model has {} variables, an observable has at most {} qubits",
                bqm.num_variables(), observable::PauliSum::kQubitsMax);
  }
  const Bqm spins = bqm.with_vartype(problem::Vartype::kSpin);
  std::vector<observable::PauliTerm> terms;
  if (spins.offset() != 0) terms.push_back({.coefficient = spins.offset()});
  for (std::size_t i = 0; i < spins.num_variables(); ++i)
    if (spins.linear()[i] != 0) terms.push_back({.z = std::uint64_t{1} << i, .coefficient = -spins.linear()[i]});
  for (const QuadraticTerm& term : spins.terms())
    terms.push_back({.z = (std::uint64_t{1} << term.u) | (std::uint64_t{1} << term.v), .coefficient = term.bias});
  return observable::PauliSum::create(static_cast<std::uint32_t>(bqm.num_variables()), std::move(terms));
}

problem::Assignment assignment_of_bits(std::span<const std::uint64_t> bits, std::size_t num_variables,
                                       problem::Vartype vartype) {
  problem::Assignment out(num_variables);
  const std::int8_t low = vartype == problem::Vartype::kSpin ? -1 : 0;
  for (std::size_t i = 0; i < num_variables; ++i)
    out[i] = ((bits[i / 64] >> (i % 64)) & 1u) != 0 ? std::int8_t{1} : low;
  return out;
}

}  // namespace tandem::encode
