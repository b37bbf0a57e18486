// tandem/model/job/job_event.h - Event: one entry of the log from which everything else is projected.
//
// Room: model. The catalogue of types stands in contract/events.json.
#pragma once

#include <string>

#include "tandem/base/clock.h"
#include "tandem/base/id.h"
#include "tandem/base/json.h"

namespace tandem::job {

/// `leaf_hash` is the RFC 6962 leaf hash of the canonical JSON of the rest.
struct Event {
  std::uint64_t sequence = 0;  ///< given by the store; not part of the hashed bytes
  JobId job;
  std::string type;  ///< "job.queued", "step.finished", "submission.confirmed", ...
  Timestamp at;
  std::string actor;  ///< "user:local", "engine", "reconciler"
  Json data = Json::object();
  Json document() const;           ///< with leaf_hash, without sequence
  static Result<Event> parse(const Json& document);  ///< checks leaf_hash: 3003 store_damaged
};

}  // namespace tandem::job
