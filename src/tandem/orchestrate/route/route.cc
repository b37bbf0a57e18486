#include "tandem/orchestrate/route/route.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/hybrid/refine/refine.h"
#include "tandem/model/problem/noop.h"
#include "tandem/orchestrate/route/chain.h"
#include "tandem/orchestrate/route/house_rules.h"

namespace tandem::route {
namespace {

using backend::BackendInfo;
using job::Basis;
using job::Candidate;
using job::Plan;
using job::PlanStep;
using job::StepKind;
using job::Tier;

constexpr std::uint32_t kStrandsMin = 2;        ///< so that one and two threads walk the same streams
constexpr std::uint64_t kCandidatesMax = 16;    ///< elite large enough to see a backbone, small enough to store
constexpr std::uint64_t kExperienceMin = 5;     ///< runs below which history says nothing
/// Gate errors expected in one circuit of a device: at one, a third of the shots are still free of any.
constexpr double kGateErrorsMax = 1;
constexpr double kAssumedError2q = 0.01;  ///< of a device that gave no calibration
constexpr double kAssumedAmplitudesPerMs = 2e5; ///< one core, one gate, no profile; only an "assumed" figure

std::string money_refusal(const job::JobSpec& spec, const BackendFacts& facts, std::uint32_t rounds) {
  if (!facts.backend->info().metered) return {};
  if (!facts.quote)
    return facts.quote_error.empty() ? "it is metered and gave no quote" : "no quote: " + facts.quote_error;
  const std::int64_t needed = facts.quote->cost.usd_micros * rounds;
  if (needed <= spec.limits.cost_max.usd_micros) return {};
  return fmt::format("it would cost up to {} but limits.cost_max_usd_micros allows {}", format_usd(needed),
                     format_usd(spec.limits.cost_max.usd_micros));
}

job::Estimate estimate_of(const RouteInput& input, const BackendFacts& facts, std::uint32_t qubits) {
  const BackendInfo& info = facts.backend->info();
  job::Estimate out;
  if (!info.metered) {
    out.cost = job::Money{0};
    out.cost_basis = Basis::kComputed;
  } else if (facts.quote) {
    out.cost = facts.quote->cost;
    out.cost_basis = facts.quote->cost_basis;
    out.cost_source = facts.quote->source;
  }
  const bool refines = !info.takes_solve && !input.spec->is_program();
  const auto& history = refines ? input.core_experience : input.experience;
  const auto seen = history.find(info.id.value);
  const bool experienced = seen != history.end() && seen->second.runs >= kExperienceMin;
  if (experienced) {
    out.latency_ms = seen->second.latency_ms_median;
    out.latency_basis = Basis::kHistorical;
    out.quality = seen->second.share_best;
    out.quality_basis = Basis::kHistorical;
  } else if (info.tier == Tier::kCpu) {
    out.latency_ms = static_cast<double>(input.spec->limits.time_ms);
    out.latency_basis = Basis::kComputed;
  } else if (info.tier == Tier::kSimulator && qubits > 0) {
    const double amplitudes = std::ldexp(1.0, static_cast<int>(std::min(qubits, 40u)));
    out.latency_ms = amplitudes * qubits * input.spec->refinement.layers / kAssumedAmplitudesPerMs;
    out.latency_basis = Basis::kAssumed;
  }
  return out;
}

/// How well a solver fits the probed structure; higher is better, negative: does not take it at all.
double suitability(const RouteInput& input, const BackendInfo& info) {
  const Probe& probe = input.probe;
  const std::string_view method = info.method();
  double score = 0;
  if (method == "independent_set" || method == "coloring")
    score = probe.form == method ? 11 : -1;
  else if (method == "constrained")
    score = probe.num_constraints > 0 ? 10 : -1;
  else if (method == "linear")
    score = probe.num_constraints > 0 ? 8 : -1;
  else if (method == "pubo")
    score = probe.order > 2 ? 10 : -1;
  else if (method == "portfolio")
    score = probe.order > 2 ? -1 : 9;
  else if (method == "annealing")
    score = probe.order > 2 ? 9 : 5;
  else if (method == "tabu")
    score = probe.order > 2 ? -1 : 6;
  else if (method == "branch_and_bound")
    score = probe.order > 2 ? -1 : 4;
  else
    score = 1;
  const auto seen = input.experience.find(info.id.value);
  if (score > 0 && seen != input.experience.end() && seen->second.runs >= kExperienceMin) {
    score += 4 * (seen->second.share_best - 0.5);
  }
  return score;
}

/// Empty when the solver can take the problem; `encoded` is set when only through penalties.
std::string shape_refusal(const RouteInput& input, const BackendInfo& info, bool& encoded) {
  const Probe& probe = input.probe;
  const auto* solver = solve::find_solver(info.method());
  if (solver == nullptr) return "it solves no optimisation problems";
  const solve::SolverInfo& takes = solver->info();
  encoded = probe.num_constraints > 0 && !takes.takes_cqm;
  if (probe.order > 2 && !takes.takes_polynomial)
    return fmt::format("it takes quadratic models; this one has order {}", probe.order);
  if (probe.order <= 2 && !takes.takes_bqm && !takes.takes_cqm) return "it takes no quadratic models";
  if (probe.num_constraints == 0 && !takes.takes_bqm && probe.order <= 2)
    return "it is for constrained problems; this one has no constraints";
  if (takes.only_linear && probe.num_terms > 0)
    return fmt::format("it takes linear objectives; this one has {} products", probe.num_terms);
  if (probe.num_variables > takes.variables_max) {
    return fmt::format("the problem has {} variables, it takes at most {}", probe.num_variables, takes.variables_max);
  }
  if (input.spec->proof && !takes.exact) return "a proof is asked for and this method cannot prove";
  // It races what cannot prove on polynomials of higher order.
  if (input.spec->proof && probe.order > 2 && info.method() == "portfolio")
    return fmt::format("a proof is asked for and this method proves up to order 2; this one has order {}", probe.order);
  return {};
}

struct Ranked {
  Candidate candidate;
  double score = 0;
  bool encoded = false;
};

std::string join_refusals(std::span<const Candidate> candidates) {
  std::string out;
  for (const Candidate& candidate : candidates) {
    if (candidate.feasible) continue;
    out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", candidate.backend, candidate.reason);
  }
  return out;
}

Candidate candidate_of(const BackendFacts& facts, std::string method) {
  const BackendInfo& info = facts.backend->info();
  return {.backend = info.id.value,
          .method = std::move(method),
          .tier = info.tier,
          .access = info.access,
          .emulated = info.emulated,
          .estimate = {},
          .feasible = true,
          .reason = {}};
}

/// Empty when the backend can do the whole problem, wherever it stands in the chain.
std::string solver_refusal(const RouteInput& input, const BackendFacts& facts, bool& encoded,
                           Place place = Place::kAny) {
  const BackendInfo& info = facts.backend->info();
  if (!info.takes_solve) return "it solves no optimisation problems";
  std::string refusal = policy_refusal(input, info, place);
  if (refusal.empty()) refusal = availability_refusal(facts);
  if (refusal.empty()) refusal = shape_refusal(input, info, encoded);
  if (refusal.empty()) refusal = money_refusal(*input.spec, facts, 1);
  if (refusal.empty() && suitability(input, info) < 0) refusal = "it does not fit the structure of the problem";
  return refusal;
}

/// Empty when the backend can run the program.
std::string program_refusal(const RouteInput& input, const BackendFacts& facts, Place place = Place::kAny) {
  const BackendInfo& info = facts.backend->info();
  if (!info.takes_program) return "it runs no circuits";
  std::string refusal = policy_refusal(input, info, place);
  if (refusal.empty()) refusal = availability_refusal(facts);
  if (refusal.empty()) {
    const backend::ProgramWork work{.pubs = input.spec->program().pubs, .seed = input.spec->seed};
    if (const auto valid = facts.backend->validate(work); !valid) refusal = valid.error().message;
  }
  if (refusal.empty()) refusal = money_refusal(*input.spec, facts, 1);
  return refusal;
}

std::vector<Ranked> rank_solvers(const RouteInput& input) {
  std::vector<Ranked> out;
  for (const BackendFacts& facts : input.backends) {
    const BackendInfo& info = facts.backend->info();
    if (!info.takes_solve) continue;
    Ranked ranked{.candidate = candidate_of(facts, std::string(info.method()))};
    std::string refusal = solver_refusal(input, facts, ranked.encoded);
    if (refusal.empty() && !input.spec->solver.empty() && input.spec->solver != info.method())
      refusal = "the job names another solver";
    ranked.candidate.estimate = estimate_of(input, facts, 0);
    ranked.score = suitability(input, info);
    if (info.method() == "random" && refusal.empty() && input.spec->solver.empty())
      refusal = "it is the control that others are compared with";
    ranked.candidate.feasible = refusal.empty();
    ranked.candidate.reason = std::move(refusal);
    out.push_back(std::move(ranked));
  }
  std::stable_sort(out.begin(), out.end(), [](const Ranked& a, const Ranked& b) {
    if (a.candidate.feasible != b.candidate.feasible) return a.candidate.feasible;
    return a.score > b.score;
  });
  return out;
}

/// Quantum backends as refiners of the core.
std::vector<Candidate> rank_refiners(const RouteInput& input) {
  std::vector<Candidate> out;
  std::vector<bool> preferred;
  const job::Refinement& refinement = input.spec->refinement;
  for (const BackendFacts& facts : input.backends) {
    const BackendInfo& info = facts.backend->info();
    if (info.takes_solve) continue;
    Candidate candidate = candidate_of(facts, "qaoa");
    std::string refusal = policy_refusal(input, info);
    if (refusal.empty()) refusal = availability_refusal(facts);
    if (refusal.empty() && refinement.mode == job::RefineMode::kOff) refusal = "refinement.mode is off";
    if (refusal.empty() && !info.takes_program) refusal = "it runs no circuits";
    if (refusal.empty() && info.qubits_max == 0) refusal = "it has no qubits now: no core fits on it";
    if (refusal.empty() && input.probe.order > 2) refusal = "the core of a problem of order above 2 is not encoded yet";
    if (refusal.empty() && info.shots_max != 0 && refinement.shots > info.shots_max) {
      refusal = fmt::format("refinement.shots is {}, it takes at most {}", refinement.shots, info.shots_max);
    }
    if (refusal.empty()) refusal = money_refusal(*input.spec, facts, refinement.rounds);
    candidate.estimate = estimate_of(input, facts, std::min(info.qubits_max, refinement.core_max));
    candidate.feasible = refusal.empty();
    candidate.reason = refusal.empty()
                           ? fmt::format("refines a core of up to {} of the {} variables",
                                         std::min(info.qubits_max, refinement.core_max), input.probe.num_variables)
                           : std::move(refusal);
    out.push_back(std::move(candidate));
    preferred.push_back(is_preferred(input, info));
  }
  // Money that does not last for all goes to the preferred vendor first.
  std::vector<Candidate> sorted;
  for (const bool first : {true, false})
    for (std::size_t i = 0; i < out.size(); ++i)
      if (preferred[i] == first) sorted.push_back(std::move(out[i]));
  return sorted;
}

PlanStep solve_step(StepKind kind, const std::string& backend, std::vector<job::Fallback> fallbacks,
                    const RouteInput& input, bool encoded, std::uint64_t stream) {
  const auto strands = std::max<std::uint32_t>(kStrandsMin, static_cast<std::uint32_t>(input.threads));
  return {.kind = kind,
          .backend = backend,
          .fallbacks = std::move(fallbacks),
          .parameters = {{"time_ms", input.spec->limits.time_ms},
                         {"stream", stream},
                         {"strands", strands},
                         {"candidates_max", kCandidatesMax},
                         {"memory_bytes_max", input.memory_bytes_max},
                         {"encode", encoded}}};
}

/// What these backends may bill, of money or of play money. One that names no price now may take all that the job may spend.
job::Money money_needed(const RouteInput& input, const std::vector<std::string>& backends, std::uint32_t rounds,
                        bool emulated) {
  job::Money out;
  for (const BackendFacts& facts : input.backends) {
    const BackendInfo& info = facts.backend->info();
    if (!info.metered || info.emulated != emulated) continue;
    if (std::find(backends.begin(), backends.end(), info.id.value) == backends.end()) continue;
    out = out + (facts.quote ? job::Money{facts.quote->cost.usd_micros * rounds} : input.spec->limits.cost_max);
  }
  return std::min(out, input.spec->limits.cost_max);
}

void set_money_needed(const RouteInput& input, const std::vector<std::string>& backends, std::uint32_t rounds,
                      Plan& plan) {
  plan.cost_max_needed = money_needed(input, backends, rounds, false);
  plan.cost_max_needed_emulated = money_needed(input, backends, rounds, true);
}

/// The quantum arms: every free one, and the metered ones while the sum fits the cost limit.
std::vector<std::string> choose_arms(const RouteInput& input, std::vector<Candidate>& refiners,
                                     std::uint32_t& qubits_max) {
  std::vector<std::string> out;
  qubits_max = input.spec->refinement.core_max;
  std::int64_t spent_of_money = 0;
  std::int64_t spent_of_play_money = 0;
  for (Candidate& candidate : refiners) {
    if (!candidate.feasible) continue;
    const auto facts = std::find_if(input.backends.begin(), input.backends.end(), [&](const BackendFacts& f) {
      return f.backend->info().id.value == candidate.backend;
    });
    std::int64_t& spent = candidate.emulated ? spent_of_play_money : spent_of_money;
    const std::int64_t cost =
        money_needed(input, {candidate.backend}, input.spec->refinement.rounds, candidate.emulated).usd_micros;
    if (spent + cost > input.spec->limits.cost_max.usd_micros) {
      candidate.feasible = false;
      candidate.reason =
          fmt::format("together with the arms before it, it would cost {} but limits.cost_max_usd_micros allows {}",
                      format_usd(spent + cost), format_usd(input.spec->limits.cost_max.usd_micros));
      continue;
    }
    spent += cost;
    qubits_max = std::min(qubits_max, facts->backend->info().qubits_max);
    out.push_back(candidate.backend);
  }
  return out;
}

/// How deep circuits may be, and why arms differ.
struct DepthLimits {
  /// Gates on two qubits that an arm carries before kGateErrorsMax errors are expected. Simulators carry any number.
  std::map<std::string, std::uint64_t> gates_2q_max;
  std::string reason;
};

/// "; in 12 earlier runs on this class the best was found by tabu (12), replicas (3)"; empty where too few are known.
std::string earlier_races(const RouteInput& input, const std::string& backend) {
  const auto seen = input.experience.find(backend);
  if (seen == input.experience.end() || seen->second.runs < kExperienceMin || seen->second.engines.empty()) return {};
  std::vector<std::pair<std::string, std::uint64_t>> engines(seen->second.engines.begin(), seen->second.engines.end());
  std::ranges::stable_sort(engines, std::greater{}, &std::pair<std::string, std::uint64_t>::second);
  std::string names;
  for (const auto& [name, runs] : engines) names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", name, runs);
  return fmt::format("; in {} earlier runs on this class the best was found by {}", seen->second.runs, names);
}

/// Of the orders of a step that go to a remote backend.
void set_remote_limits(const RouteInput& input, Json& parameters) {
  const job::Limits& limits = input.spec->limits;
  parameters["backend_wait_ms_max"] =
      limits.backend_wait_ms != 0 ? limits.backend_wait_ms : input.backend_wait_max.count();
  if (limits.calibration_age_ms != 0) parameters["calibration_age_ms_max"] = limits.calibration_age_ms;
}

bool has_known_error(const BackendFacts& facts) { return facts.calibration && facts.calibration->error_2q > 0; }

double error_2q(const BackendFacts& facts) {
  return has_known_error(facts) ? facts.calibration->error_2q : kAssumedError2q;
}

DepthLimits depth_limits(const RouteInput& input, const std::vector<std::string>& arms) {
  DepthLimits out;
  out.reason = fmt::format("QAOA has {} layers where depth is free", input.spec->refinement.layers);
  for (const BackendFacts& facts : input.backends) {
    const BackendInfo& info = facts.backend->info();
    const auto gates = gates_2q_max(facts);
    if (!gates || std::find(arms.begin(), arms.end(), info.id.value) == arms.end()) continue;
    out.gates_2q_max.emplace(info.id.value, *gates);
    out.reason += fmt::format(
        "; {} {} with {} in a gate on two qubits, so it gets the layers that fit into {} of them, at least one",
        shown(info), has_known_error(facts) ? "errs" : "is assumed to err", shortest(error_2q(facts)), *gates);
  }
  out.reason += ".";
  return out;
}

std::vector<std::string> shown_all(const RouteInput& input, const std::vector<std::string>& ids) {
  std::vector<std::string> out;
  for (const std::string& id : ids)
    for (const BackendFacts& facts : input.backends)
      if (facts.backend->info().id.value == id) out.push_back(shown(facts.backend->info()));
  return out;
}

/// The controls of the refinement are no choice of the router: without them nothing is graded. policy.backends does not take
/// them away, policy.avoid does.
struct Controls {
  std::vector<std::string> left_out;  ///< backends
  std::string sentence;
};

Controls controls_of(const job::JobSpec& spec, std::vector<Candidate>& candidates) {
  Controls out;
  std::vector<std::string> kept;
  for (const refine::Control& control : refine::kControls) {
    const std::string backend(control.backend);
    const std::string name = fmt::format("{} ({})", control.shown, backend);
    const bool avoided =
        std::find(spec.policy.avoid.begin(), spec.policy.avoid.end(), backend) != spec.policy.avoid.end();
    if (avoided) {
      out.left_out.push_back(backend);
      continue;
    }
    kept.push_back(name);
    for (Candidate& candidate : candidates)
      if (candidate.backend == backend && !candidate.feasible)
        candidate.reason += fmt::format("; as {} of the refinement it runs all the same", control.shown);
  }
  out.sentence = kept.empty()
                     ? "Nothing grades the samples"
                     : fmt::format("Beside them run {}, whatever policy.backends says: nothing is graded without",
                                   fmt::join(kept, " and "));
  if (!out.left_out.empty())
    out.sentence += fmt::format("; policy.avoid takes away {}", fmt::join(out.left_out, " and "));
  out.sentence += ".";
  return out;
}

Result<Plan> plan_problem(const RouteInput& input) {
  const job::JobSpec& spec = *input.spec;
  std::vector<Ranked> solvers = rank_solvers(input);
  std::vector<Candidate> refiners = rank_refiners(input);
  std::uint32_t qubits_max = 0;
  const std::vector<std::string> arms = choose_arms(input, refiners, qubits_max);

  Plan plan;
  for (const Ranked& ranked : solvers) plan.candidates.push_back(ranked.candidate);
  for (const Candidate& refiner : refiners) plan.candidates.push_back(refiner);
  if (solvers.empty() || !solvers.front().candidate.feasible) {
    if (spec.proof)
      return fail(errors::kNoProof, "no exact backend takes this problem: {}", join_refusals(plan.candidates));
    return fail(errors::kNoPlan, "no backend can solve this problem: {}", join_refusals(plan.candidates));
  }
  const Ranked& primary = solvers.front();
  std::vector<std::string> left_out;
  TANDEM_TRY_ASSIGN(std::vector<job::Fallback> fallbacks,
                    named_fallbacks(
                        input, primary.candidate.backend,
                        [&](const BackendFacts& facts) -> std::string {
                          bool encoded = false;
                          std::string refusal = solver_refusal(input, facts, encoded, Place::kNamedFallback);
                          if (refusal.empty() && encoded != primary.encoded)
                            return fmt::format("it takes constraints in another form than {}, which solves the problem",
                                               primary.candidate.backend);
                          return refusal;
                        },
                        left_out));
  if (spec.fallbacks.empty()) {
    for (const Ranked& ranked : solvers)
      if (&ranked != &primary && ranked.candidate.feasible && ranked.encoded == primary.encoded && fallbacks.size() < 2)
        fallbacks.push_back(ranked.candidate.backend);
  }
  plan.primary = plan.baseline = primary.candidate.backend;
  for (Candidate& candidate : plan.candidates) {
    if (candidate.backend == plan.primary)
      candidate.reason =
          "solves the whole problem: best fit to its structure" + earlier_races(input, candidate.backend);
    else if (candidate.feasible && candidate.reason.empty())
      candidate.reason = "could solve it; kept behind the better fit";
  }

  plan.steps.push_back({.kind = StepKind::kFormulate});
  plan.steps.push_back({.kind = StepKind::kReduce, .parameters = {{"memory_bytes_max", input.memory_bytes_max}}});
  plan.steps.push_back(solve_step(StepKind::kSolve, plan.primary, fallbacks, input, primary.encoded, 0));
  const bool refined = !arms.empty();
  const DepthLimits depth = depth_limits(input, arms);
  const Controls controls = refined ? controls_of(spec, plan.candidates) : Controls();
  if (refined) {
    plan.steps.push_back(solve_step(StepKind::kBaseline, plan.baseline, fallbacks, input, primary.encoded, 1));
    plan.steps.push_back({.kind = StepKind::kRefine,
                          .fallbacks = stand_ins(input, plan.primary, arms),
                          .parameters = {{"quantum_backends", arms},
                                         {"core_max", spec.refinement.core_max},
                                         {"qubits_max", qubits_max},
                                         {"layers", spec.refinement.layers},
                                         {"gates_2q_max", depth.gates_2q_max},
                                         {"controls_left_out", controls.left_out},
                                         {"shots", spec.refinement.shots},
                                         {"rounds", spec.refinement.rounds},
                                         {"angles", job::to_string(spec.refinement.angles)},
                                         {"start", job::to_string(spec.refinement.start)}}});
    set_remote_limits(input, plan.steps.back().parameters);
  } else if (spec.refinement.mode == job::RefineMode::kRequired) {
    return fail(errors::kNoPlan, "refinement is required but no quantum backend can refine: {}",
                join_refusals(refiners));
  }
  plan.steps.push_back({.kind = StepKind::kScore, .fallbacks = review_chain(spec)});
  set_money_needed(input, arms, spec.refinement.rounds, plan);
  plan.reasons.push_back(fmt::format(
      "The problem '{}' has {} variables, {} quadratic terms (density {:.3f}) and {} constraints: class {}.",
      input.probe.problem_type, input.probe.num_variables, input.probe.num_terms, input.probe.density,
      input.probe.num_constraints, input.probe.instance_class));
  plan.reasons.push_back(fmt::format("{} solves it{} within {}.", plan.primary,
                                     primary.encoded ? " with constraints as penalties" : "",
                                     format_duration(std::chrono::milliseconds(spec.limits.time_ms))));
  plan.reasons.insert(plan.reasons.end(), left_out.begin(), left_out.end());
  if (refined) {
    plan.reasons.push_back(fmt::format("A core of at most {} variables is then refined on {}.", qubits_max,
                                       fmt::join(shown_all(input, arms), " and ")));
    plan.reasons.push_back(controls.sentence);
    plan.reasons.push_back(depth.reason);
    plan.reasons.push_back(
        "The baseline is the same solver on the same instance with the same time and another seed stream.");
  } else {
    plan.reasons.push_back("Nothing quantum takes part, so this run is its own baseline.");
  }
  return plan;
}

Result<Plan> plan_program(const RouteInput& input) {
  const job::JobSpec& spec = *input.spec;
  Plan plan;
  std::vector<std::size_t> feasible;
  for (const BackendFacts& facts : input.backends) {
    Candidate candidate = candidate_of(facts, "run");
    std::string refusal = program_refusal(input, facts);
    candidate.estimate = estimate_of(input, facts, input.probe.program_qubits);
    candidate.feasible = refusal.empty();
    candidate.reason = refusal.empty() ? "runs the program" : std::move(refusal);
    if (candidate.feasible) feasible.push_back(plan.candidates.size());
    plan.candidates.push_back(std::move(candidate));
  }
  std::vector<std::string> left_out;
  bool is_awaited = false;
  if (const auto absent = feasible.empty() ? absent_for_now(input) : std::nullopt) {
    is_awaited = absent->awaited;
    feasible.push_back(absent->index);
    left_out.push_back(
        fmt::format("{} is not there now; {}.", shown(input.backends[absent->index].backend->info()), absent->then()));
  }
  if (feasible.empty())
    return fail(errors::kNoPlan, "no backend can run this program: {}", join_refusals(plan.candidates));
  // Free work first, then the preferred vendor, then hardware before emulation; the order of the registry decides the rest.
  std::stable_sort(feasible.begin(), feasible.end(), [&](std::size_t a, std::size_t b) {
    const auto rank = [&](std::size_t i) {
      const Candidate& c = plan.candidates[i];
      return (c.estimate.cost.value_or(job::Money{0}).usd_micros > 0 ? 4 : 0) +
             (is_preferred(input, input.backends[i].backend->info()) ? 0 : 2) + (c.emulated ? 1 : 0);
    };
    return rank(a) < rank(b);
  });
  plan.primary = plan.candidates[feasible.front()].backend;
  TANDEM_TRY_ASSIGN(
      std::vector<job::Fallback> fallbacks,
      named_fallbacks(
          input, plan.primary,
          [&](const BackendFacts& facts) { return program_refusal(input, facts, Place::kNamedFallback); }, left_out));
  if (spec.fallbacks.empty()) {
    const Candidate& primary = plan.candidates[feasible.front()];
    if (primary.access == job::Access::kCloud) fallbacks.push_back(cached_result(input));
    for (std::size_t i = 1; i < feasible.size(); ++i) fallbacks.emplace_back(plan.candidates[feasible[i]].backend);
  }
  std::vector<std::string> used = {plan.primary};
  for (const job::Fallback& entry : fallbacks) used.push_back(entry.backend);
  set_money_needed(input, used, 1, plan);
  plan.steps.push_back({.kind = StepKind::kRun, .backend = plan.primary, .fallbacks = fallbacks});
  set_remote_limits(input, plan.steps.back().parameters);
  if (is_awaited) plan.steps.back().parameters["backend_awaited"] = true;
  if (auto review = review_chain(spec); !review.empty())
    plan.steps.push_back({.kind = StepKind::kScore, .fallbacks = std::move(review)});
  plan.reasons.push_back(fmt::format("The program has {} PUBs on up to {} qubits.", spec.program().pubs.size(),
                                     input.probe.program_qubits));
  plan.reasons.push_back(fmt::format("{} runs it{}.", shown_all(input, {plan.primary}).front(),
                                     fallbacks.empty() ? "" : fmt::format("; else {}", shown_chain(input, fallbacks))));
  plan.reasons.insert(plan.reasons.end(), left_out.begin(), left_out.end());
  return plan;
}

Plan plan_noop(const job::JobSpec& spec, std::uint32_t steps) {
  Plan plan;
  plan.primary = plan.baseline = "engine";
  plan.steps.push_back({.kind = StepKind::kScore, .fallbacks = review_chain(spec)});
  plan.reasons.push_back(
      fmt::format("There is nothing to compute: the engine itself records {} step{}.", steps, steps == 1 ? "" : "s"));
  return plan;
}

}  // namespace

Result<Plan> make_plan(const RouteInput& input) {
  std::vector<backend::Backend*> backends;
  for (const BackendFacts& facts : input.backends) backends.push_back(facts.backend);
  const bool noop = !input.spec->is_program() && problem::noop_steps(*input.spec->problem()).has_value();
  if (!noop) TANDEM_TRY(check_names(*input.spec, backends));  // a no-op is planned without looking at any
  const auto plan_work = [&]() -> Result<Plan> {
    if (input.spec->is_program()) return plan_program(input);
    if (const auto steps = problem::noop_steps(*input.spec->problem())) return plan_noop(*input.spec, *steps);
    return plan_problem(input);
  };
  TANDEM_TRY_ASSIGN(Plan plan, plan_work());
  ask_people(input, plan);
  plan.policy_digest = policy_digest(input);
  return plan;
}

std::optional<std::uint64_t> gates_2q_max(const BackendFacts& facts) {
  if (facts.backend->info().tier != Tier::kQpu) return std::nullopt;
  return static_cast<std::uint64_t>(kGateErrorsMax / error_2q(facts));
}

}  // namespace tandem::route
