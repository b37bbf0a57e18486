#include "tandem/sim/oracle.h"

#include <algorithm>

#include "tandem/model/job/job_spec.h"
#include "tandem/sim/sim_executor.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::sim {
namespace {

using job::JobEvent;
using job::JobState;
using store::Table;
using submit::SubmissionEvent;
using submit::SubmissionRecord;
using submit::SubmissionState;

constexpr std::size_t kShownMax = 600;  ///< bytes of a value in the trace
using budget::kHoldPrefix;
constexpr std::string_view kNodePrefix = "node/";
constexpr std::string_view kOpenPrefix = "open/";

/// The event that explains the change. Two events lead from one state to the same other one only where a plan awaits approval: whoever
/// submitted it may cancel, and who is asked may reject.
std::optional<JobEvent> event_between(JobState from, JobState to, bool cancel_requested) {
  if (from == JobState::kAwaitingApproval && to == JobState::kCancelled)
    return cancel_requested ? JobEvent::kCancel : JobEvent::kRejected;
  for (std::size_t i = 0; i < job::kNumJobEvents; ++i)
    if (job::transition(from, static_cast<JobEvent>(i)) == to) return static_cast<JobEvent>(i);
  return std::nullopt;
}

/// Two events leave a submission in doubt: it is sent again, or found without a time from which its settle window counts.
std::optional<SubmissionEvent> event_between(const SubmissionRecord& from, const SubmissionRecord& to) {
  const bool resent = from.state == to.state && from.sends != to.sends;
  for (std::size_t i = 0; i < submit::kNumSubmissionEvents; ++i) {
    const auto event = static_cast<SubmissionEvent>(i);
    if (submit::transition(from.state, event) == to.state && (event == SubmissionEvent::kResend) == resent)
      return event;
  }
  return std::nullopt;
}

/// Of a job's row, most of which is its plan: the members that the oracle remembers.
bool counts_of_job(int depth, Json::parse_event_t event, Json& parsed) {
  if (depth != 1 || event != Json::parse_event_t::key) return true;
  const auto& key = parsed.get_ref<const std::string&>();
  return key == "state" || key == "fence" || key == "cancel_requested" || key == "serial_key" || key == "tenant" ||
         key == "spec_sha256" || key == "owner" || key == "updated_at";
}

/// A submission keeps its state when a worker takes it over; that is no transition.
bool is_take_over(const SubmissionRecord& from, const SubmissionRecord& to) {
  return from.state == to.state && from.sends == to.sends && from.handle == to.handle &&
         from.raw_sha256 == to.raw_sha256 && from.doubt_at == to.doubt_at;
}

}  // namespace

Oracle::Oracle(const Scheduler& scheduler, Disk& disk, const Devices& devices, const Options& options, Trace trace)
    : scheduler_(scheduler),
      disk_(disk),
      devices_(devices),
      lease_ttl_ms_(options.lease_ttl),
      shared_(options.shared),
      trace_(std::move(trace)),
      doubts_(options.settle_window) {
  disk_.watchers.emplace(disk_.next_watcher++, [this] { check_accounts(); });
  disk_.observe([this](const std::string& process, const Changed& changed) { on_change(process, changed); });
}

const Oracle::Job* Oracle::job(const std::string& id, const Cell& cell) const {
  const auto known = jobs_.find(id);
  if (known != jobs_.end() && known->second.version == cell.version) return &known->second;
  const Json row = Json::parse(cell.value, counts_of_job, false);
  if (!row.is_object()) return nullptr;
  const auto state = job::find_job_state(row.value("state", ""));
  if (!state) return nullptr;
  std::string key = row.value("serial_key", "");
  if (!key.empty()) key = row.value("tenant", "") + "/" + key;
  return &jobs_
              .insert_or_assign(id, Job{.version = cell.version,
                                        .state = *state,
                                        .fence = row.value("fence", std::uint64_t{0}),
                                        .cancel_requested = row.value("cancel_requested", false),
                                        .key = std::move(key),
                                        .spec_sha256 = row.value("spec_sha256", ""),
                                        .owner = row.value("owner", ""),
                                        .updated_at = parse_rfc3339(row.value("updated_at", "")).value_or(Timestamp{})})
              .first->second;
}

const Oracle::Job* Oracle::job(const std::string& id) const {
  const auto found = disk_.rows(Table::kJob).find(id);
  return found == disk_.rows(Table::kJob).end() ? nullptr : job(id, found->second);
}

const SubmissionRecord* Oracle::submission(const std::string& token, const Cell& cell) const {
  const auto known = submissions_.find(token);
  if (known != submissions_.end() && known->second.version == cell.version) return &known->second;
  auto record = SubmissionRecord::parse({token, cell.version, cell.value});
  if (!record) return nullptr;
  return &submissions_.insert_or_assign(token, *std::move(record)).first->second;
}

void Oracle::write_trace(const std::string& process, const std::string& what) const {
  trace_(fmt::format("{:12.3f} {:8} {:10} {}", static_cast<double>(scheduler_.now()) / 1e6, scheduler_.steps(), process,
                     what));
}

void Oracle::fault(const std::string& process, const std::string& name) {
  ++coverage_.faults[name];
  tell(process, name);
}

void Oracle::violate(std::string what) {
  tell("", what);
  if (violation_.empty())
    violation_ =
        fmt::format("at {:.3f} ms, step {}: {}", static_cast<double>(scheduler_.now()) / 1e6, scheduler_.steps(), what);
}

void Oracle::acknowledged(const std::string& key, const JobId& id) {
  const auto [known, is_new] = acknowledged_.emplace(key, id);
  if (!is_new && known->second != id)
    violate(fmt::format("idempotency key {} was acknowledged as {} and as {}", key, known->second.value, id.value));
}

void Oracle::told_final(const JobId& id, JobState state) {
  const auto [known, is_new] = told_.emplace(id, state);
  if (!is_new && known->second != state)
    violate(fmt::format("a client was told that {} is {} and then that it is {}", id.value,
                        job::to_string(known->second), job::to_string(state)));
}

void Oracle::told_events(const JobId& id, const std::vector<job::Event>& events) {
  std::vector<std::uint64_t> told;
  for (const job::Event& event : events) told.push_back(event.sequence);
  std::vector<std::uint64_t> written;
  for (const store::LogEntry& entry : disk_.log())
    if (entry.subject == id.value) written.push_back(entry.sequence);
  // Of a submission that nobody waits for more may follow the end of its job.
  if (told.empty() || told.size() > written.size() || !std::equal(told.begin(), told.end(), written.begin()))
    violate(fmt::format("a client was told {} events of {}, the log has {} or others", told.size(), id.value,
                        written.size()));
}

void Oracle::accepted_by_device(const SimDevice& device, const std::string& token) {
  const std::string vendor = device.vendor().id();
  const auto& rows = disk_.rows(Table::kSubmission);
  const auto found = rows.find(token);
  if (found == rows.end()) return violate(fmt::format("{} got {}, of which nothing is on disk", vendor, token));
  const SubmissionRecord* record = submission(token, found->second);
  if (record == nullptr) return;
  if (record->sends == 0) violate(fmt::format("{} got {} before the intent was on disk", vendor, token));
  if (record->backend != vendor) violate(fmt::format("{} got {}, which was for {}", vendor, token, record->backend));
  if (record->emulated != device.vendor().emulated)
    violate(fmt::format("{} got {} for the wrong kind of money", vendor, token));
}

void Oracle::billed_twice(const SimDevice& device, const std::string& token) {
  violate(fmt::format("{} billed {} twice", device.vendor().id(), token));
}

void Oracle::said_yes(const approval::ApprovalId& id, const std::string& actor, const approval::Subject& seen) {
  yes_[{id.text(), actor}].push_back(seen);
}

void Oracle::disk_went_back() {
  jobs_.clear();  // a version that is written again is another one
  submissions_.clear();
  has_key_.clear();
  held_.clear();
  for (const auto& [id, cell] : disk_.rows(Table::kJob))
    if (const Job* now = job(id, cell); now != nullptr && now->state == JobState::kRunning && !now->key.empty())
      has_key_.emplace(now->key, id);
  for (const auto& [key, cell] : disk_.rows(Table::kBudget)) count_held(key, cell, 1);
}

void Oracle::on_change(const std::string& process, const Changed& changed) {
  if (trace_)
    tell(process, fmt::format("{} {} {}", store::to_string(changed.table), changed.key,
                              changed.after != nullptr ? changed.after->value.substr(0, kShownMax) : "erased"));
  if (changed.table == Table::kJob) return on_job(process, changed);
  if (changed.table == Table::kSubmission) return on_submission(process, changed);
  if (changed.table == Table::kMeta && changed.key.starts_with(kNodePrefix)) return on_node(process, changed);
  if (changed.table == Table::kBudget) {
    if (changed.before != nullptr) count_held(changed.key, *changed.before, -1);
    if (changed.after != nullptr) count_held(changed.key, *changed.after, 1);
  }
  if (changed.table == Table::kIdempotency && changed.before != nullptr)
    violate(fmt::format("the idempotency key {} was written again", changed.key));
}

void Oracle::on_job(const std::string& process, const Changed& changed) {
  if (changed.after == nullptr) return violate(fmt::format("{} erased job {}", process, changed.key));
  std::unique_ptr<Job> before;
  if (changed.before != nullptr)
    if (const Job* read = job(changed.key, *changed.before)) before = std::make_unique<Job>(*read);
  const Job* after = job(changed.key, *changed.after);
  if (after == nullptr) return violate(fmt::format("{} wrote a row of {} that cannot be read", process, changed.key));
  check_date(process, changed.key, *after);
  if (before == nullptr) {
    if (after->state != JobState::kQueued) violate(fmt::format("job {} was not queued first", changed.key));
    return;
  }
  JobState from = before->state;
  const JobState to = after->state;
  if (after->fence < before->fence)
    violate(
        fmt::format("{} took the fence of {} back from {} to {}", process, changed.key, before->fence, after->fence));
  if (job::is_final(from)) violate(fmt::format("{} wrote to {}, which is {}", process, changed.key, to_string(from)));
  if (before->cancel_requested && !after->cancel_requested)
    violate(fmt::format("{} forgot that {} is to be cancelled", process, changed.key));
  // What a run stores first stores its start as well.
  if (from == JobState::kQueued && to != JobState::kRunning && after->fence == before->fence + 1) {
    ++coverage_.job_transitions[transition_name(from, job::JobEvent::kStart, JobState::kRunning)];
    from = JobState::kRunning;
  }
  if (from == to) {
    if (from == JobState::kRunning && before->fence != after->fence)
      violate(fmt::format("{} started {}, which was running", process, changed.key));
    return;
  }
  doubts_.job_moved(changed.key, scheduler_.now());
  const auto event = event_between(from, to, after->cancel_requested);
  if (!event)
    return violate(fmt::format("{} moved {} from {} to {}", process, changed.key, to_string(from), to_string(to)));
  ++coverage_.job_transitions[transition_name(from, *event, to)];
  if (after->key.empty()) return;
  if (from == JobState::kRunning) has_key_.erase(after->key);
  if (to != JobState::kRunning) return;
  if (const auto [other, is_free] = has_key_.emplace(after->key, changed.key); !is_free)
    violate(
        fmt::format("{} started {} while {} runs under the key {}", process, changed.key, other->second, after->key));
}

/// Those that share a store agree on its clock. A commit may be late, so its time may be long past; it is not ahead, but for what a pause
/// in the middle of the first look at that clock makes of the answer.
void Oracle::check_date(const std::string& process, const std::string& id, const Job& row) {
  if (!shared_) return;
  const std::int64_t ahead_micros = row.updated_at.micros - SimClock::kStartMicros - scheduler_.now() / 1000;
  if (ahead_micros > 2 * lease_ttl_ms_ * 1000)
    violate(fmt::format("{} dated {} {:.3f} ms ahead of the store's clock", process, id,
                        static_cast<double>(ahead_micros) / 1000));
}

void Oracle::on_submission(const std::string& process, const Changed& changed) {
  if (changed.after == nullptr || changed.after->value.empty() || changed.key.find('/') != std::string::npos) return;
  std::unique_ptr<SubmissionRecord> before;
  if (changed.before != nullptr)
    if (const auto* read = submission(changed.key, *changed.before)) before = std::make_unique<SubmissionRecord>(*read);
  const SubmissionRecord* after = submission(changed.key, *changed.after);
  if (after == nullptr) return violate(fmt::format("the row of submission {} cannot be read", changed.key));
  if (before == nullptr) {
    if (after->state != SubmissionState::kReserved)
      violate(fmt::format("submission {} was not reserved first", changed.key));
    return check_owner(*after, Goes::kPaid);
  }
  if (after->fence < before->fence) violate(fmt::format("the fence of submission {} went back", changed.key));
  if (submit::is_final(before->state)) violate(fmt::format("submission {} changed after its end", changed.key));
  if (is_take_over(*before, *after)) {
    check_owner(*after, Goes::kOn);
    return doubts_.taken_over(after->token, scheduler_.now());
  }
  const auto event = event_between(*before, *after);
  if (!event)
    return violate(fmt::format("submission {} moved from {} to {}", changed.key, to_string(before->state),
                               to_string(after->state)));
  ++coverage_.submission_transitions[transition_name(before->state, *event, after->state)];
  check_vendor(*before, *after);
  if (const SimDevice* device = find_device(devices_, after->backend)) {
    const Job* owned = job(after->job.value);
    const bool runs = owned != nullptr && owned->state == JobState::kRunning && owned->fence == after->fence;
    const std::string runner = !runs ? "" : owned->owner.empty() ? process : owned->owner;
    const auto broken = doubts_.broken(process, *before, *after, *device, runner, scheduler_.now());
    if (!broken.empty()) violate(broken);
    doubts_.moved(process, *before, *after, *device, scheduler_.now());
  }
  if (after->sends != before->sends) check_owner(*after, Goes::kPaid);
  if (is_decided_by_worker(*before, *after)) check_owner(*after, Goes::kOn);
}

/// What no vendor says, and no reconciler decides while the job is not over.
bool Oracle::is_decided_by_worker(const SubmissionRecord& before, const SubmissionRecord& after) const {
  if (after.state == SubmissionState::kSettled) return true;
  const bool unreadable = before.state == SubmissionState::kTerminal && after.state == SubmissionState::kFailed;
  const bool given_back = before.state == SubmissionState::kReserved && after.state == SubmissionState::kCancelled;
  const bool given_up = before.state == SubmissionState::kConfirmed && after.state == SubmissionState::kHeld;
  if (!unreadable && !given_back && !given_up) return false;
  const auto& holds = disk_.rows(Table::kBudget);
  const auto hold = holds.find(std::string(kHoldPrefix) + after.job.value);
  return hold == holds.end() || !Json::parse(hold->second.value, nullptr, false).value("closed", true);
}

void Oracle::check_vendor(const SubmissionRecord& before, const SubmissionRecord& after) {
  const SimDevice* device = find_device(devices_, after.backend);
  if (device == nullptr) return violate(fmt::format("submission {} went to {}", after.token, after.backend));
  const bool in_doubt = after.state == SubmissionState::kAmbiguous || after.state == SubmissionState::kHeld;
  if (in_doubt && after.reason.empty())
    violate(fmt::format("submission {} is {} for no reason", after.token, submit::to_string(after.state)));
  const backend::SubmitSafety safety = device->vendor().safety;
  if (after.sends > before.sends && after.sends > 1) {
    vendor_saw(safety, kVendorResent);
    if (safety != backend::SubmitSafety::kA)
      violate(fmt::format("{} of class {} was sent {} a second time", after.backend, backend::to_string(safety),
                          after.token));
  }
  if (before.state == SubmissionState::kAmbiguous && after.state == SubmissionState::kHeld &&
      !device->find(after.token))
    vendor_saw(safety, kVendorHeld);
}

void Oracle::check_owner(const SubmissionRecord& record, Goes goes) {
  const Job* owned = job(record.job.value);
  if (owned == nullptr || owned->state != JobState::kRunning || owned->fence != record.fence)
    violate(fmt::format("submission {} went on to {} under fence {}, and its job is {} under {}", record.token,
                        submit::to_string(record.state), record.fence,
                        owned == nullptr ? "gone" : to_string(owned->state), owned == nullptr ? 0 : owned->fence));
  if (goes == Goes::kPaid && owned != nullptr && is_production(record, owned->spec_sha256))
    check_approved(record, Json::parse(disk_.rows(Table::kJob).at(record.job.value).value, nullptr, false));
}

bool Oracle::is_production(const SubmissionRecord& record, const std::string& spec_sha256) {
  const auto [known, is_new] = production_.emplace(spec_sha256, false);
  if (!is_new) return known->second;
  const auto& blobs = disk_.rows(Table::kBlob);
  const auto found = blobs.find(spec_sha256);
  const Json spec = found == blobs.end() ? Json() : Json::parse(found->second.value, nullptr, false);
  if (!spec.is_object())
    violate(fmt::format("submission {} was sent for a job without document", record.token));
  else
    known->second = spec.value("/business/stage"_json_pointer, "") == "production";
  return known->second;
}

/// By the rows and by what people saw, in the simulation's own words: production goes out for a plan to which two people, neither of
/// them one who submitted it, said yes, at no higher price.
void Oracle::check_approved(const SubmissionRecord& record, const Json& row) {
  const auto stored = [this](Table table, const std::string& key) {
    const auto found = disk_.rows(table).find(key);
    return found == disk_.rows(table).end() ? Json() : Json::parse(found->second.value, nullptr, false);
  };
  const Json asked =
      stored(Table::kStep, fmt::format("{}/approval/{:06}", record.job.value, row.value("approvals", 0)));
  if (!asked.is_object())
    return violate(fmt::format("submission {} was sent, and nobody was asked for an approval", record.token));
  std::set<std::string> people;
  bool rejected = asked["state"] != "approved";
  for (const Json& word : asked["decisions"]) {
    rejected = rejected || word["decision"] != "approve";
    const auto actor = word["actor"].get<std::string>();
    if (word["actor"] != row["actor"]) people.insert(actor);
    const auto said = yes_.find({asked.value("approval_id", ""), actor});
    const auto meant = [&](const approval::Subject& seen) {
      return seen.plan_digest == asked["plan_digest"] && seen.cost_max.usd_micros == asked["cost_max_usd_micros"] &&
             seen.cost_max_emulated.usd_micros == asked["cost_max_emulated_usd_micros"];
    };
    if (said == yes_.end() || std::none_of(said->second.begin(), said->second.end(), meant))
      violate(
          fmt::format("submission {} was sent for a plan that {} never saw: {}", record.token, actor, asked.dump()));
  }
  const auto digest = row.value("/plan/digest"_json_pointer, "");
  const auto price =
      asked.value(record.emulated ? "cost_max_emulated_usd_micros" : "cost_max_usd_micros", std::int64_t{-1});
  if (people.size() < 2 || rejected || asked["plan_digest"] != digest || record.reserved.usd_micros > price)
    violate(fmt::format("submission {} was sent at {} for a plan that {} approved: {}", record.token,
                        record.reserved.usd_micros, people.size(), asked.dump()));
}

void Oracle::on_node(const std::string& process, const Changed& changed) {
  const std::string node = changed.key.substr(kNodePrefix.size());
  if (node == process) {  // its lease counts from its last look at the clock
    lease_until_[node] = clock_read_[process] + lease_ttl_ms_ * 1'000'000;
  } else if (scheduler_.now() < lease_until_[node])
    violate(fmt::format("{} buried {}, whose lease has {:.3f} ms left by the store's clock", process, node,
                        static_cast<double>(lease_until_[node] - scheduler_.now()) / 1e6));
}

void Oracle::check_acknowledged(const std::string& when) {
  for (const auto& [key, id] : acknowledged_)
    if (!disk_.rows(Table::kJob).contains(id.value))
      violate(fmt::format("job {} was acknowledged and is lost ({})", id.value, when));
  for (const JobId& id : retries_)
    if (!disk_.rows(Table::kJob).contains(id.value))
      violate(fmt::format("job {} was acknowledged as a retry and is lost ({})", id.value, when));
  for (const auto& [id, state] : told_) {
    const Job* now = job(id.value);
    if (now != nullptr && now->state != state)
      violate(fmt::format("a client was told that {} is {}, it is {} ({})", id.value, job::to_string(state),
                          job::to_string(now->state), when));
  }
}

bool Oracle::settled(std::string* what_is_open) const {
  for (const auto& [id, cell] : disk_.rows(Table::kJob)) {
    const Job* now = job(id, cell);
    if (now != nullptr && job::is_final(now->state)) continue;
    *what_is_open = fmt::format("job {} is {}", id, now != nullptr ? job::to_string(now->state) : "unreadable");
    return false;
  }
  const auto& rows = disk_.rows(Table::kSubmission);
  const std::string begin(kOpenPrefix);
  for (auto row = rows.lower_bound(begin); row != rows.end() && row->first.starts_with(begin); ++row) {
    const std::string token = row->first.substr(begin.size());
    const auto found = rows.find(token);
    if (found == rows.end()) continue;
    const SubmissionRecord* record = submission(token, found->second);
    const SimDevice* device = record != nullptr ? find_device(devices_, record->backend) : nullptr;
    const auto handle = device != nullptr ? device->find(token) : std::nullopt;
    // A person has to look, the device does not know it, or it names no bill: nothing that we can end.
    const bool waits = device != nullptr && record->state == SubmissionState::kHeld &&
                       (device->opaque() || !handle || !device->book().at(*handle).names_bill);
    if (waits) continue;
    *what_is_open =
        fmt::format("submission {} is {}", token, record != nullptr ? submit::to_string(record->state) : "unreadable");
    return false;
  }
  return true;
}

void Oracle::check_end() {
  check_acknowledged("at the end");
  for (const auto& [key, id] : acknowledged_) {
    const auto& rows = disk_.rows(Table::kIdempotency);
    if (std::none_of(rows.begin(), rows.end(), [&, job = id.value](const auto& row) {
          return row.first.ends_with("/" + key) && row.second.value.find(job) != Bytes::npos;
        }))
      violate(fmt::format("the idempotency key {} does not stand for {}", key, id.value));
  }
  check_log();
  check_money();
  check_books();
  check_charges();
  check_unfound();
}

void Oracle::check_log() {
  struct Told {
    JobState state = JobState::kQueued;
    bool seen = false;
    std::set<std::string> steps;
    std::map<std::string, std::uint32_t> tries;  ///< of a step on a backend
    std::set<std::string> waits;  ///< the same
  };
  std::map<std::string, Told> jobs;
  const std::map<std::string, JobState> moves = {{"job.started", JobState::kRunning},
                                                 {"job.requeued", JobState::kQueued},
                                                 {"job.succeeded", JobState::kSucceeded},
                                                 {"job.failed", JobState::kFailed},
                                                 {"job.cancelled", JobState::kCancelled},
                                                 {"job.expired", JobState::kExpired},
                                                 {"job.suspended", JobState::kSuspended},
                                                 {"job.resumed", JobState::kQueued},
                                                 {"job.awaiting_approval", JobState::kAwaitingApproval},
                                                 {"job.approved", JobState::kQueued},
                                                 {"job.awaiting_review", JobState::kAwaitingReview}};
  for (const store::LogEntry& entry : disk_.log()) {
    const Json event = Json::parse(entry.value, nullptr, false);
    if (!event.is_object()) return violate(fmt::format("event {} cannot be read", entry.sequence));
    const std::string type = event.value("type", "");
    Told& job = jobs[entry.subject];
    if (type == "job.queued") {
      if (job.seen) violate(fmt::format("the log has {} queued twice", entry.subject));
      job.seen = true;
    }
    if (!job.seen) return violate(fmt::format("the log has {} of {} before it was queued", type, entry.subject));
    if (const auto move = moves.find(type); move != moves.end()) {
      if (!event_between(job.state, move->second, false))  // which of two it was does not matter here
        return violate(
            fmt::format("the log has {} of {}, which is {} there", type, entry.subject, job::to_string(job.state)));
      job.state = move->second;
    }
    const Json data = event.value("data", Json::object());
    const std::string backend = data.value("backend", "");
    if (type.starts_with("submission.") || type == "step.finished")
      count_vendor(type, event, job.waits.contains(fmt::format("{} on {}", data.value("step", ""), backend)));
    if (type.starts_with("step.")) {
      const std::string step = fmt::format("{}/{}", data.value("round", 0), data.value("label", ""));
      if (type == "step.retrying") {
        const std::uint32_t number = data.value("try", 0u);
        std::uint32_t& last = job.tries[fmt::format("{} on {}", step, backend)];
        if (number != ++last || job.steps.contains(step))
          violate(fmt::format("try {} of step {} of {} failed after try {}", number, step, entry.subject, last - 1));
        continue;
      }
      if (type == "step.waiting") {
        const std::string there = fmt::format("{} on {}", step, backend);
        if (!job.waits.insert(there).second || job.steps.contains(step))
          violate(fmt::format("the wait of {} of {} began anew", there, entry.subject));
        continue;
      }
      if (!job.steps.insert(step).second)
        violate(fmt::format("step {} of {} was completed twice", step, entry.subject));
      if (job.state != JobState::kRunning)
        violate(fmt::format("step {} of {} was completed while the job was {}", step, entry.subject,
                            job::to_string(job.state)));
    }
  }
  for (const auto& [id, cell] : disk_.rows(Table::kJob)) {
    const Job* now = job(id, cell);
    if (now != nullptr && now->state != jobs[id].state)
      violate(fmt::format("job {} is {}, by its log it is {}", id, job::to_string(now->state),
                          job::to_string(jobs[id].state)));
  }
}

/// By what the log tells of one event.
void Oracle::count_vendor(const std::string& type, const Json& event, bool waited_for) {
  const Json& data = event["data"];
  const std::string backend = data.value("backend", "");
  const SimDevice* device = find_device(devices_, backend);
  if (device == nullptr) return;
  const backend::SubmitSafety safety = device->vendor().safety;
  if (type != "step.finished") doubts_.told(type, event, *device, coverage_);
  if (type == "submission.confirmed" && event.value("actor", "") == "reconciler") vendor_saw(safety, kVendorAdopted);
  if (type == "submission.intent" && waited_for) vendor_saw(safety, kVendorWaited);
  if (type == "submission.orphan") vendor_saw(safety, kVendorOrphan);
  if (type != "step.finished") return;
  for (const Json& station : data.value("path", Json::array())) {
    const std::string other = station.value("backend", "");
    if (other == backend || station.value("outcome", "") != "left" || find_device(devices_, other) == nullptr) continue;
    return vendor_saw(safety, kVendorStandsIn);
  }
}

}  // namespace tandem::sim
