#include "tandem/store/postgres/group_plan.h"

#include <type_traits>

#include "tandem/base/assert.h"
#include "tandem/store/precondition.h"

namespace tandem::postgres {

using store::Append;
using store::Batch;
using store::Check;
using store::Erase;
using store::Expect;
using store::Put;
using store::Table;
using Before = PlannedRow::Before;

GroupPlan::GroupPlan(std::span<const Batch* const> group, Presence& presence) : presence_(presence) {
  const auto name = [&](const auto& operation) {
    if constexpr (!std::is_same_v<std::decay_t<decltype(operation)>, Append>)
      rows_[static_cast<std::size_t>(operation.table)].try_emplace(operation.key);
  };
  for (const Batch* batch : group)
    for (const store::Operation& operation : batch->operations) std::visit(name, operation);
}

PlannedRow& GroupPlan::row(Table table, std::string_view key) {
  const auto found = rows_[static_cast<std::size_t>(table)].find(key);
  TANDEM_ASSERT(found != rows_[static_cast<std::size_t>(table)].end());
  return found->second;
}

void GroupPlan::begin_surely() {
  for (Rows& rows : rows_)
    for (auto& [key, row] : rows) row.before = Before::kAbsent;
  sure_ = true;
}

void GroupPlan::know(Table table, std::string_view key, std::uint64_t version) {
  PlannedRow& known = row(table, key);
  known.before = Before::kVersion;
  known.before_version = static_cast<std::int64_t>(version);
  known.now = known.before_version;
}

Result<void> GroupPlan::expect(Table table, std::string_view key, Expect expect) {
  if (expect.kind == Expect::Kind::kAny) return {};
  PlannedRow& it = row(table, key);
  const bool at_none = expect.kind == Expect::Kind::kVersion && static_cast<std::int64_t>(expect.version) <= 0;
  if (it.before == Before::kUnknown && !at_none) {
    it.before = expect.kind == Expect::Kind::kAbsent    ? Before::kAbsent
                : expect.kind == Expect::Kind::kVersion ? Before::kVersion
                                                        : Before::kPresent;
    if (it.before == Before::kPresent) it.now = 0;
    if (it.before == Before::kVersion) it.now = it.before_version = static_cast<std::int64_t>(expect.version);
    return {};
  }
  if (it.before == Before::kUnknown || (it.now && *it.now <= 0)) {
    if (expect.kind == Expect::Kind::kPresent) return {};
    if (expect.kind == Expect::Kind::kVersion && !at_none && *it.now == 0) {
      it.before = Before::kVersion;
      it.now = it.before_version = static_cast<std::int64_t>(expect.version);
      return {};
    }
    return fail(errors::kPreconditionFailed, "{} row at a version that is not known yet", to_string(table));
  }
  return store::check_expect(table, key, expect,
                             it.now ? std::optional(static_cast<std::uint64_t>(*it.now)) : std::nullopt);
}

void GroupPlan::apply(const Put& put) {
  PlannedRow& it = row(put.table, put.key);
  it.matters = true;
  if (it.value == nullptr && put.expect.kind == Expect::Kind::kAny) it.guessed = true;
  if (it.before == Before::kUnknown) {
    it.before = presence_.contains(put.table, put.key) ? Before::kPresent : Before::kAbsent;
    if (it.before == Before::kPresent) it.now = 0;
  }
  if (!it.now) ++added_[static_cast<std::size_t>(put.table)];
  if (put.version != 0)
    it.now = static_cast<std::int64_t>(put.version);
  else if (!it.now)
    it.now = 1;
  else
    *it.now += *it.now > 0 ? 1 : -1;
  it.value = &put.value;
}

void GroupPlan::apply(const Erase& erase) {
  PlannedRow& it = row(erase.table, erase.key);
  it.matters = true;
  if (it.before == Before::kUnknown) {
    it.before = Before::kPresent;  // who erases has seen it, as a rule
    it.now = 0;
  }
  if (it.now) --added_[static_cast<std::size_t>(erase.table)];
  it.now.reset();
  it.value = nullptr;
}

void GroupPlan::apply(const Check& check) {
  if (check.expect.kind != Expect::Kind::kAny) row(check.table, check.key).matters = true;
}

Result<void> GroupPlan::decide(const Batch& batch) {
  // Every precondition before any effect: a refused batch leaves nothing.
  const auto holds = [&](const auto& operation) -> Result<void> {
    if constexpr (std::is_same_v<std::decay_t<decltype(operation)>, Append>)
      return {};
    else
      return expect(operation.table, operation.key, operation.expect);
  };
  for (const store::Operation& operation : batch.operations) TANDEM_TRY(std::visit(holds, operation));
  const auto take_effect = [&](const auto& operation) {
    using Kind = std::decay_t<decltype(operation)>;
    if constexpr (std::is_same_v<Kind, Append>)
      appended_.push_back(&operation);
    else
      apply(operation);
  };
  for (const store::Operation& operation : batch.operations) std::visit(take_effect, operation);
  any_ = true;
  return {};
}

void GroupPlan::remember() const {
  for (std::size_t table = 0; table < rows_.size(); ++table) {
    for (const auto& [key, row] : rows_[table]) {
      if (row.now && row.guessed) presence_.insert(static_cast<Table>(table), key);
      if (!row.now && row.there()) presence_.erase(static_cast<Table>(table), key);
    }
  }
}

}  // namespace tandem::postgres
