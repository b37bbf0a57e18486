#include "tandem/compute/solve/solver.h"

#include <algorithm>

#include <fmt/format.h>

namespace tandem::solve {

namespace {

std::string_view kind_of(const Model& model) {
  if (std::holds_alternative<problem::Bqm>(model)) return "a quadratic model";
  if (std::holds_alternative<problem::Polynomial>(model)) return "a polynomial";
  return "a constrained model";
}

/// Every rule of a solver keeps at least one optimum. Heuristic freezing is hybrid/narrow's.
constexpr std::string_view kProofClass = "exact";

/// Of variables, in the objective of a quadratic or constrained model.
std::size_t num_products(const Model& model) {
  if (const auto* bqm = std::get_if<problem::Bqm>(&model)) return bqm->terms().size();
  const auto* cqm = std::get_if<problem::Cqm>(&model);
  return cqm != nullptr ? cqm->objective().terms().size() : 0;
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

Json EngineRecord::document() const {
  return {{"engine", engine},
          {"strand", strand},
          {"units", units},
          {"best_energy", best_energy ? Json(*best_energy) : Json()}};
}

Result<EngineRecord> EngineRecord::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  EngineRecord out;
  TANDEM_TRY_ASSIGN(out.engine, reader.string("engine"));
  TANDEM_TRY_ASSIGN(const std::int64_t strand, reader.integer("strand", 0, UINT32_MAX));
  out.strand = static_cast<std::uint32_t>(strand);
  TANDEM_TRY_ASSIGN(const std::int64_t units, reader.integer("units", 0, INT64_MAX));
  out.units = static_cast<std::uint64_t>(units);
  if (const Json* best = reader.find("best_energy"); best != nullptr && !best->is_null()) {
    TANDEM_TRY_ASSIGN(out.best_energy, reader.number("best_energy"));
  }
  return out;
}

Json ReductionRecord::document() const {
  return {{"kind", kind},
          {"proof_class", kProofClass},
          {"variables_before", variables_before},
          {"variables_after", variables_after},
          {"by_rule", Json(by_rule)},
          {"folds", folds}};
}

Result<ReductionRecord> ReductionRecord::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  const auto count = [&](const char* name) { return reader.integer(name, 0, INT64_MAX); };
  ReductionRecord out;
  TANDEM_TRY_ASSIGN(out.kind, reader.string("kind"));
  TANDEM_TRY_ASSIGN(const std::string proof_class, reader.string("proof_class"));
  if (proof_class != kProofClass) {
    return fail_at(reader.at("proof_class"), errors::kValueOutOfRange, "a solver's reductions are of class {}, not {}",
                   kProofClass, proof_class);
  }
  TANDEM_TRY_ASSIGN(const std::int64_t before, count("variables_before"));
  TANDEM_TRY_ASSIGN(const std::int64_t after, count("variables_after"));
  TANDEM_TRY_ASSIGN(const std::int64_t folds, count("folds"));
  out.variables_before = static_cast<std::uint64_t>(before);
  out.variables_after = static_cast<std::uint64_t>(after);
  out.folds = static_cast<std::uint64_t>(folds);
  TANDEM_TRY_ASSIGN(const ObjectReader rules, reader.object("by_rule"));
  for (const auto& [rule, fired] : reader.find("by_rule")->items()) {
    TANDEM_TRY_ASSIGN(const std::int64_t number, rules.integer(rule, 0, INT64_MAX));
    out.by_rule[rule] = static_cast<std::uint64_t>(number);
  }
  return out;
}

Json RaceRecord::document() const {
  Json list = Json::array();
  for (const EngineRecord& one : engines) list.push_back(one.document());
  Json out = {{"choice", choice}, {"engines", std::move(list)}};
  if (reduction) out["reduction"] = reduction->document();
  return out;
}

Result<RaceRecord> RaceRecord::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  RaceRecord out;
  TANDEM_TRY_ASSIGN(out.choice, reader.string("choice"));
  TANDEM_TRY_ASSIGN(const Json* engines, reader.array("engines"));
  for (std::size_t i = 0; i < engines->size(); ++i) {
    TANDEM_TRY_ASSIGN(EngineRecord one,
                      EngineRecord::parse((*engines)[i], fmt::format("{}/{}", reader.at("engines"), i)));
    out.engines.push_back(std::move(one));
  }
  if (reader.has("reduction")) {
    TANDEM_TRY_ASSIGN(out.reduction, ReductionRecord::parse(*reader.find("reduction"), reader.at("reduction")));
  }
  return out;
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
  if (const std::size_t products = num_products(model); info.only_linear && products > 0) {
    return fail(errors::kSolverRefused,
                "the solver {} takes linear objectives, and this one has {} products; use the solver portfolio",
                info.name, products);
  }
  if (num_variables(model) > info.variables_max) {
    return fail(errors::kSolverRefused,
                "the model has {} variables, the solver {} takes at most {}; narrow the model first",
                num_variables(model), info.name, info.variables_max);
  }
  return {};
}

}  // namespace tandem::solve
