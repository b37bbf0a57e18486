#include "tandem/middleware/encode/encode.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/middleware/encode/sweep.h"

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
  /// weight * l_u * l_v, where a literal is x with the coefficient 1 and 1 - x with -1.
  void add_product(const LinearTerm& u, const LinearTerm& v, double weight) {
    const auto constant = [](const LinearTerm& term) { return term.coefficient < 0 ? 1.0 : 0.0; };
    terms.push_back({u.variable, v.variable, weight * u.coefficient * v.coefficient});
    linear[u.variable] += weight * u.coefficient * constant(v);
    linear[v.variable] += weight * v.coefficient * constant(u);
    offset += weight * constant(u) * constant(v);
  }
  void add_linear(std::span<const LinearTerm> row, double constant, double weight) {
    for (const LinearTerm& term : row) linear[term.variable] += weight * term.coefficient;
    offset += weight * constant;
  }
};

/// Upper bounds of how much one flip changes the objective, for each variable and for all, and of its whole range.
struct ObjectiveBounds {
  std::vector<double> reach;
  double flip = 0;
  double range = 0;
};

ObjectiveBounds bounds_of(const Bqm& objective) {
  ObjectiveBounds out;
  std::vector<double>& reach = out.reach;
  reach.resize(objective.num_variables());
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

/// A row with its way into the Bqm.
struct PlannedRow {
  Row row;
  EncodedConstraint done;
  bool kept = false;  ///< a cardinality that a sampler may keep by itself
  bool at_most_one = false;  ///< of its literals: x with the coefficient 1, 1 - x with -1
  double unit = 0;  ///< of its numbers; 0: they have none
};

bool is_active(const Row& row) {
  const double tolerance = problem::kFeasibilityTolerance * std::max(1.0, std::abs(row.bound));
  return row.equality || row.activity_max > row.bound + tolerance;
}

bool is_at_most_one(const Row& row) {
  if (row.equality || row.terms.size() < 2) return false;
  // The sum of literals is at most this, by the measure that judges solutions.
  double literals = row.bound + problem::kFeasibilityTolerance * std::max(1.0, std::abs(row.bound));
  for (const LinearTerm& term : row.terms) {
    if (std::abs(term.coefficient) != 1) return false;
    literals += term.coefficient < 0 ? 1 : 0;
  }
  return std::floor(literals) == 1;
}

/// True when a literal that is switched off breaks no row, whatever the others are: every active row allows one literal, and no
/// variable stands in them both as itself and as its complement.
bool repairs_break_nothing(std::span<const PlannedRow> rows, std::size_t num_variables) {
  std::vector<double> sign(num_variables);
  for (const PlannedRow& planned : rows) {
    if (!is_active(planned.row)) continue;
    if (!planned.at_most_one) return false;
    for (const LinearTerm& term : planned.row.terms) {
      if (sign[term.variable] == -term.coefficient) return false;
      sign[term.variable] = term.coefficient;
    }
  }
  return true;
}

/// What switching off all literals of a row but the dearest changes at most, a literal.
double second_reach(const Row& row, const ObjectiveBounds& bounds) {
  double first = 0;
  double second = 0;
  for (const LinearTerm& term : row.terms) {
    const double reach = bounds.reach[term.variable];
    second = std::max(second, std::min(first, reach));
    first = std::max(first, reach);
  }
  return second == 0 ? bounds.flip : second;
}

std::uint32_t bits_of(const PlannedRow& planned) {
  return planned.unit == 0 ? kSlackBitsMax + 1 : slack_bits(planned.row.bound - planned.row.activity_min, planned.unit);
}

/// All rows, and what they are together.
struct Plan {
  std::vector<PlannedRow> rows;
  std::size_t active = 0;  ///< rows that some assignment violates
  bool free_repairs = false;  ///< repairs_break_nothing()
};

/// Weights from the coefficients alone. One row of unit coefficients is repaired by as many flips as it is violated, each
/// worth at most bounds.flip, and its penalty grows at least as fast. With several rows a repair may break another, so the
/// whole range is charged, but where none can.
Result<Plan> plan_rows(const Cqm& cqm, const ObjectiveBounds& bounds) {
  const std::size_t n = cqm.num_variables();
  const std::size_t cardinality = cardinality_of(cqm);
  std::vector<char> taken(n, 0);
  Plan out;
  for (const LinearConstraint& constraint : cqm.constraints()) {
    PlannedRow planned{.row = make_row(constraint, n, cardinality), .done = {.name = constraint.name}};
    const Row& row = planned.row;
    const double tolerance = problem::kFeasibilityTolerance * std::max(1.0, std::abs(row.bound));
    if (row.activity_min > row.bound + tolerance || (row.equality && row.activity_max < row.bound - tolerance)) {
      return fail(errors::kInfeasibleProblem,
                  "no assignment satisfies '{}': the left side is between {} and {}, the bound is {}", row.source->name,
                  shortest(row.activity_min), shortest(row.activity_max), shortest(row.bound));
    }
    planned.kept = problem::is_cardinality(constraint) &&
                   std::none_of(constraint.terms.begin(), constraint.terms.end(),
                                [&](const LinearTerm& term) { return taken[term.variable] != 0; });
    if (planned.kept)
      for (const LinearTerm& term : constraint.terms) taken[term.variable] = 1;
    planned.unit = common_unit(row.terms, row.bound);
    planned.at_most_one = is_at_most_one(row);
    out.active += is_active(row) ? 1 : 0;
    out.rows.push_back(std::move(planned));
  }
  out.free_repairs = repairs_break_nothing(out.rows, n);
  for (PlannedRow& planned : out.rows) {
    if (!is_active(planned.row)) continue;
    if (planned.at_most_one) {
      planned.done.weight = kWeightMargin * (out.free_repairs ? second_reach(planned.row, bounds) : bounds.range);
      continue;
    }
    const bool unit_coefficients =
        planned.unit == 1 && std::all_of(planned.row.terms.begin(), planned.row.terms.end(),
                                         [](const LinearTerm& t) { return std::abs(t.coefficient) == 1; });
    const double least = planned.unit == 0 ? 1 : planned.unit;
    planned.done.weight =
        kWeightMargin * (unit_coefficients && out.active == 1 ? bounds.flip : bounds.range / (least * least));
  }
  return out;
}

/// Decides how each row is encoded; slack bits go to inequalities in their order while they fit.
void choose_methods(std::vector<PlannedRow>& rows, const ObjectiveBounds& bounds, std::size_t variables,
                    std::size_t variables_max) {
  for (PlannedRow& planned : rows) {
    planned.done.slack_bits = 0;
    if (!is_active(planned.row)) {
      planned.done.method = "redundant";
    } else if (planned.row.equality) {
      planned.done.method = "penalty";
    } else if (planned.at_most_one) {
      planned.done.method = "product";
    } else if (const std::uint32_t bits = bits_of(planned);
               bits <= kSlackBitsMax && (variables_max == 0 || variables + bits <= variables_max)) {
      planned.done.method = "slack";
      planned.done.slack_bits = bits;
      variables += bits;
    } else {
      planned.done.method = "unbalanced";
      planned.done.weight = kWeightMargin * bounds.flip;
    }
  }
}

void add_row(Builder& builder, const PlannedRow& planned) {
  const Row& row = planned.row;
  const EncodedConstraint& done = planned.done;
  if (done.method == "penalty") {
    builder.add_square(row.terms, row.bound, done.weight);
  } else if (done.method == "product") {
    for (std::size_t i = 0; i < row.terms.size(); ++i)
      for (std::size_t j = i + 1; j < row.terms.size(); ++j)
        builder.add_product(row.terms[i], row.terms[j], done.weight);
  } else if (done.method == "slack") {
    std::vector<LinearTerm> terms = row.terms;
    append_slack(terms, row.bound - row.activity_min, planned.unit, done.slack_bits,
                 static_cast<std::uint32_t>(builder.linear.size()));
    builder.linear.resize(builder.linear.size() + done.slack_bits, 0);
    builder.add_square(terms, row.bound, done.weight);
  } else if (done.method == "unbalanced") {
    // exp(-h/u) ~ 1 - h/u + (h/u)^2/2 with slack h = b - a.x.
    const double span = std::max(row.bound - row.activity_min, row.activity_max - row.bound);
    const double u = kUnbalancedUnit * span;
    builder.add_linear(row.terms, u - row.bound, done.weight / u);
    builder.add_square(row.terms, row.bound, done.weight / (2 * u * u));
  }
}

/// The penalties of the kept rows, or of the others, alone.
Result<Bqm> penalty_of(std::span<const PlannedRow> rows, bool kept, std::size_t num_variables) {
  Builder builder{.linear = std::vector<double>(num_variables, 0)};
  for (const PlannedRow& planned : rows)
    if (planned.kept == kept) add_row(builder, planned);
  return Bqm::create(problem::Vartype::kBinary, std::move(builder.linear), std::move(builder.terms), builder.offset);
}

/// Multiplies the weights by what a sweep of all assignments says. Inequalities are unbalanced: no slack bits.
Result<std::optional<SweptWeights>> sweep_rows(const Cqm& cqm, std::vector<PlannedRow>& rows,
                                               const ObjectiveBounds& bounds) {
  choose_methods(rows, bounds, cqm.num_variables(), cqm.num_variables());
  TANDEM_TRY_ASSIGN(const Bqm kept, penalty_of(rows, true, cqm.num_variables()));
  TANDEM_TRY_ASSIGN(const Bqm other, penalty_of(rows, false, cqm.num_variables()));
  const std::optional<SweptWeights> swept = sweep_weights(cqm, kept, other);
  if (!swept) return swept;
  for (PlannedRow& planned : rows) planned.done.weight *= planned.kept ? swept->kept : swept->other;
  return swept;
}

std::string bound_proof(const Plan& plan, const ObjectiveBounds& bounds) {
  if (plan.active > 0 && plan.free_repairs) {
    return fmt::format(
        "switching a literal off repairs and breaks no row; every weight exceeds what that changes, at most {}, by {} "
        "%",
        shortest(bounds.flip), shortest(std::round((kWeightMargin - 1) * 100)));
  }
  return fmt::format(
      "one flip changes the objective by at most {}, all together by at most {}; every weight exceeds the {} by {} %",
      shortest(bounds.flip), shortest(bounds.range), plan.active <= 1 ? "first" : "second over the square of the unit",
      shortest(std::round((kWeightMargin - 1) * 100)));
}

Result<Encoding> encode_cqm(const Cqm& cqm, const EncodeOptions& options) {
  const std::size_t n = cqm.num_variables();
  const Bqm objective = cqm.objective().with_vartype(problem::Vartype::kBinary);
  const ObjectiveBounds bounds = bounds_of(objective);
  TANDEM_TRY_ASSIGN(const Plan plan, plan_rows(cqm, bounds));
  Encoding out{.num_original = n};
  out.cardinalities = problem::disjoint_cardinalities(cqm.constraints(), n);

  std::vector<PlannedRow> rows = plan.rows;
  std::optional<SweptWeights> swept;
  if (n <= std::min(options.sweep_variables_max, kSweepVariablesMax)) {
    TANDEM_TRY_ASSIGN(swept, sweep_rows(cqm, rows, bounds));
  }
  if (swept) {
    out.proof = fmt::format(
        "a sweep of all 2^{} assignments found the least weights that keep the optimum lowest and every infeasible "
        "state "
        "above it; the weights are up to twice as large, {} and {} of what the coefficients alone would ask for",
        n, shortest(swept->kept), shortest(swept->other));
  } else {
    rows = plan.rows;
    choose_methods(rows, bounds, n, options.variables_max);
    out.proof = bound_proof(plan, bounds);
    out.exact = std::none_of(rows.begin(), rows.end(), [](const PlannedRow& planned) {
      return planned.done.method == "unbalanced" || (planned.done.method == "penalty" && planned.unit == 0);
    });
  }
  Builder builder{.linear = {objective.linear().begin(), objective.linear().end()},
                  .terms = {objective.terms().begin(), objective.terms().end()},
                  .offset = objective.offset()};
  for (PlannedRow& planned : rows) {
    add_row(builder, planned);
    out.constraints.push_back(std::move(planned.done));
  }
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

problem::Assignment assignment_of_bits(std::span<const std::uint64_t> bits, std::size_t num_variables,
                                       problem::Vartype vartype) {
  problem::Assignment out(num_variables);
  const std::int8_t low = vartype == problem::Vartype::kSpin ? -1 : 0;
  for (std::size_t i = 0; i < num_variables; ++i)
    out[i] = ((bits[i / 64] >> (i % 64)) & 1u) != 0 ? std::int8_t{1} : low;
  return out;
}

}  // namespace tandem::encode
