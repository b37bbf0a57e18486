#include "tandem/middleware/ansatz/training.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <complex>
#include <functional>
#include <numeric>

#include "tandem/compute/statevector/fixed_weight_evolution.h"
#include "tandem/compute/statevector/ising_evolution.h"
#include "tandem/middleware/ansatz/fixed_weight.h"
#include "tandem/middleware/ansatz/minimize.h"

namespace tandem::ansatz {
namespace {

using problem::Bqm;
using statevector::FixedWeightEvolution;
using statevector::IsingEvolution;
using statevector::IsingGradient;
using statevector::LayerAngles;

using Gradient = std::function<Result<IsingGradient>(const LayerAngles&)>;

std::uint64_t mask_of(std::span<const std::uint32_t> qubits) {
  std::uint64_t out = 0;
  for (const std::uint32_t qubit : qubits) out |= std::uint64_t{1} << qubit;
  return out;
}

/// Of one evaluation of one layer, in amplitudes of an IsingEvolution; UINT64_MAX: too much to say.
std::uint64_t work_of_layer(std::size_t num_variables, const QaoaForm& form) {
  if (num_variables > FixedWeightEvolution::kQubitsMax) return UINT64_MAX;
  constexpr std::uint64_t kMixedAtOnce = 4;  // measured
  std::vector<statevector::KeptOnes> kept;
  std::uint64_t mixed = num_variables;
  for (const statevector::WeightGroup& group : form.groups) {
    kept.push_back({.mask = mask_of(group.qubits), .ones = group.ones});
    mixed += group.pairs.size() - group.qubits.size();
  }
  const std::uint64_t states = statevector::WeightSpace::count(static_cast<std::uint32_t>(num_variables), kept);
  return form.groups.empty() ? states : states * std::max<std::uint64_t>(1, mixed / kMixedAtOnce);
}

/// Equal amplitudes where each block has its ones: the start of a shallow circuit.
Result<void> use_blocks(const QaoaOptions& options, FixedWeightEvolution& evolution) {
  std::vector<statevector::KeptOnes> blocks;
  for (const problem::Cardinality& one : options.cardinalities)
    for (const problem::Cardinality& block : weight_blocks(one.variables, one.ones))
      blocks.push_back({.mask = mask_of(block.variables), .ones = block.ones});
  std::vector<std::complex<double>> start;
  double inside = 0;
  for (const std::uint64_t state : evolution.states()) {
    const bool is_in = std::ranges::all_of(blocks, [&](const statevector::KeptOnes& block) {
      return static_cast<std::uint32_t>(std::popcount(state & block.mask)) == block.ones;
    });
    start.emplace_back(is_in ? 1.0 : 0.0);
    inside += is_in ? 1 : 0;
  }
  for (std::complex<double>& amplitude : start) amplitude /= std::sqrt(inside);
  return evolution.use_start(start);
}

/// Means of `bqm` and their slopes by the angles of an evolution.
Result<Gradient> gradient_of(const Bqm& bqm, const QaoaForm& form, const QaoaOptions& options,
                             const TrainOptions& limits, Executor& executor, const std::stop_token& stop) {
  if (form.groups.empty()) {
    TANDEM_TRY_ASSIGN(IsingEvolution<double> made,
                      IsingEvolution<double>::create(bqm, limits.memory_bytes_max, executor, options.ones));
    return [evolution = std::make_shared<IsingEvolution<double>>(std::move(made)), stop](const LayerAngles& angles) {
      return evolution->gradient(angles, stop);
    };
  }
  TANDEM_TRY_ASSIGN(FixedWeightEvolution made,
                    FixedWeightEvolution::create(form.phases, form.groups, limits.memory_bytes_max, executor));
  TANDEM_TRY(made.use_objective(bqm));
  if (options.depth == Depth::kShallow) TANDEM_TRY(use_blocks(options, made));
  return [evolution = std::make_shared<FixedWeightEvolution>(std::move(made)), stop](const LayerAngles& angles) {
    return evolution->gradient(angles, stop);
  };
}

/// All gammas, then all betas.
std::vector<double> joined(const QaoaAngles& angles) {
  std::vector<double> out = angles.gammas;
  out.insert(out.end(), angles.betas.begin(), angles.betas.end());
  return out;
}

Json angles_document(const QaoaAngles& angles) {
  return {{"gammas", angles.gammas}, {"betas", angles.betas}, {"schedule", angles.schedule}};
}

Result<QaoaAngles> parse_angles(const ObjectReader& training, const char* name) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, training.object(name));
  QaoaAngles out;
  TANDEM_TRY_ASSIGN(out.gammas, reader.numbers("gammas"));
  TANDEM_TRY_ASSIGN(out.betas, reader.numbers("betas"));
  TANDEM_TRY_ASSIGN(out.schedule, reader.string("schedule"));
  if (out.gammas.size() != out.betas.size()) {
    return fail_at(reader.at("betas"), errors::kSizeMismatch, "{} gammas but {} betas; a layer has one of each",
                   out.gammas.size(), out.betas.size());
  }
  return out;
}

}  // namespace

Json Training::document() const {
  Json out = {{"depth", depth == Depth::kFree ? "free" : "shallow"},
              {"start", angles_document(start)},
              {"end", angles_document(end)},
              {"evaluations", evaluations},
              {"stop", stop}};
  if (start_value) out["start_value"] = *start_value;
  if (end_value) out["end_value"] = *end_value;
  return out;
}

Result<Training> Training::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  Training out;
  TANDEM_TRY_ASSIGN(const std::string depth, reader.string("depth"));
  out.depth = depth == "shallow" ? Depth::kShallow : Depth::kFree;
  TANDEM_TRY_ASSIGN(out.start, parse_angles(reader, "start"));
  TANDEM_TRY_ASSIGN(out.end, parse_angles(reader, "end"));
  TANDEM_TRY_ASSIGN(const std::int64_t evaluations, reader.integer("evaluations", 0, UINT32_MAX));
  out.evaluations = static_cast<std::uint32_t>(evaluations);
  TANDEM_TRY_ASSIGN(out.stop, reader.string("stop"));
  if (reader.has("start_value")) {
    TANDEM_TRY_ASSIGN(out.start_value, reader.number("start_value"));
  }
  if (reader.has("end_value")) {
    TANDEM_TRY_ASSIGN(out.end_value, reader.number("end_value"));
  }
  return out;
}

Result<Training> train_angles(const Bqm& bqm, const QaoaAngles& start, const QaoaOptions& options,
                              const TrainOptions& limits, Executor& executor, const std::stop_token& stop) {
  if (start.gammas.size() != start.betas.size()) {
    return fail(errors::kSizeMismatch, "{} gammas but {} betas; a layer has one of each", start.gammas.size(),
                start.betas.size());
  }
  Training out{.depth = options.depth, .start = start, .end = start, .stop = "budget"};
  const std::size_t layers = start.gammas.size();
  const QaoaForm form = qaoa_form(bqm, options);
  const std::uint64_t work = work_of_layer(bqm.num_variables(), form);
  if (layers == 0 || bqm.num_variables() == 0 || work > limits.work_max / layers) return out;
  const auto evaluations =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(limits.evaluations_max, limits.work_max / (work * layers)));
  if (evaluations < kEvaluationsMin) return out;
  TANDEM_TRY_ASSIGN(const Gradient gradient, gradient_of(bqm, form, options, limits, executor, stop));
  // Natural units: a qubit's share of the mean, by its local field.
  const double unit = form.scale * static_cast<double>(bqm.num_variables());
  const auto function = [&](const std::vector<double>& at) -> Result<Slopes> {
    std::vector<double> gammas(layers);
    std::vector<double> betas(layers);
    for (std::size_t l = 0; l < layers; ++l) {
      gammas[l] = at[l] / form.scale;
      betas[l] = -at[layers + l];
    }
    TANDEM_TRY_ASSIGN(const IsingGradient found, gradient({.gammas = gammas, .betas = betas}));
    Slopes here{.value = found.value / unit, .slopes = {}};
    for (const double slope : found.gammas) here.slopes.push_back(slope / (unit * form.scale));
    for (const double slope : found.betas) here.slopes.push_back(-slope / unit);
    return here;
  };
  TANDEM_TRY_ASSIGN(const Minimum minimum, minimize(function, joined(start), {.evaluations_max = evaluations}));
  out.start_value = minimum.start_value * unit;
  out.end_value = minimum.value * unit;
  out.evaluations = minimum.evaluations;
  out.stop = std::string(minimum.stop);
  if (minimum.value < minimum.start_value) {
    const auto middle = minimum.at.begin() + static_cast<std::ptrdiff_t>(layers);
    out.end = {.gammas = {minimum.at.begin(), middle},
               .betas = {middle, minimum.at.end()},
               .schedule = fmt::format("trained({})", start.schedule)};
  }
  return out;
}

}  // namespace tandem::ansatz
