// tandem/trust/budget/books.h - Books: the accounts that one commit touches, from the first reading until they are in its batch.
//
// Room: trust; for the sources of this part only.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tandem/model/job/job_event.h"
#include "tandem/trust/budget/account.h"
#include "tandem/trust/budget/limits.h"

namespace tandem::budget {

/// What changes in one entry; the sum of the first two is that of the other three.
struct Posting {
  std::int64_t granted = 0;
  std::int64_t overrun = 0;
  std::int64_t held = 0;
  std::int64_t settled = 0;
  std::int64_t released = 0;
};

/// Each row is read once and written once, however many move money in it. Threads: one.
class Books {
 public:
  Books(store::Store& store, const Limits* limits, Timestamp now) : store_(store), limits_(limits), now_(now) {}

  /// Grants what a hard limit allows: held, or used at once. Errors: 4004 limit_exceeded - also beyond what an account can count;
  /// 3003 store_damaged; those of the store.
  Result<void> grant(const Due& due, std::int64_t amount, bool used);
  /// Posts to an account that is there. Errors: 3003 store_damaged - it is not, or would go below nothing; 1023 value_out_of_range -
  /// beyond what an account can count; those of the store.
  Result<void> post(const std::string& key, Unit unit, const Posting& posting);
  /// Adds every account that changed to the batch, as long as it is what was read. Returns the alerts: the limits that are crossed now
  /// and were not before in this period.
  std::vector<job::EventData> close(store::Batch& batch);

 private:
  Result<Account*> open(const std::string& key);
  void alert(Account& account, Unit unit, std::vector<job::EventData>& out);

  store::Store& store_;
  const Limits* limits_;
  Timestamp now_;
  std::map<std::string, Account> accounts_;
  std::map<std::string, std::set<Unit>> touched_;
};

}  // namespace tandem::budget
