#include "tandem/orchestrate/resilience/shared_starts.h"

#include <map>
#include <optional>

#include "tandem/base/json.h"

namespace tandem::resilience {
namespace {

constexpr std::int64_t kMinuteMicros = 60'000'000;
constexpr std::int64_t kStepMicros = SharedStarts::kStep.count();
constexpr std::size_t kCountMax = 1'000'000'000;  ///< in one step, whatever a row says

/// How many began in which step. As a document [[step, count], ...].
using Steps = std::map<std::int64_t, std::size_t>;

/// When a start of that step counts no more.
std::int64_t past_at(std::int64_t step) { return (step + 1) * kStepMicros + kMinuteMicros; }

Result<Steps> read(const store::Row& row) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row.value, row.key));
  Steps out;
  const auto damaged = [&](const Json& part) {
    return fail_at(row.key, errors::kStoreDamaged, "{} is no count of starts", part.dump());
  };
  if (!document.is_array()) return damaged(document);
  for (const Json& one : document) {
    if (!one.is_array() || one.size() != 2 || !one[0].is_number_integer() || !one[1].is_number_unsigned())
      return damaged(one);
    const auto step = one[0].get<std::int64_t>();
    const auto count = one[1].get<std::size_t>();
    if (step < 0 || step > INT64_MAX / kStepMicros - kMinuteMicros || count > kCountMax) return damaged(one);
    out[step] += count;
  }
  return out;
}

/// What stands there as later than now was noted by a clock that is ahead of this one and counts, or by one that was set back since and
/// does not.
void drop_past(Steps& steps, std::int64_t now) {
  std::erase_if(steps, [now](const auto& one) {
    return past_at(one.first) <= now || one.first * kStepMicros >= now + kMinuteMicros;
  });
}

store::Batch written(const std::string& key, const std::optional<store::Row>& before, const Steps& steps) {
  Json document = Json::array();
  for (const auto& [step, count] : steps) document.push_back({step, count});
  return store::Batch().put(store::Table::kMeta, key, document.dump(),
                            before ? store::Expect::at(before->version) : store::Expect::absent());
}

std::string key_of(const std::string& gate) { return "starts/" + gate; }

}  // namespace

Result<SharedStarts::Begun> SharedStarts::begin(const std::string& gate, std::size_t per_minute_max) {
  const std::string key = key_of(gate);
  while (true) {
    TANDEM_TRY_ASSIGN(const auto row, store_.get(store::Table::kMeta, key));
    const std::int64_t now = clock_.now().micros;
    const std::int64_t step = now / kStepMicros;
    Steps steps;
    bool is_damaged = false;
    if (row) {
      auto known = read(*row);
      is_damaged = !known.has_value();
      if (is_damaged)
        log_.write(LogLevel::kError, "gate.starts_damaged", {{"gate", gate}, {"error", known.error().to_string()}});
      steps = is_damaged ? Steps{{step, per_minute_max}} : *std::move(known);
    }
    drop_past(steps, now);
    std::size_t all = 0;
    for (const auto& [at, count] : steps) all += count;
    std::int64_t left = 0;
    for (auto oldest = steps.begin(); all >= per_minute_max && oldest != steps.end(); ++oldest) {
      all -= oldest->second;
      left = past_at(oldest->first) - now;
    }
    if (left == 0)
      ++steps[step];
    else if (!is_damaged)
      return Begun{.left = std::chrono::microseconds(left)};
    const auto done = store_.commit_and_wait(written(key, row, steps));
    if (done) return Begun{.left = std::chrono::microseconds(left), .step = step};
    // Another process was faster: one more has begun, so this ends.
    if (done.error().number != errors::kPreconditionFailed) return tl::unexpected(done.error());
  }
}

Result<void> SharedStarts::give_back(const std::string& gate, std::int64_t step) {
  const std::string key = key_of(gate);
  while (true) {
    TANDEM_TRY_ASSIGN(const auto row, store_.get(store::Table::kMeta, key));
    if (!row) return {};
    TANDEM_TRY_ASSIGN(Steps steps, read(*row));
    const auto noted = steps.find(step);
    if (noted == steps.end()) return {};
    if (--noted->second == 0) steps.erase(noted);
    const auto done = store_.commit_and_wait(written(key, row, steps));
    if (done) return {};
    if (done.error().number != errors::kPreconditionFailed) return tl::unexpected(done.error());
  }
}

}  // namespace tandem::resilience
