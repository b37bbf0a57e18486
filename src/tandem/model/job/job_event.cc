#include "tandem/model/job/job_event.h"

#include <algorithm>

#include "tandem/base/hash.h"
#include "tandem/base/json_writer.h"
#include "tandem/base/text.h"
#include "tandem/model/job/event_table.h"

namespace tandem::job {
namespace {

Json unhashed_document(const Event& event) {
  return {{"job_id", event.job.value},
          {"type", event.type},
          {"at", format_rfc3339(event.at)},
          {"actor", event.actor},
          {"data", event.data}};
}

bool has_type(const Json& value, std::string_view types) {
  for (const std::string_view type : split(types, '|')) {
    if (type == "string" && value.is_string()) return true;
    if (type == "integer" && value.is_number_integer()) return true;
    if (type == "number" && value.is_number()) return true;
    if (type == "boolean" && value.is_boolean()) return true;
    if (type == "array" && value.is_array()) return true;
    if (type == "object" && value.is_object()) return true;
    if (type == "null" && value.is_null()) return true;
  }
  return false;
}

}  // namespace

Bytes Event::stored() const {
  // The canonical form of unhashed_document(), of which only the data is a Json.
  Bytes out = JsonWriter()
                  .member("actor", actor)
                  .member("at", format_rfc3339(at))
                  .member("data", data)
                  .member("job_id", job.value)
                  .member("type", type)
                  .finish();
  const std::string hash = merkle_leaf_hash(out).hex();
  out.pop_back();  // the brace
  return out.append(R"(,"leaf_hash":")").append(hash).append("\"}");
}

Json Event::document() const {
  Json out = unhashed_document(*this);
  out["leaf_hash"] = merkle_leaf_hash(canonical_json(out)).hex();
  return out;
}

Json Event::numbered_document() const {
  Json out = document();
  out["sequence"] = sequence;
  return out;
}

std::span<const EventRecord> event_catalogue() { return kEventTable; }

std::string catalogue_violation(const Event& event) {
  const auto record = std::find_if(kEventTable.begin(), kEventTable.end(),
                                   [&](const EventRecord& one) { return one.type == event.type; });
  if (record == kEventTable.end()) return fmt::format("contract/events.json has no event '{}'", event.type);
  for (const EventMember& member : record->members) {
    const auto found = event.data.find(member.name);
    if (found == event.data.end()) return fmt::format("'{}' lacks '{}'", event.type, member.name);
    if (!has_type(*found, member.types)) {
      return fmt::format("'{}' of '{}' is {}, not {}", member.name, event.type, found->dump(), member.types);
    }
  }
  for (const auto& [name, value] : event.data.items()) {
    const bool known = std::any_of(record->members.begin(), record->members.end(),
                                   [&](const EventMember& member) { return member.name == name; });
    if (!known) return fmt::format("contract/events.json has no '{}' for '{}'", name, event.type);
  }
  return "";
}

Result<Event> Event::parse(const Json& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  Event out;
  TANDEM_TRY_ASSIGN(const std::string job, reader.string("job_id"));
  out.job = JobId(job);
  TANDEM_TRY_ASSIGN(out.type, reader.string("type"));
  TANDEM_TRY_ASSIGN(const std::string at, reader.string("at"));
  TANDEM_TRY_ASSIGN(out.at, parse_rfc3339(at));
  TANDEM_TRY_ASSIGN(out.actor, reader.string("actor"));
  if (const Json* data = reader.find("data")) out.data = *data;
  TANDEM_TRY_ASSIGN(const std::string stored, reader.string("leaf_hash"));
  const std::string computed = merkle_leaf_hash(canonical_json(unhashed_document(out))).hex();
  if (stored != computed) {
    return fail_at("/leaf_hash", errors::kStoreDamaged,
                   "event '{}' of {} carries leaf hash {} but hashes to {}; the log was altered", out.type,
                   out.job.value, stored, computed);
  }
  return out;
}

}  // namespace tandem::job
