// tandem/middleware/backend/backend.h - Backend: anything the router may choose, local or remote, behind one set of verbs.
//
// Room: middleware. One conformance suite (testing/conformance.h) is instantiated by every backend.
// Not here: deciding (orchestrate/route), the ledger of paid submissions (orchestrate/submit).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "tandem/base/bytes.h"
#include "tandem/base/clock.h"
#include "tandem/base/id.h"
#include "tandem/base/json.h"
#include "tandem/base/result.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/middleware/backend/error_class.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/device/calibration.h"
#include "tandem/model/job/plan.h"
#include "tandem/model/result/pub_result.h"
#include "tandem/model/result/sample_set.h"

namespace tandem::backend {

/// Optimisation work: minimise `model`.
struct SolveWork {
  std::shared_ptr<const solve::Model> model;  ///< never null; shared because it may be gigabytes
  solve::SolveOptions options;
  std::int64_t time_ms = 0;  ///< 0: until the solver ends by itself or `options.work` is done
};
/// Quantum work.
struct ProgramWork {
  std::vector<circuit::Pub> pubs;
  std::uint64_t seed = 1;  ///< for backends that can be seeded
};
using Work = std::variant<SolveWork, ProgramWork>;

/// How a lost reply is resolved (reference/trust.md 1.2).
enum class SubmitSafety : std::uint8_t {
  kLocal,  ///< runs here: nothing to lose
  kA,  ///< native de-duplication: the same token and bytes may be sent again
  kB,  ///< the provider finds work by our token
  kC,  ///< the provider echoes our token in listings
  kD,  ///< opaque: never resent, held for a person
};
std::string_view to_string(SubmitSafety safety);

struct BackendInfo {
  BackendId id;  ///< "cpu.portfolio", "simulator.statevector", "lab.device"
  /// What follows the first dot of the id: "portfolio".
  std::string_view method() const { return std::string_view(id.value).substr(id.value.find('.') + 1); }
  std::string name;  ///< for people
  std::string version;  ///< changes when the same work and seed give other bytes
  job::Tier tier = job::Tier::kCpu;
  job::Access access = job::Access::kLocal;
  bool emulated = false;  ///< shown wherever the backend is shown
  bool metered = false;  ///< costs money
  bool counts_qpu_time = false;  ///< its bills say how long the device worked
  bool takes_solve = false;
  bool takes_program = false;
  SubmitSafety safety = SubmitSafety::kLocal;
  std::string conformance;  ///< "local", "L0".."L4"
  std::string vendor = {};  ///< whose it is, as rules name it: "lab"; empty: it runs here
  std::string region = {};  ///< where it stands, as rules name it; empty: here, or not known
  std::string best_for;  ///< one line
  std::uint32_t qubits_max = 0;
  std::uint64_t shots_max = 0;
  std::size_t variables_max = 0;
};

struct Quote {
  job::Money cost;  ///< at most
  job::MeteredUse use = {};  ///< at most; 0 of what is not known beforehand
  job::Basis cost_basis = job::Basis::kComputed;
  std::string source;  ///< where the price comes from, with its date
};

/// Asked for, over all programs and their rows of values.
std::uint64_t num_shots(const ProgramWork& work);

struct Availability {
  bool operational = true;
  bool accepts_work = true;
  std::optional<double> ready_in_ms;
  std::optional<std::uint64_t> queue_depth;
  Timestamp observed_at;
  std::string detail;
};

/// The backend's own name for the work.
using Handle = std::string;
/// Work that was submitted. A provider may give a handle of ours to somebody else's work, say after it lost its records:
/// only the token says that the work is ours.
struct WorkRef {
  Handle handle;
  std::string token;  ///< of the submission
};

enum class WorkState : std::uint8_t { kQueued, kRunning, kSucceeded, kFailed, kCancelled };
struct PollStatus {
  WorkState state = WorkState::kQueued;
  std::string detail;  ///< raw vendor status or failure text
  std::optional<double> progress;  ///< 0..1
  std::chrono::milliseconds poll_again{50};
  std::optional<std::chrono::milliseconds> starts_in =
      std::nullopt;  ///< of queued work, as the provider predicts; empty: it does not
  std::optional<job::Money> billed;  ///< the provider's figure so far, also for work that failed; empty: it names none
  std::optional<job::MeteredUse> used = std::nullopt;  ///< the provider's figures beside money; empty: it names none
  std::optional<ErrorClass> said =
      std::nullopt;  ///< of work that failed: what its reason means; empty: it is not known
};

/// What came back, byte for byte. It is stored before it is decoded.
struct RawResult {
  Bytes bytes;
  std::string media_type;
  job::Money billed;
  std::string calibration_id;
  std::optional<job::MeteredUse> used = std::nullopt;  ///< the provider's figures beside money; empty: it names none
};

/// Decoded and normalised; the bytes it came from are named by hash in lineage.
struct SolveResult {
  solve::SolveOutcome outcome;
};
struct ProgramResult {
  std::vector<result::PubResult> pubs;
};
using WorkResult = std::variant<SolveResult, ProgramResult>;

/// Outcome of a submission that did not confirm. `ambiguous`: the provider may have accepted and will bill.
struct SubmitFailure {
  Error error;
  bool ambiguous = false;
  std::optional<ErrorClass> said = std::nullopt;  ///< by the provider, where it says more than the error's number
  std::optional<std::chrono::milliseconds> retry_after =
      std::nullopt;  ///< the provider asks for so much patience; of 5018: until the next probe
};
ErrorClass class_of(const SubmitFailure& failure);

/// Work whose reply was lost.
struct LostWork {
  std::string_view token;
  Timestamp sent_at;  ///< by our clock: it was not sent before
  /// The answer may rest on what others asked since then. Empty: it is asked now.
  std::optional<Instant> asked_since = std::nullopt;
};

/// What a lookup said. kNotFound: the provider was seen as far back as the work may be, and it is not there.
struct Reconciled {
  enum class Kind : std::uint8_t { kFound, kNotFound } kind = Kind::kNotFound;
  Handle handle = {};
  /// Of kNotFound: nothing of what that rests on was seen before; it may be before `asked_since`, where seeing all takes more time than a
  /// call has. Empty: all was seen since the question.
  std::optional<Instant> seen_since = std::nullopt;
};

/// What runs beside a call: stop, progress, threads. Local backends honour all; remote ones the deadline.
struct CallContext {
  std::stop_token stop;
  Deadline deadline = Deadline::never();
  std::size_t threads = 0;
  solve::IncumbentSink sink;
  /// Carries out what only waits, as for memory, and lets others compute meanwhile; empty: it is done here.
  std::function<void(const std::function<void()>& wait)> aside = {};
};

/// Threads: every method is safe to call concurrently.
/// Errors: 1402 backend_cannot (validate, with the limit), 1403 backend_unavailable, 1404 backend_refused,
///         1405 backend_garbage, 1406 backend_job_failed, 1408 unknown_handle (also: the handle names work with another
///         token), those of the work; and of questions, not of submit: 1409 credential_refused, 1410 backend_forbidden,
///         1411 backend_throttled.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual const BackendInfo& info() const = 0;
  /// Without side effect or network: can this backend run that work?
  virtual Result<void> validate(const Work& work) const = 0;
  /// What new work would be told here without asking the provider, because it failed again and again (orchestrate/resilience/breaker.h),
  /// and until when; surely nothing is sent then. Without network. Empty: the provider is asked.
  virtual std::optional<SubmitFailure> held_back() { return std::nullopt; }
  virtual Result<Quote> quote(const Work& work, const CallContext& context) = 0;
  /// Starts the work; returns at once with a handle. `token` is echoed by remote providers and never used twice.
  virtual tl::expected<Handle, SubmitFailure> submit(const Work& work, std::string_view token,
                                                     const CallContext& context) = 0;
  /// May wait for a change of state until `context.deadline`; local backends do, so that nothing is polled in a loop.
  virtual Result<PollStatus> poll(const WorkRef& work, const CallContext& context) = 0;
  /// The raw bytes of finished work. May be called again until forget().
  virtual Result<RawResult> fetch(const WorkRef& work, const CallContext& context) = 0;
  /// Pure: bytes and the work they answer -> normalised result. Repeatable in another process.
  virtual Result<WorkResult> decode(const RawResult& raw, const Work& work) const = 0;
  /// Asks for the end; the answer is seen by poll. Idempotent. Never reaches work with another token.
  virtual Result<void> cancel(const WorkRef& work, const CallContext& context) = 0;
  /// Looks the work up at the provider. Local backends answer kNotFound. Errors: 5004 result_not_ready - more stands there than one call
  /// has time for; ask again.
  virtual Result<Reconciled> reconcile(const LostWork& lost, const CallContext& context) = 0;
  /// Errors: when nobody answers, what kept them from it.
  virtual Result<Availability> availability(const CallContext& context) = 0;
  /// Empty for backends without one.
  virtual Result<std::optional<device::Calibration>> calibration(const CallContext& context) = 0;
  /// What constrains circuits there; empty: nothing is known. Errors: as calibration().
  virtual Result<std::optional<device::Target>> target(const CallContext& context) = 0;
  /// Local backends free what they keep for the handle.
  virtual void forget(const Handle& handle) = 0;
};

/// All backends by id. Built once in main(), immutable afterwards.
class BackendRegistry {
 public:
  void add(std::unique_ptr<Backend> backend);
  Backend* find(std::string_view id) const;
  std::vector<Backend*> all() const;  ///< in the order they were added

 private:
  std::vector<std::unique_ptr<Backend>> backends_;
};

}  // namespace tandem::backend
