// tandem/evidence/lineage/lineage.h - Lineage: how each result came to be, complete enough to compute it again.
//
// Room: evidence. Schema: contract/schemas/lineage.schema.json.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tandem/base/id.h"
#include "tandem/base/json.h"
#include "tandem/hybrid/loop.h"
#include "tandem/model/job/job_spec.h"
#include "tandem/model/job/plan.h"
#include "tandem/model/job/result_document.h"

namespace tandem::lineage {

/// One order as it was carried out: enough to repeat a local one or to decode a remote one again.
struct WorkRecord {
  std::string label;
  std::uint32_t round = 0;
  std::string backend;
  std::string backend_version;
  bool local = true;
  bool emulated = false;
  std::vector<job::PathEntry> path;
  std::vector<job::PartialAnswer> partial;  ///< answers that were not whole
  std::vector<job::FailedTry> tries;  ///< those that were followed by another of the same backend
  std::optional<job::CachedAnswer> cached;  ///< the answer was given to another job: raw_sha256 names its bytes
  /// Of whole problems and programs: hash over what decides the answer (submit::question), by which cached_result finds it.
  std::string question_sha256;
  std::vector<std::uint64_t> work_done;  ///< units a strand: the time budget as work
  std::string unit_name;
  solve::RaceRecord race;  ///< of solve work by several engines
  std::optional<double> best_energy;  ///< of solve work, in the model it was given
  std::uint64_t seed = 0;
  std::uint64_t shots = 0;
  std::string raw_sha256;  ///< of the raw result in the blob table; empty when failed
  std::string raw_media_type;
  std::string calibration_id;
  std::optional<double> calibration_age_ms;  ///< when the answer was taken
  std::string token;  ///< of the submission; empty for local work
  job::Money billed;
  std::string error;  ///< text with number; empty on success
  std::uint16_t error_number = 0;
  double elapsed_ms = 0;
  double waited_ms = 0;  ///< of those, until a backend took work at all
  std::optional<double> time_to_best_ms;
  /// Whether a replay computes it again; else it decodes the recorded bytes.
  bool recomputed() const { return local && !cached; }
  /// The reply of this order without its result and error.
  hybrid::Reply reply() const;
  Json document() const;
  static Result<WorkRecord> parse(const Json& document, const std::string& pointer);
};

/// A submission whose outcome came after its step had moved on: billed and recorded, used by nobody. Not part of the walk, so a
/// replay does not know it.
struct OrphanRecord {
  std::string token;
  std::string step;
  std::uint32_t attempt = 0;
  std::string backend;
  bool emulated = false;
  std::string handle;  ///< the provider's name for it
  std::string reason;
  job::Money billed;  ///< not in the result's sum
  std::string raw_sha256;  ///< of the bytes in the blob table; empty where the provider no longer had them
  std::string raw_media_type;
  std::string calibration_id;
  std::string intent_at;  ///< when it was about to be sent
  std::string found_at;  ///< when its outcome was recorded
  Json document() const;
  static Result<OrphanRecord> parse(const Json& document, const std::string& pointer);
  friend bool operator==(const OrphanRecord&, const OrphanRecord&) = default;
};

/// What of this build and machine decides bytes.
struct Versions {
  std::string tandem;  ///< "0.1.0"
  std::string build;  ///< compiler and flags
  Json machine_profile;  ///< processors, model, memory; `speed` of simulated circuits, where it was measured
  std::string settings_digest;
};

/// The lineage document of one job.
struct LineageRecord {
  LineageId id;
  JobId job;
  JsonText spec;  ///< options of the job; the blob `spec_sha256` has its problem, which may be millions of numbers
  std::string problem_sha256;
  std::string spec_sha256;
  JsonText plan;
  Json walk;  ///< formulation, encoding, trail, circuit and objective hashes, post-processing
  std::vector<WorkRecord> work;
  Versions versions;
  std::string result_sha256;  ///< of the canonical result
  std::string created_at;
  std::string consumer;
  Json
      approval;  ///< by which the plan was approved, contract/schemas/approval.schema.json; null: it needed nobody's word
  std::optional<job::ReviewNote> review;  ///< of a result that waited for a person
  /// Filled by whoever reads the record, from the ledger of submissions: they may appear long after the job has ended, when
  /// what is stored does not change any more.
  std::vector<OrphanRecord> orphans;
  Result<std::string> data_class() const;  ///< of the job. Errors: 1021 wrong_type - `spec` is no job document
  JsonText text() const;  ///< the document, canonical
  Json document() const;  ///< text() to look into
  static Result<LineageRecord> parse(const Json& document);
};

/// What a fresh process needs to compute the canonical result again. The stored result is not in it.
struct ReplayPackage {
  Json spec;
  Json plan;
  std::vector<WorkRecord> work;
  std::map<std::string, Bytes> raw;  ///< remote raw results by sha256
  Json document() const;  ///< bytes as base64
  static Result<ReplayPackage> parse(const Json& document);
};

struct ReplayOutcome {
  std::string canonical_sha256;
  Json canonical;  ///< canonical result
  std::vector<std::string> differences;  ///< local raw results whose hash differs from the record
};

/// Drives the walk from records: local orders are computed again with the recorded work units, remote ones decoded again.
/// Errors: 5011 replay_not_comparable - a local backend has another version or is not here.
Result<ReplayOutcome> replay(const ReplayPackage& package, const backend::BackendRegistry& backends,
                             const problem::ProblemRegistry& problems, std::size_t threads);

/// JSON paths whose values differ between two documents, with both values; at most `limit`.
std::vector<std::string> difference(const Json& a, const Json& b, std::size_t limit = 20);

}  // namespace tandem::lineage
