// tandem/sim/options.h - Options: what one seed expands to: the machines, the load and the faults of one simulated history.
//
// Room: sim. Each seed turns most kinds of fault off, so that those that are on are not drowned by the others (Groce et al. 2012,
// "Swarm testing").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/middleware/backend/backend.h"

namespace tandem::sim {

/// A fault that the simulation itself commits, so that it can be seen whether the invariants would notice such a mistake of ours.
enum class Plant : std::uint8_t {
  kNone,
  kFenceDropped,  ///< the store does not look at the version of a job's row
  kReplyBeforeSync,  ///< the store answers before the batch is safe
  kRetryOnAmbiguousB,  ///< the client of the vendor of class B sends again when no answer came
  kRetryOnAmbiguousC,  ///< the same of class C
  kRetryOnAmbiguousD,  ///< the same of class D
  kLeaseByLocalClock,  ///< the shared clock is each machine's own
  kApproveUnseen,  ///< a person's word is given to the plan that the job has when it arrives, not to the one that was shown
};
inline constexpr Plant kPlants[] = {Plant::kFenceDropped,      Plant::kReplyBeforeSync,   Plant::kRetryOnAmbiguousB,
                                    Plant::kRetryOnAmbiguousC, Plant::kRetryOnAmbiguousD, Plant::kLeaseByLocalClock,
                                    Plant::kApproveUnseen};
std::string_view to_string(Plant plant);  ///< "none", "fence-dropped", ...
std::optional<Plant> find_plant(std::string_view name);

/// The class of the vendor whose client makes the mistake; none: the plant is another one.
std::optional<backend::SubmitSafety> resends(Plant plant);

/// Between two looks at a submission in doubt, in virtual milliseconds: of the run that has it, and of the reconciler.
inline constexpr std::int64_t kLookupEveryMs = 20;
inline constexpr std::int64_t kSweepEveryMs = 500;

/// One vendor of a history, with one device. Each class is there once at most.
struct Vendor {
  backend::SubmitSafety safety = backend::SubmitSafety::kB;
  bool emulated = false;  ///< it gives play money
  std::int64_t price_usd_micros = 1000;  ///< at least; what it bills is no more
  std::int64_t price_period = 1000;  ///< virtual milliseconds; in every third of them it costs half as much again
  std::string id() const;  ///< of its backend: "qpu.a"
};

/// Times in virtual milliseconds unless said, chances from 0 to 1.
struct Options {
  std::uint64_t seed = 0;
  Plant plant = Plant::kNone;

  std::uint32_t nodes = 1;
  bool shared = false;  ///< several processes on one store, with leases; else one process that has it alone
  bool api_node = false;  ///< the first node runs no jobs
  bool runner_node = false;  ///< the last node runs only what a client attends to
  std::uint32_t workers = 2;
  std::int64_t lease_ttl = 1000;
  std::int64_t remote_deadline = 1000;
  std::int64_t settle_window = 300;

  std::uint32_t clients = 3;
  std::uint32_t jobs_per_client = 4;
  std::uint32_t tenants = 1;
  std::uint32_t projects = 1;
  double serial = 0;  ///< share of jobs with a key of which one runs at a time
  double cancels = 0;
  double suspends = 0;
  double doubtful = 0;  ///< share of jobs whose result a person has to look at
  double retries = 0;  ///< of jobs that have ended
  double approvals = 0;  ///< share of jobs whose plan two people have to approve
  double problems = 0;  ///< share of jobs that are problems; the others are programs
  double short_of_time = 0;
  double short_of_money = 0;
  bool limits = false;  ///< payers and vendors are limited
  bool tight_limits = false;  ///< so that some jobs and attempts are refused

  std::int64_t commit_micros = 300;  ///< a commit takes up to that, mostly
  double commit_slow = 0;  ///< a commit takes up to a second
  double crash_before_commit = 0;
  double crash_after_commit = 0;
  double pause_at_commit = 0;  ///< for longer than a lease
  double commit_failed = 0;  ///< an error of the disk after which nobody knows whether it is written

  double request_lost = 0;  ///< between client and server
  double reply_lost = 0;
  double request_doubled = 0;

  std::vector<Vendor> vendors;  ///< one to four, by class
  double device_refuses = 0;
  double window_closed = 0;  ///< it takes no work for a while, from when it is asked on
  double device_throttles = 0;  ///< a submission is refused for now
  double device_fails = 0;
  double device_names_no_bill = 0;
  double device_garbage = 0;
  double device_loses_result = 0;
  double submit_lost = 0;  ///< the request to the device never arrives
  double submits_lost = 0;  ///< with a lost one, all others for up to two settle windows; questions are answered
  double submit_reply_lost = 0;
  double submit_late = 0;  ///< arrives after the sender gave up
  double submit_doubled = 0;  ///< arrives twice; only where the device knows it again
  double local_fails = 0;

  std::int64_t faults_every = 0;  ///< mean time between planned faults; 0: none
  bool crashes = false;
  bool restarts = false;
  bool pauses = false;
  bool clock_jumps = false;
  bool disk_fills = false;
  bool store_cuts = false;
  bool device_outages = false;

  /// Draws everything from the seed. A plant narrows it to histories in which such a mistake can matter.
  static Options expand(std::uint64_t seed, Plant plant);
  Json document() const;
};

}  // namespace tandem::sim
