#include "tandem/evidence/benchmark/benchmark.h"

#include <algorithm>

#include "tandem/base/text.h"

namespace tandem::benchmark {
namespace {

/// 0x1f cannot stand in a class or a backend name, so the prefix of a class is exact.
constexpr char kSeparator = '\x1f';

}  // namespace

std::string_view to_string(Role role) { return role == Role::kWhole ? "whole" : "core"; }

Json EvidenceRecord::document() const {
  return {{"instance_class", instance_class},
          {"role", to_string(role)},
          {"backend", backend},
          {"job_id", job.value},
          {"label", label},
          {"succeeded", succeeded},
          {"reached_best", reached_best},
          {"objective", objective},
          {"elapsed_ms", elapsed_ms},
          {"cost_usd_micros", cost.usd_micros},
          {"engines", engines},
          {"at", format_rfc3339(at)}};
}

Result<EvidenceRecord> EvidenceRecord::parse(const store::Row& row) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row.value, "evidence " + row.key));
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  EvidenceRecord out;
  TANDEM_TRY_ASSIGN(out.instance_class, reader.string("instance_class"));
  TANDEM_TRY_ASSIGN(const std::string role, reader.string("role"));
  if (role != to_string(Role::kWhole) && role != to_string(Role::kCore))
    return fail_at("/role", errors::kStoreDamaged, "{} is no role of evidence", quote(role));
  out.role = role == to_string(Role::kWhole) ? Role::kWhole : Role::kCore;
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(const std::string job, reader.string("job_id"));
  out.job = JobId(job);
  TANDEM_TRY_ASSIGN(out.label, reader.string("label"));
  TANDEM_TRY_ASSIGN(out.succeeded, reader.boolean_or("succeeded", false));
  TANDEM_TRY_ASSIGN(out.reached_best, reader.boolean_or("reached_best", false));
  TANDEM_TRY_ASSIGN(out.objective, reader.number("objective"));
  TANDEM_TRY_ASSIGN(out.elapsed_ms, reader.number("elapsed_ms"));
  TANDEM_TRY_ASSIGN(out.cost.usd_micros, reader.integer("cost_usd_micros", INT64_MIN, INT64_MAX));
  TANDEM_TRY_ASSIGN(out.engines, reader.strings_or_empty("engines"));
  TANDEM_TRY_ASSIGN(const std::string at, reader.string("at"));
  TANDEM_TRY_ASSIGN(out.at, parse_rfc3339(at));
  return out;
}

void add(store::Batch& batch, const EvidenceRecord& record) {
  // Job ids sort by time, so the newest attempts of a class stand last.
  std::string key = fmt::format("{}{}{}{}{}{}{}{}", record.instance_class, kSeparator, to_string(record.role),
                                kSeparator, record.job.value, kSeparator, record.label, kSeparator);
  batch.put(store::Table::kEvidence, key + record.backend, record.document().dump());
}

namespace {

std::string simulation_row(std::string_view tenant, std::string_view key) {
  return fmt::format("simulated/{}/{}", tenant, key);
}

}  // namespace

void add_simulation(store::Batch& batch, std::string_view tenant, std::string_view key, const JobId& job) {
  batch.put(store::Table::kEvidence, simulation_row(tenant, key), Json{{"job_id", job.value}}.dump());
}

Result<bool> is_simulated(store::Store& store, std::string_view tenant, std::string_view key) {
  TANDEM_TRY_ASSIGN(const auto row, store.get(store::Table::kEvidence, simulation_row(tenant, key)));
  return row.has_value();
}

Result<std::map<std::string, Experience>> experience(store::Store& store, const std::string& instance_class,
                                                     Role role) {
  store::Scan scan =
      store::Scan::prefix(store::Table::kEvidence,
                          fmt::format("{}{}{}{}", instance_class, kSeparator, to_string(role), kSeparator), kRunsMax);
  scan.descending = true;
  TANDEM_TRY_ASSIGN(const std::vector<store::Row> rows, store.scan(scan));
  std::map<std::string, std::vector<EvidenceRecord>> by_backend;
  for (const store::Row& row : rows) {
    TANDEM_TRY_ASSIGN(EvidenceRecord record, EvidenceRecord::parse(row));
    by_backend[record.backend].push_back(std::move(record));
  }
  std::map<std::string, Experience> out;
  for (const auto& [backend, records] : by_backend) {
    std::vector<double> latencies;
    std::size_t best = 0;
    std::map<std::string, std::uint64_t> engines;
    for (const EvidenceRecord& record : records) {
      latencies.push_back(record.elapsed_ms);
      best += record.reached_best ? 1 : 0;
      for (const std::string& engine : record.engines) ++engines[engine];
    }
    const auto middle = latencies.begin() + static_cast<std::ptrdiff_t>(latencies.size() / 2);
    std::nth_element(latencies.begin(), middle, latencies.end());
    out[backend] = {.runs = records.size(),
                    .share_best = static_cast<double>(best) / static_cast<double>(records.size()),
                    .latency_ms_median = *middle,
                    .engines = std::move(engines)};
  }
  return out;
}

}  // namespace tandem::benchmark
