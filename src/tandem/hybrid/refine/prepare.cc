#include "tandem/base/hash.h"
#include "tandem/base/rng.h"
#include "tandem/hybrid/refine/refine.h"
#include "tandem/middleware/ansatz/qaoa.h"

namespace tandem::refine {
namespace {

/// Sweeps of one read of the annealing control: enough to be a fair opponent of a shallow circuit, too few to always win.
constexpr std::uint64_t kControlSweeps = 100;
constexpr std::int64_t kShadowTimeMs = 10'000;  ///< an exact core of this size takes milliseconds; the rest is caution

/// Streams of the job's seed, one an arm; quantum backends follow.
enum Stream : std::uint64_t { kShadow = 100, kAnnealing = 101, kRandom = 102, kQuantum = 103 };

hybrid::Order classical(const std::string& label, const char* backend, std::shared_ptr<const solve::Model> model,
                        solve::SolveOptions options, std::int64_t time_ms) {
  return {.label = fmt::format("{}@{}", label, backend),
          .backend = backend,
          .work = backend::SolveWork{.model = std::move(model), .options = std::move(options), .time_ms = time_ms},
          .required = false};
}

}  // namespace

Result<Refinement> prepare(const narrow::Core& core, const RefineOptions& options, const std::string& prefix) {
  Refinement out;
  TANDEM_TRY_ASSIGN(out.encoding, encode::encode(core.statement, {.variables_max = options.qubits_max}));
  const auto model = std::make_shared<const solve::Model>(out.encoding.bqm);
  out.orders.push_back(classical(prefix + "/exact_shadow", "cpu.branch_and_bound", model,
                                 {.seed = derive_seed(options.seed, kShadow)}, kShadowTimeMs));
  out.orders.push_back(classical(prefix + "/annealing_control", "cpu.annealing", model,
                                 {.seed = derive_seed(options.seed, kAnnealing),
                                  .num_samples = options.shots,
                                  .sweeps = kControlSweeps,
                                  .candidates_max = options.shots},
                                 0));
  out.orders.push_back(classical(
      prefix + "/random_control", "cpu.random", model,
      {.seed = derive_seed(options.seed, kRandom), .num_samples = options.shots, .candidates_max = options.shots}, 0));
  const ansatz::QaoaAngles angles = ansatz::choose_angles(out.encoding.bqm, options.layers);
  TANDEM_TRY_ASSIGN(circuit::Circuit circuit, ansatz::qaoa_circuit(out.encoding.bqm, angles));
  out.schedule = angles.schedule;
  out.circuit_hash = sha256(canonical_json(circuit.document())).hex();
  for (std::size_t i = 0; i < options.quantum_backends.size(); ++i) {
    out.orders.push_back(
        {.label = fmt::format("{}/qaoa@{}", prefix, options.quantum_backends[i]),
         .backend = options.quantum_backends[i],
         .work = backend::ProgramWork{.pubs = {circuit::Pub{.circuit = circuit, .shots = options.shots}},
                                      .seed = derive_seed(options.seed, kQuantum + i)},
         .required = false});
  }
  return out;
}

}  // namespace tandem::refine
