// tandem/orchestrate/engine/in_hand.h - what an engine has in hand of a job beside its row.
//
// Room: orchestrate; for engine_impl.h only, whose mutex guards all of it.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "tandem/orchestrate/engine/job_runner.h"
#include "tandem/orchestrate/schedule/fair_queue.h"
#include "tandem/store/store.h"

namespace tandem::engine {

using SpecPtr = std::shared_ptr<const job::JobSpec>;

/// A job from its claim until its end is stored.
struct Running {
  std::stop_source stop;
  StopReason reason = StopReason::kNone;
  schedule::Ticket ticket;
  double charged_s = 0;
  bool look_again = false;  ///< it may be queued anew: whoever lets go of it looks
  bool keeps_key = false;  ///< another process has its serial key
  bool found = false;  ///< in the store, and not claimed before it is walked
  std::string behind;  ///< the provider that had no room for it, as RunOutcome has it
  std::weak_ptr<WorkerSlots::Place> place;  ///< while it is walked
  bool left = false;  ///< its job has ended without it: what it still does is nobody's
};

/// A run that was told to stop.
struct Stopping {
  JobId id;
  std::shared_ptr<Running> running;
  ToldToStop told;
};

struct Claimed {  ///< one that a worker may walk: its start is stored, or is to be with what follows it
  Run run;
  std::shared_ptr<Running> running;
  Instant at;
};

/// What this process knows of a job that it admitted a moment ago.
struct Fresh {
  JobRecord record;
  SpecPtr spec;
};

/// A job that another process admitted a moment ago and has ready to run.
struct Guest {
  store::LogEntry entry;  ///< that announced it, not checked yet
  Instant heard;
};

/// A job whose start, checkpoint or end could not be stored.
struct Parked {
  SpecPtr spec;
  schedule::Ticket ticket;  ///< its serial key stays taken
  std::uint32_t looks_left = 0;  ///< of heal(), before it is tried again
};

}  // namespace tandem::engine
