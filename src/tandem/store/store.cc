#include "tandem/store/store.h"

#include <array>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "tandem/base/assert.h"

namespace tandem::store {

std::string_view to_string(Table table) {
  static constexpr std::array<std::string_view, kNumTables> kNames = {
      "job", "job_index", "step", "blob", "submission", "idempotency", "budget", "evidence", "lineage", "meta"};
  const auto index = static_cast<std::size_t>(table);
  TANDEM_ASSERT(index < kNumTables);
  return kNames[index];
}

Batch& Batch::put(Table table, std::string key, Bytes value, Expect expect) {
  operations.emplace_back(Put{table, std::move(key), std::move(value), expect, 0});
  return *this;
}

Batch& Batch::erase(Table table, std::string key, Expect expect) {
  operations.emplace_back(Erase{table, std::move(key), expect});
  return *this;
}

Batch& Batch::check(Table table, std::string key, Expect expect) {
  operations.emplace_back(Check{table, std::move(key), expect});
  return *this;
}

Batch& Batch::restore(Table table, Row row) {
  operations.emplace_back(Put{table, std::move(row.key), std::move(row.value), Expect::absent(), row.version});
  return *this;
}

Batch& Batch::append(std::string subject, Bytes value) {
  operations.emplace_back(Append{std::move(subject), std::move(value)});
  return *this;
}

Scan Scan::prefix(Table table, std::string prefix, std::size_t limit) {
  // The first key after all keys with the prefix: its last byte below 0xff, plus one, the rest cut off. There is none
  // after a prefix of 0xff bytes only, and an empty `until` says just that.
  std::string until = prefix;
  while (!until.empty() && static_cast<unsigned char>(until.back()) == 0xff) until.pop_back();
  if (!until.empty()) until.back() = static_cast<char>(static_cast<unsigned char>(until.back()) + 1);
  return Scan{.table = table, .from = std::move(prefix), .until = std::move(until), .limit = limit};
}

Result<Committed> Store::commit_and_wait(Batch batch) {
  std::mutex mutex;
  std::condition_variable answered;
  std::optional<Result<Committed>> answer;
  commit(std::move(batch), [&](Result<Committed> result) {
    // Notified under the lock: the waiter's frame, and with it the condition variable, lives until the lock is
    // released.
    const std::lock_guard lock(mutex);
    answer = std::move(result);
    answered.notify_one();
  });
  std::unique_lock lock(mutex);
  answered.wait(lock, [&] { return answer.has_value(); });
  return *std::move(answer);
}

}  // namespace tandem::store
