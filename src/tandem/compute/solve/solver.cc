#include "tandem/compute/solve/solver.h"

#include <algorithm>

namespace tandem::solve {

namespace {

std::string_view kind_of(const Model& model) {
  if (std::holds_alternative<problem::Bqm>(model)) return "a quadratic model";
  if (std::holds_alternative<problem::Polynomial>(model)) return "a polynomial";
  return "a constrained model";
}

}  // namespace

std::size_t num_variables(const Model& model) {
  return std::visit([](const auto& value) { return value.num_variables(); }, model);
}

problem::Vartype vartype(const Model& model) {
  if (const auto* cqm = std::get_if<problem::Cqm>(&model)) return cqm->objective().vartype();
  if (const auto* polynomial = std::get_if<problem::Polynomial>(&model)) return polynomial->vartype();
  return std::get<problem::Bqm>(model).vartype();
}

double energy(const Model& model, problem::AssignmentView values) {
  if (const auto* cqm = std::get_if<problem::Cqm>(&model)) return cqm->objective().energy(values);
  if (const auto* polynomial = std::get_if<problem::Polynomial>(&model)) return polynomial->energy(values);
  return std::get<problem::Bqm>(model).energy(values);
}

std::string_view to_string(StopReason reason) {
  switch (reason) {
    case StopReason::kProved:
      return "proved";
    case StopReason::kTarget:
      return "target";
    case StopReason::kWork:
      return "work";
    case StopReason::kStopped:
      return "stopped";
    case StopReason::kFinished:
      return "finished";
  }
  return "finished";
}

const Solver* find_solver(std::string_view name) {
  const auto solvers = builtin_solvers();
  const auto found = std::ranges::find(solvers, name, [](const Solver* solver) { return solver->info().name; });
  return found == solvers.end() ? nullptr : *found;
}

Result<void> check_accepts(const SolverInfo& info, const Model& model) {
  const bool takes = std::holds_alternative<problem::Bqm>(model)          ? info.takes_bqm
                     : std::holds_alternative<problem::Polynomial>(model) ? info.takes_polynomial
                                                                          : info.takes_cqm;
  if (!takes) {
    return fail(errors::kSolverRefused, "the solver {} does not take {}; use the solver portfolio", info.name,
                kind_of(model));
  }
  if (num_variables(model) > info.variables_max) {
    return fail(errors::kSolverRefused,
                "the model has {} variables, the solver {} takes at most {}; narrow the model first",
                num_variables(model), info.name, info.variables_max);
  }
  return {};
}

}  // namespace tandem::solve
