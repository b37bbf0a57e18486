#include <algorithm>
#include <numeric>

#include "tandem/compute/solve/coloring_form.h"
#include "tandem/compute/solve/conflict_graph.h"
#include "tandem/orchestrate/route/route.h"

namespace tandem::route {
namespace {

/// Upper borders of the size buckets of instance classes: half a decade each, so that evidence is neither too thin nor too mixed.
constexpr std::size_t kSizeBuckets[] = {10, 32, 100, 320, 1000, 3200, 10'000, 32'000, 100'000};
constexpr double kDenseFrom = 0.1;  ///< share of all pairs; above it dense rows beat adjacency lists

std::size_t bucket(std::size_t size) {
  for (const std::size_t border : kSizeBuckets)
    if (size <= border) return border;
  return 1'000'000;
}

/// Union-find over variables; path halving.
class Components {
 public:
  explicit Components(std::size_t size) : parent_(size), count_(size) { std::iota(parent_.begin(), parent_.end(), 0u); }
  void join(std::uint32_t a, std::uint32_t b) {
    a = root(a);
    b = root(b);
    if (a == b) return;
    parent_[std::max(a, b)] = std::min(a, b);
    --count_;
  }
  std::size_t count() const { return count_; }

 private:
  std::uint32_t root(std::uint32_t v) {
    while (parent_[v] != v) {
      parent_[v] = parent_[parent_[v]];
      v = parent_[v];
    }
    return v;
  }
  std::vector<std::uint32_t> parent_;
  std::size_t count_;
};

void probe_terms(Probe& out, std::span<const std::size_t> degrees, std::size_t components) {
  out.components = components;
  const std::size_t total = std::accumulate(degrees.begin(), degrees.end(), std::size_t{0});
  out.degree_max = degrees.empty() ? 0 : *std::max_element(degrees.begin(), degrees.end());
  const auto n = static_cast<double>(out.num_variables);
  out.degree_mean = n > 0 ? static_cast<double>(total) / n : 0;
  out.density = n > 1 ? static_cast<double>(out.num_terms) / (n * (n - 1) / 2) : 0;
}

void probe_bqm(Probe& out, const problem::Bqm& bqm) {
  out.num_terms = bqm.terms().size();
  out.integer = bqm.to_integer().has_value();
  out.has_linear = std::any_of(bqm.linear().begin(), bqm.linear().end(), [](double c) { return c != 0; });
  std::vector<std::size_t> degrees(out.num_variables, 0);
  Components components(out.num_variables);
  for (const problem::QuadraticTerm& term : bqm.terms()) {
    ++degrees[term.u];
    ++degrees[term.v];
    components.join(term.u, term.v);
  }
  probe_terms(out, degrees, components.count());
}

void probe_polynomial(Probe& out, const problem::Polynomial& polynomial) {
  out.num_terms = polynomial.terms().size();
  out.order = polynomial.degree();
  std::vector<std::size_t> degrees(out.num_variables, 0);
  Components components(out.num_variables);
  for (const problem::Monomial& term : polynomial.terms()) {
    if (term.variables.size() == 1) out.has_linear = true;
    for (const std::uint32_t v : term.variables) {
      if (term.variables.size() > 1) ++degrees[v];
      components.join(term.variables.front(), v);
    }
  }
  probe_terms(out, degrees, components.count());
}

std::string class_of(const Probe& probe) {
  if (probe.program_qubits > 0) return fmt::format("program/{}", probe.program_qubits);
  return fmt::format("{}/{}/{}", probe.problem_type, probe.density >= kDenseFrom ? "dense" : "sparse",
                     bucket(probe.num_variables));
}

}  // namespace

Probe probe(const job::JobSpec& spec) {
  Probe out;
  if (spec.is_program()) {
    out.problem_type = "program";
    for (const circuit::Pub& pub : spec.program().pubs) {
      out.program_qubits = std::max(out.program_qubits, pub.circuit.num_qubits());
      out.program_shots += pub.shots * pub.num_bindings();
    }
  } else {
    out.problem_type = std::string(spec.problem()->type());
    const problem::Statement statement = spec.problem()->state();
    out.num_variables = problem::num_variables(statement);
    if (const auto* bqm = std::get_if<problem::Bqm>(&statement)) probe_bqm(out, *bqm);
    if (const auto* polynomial = std::get_if<problem::Polynomial>(&statement)) probe_polynomial(out, *polynomial);
    if (const auto* cqm = std::get_if<problem::Cqm>(&statement)) {
      probe_bqm(out, cqm->objective());
      out.num_constraints = cqm->constraints().size();
      if (solve::ConflictGraph::is_stated_by(*cqm)) out.form = "independent_set";
      if (solve::ColoringForm::is_stated_by(*cqm)) out.form = "coloring";
    }
  }
  out.instance_class = class_of(out);
  return out;
}

Json Probe::document() const {
  return {{"problem_type", problem_type},
          {"num_variables", num_variables},
          {"num_terms", num_terms},
          {"num_constraints", num_constraints},
          {"form", form},
          {"density", density},
          {"degree_max", degree_max},
          {"degree_mean", degree_mean},
          {"components", components},
          {"integer", integer},
          {"has_linear", has_linear},
          {"order", order},
          {"program_qubits", program_qubits},
          {"program_shots", program_shots},
          {"instance_class", instance_class}};
}

}  // namespace tandem::route
