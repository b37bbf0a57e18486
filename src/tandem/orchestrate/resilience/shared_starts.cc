#include "tandem/orchestrate/resilience/shared_starts.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "tandem/base/json.h"

namespace tandem::resilience {
namespace {

constexpr std::int64_t kMinuteMicros = 60'000'000;

/// Of the last minute, the oldest first. What stands there as later than now was noted by a clock that is ahead of this one and counts, or by
/// one that was set back since and does not.
Result<std::vector<std::int64_t>> starts_in(const store::Row& row, std::int64_t now) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row.value, row.key));
  std::vector<std::int64_t> out;
  for (const Json& start : document) {
    if (!start.is_number_integer()) return fail_at(row.key, errors::kStoreDamaged, "{} is no time", start.dump());
    const auto at = start.get<std::int64_t>();
    if (std::abs(now - at) < kMinuteMicros) out.push_back(at);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Result<std::chrono::nanoseconds> SharedStarts::begin(const std::string& gate, std::size_t per_minute_max) {
  const std::string key = "starts/" + gate;
  while (true) {
    TANDEM_TRY_ASSIGN(const auto row, store_.get(store::Table::kMeta, key));
    const std::int64_t now = clock_.now().micros;
    std::vector<std::int64_t> starts;
    if (row) {
      TANDEM_TRY_ASSIGN(starts, starts_in(*row, now));
    }
    if (starts.size() >= per_minute_max) {
      const std::int64_t oldest = starts[starts.size() - per_minute_max];
      return std::chrono::microseconds(oldest + kMinuteMicros - now);
    }
    starts.push_back(now);
    const auto done =
        store_.commit_and_wait(store::Batch().put(store::Table::kMeta, key, Json(starts).dump(),
                                                  row ? store::Expect::at(row->version) : store::Expect::absent()));
    if (done) return std::chrono::nanoseconds(0);
    // Another process was faster: one more has begun, so this ends.
    if (done.error().number != errors::kPreconditionFailed) return tl::unexpected(done.error());
  }
}

}  // namespace tandem::resilience
