// tandem/model/job/job_event.h - Event: one entry of the log from which everything else is projected.
//
// Room: model. The catalogue of types and of what their data holds is contract/events.json (event_table.h is made from it).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tandem/base/bytes.h"
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
  Json document() const;  ///< with leaf_hash, without sequence
  Bytes stored() const;  ///< the same as text
  Json numbered_document() const;  ///< contract/schemas/event.schema.json: with sequence as well
  static Result<Event> parse(const Json& document);  ///< checks leaf_hash: 3003 store_damaged
};

/// A member of an event's data; `types` are JSON's, "integer|null". An integer is a number, too.
struct EventMember {
  std::string_view name;
  std::string_view types;
};
struct EventRecord {
  std::string_view type;
  std::span<const EventMember> members;  ///< all of them, always there
};
/// contract/events.json.
std::span<const EventRecord> event_catalogue();
/// Where type and data of `event` are not as the catalogue says, in words; empty: nowhere. Whoever appends to the log asserts
/// that, so an event that the contract does not name cannot be written.
std::string catalogue_violation(const Event& event);

}  // namespace tandem::job
