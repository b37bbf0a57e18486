#include "tandem/orchestrate/engine/membership.h"

#include <algorithm>
#include <map>
#include <set>

#include "tandem/orchestrate/engine/crash_points.h"
#include "tandem/orchestrate/engine/job_record.h"

namespace tandem::engine {
namespace {

constexpr std::string_view kPrefix = "node/";
constexpr std::string_view kLeader = "leader";
constexpr std::string_view kOwners = "owner/";
constexpr int kMarginShare = 5;  ///< a fifth of the lease is left to clocks that run apart and to stopping
constexpr int kForgottenAfter = 60;  ///< leases; a row without jobs is then dropped as well

std::string key_of(std::string_view node) { return std::string(kPrefix).append(node); }

Result<std::int64_t> until_of(const store::Row& row) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row.value, row.key));
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  return reader.integer("until_micros", 0, INT64_MAX);
}

}  // namespace

Membership::Membership(store::Store& store, const Clock& clock, const CrashPoints& crash_points, std::string id,
                       std::chrono::milliseconds ttl, Json facts)
    : store_(store),
      clock_(clock),
      crash_points_(crash_points),
      id_(std::move(id)),
      ttl_(ttl),
      facts_(std::move(facts)),
      next_lapse_(ttl) {}

Result<void> Membership::write(store::Expect expect, Json jobs) {
  const Instant begin = clock_.monotonic();
  TANDEM_TRY_ASSIGN(const Timestamp now, store_.now());
  Json row = facts_;
  row["jobs"] = std::move(jobs);
  row["until_micros"] = now.micros + std::chrono::microseconds(ttl_).count();
  TANDEM_TRY(store_.commit_and_wait(store::Batch().put(store::Table::kMeta, key_of(id_), row.dump(), expect)));
  ++version_;
  good_until_ns_ = (begin + good_for()).nanos;
  return {};
}

std::chrono::nanoseconds Membership::good_for() const { return ttl_ - ttl_ / kMarginShare; }

Result<void> Membership::join() {
  TANDEM_TRY_ASSIGN(const auto row, store_.get(store::Table::kMeta, key_of(id_)));
  version_ = row ? row->version : 0;
  crash_points_.reach(one_of(kPoints, "node.before_join"));
  TANDEM_TRY(write(row ? store::Expect::at(version_) : store::Expect::absent(), Json::object()));
  crash_points_.reach(one_of(kPoints, "node.after_join"));
  return {};
}

Result<void> Membership::beat(Json jobs) {
  crash_points_.reach(one_of(kPoints, "node.before_beat"));
  auto done = write(store::Expect::at(version_), std::move(jobs));
  crash_points_.reach(one_of(kPoints, "node.after_beat"));
  if (done || done.error().number != errors::kPreconditionFailed) return done;
  good_until_ns_ = 0;
  return fail(errors::kLeaseLost, "the lease of {} ran out and others took its jobs over", id_);
}

Result<void> Membership::leave() {
  good_until_ns_ = 0;
  crash_points_.reach(one_of(kPoints, "node.before_leave"));
  auto done =
      store_.commit_and_wait(store::Batch().erase(store::Table::kMeta, key_of(id_), store::Expect::at(version_)));
  crash_points_.reach(one_of(kPoints, "node.after_leave"));
  return done.map([](const store::Committed&) {});
}

std::chrono::nanoseconds Membership::left() const {
  return std::chrono::nanoseconds(good_until_ns_ - clock_.monotonic().nanos);
}

std::optional<resilience::AmongOthers> among_others(store::Store& store, const Clock& clock,
                                                    const std::string& node_id) {
  if (node_id.empty() || !store.shared()) return std::nullopt;
  return resilience::AmongOthers{.node = node_id, .has_lease = [&store, &clock](const std::string& node) {
                                   return Membership::lease_end(store, node).map([&](const auto& end) {
                                     return end && *end >= clock.now().micros;
                                   });
                                 }};
}

Result<std::optional<std::int64_t>> Membership::lease_end(store::Store& store, std::string_view node) {
  TANDEM_TRY_ASSIGN(const auto row, store.get(store::Table::kMeta, key_of(node)));
  if (!row) return std::nullopt;
  return until_of(*row);
}

bool Membership::require_lead(store::Batch& batch) const {
  const std::uint64_t version = leader_version_;
  if (version == 0 || !holds()) return false;
  batch.check(store::Table::kMeta, std::string(kLeader), store::Expect::at(version));
  return true;
}

void Membership::saw_lease(std::int64_t until_micros, Timestamp now) {
  if (until_micros >= now.micros)
    next_lapse_ = std::min<std::chrono::nanoseconds>(next_lapse_, std::chrono::microseconds(until_micros - now.micros));
}

Result<bool> Membership::lead() {
  next_lapse_ = ttl_;
  TANDEM_TRY_ASSIGN(const auto row, store_.get(store::Table::kMeta, kLeader));
  std::int64_t term = 1;
  if (row) {
    TANDEM_TRY_ASSIGN(const Json document, parse_json(row->value, row->key));
    TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
    TANDEM_TRY_ASSIGN(const std::string node, reader.string("node"));
    if (node == id_) {
      leader_version_ = row->version;
      return holds();
    }
    leader_version_ = 0;
    TANDEM_TRY_ASSIGN(const auto end, lease_end(store_, node));
    if (end) {
      TANDEM_TRY_ASSIGN(const Timestamp now, store_.now());
      saw_lease(*end, now);
      if (*end >= now.micros) return false;
    }
    TANDEM_TRY_ASSIGN(term, reader.integer("term", 1, INT64_MAX - 1));
    ++term;
  }
  crash_points_.reach(one_of(kPoints, "node.before_lead"));
  const auto done = store_.commit_and_wait(store::Batch()
                                               .check(store::Table::kMeta, key_of(id_), store::Expect::at(version_))
                                               .put(store::Table::kMeta, std::string(kLeader),
                                                    Json{{"node", id_}, {"term", term}}.dump(),
                                                    row ? store::Expect::at(row->version) : store::Expect::absent()));
  crash_points_.reach(one_of(kPoints, "node.after_lead"));
  if (done) {
    leader_version_ = row ? row->version + 1 : 1;
    return true;
  }
  if (done.error().number == errors::kPreconditionFailed) return false;
  return tl::unexpected(done.error());
}

Result<Json> Membership::jobs_of(store::Store& store, std::string_view node) {
  TANDEM_TRY_ASSIGN(const auto row, store.get(store::Table::kMeta, key_of(node)));
  if (!row) return Json::object();
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row->value, row->key));
  return document.value("jobs", Json::object());
}

Result<std::set<std::string>> Membership::owners() {
  std::set<std::string> out;
  store::Scan scan = store::Scan::prefix(store::Table::kJobIndex, std::string(kOwners), 1);
  while (true) {
    TANDEM_TRY_ASSIGN(const std::vector<store::Row> rows, store_.scan(scan));
    if (rows.empty()) return out;
    const std::string_view rest = std::string_view(rows.front().key).substr(kOwners.size());
    const std::string_view node = rest.substr(0, rest.find('/'));
    out.emplace(node);
    scan.from = fmt::format("{}{}{}", kOwners, node, static_cast<char>('/' + 1));  // past all of this one
  }
}

Result<std::vector<std::string>> Membership::lapsed() {
  // The owners first: who joins and starts a job between the two readings would look lapsed the other way round.
  TANDEM_TRY_ASSIGN(const std::set<std::string> with_jobs, owners());
  TANDEM_TRY_ASSIGN(const auto nodes, rows_under(store_, store::Table::kMeta, kPrefix));
  TANDEM_TRY_ASSIGN(const Timestamp now, store_.now());
  std::map<std::string, std::int64_t> until;
  for (const store::Row& row : nodes) {
    TANDEM_TRY_ASSIGN(until[row.key.substr(kPrefix.size())], until_of(row));
  }
  std::set<std::string> out;
  for (const std::string& node : with_jobs) {
    const auto known = until.find(node);
    if (node != id_ && (known == until.end() || known->second < now.micros)) out.insert(node);
  }
  for (const auto& [node, micros] : until) {
    if (node == id_) continue;
    saw_lease(micros, now);
    if (micros < forgotten_before(now)) out.insert(node);
  }
  return std::vector<std::string>(out.begin(), out.end());
}

Result<std::optional<Burial>> Membership::bury(const std::string& node) {
  TANDEM_TRY_ASSIGN(const auto row, store_.get(store::Table::kMeta, key_of(node)));
  if (!row) return Burial{.node = node, .row = store::Expect::absent()};
  TANDEM_TRY_ASSIGN(const std::int64_t until, until_of(*row));
  TANDEM_TRY_ASSIGN(const Timestamp now, store_.now());
  if (until >= now.micros) return std::nullopt;
  // The row stays for a while, at a new version: if it went, its versions would begin anew when the process comes back, and who looked
  // at it long ago could bury him again.
  store::Batch batch;
  const store::Expect unchanged = store::Expect::at(row->version);
  const bool is_forgotten = until < forgotten_before(now);
  if (is_forgotten)
    batch.erase(store::Table::kMeta, row->key, unchanged);
  else
    batch.put(store::Table::kMeta, row->key, row->value, unchanged);
  crash_points_.reach(one_of(kPoints, "node.before_bury"));
  const auto done = store_.commit_and_wait(std::move(batch));
  crash_points_.reach(one_of(kPoints, "node.after_bury"));
  if (done)
    return Burial{.node = node, .row = is_forgotten ? store::Expect::absent() : store::Expect::at(row->version + 1)};
  if (done.error().number == errors::kPreconditionFailed) return std::nullopt;
  return tl::unexpected(done.error());
}

void Burial::require(store::Batch& batch) const { batch.check(store::Table::kMeta, key_of(node), row); }

std::int64_t Membership::forgotten_before(Timestamp now) const {
  return now.micros - kForgottenAfter * std::chrono::microseconds(ttl_).count();
}

}  // namespace tandem::engine
