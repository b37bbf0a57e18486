#include "tandem/hybrid/narrow/narrow.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tandem/base/assert.h"
#include "tandem/base/rng.h"
#include "tandem/model/job/result_document.h"

namespace tandem::narrow {
namespace {

using problem::Assignment;
using problem::AssignmentView;
using problem::Bqm;
using problem::Cqm;
using problem::LinearConstraint;
using problem::LinearTerm;
using problem::QuadraticTerm;
using problem::Statement;
using problem::Vartype;

const Bqm& objective_of(const Statement& statement) {
  if (const auto* cqm = std::get_if<Cqm>(&statement)) return cqm->objective();
  return std::get<Bqm>(statement);
}

/// True when flipping every variable leaves the energy alone: solutions come in pairs that would look contested everywhere.
bool flips_freely(const Statement& statement) {
  if (!std::holds_alternative<Bqm>(statement)) return false;
  const Bqm spins = std::get<Bqm>(statement).with_vartype(Vartype::kSpin);
  return std::all_of(spins.linear().begin(), spins.linear().end(), [](double h) { return h == 0; });
}

std::int8_t opposite(std::int8_t value, Vartype vartype) {
  return static_cast<std::int8_t>(vartype == Vartype::kSpin ? -value : 1 - value);
}

std::vector<Assignment> aligned(const Statement& statement, std::span<const Assignment> elite) {
  std::vector<Assignment> out(elite.begin(), elite.end());
  if (!flips_freely(statement)) return out;
  const Vartype vartype = objective_of(statement).vartype();
  for (Assignment& member : out) {
    std::size_t distance = 0;
    for (std::size_t i = 0; i < member.size(); ++i) distance += member[i] != elite.front()[i] ? 1 : 0;
    if (2 * distance <= member.size()) continue;
    for (std::int8_t& value : member) value = opposite(value, vartype);
  }
  return out;
}

/// Energy change of flipping each variable of `values`.
std::vector<double> flip_costs(const Bqm& bqm, AssignmentView values) {
  std::vector<double> field(bqm.linear().begin(), bqm.linear().end());
  for (const QuadraticTerm& term : bqm.terms()) {
    field[term.u] += term.bias * values[term.v];
    field[term.v] += term.bias * values[term.u];
  }
  for (std::size_t i = 0; i < field.size(); ++i) field[i] *= opposite(values[i], bqm.vartype()) - values[i];
  return field;
}

/// How much a variable belongs into the core; compared in this order.
struct Claim {
  bool avoided = false;
  double entropy = 0;  ///< of its value over the elite
  double cost = 0;  ///< of flipping it in the incumbent
  std::uint64_t tie = 0;
  std::uint32_t variable = 0;
  bool stronger(const Claim& other) const {
    if (avoided != other.avoided) return !avoided;
    if (entropy != other.entropy) return entropy > other.entropy;
    if (cost != other.cost) return cost < other.cost;
    return tie < other.tie;
  }
};

double entropy(double share) {
  if (share <= 0 || share >= 1) return 0;
  return -share * std::log2(share) - (1 - share) * std::log2(1 - share);
}

/// Which variables share a term or a constraint.
class Neighbours {
 public:
  explicit Neighbours(const Statement& statement) : lists_(objective_of(statement).num_variables()) {
    for (const QuadraticTerm& term : objective_of(statement).terms()) {
      lists_[term.u].push_back(term.v);
      lists_[term.v].push_back(term.u);
    }
    // A constraint over everything connects everything: the core is connected through it anyway.
  }
  std::span<const std::uint32_t> of(std::uint32_t variable) const { return lists_[variable]; }

 private:
  std::vector<std::vector<std::uint32_t>> lists_;
};

/// Grows the core from the strongest claim through neighbours, so that it stays connected where the model is.
std::vector<std::uint32_t> grow(const Statement& statement, const std::vector<Claim>& claims, std::size_t size) {
  const Neighbours neighbours(statement);
  std::vector<char> taken(claims.size(), 0);
  std::vector<std::uint32_t> core;
  std::vector<std::uint32_t> frontier;
  std::vector<char> seen(claims.size(), 0);
  while (core.size() < size) {
    const Claim* best = nullptr;
    for (const std::uint32_t v : frontier)
      if (taken[v] == 0 && (best == nullptr || claims[v].stronger(*best))) best = &claims[v];
    if (best == nullptr || (best->entropy == 0 && best->avoided)) {
      for (const Claim& claim : claims)
        if (taken[claim.variable] == 0 && (best == nullptr || claim.stronger(*best))) best = &claim;
    }
    taken[best->variable] = 1;
    core.push_back(best->variable);
    for (const std::uint32_t v : neighbours.of(best->variable)) {
      if (seen[v] != 0) continue;
      seen[v] = 1;
      frontier.push_back(v);
    }
  }
  std::sort(core.begin(), core.end());
  return core;
}

/// The objective with everything outside the core fixed.
Bqm restrict(const Bqm& bqm, AssignmentView values, std::span<const std::uint32_t> core,
             std::span<const std::int64_t> position) {
  std::vector<double> linear;
  for (const std::uint32_t v : core) linear.push_back(bqm.linear()[v]);
  double offset = bqm.offset();
  for (std::size_t i = 0; i < bqm.num_variables(); ++i)
    if (position[i] < 0) offset += bqm.linear()[i] * values[i];
  std::vector<QuadraticTerm> terms;
  for (const QuadraticTerm& term : bqm.terms()) {
    const std::int64_t u = position[term.u];
    const std::int64_t v = position[term.v];
    if (u >= 0 && v >= 0)
      terms.push_back({static_cast<std::uint32_t>(u), static_cast<std::uint32_t>(v), term.bias});
    else if (u >= 0)
      linear[static_cast<std::size_t>(u)] += term.bias * values[term.v];
    else if (v >= 0)
      linear[static_cast<std::size_t>(v)] += term.bias * values[term.u];
    else
      offset += term.bias * values[term.u] * values[term.v];
  }
  auto out = Bqm::create(bqm.vartype(), std::move(linear), std::move(terms), offset);
  TANDEM_ASSERT(out.has_value());
  return *std::move(out);
}

Result<Statement> restrict_statement(const Statement& statement, AssignmentView values,
                                     std::span<const std::uint32_t> core) {
  std::vector<std::int64_t> position(values.size(), -1);
  for (std::size_t i = 0; i < core.size(); ++i) position[core[i]] = static_cast<std::int64_t>(i);
  Bqm objective = restrict(objective_of(statement), values, core, position);
  const auto* cqm = std::get_if<Cqm>(&statement);
  if (cqm == nullptr) return Statement(std::move(objective));
  std::vector<LinearConstraint> constraints;
  for (const LinearConstraint& constraint : cqm->constraints()) {
    LinearConstraint kept{.name = constraint.name, .comparison = constraint.comparison, .bound = constraint.bound};
    for (const LinearTerm& term : constraint.terms) {
      if (position[term.variable] >= 0)
        kept.terms.push_back({static_cast<std::uint32_t>(position[term.variable]), term.coefficient});
      else
        kept.bound -= term.coefficient * values[term.variable];
    }
    if (!kept.terms.empty()) constraints.push_back(std::move(kept));
  }
  TANDEM_TRY_ASSIGN(Cqm out, Cqm::create(std::move(objective), std::move(constraints)));
  return Statement(std::move(out));
}

}  // namespace

Assignment Core::lift(AssignmentView core_values) const {
  TANDEM_ASSERT(core_values.size() == variables.size());
  Assignment out = incumbent;
  for (std::size_t i = 0; i < variables.size(); ++i) out[variables[i]] = core_values[i];
  return out;
}

Result<Core> narrow(const Statement& statement, std::span<const Assignment> elite, const NarrowOptions& options) {
  TANDEM_ASSERT(!elite.empty());
  if (std::holds_alternative<problem::Polynomial>(statement)) {
    return fail(errors::kBackendCannot, "narrowing works on quadratic models; this one is a polynomial of order {}",
                std::get<problem::Polynomial>(statement).degree());
  }
  const Bqm& objective = objective_of(statement);
  const std::size_t n = objective.num_variables();
  const std::vector<Assignment> members = aligned(statement, elite);
  const std::vector<double> costs = flip_costs(objective, members.front());

  Core out{.incumbent = members.front()};
  std::vector<Claim> claims(n);
  std::size_t contested = 0;
  for (std::uint32_t v = 0; v < n; ++v) {
    std::size_t same = 0;
    for (const Assignment& member : members) same += member[v] == members.front()[v] ? 1 : 0;
    const double share = static_cast<double>(same) / static_cast<double>(members.size());
    const bool backbone = std::max(share, 1 - share) >= options.agreement;
    contested += backbone ? 0 : 1;
    claims[v] = {
        .entropy = backbone ? 0 : entropy(share), .cost = costs[v], .tie = derive_seed(options.seed, v), .variable = v};
  }
  for (const std::uint32_t v : options.avoid) claims[v].avoided = true;
  const std::size_t size = std::min<std::size_t>(options.core_max, n);
  out.variables = grow(statement, claims, size);
  std::size_t contested_kept = 0;
  for (const std::uint32_t v : out.variables) contested_kept += claims[v].entropy > 0 ? 1 : 0;
  out.cut = static_cast<std::uint32_t>(contested - contested_kept);
  out.backbone = static_cast<std::uint32_t>(n - size - out.cut);
  TANDEM_TRY_ASSIGN(out.statement, restrict_statement(statement, out.incumbent, out.variables));
  out.trail = {{"kind", "freeze"},
               {"proof_class", "heuristic"},
               {"variables_before", n},
               {"variables_after", size},
               {"backbone", out.backbone},
               {"contested_cut", out.cut},
               {"elite", members.size()},
               {"agreement", options.agreement},
               {"core_variables", out.variables},
               {"incumbent", job::solution_text(out.incumbent)}};
  return out;
}

}  // namespace tandem::narrow
