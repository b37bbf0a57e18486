// tandem/orchestrate/route/route.h - Router: which tier, which backend, in what order, and why.
//
// Room: orchestrate. Pure: probe, backends' facts, evidence and policy in; plan out. Not here: executing (engine).
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/evidence/benchmark/benchmark.h"
#include "tandem/middleware/backend/backend.h"
#include "tandem/model/job/job_spec.h"
#include "tandem/model/job/plan.h"
#include "tandem/trust/access/rules.h"

namespace tandem::route {

/// Structure of a problem, cheap to compute (a pass over the terms).
struct Probe {
  std::string problem_type;
  std::size_t num_variables = 0;
  std::size_t num_terms = 0;
  std::size_t num_constraints = 0;
  std::string form;  ///< the solver made for what it states, "independent_set" or "coloring"; empty: there is none
  double density = 0;          ///< terms / possible pairs
  std::size_t degree_max = 0;
  double degree_mean = 0;
  std::size_t components = 0;
  bool integer = false;        ///< exact integer path
  bool has_linear = false;
  std::size_t order = 2;       ///< highest order of a term
  std::uint32_t program_qubits = 0;
  std::uint64_t program_shots = 0;
  std::string instance_class;  ///< "qubo/dense/1000": the key of evidence
  Json document() const;
};
Probe probe(const job::JobSpec& spec);

/// What is known of a backend at planning time.
struct BackendFacts {
  backend::Backend* backend = nullptr;
  std::optional<backend::Availability> availability;  ///< empty: not asked
  std::optional<backend::Quote> quote;                ///< for the work this job would give it
  std::optional<device::Calibration> calibration;     ///< empty: it has none, or did not say
  std::string quote_error;
  bool may_be_back = false;  ///< it is away or names no price, and that may be over when the work gets to it
};

struct RouteInput {
  const job::JobSpec* spec = nullptr;
  Probe probe;
  std::vector<BackendFacts> backends;                 ///< every backend of the registry, absent ones too
  std::map<std::string, benchmark::Experience> core_experience;  ///< of refiners on cores of this class, by backend id
  std::map<std::string, benchmark::Experience> experience;  ///< by backend id
  const access::Rules* rules = nullptr;  ///< of the house; null: there are none
  access::Subject subject;  ///< what they ask of the job
  std::set<std::string, std::less<>> simulated;  ///< ids of backends for whose simulation_key() a simulator has passed
  std::size_t threads = 1;
  std::chrono::milliseconds backend_wait_max{
      20'000};  ///< in the queue of a remote backend, before somebody else gets the work; unless the job says
  std::uint64_t memory_bytes_max = solve::SolveOptions{}.memory_bytes_max;  ///< that one step may plan for
};

/// Refuses a job that names what is not here: a word that no backend answers to would otherwise decide in silence.
/// Errors: 1401 unknown_backend - in policy or fallbacks; 1023 value_out_of_range - the solver. Both say what was meant.
Result<void> check_names(const job::JobSpec& spec, std::span<backend::Backend* const> backends);

/// Refuses a problem whose walk cannot fit, before it is taken. Errors: 1004 out_of_memory, with both figures.
Result<void> check_memory(const job::JobSpec& spec, std::uint64_t memory_bytes_max);

/// Of the job's policy and the rules of the house that apply to it: of its plan, before there is one.
std::string policy_digest(const RouteInput& input);

/// Variables of the largest core that a job may refine.
std::size_t core_size_max(const job::JobSpec& spec, const Probe& probe);
/// What a simulator and hardware must have in common for the one to speak for the other: of a program its circuits and observables, of a
/// problem its type, how its core is encoded and how large that may be, and of both this version of the code and of the adapter that
/// encodes for the hardware. Hex of a SHA-256.
std::string simulation_key(const job::JobSpec& spec, std::string_view version, const backend::BackendInfo& hardware);

/// Candidates over every tier, the infeasible with reasons; primary, fallbacks, baseline, steps, digest.
/// A fallback that the job names is held to the same rules as any candidate.
/// Errors: 5006 no_plan (all reasons), 1302 no_proof when a proof is insisted on and no exact backend takes it, those of
/// check_names.
Result<job::Plan> make_plan(const RouteInput& input);

/// Gates on two qubits that a circuit for this backend may have, as its calibration says, or as is assumed; empty: any number.
std::optional<std::uint64_t> gates_2q_max(const BackendFacts& facts);
/// The same as a plan has it for an arm of its refinement, whatever the backend has calibrated since.
std::optional<std::uint64_t> gates_2q_max(const job::Plan& plan, const std::string& backend);

/// The largest work the plan could submit, for asking the price before planning: of a problem a circuit with the gates of QAOA on a core
/// of the largest size, within `gates`. Nobody knows the core yet: its couplings are at most those of the problem, or all pairs where
/// constraints become penalties. Empty: the backend runs no circuits.
std::optional<backend::Work> representative_work(const job::JobSpec& spec, const Probe& probe,
                                                 const backend::BackendInfo& info, std::optional<std::uint64_t> gates);

}  // namespace tandem::route
