// tandem/model/job/job_spec.h - JobSpec: what a client asks for, validated once at the edge.
//
// Room: model. The document form (YAML or JSON) is contract/schemas/job.schema.json. Not here: what the router decides (plan.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tandem/base/id.h"
#include "tandem/base/json.h"
#include "tandem/base/yaml.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/job/fallback.h"
#include "tandem/model/job/money.h"
#include "tandem/model/job/retry.h"
#include "tandem/model/problem/problem.h"

namespace tandem::job {

/// Quantum work asked for directly.
struct Program {
  std::vector<circuit::Pub> pubs;
};

/// One machine-checked success criterion.
struct Criterion {
  enum class Kind : std::uint8_t {
    kObjective,  ///< objective at least as good as `value`
    kImprovement,  ///< relative improvement over the baseline >= value (0.01 = 1 %)
    kLatency,  ///< elapsed_ms <= value
    kCost,  ///< billed micro-USD <= value
    kFeasible,  ///< the best candidate is feasible (value unused)
    kProved,  ///< the best candidate is proved optimal (value unused)
  } kind = Kind::kFeasible;
  double value = 0;
  friend bool operator==(const Criterion&, const Criterion&) = default;
};
std::string_view to_string(Criterion::Kind kind);

/// As documents name them.
std::span<const std::string_view> data_classes();
std::span<const std::string_view> stages();
inline constexpr std::string_view kPilot = "pilot";
inline constexpr std::string_view kProduction = "production";

struct Business {
  std::string objective;  ///< what the business wants, in a sentence
  std::string reason;  ///< why this job
  std::string owner;
  std::string consumer;  ///< who uses the result
  std::string data_class = "internal";  ///< "public", "internal", "confidential", "restricted"
  std::string stage{kPilot};  ///< "pilot", "canary", "production": how far the use of the result has come
  std::vector<Criterion> success;
  friend bool operator==(const Business&, const Business&) = default;
};

struct InputRef {
  std::string name;
  std::string version;
  std::string sha256;
  friend bool operator==(const InputRef&, const InputRef&) = default;
};

struct Limits {
  static constexpr std::int64_t kTimeMsMax = 86'400'000;
  std::int64_t time_ms = 5'000;  ///< business budget of the main solve, and again of the baseline
  std::int64_t total_time_ms = 0;  ///< of the whole job from admission; 0: none
  std::int64_t queue_wait_ms = 0;  ///< from admission to its first start; 0: none
  std::int64_t run_time_ms = 0;  ///< of one start; 0: none
  std::int64_t heartbeat_ms = 0;  ///< without an answer of a remote backend that has work; 0: none
  std::int64_t calibration_age_ms = 0;  ///< of a remote device, at most, when work is sent to it; 0: any age
  std::int64_t backend_wait_ms = 0;  ///< in the queue of a remote backend; 0: as long as a step waits for it at all
  Money cost_max;  ///< 0: no metered work
  RetryPolicy retry;
  /// Of steps that have one of their own, as the labels of their orders begin: "solve", "baseline", "refine", "run". The budget in it is
  /// the job's.
  std::map<std::string, RetryPolicy, std::less<>> step_retry;
  /// Of an order: that of its step, else the job's.
  const RetryPolicy& retry_of(std::string_view label) const;
  friend bool operator==(const Limits&, const Limits&) = default;
};

/// Where a job stands among others.
struct Schedule {
  static constexpr int kPriorityMax = 100;
  std::string project;  ///< shares what its tenant gets with the other projects
  int priority = 0;  ///< -kPriorityMax..kPriorityMax, among the jobs of its project; higher runs earlier
  std::string serial_key;  ///< of a tenant's jobs with the same one, one runs at a time; empty: none
  friend bool operator==(const Schedule&, const Schedule&) = default;
};

/// Which tiers and backends the plan may use. Empty lists allow all.
struct Policy {
  std::vector<std::string>
      backends;  ///< only these, the fallbacks that the job names and the controls of the refinement
  std::vector<std::string> avoid;  ///< never these
  bool allow_emulated = true;
  bool allow_qpu = true;
  friend bool operator==(const Policy&, const Policy&) = default;
};

enum class RefineMode : std::uint8_t { kAuto, kOff, kRequired };
enum class RefineAngles : std::uint8_t {
  kTrained,  ///< fitted to the core on the simulator where that takes two or three seconds at most, else as kSchedule
  kSchedule,  ///< a ramp or a published table
};
enum class RefineStart : std::uint8_t {
  kUniform,
  kWarm,  ///< qubits lean to the best solution so far; circuits that keep numbers of ones start as ever
};

/// The quantum refinement of the core.
struct Refinement {
  RefineMode mode = RefineMode::kAuto;
  std::uint32_t core_max = 20;  ///< variables; the device and the simulator may lower it
  std::uint32_t layers = 10;  ///< of QAOA, at most; a device whose gates err gets fewer
  std::uint64_t shots = 1000;  ///< a quantum arm; the controls draw the same number of samples
  std::uint32_t rounds = 1;  ///< of rotating cores
  RefineAngles angles = RefineAngles::kTrained;
  RefineStart start = RefineStart::kUniform;
  friend bool operator==(const Refinement&, const Refinement&) = default;
};

std::string_view to_string(RefineAngles angles);
std::string_view to_string(RefineStart start);

/// When a person has to look at the result before it counts.
struct Review {
  double confidence_min = 0;  ///< below it; 0: never
  friend bool operator==(const Review&, const Review&) = default;
};

struct JobSpec {
  static constexpr std::size_t kStartsMax = 16;
  std::string name;
  std::variant<problem::ProblemPtr, Program> work;
  Business business;
  std::vector<InputRef> inputs;
  Limits limits;
  Schedule schedule;
  Policy policy;
  Refinement refinement;
  std::optional<double> target;  ///< stop when the objective is reached
  bool proof = false;  ///< insist on a proof
  std::string solver;  ///< empty: the router chooses
  /// Solutions to go on from, as results print them: '0' and '1', a character a variable. The answer is never worse.
  std::vector<std::string> starts;
  std::vector<Fallback>
      fallbacks;  ///< in order; naming a backend allows it beside policy.backends; empty: the router's
  Review review;
  std::uint64_t seed = 1;
  std::uint32_t threads = 0;  ///< 0: all
  std::optional<JobId> retry_of;

  bool is_program() const { return std::holds_alternative<Program>(work); }
  const problem::ProblemPtr& problem() const { return std::get<problem::ProblemPtr>(work); }
  const Program& program() const { return std::get<Program>(work); }

  /// The canonical document: every default written out; parsing it gives an equal one.
  JsonText text() const;
  JsonText options_text() const;  ///< without the work
  Json document() const;  ///< text() to look into
  /// SHA-256 of the canonical document: the fingerprint of idempotency.
  Sha256 hash() const;

  /// This job with the members of `changes`, as a job document has them, in the place of its own (RFC 7396). The work stays.
  /// Errors: as parse(), places are pointers.
  Result<JobSpec> with(const Json& changes) const;

  /// Errors: 1020..1023 with places, 1106 unknown_problem, 1120 bad_job, and those of problem and circuit.
  static Result<JobSpec> parse(const Json& document, const problem::ProblemRegistry& registry);
  /// The same from a document that was read from text; places become file:line:column.
  static Result<JobSpec> parse_located(const LocatedJson& located, const problem::ProblemRegistry& registry);
  /// The same from text within the usual limits of a document.
  static Result<JobSpec> parse_text(std::string_view text, std::string_view name,
                                    const problem::ProblemRegistry& registry);
};

}  // namespace tandem::job
