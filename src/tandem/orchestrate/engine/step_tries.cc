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
double draw(const JobId& job, const job::FailedTry& failed, std::string_view of) {
  const Sha256 hash = sha256(fmt::format("{}/{}/{}/{}/{}", job.value, failed.round, failed.step, failed.station, of));
  std::uint64_t seed = 0;
  for (std::size_t i = 0; i < sizeof(seed); ++i) seed = seed << 8 | hash.bytes[i];
  return Xoshiro256(seed).uniform();
}

bool is_of(const job::FailedTry& one, std::uint32_t round, std::string_view label) {
  return one.round == round && one.step == label;
}

/// Of the next attempt of an order: behind the first ones of the stations, and those that its entries were given.
std::uint32_t free_number(const Kept& kept, const job::FailedTry& entry, std::uint32_t stations) {
  std::uint32_t out = stations;
  for (const job::FailedTry& one : kept.tries)
    if (is_of(one, entry.round, entry.step)) out = std::max(out, one.next_attempt + 1);
  return out;
}

void add(Kept& kept, job::FailedTry& failed, std::uint32_t stations) {
  failed.next_attempt = free_number(kept, failed, stations);
  kept.tries.push_back(failed);
}

void put(store::Batch& batch, const JobId& job, const Kept& kept) {
  batch.put(store::Table::kStep, tries_key(job), Json{{"tries", job::list_document(kept.tries)}}.dump(), kept.expect);
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
                                  std::max(previous, milliseconds(policy.delay_min_ms)),
                                  draw(scope.job, failed, std::to_string(failed.number)));
  const milliseconds delay = std::max(std::chrono::ceil<milliseconds>(drawn), retry_after);
  if (scope.deadline.left(clock_) <= delay) return std::nullopt;
  failed.delay_ms = delay.count();
  failed.at = format_rfc3339(clock_.now());
  bool within_budget = true;
  const auto noted = ledger_.update(scope.job, scope.fence, "engine", [&](JobRecord&, Change& change) -> Result<void> {
    change.keeps_row = true;
    TANDEM_TRY_ASSIGN(Kept kept, load(store_, scope.job));
    std::int64_t waited_ms = delay.count();
    std::size_t retries = 0;
    for (const job::FailedTry& one : kept.tries) {
      waited_ms += one.delay_ms;
      retries += is_wait(one) ? 0 : 1;
    }
    within_budget =
        retries < policy.budget_retries && (policy.budget_time_ms == 0 || waited_ms <= policy.budget_time_ms);
    if (!within_budget) return fail(errors::kRetriesExhausted, "the budget of job {} is used up", scope.job.value);
    add(kept, failed, scope.stations);
    put(change.batch, scope.job, kept);
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

Result<job::FailedTry> StepTries::note_wait(const TryScope& scope, job::FailedTry failed, milliseconds most) {
  failed.tries_max = 0;
  failed.at = format_rfc3339(clock_.now());
  const auto noted = ledger_.update(scope.job, scope.fence, "engine", [&](JobRecord&, Change& change) -> Result<void> {
    change.keeps_row = true;
    TANDEM_TRY_ASSIGN(Kept kept, load(store_, scope.job));
    add(kept, failed, scope.stations);
    put(change.batch, scope.job, kept);
    change.events.push_back({job::EventData("step.waiting")
                                 .member("backend", failed.backend)
                                 .member("error", failed.reason)
                                 .member("label", failed.step)
                                 .member("number", failed.error_number)
                                 .member("round", failed.round)
                                 .member("wait_max_ms", most.count())});
    return {};
  });
  if (!noted) return tl::unexpected(noted.error());
  return failed;
}

Result<void> StepTries::renumber(const TryScope& scope, job::FailedTry& entry) {
  const std::uint32_t used = entry.next_attempt;
  return ledger_
      .update(scope.job, scope.fence, "engine",
              [&](JobRecord&, Change& change) -> Result<void> {
                change.keeps_row = true;
                TANDEM_TRY_ASSIGN(Kept kept, load(store_, scope.job));
                entry.next_attempt = free_number(kept, entry, scope.stations);
                for (job::FailedTry& one : kept.tries)
                  if (is_of(one, entry.round, entry.step) && one.next_attempt == used)
                    one.next_attempt = entry.next_attempt;
                put(change.batch, scope.job, kept);
                return {};
              })
      .map([](const JobRecord&) {});
}

milliseconds StepTries::waited(const job::FailedTry& wait) const {
  const auto at = parse_rfc3339(wait.at);
  if (!at) return milliseconds(0);
  return milliseconds(std::max<std::int64_t>(0, (clock_.now().micros - at->micros) / 1000));
}

milliseconds StepTries::next_look(const TryScope& scope, const job::FailedTry& wait, std::uint32_t look,
                                  milliseconds previous) {
  const milliseconds shortest(scope.policy.delay_min_ms);
  return std::chrono::ceil<milliseconds>(next_backoff(shortest, milliseconds(scope.policy.delay_max_ms),
                                                      std::max(previous, shortest),
                                                      draw(scope.job, wait, fmt::format("look {}", look))));
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
