#include "tandem/model/job/job_event.h"

#include "tandem/base/hash.h"

namespace tandem::job {
namespace {

Json unhashed_document(const Event& event) {
  return {{"job_id", event.job.value},
          {"type", event.type},
          {"at", format_rfc3339(event.at)},
          {"actor", event.actor},
          {"data", event.data}};
}

}  // namespace

Json Event::document() const {
  Json out = unhashed_document(*this);
  out["leaf_hash"] = merkle_leaf_hash(canonical_json(out)).hex();
  return out;
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
