// tandem/store/postgres/group_plan.h - GroupPlan: what a group of batches comes to, decided before the server is asked.
//
// Room: store. Not here: sending it (group_writer.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tandem/store/commit_queue.h"
#include "tandem/store/postgres/presence.h"
#include "tandem/store/store.h"

namespace tandem::postgres {

/// One row as it must have been before the group and as it will be after it. Views are of the batches, which outlive it.
struct PlannedRow {
  enum class Before : std::uint8_t {
    kUnknown,  ///< nothing rests on it
    kAbsent,
    kPresent,  ///< at any version
    kVersion,
  } before = Before::kUnknown;
  std::int64_t before_version = 0;
  /// Nothing: it is not there. Above 0: the version. Otherwise: as many above the version that it had.
  std::optional<std::int64_t> now = {};
  const Bytes* value = nullptr;  ///< of the last put; null: none since the row was there
  bool matters = false;  ///< a batch that was applied writes it, or rests on it
  bool guessed = false;  ///< a put that expects nothing was the first to ask

  bool there() const { return before == Before::kPresent || before == Before::kVersion; }
  /// As a number for SQL: the version, 0 for any, -1 for no row.
  std::int64_t expected() const {
    return before == Before::kAbsent ? -1 : before == Before::kVersion ? before_version : 0;
  }
};

/// Decides batches in their order, each against what the ones before it did. What nobody told it of a row it takes from what the
/// batches expect of it and else from a guess; whoever writes the plan has to have the server confirm `before` of every row that
/// matters. A refusal needs no confirmation where what it rests on was read: it was true then.
/// Threads: one at a time. Cost: some 100 ns an operation.
class GroupPlan {
 public:
  using Rows = std::unordered_map<std::string_view, PlannedRow>;

  GroupPlan(std::span<const store::Batch* const> group, Presence& presence);

  /// The rows of a table that the group names.
  const Rows& rows(store::Table table) const { return rows_[static_cast<std::size_t>(table)]; }
  /// From now on nothing is guessed: of the rows named, those that know() is told of are there, and no others. Before decide().
  void begin_surely();
  void know(store::Table table, std::string_view key, std::uint64_t version);
  bool is_sure() const { return sure_; }

  /// Errors: 3004 precondition_failed. Where it is not sure that says nothing, since a guess, or what another batch expected, may be
  ///         wrong, and the plan is of no more use.
  Result<void> decide(const store::Batch& batch);

  bool any() const { return any_; }  ///< a batch was applied
  const std::vector<const store::Append*>& appended() const { return appended_; }
  const std::array<std::int64_t, store::kNumTables>& added() const { return added_; }  ///< rows, by table
  /// It is written: what was guessed is known now.
  void remember() const;

 private:
  PlannedRow& row(store::Table table, std::string_view key);
  Result<void> expect(store::Table table, std::string_view key, store::Expect expect);
  void apply(const store::Put& put);
  void apply(const store::Erase& erase);
  void apply(const store::Check& check);

  Presence& presence_;
  std::array<Rows, store::kNumTables> rows_;
  std::array<std::int64_t, store::kNumTables> added_{};
  std::vector<const store::Append*> appended_;
  bool sure_ = false;
  bool any_ = false;
};

}  // namespace tandem::postgres
