#include "tandem/hybrid/walk/problem_walk.h"

#include <algorithm>

#include "tandem/base/rng.h"
#include "tandem/base/text.h"
#include "tandem/compute/reduce/first_look.h"
#include "tandem/hybrid/baseline/baseline.h"
#include "tandem/hybrid/walk/noop_walk.h"
#include "tandem/hybrid/walk/program_walk.h"
#include "tandem/model/problem/noop.h"

namespace tandem::walk {
namespace {

constexpr std::size_t kEliteMax = 32;         ///< enough to see a backbone
constexpr std::uint64_t kPolishMovesMax = 10'000;
constexpr std::uint64_t kMemoryDefault = solve::SolveOptions{}.memory_bytes_max;  ///< where the plan does not say
constexpr std::uint64_t kRefineStream = 1000; ///< seeds of round r derive from the job's seed and this plus r

solve::Model model_of(const problem::Statement& statement) {
  return std::visit([](const auto& value) { return solve::Model(value); }, statement);
}

/// Below all energies, whatever the constraints forbid.
double loose_bound(const problem::Statement& statement) {
  if (const auto* cqm = std::get_if<problem::Cqm>(&statement)) return reduce::loose_bound(cqm->objective());
  if (const auto* bqm = std::get_if<problem::Bqm>(&statement)) return reduce::loose_bound(*bqm);
  return reduce::loose_bound(std::get<problem::Polynomial>(statement));
}

void remember(std::vector<problem::Assignment>& elite, problem::Assignment assignment) {
  if (std::find(elite.begin(), elite.end(), assignment) == elite.end()) elite.push_back(std::move(assignment));
}

}  // namespace

std::uint64_t bytes_needed(std::size_t num_variables) {
  // Coefficients of the problem, the original and the reduced statement; twice a search with its integers, fields, tables and
  // the assignments that it keeps. The reduction comes before those and is smaller.
  constexpr std::uint64_t kStatements = 3 * sizeof(double);
  constexpr std::uint64_t kSearch = 2 * (6 * sizeof(std::int64_t) + kEliteMax);
  return num_variables * (kStatements + kSearch);
}

void set_remote_limits(const job::PlanStep& step, hybrid::Order& order) {
  const auto limit = [&](const char* name) -> std::optional<std::chrono::milliseconds> {
    const auto found = step.parameters.find(name);
    if (found == step.parameters.end() || !found->is_number_integer()) return std::nullopt;
    return std::chrono::milliseconds(found->get<std::int64_t>());
  };
  order.backend_wait_max = limit("backend_wait_ms_max");
  order.calibration_age_max = limit("calibration_age_ms_max");
  order.backend_awaited = step.parameters.value("backend_awaited", Json(false)) == true;
}

Result<std::unique_ptr<hybrid::Loop>> make_walk(const job::JobSpec& spec, const job::Plan& plan,
                                                const std::stop_token& stop) {
  if (spec.is_program()) return std::make_unique<ProgramWalk>(spec, plan);
  if (problem::noop_steps(*spec.problem())) return std::make_unique<NoopWalk>(spec, plan.digest());
  return ProblemWalk::create(spec, plan, stop);
}

ProblemWalk::ProblemWalk(job::JobSpec spec, job::Plan plan, std::stop_token stop)
    : spec_(std::move(spec)), plan_(std::move(plan)), stop_(std::move(stop)), original_(spec_.problem()->state()) {}

Result<std::unique_ptr<ProblemWalk>> ProblemWalk::create(job::JobSpec spec, job::Plan plan,
                                                         const std::stop_token& stop) {
  std::unique_ptr<ProblemWalk> walk(new ProblemWalk(std::move(spec), std::move(plan), stop));
  const auto* bqm = std::get_if<problem::Bqm>(&walk->original_);
  const job::PlanStep* reduction = walk->step(job::StepKind::kReduce);
  const std::uint64_t memory =
      reduction == nullptr ? kMemoryDefault : reduction->parameters.value("memory_bytes_max", kMemoryDefault);
  if (bqm != nullptr && reduce::bytes_needed(*bqm) <= memory) {
    TANDEM_TRY_ASSIGN(reduce::Presolved presolved, reduce::presolve_or_cancel(*bqm, reduce::Rounding::kRefused, stop));
    walk->bound_ = presolved.bound;
    if (presolved.reduced) {
      walk->reduced_ = std::move(presolved.reduced->model);
      walk->trail_ = std::move(presolved.reduced->trail);
    } else {
      walk->reduced_ = walk->original_;
      walk->trail_ = reduce::Trail(bqm->num_variables());
    }
  } else {
    walk->reduced_ = walk->original_;
    walk->bound_ = loose_bound(walk->original_);
  }
  return walk;
}

const job::PlanStep* ProblemWalk::step(job::StepKind kind) const {
  for (const job::PlanStep& step : plan_.steps)
    if (step.kind == kind) return &step;
  return nullptr;
}

double ProblemWalk::objective_of_energy(double energy) const {
  return spec_.problem()->sense() == problem::Sense::kMax ? -energy : energy;
}

bool ProblemWalk::better(const job::ScoredCandidate& a, const job::ScoredCandidate& b) const {
  if (a.feasible != b.feasible) return a.feasible;
  return problem::better(spec_.problem()->sense(), a.objective, b.objective);
}

job::ScoredCandidate ProblemWalk::score_full(problem::Assignment full, std::string source,
                                             std::uint64_t occurrences) const {
  const problem::Score judged = spec_.problem()->score(full);
  return {.objective = judged.objective,
          .feasible = judged.feasible,
          .solution = std::move(full),
          .source = std::move(source),
          .occurrences = occurrences};
}

job::ScoredCandidate ProblemWalk::score(problem::AssignmentView reduced, std::string source,
                                        std::uint64_t occurrences) const {
  problem::Assignment full = trail_ ? trail_->lift(reduced) : problem::Assignment(reduced.begin(), reduced.end());
  return score_full(std::move(full), std::move(source), occurrences);
}

std::vector<problem::Assignment> ProblemWalk::starts_of(const problem::Statement& statement) const {
  const bool reduced = trail_ && &statement == &reduced_;
  std::vector<problem::Assignment> out;
  for (const std::string& text : spec_.starts) {
    problem::Assignment full = assignment_of(text, vartype_of(statement));
    if (reduced) {
      problem::Assignment left;
      for (const std::uint32_t variable : trail_->remaining()) left.push_back(full[variable]);
      full = std::move(left);
    }
    remember(out, std::move(full));
  }
  return out;
}

Result<hybrid::Order> ProblemWalk::solve_order(const job::PlanStep& step, std::string label,
                                               const problem::Statement& statement, bool required) const {
  TANDEM_TRY_ASSIGN(const ObjectReader parameters, ObjectReader::create(step.parameters, "/plan/parameters"));
  TANDEM_TRY_ASSIGN(const std::int64_t stream, parameters.integer("stream", 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t strands, parameters.integer("strands", 1, UINT32_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t candidates, parameters.integer("candidates_max", 1, INT64_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t time_ms, parameters.integer("time_ms", 1, INT64_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t memory, parameters.integer_or("memory_bytes_max", kMemoryDefault, 1, INT64_MAX));
  TANDEM_TRY_ASSIGN(const bool encoded, parameters.boolean_or("encode", false));
  backend::SolveWork work{.options = {.seed = derive_seed(spec_.seed, static_cast<std::uint64_t>(stream)),
                                      .strands = static_cast<std::uint32_t>(strands),
                                      .candidates_max = static_cast<std::uint64_t>(candidates),
                                      .memory_bytes_max = static_cast<std::uint64_t>(memory)},
                          .time_ms = time_ms};
  if (spec_.target) work.options.target = objective_of_energy(*spec_.target);
  // An encoding has slack bits, which a start does not say; it stands as a candidate all the same.
  if (!encoded) work.options.start = starts_of(statement);
  if (encoded) {
    TANDEM_TRY_ASSIGN(encode::Encoding encoding, encode::encode(statement, {}));
    work.model = std::make_shared<const solve::Model>(std::move(encoding.bqm));
  } else {
    work.model = std::make_shared<const solve::Model>(model_of(statement));
  }
  return hybrid::Order{.label = std::move(label),
                       .backend = step.backend,
                       .fallbacks = step.fallbacks,
                       .work = std::move(work),
                       .required = required};
}

Result<hybrid::Advance> ProblemWalk::next(const Json& state, std::span<const hybrid::Reply> replies) {
  const std::string stage = state.value("stage", "");
  if (stage == "start") return start();
  if (stage == "solve") return after_solve(replies);
  if (stage == "refine") {
    TANDEM_TRY_ASSIGN(Progress progress, parse(state));
    return after_refine(std::move(progress), replies);
  }
  return fail(errors::kStoreDamaged, "the state of the walk names the stage '{}', which does not exist", stage);
}

Result<hybrid::Advance> ProblemWalk::start() {
  Progress progress;
  progress.refinement.variables_before = static_cast<std::uint32_t>(problem::num_variables(original_));
  if (problem::num_variables(reduced_) == 0) {
    // The reductions are exact: what they leave nothing of is solved.
    progress.candidates.push_back(score({}, "reduce", 1));
    progress.proved = true;
    add_starts(progress);
    return finish(std::move(progress));
  }
  const job::PlanStep* solve = step(job::StepKind::kSolve);
  if (solve == nullptr) return fail(errors::kStoreDamaged, "the plan of a problem has no step that solves it");
  hybrid::Advance out{.state = {{"stage", "solve"}}};
  TANDEM_TRY_ASSIGN(hybrid::Order order, solve_order(*solve, "solve", reduced_, true));
  out.orders.push_back(std::move(order));
  if (const job::PlanStep* baseline = step(job::StepKind::kBaseline)) {
    TANDEM_TRY_ASSIGN(hybrid::Order beside, solve_order(*baseline, "baseline", original_, false));
    out.orders.push_back(std::move(beside));
  }
  return out;
}

Result<hybrid::Advance> ProblemWalk::after_solve(std::span<const hybrid::Reply> replies) {
  Progress progress;
  progress.refinement.variables_before = static_cast<std::uint32_t>(problem::num_variables(original_));
  const std::size_t n = problem::num_variables(reduced_);
  for (const hybrid::Reply& reply : replies) {
    add_provenance(progress.provenance, reply);
    const bool main = reply.label == "solve";
    if (!reply.result) {
      if (main) return tl::unexpected(*reply.error);
      progress.baseline_summary = {.backend = reply.backend, .elapsed_ms = reply.elapsed_ms};
      continue;
    }
    const solve::SolveOutcome& outcome = std::get<backend::SolveResult>(*reply.result).outcome;
    for (const result::Sample& sample : outcome.samples.samples()) {
      // Slack bits of an encoding stand behind the statement's own variables.
      const std::size_t own = main ? n : problem::num_variables(original_);
      problem::Assignment values(sample.values.begin(), sample.values.begin() + static_cast<std::ptrdiff_t>(own));
      const std::string source = fmt::format("{}:{}", reply.label, reply.backend);
      if (main) {
        progress.candidates.push_back(score(values, source, sample.occurrences));
        if (progress.elite.size() < kEliteMax) remember(progress.elite, std::move(values));
      } else {
        job::ScoredCandidate candidate = score_full(std::move(values), source, sample.occurrences);
        if (candidate.feasible) progress.baseline_objectives.push_back(candidate.objective);
        if (!progress.baseline || better(candidate, *progress.baseline)) progress.baseline = std::move(candidate);
      }
    }
    if (main) {
      const job::PlanStep& solve = *step(job::StepKind::kSolve);
      // A proof of a penalised model is a proof of the problem only while the encoding is exact and the answer feasible.
      const bool of_the_problem = !solve.parameters.value("encode", false);
      progress.proved = outcome.proved && of_the_problem && progress.candidates.front().feasible;
      progress.bound = of_the_problem ? std::max(bound_, outcome.bound.value_or(bound_)) : bound_;
      progress.time_to_best_ms = reply.time_to_best_ms;
      progress.solve_info = {{"backend", reply.backend}};
      if (step(job::StepKind::kBaseline) == nullptr)
        progress.baseline_summary = {.backend = reply.backend, .elapsed_ms = reply.elapsed_ms};
    } else {
      progress.baseline_summary = {.backend = reply.backend, .elapsed_ms = reply.elapsed_ms};
      progress.baseline_time_to_best_ms = reply.time_to_best_ms;
    }
  }
  add_starts(progress);
  return begin_round(std::move(progress));
}

void ProblemWalk::add_starts(Progress& progress) const {
  // An exact reduction keeps an optimum, not every start: as candidates they make the answer never worse than they are.
  for (problem::Assignment& start : starts_of(original_))
    progress.candidates.push_back(score_full(std::move(start), kStartSource, 1));
  for (problem::Assignment& start : starts_of(reduced_))
    if (progress.elite.size() < kEliteMax) remember(progress.elite, std::move(start));
}

Result<ProblemWalk::Round> ProblemWalk::make_round(const Progress& progress) const {
  TANDEM_TRY_ASSIGN(const ObjectReader parameters,
                    ObjectReader::create(step(job::StepKind::kRefine)->parameters, "/plan/parameters"));
  TANDEM_TRY_ASSIGN(const std::int64_t core_max, parameters.integer("core_max", 1, UINT32_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t qubits_max, parameters.integer("qubits_max", 1, UINT32_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t layers, parameters.integer("layers", 1, UINT32_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t shots, parameters.integer("shots", 1, INT64_MAX));
  // Plans of earlier versions do not say: they had neither.
  TANDEM_TRY_ASSIGN(const std::string angles, parameters.string_or("angles", "schedule"));
  TANDEM_TRY_ASSIGN(const std::string start, parameters.string_or("start", "uniform"));
  TANDEM_TRY_ASSIGN(std::vector<std::string> backends, parameters.strings_or_empty("quantum_backends"));
  TANDEM_TRY_ASSIGN(std::vector<std::string> controls_left_out, parameters.strings_or_empty("controls_left_out"));
  std::map<std::string, std::uint64_t> gates_2q_max;
  if (parameters.has("gates_2q_max")) {
    TANDEM_TRY_ASSIGN(const ObjectReader limits, parameters.object("gates_2q_max"));
    for (const std::string& backend : backends) {
      if (!limits.has(backend)) continue;
      TANDEM_TRY_ASSIGN(const std::int64_t gates, limits.integer(backend, 0, INT64_MAX));
      gates_2q_max.emplace(backend, static_cast<std::uint64_t>(gates));
    }
  }
  const std::uint64_t seed = derive_seed(spec_.seed, kRefineStream + progress.round);
  Round out;
  TANDEM_TRY_ASSIGN(out.core, narrow::narrow(reduced_, progress.elite,
                                             {.core_max = static_cast<std::uint32_t>(std::min(core_max, qubits_max)),
                                              .seed = seed,
                                              .avoid = progress.recent}));
  TANDEM_TRY_ASSIGN(out.refinement, refine::prepare(out.core,
                                                    {.quantum_backends = std::move(backends),
                                                     .controls_left_out = std::move(controls_left_out),
                                                     .layers = static_cast<std::uint32_t>(layers),
                                                     .gates_2q_max = std::move(gates_2q_max),
                                                     .shots = static_cast<std::uint64_t>(shots),
                                                     .seed = seed,
                                                     .qubits_max = static_cast<std::uint32_t>(qubits_max),
                                                     .warm_start = start == "warm",
                                                     .train = angles == "trained",
                                                     .trained = progress.trained},
                                                    fmt::format("refine/{}", progress.round), stop_));
  return out;
}

Result<hybrid::Advance> ProblemWalk::begin_round(Progress progress) {
  const job::PlanStep* refine = step(job::StepKind::kRefine);
  if (refine == nullptr) {
    progress.refinement.status =
        spec_.refinement.mode == job::RefineMode::kOff ? "skipped: off" : "skipped: no quantum backend in the plan";
    return finish(std::move(progress));
  }
  if (progress.proved) {
    progress.refinement.status = "skipped: proved";
    return finish(std::move(progress));
  }
  auto round = make_round(progress);
  if (!round) {
    if (round.error().number == errors::kCancelled) return tl::unexpected(std::move(round).error());
    // A core that cannot be encoded costs the refinement, not the answer that is there already.
    if (spec_.refinement.mode == job::RefineMode::kRequired) return tl::unexpected(std::move(round).error());
    if (progress.round == 0) progress.refinement.status = "skipped: " + round.error().message;
    return finish(std::move(progress));
  }
  progress.trained = round->refinement.trained;
  hybrid::Advance out{.state = document(progress, "refine")};
  out.orders = std::move(round->refinement.orders);
  for (hybrid::Order& order : out.orders) set_remote_limits(*refine, order);
  return out;
}

Result<hybrid::Advance> ProblemWalk::after_refine(Progress progress, std::span<const hybrid::Reply> replies) {
  TANDEM_TRY_ASSIGN(Round round, make_round(progress));
  for (const hybrid::Reply& reply : replies) {
    add_provenance(progress.provenance, reply);
    add_stand_in(progress.provenance, reply, replies, *step(job::StepKind::kRefine));
    progress.calibration.add(reply);
  }
  const std::vector<refine::ArmResult> arms = refine::grade(round.refinement, replies);
  const refine::Polisher polisher(reduced_);
  // Compared with the elite before the round, so that "improved" means what a reader takes it to mean. What a control finds
  // is shown to the client, but it neither improves nor feeds the next round: the hybrid run would live on its opponent.
  job::ScoredCandidate incumbent = score(progress.elite.front(), "", 1);
  for (const refine::ArmResult& arm : arms) {
    job::ArmSummary summary = arm.summary;
    summary.round = progress.round;
    if (!arm.samples.empty()) {
      const problem::Assignment core_values = round.refinement.encoding.decode(arm.samples.best().values);
      problem::Assignment lifted = polisher.polish(round.core.lift(core_values), kPolishMovesMax);
      job::ScoredCandidate candidate = score(lifted, fmt::format("refine:{}@{}", arm.summary.arm, arm.summary.backend),
                                             arm.samples.best().occurrences);
      if (refine::is_control(arm.summary.arm)) {
        progress.candidates.push_back(std::move(candidate));
        progress.refinement.arms.push_back(std::move(summary));
        continue;
      }
      if (better(candidate, incumbent)) {
        progress.refinement.improved = true;
        incumbent = candidate;
        progress.elite.insert(progress.elite.begin(), lifted);
      } else {
        remember(progress.elite, lifted);
      }
      progress.candidates.push_back(std::move(candidate));
    }
    progress.refinement.arms.push_back(std::move(summary));
  }
  if (progress.elite.size() > kEliteMax) progress.elite.resize(kEliteMax);
  progress.refinement.status = "done";
  progress.refinement.core_size = static_cast<std::uint32_t>(round.core.variables.size());
  progress.refinement.fixed_exact = trail_ ? static_cast<std::uint32_t>(trail_->entries().size()) : 0;
  progress.refinement.frozen = round.core.backbone + round.core.cut;
  Json circuits = Json::array();
  for (const refine::ArmCircuit& circuit : round.refinement.circuits) circuits.push_back(circuit.document());
  progress.cores.push_back({{"round", progress.round},
                            {"trail", round.core.trail},
                            {"encoding", round.refinement.encoding.document()},
                            {"circuits", std::move(circuits)}});
  progress.recent.insert(progress.recent.end(), round.core.variables.begin(), round.core.variables.end());
  progress.trained.clear();
  ++progress.round;
  const std::int64_t rounds = step(job::StepKind::kRefine)->parameters.value("rounds", std::int64_t{1});
  if (progress.round < rounds) return begin_round(std::move(progress));
  return finish(std::move(progress));
}

}  // namespace tandem::walk
