#include "tandem/orchestrate/engine/job_record.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "tandem/base/json_writer.h"
#include "tandem/base/text.h"

namespace tandem::engine {
namespace {

constexpr std::size_t kPage = 1000;  ///< rows read at once

/// Of a job that nothing hurries or holds back.
std::int64_t usual_rank(const JobView& view) { return view.created_at.micros / 1000; }

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
              {"project", project},
              {"submitted_by", submitted_by},
              {"approval_id", approval_id},
              {"priority", priority},
              {"cancel_requested", cancel_requested},
              {"partial", partial}};
  out["objective"] = objective ? Json(*objective) : Json();
  out["error"] = error.empty() ? Json() : Json{{"number", error_number}, {"message", error}};
  out["progress"] = progress ? progress->document() : Json();
  return out;
}

Json Progress::document() const {
  return {{"step", step},
          {"objective", objective ? Json(*objective) : Json()},
          {"bound", bound ? Json(*bound) : Json()},
          {"elapsed_ms", elapsed_ms}};
}

// What is as it is in most rows is left out: a shorter row costs less wherever it goes.
Bytes JobRecord::value() const {
  JsonWriter out;
  out.member("state", job::to_string(view.state))
      .member("name", view.name)
      .member("problem_type", view.problem_type)
      .member("fence", view.fence)
      .member("created_at", format_rfc3339(view.created_at))
      .member("updated_at", format_rfc3339(view.updated_at))
      .member("plan_digest", view.plan_digest)
      .member("lineage_id", view.lineage_id)
      .member("tenant", view.tenant)
      .member("spec_sha256", spec_sha256)
      .member("result_sha256", result_sha256)
      .member("actor", view.submitted_by)
      .member("cancel_reason", cancel_reason)
      .member("deadline_micros", deadline_micros)
      .member("starts", starts);
  if (!view.project.empty()) out.member("project", view.project);
  if (view.priority != 0) out.member("priority", view.priority);
  if (view.cancel_requested) out.member("cancel_requested", true);
  if (view.partial) out.member("partial", true);
  if (!owner.empty()) out.member("owner", owner);
  if (lost_leases != 0) out.member("lost_leases", lost_leases);
  if (rank != usual_rank(view)) out.member("rank", rank);
  if (!serial_key.empty()) out.member("serial_key", serial_key);
  if (suspend_requested) out.member("suspend_requested", true);
  if (queue_until_micros != 0) out.member("queue_until_micros", queue_until_micros);
  if (!submitted_before.empty()) out.member("submitted_before", submitted_before);
  if (approvals != 0) out.member("approvals", approvals).member("approval_until_micros", approval_until_micros);
  if (view.objective) out.member("objective", *view.objective);
  if (!view.error.empty())
    out.raw("error", JsonWriter().member("number", view.error_number).member("message", view.error).finish());
  if (plan) out.member("plan", *plan);
  return out.finish();
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
  TANDEM_TRY_ASSIGN(out.view.project, reader.string_or("project", ""));
  TANDEM_TRY_ASSIGN(const std::int64_t priority, reader.integer_or("priority", 0, INT32_MIN, INT32_MAX));
  out.view.priority = static_cast<int>(priority);
  TANDEM_TRY_ASSIGN(out.view.cancel_requested, reader.boolean_or("cancel_requested", false));
  TANDEM_TRY_ASSIGN(out.view.partial, reader.boolean_or("partial", false));
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
  if (const Json* plan = reader.find("plan")) out.plan = JsonText(*plan);
  TANDEM_TRY_ASSIGN(out.view.submitted_by, reader.string("actor"));
  TANDEM_TRY_ASSIGN(out.submitted_before, reader.strings_or_empty("submitted_before"));
  TANDEM_TRY_ASSIGN(out.cancel_reason, reader.string("cancel_reason"));
  TANDEM_TRY_ASSIGN(out.deadline_micros, reader.integer("deadline_micros", 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t starts, reader.integer("starts", 0, UINT32_MAX));
  out.starts = static_cast<std::uint32_t>(starts);
  TANDEM_TRY_ASSIGN(out.owner, reader.string_or("owner", ""));
  TANDEM_TRY_ASSIGN(const std::int64_t lost, reader.integer_or("lost_leases", 0, 0, UINT32_MAX));
  out.lost_leases = static_cast<std::uint32_t>(lost);
  TANDEM_TRY_ASSIGN(out.rank, reader.integer_or("rank", usual_rank(out.view), INT64_MIN, INT64_MAX));
  TANDEM_TRY_ASSIGN(out.serial_key, reader.string_or("serial_key", ""));
  TANDEM_TRY_ASSIGN(out.suspend_requested, reader.boolean_or("suspend_requested", false));
  TANDEM_TRY_ASSIGN(out.queue_until_micros, reader.integer_or("queue_until_micros", 0, 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(const std::int64_t approvals, reader.integer_or("approvals", 0, 0, UINT32_MAX));
  out.approvals = static_cast<std::uint32_t>(approvals);
  TANDEM_TRY_ASSIGN(out.approval_until_micros, reader.integer_or("approval_until_micros", 0, 0, INT64_MAX));
  if (out.approvals != 0) out.view.approval_id = approval::ApprovalId{out.view.id, out.approvals}.text();
  return out;
}

budget::Payer payer_of(const JobRecord& record) {
  return {.tenant = record.view.tenant,
          .project = record.view.project,
          .user = std::string(identity::user_of(record.view.submitted_by))};
}

std::string state_index_key(job::JobState state, const JobId& id) {
  return fmt::format("state/{}/{}", job::to_string(state), id.value);
}

std::string result_key(const JobId& id) { return id.value + "/result"; }

std::string owner_index_key(std::string_view node, const JobId& id) {
  return fmt::format("owner/{}/{}", node, id.value);
}

schedule::Ticket JobRecord::ticket() const {
  return {.job = view.id.value, .tenant = view.tenant, .project = view.project, .rank = rank, .serial_key = serial_key};
}

Queued queued_of(const JobRecord& record) {
  Queued out{.ticket = record.ticket(),
             .since_micros = record.view.updated_at.micros,
             .until_micros = record.starts == 0 ? record.queue_until_micros : 0};
  if (record.deadline_micros != 0 && (out.until_micros == 0 || record.deadline_micros < out.until_micros))
    out.until_micros = record.deadline_micros;
  return out;
}

Queued announced_by(const job::Event& event) {
  const Json data = event.data.value();
  return {.ticket = {.job = event.job.value,
                     .tenant = data.value("tenant", ""),
                     .project = data.value("project", ""),
                     .rank = data.value("rank", event.at.micros / 1000),
                     .serial_key = data.value("serial_key", "")},
          .since_micros = event.at.micros,
          .until_micros = data.value("start_by", std::int64_t{0})};
}

namespace {

/// What follows the member's name. Within a text its quotes would be escaped. Not find(), which stops at every quote.
std::optional<std::string_view> after_name(std::string_view announcement, std::string_view name) {
  const void* found = ::memmem(announcement.data(), announcement.size(), name.data(), name.size());
  if (found == nullptr) return std::nullopt;
  const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - announcement.data());
  return announcement.substr(at + name.size());
}

constexpr std::string_view kHome = R"("home":")";

}  // namespace

bool is_at_home(std::string_view announcement, std::string_view process) {
  const auto home = after_name(announcement, kHome);
  return home && home->starts_with(process) && home->substr(process.size()).starts_with('"');
}

bool has_home(std::string_view announcement) {
  const auto home = after_name(announcement, kHome);
  return home && !home->starts_with('"');
}

bool may_expire(std::string_view announcement) {
  const auto start_by = after_name(announcement, R"("start_by":)");
  return !start_by || !start_by->starts_with('0');
}

std::string serial_index_key(std::string_view tenant, std::string_view key) {
  return fmt::format("serial/{}/{}", tenant, key);
}

namespace {

constexpr std::size_t kQueuedParts = 6;
constexpr char kBetween = '\n';  // of the parts of an index entry; no name has it

Bytes index_value(const JobRecord& record) {
  if (record.view.state != job::JobState::kQueued) return {};
  const Queued queued = queued_of(record);
  return fmt::format("{1}{0}{2}{0}{3}{0}{4}{0}{5}{0}{6}", kBetween, queued.ticket.rank, queued.until_micros,
                     queued.ticket.tenant, queued.ticket.project, queued.ticket.serial_key, queued.since_micros);
}

Result<Queued> parse_queued(store::Store& store, const store::Row& row, std::string job) {
  std::array<std::string_view, kQueuedParts> parts;  // a million of them are read when a process starts
  std::size_t count = 0;
  for (std::size_t begin = 0; begin <= row.value.size(); ++count) {
    const std::size_t end = std::min(row.value.find(kBetween, begin), row.value.size());
    if (count < parts.size()) parts[count] = std::string_view(row.value).substr(begin, end - begin);
    begin = end + 1;
  }
  if (count < parts.size()) {  // of an earlier version
    TANDEM_TRY_ASSIGN(const JobRecord record, load_job(store, JobId(std::move(job))));
    return queued_of(record);
  }
  const auto rank = parse_int64(parts[0]);
  const auto until = parse_int64(parts[1]);
  const auto since = parse_int64(parts.back());
  if (count != parts.size() || !rank || !until || !since)
    return fail_at("job_index " + row.key, errors::kStoreDamaged, "the entry of a queued job cannot be read");
  return Queued{.ticket = {.job = std::move(job),
                           .tenant = std::string(parts[2]),
                           .project = std::string(parts[3]),
                           .rank = *rank,
                           .serial_key = std::string(parts[4])},
                .since_micros = *since,
                .until_micros = *until};
}

}  // namespace

Result<void> each_queued(store::Store& store, const std::function<void(const Queued&)>& take) {
  const std::string prefix = state_index_key(job::JobState::kQueued, JobId());
  store::Scan scan = store::Scan::prefix(store::Table::kJobIndex, prefix, kPage);
  while (true) {
    TANDEM_TRY_ASSIGN(const std::vector<store::Row> rows, store.scan(scan));
    for (const store::Row& row : rows) {
      TANDEM_TRY_ASSIGN(const Queued queued, parse_queued(store, row, row.key.substr(prefix.size())));
      take(queued);
    }
    if (rows.size() < kPage) return {};
    scan.from = rows.back().key + '\0';
  }
}

Result<std::optional<std::int64_t>> longest_queued_since(store::Store& store) {
  const std::string prefix = state_index_key(job::JobState::kQueued, JobId());
  TANDEM_TRY_ASSIGN(const std::vector<store::Row> rows,
                    store.scan(store::Scan::prefix(store::Table::kJobIndex, prefix, kQueueLook)));
  std::optional<std::int64_t> out;
  for (const store::Row& row : rows) {
    TANDEM_TRY_ASSIGN(const Queued queued, parse_queued(store, row, row.key.substr(prefix.size())));
    if (!out || queued.since_micros < *out) out = queued.since_micros;
  }
  return out;
}

namespace {

constexpr std::string_view kDuePrefix = "due/";

std::string due_index_key(const JobRecord& record, job::JobState state) {
  return fmt::format("{}{:020}/{}", kDuePrefix, put_aside_until(record, state), record.view.id.value);
}

/// In that state it has an entry among those that are due some time.
bool is_due(const JobRecord& record, job::JobState state) {
  return is_put_aside(state) && put_aside_until(record, state) != 0;
}

bool ended_with_error(const JobRecord& record) {
  return record.view.error_number != 0 && job::is_final(record.view.state);
}

}  // namespace

std::string error_index_key(std::uint16_t number, const JobId& id) {
  return fmt::format("error/{:05}/{}", number, id.value);
}

bool is_put_aside(job::JobState state) { return state == job::JobState::kSuspended || awaits_people(state); }

bool awaits_people(job::JobState state) {
  return state == job::JobState::kAwaitingReview || state == job::JobState::kAwaitingApproval;
}

std::int64_t put_aside_until(const JobRecord& record, job::JobState state) {
  if (state != job::JobState::kAwaitingApproval) return record.deadline_micros;
  return record.deadline_micros == 0 ? record.approval_until_micros
                                     : std::min(record.deadline_micros, record.approval_until_micros);
}

Result<std::vector<JobId>> due_put_aside(store::Store& store, std::int64_t now_micros) {
  store::Scan scan = store::Scan::prefix(store::Table::kJobIndex, std::string(kDuePrefix), kPage);
  scan.until = fmt::format("{}{:020}/", kDuePrefix, now_micros + 1);
  TANDEM_TRY_ASSIGN(const std::vector<store::Row> rows, store.scan(scan));
  std::vector<JobId> out;
  for (const store::Row& row : rows) out.emplace_back(row.key.substr(row.key.rfind('/') + 1));
  return out;
}

Result<std::optional<std::int64_t>> next_put_aside(store::Store& store) {
  TANDEM_TRY_ASSIGN(const std::vector<store::Row> rows,
                    store.scan(store::Scan::prefix(store::Table::kJobIndex, std::string(kDuePrefix), 1)));
  if (rows.empty()) return std::nullopt;
  const std::string_view key = std::string_view(rows.front().key).substr(kDuePrefix.size());
  return std::optional(parse_int64(key.substr(0, key.find('/'))).value_or(0));
}

std::vector<std::string> job_index_keys(const JobRecord& record) {
  std::vector<std::string> keys = {state_index_key(record.view.state, record.view.id)};
  if (!record.owner.empty()) keys.push_back(owner_index_key(record.owner, record.view.id));
  if (record.view.state == job::JobState::kRunning && !record.serial_key.empty())
    keys.push_back(serial_index_key(record.view.tenant, record.serial_key));
  if (is_due(record, record.view.state)) keys.push_back(due_index_key(record, record.view.state));
  if (ended_with_error(record)) keys.push_back(error_index_key(record.view.error_number, record.view.id));
  return keys;
}

std::string IdempotencyEntry::row_key(std::string_view tenant, std::string_view key) {
  return fmt::format("{}/{}", tenant, key);
}

Bytes IdempotencyEntry::value() const {
  return Json{{"fingerprint", fingerprint}, {"job_id", job.value}, {"created_at", format_rfc3339(created_at)}}.dump();
}

Result<IdempotencyEntry> IdempotencyEntry::parse(const store::Row& row) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row.value, "idempotency row"));
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  IdempotencyEntry out;
  TANDEM_TRY_ASSIGN(out.fingerprint, reader.string("fingerprint"));
  TANDEM_TRY_ASSIGN(out.job.value, reader.string("job_id"));
  TANDEM_TRY_ASSIGN(const std::string created_at, reader.string("created_at"));
  TANDEM_TRY_ASSIGN(out.created_at, parse_rfc3339(created_at));
  return out;
}

void put_job(store::Batch& batch, const JobRecord& record, const std::optional<Indexed>& previous) {
  const JobId& id = record.view.id;
  const bool ran = previous && previous->state == job::JobState::kRunning;
  const bool runs = record.view.state == job::JobState::kRunning;
  if (ran != runs && !record.serial_key.empty()) {
    const std::string key = serial_index_key(record.view.tenant, record.serial_key);
    if (runs)
      batch.put(store::Table::kJobIndex, key, id.value, store::Expect::absent());
    else
      batch.erase(store::Table::kJobIndex, key);
  }
  const store::Expect expect = record.version == 0 ? store::Expect::absent() : store::Expect::at(record.version);
  batch.put(store::Table::kJob, id.value, record.value(), expect);
  if (!previous || previous->state != record.view.state) {
    if (previous) batch.erase(store::Table::kJobIndex, state_index_key(previous->state, id));
    batch.put(store::Table::kJobIndex, state_index_key(record.view.state, id), index_value(record));
    // What they are made of changes only where a job comes to await approval, and so out of no such state.
    if (previous && is_due(record, previous->state))
      batch.erase(store::Table::kJobIndex, due_index_key(record, previous->state));
    if (is_due(record, record.view.state))
      batch.put(store::Table::kJobIndex, due_index_key(record, record.view.state), "");
    if (ended_with_error(record)) batch.put(store::Table::kJobIndex, error_index_key(record.view.error_number, id), "");
  }
  const std::string before = previous ? previous->owner : "";
  if (before == record.owner) return;
  if (!before.empty()) batch.erase(store::Table::kJobIndex, owner_index_key(before, id));
  if (!record.owner.empty()) batch.put(store::Table::kJobIndex, owner_index_key(record.owner, id), "");
}

Error no_such_job(const JobId& id) {
  return make_error(errors::kJobNotFound, "there is no job '{}'; `tandem jobs` lists them", id.value);
}

Result<JobRecord> load_job(store::Store& store, const JobId& id) {
  TANDEM_TRY_ASSIGN(const auto row, store.get(store::Table::kJob, id.value));
  if (!row) return tl::unexpected(no_such_job(id));
  return JobRecord::parse(*row);
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
