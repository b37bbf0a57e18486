// tandem/evidence/benchmark/benchmark.h - Evidence: what each method did on each class of instances; the router reads it.
//
// Room: evidence. One record an attempt, written in the commit that ends the job.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/id.h"
#include "tandem/base/json.h"
#include "tandem/model/job/money.h"
#include "tandem/store/store.h"

namespace tandem::benchmark {

/// What an attempt worked on. Each has a history of its own: a core solved in a millisecond says nothing of whole problems.
enum class Role : std::uint8_t { kWhole, kCore };
std::string_view to_string(Role role);

struct EvidenceRecord {
  std::string instance_class;  ///< "qubo/dense/1000"
  Role role = Role::kWhole;
  std::string backend;
  JobId job;
  std::string label;  ///< of the order
  bool succeeded = false;
  bool reached_best = false;  ///< its best is the best of the job
  double objective = 0;
  double elapsed_ms = 0;
  job::Money cost;
  std::vector<std::string> engines{};  ///< of its race, those that found its best
  Timestamp at;
  Json document() const;
  static Result<EvidenceRecord> parse(const store::Row& row);
};

/// Adds the record to a batch; its key sorts by class, role and time.
void add(store::Batch& batch, const EvidenceRecord& record);

/// Notes that a job succeeded on a simulator; `key` says with what (route::simulation_key). One row a tenant and key: the last such job.
void add_simulation(store::Batch& batch, std::string_view tenant, std::string_view key, const JobId& job);
/// Whether one has. Errors: those of the store.
Result<bool> is_simulated(store::Store& store, std::string_view tenant, std::string_view key);

/// Earlier attempts of one backend on one class.
struct Experience {
  std::uint64_t runs = 0;
  double share_best = 0;  ///< of runs that reached the best of their job
  double latency_ms_median = 0;
  std::map<std::string, std::uint64_t> engines{};  ///< of its races: in how many of the runs each found the best
};

/// By backend; the latest kRunsMax attempts count. Errors: those of the store.
Result<std::map<std::string, Experience>> experience(store::Store& store, const std::string& instance_class, Role role);

inline constexpr std::size_t kRunsMax = 500;  ///< of one class: older attempts were made by older versions

}  // namespace tandem::benchmark
