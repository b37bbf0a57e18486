#include <algorithm>
#include <limits>

#include "tandem/base/hash.h"
#include "tandem/base/rng.h"
#include "tandem/base/serial_executor.h"
#include "tandem/hybrid/refine/refine.h"
#include "tandem/middleware/ansatz/qaoa.h"

namespace tandem::refine {
namespace {

/// Sweeps of one read of the annealing control: enough to be a fair opponent of a shallow circuit, too few to always win.
constexpr std::uint64_t kControlSweeps = 100;
constexpr std::int64_t kShadowTimeMs = 10'000;  ///< an exact core of this size takes milliseconds; the rest is caution

/// Streams of the job's seed, one an arm; quantum backends follow.
enum Stream : std::uint64_t { kShadow = 100, kAnnealing = 101, kRandom = 102, kQuantum = 103 };

hybrid::Order classical(const std::string& prefix, const Control& control, std::shared_ptr<const solve::Model> model,
                        solve::SolveOptions options, std::int64_t time_ms) {
  return {.label = fmt::format("{}/{}@{}", prefix, control.arm, control.backend),
          .backend = std::string(control.backend),
          .work = backend::SolveWork{.model = std::move(model), .options = std::move(options), .time_ms = time_ms},
          .required = false};
}

/// What uniform sampling is uniform over: everything, or what keeps the cardinalities that the circuits keep.
Result<std::shared_ptr<const solve::Model>> random_model(const encode::Encoding& encoding) {
  if (encoding.cardinalities.empty()) return std::make_shared<const solve::Model>(encoding.bqm);
  std::vector<problem::LinearConstraint> rows;
  for (const problem::Cardinality& one : encoding.cardinalities) {
    problem::LinearConstraint row{.name = "kept by the sampler", .bound = static_cast<double>(one.ones)};
    for (const std::uint32_t variable : one.variables) row.terms.push_back({variable, 1});
    rows.push_back(std::move(row));
  }
  TANDEM_TRY_ASSIGN(problem::Cqm cqm,
                    problem::Cqm::create(encoding.bqm.with_vartype(problem::Vartype::kBinary), std::move(rows)));
  return std::make_shared<const solve::Model>(std::move(cqm));
}

std::uint64_t gates_2q(const circuit::Circuit& circuit) { return circuit.count_of(2) + circuit.count_of(3); }

struct Built {
  circuit::Circuit circuit;
  ArmCircuit facts;
};

/// What all circuits of a core have in common.
struct Recipe {
  const encode::Encoding& encoding;
  std::vector<double> ones;  ///< of a warm start

  ansatz::QaoaOptions options(ansatz::Depth depth) const {
    return {.cardinalities = encoding.cardinalities, .depth = depth, .ones = ones};
  }
  ansatz::QaoaAngles schedule(std::uint32_t layers) const {
    // Tables are for the uniform start.
    return encoding.cardinalities.empty() && ones.empty() ? ansatz::choose_angles(encoding.bqm, layers)
                                                          : ansatz::linear_ramp(layers);
  }
};

/// Shares of ones by the incumbent; slack bits are as likely 1 as 0.
std::vector<double> warm_shares(const narrow::Core& core, const encode::Encoding& encoding) {
  problem::Assignment values;
  for (const std::uint32_t variable : core.variables) values.push_back(core.incumbent[variable]);
  std::vector<double> out = ansatz::warm_start(values);
  out.resize(encoding.bqm.num_variables(), 0.5);
  return out;
}

Result<Built> build(const Recipe& recipe, const ansatz::QaoaAngles& angles, ansatz::Depth depth) {
  const encode::Encoding& encoding = recipe.encoding;
  const auto layers = static_cast<std::uint32_t>(angles.gammas.size());
  Built out;
  TANDEM_TRY_ASSIGN(out.circuit, ansatz::qaoa_circuit(encoding.bqm, angles, recipe.options(depth)));
  out.facts = {.schedule = angles.schedule,
               .mixer = encoding.cardinalities.empty()  ? "x"
                        : depth == ansatz::Depth::kFree ? "xy_complete"
                                                        : "xy_ring",
               .layers = layers,
               .start = recipe.ones.empty() ? "uniform" : "warm",
               .gates_2q = gates_2q(out.circuit)};
  return out;
}

/// Layers of the deepest circuit within `gates_max`, at least one and at most `layers`; every layer has the same gates.
Result<std::uint32_t> layers_within(const Recipe& recipe, std::uint32_t layers, std::uint64_t gates_max) {
  TANDEM_TRY_ASSIGN(const Built start, build(recipe, recipe.schedule(0), ansatz::Depth::kShallow));
  TANDEM_TRY_ASSIGN(const Built one, build(recipe, recipe.schedule(1), ansatz::Depth::kShallow));
  const std::uint64_t a_layer = one.facts.gates_2q - start.facts.gates_2q;
  const std::uint64_t left = gates_max - std::min(gates_max, start.facts.gates_2q);
  return a_layer == 0 ? layers : static_cast<std::uint32_t>(std::clamp<std::uint64_t>(left / a_layer, 1, layers));
}

/// That of these circuits: made before, on the core or for another arm, or now.
Result<ansatz::Training> trained(const Recipe& recipe, std::uint32_t layers, ansatz::Depth depth,
                                 std::vector<ansatz::Training>& before, const std::stop_token& stop) {
  const auto found = std::ranges::find_if(
      before, [&](const ansatz::Training& one) { return one.depth == depth && one.start.gammas.size() == layers; });
  if (found != before.end()) return *found;
  SerialExecutor executor;
  TANDEM_TRY_ASSIGN(ansatz::Training made, ansatz::train_angles(recipe.encoding.bqm, recipe.schedule(layers),
                                                                recipe.options(depth), {}, executor, stop));
  before.push_back(made);
  return made;
}

/// The circuit of a quantum arm: with `gates_max`, that of a device whose gates err.
Result<Built> build_arm(const Recipe& recipe, const RefineOptions& options, std::optional<std::uint64_t> gates_max,
                        std::vector<ansatz::Training>& before, const std::stop_token& stop) {
  const ansatz::Depth depth = gates_max ? ansatz::Depth::kShallow : ansatz::Depth::kFree;
  std::uint32_t layers = options.layers;
  if (gates_max) {
    TANDEM_TRY_ASSIGN(layers, layers_within(recipe, options.layers, *gates_max));
  }
  if (!options.train) return build(recipe, recipe.schedule(layers), depth);
  TANDEM_TRY_ASSIGN(ansatz::Training training, trained(recipe, layers, depth, before, stop));
  TANDEM_TRY_ASSIGN(Built out, build(recipe, training.end, depth));
  out.facts.training = std::move(training);
  return out;
}

}  // namespace

bool is_control(std::string_view arm) {
  return std::any_of(kControls.begin(), kControls.end(), [&](const Control& control) { return control.arm == arm; });
}

Json ArmCircuit::document() const {
  Json out = {{"backend", backend}, {"schedule", schedule}, {"mixer", mixer},  {"start", start},
              {"layers", layers},   {"gates_2q", gates_2q}, {"sha256", sha256}};
  if (training) out["training"] = training->document();
  return out;
}

Result<Refinement> prepare(const narrow::Core& core, const RefineOptions& options, const std::string& prefix,
                           const std::stop_token& stop) {
  Refinement out{.encoding = {}, .orders = {}, .circuits = {}, .trained = options.trained};
  TANDEM_TRY_ASSIGN(out.encoding,
                    encode::encode(core.statement, {.variables_max = options.qubits_max,
                                                    .sweep_variables_max = std::numeric_limits<std::size_t>::max()}));
  const auto model = std::make_shared<const solve::Model>(out.encoding.bqm);
  const auto& [shadow, annealing, random] = kControls;
  const auto add = [&](const Control& control, std::shared_ptr<const solve::Model> work, solve::SolveOptions how,
                       std::int64_t time_ms) {
    const auto& left_out = options.controls_left_out;
    if (std::find(left_out.begin(), left_out.end(), control.backend) != left_out.end()) return;
    out.orders.push_back(classical(prefix, control, std::move(work), std::move(how), time_ms));
  };
  add(shadow, model, {.seed = derive_seed(options.seed, kShadow)}, kShadowTimeMs);
  add(annealing, model,
      {.seed = derive_seed(options.seed, kAnnealing),
       .num_samples = options.shots,
       .sweeps = kControlSweeps,
       .candidates_max = options.shots},
      0);
  TANDEM_TRY_ASSIGN(auto uniform, random_model(out.encoding));
  add(random, std::move(uniform),
      {.seed = derive_seed(options.seed, kRandom), .num_samples = options.shots, .candidates_max = options.shots}, 0);
  Recipe recipe{.encoding = out.encoding, .ones = {}};
  if (options.warm_start && out.encoding.cardinalities.empty()) recipe.ones = warm_shares(core, out.encoding);
  for (std::size_t i = 0; i < options.quantum_backends.size(); ++i) {
    const std::string& backend = options.quantum_backends[i];
    const auto limit = options.gates_2q_max.find(backend);
    const std::optional<std::uint64_t> gates_max =
        limit == options.gates_2q_max.end() ? std::nullopt : std::optional(limit->second);
    TANDEM_TRY_ASSIGN(Built built, build_arm(recipe, options, gates_max, out.trained, stop));
    built.facts.backend = backend;
    built.facts.sha256 = sha256(canonical_json(built.circuit.document())).hex();
    out.circuits.push_back(std::move(built.facts));
    out.orders.push_back({.label = fmt::format("{}/qaoa@{}", prefix, backend),
                          .backend = backend,
                          .work = backend::ProgramWork{.pubs = {circuit::Pub{.circuit = std::move(built.circuit),
                                                                             .shots = options.shots}},
                                                       .seed = derive_seed(options.seed, kQuantum + i)},
                          .required = false});
  }
  return out;
}

}  // namespace tandem::refine
