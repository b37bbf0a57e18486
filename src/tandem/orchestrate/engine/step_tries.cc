#include "tandem/orchestrate/engine/step_tries.h"

#include <algorithm>

#include "tandem/base/backoff.h"
#include "tandem/base/hash.h"
#include "tandem/base/rng.h"

namespace tandem::engine {
namespace {

using std::chrono::milliseconds;

std::string tries_key(const JobId& job) { return job.value + "/tries"; }

struct Kept {
  std::vector<job::FailedTry> tries;
  store::Expect expect = store::Expect::absent();
};

Result<Kept> load(store::Store& store, const JobId& job) {
  Kept out;
  TANDEM_TRY_ASSIGN(const auto row, store.get(store::Table::kStep, tries_key(job)));
  if (!row) return out;
  out.expect = store::Expect::at(row->version);
  TANDEM_TRY_ASSIGN(const Json document, parse_json(row->value, "tries " + row->key));
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  TANDEM_TRY_ASSIGN(out.tries, job::parse_list_or_empty<job::FailedTry>(reader, "tries"));
  return out;
}

/// A draw that a restart, and a replay of the history, repeats.
double draw(const JobId& job, const job::FailedTry& failed) {
  const Sha256 hash =
      sha256(fmt::format("{}/{}/{}/{}/{}", job.value, failed.round, failed.step, failed.station, failed.number));
  std::uint64_t seed = 0;
  for (std::size_t i = 0; i < sizeof(seed); ++i) seed = seed << 8 | hash.bytes[i];
  return Xoshiro256(seed).uniform();
}

bool is_of(const job::FailedTry& one, std::uint32_t round, std::string_view label) {
  return one.round == round && one.step == label;
}

}  // namespace

Result<std::vector<job::FailedTry>> StepTries::of(const JobId& job, std::uint32_t round, std::string_view label) const {
  TANDEM_TRY_ASSIGN(Kept kept, load(store_, job));
  std::erase_if(kept.tries, [&](const job::FailedTry& one) { return !is_of(one, round, label); });
  return std::move(kept.tries);
}

Result<std::optional<job::FailedTry>> StepTries::note(const TryScope& scope, job::FailedTry failed,
                                                      milliseconds previous, milliseconds retry_after) {
  const job::RetryPolicy& policy = scope.policy;
  failed.tries_max = policy.max_attempts;
  if (failed.number >= policy.max_attempts) return std::nullopt;
  const auto drawn = next_backoff(milliseconds(policy.delay_min_ms), milliseconds(policy.delay_max_ms),
                                  std::max(previous, milliseconds(policy.delay_min_ms)), draw(scope.job, failed));
  const milliseconds delay = std::max(std::chrono::ceil<milliseconds>(drawn), retry_after);
  if (scope.deadline.left(clock_) <= delay) return std::nullopt;
  failed.delay_ms = delay.count();
  failed.at = format_rfc3339(clock_.now());
  bool within_budget = true;
  const auto noted = ledger_.update(scope.job, scope.fence, "engine", [&](JobRecord&, Change& change) -> Result<void> {
    change.keeps_row = true;
    TANDEM_TRY_ASSIGN(Kept kept, load(store_, scope.job));
    std::int64_t waited_ms = delay.count();
    failed.next_attempt = scope.stations;
    for (const job::FailedTry& one : kept.tries) {
      waited_ms += one.delay_ms;
      failed.next_attempt += is_of(one, failed.round, failed.step) ? 1 : 0;
    }
    within_budget =
        kept.tries.size() < policy.budget_retries && (policy.budget_time_ms == 0 || waited_ms <= policy.budget_time_ms);
    if (!within_budget) return fail(errors::kRetriesExhausted, "the budget of job {} is used up", scope.job.value);
    kept.tries.push_back(failed);
    change.batch.put(store::Table::kStep, tries_key(scope.job), Json{{"tries", job::list_document(kept.tries)}}.dump(),
                     kept.expect);
    change.events.push_back({job::EventData("step.retrying")
                                 .member("backend", failed.backend)
                                 .member("delay_ms", failed.delay_ms)
                                 .member("error", failed.reason)
                                 .member("error_class", failed.error_class)
                                 .member("label", failed.step)
                                 .member("number", failed.error_number)
                                 .member("round", failed.round)
                                 .member("tries_max", failed.tries_max)
                                 .member("try", failed.number)});
    return {};
  });
  if (!within_budget) return std::nullopt;
  if (!noted) return tl::unexpected(noted.error());
  return std::optional(std::move(failed));
}

std::chrono::nanoseconds StepTries::left(const job::FailedTry& failed) const {
  const auto at = parse_rfc3339(failed.at);
  const milliseconds delay(failed.delay_ms);
  if (!at) return delay;
  // A clock that was set back does not make the wait longer.
  const auto passed = std::chrono::microseconds(clock_.now().micros - at->micros);
  return std::clamp<std::chrono::nanoseconds>(delay - passed, std::chrono::nanoseconds(0), delay);
}

}  // namespace tandem::engine
