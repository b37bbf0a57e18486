// tandem/sim/doubts.h - Doubts: how long submissions are in doubt that somebody could resolve, in intervals between two looks at them; and
// who may begin and end a doubt.
//
// Room: sim; for the oracle. The clock is the simulation's, so an interval that is late is seen. A doubt is counted from when it could first
// be resolved: it is on disk, the vendor has the work and answers - or, for what is given up, the settle window is over -, and whoever
// resolves it has it in hand, runs, and reaches vendor and store. Its end is the commit that says so. Counted apart is what was given up
// because the step's own time was over: no look could have ended that doubt.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "tandem/base/json.h"
#include "tandem/orchestrate/submit/submission_record.h"
#include "tandem/sim/coverage.h"
#include "tandem/sim/device.h"
#include "tandem/sim/scheduler.h"

namespace tandem::sim {

/// Threads: one.
class Doubts {
 public:
  using Nanos = Scheduler::Nanos;
  explicit Doubts(std::int64_t settle_window_ms) : settle_window_(settle_window_ms * 1'000'000) {}

  /// A process could not look, or not write what it saw, until now: it was down, paused, without its store or at a slow commit, or its
  /// circuit was open.
  void hindered(const std::string& process, Nanos now) { able_since_[process] = now; }
  /// A clock jumped: settle windows that are open last longer or shorter than they should.
  void clock_jumped(Nanos now) { clock_jumped_ = now; }
  /// A run of a job began or ended: whoever else has its submissions has them since.
  void job_moved(const std::string& job, Nanos now) { job_moved_[job] = now; }
  /// What does not hold of a submission that `process` moved; empty: all does. While its job runs under its fence, on `runner`, nobody
  /// else puts it in doubt or gives it up; and nobody, but a worker whose step's time is over, gives it up while it may still appear at
  /// a vendor that can be asked, for a window from when the last request for it left. `runner` empty: nobody runs it.
  std::string broken(const std::string& process, const submit::SubmissionRecord& before,
                     const submit::SubmissionRecord& after, const SimDevice& device, const std::string& runner,
                     Nanos now) const;
  /// A worker has it from now on.
  void taken_over(const std::string& token, Nanos now);
  /// A submission moved, by the hand of `process`.
  void moved(const std::string& process, const submit::SubmissionRecord& before, const submit::SubmissionRecord& after,
             const SimDevice& device, Nanos now);
  /// The log, from its beginning: who it was that resolved each doubt decides its interval.
  void told(const std::string& type, const Json& event, const SimDevice& device, Coverage& coverage);

 private:
  struct Open {
    Nanos since = 0;  ///< sent last, or taken in hand
    Nanos intent = 0;
    Nanos doubt = 0;  ///< the last, from where the settle window counts
  };
  struct Ended {
    Nanos lasted = 0;
    bool apart = false;
  };
  struct Told {
    bool in_doubt = false;
    std::size_t ends = 0;  ///< doubts of it that were over
  };
  const Nanos settle_window_;
  Nanos clock_jumped_ = -1;
  std::map<std::string, Nanos> able_since_;
  std::map<std::string, Nanos> job_moved_;
  std::map<std::string, Open> open_;  ///< by token
  std::map<std::string, std::deque<Ended>> ended_;  ///< by token, in their order
  std::map<std::string, Told> told_;
};

}  // namespace tandem::sim
