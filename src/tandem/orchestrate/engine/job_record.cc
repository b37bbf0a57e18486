#include "tandem/orchestrate/engine/job_record.h"

namespace tandem::engine {
namespace {

constexpr std::size_t kPage = 1000;  ///< rows read at once

}  // namespace

Json JobView::document() const {
  Json out = {{"job_id", id.value},
              {"state", job::to_string(state)},
              {"name", name},
              {"problem_type", problem_type},
              {"fence", fence},
              {"created_at", format_rfc3339(created_at)},
              {"updated_at", format_rfc3339(updated_at)},
              {"plan_digest", plan_digest},
              {"lineage_id", lineage_id},
              {"tenant", tenant},
              {"cancel_requested", cancel_requested}};
  out["objective"] = objective ? Json(*objective) : Json();
  out["error"] = error.empty() ? Json() : Json{{"number", error_number}, {"message", error}};
  return out;
}

Bytes JobRecord::value() const {
  Json out = view.document();
  out["spec_sha256"] = spec_sha256;
  out["result_sha256"] = result_sha256;
  out["plan"] = plan ? *plan : Json();
  out["actor"] = actor;
  out["cancel_reason"] = cancel_reason;
  out["deadline_micros"] = deadline_micros;
  out["starts"] = starts;
  out["owner"] = owner;
  out["lost_leases"] = lost_leases;
  return out.dump();
}

Result<JobRecord> JobRecord::parse(const store::Row& row) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row.value, "job " + row.key));
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  JobRecord out;
  out.version = row.version;
  out.view.id = JobId(row.key);
  TANDEM_TRY_ASSIGN(const std::string state, reader.string("state"));
  const auto known = job::find_job_state(state);
  if (!known) return fail_at("job " + row.key, errors::kStoreDamaged, "'{}' is not a job state", state);
  out.view.state = *known;
  TANDEM_TRY_ASSIGN(out.view.name, reader.string("name"));
  TANDEM_TRY_ASSIGN(out.view.problem_type, reader.string("problem_type"));
  TANDEM_TRY_ASSIGN(const std::int64_t fence, reader.integer("fence", 0, INT64_MAX));
  out.view.fence = static_cast<std::uint64_t>(fence);
  TANDEM_TRY_ASSIGN(const std::string created, reader.string("created_at"));
  TANDEM_TRY_ASSIGN(out.view.created_at, parse_rfc3339(created));
  TANDEM_TRY_ASSIGN(const std::string updated, reader.string("updated_at"));
  TANDEM_TRY_ASSIGN(out.view.updated_at, parse_rfc3339(updated));
  TANDEM_TRY_ASSIGN(out.view.plan_digest, reader.string("plan_digest"));
  TANDEM_TRY_ASSIGN(out.view.lineage_id, reader.string("lineage_id"));
  TANDEM_TRY_ASSIGN(out.view.tenant, reader.string("tenant"));
  TANDEM_TRY_ASSIGN(out.view.cancel_requested, reader.boolean_or("cancel_requested", false));
  if (reader.has("objective")) {
    TANDEM_TRY_ASSIGN(out.view.objective, reader.number("objective"));
  }
  if (reader.has("error")) {
    TANDEM_TRY_ASSIGN(const ObjectReader error, reader.object("error"));
    TANDEM_TRY_ASSIGN(out.view.error, error.string("message"));
    TANDEM_TRY_ASSIGN(const std::int64_t number, error.integer("number", 0, UINT16_MAX));
    out.view.error_number = static_cast<std::uint16_t>(number);
  }
  TANDEM_TRY_ASSIGN(out.spec_sha256, reader.string("spec_sha256"));
  TANDEM_TRY_ASSIGN(out.result_sha256, reader.string("result_sha256"));
  if (const Json* plan = reader.find("plan")) out.plan = *plan;
  TANDEM_TRY_ASSIGN(out.actor, reader.string("actor"));
  TANDEM_TRY_ASSIGN(out.cancel_reason, reader.string("cancel_reason"));
  TANDEM_TRY_ASSIGN(out.deadline_micros, reader.integer("deadline_micros", 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t starts, reader.integer("starts", 0, UINT32_MAX));
  out.starts = static_cast<std::uint32_t>(starts);
  TANDEM_TRY_ASSIGN(out.owner, reader.string_or("owner", ""));
  TANDEM_TRY_ASSIGN(const std::int64_t lost, reader.integer_or("lost_leases", 0, 0, UINT32_MAX));
  out.lost_leases = static_cast<std::uint32_t>(lost);
  return out;
}

std::string state_index_key(job::JobState state, const JobId& id) {
  return fmt::format("state/{}/{}", job::to_string(state), id.value);
}

std::string owner_index_key(std::string_view node, const JobId& id) {
  return fmt::format("owner/{}/{}", node, id.value);
}

Result<std::vector<std::string>> job_index_keys(const store::Row& row) {
  TANDEM_TRY_ASSIGN(const JobRecord record, JobRecord::parse(row));
  std::vector<std::string> keys = {state_index_key(record.view.state, record.view.id)};
  if (!record.owner.empty()) keys.push_back(owner_index_key(record.owner, record.view.id));
  return keys;
}

void put_job(store::Batch& batch, const JobRecord& record, const std::optional<Indexed>& previous) {
  const JobId& id = record.view.id;
  const store::Expect expect = record.version == 0 ? store::Expect::absent() : store::Expect::at(record.version);
  batch.put(store::Table::kJob, id.value, record.value(), expect);
  if (!previous || previous->state != record.view.state) {
    if (previous) batch.erase(store::Table::kJobIndex, state_index_key(previous->state, id));
    batch.put(store::Table::kJobIndex, state_index_key(record.view.state, id), "");
  }
  const std::string before = previous ? previous->owner : "";
  if (before == record.owner) return;
  if (!before.empty()) batch.erase(store::Table::kJobIndex, owner_index_key(before, id));
  if (!record.owner.empty()) batch.put(store::Table::kJobIndex, owner_index_key(record.owner, id), "");
}

Result<JobRecord> load_job(store::Store& store, const JobId& id) {
  TANDEM_TRY_ASSIGN(const auto row, store.get(store::Table::kJob, id.value));
  if (!row) return fail(errors::kJobNotFound, "there is no job '{}'; `tandem jobs` lists them", id.value);
  return JobRecord::parse(*row);
}

Result<std::optional<std::string>> owner_under(store::Store& store, const JobId& id, std::uint64_t fence) {
  TANDEM_TRY_ASSIGN(JobRecord record, load_job(store, id));
  const bool runs = record.view.state == job::JobState::kRunning && record.view.fence == fence;
  return runs ? std::optional<std::string>(std::move(record.owner)) : std::nullopt;
}

Result<std::vector<store::Row>> rows_under(store::Store& store, store::Table table, std::string_view prefix) {
  store::Scan scan = store::Scan::prefix(table, std::string(prefix), kPage);
  std::vector<store::Row> out;
  while (true) {
    TANDEM_TRY_ASSIGN(std::vector<store::Row> rows, store.scan(scan));
    const bool last = rows.size() < kPage;
    for (store::Row& row : rows) out.push_back(std::move(row));
    if (last) return out;
    scan.from = out.back().key + '\0';
  }
}

namespace {

Result<std::vector<JobId>> jobs_under(store::Store& store, const std::string& prefix) {
  TANDEM_TRY_ASSIGN(const std::vector<store::Row> rows, rows_under(store, store::Table::kJobIndex, prefix));
  std::vector<JobId> out;
  for (const store::Row& row : rows) out.emplace_back(row.key.substr(prefix.size()));
  return out;
}

}  // namespace

Result<std::vector<JobId>> jobs_in_state(store::Store& store, job::JobState state) {
  return jobs_under(store, fmt::format("state/{}/", job::to_string(state)));
}

Result<std::vector<JobId>> jobs_of_owner(store::Store& store, std::string_view node) {
  return jobs_under(store, fmt::format("owner/{}/", node));
}

}  // namespace tandem::engine
